//! The policy's rules over HTTP: to see, change and try them.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Extension, Path, State};
use axum::http::{HeaderMap, StatusCode};
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use store::policy_rules::PolicyRule;

use super::Problem;
use super::document::{Operation, delete, get, post, put};
use super::session::read;
use crate::actor::Actor;
use crate::app::App;
use crate::policy::{self, Asks, Budget, Decision, Question, Rule, Says, Step, budgets};

pub fn described() -> Vec<Operation> {
    vec![
        get("/api/v1/policy/rules", "listRules", "The rules, in their order.").lists::<PolicyRule>("rules"),
        put("/api/v1/policy/rules/{name}", "setRule", "Adds a rule, or changes the one of that name.")
            .takes::<Set>()
            .ends(204),
        delete("/api/v1/policy/rules/{name}", "removeRule", "Removes a rule.").ends(204).refuses(&[404]),
        post("/api/v1/policy/test", "testPolicy", "What would be decided for a call, and why. Nothing is called.")
            .takes::<Tried>()
            .answers::<Judged>(200)
            .refuses(&[404]),
        get("/api/v1/policy/budgets", "listBudgets", "The budgets and what was taken from them.")
            .lists::<budgets::Shown>("budgets"),
        put("/api/v1/policy/budgets/{name}", "setBudget", "Adds a budget, or changes the one of that name.")
            .takes::<Budget>()
            .ends(204),
        delete("/api/v1/policy/budgets/{name}", "removeBudget", "Removes a budget.").ends(204).refuses(&[404]),
    ]
}

pub async fn list(State(app): State<Arc<App>>, Extension(actor): Extension<Actor>) -> Result<Json<Value>, Problem> {
    Ok(Json(json!({"rules": policy::list(&app, &actor).await?})))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Set {
    rule: Rule,
    position: Option<i64>,
    #[serde(default = "on")]
    enabled: bool,
}

fn on() -> bool {
    true
}

pub async fn set(
    State(app): State<Arc<App>>,
    Extension(actor): Extension<Actor>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<StatusCode, Problem> {
    let sent: Set = read(&headers, &body)?;
    policy::put(&app, &actor, &name, sent.rule, sent.position, sent.enabled).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub async fn remove(
    State(app): State<Arc<App>>,
    Extension(actor): Extension<Actor>,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    match policy::remove(&app, &actor, &name).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Problem::new(StatusCode::NOT_FOUND, "not_found", format!("There is no rule `{name}`."))),
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Tried {
    tool: String,
    #[serde(default)]
    #[schemars(with = "Map<String, Value>")]
    arguments: Value,
    /// As an agent of this name; without it as a person.
    agent: Option<String>,
    at: Option<DateTime<Utc>>,
}

/// What was decided, and what each rule was to the call.
#[derive(Serialize, JsonSchema)]
pub struct Judged {
    decision: Says,
    reason: Option<String>,
    asks: Option<Asks>,
    rules: Vec<Step>,
}

/// What would be decided for a call, and why. Nothing is called.
pub async fn test(
    State(app): State<Arc<App>>,
    Extension(actor): Extension<Actor>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Judged>, Problem> {
    let tried: Tried = read(&headers, &body)?;
    let missing = || Problem::new(StatusCode::NOT_FOUND, "not_found", format!("There is no tool `{}`.", tried.tool));
    let tool = app.tools.find(&tried.tool).ok_or_else(missing)?;
    let caller = match tried.agent {
        Some(name) => Actor { id: name.clone(), name, tenant: actor.tenant.clone(), ..Actor::stdio() },
        None => actor,
    };
    let rules = app.policy.rules(&app.store.tenant(&caller.tenant)).await?;
    let at = tried.at.unwrap_or_else(|| app.clock.now());
    let (decision, rules) = app.policy.explain(&rules, &Question::of(tool, &tried.arguments, &caller, at));
    let (decision, reason, asks) = match decision {
        Decision::Allow => (Says::Allow, None, None),
        Decision::Ask(reason, asks) => (Says::Ask, Some(reason), Some(asks)),
        Decision::Deny(reason) => (Says::Deny, Some(reason), None),
    };
    Ok(Json(Judged { decision, reason, asks, rules }))
}

/// The budgets and what was taken from them.
pub async fn list_budgets(
    State(app): State<Arc<App>>,
    Extension(actor): Extension<Actor>,
) -> Result<Json<Value>, Problem> {
    Ok(Json(json!({"budgets": budgets::list(&app, &actor).await?})))
}

pub async fn set_budget(
    State(app): State<Arc<App>>,
    Extension(actor): Extension<Actor>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<StatusCode, Problem> {
    let sent: Budget = read(&headers, &body)?;
    budgets::put(&app, &actor, &name, sent).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub async fn remove_budget(
    State(app): State<Arc<App>>,
    Extension(actor): Extension<Actor>,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    match budgets::remove(&app, &actor, &name).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Problem::new(StatusCode::NOT_FOUND, "not_found", format!("There is no budget `{name}`."))),
    }
}
