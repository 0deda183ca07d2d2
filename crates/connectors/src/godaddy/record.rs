//! A DNS record as tools show it and take it, the same over both APIs.

use schemars::JsonSchema;
use sdk::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::json;

/// A DNS record.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(description = "")]
pub struct Record {
    /// A, AAAA, CNAME, MX, TXT, SRV
    #[serde(rename = "type")]
    pub kind: String,
    /// `www`; `@` is the domain itself; SRV `_sip._tls`
    pub name: String,
    /// SRV: `priority weight port target`
    pub data: String,
    /// Seconds, 600 to 86400
    #[serde(default = "hour")]
    pub ttl: u64,
    /// Of MX
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<u64>,
}

fn hour() -> u64 {
    3_600
}

/// A record as it stands at GoDaddy.
#[derive(Clone, Debug)]
pub struct Present {
    pub record: Record,
    /// Only v3 has ids.
    pub id: Option<String>,
    pub row: Value,
}

/// The row of an answer; one without type or name is none.
pub fn read(row: &Value, domain: &str) -> Option<Present> {
    let kind = json::text(row, "type")?.to_uppercase();
    let name = relative(&json::text(row, "name")?, domain);
    let data = json::text(row, "data").unwrap_or_default();
    let record = Record {
        name: if kind == "SRV" { service_name(row, &name) } else { name },
        data: shown_data(row, &kind, data),
        ttl: json::count(row, "ttl").unwrap_or(hour()),
        priority: json::count(row, "priority").filter(|_| kind == "MX"),
        kind,
    };
    Some(Present { record, id: json::text(row, "recordId"), row: row.clone() })
}

fn service_name(row: &Value, name: &str) -> String {
    let parts = [json::text(row, "service"), json::text(row, "protocol"), Some(name.to_owned()).filter(|n| n != "@")];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if parts.is_empty() { name.to_owned() } else { parts.join(".") }
}

fn shown_data(row: &Value, kind: &str, data: String) -> String {
    let number = |key: &str| json::count(row, key).unwrap_or(0);
    match kind {
        "SRV" => format!("{} {} {} {}", number("priority"), number("weight"), number("port"), data),
        "TXT" => unquoted(&data),
        "CAA" => json::text(row, "tag").map_or(data.clone(), |tag| format!("{tag} {data}")),
        _ => data,
    }
}

const KINDS: &[&str] = &["A", "AAAA", "CNAME", "MX", "TXT", "SRV"];

impl Record {
    /// A wanted record in the form in which present ones are compared, or what is wrong with it.
    pub fn wanted(&self, domain: &str) -> Result<Record> {
        let kind = writable(&self.kind)?;
        let mut record =
            Record { name: relative(&self.name, domain), data: self.data.trim().to_owned(), ..self.clone() };
        record.priority = (kind == "MX").then_some(self.priority.unwrap_or(10));
        record.kind = kind;
        if !(600..=86_400).contains(&record.ttl) {
            return Err(Error::invalid_input(format!("ttl of {} {}: 600 to 86400 seconds", record.kind, record.name)));
        }
        if record.data.is_empty() || record.data.len() > 4_096 {
            return Err(Error::invalid_input(format!("data of {} {}: 1 to 4096 characters", record.kind, record.name)));
        }
        if record.kind == "SRV" {
            service(&record)?;
        }
        Ok(record)
    }

    /// The set that it belongs to.
    pub fn set(&self) -> (String, String) {
        (self.kind.clone(), self.name.clone())
    }

    /// The same record, whatever its TTL.
    pub fn is(&self, other: &Record) -> bool {
        self.set() == other.set() && plain(&self.kind, &self.data) == plain(&other.kind, &other.data)
    }

    /// Nothing is to be changed about it.
    pub fn equals(&self, other: &Record) -> bool {
        self.is(other) && self.ttl == other.ttl && self.priority == other.priority
    }

    /// A text that is the same for equal records.
    pub fn spelled(&self) -> String {
        let priority = self.priority.map(|priority| priority.to_string()).unwrap_or_default();
        format!("{} {} {} {} {priority}", self.kind, self.name, plain(&self.kind, &self.data), self.ttl)
    }

    /// Everything that the vendor wants of a record that is created.
    pub fn body(&self) -> Result<Value> {
        if self.kind == "SRV" {
            return service(self);
        }
        let mut body = json!({"type": self.kind, "name": self.name, "data": self.data, "ttl": self.ttl});
        if let Some(priority) = self.priority {
            body["priority"] = json!(priority);
        }
        Ok(body)
    }
}

fn service(record: &Record) -> Result<Value> {
    let wrong =
        || Error::invalid_input("an SRV record has a name `_service._protocol` and data `priority weight port target`");
    let mut labels = record.name.splitn(3, '.');
    let (Some(service), Some(protocol)) = (labels.next(), labels.next()) else { return Err(wrong()) };
    let words: Vec<&str> = record.data.split_whitespace().collect();
    let [priority, weight, port, target] = words.as_slice() else { return Err(wrong()) };
    let number = |text: &str| text.parse::<u16>().map_err(|_| wrong());
    Ok(json!({"type": "SRV", "name": labels.next().unwrap_or("@"), "service": service, "protocol": protocol,
        "data": target, "priority": number(priority)?, "weight": number(weight)?, "port": number(port)?,
        "ttl": record.ttl}))
}

/// A type that may be written.
pub fn writable(kind: &str) -> Result<String> {
    let kind = kind.trim().to_uppercase();
    if matches!(kind.as_str(), "NS" | "SOA") {
        return Err(Error::forbidden(format!(
            "type: {kind} records decide who answers for the whole domain and are not changed here; a person does that \
             at GoDaddy"
        )));
    }
    if !KINDS.contains(&kind.as_str()) {
        return Err(Error::invalid_input(format!("type: give one of {}", KINDS.join(", "))));
    }
    Ok(kind)
}

/// A name relative to the domain, `@` for itself.
pub fn relative(name: &str, domain: &str) -> String {
    let name = name.trim().trim_end_matches('.').to_lowercase();
    if name.is_empty() || name == "@" || name == domain {
        return "@".into();
    }
    name.strip_suffix(&format!(".{domain}")).unwrap_or(&name).to_owned()
}

/// A name in full.
pub fn full(name: &str, domain: &str) -> String {
    if name == "@" { domain.to_owned() } else { format!("{name}.{domain}") }
}

/// Some have TXT in quotes, and some do not.
fn unquoted(data: &str) -> String {
    let data = data.trim();
    data.strip_prefix('"').and_then(|data| data.strip_suffix('"')).unwrap_or(data).to_owned()
}

fn plain(kind: &str, data: &str) -> String {
    if kind == "TXT" {
        return unquoted(data);
    }
    data.split_whitespace().collect::<Vec<_>>().join(" ").trim_end_matches('.').to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(kind: &str, name: &str, data: &str) -> Record {
        Record { kind: kind.into(), name: name.into(), data: data.into(), ttl: 3_600, priority: None }
    }

    #[test]
    fn a_service_survives_the_way_there_and_back() {
        let wanted =
            record("srv", "_sip._tls.example.com", "100 1 443 sip.example.net.").wanted("example.com").unwrap();
        let body = wanted.body().unwrap();
        assert_eq!((&body["name"], &body["service"], &body["port"]), (&json!("@"), &json!("_sip"), &json!(443)));
        assert!(read(&body, "example.com").unwrap().record.equals(&wanted));
        assert!(record("SRV", "sip", "443 x").wanted("example.com").is_err());
    }

    #[test]
    fn names_and_data_are_compared_as_they_are_meant() {
        let a = record("CNAME", "www", "Example.net.");
        assert!(a.equals(&record("CNAME", "www", "example.net")));
        assert!(!record("TXT", "@", "a").is(&record("TXT", "@", "A")));
        assert_eq!(relative("WWW.Example.com.", "example.com"), "www");
        assert_eq!(relative("example.com", "example.com"), "@");
        assert_eq!(record("mx", "@", "m").wanted("example.com").unwrap().priority, Some(10));
        for kind in ["NS", "soa", "CAA"] {
            assert!(record(kind, "@", "x").wanted("example.com").is_err());
        }
    }
}
