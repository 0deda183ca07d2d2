//! What agents decided, and what people thought of it: one row for all that an agent does towards one end.

use chrono::{DateTime, Utc};
use sea_orm::prelude::*;
use sea_orm::{FromQueryResult, QueryOrder, QuerySelect};
use serde_json::{Value, json};

use crate::chain::canonical_json;
pub use crate::entities::agent_decisions::Model as AgentDecision;
use crate::entities::agent_decisions::{Column, Entity};
use crate::text::{clean, clean_option};
use crate::{Backend, Result, Tenant, Tx, micros};

/// Steps that are kept of one decision; what is done beyond them is in the audit.
const STEPS: usize = 100;

/// Whose decision it is, and which.
#[derive(Clone, Copy, Debug)]
pub struct Of<'a> {
    /// The key, grant or person that called.
    pub caller: &'a str,
    /// What the executions and approvals of it have in common.
    pub correlation: &'a str,
    /// Which model or client.
    pub agent: &'a str,
}

/// Something that was done, or asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    pub tool: String,
    pub execution_id: Uuid,
    pub approval_id: Option<Uuid>,
    /// `done`, `failed`, `denied`, `waiting`, `rejected`, `withdrawn`, `expired` or `unknown`.
    pub status: &'static str,
}

/// What an agent says of its decision itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Said {
    pub decision: String,
    pub rationale: Option<String>,
    /// What it was asked, and what it went by.
    pub context: Option<Value>,
    /// `success`, `failure` or `partial`; otherwise it follows from the steps.
    pub outcome: Option<String>,
}

/// Keeps a step. What became of an approval takes the place of its question.
pub async fn step(tenant: &Tenant, of: Of<'_>, step: &Step, now: DateTime<Utc>) -> Result<()> {
    let tx = tenant.begin().await?;
    let row = open(&tx, tenant, of, now).await?;
    let mut context = row.context;
    let mut steps = context["steps"].as_array().cloned().unwrap_or_default();
    let approval = step.approval_id.map(|id| id.to_string());
    let same = |known: &Value| approval.is_some() && known["approval_id"].as_str() == approval.as_deref();
    match steps.iter().position(same) {
        Some(place) => steps[place]["status"] = step.status.into(),
        None if steps.len() < STEPS => steps.push(json!({
            "tool": step.tool, "execution_id": step.execution_id, "approval_id": approval, "status": step.status,
        })),
        None => {}
    }
    let tools = tools_of(&steps);
    let decision =
        if row.decision.is_empty() || !context["said"].is_object() { tools.join(", ") } else { row.decision };
    let said = context["said"]["outcome"].as_str().map(str::to_owned);
    let outcome = said.or_else(|| outcome_of(&steps).map(str::to_owned));
    context["steps"] = steps.into();
    let mut sql = tx.sql("UPDATE agent_decisions SET context = ");
    sql.bind_json(Some(canonical_json(&context))).push(", tools_used = ");
    sql.bind_json(Some(canonical_json(&json!(tools)))).push(", decision = ").bind(decision);
    sql.push(", outcome = ").bind(outcome).push(" WHERE tenant_id = ").bind(tenant.id());
    sql.push(" AND id = ").bind(row.id);
    tx.execute(sql).await?;
    tx.commit().await
}

/// Keeps what the agent says.
pub async fn say(tenant: &Tenant, of: Of<'_>, said: Said, now: DateTime<Utc>) -> Result<Uuid> {
    let tx = tenant.begin().await?;
    let row = open(&tx, tenant, of, now).await?;
    let mut context = row.context;
    context["said"] = json!({"context": said.context, "outcome": said.outcome});
    let mut sql = tx.sql("UPDATE agent_decisions SET context = ");
    sql.bind_json(Some(canonical_json(&context))).push(", decision = ").bind(clean(&said.decision).into_owned());
    sql.push(", rationale = ").bind(clean_option(said.rationale.as_deref())).push(", outcome = COALESCE(");
    sql.bind(said.outcome).push(", outcome) WHERE tenant_id = ").bind(tenant.id()).push(" AND id = ").bind(row.id);
    tx.execute(sql).await?;
    tx.commit().await?;
    Ok(row.id)
}

/// The row, made where it is not there yet, and locked: several calls of one agent run at once.
async fn open(tx: &Tx, tenant: &Tenant, of: Of<'_>, now: DateTime<Utc>) -> Result<AgentDecision> {
    let mut sql = tx.sql(
        "INSERT INTO agent_decisions (id, tenant_id, timestamp, agent_id, context, decision, tools_used, caller_id, \
         correlation_id) VALUES (",
    );
    sql.bind(Uuid::now_v7()).push(", ").bind(tenant.id()).push(", ").bind(micros(now)).push(", ").bind(of.agent);
    sql.push(", ").bind_json(Some("{}".into())).push(", '', ").bind_json(Some("[]".into())).push(", ");
    sql.bind(of.caller).push(", ").bind(of.correlation);
    sql.push(") ON CONFLICT (tenant_id, caller_id, correlation_id) DO NOTHING");
    tx.execute(sql).await?;
    let mut sql = tx.sql("SELECT * FROM agent_decisions WHERE tenant_id = ");
    sql.bind(tenant.id()).push(" AND caller_id = ").bind(of.caller).push(" AND correlation_id = ").bind(of.correlation);
    if tenant.store().backend() == Backend::Postgres {
        sql.push(" FOR UPDATE");
    }
    let found = AgentDecision::find_by_statement(sql.statement()).one(tx.connection()).await?;
    found.ok_or_else(|| crate::StoreError::Decode("a decision vanished while it was written".into()))
}

fn tools_of(steps: &[Value]) -> Vec<String> {
    let mut tools: Vec<String> = Vec::new();
    for tool in steps.iter().filter_map(|step| step["tool"].as_str()) {
        if !tools.iter().any(|known| known == tool) {
            tools.push(tool.to_owned());
        }
    }
    tools
}

/// `None` while something waits.
fn outcome_of(steps: &[Value]) -> Option<&'static str> {
    let count = |status: &str| steps.iter().filter(|step| step["status"] == status).count();
    match (count("waiting"), count("done"), steps.len()) {
        (0, 0, _) => Some("failure"),
        (0, done, all) if done == all => Some("success"),
        (0, ..) => Some("partial"),
        _ => None,
    }
}

/// What a person thought of a decision. False: the tenant has no such decision.
pub async fn feedback(tenant: &Tenant, id: Uuid, outcome: Option<&str>, feedback: Option<&str>) -> Result<bool> {
    let mut sql = tenant.sql("UPDATE agent_decisions SET outcome = COALESCE(");
    sql.bind(outcome.map(str::to_owned)).push(", outcome), user_feedback = COALESCE(").bind(clean_option(feedback));
    sql.push(", user_feedback) WHERE tenant_id = ").bind(tenant.id()).push(" AND id = ").bind(id);
    Ok(tenant.write().execute_raw(sql.statement()).await?.rows_affected() > 0)
}

pub async fn get(tenant: &Tenant, id: Uuid) -> Result<Option<AgentDecision>> {
    Ok(Entity::find_by_id(id).filter(Column::TenantId.eq(tenant.id())).one(&tenant.read()).await?)
}

/// Decisions, newest first.
pub async fn list(tenant: &Tenant, limit: u64) -> Result<Vec<AgentDecision>> {
    let query = Entity::find().filter(Column::TenantId.eq(tenant.id()));
    Ok(query.order_by_desc(Column::Timestamp).order_by_desc(Column::Id).limit(limit).all(&tenant.read()).await?)
}
