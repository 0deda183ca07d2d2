//! The businesses of this installation over HTTP, for owners of its own one.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Extension, Path, State};
use axum::http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Problem;
use super::session::read;
use crate::actor::Actor;
use crate::app::App;
use crate::tenants;

pub async fn list(State(app): State<Arc<App>>, Extension(actor): Extension<Actor>) -> Result<Json<Value>, Problem> {
    let all = tenants::list(&app, &actor).await.map_err(|e| Problem::from(&e))?;
    Ok(Json(json!({"tenants": all})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct New {
    id: String,
    name: String,
}

/// Adds a business; the answer has the link of its first owner, which is shown once.
pub async fn create(
    State(app): State<Arc<App>>,
    Extension(actor): Extension<Actor>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let new: New = read(&headers, &body)?;
    let link = tenants::create(&app, &actor, &new.id, &new.name).await.map_err(|e| Problem::from(&e))?;
    let link = format!("{}{link}", app.config.public_url());
    Ok((StatusCode::CREATED, Json(json!({"id": new.id, "link": link}))))
}

#[derive(Deserialize)]
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
    let done = tenants::set_disabled(&app, &actor, &id, changed.disabled).await;
    done.map_err(|e| Problem::from(&e))?;
    Ok(StatusCode::NO_CONTENT)
}
