//! Lenient reading of vendors' JSON: fields are absent, null, renamed, or numbers written as
//! text, and none of that may cost the caller the rest of the answer.

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use serde_json::Value;

/// The text under a key, cleaned of hidden characters; empty text is none. Numbers become text.
pub fn text(value: &Value, key: &str) -> Option<String> {
    match value.get(key)? {
        Value::String(text) => Some(sdk::text::clean(text)).filter(|text| !text.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// The first of several names under which a vendor has the same text.
pub fn first_text(value: &Value, keys: &[&str]) -> Option<String> {
    keys.iter().find_map(|key| text(value, key))
}

/// A number, or a text that holds one.
pub fn number(value: &Value, key: &str) -> Option<f64> {
    match value.get(key)? {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
    .filter(|number: &f64| number.is_finite())
}

/// A count, or a text that holds one.
pub fn count(value: &Value, key: &str) -> Option<u64> {
    match value.get(key)? {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// A truth value, or a text that holds one.
pub fn flag(value: &Value, key: &str) -> Option<bool> {
    match value.get(key)? {
        Value::Bool(flag) => Some(*flag),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// The list under a key; anything else is an empty list.
pub fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// The texts of a list.
pub fn texts(value: &Value, key: &str) -> Vec<String> {
    list(value, key).iter().filter_map(Value::as_str).map(sdk::text::clean).filter(|text| !text.is_empty()).collect()
}

/// A moment: RFC 3339, a date, or seconds or milliseconds since 1970.
pub fn time(value: &Value, key: &str) -> Option<DateTime<Utc>> {
    moment(value.get(key)?)
}

/// [`time`] of a value.
pub fn moment(value: &Value) -> Option<DateTime<Utc>> {
    match value {
        Value::Number(number) => since_epoch(number.as_i64()?),
        Value::String(text) => parse_time(text.trim()),
        _ => None,
    }
}

fn parse_time(text: &str) -> Option<DateTime<Utc>> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Some(time.to_utc());
    }
    // An offset without its colon.
    if let Ok(time) = DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%z") {
        return Some(time.to_utc());
    }
    if let Ok(time) = NaiveDateTime::parse_from_str(&text.replace(' ', "T"), "%Y-%m-%dT%H:%M:%S%.f") {
        return Some(time.and_utc());
    }
    if let Ok(day) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        return Some(day.and_time(NaiveTime::MIN).and_utc());
    }
    since_epoch(text.parse().ok()?)
}

/// Seconds reach this size in the year 5138, milliseconds had it in 1973.
const MILLISECONDS: i64 = 100_000_000_000;

fn since_epoch(number: i64) -> Option<DateTime<Utc>> {
    if number >= MILLISECONDS {
        return DateTime::from_timestamp_millis(number);
    }
    DateTime::from_timestamp(number, 0).filter(|_| number > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_moment_is_read_in_every_form_that_was_seen() {
        let expected = "2025-07-02T08:10:15Z".parse::<DateTime<Utc>>().unwrap();
        let forms = [
            json!("2025-07-02T08:10:15.000Z"),
            json!("2025-07-02T10:10:15+02:00"),
            json!("2025-07-02T08:10:15"),
            json!("2025-07-02 08:10:15"),
            json!(1_751_443_815_000_i64),
            json!(1_751_443_815),
            json!("1751443815000"),
        ];
        for form in forms {
            assert_eq!(moment(&form), Some(expected), "{form}");
        }
        for no_time in [json!(null), json!(""), json!("soon"), json!({}), json!(0)] {
            assert_eq!(moment(&no_time), None, "{no_time}");
        }
    }

    #[test]
    fn numbers_are_read_from_text_and_texts_from_numbers() {
        let row = json!({"value": "12.5", "total": "7", "id": 9, "done": "true", "name": "  ", "tags": ["a", null, 3]});
        assert_eq!(number(&row, "value"), Some(12.5));
        assert_eq!(count(&row, "total"), Some(7));
        assert_eq!(text(&row, "id").as_deref(), Some("9"));
        assert_eq!(flag(&row, "done"), Some(true));
        assert_eq!(text(&row, "name"), None);
        assert_eq!(texts(&row, "tags"), ["a"]);
        assert!(list(&row, "none").is_empty());
    }
}
