//! Cloudflare's envelope, how it says no, and what its headers say about the requests that are left.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sdk::http::{HeaderMap, Quota, Request, Response, kind_of};
use sdk::{Error, Kind, Result};
use serde_json::Value;

use crate::json;

/// What stands in a successful envelope.
pub struct Answer {
    pub result: Value,
    pub info: Value,
    /// The vendor's clock, so that the connector needs none.
    pub date: Option<DateTime<Utc>>,
}

/// Sends, and takes the answer out of its envelope.
pub async fn send(request: Request) -> Result<Answer> {
    let response = request.send().await?;
    let mut body: Value = response.json()?;
    if body["success"] == Value::Bool(false) {
        return Err(error(&response));
    }
    if body.get("result").is_none() {
        return Err(Error::upstream("Cloudflare answered without a `result`"));
    }
    let (result, info) = (body["result"].take(), body["result_info"].take());
    Ok(Answer { result, info, date: date(&response.headers) })
}

/// The error for an unsuccessful answer: its kind, the vendor's words, and the cure.
pub fn error(response: &Response) -> Error {
    let Ok(body) = serde_json::from_slice::<Value>(&response.body) else { return no_json(response) };
    let said = words(&body);
    let code = json::list(&body, "errors").first().and_then(|error| error["code"].as_u64()).unwrap_or(0);
    let kind = kind(response, code, &said);
    let cure = cure(kind, code, &said);
    let message = match (said.is_empty(), cure) {
        (true, None) => format!("Cloudflare answered {}", response.status),
        (true, Some(cure)) => format!("Cloudflare answered {}: {cure}", response.status.as_u16()),
        (false, None) => format!("Cloudflare says: {said} (code {code})"),
        (false, Some(cure)) => format!("Cloudflare says \"{said}\" (code {code}): {cure}"),
    };
    Error::new(kind, message)
}

/// The codes for a record that exists with this name, type and content; the second with all the same settings.
const DUPLICATE: [u64; 2] = [81057, 81058];

/// Whether the vendor refused a record because it has it already.
pub fn is_duplicate(error: &Error) -> bool {
    DUPLICATE.iter().any(|code| error.message.contains(&format!("(code {code})")))
}

fn kind(response: &Response, code: u64, said: &str) -> Kind {
    match code {
        // The list of allowed addresses has the code of an invalid token.
        9109 if said.contains("from location") => Kind::Forbidden,
        9109 if said.contains("requested resource") => Kind::NotFound,
        1000 | 1001 | 6003 | 9103 | 9106 | 9109 if response.status.as_u16() != 404 => match code {
            6003 if !said.contains("header") => Kind::InvalidInput,
            _ => Kind::Unauthenticated,
        },
        // The same code is given to tokens without the permission (403) and to strange ones (401).
        10000 if response.status.as_u16() == 401 => Kind::Unauthenticated,
        10000 => Kind::Forbidden,
        7000 | 7003 | 81044 => Kind::NotFound,
        81053..=81058 => Kind::Conflict,
        _ => kind_of(response.status),
    }
}

fn cure(kind: Kind, code: u64, said: &str) -> Option<&'static str> {
    match kind {
        Kind::Unauthenticated => Some(
            "the token is not valid (any more). Make a new one under My Profile > API Tokens and set it as CF_API_TOKEN",
        ),
        Kind::Forbidden if said.contains("from location") => Some(
            "the token is good, but its Client IP Address Filtering does not allow this server's address. Add the \
             address under My Profile > API Tokens > Edit",
        ),
        Kind::Forbidden => Some(
            "the token is good, but lacks the permission for this or does not cover this zone. Add Zone Read, DNS \
             Read, DNS Edit (and Account Audit Logs Read) under My Profile > API Tokens > Edit",
        ),
        Kind::NotFound if code == 9109 => Some("there is no such zone, or the token does not cover it"),
        Kind::NotFound if matches!(code, 7000 | 7003) => {
            Some("a zone, record or account id is wrong: take the ids from list_zones and list_dns; check CF_ZONE_ID")
        }
        Kind::NotFound => Some("take the record's id from list_dns"),
        Kind::RateLimited => {
            Some("1,200 requests in five minutes are used up, and Cloudflare blocks all for five minutes")
        }
        _ => None,
    }
}

fn no_json(response: &Response) -> Error {
    let (status, kind) = (response.status.as_u16(), kind_of(response.status));
    let cure = match kind {
        Kind::Unauthenticated | Kind::Forbidden | Kind::RateLimited => cure(kind, 0, ""),
        _ => None,
    };
    let cure = cure.unwrap_or("a proxy or an error page answered, or `base_url` is wrong; nothing can be read from it");
    Error::new(kind, format!("Cloudflare answered {status} without JSON: {cure}"))
}

/// The vendor's words: the messages of all errors, with what each of them rests on.
fn words(body: &Value) -> String {
    let said = |error: &Value| {
        let chain = json::list(error, "error_chain").iter().filter_map(|cause| json::text(cause, "message"));
        let all: Vec<String> = json::text(error, "message").into_iter().chain(chain).collect();
        all.join(": ")
    };
    let all: Vec<String> = json::list(body, "errors").iter().map(said).filter(|text| !text.is_empty()).collect();
    let said = sdk::text::cut(&all.join("; "), 300);
    said.trim_end_matches('.').to_owned()
}

/// `Ratelimit: "default";r=50;t=30`: r requests are left, and in t seconds there are more. `Retry-After` comes only
/// when everything is blocked.
pub fn quota(headers: &HeaderMap) -> Quota {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(blocked) = text("retry-after").and_then(|value| value.trim().parse::<u64>().ok()) {
        return Quota { pause: Some(Duration::from_secs(blocked.min(600))), exhausted: false };
    }
    let Some(limit) = text("ratelimit") else { return Quota::default() };
    let member = |name: &str| {
        let value = limit.split(';').find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='))?;
        value.trim().parse::<u64>().ok()
    };
    match (member("r"), member("t")) {
        (Some(0), Some(wait)) => Quota { pause: Some(Duration::from_secs(wait.min(600))), exhausted: false },
        _ => Quota::default(),
    }
}

fn date(headers: &HeaderMap) -> Option<DateTime<Utc>> {
    let text = headers.get(http::header::DATE)?.to_str().ok()?;
    DateTime::parse_from_rfc2822(text).ok().map(|date| date.to_utc())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderName;

    #[test]
    fn the_headers_say_when_to_wait() {
        let of = |name: &'static str, value: &str| {
            quota(&HeaderMap::from_iter([(HeaderName::from_static(name), value.parse().unwrap())]))
        };
        assert_eq!(of("ratelimit", "\"default\";r=50;t=30"), Quota::default());
        assert_eq!(of("ratelimit", "\"default\";r=0;t=30").pause, Some(Duration::from_secs(30)));
        assert_eq!(of("ratelimit", "nonsense"), Quota::default());
        assert_eq!(of("retry-after", "120").pause, Some(Duration::from_secs(120)));
    }
}
