//! What stands before every operation: the access token, and the operation's own bucket.

use std::{convert::Infallible, sync::Arc};

use axum::{
    extract::{MatchedPath, Request, State},
    http::{HeaderMap, HeaderValue},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::reply::Refusal;
use crate::{
    clock::{Millis, SECOND},
    gohighlevel::gate::Trace,
    world::World,
};

/// Requests a second and the size of the bucket, by the end of the path, for the one application and seller.
const PLANS: &[(&str, f64, f64)] = &[
    ("/orders/2026-01-01/orders", 0.0056, 20.0),
    ("/orders/2026-01-01/orders/{order}", 0.5, 30.0),
    ("/fba/inventory/v1/summaries", 2.0, 2.0),
    ("/sales/v1/orderMetrics", 0.5, 15.0),
    ("/reports/2021-06-30/reports", 0.0222, 10.0),
    ("/reports/2021-06-30/reports/{report}", 2.0, 15.0),
    ("/sellers/v1/marketplaceParticipations", 0.016, 15.0),
];

/// What is left of an operation's bucket.
pub(super) struct Bucket {
    left: f64,
    at: Millis,
}

pub(super) async fn admit(
    State(world): State<Arc<World>>,
    request: Request,
    next: Next,
) -> Result<Response, Infallible> {
    let trace = request.extensions().get::<Trace>().map(|trace| trace.0.clone()).unwrap_or_default();
    let matched = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned()).unwrap_or_default();
    let plan = PLANS.iter().find(|(path, ..)| matched.ends_with(path)).copied();
    let mut response = match enter(&world, request.headers(), plan) {
        Ok(()) => with_rate(next.run(request).await, &world, plan),
        Err(refusal) => refusal.into_response(),
    };
    if let Ok(trace) = HeaderValue::from_str(&trace) {
        response.headers_mut().insert("x-amzn-requestid", trace);
    }
    Ok(response)
}

fn enter(world: &World, headers: &HeaderMap, plan: Option<(&'static str, f64, f64)>) -> Result<(), Refusal> {
    let mut shop = world.amazon();
    // Asked behind the lock, so that time does not go back for the bucket.
    let now = world.now();
    let token = headers.get("x-amz-access-token").and_then(|token| token.to_str().ok()).unwrap_or_default();
    if token.is_empty() {
        return Err(Refusal::denied("Access token is missing in the request header."));
    }
    match shop.access.get(token) {
        None => return Err(Refusal::denied("The access token you provided is revoked, malformed or invalid.")),
        Some(until) if *until <= now => return Err(Refusal::denied("The access token you provided has expired.")),
        Some(_) => {}
    }
    let Some((operation, rate, burst)) = plan.filter(|_| world.options.enforce_limits) else { return Ok(()) };
    let bucket = shop.buckets.entry(operation).or_insert(Bucket { left: burst, at: now });
    let earned = (now - bucket.at) as f64 / SECOND as f64 * rate;
    *bucket = Bucket { left: (bucket.left + earned).min(burst), at: now };
    if bucket.left < 1.0 {
        world.breach("amazon");
        return Err(Refusal::quota());
    }
    bucket.left -= 1.0;
    Ok(())
}

/// The header tells the rate and not the bucket. Where nothing is enforced it says so, or a client that heeds it would
/// slow down all the same.
fn with_rate(mut response: Response, world: &World, plan: Option<(&'static str, f64, f64)>) -> Response {
    let Some((_, rate, _)) = plan else { return response };
    let rate = if world.options.enforce_limits { rate } else { 1000.0 };
    if let Ok(rate) = HeaderValue::from_str(&rate.to_string()) {
        response.headers_mut().insert("x-amzn-ratelimit-limit", rate);
    }
    response
}
