//! Approvals over HTTP: to see them, and for a key with the `approve` scope to decide them.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Extension, Path, State};
use axum::http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Problem, run, session};
use crate::actor::{Actor, Scope};
use crate::app::App;
use crate::approvals::{self, Verdict};
use crate::identity::people::verify_second_factor;

/// What a person says to an approval.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Decision {
    decision: Verdict,
    note: Option<String>,
    /// Of the second factor, where a rule wants one.
    code: Option<String>,
}

pub async fn list(State(app): State<Arc<App>>, Extension(actor): Extension<Actor>) -> Result<Json<Value>, Problem> {
    let approvals = approvals::list(&app, &actor.tenant).await.map_err(|e| Problem::from(&e))?;
    Ok(Json(json!({"approvals": approvals})))
}

pub async fn show(
    State(app): State<Arc<App>>,
    Extension(actor): Extension<Actor>,
    Path(id): Path<Uuid>,
) -> Result<Json<Value>, Problem> {
    let approval = approvals::get(&app, &actor.tenant, id).await.map_err(|e| Problem::from(&e))?;
    Ok(Json(json!(approval)))
}

/// Decides once. An agent's key has no `approve` scope, and a link in a mail cannot POST.
pub async fn decide(
    State(app): State<Arc<App>>,
    Extension(mut actor): Extension<Actor>,
    Path(id): Path<Uuid>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Value>, Problem> {
    if !actor.may(Scope::Approve) {
        let detail = "This key has no `approve` scope; approvals are decided by people.";
        return Err(Problem::new(StatusCode::FORBIDDEN, "denied", detail));
    }
    let decision: Decision = serde_json::from_value(run::arguments(&headers, &body)?)
        .map_err(|e| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_input", e.to_string()))?;
    if let Some(code) = &decision.code {
        let person = session::own(&app, &actor).await?;
        let proven = verify_second_factor(&app, &person, code).await.map_err(|e| Problem::from(&e))?;
        if !proven {
            return Err(Problem::new(StatusCode::FORBIDDEN, "denied", "The code is not right, or was used before."));
        }
        actor.second_factor = true;
    }
    let decided = approvals::decide(&app, &actor, id, decision.decision, decision.note).await;
    Ok(Json(json!(decided.map_err(|e| Problem::from(&e))?)))
}
