//! The connections of each tenant, made when somebody first asks for them, and kept.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use sdk::{ErasedConnector, Error, Result};
use tokio::sync::OnceCell;

use super::accounts::names_account;
use super::{Connections, Outside, refuse_unknown_sections, settle};
use crate::actor::DEFAULT_TENANT;
use crate::app::{self, App};
use crate::audit::Observers;
use crate::config::Config;

/// The connections of all tenants of this installation.
pub struct Everybodys {
    /// Those of the default tenant, whose credentials may stand in the environment.
    own: Arc<Connections>,
    others: Mutex<HashMap<String, Arc<OnceCell<Arc<Connections>>>>>,
    connectors: Vec<Arc<ErasedConnector>>,
    observers: Observers,
}

impl Everybodys {
    pub async fn new(
        connectors: Vec<ErasedConnector>,
        config: &Config,
        sandbox: &sandbox::Sandbox,
        outside: Outside,
        observers: Observers,
    ) -> Result<Everybodys> {
        let connectors: Vec<Arc<ErasedConnector>> = connectors.into_iter().map(Arc::new).collect();
        refuse_unknown_sections(&connectors, config)?;
        let own = Arc::new(Connections::new(&connectors, config.clone(), sandbox, outside).await?);
        Ok(Everybodys { own, others: Mutex::default(), connectors, observers })
    }

    /// Those of the default tenant.
    pub fn own(&self) -> &Arc<Connections> {
        &self.own
    }

    /// Those of a tenant. Whoever asks first waits until they are made; its brain and its schedules follow them.
    pub async fn of(&self, app: &App, tenant: &str) -> Result<Arc<Connections>> {
        if tenant == DEFAULT_TENANT {
            return Ok(self.own.clone());
        }
        let cell = {
            let mut others = self.others.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            others.entry(tenant.to_owned()).or_default().clone()
        };
        let made = cell.get_or_try_init(|| async {
            let made = Arc::new(self.make(app, tenant).await?);
            settle(app, &made).await?;
            Ok::<_, Error>(made)
        });
        made.await.cloned()
    }

    async fn make(&self, app: &App, tenant: &str) -> Result<Connections> {
        let sandbox = app::start_sandbox(&app.config, &app.clock).await?;
        let (observer, tenant) = (self.observers.of(tenant), app.store.tenant(tenant));
        let outside = Outside { observer, tenant, ..self.own.outside.clone() };
        let config = without_accounts(&app.config, &self.connectors);
        let made = Connections::new(&self.connectors, config, &sandbox, outside).await?;
        Ok(Connections { _own_sandbox: Some(sandbox), ..made })
    }
}

/// The settings without the accounts that they name: those are the default tenant's. What proves webhooks is of the
/// installation's app at the vendor, which all tenants share.
fn without_accounts(config: &Config, connectors: &[Arc<ErasedConnector>]) -> Config {
    let mut config = config.clone();
    let proves = |name: &str| connectors.iter().filter_map(|c| c.webhook).any(|webhook| webhook.secret.env == name);
    config.secrets.retain(|name, _| proves(name));
    for connector in connectors {
        let Some(section) = config.connectors.get_mut(connector.id) else { continue };
        let is_address = |value: &toml::Value| value.as_str().is_some_and(|text| text.contains("://"));
        section.retain(|key, value| !names_account(connector, key) || is_address(value));
    }
    config
}
