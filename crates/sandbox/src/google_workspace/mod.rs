//! Google's APIs of one person under `/google_workspace`: `drive/v3`, `docs/v1`, `sheets/v4`, `gmail/v1`,
//! `calendar/v3`, and the token server with `token`, `revoke`, `tokeninfo` and `o/oauth2/v2/auth`.

use std::sync::{Arc, MutexGuard, PoisonError};

use axum::{
    Router,
    http::StatusCode,
    middleware::from_fn_with_state,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::json;

use crate::{
    vendor::{Account, Vendor},
    world::World,
};
use gate::{Service, admit};
use reply::Refusal;

mod calendar;
mod drive;
mod gate;
mod gmail;
mod letters;
mod mask;
mod oauth;
mod paging;
mod query;
mod reply;
mod search;
mod seed;
mod sheets;
mod state;
mod values;

pub(crate) use state::State;

pub(crate) const VENDOR: Vendor = Vendor { name: "google_workspace", router, refuse, expire, account, at_once: None };

fn router(world: &Arc<World>) -> Router<Arc<World>> {
    let of = |router: Router<Arc<World>>, service: Service| {
        router.fallback(no_route).layer(from_fn_with_state((world.clone(), service), admit))
    };
    Router::new()
        .nest("/drive/v3", of(drive::router(), Service::Drive))
        .nest("/docs/v1", of(Router::new().route("/documents/{id}", get(drive::document)), Service::Docs))
        .nest("/sheets/v4", of(sheets::router(), Service::Sheets))
        .nest("/gmail/v1", of(gmail::router(), Service::Gmail))
        .nest("/calendar/v3", of(calendar::router(), Service::Calendar))
        .route("/token", post(oauth::token))
        .route("/revoke", post(oauth::revoke))
        .route("/tokeninfo", get(oauth::token_info))
        .route("/o/oauth2/v2/auth", get(oauth::authorize))
        .fallback(no_route)
}

/// Google answers an unknown path with a page.
async fn no_route() -> Response {
    let page =
        "<!DOCTYPE html><title>Error 404 (Not Found)!!1</title><p>The requested URL was not found on this server.";
    (StatusCode::NOT_FOUND, axum::response::Html(page)).into_response()
}

fn refuse(status: StatusCode) -> Response {
    Refusal::with_status(status).into_response()
}

fn expire(world: &World, bearer: &str) {
    google(world).grants.kill(bearer);
}

fn account(world: &World, base: &str) -> Account {
    let now = world.now();
    let mut google = google(world);
    let grants = &mut google.grants;
    let config = json!({
        "drive_url": format!("{base}/drive/v3"),
        "docs_url": format!("{base}/docs/v1"),
        "sheets_url": format!("{base}/sheets/v4"),
        "gmail_url": format!("{base}/gmail/v1"),
        "calendar_url": format!("{base}/calendar/v3"),
        "token_url": format!("{base}/token"),
        "authorize_url": format!("{base}/o/oauth2/v2/auth"),
        "revoke_url": format!("{base}/revoke"),
    });
    let access = grants.access(oauth::ALL, now);
    Account::new(config)
        .with("client_id", grants.client_id.clone())
        .with("client_secret", grants.client_secret.clone())
        .with("refresh_token", grants.first_refresh.clone())
        .with("access_token", access)
        .with("channel_token", world.webhooks.secret("google_workspace"))
}

/// A person renames a document in the browser; whether there is one of this id.
pub(crate) fn rename(world: &World, id: &str, name: &str) -> bool {
    let (now, mut google) = (world.now(), google(world));
    let known = google.file(id).is_some();
    google.touch(id, now, |file| file.name = name.to_owned());
    if known {
        drive::record(world, now, "DriveFileUpdate", id, json!({"id": id, "name": name}));
    }
    known
}

/// The state, made from the business when it is first asked for. Whoever needs the business as well takes this first.
fn google(world: &World) -> MutexGuard<'_, State> {
    let mut state = world.google.lock().unwrap_or_else(PoisonError::into_inner);
    state.fill(world);
    state
}
