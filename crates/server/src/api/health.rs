//! `GET /health` with readiness detail, and `GET /metrics` for Prometheus.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Json;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::Problem;
use super::document::{Operation, get};
use crate::app::App;
use crate::health;

pub fn described() -> Vec<Operation> {
    vec![
        get("/health", "showHealth", "Whether calls can be answered and recorded.")
            .open()
            .answers::<health::Report>(200)
            .answers::<health::Report>(503),
        get("/metrics", "showMetrics", "Metrics for Prometheus; from another machine with a key.")
            .open()
            .texts(200)
            .refuses(&[401]),
    ]
}

/// 200 when calls can be answered and recorded, 503 when not.
pub async fn show(State(app): State<Arc<App>>) -> Response {
    let report = health::report(&app, app.connections.own()).await;
    let status = if report.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(json!(report))).into_response()
}

/// Open to the machine itself; a scraper elsewhere needs a key, because tool names tell about a business.
pub async fn metrics(
    State(app): State<Arc<App>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let local = peer.ip().is_loopback() && !headers.contains_key("x-forwarded-for");
    if !local && super::guard::caller(&app, &headers).await.is_none() {
        let detail = "Metrics are open on the machine itself; elsewhere send an API key.";
        return Err(Problem::new(StatusCode::UNAUTHORIZED, "unauthenticated", detail));
    }
    let text = app.metrics.render();
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response())
}
