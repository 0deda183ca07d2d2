//! Google's token server: access tokens live 3,599 seconds, a refresh token stays the same until it is revoked.

use std::{collections::HashMap, sync::Arc};

use axum::{
    body::Bytes,
    extract::{Query, State},
    response::{IntoResponse, Redirect, Response},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::{
    google,
    reply::{Refusal, Reply, ok},
};
use crate::{
    business::{Kind, random, uuid},
    clock::{MINUTE, Millis, SECOND},
    world::World,
};

const ACCESS: Millis = 3_599 * SECOND;
const CODE: Millis = 10 * MINUTE;
/// What the sample account was granted.
pub(super) const ALL: &str = "https://www.googleapis.com/auth/drive.readonly \
     https://www.googleapis.com/auth/spreadsheets https://www.googleapis.com/auth/gmail.readonly \
     https://www.googleapis.com/auth/gmail.compose https://www.googleapis.com/auth/calendar.events";
const JWT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
/// Where an assertion is meant for, whatever host it is sent to.
const AUDIENCE: &str = "https://oauth2.googleapis.com/token";

/// What was granted and is still good.
#[derive(Default)]
pub(crate) struct Grants {
    seed: u64,
    issued: u64,
    pub client_id: String,
    pub client_secret: String,
    /// The refresh token of the sample account.
    pub first_refresh: String,
    codes: HashMap<String, Code>,
    access: HashMap<String, (String, Millis)>,
    refresh: HashMap<String, String>,
}

/// A person's consent that was not redeemed yet.
struct Code {
    scopes: String,
    redirect: String,
    challenge: Option<String>,
    offline: bool,
    expires: Millis,
}

impl Grants {
    pub(super) fn new(seed: u64) -> Grants {
        let mut grants = Grants { seed, ..Grants::default() };
        grants.client_id = format!("1002-{}.apps.googleusercontent.com", grants.secret());
        grants.client_secret = format!("GOCSPX-{}", &grants.secret()[..28]);
        grants.first_refresh = grants.refresh(ALL);
        grants
    }

    /// Issues an access token.
    pub(super) fn access(&mut self, scopes: &str, now: Millis) -> String {
        let token = format!("ya29.{}", self.secret());
        self.access.insert(token.clone(), (scopes.to_owned(), now + ACCESS));
        token
    }

    fn refresh(&mut self, scopes: &str) -> String {
        let token = format!("1//0{}", self.secret());
        self.refresh.insert(token.clone(), scopes.to_owned());
        token
    }

    /// The scopes of an access token that is good.
    pub(super) fn scopes(&self, access: &str, now: Millis) -> Option<String> {
        self.access.get(access).filter(|(_, expires)| *expires > now).map(|(scopes, _)| scopes.clone())
    }

    /// Ends an access token before its time.
    pub(super) fn kill(&mut self, access: &str) {
        self.access.remove(access);
    }

    fn secret(&mut self) -> String {
        self.issued += 1;
        // Far from the numbers of the other vendors' secrets.
        uuid(&mut random(self.seed, Kind::Secret, (7 << 32) | self.issued)).replace('-', "")
    }
}

/// The consent page; consent is given at once.
pub(super) async fn authorize(
    State(world): State<Arc<World>>,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    let text = |key: &str| query.get(key).map(String::as_str);
    let now = world.now();
    let mut google = google(&world);
    let Some(mut back) = text("redirect_uri").and_then(|back| url::Url::parse(back).ok()) else {
        return Refusal::grant(400, "invalid_request", "Missing required parameter: redirect_uri").into_response();
    };
    if text("client_id") != Some(&google.grants.client_id) {
        return Refusal::grant(401, "invalid_client", "The OAuth client was not found.").into_response();
    }
    if text("response_type") != Some("code") || text("scope").is_none() {
        return Refusal::grant(400, "invalid_request", "Missing required parameter: scope").into_response();
    }
    let scopes = text("scope").unwrap_or_default().to_owned();
    let code = format!("4/0A{}", google.grants.secret());
    let consent = Code {
        scopes: scopes.clone(),
        redirect: back.to_string(),
        challenge: text("code_challenge").map(str::to_owned),
        // Without `prompt=consent` a second consent brings no refresh token.
        offline: text("access_type") == Some("offline") && text("prompt").is_some_and(|p| p.contains("consent")),
        expires: now + CODE,
    };
    google.grants.codes.insert(code.clone(), consent);
    back.query_pairs_mut().append_pair("code", &code).append_pair("scope", &scopes);
    if let Some(state) = text("state") {
        back.query_pairs_mut().append_pair("state", state);
    }
    Redirect::to(back.as_str()).into_response()
}

pub(super) async fn token(State(world): State<Arc<World>>, body: Bytes) -> Reply {
    let fields: HashMap<String, String> = url::form_urlencoded::parse(&body).into_owned().collect();
    let field = |key: &str| fields.get(key).map(String::as_str).unwrap_or_default();
    let now = world.now();
    let mut google = google(&world);
    let grants = &mut google.grants;
    if field("grant_type") == JWT {
        let scopes = asserted(field("assertion"), now)?;
        return issued(grants, &scopes, None, now);
    }
    if field("client_id") != grants.client_id || field("client_secret") != grants.client_secret {
        return Err(Refusal::grant(401, "invalid_client", "The OAuth client was not found."));
    }
    match field("grant_type") {
        "authorization_code" => {
            let bad = || Refusal::grant(400, "invalid_grant", "Bad Request");
            let code = grants.codes.remove(field("code")).filter(|code| code.expires > now).ok_or_else(bad)?;
            let redirect = url::Url::parse(field("redirect_uri")).map(|url| url.to_string()).unwrap_or_default();
            if redirect != code.redirect {
                return Err(Refusal::grant(400, "redirect_uri_mismatch", "Bad Request"));
            }
            if code.challenge.as_deref().is_some_and(|challenge| challenge != challenged(field("code_verifier"))) {
                return Err(Refusal::grant(400, "invalid_grant", "Invalid code verifier."));
            }
            let refresh = code.offline.then(|| grants.refresh(&code.scopes));
            issued(grants, &code.scopes, refresh, now)
        }
        "refresh_token" => {
            let gone = || Refusal::grant(400, "invalid_grant", "Token has been expired or revoked.");
            let scopes = grants.refresh.get(field("refresh_token")).cloned().ok_or_else(gone)?;
            issued(grants, &scopes, None, now)
        }
        _ => Err(Refusal::grant(400, "unsupported_grant_type", "Invalid grant_type")),
    }
}

fn issued(grants: &mut Grants, scopes: &str, refresh: Option<String>, now: Millis) -> Reply {
    let mut body = json!({"access_token": grants.access(scopes, now), "expires_in": ACCESS / SECOND, "scope": scopes,
        "token_type": "Bearer"});
    if let Some(refresh) = refresh {
        body["refresh_token"] = refresh.into();
    }
    ok(&body)
}

fn challenged(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(ring::digest::digest(&ring::digest::SHA256, verifier.as_bytes()))
}

/// The scopes of an assertion. Its claims are checked, its signature is not: the sandbox knows nobody's key.
fn asserted(assertion: &str, now: Millis) -> Result<String, Refusal> {
    let bad = |why: &str| Refusal::grant(400, "invalid_grant", why);
    let parts: Vec<&str> = assertion.split('.').collect();
    let part =
        |n: usize| -> Option<Value> { serde_json::from_slice(&URL_SAFE_NO_PAD.decode(parts.get(n)?).ok()?).ok() };
    let (Some(header), Some(claims), 3) = (part(0), part(1), parts.len()) else {
        return Err(bad("Invalid JWT: it is not three parts of base64url"));
    };
    let (iat, exp) = (claims["iat"].as_i64().unwrap_or(0), claims["exp"].as_i64().unwrap_or(0));
    if header["alg"] != "RS256" || parts[2].is_empty() {
        return Err(bad("Invalid JWT Signature."));
    }
    if exp > iat + 3_600 || exp * SECOND < now {
        return Err(bad("Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe."));
    }
    if claims["aud"] != AUDIENCE && !claims["aud"].as_str().is_some_and(|aud| aud.ends_with("/google_workspace/token"))
    {
        return Err(bad("Invalid JWT: Failed audience check."));
    }
    if !claims["iss"].as_str().is_some_and(|iss| iss.ends_with(".iam.gserviceaccount.com")) {
        return Err(bad("Invalid grant: account not found"));
    }
    let scopes = claims["scope"].as_str().filter(|scopes| !scopes.is_empty());
    Ok(scopes.ok_or_else(|| Refusal::grant(400, "invalid_scope", "Empty or missing scope not allowed."))?.to_owned())
}

/// Ends a refresh token and every access token with it, or an access token alone.
pub(super) async fn revoke(
    State(world): State<Arc<World>>,
    Query(query): Query<HashMap<String, String>>,
    body: Bytes,
) -> Reply {
    let form: HashMap<String, String> = url::form_urlencoded::parse(&body).into_owned().collect();
    let token = query.get("token").or(form.get("token")).cloned().unwrap_or_default();
    let mut google = google(&world);
    let known = google.grants.refresh.remove(&token).is_some();
    if known {
        google.grants.access.clear();
    } else if google.grants.access.remove(&token).is_none() {
        return Err(Refusal::grant(400, "invalid_token", "Token expired or revoked"));
    }
    ok(&json!({}))
}

pub(super) async fn token_info(State(world): State<Arc<World>>, Query(query): Query<HashMap<String, String>>) -> Reply {
    let now = world.now();
    let google = google(&world);
    let token = query.get("access_token").cloned().unwrap_or_default();
    match google.grants.access.get(&token).filter(|(_, expires)| *expires > now) {
        Some((scopes, expires)) => ok(&json!({"azp": google.grants.client_id, "aud": google.grants.client_id,
            "scope": scopes, "exp": (expires / SECOND).to_string(), "expires_in": ((expires - now) / SECOND).to_string(),
            "access_type": "offline"})),
        None => Err(Refusal::grant(400, "invalid_token", "Invalid Value")),
    }
}
