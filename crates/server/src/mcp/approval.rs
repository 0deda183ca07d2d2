//! An approval within the call that needs it (multi-round tool requests, 2026-07-28): a client that can open a page for
//! its person gets the approval's address as the input that is missing, and repeats the call afterwards.
//!
//! What the client carries between the rounds is sealed, and bound to the caller, the tool and the arguments. Repeating
//! has no effect of its own: the call was put before a person once, and is carried out by a run, once.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use rmcp::model::{CallToolResponse, CallToolResult, ErrorData, InputRequest, InputRequests, InputRequiredResult};
use rmcp::service::{RequestContext, RoleServer};
use sdk::Result;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::Arc;
use uuid::Uuid;

use super::{failure, result};
use crate::actor::Actor;
use crate::app::App;
use crate::approvals::{self, Pending};
use crate::calls::{self, Outcome, Reply, Request};

/// The name of the one input that is asked for.
const INPUT: &str = "approval";
/// How often a client is asked to come back before it gets the ordinary answer. One that opens no page says yes at once.
const ROUNDS: u8 = 3;
/// How long a repeated call waits for the person, in seconds.
const PATIENCE: u64 = 20;

/// What the client carries from round to round.
#[derive(Serialize, Deserialize)]
struct Note {
    approval: Uuid,
    round: u8,
}

/// A call as the client sent it.
#[derive(Clone, Copy)]
pub(super) struct Sent<'a> {
    pub app: &'a Arc<App>,
    pub actor: &'a Actor,
    pub tool: &'a str,
    pub arguments: &'a Value,
}

/// Whether the client has said with this request that it can open a page for its person.
pub(super) fn can_open_pages(context: &RequestContext<RoleServer>) -> bool {
    let client = context.meta.client_capabilities();
    client.and_then(|client| client.elicitation).is_some_and(|elicitation| elicitation.url.is_some())
}

/// Asks the client to take its person to the approval.
pub(super) async fn ask(sent: Sent<'_>, pending: &Pending) -> Result<CallToolResponse, ErrorData> {
    round(sent, Note { approval: pending.id, round: 1 }, &pending.url).await
}

async fn round(sent: Sent<'_>, note: Note, url: &str) -> Result<CallToolResponse, ErrorData> {
    let message = format!("{} waits for your decision. Look at what it would change, and decide.", sent.tool);
    let params = json!({"mode": "url", "message": message, "url": url, "elicitationId": note.approval});
    let asked = json!({"method": "elicitation/create", "params": params});
    let input: InputRequest =
        serde_json::from_value(asked).map_err(|e| ErrorData::internal_error(e.to_string(), None))?;
    let state = seal(sent, &note).await.map_err(|e| ErrorData::internal_error(e.message, None))?;
    Ok(InputRequiredResult::new(Some(InputRequests::from([(INPUT.to_owned(), input)])), Some(state)).into())
}

/// The call again, with what the person did about the page.
pub(super) async fn resume(sent: Sent<'_>, state: &str, answer: Option<&Value>) -> Result<CallToolResponse, ErrorData> {
    let Some(note) = open(sent, state).await else {
        let detail = json!({"tool": sent.tool});
        let told = sent.app.audit.event(&sent.actor.tenant, "request_state_refused", None, sent.actor, &detail).await;
        told.map_err(|e| ErrorData::internal_error(e.message, None))?;
        return Err(ErrorData::invalid_params("requestState: it does not belong to this call", None));
    };
    if answer.is_some_and(|answer| answer["action"] == "decline") {
        let withdrawn = approvals::withdraw(sent.app, sent.actor, note.approval, "declined in the client").await;
        return Ok(match withdrawn {
            Ok(_) => CallToolResult::error(vec![rmcp::model::ContentBlock::text("Declined: nothing was done.")]).into(),
            Err(e) => CallToolResult::error(vec![rmcp::model::ContentBlock::text(calls::explain(&e))]).into(),
        });
    }
    let waiting = Request::new("system.wait_for_approval", json!({"approval_id": note.approval, "seconds": PATIENCE}));
    let reply = calls::call(sent.app, sent.actor, waiting).await;
    let reply = reply.map_err(|unknown| ErrorData::internal_error(unknown.message, None))?;
    let Outcome::Done(done) = &reply.outcome else { return Ok(result(reply).into()) };
    match settled(&done.data, &reply) {
        Some(result) => Ok(result.into()),
        None if note.round < ROUNDS => {
            let pending = approvals::address(sent.app, note.approval);
            round(sent, Note { round: note.round + 1, ..note }, &pending).await
        }
        None => Ok(still_waiting(sent, note.approval, &done.data, &reply).into()),
    }
}

/// What became of the approval, as the answer to the call; `None` while nothing has.
fn settled(view: &Value, reply: &Reply) -> Option<CallToolResult> {
    let id = reply.execution_id.to_string();
    let told = view["result"]["error"].as_str().or(view["note"].as_str()).unwrap_or_default();
    Some(match view["state"].as_str()? {
        "executed" => {
            let mut data = view["result"].as_object().cloned().unwrap_or_default();
            let mut metadata = json!({"source": "live", "execution_id": id});
            if view["untrusted_text"] == true {
                metadata["untrusted_text"] = json!(true);
            }
            data.insert("metadata".into(), metadata);
            CallToolResult::structured(Value::Object(data))
        }
        "failed" => failure(format!("It was approved, and failed: {told}"), &id),
        "unknown" => {
            failure("It was approved; whether it took effect is unknown. Look before you repeat it".into(), &id)
        }
        "rejected" => failure(format!("Denied by a person. {told}"), &id),
        state @ ("expired" | "cancelled") => {
            failure(format!("Nobody approved it in time, or it was taken back ({state})."), &id)
        }
        _ => return None,
    })
}

fn still_waiting(sent: Sent<'_>, approval: Uuid, view: &Value, reply: &Reply) -> CallToolResult {
    let pending = json!({
        "approval_id": approval,
        "reason": view["reason"],
        "expires_at": view["expires_at"],
        "url": approvals::address(sent.app, approval),
        "next": "Nobody has decided yet. Call system_wait_for_approval later; do not repeat this call.",
    });
    let metadata = json!({"source": "live", "execution_id": reply.execution_id});
    CallToolResult::structured(json!({"pending_approval": pending, "metadata": metadata}))
}

/// What the note is bound to.
fn place(sent: Sent<'_>) -> Result<String> {
    Ok(format!("request state of {} for {} {}", sent.actor.id, sent.tool, approvals::hash(sent.arguments)?))
}

async fn seal(sent: Sent<'_>, note: &Note) -> Result<String> {
    let key = sent.app.vault.current(&sent.app.store.tenant(&sent.actor.tenant)).await?;
    let sealed = key.seal(json!(note).to_string().as_bytes(), &place(sent)?)?;
    Ok(format!("{}.{}", sealed.key_id, BASE64_URL_SAFE_NO_PAD.encode(sealed.bytes)))
}

async fn open(sent: Sent<'_>, state: &str) -> Option<Note> {
    let (key, bytes) = state.split_once('.')?;
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(bytes).ok()?;
    let key = sent.app.vault.key(&sent.app.store.tenant(&sent.actor.tenant), key).await.ok()?;
    serde_json::from_slice(&key.open(&bytes, &place(sent).ok()?).ok()?).ok()
}
