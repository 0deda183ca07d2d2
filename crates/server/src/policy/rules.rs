//! The rules of each tenant: kept in the database, remembered for a few seconds.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sdk::{Error, Result};
use serde_json::json;
use store::Tenant;
use store::policy_rules::{self as rows, NewRule, PolicyRule};
use tokio::time::Instant;

use super::fits_any;
use super::rule::{Ready, Rule};
use crate::actor::Actor;
use crate::app::App;

/// A change by another process takes effect within this time.
const FRESH: Duration = Duration::from_secs(5);

/// A tenant's rules, in their order.
#[derive(Clone, Default)]
pub struct Rules(Arc<Vec<Ready>>);

impl Rules {
    pub(super) fn iter(&self) -> impl Iterator<Item = &Ready> {
        self.0.iter()
    }

    /// Reads rules that are not stored, to try them.
    pub fn read(rules: impl IntoIterator<Item = (String, Rule)>) -> Result<Rules> {
        let ready: Result<Vec<Ready>> = rules.into_iter().map(|(name, rule)| Ready::read(&name, rule)).collect();
        Ok(Rules(Arc::new(ready?)))
    }
}

/// What was read lately.
#[derive(Default)]
pub(super) struct Cache(Mutex<HashMap<String, (Rules, Instant)>>);

impl Cache {
    pub(super) async fn of(&self, tenant: &Tenant) -> Result<Rules> {
        if let Some(rules) = self.fresh(tenant.id()) {
            return Ok(rules);
        }
        let stored = rows::list(tenant).await.map_err(crate::unavailable)?;
        let rules = Rules::read(stored.into_iter().filter(|row| row.enabled).map(named).collect::<Result<Vec<_>>>()?)?;
        self.lock().insert(tenant.id().to_owned(), (rules.clone(), Instant::now()));
        Ok(rules)
    }

    /// Whether any rule that was read lately is such.
    pub(super) fn any(&self, is_such: impl Fn(&Ready) -> bool) -> bool {
        self.lock().values().any(|(rules, _)| rules.iter().any(&is_such))
    }

    fn forget(&self) {
        self.lock().clear();
    }

    fn fresh(&self, tenant: &str) -> Option<Rules> {
        self.lock().get(tenant).filter(|(_, at)| at.elapsed() < FRESH).map(|(rules, _)| rules.clone())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, (Rules, Instant)>> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// A rule that cannot be read any more stops every call of its tenant, because what it forbade is not known.
fn named(row: PolicyRule) -> Result<(String, Rule)> {
    let unreadable = |e| Error::internal(format!("the policy's rule `{}` cannot be read", row.name)).with_source(e);
    let rule: Rule = serde_json::from_value(row.rule).map_err(unreadable)?;
    Ok((row.name, rule))
}

/// The rules that are stored for a tenant, the switched-off ones too.
pub async fn list(app: &App, by: &Actor) -> Result<Vec<PolicyRule>> {
    rows::list(&app.store.tenant(&by.tenant)).await.map_err(crate::unavailable)
}

/// Adds a rule, or changes the one of that name. It is on record before it is in force.
pub async fn put(app: &App, by: &Actor, name: &str, rule: Rule, position: Option<i64>, enabled: bool) -> Result<()> {
    let ready = Ready::read(name, rule)?;
    fits_any(&ready, &app.tools)?;
    let rule = serde_json::to_value(&ready.rule).map_err(|e| Error::internal("the rule has no JSON").with_source(e))?;
    let tenant = app.store.tenant(&by.tenant);
    let detail = json!({"name": name, "rule": rule, "position": position, "enabled": enabled});
    app.audit.event(tenant.id(), "policy_changed", None, by, &detail).await?;
    let new = NewRule { name: name.to_owned(), rule, position, enabled, by: by.name.clone() };
    rows::put(&tenant, new, app.clock.now()).await.map_err(crate::unavailable)?;
    app.policy.tenants.forget();
    Ok(())
}

/// Removes a rule. False: there is none of that name.
pub async fn remove(app: &App, by: &Actor, name: &str) -> Result<bool> {
    let tenant = app.store.tenant(&by.tenant);
    if !rows::list(&tenant).await.map_err(crate::unavailable)?.iter().any(|row| row.name == name) {
        return Ok(false);
    }
    app.audit.event(tenant.id(), "policy_changed", None, by, &json!({"removed": name})).await?;
    let removed = rows::remove(&tenant, name).await.map_err(crate::unavailable)?;
    app.policy.tenants.forget();
    Ok(removed)
}
