//! Connecting an account: proving its credentials, then keeping them sealed; and ending it, at the vendor too.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use sdk::auth::ACCESS_TOKEN;
use sdk::connector::Opening;
use sdk::http::{Call, Http};
use sdk::{Auth, Credentials, ErasedConnector, Error, Result};
use secrecy::ExposeSecret;
use serde_json::{Map, Value, json};
use store::DEFAULT_CONNECTION;
use store::vault::{self as rows, NewCredential};
use tokio::time::Instant;
use uuid::Uuid;

use super::accounts::{self, Account, Generic, REFRESH_TOKEN};
use super::kept::Kept;
use super::tokens::Held;
use super::{Connections, NEEDS_ATTENTION, Which, settle};
use crate::actor::Actor;
use crate::app::App;

/// How long the vendor may take to answer while somebody waits at the terminal.
const PATIENCE: Duration = Duration::from_secs(30);

/// What was connected.
#[derive(Debug)]
pub struct Connection {
    pub account: sdk::Account,
    /// Scopes that were asked for and not granted.
    pub missing_scopes: Vec<String>,
    /// The tools that the vendor refuses for lack of them.
    pub refused_tools: Vec<String>,
}

/// What is to be stored of an account.
pub(super) struct Stored<'a> {
    pub(super) secrets: &'a BTreeMap<String, String>,
    pub(super) config: Map<String, Value>,
    /// What a person gave beside the secrets.
    pub(super) settings: BTreeMap<String, String>,
    pub(super) held: Option<(Held, Option<String>)>,
    /// The word for the way to authenticate.
    pub(super) auth: &'static str,
    pub(super) expires_at: Option<DateTime<Utc>>,
}

impl Connections {
    /// Connects an account with keys, or with a service account's key file.
    pub async fn connect_with_keys(
        &self,
        app: &App,
        by: &Actor,
        which: impl Into<Which>,
        secrets: BTreeMap<String, String>,
        settings: BTreeMap<String, String>,
    ) -> Result<Connection> {
        let which = which.into().checked()?;
        let connector = self.get(&which.ecosystem)?.connector.clone();
        let (config, generic) = self.configured(&connector, &which, &settings)?;
        let has = |name: &str| secrets.contains_key(name);
        let auth = connector.auth.iter().find(|auth| match auth {
            Auth::Keys(keys) => keys.iter().all(|key| has(key.name)),
            Auth::ServiceAccount(service) => has(service.key.name),
            Auth::OAuth2(_) => has(REFRESH_TOKEN),
        });
        let auth = auth.ok_or_else(|| Error::invalid_input(format!("{} needs other keys", connector.title)))?.clone();
        let (kind, expires_at) = (accounts::name_of(&auth), generic.expires_on);
        let name = which.account().connection;
        let account = Account::live(name, config.clone(), generic, auth, collected(&secrets));
        let mut opened = account.credentials.clone();
        if let Some(tokens) = self.tokens(&connector, &account).await? {
            opened = opened.with(ACCESS_TOKEN, tokens.fresh(&call()).await?.expose_secret());
        }
        let proven = self.prove(&connector, &account, opened).await?;
        let held =
            secrets.get(REFRESH_TOKEN).map(|token| Held { refresh: Some(token.clone().into()), ..Held::default() });
        let held = held.map(|held| (held, None));
        let stored = Stored { secrets: &secrets, config, settings, held, auth: kind, expires_at };
        self.keep(app, by, &connector, &which, &proven, stored).await?;
        Ok(Connection { account: proven, missing_scopes: Vec::new(), refused_tools: Vec::new() })
    }

    /// The connector's configuration for a connection, with what a person gave for it.
    pub(super) fn configured(
        &self,
        connector: &ErasedConnector,
        which: &Which,
        settings: &BTreeMap<String, String>,
    ) -> Result<(Map<String, Value>, Generic)> {
        let (mut config, generic) = accounts::section(connector, &self.config, which.account().connection)?;
        config.extend(settings.iter().map(|(key, value)| (key.clone(), json!(value))));
        let given = accounts::generic_of(connector.id, &mut config)?;
        Ok((config, given.or(generic)))
    }

    /// The cheapest request that proves the credentials.
    pub(super) async fn prove(
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
    pub(super) async fn keep(
        &self,
        app: &App,
        by: &Actor,
        connector: &ErasedConnector,
        which: &Which,
        proven: &sdk::Account,
        stored: Stored<'_>,
    ) -> Result<()> {
        self.refuse_twice(connector, which, proven).await?;
        let (tenant, id, name) = (&self.outside.tenant, Uuid::now_v7(), which.account().connection);
        let plain =
            serde_json::to_vec(stored.secrets).map_err(|e| Error::internal("secrets have no JSON").with_source(e))?;
        let key = self.outside.vault.current(tenant).await?;
        let sealed = key.seal(&plain, &accounts::place(tenant.id(), connector.id, id))?;
        let kept = Kept { tenant: tenant.clone(), vault: self.outside.vault.clone() };
        let (token, scopes) = match stored.held {
            Some((held, scope)) => (Some(kept.sealed(connector.id, &held, scope.clone()).await?), scope),
            None => (None, None),
        };
        let mut config = stored.config;
        for (key, value) in stored.settings {
            config.entry(key).or_insert_with(|| json!(value));
        }
        let new = NewCredential {
            id,
            ecosystem: connector.id.into(),
            name: name.into(),
            auth: stored.auth.into(),
            account_id: Some(proven.id.clone()),
            account_name: Some(proven.name.clone()),
            config: Value::Object(config),
            key_id: sealed.key_id,
            sealed: sealed.bytes,
            scopes,
            expires_at: stored.expires_at.or(proven.ends),
        };
        let detail = json!({"ecosystem": connector.id, "connection": name, "account": proven, "auth": stored.auth});
        app.audit.event(tenant.id(), "connected", None, by, &detail).await?;
        rows::put(tenant, new, token, app.clock.now()).await.map_err(crate::unavailable)?;
        self.reload(connector.id).await?;
        settle(app, self).await
    }

    /// One account under two names would be copied twice.
    async fn refuse_twice(&self, connector: &ErasedConnector, which: &Which, proven: &sdk::Account) -> Result<()> {
        let rows = rows::of_ecosystem(&self.outside.tenant, connector.id).await.map_err(crate::unavailable)?;
        let name = which.account().connection;
        // Where the vendor gives an account no id of its own, the name tells two apart.
        let twin = |row: &&rows::Credential| {
            let known = (row.account_id.as_deref(), row.account_name.as_deref());
            row.name != name && known == (Some(&proven.id), Some(&proven.name))
        };
        let Some(twin) = rows.iter().find(twin) else { return Ok(()) };
        Err(Error::conflict(format!(
            "{} ({}) is connected already under the name \"{}\"",
            proven.name, proven.id, twin.name
        )))
    }
}

/// Seals every secret of a tenant with a new key, and with `master` that key with a new master key. Returns how many.
pub async fn rotate(app: &App, by: &Actor, tenant: &str, master: bool) -> Result<usize> {
    let (tenant, vault) = (app.store.tenant(tenant), &app.vault);
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
        let account = (row.ecosystem.as_str(), row.name.as_str()).into();
        let _alone = kept.alone(account).await?;
        if rows::token(&tenant, account).await.map_err(unavailable)?.is_some() {
            let held = kept.load(account).await?;
            kept.save(account, &held, None, app.clock.now()).await?;
            sealed += 1;
        }
    }
    rows::drop_unused_keys(&tenant, fresh.id()).await.map_err(unavailable)?;
    if master {
        // The master key seals those of every tenant.
        let all = store::tenants::list(&app.store.system()).await.map_err(unavailable)?;
        let all: Vec<_> = all.iter().map(|business| app.store.tenant(&business.tenant_id)).collect();
        vault.change_master(&all).await?;
    }
    Ok(sealed)
}

/// Proves the credentials of a connection and notes how it fares.
pub async fn test(app: &App, connections: &Connections, which: impl Into<Which>) -> Result<sdk::Account> {
    let connected = connections.present(which).await?;
    let outcome = match connected.open(call()).await {
        Ok(opening) => connected.connector.check(opening).await,
        Err(e) => Err(e),
    };
    if connected.credential().is_some() {
        let (state, reason) = match &outcome {
            Err(e) if e.kind == sdk::Kind::Unauthenticated => (NEEDS_ATTENTION, Some(e.message.as_str())),
            _ => ("connected", None),
        };
        let tenant = connections.tenant();
        rows::set_state(tenant, connected.place(), state, reason, app.clock.now()).await.map_err(crate::unavailable)?;
    }
    outcome
}

/// Ends a connection: revoked at the vendor where that is possible, and wiped here. The message says what was done.
pub async fn disconnect(app: &App, by: &Actor, which: impl Into<Which>) -> Result<String> {
    let connections = app.connections.of(app, &by.tenant).await?;
    let connected = connections.present(which).await?;
    if connected.credential().is_none() {
        let title = connected.connector.title;
        return Err(Error::not_found(format!(
            "{title} has no credentials in the vault; keys in the environment are removed there"
        )));
    }
    let ecosystem = connected.connector.id;
    let tenant = connections.tenant();
    let detail = json!({"ecosystem": ecosystem, "connection": connected.name});
    app.audit.event(tenant.id(), "disconnected", None, by, &detail).await?;
    // What the vendor says to it stands among the requests to vendors.
    let revoked = revoke(&connected).await;
    rows::remove(tenant, connected.place()).await.map_err(crate::unavailable)?;
    connections.reload(ecosystem).await?;
    settle(app, &connections).await?;
    let mut said = match revoked {
        Ok(true) => "Revoked at the vendor and wiped here.".to_owned(),
        Ok(false) => "Wiped here. Delete the key at the vendor too.".to_owned(),
        Err(e) => format!("Wiped here. It could not be revoked at the vendor ({e}); withdraw the consent there."),
    };
    if connected.name != DEFAULT_CONNECTION {
        said = format!("\"{}\": {said}", connected.name);
    }
    Ok(said)
}

async fn revoke(connected: &super::Connected) -> Result<bool> {
    let Some(tokens) = &connected.tokens else { return Ok(false) };
    tokens.revoke(connected.generic.revoke_url.clone(), &call()).await
}

pub(super) fn call() -> Call {
    Call { execution: None, key: Uuid::now_v7().to_string(), deadline: Instant::now() + PATIENCE }
}

pub(super) fn collected(secrets: &BTreeMap<String, String>) -> Credentials {
    secrets.iter().fold(Credentials::new(), |all, (name, secret)| all.with(name, secret.as_str()))
}
