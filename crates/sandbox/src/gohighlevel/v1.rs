//! The first generation, under `/v1`: a location key, no `Version`, `{"msg": …}` for errors.

use std::{collections::HashMap, sync::Arc};

use axum::{
    Router,
    extract::{Path, Query, Request, State},
    http::StatusCode,
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::get,
};
use serde_json::{Value, json};

use super::{
    gate::{bearer, caller},
    reply::respond,
    rows, search,
};
use crate::world::World;

pub(super) fn router(world: &Arc<World>) -> Router<Arc<World>> {
    Router::new()
        .route("/contacts/", get(list))
        .route("/contacts", get(list))
        .route("/contacts/lookup", get(lookup))
        .route("/contacts/{id}", get(one))
        .route("/pipelines/", get(pipelines))
        .route("/pipelines", get(pipelines))
        .fallback(|| async { refuse(StatusCode::NOT_FOUND, "Not found") })
        .layer(from_fn_with_state(world.clone(), admit))
}

async fn admit(State(world): State<Arc<World>>, request: Request, next: Next) -> Response {
    if bearer(request.headers()) != Some(world.account.v1_key.as_str()) {
        return refuse(StatusCode::UNAUTHORIZED, "Api key is invalid.");
    }
    let caller = caller(&world, &request);
    let allowance = world.limits().take(&caller, world.now(), world.options.enforce_limits);
    let mut response = if allowance.allowed {
        next.run(request).await
    } else {
        world.breach("gohighlevel");
        refuse(StatusCode::TOO_MANY_REQUESTS, "Too many requests")
    };
    response.extensions_mut().insert(allowance);
    response
}

pub(crate) fn refuse(status: StatusCode, message: &str) -> Response {
    respond(status, &json!({"msg": message}))
}

async fn list(State(world): State<Arc<World>>, Query(query): Query<HashMap<String, String>>) -> Response {
    let limit =
        query.get("limit").map_or(Some(20), |limit| limit.parse().ok()).filter(|limit| (1..=100).contains(limit));
    let Some(limit) = limit else {
        return refuse(StatusCode::UNPROCESSABLE_ENTITY, "limit must be between 1 and 100");
    };
    let business = world.business();
    let listing = search::older(&business, &query, limit);
    let rows: Vec<Value> = listing.rows.iter().map(|contact| rows::v1(contact, business.location)).collect();
    let meta = search::meta(&listing, limit, "http://rest.gohighlevel.com/v1/contacts/");
    respond(StatusCode::OK, &json!({"contacts": rows, "meta": meta}))
}

async fn one(State(world): State<Arc<World>>, Path(id): Path<String>) -> Response {
    let business = world.business();
    let Some(contact) = id.parse().ok().and_then(|id| business.contacts.get(id)) else {
        return refuse(StatusCode::NOT_FOUND, "The contact id is invalid.");
    };
    respond(StatusCode::OK, &json!({"contact": rows::v1(contact, business.location)}))
}

async fn lookup(State(world): State<Arc<World>>, Query(query): Query<HashMap<String, String>>) -> Response {
    let (email, phone) = (query.get("email").map(String::as_str), query.get("phone").map(String::as_str));
    let business = world.business();
    let Some((contact, _)) = business.contacts.duplicate(email, phone) else {
        let wrong = json!({"email": {"rule": "invalid", "message": "The email/phone is invalid."}});
        return respond(StatusCode::UNPROCESSABLE_ENTITY, &wrong);
    };
    respond(StatusCode::OK, &json!({"contacts": [rows::v1(contact, business.location)]})).into_response()
}

async fn pipelines(State(world): State<Arc<World>>) -> Response {
    let business = world.business();
    let stages = |stages: &[(String, &str)]| -> Vec<Value> {
        stages.iter().map(|(id, name)| json!({"id": id, "name": name})).collect()
    };
    let rows: Vec<Value> = business
        .pipelines
        .iter()
        .map(|row| json!({"id": row.id, "name": row.name, "locationId": business.location, "stages": stages(&row.stages)}))
        .collect();
    respond(StatusCode::OK, &json!({"pipelines": rows}))
}
