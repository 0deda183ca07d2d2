//! What would change, without changing it.

use schemars::JsonSchema;
use sdk::Result;
use serde::{Deserialize, Serialize};

use super::diff::{self, Changed, Diff};
use super::record::{Present, Record};
use super::records::{self, Filter};
use super::{GoDaddy, domain_name};

/// Shows what would be added, changed and removed so that a GoDaddy domain has the wanted DNS records; changes nothing.
/// Types and names that are not given stay. NS and SOA are refused. Answers the difference and `plan` for apply_dns_plan.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DnsPlan {
    /// `example.com`
    #[schemars(length(min = 3, max = 253))]
    pub domain: String,
    /// All records that a type and name are to have.
    #[serde(default)]
    #[schemars(length(max = 50))]
    pub records: Vec<Record>,
    /// What is to go: `TXT @`, or `A www 203.0.113.1` for one of several.
    #[serde(default)]
    #[schemars(length(max = 50))]
    pub remove: Vec<String>,
}

/// What would change.
#[derive(Serialize, JsonSchema)]
pub struct Planned {
    domain: String,
    /// Give it to apply_dns_plan with the same `records` and `remove`. Another state of the domain makes it void.
    #[serde(skip_serializing_if = "Option::is_none")]
    plan: Option<String>,
    added: Vec<Record>,
    changed: Vec<Changed>,
    removed: Vec<Record>,
    unchanged: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<&'static str>,
}

pub async fn plan(api: &GoDaddy, args: DnsPlan) -> Result<Planned> {
    let domain = domain_name(&args.domain)?;
    let (present, diff) = compare(api, &domain, &args.records, &args.remove).await?;
    let plan = (!diff.is_empty()).then(|| diff.fingerprint(&domain, &present));
    let note = diff.is_empty().then_some("Everything is as wanted already.");
    let Diff { added, changed, removed, unchanged, .. } = diff;
    Ok(Planned { domain, plan, added, changed, removed, unchanged, note })
}

/// The records of the domain, and what has to change. What is wrong with the wish is said before anything is asked.
pub async fn compare(
    api: &GoDaddy,
    domain: &str,
    wanted: &[Record],
    remove: &[String],
) -> Result<(Vec<Present>, Diff)> {
    diff::of(&[], wanted, remove, domain)?;
    let present = records::all(api, domain, &Filter::default()).await?;
    let diff = diff::of(&present, wanted, remove, domain)?;
    Ok((present, diff))
}
