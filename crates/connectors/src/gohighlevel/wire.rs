//! How GoHighLevel says no, and what its headers say about the requests that are left.

use std::time::Duration;

use chrono::{DateTime, Utc};
use http::HeaderName;
use sdk::http::{HeaderMap, Quota, Response, kind_of};
use sdk::{Error, Kind};
use serde_json::Value;

use crate::json;

/// Every request of the current API carries it.
pub const VERSION: HeaderName = HeaderName::from_static("version");

const REMAINING: &str = "x-ratelimit-remaining";
const INTERVAL: &str = "x-ratelimit-interval-milliseconds";
const DAILY_REMAINING: &str = "x-ratelimit-daily-remaining";
const DAILY_RESET: &str = "x-ratelimit-daily-reset";

/// As many requests of a connection may be under way, because so many may leave at once.
const UNDER_WAY: u64 = 40;

const HOUR: Duration = Duration::from_secs(3600);
const DAY: u64 = 86_400_000;

/// The error for an unsuccessful answer: its kind, the vendor's words, and the cure.
pub fn error(response: &Response) -> Error {
    let Ok(body) = serde_json::from_slice::<Value>(&response.body) else { return no_json(response) };
    let said = words(&body);
    let kind = kind(response, &said.to_lowercase());
    let cure = cure(kind, &said.to_lowercase(), &response.headers);
    let message = match (said.is_empty(), cure) {
        (true, None) => format!("GoHighLevel answered {}", response.status),
        (true, Some(cure)) => format!("GoHighLevel answered {}: {cure}", response.status.as_u16()),
        (false, None) => format!("GoHighLevel says: {said}"),
        (false, Some(cure)) => format!("GoHighLevel says \"{said}\": {cure}"),
    };
    let error = Error::new(kind, message);
    // The trace id is for GoHighLevel's support, so it goes to the log and not to the caller.
    match json::text(&body, "traceId") {
        Some(trace) => error.with_source(format!("traceId {trace}")),
        None => error,
    }
}

/// What the rate-limit headers say.
pub fn quota(headers: &HeaderMap) -> Quota {
    // What is under way when an answer says how many are left has not been counted in it.
    if header(headers, DAILY_REMAINING).is_some_and(|left| left <= UNDER_WAY) {
        return Quota { pause: Some(until_daily_reset(headers)), exhausted: true };
    }
    if header(headers, REMAINING) == Some(0) {
        let interval = header(headers, INTERVAL).unwrap_or(10_000).min(30_000);
        return Quota { pause: Some(Duration::from_millis(interval)), exhausted: false };
    }
    Quota::default()
}

/// The vendor's clock, so that the connector needs none: the `Date` of an answer.
pub fn date(headers: &HeaderMap) -> Option<DateTime<Utc>> {
    let text = headers.get(http::header::DATE)?.to_str().ok()?;
    DateTime::parse_from_rfc2822(text).ok().map(|date| date.to_utc())
}

/// For effects that are sent once: says that nobody knows the outcome, and where to look.
pub fn unknown(mut error: Error, look: &str) -> Error {
    if error.outcome_unknown {
        error.message =
            format!("{}. It is unknown whether GoHighLevel carried it out: {look} before trying again", error.message);
    }
    error
}

fn kind(response: &Response, said: &str) -> Kind {
    let kind = kind_of(response.status);
    match kind {
        // A token without the scope is answered with 401, although it is a good token.
        Kind::Unauthenticated if said.contains("scope") => Kind::Forbidden,
        Kind::InvalidInput if said.contains("not found") => Kind::NotFound,
        Kind::InvalidInput if said.contains("duplicate") => Kind::Conflict,
        _ => kind,
    }
}

fn cure(kind: Kind, said: &str, headers: &HeaderMap) -> Option<&'static str> {
    match kind {
        Kind::Unauthenticated if said.contains("version") => Some("the configured `version` is not accepted"),
        Kind::Unauthenticated => Some(
            "the key is not valid (any more). Make a new private integration token under \
             Settings > Private Integrations and set it as GHL_API_KEY",
        ),
        Kind::Forbidden if said.contains("scope") => {
            Some("the token lacks a scope. Add it under Settings > Private Integrations > Edit")
        }
        Kind::Forbidden => Some(
            "the token belongs to another location or lacks a scope. Check GHL_LOCATION_ID, and the scopes under \
             Settings > Private Integrations",
        ),
        Kind::RateLimited if quota(headers).exhausted => {
            Some("the requests of this day are used up; it works again tomorrow")
        }
        Kind::RateLimited => Some("too many requests in ten seconds; it works again in a moment"),
        _ => None,
    }
}

fn no_json(response: &Response) -> Error {
    let status = response.status;
    let kind = kind_of(status);
    let cure = cure(kind, "", &response.headers)
        .unwrap_or("a proxy or a maintenance page answered, or `base_url` is wrong; nothing can be read from it");
    Error::new(kind, format!("GoHighLevel answered {} without JSON: {cure}", status.as_u16()))
}

/// The vendor's words: `message` as text or list, V1's `msg`, or v3's `error.message`.
fn words(body: &Value) -> String {
    let places = [body.get("message"), body.get("msg"), body.pointer("/error/message"), body.get("error")];
    let said = places.into_iter().flatten().map(spoken).find(|said| !said.is_empty()).unwrap_or_default();
    sdk::text::cut(said.trim_end_matches('.'), 300)
}

fn spoken(value: &Value) -> String {
    match value {
        Value::String(text) => sdk::text::clean(text),
        Value::Array(items) => items.iter().map(spoken).filter(|said| !said.is_empty()).collect::<Vec<_>>().join("; "),
        Value::Object(_) => json::first_text(value, &["message", "msg"]).unwrap_or_default(),
        _ => String::new(),
    }
}

/// The reset is given in milliseconds, as a duration or as a moment.
fn until_daily_reset(headers: &HeaderMap) -> Duration {
    let Some(reset) = header(headers, DAILY_RESET).filter(|reset| *reset > 0) else { return HOUR };
    if reset <= DAY {
        return Duration::from_millis(reset);
    }
    let moment = i64::try_from(reset).ok().and_then(DateTime::from_timestamp_millis);
    let wait = moment.zip(date(headers)).and_then(|(moment, now)| (moment - now).to_std().ok());
    wait.filter(|wait| wait.as_millis() <= u128::from(DAY)).unwrap_or(HOUR)
}

fn header(headers: &HeaderMap, name: &str) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect()
    }

    #[test]
    fn the_last_request_of_a_window_pauses_for_the_interval() {
        assert_eq!(quota(&headers(&[(REMAINING, "5"), (DAILY_REMAINING, "100")])), Quota::default());
        let empty = quota(&headers(&[(REMAINING, "0"), (INTERVAL, "7000"), (DAILY_REMAINING, "100")]));
        assert_eq!(empty, Quota { pause: Some(Duration::from_secs(7)), exhausted: false });
        let odd = quota(&headers(&[(REMAINING, "0"), (INTERVAL, "999999999")]));
        assert_eq!(odd.pause, Some(Duration::from_secs(30)));
    }

    #[test]
    fn the_last_request_of_the_day_exhausts_until_the_reset() {
        let until = |reset: &'static str| {
            let date = "Sat, 21 Nov 2026 20:00:00 GMT";
            quota(&headers(&[(DAILY_REMAINING, "0"), (DAILY_RESET, reset), ("date", date)]))
        };
        assert_eq!(until("60000"), Quota { pause: Some(Duration::from_secs(60)), exhausted: true });
        // 2026-11-21 22:00 UTC
        assert_eq!(until("1795298400000").pause, Some(Duration::from_secs(7200)));
        assert_eq!(until("nonsense").pause, Some(HOUR));
        assert_eq!(until("99999999999999").pause, Some(HOUR));
    }
}
