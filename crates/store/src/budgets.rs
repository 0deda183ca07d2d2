//! Budgets of a tenant and what was taken from them. What a budget says is the server's to read.

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, FromQueryResult};
use serde_json::Value;

use crate::chain::canonical_json;
use crate::text::clean;
use crate::{Result, System, Tenant, Tx, micros};

/// A budget as it is stored.
#[derive(Clone, Debug, PartialEq, FromQueryResult, serde::Serialize)]
pub struct Budget {
    pub name: String,
    pub budget: Value,
    pub created_by: String,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// What somebody wants to take from a budget.
#[derive(Clone, Debug, PartialEq)]
pub struct Taking {
    pub name: String,
    /// Empty where all callers share it.
    pub caller: String,
    /// When the day or the month began.
    pub begins: DateTime<Utc>,
    pub cost: i64,
    pub most: i64,
}

/// Stores a budget, or changes the one of that name; what was taken from it stays taken.
pub async fn put(tenant: &Tenant, name: &str, budget: &Value, by: &str, now: DateTime<Utc>) -> Result<()> {
    let mut sql =
        tenant.sql("INSERT INTO budgets (tenant_id, name, budget, created_by, created_at, updated_at) VALUES (");
    sql.bind(tenant.id()).push(", ").bind(clean(name).into_owned()).push(", ");
    sql.bind_json(Some(canonical_json(budget))).push(", ").bind(by).push(", ");
    sql.bind(micros(now)).push(", ").bind(micros(now));
    sql.push(
        ") ON CONFLICT (tenant_id, name) DO UPDATE SET budget = excluded.budget, updated_at = excluded.updated_at",
    );
    tenant.write().execute_raw(sql.statement()).await?;
    Ok(())
}

/// All budgets of a tenant by name.
pub async fn list(tenant: &Tenant) -> Result<Vec<Budget>> {
    let mut sql = tenant.sql("SELECT name, budget, created_by, created_at, updated_at FROM budgets WHERE tenant_id = ");
    sql.bind(tenant.id()).push(" ORDER BY name");
    Ok(Budget::find_by_statement(sql.statement()).all(&tenant.read()).await?)
}

/// Removes a budget and what was taken from it. False: there is none of that name.
pub async fn remove(tenant: &Tenant, name: &str) -> Result<bool> {
    let tx = tenant.begin().await?;
    let mut removed = false;
    for table in ["budget_uses", "budgets"] {
        let mut sql = tx.sql("DELETE FROM ");
        sql.push(table).push(" WHERE tenant_id = ").bind(tx.tenant_id()).push(" AND name = ").bind(name);
        removed = tx.execute(sql).await?.rows_affected() > 0;
    }
    tx.commit().await?;
    Ok(removed)
}

/// Takes from all of them or from none: of a thousand who ask at once, as many get it as the budget has. The name of the
/// one that does not have it, if any. Given in the order of their names, so that two callers do not wait for each other.
pub async fn take(tenant: &Tenant, takings: &[Taking]) -> Result<Option<String>> {
    let tx = tenant.begin().await?;
    for taking in takings {
        if !take_in(&tx, taking).await? {
            tx.rollback().await?;
            return Ok(Some(taking.name.clone()));
        }
    }
    tx.commit().await?;
    Ok(None)
}

async fn take_in(tx: &Tx, taking: &Taking) -> Result<bool> {
    if taking.cost > taking.most {
        return Ok(false);
    }
    let mut sql = tx.sql("INSERT INTO budget_uses (tenant_id, name, caller, begins, used) VALUES (");
    sql.bind(tx.tenant_id()).push(", ").bind(taking.name.as_str()).push(", ").bind(taking.caller.as_str());
    sql.push(", ").bind(taking.begins).push(", ").bind(taking.cost);
    sql.push(") ON CONFLICT (tenant_id, name, caller, begins) DO UPDATE SET used = budget_uses.used + excluded.used");
    sql.push(" WHERE budget_uses.used + excluded.used <= ").bind(taking.most);
    Ok(tx.execute(sql).await?.rows_affected() == 1)
}

/// What was taken from a budget.
#[derive(Clone, Debug, PartialEq, FromQueryResult)]
pub struct Use {
    pub name: String,
    pub caller: String,
    pub used: i64,
}

/// What was taken since `begins`, of every budget whose day or month began then.
pub async fn uses(tenant: &Tenant, begins: DateTime<Utc>) -> Result<Vec<Use>> {
    let mut sql = tenant.sql("SELECT name, caller, used FROM budget_uses WHERE tenant_id = ");
    sql.bind(tenant.id()).push(" AND begins = ").bind(begins).push(" ORDER BY name, caller");
    Ok(Use::find_by_statement(sql.statement()).all(&tenant.read()).await?)
}

/// Forgets what was taken in days and months that began before.
pub async fn purge(system: &System, before: DateTime<Utc>) -> Result<u64> {
    let mut sql = system.sql("DELETE FROM budget_uses WHERE begins < ");
    sql.bind(before);
    Ok(system.write().execute_raw(sql.statement()).await?.rows_affected())
}
