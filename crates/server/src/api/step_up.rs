//! A client that was let in to read and wants to write is told where it can be let in for more (RFC 6750 §3.1, MCP's
//! step-up), if the person behind it could. Everything else is the policy's to refuse.

use std::sync::Arc;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use super::Problem;
use crate::actor::Scope;
use crate::app::App;
use crate::identity::oauth::{Granted, SCOPES};

/// 403 `insufficient_scope` before a call that the token is not enough for.
pub async fn ask(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let could_more = |granted: &Granted| granted.could_write && !granted.actor.may(Scope::Write);
    if !request.extensions().get::<Granted>().is_some_and(could_more) {
        return next.run(request).await;
    }
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, app.config.server.max_body_bytes).await else {
        let detail = "The request is too large.";
        return Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", detail).into_response();
    };
    match writes(&app, &body) {
        true => insufficient(&app),
        false => next.run(Request::from_parts(parts, Body::from(body))).await,
    }
}

/// Whether it is a call of a tool that changes something.
fn writes(app: &App, body: &Bytes) -> bool {
    let Ok(message) = serde_json::from_slice::<Value>(body) else { return false };
    if message["method"] != "tools/call" {
        return false;
    }
    let entry = message["params"]["name"].as_str().and_then(|name| app.tools.find(name));
    entry.is_some_and(|entry| Scope::needed(entry.spec.effect_of(&message["params"]["arguments"])) != Scope::Read)
}

fn insufficient(app: &App) -> Response {
    let detail = "This client was let in to read. To change something, have it let in for that as well.";
    let mut response = Problem::new(StatusCode::FORBIDDEN, "insufficient_scope", detail).into_response();
    let scopes = SCOPES.map(|(name, _)| name);
    let challenge = app.oauth.as_ref().map(|oauth| oauth.challenge(Some("insufficient_scope"), &scopes));
    let value = challenge.and_then(|challenge| HeaderValue::from_str(&challenge).ok());
    response.headers_mut().extend(value.map(|value| (header::WWW_AUTHENTICATE, value)));
    response
}
