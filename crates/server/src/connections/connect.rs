//! Connecting an account: proving its credentials, then keeping them sealed; and ending it, at the vendor too.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::{SecureRandom, SystemRandom};
use sdk::auth::{ACCESS_TOKEN, ClientAuth, OAuth2};
use sdk::connector::Opening;
use sdk::http::{Call, Http};
use sdk::{Auth, Credentials, ErasedConnector, Error, Result};
use secrecy::ExposeSecret;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use store::vault::{self as rows, NewCredential};
use subtle::ConstantTimeEq;
use tokio::time::Instant;
use url::Url;
use uuid::Uuid;

use super::accounts::{self, Account, REFRESH_TOKEN};
use super::tokens::{Client, Grant, Held, Kept};
use super::{Connections, NEEDS_ATTENTION, settle};
use crate::actor::Actor;
use crate::app::App;
use crate::calls::Source;

/// How long the vendor may take to answer while somebody waits at the terminal.
const PATIENCE: Duration = Duration::from_secs(30);

/// A consent that a person is asked for: single use, and good for the browser that begins it.
pub struct Consent {
    /// Where the person says yes.
    pub url: String,
    connector: Arc<ErasedConnector>,
    oauth: OAuth2,
    secrets: BTreeMap<String, String>,
    redirect: String,
    state: String,
    verifier: Option<String>,
}

/// What was connected.
#[derive(Debug)]
pub struct Connection {
    pub account: sdk::Account,
    /// Scopes that were asked for and not granted.
    pub missing_scopes: Vec<String>,
}

impl Connections {
    /// Begins an authorization-code flow with this installation's client at the vendor. The vendor must know `redirect`.
    pub fn begin_consent(
        &self,
        ecosystem: &str,
        secrets: BTreeMap<String, String>,
        redirect: Option<String>,
        callback: &str,
    ) -> Result<Consent> {
        let connector = self.get(ecosystem)?.connector.clone();
        let (_, generic) = accounts::section(&connector, &self.config)?;
        let oauth =
            connector.auth.iter().find_map(|auth| if let Auth::OAuth2(oauth) = auth { Some(*oauth) } else { None });
        let missing = || Error::invalid_input(format!("{} is not connected by consent", connector.title));
        let oauth = oauth.ok_or_else(missing)?;
        let redirect = redirect.or(generic.redirect_uri).unwrap_or_else(|| callback.to_owned());
        let (state, verifier) = (random()?, oauth.pkce.then(random).transpose()?);
        let address = generic.authorize_url.unwrap_or_else(|| oauth.authorize_url.to_owned());
        let mut url =
            Url::parse(&address).map_err(|e| Error::invalid_input("authorize_url is no web address").with_source(e))?;
        {
            let mut query = url.query_pairs_mut();
            let id = secrets.get(oauth.client_id.name).map(String::as_str).unwrap_or_default();
            query.append_pair("response_type", "code").append_pair("client_id", id);
            query
                .append_pair("redirect_uri", &redirect)
                .append_pair("scope", &oauth.scopes.join(oauth.scope_separator));
            query.append_pair("state", &state).extend_pairs(oauth.authorize_with);
            if let Some(verifier) = &verifier {
                let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier));
                query.append_pair("code_challenge", &challenge).append_pair("code_challenge_method", "S256");
            }
        }
        Ok(Consent { url: url.into(), connector, oauth, secrets, redirect, state, verifier })
    }

    /// Ends it with the query that the vendor sent the browser back with.
    pub async fn finish_consent(&self, app: &App, by: &Actor, consent: Consent, query: &str) -> Result<Connection> {
        let said: BTreeMap<String, String> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let state = said.get("state").map(String::as_str).unwrap_or_default();
        if !bool::from(state.as_bytes().ct_eq(consent.state.as_bytes())) {
            return Err(Error::forbidden("the answer does not belong to this consent; begin again"));
        }
        if let Some(error) = said.get("error") {
            let words = said.get("error_description").unwrap_or(error);
            return Err(Error::forbidden(format!(
                "{} said no: {}",
                consent.connector.title,
                sdk::text::cut(words, 200)
            )));
        }
        let code = said.get("code").ok_or_else(|| Error::invalid_input("the answer holds no code; begin again"))?;
        let mut form = vec![("grant_type", "authorization_code"), ("code", code.as_str())];
        form.push(("redirect_uri", &consent.redirect));
        form.extend(consent.verifier.as_deref().map(|verifier| ("code_verifier", verifier)));

        let (mut config, generic) = accounts::section(&consent.connector, &self.config)?;
        for (parameter, key) in consent.oauth.from_callback {
            config.extend(said.get(*parameter).map(|value| ((*key).to_owned(), json!(value))));
        }
        let credentials = collected(&consent.secrets);
        let token_url = generic.token_url.clone().unwrap_or_else(|| consent.oauth.token_url.to_owned());
        let account = Account {
            source: Source::Live,
            config: Value::Object(config.clone()),
            generic,
            auth: Some(Auth::OAuth2(consent.oauth)),
            credential: None,
            trouble: None,
            attention: None,
            name: None,
            webhook_secret: None,
            credentials: credentials.clone(),
        };
        let client = Client {
            id: credentials.get(consent.oauth.client_id.name)?.into(),
            secret: credentials.get(consent.oauth.client_secret.name)?.into(),
            auth: consent.oauth.client,
        };
        let tokens = self.tokens_with(&consent.connector, &account, Grant::Refresh { client }, token_url).await?;
        let granted = tokens.exchange(&form, &call()).await?;
        let opened = credentials.with(ACCESS_TOKEN, granted.access_token.expose_secret());
        let proven = self.prove(&consent.connector, &account, opened).await?;
        let missing_scopes = missing(consent.oauth.scopes, granted.scope.as_deref());
        let ends = granted.expires_in.map(|seconds| app.clock.now() + chrono::Duration::seconds(seconds));
        let held = Held { access: Some(granted.access_token), refresh: granted.refresh_token, ends, dead: None };
        let stored = Stored { secrets: &consent.secrets, config, held: Some((held, granted.scope)) };
        self.keep(app, by, &consent.connector, "oauth2", &proven, stored).await?;
        Ok(Connection { account: proven, missing_scopes })
    }

    /// Connects an account with keys, or with a service account's key file.
    pub async fn connect_with_keys(
        &self,
        app: &App,
        by: &Actor,
        ecosystem: &str,
        secrets: BTreeMap<String, String>,
        settings: BTreeMap<String, String>,
    ) -> Result<Connection> {
        let connector = self.get(ecosystem)?.connector.clone();
        let (mut config, generic) = accounts::section(&connector, &self.config)?;
        config.extend(settings.into_iter().map(|(key, value)| (key, json!(value))));
        let has = |name: &str| secrets.contains_key(name);
        let auth = connector.auth.iter().find(|auth| match auth {
            Auth::Keys(keys) => keys.iter().all(|key| has(key.name)),
            Auth::ServiceAccount(service) => has(service.key.name),
            Auth::OAuth2(_) => has(REFRESH_TOKEN),
        });
        let auth = auth.ok_or_else(|| Error::invalid_input(format!("{} needs other keys", connector.title)))?.clone();
        let kind = accounts::name_of(&auth);
        let account = Account {
            source: Source::Live,
            config: Value::Object(config.clone()),
            generic,
            auth: Some(auth),
            credential: None,
            trouble: None,
            attention: None,
            name: None,
            webhook_secret: None,
            credentials: collected(&secrets),
        };
        let mut opened = account.credentials.clone();
        if let Some(tokens) = self.tokens(&connector, &account).await? {
            opened = opened.with(ACCESS_TOKEN, tokens.fresh(&call()).await?.expose_secret());
        }
        let proven = self.prove(&connector, &account, opened).await?;
        let held =
            secrets.get(REFRESH_TOKEN).map(|token| Held { refresh: Some(token.clone().into()), ..Held::default() });
        let stored = Stored { secrets: &secrets, config, held: held.map(|held| (held, None)) };
        self.keep(app, by, &connector, kind, &proven, stored).await?;
        Ok(Connection { account: proven, missing_scopes: Vec::new() })
    }

    /// The cheapest request that proves the credentials.
    async fn prove(
        &self,
        connector: &ErasedConnector,
        account: &Account,
        credentials: Credentials,
    ) -> Result<sdk::Account> {
        let limits = account.generic.pace.unwrap_or(connector.limits);
        let http = Http::new(self.connection(connector, limits, account), call());
        connector.check(Opening { config: account.config.clone(), credentials, http }).await
    }

    /// Seals and stores what was proven, and works with it from now on.
    async fn keep(
        &self,
        app: &App,
        by: &Actor,
        connector: &ErasedConnector,
        auth: &str,
        proven: &sdk::Account,
        stored: Stored<'_>,
    ) -> Result<()> {
        let (tenant, id) = (&self.outside.tenant, Uuid::now_v7());
        let plain =
            serde_json::to_vec(stored.secrets).map_err(|e| Error::internal("secrets have no JSON").with_source(e))?;
        let key = self.outside.vault.current(tenant).await?;
        let sealed = key.seal(&plain, &accounts::place(tenant.id(), connector.id, id))?;
        let kept = Kept { tenant: tenant.clone(), vault: self.outside.vault.clone() };
        let (token, scopes) = match stored.held {
            Some((held, scope)) => (Some(kept.sealed(connector.id, &held, scope.clone()).await?), scope),
            None => (None, None),
        };
        let new = NewCredential {
            id,
            ecosystem: connector.id.into(),
            auth: auth.into(),
            account_id: Some(proven.id.clone()),
            account_name: Some(proven.name.clone()),
            config: Value::Object(stored.config),
            key_id: sealed.key_id,
            sealed: sealed.bytes,
            scopes,
        };
        let detail = json!({"ecosystem": connector.id, "account": proven, "auth": auth});
        app.audit.event(tenant.id(), "connected", None, by, &detail).await?;
        rows::put(tenant, new, token, app.clock.now()).await.map_err(crate::unavailable)?;
        self.reload(connector.id).await?;
        settle(app).await
    }
}

/// What is to be stored of an account.
struct Stored<'a> {
    secrets: &'a BTreeMap<String, String>,
    config: Map<String, Value>,
    held: Option<(Held, Option<String>)>,
}

impl Consent {
    /// Where the vendor sends the browser back to.
    pub fn redirect(&self) -> &str {
        &self.redirect
    }
}

/// Seals every secret of a tenant with a new key, and with `master` that key with a new master key. Returns how many.
pub async fn rotate(app: &App, by: &Actor, tenant: &str, master: bool) -> Result<usize> {
    let (tenant, vault) = (app.store.tenant(tenant), &app.connections.outside.vault);
    let unavailable = crate::unavailable;
    app.audit.event(tenant.id(), "keys_rotated", None, by, &json!({"master": master})).await?;
    let fresh = vault.make_key(&tenant).await?;
    let (mut sealed, kept) = (0, Kept { tenant: tenant.clone(), vault: vault.clone() });
    for row in rows::list(&tenant).await.map_err(unavailable)? {
        let place = accounts::place(tenant.id(), &row.ecosystem, row.id);
        let plain = vault.key(&tenant, &row.key_id).await?.open(&row.sealed, &place)?;
        let anew = fresh.seal(&plain, &place)?;
        let done = rows::reseal(&tenant, row.id, &row.key_id, &anew.key_id, anew.bytes).await.map_err(unavailable)?;
        sealed += usize::from(done);
        // Not while somebody refreshes them: what that writes would be lost.
        let _alone = kept.alone(&row.ecosystem).await?;
        if rows::token(&tenant, &row.ecosystem).await.map_err(unavailable)?.is_some() {
            let held = kept.load(&row.ecosystem).await?;
            kept.save(&row.ecosystem, &held, None, app.clock.now()).await?;
            sealed += 1;
        }
    }
    rows::drop_unused_keys(&tenant, fresh.id()).await.map_err(unavailable)?;
    if master {
        vault.change_master(std::slice::from_ref(&tenant)).await?;
    }
    Ok(sealed)
}

/// Proves the credentials of a connection and notes how it fares.
pub async fn test(app: &App, ecosystem: &str) -> Result<sdk::Account> {
    let connected = app.connections.present(ecosystem).await?;
    let outcome = match connected.open(call()).await {
        Ok(opening) => connected.connector.check(opening).await,
        Err(e) => Err(e),
    };
    if connected.credential.is_some() {
        let (state, reason) = match &outcome {
            Err(e) if e.kind == sdk::Kind::Unauthenticated => (NEEDS_ATTENTION, Some(e.message.as_str())),
            _ => ("connected", None),
        };
        let tenant = &app.connections.outside.tenant;
        rows::set_state(tenant, ecosystem, state, reason, app.clock.now()).await.map_err(crate::unavailable)?;
    }
    outcome
}

/// Ends a connection: revoked at the vendor where that is possible, and wiped here. The message says what was done.
pub async fn disconnect(app: &App, by: &Actor, ecosystem: &str) -> Result<String> {
    let connected = app.connections.present(ecosystem).await?;
    if connected.credential.is_none() {
        let title = connected.connector.title;
        return Err(Error::not_found(format!(
            "{title} has no credentials in the vault; keys in the environment are removed there"
        )));
    }
    let revoked = revoke(app, &connected).await;
    let tenant = &app.connections.outside.tenant;
    let detail = json!({"ecosystem": ecosystem, "revoked_at_vendor": revoked.is_ok()});
    app.audit.event(tenant.id(), "disconnected", None, by, &detail).await?;
    rows::remove(tenant, ecosystem).await.map_err(crate::unavailable)?;
    app.connections.reload(ecosystem).await?;
    settle(app).await?;
    Ok(match revoked {
        Ok(true) => "Revoked at the vendor and wiped here.".into(),
        Ok(false) => "Wiped here. Delete the key at the vendor too.".into(),
        Err(e) => format!("Wiped here. It could not be revoked at the vendor ({e}); withdraw the consent there."),
    })
}

async fn revoke(app: &App, connected: &super::Connected) -> Result<bool> {
    let Some(Auth::OAuth2(oauth)) = connected.connector.auth.iter().find(|auth| matches!(auth, Auth::OAuth2(_))) else {
        return Ok(false);
    };
    let (_, generic) = accounts::section(&connected.connector, &app.connections.config)?;
    let Some(url) = generic.revoke_url.or(oauth.revoke_url.map(str::to_owned)) else { return Ok(false) };
    let Some(tokens) = &connected.tokens else { return Ok(false) };
    let Some(kept) = &tokens.kept else { return Ok(false) };
    let held = kept.load(connected.connector.id).await?;
    let Some(token) = held.refresh.or(held.access) else { return Ok(false) };
    let http = Http::new(tokens.http.clone(), call()).for_vendor(
        sdk::http::Vendor {
            error: |response| Error::upstream(format!("{}", response.status)),
            quota: |_| Default::default(),
        },
        &connected.credentials.clone().with("token", token.expose_secret()),
    );
    let (id, secret) =
        (connected.credentials.get(oauth.client_id.name)?, connected.credentials.get(oauth.client_secret.name)?);
    let request = http.post("/oauth/revoke", url).repeatable();
    let request = match oauth.client {
        ClientAuth::Basic => {
            let basic = base64::engine::general_purpose::STANDARD.encode(format!("{id}:{secret}"));
            request
                .header(http::header::AUTHORIZATION, &format!("Basic {basic}"))
                .json(&json!({"token": token.expose_secret()}))
        }
        ClientAuth::Form => {
            request.form(&[("token", token.expose_secret()), ("client_id", id), ("client_secret", secret)])
        }
    };
    request.send().await?;
    Ok(true)
}

fn call() -> Call {
    Call { execution: None, key: Uuid::now_v7().to_string(), deadline: Instant::now() + PATIENCE }
}

fn collected(secrets: &BTreeMap<String, String>) -> Credentials {
    secrets.iter().fold(Credentials::new(), |all, (name, secret)| all.with(name, secret.as_str()))
}

/// What was asked for and not granted; a vendor that does not say has granted all.
fn missing(asked: &[&str], granted: Option<&str>) -> Vec<String> {
    let Some(granted) = granted else { return Vec::new() };
    let granted: Vec<&str> = granted.split([' ', ',']).collect();
    asked.iter().filter(|scope| !granted.contains(scope)).map(|scope| (*scope).to_owned()).collect()
}

fn random() -> Result<String> {
    let mut bytes = [0; 32];
    SystemRandom::new().fill(&mut bytes).map_err(|_| Error::internal("the system has no randomness"))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}
