//! How Amazon says no, and what its headers say about the pace of an operation.

use std::time::Duration;

use sdk::http::{HeaderMap, Quota, Response, kind_of};
use sdk::{Error, Kind, Result};
use serde_json::Value;

use super::operations;
use crate::json;

/// Requests a second that the operation earns; the size of the bucket is not told.
const RATE: &str = "x-amzn-ratelimit-limit";
const REQUEST_ID: &str = "x-amzn-requestid";

/// The error for an unsuccessful answer: its kind, Amazon's words, and the cure.
pub fn error(response: &Response) -> Error {
    let Ok(body) = serde_json::from_slice::<Value>(&response.body) else { return no_json(response) };
    let said = words(&body);
    let kind = kind(response, &said);
    let cure = cure(kind, &said);
    let message = match (said.is_empty(), cure) {
        (true, None) => format!("Amazon answered {}", response.status),
        (true, Some(cure)) => format!("Amazon answered {}: {cure}", response.status.as_u16()),
        (false, None) => format!("Amazon says: {said}"),
        (false, Some(cure)) => format!("Amazon says \"{said}\": {cure}"),
    };
    finished(Error::new(kind, message), response)
}

/// Limits belong to single operations, so that nothing is said about the whole connection.
pub fn quota(_: &HeaderMap) -> Quota {
    Quota::default()
}

/// In which time the operation earns one request.
pub fn pace(headers: &HeaderMap) -> Option<Duration> {
    let rate: f64 = headers.get(RATE)?.to_str().ok()?.trim().parse().ok()?;
    (0.0001..=1000.0).contains(&rate).then(|| operations::earned_in(rate))
}

/// Version 1 operations may answer 200 with errors in the place of a payload.
pub fn no_hidden_error(answer: &Value) -> Result<()> {
    let errors = json::list(answer, "errors");
    if errors.is_empty() || answer.get("payload").is_some_and(|payload| !payload.is_null()) {
        return Ok(());
    }
    Err(Error::upstream(format!("Amazon says: {}", words(answer))))
}

/// Whether a page's token was refused; Amazon has no code of its own for it.
pub fn is_dead_token(error: &Error) -> bool {
    error.kind == Kind::InvalidInput && error.message.to_lowercase().contains("token")
}

fn kind(response: &Response, said: &str) -> Kind {
    let said = said.to_lowercase();
    match kind_of(response.status) {
        Kind::Forbidden if said.contains("token") => Kind::Unauthenticated,
        // A full bucket has been seen under other statuses than 429.
        _ if said.starts_with("quotaexceeded") => Kind::RateLimited,
        kind => kind,
    }
}

fn cure(kind: Kind, said: &str) -> Option<&'static str> {
    let said = said.to_lowercase();
    match kind {
        Kind::Unauthenticated => Some(
            "the access token is not valid (any more). If a new one is refused as well, authorize the application \
             again under Seller Central > Apps and Services > Develop Apps and connect with the new refresh token",
        ),
        Kind::Forbidden => Some(
            "the credentials are good, but the application lacks the role for this data, or the address is of another \
             region than the account. Add the role under Develop Apps > Edit App, then authorize the application again",
        ),
        Kind::RateLimited => {
            Some("this operation has a small quota of its own, and it is used up for now; other operations still work")
        }
        Kind::InvalidInput if said.contains("marketplace") => Some("check marketplace_ids"),
        _ => None,
    }
}

fn no_json(response: &Response) -> Error {
    let kind = kind_of(response.status);
    let cure = cure(kind, "")
        .unwrap_or("a proxy or a maintenance page answered, or `base_url` is wrong; nothing can be read from it");
    finished(Error::new(kind, format!("Amazon answered {} without JSON: {cure}", response.status.as_u16())), response)
}

/// The wait that the pace implies; the request's id is for Amazon's support, so it goes to the log.
fn finished(mut error: Error, response: &Response) -> Error {
    if error.kind == Kind::RateLimited {
        error.retry_after = pace(&response.headers).or_else(|| operations::pace(response.endpoint()));
    }
    match response.headers.get(REQUEST_ID).and_then(|id| id.to_str().ok()) {
        Some(id) => error.with_source(format!("x-amzn-RequestId {id}")),
        None => error,
    }
}

/// Code, message and details of every error. Login with Amazon has `error_description` instead.
fn words(body: &Value) -> String {
    let said: Vec<String> = json::list(body, "errors").iter().map(spoken).filter(|said| !said.is_empty()).collect();
    let said = match said.is_empty() {
        true => json::first_text(body, &["error_description", "message", "error"]).unwrap_or_default(),
        false => said.join("; "),
    };
    sdk::text::cut(said.trim_end_matches('.'), 300)
}

fn spoken(error: &Value) -> String {
    let [code, message, details] = ["code", "message", "details"].map(|key| json::text(error, key));
    let details = details.filter(|details| Some(details) != message.as_ref());
    let message = [message, details].into_iter().flatten().collect::<Vec<_>>().join(" ");
    match code {
        Some(code) if message.is_empty() => code,
        Some(code) => format!("{code}: {message}"),
        None => message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(rate: &str) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(RATE, rate.parse().unwrap());
        pace(&headers)
    }

    #[test]
    fn the_pace_is_the_time_for_one_request() {
        assert_eq!(told("0.5"), Some(Duration::from_millis(2200)));
        assert_eq!(told("0.0056").map(|pace| pace.as_secs()), Some(196));
        for nonsense in ["0", "-1", "NaN", "soon", "1e9"] {
            assert_eq!(told(nonsense), None, "{nonsense}");
        }
    }
}
