//! Login with Amazon: access tokens of an hour for refresh tokens that stay, and Seller Central's consent.

use std::{collections::HashMap, sync::Arc};

use axum::{
    Json,
    body::Bytes,
    extract::{Query, State},
    http::{HeaderMap, HeaderValue, StatusCode},
    response::{IntoResponse, Redirect, Response},
};
use serde_json::{Map, Value, json};

use super::secret;
use crate::{clock::MINUTE, world::World};

/// `POST /auth/o2/token`, as a form or as JSON.
pub(crate) async fn token(State(world): State<Arc<World>>, headers: HeaderMap, body: Bytes) -> Response {
    let json = headers.get("content-type").is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    let fields = if json { object(&body) } else { url::form_urlencoded::parse(&body).into_owned().collect() };
    let mut response = grant(&world, &fields).unwrap_or_else(Denied::into_response);
    response.headers_mut().insert("cache-control", HeaderValue::from_static("no-store"));
    response
}

/// What OAuth says when it says no (RFC 6749 §5.2).
struct Denied {
    status: StatusCode,
    error: &'static str,
    description: String,
}

fn grant(world: &World, fields: &HashMap<String, String>) -> Result<Response, Denied> {
    let field = |name: &str| {
        let given = fields.get(name).filter(|value| !value.is_empty());
        given.ok_or_else(|| {
            denied(400, "invalid_request", &format!("The request is missing a required parameter : {name}"))
        })
    };
    let kind = field("grant_type")?;
    let client = (field("client_id")?, field("client_secret")?);
    let now = world.now();
    let mut shop = world.amazon();
    if (client.0.as_str(), client.1.as_str()) != (shop.client_id().as_str(), shop.client_secret().as_str()) {
        return Err(denied(401, "invalid_client", "Client authentication failed"));
    }
    let refresh = match kind.as_str() {
        "refresh_token" => {
            let refresh = field("refresh_token")?;
            let known = shop.refresh.contains(refresh).then(|| refresh.clone());
            known.ok_or_else(|| invalid_grant("refresh_token"))?
        }
        "authorization_code" => {
            let until = shop.codes.remove(field("code")?).filter(|until| *until > now);
            until.ok_or_else(|| invalid_grant("code"))?;
            shop.issued += 1;
            let refresh = format!("Atzr|{}", secret(shop.seed, 100 + shop.issued));
            shop.refresh.push(refresh.clone());
            refresh
        }
        _ => return Err(denied(400, "unsupported_grant_type", "The authorization grant type is not supported")),
    };
    let access = shop.issue(now);
    let answer = json!({"access_token": access, "refresh_token": refresh, "token_type": "bearer", "expires_in": 3600});
    Ok(Json(answer).into_response())
}

fn invalid_grant(parameter: &str) -> Denied {
    denied(400, "invalid_grant", &format!("The request has an invalid grant parameter : {parameter}"))
}

fn denied(status: u16, error: &'static str, description: &str) -> Denied {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
    Denied { status, error, description: description.to_owned() }
}

impl IntoResponse for Denied {
    fn into_response(self) -> Response {
        let body = json!({"error": self.error, "error_description": self.description});
        (self.status, Json(body)).into_response()
    }
}

fn object(body: &[u8]) -> HashMap<String, String> {
    let object: Map<String, Value> = serde_json::from_slice(body).unwrap_or_default();
    object.into_iter().filter_map(|(name, value)| Some((name, value.as_str()?.to_owned()))).collect()
}

/// Seller Central's page; consent is given at once. It has names of its own for what OAuth calls `code`.
pub(crate) async fn consent(State(world): State<Arc<World>>, Query(query): Query<HashMap<String, String>>) -> Response {
    let back = query.get("redirect_uri").and_then(|back| url::Url::parse(back).ok());
    let Some(mut back) = back else {
        return (StatusCode::BAD_REQUEST, "redirect_uri is needed").into_response();
    };
    let now = world.now();
    let mut shop = world.amazon();
    if query.get("application_id") != Some(&shop.application_id()) {
        return (StatusCode::BAD_REQUEST, "MD1000: the application_id is unknown").into_response();
    }
    // A draft is only found by those who say that they mean it.
    if query.get("version").map(String::as_str) != Some("beta") {
        return (StatusCode::BAD_REQUEST, "MD5110: the application is a draft; add version=beta").into_response();
    }
    shop.issued += 1;
    let code = format!("RH{}", &secret(shop.seed, 100 + shop.issued)[..18]);
    shop.codes.insert(code.clone(), now + 5 * MINUTE);
    let seller = shop.seller();
    back.query_pairs_mut().append_pair("spapi_oauth_code", &code).append_pair("selling_partner_id", &seller);
    if let Some(state) = query.get("state") {
        back.query_pairs_mut().append_pair("state", state);
    }
    Redirect::to(back.as_str()).into_response()
}
