//! Reading a zone's records over either API.

use sdk::Result;
use serde_json::Value;

use super::record::{self, Present};
use super::{Api, GoDaddy};
use crate::json;

/// What is to be read.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub kind: Option<String>,
    /// Relative to the domain.
    pub name: Option<String>,
}

/// One page of records.
pub struct Found {
    pub rows: Vec<Present>,
    pub total: Option<u64>,
    pub more: bool,
}

/// As many as v3 gives a page.
pub const PAGE: u64 = 100;

const V3: &str = "/v3/domains/zones/{zone}/dns-records";

/// The page with this number, counted from 1.
pub async fn page(api: &GoDaddy, domain: &str, filter: &Filter, page: u64, size: u64) -> Result<Found> {
    match api.api() {
        Api::V3 => page_v3(api, domain, filter, page, size).await,
        Api::V1 => page_v1(api, domain, filter, page, size).await,
    }
}

async fn page_v3(api: &GoDaddy, domain: &str, filter: &Filter, page: u64, size: u64) -> Result<Found> {
    let query = [
        ("type", filter.kind.clone()),
        ("name", filter.name.clone()),
        ("page", Some(page.to_string())),
        ("pageSize", Some(size.to_string())),
        ("totalRequired", Some("true".into())),
    ];
    let answer: Value = api.get(V3, &[domain])?.query(&query).send().await?.json()?;
    let rows: Vec<Present> = json::list(&answer, "items").iter().filter_map(|row| record::read(row, domain)).collect();
    let next = json::list(&answer, "links").iter().any(|link| link["rel"] == "next");
    Ok(Found { more: next && !rows.is_empty(), total: json::count(&answer, "totalItems"), rows })
}

/// v1 has a path for each depth. It is not told how many there are, so a full page may have another behind it.
async fn page_v1(api: &GoDaddy, domain: &str, filter: &Filter, page: u64, size: u64) -> Result<Found> {
    let request = match (&filter.kind, &filter.name) {
        (Some(kind), Some(name)) => api.get("/v1/domains/{domain}/records/{type}/{name}", &[domain, kind, name])?,
        (Some(kind), None) => api.get("/v1/domains/{domain}/records/{type}", &[domain, kind])?,
        (None, _) => api.get("/v1/domains/{domain}/records", &[domain])?,
    };
    let offset = (page - 1) * size;
    let query = [("offset", Some(offset.to_string())), ("limit", Some(size.to_string()))];
    let answer: Value = request.query(&query).send().await?.json()?;
    let all = answer.as_array().map(Vec::as_slice).unwrap_or_default();
    let wanted = |present: &Present| filter.name.as_ref().is_none_or(|name| present.record.name == *name);
    let rows = all.iter().filter_map(|row| record::read(row, domain)).filter(wanted).collect();
    Ok(Found { rows, total: None, more: all.len() as u64 >= size })
}

/// All records that fit.
pub async fn all(api: &GoDaddy, domain: &str, filter: &Filter) -> Result<Vec<Present>> {
    let size = if api.api() == Api::V3 { PAGE } else { 500 };
    let mut rows = Vec::new();
    // No zone has more pages than this; an answer that never ends must not be followed for ever.
    for number in 1..=100 {
        let found = page(api, domain, filter, number, size).await?;
        rows.extend(found.rows);
        if !found.more {
            break;
        }
    }
    Ok(rows)
}
