//! Connections: an authorised account at a vendor, or the sample business where there is none.

mod shared;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use sdk::connector::Opening;
use sdk::http::{Call, Connection, Http, Observer, Settings};
use sdk::{Auth, Credentials, ErasedConnector, Error, Limits, Result};
use secrecy::ExposeSecret;
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};
use store::connections::Before;

use crate::actor::DEFAULT_TENANT;
use crate::app::App;
use crate::calls::Source;
use crate::config::Config;

pub use shared::Shared;

/// Every ecosystem's connection of this installation.
pub struct Connections {
    by_ecosystem: BTreeMap<&'static str, Connected>,
}

/// One ecosystem as it is connected now.
pub struct Connected {
    pub connector: Arc<ErasedConnector>,
    pub source: Source,
    config: Value,
    credentials: Credentials,
    http: Arc<Connection>,
}

/// A connection as people see it.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct Description {
    pub ecosystem: String,
    pub title: String,
    /// `live` when credentials are configured, `sample` when the built-in business answers.
    pub source: String,
    /// What to set to connect it.
    pub to_connect: Vec<String>,
}

/// How connections reach the outside.
pub struct Outside {
    pub client: reqwest::Client,
    pub settings: Settings,
    pub observer: Observer,
    /// Where replicas share a vendor's limits; alone, each connection counts for itself.
    pub shared: Option<Shared>,
}

impl Connections {
    /// Connects every ecosystem that has credentials; the others answer from `sandbox`.
    pub fn new(
        connectors: Vec<ErasedConnector>,
        config: &Config,
        sandbox: &sandbox::Sandbox,
        outside: &Outside,
    ) -> Result<Connections> {
        refuse_unknown_sections(&connectors, config)?;
        let connected =
            |connector: ErasedConnector| Ok((connector.id, Connected::new(connector, config, sandbox, outside)?));
        let by_ecosystem = connectors.into_iter().map(connected).collect::<Result<_>>()?;
        Ok(Connections { by_ecosystem })
    }

    /// What a call needs to run a tool, and how true its answers are.
    pub fn open(&self, ecosystem: &str, call: Call) -> Result<(Opening, Source)> {
        let connected = self.get(ecosystem)?;
        Ok((connected.open(call), connected.source))
    }

    pub fn get(&self, ecosystem: &str) -> Result<&Connected> {
        let missing = || Error::not_found(format!("there is no ecosystem `{ecosystem}`"));
        self.by_ecosystem.get(ecosystem).ok_or_else(missing)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Connected> {
        self.by_ecosystem.values()
    }

    /// Whether the brain holds sample data only: nothing is connected.
    pub fn is_sample(&self) -> bool {
        self.iter().all(|connected| connected.source == Source::Sample)
    }
}

impl Connected {
    fn new(
        connector: ErasedConnector,
        config: &Config,
        sandbox: &sandbox::Sandbox,
        outside: &Outside,
    ) -> Result<Connected> {
        let mut section = config.connectors.get(connector.id).cloned().unwrap_or_default();
        let limits = pace(&connector, section.remove(PACE))?;
        let section = serde_json::to_value(section).map_err(|e| {
            Error::invalid_input(format!("[connectors.{}] cannot be read", connector.id)).with_source(e)
        })?;
        let credentials = configured(&connector, config);
        let (source, config, credentials, limits) = match credentials {
            Some(credentials) => (Source::Live, section, credentials, limits),
            None => {
                let (config, credentials) = sample_account(connector.id, sandbox)?;
                (Source::Sample, config, credentials, Limits::window(FASTEST, Duration::from_secs(1)))
            }
        };
        let http = Connection::new(
            connector.id,
            outside.client.clone(),
            limits,
            outside.settings.clone(),
            outside.observer.clone(),
        );
        let http = match &outside.shared {
            Some(shared) => http.with_buckets(limits, shared.buckets(connector.id, &credentials)),
            None => http,
        };
        let connected = Connected { connector: Arc::new(connector), source, config, credentials, http: Arc::new(http) };
        Ok(connected)
    }

    pub fn open(&self, call: Call) -> Opening {
        let http = Http::new(self.http.clone(), call);
        Opening { config: self.config.clone(), credentials: self.credentials.clone(), http }
    }

    /// Which account this is, so that a change of account is noticed. It holds no secret.
    pub fn origin(&self) -> String {
        let account =
            ["base_url", "v1_base_url", "location_id"].map(|key| self.config[key].as_str().unwrap_or_default());
        match self.source {
            // The built-in business listens on another port every time.
            Source::Sample => format!("sample:{}", account[2]),
            // A V1 key names its location itself, and only itself.
            _ if account[2].is_empty() => {
                let keys = self.credentials.secrets().fold(Sha256::new(), |hash, secret| hash.chain_update(secret));
                format!("live:{} {}", account.join(" ").trim(), hex::encode(&keys.finalize()[..8]))
            }
            _ => format!("live:{}", account.join(" ").trim()),
        }
    }

    /// Another process may have connected another account since this one started; then nothing of
    /// the old account may be written any more.
    pub async fn refuse_if_changed(&self, tenant: &store::Tenant) -> Result<()> {
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
        let to_connect = match (self.connector.auth.first(), self.source) {
            (Some(Auth::Keys(keys)), Source::Sample) => {
                keys.iter().map(|key| format!("set {} ({})", key.env, key.help)).collect()
            }
            _ => Vec::new(),
        };
        Description {
            ecosystem: self.connector.id.into(),
            title: self.connector.title.into(),
            source: self.source.as_str().into(),
            to_connect,
        }
    }
}

/// Every section may have it: a pace for an address that does not have the vendor's limits.
const PACE: &str = "requests_per_second";

/// Nobody has to spare the sample business.
const FASTEST: u32 = 1_000_000;

/// How fast requests may follow each other: as the vendor says, unless the section says otherwise.
fn pace(connector: &ErasedConnector, set: Option<toml::Value>) -> Result<Limits> {
    let Some(set) = set else { return Ok(connector.limits) };
    let most = set.as_integer().and_then(|most| u32::try_from(most).ok()).filter(|most| (1..=FASTEST).contains(most));
    let wrong = || format!("[connectors.{}]: {PACE} must be a whole number from 1 to 1000000", connector.id);
    Ok(Limits::window(most.ok_or_else(|| Error::invalid_input(wrong()))?, Duration::from_secs(1)))
}

/// The credentials from the environment, if every key of the connector is there.
fn configured(connector: &ErasedConnector, config: &Config) -> Option<Credentials> {
    let Some(Auth::Keys(keys)) = connector.auth.first() else { return None };
    keys.iter().try_fold(Credentials::new(), |credentials, key| {
        let secret = config.secrets.get(key.env)?;
        Some(credentials.with(key.name, secret.expose_secret()))
    })
}

fn sample_account(ecosystem: &str, sandbox: &sandbox::Sandbox) -> Result<(Value, Credentials)> {
    let missing = || Error::internal(format!("the sample business has no {ecosystem}"));
    let account = sandbox.account(ecosystem).ok_or_else(missing)?;
    let credentials = account.credentials.into_iter();
    let credentials = credentials.fold(Credentials::new(), |all, (name, secret)| all.with(&name, secret));
    Ok((account.config, credentials))
}

fn refuse_unknown_sections(connectors: &[ErasedConnector], config: &Config) -> Result<()> {
    let known = |name: &str| connectors.iter().any(|connector| connector.id == name);
    match config.connectors.keys().find(|name| !known(name)) {
        Some(name) => Err(Error::invalid_input(format!("[connectors.{name}]: there is no connector of this name"))),
        None => Ok(()),
    }
}

/// Puts the rows of another account away before the brain answers from them: sample rows are
/// removed, those of another account of the business are marked deleted.
pub async fn notice_changed_accounts(app: &App) -> Result<()> {
    let tenant = app.store.tenant(DEFAULT_TENANT);
    for connected in app.connections.iter() {
        let (ecosystem, origin) = (connected.connector.id, connected.origin());
        let known = store::connections::origin(&tenant, ecosystem).await.map_err(crate::unavailable)?;
        let before = match &known {
            Some(known) if *known == origin => continue,
            Some(known) if known.starts_with(Source::Sample.as_str()) => Before::Remove,
            _ => Before::MarkDeleted,
        };
        store::connections::change(&tenant, ecosystem, &origin, before, app.clock.now())
            .await
            .map_err(crate::unavailable)?;
        tracing::info!(
            ecosystem,
            account = origin,
            before = known,
            "connected to another account; the brain starts anew"
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_pace_than_the_vendors_can_be_set() {
        let connectors = connectors::all();
        let connector = &connectors[0];
        assert_eq!(pace(connector, None).unwrap(), connector.limits);
        let set = pace(connector, Some(500.into())).unwrap();
        assert!(set.burst.get() >= 200 && set.replenish < Duration::from_millis(5), "{set:?}");
        for wrong in [0.into(), (-1).into(), 2_000_000.into(), "fast".into()] {
            let error = pace(connector, Some(wrong)).unwrap_err().to_string();
            assert!(error.contains("requests_per_second"), "{error}");
        }
    }
}
