//! Signing in and out, and what a person does with the own account.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::people::Person;
use uuid::Uuid;

use super::address::{Client, limit, limit_guesses};
use super::document::{Operation, delete, get, post};
use super::{Problem, cookie, run};
use crate::actor::{Actor, Scope};
use crate::app::App;
use crate::identity::people;
use crate::identity::sessions::{self, Credentials, Outcome, Visitor};

pub fn described() -> Vec<Operation> {
    let sign_in = "Signs a person in and sets the cookie. 403 `second_factor_needed`: send the code as well.";
    let begin = "Begins a second factor, with the password: the address for an authenticator app.";
    vec![
        post("/api/v1/session", "signIn", sign_in)
            .open()
            .takes::<Credentials>()
            .answers::<SignedIn>(200)
            .refuses(&[401, 429, 503]),
        get("/api/v1/session", "showSession", "Who calls, and the token that changes need.").answers::<Shown>(200),
        delete("/api/v1/session", "signOut", "Ends the session.").ends(204),
        post("/api/v1/session/password", "changePassword", "Changes the own password; every session ends.")
            .takes::<NewPassword>()
            .ends(204),
        post("/api/v1/session/second-factor", "beginSecondFactor", begin)
            .takes::<Password>()
            .answers::<Begun>(200)
            .refuses(&[409]),
        post("/api/v1/session/second-factor/confirm", "confirmSecondFactor", "The first code of the app.")
            .takes::<Code>()
            .ends(204)
            .refuses(&[409]),
    ]
}

/// Somebody who has signed in.
#[derive(Serialize, JsonSchema)]
struct SignedIn {
    person: Person,
    /// Sent as `X-CSRF-Token` with everything that changes something.
    csrf: String,
}

/// Signs in. 401 says nothing about who is known here; 403 `second_factor_needed`: the password is right, send the code
/// too.
pub async fn sign_in(
    State(app): State<Arc<App>>,
    Client(address): Client,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    limit(&app.attempts, address)?;
    let sent: Credentials = read(&headers, &body)?;
    limit_guesses(&app, address, &sent.email)?;
    let client = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
    match sessions::sign_in(&app, sent, Visitor { address, client }).await.map_err(|e| refused(&e))? {
        Outcome::NeedsCode => {
            let detail = "The password is right. Send the code of your second factor as well.";
            Err(Problem::new(StatusCode::FORBIDDEN, "second_factor_needed", detail))
        }
        Outcome::NeedsBusiness(businesses) => {
            let businesses: Vec<Value> =
                businesses.into_iter().map(|(id, name)| json!({"id": id, "name": name})).collect();
            let detail = "The password is right in several businesses. Send the id of the one that is meant.";
            let problem = Problem::new(StatusCode::FORBIDDEN, "business_needed", detail);
            Err(problem.businesses(json!(businesses)))
        }
        Outcome::SignedIn(session) => {
            let set = cookie::set(&app, Some(&session.cookie));
            let mut response = Json(SignedIn { person: session.person, csrf: session.csrf }).into_response();
            response.headers_mut().extend(set.map(|value| (header::SET_COOKIE, value)));
            Ok(response)
        }
    }
}

/// Here it is the caller who is not known; elsewhere it is we, at a vendor.
fn refused(error: &sdk::Error) -> Problem {
    match error.kind {
        sdk::Kind::Unauthenticated => Problem::new(StatusCode::UNAUTHORIZED, "unauthenticated", error.message.clone()),
        _ => Problem::from(error),
    }
}

/// Who calls.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Session")]
pub struct Shown {
    caller: Actor,
    scopes: Vec<Scope>,
    /// A person's.
    csrf: Option<String>,
}

/// Who is signed in, and the token that changes need.
pub async fn show(
    State(app): State<Arc<App>>,
    Extension(actor): Extension<Actor>,
    headers: HeaderMap,
) -> Result<Json<Shown>, Problem> {
    let csrf = match cookie::read(&app, &headers) {
        Some(value) => sessions::current(&app, value).await?.map(|session| session.csrf),
        None => None,
    };
    let scopes = actor.scopes.clone();
    Ok(Json(Shown { caller: actor, scopes, csrf }))
}

pub async fn sign_out(
    State(app): State<Arc<App>>,
    Extension(actor): Extension<Actor>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    if let Some(value) = cookie::read(&app, &headers) {
        sessions::sign_out(&app, &actor, value).await?;
    }
    let mut response = StatusCode::NO_CONTENT.into_response();
    response.headers_mut().extend(cookie::set(&app, None).map(|value| (header::SET_COOKIE, value)));
    Ok(response)
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewPassword {
    old: String,
    new: String,
}

/// Changes the own password; every session ends.
pub async fn change_password(
    State(app): State<Arc<App>>,
    Extension(actor): Extension<Actor>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<StatusCode, Problem> {
    let sent: NewPassword = read(&headers, &body)?;
    let person = own(&app, &actor).await?;
    let changed = sessions::change_password(&app, &actor, &person, &sent.old, &sent.new).await;
    changed.map_err(|e| refused(&e))?;
    Ok(StatusCode::NO_CONTENT)
}

/// A second factor that was begun.
#[derive(Serialize, JsonSchema)]
pub struct Begun {
    /// The address for an authenticator app; it holds the secret.
    otpauth: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Password {
    password: String,
}

/// Begins a second factor: the address for an authenticator app. Whoever has the session alone must not have it.
pub async fn begin_second_factor(
    State(app): State<Arc<App>>,
    Extension(actor): Extension<Actor>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Begun>, Problem> {
    let (sent, person) = (read::<Password>(&headers, &body)?, own(&app, &actor).await?);
    let otpauth = people::begin_second_factor(&app, &person, &sent.password).await.map_err(|e| refused(&e))?;
    Ok(Json(Begun { otpauth }))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Code {
    code: String,
}

/// The first code of the app; from now on one is asked for.
pub async fn confirm_second_factor(
    State(app): State<Arc<App>>,
    Extension(actor): Extension<Actor>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<StatusCode, Problem> {
    let (sent, person) = (read::<Code>(&headers, &body)?, own(&app, &actor).await?);
    people::confirm_second_factor(&app, &person, &sent.code).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The signed-in person. A key is none.
pub(super) async fn own(app: &Arc<App>, actor: &Actor) -> Result<store::people::Person, Problem> {
    let id: Option<Uuid> = actor.role.and_then(|_| actor.id.parse().ok());
    let nobody = || Problem::new(StatusCode::FORBIDDEN, "denied", "Only a person who has signed in has an account.");
    people::get(app, actor, id.ok_or_else(nobody)?).await.map_err(Problem::from)
}

/// The JSON body, whose faults are named.
pub(super) fn read<T: serde::de::DeserializeOwned>(headers: &HeaderMap, body: &Bytes) -> Result<T, Problem> {
    serde_json::from_value(run::arguments(headers, body)?)
        .map_err(|e| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_input", e.to_string()))
}
