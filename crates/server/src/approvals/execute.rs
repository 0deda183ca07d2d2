//! Carrying out what was approved: once, as it was approved, or not at all.

use std::sync::Arc;

use chrono::Duration;
use sdk::Result;
use serde::Deserialize;
use serde_json::{Value, json};
use store::approvals as rows;
use store::audit::ExecutionFilter;
use store::entities::approvals::{ApprovalState, Model};
use uuid::Uuid;

use super::hash;
use crate::actor::{Actor, Scope};
use crate::app::App;
use crate::calls::{self, Approved, Outcome, Request};
use crate::decisions;
use crate::identity::standing;
use crate::runs::{Failure, Job};

/// The kind of run that carries out an approved call.
pub(super) const EXECUTE: &str = "approved_call";

/// Teaches the runs how to carry out an approved call.
pub fn register(app: &Arc<App>) {
    let weak = Arc::downgrade(app);
    app.runs.register(EXECUTE, move |job: Job, input: Input| {
        let app = weak.upgrade();
        async move {
            let app = app.ok_or(Failure::Interrupted)?;
            execute(&app, &job, input.approval).await
        }
    });
}

/// The input of such a run.
#[derive(Deserialize)]
struct Input {
    approval: Uuid,
}

async fn execute(app: &Arc<App>, job: &Job, id: Uuid) -> Result<Value, Failure> {
    let tenant = app.store.tenant(&job.tenant);
    let taken = rows::take(&tenant, id, app.clock.now()).await?;
    let Some(approval) = taken else { return Ok(json!({"skipped": "not approved, expired, or carried out before"})) };
    let (state, execution, result) = run(app, job, &approval).await;
    // If this fails, the record of the call tells what happened, and tidying reads it from there.
    let ended = rows::finish(&tenant, id, state, execution, Some(&result)).await?;
    if let Some(ended) = ended {
        decisions::settle(app, &job.tenant, &ended, step(state)).await;
    }
    Ok(result)
}

/// Lets what nobody decided in time expire, of all tenants.
pub async fn expire(app: &Arc<App>) -> Result<()> {
    let expired = rows::expire_due(&app.store.system(), app.clock.now()).await.map_err(crate::unavailable)?;
    for approval in expired {
        decisions::settle(app, &approval.tenant_id, &approval, "expired").await;
    }
    Ok(())
}

/// Settles approvals whose execution was cut off, from the record of their call; one without a
/// record has an unknown outcome. It is never carried out again.
pub async fn tidy(app: &Arc<App>, tenant: &store::Tenant) -> Result<()> {
    let now = app.clock.now();
    let executing = rows::list(tenant, Some(ApprovalState::Executing), 200, None).await.map_err(crate::unavailable)?;
    for row in executing.rows {
        let filter =
            ExecutionFilter { approval_id: Some(row.id), tool: Some(row.tool_name.clone()), ..Default::default() };
        let calls = store::audit::list(tenant, &filter, 5, None).await.map_err(crate::unavailable)?.rows;
        let call = calls.into_iter().find(|call| call.status != "pending_approval");
        // Without a record it may still be running; the longest call is far shorter than this.
        if call.is_none() && row.decided_at.is_some_and(|at| at > now - Duration::minutes(10)) {
            continue;
        }
        let call = match call {
            // The list leaves out what was answered.
            Some(call) => store::audit::get(tenant, call.id).await.map_err(crate::unavailable)?,
            None => None,
        };
        let (state, execution, result) = outcome_of(call);
        let ended = rows::finish(tenant, row.id, state, execution, Some(&result)).await.map_err(crate::unavailable)?;
        if let Some(ended) = ended {
            decisions::settle(app, tenant.id(), &ended, step(state)).await;
        }
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

/// The word for it among an agent's steps.
fn step(state: ApprovalState) -> &'static str {
    match state {
        ApprovalState::Executed => "done",
        ApprovalState::Unknown => "unknown",
        _ => "failed",
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
    let Some(requester) = Actor::of_record(&approval.requester, &job.tenant) else {
        return failed("it is not known any more who asked for this".into());
    };
    let needed = Scope::needed(tool.spec.effect_of(&approval.arguments));
    if let Err(e) = standing::still_may(app, &requester, needed).await {
        return failed(calls::explain(&e));
    }
    let approved = Some(Approved { id: approval.id, plan: approval.plan.clone(), requester });
    let request = Request { approved, ..Request::new(&approval.tool_name, approval.arguments.clone()) };
    let correlation = approval.requester["correlation"].as_str().map(str::to_owned);
    let actor = Actor { correlation, ..Actor::run(&job.tenant, job.run) };
    let reply = match calls::call(app, &actor, request).await {
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
