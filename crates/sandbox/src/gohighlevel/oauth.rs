//! OAuth: codes, tokens that expire, refresh tokens that work once.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use axum::{
    body::Bytes,
    extract::{Query, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Redirect, Response},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value, json};

use super::{
    gate::{Body, Call, Reach, Version, content_type, version},
    reply::{Refusal, Reply, ok, respond},
};
use crate::{
    business::{Kind, random, uuid},
    clock::{DAY, MINUTE, Millis, SECOND, iso},
    vendor::TokenRequests,
    world::World,
};

/// An access token lives a day, less a second.
const ACCESS: Millis = 86_399 * SECOND;
const REFRESH: Millis = 365 * DAY;
const CODE: Millis = 10 * MINUTE;
const SCOPES: &str = "contacts.readonly contacts.write opportunities.readonly opportunities.write \
     conversations.readonly conversations.write conversations/message.readonly conversations/message.write \
     calendars.readonly calendars/events.readonly calendars/events.write locations.readonly \
     locations/customFields.readonly locations/tags.readonly locations/tags.write locations/tasks.readonly \
     users.readonly oauth.readonly oauth.write";

/// What was granted and is still good.
pub(crate) struct Grants {
    seed: u64,
    issued: u64,
    codes: HashMap<String, (Reach, Millis)>,
    access: HashMap<String, (Reach, Millis)>,
    refresh: HashMap<String, (Reach, Millis)>,
    /// Refresh tokens that were used.
    spent: HashSet<String>,
    /// Another life of access tokens than the vendor's.
    pub(crate) access_life: Option<Millis>,
    pub(crate) requests: TokenRequests,
}

impl Grants {
    pub(crate) fn new(seed: u64) -> Grants {
        Grants {
            seed,
            issued: 0,
            codes: HashMap::new(),
            access: HashMap::new(),
            refresh: HashMap::new(),
            spent: HashSet::new(),
            access_life: None,
            requests: TokenRequests::default(),
        }
    }

    /// What a person's consent would bring.
    pub(crate) fn code(&mut self, reach: Reach, now: Millis) -> String {
        let code = self.secret();
        self.codes.insert(code.clone(), (reach, now + CODE));
        code
    }

    pub(crate) fn reach(&self, access: &str, now: Millis) -> Option<Reach> {
        self.access.get(access).filter(|(_, expires)| *expires > now).map(|(reach, _)| *reach)
    }

    /// Ends an access token before its time.
    pub(crate) fn kill(&mut self, access: &str) {
        self.access.remove(access);
    }

    fn redeem(&mut self, code: &str, now: Millis) -> Option<Reach> {
        self.codes.remove(code).filter(|(_, expires)| *expires > now).map(|(reach, _)| reach)
    }

    /// A refresh token works once; the caller gets a new one.
    fn rotate(&mut self, refresh: &str, now: Millis) -> Option<Reach> {
        let (reach, expires) = self.refresh.remove(refresh)?;
        self.spent.insert(refresh.to_owned());
        (expires > now).then_some(reach)
    }

    fn life(&self) -> Millis {
        self.access_life.unwrap_or(ACCESS)
    }

    fn issue(&mut self, reach: Reach, now: Millis) -> Issued {
        let ends = now + self.life();
        let access = self.token("access", reach, ends);
        let refresh = self.token("refresh", reach, now + REFRESH);
        self.access.insert(access.clone(), (reach, ends));
        self.refresh.insert(refresh.clone(), (reach, now + REFRESH));
        Issued { access, refresh, life: ends - now }
    }

    /// Looks like the vendor's: a JWT that nobody outside needs to read.
    fn token(&mut self, what: &str, reach: Reach, expires: Millis) -> String {
        let class = if reach == Reach::Company { "Company" } else { "Location" };
        let claims = json!({"authClass": class, "source": "INTEGRATION", "use": what, "exp": expires / SECOND,
            "jti": self.secret()});
        jwt(&json!({"alg": "RS256", "typ": "JWT"}), &claims, &self.secret())
    }

    fn secret(&mut self) -> String {
        self.issued += 1;
        uuid(&mut random(self.seed, Kind::Secret, 1_000 + self.issued)).replace('-', "")
    }
}

struct Issued {
    access: String,
    refresh: String,
    life: Millis,
}

/// Three base64 parts; the last is no real signature.
pub(crate) fn jwt(header: &Value, claims: &Value, signature: &str) -> String {
    let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    format!(
        "{}.{}.{}",
        part(header.to_string().as_bytes()),
        part(claims.to_string().as_bytes()),
        part(signature.as_bytes())
    )
}

/// The consent page; consent is given at once.
pub(crate) async fn choose_location(
    State(world): State<Arc<World>>,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    let (Some(back), Some(client)) = (query.get("redirect_uri"), query.get("client_id")) else {
        return Refusal::bad_request("client_id and redirect_uri are needed").into_response();
    };
    let Ok(mut back) = url::Url::parse(back) else {
        return Refusal::bad_request("redirect_uri is no URL").into_response();
    };
    if *client != world.account.client_id {
        return Refusal::bad_request("No integration found with this client_id").into_response();
    }
    let code = world.grants().code(Reach::Location, world.now());
    back.query_pairs_mut().append_pair("code", &code);
    if let Some(state) = query.get("state") {
        back.query_pairs_mut().append_pair("state", state);
    }
    Redirect::to(back.as_str()).into_response()
}

/// `POST /oauth/token`: snake case and forms in the dated versions, camel case in v3.
pub(crate) async fn token(State(world): State<Arc<World>>, headers: HeaderMap, body: Bytes) -> Response {
    // The dated operation declares no `Version` header, so that its absence is no mistake here.
    let named = if headers.contains_key("version") { version(&headers) } else { Ok(Version::Dated) };
    let version = match named {
        Ok(version) => version,
        Err(refusal) => return refusal.into_response(),
    };
    let json = content_type(&headers).contains("json");
    if json && version == Version::Dated {
        let text = "Invalid request: content must be application/x-www-form-urlencoded";
        return denied(StatusCode::BAD_REQUEST, "invalid_request", text);
    }
    let fields = if json { object(&body) } else { form(&body) };
    grant(&world, version, &fields)
}

fn grant(world: &World, version: Version, fields: &HashMap<String, String>) -> Response {
    let field = |dated: &str, v3: &str| fields.get(if version == Version::V3 { v3 } else { dated }).map(String::as_str);
    let account = &world.account;
    let client = (field("client_id", "clientId"), field("client_secret", "clientSecret"));
    if client != (Some(account.client_id.as_str()), Some(account.client_secret.as_str())) {
        return denied(StatusCode::UNAUTHORIZED, "invalid_client", "Invalid client: client is invalid");
    }
    let now = world.now();
    let mut grants = world.grants();
    let (reach, missing) = match field("grant_type", "grantType") {
        Some("authorization_code") => {
            let redeemed = field("code", "code").and_then(|code| grants.redeem(code, now));
            grants.requests.count(redeemed.is_some(), false);
            (redeemed, "authorization code")
        }
        Some("refresh_token") => {
            let refresh = field("refresh_token", "refreshToken");
            let spent = refresh.is_some_and(|refresh| grants.spent.contains(refresh));
            let good = refresh.is_some_and(|refresh| grants.refresh.contains_key(refresh));
            grants.requests.count(good, spent);
            (refresh.and_then(|refresh| grants.rotate(refresh, now)), "refresh token")
        }
        _ => {
            let text = "Unsupported grant type: `grant_type` is invalid";
            return denied(StatusCode::BAD_REQUEST, "unsupported_grant_type", text);
        }
    };
    let Some(reach) = reach else {
        return denied(StatusCode::BAD_REQUEST, "invalid_grant", &format!("Invalid grant: {missing} is invalid"));
    };
    let issued = grants.issue(reach, now);
    drop(grants);
    respond(StatusCode::OK, &described(world, version, reach, &issued))
}

fn denied(status: StatusCode, error: &str, description: &str) -> Response {
    respond(status, &json!({"error": error, "error_description": description, "statusCode": status.as_u16()}))
}

fn described(world: &World, version: Version, reach: Reach, issued: &Issued) -> Value {
    let business = world.business();
    let (user, company, location) = (business.users[0].id, business.company, business.location);
    drop(business);
    let v3 = version == Version::V3;
    let key = |dated: &'static str, v3_name: &'static str| if v3 { v3_name } else { dated };
    let mut body = Map::new();
    body.insert(key("access_token", "accessToken").into(), issued.access.clone().into());
    body.insert(key("token_type", "tokenType").into(), "Bearer".into());
    body.insert(key("expires_in", "expiresIn").into(), (issued.life / SECOND).into());
    body.insert(key("refresh_token", "refreshToken").into(), issued.refresh.clone().into());
    body.insert("scope".into(), SCOPES.into());
    body.insert("userType".into(), if reach == Reach::Company { "Company" } else { "Location" }.into());
    body.insert("companyId".into(), company.as_str().into());
    body.insert("userId".into(), user.as_str().into());
    body.insert("isBulkInstallation".into(), (reach == Reach::Company).into());
    match reach {
        Reach::Location => body.insert("locationId".into(), location.as_str().into()),
        Reach::Company => body.insert("approvedLocations".into(), json!([location.as_str()])),
    };
    Value::Object(body)
}

fn form(body: &[u8]) -> HashMap<String, String> {
    url::form_urlencoded::parse(body).into_owned().collect()
}

fn object(body: &[u8]) -> HashMap<String, String> {
    let object: Map<String, Value> = serde_json::from_slice(body).unwrap_or_default();
    object.into_iter().filter_map(|(key, value)| Some((key, value.as_str()?.to_owned()))).collect()
}

/// A location's token for an agency's.
pub(crate) async fn location_token(
    State(world): State<Arc<World>>,
    call: Call,
    headers: HeaderMap,
    body: Bytes,
) -> Reply {
    if call.reach != Reach::Company {
        return Err(Refusal::unauthorized("The token is not authorized for this scope."));
    }
    let fields = if content_type(&headers).contains("json") { object(&body) } else { form(&body) };
    let company = world.business().company;
    if fields.get("companyId").map(String::as_str) != Some(company.as_str()) {
        return Err(Refusal::invalid(["companyId must be a string"]));
    }
    call.at(fields.get("locationId").map(String::as_str))?;
    let issued = world.grants().issue(Reach::Location, call.now);
    let mut answer = described(&world, call.version, Reach::Location, &issued);
    if let Some(answer) = answer.as_object_mut() {
        answer.insert("traceId".into(), call.trace.into());
    }
    ok(&answer)
}

/// Where the application is installed: the one location, in the shape of the version.
pub(crate) async fn installed_locations(
    State(world): State<Arc<World>>,
    call: Call,
    Query(query): Query<HashMap<String, String>>,
) -> Reply {
    let account = &world.account;
    let app = account.client_id.split('-').next().unwrap_or_default();
    let company = world.business().company;
    if query.get("companyId").map(String::as_str) != Some(company.as_str()) {
        return Err(Refusal::invalid(["companyId must be a string"]));
    }
    if query.get("appId").map(String::as_str) != Some(app) {
        return Err(Refusal::invalid(["appId must be a string"]));
    }
    let place = json!({"_id": call.location, "name": "MedTainer", "address": "2100 Industrial Blvd, Los Angeles",
        "isInstalled": true, "installedAt": iso(world.options.now.timestamp_millis() - 90 * DAY)});
    if call.v3() {
        let pagination = json!({"totalRecords": 1, "hasNextPage": false, "hasPrevPage": false, "currentPageSize": 1});
        return ok(&json!({"items": [place], "pagination": pagination, "installToFutureLocations": false}));
    }
    ok(&json!({"locations": [place], "count": 1, "installToFutureLocations": false}))
}

/// `POST /oauth/reconnect`: a new code for lost tokens, without a person.
pub(crate) async fn reconnect(State(world): State<Arc<World>>, Body(body): Body) -> Reply {
    let text = |key: &str| body.get(key).and_then(Value::as_str);
    let account = &world.account;
    if text("clientKey") != Some(&account.client_id) || text("clientSecret") != Some(&account.client_secret) {
        return Err(Refusal::unauthorized("Invalid client credentials"));
    }
    let reach = if text("locationId").is_some() { Reach::Location } else { Reach::Company };
    let now = world.now();
    let code = world.grants().code(reach, now);
    ok(&json!({"authorizationCode": code, "expiresAt": iso(now + CODE), "traceId": code}))
}
