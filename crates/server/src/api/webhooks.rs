//! `POST /webhooks/{ecosystem}`: what vendors tell by themselves. No key opens it; the vendor's signature does.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::Problem;
use super::document::{Operation, post};
use crate::app::App;
use crate::webhooks::{self, Answer, Taken};

/// Some vendors come back by a rhythm of their own, others read this (seconds).
const COME_BACK: u64 = 30;

pub fn described() -> Vec<Operation> {
    let summary =
        "What a vendor tells by itself, in the vendor's own words. The vendor's signature opens it, and no key.";
    vec![
        post("/webhooks/{ecosystem}", "receiveWebhook", summary)
            .such_as("quickbooks")
            .open()
            .answers::<Taken>(200)
            .texts(200)
            .refuses(&[401, 404, 413, 429, 503]),
    ]
}

/// 200 once the events are durable.
pub async fn receive(
    State(app): State<Arc<App>>,
    Path(ecosystem): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let problem = |status, kind, detail: String| Err(Problem::new(status, kind, detail));
    match webhooks::receive(&app, &ecosystem, &headers, body).await {
        Answer::Taken(taken) => Ok(Json(json!(taken)).into_response()),
        Answer::Challenge(text) => Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response()),
        Answer::Unknown => problem(StatusCode::NOT_FOUND, "not_found", "No webhooks are expected here.".into()),
        Answer::Refused(why) => problem(StatusCode::UNAUTHORIZED, "unauthenticated", why),
        Answer::Unreadable(why) => problem(StatusCode::BAD_REQUEST, "bad_request", format!("Not understood: {why}.")),
        Answer::TooLarge => {
            problem(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", "The delivery is too large.".into())
        }
        Answer::Again(status, why) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
            let detail = format!("Not taken: {why}. Deliver it again.");
            Err(Problem::new(status, "try_again", detail).retry_after(COME_BACK))
        }
    }
}
