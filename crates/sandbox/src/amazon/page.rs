//! Tokens of next pages: they hold the place, the moment at which they were given, and what was asked.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::clock::Millis;

/// A token for the page behind `place`.
pub(super) fn token(place: &Value, question: &str, now: Millis) -> String {
    STANDARD.encode(json!([place, question, now]).to_string())
}

/// The place, if the token is of this question and not older than `life`.
pub(super) fn place(token: &str, question: &str, now: Millis, life: Millis) -> Option<Value> {
    let bytes = STANDARD.decode(token).ok()?;
    let (place, asked, given): (Value, String, Millis) = serde_json::from_slice(&bytes).ok()?;
    (asked == question && now - given < life).then_some(place)
}
