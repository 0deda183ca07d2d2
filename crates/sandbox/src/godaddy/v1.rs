//! v1: bare lists, no record ids, sets of records that are replaced as a whole.

use std::{collections::HashMap, sync::Arc};

use axum::{
    body::Bytes,
    extract::{Path, Query, State},
    http::StatusCode,
};
use serde_json::{Value, json};

use super::{
    records,
    reply::{Refusal, Reply, empty, ok},
    state::{self, Record},
};
use crate::{clock, world::World};

type Params = Query<HashMap<String, String>>;

pub(crate) async fn list(State(world): State<Arc<World>>, Query(query): Params) -> Reply {
    let limit: usize = query.get("limit").and_then(|limit| limit.parse().ok()).unwrap_or(1_000);
    if limit > 1_000 {
        return Err(Refusal::v1(422, "INVALID_VALUE", "Limit must have a value no greater than 1000"));
    }
    let state = world.godaddy();
    let servers = query.get("includes").is_some_and(|includes| includes.contains("nameServers"));
    let changed = query.get("modifiedDate").and_then(|text| clock::parse(text));
    let active = query.get("statuses").is_none_or(|statuses| statuses.split(',').any(|status| status == "ACTIVE"));
    let fits = |domain: &&state::Domain| {
        let after = query.get("marker").is_none_or(|marker| domain.name.name > marker.as_str());
        active && after && changed.is_none_or(|at| domain.modified >= at)
    };
    let mut found: Vec<&state::Domain> = state.domains.iter().filter(fits).collect();
    found.sort_by_key(|domain| domain.name.name);
    let rows = found.into_iter().take(limit).map(|domain| {
        let mut row = domain.v1(&state.contact, false);
        if servers {
            row["nameServers"] = json!(domain.servers);
        }
        row
    });
    ok(&rows.collect())
}

pub(crate) async fn get(State(world): State<Arc<World>>, Path(domain): Path<String>) -> Reply {
    let state = world.godaddy();
    let place = known(&state, &domain)?;
    ok(&state.domains[place].v1(&state.contact, true))
}

/// Changes what a domain does by itself; 204 without a body, as at the vendor.
pub(crate) async fn update(State(world): State<Arc<World>>, Path(domain): Path<String>, body: Bytes) -> Reply {
    let malformed = || Refusal::v1(400, "INVALID_BODY", "Request was malformed");
    let wanted: serde_json::Map<String, Value> = serde_json::from_slice(&body).map_err(|_| malformed())?;
    let now = world.now();
    let mut state = world.godaddy();
    let place = known(&state, &domain)?;
    let row = &mut state.domains[place];
    let flag = |name: &str| wanted.get(name).and_then(Value::as_bool);
    row.locked = flag("locked").unwrap_or(row.locked);
    row.renews = flag("renewAuto").unwrap_or(row.renews);
    row.modified = now;
    drop(state);
    world.business().record(now, "godaddy.domain.update", &domain, "api", Value::Object(wanted));
    empty(StatusCode::NO_CONTENT)
}

fn known(state: &state::State, domain: &str) -> Result<usize, Refusal> {
    let missing = || Refusal::v1(404, "NOT_FOUND", &format!("No record found for domain: {domain}"));
    state.domain(domain).ok_or_else(missing)
}

pub(crate) async fn available(State(world): State<Arc<World>>, Query(query): Params) -> Reply {
    let Some(domain) = query.get("domain") else {
        return Err(Refusal::v1(422, "MISSING_DOMAIN", "domain must be specified"));
    };
    ok(&offer(&world, domain)?)
}

pub(crate) async fn available_bulk(State(world): State<Arc<World>>, body: Bytes) -> Reply {
    let names: Vec<String> =
        serde_json::from_slice(&body).map_err(|_| Refusal::v1(400, "INVALID_BODY", "Request was malformed"))?;
    let (mut domains, mut errors) = (Vec::new(), Vec::new());
    for (nth, name) in names.iter().enumerate() {
        match offer(&world, name) {
            Ok(offer) => domains.push(offer),
            Err(refusal) => errors.push(json!({"code": refusal.body["code"], "domain": name,
                "message": refusal.body["message"], "path": format!("domains[{nth}]"), "status": 422})),
        }
    }
    if errors.is_empty() {
        return ok(&json!({"domains": domains}));
    }
    let status = StatusCode::NON_AUTHORITATIVE_INFORMATION;
    Ok(super::reply::respond(status, &json!({"domains": domains, "errors": errors})))
}

/// A name is taken when somebody has it: the business, or half of the world.
fn offer(world: &World, domain: &str) -> Result<Value, Refusal> {
    let domain = domain.to_lowercase();
    let well = domain.split('.').count() >= 2 && domain.chars().all(|c| c.is_ascii_alphanumeric() || "-.".contains(c));
    if !well {
        return Err(Refusal::v1(422, "INVALID_DOMAIN", "FQDN fails generic validity regex"));
    }
    let taken = world.godaddy().domain(&domain).is_some() || domain.bytes().map(u64::from).sum::<u64>() % 2 == 0;
    let mut row = json!({"available": !taken, "definitive": true, "domain": domain});
    if !taken {
        row["price"] = json!(12_990_000);
        row["currency"] = json!("USD");
        row["period"] = json!(1);
    }
    Ok(row)
}

pub(crate) async fn all(State(world): State<Arc<World>>, Path(domain): Path<String>, query: Params) -> Reply {
    show(&world, &domain, None, None, &query)
}

pub(crate) async fn of_type(
    State(world): State<Arc<World>>,
    Path((domain, kind)): Path<(String, String)>,
    query: Params,
) -> Reply {
    show(&world, &domain, Some(&kind), None, &query)
}

pub(crate) async fn of_name(
    State(world): State<Arc<World>>,
    Path((domain, kind, name)): Path<(String, String, String)>,
    query: Params,
) -> Reply {
    show(&world, &domain, Some(&kind), Some(&name), &query)
}

fn show(world: &World, domain: &str, kind: Option<&str>, name: Option<&str>, query: &Params) -> Reply {
    let state = world.godaddy();
    let place = known(&state, domain)?;
    let fits = |record: &&Record| {
        kind.is_none_or(|kind| record.kind.eq_ignore_ascii_case(kind))
            && name.is_none_or(|name| record.name.eq_ignore_ascii_case(name))
    };
    let number = |key: &str| query.get(key).and_then(|text| text.parse::<usize>().ok());
    let found = records::sorted(state.domains[place].records.iter().filter(fits));
    let rows = found.into_iter().skip(number("offset").unwrap_or(0)).take(number("limit").unwrap_or(usize::MAX));
    ok(&rows.map(Record::shown).collect())
}

/// Adds to what is there.
pub(crate) async fn add(State(world): State<Arc<World>>, Path(domain): Path<String>, body: Bytes) -> Reply {
    let mut state = world.godaddy();
    let place = known(&state, &domain)?;
    let added = parse(&mut state, &body, None, None)?;
    let records = &state.domains[place].records;
    if added.iter().any(|record| records.iter().any(|other| other.same(record))) {
        return Err(Refusal::v1(422, "DUPLICATE_RECORD", "Another record with the same attributes already exists"));
    }
    let mut after = records.clone();
    after.extend(added.iter().cloned());
    store(&world, &mut state, place, after, "godaddy.record.create", &json!(added.len()))
}

/// Replaces the whole zone, which is why careful clients never ask for it.
pub(crate) async fn replace_all(State(world): State<Arc<World>>, Path(domain): Path<String>, body: Bytes) -> Reply {
    let mut state = world.godaddy();
    let place = known(&state, &domain)?;
    let after = parse(&mut state, &body, None, None)?;
    store(&world, &mut state, place, after, "godaddy.zone.replace", &json!(domain))
}

pub(crate) async fn replace_type(
    State(world): State<Arc<World>>,
    Path((domain, kind)): Path<(String, String)>,
    body: Bytes,
) -> Reply {
    let mut state = world.godaddy();
    let place = known(&state, &domain)?;
    let new = parse(&mut state, &body, Some(&kind), None)?;
    let mut after = state.domains[place].records.clone();
    after.retain(|record| !record.kind.eq_ignore_ascii_case(&kind));
    after.extend(new);
    store(&world, &mut state, place, after, "godaddy.type.replace", &json!(kind))
}

/// Replaces the records of one type and name.
pub(crate) async fn replace(
    State(world): State<Arc<World>>,
    Path((domain, kind, name)): Path<(String, String, String)>,
    body: Bytes,
) -> Reply {
    let mut state = world.godaddy();
    let place = known(&state, &domain)?;
    let new = parse(&mut state, &body, Some(&kind), Some(&name))?;
    let mut after = without(&state.domains[place].records, &kind, &name);
    after.extend(new);
    store(&world, &mut state, place, after, "godaddy.set.replace", &json!(format!("{kind} {name}")))
}

pub(crate) async fn delete(
    State(world): State<Arc<World>>,
    Path((domain, kind, name)): Path<(String, String, String)>,
) -> Reply {
    let mut state = world.godaddy();
    let place = known(&state, &domain)?;
    if matches!(kind.to_uppercase().as_str(), "NS" | "SOA") {
        return Err(Refusal::v1_field("type", "INVALID_VALUE_ENUM", "type is not one of A, AAAA, CNAME, MX, SRV, TXT"));
    }
    let before = state.domains[place].records.len();
    let after = without(&state.domains[place].records, &kind, &name);
    if after.len() == before {
        return Err(Refusal::v1(404, "NOT_FOUND", "Resource not found"));
    }
    store(&world, &mut state, place, after, "godaddy.set.delete", &json!(format!("{kind} {name}")))?;
    empty(StatusCode::NO_CONTENT)
}

fn without(records: &[Record], kind: &str, name: &str) -> Vec<Record> {
    let of = |record: &&Record| !(record.kind.eq_ignore_ascii_case(kind) && record.name.eq_ignore_ascii_case(name));
    records.iter().filter(of).cloned().collect()
}

fn parse(
    state: &mut state::State,
    body: &Bytes,
    kind: Option<&str>,
    name: Option<&str>,
) -> Result<Vec<Record>, Refusal> {
    let rows: Vec<Value> =
        serde_json::from_slice(body).map_err(|_| Refusal::v1(400, "INVALID_BODY", "Request was malformed"))?;
    if rows.is_empty() {
        return Err(Refusal::v1_field("records", "UNEXPECTED_EMPTY", "records must not be empty"));
    }
    let mut parsed = Vec::new();
    for (nth, row) in rows.iter().enumerate() {
        let record = records::read(row, state.new_id(), kind, name)
            .map_err(|(field, code, message)| Refusal::v1_field(&format!("records[{nth}].{field}"), code, message))?;
        parsed.push(record);
    }
    Ok(parsed)
}

fn store(
    world: &World,
    state: &mut state::State,
    place: usize,
    after: Vec<Record>,
    kind: &'static str,
    payload: &Value,
) -> Reply {
    for record in &after {
        records::clash(&after, record).map_err(|wrong| Refusal::v1_field(wrong.0, wrong.1, wrong.2))?;
    }
    let domain = &mut state.domains[place];
    domain.records = after;
    domain.modified = world.now();
    world.business().record(world.now(), kind, domain.name.name, "api", payload.clone());
    empty(StatusCode::OK)
}
