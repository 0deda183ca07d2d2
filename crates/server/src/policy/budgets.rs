//! The budgets of each tenant: kept in the database, remembered for a few seconds, counted in the database so that
//! replicas share them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, Utc};
use sdk::{Error, Result};
use serde::Serialize;
use serde_json::json;
use store::Tenant;
use store::budgets::{self as rows, Taking};
use tokio::time::Instant;

use super::Question;
use super::budget::{Budget, Limit};
use crate::actor::Actor;
use crate::app::App;

/// A change by another process takes effect within this time.
const FRESH: Duration = Duration::from_secs(5);

/// What was read lately.
#[derive(Default)]
pub struct Budgets(Mutex<HashMap<String, Read>>);

/// Those of one tenant, and when they were read.
type Read = (Arc<Vec<Limit>>, Instant);

impl Budgets {
    async fn of(&self, tenant: &Tenant) -> Result<Arc<Vec<Limit>>> {
        let lock = || self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some((limits, _)) = lock().get(tenant.id()).filter(|(_, at)| at.elapsed() < FRESH) {
            return Ok(limits.clone());
        }
        let stored = rows::list(tenant).await.map_err(crate::unavailable)?;
        let limits = Arc::new(stored.into_iter().map(read).collect::<Result<Vec<_>>>()?);
        lock().insert(tenant.id().to_owned(), (limits.clone(), Instant::now()));
        Ok(limits)
    }

    fn forget(&self) {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).clear();
    }
}

/// One that cannot be read any more stops every call of its tenant, because what it limits is not known.
fn read(row: rows::Budget) -> Result<Limit> {
    let unreadable = |e| Error::internal(format!("the budget `{}` cannot be read", row.name)).with_source(e);
    let budget: Budget = serde_json::from_value(row.budget).map_err(unreadable)?;
    Limit::read(&row.name, budget)
}

/// Takes a call from every budget that is about it, all or none. `Some`: one is used up, and when it starts anew. What was
/// taken stays taken, whatever becomes of the call. Where nobody has made a budget nothing is asked.
pub async fn take(app: &App, question: &Question<'_>) -> Result<Option<String>> {
    let (actor, tenant) = (question.actor, app.store.tenant(&question.actor.tenant));
    let limits = app.budgets.of(&tenant).await?;
    if limits.is_empty() {
        return Ok(None);
    }
    let concerned: Vec<&Limit> = limits.iter().filter(|limit| limit.is_about(question)).collect();
    let mut takings = Vec::with_capacity(concerned.len());
    for limit in &concerned {
        let (cost, most) = match limit.cost(question.arguments) {
            Ok(cost) => cost,
            Err(why) => return Ok(Some(format!("the budget `{}` cannot be told for this call: {why}", limit.name))),
        };
        let caller = if limit.budget.each { actor.id.clone() } else { String::new() };
        takings.push(Taking {
            name: limit.name.clone(),
            caller,
            begins: limit.budget.per.begin(question.now),
            cost,
            most,
        });
    }
    if takings.is_empty() {
        return Ok(None);
    }
    let short = rows::take(&tenant, &takings).await.map_err(crate::unavailable)?;
    let limit = short.and_then(|name| concerned.iter().find(|limit| limit.name == name));
    Ok(limit.map(|limit| refusal(limit, question.now)))
}

fn refusal(limit: &Limit, now: DateTime<Utc>) -> String {
    let anew = limit.budget.per.end(now).format("%Y-%m-%d %H:%M UTC");
    format!("the budget `{}` ({}) does not have it; it starts anew at {anew}", limit.name, limit.in_words())
}

/// A budget and how much of it is left.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[schemars(rename = "BudgetState")]
pub struct Shown {
    pub name: String,
    pub budget: Budget,
    /// In this period, of all callers.
    pub used: f64,
    /// Of each caller, where each has a budget of his own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub used_by: Vec<(String, f64)>,
    pub starts_anew: DateTime<Utc>,
}

/// The budgets of a tenant and what was taken from them.
pub async fn list(app: &App, by: &Actor) -> Result<Vec<Shown>> {
    let (tenant, now) = (app.store.tenant(&by.tenant), app.clock.now());
    let mut shown = Vec::new();
    for row in rows::list(&tenant).await.map_err(crate::unavailable)? {
        let limit = read(row)?;
        let uses = rows::uses(&tenant, limit.budget.per.begin(now)).await.map_err(crate::unavailable)?;
        let uses: Vec<_> = uses.into_iter().filter(|one| one.name == limit.name).collect();
        let used = limit.shown(uses.iter().map(|one| one.used).sum());
        let each = uses.iter().filter(|one| !one.caller.is_empty());
        let used_by = each.map(|one| (one.caller.clone(), limit.shown(one.used))).collect();
        let starts_anew = limit.budget.per.end(now);
        shown.push(Shown { name: limit.name, budget: limit.budget, used, used_by, starts_anew });
    }
    Ok(shown)
}

/// Adds a budget, or changes the one of that name. It is on record before it is in force.
pub async fn put(app: &App, by: &Actor, name: &str, budget: Budget) -> Result<()> {
    let limit = Limit::read(name, budget)?;
    if let Some(idle) = limit.idle_pattern(app.tools.iter().map(|tool| tool.id.as_str())) {
        return Err(Error::invalid_input(format!("the budget's pattern `{idle}` fits no tool")));
    }
    let tenant = app.store.tenant(&by.tenant);
    let budget = json!(limit.budget);
    app.audit.event(tenant.id(), "budget_changed", None, by, &json!({"name": name, "budget": budget})).await?;
    rows::put(&tenant, name, &budget, &by.name, app.clock.now()).await.map_err(crate::unavailable)?;
    app.budgets.forget();
    Ok(())
}

/// Removes a budget. False: there is none of that name.
pub async fn remove(app: &App, by: &Actor, name: &str) -> Result<bool> {
    let tenant = app.store.tenant(&by.tenant);
    if !rows::list(&tenant).await.map_err(crate::unavailable)?.iter().any(|row| row.name == name) {
        return Ok(false);
    }
    app.audit.event(tenant.id(), "budget_changed", None, by, &json!({"removed": name})).await?;
    let removed = rows::remove(&tenant, name).await.map_err(crate::unavailable)?;
    app.budgets.forget();
    Ok(removed)
}
