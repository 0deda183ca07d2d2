//! OAuth over HTTP for AI clients: what they discover, and what they exchange. The pages for people are `consent.rs`.

use std::sync::Arc;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::Problem;
use super::address::{Client, limit};
use super::document::{Operation, get, post};
use crate::app::App;
use crate::identity::oauth::{self, OAuth, SCOPES};

pub fn described() -> Vec<Operation> {
    let metadata = |path, id, summary| get(path, id, summary).open().answers::<Object>(200).refuses(&[404, 503]);
    let of_mcp = "/.well-known/oauth-protected-resource/mcp";
    vec![
        metadata("/.well-known/oauth-authorization-server", "showAuthorizationServer", "RFC 8414."),
        metadata("/.well-known/oauth-protected-resource", "showProtectedResource", "RFC 9728."),
        metadata(of_mcp, "showProtectedResourceOfMcp", "RFC 9728, of `/mcp`."),
        exchanging("/token", "exchangeToken", "RFC 6749: a code or a refresh token for tokens.").takes_form::<Object>(),
        exchanging("/revoke", "revokeToken", "RFC 7009: ends a token.").takes_form::<Object>(),
        exchanging("/register", "registerClient", "RFC 7591: a client makes itself known.")
            .takes::<Object>()
            .answers::<Object>(201),
    ]
}

fn exchanging(path: &'static str, id: &'static str, summary: &'static str) -> Operation {
    let answering = post(path, id, summary).open().answers::<Object>(200);
    answering.answers::<Refusal>(400).answers::<Refusal>(401).refuses(&[404, 429, 503])
}

/// What the RFCs describe.
type Object = Map<String, Value>;

/// RFC 6749 §5.2, RFC 7591 §3.2.2.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "OAuthError")]
struct Refusal {
    error: String,
    error_description: Option<String>,
}

/// RFC 8414.
pub async fn metadata(State(app): State<Arc<App>>) -> Result<Json<Value>, Problem> {
    Ok(Json(of(&app).await?.metadata()))
}

/// RFC 9728, at its path and at the root.
pub async fn resource(State(app): State<Arc<App>>) -> Result<Json<Value>, Problem> {
    Ok(Json(of(&app).await?.resource_metadata(&app.config.server.brand)))
}

/// `/token` and `/revoke` (RFC 6749 §3.2, RFC 7009).
pub async fn exchange(
    State(app): State<Arc<App>>,
    Client(address): Client,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let oauth = of(&app).await?;
    limit(&oauth.exchanges, address)?;
    forward(&app, oauth, &uri, &headers, body).await
}

/// `/register` (RFC 7591). What a client asks for is brought to what there is: our scopes, codes and refresh tokens.
pub async fn register(
    State(app): State<Arc<App>>,
    Client(address): Client,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let oauth = of(&app).await?;
    limit(&oauth.registrations, address)?;
    let Ok(Value::Object(mut metadata)) = serde_json::from_slice(&body) else {
        return Ok(refuse("invalid_client_metadata", "the body must be a JSON object"));
    };
    if let Some(why) = unusable(&metadata) {
        return Ok(refuse("invalid_redirect_uri", &why));
    }
    let scopes: Vec<&str> = SCOPES.iter().map(|(name, _)| *name).collect();
    metadata.insert("scope".into(), json!(scopes.join(" ")));
    metadata.insert("grant_types".into(), json!(["authorization_code", "refresh_token"]));
    metadata.insert("response_types".into(), json!(["code"]));
    if let Some(name) = metadata.get("client_name").and_then(Value::as_str).map(oauth::tidy_name) {
        metadata.insert("client_name".into(), json!(name));
    }
    let answer = forward(&app, oauth, &uri, &headers, Value::Object(metadata).to_string().into()).await?;
    if answer.status() == StatusCode::CREATED {
        oauth.make_room(&app).await?;
    }
    Ok(answer)
}

/// Why the redirect addresses cannot be registered.
fn unusable(metadata: &Map<String, Value>) -> Option<String> {
    let Some(list) = metadata.get("redirect_uris").and_then(Value::as_array) else {
        return Some("redirect_uris must be a list of addresses".into());
    };
    list.iter().find_map(|uri| match uri.as_str() {
        Some(uri) => oauth::read_redirect(uri).err(),
        None => Some("a redirect address is a text".into()),
    })
}

fn refuse(error: &str, description: &str) -> Response {
    let body = Json(Refusal { error: error.into(), error_description: Some(description.into()) });
    (StatusCode::BAD_REQUEST, [(header::CACHE_CONTROL, "no-store")], body).into_response()
}

async fn forward(
    app: &Arc<App>,
    oauth: &OAuth,
    uri: &Uri,
    headers: &HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let mut request = axum::http::Request::new(body.into());
    *request.method_mut() = Method::POST;
    *request.uri_mut() = uri.clone();
    *request.headers_mut() = headers.clone();
    let answer = oauth.exchange(app, request).await?;
    Ok(answer.map(|body| Body::from(body.into_bytes())))
}

/// The authorization server, or a 404: clients take that for an answer and ask for a key.
pub(super) async fn of(app: &App) -> Result<&OAuth, Problem> {
    let open = oauth::open(app).await?;
    let detail = "Nobody can be asked to let a client in here; use an API key.";
    open.ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, "not_found", detail))
}
