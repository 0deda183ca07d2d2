//! Streams: how the brain copies zones and records page by page.

use chrono::{DateTime, Utc};
use sdk::stream::{self, Fields};
use sdk::{Batch, Error, Kind, Page, Record, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Cloudflare, dns, record, wire, zones};
use crate::json;

/// What the vendor gives at most.
const ZONES: u32 = 50;

/// All zones. They cannot be asked for by change, so that `since` reads all and leaves the old ones out.
pub async fn domains(api: &Cloudflare, page: Page) -> Result<Batch> {
    let number = page.cursor.as_ref().and_then(|cursor| cursor["page"].as_u64()).unwrap_or(1);
    let answer = zones(api, number).await?;
    let rows = answer.result.as_array().cloned().unwrap_or_default();
    let total = json::count(&answer.info, "total_count");
    let more =
        !rows.is_empty() && total.map_or(rows.len() >= ZONES as usize, |total| number * u64::from(ZONES) < total);
    let records = rows.into_iter().filter_map(domain).filter(|record| is_recent(record, page.since)).collect();
    Ok(Batch { records, next: more.then(|| json!({"page": number + 1})), total, ..Batch::default() })
}

/// A page of zones; a token that may not list them has the configured one.
async fn zones(api: &Cloudflare, page: u64) -> Result<wire::Answer> {
    let error = match zones::fetch(api, None, page, ZONES).await {
        Err(error) if error.kind == Kind::Forbidden => error,
        answered => return answered,
    };
    let Some(zone) = &api.config.zone_id else { return Err(error) };
    let mut answer = wire::send(api.get("/zones/{zone_id}", &[zone])?).await?;
    answer.result = json!([answer.result]);
    Ok(answer)
}

fn domain(row: Value) -> Option<Record> {
    let fields = stream::Domain {
        name: json::text(&row, "name")?.trim_end_matches('.').to_lowercase(),
        status: json::text(&row, "status"),
        expires_at: None,
        auto_renew: None,
        name_servers: json::texts(&row, "name_servers"),
    };
    let updated_at = json::time(&row, "modified_on");
    Some(Record { id: json::text(&row, "id")?, updated_at, data: row, fields: Fields::Domain(fields) })
}

/// Where a walk over the records is: zones that are still to be read, the first of them from this page on, and the
/// page of zones after those.
#[derive(Default, Serialize, Deserialize)]
struct Walk {
    zones: Vec<(String, String)>,
    page: u64,
    more_zones: Option<u64>,
}

/// The records of all zones, one page of one zone at a time. The vendor cannot sort by change, so that `since` reads
/// all and leaves the old ones out.
pub async fn dns_records(api: &Cloudflare, page: Page) -> Result<Batch> {
    let mut walk = match page.cursor {
        None => Walk { more_zones: Some(1), ..Walk::default() },
        Some(cursor) => serde_json::from_value(cursor)
            .map_err(|e| Error::invalid_input("the cursor is of another stream").with_source(e))?,
    };
    if walk.zones.is_empty() {
        walk.refill(api).await?;
    }
    let Some((id, name)) = walk.zones.first().cloned() else { return Ok(Batch::default()) };
    let size = api.config.page_size.clamp(5, 5_000);
    let number = walk.page.max(1);
    let answer = match dns::fetch(api, &id, &dns::Filter::default(), number, size).await {
        Ok(answer) => answer,
        // The zone was removed since the zones were listed: what it had is gone too.
        Err(error) if error.kind == Kind::NotFound => {
            return Ok(Batch { next: walk.after_zone()?, ..Batch::default() });
        }
        Err(error) => return Err(error),
    };
    let rows = answer.result.as_array().cloned().unwrap_or_default();
    let total = json::count(&answer.info, "total_count");
    let per_page = json::count(&answer.info, "per_page").unwrap_or(u64::from(size)).max(1);
    let more = !rows.is_empty() && total.map_or(rows.len() as u64 >= per_page, |total| number * per_page < total);
    let records = rows.into_iter().filter_map(|row| entry(row, &name)).filter(|record| is_recent(record, page.since));
    let records = records.collect();
    let next = if more { Some(walk.at(number + 1)?) } else { walk.after_zone()? };
    Ok(Batch { records, next, ..Batch::default() })
}

impl Walk {
    async fn refill(&mut self, api: &Cloudflare) -> Result<()> {
        let Some(number) = self.more_zones.take() else { return Ok(()) };
        let answer = zones(api, number).await?;
        let places: Vec<zones::Place> =
            answer.result.as_array().into_iter().flatten().filter_map(zones::place).collect();
        let total = json::count(&answer.info, "total_count").unwrap_or(0);
        self.more_zones = (number * u64::from(ZONES) < total && !places.is_empty()).then_some(number + 1);
        self.zones = places.into_iter().map(|place| (place.id, place.name)).collect();
        self.page = 1;
        Ok(())
    }

    fn at(mut self, page: u64) -> Result<Value> {
        self.page = page;
        serde_json::to_value(&self).map_err(|e| Error::internal("a cursor could not be written").with_source(e))
    }

    /// The walk with its first zone done; nothing when there is no other.
    fn after_zone(mut self) -> Result<Option<Value>> {
        self.zones.remove(0);
        if self.zones.is_empty() && self.more_zones.is_none() {
            return Ok(None);
        }
        self.at(1).map(Some)
    }
}

fn entry(row: Value, zone: &str) -> Option<Record> {
    let shown = record::read(&row)?;
    let fields = stream::DnsRecord {
        domain: zone.to_owned(),
        name: shown.name,
        kind: shown.kind,
        content: shown.content,
        ttl: shown.ttl.and_then(|ttl| i64::try_from(ttl).ok()),
        priority: shown.priority.and_then(|priority| i32::try_from(priority).ok()),
    };
    let updated_at = json::time(&row, "modified_on");
    Some(Record { id: shown.id, updated_at, data: row, fields: Fields::DnsRecord(fields) })
}

fn is_recent(record: &Record, since: Option<DateTime<Utc>>) -> bool {
    since.is_none() || record.updated_at.is_none() || record.updated_at >= since
}
