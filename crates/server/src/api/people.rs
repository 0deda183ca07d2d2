//! People over HTTP, for those who manage them.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Extension, Path, State};
use axum::http::{HeaderMap, StatusCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::people::{Change, Person};
use uuid::Uuid;

use super::Problem;
use super::document::{Operation, delete, get, patch, post};
use super::session::read;
use crate::actor::{Actor, Role};
use crate::app::App;
use crate::identity::people;

pub fn described() -> Vec<Operation> {
    let removal = "Removes a second factor: the own one with a code of it, or that of somebody who has lost it.";
    vec![
        get("/api/v1/people", "listPeople", "The people of this business.").lists::<Person>("people"),
        post("/api/v1/people", "invitePerson", "Invites somebody; the answer has the link, which is shown once.")
            .takes::<Invitation>()
            .answers::<Invited>(201)
            .refuses(&[409]),
        patch("/api/v1/people/{id}", "changePerson", "Changes name or role, disables or enables.")
            .by_id()
            .takes::<Changed>()
            .answers::<Person>(200)
            .refuses(&[404, 409]),
        post("/api/v1/people/{id}/link", "resetPassword", "A new link for somebody who has lost the password.")
            .by_id()
            .answers::<Link>(200)
            .refuses(&[404, 409]),
        delete("/api/v1/people/{id}/second-factor", "removeSecondFactor", removal)
            .by_id()
            .takes::<Removal>()
            .ends(204)
            .refuses(&[404]),
    ]
}

pub async fn list(State(app): State<Arc<App>>, Extension(actor): Extension<Actor>) -> Result<Json<Value>, Problem> {
    let people = people::list(&app, &actor).await?;
    Ok(Json(json!({"people": people})))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Invitation {
    email: String,
    name: String,
    role: Role,
}

/// Somebody new, and the link that sets the password.
#[derive(Serialize, JsonSchema)]
pub struct Invited {
    id: Uuid,
    link: String,
}

/// Invites somebody; the answer has the link, which is shown once.
pub async fn invite(
    State(app): State<Arc<App>>,
    Extension(actor): Extension<Actor>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<(StatusCode, Json<Invited>), Problem> {
    let new: Invitation = read(&headers, &body)?;
    let (id, link) = people::invite(&app, &actor, &new.email, &new.name, new.role).await?;
    let link = format!("{}{link}", app.config.public_url());
    Ok((StatusCode::CREATED, Json(Invited { id, link })))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Changed {
    name: Option<String>,
    role: Option<Role>,
    disabled: Option<bool>,
}

pub async fn change(
    State(app): State<Arc<App>>,
    Extension(actor): Extension<Actor>,
    Path(id): Path<Uuid>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Person>, Problem> {
    let sent: Changed = read(&headers, &body)?;
    let role = sent.role.map(|role| role.as_str().to_owned());
    let change = Change { name: sent.name, role, disabled: sent.disabled };
    let person = people::change(&app, &actor, id, change).await?;
    Ok(Json(person))
}

/// A link that sets a password.
#[derive(Serialize, JsonSchema)]
pub struct Link {
    link: String,
}

/// A new link for somebody who has lost the password.
pub async fn reset(
    State(app): State<Arc<App>>,
    Extension(actor): Extension<Actor>,
    Path(id): Path<Uuid>,
) -> Result<Json<Link>, Problem> {
    let link = people::reset_link(&app, &actor, id).await?;
    Ok(Json(Link { link: format!("{}{link}", app.config.public_url()) }))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Removal {
    /// Of the second factor, where it is the own one.
    code: Option<String>,
}

/// Removes a second factor: the own one with a code of it, or that of somebody who has lost it.
pub async fn remove_second_factor(
    State(app): State<Arc<App>>,
    Extension(actor): Extension<Actor>,
    Path(id): Path<Uuid>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<StatusCode, Problem> {
    let sent: Removal = read(&headers, &body)?;
    people::remove_second_factor(&app, &actor, id, sent.code.as_deref()).await?;
    Ok(StatusCode::NO_CONTENT)
}
