//! What stands before every operation: the key or token, whether the account may use the API at all, the limits.

use std::{convert::Infallible, sync::Arc};

use axum::{
    extract::{MatchedPath, Request, State},
    http::{Method, header::AUTHORIZATION},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{
    reply::Refusal,
    state::{V1, V3},
};
use crate::world::World;

pub(crate) async fn admit_v1(
    State(world): State<Arc<World>>,
    request: Request,
    next: Next,
) -> Result<Response, Infallible> {
    Ok(match check_v1(&world, &request) {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    })
}

fn check_v1(world: &World, request: &Request) -> Result<(), Refusal> {
    let unable = |message| Err(Refusal::v1(401, "UNABLE_TO_AUTHENTICATE", message));
    let Some(pair) = authorization(request, "sso-key ") else {
        return unable("Unauthorized : Authentication info not sent or invalid");
    };
    let mut state = world.godaddy();
    let keys = &state.keys;
    let small = pair == format!("{}:{}", keys.small_key, keys.small_secret);
    if (pair != format!("{}:{}", keys.key, keys.secret) && !small) || keys.dead.contains(pair) {
        return unable("Unauthorized : Could not authenticate API key/secret");
    }
    if small {
        return Err(Refusal::v1(403, "ACCESS_DENIED", "Authenticated user is not allowed access"));
    }
    if !world.options.enforce_limits {
        return Ok(());
    }
    let endpoint = request.extensions().get::<MatchedPath>().map_or("", |path| path.as_str());
    let key = format!("{} {endpoint}", request.method());
    state.windows.take(key, V1.0, V1.1, world.now()).map_err(|seconds| {
        world.breach("godaddy");
        let mut refusal =
            Refusal::v1(429, "TOO_MANY_REQUESTS", "Too many requests received within interval").wait(seconds);
        refusal.body["retryAfterSec"] = seconds.into();
        refusal
    })
}

pub(crate) async fn admit_v3(
    State(world): State<Arc<World>>,
    request: Request,
    next: Next,
) -> Result<Response, Infallible> {
    let id = request.headers().get("x-request-id").cloned();
    let mut response = match check_v3(&world, &request) {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    };
    if let Some(id) = id {
        response.headers_mut().insert("x-request-id", id);
    }
    Ok(response)
}

fn check_v3(world: &World, request: &Request) -> Result<(), Refusal> {
    let Some(token) = authorization(request, "Bearer ") else {
        return Err(Refusal::v3(401, "UNAUTHORIZED", "Missing or invalid credentials"));
    };
    let mut state = world.godaddy();
    let keys = &state.keys;
    let known = [&keys.token, &keys.read_token, &keys.small_token].into_iter().any(|known| known == token);
    if !known || keys.dead.contains(token) {
        return Err(Refusal::v3(401, "UNAUTHORIZED", "The access token is invalid or expired"));
    }
    if *token == keys.small_token {
        return Err(Refusal::v3(403, "ACCESS_DENIED", "Authenticated user is not allowed access"));
    }
    if *token == keys.read_token && *request.method() != Method::GET {
        return Err(Refusal::v3(403, "INSUFFICIENT_SCOPE", "The token lacks the scope domains.dns:update"));
    }
    if !world.options.enforce_limits {
        return Ok(());
    }
    let taken = state.windows.take(token.to_owned(), V3.0, V3.1, world.now());
    taken.map_err(|seconds| {
        world.breach("godaddy");
        Refusal::v3(429, "RATE_LIMITED", "Too many requests").wait(seconds)
    })
}

fn authorization<'a>(request: &'a Request, scheme: &str) -> Option<&'a str> {
    request.headers().get(AUTHORIZATION)?.to_str().ok()?.strip_prefix(scheme)
}
