//! Reading records: all of them, those for mail, the names beneath a domain.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use sdk::Result;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::record::{self, Record};
use super::records::{self, Filter};
use super::{GoDaddy, domain_name};
use crate::cursor;

/// Lists DNS records of a domain whose DNS is at GoDaddy, by type or name. Use it before dns_plan. Answers `records`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListDns {
    /// `example.com`
    #[schemars(length(min = 3, max = 253))]
    domain: String,
    /// Only this type, `TXT`.
    #[serde(rename = "type")]
    #[schemars(length(min = 1, max = 10))]
    kind: Option<String>,
    /// Only this name: `www`, `@` or in full.
    #[schemars(length(min = 1, max = 253))]
    name: Option<String>,
    /// How many, 20 if left out.
    #[schemars(range(min = 1, max = 100))]
    limit: Option<u32>,
    /// `next_cursor` of the previous answer.
    #[schemars(length(min = 1, max = 500))]
    cursor: Option<String>,
}

/// Tells where the mail of a domain with DNS at GoDaddy goes: MX records by priority, the provider behind them, SPF and
/// DMARC.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MxRecords {
    /// `example.com`
    #[schemars(length(min = 3, max = 253))]
    domain: String,
}

/// Lists the names beneath a domain with DNS at GoDaddy and where they lead. Use it to see which subdomains exist. Answers
/// `subdomains` by name, and `total`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Subdomains {
    /// `example.com`
    #[schemars(length(min = 3, max = 253))]
    domain: String,
    /// Only names with this in them.
    #[schemars(length(min = 1, max = 100))]
    contains: Option<String>,
    /// How many, 30 if left out.
    #[schemars(range(min = 1, max = 100))]
    limit: Option<u32>,
}

/// Some records of a domain.
#[derive(Serialize, JsonSchema)]
pub struct Records {
    domain: String,
    records: Vec<Record>,
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// Where mail goes.
#[derive(Serialize, JsonSchema)]
pub struct Mail {
    domain: String,
    mx: Vec<Exchanger>,
    /// As far as the names of the servers tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    provider: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    spf: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dmarc: Option<String>,
}

/// A mail server.
#[derive(Serialize, JsonSchema)]
pub struct Exchanger {
    name: String,
    priority: u64,
    server: String,
}

/// Names beneath a domain.
#[derive(Serialize, JsonSchema)]
pub struct Names {
    domain: String,
    subdomains: Vec<Name>,
    total: usize,
}

/// A name, and where it leads.
#[derive(Serialize, JsonSchema)]
pub struct Name {
    name: String,
    /// `A 203.0.113.1`, `CNAME www.example.net`, …
    leads_to: Vec<String>,
}

pub async fn list(api: &GoDaddy, args: ListDns) -> Result<Records> {
    let domain = domain_name(&args.domain)?;
    let page =
        cursor::decode_option(args.cursor.as_deref())?.and_then(|cursor| cursor["page"].as_u64()).unwrap_or(1).max(1);
    let name = args.name.as_deref().map(|name| record::relative(name, &domain));
    let filter = Filter { kind: args.kind.map(|kind| kind.trim().to_uppercase()), name };
    let found = records::page(api, &domain, &filter, page, u64::from(args.limit.unwrap_or(20))).await?;
    let next_cursor = found.more.then(|| cursor::encode(&json!({"page": page + 1})));
    let shown = |present: records::Found| present.rows.into_iter().map(|present| short(present.record)).collect();
    Ok(Records { total: found.total, records: shown(found), domain, next_cursor })
}

fn short(mut record: Record) -> Record {
    record.data = sdk::text::cut(&record.data, 600);
    record
}

pub async fn mx(api: &GoDaddy, args: MxRecords) -> Result<Mail> {
    let domain = domain_name(&args.domain)?;
    let of = |kind: &str, name: Option<&str>| Filter { kind: Some(kind.into()), name: name.map(str::to_owned) };
    let (servers, at_domain, at_policy) = (of("MX", None), of("TXT", Some("@")), of("TXT", Some("_dmarc")));
    let (mx, texts, policies) = futures::try_join!(
        records::all(api, &domain, &servers),
        records::all(api, &domain, &at_domain),
        records::all(api, &domain, &at_policy),
    )?;
    let begins = |records: &[record::Present], prefix: &str| {
        let texts = records.iter().map(|present| present.record.data.trim_matches('"').to_owned());
        texts.into_iter().find(|text| text.to_lowercase().starts_with(prefix)).map(|text| sdk::text::cut(&text, 500))
    };
    let mut servers: Vec<Exchanger> = mx.into_iter().map(|present| exchanger(present.record, &domain)).collect();
    servers.sort_by(|a, b| (a.priority, &a.server).cmp(&(b.priority, &b.server)));
    Ok(Mail {
        provider: servers.first().and_then(|server| provider(&server.server)),
        spf: begins(&texts, "v=spf1"),
        dmarc: begins(&policies, "v=dmarc1"),
        mx: servers,
        domain,
    })
}

fn exchanger(record: Record, domain: &str) -> Exchanger {
    let server = record.data.trim_end_matches('.').to_lowercase();
    Exchanger { name: record::full(&record.name, domain), priority: record.priority.unwrap_or(0), server }
}

fn provider(server: &str) -> Option<&'static str> {
    let known = [
        ("google.com", "Google Workspace"),
        ("googlemail.com", "Google Workspace"),
        ("outlook.com", "Microsoft 365"),
        ("secureserver.net", "GoDaddy mail"),
        ("zoho.com", "Zoho"),
        ("mimecast.com", "Mimecast"),
        ("pphosted.com", "Proofpoint"),
    ];
    known.into_iter().find(|(host, _)| server.ends_with(host)).map(|(_, provider)| provider)
}

pub async fn subdomains(api: &GoDaddy, args: Subdomains) -> Result<Names> {
    let domain = domain_name(&args.domain)?;
    let all = records::all(api, &domain, &Filter::default()).await?;
    let mut names: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let wanted = args.contains.map(|text| text.to_lowercase());
    for Record { kind, name, data, .. } in all.into_iter().map(|present| present.record) {
        let leads = matches!(kind.as_str(), "A" | "AAAA" | "CNAME");
        if name != "@" && leads && wanted.as_ref().is_none_or(|wanted| name.contains(wanted)) {
            let target = if data == "@" { domain.clone() } else { data.trim_end_matches('.').to_owned() };
            names.entry(record::full(&name, &domain)).or_default().push(format!("{kind} {target}"));
        }
    }
    let total = names.len();
    let shown = names.into_iter().take(args.limit.unwrap_or(30) as usize);
    Ok(Names { subdomains: shown.map(|(name, leads_to)| Name { name, leads_to }).collect(), domain, total })
}
