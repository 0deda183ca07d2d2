//! Records as they come in a request, and what may not stand beside what.

use std::net::{Ipv4Addr, Ipv6Addr};

use serde_json::{Map, Value};

use super::state::Record;

/// What is wrong with a record: the field, a short code, a sentence.
pub(crate) type Wrong = (&'static str, &'static str, &'static str);

const MORE: &[&str] = &["service", "protocol", "port", "weight", "tag"];

/// A record of a body; `kind` and `name` stand in the path of some operations.
pub(crate) fn read(body: &Value, id: String, kind: Option<&str>, name: Option<&str>) -> Result<Record, Wrong> {
    let text = |key: &str| body[key].as_str().map(str::trim).filter(|text| !text.is_empty());
    let Some(kind) = kind.or(text("type")).map(str::to_uppercase) else {
        return Err(("type", "MISSING_FIELD", "type must be specified"));
    };
    let Some(name) = name.or(text("name")) else { return Err(("name", "MISSING_FIELD", "name must be specified")) };
    let Some(data) = text("data") else { return Err(("data", "MISSING_FIELD", "data must be specified")) };
    let more: Map<String, Value> =
        MORE.iter().filter_map(|key| body.get(*key).map(|value| ((*key).to_owned(), value.clone()))).collect();
    let ttl = body.get("ttl").map_or(Some(3_600), Value::as_u64).unwrap_or(0);
    let record = Record {
        id,
        name: name.to_lowercase(),
        data: data.to_owned(),
        ttl,
        priority: body["priority"].as_u64(),
        more,
        kind,
    };
    validate(&record).map(|()| record)
}

fn validate(record: &Record) -> Result<(), Wrong> {
    match record.kind.as_str() {
        "A" if record.data.parse::<Ipv4Addr>().is_err() => Err(("data", "INVALID_IPV4", "data is not an IPv4 address")),
        "AAAA" if record.data.parse::<Ipv6Addr>().is_err() => {
            Err(("data", "INVALID_IPV6", "data is not an IPv6 address"))
        }
        "MX" if record.priority.is_none() => Err(("priority", "MISSING_FIELD", "priority must be specified for MX")),
        "SRV" if !["service", "protocol", "port"].iter().all(|key| record.more.contains_key(*key)) => {
            Err(("service", "MISSING_FIELD", "service, protocol and port must be specified for SRV"))
        }
        "A" | "AAAA" | "CNAME" | "MX" | "TXT" | "SRV" | "NS" | "SOA" if !(600..=86_400).contains(&record.ttl) => {
            Err(("ttl", "INVALID_VALUE", "ttl must be between 600 and 86400"))
        }
        "A" | "AAAA" | "CNAME" | "MX" | "TXT" | "SRV" | "NS" | "SOA" => Ok(()),
        _ => Err(("type", "INVALID_VALUE_ENUM", "type is not one of A, AAAA, CNAME, MX, NS, SOA, SRV, TXT")),
    }
}

/// A name with a CNAME has nothing else.
pub(crate) fn clash(records: &[Record], record: &Record) -> Result<(), Wrong> {
    let mut named = records.iter().filter(|other| other.id != record.id && other.name == record.name);
    let alias = |kind: &str| kind == "CNAME";
    if named.any(|other| alias(&other.kind) || alias(&record.kind)) {
        return Err(("name", "CNAME_CONFLICT", "a CNAME cannot stand beside another record of its name"));
    }
    Ok(())
}

/// The order in which the vendor lists: by the type's number, the name, the data.
pub(crate) fn sorted<'a>(records: impl Iterator<Item = &'a Record>) -> Vec<&'a Record> {
    let number = |kind: &str| match kind {
        "A" => 1,
        "NS" => 2,
        "CNAME" => 5,
        "SOA" => 6,
        "MX" => 15,
        "TXT" => 16,
        "AAAA" => 28,
        "SRV" => 33,
        _ => 257,
    };
    let mut sorted: Vec<&Record> = records.collect();
    sorted.sort_by(|a, b| (number(&a.kind), &a.name, &a.data).cmp(&(number(&b.kind), &b.name, &b.data)));
    sorted
}
