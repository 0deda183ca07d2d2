//! Connections: an authorised account at a vendor, or the sample business where there is none.

mod everybody;
mod which;
mod connected;
mod accounts;
mod connect;
mod consent;
mod describe;
mod tokens;
mod kept;
mod endpoint;
mod service_account;
mod shared;

use std::collections::BTreeMap;
use std::sync::{Arc, RwLock, RwLockReadGuard};
use std::time::Duration;

use sdk::http::{Connection, Observer, Settings};
use sdk::{ErasedConnector, Error, Limits, Result};
use store::connections::Before;
use store::vault::Credential;
use store::{DEFAULT_CONNECTION, Tenant};

use crate::app::App;
use crate::calls::Source;
use crate::clock::Clock;
use crate::config::Config;
use crate::sync;
use crate::vault::Vault;

pub use connect::{Connection as NewConnection, disconnect, rotate, test};
pub use connected::Connected;
pub use consent::Consent;
pub use describe::{Description, EXPIRING};
pub use everybody::Everybodys;
pub use shared::Shared;
pub use which::Which;

use accounts::Account;

/// Every connection of a tenant.
pub struct Connections {
    by_ecosystem: BTreeMap<&'static str, RwLock<Vec<Arc<Connected>>>>,
    outside: Outside,
    config: Config,
    sandbox: BTreeMap<&'static str, sandbox::Account>,
    /// The sample business of a tenant of its own; it ends with this.
    _own_sandbox: Option<sandbox::Sandbox>,
}

/// How connections reach the outside, and where they keep what must stay.
#[derive(Clone)]
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
    async fn new(
        connectors: &[Arc<ErasedConnector>],
        config: Config,
        sandbox: &sandbox::Sandbox,
        outside: Outside,
    ) -> Result<Connections> {
        let accounts = connectors.iter().filter_map(|connector| Some((connector.id, sandbox.account(connector.id)?)));
        let sandbox = accounts.collect();
        let by_ecosystem = BTreeMap::new();
        let mut connections = Connections { by_ecosystem, outside, config, sandbox, _own_sandbox: None };
        for connector in connectors {
            let rows = connections.rows(connector.id).await?;
            let built = connections.build(connector.clone(), rows).await?;
            connections.by_ecosystem.insert(connector.id, RwLock::new(built));
        }
        Ok(connections)
    }

    /// Whose they are.
    pub fn tenant(&self) -> &Tenant {
        &self.outside.tenant
    }

    /// The connection that is meant where none is named.
    pub fn get(&self, ecosystem: &str) -> Result<Arc<Connected>> {
        self.find(&ecosystem.into())
    }

    /// The connections of an ecosystem, the default first. Empty: there is no such ecosystem.
    pub fn of(&self, ecosystem: &str) -> Vec<Arc<Connected>> {
        self.by_ecosystem.get(ecosystem).map(|slot| read(slot).clone()).unwrap_or_default()
    }

    /// The default connection of each ecosystem, which is the one that the brain copies.
    pub fn defaults(&self) -> impl Iterator<Item = Arc<Connected>> {
        self.by_ecosystem.values().filter_map(|slot| read(slot).first().cloned())
    }

    pub fn iter(&self) -> impl Iterator<Item = Arc<Connected>> {
        self.by_ecosystem.values().flat_map(|slot| read(slot).clone())
    }

    fn find(&self, which: &Which) -> Result<Arc<Connected>> {
        let connections = self.of(&which.ecosystem);
        let Some(first) = connections.first() else {
            return Err(Error::not_found(format!("there is no ecosystem `{}`", which.ecosystem)));
        };
        let Some(name) = &which.name else { return Ok(first.clone()) };
        let found = connections.iter().find(|connected| connected.name == *name);
        found.cloned().ok_or_else(|| {
            let known: Vec<&str> = connections.iter().map(|connected| connected.name.as_str()).collect();
            let title = first.connector.title;
            Error::invalid_input(format!("connection: {title} has none named `{name}`; there is {}", known.join(", ")))
        })
    }

    /// Whether the brain holds sample data only: nothing is connected.
    pub fn is_sample(&self) -> bool {
        self.iter().all(|connected| connected.source == Source::Sample)
    }

    /// Whether the brain copies it: sample data stays out as soon as anything of the business is connected, and of an
    /// ecosystem's connections the default is copied, because two companies number their invoices alike.
    pub fn is_copied(&self, connected: &Connected) -> bool {
        let default = self.get(connected.connector.id).is_ok_and(|default| default.name == connected.name);
        default && !connected.connector.streams.is_empty() && (connected.source == Source::Live || self.is_sample())
    }

    /// The connection, read anew if another process has changed it.
    pub async fn present(&self, which: impl Into<Which>) -> Result<Arc<Connected>> {
        let which = which.into();
        let connector = self.get(&which.ecosystem)?.connector.id;
        let rows = self.rows(connector).await?;
        self.follow(connector, rows).await?;
        self.find(&which)
    }

    /// Reads anew what another process has changed. True: there was anything.
    pub async fn look_again(&self) -> Result<bool> {
        let rows = store::vault::list(&self.outside.tenant).await.map_err(crate::unavailable)?;
        let mut changed = false;
        for ecosystem in self.by_ecosystem.keys().copied() {
            let rows = rows.iter().filter(|row| row.ecosystem == ecosystem).cloned().collect();
            changed |= self.follow(ecosystem, rows).await?;
        }
        Ok(changed)
    }

    /// Reads all connections of an ecosystem anew.
    pub async fn reload(&self, ecosystem: &str) -> Result<Arc<Connected>> {
        let connector = self.get(ecosystem)?.connector.clone();
        let built = self.build(connector, self.rows(ecosystem).await?).await?;
        self.put(ecosystem, built);
        self.get(ecosystem)
    }

    async fn rows(&self, ecosystem: &str) -> Result<Vec<Credential>> {
        store::vault::of_ecosystem(&self.outside.tenant, ecosystem).await.map_err(crate::unavailable)
    }

    /// Makes the connections those of these rows. What has not changed stays, with its limits and its tokens.
    async fn follow(&self, ecosystem: &'static str, rows: Vec<Credential>) -> Result<bool> {
        let known = self.of(ecosystem);
        let of_vault: Vec<&Arc<Connected>> = known.iter().filter(|connected| connected.row.is_some()).collect();
        let same = of_vault.len() == rows.len() && of_vault.iter().zip(&rows).all(|(known, row)| known.is_of(row));
        if same {
            return Ok(false);
        }
        let Some(first) = known.first() else { return Ok(false) };
        let mut built = self.build(first.connector.clone(), rows).await?;
        for connected in &mut built {
            let unchanged = |before: &&Arc<Connected>| connected.row.as_ref().is_some_and(|row| before.is_of(row));
            if let Some(before) = known.iter().find(unchanged) {
                *connected = before.clone();
            }
        }
        self.put(ecosystem, built);
        Ok(true)
    }

    fn put(&self, ecosystem: &str, built: Vec<Arc<Connected>>) {
        if let Some(slot) = self.by_ecosystem.get(ecosystem) {
            *slot.write().unwrap_or_else(|poisoned| poisoned.into_inner()) = built;
        }
    }

    async fn build(&self, connector: Arc<ErasedConnector>, rows: Vec<Credential>) -> Result<Vec<Arc<Connected>>> {
        let mut built = Vec::new();
        for account in self.accounts(&connector, rows).await? {
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
            let webhook_secret = accounts::webhook_secret(&connector, &self.config, &account.credentials);
            let Account { connection: name, source, config, generic, credentials, auth, row, trouble } = account;
            let connector = connector.clone();
            built.push(Arc::new(Connected {
                connector,
                name,
                source,
                config,
                credentials,
                auth,
                http,
                tokens,
                webhook_secret,
                row,
                trouble,
                generic,
            }));
        }
        Ok(built)
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
            Some(shared) => http.with_buckets(limits, shared.buckets(connector.id, account)),
            None => http,
        })
    }
}

fn read(slot: &RwLock<Vec<Arc<Connected>>>) -> RwLockReadGuard<'_, Vec<Arc<Connected>>> {
    slot.read().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// A command about a connection, as a person types it.
fn command(word: &str, account: store::Account<'_>) -> String {
    let command = format!("enterprise-mcp {word} {}", account.ecosystem);
    match account.connection {
        DEFAULT_CONNECTION => command,
        name => format!("{command} --name {name:?}"),
    }
}

/// The state of a connection that a person has to look after.
const NEEDS_ATTENTION: &str = "needs_attention";

/// Nobody has to spare the sample business.
const FASTEST: u32 = 1_000_000;

fn refuse_unknown_sections(connectors: &[Arc<ErasedConnector>], config: &Config) -> Result<()> {
    let known = |name: &str| connectors.iter().any(|connector| connector.id == name);
    match config.connectors.keys().find(|name| !known(name)) {
        Some(name) => Err(Error::invalid_input(format!("[connectors.{name}]: there is no connector of this name"))),
        None => Ok(()),
    }
}

/// After a connection has changed: the brain and the schedules follow, those of the other ecosystems too, because the
/// sample business leaves when the first account is connected and comes back when the last one goes.
pub async fn settle(app: &App, connections: &Connections) -> Result<()> {
    notice_changed_accounts(app, connections).await?;
    sync::schedule(app, connections).await
}

/// Puts the rows of another account away before the brain answers from them: sample rows are
/// removed, those of another account of the business are marked deleted.
pub async fn notice_changed_accounts(app: &App, connections: &Connections) -> Result<()> {
    for connected in connections.defaults() {
        notice_changed_account(app, connections, &connected).await?;
    }
    Ok(())
}

async fn notice_changed_account(app: &App, connections: &Connections, connected: &Connected) -> Result<()> {
    let tenant = connections.tenant();
    let ecosystem = connected.connector.id;
    let origin = match connected.source {
        // Sample rows have no place beside the business's own.
        Source::Sample if !connections.is_sample() => NOWHERE.to_owned(),
        _ => connected.origin(),
    };
    let known = store::connections::origin(tenant, ecosystem).await.map_err(crate::unavailable)?;
    let before = match &known {
        Some(known) if *known == origin => return Ok(()),
        None if origin == NOWHERE => return Ok(()),
        Some(known) if known.starts_with(Source::Sample.as_str()) => Before::Remove,
        _ => Before::MarkDeleted,
    };
    let changed = store::connections::change(tenant, ecosystem, &origin, before, app.clock.now()).await;
    changed.map_err(crate::unavailable)?;
    tracing::info!(ecosystem, account = origin, before = known, "connected to another account; the brain starts anew");
    Ok(())
}

/// The origin of an ecosystem that is not copied.
const NOWHERE: &str = "none";
