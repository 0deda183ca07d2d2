//! API keys over HTTP, for those who manage them.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Extension, Path, State};
use axum::http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

use super::Problem;
use super::session::read;
use crate::actor::Actor;
use crate::app::App;
use crate::identity::keys::{self, NewKey};

pub async fn list(State(app): State<Arc<App>>, Extension(actor): Extension<Actor>) -> Result<Json<Value>, Problem> {
    let keys = keys::list(&app, &actor).await.map_err(|e| Problem::from(&e))?;
    Ok(Json(json!({"keys": keys})))
}

/// Makes a key; the answer has it, and nothing ever again.
pub async fn create(
    State(app): State<Arc<App>>,
    Extension(actor): Extension<Actor>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let new: NewKey = read(&headers, &body)?;
    let (id, key) = keys::make(&app, &actor, &new).await.map_err(|e| Problem::from(&e))?;
    Ok((StatusCode::CREATED, Json(json!({"id": id, "key": key}))))
}

pub async fn revoke(
    State(app): State<Arc<App>>,
    Extension(actor): Extension<Actor>,
    Path(id): Path<Uuid>,
) -> Result<StatusCode, Problem> {
    let missing = || Problem::new(StatusCode::NOT_FOUND, "not_found", format!("There is no valid key {id}."));
    let revoked = keys::revoke(&app, &actor, id).await.map_err(|e| Problem::from(&e))?;
    if revoked { Ok(StatusCode::NO_CONTENT) } else { Err(missing()) }
}
