//! The domains of the business, and the records of those that GoDaddy answers for.

use super::state::{Domain, Record, State};
use crate::{
    business::Business,
    clock::Millis,
    domains::{GODADDY_SERVERS, NAMES, customers},
};

const SHOP: &[(&str, &str, &str, u64)] = &[
    ("A", "@", "203.0.113.80", 600),
    ("A", "pos", "203.0.113.81", 3600),
    ("CNAME", "www", "medtainershop.example.", 3600),
    ("CNAME", "_domainconnect", "_domainconnect.gd.domaincontrol.com.", 3600),
    ("CNAME", "shop", "shops.storefront.example.net.", 3600),
    ("MX", "@", "smtp.secureserver.net.", 3600),
    ("MX", "@", "mailstore1.secureserver.net.", 3600),
    ("TXT", "@", "v=spf1 include:secureserver.net -all", 3600),
    ("TXT", "_dmarc", "v=DMARC1; p=quarantine; rua=mailto:dmarc@medtainer.example", 3600),
    ("SRV", "@", "sipdir.online.example.net.", 3600),
];

const PARKED: &[(&str, &str, &str, u64)] = &[
    ("A", "@", "203.0.113.90", 600),
    ("CNAME", "www", "@", 3600),
    ("CNAME", "_domainconnect", "_domainconnect.gd.domaincontrol.com.", 3600),
];

pub(super) fn fill(state: &mut State, business: &Business, now: Millis) {
    for (nth, name) in NAMES.iter().enumerate() {
        let mut domain = Domain::new(name, 401_220_000 + nth as u64 * 1_031, now);
        if domain.is_hosted() {
            authority(state, &mut domain);
            let rows = if name.name == "medtainershop.example" { SHOP } else { PARKED };
            domain.records.extend(rows.iter().map(|row| record(state, *row)));
        }
        if name.name == "medtainershop.example" {
            stores(state, business, &mut domain);
        }
        state.domains.push(domain);
    }
}

fn authority(state: &mut State, domain: &mut Domain) {
    for server in GODADDY_SERVERS {
        domain.records.push(record(state, ("NS", "@", server, 3600)));
    }
    domain.records.push(record(state, ("SOA", "@", GODADDY_SERVERS[0], 3600)));
}

/// Customers who sell the containers have a store under the shop's name: enough for several pages.
fn stores(state: &mut State, business: &Business, domain: &mut Domain) {
    for label in customers(business, 40) {
        let store =
            Record { name: format!("{label}.stores"), ..record(state, ("CNAME", "@", "medtainershop.example.", 3600)) };
        domain.records.push(store);
    }
}

fn record(state: &mut State, (kind, name, data, ttl): (&str, &str, &str, u64)) -> Record {
    let mut record = Record {
        id: state.new_id(),
        kind: kind.to_owned(),
        name: name.to_owned(),
        data: data.to_owned(),
        ttl,
        priority: (kind == "MX").then_some(if data.starts_with("smtp") { 0 } else { 10 }),
        more: serde_json::Map::new(),
    };
    if kind == "SRV" {
        record.priority = Some(100);
        let parts = serde_json::json!({"service": "_sip", "protocol": "_tls", "port": 443, "weight": 1});
        record.more = parts.as_object().cloned().unwrap_or_default();
    }
    record
}
