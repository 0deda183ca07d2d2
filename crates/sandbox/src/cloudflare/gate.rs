//! What stands before every operation: the token and the limit.

use std::{convert::Infallible, sync::Arc};

use axum::{
    extract::{FromRequestParts, Request, State},
    http::{HeaderValue, Method, header::AUTHORIZATION, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{
    envelope::Refusal,
    state::{Allowance, MOST},
};
use crate::{
    clock::{Millis, moment},
    world::World,
};

/// Whose token it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    User,
    Account,
    /// A person's token that may change nothing.
    Reader,
}

/// An admitted request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    pub owner: Owner,
    pub now: Millis,
}

impl<S: Send + Sync> FromRequestParts<S> for Call {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Call, Refusal> {
        parts.extensions.get::<Call>().copied().ok_or_else(Refusal::not_permitted)
    }
}

pub(crate) async fn admit(
    State(world): State<Arc<World>>,
    mut request: Request,
    next: Next,
) -> Result<Response, Infallible> {
    let now = world.now();
    let owner = match owner(&world, &request) {
        Ok(owner) => owner,
        Err(refusal) => return Ok(refusal.into_response()),
    };
    let allowance = world.cloudflare().window.take(now, world.options.enforce_limits);
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    let mut response = match (allowance.allowed, owner) {
        (false, _) => {
            world.breach("cloudflare");
            Refusal::too_many().into_response()
        }
        (true, Owner::Reader) if !reads => Refusal::not_permitted().into_response(),
        (true, _) => {
            request.extensions_mut().insert(Call { owner, now });
            next.run(request).await
        }
    };
    say(&mut response, allowance, now);
    Ok(response)
}

fn owner(world: &World, request: &Request) -> Result<Owner, Refusal> {
    let header = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let Some(header) = header else {
        return Err(Refusal::new(400, 9106, "Missing X-Auth-Key, X-Auth-Email or Authorization headers"));
    };
    let Some(token) = header.strip_prefix("Bearer ").filter(|token| token.len() >= 30) else {
        return Err(malformed());
    };
    let state = world.cloudflare();
    let alive = !state.tokens.dead.contains(token);
    match token {
        token if alive && token == state.tokens.user => Ok(Owner::User),
        token if alive && token == state.tokens.account => Ok(Owner::Account),
        token if alive && token == state.tokens.reader => Ok(Owner::Reader),
        _ if request.uri().path().ends_with("/tokens/verify") => Err(Refusal::new(401, 1000, "Invalid API Token")),
        _ => Err(Refusal::new(403, 9109, "Invalid access token")),
    }
}

fn malformed() -> Refusal {
    let mut refusal = Refusal::new(400, 6003, "Invalid request headers");
    refusal.errors[0]["error_chain"] =
        serde_json::json!([{"code": 6111, "message": "Invalid format for Authorization header"}]);
    refusal
}

fn say(response: &mut Response, allowance: Allowance, now: Millis) {
    let Allowance { remaining, reset, allowed } = allowance;
    let headers = response.headers_mut();
    let texts = [
        ("ratelimit", format!("\"default\";r={remaining};t={reset}")),
        ("ratelimit-policy", format!("\"default\";q={MOST};w=300")),
        // The simulated present, which clients take for theirs.
        ("date", moment(now).format("%a, %d %b %Y %H:%M:%S GMT").to_string()),
    ];
    for (name, text) in texts {
        if let Ok(value) = HeaderValue::from_str(&text) {
            headers.insert(name, value);
        }
    }
    if !allowed {
        headers.insert("retry-after", HeaderValue::from(reset));
    }
}
