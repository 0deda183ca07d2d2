//! Cloudflare's API v4 under `/cloudflare/client/v4`: zones, DNS records, tokens, audit logs.
//!
//! Facts: <https://developers.cloudflare.com/api/>. Error codes that the documents do not list are those that clients
//! have met.

use std::sync::Arc;

use axum::{
    Router,
    http::{StatusCode, Uri},
    middleware::from_fn_with_state,
    response::{IntoResponse, Response},
    routing::{get, post},
};

use crate::{vendor::Account, world::World};
use envelope::Refusal;

mod account;
mod batch;
mod envelope;
mod filter;
mod gate;
mod records;
mod seed;
mod state;
mod zones;

pub(crate) use state::State;

pub(crate) fn router(world: &Arc<World>) -> Router<Arc<World>> {
    let admitted = Router::new()
        .route("/user/tokens/verify", get(account::verify_user))
        .route("/accounts", get(account::list))
        .route("/accounts/{account}", get(account::get))
        .route("/accounts/{account}/tokens/verify", get(account::verify_owned))
        .route("/accounts/{account}/logs/audit", get(account::audit))
        .route("/zones", get(zones::list))
        .route("/zones/{zone}", get(zones::get))
        .route("/zones/{zone}/purge_cache", post(zones::purge))
        .route("/zones/{zone}/dns_records", get(records::list).post(records::create))
        .route("/zones/{zone}/dns_records/batch", post(batch::batch))
        .route(
            "/zones/{zone}/dns_records/{record}",
            get(records::get).patch(records::patch).put(records::overwrite).delete(records::delete),
        )
        .fallback(no_route)
        .method_not_allowed_fallback(no_route)
        .layer(from_fn_with_state(world.clone(), gate::admit));
    Router::new().nest("/client/v4", admitted).fallback(no_route)
}

async fn no_route(uri: Uri) -> Response {
    Refusal::no_route(uri.path()).into_response()
}

/// The vendor's body for a status that a fault asks for.
pub(crate) fn refuse(status: StatusCode) -> Response {
    Refusal::with_status(status).into_response()
}

/// A token is dead from now on.
pub(crate) fn expire(world: &World, bearer: &str) {
    world.cloudflare().tokens.dead.insert(bearer.to_owned());
}

/// The account of the business. `token` is a person's; `account_token` belongs to the account and `read_token` may
/// change nothing.
pub(crate) fn account(world: &World, url: &str) -> Account {
    let state = world.cloudflare();
    let config = serde_json::json!({"base_url": format!("{url}/client/v4"), "zone_id": state.zones[0].id});
    Account::new(config)
        .with("token", &*state.tokens.user)
        .with("account_token", &*state.tokens.account)
        .with("read_token", &*state.tokens.reader)
}
