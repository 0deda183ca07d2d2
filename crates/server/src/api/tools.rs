//! `GET /mcp/tools`: the catalogue as plain JSON.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, State};
use serde_json::{Value, json};

use super::Problem;
use crate::actor::Actor;
use crate::app::App;

pub async fn list(State(app): State<Arc<App>>, Extension(actor): Extension<Actor>) -> Result<Json<Value>, Problem> {
    let connections = app.connections.of(&app, &actor.tenant).await.map_err(|e| Problem::from(&e))?;
    let tools: Vec<Value> = app
        .tools
        .iter()
        .filter(|entry| entry.is_for(&actor))
        .map(|entry| {
            json!({
                "name": entry.id,
                "mcp_name": entry.mcp_name,
                "ecosystem": entry.ecosystem,
                "title": entry.spec.title,
                "description": entry.spec.description,
                "effect": entry.spec.effect,
                "input_schema": *crate::calls::input_of(&connections, entry),
                "output_schema": entry.output_schema(&app.policy),
            })
        })
        .collect();
    Ok(Json(json!({"tools": tools, "count": tools.len()})))
}
