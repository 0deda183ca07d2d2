//! The rules of a tenant's policy, in the order in which they are asked. What a rule says is the server's to read.

use chrono::{DateTime, Utc};
use sea_orm::QueryOrder;
use sea_orm::prelude::*;
use serde_json::Value;

use crate::chain::canonical_json;
pub use crate::entities::policy_rules::Model as PolicyRule;
use crate::entities::policy_rules::{Column, Entity};
use crate::text::clean;
use crate::{Result, Tenant, micros};

/// A rule to be stored.
#[derive(Clone, Debug, PartialEq)]
pub struct NewRule {
    pub name: String,
    pub rule: Value,
    /// Where it stands among the others; `None` is at the end.
    pub position: Option<i64>,
    pub enabled: bool,
    pub by: String,
}

/// Stores a rule, or changes the one of that name, which keeps its place unless another is named.
pub async fn put(tenant: &Tenant, new: NewRule, now: DateTime<Utc>) -> Result<()> {
    let tx = tenant.begin().await?;
    if let Some(position) = new.position {
        let mut sql = tx.sql("UPDATE policy_rules SET position = position + 1 WHERE tenant_id = ");
        sql.bind(tx.tenant_id()).push(" AND position >= ").bind(position);
        tx.execute(sql).await?;
    }
    let mut sql = tx.sql(
        "INSERT INTO policy_rules (id, tenant_id, name, rule, enabled, created_by, created_at, updated_at, position) \
         VALUES (",
    );
    sql.bind(Uuid::now_v7()).push(", ").bind(tx.tenant_id()).push(", ").bind(clean(&new.name)).push(", ");
    sql.bind_json(Some(canonical_json(&new.rule))).push(", ").bind(new.enabled).push(", ").bind(new.by);
    sql.push(", ").bind(micros(now)).push(", ").bind(micros(now)).push(", ");
    match new.position {
        Some(position) => sql.bind(position),
        None => sql
            .push("(SELECT COALESCE(MAX(position), 0) + 1 FROM policy_rules WHERE tenant_id = ")
            .bind(tx.tenant_id())
            .push(")"),
    };
    sql.push(
        ") ON CONFLICT (tenant_id, name) DO UPDATE SET rule = excluded.rule, enabled = excluded.enabled, \
         updated_at = excluded.updated_at, position = ",
    );
    sql.push(if new.position.is_some() { "excluded.position" } else { "policy_rules.position" });
    tx.execute(sql).await?;
    tx.commit().await
}

/// All rules of a tenant, in their order.
pub async fn list(tenant: &Tenant) -> Result<Vec<PolicyRule>> {
    let query = Entity::find().filter(Column::TenantId.eq(tenant.id()));
    Ok(query.order_by_asc(Column::Position).order_by_asc(Column::CreatedAt).all(&tenant.read()).await?)
}

/// Removes a rule. False: there is none of that name.
pub async fn remove(tenant: &Tenant, name: &str) -> Result<bool> {
    let mut sql = tenant.sql("DELETE FROM policy_rules WHERE tenant_id = ");
    sql.bind(tenant.id()).push(" AND name = ").bind(name);
    Ok(tenant.write().execute_raw(sql.statement()).await?.rows_affected() > 0)
}
