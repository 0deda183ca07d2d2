//! Intuit's token server: access tokens of an hour, refresh tokens that live 100 days from their last use and five
//! years at most, and change their value once a day.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use axum::{
    body::Bytes,
    extract::{Query, State},
    http::{HeaderMap, StatusCode, header::AUTHORIZATION},
    response::{IntoResponse, Redirect, Response},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::{SALT, fault::respond, realm, state};
use crate::{
    business::{Kind, random, uuid},
    clock::{DAY, HOUR, MINUTE, Millis, SECOND},
    gohighlevel::gate::bearer,
    vendor::TokenRequests,
    world::World,
};

const ACCESS: Millis = HOUR;
/// 8,726,400 s, as the vendor's answers say.
const REFRESH: Millis = 101 * DAY;
const HARD: Millis = 5 * 365 * DAY;
const CODE: Millis = 10 * MINUTE;
const SCOPE: &str = "com.intuit.quickbooks.accounting";

pub(super) fn client_id(seed: u64) -> String {
    format!("AB{}", secret(seed, 1))
}

pub(super) fn client_secret(seed: u64) -> String {
    secret(seed, 2)
}

/// Who may do what until when. A grant is one consent; revoking ends all of its tokens.
#[derive(Default)]
pub(crate) struct Grants {
    issued: u64,
    codes: HashMap<String, Millis>,
    access: HashMap<String, (u64, Millis)>,
    refresh: HashMap<String, Refresh>,
    revoked: HashSet<u64>,
    /// The tokens of the account that the sandbox hands out.
    own: Option<(String, String)>,
    /// Values of refresh tokens that were exchanged for others.
    spent: HashSet<String>,
    /// Another life of access tokens than the vendor's.
    pub(crate) access_life: Option<Millis>,
    pub(crate) requests: TokenRequests,
}

#[derive(Clone, Copy)]
struct Refresh {
    grant: u64,
    /// When this value was made; a day later the next use changes it.
    made: Millis,
    expires: Millis,
    hard: Millis,
}

struct Tokens {
    access: String,
    access_left: Millis,
    refresh: String,
    refresh_left: Millis,
    hard_left: Millis,
}

impl Grants {
    /// Tokens that work now: the same until they end.
    pub(super) fn own(&mut self, seed: u64, now: Millis) -> (String, String) {
        let good =
            |(access, refresh): &&(String, String)| self.admits(access, now) && self.known(refresh, now).is_some();
        if let Some(own) = self.own.as_ref().filter(good) {
            return own.clone();
        }
        let kept = self.own.take().map(|(_, refresh)| refresh).filter(|refresh| self.known(refresh, now).is_some());
        let own = match kept {
            Some(refresh) => (self.access_for(&refresh, seed, now), refresh),
            None => {
                let tokens = self.consent(seed, now);
                (tokens.access, tokens.refresh)
            }
        };
        self.own.insert(own).clone()
    }

    pub(super) fn admits(&self, access: &str, now: Millis) -> bool {
        self.access.get(access).is_some_and(|(grant, expires)| *expires > now && !self.revoked.contains(grant))
    }

    /// Ends an access token before its time.
    pub(super) fn kill(&mut self, access: &str) {
        self.access.remove(access);
    }

    fn code(&mut self, seed: u64, now: Millis) -> String {
        let code = format!("XAB{}", self.secret(seed));
        self.codes.insert(code.clone(), now + CODE);
        code
    }

    fn redeem(&mut self, code: &str, seed: u64, now: Millis) -> Option<Tokens> {
        self.codes.remove(code).filter(|expires| *expires > now)?;
        Some(self.consent(seed, now))
    }

    fn consent(&mut self, seed: u64, now: Millis) -> Tokens {
        let grant = self.issued;
        let refresh = Refresh { grant, made: now, expires: now + REFRESH, hard: now + HARD };
        let value = format!("RT1-{}", self.secret(seed));
        self.refresh.insert(value.clone(), refresh);
        self.tokens(value, refresh, seed, now)
    }

    /// The value of a refresh token changes when it is a day old; the old value is dead then.
    fn renew(&mut self, value: &str, seed: u64, now: Millis) -> Option<Tokens> {
        let mut refresh = self.known(value, now)?;
        refresh.expires = (now + REFRESH).min(refresh.hard);
        let mut value = value.to_owned();
        if now - refresh.made >= DAY {
            self.refresh.remove(&value);
            self.spent.insert(value);
            refresh.made = now;
            value = format!("RT1-{}", self.secret(seed));
        }
        self.refresh.insert(value.clone(), refresh);
        Some(self.tokens(value, refresh, seed, now))
    }

    fn tokens(&mut self, value: String, refresh: Refresh, seed: u64, now: Millis) -> Tokens {
        let (access, access_left) = (self.access_for(&value, seed, now), self.life());
        Tokens {
            access,
            access_left,
            refresh: value,
            refresh_left: refresh.expires - now,
            hard_left: refresh.hard - now,
        }
    }

    fn access_for(&mut self, refresh: &str, seed: u64, now: Millis) -> String {
        let grant = self.refresh.get(refresh).map_or(0, |refresh| refresh.grant);
        let access = format!("eyJhbGciOiJkaXIiLCJlbmMiOiJBMTI4Q0JDLUhTMjU2In0..{}", self.secret(seed));
        self.access.insert(access.clone(), (grant, now + self.life()));
        access
    }

    fn life(&self) -> Millis {
        self.access_life.unwrap_or(ACCESS)
    }

    fn known(&self, refresh: &str, now: Millis) -> Option<Refresh> {
        let found = self.refresh.get(refresh).copied()?;
        (found.expires > now && !self.revoked.contains(&found.grant)).then_some(found)
    }

    /// Ends the consent that this token, of either kind, belongs to.
    fn revoke(&mut self, token: &str) -> bool {
        let grant = self.refresh.get(token).map(|refresh| refresh.grant);
        let Some(grant) = grant.or_else(|| self.access.get(token).map(|(grant, _)| *grant)) else { return false };
        self.revoked.insert(grant)
    }

    fn secret(&mut self, seed: u64) -> String {
        self.issued += 1;
        secret(seed, 100 + self.issued)
    }
}

fn secret(seed: u64, number: u64) -> String {
    uuid(&mut random(seed ^ SALT, Kind::Secret, number)).replace('-', "")
}

/// The consent page; consent is given at once. The company's id comes with the callback and nowhere else.
pub(super) async fn consent(State(world): State<Arc<World>>, Query(query): Query<HashMap<String, String>>) -> Response {
    let seed = world.options.seed;
    let back = query.get("redirect_uri").and_then(|back| url::Url::parse(back).ok());
    let fits = query.get("client_id") == Some(&client_id(seed))
        && query.get("response_type").is_some_and(|kind| kind == "code")
        && query.get("scope").is_some_and(|scope| scope.split(' ').any(|scope| scope == SCOPE));
    let (Some(mut back), true) = (back, fits) else {
        return (StatusCode::BAD_REQUEST, "Sorry, but the application didn't connect").into_response();
    };
    let code = state(&world).grants.code(seed, world.now());
    back.query_pairs_mut().append_pair("code", &code).append_pair("realmId", &realm(seed));
    if let Some(state) = query.get("state") {
        back.query_pairs_mut().append_pair("state", state);
    }
    Redirect::to(back.as_str()).into_response()
}

pub(super) async fn token(State(world): State<Arc<World>>, headers: HeaderMap, body: Bytes) -> Response {
    let (seed, now) = (world.options.seed, world.now());
    let fields: HashMap<String, String> = url::form_urlencoded::parse(&body).into_owned().collect();
    if !is_client(&headers, seed) {
        return denied(StatusCode::UNAUTHORIZED, "invalid_client", None);
    }
    let mut state = state(&world);
    let tokens = match fields.get("grant_type").map(String::as_str) {
        Some("authorization_code") if fields.contains_key("redirect_uri") => {
            fields.get("code").and_then(|code| state.grants.redeem(code, seed, now))
        }
        Some("refresh_token") => fields.get("refresh_token").and_then(|refresh| state.grants.renew(refresh, seed, now)),
        Some("authorization_code") => return denied(StatusCode::BAD_REQUEST, "invalid_request", None),
        _ => return denied(StatusCode::BAD_REQUEST, "unsupported_grant_type", None),
    };
    let spent = fields.get("refresh_token").is_some_and(|refresh| state.grants.spent.contains(refresh));
    state.grants.requests.count(tokens.is_some(), spent);
    drop(state);
    let Some(tokens) = tokens else {
        return denied(StatusCode::BAD_REQUEST, "invalid_grant", Some("Incorrect or invalid refresh token"));
    };
    respond(StatusCode::OK, &described(&tokens, headers.contains_key("x-include-refresh-token-hard-expires-in")))
}

fn described(tokens: &Tokens, with_hard_end: bool) -> Value {
    let mut body = json!({"token_type": "bearer", "access_token": tokens.access, "expires_in": tokens.access_left / SECOND,
        "refresh_token": tokens.refresh, "x_refresh_token_expires_in": tokens.refresh_left / SECOND});
    if with_hard_end {
        body["x_refresh_token_hard_expires_in"] = json!(tokens.hard_left / SECOND);
    }
    body
}

/// Takes the vendor's own JSON and the form of RFC 7009.
pub(super) async fn revoke(State(world): State<Arc<World>>, headers: HeaderMap, body: Bytes) -> Response {
    if !is_client(&headers, world.options.seed) {
        return denied(StatusCode::UNAUTHORIZED, "invalid_client", None);
    }
    let in_json = serde_json::from_slice::<Value>(&body).ok().and_then(|body| Some(body["token"].as_str()?.to_owned()));
    let in_form = || url::form_urlencoded::parse(&body).into_owned().find(|(name, _)| name == "token");
    let Some(token) = in_json.or_else(|| in_form().map(|(_, token)| token)) else {
        return denied(StatusCode::BAD_REQUEST, "invalid_request", None);
    };
    if !state(&world).grants.revoke(&token) {
        return denied(StatusCode::BAD_REQUEST, "invalid_token", None);
    }
    StatusCode::OK.into_response()
}

pub(super) async fn userinfo(State(world): State<Arc<World>>, headers: HeaderMap) -> Response {
    let now = world.now();
    let known = bearer(&headers).is_some_and(|bearer| state(&world).grants.admits(bearer, now));
    if !known {
        return denied(StatusCode::UNAUTHORIZED, "invalid_token", None);
    }
    let business = world.business();
    let owner = &business.users[0];
    let body = json!({"sub": secret(world.options.seed, 3), "email": owner.email, "emailVerified": true,
        "givenName": owner.first_name, "familyName": owner.last_name});
    respond(StatusCode::OK, &body)
}

/// Clients that are pointed at a discovery document find everything from there.
pub(super) async fn discovery(headers: HeaderMap) -> Response {
    let host = headers.get("host").and_then(|host| host.to_str().ok()).unwrap_or("127.0.0.1");
    let at = |path: &str| format!("http://{host}/quickbooks{path}");
    let body = json!({"issuer": at(""), "authorization_endpoint": at("/connect/oauth2"),
        "token_endpoint": at("/oauth2/v1/tokens/bearer"), "userinfo_endpoint": at("/v1/openid_connect/userinfo"),
        "revocation_endpoint": at("/v2/oauth2/tokens/revoke"), "jwks_uri": at("/op/v1/jwks"),
        "response_types_supported": ["code"], "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "scopes_supported": ["openid", "email", "profile", "address", "phone", SCOPE],
        "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"]});
    respond(StatusCode::OK, &body)
}

fn is_client(headers: &HeaderMap, seed: u64) -> bool {
    let expected = format!("Basic {}", STANDARD.encode(format!("{}:{}", client_id(seed), client_secret(seed))));
    headers.get(AUTHORIZATION).is_some_and(|given| given.as_bytes() == expected.as_bytes())
}

fn denied(status: StatusCode, error: &str, description: Option<&str>) -> Response {
    let mut body = json!({"error": error});
    if let Some(description) = description {
        body["error_description"] = json!(description);
    }
    respond(status, &body)
}
