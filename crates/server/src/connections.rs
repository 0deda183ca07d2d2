//! Connections: an authorised account at a vendor, or the sample business where there is none.

mod accounts;
mod connect;
mod service_account;
mod shared;
mod tokens;

use std::collections::BTreeMap;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use sdk::auth::ACCESS_TOKEN;
use sdk::connector::Opening;
use sdk::http::{Call, Connection, Http, Observer, Settings};
use sdk::{Auth, Credentials, ErasedConnector, Error, Limits, Result};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};
use store::Tenant;
use store::connections::Before;
use store::vault::Credential;
use uuid::Uuid;

use crate::actor::DEFAULT_TENANT;
use crate::app::App;
use crate::calls::Source;
use crate::clock::Clock;
use crate::config::Config;
use crate::sync;
use crate::vault::Vault;
use crate::webhooks;

pub use connect::{Connection as NewConnection, Consent, disconnect, rotate, test};
pub use shared::Shared;

use accounts::Account;
use tokens::Tokens;

/// Every ecosystem's connection of this installation.
pub struct Connections {
    by_ecosystem: BTreeMap<&'static str, RwLock<Arc<Connected>>>,
    outside: Outside,
    config: Config,
    sandbox: BTreeMap<&'static str, sandbox::Account>,
}

/// One ecosystem as it is connected now.
pub struct Connected {
    pub connector: Arc<ErasedConnector>,
    pub source: Source,
    config: Value,
    credentials: Credentials,
    http: Arc<Connection>,
    tokens: Option<Tokens>,
    /// The row of the vault that it was made from.
    credential: Option<Uuid>,
    /// Why it cannot be opened, although it is connected.
    trouble: Option<String>,
    /// What the vendor refused when it was asked last; a person has to look.
    attention: Option<String>,
    account: Option<String>,
    /// What deliveries of the vendor's webhooks are proven with.
    webhook_secret: Option<SecretString>,
}

/// A connection as people see it.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct Description {
    pub ecosystem: String,
    pub title: String,
    /// `live` when credentials are configured, `sample` when the built-in business answers.
    pub source: String,
    /// `connected`, `needs_attention` or `not_connected`.
    pub state: String,
    /// Whose account it is, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// What is wrong, and what helps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What to do to connect it.
    pub to_connect: Vec<String>,
    /// Where its webhooks are expected, once they can be proven.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhooks: Option<webhooks::Expected>,
}

/// How connections reach the outside, and where they keep what must stay.
pub struct Outside {
    pub client: reqwest::Client,
    pub settings: Settings,
    pub observer: Observer,
    /// Where replicas share a vendor's limits; alone, each connection counts for itself.
    pub shared: Option<Shared>,
    pub tenant: Tenant,
    pub vault: Arc<Vault>,
    pub clock: Clock,
}

impl Connections {
    /// Connects every ecosystem that has credentials; the others answer from `sandbox`.
    pub async fn new(
        connectors: Vec<ErasedConnector>,
        config: &Config,
        sandbox: &sandbox::Sandbox,
        outside: Outside,
    ) -> Result<Connections> {
        refuse_unknown_sections(&connectors, config)?;
        let accounts = connectors.iter().filter_map(|connector| Some((connector.id, sandbox.account(connector.id)?)));
        let sandbox = accounts.collect();
        let mut connections = Connections { by_ecosystem: BTreeMap::new(), outside, config: config.clone(), sandbox };
        for connector in connectors {
            let id = connector.id;
            let connected = connections.build(Arc::new(connector)).await?;
            connections.by_ecosystem.insert(id, RwLock::new(Arc::new(connected)));
        }
        Ok(connections)
    }

    /// What a call needs to run a tool, and how true its answers are. A connection that was changed by another process
    /// is read anew.
    pub async fn open(&self, ecosystem: &str, call: Call) -> Result<(Opening, Source)> {
        let connected = self.present(ecosystem).await?;
        let opening = connected.open(call).await?;
        Ok((opening, connected.source))
    }

    pub fn get(&self, ecosystem: &str) -> Result<Arc<Connected>> {
        let missing = || Error::not_found(format!("there is no ecosystem `{ecosystem}`"));
        let slot = self.by_ecosystem.get(ecosystem).ok_or_else(missing)?;
        Ok(slot.read().unwrap_or_else(|poisoned| poisoned.into_inner()).clone())
    }

    pub fn iter(&self) -> impl Iterator<Item = Arc<Connected>> {
        let slots = self.by_ecosystem.values();
        slots.map(|slot| slot.read().unwrap_or_else(|poisoned| poisoned.into_inner()).clone())
    }

    /// Whether the brain holds sample data only: nothing is connected.
    pub fn is_sample(&self) -> bool {
        self.iter().all(|connected| connected.source == Source::Sample)
    }

    /// Whether the brain copies it: sample data stays out as soon as anything of the business is connected.
    pub fn is_copied(&self, connected: &Connected) -> bool {
        !connected.connector.streams.is_empty() && (connected.source == Source::Live || self.is_sample())
    }

    /// The connection, read anew if another process has changed it.
    pub async fn present(&self, ecosystem: &str) -> Result<Arc<Connected>> {
        let connected = self.get(ecosystem)?;
        let row = store::vault::get(&self.outside.tenant, ecosystem).await.map_err(crate::unavailable)?;
        if connected.is_of(row.as_ref()) { Ok(connected) } else { self.reload(ecosystem).await }
    }

    /// Reads anew what another process has changed. True: there was anything.
    pub async fn look_again(&self) -> Result<bool> {
        let rows = store::vault::list(&self.outside.tenant).await.map_err(crate::unavailable)?;
        let mut changed = false;
        for connected in self.iter().collect::<Vec<_>>() {
            let ecosystem = connected.connector.id;
            if !connected.is_of(rows.iter().find(|row| row.ecosystem == ecosystem)) {
                self.reload(ecosystem).await?;
                changed = true;
            }
        }
        Ok(changed)
    }

    /// Reads a connection anew.
    pub async fn reload(&self, ecosystem: &str) -> Result<Arc<Connected>> {
        let connector = self.get(ecosystem)?.connector.clone();
        let connected = Arc::new(self.build(connector).await?);
        if let Some(slot) = self.by_ecosystem.get(ecosystem) {
            *slot.write().unwrap_or_else(|poisoned| poisoned.into_inner()) = connected.clone();
        }
        Ok(connected)
    }

    async fn build(&self, connector: Arc<ErasedConnector>) -> Result<Connected> {
        let account = self.account(&connector).await?;
        let limits = match account.source {
            Source::Sample => Limits::window(FASTEST, Duration::from_secs(1)),
            // Another pace does not change how much may be under way at once.
            _ => {
                let pace = account.generic.pace.unwrap_or(connector.limits);
                Limits { in_flight: connector.limits.in_flight, ..pace }
            }
        };
        let http = self.connection(&connector, limits, &account);
        let tokens = self.tokens(&connector, &account).await?;
        let Account { source, config, credentials, credential, trouble, attention, name, webhook_secret, .. } = account;
        Ok(Connected {
            connector,
            source,
            config,
            credentials,
            http,
            tokens,
            credential,
            trouble,
            attention,
            account: name,
            webhook_secret,
        })
    }

    fn connection(&self, connector: &ErasedConnector, limits: Limits, account: &Account) -> Arc<Connection> {
        let outside = &self.outside;
        let (client, settings, observer) = (outside.client.clone(), outside.settings.clone(), outside.observer.clone());
        let clock = outside.clock.clone();
        let now = std::sync::Arc::new(move || clock.now());
        let mut http = Connection::new(connector.id, client, limits, settings, observer).with_clock(now);
        if account.source == Source::Sample || account.generic.pace.is_some() {
            http = http.at_one_pace();
        }
        Arc::new(match &outside.shared {
            Some(shared) => http.with_buckets(limits, shared.buckets(connector.id, &account.credentials)),
            None => http,
        })
    }
}

impl Connected {
    /// Whether it was made from this row of the vault, as it is now.
    fn is_of(&self, row: Option<&Credential>) -> bool {
        let needs_attention = row.is_some_and(|row| row.state == NEEDS_ATTENTION);
        row.map(|row| row.id) == self.credential && needs_attention == self.attention.is_some()
    }

    /// What a call needs, with a fresh token.
    pub async fn open(&self, call: Call) -> Result<Opening> {
        if let Some(trouble) = &self.trouble {
            return Err(Error::unauthenticated(trouble.clone()));
        }
        let mut credentials = self.credentials.clone();
        if let Some(tokens) = &self.tokens {
            let token = tokens.fresh(&call).await?;
            credentials = credentials.with(ACCESS_TOKEN, token.expose_secret());
        }
        Ok(Opening { config: self.config.clone(), credentials, http: Http::new(self.http.clone(), call) })
    }

    /// What webhooks of this account are proven with; `None`: none are expected. Nobody tells of the sample business.
    pub fn webhook_secret(&self) -> Option<&str> {
        let live = self.source == Source::Live;
        self.webhook_secret.as_ref().filter(|_| live).map(ExposeSecret::expose_secret)
    }

    /// A text of the connector's configuration.
    pub fn setting(&self, key: &str) -> Option<&str> {
        self.config[key].as_str().map(str::trim).filter(|text| !text.is_empty())
    }

    /// The vendor refused a token that should have been good. True: another may be had.
    pub async fn forget_token(&self, opened: &Credentials) -> bool {
        let (Some(tokens), Ok(refused)) = (&self.tokens, opened.get(ACCESS_TOKEN)) else { return false };
        tokens.forget(refused).await;
        true
    }

    /// Which account this is, so that a change of account is noticed. It holds no secret.
    pub fn origin(&self) -> String {
        let text = |key: &&str| self.config[*key].as_str().filter(|text| !text.is_empty());
        let id = self.connector.account.last().and_then(text).filter(|id| !id.contains("://"));
        if self.source == Source::Sample {
            // The built-in business listens on another port every time.
            return format!("sample:{}", id.unwrap_or_default());
        }
        let mut known: Vec<String> = self.connector.account.iter().filter_map(text).map(str::to_owned).collect();
        match (id, &self.account) {
            (Some(_), _) => {}
            (None, Some(account)) => known.push(account.clone()),
            // A key that names its account itself, and only itself.
            (None, None) => {
                let keys = self.credentials.secrets().fold(Sha256::new(), |hash, secret| hash.chain_update(secret));
                known.push(hex::encode(&keys.finalize()[..8]));
            }
        }
        format!("live:{}", known.join(" "))
    }

    /// Another process may have connected another account since this one started; then nothing of
    /// the old account may be written any more.
    pub async fn refuse_if_changed(&self, tenant: &Tenant) -> Result<()> {
        let known = store::connections::origin(tenant, self.connector.id).await.map_err(crate::unavailable)?;
        match known {
            Some(known) if known != self.origin() => Err(Error::conflict(format!(
                "{} was connected to another account meanwhile; restart this server",
                self.connector.title
            ))),
            _ => Ok(()),
        }
    }

    pub fn describe(&self) -> Description {
        let reason = self.trouble.clone().or_else(|| self.attention.clone());
        let state = match (self.source, &reason) {
            (Source::Sample, _) => "not_connected",
            (_, Some(_)) => NEEDS_ATTENTION,
            _ => "connected",
        };
        let to_connect = if self.source == Source::Sample { self.ways_to_connect() } else { Vec::new() };
        Description {
            ecosystem: self.connector.id.into(),
            title: self.connector.title.into(),
            source: self.source.as_str().into(),
            state: state.into(),
            account: self.account.clone(),
            reason,
            to_connect,
            webhooks: None,
        }
    }

    fn ways_to_connect(&self) -> Vec<String> {
        let mut ways = vec![format!("run enterprise-mcp connect {}", self.connector.id)];
        ways.extend(self.connector.auth.iter().flat_map(|auth| match auth {
            Auth::Keys(keys) => keys.iter().map(|key| format!("or set {} ({})", key.env, key.help)).collect(),
            Auth::ServiceAccount(account) => vec![format!("or set {} ({})", account.key.env, account.key.help)],
            Auth::OAuth2(oauth) => match &oauth.refresh_token {
                Some(token) => {
                    vec![format!("or set {}, {} and {}", oauth.client_id.env, oauth.client_secret.env, token.env)]
                }
                None => Vec::new(),
            },
        }));
        ways
    }
}

/// The state of a connection that a person has to look after.
const NEEDS_ATTENTION: &str = "needs_attention";

/// Nobody has to spare the sample business.
const FASTEST: u32 = 1_000_000;

fn refuse_unknown_sections(connectors: &[ErasedConnector], config: &Config) -> Result<()> {
    let known = |name: &str| connectors.iter().any(|connector| connector.id == name);
    match config.connectors.keys().find(|name| !known(name)) {
        Some(name) => Err(Error::invalid_input(format!("[connectors.{name}]: there is no connector of this name"))),
        None => Ok(()),
    }
}

/// After a connection has changed: the brain and the schedules follow, those of the other ecosystems too, because the
/// sample business leaves when the first account is connected and comes back when the last one goes.
pub async fn settle(app: &App) -> Result<()> {
    notice_changed_accounts(app).await?;
    sync::schedule(app).await
}

/// Puts the rows of another account away before the brain answers from them: sample rows are
/// removed, those of another account of the business are marked deleted.
pub async fn notice_changed_accounts(app: &App) -> Result<()> {
    for connected in app.connections.iter() {
        notice_changed_account(app, &connected).await?;
    }
    Ok(())
}

async fn notice_changed_account(app: &App, connected: &Connected) -> Result<()> {
    let tenant = app.store.tenant(DEFAULT_TENANT);
    let ecosystem = connected.connector.id;
    let origin = match connected.source {
        // Sample rows have no place beside the business's own.
        Source::Sample if !app.connections.is_sample() => NOWHERE.to_owned(),
        _ => connected.origin(),
    };
    let known = store::connections::origin(&tenant, ecosystem).await.map_err(crate::unavailable)?;
    let before = match &known {
        Some(known) if *known == origin => return Ok(()),
        None if origin == NOWHERE => return Ok(()),
        Some(known) if known.starts_with(Source::Sample.as_str()) => Before::Remove,
        _ => Before::MarkDeleted,
    };
    let changed = store::connections::change(&tenant, ecosystem, &origin, before, app.clock.now()).await;
    changed.map_err(crate::unavailable)?;
    tracing::info!(ecosystem, account = origin, before = known, "connected to another account; the brain starts anew");
    Ok(())
}

/// The origin of an ecosystem that is not copied.
const NOWHERE: &str = "none";
