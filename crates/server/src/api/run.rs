//! `POST /mcp/run/{tool}`: one tool call as plain HTTP.

use std::sync::Arc;

use axum::extract::{Extension, Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Json, body::Bytes};
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::Problem;
use super::document::{Operation, post};
use crate::actor::Actor;
use crate::app::App;
use crate::calls::{self, Outcome, Reply, Request, Source};

pub fn described() -> Vec<Operation> {
    let summary = "Calls a tool. 202: it waits for a person. The arguments are those of the tool's `input_schema`.";
    vec![
        post("/mcp/run/{tool}", "runTool", summary)
            .such_as("system.health")
            .takes::<Map<String, Value>>()
            .answers::<Answer>(200)
            .answers::<Answer>(202)
            .refuses(&[404, 409, 502]),
    ]
}

/// What a call answered.
#[derive(Serialize, JsonSchema)]
struct Answer {
    /// `ok`, or `pending_approval`.
    status: &'static str,
    /// As the tool's `output_schema` says; of a call that waits, which approval it is and what to do next.
    data: Value,
    metadata: Metadata,
}

#[derive(Serialize, JsonSchema)]
struct Metadata {
    latency_ms: u64,
    /// Of the record in the audit.
    execution_id: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<Source>,
    /// When the data was true, if not at this moment.
    #[serde(skip_serializing_if = "Option::is_none")]
    as_of: Option<DateTime<Utc>>,
    /// Texts in it may have been written by anybody.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    untrusted_text: bool,
    /// Why the answer is old or incomplete.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
}

/// Runs the tool; the name may have a dot or an underscore.
pub async fn run(
    State(app): State<Arc<App>>,
    Extension(actor): Extension<Actor>,
    Path(tool): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let arguments = arguments(&headers, &body)?;
    let reply = calls::call(&app, &actor, Request::new(tool, arguments)).await;
    let reply = reply.map_err(|unknown| Problem::new(StatusCode::NOT_FOUND, "unknown_tool", unknown.message))?;
    answer(reply)
}

/// The JSON object of the body; no body is no arguments.
pub fn arguments(headers: &HeaderMap, body: &[u8]) -> Result<Value, Problem> {
    if body.is_empty() {
        return Ok(Value::Object(Map::new()));
    }
    let sent = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("application/json");
    let media = sent.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    // `curl -d` says form by default; what counts is that nobody sends a form by mistake.
    if media != "application/json" && !media.ends_with("+json") && media != "application/x-www-form-urlencoded" {
        let detail = format!("The body must be application/json, not {media}.");
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail));
    }
    match serde_json::from_slice(body) {
        Ok(Value::Object(map)) => Ok(Value::Object(map)),
        Ok(_) => {
            let detail = "The arguments must be a JSON object, {\"name\": value, …}.";
            Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_input", detail))
        }
        Err(e) => Err(Problem::new(StatusCode::BAD_REQUEST, "malformed_json", format!("The body is not JSON: {e}."))),
    }
}

fn answer(reply: Reply) -> Result<Response, Problem> {
    let latency_ms = u64::try_from(reply.latency.as_millis()).unwrap_or(u64::MAX);
    let execution_id = reply.execution_id;
    let metadata =
        Metadata { latency_ms, execution_id, source: None, as_of: None, untrusted_text: false, notes: Vec::new() };
    match reply.outcome {
        Outcome::Done(done) => {
            let (source, as_of) = (Some(done.source), done.as_of);
            let metadata = Metadata { source, as_of, untrusted_text: done.by_strangers, notes: done.notes, ..metadata };
            Ok(Json(Answer { status: "ok", data: done.data, metadata }).into_response())
        }
        Outcome::Pending(pending) => {
            let body = Answer { status: "pending_approval", data: pending.for_agent(), metadata };
            Ok((StatusCode::ACCEPTED, Json(body)).into_response())
        }
        Outcome::Denied(reason) => {
            Err(Problem::new(StatusCode::FORBIDDEN, "denied", format!("Denied: {reason}.")).execution(execution_id))
        }
        Outcome::Failed(error) => Err(Problem::from(&error).execution(execution_id)),
    }
}
