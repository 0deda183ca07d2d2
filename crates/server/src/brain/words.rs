//! Further words that a contact is found by: its industry, its town, what its own fields say.

use serde_json::Value;

/// Longer values are texts, not words to find somebody by.
const LONGEST: usize = 80;
/// All words together.
const MOST: usize = 600;

/// Town, state and the values of the business's own fields in a vendor's JSON; `None` where there are none.
pub fn words(data: &Value) -> Option<String> {
    let places = ["industry", "city", "state"].into_iter().filter_map(|name| data.get(name));
    // The current API says `customFields`, V1 `customField`.
    let fields = ["customFields", "customField"].into_iter().filter_map(|name| data.get(name)?.as_array()).flatten();
    let values = fields.filter_map(|field| field.get("value").or_else(|| field.get("fieldValue")));
    let mut text = String::new();
    for word in places.chain(values).flat_map(texts) {
        if text.len() + word.len() >= MOST {
            break;
        }
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(word);
    }
    (!text.is_empty()).then_some(text)
}

/// The short texts of a value: itself, or the items of a list.
fn texts(value: &Value) -> Vec<&str> {
    let all = match value {
        Value::String(text) => vec![text.as_str()],
        Value::Array(items) => items.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    all.into_iter().map(str::trim).filter(|text| is_word(text)).collect()
}

fn is_word(text: &str) -> bool {
    text.len() <= LONGEST && text.chars().any(char::is_alphabetic) && !text.contains("://")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn own_fields_and_places_are_words() {
        let data = json!({
            "city": "Denver", "state": " CO ", "country": "US",
            "customFields": [
                {"id": "a", "value": "Cannabis retail"},
                {"id": "b", "value": ["Jars", "Labels"]},
                {"id": "c", "value": 12},
                {"id": "d", "value": "2026-11-21"},
                {"id": "e", "value": "https://example.com/file"},
                {"id": "f", "value": "x".repeat(200)},
            ],
        });
        assert_eq!(words(&data).as_deref(), Some("Denver CO Cannabis retail Jars Labels"));
        assert_eq!(words(&json!({"customField": [{"id": "a", "value": "Retail"}]})).as_deref(), Some("Retail"));
        assert_eq!(words(&json!({"customFields": "broken"})), None);
        assert_eq!(words(&json!(null)), None);
    }
}
