//! Reading DNS records.

use schemars::JsonSchema;
use sdk::Result;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::record::{self, Record};
use super::zones::{self, Place};
use super::{Cloudflare, wire};
use crate::json;

/// Lists DNS records of a Cloudflare zone, by type, name or words. Use it to look up a record or the id that
/// update_dns_record and delete_dns_record need. Answers `records` and `total`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListDns {
    /// Domain or zone id; the configured zone if left out.
    #[schemars(length(min = 1, max = 253))]
    zone: Option<String>,
    /// Only this type, `MX`.
    #[serde(rename = "type")]
    #[schemars(length(min = 1, max = 10))]
    kind: Option<String>,
    /// Only this name: `www`, `@` or in full.
    #[schemars(length(min = 1, max = 253))]
    name: Option<String>,
    /// Only records with this in name, content or comment.
    #[schemars(length(min = 1, max = 200))]
    search: Option<String>,
    /// How many, 20 if left out.
    #[schemars(range(min = 1, max = 100))]
    limit: Option<u32>,
    /// `next_cursor` of the previous answer.
    #[schemars(length(min = 1, max = 500))]
    cursor: Option<String>,
}

/// Some records of a zone.
#[derive(Serialize, JsonSchema)]
pub struct Records {
    zone: String,
    records: Vec<Record>,
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// What a list is to hold.
#[derive(Default)]
pub struct Filter {
    pub kind: Option<String>,
    /// In full.
    pub name: Option<String>,
    pub search: Option<String>,
}

pub async fn list(api: &Cloudflare, args: ListDns) -> Result<Records> {
    let page = zones::page_of(args.cursor.as_deref())?;
    let zone = zones::find(api, args.zone.as_deref()).await?;
    let limit = args.limit.unwrap_or(20);
    let name = args.name.as_deref().map(|name| record::full_name(name, &zone.name));
    let filter = Filter { kind: args.kind.map(|kind| kind.to_uppercase()), name, search: args.search };
    let answer = fetch(api, &zone.id, &filter, page, limit).await?;
    let rows = answer.result.as_array().map(Vec::as_slice).unwrap_or_default();
    let total = json::count(&answer.info, "total_count");
    let next_cursor = zones::next(page, limit, rows, total);
    Ok(Records { zone: zone.name, records: rows.iter().filter_map(record::read).collect(), total, next_cursor })
}

/// One page of a zone's records.
pub async fn fetch(api: &Cloudflare, zone: &str, filter: &Filter, page: u64, per_page: u32) -> Result<wire::Answer> {
    let query = [
        ("type", filter.kind.clone()),
        ("name.exact", filter.name.clone()),
        ("search", filter.search.clone()),
        ("page", Some(page.to_string())),
        ("per_page", Some(per_page.to_string())),
        ("order", Some("name".into())),
        ("direction", Some("asc".into())),
    ];
    wire::send(api.get("/zones/{zone_id}/dns_records", &[zone])?.query(&query)).await
}

/// The records with this name and type: few, so one page holds them.
pub async fn named(api: &Cloudflare, zone: &Place, kind: Option<&str>, name: &str) -> Result<Vec<Record>> {
    let filter = Filter { kind: kind.map(str::to_owned), name: Some(name.to_owned()), search: None };
    let answer = fetch(api, &zone.id, &filter, 1, 100).await?;
    Ok(rows(&answer.result))
}

pub fn rows(result: &Value) -> Vec<Record> {
    result.as_array().into_iter().flatten().filter_map(record::read).collect()
}

/// All records of a zone, and whether that is all: reading stops at `most`.
pub async fn all(api: &Cloudflare, zone: &Place, most: usize) -> Result<(Vec<Record>, bool)> {
    let size = api.config.page_size.clamp(5, 5_000);
    let mut records = Vec::new();
    for page in 1.. {
        let answer = fetch(api, &zone.id, &Filter::default(), page, size).await?;
        let count = answer.result.as_array().map_or(0, Vec::len);
        records.extend(rows(&answer.result));
        let total = json::count(&answer.info, "total_count").unwrap_or(u64::MAX);
        // The vendor may give fewer rows a page than it was asked for; an empty page is past the end.
        if count == 0 || records.len() as u64 >= total {
            return Ok((records, true));
        }
        if records.len() >= most {
            break;
        }
    }
    Ok((records, false))
}
