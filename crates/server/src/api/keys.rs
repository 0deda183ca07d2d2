//! API keys over HTTP, for those who manage them.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Extension, Path, State};
use axum::http::{HeaderMap, StatusCode};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};
use store::api_keys::ApiKey;
use uuid::Uuid;

use super::Problem;
use super::document::{Operation, delete, get, post};
use super::session::read;
use crate::actor::Actor;
use crate::app::App;
use crate::identity::keys::{self, NewKey};

pub fn described() -> Vec<Operation> {
    vec![
        get("/api/v1/keys", "listKeys", "The keys without their secrets.").lists::<ApiKey>("keys"),
        post("/api/v1/keys", "createKey", "Makes a key; it is shown in this answer and never again.")
            .takes::<NewKey>()
            .answers::<Made>(201),
        delete("/api/v1/keys/{id}", "revokeKey", "Ends a key.").by_id().ends(204).refuses(&[404]),
    ]
}

pub async fn list(State(app): State<Arc<App>>, Extension(actor): Extension<Actor>) -> Result<Json<Value>, Problem> {
    let keys = keys::list(&app, &actor).await?;
    Ok(Json(json!({"keys": keys})))
}

/// A new key.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "NewKey")]
pub struct Made {
    id: Uuid,
    /// Shown once.
    key: String,
}

/// Makes a key; the answer has it, and nothing ever again.
pub async fn create(
    State(app): State<Arc<App>>,
    Extension(actor): Extension<Actor>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<(StatusCode, Json<Made>), Problem> {
    let new: NewKey = read(&headers, &body)?;
    let (id, key) = keys::make(&app, &actor, &new).await?;
    Ok((StatusCode::CREATED, Json(Made { id, key })))
}

pub async fn revoke(
    State(app): State<Arc<App>>,
    Extension(actor): Extension<Actor>,
    Path(id): Path<Uuid>,
) -> Result<StatusCode, Problem> {
    let missing = || Problem::new(StatusCode::NOT_FOUND, "not_found", format!("There is no valid key {id}."));
    let revoked = keys::revoke(&app, &actor, id).await?;
    if revoked { Ok(StatusCode::NO_CONTENT) } else { Err(missing()) }
}
