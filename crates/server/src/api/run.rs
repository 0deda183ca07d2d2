//! `POST /mcp/run/{tool}`: one tool call as plain HTTP.

use std::sync::Arc;

use axum::extract::{Extension, Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Json, body::Bytes};
use serde_json::{Map, Value, json};

use super::Problem;
use crate::actor::Actor;
use crate::app::App;
use crate::calls::{self, Outcome, Reply, Request};

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
    let mut metadata = json!({"latency_ms": reply.latency.as_millis(), "execution_id": reply.execution_id});
    match reply.outcome {
        Outcome::Done(done) => {
            metadata["source"] = json!(done.source);
            if let Some(as_of) = done.as_of {
                metadata["as_of"] = json!(as_of);
            }
            if done.by_strangers {
                metadata["untrusted_text"] = json!(true);
            }
            if !done.notes.is_empty() {
                metadata["notes"] = json!(done.notes);
            }
            Ok(Json(json!({"status": "ok", "data": done.data, "metadata": metadata})).into_response())
        }
        Outcome::Pending(pending) => {
            let body = json!({"status": "pending_approval", "data": pending.for_agent(), "metadata": metadata});
            Ok((StatusCode::ACCEPTED, Json(body)).into_response())
        }
        Outcome::Denied(reason) => {
            Err(Problem::new(StatusCode::FORBIDDEN, "denied", format!("Denied: {reason}."))
                .execution(reply.execution_id))
        }
        Outcome::Failed(error) => Err(Problem::from(&error).execution(reply.execution_id)),
    }
}
