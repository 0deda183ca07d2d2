//! How QuickBooks says no, in every shape in which it does, and what stands around its answers.

use chrono::{DateTime, NaiveDate, Utc};
use sdk::http::{Response, kind_of};
use sdk::{Error, Kind, Result};
use serde_json::Value;

use crate::json;

/// An answer without a fault.
pub struct Answer {
    pub body: Value,
    /// The day that it is for the vendor.
    pub today: Option<NaiveDate>,
    /// The moment that it is for the vendor.
    pub now: Option<DateTime<Utc>>,
}

impl Answer {
    pub fn of(response: Response) -> Result<Answer> {
        let body: Value = response.json()?;
        refusal(&response, &body)?;
        if !body.is_object() {
            return Err(Error::upstream("QuickBooks answered with something that is not the documented JSON"));
        }
        let sent = response.headers.get(http::header::DATE).and_then(|date| date.to_str().ok());
        let header = sent.and_then(|date| DateTime::parse_from_rfc2822(date).ok());
        // The time of the body is in the time zone of the vendor, so that its day is the one that counts.
        let written = body["time"].as_str().and_then(|time| DateTime::parse_from_rfc3339(time).ok());
        let now = written.or(header);
        Ok(Answer { today: now.map(|now| now.date_naive()), now: now.map(|now| now.to_utc()), body })
    }

    /// The rows of a query; an empty answer has no such member at all.
    pub fn rows(&self, entity: &str) -> &[Value] {
        json::list(&self.body["QueryResponse"], entity)
    }
}

/// The error of an answer that has a fault, whatever its status.
pub fn refusal(response: &Response, body: &Value) -> Result<()> {
    fault(body).map_or(Ok(()), |fault| Err(refused(fault, None, trace(response))))
}

/// The error for an unsuccessful status.
pub fn error(response: &Response) -> Error {
    let body: Option<Value> = serde_json::from_slice(&response.body).ok();
    match body.as_ref().and_then(fault) {
        Some(fault) => refused(fault, Some(response), trace(response)),
        None => without_fault(response, body.is_some()),
    }
}

/// Where an answer says that it is none: at the top, within a query, or in the gateway's lower case.
fn fault(body: &Value) -> Option<&Value> {
    let places = [body.get("Fault"), body.get("fault"), body.pointer("/QueryResponse/Fault")];
    places.into_iter().flatten().find(|fault| fault.is_object())
}

fn refused(fault: &Value, response: Option<&Response>, trace: Option<String>) -> Error {
    let errors = ["Error", "error"].map(|name| json::list(fault, name));
    let first = errors.into_iter().flatten().next().unwrap_or(&Value::Null);
    let code = json::text(first, "code").unwrap_or_default();
    let code = code.trim_start_matches('0');
    let said = words(first);
    let kind = kind(code, &json::text(fault, "type").unwrap_or_default(), response);
    let message = match (said.as_str(), cure(kind, code)) {
        ("", None) => format!("QuickBooks refused it (code {code})"),
        ("", Some(cure)) => format!("QuickBooks refused it (code {code}): {cure}"),
        (said, None) => format!("QuickBooks says: {said}"),
        (said, Some(cure)) => format!("QuickBooks says \"{said}\": {cure}"),
    };
    let error = Error::new(kind, message);
    let error = if code == "600" { error.with_unknown_outcome() } else { error };
    // The trace is for Intuit's support, so it goes to the log and not to the caller.
    match trace {
        Some(trace) => error.with_source(format!("intuit_tid {trace}")),
        None => error,
    }
}

/// The detail says more than the message; it often begins with it.
fn words(error: &Value) -> String {
    let detail = json::first_text(error, &["Detail", "detail"]);
    let message = json::first_text(error, &["Message", "message"]);
    let element = json::text(error, "element");
    // The gateway's detail is shorter than its message, which names the code.
    let gateway = message.as_deref().is_some_and(|message| message.contains("errorCode="));
    let mut said = if gateway { message } else { detail.or(message) }.unwrap_or_default();
    if let Some(element) = element.filter(|element| !said.contains(element.as_str())) {
        said = format!("{element}: {said}");
    }
    sdk::text::cut(said.trim_end_matches('.'), 300)
}

/// The vendor's codes are more exact than its statuses.
fn kind(code: &str, fault: &str, response: Option<&Response>) -> Kind {
    match code {
        "3200" => Kind::Unauthenticated,
        "120" | "3100" | "6190" | "6210" => Kind::Forbidden,
        "3001" => Kind::RateLimited,
        "610" => Kind::NotFound,
        "600" | "5010" | "6140" | "6240" | "6540" => Kind::Conflict,
        _ => match (response.map(|response| kind_of(response.status)), fault.to_ascii_lowercase().as_str()) {
            (Some(kind), _) if kind != Kind::InvalidInput => kind,
            (_, "authenticationfault" | "authentication") => Kind::Unauthenticated,
            (_, "authorizationfault" | "authorizatonfault" | "authorization") => Kind::Forbidden,
            (_, "systemfault" | "system" | "service") => Kind::Unavailable,
            _ => Kind::InvalidInput,
        },
    }
}

fn cure(kind: Kind, code: &str) -> Option<&'static str> {
    match (kind, code) {
        (_, "5010") => Some("somebody changed it meanwhile. Read it again and decide anew"),
        (_, "600") => Some("the same request is still being carried out. Look at the result before trying again"),
        (_, "6140") => Some("give another number, or none: QuickBooks numbers by itself"),
        (_, "6240") => Some("there is a customer, vendor or employee of this name. Look with list_customers"),
        (_, "6190") => Some("the QuickBooks subscription has lapsed; its owner must renew it"),
        (_, "6210") => Some("the books are closed for that date; give a later date or have an accountant open them"),
        (_, "3100") => Some(
            "the app is not authorized for this company. Development keys open sandbox companies only \
             (base_url https://sandbox-quickbooks.api.intuit.com); else connect QuickBooks again",
        ),
        (Kind::NotFound, _) => Some("there is nothing active with this id; take the id of an earlier answer"),
        (Kind::Unavailable, _) => Some("something is out of order at Intuit; try again in some minutes"),
        (Kind::Unauthenticated, _) => Some("the access is not valid (any more). Connect QuickBooks again"),
        (Kind::Forbidden, _) => {
            Some("the person who connected QuickBooks may not do this (any more). Connect it again as an administrator")
        }
        (Kind::RateLimited, _) => Some(
            "too many requests within a minute. If it lasts, the app's monthly allowance of reads is used up (500,000 in \
             Intuit's Builder tier): see Analytics at developer.intuit.com; writes go on",
        ),
        _ => None,
    }
}

fn without_fault(response: &Response, json: bool) -> Error {
    let status = response.status;
    let kind = kind_of(status);
    let shape = if json { "without a reason" } else { "without JSON" };
    let cure = cure(kind, "")
        .filter(|_| !matches!(kind, Kind::NotFound | Kind::Unavailable))
        .unwrap_or("a proxy or a maintenance page answered, or `base_url` is wrong; nothing can be read from it");
    Error::new(kind, format!("QuickBooks answered {} {shape}: {cure}", status.as_u16()))
}

fn trace(response: &Response) -> Option<String> {
    response.headers.get("intuit_tid")?.to_str().ok().map(str::to_owned)
}

/// A write whose answer could not be read twice: it may have happened.
pub fn unreadable_write(error: Error) -> Error {
    if error.kind == Kind::Upstream { unknown(error.with_unknown_outcome(), "look for it") } else { error }
}

/// Says that nobody knows the outcome, and where to look.
pub fn unknown(mut error: Error, look: &str) -> Error {
    if error.outcome_unknown {
        error.message =
            format!("{}. It is unknown whether QuickBooks carried it out: {look} before trying again", error.message);
    }
    error
}

/// What makes QuickBooks recognise a repeated write: at most 50 characters, the same for the same key.
pub fn request_id(key: &str) -> String {
    let plain = !key.is_empty() && key.len() <= 50 && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if plain {
        return key.to_owned();
    }
    use sha2::Digest;
    hex::encode(&sha2::Sha256::digest(key.as_bytes())[..16])
}

/// An amount in whole cents.
pub fn cents(amount: f64) -> f64 {
    (amount * 100.0).round() / 100.0
}

/// An amount under a key, in whole cents.
pub fn money(row: &Value, key: &str) -> f64 {
    cents(json::number(row, key).unwrap_or_default())
}

/// A day under a key.
pub fn day(row: &Value, key: &str) -> Option<NaiveDate> {
    let text = json::text(row, key)?;
    NaiveDate::parse_from_str(text.get(..10)?, "%Y-%m-%d").ok()
}

/// When the vendor says that a row changed.
pub fn updated_at(row: &Value) -> Option<DateTime<Utc>> {
    row.pointer("/MetaData/LastUpdatedTime").and_then(json::moment)
}

/// The id that a reference holds.
pub fn reference(row: &Value, key: &str) -> Option<String> {
    json::text(row.get(key)?, "value")
}

/// The name that a reference carries.
pub fn reference_name(row: &Value, key: &str) -> Option<String> {
    json::text(row.get(key)?, "name")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_id_is_short_plain_and_always_the_same() {
        let uuid = "0198c8a2-5f6e-7c39-9a55-3a2f6a1b2c3d";
        assert_eq!(request_id(uuid), uuid);
        let long = request_id(&"run:step".repeat(20));
        assert_eq!(long.len(), 32);
        assert_eq!(long, request_id(&"run:step".repeat(20)));
        assert_ne!(request_id("run:1"), request_id("run:2"));
        assert_eq!(request_id("").len(), 32);
    }
}
