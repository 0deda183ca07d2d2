//! The records of a call: the intent before an effect, the completion before the answer.

use std::sync::Arc;
use std::time::Duration;

use sdk::{Effect, Error, Result};
use serde_json::{Value, json};
use store::chain::{Canonical, Execution};

use super::{Begun, Interrupted, Outcome, Request};
use crate::actor::Actor;
use crate::app::App;
use crate::tools::Entry;

/// Commits that an outward effect is about to happen.
pub(super) async fn intent(
    app: &Arc<App>,
    actor: &Actor,
    entry: &Entry,
    request: &Request,
    begun: &Begun,
) -> Result<()> {
    let detail = json!({
        "tool": entry.id,
        "arguments": redacted(&request.arguments),
        "effect": begun.effect,
        "approval_id": request.approval(),
    });
    app.audit.event(&actor.tenant, "intent", Some(begun.id), actor, &detail).await
}

/// Commits how the call ended. Without its record no answer leaves.
pub(super) async fn completion(
    app: &Arc<App>,
    actor: &Actor,
    entry: &Entry,
    request: &Request,
    begun: &Begun,
    latency: Duration,
    outcome: Outcome,
) -> Outcome {
    let status = status(&outcome);
    let labels = [("tool", entry.id.clone()), ("status", status.to_owned())];
    metrics::counter!("mcp_tool_executions_total", &labels).increment(1);
    metrics::histogram!("mcp_tool_duration_seconds", "tool" => entry.id.clone()).record(latency);
    let (response, error, source) = match &outcome {
        Outcome::Done(done) => (Some(Canonical::from(&done.data)), None, Some(done.source.as_str().to_owned())),
        Outcome::Pending(pending) => (Some(Canonical::from(&pending.for_agent())), None, None),
        Outcome::Denied(reason) => (None, Some(reason.clone()), None),
        Outcome::Failed(e) => (None, Some(described(e)), None),
    };
    let approval_id = match &outcome {
        Outcome::Pending(pending) => Some(pending.id),
        _ => request.approval(),
    };
    let record = Execution {
        id: begun.id,
        tenant_id: actor.tenant.clone(),
        timestamp: begun.at,
        tool_name: entry.id.clone(),
        params: Canonical::from(&redacted(&request.arguments)),
        response,
        duration_ms: latency.as_millis() as i64,
        status: status.into(),
        error_message: error,
        source,
        user_context: Canonical::from(&json!(actor)),
        effect: begun.effect.as_str().into(),
        approval_id,
    };
    match app.audit.execution(record).await {
        Ok(()) => outcome,
        Err(e) => unrecorded(entry, begun.effect, &outcome, e),
    }
}

fn status(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Done(_) => "success",
        Outcome::Pending(_) => "pending_approval",
        Outcome::Denied(_) => "denied",
        Outcome::Failed(e) if is_timeout(e) => "timeout",
        Outcome::Failed(_) => "error",
    }
}

fn is_timeout(error: &Error) -> bool {
    std::error::Error::source(error).is_some_and(|source| source.is::<Interrupted>())
}

fn described(error: &Error) -> String {
    if error.outcome_unknown { format!("outcome unknown: {error}") } else { error.to_string() }
}

/// The effect took place and its record did not: the intent is on record, so the truth is "unknown".
fn unrecorded(entry: &Entry, effect: Effect, outcome: &Outcome, error: Error) -> Outcome {
    let perhaps = match outcome {
        Outcome::Done(_) => effect.is_outward(),
        Outcome::Failed(e) => e.outcome_unknown,
        _ => false,
    };
    Outcome::Failed(if perhaps {
        Error::unavailable(format!("{} was sent, but what came of it could not be recorded", entry.id))
            .with_unknown_outcome()
    } else {
        Error::unavailable("the audit cannot be written, so there is no answer").with_source(error)
    })
}

/// Arguments without what looks like a secret.
pub fn redacted(arguments: &Value) -> Value {
    match arguments {
        Value::Object(map) => map
            .iter()
            .map(|(key, value)| {
                let value = if is_secret(key) { Value::from("[redacted]") } else { redacted(value) };
                (key.clone(), value)
            })
            .collect(),
        Value::Array(items) => items.iter().map(redacted).collect(),
        other => other.clone(),
    }
}

fn is_secret(key: &str) -> bool {
    let key = key.to_lowercase();
    ["password", "secret", "token", "api_key", "apikey", "authorization"].iter().any(|word| key.contains(word))
}
