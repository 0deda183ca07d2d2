//! A DNS record as tools show it, and as they write it.

use schemars::JsonSchema;
use sdk::{Error, Result};
use serde::Serialize;
use serde_json::{Value, json};

use crate::json;

/// A DNS record.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Record {
    pub id: String,
    #[serde(rename = "type")]
    pub kind: String,
    /// In full.
    pub name: String,
    pub content: String,
    /// Seconds; left out when automatic.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl: Option<u64>,
    /// Traffic goes through Cloudflare; left out where it cannot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxied: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

/// Automatic.
pub const AUTOMATIC: u64 = 1;

/// The row of an answer; one without id, type or name is none.
pub fn read(row: &Value) -> Option<Record> {
    let kind = json::text(row, "type")?.to_uppercase();
    let proxiable = json::flag(row, "proxiable").unwrap_or(matches!(kind.as_str(), "A" | "AAAA" | "CNAME"));
    Some(Record {
        id: json::text(row, "id")?,
        name: json::text(row, "name")?.to_lowercase(),
        content: content(row, &kind),
        ttl: json::count(row, "ttl").filter(|ttl| *ttl > AUTOMATIC),
        proxied: json::flag(row, "proxied").filter(|_| proxiable),
        priority: json::count(row, "priority")
            .or_else(|| row.get("data").and_then(|data| json::count(data, "priority"))),
        comment: json::text(row, "comment").map(|text| sdk::text::cut(&text, 100)),
        kind,
    })
}

fn content(row: &Value, kind: &str) -> String {
    let text = json::text(row, "content").unwrap_or_default();
    let text = if kind == "TXT" { unquoted(&text) } else { text };
    sdk::text::cut(&text, 600)
}

/// TXT stands in quotes at the vendor, long ones in several pieces that belong together.
pub fn unquoted(text: &str) -> String {
    let text = text.trim();
    if text.len() < 2 || !text.starts_with('"') || !text.ends_with('"') {
        return text.to_owned();
    }
    text[1..text.len() - 1].replace("\" \"", "").replace("\\\"", "\"")
}

/// Whether two contents of records of this type mean the same.
pub fn same_content(kind: &str, a: &str, b: &str) -> bool {
    match kind {
        "TXT" => unquoted(a) == unquoted(b),
        "AAAA" => match (a.trim().parse::<std::net::Ipv6Addr>(), b.trim().parse::<std::net::Ipv6Addr>()) {
            (Ok(a), Ok(b)) => a == b,
            _ => false,
        },
        _ => plain(a) == plain(b),
    }
}

fn plain(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").replace('"', "").trim_end_matches('.').to_lowercase()
}

/// `www`, `@` or a name in full, as a name in full.
pub fn full_name(name: &str, zone: &str) -> String {
    let name = name.trim().trim_end_matches('.').to_lowercase();
    if name.is_empty() || name == "@" || name == zone {
        return zone.to_owned();
    }
    if name.ends_with(&format!(".{zone}")) { name } else { format!("{name}.{zone}") }
}

const KINDS: &[&str] = &["A", "AAAA", "CNAME", "MX", "TXT", "CAA", "SRV", "PTR"];

/// A type that may be written.
pub fn writable(kind: &str) -> Result<String> {
    let kind = kind.trim().to_uppercase();
    if matches!(kind.as_str(), "NS" | "SOA") {
        return Err(Error::forbidden(format!(
            "type: {kind} records decide who answers for the whole domain and are not changed here; a person does that \
             in Cloudflare's dashboard"
        )));
    }
    if !KINDS.contains(&kind.as_str()) {
        return Err(Error::invalid_input(format!("type: give one of {}", KINDS.join(", "))));
    }
    Ok(kind)
}

/// The members that carry the content: `content`, or `data` for those that the vendor wants in parts.
pub fn content_members(kind: &str, content: &str, priority: Option<u64>) -> Result<Vec<(&'static str, Value)>> {
    let content = content.trim();
    match kind {
        "CAA" => Ok(vec![("data", caa(content)?)]),
        "SRV" => Ok(vec![("data", srv(content, priority)?)]),
        "TXT" => Ok(vec![("content", json!(format!("\"{}\"", unquoted(content).replace('"', "\\\""))))]),
        "MX" => Ok(vec![("content", json!(content)), ("priority", json!(priority.unwrap_or(10)))]),
        _ => Ok(vec![("content", json!(content))]),
    }
}

fn caa(content: &str) -> Result<Value> {
    let wrong = || Error::invalid_input("content: a CAA record reads `0 issue \"letsencrypt.org\"`");
    let mut words = content.splitn(3, char::is_whitespace);
    let (Some(flags), Some(tag), Some(value)) = (words.next(), words.next(), words.next()) else { return Err(wrong()) };
    let flags: u8 = flags.parse().map_err(|_| wrong())?;
    Ok(json!({"flags": flags, "tag": tag, "value": value.trim().trim_matches('"')}))
}

fn srv(content: &str, priority: Option<u64>) -> Result<Value> {
    let wrong = || Error::invalid_input("content: an SRV record reads `priority weight port target`");
    let words: Vec<&str> = content.split_whitespace().collect();
    let (numbers, target) = match words.as_slice() {
        [priority, weight, port, target] => ([*priority, *weight, *port], *target),
        _ => return Err(wrong()),
    };
    let mut parsed = [0_u16; 3];
    for (number, text) in parsed.iter_mut().zip(numbers) {
        *number = text.parse().map_err(|_| wrong())?;
    }
    let first = priority.unwrap_or(u64::from(parsed[0]));
    Ok(json!({"priority": first, "weight": parsed[1], "port": parsed[2], "target": target}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contents_that_mean_the_same_are_the_same() {
        assert!(same_content("TXT", "\"v=spf1 \" \"-all\"", "v=spf1 -all"));
        assert!(!same_content("TXT", "a", "A"));
        assert!(same_content("AAAA", "2001:db8::1", "2001:0db8:0:0:0:0:0:1"));
        assert!(same_content("CNAME", "Example.com.", "example.com"));
        assert!(same_content("CAA", "0 issue \"letsencrypt.org\"", "0 issue letsencrypt.org"));
    }

    #[test]
    fn names_are_completed() {
        for name in ["", "@", "example.com", "Example.com."] {
            assert_eq!(full_name(name, "example.com"), "example.com");
        }
        assert_eq!(full_name("WWW", "example.com"), "www.example.com");
        assert_eq!(full_name("a.b.example.com", "example.com"), "a.b.example.com");
        assert_eq!(full_name("notexample.com", "example.com"), "notexample.com.example.com");
    }

    #[test]
    fn parts_are_read_from_the_usual_spelling() {
        let caa = content_members("CAA", "0 issue \"letsencrypt.org\"", None).unwrap();
        assert_eq!(caa[0].1, json!({"flags": 0, "tag": "issue", "value": "letsencrypt.org"}));
        let srv = content_members("SRV", "5 10 443 sip.example.com", None).unwrap();
        assert_eq!(srv[0].1, json!({"priority": 5, "weight": 10, "port": 443, "target": "sip.example.com"}));
        for (kind, wrong) in [("CAA", "letsencrypt.org"), ("SRV", "443 sip.example.com"), ("CAA", "x issue y")] {
            assert!(content_members(kind, wrong, None).is_err(), "{kind} {wrong}");
        }
        assert!(writable("ns").unwrap_err().message.contains("whole domain"));
        assert!(writable("LOC").is_err());
    }
}
