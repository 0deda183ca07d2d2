//! How GoDaddy says no in its two APIs, and what it says about waiting.

use std::time::Duration;

use sdk::http::{HeaderMap, Quota, Response, kind_of};
use sdk::{Error, Kind};
use serde_json::Value;

use crate::json;

/// The error for an unsuccessful answer: its kind, the vendor's words, and the cure.
pub fn error(response: &Response) -> Error {
    let Ok(body) = serde_json::from_slice::<Value>(&response.body) else { return no_json(response) };
    // v1 has `code`, v3 has `name`.
    let code = json::first_text(&body, &["code", "name"]).unwrap_or_default();
    let kind = kind(response, &code);
    let said = words(&body, &code);
    let message = match cure(kind, &code, &said) {
        Some(cure) => format!("GoDaddy says \"{said}\": {cure}"),
        None if said.is_empty() => format!("GoDaddy answered {}", response.status),
        None => format!("GoDaddy says: {said}"),
    };
    let error = Error::new(kind, message);
    let error = match json::count(&body, "retryAfterSec") {
        Some(seconds) => error.with_retry_after(Duration::from_secs(seconds.min(3_600))),
        None => error,
    };
    // For GoDaddy's support, so it goes to the log and not to the caller.
    match json::text(&body, "correlationId") {
        Some(id) => error.with_source(format!("correlationId {id}")),
        None => error,
    }
}

fn kind(response: &Response, code: &str) -> Kind {
    match code {
        "DUPLICATE_RECORD" | "dns_record_not_mutable" => Kind::Conflict,
        "UNABLE_TO_AUTHENTICATE" => Kind::Unauthenticated,
        "ACCESS_DENIED" => Kind::Forbidden,
        _ => kind_of(response.status),
    }
}

fn cure(kind: Kind, code: &str, said: &str) -> Option<&'static str> {
    match kind {
        Kind::Unauthenticated => Some(
            "the key or token is not valid here. Check GODADDY_API_KEY and GODADDY_API_SECRET (or GODADDY_TOKEN); keys \
             of the test environment (OTE) do not open the real one",
        ),
        Kind::Forbidden if said.to_lowercase().contains("scope") || code.contains("SCOPE") => {
            Some("the token is good, but lacks a scope: make one with domains.domain:read and domains.dns:update")
        }
        // Answered to a good key of an account that is too small.
        Kind::Forbidden if code == "ACCESS_DENIED" => Some(
            "the key is good, but this GoDaddy account is too small for its API. GoDaddy opens domains and DNS only to \
             accounts with enough domains (10 since 2024; newer texts say 1) or with Discount Domain Club Premier, and \
             availability to those with 50. More domains or the Club help; another key does not",
        ),
        Kind::Forbidden => Some("the key or token is good, but not allowed to do this"),
        Kind::Conflict if code == "dns_record_not_mutable" => Some("NS and SOA records are not changed here"),
        Kind::RateLimited => Some("60 requests a minute for one operation; it works again in a moment"),
        _ => None,
    }
}

fn no_json(response: &Response) -> Error {
    let (status, kind) = (response.status.as_u16(), kind_of(response.status));
    let cure = match kind {
        Kind::Unauthenticated | Kind::Forbidden | Kind::RateLimited => cure(kind, "", ""),
        _ => None,
    };
    let cure = cure.unwrap_or("a proxy or an error page answered, or `base_url` is wrong; nothing can be read from it");
    Error::new(kind, format!("GoDaddy answered {status} without JSON: {cure}"))
}

/// The message, and for each field what is wrong with it.
fn words(body: &Value, code: &str) -> String {
    let message = json::text(body, "message").unwrap_or_else(|| code.to_owned());
    let old = json::list(body, "fields").iter().filter_map(|field| of_field(field, &["path"], &["message", "code"]));
    let new =
        json::list(body, "details").iter().filter_map(|detail| of_field(detail, &["field"], &["description", "issue"]));
    let fields: Vec<String> = old.chain(new).collect();
    let said = message.trim_end_matches('.').to_owned();
    let all = if fields.is_empty() { said } else { format!("{said}: {}", fields.join("; ")) };
    sdk::text::cut(&all, 300)
}

fn of_field(field: &Value, names: &[&str], texts: &[&str]) -> Option<String> {
    let text = json::first_text(field, texts)?;
    Some(match json::first_text(field, names) {
        Some(name) => format!("{name}: {text}"),
        None => text,
    })
}

/// v3 says how long to wait in a header, v1 in the body of the refusal.
pub fn quota(headers: &HeaderMap) -> Quota {
    let text = headers.get(http::header::RETRY_AFTER).and_then(|value| value.to_str().ok());
    let wait = text.and_then(|text| text.trim().parse().ok());
    Quota { pause: wait.map(|seconds: u64| Duration::from_secs(seconds.min(1_800))), exhausted: false }
}
