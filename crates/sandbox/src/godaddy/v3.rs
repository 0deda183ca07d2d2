//! v3: pages with links, records with ids, no way to change one.

use std::sync::Arc;

use axum::{
    body::Bytes,
    extract::{Path, Query, State},
    http::{HeaderValue, StatusCode},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::{
    records,
    reply::{Refusal, Reply, empty, ok, respond},
    state,
};
use crate::{clock, world::World};

type Params = Query<std::collections::HashMap<String, String>>;

pub(crate) async fn list(State(world): State<Arc<World>>, Query(query): Params) -> Reply {
    let size = size(query.get("pageSize"), 200, 100)?;
    if query.contains_key("statuses") && query.contains_key("lifecycleGroups") {
        return Err(Refusal::v3(400, "BAD_REQUEST", "statuses and lifecycleGroups are mutually exclusive"));
    }
    let start: usize = match query.get("pageToken") {
        None => 0,
        Some(token) => position(token).ok_or_else(|| Refusal::v3(400, "BAD_REQUEST", "pageToken is invalid"))?,
    };
    let moment = |key: &str| query.get(key).and_then(|text| clock::parse(text));
    let (after, before) = (moment("updatedAfter"), moment("expiresBefore"));
    let wanted = query.get("statuses").is_none_or(|statuses| statuses.split(',').any(|status| status == "ACTIVE"));
    let state = world.godaddy();
    let fits = |domain: &&state::Domain| {
        wanted && after.is_none_or(|at| domain.modified >= at) && before.is_none_or(|at| domain.expires < at)
    };
    let all: Vec<Value> = state.domains.iter().filter(fits).map(state::Domain::v3).collect();
    let items: Vec<&Value> = all.iter().skip(start).take(size).collect();
    let path = "/v3/domains/domain-names";
    let mut links = vec![json!({"href": format!("{path}?pageSize={size}"), "rel": "self"})];
    if start + items.len() < all.len() {
        let token = URL_SAFE_NO_PAD.encode(format!("at:{}", start + items.len()));
        links.push(json!({"href": format!("{path}?pageSize={size}&pageToken={token}"), "rel": "next"}));
    }
    ok(&json!({"items": items, "links": links}))
}

fn position(token: &str) -> Option<usize> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
    text.strip_prefix("at:")?.parse().ok()
}

fn size(text: Option<&String>, most: usize, default: usize) -> Result<usize, Refusal> {
    let Some(text) = text else { return Ok(default) };
    let size = text.parse().ok().filter(|size| (1..=most).contains(size));
    size.ok_or_else(|| Refusal::v3_field(400, "pageSize", "INVALID_VALUE", "pageSize is out of range"))
}

pub(crate) async fn get(State(world): State<Arc<World>>, Path(domain): Path<String>) -> Reply {
    let state = world.godaddy();
    let place = state.domain(&domain).ok_or_else(|| missing("domain"))?;
    ok(&state.domains[place].v3())
}

fn missing(what: &str) -> Refusal {
    Refusal::v3(404, "NOT_FOUND", &format!("The {what} was not found"))
}

/// Accepted, as an operation to be asked about.
pub(crate) async fn nameservers(State(world): State<Arc<World>>, Path(domain): Path<String>, body: Bytes) -> Reply {
    let Ok(servers) = serde_json::from_slice::<Vec<String>>(&body) else {
        return Err(Refusal::v3(400, "BAD_REQUEST", "an array of host names is needed"));
    };
    let mut state = world.godaddy();
    let place = state.domain(&domain).ok_or_else(|| missing("domain"))?;
    let operation = state.new_id();
    state.domains[place].servers = servers.clone();
    world.business().record(world.now(), "godaddy.nameservers", &domain, "api", json!(servers));
    Ok(respond(StatusCode::ACCEPTED, &json!({"operationId": operation, "status": "CONFIRMED", "domain": domain})))
}

fn zone(state: &state::State, zone: &str) -> Result<usize, Refusal> {
    let place = state.domain(zone).filter(|place| state.domains[*place].is_hosted());
    place.ok_or_else(|| missing("zone"))
}

pub(crate) async fn records(State(world): State<Arc<World>>, Path(name): Path<String>, Query(query): Params) -> Reply {
    let size = size(query.get("pageSize"), 100, 25)?;
    let page: usize = query.get("page").and_then(|page| page.parse().ok()).unwrap_or(1).max(1);
    let state = world.godaddy();
    let place = zone(&state, &name)?;
    let fits = |record: &&state::Record| {
        let kind = query.get("type").is_none_or(|kind| record.kind.eq_ignore_ascii_case(kind));
        kind && query.get("name").is_none_or(|name| record.name.eq_ignore_ascii_case(name))
    };
    let all = records::sorted(state.domains[place].records.iter().filter(fits));
    let items: Vec<Value> = all.iter().skip((page - 1) * size).take(size).map(|record| record.v3()).collect();
    let path = format!("/v3/domains/zones/{name}/dns-records");
    let mut links = vec![json!({"href": format!("{path}?page={page}&pageSize={size}"), "rel": "self"})];
    if page * size < all.len() {
        links.push(json!({"href": format!("{path}?page={}&pageSize={size}", page + 1), "rel": "next"}));
    }
    // An empty page has null where others have a list.
    let items = if items.is_empty() { Value::Null } else { json!(items) };
    let mut body = json!({"items": items, "links": links});
    if query.get("totalRequired").is_some_and(|required| required == "true") && !all.is_empty() {
        body["totalItems"] = all.len().into();
        body["totalPages"] = all.len().div_ceil(size).into();
    }
    ok(&body)
}

const FIXED: &str = "SOA and NS records cannot be changed";

pub(crate) async fn create(State(world): State<Arc<World>>, Path(name): Path<String>, body: Bytes) -> Reply {
    let Ok(body) = serde_json::from_slice::<Value>(&body) else {
        return Err(Refusal::v3(400, "BAD_REQUEST", "The body is not JSON"));
    };
    let mut state = world.godaddy();
    let place = zone(&state, &name)?;
    if body.get("ttl").is_none() {
        return Err(Refusal::v3_field(400, "ttl", "MISSING_REQUIRED_FIELD", "ttl is required"));
    }
    let id = state.new_id();
    let record =
        records::read(&body, id, None, None).map_err(|wrong| Refusal::v3_field(422, wrong.0, wrong.1, wrong.2))?;
    if matches!(record.kind.as_str(), "NS" | "SOA") {
        return Err(Refusal::v3(409, "dns_record_not_mutable", FIXED));
    }
    records::clash(&state.domains[place].records, &record)
        .map_err(|wrong| Refusal::v3_field(422, wrong.0, wrong.1, wrong.2))?;
    let now = world.now();
    state.domains[place].modified = now;
    state.domains[place].records.push(record.clone());
    world.business().record(now, "godaddy.record.create", &record.id, "api", record.v3());
    let mut response = respond(StatusCode::CREATED, &record.v3());
    let location = format!("/v3/domains/zones/{name}/dns-records/{}", record.id);
    if let Ok(location) = HeaderValue::from_str(&location) {
        response.headers_mut().insert("location", location);
    }
    Ok(response)
}

pub(crate) async fn delete(State(world): State<Arc<World>>, Path((name, id)): Path<(String, String)>) -> Reply {
    let mut state = world.godaddy();
    let place = zone(&state, &name)?;
    let domain = &mut state.domains[place];
    let Some(at) = domain.records.iter().position(|record| record.id == id) else { return Err(missing("record")) };
    if matches!(domain.records[at].kind.as_str(), "NS" | "SOA") {
        return Err(Refusal::v3(409, "dns_record_not_mutable", FIXED));
    }
    let record = domain.records.remove(at);
    domain.modified = world.now();
    world.business().record(world.now(), "godaddy.record.delete", &record.id, "api", record.v3());
    empty(StatusCode::NO_CONTENT)
}
