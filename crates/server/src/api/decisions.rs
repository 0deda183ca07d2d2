//! What agents decided, and what people say of it.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Extension, Path, State};
use axum::http::{HeaderMap, StatusCode};
use schemars::JsonSchema;
use serde::Deserialize;
use uuid::Uuid;

use super::document::{Operation, get, post};
use super::{Problem, run};
use crate::actor::Actor;
use crate::app::App;
use crate::containment;
use crate::decisions::{self, Decisions, Ending};

/// Shown at most.
const NEWEST: u64 = 100;

pub fn described() -> Vec<Operation> {
    vec![
        get("/api/v1/decisions", "listDecisions", "What agents decided, newest first.").answers::<Decisions>(200),
        post("/api/v1/decisions/{id}/feedback", "giveFeedback", "What a person says of a decision.")
            .by_id()
            .takes::<Feedback>()
            .ends(204)
            .refuses(&[404]),
    ]
}

/// What a person says.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Feedback {
    outcome: Option<Ending>,
    feedback: Option<String>,
}

pub async fn list(State(app): State<Arc<App>>, Extension(actor): Extension<Actor>) -> Result<Json<Decisions>, Problem> {
    // It is no call of the tool, which would be noted by itself.
    containment::expose(&app, &actor, "system.list_decisions", Uuid::now_v7()).await?;
    Ok(Json(decisions::list(&app, &actor, NEWEST).await?))
}

pub async fn feedback(
    State(app): State<Arc<App>>,
    Extension(actor): Extension<Actor>,
    Path(id): Path<Uuid>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<StatusCode, Problem> {
    let said: Feedback = serde_json::from_value(run::arguments(&headers, &body)?)
        .map_err(|e| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_input", e.to_string()))?;
    let kept = decisions::feedback(&app, &actor, id, said.outcome, said.feedback.as_deref()).await;
    kept.map(|()| StatusCode::NO_CONTENT).map_err(Problem::from)
}
