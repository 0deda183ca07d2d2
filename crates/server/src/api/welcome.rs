//! The page behind a link that sets a password. Looking at it changes nothing: scanners of mails follow links.

use std::sync::Arc;

use axum::Form;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::document::{Operation, get, post};
use super::page::{escape, page, paragraph};
use crate::app::App;
use crate::identity::people::{self, Filled, Purpose};

pub fn described() -> Vec<Operation> {
    vec![
        get("/welcome/{token}", "showWelcome", "The page behind a link that sets a password.")
            .open()
            .pages(&[200, 404, 503]),
        post("/welcome/{token}", "setPassword", "Sets the password, and uses the link up.")
            .open()
            .takes_form::<Filled>()
            .pages(&[200, 404, 422, 503]),
    ]
}

pub async fn show(State(app): State<Arc<App>>, Path(token): Path<String>) -> Response {
    match people::purpose(&app, &token).await {
        Ok(Some(purpose)) => page(&app, StatusCode::OK, &form(&purpose, None), ""),
        Ok(None) => page(&app, StatusCode::NOT_FOUND, GONE, ""),
        Err(e) => page(&app, StatusCode::SERVICE_UNAVAILABLE, &paragraph(&e.message), ""),
    }
}

/// Sets the password. The link is used up only when that worked.
pub async fn set(State(app): State<Arc<App>>, Path(token): Path<String>, Form(filled): Form<Filled>) -> Response {
    let purpose = match people::purpose(&app, &token).await {
        Ok(Some(purpose)) => purpose,
        Ok(None) => return page(&app, StatusCode::NOT_FOUND, GONE, ""),
        Err(e) => return page(&app, StatusCode::SERVICE_UNAVAILABLE, &paragraph(&e.message), ""),
    };
    match people::use_link(&app, &token, filled).await {
        Ok(_) => page(&app, StatusCode::OK, "<p>Your password is set. You can sign in now.</p>", ""),
        Err(e) if e.kind == sdk::Kind::InvalidInput => {
            page(&app, StatusCode::UNPROCESSABLE_ENTITY, &form(&purpose, Some(&e.message)), "")
        }
        Err(e) if e.kind == sdk::Kind::NotFound => page(&app, StatusCode::NOT_FOUND, GONE, ""),
        Err(e) => page(&app, StatusCode::SERVICE_UNAVAILABLE, &paragraph(&e.message), ""),
    }
}

const GONE: &str =
    "<p>This link is not good any more. Ask for a new one: <code>enterprise-mcp user link EMAIL</code>.</p>";

fn form(purpose: &Purpose, fault: Option<&str>) -> String {
    let fault = fault.map(paragraph).unwrap_or_default();
    let who = match purpose {
        Purpose::FirstOwner(_) => "<p>You become the owner of this business.</p>\
             <p><label>E-mail <input type=\"email\" name=\"email\" required autocomplete=\"username\"></label></p>\
             <p><label>Name <input name=\"name\" required maxlength=\"100\" autocomplete=\"name\"></label></p>"
            .to_owned(),
        Purpose::Password(person) => format!("<p>Set a password for {}.</p>", escape(&person.email)),
    };
    format!(
        "{fault}<form method=\"post\">{who}<p><label>Password, at least 12 letters \
         <input type=\"password\" name=\"password\" required minlength=\"12\" maxlength=\"200\" \
         autocomplete=\"new-password\"></label></p><p><button>Set password</button></p></form>"
    )
}
