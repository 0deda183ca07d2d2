//! What agents decided: filled from what they do, and from what they say of it. People say what they think of it.
//!
//! All that an agent does towards one end has one correlation id: the client's trace where it sends one, otherwise the
//! half hour of that agent. The record of each call and each approval carries it as well.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use sdk::{Error, Result, Tool};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use store::decisions::{self as rows, AgentDecision, Of, Said, Step};
use uuid::Uuid;

use crate::actor::{Actor, ActorKind, Scope as May};
use crate::app::App;
use crate::calls::{Outcome, Scope};

/// Within this time an agent is taken to work on one thing, where it says nothing.
const HALF_HOUR: i64 = 1_800;
/// The longest id that a client may send.
const LONGEST: usize = 64;

/// The caller with the id of what it is at.
pub fn correlated(actor: &Actor, now: DateTime<Utc>) -> Actor {
    let mut actor = actor.clone();
    if actor.kind == ActorKind::Agent && actor.correlation.is_none() {
        let place = format!("{}\n{}\n{}", actor.tenant, actor.id, now.timestamp() / HALF_HOUR);
        actor.correlation = Some(hex::encode(&Sha256::digest(place)[..16]));
    }
    actor
}

/// The id in a W3C `traceparent`, or in a header of our own; what is not one is left out.
pub fn sent(traceparent: Option<&str>, own: Option<&str>) -> Option<String> {
    let trace = traceparent.and_then(|text| text.split('-').nth(1)).filter(|id| id.len() == 32 && is_plain(id));
    let own = own.map(str::trim).filter(|id| !id.is_empty() && id.len() <= LONGEST && is_plain(id));
    trace.or(own).map(str::to_owned)
}

fn is_plain(id: &str) -> bool {
    id.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
}

/// Keeps what an agent did or asked for. The audit has it already, so a failure here fails nothing.
pub async fn note(app: &App, actor: &Actor, tool: &str, execution: Uuid, outcome: &Outcome) {
    if actor.kind != ActorKind::Agent {
        return;
    }
    let (status, approval_id) = match outcome {
        Outcome::Done(_) => ("done", None),
        Outcome::Pending(pending) => ("waiting", Some(pending.id)),
        Outcome::Denied(_) => ("denied", None),
        Outcome::Failed(e) if e.outcome_unknown => ("unknown", None),
        Outcome::Failed(_) => ("failed", None),
    };
    let step = Step { tool: tool.to_owned(), execution_id: execution, approval_id, status };
    keep(app, actor, step).await;
}

/// Keeps what became of what an agent had asked for.
pub async fn settle(app: &App, tenant: &str, approval: &store::approvals::Approval, status: &'static str) {
    let Some(requester) = Actor::of_record(&approval.requester, tenant) else { return };
    let execution_id = approval.result_execution_id.or(approval.execution_id).unwrap_or(approval.id);
    let step = Step { tool: approval.tool_name.clone(), execution_id, approval_id: Some(approval.id), status };
    if requester.kind == ActorKind::Agent {
        keep(app, &requester, step).await;
    }
}

async fn keep(app: &App, actor: &Actor, step: Step) {
    let Some(of) = of(actor) else { return };
    let kept = rows::step(&app.store.tenant(&actor.tenant), of, &step, app.clock.now()).await;
    if let Err(error) = kept {
        tracing::warn!(%error, "what an agent decided could not be noted");
    }
}

fn of(actor: &Actor) -> Option<Of<'_>> {
    let agent = actor.client.as_deref().unwrap_or(&actor.name);
    Some(Of { caller: &actor.id, correlation: actor.correlation.as_deref()?, agent })
}

pub fn tools() -> Vec<(&'static str, Tool<Scope>)> {
    vec![
        ("system", Tool::internal("record_decision", record_decision)),
        ("system", Tool::read("list_decisions", list_decisions).by_strangers()),
    ]
}

/// Says what you decided and why, before or after you act on it. What you do is noted by itself; people read both and say
/// what they think.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RecordDecision {
    /// One sentence.
    #[schemars(length(min = 1, max = 500))]
    decision: String,
    /// Why, and what else was considered.
    #[schemars(length(max = 4000))]
    rationale: Option<String>,
    /// What the person asked for, and the facts that you went by.
    context: Option<Map<String, Value>>,
    outcome: Option<Ending>,
}

#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Ending {
    Success,
    Failure,
    Partial,
}

impl Ending {
    fn as_str(self) -> &'static str {
        match self {
            Ending::Success => "success",
            Ending::Failure => "failure",
            Ending::Partial => "partial",
        }
    }
}

#[derive(Serialize, JsonSchema)]
struct Recorded {
    decision_id: Uuid,
}

async fn record_decision(scope: &Scope, args: RecordDecision) -> Result<Recorded> {
    let said = Said {
        decision: args.decision,
        rationale: args.rationale,
        context: args.context.map(Value::Object),
        outcome: args.outcome.map(|outcome| outcome.as_str().to_owned()),
    };
    let nobody = || Error::invalid_input("this caller is no agent; there is nothing to record for it");
    let id = rows::say(&scope.tenant, of(&scope.actor).ok_or_else(nobody)?, said, scope.now).await;
    Ok(Recorded { decision_id: id.map_err(crate::unavailable)? })
}

/// Lists what agents decided lately, what they did, how it ended and what people said of it. Look here before you decide
/// something like it again.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ListDecisions {
    #[serde(default = "twenty")]
    #[schemars(range(min = 1, max = 100))]
    limit: u64,
}

fn twenty() -> u64 {
    20
}

/// Decisions, newest first.
#[derive(Serialize, JsonSchema)]
pub struct Decisions {
    pub decisions: Vec<Shown>,
}

/// A decision as people and agents read it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "AgentDecision")]
pub struct Shown {
    decision_id: Uuid,
    timestamp: DateTime<Utc>,
    /// Which model or client, and for whom.
    agent: String,
    decision: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    rationale: Option<String>,
    /// Each with tool, execution, approval and status.
    #[schemars(with = "Vec<Map<String, Value>>")]
    steps: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    feedback: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    correlation_id: Option<String>,
}

async fn list_decisions(scope: &Scope, args: ListDecisions) -> Result<Decisions> {
    list(&scope.app, &scope.actor, args.limit).await
}

/// The newest decisions about the caller's tools. Agents wrote them, from what they had read.
pub async fn list(app: &App, by: &Actor, limit: u64) -> Result<Decisions> {
    let found = rows::list(&app.store.tenant(&by.tenant), limit).await.map_err(crate::unavailable)?;
    Ok(Decisions { decisions: found.into_iter().filter(|row| is_for(row, by)).map(shown).collect() })
}

/// Whether all that was done is of tools that are there for the reader.
fn is_for(row: &AgentDecision, by: &Actor) -> bool {
    let steps = row.context.get("steps").and_then(Value::as_array).into_iter().flatten();
    by.toolsets.is_none()
        || steps.map(|step| step["tool"].as_str().unwrap_or_default()).all(|tool| by.reaches_tool(tool))
}

fn shown(row: AgentDecision) -> Shown {
    Shown {
        decision_id: row.id,
        timestamp: row.timestamp,
        agent: row.agent_id,
        decision: row.decision,
        rationale: row.rationale,
        steps: row.context.get("steps").cloned().unwrap_or_else(|| json!([])),
        outcome: row.outcome,
        feedback: row.user_feedback,
        correlation_id: row.correlation_id,
    }
}

/// A person says what came of it, or what to do better.
pub async fn feedback(app: &Arc<App>, by: &Actor, id: Uuid, outcome: Option<Ending>, text: Option<&str>) -> Result<()> {
    if by.kind != ActorKind::Person || !by.may(May::Write) {
        return Err(Error::forbidden("people say what they think of a decision"));
    }
    let tenant = app.store.tenant(&by.tenant);
    if rows::get(&tenant, id).await.map_err(crate::unavailable)?.is_none() {
        return Err(Error::not_found(format!("there is no decision {id}")));
    }
    let detail = json!({"decision": id, "outcome": outcome.map(Ending::as_str), "feedback": text});
    app.audit.event(&by.tenant, "decision_feedback", None, by, &detail).await?;
    let kept = rows::feedback(&tenant, id, outcome.map(Ending::as_str), text).await;
    kept.map(drop).map_err(crate::unavailable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_id_is_taken_for_one() {
        let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(sent(Some(trace), Some("x")).as_deref(), Some("4bf92f3577b34da6a3ce929d0e0e4736"));
        assert_eq!(sent(Some("garbage"), Some(" task-7 ")).as_deref(), Some("task-7"));
        for wrong in ["", "a b", "a\"b", &"x".repeat(65)] {
            assert_eq!(sent(None, Some(wrong)), None, "{wrong}");
        }
    }

    #[test]
    fn an_agent_that_says_nothing_is_at_one_thing_for_half_an_hour() {
        let at = |text: &str| correlated(&Actor::stdio(), text.parse().unwrap()).correlation;
        assert_eq!(at("2026-11-20T10:00:00Z"), at("2026-11-20T10:29:59Z"));
        assert_ne!(at("2026-11-20T10:00:00Z"), at("2026-11-20T10:30:00Z"));
        assert_eq!(correlated(&Actor::terminal(), "2026-11-20T10:00:00Z".parse().unwrap()).correlation, None);
    }
}
