//! What stands before every V2 operation: the `Version` header, the bearer, the limits.

use std::{convert::Infallible, sync::Arc};

use axum::{
    extract::{FromRequest, FromRequestParts, Request, State},
    http::{HeaderMap, header::AUTHORIZATION, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use serde_json::{Map, Value};

use super::reply::Refusal;
use crate::{business::Id, clock::Millis, world::World};

/// Which wire shape the caller speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    /// `legacy` or a date: all the same shape.
    Dated,
    V3,
}

/// What a bearer opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    Location,
    /// An agency token: it may mint location tokens and see locations and users.
    Company,
}

/// An admitted request.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub version: Version,
    pub reach: Reach,
    pub location: Id,
    pub trace: String,
    pub now: Millis,
}

/// The trace id of a request, given before anything else happens.
#[derive(Clone, Debug)]
pub(crate) struct Trace(pub String);

impl Call {
    pub(crate) fn v3(&self) -> bool {
        self.version == Version::V3
    }

    /// Checks the location that the caller names; nearly every operation wants one.
    pub(crate) fn at(&self, location: Option<&str>) -> Result<(), Refusal> {
        match location {
            Some(location) if location == self.location.as_str() => Ok(()),
            Some(location) if !location.is_empty() => Err(Refusal::foreign_location()),
            _ => Err(Refusal::invalid(["locationId should not be empty", "locationId must be a string"])),
        }
    }

    pub(crate) fn body_at(&self, body: &Map<String, Value>) -> Result<(), Refusal> {
        self.at(body.get("locationId").and_then(Value::as_str))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Call {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Call, Refusal> {
        parts.extensions.get::<Call>().cloned().ok_or_else(|| Refusal::with_status(500))
    }
}

/// A JSON object from the request's body; an absent or foreign body is an empty object, as with
/// the vendor's framework.
pub(crate) struct Body(pub Map<String, Value>);

impl<S: Send + Sync> FromRequest<S> for Body {
    type Rejection = Refusal;

    async fn from_request(request: Request, _: &S) -> Result<Body, Refusal> {
        let json = content_type(request.headers()).contains("json");
        let bytes = axum::body::to_bytes(request.into_body(), 5 << 20).await;
        let bytes = bytes.map_err(|_| Refusal::with_status(413))?;
        if !json || bytes.is_empty() {
            return Ok(Body(Map::new()));
        }
        match serde_json::from_slice(&bytes) {
            Ok(Value::Object(object)) => Ok(Body(object)),
            Ok(_) => Err(Refusal::bad_request("Unexpected body: an object is needed")),
            Err(error) => Err(Refusal::bad_request(format!("Unexpected token in JSON: {error}"))),
        }
    }
}

pub(crate) fn content_type(headers: &HeaderMap) -> String {
    let value = headers.get("content-type").and_then(|value| value.to_str().ok());
    value.unwrap_or_default().to_ascii_lowercase()
}

pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    headers.get(AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ").map(str::trim)
}

pub(crate) fn version(headers: &HeaderMap) -> Result<Version, Refusal> {
    let Some(version) = headers.get("version") else {
        return Err(Refusal::unauthorized("version header was not found."));
    };
    match version.as_bytes() {
        b"v3" => Ok(Version::V3),
        b"legacy" | b"2021-04-15" | b"2021-07-28" | b"2023-02-21" => Ok(Version::Dated),
        _ => Err(Refusal::unauthorized("version header is invalid")),
    }
}

pub(crate) async fn admit(
    State(world): State<Arc<World>>,
    mut request: Request,
    next: Next,
) -> Result<Response, Infallible> {
    let call = match call(&world, &request) {
        Ok(call) => call,
        Err(refusal) => return Ok(refusal.into_response()),
    };
    let caller = caller(&world, &request);
    let allowance = world.limits().take(&caller, call.now, world.options.enforce_limits);
    let mut response = if allowance.allowed {
        request.extensions_mut().insert(call);
        next.run(request).await
    } else {
        world.breach("gohighlevel");
        Refusal::too_many().into_response()
    };
    response.extensions_mut().insert(allowance);
    Ok(response)
}

fn call(world: &World, request: &Request) -> Result<Call, Refusal> {
    let headers = request.headers();
    let Some(bearer) = bearer(headers) else {
        return Err(Refusal::unauthorized("Invalid JWT"));
    };
    let now = world.now();
    let reach = reach(world, bearer, now)?;
    let version = version(headers)?;
    let trace = request.extensions().get::<Trace>().map(|trace| trace.0.clone()).unwrap_or_default();
    let location = world.business().location;
    if reach == Reach::Company && !for_agencies(request.uri().path()) {
        return Err(Refusal::foreign_location());
    }
    Ok(Call { version, reach, location, trace, now })
}

fn reach(world: &World, bearer: &str, now: Millis) -> Result<Reach, Refusal> {
    if bearer == world.account.private_token {
        return Ok(Reach::Location);
    }
    if let Some(reach) = world.grants().reach(bearer, now) {
        return Ok(reach);
    }
    let what = if bearer.starts_with("pit-") { "Invalid Private Integration token" } else { "Invalid JWT" };
    Err(Refusal::unauthorized(what))
}

/// Limits count by application: the private token is one, the OAuth client another.
pub(crate) fn caller(world: &World, request: &Request) -> String {
    match bearer(request.headers()) {
        Some(bearer) if bearer.starts_with("pit-") || bearer == world.account.v1_key => bearer.to_owned(),
        _ => world.account.client_id.clone(),
    }
}

fn for_agencies(path: &str) -> bool {
    ["/oauth/", "/locations/", "/users/", "/users"].iter().any(|prefix| path.starts_with(prefix))
}
