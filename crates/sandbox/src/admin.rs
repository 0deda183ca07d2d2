//! `/__sandbox`: what tests in other processes may ask of the sandbox. No vendor has these.

use std::{sync::Arc, time::Duration};

use axum::{
    Json, Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{
    faults::Rule,
    gohighlevel::{gate::Reach, reply::Refusal},
    people,
    world::World,
};

pub(crate) fn router() -> Router<Arc<World>> {
    Router::new()
        .route("/account", get(account))
        .route("/faults", get(faults).post(add_fault).delete(clear_faults))
        .route("/effects", get(effects))
        .route("/mails", get(mails))
        .route("/stats", get(stats))
        .route("/contacts", post(create_contact))
        .route("/contacts/{number}", get(contact).put(update_contact).delete(delete_contact))
        .route("/messages", post(message))
        .route("/webhooks", post(subscribe))
        .route("/webhooks/duplicates", post(duplicates))
        .route("/webhooks/hold", post(hold))
        .route("/webhooks/release", post(release))
        .route("/webhooks/burst", post(burst))
        .route("/clock", post(clock))
        .route("/oauth/code", post(code))
}

async fn account(State(world): State<Arc<World>>) -> Response {
    Json(&world.account).into_response()
}

async fn faults(State(world): State<Arc<World>>) -> Response {
    Json(world.faults.all()).into_response()
}

/// `{"fault": {"status": 503}, "times": 2, "path": "/contacts", "method": "POST"}`; all but the
/// fault may be left out.
async fn add_fault(State(world): State<Arc<World>>, Json(rule): Json<Rule>) -> StatusCode {
    world.faults.add(rule);
    StatusCode::NO_CONTENT
}

async fn clear_faults(State(world): State<Arc<World>>) -> StatusCode {
    world.faults.clear();
    StatusCode::NO_CONTENT
}

async fn effects(State(world): State<Arc<World>>) -> Response {
    Json(json!({"effects": world.business().effects})).into_response()
}

async fn mails(State(world): State<Arc<World>>) -> Response {
    Json(json!({"mails": world.post().mails})).into_response()
}

async fn stats(State(world): State<Arc<World>>) -> Response {
    let business = world.business();
    Json(json!({"contacts": business.contacts.len(), "opportunities": business.opportunities.len(),
        "conversations": business.conversations.len(), "notes": business.notes.len(), "tasks": business.tasks.len(),
        "appointments": business.appointments.len(), "effects": business.effects.len(),
        "requests": world.requests(), "breaches": *world.breaches(), "now": crate::clock::iso(world.now())}))
    .into_response()
}

async fn create_contact(State(world): State<Arc<World>>, Json(fields): Json<Map<String, Value>>) -> Response {
    answer(people::create(&world, &fields))
}

async fn contact(State(world): State<Arc<World>>, number: axum::extract::Path<usize>) -> Response {
    answer(people::show(&world, number.0))
}

async fn update_contact(
    State(world): State<Arc<World>>,
    number: axum::extract::Path<usize>,
    Json(fields): Json<Map<String, Value>>,
) -> Response {
    answer(people::update(&world, number.0, &fields))
}

async fn delete_contact(State(world): State<Arc<World>>, number: axum::extract::Path<usize>) -> Response {
    answer(people::delete(&world, number.0))
}

#[derive(Deserialize)]
struct Said {
    contact: usize,
    text: String,
}

/// A customer writes an SMS.
async fn message(State(world): State<Arc<World>>, Json(said): Json<Said>) -> Response {
    answer(people::write(&world, said.contact, &said.text))
}

fn answer(outcome: Result<Value, Refusal>) -> Response {
    match outcome {
        Ok(value) => Json(value).into_response(),
        Err(refusal) => refusal.into_response(),
    }
}

#[derive(Deserialize)]
struct Subscription {
    url: String,
    #[serde(default = "gohighlevel")]
    ecosystem: String,
}

fn gohighlevel() -> String {
    "gohighlevel".into()
}

async fn subscribe(State(world): State<Arc<World>>, Json(subscription): Json<Subscription>) -> Response {
    match world.webhooks.subscribe(&subscription.ecosystem, &subscription.url) {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => (StatusCode::BAD_REQUEST, error).into_response(),
    }
}

#[derive(Deserialize)]
struct Duplicates {
    copies: u32,
}

/// Every delivery is made so many more times.
async fn duplicates(State(world): State<Arc<World>>, Json(wanted): Json<Duplicates>) -> StatusCode {
    world.webhooks.duplicate(wanted.copies);
    StatusCode::NO_CONTENT
}

async fn hold(State(world): State<Arc<World>>) -> StatusCode {
    world.webhooks.hold();
    StatusCode::NO_CONTENT
}

#[derive(Deserialize)]
struct Release {
    #[serde(default)]
    reversed: bool,
}

/// Delivers what was kept back, and tells the answers.
async fn release(State(world): State<Arc<World>>, Json(wanted): Json<Release>) -> Response {
    Json(json!({"answers": world.webhooks.release(wanted.reversed).await})).into_response()
}

#[derive(Deserialize)]
struct Burst {
    ecosystem: String,
    url: String,
    count: u64,
}

async fn burst(State(world): State<Arc<World>>, Json(wanted): Json<Burst>) -> Response {
    match world.webhooks.burst(&world, &wanted.ecosystem, &wanted.url, wanted.count).await {
        Ok(answers) => Json(json!({"answers": answers})).into_response(),
        Err(error) => (StatusCode::BAD_REQUEST, error).into_response(),
    }
}

#[derive(Deserialize)]
struct Skip {
    seconds: u64,
}

async fn clock(State(world): State<Arc<World>>, Json(skip): Json<Skip>) -> Response {
    world.clock.skip(Duration::from_secs(skip.seconds));
    Json(json!({"now": crate::clock::iso(world.now())})).into_response()
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Consent {
    #[serde(default)]
    user_type: String,
}

/// An authorization code, as if a person had consented.
async fn code(State(world): State<Arc<World>>, Json(consent): Json<Consent>) -> Response {
    let reach = if consent.user_type == "Company" { Reach::Company } else { Reach::Location };
    let now = world.now();
    Json(json!({"code": world.grants().code(reach, now)})).into_response()
}
