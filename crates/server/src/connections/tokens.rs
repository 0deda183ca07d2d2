//! Access tokens: always fresh, asked for once, and never used before the refresh token that came with them is stored.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use sdk::auth::ClientAuth;
use sdk::http::{Connection, Http, Response, Vendor};
use sdk::{Credentials, Error, Kind, Result};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use store::Tenant;
use store::vault::{self as rows, Token};
use uuid::Uuid;

use super::service_account::KeyFile;
use crate::clock::Clock;
use crate::vault::Vault;

/// A token that ends sooner is not handed out: a call may take a minute.
const LEAST: chrono::Duration = chrono::Duration::minutes(2);
/// How long one replica waits for another that refreshes.
const PATIENCE: u32 = 100;
const LOOK_AGAIN: Duration = Duration::from_millis(150);

/// Where an account's access tokens come from.
pub(super) struct Tokens {
    pub(super) grant: Grant,
    pub(super) token_url: String,
    pub(super) http: Arc<Connection>,
    pub(super) ecosystem: &'static str,
    pub(super) title: &'static str,
    pub(super) clock: Clock,
    /// Where they are kept, unless they come from the environment or belong to the sample business.
    pub(super) kept: Option<Kept>,
    /// The refresh token that a person gave. Where the vendor exchanges it, the kept one counts.
    pub(super) seed: Option<SecretString>,
    pub(super) held: tokio::sync::Mutex<Held>,
}

/// What is shown to the token endpoint.
pub(super) enum Grant {
    Refresh { client: Client },
    ServiceAccount(Box<KeyFile>),
}

/// This installation at the vendor's authorization server.
#[derive(Clone)]
pub(super) struct Client {
    pub(super) id: SecretString,
    pub(super) secret: SecretString,
    pub(super) auth: ClientAuth,
}

/// Where tokens survive this process.
pub(super) struct Kept {
    pub(super) tenant: Tenant,
    pub(super) vault: Arc<Vault>,
}

/// The tokens of this moment.
#[derive(Default)]
pub(super) struct Held {
    pub(super) access: Option<SecretString>,
    pub(super) refresh: Option<SecretString>,
    pub(super) ends: Option<DateTime<Utc>>,
    /// The vendor refused the refresh token; asking again would not help.
    pub(super) dead: Option<String>,
}

/// A token endpoint's answer (RFC 6749 §5.1).
#[derive(Deserialize)]
pub(super) struct Granted {
    pub(super) access_token: SecretString,
    pub(super) refresh_token: Option<SecretString>,
    pub(super) expires_in: Option<i64>,
    pub(super) scope: Option<String>,
}

impl Tokens {
    /// An access token that is good for a call. Of many who ask at once one refreshes, here and among replicas.
    pub(super) async fn fresh(&self, call: &sdk::http::Call) -> Result<SecretString> {
        let mut held = self.held.lock().await;
        if let Some(token) = self.good(&held) {
            return Ok(token);
        }
        if let Some(why) = &held.dead {
            return Err(Error::unauthenticated(why.clone()));
        }
        let _alone = match &self.kept {
            Some(kept) => Some(kept.alone(self.ecosystem).await?),
            None => None,
        };
        if let Some(kept) = &self.kept {
            // Another replica may have refreshed meanwhile; its refresh token is the one that counts.
            *held = kept.load(self.ecosystem).await?;
            if let Some(token) = self.good(&held) {
                return Ok(token);
            }
        }
        held.refresh = held.refresh.take().or_else(|| self.seed.clone());
        let granted = match self.granted(&mut held, call).await {
            Ok(granted) => granted,
            Err(e) if e.kind == Kind::Unauthenticated => {
                held.dead = Some(e.message.clone());
                self.note_trouble(&e.message).await;
                return Err(e);
            }
            Err(e) => return Err(e),
        };
        self.keep(&mut held, granted).await
    }

    /// A person may have given a new refresh token because the kept one had ended.
    async fn granted(&self, held: &mut Held, call: &sdk::http::Call) -> Result<Granted> {
        let text = |token: &Option<SecretString>| token.as_ref().map(|token| token.expose_secret().to_owned());
        match self.ask(held, call).await {
            Err(e)
                if e.kind == Kind::Unauthenticated
                    && self.seed.is_some()
                    && text(&self.seed) != text(&held.refresh) =>
            {
                held.refresh = self.seed.clone();
                self.ask(held, call).await
            }
            asked => asked,
        }
    }

    /// The vendor refused this token although it should still be good: the next call gets another.
    pub(super) async fn forget(&self, refused: &str) {
        let mut held = self.held.lock().await;
        if held.access.as_ref().is_some_and(|token| token.expose_secret() == refused) {
            held.access = None;
            if let Some(kept) = &self.kept
                && let Err(e) = kept.save(self.ecosystem, &held, None, self.clock.now()).await
            {
                tracing::warn!(ecosystem = self.ecosystem, error = %e, "a refused token could not be put away");
            }
        }
    }

    fn good(&self, held: &Held) -> Option<SecretString> {
        let good = held.ends.is_none_or(|ends| ends > self.clock.now() + LEAST);
        held.access.clone().filter(|_| good)
    }

    async fn ask(&self, held: &Held, call: &sdk::http::Call) -> Result<Granted> {
        match &self.grant {
            Grant::Refresh { client } => {
                let refresh = held.refresh.as_ref().ok_or_else(|| self.no_refresh_token())?;
                let form = [("grant_type", "refresh_token"), ("refresh_token", refresh.expose_secret())];
                self.request(Some(client), &form, &[refresh], call).await
            }
            Grant::ServiceAccount(key) => {
                let assertion = SecretString::from(key.assertion(self.clock.now())?);
                let grant = "urn:ietf:params:oauth:grant-type:jwt-bearer";
                let form = [("grant_type", grant), ("assertion", assertion.expose_secret())];
                self.request(None, &form, &[&assertion], call).await
            }
        }
    }

    fn no_refresh_token(&self) -> Error {
        Error::unauthenticated(format!("{} gave no refresh token; {}", self.title, self.cure()))
    }

    fn cure(&self) -> String {
        format!("connect it again: enterprise-mcp connect {}", self.ecosystem)
    }

    /// Exchanges an authorization code.
    pub(super) async fn exchange(&self, form: &[(&str, &str)], call: &sdk::http::Call) -> Result<Granted> {
        let Grant::Refresh { client } = &self.grant else { return Err(Error::internal("no code is exchanged here")) };
        self.request(Some(client), form, &[], call).await
    }

    async fn request(
        &self,
        client: Option<&Client>,
        form: &[(&str, &str)],
        secrets: &[&SecretString],
        call: &sdk::http::Call,
    ) -> Result<Granted> {
        let mut form = form.to_vec();
        let mut scrubbed = Credentials::new();
        for (index, secret) in secrets.iter().enumerate() {
            scrubbed = scrubbed.with(&index.to_string(), secret.expose_secret());
        }
        if let Some(client) = client {
            scrubbed = scrubbed.with("client_secret", client.secret.expose_secret());
        }
        let http = Http::new(self.http.clone(), call.clone())
            .for_vendor(Vendor { error: refusal, quota: |_| sdk::http::Quota::default() }, &scrubbed);
        // A refresh whose answer was lost may be asked for again: vendors accept the token before for a while.
        let mut request = http.post("/oauth/token", self.token_url.clone()).repeatable();
        match client {
            Some(client) if client.auth == ClientAuth::Basic => {
                request = request.header(http::header::AUTHORIZATION, &basic(client))
            }
            Some(client) => form
                .extend([("client_id", client.id.expose_secret()), ("client_secret", client.secret.expose_secret())]),
            None => {}
        }
        let answer = request.form(&form).send().await.map_err(|e| self.named(e))?;
        // Some refuse with 200.
        if serde_json::from_slice::<Refusal>(&answer.body).is_ok_and(|said| !said.error.is_empty()) {
            return Err(self.named(refusal(&answer)));
        }
        answer.json()
    }

    fn named(&self, mut error: Error) -> Error {
        error.outcome_unknown = false;
        error.message = match error.kind {
            Kind::Unauthenticated => {
                format!("{} refuses this installation: {}; {}", self.title, error.message, self.cure())
            }
            _ => format!("access to {}: {}", self.title, error.message),
        };
        error
    }

    async fn keep(&self, held: &mut Held, granted: Granted) -> Result<SecretString> {
        let now = self.clock.now();
        let access = granted.access_token.clone();
        held.access = Some(granted.access_token);
        held.ends = granted.expires_in.map(|seconds| now + chrono::Duration::seconds(seconds));
        // Not every vendor gives a new one each time.
        held.refresh = granted.refresh_token.or(held.refresh.take());
        if let Some(kept) = &self.kept
            && let Err(e) = kept.save(self.ecosystem, held, granted.scope, now).await
        {
            held.access = None;
            return Err(e);
        }
        Ok(access)
    }

    async fn note_trouble(&self, why: &str) {
        let Some(kept) = &self.kept else { return };
        let noted =
            rows::set_state(&kept.tenant, self.ecosystem, super::NEEDS_ATTENTION, Some(why), self.clock.now()).await;
        if let Err(e) = noted {
            tracing::warn!(ecosystem = self.ecosystem, error = %e, "the state of the connection could not be noted");
        }
    }
}

impl Kept {
    /// Keeps everybody else, in this process and in others, from refreshing.
    pub(super) async fn alone(&self, ecosystem: &str) -> Result<store::locks::Guard> {
        let name = format!("tokens of {ecosystem} for {}", self.tenant.id());
        for _ in 0..PATIENCE {
            let guard = store::locks::try_lock(self.tenant.store(), &name).await.map_err(crate::unavailable)?;
            if let Some(guard) = guard {
                return Ok(guard);
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        Err(Error::unavailable(format!("another process refreshes the access to {ecosystem} and does not end")))
    }

    pub(super) async fn load(&self, ecosystem: &str) -> Result<Held> {
        let Some(token) = rows::token(&self.tenant, ecosystem).await.map_err(crate::unavailable)? else {
            return Ok(Held::default());
        };
        let key = self.vault.key(&self.tenant, &token.key_id).await?;
        let place = self.place(ecosystem, token.id);
        let opened = |sealed: Option<Vec<u8>>| -> Result<Option<SecretString>> {
            let Some(sealed) = sealed else { return Ok(None) };
            let text = String::from_utf8(key.open(&sealed, &place)?);
            Ok(Some(text.map_err(|e| Error::internal("a token in the vault is no text").with_source(e))?.into()))
        };
        let (access, refresh) = (opened(token.access_token)?, opened(token.refresh_token)?);
        Ok(Held { access, refresh, ends: token.expires_at, dead: None })
    }

    /// Durable when it returns.
    pub(super) async fn save(
        &self,
        ecosystem: &str,
        held: &Held,
        scope: Option<String>,
        now: DateTime<Utc>,
    ) -> Result<()> {
        let token = self.sealed(ecosystem, held, scope).await?;
        rows::put_token(&self.tenant, ecosystem, token, now).await.map_err(crate::unavailable)
    }

    pub(super) async fn sealed(&self, ecosystem: &str, held: &Held, scope: Option<String>) -> Result<Token> {
        let (key, id) = (self.vault.current(&self.tenant).await?, Uuid::now_v7());
        let place = self.place(ecosystem, id);
        let seal = |secret: &Option<SecretString>| {
            let sealed = secret.as_ref().map(|secret| key.seal(secret.expose_secret().as_bytes(), &place));
            Ok::<_, Error>(sealed.transpose()?.map(|sealed| sealed.bytes))
        };
        Ok(Token {
            id,
            key_id: key.id().to_owned(),
            access_token: seal(&held.access)?,
            refresh_token: seal(&held.refresh)?,
            scope,
            expires_at: held.ends,
        })
    }

    fn place(&self, ecosystem: &str, id: Uuid) -> String {
        format!("{}|{ecosystem}|oauth_tokens|{id}", self.tenant.id())
    }
}

fn basic(client: &Client) -> String {
    use base64::Engine;
    let text = format!("{}:{}", client.id.expose_secret(), client.secret.expose_secret());
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(text))
}

/// What a token endpoint says when it refuses (RFC 6749 §5.2).
#[derive(Deserialize, Default)]
#[serde(default)]
struct Refusal {
    error: String,
    error_description: String,
}

fn refusal(response: &Response) -> Error {
    let said: Refusal = serde_json::from_slice(&response.body).unwrap_or_default();
    let ended = ["invalid_grant", "invalid_refresh_token", "invalid_code", "token_revoked", "invalid_auth"];
    let unknown = ["invalid_client", "unauthorized_client", "invalid_client_id", "bad_client_secret"];
    let error = said.error.as_str();
    if ended.contains(&error) {
        return Error::unauthenticated("the consent has ended or was withdrawn");
    }
    if unknown.contains(&error) {
        return Error::unauthenticated("the client id or the client secret is not accepted");
    }
    let words = match error {
        "" => format!("the token endpoint answered {}", response.status),
        other => sdk::text::cut(&format!("{other} {}", said.error_description), 200),
    };
    let kind = if response.status.is_success() { Kind::Upstream } else { sdk::http::kind_of(response.status) };
    Error::new(if error == "invalid_scope" { Kind::Unauthenticated } else { kind }, words)
}
