//! Approvals over HTTP: to see them, and for a key with the `approve` scope to decide them.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Extension, Path, State};
use axum::http::{HeaderMap, StatusCode};
use schemars::JsonSchema;
use sdk::Error;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::document::{Operation, get, post};
use super::{Problem, run, session};
use crate::actor::{Actor, Scope};
use crate::app::App;
use crate::approvals::{self, Verdict, View};
use crate::identity::proof;

pub fn described() -> Vec<Operation> {
    let decision = "Approve, reject or modify, once. It needs the scope `approve`, which no agent's key has.";
    vec![
        get("/api/v1/approvals", "listApprovals", "What waits for a person, and what became of it.")
            .lists::<View>("approvals"),
        get("/api/v1/approvals/{id}", "showApproval", "One approval.").by_id().answers::<View>(200).refuses(&[404]),
        post("/api/v1/approvals/{id}/decision", "decideApproval", decision)
            .by_id()
            .takes::<Decision>()
            .answers::<View>(200)
            .refuses(&[404, 409]),
    ]
}

/// What a person says to an approval.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Decision {
    decision: Says,
    note: Option<String>,
    /// With `modify`: what is to be asked for instead.
    #[schemars(with = "Option<Map<String, Value>>")]
    arguments: Option<Value>,
    /// Of what was looked at; if somebody has changed the arguments since, nothing is decided.
    arguments_hash: Option<String>,
    /// Of the second factor, where a rule wants one.
    code: Option<String>,
}

#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Says {
    Approve,
    Reject,
    Modify,
}

pub async fn list(State(app): State<Arc<App>>, Extension(actor): Extension<Actor>) -> Result<Json<Value>, Problem> {
    let approvals = approvals::list(&app, &actor).await?;
    Ok(Json(json!({"approvals": approvals})))
}

pub async fn show(
    State(app): State<Arc<App>>,
    Extension(actor): Extension<Actor>,
    Path(id): Path<Uuid>,
) -> Result<Json<Value>, Problem> {
    approvals::get(&app, &actor, id).await.map(|view| Json(json!(view))).map_err(Problem::from)
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
        proof::code(&app, &person, code).await?;
        actor.second_factor = true;
    }
    let (note, seen) = (decision.note, decision.arguments_hash.as_deref());
    let decide = |verdict| approvals::decide_as_seen(&app, &actor, (id, seen), verdict, note);
    let view = match decision.decision {
        Says::Approve => decide(Verdict::Approve).await,
        Says::Reject => decide(Verdict::Reject).await,
        Says::Modify => {
            let missing = || Error::invalid_input("arguments: `modify` needs those that are to be asked for instead");
            let arguments = decision.arguments.ok_or_else(missing)?;
            approvals::modify(&app, &actor, id, arguments, seen).await
        }
    };
    Ok(Json(json!(view?)))
}
