//! The businesses of this installation.

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, FromQueryResult};
use serde::Serialize;

use crate::{Result, System, clean, micros};

/// A business.
#[derive(Clone, Debug, PartialEq, Serialize, schemars::JsonSchema, FromQueryResult)]
pub struct Business {
    /// As in the column `tenant_id` of every table.
    #[serde(rename = "id")]
    pub tenant_id: String,
    pub name: String,
    pub created_at: DateTime<Utc>,
    /// Since when it answers nobody.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disabled_at: Option<DateTime<Utc>>,
}

/// Adds a business. False: the id is taken.
pub async fn add(system: &System, id: &str, name: &str, now: DateTime<Utc>) -> Result<bool> {
    let mut sql = system.sql("INSERT INTO tenants (tenant_id, name, created_at) VALUES (");
    sql.bind(id).push(", ").bind(clean(Some(name))).push(", ").bind(micros(now));
    sql.push(") ON CONFLICT (tenant_id) DO NOTHING");
    Ok(system.write().execute_raw(sql.statement()).await?.rows_affected() == 1)
}

/// All of them, the oldest first.
pub async fn list(system: &System) -> Result<Vec<Business>> {
    let sql = system.sql("SELECT tenant_id, name, created_at, disabled_at FROM tenants ORDER BY created_at, tenant_id");
    Ok(Business::find_by_statement(sql.statement()).all(&system.read()).await?)
}

/// Lets a business answer nobody, or again. False: there is none, or it is so already.
pub async fn set_disabled(system: &System, id: &str, disabled: bool, now: DateTime<Utc>) -> Result<bool> {
    let mut sql = system.sql("UPDATE tenants SET disabled_at = ");
    sql.bind(disabled.then_some(micros(now))).push(" WHERE tenant_id = ").bind(id);
    sql.push(if disabled { " AND disabled_at IS NULL" } else { " AND disabled_at IS NOT NULL" });
    Ok(system.write().execute_raw(sql.statement()).await?.rows_affected() == 1)
}
