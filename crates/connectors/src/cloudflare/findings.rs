//! What is wrong with the records of a zone, as far as the records alone tell.

mod addresses;
mod hygiene;
mod mail;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::record::Record;
use super::zones::Place;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    High,
    Medium,
    Low,
    Info,
}

/// One thing that is wrong.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Finding {
    pub severity: Severity,
    /// `spf_missing`, `cname_dangling`, …
    pub check: &'static str,
    /// The name that it is about.
    pub name: String,
    pub reason: String,
    pub recommended: Call,
}

/// A tool call that would mend it.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Call {
    pub tool: &'static str,
    pub arguments: Value,
}

/// All findings of a zone.
pub fn of(zone: &Place, records: &[Record]) -> Vec<Finding> {
    let view = View { zone, records };
    let mut found = view.delegation();
    found.extend(mail::of(&view));
    found.extend(addresses::of(&view));
    found.extend(hygiene::of(&view));
    found
}

/// A zone and its records.
struct View<'a> {
    zone: &'a Place,
    records: &'a [Record],
}

impl<'a> View<'a> {
    fn of_kind(&self, kind: &'static str) -> impl Iterator<Item = &'a Record> {
        self.records.iter().filter(move |record| record.kind == kind)
    }

    fn texts_at(&self, name: &str, prefix: &str) -> Vec<&'a Record> {
        let begins = |text: &str| text.get(..prefix.len()).is_some_and(|head| head.eq_ignore_ascii_case(prefix));
        self.of_kind("TXT").filter(|record| record.name == name && begins(&record.content)).collect()
    }

    fn is_inside(&self, name: &str) -> bool {
        name == self.zone.name || name.ends_with(&format!(".{}", self.zone.name))
    }

    /// Whether the zone answers for a name: by itself, or by a wildcard above it.
    fn answers(&self, name: &str, kinds: &[&str]) -> bool {
        let fits = |record: &&Record| kinds.contains(&record.kind.as_str());
        let mut parent = name;
        while let Some((_, rest)) = parent.split_once('.') {
            parent = rest;
            let wildcard = format!("*.{parent}");
            if self.records.iter().filter(fits).any(|record| record.name == wildcard) {
                return true;
            }
        }
        self.records.iter().filter(fits).any(|record| record.name == name)
    }

    fn create(&self, kind: &str, name: &str, content: &str) -> Call {
        let arguments = json!({"zone": self.zone.name, "type": kind, "name": name, "content": content});
        Call { tool: "cloudflare.create_dns_record", arguments }
    }

    fn update(&self, record: &Record, changes: Value) -> Call {
        let mut arguments = json!({"zone": self.zone.name, "record_id": record.id});
        for (key, value) in changes.as_object().into_iter().flatten() {
            arguments[key] = value.clone();
        }
        Call { tool: "cloudflare.update_dns_record", arguments }
    }

    fn delete(&self, record: &Record) -> Call {
        let arguments = json!({"zone": self.zone.name, "record_id": record.id});
        Call { tool: "cloudflare.delete_dns_record", arguments }
    }

    /// A zone that the registrar does not point to answers nobody.
    fn delegation(&self) -> Vec<Finding> {
        if self.zone.active {
            return Vec::new();
        }
        vec![Finding {
            severity: Severity::High,
            check: "zone_not_active",
            name: self.zone.name.clone(),
            reason: format!(
                "The registrar does not name Cloudflare's servers for it, so nothing here is in effect: {}.",
                self.zone.name_servers.join(", ")
            ),
            recommended: Call { tool: "godaddy.get_domain", arguments: json!({"domain": self.zone.name}) },
        }]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(kind: &str, name: &str, content: &str) -> Record {
        Record {
            id: format!("{kind}-{name}-{content}"),
            kind: kind.into(),
            name: name.into(),
            content: content.into(),
            ttl: None,
            proxied: matches!(kind, "A" | "AAAA" | "CNAME").then_some(true),
            priority: None,
            comment: None,
        }
    }

    fn found(records: &[Record]) -> Vec<(&'static str, String)> {
        let zone = Place { id: "z".into(), name: "x.example".into(), active: true, name_servers: Vec::new() };
        of(&zone, records).into_iter().map(|finding| (finding.check, finding.name)).collect()
    }

    fn sound() -> Vec<Record> {
        vec![
            record("A", "x.example", "203.0.113.1"),
            record("MX", "x.example", "smtp.google.com"),
            record("TXT", "x.example", "v=spf1 include:_spf.google.com -all"),
            record("TXT", "_dmarc.x.example", "v=DMARC1; p=reject"),
            record("CAA", "x.example", "0 issue \"letsencrypt.org\""),
        ]
    }

    #[test]
    fn a_sound_zone_has_no_findings() {
        assert_eq!(found(&sound()), []);
    }

    #[test]
    fn each_defect_is_found_alone() {
        let unproxied = |mut record: Record, ttl| {
            (record.proxied, record.ttl) = (Some(false), ttl);
            record
        };
        let cases = [
            ("spf_duplicate", record("TXT", "x.example", "V=SPF1 -all")),
            ("dmarc_duplicate", record("TXT", "_dmarc.x.example", "v=DMARC1; p=none")),
            ("cname_dangling", record("CNAME", "old.x.example", "gone.x.example")),
            ("cname_loop", record("CNAME", "me.x.example", "me.x.example")),
            ("cname_takeover", record("CNAME", "promo.x.example", "acme.github.io")),
            ("mx_dangling", record("MX", "x.example", "mail.x.example")),
            ("private_address", unproxied(record("A", "vpn.x.example", "10.0.0.1"), Some(3600))),
            ("origin_exposed", unproxied(record("A", "dev.x.example", "203.0.113.1"), Some(3600))),
            ("ttl_short", unproxied(record("A", "b.x.example", "203.0.113.2"), Some(60))),
            ("duplicate", record("MX", "x.example", "SMTP.google.com.")),
        ];
        for (check, record) in cases {
            let mut records = sound();
            records.push(record);
            let checks: Vec<&str> = found(&records).into_iter().map(|(check, _)| check).collect();
            assert_eq!(checks, [check]);
        }
    }

    #[test]
    fn what_is_missing_is_found() {
        let checks: Vec<&str> = found(&sound()[..2]).into_iter().map(|(check, _)| check).collect();
        assert_eq!(checks, ["spf_missing", "dmarc_missing", "caa_missing"]);
    }

    #[test]
    fn a_wildcard_answers_for_a_target() {
        let mut records = sound();
        records.extend([record("A", "*.x.example", "203.0.113.9"), record("CNAME", "a.x.example", "b.x.example")]);
        assert_eq!(found(&records), []);
    }
}
