//! OAuth v2: consent, codes, and tokens that rotate.

use std::sync::Arc;

use axum::{
    Json,
    body::Bytes,
    extract::{Query, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Redirect, Response},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::json;

use super::{Arguments, no};
use crate::world::World;

const SCOPES: &str = "chat:write,channels:read,channels:history,groups:read,groups:history";

/// Consents at once and sends the browser back.
pub(super) async fn authorize(State(world): State<Arc<World>>, Query(query): Query<Vec<(String, String)>>) -> Response {
    let given = |name: &str| query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let mut workspace = world.slack();
    if given("client_id") != Some(&workspace.client_id) {
        return (StatusCode::OK, "Something went wrong when authorizing this app: invalid client_id parameter")
            .into_response();
    }
    let Some(mut back) = given("redirect_uri").and_then(|uri| url::Url::parse(uri).ok()) else {
        return (StatusCode::OK, "Something went wrong when authorizing this app: bad redirect_uri").into_response();
    };
    back.query_pairs_mut().append_pair("code", &workspace.code(world.now()));
    if let Some(state) = given("state") {
        back.query_pairs_mut().append_pair("state", state);
    }
    Redirect::to(back.as_str()).into_response()
}

/// `oauth.v2.access`: a code or a refresh token for a new pair. What is refused has HTTP 200 too.
pub(super) async fn access(
    State(world): State<Arc<World>>,
    Query(query): Query<Vec<(String, String)>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let arguments = Arguments::read(query, &headers, &body);
    let now = world.now();
    let mut workspace = world.slack();
    let (id, secret) = client(&headers, &arguments);
    if id.as_deref() != Some(&workspace.client_id) {
        return no("invalid_client_id");
    }
    if secret.as_deref() != Some(&workspace.client_secret) {
        return no("bad_client_secret");
    }
    let granted = match arguments.text("grant_type").unwrap_or("authorization_code") {
        "authorization_code" if workspace.redeem(arguments.text("code").unwrap_or_default(), now) => Ok(()),
        "authorization_code" => Err("invalid_code"),
        "refresh_token" if workspace.rotate(arguments.text("refresh_token").unwrap_or_default()) => Ok(()),
        "refresh_token" => Err("invalid_refresh_token"),
        _ => Err("invalid_grant_type"),
    };
    if let Err(error) = granted {
        return no(error);
    }
    let (access, refresh) = workspace.issue(now);
    Json(json!({"ok": true, "access_token": access, "token_type": "bot", "scope": SCOPES, "bot_user_id": workspace.bot,
        "app_id": "A0SANDBOX01", "expires_in": workspace.lifetime(), "refresh_token": refresh,
        "team": {"name": workspace.team_name, "id": workspace.team}, "enterprise": null,
        "is_enterprise_install": false, "authed_user": {"id": workspace.bot}}))
    .into_response()
}

/// The client's id and secret: HTTP Basic, as Slack prefers, or among the arguments.
fn client(headers: &HeaderMap, arguments: &Arguments) -> (Option<String>, Option<String>) {
    let basic = headers.get("authorization").and_then(|value| value.to_str().ok()?.strip_prefix("Basic "));
    if let Some(text) = basic.and_then(|basic| String::from_utf8(STANDARD.decode(basic).ok()?).ok())
        && let Some((id, secret)) = text.split_once(':')
    {
        return (Some(id.to_owned()), Some(secret.to_owned()));
    }
    let text = |name| arguments.text(name).map(str::to_owned);
    (text("client_id"), text("client_secret"))
}
