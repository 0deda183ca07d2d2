//! Answers and refusals in the vendor's shapes.

use axum::{
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use serde_json::{Value, json};

/// What every handler gives back.
pub(crate) type Reply = Result<Response, Refusal>;

/// A status and the vendor's body for it.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub status: StatusCode,
    pub body: Value,
}

impl Refusal {
    fn of(status: StatusCode, message: impl Into<Value>) -> Refusal {
        let (message, code) = (message.into(), status.as_u16());
        // The vendor leaves `error` out of what its gateway refuses (401, 403).
        let body = match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => json!({"statusCode": code, "message": message}),
            _ => json!({"statusCode": code, "message": message, "error": status.canonical_reason()}),
        };
        Refusal { status, body }
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Refusal {
        Refusal::of(StatusCode::BAD_REQUEST, message.into())
    }

    pub(crate) fn unauthorized(message: impl Into<String>) -> Refusal {
        Refusal::of(StatusCode::UNAUTHORIZED, message.into())
    }

    pub(crate) fn foreign_location() -> Refusal {
        Refusal::of(StatusCode::FORBIDDEN, "The token does not have access to this location.")
    }

    pub(crate) fn not_found(message: impl Into<String>) -> Refusal {
        Refusal::of(StatusCode::NOT_FOUND, message.into())
    }

    /// 422; the message is a list here and nowhere else.
    pub(crate) fn invalid<M: Into<String>>(messages: impl IntoIterator<Item = M>) -> Refusal {
        let messages: Vec<String> = messages.into_iter().map(Into::into).collect();
        Refusal::of(StatusCode::UNPROCESSABLE_ENTITY, messages)
    }

    pub(crate) fn no_route(method: &str, path: &str) -> Refusal {
        Refusal::not_found(format!("Cannot {method} {path}"))
    }

    pub(crate) fn removed(path: &str) -> Refusal {
        Refusal::bad_request(format!(
            "Endpoint {path} not available in API version v3. This endpoint was removed in version v3. \
             Please use a version before v3."
        ))
    }

    pub(crate) fn too_many() -> Refusal {
        Refusal::of(StatusCode::TOO_MANY_REQUESTS, "Too Many Requests")
    }

    /// The body that the vendor sends with a status, for faults on demand.
    pub(crate) fn with_status(status: u16) -> Refusal {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        match status {
            StatusCode::UNAUTHORIZED => Refusal::unauthorized("Invalid JWT"),
            StatusCode::FORBIDDEN => Refusal::foreign_location(),
            StatusCode::UNPROCESSABLE_ENTITY => Refusal::invalid(["Unprocessable Entity"]),
            StatusCode::TOO_MANY_REQUESTS => Refusal::too_many(),
            other => Refusal::of(other, other.canonical_reason().unwrap_or("Error")),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        respond(self.status, &self.body)
    }
}

pub(crate) fn ok(body: &impl Serialize) -> Reply {
    Ok(respond(StatusCode::OK, body))
}

pub(crate) fn created(body: &impl Serialize) -> Reply {
    Ok(respond(StatusCode::CREATED, body))
}

pub(crate) fn respond(status: StatusCode, body: &impl Serialize) -> Response {
    match serde_json::to_vec(body) {
        Ok(bytes) => (status, [(CONTENT_TYPE, "application/json; charset=utf-8")], bytes).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}
