//! Access tokens: always fresh, asked for once, and never used before the refresh token that came with them is stored.

use chrono::{DateTime, Utc};
use sdk::auth::Narrow;
use sdk::http::Call;
use sdk::{Error, Kind, Result};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};
use store::Account;
use store::vault as rows;

use super::endpoint::{Client, Endpoint, Granted};
use super::kept::Kept;
use super::service_account::KeyFile;
use crate::clock::Clock;

/// A token that ends sooner is not handed out: a call may take a minute.
const LEAST: chrono::Duration = chrono::Duration::minutes(2);

/// Where an account's access tokens come from.
pub(super) struct Tokens {
    pub(super) grant: Grant,
    pub(super) endpoint: Endpoint,
    pub(super) ecosystem: &'static str,
    /// The connection's name.
    pub(super) name: String,
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
    Refresh {
        client: Client,
        /// Which account a new code is asked for when a refresh token was lost.
        account: Option<String>,
    },
    ServiceAccount(Box<KeyFile>),
}

/// The tokens of this moment.
#[derive(Default)]
pub(super) struct Held {
    pub(super) access: Option<SecretString>,
    pub(super) refresh: Option<SecretString>,
    pub(super) issued: Option<DateTime<Utc>>,
    pub(super) ends: Option<DateTime<Utc>>,
    pub(super) refresh_ends: Option<DateTime<Utc>>,
    /// The vendor refused the refresh token; asking again would not help.
    pub(super) dead: Option<String>,
}

impl Tokens {
    /// An access token that is good for a call. Of many who ask at once one refreshes, here and among replicas.
    pub(super) async fn fresh(&self, call: &Call) -> Result<SecretString> {
        let mut held = self.held.lock().await;
        if let Some(token) = self.good(&held) {
            return Ok(token);
        }
        if let Some(why) = &held.dead {
            return Err(Error::unauthenticated(why.clone()));
        }
        let _alone = match &self.kept {
            Some(kept) => Some(kept.alone(self.account()).await?),
            None => None,
        };
        if let Some(kept) = &self.kept {
            // Another replica may have refreshed meanwhile; its refresh token is the one that counts.
            *held = kept.load(self.account()).await?;
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

    /// The kept refresh token; if that has ended, one that a person gave meanwhile; and where the vendor gives the
    /// client itself a new code, that. Each once.
    async fn granted(&self, held: &mut Held, call: &Call) -> Result<Granted> {
        let text = |token: &Option<SecretString>| token.as_ref().map(|token| token.expose_secret().to_owned());
        let ended = |asked: &Result<Granted>| asked.as_ref().is_err_and(|e| e.kind == Kind::Unauthenticated);
        let mut asked = self.ask(held, call).await;
        if ended(&asked) && self.seed.is_some() && text(&self.seed) != text(&held.refresh) {
            held.refresh = self.seed.clone();
            asked = self.ask(held, call).await;
        }
        if ended(&asked)
            && let Some(granted) = self.reconnected(call).await
        {
            return Ok(granted);
        }
        asked
    }

    async fn reconnected(&self, call: &Call) -> Option<Granted> {
        let Grant::Refresh { client, account: Some(account) } = &self.grant else { return None };
        let reconnect = client.oauth.reconnect?;
        let code = self.endpoint.reconnect(client, &reconnect, account, call).await;
        let code = code.inspect_err(|e| tracing::warn!(ecosystem = self.ecosystem, error = %e, "no new code")).ok()?;
        let form = [("grant_type", "authorization_code"), ("code", code.as_str())];
        let granted = self.exchange(&form, call).await.ok()?;
        tracing::info!(ecosystem = self.ecosystem, connection = self.name, "a lost refresh token was replaced");
        Some(granted)
    }

    /// The vendor refused this token although it should still be good: the next call gets another.
    pub(super) async fn forget(&self, refused: &str) {
        let mut held = self.held.lock().await;
        if held.access.as_ref().is_none_or(|token| token.expose_secret() != refused) {
            return;
        }
        held.access = None;
        if let Some(kept) = &self.kept
            && let Err(e) = self.put_away(kept, refused).await
        {
            tracing::warn!(ecosystem = self.ecosystem, error = %e, "a refused token could not be put away");
        }
    }

    /// Another replica may have another token by now, and with it another refresh token: those stay.
    async fn put_away(&self, kept: &Kept, refused: &str) -> Result<()> {
        let _alone = kept.alone(self.account()).await?;
        let mut known = kept.load(self.account()).await?;
        if known.access.as_ref().is_none_or(|token| token.expose_secret() != refused) {
            return Ok(());
        }
        known.access = None;
        kept.save(self.account(), &known, None, self.clock.now()).await
    }

    fn account(&self) -> Account<'_> {
        (self.ecosystem, self.name.as_str()).into()
    }

    /// A token that lives shorter than a call may take is good for half of its life.
    fn good(&self, held: &Held) -> Option<SecretString> {
        let good = held.ends.is_none_or(|ends| {
            let least = held.issued.map_or(LEAST, |issued| LEAST.min((ends - issued) / 2));
            ends > self.clock.now() + least
        });
        held.access.clone().filter(|_| good)
    }

    async fn ask(&self, held: &Held, call: &Call) -> Result<Granted> {
        let asked = match &self.grant {
            Grant::Refresh { client, .. } => {
                let refresh = held.refresh.as_ref().ok_or_else(|| self.no_refresh_token())?;
                let form = [("grant_type", "refresh_token"), ("refresh_token", refresh.expose_secret())];
                self.endpoint.token(Some(client), &form, &[refresh], call).await
            }
            Grant::ServiceAccount(key) => {
                let assertion = SecretString::from(key.assertion(self.clock.now())?);
                let grant = "urn:ietf:params:oauth:grant-type:jwt-bearer";
                let form = [("grant_type", grant), ("assertion", assertion.expose_secret())];
                self.endpoint.token(None, &form, &[&assertion], call).await
            }
        };
        asked.map_err(|e| self.named(e))
    }

    fn no_refresh_token(&self) -> Error {
        Error::unauthenticated(format!("there is no refresh token of {}", self.title))
    }

    /// Exchanges an authorization code.
    pub(super) async fn exchange(&self, form: &[(&str, &str)], call: &Call) -> Result<Granted> {
        let Grant::Refresh { client, .. } = &self.grant else {
            return Err(Error::internal("no code is exchanged here"));
        };
        self.endpoint.token(Some(client), form, &[], call).await.map_err(|e| self.named(e))
    }

    /// Makes a group's token one of the account that is configured, or of the only one there is.
    pub(super) async fn narrowed(
        &self,
        granted: Granted,
        config: &Map<String, Value>,
        call: &Call,
    ) -> Result<(Granted, Option<(&'static str, String)>)> {
        let Grant::Refresh { client, .. } = &self.grant else { return Ok((granted, None)) };
        let Some(narrow) = client.oauth.narrow else { return Ok((granted, None)) };
        if granted.text(narrow.when.0) != Some(narrow.when.1) {
            return Ok((granted, None));
        }
        let (_, key) = narrow.account;
        let account = chosen(&narrow, &granted, config)?;
        let narrowed = self.endpoint.narrowed(client, &narrow, &granted, &account, call).await;
        Ok((narrowed.map_err(|e| self.named(e))?, Some((key, account))))
    }

    /// Tells the vendor to forget what is kept. False: there is nothing, or nobody to tell.
    pub(super) async fn revoke(&self, url: Option<String>, call: &Call) -> Result<bool> {
        let (Grant::Refresh { client, .. }, Some(kept)) = (&self.grant, &self.kept) else { return Ok(false) };
        let Some(url) = url.or(client.oauth.revoke_url.map(str::to_owned)) else { return Ok(false) };
        let held = kept.load(self.account()).await?;
        let Some(token) = held.refresh.or(held.access) else { return Ok(false) };
        self.endpoint.revoke(client, url, &token, call).await?;
        Ok(true)
    }

    fn named(&self, mut error: Error) -> Error {
        error.outcome_unknown = false;
        error.message = match error.kind {
            Kind::Unauthenticated => {
                let again = super::command("connect", self.account());
                format!("{} refuses this installation: {}; connect it again: {again}", self.title, error.message)
            }
            _ => format!("access to {}: {}", self.title, error.message),
        };
        error
    }

    async fn keep(&self, held: &mut Held, granted: Granted) -> Result<SecretString> {
        let now = self.clock.now();
        let access = granted.access_token.clone();
        if let Grant::Refresh { client, .. } = &self.grant {
            held.refresh_ends = granted.refresh_ends(client.oauth, now).or(held.refresh_ends);
        }
        held.access = Some(granted.access_token);
        held.issued = Some(now);
        held.ends = granted.expires_in.map(|seconds| now + chrono::Duration::seconds(seconds));
        // Not every vendor gives a new one each time.
        held.refresh = granted.refresh_token.or(held.refresh.take());
        if let Some(kept) = &self.kept
            && let Err(e) = kept.save(self.account(), held, granted.scope, now).await
        {
            held.access = None;
            return Err(e);
        }
        Ok(access)
    }

    async fn note_trouble(&self, why: &str) {
        let Some(kept) = &self.kept else { return };
        let (state, now) = (super::NEEDS_ATTENTION, self.clock.now());
        let noted = rows::set_state(&kept.tenant, self.account(), state, Some(why), now).await;
        if let Err(e) = noted {
            tracing::warn!(ecosystem = self.ecosystem, error = %e, "the state of the connection could not be noted");
        }
    }
}

fn chosen(narrow: &Narrow, granted: &Granted, config: &Map<String, Value>) -> Result<String> {
    let (_, key) = narrow.account;
    if let Some(configured) = config.get(key).and_then(Value::as_str).filter(|id| !id.is_empty()) {
        return Ok(configured.to_owned());
    }
    let choices = granted.rest.get(narrow.choices).and_then(Value::as_array);
    let ids: Vec<&str> = choices.into_iter().flatten().filter_map(Value::as_str).collect();
    match ids.as_slice() {
        [only] => Ok((*only).to_owned()),
        several => Err(Error::invalid_input(format!(
            "the consent is for several accounts; say which one is meant: --set {key}=… ({})",
            several.iter().take(10).copied().collect::<Vec<_>>().join(", ")
        ))),
    }
}
