//! `/approvals/{id}`: where a person looks at a call that waits, and decides. Opening it changes nothing; deciding is a
//! form with the token of the session.

use std::sync::Arc;

use axum::Form;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use sdk::{Error, Kind, Result};
use serde::Deserialize;
use serde_json::{Value, json};
use store::sessions::Session;
use subtle::ConstantTimeEq;
use uuid::Uuid;

use super::document::{Operation, get, post};
use super::page::{escape, page, paragraph};
use super::{cookie, signing_in};
use crate::actor::Scope;
use crate::app::App;
use crate::approvals::{self, Verdict, View};
use crate::identity::{people, proof, sessions};

pub fn described() -> Vec<Operation> {
    let shown = |operation: Operation| operation.by_id().open().pages(&[200, 404, 503]);
    let decide = "Decides, with the form of that page.";
    vec![
        shown(get("/approvals/{id}", "openApproval", "Somebody follows a link to a call that waits.")),
        shown(get("/approvals/{id}/look", "lookAtApproval", "The same, coming from our own page.")),
        shown(post("/approvals/{id}", "decideOnPage", decide)).takes_form::<Said>().pages(&[403, 409, 422]),
    ]
}

/// Somebody follows a link.
pub async fn arrive(State(app): State<Arc<App>>, Path(id): Path<Uuid>, headers: HeaderMap) -> Response {
    match cookie::read(&app, &headers) {
        Some(_) => shown(&app, id, &headers, None).await,
        None => signing_in::lead_on(&app, &format!("/approvals/{id}/look")),
    }
}

/// The same, coming from our own page.
pub async fn look(State(app): State<Arc<App>>, Path(id): Path<Uuid>, headers: HeaderMap) -> Response {
    shown(&app, id, &headers, None).await
}

/// What a person says.
#[derive(Deserialize, JsonSchema)]
pub struct Said {
    csrf: String,
    decision: String,
    arguments_hash: String,
    #[serde(default)]
    note: String,
    #[serde(default)]
    code: String,
    /// As JSON, with `modify`.
    #[serde(default)]
    arguments: String,
}

pub async fn decide(
    State(app): State<Arc<App>>,
    Path(id): Path<Uuid>,
    headers: HeaderMap,
    Form(said): Form<Said>,
) -> Response {
    let session = match signing_in::session(&app, &headers).await {
        Ok(Some(session)) => session,
        Ok(None) => return sign_in(&app, id),
        Err(e) => return refused(&app, &e),
    };
    if !bool::from(said.csrf.as_bytes().ct_eq(session.csrf.as_bytes())) {
        let foreign = Error::forbidden("This decision did not come from our page. Look at it again.");
        return refused(&app, &foreign);
    }
    match decided(&app, &session, id, said).await {
        Ok(()) => shown(&app, id, &headers, None).await,
        Err(e) => shown(&app, id, &headers, Some(&e)).await,
    }
}

async fn decided(app: &Arc<App>, session: &Session, id: Uuid, said: Said) -> Result<()> {
    let mut actor = sessions::person(session);
    if !said.code.trim().is_empty() {
        let person = people::get(app, &actor, session.person_id).await?;
        proof::code(app, &person, said.code.trim()).await?;
        actor.second_factor = true;
    }
    let (seen, note) = (Some(said.arguments_hash.as_str()), Some(said.note).filter(|note| !note.trim().is_empty()));
    let verdict = match said.decision.as_str() {
        "approve" => Verdict::Approve,
        "reject" => Verdict::Reject,
        "modify" => {
            let arguments = serde_json::from_str(&said.arguments)
                .map_err(|e| Error::invalid_input(format!("The arguments are not JSON: {e}")))?;
            return approvals::modify(app, &actor, id, arguments, seen).await.map(drop);
        }
        _ => return Err(Error::invalid_input("decision: approve, reject or modify")),
    };
    approvals::decide_as_seen(app, &actor, (id, seen), verdict, note).await.map(drop)
}

fn sign_in(app: &App, id: Uuid) -> Response {
    let why = "A call waits for a decision. Sign in to look at it.";
    signing_in::page(app, StatusCode::OK, &format!("/approvals/{id}/look"), why, None)
}

fn refused(app: &App, error: &Error) -> Response {
    page(app, status(error), &paragraph(&error.message), "")
}

fn status(error: &Error) -> StatusCode {
    match error.kind {
        Kind::NotFound => StatusCode::NOT_FOUND,
        Kind::Forbidden => StatusCode::FORBIDDEN,
        Kind::Conflict => StatusCode::CONFLICT,
        Kind::InvalidInput => StatusCode::UNPROCESSABLE_ENTITY,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    }
}

async fn shown(app: &Arc<App>, id: Uuid, headers: &HeaderMap, fault: Option<&Error>) -> Response {
    let session = match signing_in::session(app, headers).await {
        Ok(Some(session)) => session,
        Ok(None) => return sign_in(app, id),
        Err(e) => return refused(app, &e),
    };
    match approvals::get(app, &sessions::person(&session), id).await {
        Ok(view) => {
            let fault_text = fault.map(|e| paragraph(&e.message)).unwrap_or_default();
            let body = format!("{fault_text}{}{}", told(&view), form(&view, &session));
            page(app, fault.map_or(StatusCode::OK, status), &body, "")
        }
        Err(e) => refused(app, &e),
    }
}

fn told(view: &View) -> String {
    let mut body = format!("<h2>{}</h2>", escape(&view.tool));
    let would = view.plan.as_ref().and_then(|plan| plan["would"].as_str());
    body.push_str(&would.map(|would| format!("<p><strong>{}</strong></p>", escape(would))).unwrap_or_default());
    body.push_str(&changes(view.plan.as_ref().map(|plan| &plan["changes"])));
    for note in view.plan.iter().flat_map(|plan| plan.get("notes").and_then(Value::as_array).into_iter().flatten()) {
        body.push_str(&paragraph(note.as_str().unwrap_or_default()));
    }
    body.push_str(&paragraph(&format!("Asked by {}.", view.requested_by)));
    body.push_str(&view.reason.as_deref().map(paragraph).unwrap_or_default());
    body.push_str(&format!("<p>Arguments:</p><pre>{}</pre>", pretty(&view.arguments)));
    if let Some(asked) = &view.asked_arguments {
        body.push_str(&format!("<p>As they were asked for:</p><pre>{}</pre>", pretty(&json!(asked))));
    }
    body.push_str(&paragraph(&state(view)));
    body.push_str(&view.note.as_deref().map(paragraph).unwrap_or_default());
    let result = view.result.as_ref().map(|result| format!("<pre>{}</pre>", pretty(&json!(result))));
    body + &result.unwrap_or_default()
}

/// Where it stands, in a sentence.
fn state(view: &View) -> String {
    let at = |moment: DateTime<Utc>| moment.format("%Y-%m-%d %H:%M UTC");
    match (&view.decided_by, view.decided_at) {
        _ if view.state == "pending" => format!("State: pending. It can be decided until {}.", at(view.expires_at)),
        (Some(by), Some(moment)) => format!("State: {}. Decided by {by}, {}.", view.state, at(moment)),
        _ => format!("State: {}.", view.state),
    }
}

fn changes(changes: Option<&Value>) -> String {
    let Some(rows) = changes.and_then(Value::as_array).filter(|rows| !rows.is_empty()) else { return String::new() };
    let cell = |value: Option<&Value>| match value {
        None => String::new(),
        Some(Value::String(text)) => escape(text),
        Some(other) => pretty(other),
    };
    let row = |row: &Value| {
        let what = escape(row["what"].as_str().unwrap_or_default());
        format!("<tr><td>{what}</td><td>{}</td><td>{}</td></tr>", cell(row.get("before")), cell(row.get("after")))
    };
    let rows: String = rows.iter().map(row).collect();
    format!("<table><thead><tr><th>What</th><th>Now</th><th>Then</th></tr></thead><tbody>{rows}</tbody></table>")
}

fn pretty(value: &Value) -> String {
    escape(&serde_json::to_string_pretty(value).unwrap_or_default())
}

fn form(view: &View, session: &Session) -> String {
    if view.state != "pending" {
        return String::new();
    }
    if !sessions::person(session).may(Scope::Approve) {
        return paragraph("You only look here; somebody else has to decide.");
    }
    format!(
        "<form method=\"post\" action=\"/approvals/{}\"><input type=\"hidden\" name=\"csrf\" value=\"{}\">\
         <input type=\"hidden\" name=\"arguments_hash\" value=\"{}\">\
         <p><label>Note <input name=\"note\" maxlength=\"500\"></label></p>\
         <p><label>Code of the second factor, where a rule wants it <input name=\"code\" inputmode=\"numeric\" \
         autocomplete=\"one-time-code\"></label></p>\
         <p><button name=\"decision\" value=\"approve\">Approve</button> \
         <button name=\"decision\" value=\"reject\">Reject</button></p>\
         <details><summary>Ask for something else instead</summary><p><textarea name=\"arguments\" rows=\"12\" \
         cols=\"80\">{}</textarea></p><p><button name=\"decision\" value=\"modify\">Change</button></p></details></form>",
        view.approval_id,
        escape(&session.csrf),
        escape(&view.arguments_hash),
        pretty(&view.arguments),
    )
}
