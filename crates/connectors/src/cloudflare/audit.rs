//! An audit of the DNS of all zones.

use schemars::JsonSchema;
use sdk::{Error, Result};
use serde::{Deserialize, Serialize};

use super::findings::{self, Finding, Severity};
use super::zones::{self, Place};
use super::{Cloudflare, dns};
use crate::json;

/// Audits DNS at Cloudflare: mail protection (SPF, DMARC), CAA, dangling CNAMEs, exposed or private addresses, proxying,
/// TTLs, duplicates. Use it for "is our DNS sound?". Answers `findings`, worst first, each with reason and recommended
/// call.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DnsAudit {
    /// Domain or zone id; all zones if left out.
    #[schemars(length(min = 1, max = 253))]
    zone: Option<String>,
    /// Only findings at least this bad.
    min_severity: Option<Severity>,
    /// How many findings, 10 if left out.
    #[schemars(range(min = 1, max = 50))]
    limit: Option<u32>,
}

/// What was found.
#[derive(Serialize, JsonSchema)]
pub struct Audited {
    zones: Vec<String>,
    records_read: usize,
    counts: Counts,
    findings: Vec<Finding>,
    /// Left out when every zone was read to its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    incomplete: Option<String>,
    not_checked: &'static str,
}

/// All findings by severity, also those that are not shown.
#[derive(Default, Serialize, JsonSchema)]
pub struct Counts {
    high: usize,
    medium: usize,
    low: usize,
    info: usize,
}

/// One question asks for this many zones and records of a zone at most.
const ZONES: usize = 10;
const RECORDS: usize = 5_000;

pub async fn audit(api: &Cloudflare, args: DnsAudit) -> Result<Audited> {
    let (places, all) = places(api, args.zone.as_deref()).await?;
    let mut incomplete: Option<String> =
        (!all).then(|| format!("only the first {ZONES} zones were read: name another in `zone`"));
    let (mut found, mut records_read) = (Vec::new(), 0);
    for place in &places {
        let (records, whole) = dns::all(api, place, RECORDS).await?;
        if !whole {
            incomplete = Some(format!("{} has more than {RECORDS} records; the rest was not read", place.name));
        }
        records_read += records.len();
        found.extend(findings::of(place, &records));
    }
    found.sort_by_key(|finding| finding.severity);
    let counts = count(&found);
    if let Some(least) = args.min_severity {
        found.retain(|finding| finding.severity <= least);
    }
    found.truncate(args.limit.unwrap_or(10) as usize);
    Ok(Audited {
        zones: places.into_iter().map(|place| place.name).collect(),
        records_read,
        counts,
        findings: found,
        incomplete,
        not_checked: "Names outside of these zones were not resolved; DNSSEC was not looked at.",
    })
}

async fn places(api: &Cloudflare, zone: Option<&str>) -> Result<(Vec<Place>, bool)> {
    if zone.is_some() {
        return Ok((vec![zones::find(api, zone).await?], true));
    }
    let answer = zones::fetch(api, None, 1, ZONES as u32).await?;
    let places: Vec<Place> = answer.result.as_array().into_iter().flatten().filter_map(zones::place).collect();
    if places.is_empty() {
        return Err(Error::not_found("the token sees no zone: give it Zone Read under My Profile > API Tokens > Edit"));
    }
    let all = json::count(&answer.info, "total_count").is_none_or(|total| total <= places.len() as u64);
    Ok((places, all))
}

fn count(findings: &[Finding]) -> Counts {
    let of = |severity| findings.iter().filter(|finding| finding.severity == severity).count();
    Counts { high: of(Severity::High), medium: of(Severity::Medium), low: of(Severity::Low), info: of(Severity::Info) }
}
