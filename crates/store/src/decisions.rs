//! What agents decided, and what people thought of it.

use chrono::{DateTime, Utc};
use sea_orm::prelude::*;
use sea_orm::{QueryOrder, QuerySelect};
use serde_json::Value;

use crate::chain::canonical_json;
pub use crate::entities::agent_decisions::Model as AgentDecision;
use crate::entities::agent_decisions::{Column, Entity};
use crate::text::{clean, clean_option};
use crate::{Result, Tenant, micros};

/// A decision to be kept.
#[derive(Clone, Debug, PartialEq)]
pub struct NewDecision {
    /// Which model or client.
    pub agent_id: String,
    pub context: Value,
    pub decision: String,
    pub rationale: Option<String>,
    pub tools_used: Vec<String>,
    /// `success`, `failure` or `partial`.
    pub outcome: Option<String>,
}

/// Keeps a decision.
pub async fn record(tenant: &Tenant, decision: NewDecision, now: DateTime<Utc>) -> Result<Uuid> {
    let id = Uuid::now_v7();
    let mut sql = tenant.sql(
        "INSERT INTO agent_decisions (id, tenant_id, timestamp, agent_id, context, decision, rationale, tools_used, \
         outcome) VALUES (",
    );
    sql.bind(id).push(", ").bind(tenant.id()).push(", ").bind(micros(now)).push(", ").bind(decision.agent_id);
    sql.push(", ").bind_json(Some(canonical_json(&decision.context)));
    sql.push(", ").bind(clean(&decision.decision).into_owned());
    sql.push(", ").bind(clean_option(decision.rationale.as_deref()));
    sql.push(", ").bind_json(Some(canonical_json(&Value::from(decision.tools_used))));
    sql.push(", ").bind(decision.outcome).push(")");
    tenant.write().execute_raw(sql.statement()).await?;
    Ok(id)
}

/// What a person thought of a decision. False: the tenant has no such decision.
pub async fn feedback(tenant: &Tenant, id: Uuid, outcome: Option<&str>, feedback: Option<&str>) -> Result<bool> {
    let mut sql = tenant.sql("UPDATE agent_decisions SET outcome = COALESCE(");
    sql.bind(outcome.map(str::to_owned)).push(", outcome), user_feedback = COALESCE(").bind(clean_option(feedback));
    sql.push(", user_feedback) WHERE tenant_id = ").bind(tenant.id()).push(" AND id = ").bind(id);
    Ok(tenant.write().execute_raw(sql.statement()).await?.rows_affected() > 0)
}

/// Decisions, newest first.
pub async fn list(tenant: &Tenant, limit: u64) -> Result<Vec<AgentDecision>> {
    let query = Entity::find().filter(Column::TenantId.eq(tenant.id()));
    Ok(query.order_by_desc(Column::Timestamp).order_by_desc(Column::Id).limit(limit).all(tenant.read()).await?)
}
