//! AI clients that were let in, for the people who let them in and those who manage.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, Path, State};
use axum::http::StatusCode;
use serde_json::{Value, json};

use super::Problem;
use super::document::{Operation, delete, get};
use crate::actor::Actor;
use crate::app::App;
use crate::identity::oauth;

pub fn described() -> Vec<Operation> {
    vec![
        get("/api/v1/clients", "listClients", "AI clients that people let in; for people who have signed in.")
            .lists::<oauth::ConnectedClient>("clients"),
        delete("/api/v1/clients/{id}", "revokeClient", "Cuts a client off.").ends(204).refuses(&[404]),
    ]
}

pub async fn list(State(app): State<Arc<App>>, Extension(actor): Extension<Actor>) -> Result<Json<Value>, Problem> {
    is_person(&actor)?;
    let clients = oauth::list(&app, &actor).await?;
    Ok(Json(json!({"clients": clients})))
}

/// Cuts a client off.
pub async fn revoke(
    State(app): State<Arc<App>>,
    Extension(actor): Extension<Actor>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    is_person(&actor)?;
    oauth::revoke(&app, &actor, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn is_person(actor: &Actor) -> Result<(), Problem> {
    let detail = "Only people who have signed in see and cut off connected clients.";
    if actor.role.is_some() { Ok(()) } else { Err(Problem::new(StatusCode::FORBIDDEN, "denied", detail)) }
}
