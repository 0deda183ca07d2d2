//! Errors as RFC 9457 problem documents.

use axum::Json;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use sdk::{Error, Kind};
use serde::Serialize;
use uuid::Uuid;

use crate::calls;

/// One failure as HTTP tells it.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Problem {
    #[serde(rename = "type")]
    kind: String,
    title: &'static str,
    #[serde(serialize_with = "as_number")]
    #[schemars(with = "u16")]
    status: StatusCode,
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    execution_id: Option<Uuid>,
    /// Seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<u64>,
    /// The change may or may not have happened.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    outcome_unknown: bool,
    /// The businesses that somebody who signs in has to choose from.
    #[serde(skip_serializing_if = "Option::is_none")]
    businesses: Option<Box<serde_json::Value>>,
}

impl Problem {
    pub fn new(status: StatusCode, kind: &str, detail: impl Into<String>) -> Problem {
        Problem {
            kind: format!("urn:enterprise-mcp:problem:{kind}"),
            title: status.canonical_reason().unwrap_or("Error"),
            status,
            detail: detail.into(),
            execution_id: None,
            retry_after: None,
            outcome_unknown: false,
            businesses: None,
        }
    }

    pub fn businesses(mut self, businesses: serde_json::Value) -> Problem {
        self.businesses = Some(Box::new(businesses));
        self
    }

    pub fn retry_after(mut self, seconds: u64) -> Problem {
        self.retry_after = Some(seconds);
        self
    }

    pub fn execution(mut self, id: Uuid) -> Problem {
        self.execution_id = Some(id);
        self
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Problem {
        Problem::from(&error)
    }
}

impl From<&Error> for Problem {
    fn from(error: &Error) -> Problem {
        let mut problem = Problem::new(status_of(error.kind), error.kind.as_str(), calls::explain(error));
        problem.retry_after = error.retry_after.map(|wait| wait.as_secs().max(1));
        problem.outcome_unknown = error.outcome_unknown;
        problem
    }
}

/// A vendor that refuses *our* credentials is a bad gateway, not the caller's 401.
fn status_of(kind: Kind) -> StatusCode {
    match kind {
        Kind::InvalidInput => StatusCode::UNPROCESSABLE_ENTITY,
        Kind::Forbidden => StatusCode::FORBIDDEN,
        Kind::NotFound => StatusCode::NOT_FOUND,
        Kind::Conflict => StatusCode::CONFLICT,
        Kind::RateLimited => StatusCode::TOO_MANY_REQUESTS,
        Kind::Unauthenticated | Kind::Upstream => StatusCode::BAD_GATEWAY,
        Kind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Kind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, retry_after) = (self.status, self.retry_after);
        let mut response = (status, Json(self)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

fn as_number<S: serde::Serializer>(status: &StatusCode, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u16(status.as_u16())
}

/// What extractors and the MCP transport refuse in plain words, as a problem like all others. It stands around the
/// routes, so that a new one cannot forget it.
pub async fn instead_of_text(response: Response) -> Response {
    let status = response.status();
    let is_error = status.is_client_error() || status.is_server_error();
    if !is_error || !is_text(&response) {
        return response;
    }
    let (parts, body) = response.into_parts();
    let mut response = Problem::new(status, kind_of(status), words(body, status).await).into_response();
    // What was said beside the words still holds: which methods are allowed, when to come back.
    for (name, value) in &parts.headers {
        if ![header::CONTENT_TYPE, header::CONTENT_LENGTH].contains(name) {
            response.headers_mut().insert(name, value.clone());
        }
    }
    response
}

fn is_text(response: &Response) -> bool {
    match response.headers().get(header::CONTENT_TYPE) {
        None => true,
        Some(media) => media.as_bytes().starts_with(b"text/plain"),
    }
}

async fn words(body: Body, status: StatusCode) -> String {
    let said = to_bytes(body, 16 << 10).await.unwrap_or_default();
    match String::from_utf8_lossy(&said).trim() {
        "" => status.canonical_reason().unwrap_or("The request was refused").to_owned(),
        said => said.to_owned(),
    }
}

fn kind_of(status: StatusCode) -> &'static str {
    match status {
        StatusCode::NOT_FOUND => "not_found",
        StatusCode::METHOD_NOT_ALLOWED => "method_not_allowed",
        StatusCode::PAYLOAD_TOO_LARGE => "body_too_large",
        StatusCode::UNSUPPORTED_MEDIA_TYPE => "unsupported_media_type",
        StatusCode::UNPROCESSABLE_ENTITY => "invalid_input",
        StatusCode::NOT_ACCEPTABLE => "not_acceptable",
        status if status.is_server_error() => "internal",
        _ => "bad_request",
    }
}

pub async fn no_such_route(uri: Uri) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "not_found", format!("There is nothing at {}.", uri.path()))
}

pub async fn wrong_method(method: Method, uri: Uri) -> Problem {
    let detail = format!("{} does not answer to {method}.", uri.path());
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
}

pub fn after_panic(_panic: Box<dyn std::any::Any + Send>) -> Response {
    tracing::error!("a handler panicked");
    let detail = "The server failed in a way that it should not; the log says more.";
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail).into_response()
}
