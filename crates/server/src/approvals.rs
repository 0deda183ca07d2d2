//! Approvals: what an agent asked for and a person decides, once.
//!
//! An approval is bound to the SHA-256 of the canonical arguments (RFC 8785), the tool's version, the
//! requester and the tenant. Silence is never consent. The decision and the run that carries it out
//! are one transaction; the call is carried out at most once.

use std::sync::Arc;

use chrono::{DateTime, Duration, Utc};
use schemars::JsonSchema;
use sdk::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use store::approvals::{self as rows, NewApproval};
use store::audit::ExecutionFilter;
use store::entities::approvals::{ApprovalState, Model};
use uuid::Uuid;

use crate::actor::{Actor, DEFAULT_TENANT, Scope};
use crate::app::App;
use crate::calls::{self, Outcome, Request};
use crate::policy::Asks;
use crate::runs::{Failure, Job, New};
use crate::tools::Entry;

/// How long an approval waits for a person, unless configured.
const WAIT_MINUTES: u32 = 24 * 60;
/// The kind of run that carries out an approved call.
const EXECUTE: &str = "approved_call";

/// A call that waits for a person.
#[derive(Clone, Debug, Serialize)]
pub struct Pending {
    pub id: Uuid,
    pub reason: String,
    pub expires_at: DateTime<Utc>,
    pub url: String,
}

/// What a person says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    Approve,
    Reject,
}

/// An approval as callers see it.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct View {
    pub approval_id: Uuid,
    pub tool: String,
    #[schemars(with = "Map<String, Value>")]
    pub arguments: Value,
    /// `pending`, `approved`, `executing`, `executed`, `failed`, `unknown`, `rejected`, `expired` or `cancelled`.
    pub state: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    pub requested_by: String,
    pub created_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decided_at: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// What the call answered, once it was carried out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<Map<String, Value>>,
}

impl Pending {
    /// What an agent is told.
    pub fn for_agent(&self) -> Value {
        json!({
            "approval_id": self.id,
            "reason": self.reason,
            "expires_at": self.expires_at,
            "url": self.url,
            "next": "Tell the person what you asked for. Then call system_wait_for_approval; do not repeat this call.",
        })
    }
}

impl View {
    /// Nothing will change any more.
    pub fn is_settled(&self) -> bool {
        !matches!(self.state.as_str(), "pending" | "approved" | "executing")
    }
}

/// Puts a call before a person. The same call asked twice by the same caller is one approval.
pub async fn ask(
    app: &Arc<App>,
    actor: &Actor,
    tool: &Entry,
    arguments: &Value,
    (reason, asks): (String, Asks),
    execution: Uuid,
) -> Result<Pending> {
    let minutes = asks.minutes.or(app.config.policy.approval_minutes).unwrap_or(WAIT_MINUTES);
    let now = app.clock.now();
    let new = NewApproval {
        id: Uuid::now_v7(),
        tool_name: tool.id.clone(),
        tool_version: tool.version.clone(),
        arguments: arguments.clone(),
        arguments_hash: hash(arguments)?,
        effect: tool.spec.effect_of(arguments).as_str().into(),
        requester: json!(actor),
        reason: Some(reason.clone()),
        expires_at: now + Duration::minutes(i64::from(minutes)),
        execution_id: Some(execution),
        asks: (asks != Asks::default()).then(|| json!(asks)),
    };
    let there = rows::create(&app.store.tenant(&actor.tenant), new, now).await.map_err(crate::unavailable)?;
    Ok(pending(app, there.id, reason, there.expires_at))
}

fn pending(app: &App, id: Uuid, reason: String, expires_at: DateTime<Utc>) -> Pending {
    Pending { id, reason, expires_at, url: format!("{}/api/v1/approvals/{id}", app.config.public_url()) }
}

/// The approvals of a tenant: what waits, then what was decided lately, each newest first.
pub async fn list(app: &Arc<App>, tenant: &str) -> Result<Vec<View>> {
    let tenant = app.store.tenant(tenant);
    rows::expire_due(&app.store.system(), app.clock.now()).await.map_err(crate::unavailable)?;
    let waiting = rows::list(&tenant, Some(ApprovalState::Pending), 200, None).await.map_err(crate::unavailable)?;
    let newest = rows::list(&tenant, None, 50, None).await.map_err(crate::unavailable)?;
    let settled = newest.rows.into_iter().filter(|row| row.state != ApprovalState::Pending);
    Ok(waiting.rows.into_iter().chain(settled).map(view).collect())
}

pub async fn get(app: &Arc<App>, tenant: &str, id: Uuid) -> Result<View> {
    found(app, tenant, id).await.map(view)
}

async fn found(app: &Arc<App>, tenant: &str, id: Uuid) -> Result<Model> {
    let tenant = app.store.tenant(tenant);
    rows::expire_due(&app.store.system(), app.clock.now()).await.map_err(crate::unavailable)?;
    let found = rows::get(&tenant, id).await.map_err(crate::unavailable)?;
    found.ok_or_else(|| Error::not_found(format!("there is no approval {id}")))
}

/// Decides once; the run that carries the call out is committed with the decision. A second decision,
/// and one after the expiry, is a conflict.
pub async fn decide(app: &Arc<App>, by: &Actor, id: Uuid, verdict: Verdict, note: Option<String>) -> Result<View> {
    let (tenant, now) = (app.store.tenant(&by.tenant), app.clock.now());
    let before = found(app, &by.tenant, id).await?;
    let asks: Asks = before.asks.and_then(|asks| serde_json::from_value(asks).ok()).unwrap_or_default();
    may_decide(by, &before.requester, &asks, verdict)?;
    let detail = json!({"approval_id": id, "verdict": verdict, "tool": before.tool_name, "note": note});
    app.audit.event(&by.tenant, "approval_verdict", None, by, &detail).await?;
    let tx = tenant.begin().await.map_err(crate::unavailable)?;
    let note = note.as_deref();
    let decided = match verdict {
        Verdict::Approve => approve_in(app, &tx, by, id, &asks, note).await?,
        Verdict::Reject => {
            let rejected = rows::decide_in(&tx, id, rows::Decision::Reject, &json!(by), note, now).await;
            rejected.map_err(crate::unavailable)?.map(|_| true)
        }
    };
    let Some(is_final) = decided else {
        drop(tx);
        let state = get(app, &by.tenant, id).await?.state;
        return Err(Error::conflict(format!("the approval {id} is already {state}")));
    };
    tx.commit().await.map_err(crate::unavailable)?;
    let event = if is_final { "approval_decided" } else { "approval_vote" };
    app.audit.event(&by.tenant, event, None, by, &detail).await?;
    app.runs.wake();
    get(app, &by.tenant, id).await
}

/// Who may say yes. Anybody who may decide at all may say no.
fn may_decide(by: &Actor, requester: &Value, asks: &Asks, verdict: Verdict) -> Result<()> {
    if !by.may(Scope::Approve) {
        return Err(Error::forbidden("approvals are decided by people and keys with the `approve` scope"));
    }
    if verdict == Verdict::Reject {
        return Ok(());
    }
    if !asks.own && requester["id"] == json!(by.id) {
        return Err(Error::forbidden("the policy wants somebody else than who asked to approve this"));
    }
    let role = by.role.map(|role| role.as_str()).unwrap_or_default();
    if !asks.roles.is_empty() && !asks.roles.iter().any(|wanted| wanted == role) {
        return Err(Error::forbidden(format!("the policy wants a person of the role {}", asks.roles.join(" or "))));
    }
    if asks.second_factor && !by.second_factor {
        return Err(Error::forbidden("the policy wants a code of your second factor with this decision"));
    }
    Ok(())
}

/// One more yes. With the last that is needed, the run that carries the call out is committed too. None: it is not
/// pending any more; false: others have to say yes as well.
async fn approve_in(
    app: &Arc<App>,
    tx: &store::Tx,
    by: &Actor,
    id: Uuid,
    asks: &Asks,
    note: Option<&str>,
) -> Result<Option<bool>> {
    let now = app.clock.now();
    let votes = rows::vote_in(tx, id, &json!(by), note, now).await.map_err(crate::unavailable)?;
    if votes.is_none_or(|votes| votes < u64::from(asks.people)) {
        return Ok(votes.map(|_| false));
    }
    let decided = rows::decide_in(tx, id, rows::Decision::Approve, &json!(by), note, now).await;
    if decided.map_err(crate::unavailable)?.is_none() {
        return Ok(None);
    }
    let run = New::job(EXECUTE, json!({"approval": id})).unique(format!("{EXECUTE}:{id}"));
    app.runs.enqueue_in(tx, run).await?;
    Ok(Some(true))
}

/// Teaches the runs how to carry out an approved call.
pub fn register(app: &Arc<App>) {
    let weak = Arc::downgrade(app);
    app.runs.register(EXECUTE, move |job: Job, input: Approved| {
        let app = weak.upgrade();
        async move {
            let app = app.ok_or(Failure::Interrupted)?;
            execute(&app, &job, input.approval).await
        }
    });
}

/// The input of such a run.
#[derive(Deserialize)]
struct Approved {
    approval: Uuid,
}

async fn execute(app: &Arc<App>, job: &Job, id: Uuid) -> Result<Value, Failure> {
    let tenant = app.store.tenant(&job.tenant);
    let taken = rows::take(&tenant, id, app.clock.now()).await?;
    let Some(approval) = taken else { return Ok(json!({"skipped": "not approved, expired, or carried out before"})) };
    let (state, execution, result) = run(app, job, &approval).await;
    // If this fails, the record of the call tells what happened, and tidying reads it from there.
    rows::finish(&tenant, id, state, execution, Some(&result)).await?;
    Ok(result)
}

/// Settles approvals whose execution was cut off, from the record of their call; one without a
/// record has an unknown outcome. It is never carried out again.
pub async fn tidy(app: &Arc<App>) -> Result<()> {
    let (tenant, now) = (app.store.tenant(DEFAULT_TENANT), app.clock.now());
    rows::expire_due(&app.store.system(), now).await.map_err(crate::unavailable)?;
    let executing = rows::list(&tenant, Some(ApprovalState::Executing), 200, None).await.map_err(crate::unavailable)?;
    for row in executing.rows {
        let filter =
            ExecutionFilter { approval_id: Some(row.id), tool: Some(row.tool_name.clone()), ..Default::default() };
        let calls = store::audit::list(&tenant, &filter, 5, None).await.map_err(crate::unavailable)?.rows;
        let call = calls.into_iter().find(|call| call.status != "pending_approval");
        // Without a record it may still be running; the longest call is far shorter than this.
        if call.is_none() && row.decided_at.is_some_and(|at| at > now - Duration::minutes(10)) {
            continue;
        }
        let (state, execution, result) = outcome_of(call);
        rows::finish(&tenant, row.id, state, execution, Some(&result)).await.map_err(crate::unavailable)?;
    }
    Ok(())
}

fn outcome_of(call: Option<store::entities::tool_executions::Model>) -> (ApprovalState, Option<Uuid>, Value) {
    let Some(call) = call else {
        return (ApprovalState::Unknown, None, json!({"error": "the server stopped while it was carried out"}));
    };
    let error = call.error_message.unwrap_or_default();
    match call.status.as_str() {
        "success" => (ApprovalState::Executed, Some(call.id), call.response.unwrap_or_default()),
        _ if error.starts_with("outcome unknown") => (ApprovalState::Unknown, Some(call.id), json!({"error": error})),
        _ => (ApprovalState::Failed, Some(call.id), json!({"error": error})),
    }
}

/// Calls the tool as it was approved, or not at all.
async fn run(app: &Arc<App>, job: &Job, approval: &Model) -> (ApprovalState, Option<Uuid>, Value) {
    let failed = |why: String| (ApprovalState::Failed, None, json!({"error": why}));
    let Some(tool) = app.tools.find(&approval.tool_name) else {
        return failed("the tool no longer exists".into());
    };
    if tool.version != approval.tool_version {
        return failed("the tool has changed since it was approved; ask again".into());
    }
    if hash(&approval.arguments).ok().as_deref() != Some(approval.arguments_hash.as_str()) {
        return failed("the arguments are not those that were approved".into());
    }
    let request =
        Request { approved: Some(approval.id), ..Request::new(&approval.tool_name, approval.arguments.clone()) };
    let reply = match calls::call(app, &Actor::run(&job.tenant, job.run), request).await {
        Ok(reply) => reply,
        Err(unknown) => return failed(unknown.message),
    };
    let id = Some(reply.execution_id);
    match reply.outcome {
        Outcome::Done(done) => (ApprovalState::Executed, id, done.data),
        Outcome::Failed(e) if e.outcome_unknown => (ApprovalState::Unknown, id, json!({"error": calls::explain(&e)})),
        Outcome::Failed(e) => (ApprovalState::Failed, id, json!({"error": calls::explain(&e)})),
        Outcome::Denied(reason) => (ApprovalState::Failed, id, json!({"error": reason})),
        Outcome::Pending(_) => failed("the call asked again".into()),
    }
}

/// SHA-256 of the canonical form.
fn hash(arguments: &Value) -> Result<String> {
    let canonical = serde_json_canonicalizer::to_vec(arguments)
        .map_err(|e| Error::invalid_input("the arguments have no canonical form").with_source(e))?;
    Ok(hex::encode(Sha256::digest(canonical)))
}

fn view(row: Model) -> View {
    View {
        approval_id: row.id,
        tool: row.tool_name,
        arguments: row.arguments,
        state: row.state.as_str().into(),
        reason: row.reason,
        requested_by: row.requester["name"].as_str().unwrap_or_default().to_owned(),
        created_at: row.created_at,
        expires_at: row.expires_at,
        decided_at: row.decided_at,
        note: row.note,
        result: row.result.and_then(object),
    }
}

/// An answer that was too large to keep is null, and is left out.
fn object(result: Value) -> Option<Map<String, Value>> {
    match result {
        Value::Object(map) => Some(map),
        Value::Null => None,
        other => Some(Map::from_iter([("result".to_owned(), other)])),
    }
}
