//! DNS records: what may stand where, and what is refused with which code.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use axum::extract::{OriginalUri, Path, State};
use serde_json::{Map, Value, json};

use super::{
    envelope::{Body, Query, Refusal, Reply, ok, page},
    filter,
    gate::Call,
    state::{self, Entry, Record, Zone},
    zones::known,
};
use crate::{clock::Millis, world::World};

pub(crate) async fn list(
    State(world): State<Arc<World>>,
    OriginalUri(uri): OriginalUri,
    Path(zone): Path<String>,
    query: Query,
) -> Reply {
    let state = world.cloudflare();
    let zone = &state.zones[known(&state, &zone, uri.path())?];
    let rows: Vec<Value> = filter::select(&zone.records, &query).into_iter().map(Record::shown).collect();
    page(&rows, &query, 5_000_000, 100)
}

pub(crate) async fn get(
    State(world): State<Arc<World>>,
    OriginalUri(uri): OriginalUri,
    Path((zone, record)): Path<(String, String)>,
) -> Reply {
    let state = world.cloudflare();
    let zone = &state.zones[known(&state, &zone, uri.path())?];
    ok(zone.records[placed(zone, &record)?].shown())
}

pub(crate) async fn create(
    State(world): State<Arc<World>>,
    call: Call,
    OriginalUri(uri): OriginalUri,
    Path(zone): Path<String>,
    Body(body): Body,
) -> Reply {
    let mut state = world.cloudflare();
    let place = known(&state, &zone, uri.path())?;
    let record = add(&mut state, place, &body, call.now)?;
    written(&world, &mut state, place, &record, "create", call.now);
    ok(record.shown())
}

pub(crate) async fn patch(
    State(world): State<Arc<World>>,
    call: Call,
    OriginalUri(uri): OriginalUri,
    Path(place): Path<(String, String)>,
    Body(body): Body,
) -> Reply {
    edited(&world, &call, uri.path(), &place, &body, change)
}

pub(crate) async fn overwrite(
    State(world): State<Arc<World>>,
    call: Call,
    OriginalUri(uri): OriginalUri,
    Path(place): Path<(String, String)>,
    Body(body): Body,
) -> Reply {
    edited(&world, &call, uri.path(), &place, &body, replace)
}

type Edit = fn(&mut Zone, &str, &Map<String, Value>, Millis) -> Result<Record, Refusal>;

/// Edits one record in the way of PATCH or of PUT.
fn edited(
    world: &World,
    call: &Call,
    path: &str,
    (zone, id): &(String, String),
    body: &Map<String, Value>,
    edit: Edit,
) -> Reply {
    let mut state = world.cloudflare();
    let place = known(&state, zone, path)?;
    let record = edit(&mut state.zones[place], id, body, call.now)?;
    written(world, &mut state, place, &record, "update", call.now);
    ok(record.shown())
}

pub(crate) async fn delete(
    State(world): State<Arc<World>>,
    call: Call,
    OriginalUri(uri): OriginalUri,
    Path((zone, id)): Path<(String, String)>,
) -> Reply {
    let mut state = world.cloudflare();
    let place = known(&state, &zone, uri.path())?;
    let record = remove(&mut state.zones[place], &id)?;
    written(&world, &mut state, place, &record, "delete", call.now);
    // What is deleted comes back without the envelope's other members.
    Ok(super::envelope::respond(
        axum::http::StatusCode::OK,
        &json!({"result": {"id": record.id}, "success": true,
        "errors": [], "messages": []}),
    ))
}

pub(crate) fn add(
    state: &mut state::State,
    place: usize,
    body: &Map<String, Value>,
    now: Millis,
) -> Result<Record, Refusal> {
    let id = state.new_id();
    let zone = &mut state.zones[place];
    let record = read(blank(id, now), body, zone)?;
    clash(zone, &record)?;
    zone.records.push(record.clone());
    Ok(record)
}

/// Changes the fields that are given.
pub(crate) fn change(zone: &mut Zone, id: &str, body: &Map<String, Value>, now: Millis) -> Result<Record, Refusal> {
    let place = placed(zone, id)?;
    let mut record = read(zone.records[place].clone(), body, zone)?;
    record.modified = now;
    clash(zone, &record)?;
    zone.records[place] = record.clone();
    Ok(record)
}

/// Fields that are not given fall back to what a new record has.
pub(crate) fn replace(zone: &mut Zone, id: &str, body: &Map<String, Value>, now: Millis) -> Result<Record, Refusal> {
    let place = placed(zone, id)?;
    let fresh = Record { created: zone.records[place].created, ..blank(id.to_owned(), now) };
    let record = read(fresh, body, zone)?;
    clash(zone, &record)?;
    zone.records[place] = record.clone();
    Ok(record)
}

pub(crate) fn remove(zone: &mut Zone, id: &str) -> Result<Record, Refusal> {
    let place = placed(zone, id)?;
    Ok(zone.records.remove(place))
}

fn blank(id: String, now: Millis) -> Record {
    Record {
        id,
        kind: String::new(),
        name: String::new(),
        content: String::new(),
        ttl: 1,
        proxied: false,
        priority: None,
        data: None,
        comment: None,
        tags: Vec::new(),
        created: now,
        modified: now,
    }
}

fn placed(zone: &Zone, id: &str) -> Result<usize, Refusal> {
    let found = zone.records.iter().position(|record| record.id == id);
    found.ok_or_else(|| Refusal::new(404, 81044, "Record does not exist."))
}

/// Puts the fields of a request into a record, as far as the vendor takes them.
fn read(mut record: Record, body: &Map<String, Value>, zone: &Zone) -> Result<Record, Refusal> {
    let text = |key: &str| body.get(key).and_then(Value::as_str);
    if let Some(kind) = text("type") {
        record.kind = kind.to_uppercase();
    }
    if let Some(name) = text("name") {
        record.name = full(name, &zone.name);
    }
    if let Some(content) = text("content") {
        record.content = content.trim().to_owned();
    }
    if let Some(data) = body.get("data").filter(|data| data.is_object()) {
        record.content = spelled(&record.kind, data)?;
        record.priority = data["priority"].as_u64();
        record.data = Some(data.clone());
    }
    if let Some(ttl) = body.get("ttl") {
        record.ttl = ttl.as_f64().filter(|ttl| ttl.fract() == 0.0 && *ttl >= 0.0).map_or(0, |ttl| ttl as u64);
    }
    record.proxied = body.get("proxied").and_then(Value::as_bool).unwrap_or(record.proxied);
    record.priority = body.get("priority").and_then(Value::as_u64).or(record.priority);
    if let Some(comment) = body.get("comment") {
        record.comment = comment.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    }
    validate(&record)?;
    if record.proxied {
        record.ttl = 1;
    }
    Ok(record)
}

/// Relative names are taken as names in the zone.
fn full(name: &str, zone: &str) -> String {
    let name = name.trim().trim_end_matches('.').to_lowercase();
    if name == "@" {
        return zone.to_owned();
    }
    if name == zone || name.ends_with(&format!(".{zone}")) { name } else { format!("{name}.{zone}") }
}

fn spelled(kind: &str, data: &Value) -> Result<String, Refusal> {
    let number = |key: &str| data[key].as_u64().unwrap_or(0);
    match kind {
        "CAA" if data["tag"].is_string() => Ok(format!(
            "{} {} \"{}\"",
            number("flags"),
            data["tag"].as_str().unwrap_or_default(),
            data["value"].as_str().unwrap_or_default()
        )),
        "SRV" if data["target"].is_string() => {
            Ok(format!("{} {} {}", number("weight"), number("port"), data["target"].as_str().unwrap_or_default()))
        }
        _ => Err(Refusal::new(400, 9101, "A data field is required.")),
    }
}

fn validate(record: &Record) -> Result<(), Refusal> {
    let refuse = |code, message: &str| Err(Refusal::new(400, code, message));
    if record.name.is_empty() || record.name.len() > 253 {
        return refuse(9000, "DNS name is invalid.");
    }
    match record.kind.as_str() {
        "A" if record.content.parse::<Ipv4Addr>().is_err() => {
            return refuse(9005, "Content for A record must be a valid IPv4 address.");
        }
        "AAAA" if record.content.parse::<Ipv6Addr>().is_err() => {
            return refuse(9006, "Content for AAAA record must be a valid IPv6 address.");
        }
        "CNAME" | "NS" | "MX" | "PTR" if !is_host(&record.content) => {
            return refuse(9007, &format!("Content for {} record must be a hostname.", record.kind));
        }
        "MX" if record.priority.is_none() => return refuse(9100, "DNS record priority must be set for MX records."),
        "CAA" | "SRV" if record.data.is_none() => {
            return refuse(
                9101,
                &format!("{} is a required data field.", if record.kind == "CAA" { "tag" } else { "target" }),
            );
        }
        "A" | "AAAA" | "CNAME" | "MX" | "TXT" | "NS" | "PTR" | "CAA" | "SRV" => {}
        _ => return refuse(9002, "DNS record type is invalid."),
    }
    if record.content.is_empty() || record.content.len() > 4_096 {
        return refuse(9003, "DNS record content is invalid.");
    }
    if record.proxied && !record.proxiable() {
        return refuse(9004, "This record type cannot be proxied.");
    }
    if record.ttl != 1 && !(60..=86_400).contains(&record.ttl) {
        return refuse(9021, "Invalid TTL. Must be between 60 and 86,400 seconds, or 1 for Automatic.");
    }
    Ok(())
}

fn is_host(text: &str) -> bool {
    let text = text.trim_end_matches('.');
    let label = |label: &str| {
        (1..=63).contains(&label.len()) && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
    };
    text.parse::<Ipv4Addr>().is_err() && text.split('.').all(label)
}

/// What the vendor refuses beside what is there.
fn clash(zone: &Zone, record: &Record) -> Result<(), Refusal> {
    let others = zone.records.iter().filter(|other| other.id != record.id && other.name == record.name);
    for other in others {
        let pair = (other.kind.as_str(), record.kind.as_str());
        if pair.0 == pair.1 && same_content(&other.content, &record.content) {
            let same = (other.ttl, other.proxied, other.priority) == (record.ttl, record.proxied, record.priority);
            return Err(if same {
                Refusal::new(400, 81058, "An identical record already exists.")
            } else {
                Refusal::new(400, 81057, "Record already exists.")
            });
        }
        let alias = |kind: &str| kind == "CNAME";
        let address = |kind: &str| matches!(kind, "A" | "AAAA");
        if (alias(pair.0) && (address(pair.1) || alias(pair.1))) || (address(pair.0) && alias(pair.1)) {
            return Err(Refusal::new(400, 81053, "An A, AAAA, or CNAME record with that host already exists."));
        }
        if (pair.0 == "NS") != (pair.1 == "NS") {
            return Err(Refusal::new(400, 81056, "NS records with that host already exist."));
        }
    }
    Ok(())
}

fn same_content(a: &str, b: &str) -> bool {
    a.trim_matches('"').trim_end_matches('.').eq_ignore_ascii_case(b.trim_matches('"').trim_end_matches('.'))
}

/// Keeps a write: in the account's audit log, and on the list of effects.
pub(crate) fn written(
    world: &World,
    state: &mut state::State,
    place: usize,
    record: &Record,
    action: &'static str,
    now: Millis,
) {
    let (zone_id, zone_name) = (state.zones[place].id.clone(), state.zones[place].name.clone());
    let (method, kind) = match action {
        "create" => ("POST", "cloudflare.record.create"),
        "delete" => ("DELETE", "cloudflare.record.delete"),
        _ => ("PATCH", "cloudflare.record.update"),
    };
    let entry = Entry {
        id: state.new_id(),
        at: now,
        action,
        actor: state.owner,
        token_name: Some("enterprise"),
        method,
        uri: format!("/client/v4/zones/{zone_id}/dns_records"),
        product: "dns_records",
        resource: record.id.clone(),
        zone: Some((zone_id, zone_name)),
    };
    state.log(entry);
    world.business().record(now, kind, &record.id, "api", record.shown());
}
