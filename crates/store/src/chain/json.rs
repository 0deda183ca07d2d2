//! JSON in one form only: keys sorted, no spaces, numbers as plain decimals without superfluous zeros.
//!
//! Reading a stored number as a float and writing it again is not exact, so text from a database is made canonical
//! digit by digit.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::Value;
use serde_json::value::RawValue;

/// The canonical text of a value. U+0000, which PostgreSQL cannot store, becomes U+FFFD.
pub fn canonical_json(value: &Value) -> String {
    let mut out = String::with_capacity(256);
    write_value(value, &mut out);
    out
}

/// The canonical text of JSON text.
pub(crate) fn canonical_text(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    write_text(text.trim(), &mut out)?;
    Some(out)
}

fn write_value(value: &Value, out: &mut String) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Number(number) => write_number(number, out),
        Value::String(text) => write_string(text, out),
        Value::Array(items) => {
            out.push('[');
            separated(items.iter(), out, write_value);
            out.push(']');
        }
        Value::Object(entries) => {
            // The map may keep the order of insertion, where a crate of the build asked for that.
            let mut entries: Vec<_> = entries.iter().collect();
            if !entries.is_sorted_by_key(|(key, _)| *key) {
                entries.sort_unstable_by_key(|(key, _)| *key);
            }
            out.push('{');
            separated(entries.into_iter(), out, |(key, value), out| {
                write_string(key, out);
                out.push(':');
                write_value(value, out);
            });
            out.push('}');
        }
    }
}

fn separated<T>(items: impl Iterator<Item = T>, out: &mut String, mut write: impl FnMut(T, &mut String)) {
    for (index, item) in items.enumerate() {
        if index > 0 {
            out.push(',');
        }
        write(item, out);
    }
}

fn write_number(number: &serde_json::Number, out: &mut String) {
    let written = match (number.as_i64(), number.as_u64(), number.as_f64()) {
        (Some(integer), ..) => write!(out, "{integer}"),
        (_, Some(integer), _) => write!(out, "{integer}"),
        (.., Some(0.0)) => write!(out, "0"),
        // Rust prints the shortest digits that mean this float, without exponent: what PostgreSQL makes of them too.
        (.., Some(float)) => write!(out, "{float}"),
        _ => write!(out, "{number}"),
    };
    debug_assert!(written.is_ok(), "writing to a string does not fail");
}

fn write_string(text: &str, out: &mut String) {
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\0' => out.push('\u{fffd}'),
            control if control < ' ' => out.push_str(&format!("\\u{:04x}", u32::from(control))),
            other => out.push(other),
        }
    }
    out.push('"');
}

fn write_text(text: &str, out: &mut String) -> Option<()> {
    match text.as_bytes().first()? {
        b'{' => {
            let entries: BTreeMap<String, &RawValue> = serde_json::from_str(text).ok()?;
            out.push('{');
            for (index, (key, value)) in entries.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_string(key, out);
                out.push(':');
                write_text(value.get(), out)?;
            }
            out.push('}');
        }
        b'[' => {
            let items: Vec<&RawValue> = serde_json::from_str(text).ok()?;
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_text(item.get(), out)?;
            }
            out.push(']');
        }
        b'"' => write_string(&serde_json::from_str::<String>(text).ok()?, out),
        b't' | b'f' | b'n' => out.push_str(text),
        _ => out.push_str(&plain_decimal(text)?),
    }
    Some(())
}

/// `1.50e1` → `15`, `-0.0` → `0`.
fn plain_decimal(text: &str) -> Option<String> {
    let (sign, unsigned) = text.strip_prefix('-').map_or(("", text), |rest| ("-", rest));
    let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
    let exponent: i32 = exponent.parse().ok().filter(|exponent: &i32| exponent.abs() < 10_000)?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let point = whole.len() as i32 + exponent;
    let (whole, fraction) = if point <= 0 {
        (String::new(), format!("{}{digits}", "0".repeat(point.unsigned_abs() as usize)))
    } else if point as usize >= digits.len() {
        (format!("{digits}{}", "0".repeat(point as usize - digits.len())), String::new())
    } else {
        let (whole, fraction) = digits.split_at(point as usize);
        (whole.to_owned(), fraction.to_owned())
    };
    let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
    Some(match (whole, fraction) {
        ("", "") => "0".to_owned(),
        ("", fraction) => format!("{sign}0.{fraction}"),
        (whole, "") => format!("{sign}{whole}"),
        (whole, fraction) => format!("{sign}{whole}.{fraction}"),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn text_and_value_have_the_same_canonical_form() {
        let value = json!({
            "b": [1, -2, 0.1, 1e20, 1.8446744073709552e19, 9.223372036854778e18, -0.0, 1e-7, 100.0, 5e-324, 1e308, 0.30000000000000004],
            "a": {"ü": "\u{1}\n\"\\\u{7f}", "": null, "nested": [[], {}, true, false]},
            "n": u64::MAX, "m": i64::MIN,
        });
        let canonical = canonical_json(&value);
        assert_eq!(canonical_text(&value.to_string()).as_deref(), Some(canonical.as_str()));
        assert_eq!(canonical_text(&canonical).as_deref(), Some(canonical.as_str()));
    }

    #[test]
    fn numbers_are_plain_decimals() {
        for (text, plain) in [
            ("1.50e1", "15"),
            ("-0.0", "0"),
            ("0e5", "0"),
            ("1.10", "1.1"),
            ("-12.5E-3", "-0.0125"),
            ("1e3", "1000"),
            ("100", "100"),
            ("0.000", "0"),
        ] {
            assert_eq!(plain_decimal(text).as_deref(), Some(plain), "{text}");
        }
    }

    #[test]
    fn text_that_is_no_json_is_refused() {
        for text in ["", "{", "[1,", "nope", "1e99999999"] {
            assert!(canonical_text(text).is_none() || text == "nope", "{text}");
        }
    }
}
