//! Makes an answer fit: where it comes from, and at most 100 kB of it.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{Done, Source};

/// A model reads no more, and pays for each byte.
const LARGEST: usize = 100_000;

/// An answer that did not come from a vendor just now.
pub(super) fn kept(data: Value, source: Source, as_of: Option<DateTime<Utc>>) -> Done {
    Done { data, source, as_of, notes: Vec::new(), by_strangers: false }
}

/// Cuts the longest list until the answer fits, and says so.
pub(super) fn fit(mut done: Done) -> Done {
    let mut cut = false;
    while size(&done.data) > LARGEST {
        let Some(list) = longest_list(&mut done.data) else {
            done.data = Value::Null;
            done.notes.push("The answer was larger than 100 kB and could not be cut; ask for less.".into());
            return done;
        };
        list.truncate(list.len() / 2);
        cut = true;
    }
    if cut {
        done.notes.push("The answer was cut to 100 kB; ask for fewer or narrower rows.".into());
        if let Value::Object(map) = &mut done.data {
            map.insert("truncated".into(), Value::Bool(true));
            map.remove("next_cursor");
        }
    }
    done
}

fn size(value: &Value) -> usize {
    struct Count(usize);
    impl std::io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    // Writing a `Value` into a counter cannot fail.
    let _ = serde_json::to_writer(&mut count, value);
    count.0
}

fn longest_list(value: &mut Value) -> Option<&mut Vec<Value>> {
    let Value::Object(map) = value else { return None };
    let lists = map.values_mut().filter_map(|value| match value {
        Value::Array(list) if list.len() > 1 => Some(list),
        _ => None,
    });
    lists.max_by_key(|list| list.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_long_list_is_cut_and_says_so() {
        let rows: Vec<_> = (0..5000).map(|i| json!({"id": i, "text": "x".repeat(50)})).collect();
        let done = fit(kept(json!({"rows": rows, "next_cursor": "c"}), Source::Live, None));
        assert!(size(&done.data) <= LARGEST);
        assert_eq!(done.data["truncated"], true);
        assert!(done.data.get("next_cursor").is_none(), "the cursor would skip what was cut");
        assert_eq!(done.notes.len(), 1);
    }

    #[test]
    fn one_huge_text_is_refused_rather_than_sent() {
        let done = fit(kept(json!({"text": "x".repeat(200_000)}), Source::Live, None));
        assert_eq!(done.data, Value::Null);
        assert_eq!(done.notes.len(), 1);
    }
}
