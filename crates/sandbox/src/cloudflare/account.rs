//! The account: its tokens and its audit log.

use std::sync::Arc;

use axum::extract::{Path, State};
use serde_json::{Value, json};

use super::{
    envelope::{Query, Refusal, Reply, ok, ok_saying, page, respond},
    gate::{Call, Owner},
};
use crate::{clock, world::World};

const VALID: &str = "This API Token is valid and active";

/// Knows the tokens of people only: a good token of an account is refused here.
pub(crate) async fn verify_user(State(world): State<Arc<World>>, call: Call) -> Reply {
    if call.owner == Owner::Account {
        return Err(Refusal::new(401, 1000, "Invalid API Token"));
    }
    let id = world.cloudflare().tokens.user[..32].to_owned();
    ok_saying(json!({"id": id, "status": "active"}), 10000, VALID)
}

pub(crate) async fn verify_owned(State(world): State<Arc<World>>, call: Call, Path(account): Path<String>) -> Reply {
    let state = world.cloudflare();
    if call.owner != Owner::Account || account != state.account {
        return Err(Refusal::new(401, 1000, "Invalid API Token"));
    }
    let result = json!({"id": state.account, "status": "active", "expires_on": "2027-06-30T00:00:00Z"});
    ok_saying(result, 10000, VALID)
}

pub(crate) async fn list(State(world): State<Arc<World>>, query: Query) -> Reply {
    page(&[shown(&world)], &query, 50, 20)
}

pub(crate) async fn get(State(world): State<Arc<World>>, Path(account): Path<String>) -> Reply {
    known(&world, &account)?;
    ok(shown(&world))
}

fn shown(world: &World) -> Value {
    let state = world.cloudflare();
    json!({"id": state.account, "name": state.account_name, "type": "standard",
        "settings": {"enforce_twofactor": false}, "created_on": "2016-02-03T18:00:00Z"})
}

fn known(world: &World, account: &str) -> Result<(), Refusal> {
    if world.cloudflare().account == account { Ok(()) } else { Err(Refusal::not_permitted()) }
}

/// The newest first; `since` and `before` are required, the next page is asked for with the cursor.
pub(crate) async fn audit(State(world): State<Arc<World>>, Path(account): Path<String>, query: Query) -> Reply {
    known(&world, &account)?;
    let (Some(since), Some(before)) = (moment(&query, "since"), moment(&query, "before")) else {
        return Err(Refusal::new(400, 10001, "since and before are required, as RFC 3339 or a date"));
    };
    let limit = query.number("limit").unwrap_or(100).clamp(1, 1_000);
    let state = world.cloudflare();
    let mut rows: Vec<Value> = state
        .entries
        .iter()
        .filter(|entry| entry.at >= since && entry.at < before)
        .map(|entry| entry.shown(&state))
        .filter(|row| fits(row, &query))
        .collect();
    if query.get("direction") != Some("asc") {
        rows.reverse();
    }
    let start = query.get("cursor").and_then(|cursor| rows.iter().position(|row| row["id"] == cursor));
    let start = start.map_or(0, |at| at + 1);
    let shown: Vec<Value> = rows.iter().skip(start).take(limit).cloned().collect();
    let after = if start + shown.len() < rows.len() { shown.last().map(|row| row["id"].clone()) } else { None };
    let info = json!({"count": shown.len().to_string(), "cursor": after.clone().unwrap_or_default(),
        "cursors": {"after": after.unwrap_or_else(|| "".into())}});
    let body = json!({"success": true, "errors": [], "messages": [], "result": shown, "result_info": info});
    Ok(respond(axum::http::StatusCode::OK, &body))
}

fn moment(query: &Query, name: &str) -> Option<clock::Millis> {
    clock::parse(query.get(name)?)
}

const FILTERS: &[(&str, &str)] = &[
    ("actor_email", "/actor/email"),
    ("action_type", "/action/type"),
    ("zone_id", "/zone/id"),
    ("zone_name", "/zone/name"),
    ("resource_product", "/resource/product"),
    ("raw_method", "/raw/method"),
];

fn fits(row: &Value, query: &Query) -> bool {
    FILTERS.iter().all(|(name, place)| {
        let wanted: Vec<&str> = query.all(name).collect();
        let value = row.pointer(place).and_then(Value::as_str).unwrap_or_default();
        wanted.is_empty() || wanted.contains(&value)
    })
}
