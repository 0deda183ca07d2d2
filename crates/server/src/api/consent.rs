//! `/authorize`: where a person signs in and lets an AI client in, or does not (RFC 6749 §4.1).
//!
//! The pages hold no state: what the client asked for travels in the form and is judged anew with the decision. The
//! token of the session goes with it, so that no foreign page can decide.

use std::borrow::Cow;
use std::sync::Arc;

use axum::Form;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use oauth_as::authorization::{AuthorizationError, AuthorizationRequest, ValidatedAuthorizationRequest};
use oauth_as::client::Client;
use schemars::JsonSchema;
use serde::Deserialize;
use store::sessions::Session;
use subtle::ConstantTimeEq;

use super::document::{Operation, get, post};
use super::page::{escape, page, paragraph, see};
use super::{cookie, oauth, signing_in};
use crate::actor::{Role, Scope};
use crate::app::App;
use crate::identity::oauth::{self as identity, Documents, OAuth, Target};
use crate::identity::sessions;

pub fn described() -> Vec<Operation> {
    let arrive = "RFC 6749 §4.1: an AI client sends the browser here.";
    let proceed = "The same, coming from our own page: signing in, and the question.";
    let shown = |operation: Operation| operation.open().pages(&[200, 400, 503]).ends(303).refuses(&[404, 503]);
    vec![
        shown(get("/authorize", "arrive", arrive)),
        shown(get("/authorize/continue", "proceed", proceed)),
        shown(post("/authorize", "decide", "Lets the client in, or not.")).takes_form::<Decision>().pages(&[401, 403]),
    ]
}

/// A client sends the browser here. The cookie is `SameSite=Strict`, so a browser that comes from elsewhere does not send
/// it; it does when our own page leads on.
pub async fn arrive(State(app): State<Arc<App>>, RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    let query = query.unwrap_or_default();
    if cookie::read(&app, &headers).is_some() {
        return ask(&app, &query, &headers).await;
    }
    if let Err(problem) = oauth::of(&app).await {
        return problem.into_response();
    }
    signing_in::lead_on(&app, &format!("/authorize/continue?{query}"))
}

/// The same, coming from our own page.
pub async fn proceed(State(app): State<Arc<App>>, RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    ask(&app, &query.unwrap_or_default(), &headers).await
}

async fn ask(app: &Arc<App>, query: &str, headers: &HeaderMap) -> Response {
    let oauth = match oauth::of(app).await {
        Ok(oauth) => oauth,
        Err(problem) => return problem.into_response(),
    };
    match signing_in::session(app, headers).await {
        Ok(Some(session)) => match wish(app, oauth, query, None).await {
            Ok(wish) => consent_page(app, &session, query, &wish),
            Err(answer) => answer,
        },
        Ok(None) => sign_in_page(app, StatusCode::OK, query, None),
        Err(e) => refused(app, StatusCode::SERVICE_UNAVAILABLE, &e.message),
    }
}

/// What a person decided.
#[derive(Deserialize, JsonSchema)]
pub struct Decision {
    request: String,
    csrf: String,
    decision: String,
    /// The box for changes was ticked.
    write: Option<String>,
}

/// Lets the client in, or sends the browser back without.
pub async fn decide(State(app): State<Arc<App>>, headers: HeaderMap, Form(filled): Form<Decision>) -> Response {
    let oauth = match oauth::of(&app).await {
        Ok(oauth) => oauth,
        Err(problem) => return problem.into_response(),
    };
    let session = match signing_in::session(&app, &headers).await {
        Ok(Some(session)) => session,
        Ok(None) => return sign_in_page(&app, StatusCode::UNAUTHORIZED, &filled.request, Some("Sign in first.")),
        Err(e) => return refused(&app, StatusCode::SERVICE_UNAVAILABLE, &e.message),
    };
    if !bool::from(filled.csrf.as_bytes().ct_eq(session.csrf.as_bytes())) {
        return refused(&app, StatusCode::FORBIDDEN, "This decision did not come from our page. Begin again.");
    }
    let mut scopes = allowed(&filled.request, &session);
    if filled.write.is_none() {
        scopes.retain(|scope| *scope != Scope::Write);
    }
    let wish = match wish(&app, oauth, &filled.request, Some(&scopes)).await {
        Ok(wish) => wish,
        Err(answer) => return answer,
    };
    if filled.decision != "allow" {
        return see(&wish.request.denied().location());
    }
    match identity::agree(&app, oauth, &sessions::person(&session), &wish.client, &wish.request).await {
        Ok(next) => see(&next),
        Err(e) => refused(&app, StatusCode::SERVICE_UNAVAILABLE, &e.message),
    }
}

/// What a client asks for, judged.
struct Wish {
    client: Arc<Client>,
    request: ValidatedAuthorizationRequest,
}

/// Judges a request. The error is the answer: a page, where the client or its address cannot be trusted, and otherwise
/// the way back to the client with the reason.
async fn wish(app: &Arc<App>, oauth: &OAuth, query: &str, scopes: Option<&[Scope]>) -> Result<Wish, Response> {
    let bad = |why: &str| refused(app, StatusCode::BAD_REQUEST, why);
    let request = read(query).map_err(|why| bad(&why))?;
    let id = request.client_id.as_deref().unwrap_or_default();
    let client = oauth.client(app, id).await.map_err(|e| bad(&e.message))?;
    let client = client.ok_or_else(|| bad("This client is not known here. Connect it anew, so that it registers."))?;
    let asked = identity::scopes_asked(request.scope.as_deref());
    match oauth.validate(&client, request, scopes.unwrap_or(&asked)).await {
        Ok(request) => Ok(Wish { client, request }),
        Err(AuthorizationError::Redirect(error)) => Err(see(&error.location())),
        Err(AuthorizationError::Direct(error)) => Err(bad(&format!("The client's request is not valid: {error}."))),
    }
}

/// The parameters; one that stands twice could mean two things.
fn read(query: &str) -> Result<AuthorizationRequest<'static>, String> {
    let pairs: Vec<(String, String)> =
        url::form_urlencoded::parse(query.as_bytes()).map(|(name, value)| (name.into(), value.into())).collect();
    let mut seen = std::collections::BTreeSet::new();
    if let Some((name, _)) = pairs.iter().find(|(name, _)| name != "resource" && !seen.insert(name.as_str())) {
        return Err(format!("The client sent `{name}` twice."));
    }
    Ok(AuthorizationRequest::from_pairs(pairs.iter().map(|(name, value)| (name.as_str(), Cow::Owned(value.clone())))))
}

/// What was asked for and the person may give: nobody gives more than they have.
fn allowed(query: &str, session: &Session) -> Vec<Scope> {
    let asked = read(query).ok().and_then(|request| request.scope.map(Cow::into_owned));
    let own = role(session).scopes();
    identity::scopes_asked(asked.as_deref()).into_iter().filter(|scope| own.contains(scope)).collect()
}

fn role(session: &Session) -> Role {
    Role::parse(&session.role).unwrap_or(Role::Viewer)
}

fn consent_page(app: &App, session: &Session, query: &str, wish: &Wish) -> Response {
    let target = identity::read_redirect(&wish.request.redirect_uri);
    let Ok(target) = target else { return refused(app, StatusCode::BAD_REQUEST, "The way back is not safe.") };
    let asked = identity::scopes_asked(Some(&wish.request.scope.to_string()));
    let body = format!(
        "{}{}{}<form method=\"post\" action=\"/authorize\">\
         <input type=\"hidden\" name=\"request\" value=\"{}\"><input type=\"hidden\" name=\"csrf\" value=\"{}\">\
         <p><label><input type=\"checkbox\" checked disabled> Read what the business has here</label></p>{}\
         <p><button name=\"decision\" value=\"allow\">Allow</button> \
         <button name=\"decision\" value=\"deny\">Do not allow</button></p></form>",
        who_asks(wish),
        way_back(&target),
        paragraph(&format!("You are signed in as {} ({}).", session.name, session.email)),
        escape(query),
        escape(&session.csrf),
        write_box(&asked, &role(session).scopes()),
    );
    page(app, StatusCode::OK, &body, &source_of(&wish.request.redirect_uri, &target))
}

fn who_asks(wish: &Wish) -> String {
    let name = wish.client.name.as_deref().unwrap_or("An AI client");
    let proven = match Documents::is_address(wish.client.client_id.as_str()) {
        true => format!("It is described by {}.", wish.client.client_id),
        false => "That is what it calls itself; nobody has checked it.".into(),
    };
    format!("<h2>{} wants to connect</h2>{}", escape(name), paragraph(&proven))
}

fn way_back(target: &Target) -> String {
    match target {
        Target::Site(host) => paragraph(&format!("It gets its answer at {host}.")),
        Target::App(scheme) => {
            paragraph(&format!("It gets its answer in the app that opens {scheme}:// on this device."))
        }
        Target::Machine => "<p><strong>It gets its answer on this computer (localhost).</strong> Any program on this \
             computer could be behind it: allow it only if you have just started connecting it yourself.</p>"
            .into(),
    }
}

fn write_box(asked: &[Scope], own: &[Scope]) -> String {
    if !asked.contains(&Scope::Write) {
        return String::new();
    }
    if !own.contains(&Scope::Write) {
        return paragraph("It also asks to change things. You only look here, so it will only look too.");
    }
    "<p><label><input type=\"checkbox\" name=\"write\" value=\"yes\" checked> Change, send and delete things, as far \
     as the rules allow; what they do not allow waits for a person</label></p>"
        .into()
}

/// Where the form may lead, as the page's policy names it.
fn source_of(redirect: &str, target: &Target) -> String {
    let Ok(url) = url::Url::parse(redirect) else { return String::new() };
    match (target, url.origin()) {
        (Target::App(scheme), _) => format!(" {scheme}:"),
        (_, origin @ url::Origin::Tuple(..)) => format!(" {}", origin.ascii_serialization()),
        _ => String::new(),
    }
}

/// The page that leads back here with what the client asked for.
fn sign_in_page(app: &App, status: StatusCode, query: &str, fault: Option<&str>) -> Response {
    let why = "An AI client wants to connect. Sign in to see which, and to decide.";
    signing_in::page(app, status, &format!("/authorize/continue?{query}"), why, fault)
}

fn refused(app: &App, status: StatusCode, why: &str) -> Response {
    page(app, status, &paragraph(why), "")
}
