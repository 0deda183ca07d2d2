//! GoDaddy's two Domains APIs under `/godaddy`: v1 with `sso-key`, v3 with personal access tokens.
//!
//! Facts: <https://developer.godaddy.com/doc/endpoint/domains>. What the vendor does with a record that is created twice
//! over v3 is not documented; here it exists twice, which is the worst case for a client.

use std::sync::Arc;

use axum::{
    Router,
    http::{StatusCode, Uri},
    middleware::from_fn_with_state,
    response::{IntoResponse, Response},
    routing::{delete, get, put},
};
use serde_json::json;

use crate::{vendor::Account, world::World};
use reply::Refusal;

mod gate;
mod records;
mod reply;
mod seed;
mod state;
mod v1;
mod v3;

pub(crate) use state::State;

pub(crate) fn router(world: &Arc<World>) -> Router<Arc<World>> {
    let old = Router::new()
        .route("/domains", get(v1::list))
        .route("/domains/available", get(v1::available).post(v1::available_bulk))
        .route("/domains/{domain}", get(v1::get).patch(v1::update))
        .route("/domains/{domain}/records", get(v1::all).patch(v1::add).put(v1::replace_all))
        .route("/domains/{domain}/records/{type}", get(v1::of_type).put(v1::replace_type))
        .route("/domains/{domain}/records/{type}/{name}", get(v1::of_name).put(v1::replace).delete(v1::delete))
        .layer(from_fn_with_state(world.clone(), gate::admit_v1));
    let new = Router::new()
        .route("/domains/domain-names", get(v3::list))
        .route("/domains/domain-names/{domain}", get(v3::get))
        .route("/domains/domain-names/{domain}/nameservers", put(v3::nameservers))
        .route("/domains/zones/{zone}/dns-records", get(v3::records).post(v3::create))
        .route("/domains/zones/{zone}/dns-records/{record}", delete(v3::delete))
        .layer(from_fn_with_state(world.clone(), gate::admit_v3));
    Router::new().nest("/v1", old).nest("/v3", new).fallback(no_route).method_not_allowed_fallback(no_route)
}

async fn no_route(uri: Uri) -> Response {
    match uri.path().contains("/v3/") {
        true => Refusal::v3(404, "NOT_FOUND", "The requested resource was not found").into_response(),
        false => Refusal::v1(404, "NOT_FOUND", "Resource not found").into_response(),
    }
}

/// The vendor's body for a status that a fault asks for, with the members of both APIs.
pub(crate) fn refuse(status: StatusCode) -> Response {
    let code = match status.as_u16() {
        401 => "UNABLE_TO_AUTHENTICATE",
        403 => "ACCESS_DENIED",
        404 => "NOT_FOUND",
        429 => "TOO_MANY_REQUESTS",
        500..=599 => "INTERNAL_SERVER_ERROR",
        _ => "INVALID_BODY",
    };
    let said = status.canonical_reason().unwrap_or("Error");
    let mut body =
        json!({"code": code, "name": code, "message": said, "correlationId": "00000000-0000-4000-8000-000000000000"});
    if status == StatusCode::TOO_MANY_REQUESTS {
        body["retryAfterSec"] = json!(30);
    }
    reply::respond(status, &body)
}

/// A token or key is dead from now on.
pub(crate) fn expire(world: &World, bearer: &str) {
    world.godaddy().keys.dead.insert(bearer.to_owned());
}

/// The account of the business, over both APIs. `small_…` belongs to an account that GoDaddy does not let use its API,
/// and `read_token` may change nothing.
pub(crate) fn account(world: &World, url: &str) -> Account {
    let state = world.godaddy();
    Account::new(json!({"base_url": url}))
        .with("token", &*state.keys.token)
        .with("key", &*state.keys.key)
        .with("secret", &*state.keys.secret)
        .with("small_token", &*state.keys.small_token)
        .with("small_key", &*state.keys.small_key)
        .with("small_secret", &*state.keys.small_secret)
        .with("read_token", &*state.keys.read_token)
}
