//! The businesses of this installation. Each has its own connections, data, people, keys, rules and limits; only who owns
//! the machine, or the default tenant, adds one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, Utc};
use sdk::{Error, Result};
use serde_json::json;
use store::Store;
use store::tenants::{self as rows, Business};
use tokio::time::Instant;

use crate::actor::{Actor, DEFAULT_TENANT, Role};
use crate::app::App;
use crate::config::Config;
use crate::connections::Connections;
use crate::identity::people;

/// What another process has changed takes effect within this time.
const FRESH: Duration = Duration::from_secs(5);

/// The businesses as they were read lately.
#[derive(Default)]
pub struct Tenants(Mutex<Option<(Arc<Known>, Instant)>>);

type Known = HashMap<String, Business>;

impl Tenants {
    /// Refuses the caller of a business that is disabled, or that does not exist.
    pub async fn refuse_disabled(&self, app: &App, tenant: &str) -> Result<()> {
        match self.name(app, tenant).await? {
            Some(_) => Ok(()),
            None => Err(Error::forbidden(format!("the business `{tenant}` is disabled"))),
        }
    }

    /// The name of a business that answers.
    pub async fn name(&self, app: &App, tenant: &str) -> Result<Option<String>> {
        let mut known = self.known(app).await?;
        if !known.contains_key(tenant) {
            // It may have been added a moment ago, by another process.
            self.forget();
            known = self.known(app).await?;
        }
        Ok(known.get(tenant).filter(|business| business.disabled_at.is_none()).map(|business| business.name.clone()))
    }

    async fn known(&self, app: &App) -> Result<Arc<Known>> {
        let before = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).clone();
        if let Some((known, _)) = before.as_ref().filter(|(_, at)| at.elapsed() < FRESH) {
            return Ok(known.clone());
        }
        match read(app).await {
            Ok(known) => {
                *self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = Some((known.clone(), Instant::now()));
                Ok(known)
            }
            // Without a database nothing is answered anyway, but vendors are told to come again.
            Err(e) => before.map(|(known, _)| known).ok_or(e),
        }
    }

    fn forget(&self) {
        *self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = None;
    }
}

async fn read(app: &App) -> Result<Arc<Known>> {
    let all = rows::list(&app.store.system()).await.map_err(crate::unavailable)?;
    if all.len() > 1
        && let Err(error) = store::wall::follow(&app.store).await
    {
        tracing::error!(%error, "the second wall between tenants does not stand");
    }
    Ok(Arc::new(all.into_iter().map(|business| (business.tenant_id.clone(), business)).collect()))
}

/// Every business, also those that answer nobody; the default one first.
pub async fn all(app: &App) -> Result<Vec<Business>> {
    let mut all: Vec<Business> = app.tenants.known(app).await?.values().cloned().collect();
    all.sort_by(|a, b| {
        let order = |one: &Business| (one.tenant_id != DEFAULT_TENANT, one.created_at);
        order(a).cmp(&order(b)).then_with(|| a.tenant_id.cmp(&b.tenant_id))
    });
    Ok(all)
}

/// The connections of every business that answers, the default one's first. One whose connections cannot be made does not
/// keep the others from theirs.
pub async fn connections(app: &App) -> Result<Vec<Arc<Connections>>> {
    let mut connections = Vec::new();
    for business in all(app).await?.into_iter().filter(|business| business.disabled_at.is_none()) {
        match app.connections.of(app, &business.tenant_id).await {
            Ok(of) => connections.push(of),
            Err(error) => tracing::warn!(tenant = business.tenant_id, %error, "its connections cannot be made"),
        }
    }
    Ok(connections)
}

/// Sees to it that the installation's own business is there.
pub async fn ensure_own(store: &Store, config: &Config, now: DateTime<Utc>) -> Result<()> {
    rows::add(&store.system(), DEFAULT_TENANT, &config.server.brand, now).await.map_err(crate::unavailable)?;
    Ok(())
}

/// All businesses, for who may see them.
pub async fn list(app: &App, by: &Actor) -> Result<Vec<Business>> {
    may_manage(by)?;
    rows::list(&app.store.system()).await.map_err(crate::unavailable)
}

/// Adds a business, and returns the link that makes its first owner.
pub async fn create(app: &Arc<App>, by: &Actor, id: &str, name: &str) -> Result<String> {
    may_manage(by)?;
    let (id, name) = (slug(id)?, named(name)?);
    let taken = || Error::conflict(format!("there is a business `{id}` already"));
    if read(app).await?.contains_key(id) {
        return Err(taken());
    }
    store::wall::prepare(&app.store).await.map_err(|e| Error::unavailable(e.to_string()).with_source(e))?;
    app.audit.event(&by.tenant, "tenant_created", None, by, &json!({"tenant": id, "name": name})).await?;
    if !rows::add(&app.store.system(), id, name, app.clock.now()).await.map_err(crate::unavailable)? {
        return Err(taken());
    }
    app.tenants.forget();
    let link = people::setup_link(app, id).await?;
    link.ok_or_else(|| Error::conflict(format!("the business `{id}` has people already")))
}

/// Lets a business answer nobody, or again. The default one stays: who could enable it?
pub async fn set_disabled(app: &Arc<App>, by: &Actor, id: &str, disabled: bool) -> Result<()> {
    may_manage(by)?;
    if id == DEFAULT_TENANT {
        return Err(Error::conflict("the installation's own business cannot be disabled"));
    }
    let other = if disabled { "enabled" } else { "disabled" };
    let missing = || Error::not_found(format!("there is no {other} business `{id}`"));
    if read(app).await?.get(id).is_none_or(|business| business.disabled_at.is_some() == disabled) {
        return Err(missing());
    }
    let event = if disabled { "tenant_disabled" } else { "tenant_enabled" };
    app.audit.event(&by.tenant, event, None, by, &json!({"tenant": id})).await?;
    let changed = rows::set_disabled(&app.store.system(), id, disabled, app.clock.now()).await;
    app.tenants.forget();
    if changed.map_err(crate::unavailable)? { Ok(()) } else { Err(missing()) }
}

/// The machine's owner and owners of the default tenant; nobody else is told that there are others.
fn may_manage(by: &Actor) -> Result<()> {
    if by.role == Some(Role::Owner) && by.tenant == DEFAULT_TENANT {
        return Ok(());
    }
    Err(Error::forbidden("businesses are managed by owners of the installation's own business"))
}

/// An id that fits into an address, a file's name and a prompt.
fn slug(id: &str) -> Result<&str> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let fine = (2..=40).contains(&id.len()) && id.chars().all(fits) && !id.starts_with('-') && !id.ends_with('-');
    let why = "the id of a business has 2 to 40 small letters, digits and hyphens, such as acme-supply";
    if fine { Ok(id) } else { Err(Error::invalid_input(why)) }
}

fn named(name: &str) -> Result<&str> {
    let name = name.trim();
    let fine = !name.is_empty() && name.chars().count() <= 100 && !name.contains(char::is_control);
    if fine { Ok(name) } else { Err(Error::invalid_input("the name of a business has 1 to 100 characters")) }
}
