//! Certificates, caching, and what stands there twice.

use serde_json::json;

use super::super::record::{self, Record};
use super::{Finding, Severity, View};

pub fn of(view: &View<'_>) -> Vec<Finding> {
    let mut found = authorities(view);
    found.extend(view.records.iter().filter_map(|record| caching(view, record)));
    found.extend(twice(view));
    found
}

fn authorities(view: &View<'_>) -> Vec<Finding> {
    if view.of_kind("CAA").any(|record| record.name == view.zone.name) {
        return Vec::new();
    }
    vec![Finding {
        severity: Severity::Low,
        check: "caa_missing",
        name: view.zone.name.clone(),
        reason: "No CAA record: every authority may issue certificates for it. Allow those that you use, each with a \
                 record; Cloudflare adds its own."
            .into(),
        recommended: view.create("CAA", "@", "0 issue \"letsencrypt.org\""),
    }]
}

fn caching(view: &View<'_>, record: &Record) -> Option<Finding> {
    let ttl = record.ttl.filter(|_| record.proxied != Some(true))?;
    let finding = |check, reason| {
        let recommended = view.update(record, json!({"ttl": if ttl < 120 { 300 } else { 3600 }}));
        Some(Finding { severity: Severity::Low, check, name: record.name.clone(), reason, recommended })
    };
    match ttl {
        0..120 => finding("ttl_short", format!("A TTL of {ttl} s makes every visitor ask again and again.")),
        86_400.. if matches!(record.kind.as_str(), "A" | "AAAA" | "CNAME") => {
            finding("ttl_long", format!("A TTL of {ttl} s: a move takes a day to reach everybody."))
        }
        _ => None,
    }
}

/// The vendor refuses the very same record, but not one that is spelled differently.
fn twice(view: &View<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut sorted: Vec<&Record> = view.records.iter().collect();
    sorted.sort_by(|a, b| (&a.kind, &a.name).cmp(&(&b.kind, &b.name)));
    for group in sorted.chunk_by(|a, b| a.kind == b.kind && a.name == b.name) {
        for (place, record) in group.iter().enumerate() {
            let kind = &record.kind;
            if group[..place].iter().any(|other| record::same_content(kind, &other.content, &record.content)) {
                found.push(Finding {
                    severity: Severity::Low,
                    check: "duplicate",
                    name: record.name.clone(),
                    reason: format!("{kind} {} stands there twice.", record.content),
                    recommended: view.delete(record),
                });
            }
        }
    }
    found
}
