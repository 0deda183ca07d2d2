//! Zones.

use std::sync::Arc;

use axum::extract::{OriginalUri, Path, State};
use serde_json::{Value, json};

use super::{
    envelope::{Body, Query, Refusal, Reply, ok, page},
    gate::Call,
    state,
};
use crate::world::World;

pub(crate) async fn list(State(world): State<Arc<World>>, query: Query) -> Reply {
    if query.number("per_page").is_some_and(|size| !(5..=50).contains(&size)) {
        return Err(Refusal::new(400, 6003, "Invalid request: per_page must be between 5 and 50"));
    }
    let state = world.cloudflare();
    let fits = |zone: &&state::Zone| {
        let name = query.get("name").is_none_or(|wanted| matches(&zone.name, wanted));
        let account = query.get("account.id").is_none_or(|wanted| wanted == state.account);
        name && account && query.get("status").is_none_or(|wanted| wanted == zone.status)
    };
    let rows: Vec<Value> = state.zones.iter().filter(fits).map(|zone| zone.shown(&state)).collect();
    page(&rows, &query, 50, 20)
}

/// A name, or an operator before it.
fn matches(name: &str, wanted: &str) -> bool {
    let (operator, wanted) = wanted.split_once(':').unwrap_or(("equal", wanted));
    let wanted = wanted.to_lowercase();
    match operator {
        "contains" => name.contains(&wanted),
        "starts_with" => name.starts_with(&wanted),
        "ends_with" => name.ends_with(&wanted),
        "not_equal" => name != wanted,
        _ => name == wanted,
    }
}

pub(crate) async fn get(
    State(world): State<Arc<World>>,
    OriginalUri(uri): OriginalUri,
    Path(zone): Path<String>,
) -> Reply {
    let state = world.cloudflare();
    let place = known(&state, &zone, uri.path())?;
    ok(state.zones[place].shown(&state))
}

/// Empties the cache: of everything, or of what is named.
pub(crate) async fn purge(
    State(world): State<Arc<World>>,
    call: Call,
    OriginalUri(uri): OriginalUri,
    Path(zone): Path<String>,
    Body(body): Body,
) -> Reply {
    let id = {
        let state = world.cloudflare();
        state.zones[known(&state, &zone, uri.path())?].id.clone()
    };
    let all = body.get("purge_everything") == Some(&Value::Bool(true));
    let some = ["files", "tags", "hosts", "prefixes"].iter().any(|kind| body.get(*kind).is_some_and(Value::is_array));
    if !all && !some {
        return Err(Refusal::new(400, 1094, "Request must contain one of \"purge_everything\" or \"files\""));
    }
    world.business().record(call.now, "cloudflare.cache.purge", &id, "api", Value::Object(body));
    ok(json!({ "id": id }))
}

/// Where the zone is, or the vendor's two ways to say that it is not.
pub(crate) fn known(state: &state::State, id: &str, path: &str) -> Result<usize, Refusal> {
    if id.len() != 32 || !id.chars().all(|c| c.is_ascii_hexdigit()) {
        return Err(Refusal::no_route(path));
    }
    state.zone(id).ok_or_else(|| Refusal::new(403, 9109, "Unauthorized to access requested resource"))
}
