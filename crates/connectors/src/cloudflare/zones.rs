//! Zones, and which one a call means.

use schemars::JsonSchema;
use sdk::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Cloudflare;
use super::wire::{self, Answer};
use crate::{cursor, json};

/// Lists the domains (zones) that Cloudflare hosts for this account: status, plan, name servers. Use it to find a
/// zone's id or to see which domains are not active. Answers `zones` and `total`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListZones {
    /// Only names that contain this.
    #[schemars(length(min = 1, max = 253))]
    name: Option<String>,
    /// How many, 20 if left out.
    #[schemars(range(min = 5, max = 50))]
    limit: Option<u32>,
    /// `next_cursor` of the previous answer.
    #[schemars(length(min = 1, max = 500))]
    cursor: Option<String>,
}

/// Some zones.
#[derive(Serialize, JsonSchema)]
pub struct Zones {
    zones: Vec<Zone>,
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// A domain whose records Cloudflare answers for.
#[derive(Serialize, JsonSchema)]
pub struct Zone {
    id: String,
    name: String,
    /// `active`, or `pending` while the registrar names other servers.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    plan: Option<String>,
    /// What the registrar must name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    name_servers: Vec<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    paused: bool,
}

pub async fn list(api: &Cloudflare, args: ListZones) -> Result<Zones> {
    let page = page_of(args.cursor.as_deref())?;
    let limit = args.limit.unwrap_or(20);
    let name = args.name.map(|name| format!("contains:{}", name.trim().to_lowercase()));
    let answer = fetch(api, name, page, limit).await?;
    let rows = answer.result.as_array().map(Vec::as_slice).unwrap_or_default();
    let total = json::count(&answer.info, "total_count");
    Ok(Zones { zones: rows.iter().filter_map(shown).collect(), total, next_cursor: next(page, limit, rows, total) })
}

/// One page of zones.
pub async fn fetch(api: &Cloudflare, name: Option<String>, page: u64, per_page: u32) -> Result<Answer> {
    let query = [
        ("name", name),
        ("page", Some(page.to_string())),
        ("per_page", Some(per_page.to_string())),
        ("order", Some("name".into())),
        ("direction", Some("asc".into())),
    ];
    wire::send(api.get("/zones", &[])?.query(&query)).await
}

fn shown(row: &Value) -> Option<Zone> {
    Some(Zone {
        id: json::text(row, "id")?,
        name: json::text(row, "name")?,
        status: json::text(row, "status"),
        plan: row.get("plan").and_then(|plan| json::text(plan, "name")),
        name_servers: json::texts(row, "name_servers"),
        paused: json::flag(row, "paused").unwrap_or(false),
    })
}

/// The page that a cursor means.
pub fn page_of(text: Option<&str>) -> Result<u64> {
    let cursor = cursor::decode_option(text)?;
    Ok(cursor.and_then(|cursor| cursor["page"].as_u64()).unwrap_or(1).max(1))
}

/// The cursor of the page after this one. A page past the end is empty, so a full page without a total has one more.
pub fn next(page: u64, limit: u32, rows: &[Value], total: Option<u64>) -> Option<String> {
    let full = rows.len() as u64 >= u64::from(limit);
    let more = total.map_or(full, |total| page * u64::from(limit) < total && !rows.is_empty());
    more.then(|| cursor::encode(&serde_json::json!({"page": page + 1})))
}

/// A zone that a call works on.
#[derive(Clone, Debug)]
pub struct Place {
    pub id: String,
    pub name: String,
    pub active: bool,
    pub name_servers: Vec<String>,
}

/// The zone by name or id; without either the configured one, or the only one.
pub async fn find(api: &Cloudflare, zone: Option<&str>) -> Result<Place> {
    let zone = zone.map(str::trim).filter(|zone| !zone.is_empty()).or(api.config.zone_id.as_deref());
    match zone {
        Some(id) if is_id(id) => {
            let answer = wire::send(api.get("/zones/{zone_id}", &[id])?).await?;
            place(&answer.result).ok_or_else(|| Error::upstream("Cloudflare answered a zone without id and name"))
        }
        Some(name) => by_name(api, &name.trim_end_matches('.').to_lowercase()).await,
        None => only(api).await,
    }
}

/// Whether it is an id, and not a name.
pub fn is_id(text: &str) -> bool {
    text.len() == 32 && text.chars().all(|c| c.is_ascii_hexdigit())
}

async fn by_name(api: &Cloudflare, name: &str) -> Result<Place> {
    let answer = fetch(api, Some(name.to_owned()), 1, 5).await?;
    let found = answer.result.as_array().and_then(|rows| rows.iter().find_map(place));
    found.ok_or_else(|| {
        Error::not_found(format!(
            "zone: Cloudflare hosts no domain {name} for this token; list_zones shows those that it does"
        ))
    })
}

async fn only(api: &Cloudflare) -> Result<Place> {
    let answer = fetch(api, None, 1, 5).await?;
    let mut places: Vec<Place> = answer.result.as_array().into_iter().flatten().filter_map(place).collect();
    if places.len() == 1
        && let Some(only) = places.pop()
    {
        return Ok(only);
    }
    let names: Vec<&str> = places.iter().map(|place| place.name.as_str()).collect();
    let which = if names.is_empty() { "the token covers none".into() } else { names.join(", ") };
    Err(Error::invalid_input(format!("zone: name one, or set CF_ZONE_ID ({which})")))
}

/// A row as a place.
pub fn place(row: &Value) -> Option<Place> {
    Some(Place {
        id: json::text(row, "id")?,
        name: json::text(row, "name")?.to_lowercase(),
        active: json::text(row, "status").is_none_or(|status| status == "active"),
        name_servers: json::texts(row, "name_servers"),
    })
}
