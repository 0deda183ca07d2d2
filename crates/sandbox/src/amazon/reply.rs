//! Amazon's error bodies.

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

/// An error list with its status.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    code: &'static str,
    message: String,
    details: String,
}

/// A refused operation did not count as a fault of the service.
pub(super) type Reply = Result<Json<Value>, Refusal>;

impl Refusal {
    fn new(status: StatusCode, code: &'static str, message: &str, details: &str) -> Refusal {
        Refusal { status, code, message: message.to_owned(), details: details.to_owned() }
    }

    pub(super) fn invalid(message: impl Into<String>) -> Refusal {
        Refusal { message: message.into(), ..Refusal::new(StatusCode::BAD_REQUEST, "InvalidInput", "", "") }
    }

    pub(super) fn not_found(message: &str) -> Refusal {
        Refusal::new(StatusCode::NOT_FOUND, "NotFound", message, "")
    }

    /// The token is good or bad; only the details tell.
    pub(super) fn denied(details: &str) -> Refusal {
        Refusal::new(StatusCode::FORBIDDEN, "Unauthorized", "Access to requested resource is denied.", details)
    }

    pub(super) fn quota() -> Refusal {
        let message = "You exceeded your quota for the requested resource.";
        Refusal::new(StatusCode::TOO_MANY_REQUESTS, "QuotaExceeded", message, "")
    }

    pub(super) fn with_status(status: StatusCode) -> Refusal {
        match status.as_u16() {
            401 => Refusal { status, ..Refusal::denied("The access token you provided has expired.") },
            403 => Refusal::denied(""),
            404 => Refusal::not_found("The requested resource doesn't exist."),
            429 => Refusal::quota(),
            503 => Refusal::new(status, "ServiceUnavailable", "Service is temporarily unavailable.", ""),
            400..=499 => Refusal { status, ..Refusal::invalid("Invalid Input") },
            _ => Refusal::new(status, "InternalFailure", "We encountered an internal error. Please try again.", ""),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let error = json!({"code": self.code, "message": self.message, "details": self.details});
        (self.status, Json(json!({"errors": [error]}))).into_response()
    }
}
