//! Answers and refusals: the two APIs say no in two shapes.

use axum::{
    http::{HeaderValue, StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

/// What every handler gives back.
pub(crate) type Reply = Result<Response, Refusal>;

#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    pub status: StatusCode,
    pub body: Value,
    pub retry_after: Option<i64>,
}

impl Refusal {
    fn new(status: u16, body: Value) -> Refusal {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
        Refusal { status, body, retry_after: None }
    }

    pub(crate) fn v1(status: u16, code: &str, message: &str) -> Refusal {
        Refusal::new(status, json!({"code": code, "message": message}))
    }

    /// 422, with the field that is wrong.
    pub(crate) fn v1_field(path: &str, code: &str, message: &str) -> Refusal {
        let fields = json!([{"code": code, "message": message, "path": path}]);
        Refusal::new(
            422,
            json!({"code": "INVALID_BODY", "message": "Request body doesn't fulfill schema, see details in `fields`",
            "fields": fields}),
        )
    }

    pub(crate) fn v3(status: u16, name: &str, message: &str) -> Refusal {
        let correlation = "7b1e2a6c-0c1d-4b8e-9a52-1f6c3d2e4b5a";
        Refusal::new(status, json!({"name": name, "message": message, "correlationId": correlation, "details": null}))
    }

    pub(crate) fn v3_field(status: u16, field: &str, issue: &str, description: &str) -> Refusal {
        let mut refusal = Refusal::v3(status, "VALIDATION_FAILED", "The request failed validation");
        refusal.body["details"] =
            json!([{"issue": issue, "field": field, "location": "body", "description": description}]);
        refusal
    }

    pub(crate) fn wait(mut self, seconds: i64) -> Refusal {
        self.retry_after = Some(seconds);
        self
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = respond(self.status, &self.body);
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert("retry-after", HeaderValue::from(seconds));
        }
        response
    }
}

pub(crate) fn ok(body: &Value) -> Reply {
    Ok(respond(StatusCode::OK, body))
}

pub(crate) fn empty(status: StatusCode) -> Reply {
    Ok(status.into_response())
}

pub(crate) fn respond(status: StatusCode, body: &Value) -> Response {
    (status, [(CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}
