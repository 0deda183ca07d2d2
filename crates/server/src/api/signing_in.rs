//! Signing in on a page of our own, on the way to another one.
//!
//! The cookie is `SameSite=Strict`, so that a browser which comes from elsewhere (a client, a mail, a chat) does not send
//! it at first; it does when our own page leads on.

use std::sync::Arc;

use axum::Form;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Deserialize;
use store::sessions::Session;

use super::address::{Client, limit, limit_guesses};
use super::cookie;
use super::document::{Operation, post};
use super::page::{escape, paragraph, see};
use crate::app::App;
use crate::identity::sessions::{self, Credentials, Outcome, Visitor};

/// Where signing in may lead. An address from elsewhere would make this page a signpost for others.
const WAYS_ON: [&str; 2] = ["/authorize/continue?", "/approvals/"];

pub fn described() -> Vec<Operation> {
    vec![
        post("/sign-in", "signInAndGoOn", "Signs in on a page, on the way to another one.")
            .open()
            .takes_form::<Filled>()
            .ends(303)
            .pages(&[400, 401, 403, 503])
            .refuses(&[429]),
    ]
}

/// What is filled in.
#[derive(Deserialize, JsonSchema)]
pub struct Filled {
    next: String,
    email: String,
    password: String,
    #[serde(default)]
    code: String,
    /// Where the address is of people in several businesses.
    #[serde(default)]
    business: String,
}

/// Signs in and leads on.
pub async fn sign_in(
    State(app): State<Arc<App>>,
    Client(address): Client,
    headers: HeaderMap,
    Form(filled): Form<Filled>,
) -> Response {
    let limited = limit(&app.attempts, address).and_then(|()| limit_guesses(&app, address, &filled.email));
    if let Err(problem) = limited {
        return problem.into_response();
    }
    if !WAYS_ON.iter().any(|way| filled.next.starts_with(way)) {
        return super::page::page(&app, StatusCode::BAD_REQUEST, &paragraph("This page leads nowhere from here."), "");
    }
    let code = Some(filled.code.trim().to_owned()).filter(|code| !code.is_empty());
    let business = Some(filled.business.trim().to_owned()).filter(|business| !business.is_empty());
    let credentials = Credentials { email: filled.email, password: filled.password, code, business };
    let client = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
    let again = |status, why: &str| page(&app, status, &filled.next, "", Some(why));
    match sessions::sign_in(&app, credentials, Visitor { address, client }).await {
        Ok(Outcome::SignedIn(session)) => {
            let mut response = see(&filled.next);
            let set = cookie::set(&app, Some(&session.cookie));
            response.headers_mut().extend(set.map(|value| (header::SET_COOKIE, value)));
            response
        }
        Ok(Outcome::NeedsCode) => again(StatusCode::FORBIDDEN, "Give the code of your second factor as well."),
        Ok(Outcome::NeedsBusiness(businesses)) => {
            let ids: Vec<String> = businesses.into_iter().map(|(id, name)| format!("{id} ({name})")).collect();
            again(StatusCode::FORBIDDEN, &format!("Say which business is meant: {}.", ids.join(", ")))
        }
        Err(e) if e.kind == sdk::Kind::Unauthenticated => again(StatusCode::UNAUTHORIZED, &e.message),
        Err(e) => again(StatusCode::SERVICE_UNAVAILABLE, &e.message),
    }
}

/// The form. `why`: what it is for.
pub(super) fn page(app: &App, status: StatusCode, next: &str, why: &str, fault: Option<&str>) -> Response {
    let fault = fault.map(paragraph).unwrap_or_default();
    let why = if why.is_empty() { String::new() } else { paragraph(why) };
    let body = format!(
        "{why}{fault}<form method=\"post\" action=\"/sign-in\">\
         <input type=\"hidden\" name=\"next\" value=\"{}\">\
         <p><label>E-mail <input type=\"email\" name=\"email\" required autocomplete=\"username\"></label></p>\
         <p><label>Password <input type=\"password\" name=\"password\" required autocomplete=\"current-password\">\
         </label></p><p><label>Code of the second factor, if you have one <input name=\"code\" inputmode=\"numeric\" \
         autocomplete=\"one-time-code\"></label></p><p><label>Business, if you belong to several \
         <input name=\"business\"></label></p><p><button>Sign in</button></p></form>",
        escape(next)
    );
    super::page::page(app, status, &body, "")
}

/// A page that leads on at once, with the cookie this time.
pub(super) fn lead_on(app: &App, next: &str) -> Response {
    let next = escape(next);
    let body = format!("<meta http-equiv=\"refresh\" content=\"0; url={next}\"><p><a href=\"{next}\">Continue</a></p>");
    super::page::page(app, StatusCode::OK, &body, "")
}

/// The session of the browser, unless its business is closed.
pub(super) async fn session(app: &Arc<App>, headers: &HeaderMap) -> sdk::Result<Option<Session>> {
    let Some(value) = cookie::read(app, headers) else { return Ok(None) };
    match sessions::current(app, value).await? {
        Some(session) if app.tenants.name(app, &session.tenant_id).await?.is_some() => Ok(Some(session)),
        _ => Ok(None),
    }
}
