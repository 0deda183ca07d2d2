//! The transports: streamable HTTP at `/mcp`, and stdio for a local client.

use std::sync::Arc;

use axum::middleware::from_fn_with_state;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{ServerHandler, ServiceExt};

use super::Mcp;
use super::sessions::{self, Owners};
use crate::actor::Actor;
use crate::app::App;

/// The route `/mcp`, to stand behind authentication.
pub fn http(app: &Arc<App>) -> axum::Router<Arc<App>> {
    routes(app, Mcp::new(app.clone(), None))
}

/// The same for any handler.
pub fn routes<Handler: ServerHandler + Clone>(app: &Arc<App>, handler: Handler) -> axum::Router<Arc<App>> {
    let config = StreamableHttpServerConfig::default()
        .with_json_response(true)
        .with_legacy_session_mode(app.config.server.mcp_sessions)
        .with_cancellation_token(app.shutdown.child_token())
        .with_max_request_body_bytes(app.config.server.max_body_bytes)
        .with_allowed_hosts(app.trusted.hosts.clone())
        .with_allowed_origins(app.trusted.origins.clone())
        .enforce_origin_validation();
    let make = move || Ok(handler.clone());
    if app.config.server.mcp_sessions {
        let sessions = Arc::new(LocalSessionManager::default());
        let service = StreamableHttpService::new(make, sessions, config);
        let keep = from_fn_with_state(Arc::<Owners>::default(), sessions::keep);
        axum::Router::new().route_service("/mcp", service.clone()).route_service("/mcp/", service).layer(keep)
    } else {
        let service = StreamableHttpService::new(make, Arc::new(NeverSessionManager::default()), config);
        axum::Router::new().route_service("/mcp", service.clone()).route_service("/mcp/", service)
    }
}

/// Serves one client over stdin and stdout until it closes them.
pub async fn stdio(app: Arc<App>, actor: Actor) -> Result<(), std::io::Error> {
    let shutdown = app.shutdown.clone();
    let service = Mcp::new(app, Some(actor));
    let running = service.serve(rmcp::transport::stdio()).await.map_err(std::io::Error::other)?;
    let stop = running.cancellation_token();
    let watcher = tokio::spawn(async move {
        shutdown.cancelled().await;
        stop.cancel();
    });
    let ended = running.waiting().await.map_err(std::io::Error::other);
    watcher.abort();
    ended.map(|_| ())
}
