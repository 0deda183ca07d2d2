//! `GET /mcp/tools`: the catalogue as plain JSON.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, State};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use super::Problem;
use super::document::{Operation, get};
use crate::actor::Actor;
use crate::app::App;
use crate::connections::Connections;
use crate::tools::Entry;

pub fn described() -> Vec<Operation> {
    vec![get("/mcp/tools", "listTools", "The tools that this caller sees.").answers::<Tools>(200)]
}

/// The tools that a caller sees.
#[derive(Serialize, JsonSchema)]
pub struct Tools {
    tools: Vec<Listed>,
    count: usize,
}

/// A tool as a model sees it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Tool")]
struct Listed {
    name: String,
    mcp_name: String,
    ecosystem: &'static str,
    title: String,
    description: String,
    /// `read`, `internal`, `write` or `destructive`.
    effect: &'static str,
    /// A JSON Schema.
    input_schema: Map<String, Value>,
    /// A JSON Schema.
    output_schema: Map<String, Value>,
}

pub async fn list(State(app): State<Arc<App>>, Extension(actor): Extension<Actor>) -> Result<Json<Tools>, Problem> {
    let connections = app.connections.of(&app, &actor.tenant).await?;
    let seen = app.tools.iter().filter(|entry| entry.is_for(&actor));
    let tools: Vec<Listed> = seen.map(|entry| listed(&app, &connections, entry)).collect();
    let count = tools.len();
    Ok(Json(Tools { tools, count }))
}

fn listed(app: &App, connections: &Connections, entry: &Entry) -> Listed {
    Listed {
        name: entry.id.clone(),
        mcp_name: entry.mcp_name.clone(),
        ecosystem: entry.ecosystem,
        title: entry.spec.title.clone(),
        description: entry.spec.description.clone(),
        effect: entry.spec.effect.as_str(),
        input_schema: (*crate::calls::input_of(connections, entry)).clone(),
        output_schema: entry.output_schema(&app.policy),
    }
}
