//! Slack: the workspace of the simulated business, as the Web API shows it.
//!
//! Nearly everything is answered with HTTP 200; `ok` says whether it worked.

use std::sync::Arc;

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, Query, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::get,
};
use serde_json::{Map, Value, json};

use crate::{gohighlevel::gate::bearer, vendor::Account, world::World};

mod methods;
mod oauth;
mod workspace;

pub(crate) use workspace::Workspace;

pub(crate) fn router(_: &Arc<World>) -> Router<Arc<World>> {
    Router::new()
        .route("/oauth/v2/authorize", get(oauth::authorize))
        .route("/api/oauth.v2.access", get(oauth::access).post(oauth::access))
        .route("/api/{method}", get(call).post(call))
}

pub(crate) fn account(world: &World, url: &str) -> Account {
    let workspace = world.slack();
    let config = json!({"base_url": format!("{url}/api"), "authorize_url": format!("{url}/oauth/v2/authorize"),
        "token_url": format!("{url}/api/oauth.v2.access")});
    Account::new(config)
        .with("token", &*workspace.bot_token)
        .with("access_token", &*workspace.first_access)
        .with("refresh_token", &*workspace.first_refresh)
        .with("client_id", &*workspace.client_id)
        .with("client_secret", &*workspace.client_secret)
        .with("signing_secret", world.webhooks.secret("slack"))
}

/// A bot token that was revoked; the one that never expires included.
pub(crate) fn expire(world: &World, bearer: &str) {
    world.slack().revoke(bearer);
}

/// Slack says most of it with HTTP 200; only limits and outages have a status.
pub(crate) fn refuse(status: StatusCode) -> Response {
    match status.as_u16() {
        400 => no("invalid_arguments"),
        401 => no("invalid_auth"),
        403 => {
            Json(json!({"ok": false, "error": "missing_scope", "needed": "chat:write", "provided": "channels:read"}))
                .into_response()
        }
        404 => no("channel_not_found"),
        429 => too_many(1),
        500..=599 => (status, Json(json!({"ok": false, "error": "service_unavailable"}))).into_response(),
        _ => (status, "").into_response(),
    }
}

fn no(error: &str) -> Response {
    Json(json!({"ok": false, "error": error})).into_response()
}

fn too_many(seconds: i64) -> Response {
    let body = Json(json!({"ok": false, "error": "ratelimited"}));
    (StatusCode::TOO_MANY_REQUESTS, [("retry-after", seconds.to_string())], body).into_response()
}

/// The arguments of a method, from wherever the caller put them.
struct Arguments(Map<String, Value>);

impl Arguments {
    fn read(query: Vec<(String, String)>, headers: &HeaderMap, body: &Bytes) -> Arguments {
        let kind = headers.get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let mut all: Map<String, Value> = query.into_iter().map(|(name, text)| (name, text.into())).collect();
        if kind.starts_with("application/json") {
            let given: Option<Map<String, Value>> = serde_json::from_slice(body).ok();
            all.extend(given.unwrap_or_default());
        } else if kind.starts_with("application/x-www-form-urlencoded") {
            all.extend(
                url::form_urlencoded::parse(body).map(|(name, text)| (name.into_owned(), text.into_owned().into())),
            );
        }
        Arguments(all)
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str().filter(|text| !text.is_empty())
    }

    fn flag(&self, name: &str) -> bool {
        match self.0.get(name) {
            Some(Value::Bool(flag)) => *flag,
            Some(Value::String(text)) => text == "true" || text == "1",
            _ => false,
        }
    }

    fn number(&self, name: &str) -> Option<usize> {
        match self.0.get(name)? {
            Value::Number(number) => usize::try_from(number.as_u64()?).ok(),
            Value::String(text) => text.parse().ok(),
            _ => None,
        }
    }

    /// An object, also where it came as text in a form.
    fn object(&self, name: &str) -> Option<Value> {
        match self.0.get(name)? {
            Value::String(text) => serde_json::from_str(text).ok(),
            value => Some(value.clone()),
        }
    }
}

async fn call(
    State(world): State<Arc<World>>,
    Path(method): Path<String>,
    Query(query): Query<Vec<(String, String)>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let arguments = Arguments::read(query, &headers, &body);
    let Some(token) = bearer(&headers).or_else(|| arguments.text("token")) else { return no("not_authed") };
    let now = world.now();
    if let Err(error) = world.slack().admit(token, now) {
        return no(error);
    }
    if let Some(seconds) = refused(&world, &method, token, &arguments) {
        world.breach("slack");
        return too_many(seconds);
    }
    match methods::answer(&world, &method, &arguments, now) {
        Ok(answer) => {
            let mut all = Map::from_iter([("ok".to_owned(), Value::Bool(true))]);
            all.extend(answer);
            Json(Value::Object(all)).into_response()
        }
        Err(error) => no(error),
    }
}

/// How long the caller has to wait, if it was too fast.
fn refused(world: &World, method: &str, token: &str, arguments: &Arguments) -> Option<i64> {
    if !world.options.enforce_limits {
        return None;
    }
    let channel = arguments.text("channel").unwrap_or_default();
    let whose = if method == "chat.postMessage" { format!("{token} {channel}") } else { token.to_owned() };
    world.slack().take(method, &whose, world.now())
}
