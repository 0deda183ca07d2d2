//! Many changes of a zone at once: all or none.

use std::sync::Arc;

use axum::extract::{OriginalUri, Path, State};
use serde_json::{Map, Value, json};

use super::{
    envelope::{Body, Refusal, Reply, ok},
    gate::Call,
    records::{add, change, remove, replace, written},
    state::Record,
    zones::known,
};
use crate::world::World;

/// What a free plan takes.
const MOST: usize = 200;

/// Deletes, then patches, then puts, then posts; the first refusal undoes all.
pub(crate) async fn batch(
    State(world): State<Arc<World>>,
    call: Call,
    OriginalUri(uri): OriginalUri,
    Path(zone): Path<String>,
    Body(body): Body,
) -> Reply {
    let mut state = world.cloudflare();
    let place = known(&state, &zone, uri.path())?;
    let steps = steps(&body)?;
    let before = state.zones[place].records.clone();
    let mut done: Vec<(&'static str, Record)> = Vec::new();
    for (kind, item) in steps {
        let id = item.get("id").and_then(Value::as_str).unwrap_or_default();
        let outcome = match kind {
            "deletes" => remove(&mut state.zones[place], id),
            "patches" => change(&mut state.zones[place], id, item, call.now),
            "puts" => replace(&mut state.zones[place], id, item, call.now),
            _ => add(&mut state, place, item, call.now),
        };
        match outcome {
            Ok(record) => done.push((kind, record)),
            Err(refusal) => {
                state.zones[place].records = before;
                return Err(refusal);
            }
        }
    }
    let mut result = json!({"deletes": [], "patches": [], "puts": [], "posts": []});
    for (kind, record) in &done {
        let action = match *kind {
            "deletes" => "delete",
            "posts" => "create",
            _ => "update",
        };
        written(&world, &mut state, place, record, action, call.now);
        if let Some(rows) = result[*kind].as_array_mut() {
            rows.push(record.shown());
        }
    }
    ok(result)
}

type Steps<'a> = Vec<(&'static str, &'a Map<String, Value>)>;

fn steps(body: &Map<String, Value>) -> Result<Steps<'_>, Refusal> {
    let mut steps: Steps<'_> = Vec::new();
    for kind in ["deletes", "patches", "puts", "posts"] {
        let items = body.get(kind).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        steps.extend(items.iter().filter_map(Value::as_object).map(|item| (kind, item)));
    }
    if steps.len() > MOST {
        return Err(Refusal::new(400, 9210, "Too many records in one batch request."));
    }
    Ok(steps)
}
