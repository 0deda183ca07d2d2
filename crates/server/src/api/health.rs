//! `GET /health`, with detail for who is known, and `GET /metrics` for Prometheus.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use schemars::JsonSchema;
use serde::Serialize;

use super::Problem;
use super::document::{Operation, get};
use crate::actor::{Actor, DEFAULT_TENANT};
use crate::app::App;
use crate::health::{self, Readiness, Report};

pub fn described() -> Vec<Operation> {
    let health = "Whether calls can be answered and recorded; to the machine itself, or with a key or a session, also what works and \
         what does not.";
    vec![
        get("/health", "showHealth", health).open().answers::<Health>(200).answers::<Health>(503).refuses(&[429]),
        get("/metrics", "showMetrics", "Metrics for Prometheus; from another machine with a key.")
            .open()
            .texts(200)
            .refuses(&[401]),
    ]
}

/// What a caller is told.
#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
enum Health {
    /// With a key or a session, or asked on the machine itself.
    Known(Box<Report>),
    Stranger(Readiness),
}

/// 200 when calls can be answered and recorded, 503 when not.
pub async fn show(
    State(app): State<Arc<App>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    caller: Option<Extension<Actor>>,
) -> Response {
    // Behind a public address there is somebody who passes requests on, and may not say so.
    let local = app.config.server.public_url.is_none() && is_the_machine(peer, &headers);
    let tenant = match caller.as_deref() {
        Some(actor) => actor.reaches_tool("system.health").then_some(actor.tenant.as_str()),
        None => local.then_some(DEFAULT_TENANT),
    };
    let health = told(&app, tenant).await;
    let ready = match &health {
        Health::Known(report) => report.ready,
        Health::Stranger(readiness) => readiness.ready,
    };
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(health)).into_response()
}

/// Accounts and addresses are for those alone who may ask the tool `system.health`, and are those of their business.
async fn told(app: &Arc<App>, tenant: Option<&str>) -> Health {
    if let Some(tenant) = tenant
        && let Ok(connections) = app.connections.of(app, tenant).await
    {
        return Health::Known(Box::new(health::report(app, &connections).await));
    }
    Health::Stranger(health::readiness(app).await)
}

/// Whoever passes requests on says for whom, one way or another.
fn is_the_machine(peer: SocketAddr, headers: &HeaderMap) -> bool {
    peer.ip().to_canonical().is_loopback() && !PASSED_ON.iter().any(|name| headers.contains_key(*name))
}

const PASSED_ON: [&str; 5] = ["x-forwarded-for", "forwarded", "x-real-ip", "cf-connecting-ip", "via"];

/// Open to the machine itself; a scraper elsewhere needs a key, because tool names tell about a business.
pub async fn metrics(
    State(app): State<Arc<App>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    if !is_the_machine(peer, &headers) && super::guard::caller(&app, &headers).await.is_none() {
        let detail = "Metrics are open on the machine itself; elsewhere send an API key.";
        return Err(Problem::new(StatusCode::UNAUTHORIZED, "unauthenticated", detail));
    }
    let text = app.metrics.render();
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response())
}
