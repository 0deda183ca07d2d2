//! Answers and refusals: the older APIs name a `reason` in a list, the newer ones have a `status` and `details`.

use axum::{
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

/// What every handler gives back.
pub(super) type Reply = Result<Response, Refusal>;

/// A status and Google's body for it.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    body: Value,
}

impl Refusal {
    /// Drive, Gmail, Calendar.
    pub(super) fn old(status: u16, reason: &str, message: &str) -> Refusal {
        let domain = if reason.ends_with("LimitExceeded") { "usageLimits" } else { "global" };
        let error = json!({"code": status, "message": message,
            "errors": [{"domain": domain, "reason": reason, "message": message}]});
        Refusal::of(status, error)
    }

    /// [`Refusal::old`] about one parameter.
    pub(super) fn parameter(name: &str, message: &str) -> Refusal {
        let error = json!({"code": 400, "message": message, "errors": [{"domain": "global", "reason": "invalid",
            "message": message, "locationType": "parameter", "location": name}]});
        Refusal::of(400, error)
    }

    /// Sheets, Docs.
    pub(super) fn new(status: u16, name: &str, message: &str) -> Refusal {
        Refusal::of(status, json!({"code": status, "message": message, "status": name}))
    }

    /// [`Refusal::new`] with the details that tell why.
    pub(super) fn detailed(status: u16, name: &str, message: &str, reason: &str, service: &str) -> Refusal {
        let details = json!([{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason,
            "domain": "googleapis.com", "metadata": {"service": service}}]);
        Refusal::of(status, json!({"code": status, "message": message, "status": name, "details": details}))
    }

    /// The wrong arguments, for Sheets.
    pub(super) fn argument(message: &str) -> Refusal {
        Refusal::new(400, "INVALID_ARGUMENT", message)
    }

    pub(super) fn file_not_found(id: &str) -> Refusal {
        Refusal::old(404, "notFound", &format!("File not found: {id}."))
    }

    pub(super) fn entity_not_found() -> Refusal {
        let message = "Requested entity was not found.";
        let error = json!({"code": 404, "message": message, "status": "NOT_FOUND",
            "errors": [{"domain": "global", "reason": "notFound", "message": message}]});
        Refusal::of(404, error)
    }

    pub(super) fn no_credentials() -> Refusal {
        let error = json!({"code": 401, "status": "UNAUTHENTICATED",
            "message": "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or \
                other valid authentication credential.",
            "errors": [{"domain": "global", "reason": "authError", "message": "Invalid Credentials",
                "locationType": "header", "location": "Authorization"}]});
        Refusal::of(401, error)
    }

    /// What a fault asks for.
    pub(super) fn with_status(status: StatusCode) -> Refusal {
        match status.as_u16() {
            401 => Refusal::no_credentials(),
            403 => Refusal::old(403, "userRateLimitExceeded", "User Rate Limit Exceeded"),
            404 => Refusal::entity_not_found(),
            429 => Refusal::old(429, "rateLimitExceeded", "Rate Limit Exceeded"),
            500..=599 => Refusal::old(status.as_u16(), "backendError", "Backend Error"),
            code => Refusal::old(code, "badRequest", status.canonical_reason().unwrap_or("Error")),
        }
    }

    /// The token server's shape.
    pub(super) fn grant(status: u16, error: &str, description: &str) -> Refusal {
        let body = json!({"error": error, "error_description": description});
        Refusal { status: StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST), body }
    }

    fn of(status: u16, error: Value) -> Refusal {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Refusal { status, body: json!({"error": error}) }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        respond(self.status, &self.body)
    }
}

pub(super) fn ok(body: &Value) -> Reply {
    Ok(respond(StatusCode::OK, body))
}

pub(super) fn respond(status: StatusCode, body: &Value) -> Response {
    (status, [(CONTENT_TYPE, "application/json; charset=UTF-8")], body.to_string()).into_response()
}
