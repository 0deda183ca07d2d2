//! GoHighLevel's wire: V2 at the root, with dated versions and v3 told apart by a header, and
//! the first generation under `/v1`.

use std::sync::Arc;

use axum::{
    Router,
    extract::{OriginalUri, Request},
    http::Method,
    middleware::from_fn_with_state,
    response::{IntoResponse, Response},
    routing::{delete, get, post, put},
};

use gate::Call;
use reply::{Refusal, Reply};

use crate::world::World;

mod account;
mod calendars;
pub(crate) mod contacts;
mod conversations;
mod filter;
pub(crate) mod gate;
pub(crate) mod limits;
mod locations;
pub(crate) mod messages;
mod notes;
pub(crate) mod oauth;
mod opportunities;
pub(crate) mod reply;
pub(crate) mod rows;
mod search;
mod tasks;
pub(crate) mod v1;

pub use account::GoHighLevelAccount;

pub(crate) fn router(world: &Arc<World>) -> Router<Arc<World>> {
    let admitted = Router::new()
        .merge(contacts())
        .merge(deals())
        .merge(talks())
        .merge(times())
        .merge(places())
        .merge(tokens())
        .layer(from_fn_with_state(world.clone(), gate::admit));
    Router::new()
        .merge(admitted)
        .route("/oauth/token", post(oauth::token))
        .route("/oauth/reconnect", post(oauth::reconnect))
        .route("/oauth/chooselocation", get(oauth::choose_location))
        .route("/v2/oauth/chooselocation", get(oauth::choose_location))
        .nest("/v1", v1::router(world))
        .fallback(no_route)
        .method_not_allowed_fallback(no_route)
}

async fn no_route(request: Request) -> Response {
    Refusal::no_route(request.method().as_str(), request.uri().path()).into_response()
}

fn contacts() -> Router<Arc<World>> {
    Router::new()
        .route("/contacts/search", post(search::search))
        .route("/contacts/search/duplicate", get(contacts::duplicate))
        .route("/contacts/upsert", post(contacts::upsert))
        .route("/contacts/bulk/tags/update/{kind}", post(contacts::bulk_tags))
        .route("/contacts/", get(search::list).post(contacts::create))
        .route("/contacts", get(search::list).post(contacts::create))
        .route("/contacts/{id}", get(contacts::get).put(contacts::update).delete(contacts::delete))
        .route("/contacts/{id}/tags", post(contacts::add_tags).delete(contacts::remove_tags))
        .route("/contacts/{id}/notes", get(notes::list).post(notes::create))
        .route("/contacts/{id}/notes/{note}", get(notes::get).put(notes::update).delete(notes::delete))
        .route("/contacts/{id}/tasks", get(tasks::list).post(tasks::create))
        .route("/contacts/{id}/tasks/{task}", get(tasks::get).put(tasks::update).delete(tasks::delete))
        .route("/contacts/{id}/tasks/{task}/completed", put(tasks::complete))
        .route("/contacts/{id}/appointments", get(calendars::of_contact))
}

fn deals() -> Router<Arc<World>> {
    Router::new()
        .route("/opportunities/pipelines", get(opportunities::pipelines))
        .route("/opportunities/search", get(opportunities::search).post(opportunities::search_body))
        .route("/opportunities/upsert", post(opportunities::upsert))
        .route("/opportunities/", post(opportunities::create))
        .route("/opportunities", post(opportunities::create))
        .route("/opportunities/{id}", get(opportunities::get).put(opportunities::update).delete(opportunities::delete))
        .route("/opportunities/{id}/status", put(opportunities::set_status))
}

fn talks() -> Router<Arc<World>> {
    Router::new()
        .route("/conversations/search", get(conversations::search))
        .route("/conversations/", post(conversations::create))
        .route("/conversations", post(conversations::create))
        .route("/conversations/{id}", get(conversations::get).put(conversations::update))
        .route("/conversations/{id}/messages", get(messages::list))
        .route("/conversations/messages", post(messages::send))
        .route("/conversations/messages/export", get(messages::export))
        .route("/conversations/messages/{id}", get(messages::get))
        .route("/conversations/messages/{id}/schedule", delete(messages::cancel))
        .route("/conversations/messages/email/{id}", get(messages::email))
        .route("/conversations/messages/email/{id}/schedule", delete(messages::cancel))
}

fn times() -> Router<Arc<World>> {
    Router::new()
        .route("/calendars/", get(calendars::list))
        .route("/calendars", get(calendars::list))
        .route("/calendars/events", get(calendars::events))
        .route("/calendars/events/appointments", post(calendars::create))
        .route("/calendars/events/appointments/{id}", get(calendars::appointment).put(calendars::update))
        .route("/calendars/events/{id}", delete(calendars::delete))
        .route("/calendars/{id}", get(calendars::get))
        .route("/calendars/{id}/free-slots", get(calendars::free_slots))
}

fn places() -> Router<Arc<World>> {
    Router::new()
        .route("/locations/{id}", get(locations::get))
        .route("/locations/{id}/customFields", get(locations::custom_fields))
        .route("/locations/{id}/customFields/{field}", get(locations::custom_field))
        .route("/locations/{id}/customValues", get(locations::custom_values))
        .route("/locations/{id}/tags", get(locations::tags).post(locations::create_tag))
        .route("/locations/{id}/tasks/search", post(tasks::search))
        .route("/users/", get(locations::users))
        .route("/users", get(locations::users))
        .route("/users/search", get(locations::search_users))
        .route("/users/{id}", get(locations::user))
}

/// The token paths were renamed in v3: each spelling lives in its own version only.
fn tokens() -> Router<Arc<World>> {
    let dated = Router::new()
        .route("/oauth/locationToken", post(oauth::location_token))
        .route("/oauth/installedLocations", get(oauth::installed_locations))
        .layer(axum::middleware::from_fn(only_dated));
    let v3 = Router::new()
        .route("/oauth/location-token", post(oauth::location_token))
        .route("/oauth/installed-locations", get(oauth::installed_locations))
        .layer(axum::middleware::from_fn(only_v3));
    dated.merge(v3)
}

async fn only_dated(
    call: Call,
    OriginalUri(uri): OriginalUri,
    request: Request,
    next: axum::middleware::Next,
) -> Reply {
    if call.v3() {
        return Err(Refusal::removed(uri.path()));
    }
    Ok(next.run(request).await)
}

async fn only_v3(
    call: Call,
    method: Method,
    OriginalUri(uri): OriginalUri,
    request: Request,
    next: axum::middleware::Next,
) -> Reply {
    if !call.v3() {
        return Err(Refusal::no_route(method.as_str(), uri.path()));
    }
    Ok(next.run(request).await)
}
