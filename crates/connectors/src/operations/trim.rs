//! Makes a vendor's whole answer fit for a model: cleaned, without secrets, and not too long.

use serde_json::Value;

/// The letters of an answer that a model reads, about 6,000 tokens.
const LARGEST: usize = 24_000;
/// The letters of one text.
const LONGEST: usize = 4_000;

/// What no answer may hand to a model, without separators and in small letters.
const SECRET: [&str; 15] = [
    "authcode",
    "transferauthcode",
    "accesstoken",
    "refreshtoken",
    "idtoken",
    "authtoken",
    "restricteddatatoken",
    "verificationtoken",
    "secret",
    "clientsecret",
    "signingsecret",
    "password",
    "smtppassword",
    "apikey",
    "privatekey",
];

/// The answer, and whether something was left out of it.
pub fn fit(answer: Value) -> (Value, bool) {
    let (mut rows, mut letters) = (longest_list(&answer), LONGEST);
    let mut shortened = false;
    loop {
        let mut shown = answer.clone();
        shorten(&mut shown, rows);
        let cut = clean(&mut shown, letters) || shortened;
        if shown.to_string().len() <= LARGEST {
            return (shown, cut);
        }
        if rows <= 1 && letters <= 40 {
            return (Value::from("The answer is too large to be shown; ask for less of it."), true);
        }
        shortened = true;
        if rows > 1 { rows /= 2 } else { letters /= 2 }
    }
}

/// Takes out what is null and what is secret, and cleans and cuts the texts. True if a text was cut.
fn clean(value: &mut Value, longest: usize) -> bool {
    match value {
        Value::Object(members) => {
            members.retain(|_, member| !member.is_null());
            let each = members.iter_mut().map(|(name, member)| {
                if is_secret(name) && member.is_string() {
                    *member = "[hidden]".into();
                }
                clean(member, longest)
            });
            each.fold(false, |any, cut| any | cut)
        }
        Value::Array(items) => items.iter_mut().map(|item| clean(item, longest)).fold(false, |any, cut| any | cut),
        Value::String(text) => {
            let cut = text.chars().count() > longest;
            *text = sdk::text::cut(text, longest);
            cut
        }
        _ => false,
    }
}

fn is_secret(name: &str) -> bool {
    let plain: String = name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    SECRET.contains(&plain.as_str())
}

fn longest_list(value: &Value) -> usize {
    match value {
        Value::Object(members) => members.values().map(longest_list).max().unwrap_or(0),
        Value::Array(items) => items.iter().map(longest_list).max().unwrap_or(0).max(items.len()),
        _ => 0,
    }
}

fn shorten(value: &mut Value, rows: usize) {
    match value {
        Value::Object(members) => members.values_mut().for_each(|member| shorten(member, rows)),
        Value::Array(items) => {
            items.truncate(rows);
            items.iter_mut().for_each(|item| shorten(item, rows));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_short_answer_stays_but_for_nothing_hidden_characters_and_secrets() {
        let answer =
            json!({"a": null, "name": "x\u{200b}y", "authCode": "k", "nested": [{"client_secret": "k", "id": 1}]});
        let clean = json!({"name": "xy", "authCode": "[hidden]", "nested": [{"client_secret": "[hidden]", "id": 1}]});
        assert_eq!(fit(answer), (clean, false));
    }

    #[test]
    fn a_long_answer_is_cut_and_says_so() {
        let rows: Vec<Value> = (0..3_000).map(|id| json!({"id": id, "text": "word ".repeat(10)})).collect();
        let (answer, cut) = fit(json!({"result": {"rows": rows}, "nextPageToken": "T"}));
        assert!(cut && answer.to_string().len() <= LARGEST);
        assert!(answer["result"]["rows"].as_array().unwrap().len() > 50);
        assert_eq!(answer["nextPageToken"], "T");
        let (answer, cut) = fit(json!({"one": "x".repeat(100_000)}));
        assert!(cut && answer["one"].as_str().unwrap().contains("100000"), "{answer}");
        let many: serde_json::Map<String, Value> = (0..5_000).map(|i| (format!("key{i}"), json!(i))).collect();
        assert!(fit(Value::Object(many)).1);
    }
}
