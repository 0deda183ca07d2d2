//! The zones of the business, with what a real one has wrong.

use serde_json::json;

use super::state::{Entry, Record, State, Zone};
use crate::{
    business::Business,
    clock::{DAY, HOUR, MINUTE, Millis},
    domains::{Host, NAMES, customers},
};

/// Type, name within the zone, content, TTL, proxied.
type Row = (&'static str, &'static str, &'static str, u64, bool);

const SHOP: &[Row] = &[
    ("A", "@", "203.0.113.10", 1, true),
    ("A", "api", "203.0.113.11", 1, true),
    ("A", "staging", "203.0.113.10", 300, false),
    ("A", "vpn", "10.20.0.4", 3600, false),
    ("A", "mail-relay", "203.0.113.25", 60, false),
    ("AAAA", "@", "2001:db8:20::10", 1, true),
    ("CNAME", "www", "medtainer.example", 1, true),
    ("CNAME", "shop", "shops.storefront.example.net", 1, true),
    ("CNAME", "old-portal", "legacy.medtainer.example", 3600, false),
    ("CNAME", "promo", "medtainer-promo.github.io", 3600, false),
    ("CNAME", "portal", "medtainer-wholesale.example", 1, true),
    ("MX", "@", "smtp.google.com", 3600, false),
    ("TXT", "@", "\"v=spf1 include:_spf.google.com ~all\"", 3600, false),
    ("TXT", "@", "\"google-site-verification=9qzX4yWJk0m2\"", 3600, false),
    ("TXT", "google._domainkey", "\"v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEB\"", 3600, false),
];

const WHOLESALE: &[Row] = &[
    ("A", "@", "203.0.113.40", 1, true),
    ("CNAME", "www", "medtainer-wholesale.example", 1, true),
    ("MX", "@", "mx.wholesale-mail.example.net", 3600, false),
    ("TXT", "@", "\"v=spf1 include:_spf.google.com ~all\"", 3600, false),
    ("TXT", "@", "\"v=spf1 include:mail.wholesale-mail.example.net -all\"", 3600, false),
    ("TXT", "_dmarc", "\"v=DMARC1; p=none; rua=mailto:dmarc@medtainer.example\"", 3600, false),
];

const LABS: &[Row] = &[("A", "@", "203.0.113.60", 1, true), ("TXT", "_dmarc", "\"v=DMARC1; p=reject\"", 3600, false)];

pub(super) fn fill(state: &mut State, business: &Business, now: Millis) {
    let hosted = NAMES.iter().filter(|name| name.host == Host::Cloudflare);
    for (name, rows) in hosted.zip([SHOP, WHOLESALE, LABS]) {
        let created = name.registered(now) + 10 * DAY;
        let mut zone = Zone {
            id: state.new_id(),
            name: name.name.to_owned(),
            status: "active",
            created,
            modified: created,
            records: Vec::new(),
        };
        for (nth, row) in rows.iter().enumerate() {
            let record = record(state, row, &zone.name, created + nth as Millis * HOUR);
            zone.records.push(record);
        }
        state.zones.push(zone);
    }
    authorities(state);
    portals(state, business, now);
    history(state, now);
}

fn record(state: &mut State, row: &Row, zone: &str, at: Millis) -> Record {
    let (kind, name, content, ttl, proxied) = *row;
    Record {
        id: state.new_id(),
        kind: kind.to_owned(),
        name: if name == "@" { zone.to_owned() } else { format!("{name}.{zone}") },
        content: content.to_owned(),
        ttl,
        proxied,
        priority: (kind == "MX").then_some(10),
        data: None,
        comment: None,
        tags: Vec::new(),
        created: at,
        modified: at,
    }
}

/// Only the youngest zone says who may issue certificates for it.
fn authorities(state: &mut State) {
    let Some(zone) = state.zones.last().map(|zone| (zone.name.clone(), zone.created)) else { return };
    let mut caa = record(state, &("CAA", "@", "0 issue \"letsencrypt.org\"", 1, false), &zone.0, zone.1);
    caa.data = Some(json!({"flags": 0, "tag": "issue", "value": "letsencrypt.org"}));
    if let Some(zone) = state.zones.last_mut() {
        zone.records.push(caa);
    }
}

/// Each customer's company has a portal under the wholesale name: enough records for several pages.
fn portals(state: &mut State, business: &Business, now: Millis) {
    let Some((name, created)) = state.zones.get(1).map(|zone| (zone.name.clone(), zone.created)) else { return };
    for (nth, label) in customers(business, 120).into_iter().enumerate() {
        let at = (created + nth as Millis * 9 * DAY).min(now - DAY);
        let mut portal = record(state, &("CNAME", "@", "medtainer-wholesale.example", 1, true), &name, at);
        portal.name = format!("{label}.{name}");
        portal.comment = Some("Customer portal".into());
        state.zones[1].records.push(portal);
    }
}

/// What people did in the dashboard during the last weeks.
fn history(state: &mut State, now: Millis) {
    let people = ["rosalind@medtainer.example", "dmitri@medtainer.example"];
    let records: Vec<(String, String, String)> = state
        .zones
        .iter()
        .flat_map(|zone| {
            zone.records.iter().take(8).map(|record| (zone.id.clone(), zone.name.clone(), record.id.clone()))
        })
        .collect();
    for (nth, (zone, name, resource)) in records.into_iter().enumerate() {
        let entry = Entry {
            id: state.new_id(),
            at: now - 20 * DAY + nth as Millis * 17 * HOUR + nth as Millis * MINUTE,
            action: if nth % 3 == 0 { "create" } else { "update" },
            actor: people[nth % people.len()],
            token_name: None,
            method: if nth % 3 == 0 { "POST" } else { "PATCH" },
            uri: format!("/client/v4/zones/{zone}/dns_records"),
            product: "dns_records",
            resource,
            zone: Some((zone, name)),
        };
        state.log(entry);
    }
}
