//! The businesses of this installation over HTTP, for owners of its own one.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Extension, Path, State};
use axum::http::{HeaderMap, StatusCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::tenants::Business;

use super::Problem;
use super::document::{Operation, get, patch, post};
use super::session::read;
use crate::actor::Actor;
use crate::app::App;
use crate::tenants;

pub fn described() -> Vec<Operation> {
    let creation = "Adds a business; the answer has the link of its first owner, which is shown once.";
    vec![
        get("/api/v1/tenants", "listTenants", "The businesses of this installation, for owners of its own one.")
            .lists::<Business>("tenants"),
        post("/api/v1/tenants", "createTenant", creation).takes::<New>().answers::<Created>(201).refuses(&[409]),
        patch("/api/v1/tenants/{id}", "changeTenant", "Disables or enables a business.")
            .takes::<Changed>()
            .ends(204)
            .refuses(&[404, 409]),
    ]
}

pub async fn list(State(app): State<Arc<App>>, Extension(actor): Extension<Actor>) -> Result<Json<Value>, Problem> {
    let all = tenants::list(&app, &actor).await?;
    Ok(Json(json!({"tenants": all})))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct New {
    id: String,
    name: String,
}

/// A new business, and the link that makes its first owner.
#[derive(Serialize, JsonSchema)]
pub struct Created {
    id: String,
    link: String,
}

/// Adds a business; the answer has the link of its first owner, which is shown once.
pub async fn create(
    State(app): State<Arc<App>>,
    Extension(actor): Extension<Actor>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<(StatusCode, Json<Created>), Problem> {
    let new: New = read(&headers, &body)?;
    let link = tenants::create(&app, &actor, &new.id, &new.name).await?;
    let link = format!("{}{link}", app.config.public_url());
    Ok((StatusCode::CREATED, Json(Created { id: new.id, link })))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Changed {
    disabled: bool,
}

/// A business that is disabled answers nobody, from five seconds later on at the latest.
pub async fn change(
    State(app): State<Arc<App>>,
    Extension(actor): Extension<Actor>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<StatusCode, Problem> {
    let changed: Changed = read(&headers, &body)?;
    tenants::set_disabled(&app, &actor, &id, changed.disabled).await?;
    Ok(StatusCode::NO_CONTENT)
}
