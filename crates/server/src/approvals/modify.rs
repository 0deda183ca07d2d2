//! A person changes what is asked for, before anybody decides it.

use std::sync::Arc;

use sdk::{Error, Result};
use serde_json::{Value, json};
use store::approvals::{self as rows, Modified};
use store::entities::approvals::{ApprovalState, Model};
use uuid::Uuid;

use super::{Asks, Verdict, View, asks, found, get, hash, may_decide, stored};
use crate::actor::Actor;
use crate::app::App;
use crate::calls::{self, Outcome, Request};
use crate::policy::{Decision, Question};
use crate::tools::Entry;

/// Puts other arguments in the place of those that were asked for. They get a hash of their own, both are on record, and
/// whoever had said yes has to say it again. The policy is asked as if the requester had asked for them.
pub async fn modify(app: &Arc<App>, by: &Actor, id: Uuid, arguments: Value, seen: Option<&str>) -> Result<View> {
    let before = found(app, by, id).await?;
    let asks = asks(&before)?;
    // The code of a second factor belongs to the decision.
    may_decide(by, &before.requester, &Asks { second_factor: false, ..asks }, Verdict::Approve)?;
    if before.state != ApprovalState::Pending {
        return Err(Error::conflict(format!("the approval {id} is already {}", before.state.as_str())));
    }
    let changed = || Error::conflict(format!("{id} was changed or decided meanwhile; look at it again"));
    if seen.is_some_and(|seen| seen != before.arguments_hash) {
        return Err(changed());
    }
    let modified = modified(app, by, &before, arguments).await?;
    let detail = json!({
        "approval_id": id,
        "tool": before.tool_name,
        "before": {"arguments": before.arguments, "hash": before.arguments_hash},
        "after": {"arguments": modified.arguments, "hash": modified.arguments_hash},
    });
    app.audit.event(&by.tenant, "approval_modified", None, by, &calls::redacted(&detail)).await?;
    let looked_at = (id, before.arguments_hash.as_str());
    let written = rows::modify(&app.store.tenant(&by.tenant), looked_at, &modified, &json!(by), app.clock.now()).await;
    match written {
        Ok(Some(_)) => get(app, by, id).await,
        Ok(None) => Err(changed()),
        Err(e) if e.is_duplicate() => Err(Error::conflict("the same call waits for a decision already")),
        Err(e) => Err(crate::unavailable(e)),
    }
}

async fn modified(app: &Arc<App>, by: &Actor, before: &Model, arguments: Value) -> Result<Modified> {
    let Some(tool) = app.tools.find(&before.tool_name).filter(|tool| tool.version == before.tool_version) else {
        return Err(Error::conflict("the tool has changed since this was asked; reject it, and have it asked again"));
    };
    let arguments = calls::with_connection_of(sdk::schema::without_nulls(arguments), &before.arguments);
    tool.validate(&calls::own(tool, &arguments))?;
    let arguments_hash = hash(&arguments)?;
    if arguments_hash == before.arguments_hash {
        return Err(Error::invalid_input("arguments: these are the ones that were asked for"));
    }
    let (reason, asks) = asked_by_policy(app, tool, before, &arguments).await?;
    let plan = plan(app, by, tool, &arguments).await?;
    let effect = tool.spec.effect_of(&arguments).as_str().into();
    Ok(Modified { arguments_hash, effect, reason: Some(reason), asks: stored(&asks), plan, arguments })
}

/// What the policy wants for these arguments; other ones may need more people, or be denied.
async fn asked_by_policy(app: &Arc<App>, tool: &Entry, before: &Model, arguments: &Value) -> Result<(String, Asks)> {
    let requester = Actor::of_record(&before.requester, &before.tenant_id)
        .ok_or_else(|| Error::internal("it is not known any more who asked for this"))?;
    let rules = app.policy.rules(&app.store.tenant(&before.tenant_id)).await?;
    match app.policy.decide(&rules, &Question::of(tool, arguments, &requester, app.clock.now())) {
        Decision::Allow => Ok(("changed by a person".into(), Asks::default())),
        Decision::Ask(reason, asks) => Ok((reason, asks)),
        Decision::Deny(reason) => Err(Error::forbidden(format!("with these arguments it would be {reason}"))),
    }
}

/// A dry run in the name of the person who changes it, with a record of its own.
async fn plan(app: &Arc<App>, by: &Actor, tool: &Entry, arguments: &Value) -> Result<Option<Value>> {
    if !tool.spec.dry_run {
        return Ok(None);
    }
    let mut arguments = arguments.clone();
    arguments[sdk::tool::DRY_RUN] = Value::Bool(true);
    let reply = calls::call(app, by, Request::new(&tool.id, arguments)).await;
    match reply.map_err(|unknown| Error::internal(unknown.message))?.outcome {
        Outcome::Done(done) => Ok(done.data.get("plan").cloned()),
        Outcome::Failed(e) => Err(e),
        Outcome::Denied(reason) => Err(Error::forbidden(reason)),
        Outcome::Pending(_) => Ok(None),
    }
}
