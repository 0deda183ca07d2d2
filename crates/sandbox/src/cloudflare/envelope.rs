//! Every answer of API v4 stands in one envelope.

use axum::{
    extract::{FromRequest, FromRequestParts, Request},
    http::{StatusCode, header::CONTENT_TYPE, request::Parts},
    response::{IntoResponse, Response},
};
use serde_json::{Map, Value, json};

/// What every handler gives back.
pub(crate) type Reply = Result<Response, Refusal>;

/// `success: false` with its codes.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    pub status: StatusCode,
    pub errors: Value,
}

impl Refusal {
    pub(crate) fn new(status: u16, code: u32, message: &str) -> Refusal {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
        Refusal { status, errors: json!([{"code": code, "message": message}]) }
    }

    pub(crate) fn no_route(path: &str) -> Refusal {
        let path = path.trim_start_matches("/cloudflare");
        let message = format!("Could not route to {path}, perhaps your object identifier is invalid?");
        let errors = json!([{"code": 7003, "message": message}, {"code": 7000, "message": "No route for that URI"}]);
        Refusal { status: StatusCode::NOT_FOUND, errors }
    }

    /// The token is good, but not for this.
    pub(crate) fn not_permitted() -> Refusal {
        Refusal::new(403, 10000, "Authentication error")
    }

    /// The vendor's body for a status that a fault asks for.
    pub(crate) fn with_status(status: StatusCode) -> Refusal {
        match status.as_u16() {
            401 => Refusal::new(401, 1000, "Invalid API Token"),
            403 => Refusal::not_permitted(),
            404 => Refusal::new(404, 81044, "Record does not exist."),
            429 => Refusal::too_many(),
            other => Refusal::new(other, 10001, status.canonical_reason().unwrap_or("Error")),
        }
    }

    pub(crate) fn too_many() -> Refusal {
        let message = "More than 1200 requests per 300 seconds reached. Please wait and consider throttling your \
                       request speed";
        Refusal::new(429, 10429, message)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = json!({"success": false, "errors": self.errors, "messages": [], "result": null});
        let mut response = respond(self.status, &body);
        if self.status == StatusCode::TOO_MANY_REQUESTS {
            response.headers_mut().entry("retry-after").or_insert(axum::http::HeaderValue::from_static("300"));
        }
        response
    }
}

pub(crate) fn ok(result: Value) -> Reply {
    Ok(respond(StatusCode::OK, &json!({"success": true, "errors": [], "messages": [], "result": result})))
}

pub(crate) fn ok_saying(result: Value, code: u32, message: &str) -> Reply {
    let messages = json!([{"code": code, "message": message, "type": null}]);
    Ok(respond(StatusCode::OK, &json!({"success": true, "errors": [], "messages": messages, "result": result})))
}

pub(crate) fn respond(status: StatusCode, body: &Value) -> Response {
    (status, [(CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

/// A page of rows. Past the end it is empty, which is how the vendor's own clients know that they are done.
pub(crate) fn page(rows: &[Value], query: &Query, most: usize, default: usize) -> Reply {
    let per_page = query.number("per_page").unwrap_or(default).clamp(1, most);
    let page = query.number("page").unwrap_or(1).max(1);
    let shown: Vec<&Value> = rows.iter().skip((page - 1).saturating_mul(per_page)).take(per_page).collect();
    let info = json!({"page": page, "per_page": per_page, "count": shown.len(), "total_count": rows.len(),
        "total_pages": rows.len().div_ceil(per_page)});
    let body = json!({"success": true, "errors": [], "messages": [], "result": shown, "result_info": info});
    Ok(respond(StatusCode::OK, &body))
}

/// The query, with each name once: the last counts.
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(key, _)| key == name).flat_map(|(_, value)| value.split(','))
    }

    pub(crate) fn number(&self, name: &str) -> Option<usize> {
        self.get(name)?.parse().ok()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Query {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Query, Refusal> {
        let query = parts.uri.query().unwrap_or_default();
        Ok(Query(url::form_urlencoded::parse(query.as_bytes()).into_owned().collect()))
    }
}

/// A body that must be a JSON object.
pub(crate) struct Body(pub Map<String, Value>);

impl<S: Send + Sync> FromRequest<S> for Body {
    type Rejection = Refusal;

    async fn from_request(request: Request, _: &S) -> Result<Body, Refusal> {
        let invalid = || Refusal::new(400, 9207, "Request body is invalid.");
        let bytes = axum::body::to_bytes(request.into_body(), 1 << 20).await.map_err(|_| invalid())?;
        match serde_json::from_slice(&bytes) {
            Ok(Value::Object(body)) => Ok(Body(body)),
            _ => Err(invalid()),
        }
    }
}
