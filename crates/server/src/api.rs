//! The HTTP front door: all routes in one list, and what stands before them.
//!
//! host check → body limit → authentication → rate limit → route

mod address;
mod approval_page;
mod approvals;
mod clients;
mod consent;
mod cookie;
mod decisions;
mod document;
mod guard;
mod health;
mod home;
mod keys;
mod oauth;
mod page;
mod people;
mod policy;
mod problem;
mod run;
mod session;
mod signing_in;
mod step_up;
mod tenants;
mod tools;
mod webhooks;
mod welcome;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state, map_response};
use axum::routing::{delete, get, patch, post, put};
use tower_http::catch_panic::CatchPanicLayer;

use crate::app::App;
use crate::mcp;

pub use address::Proxies;
pub use guard::{JsonOnly, Trusted};
pub use problem::Problem;

/// Every route of the server.
pub fn router(app: &Arc<App>) -> Router {
    around(app, mcp::http(app))
}

/// The routes of the listener that takes keys alone: without those where people sign in and let clients in.
pub fn key_only_router(app: &Arc<App>) -> Router {
    let (open, keyed) = (open(app), keyed(app, mcp::http(app)));
    guarded(app, open.merge(keyed)).layer(from_fn(guard::keys_alone))
}

/// The same with another `/mcp`.
pub(crate) fn around(app: &Arc<App>, mcp: Router<Arc<App>>) -> Router {
    guarded(app, open(app).merge(letting_in()).merge(keyed(app, mcp)))
}

/// Where people sign in and let AI clients in, and what those discover and exchange.
fn letting_in() -> Router<Arc<App>> {
    Router::new()
        .route("/.well-known/oauth-authorization-server", get(oauth::metadata))
        .route("/.well-known/oauth-protected-resource", get(oauth::resource))
        .route("/.well-known/oauth-protected-resource/mcp", get(oauth::resource))
        .route("/authorize", get(consent::arrive).post(consent::decide))
        .route("/authorize/continue", get(consent::proceed))
        .route("/sign-in", post(signing_in::sign_in))
        .route("/api/v1/session", post(session::sign_in))
        .route("/welcome/{token}", get(welcome::show).post(welcome::set))
        .route("/approvals/{id}", get(approval_page::arrive).post(approval_page::decide))
        .route("/approvals/{id}/look", get(approval_page::look))
        .route("/token", post(oauth::exchange))
        .route("/revoke", post(oauth::exchange))
        .route("/register", post(oauth::register))
}

/// What is open to everybody.
fn open(app: &Arc<App>) -> Router<Arc<App>> {
    Router::new()
        .route("/health", get(health::show))
        .route_layer(from_fn_with_state(app.clone(), guard::limit_rate))
        .route_layer(from_fn_with_state(app.clone(), guard::recognise))
        .route("/", get(home::show))
        .route("/api/v1/openapi.json", get(document::show))
        .route("/metrics", get(health::metrics))
        .route("/webhooks/{ecosystem}", post(webhooks::receive))
}

/// What owners and admins do.
fn managed() -> Router<Arc<App>> {
    Router::new()
        .route("/api/v1/people", get(people::list).post(people::invite))
        .route("/api/v1/people/{id}", patch(people::change))
        .route("/api/v1/people/{id}/link", post(people::reset))
        .route("/api/v1/tenants", get(tenants::list).post(tenants::create))
        .route("/api/v1/tenants/{id}", patch(tenants::change))
        .route("/api/v1/policy/rules", get(policy::list))
        .route("/api/v1/policy/rules/{name}", put(policy::set).delete(policy::remove))
        .route("/api/v1/policy/test", post(policy::test))
        .route("/api/v1/keys", get(keys::list).post(keys::create))
        .route("/api/v1/keys/{id}", delete(keys::revoke))
        .route("/api/v1/policy/budgets", get(policy::list_budgets))
        .route("/api/v1/policy/budgets/{name}", put(policy::set_budget).delete(policy::remove_budget))
        .route_layer(from_fn(guard::refuse_others))
}

/// What is open to whoever is known.
fn keyed(app: &Arc<App>, mcp: Router<Arc<App>>) -> Router<Arc<App>> {
    Router::new()
        .route("/mcp/tools", get(tools::list))
        .route("/mcp/run/{tool}", post(run::run))
        .route("/api/v1/approvals", get(approvals::list))
        .route("/api/v1/approvals/{id}", get(approvals::show))
        .route("/api/v1/approvals/{id}/decision", post(approvals::decide))
        .route("/api/v1/decisions", get(decisions::list))
        .route("/api/v1/decisions/{id}/feedback", post(decisions::feedback))
        .route("/api/v1/session", get(session::show).delete(session::sign_out))
        .route("/api/v1/session/password", post(session::change_password))
        .route("/api/v1/session/second-factor", post(session::begin_second_factor))
        .route("/api/v1/session/second-factor/confirm", post(session::confirm_second_factor))
        .route("/api/v1/people/{id}/second-factor", delete(people::remove_second_factor))
        .route("/api/v1/clients", get(clients::list))
        .route("/api/v1/clients/{id}", delete(clients::revoke))
        .merge(managed())
        .merge(mcp.layer(from_fn_with_state(app.clone(), step_up::ask)).layer(from_fn(guard::accept_both)))
        .layer(from_fn_with_state(app.clone(), guard::limit_rate))
        .layer(from_fn_with_state(app.clone(), guard::authenticate))
}

/// What the document says of all these routes.
fn described() -> Vec<document::Operation> {
    let parts = [
        approval_page::described(),
        approvals::described(),
        clients::described(),
        consent::described(),
        decisions::described(),
        document::described(),
        health::described(),
        home::described(),
        keys::described(),
        oauth::described(),
        people::described(),
        policy::described(),
        run::described(),
        session::described(),
        signing_in::described(),
        tenants::described(),
        tools::described(),
        webhooks::described(),
        welcome::described(),
    ];
    parts.into_iter().flatten().collect()
}

/// What every request passes, whichever route it goes to.
fn guarded(app: &Arc<App>, routes: Router<Arc<App>>) -> Router {
    routes
        .fallback(problem::no_such_route)
        .method_not_allowed_fallback(problem::wrong_method)
        .layer(map_response(problem::instead_of_text))
        .layer(DefaultBodyLimit::max(app.config.server.max_body_bytes))
        .layer(from_fn_with_state(app.clone(), guard::refuse_large))
        .layer(from_fn_with_state(app.clone(), guard::check_host))
        .layer(CatchPanicLayer::custom(problem::after_panic))
        .with_state(app.clone())
}
