//! `fields`: which parts of an answer are wanted, `nextPageToken,files(id,owners/emailAddress)`.

use serde_json::{Map, Value};

use super::reply::Refusal;

/// Leaves what the mask names; an unknown shape is refused.
pub(super) fn apply(value: Value, fields: Option<&str>) -> Result<Value, Refusal> {
    let Some(fields) = fields.map(str::trim).filter(|fields| !fields.is_empty() && *fields != "*") else {
        return Ok(value);
    };
    let mut rest = fields;
    let mask = Mask::list(&mut rest).filter(|_| rest.is_empty());
    let mask = mask.ok_or_else(|| Refusal::parameter("fields", &format!("Invalid field selection {fields}")))?;
    Ok(mask.keep(value))
}

/// Names, each with what is wanted within; an empty mask is everything.
#[derive(Debug, Default)]
struct Mask(Vec<(String, Mask)>);

impl Mask {
    fn list(rest: &mut &str) -> Option<Mask> {
        let mut mask = Mask::default();
        loop {
            let (name, inner) = Mask::item(rest)?;
            match mask.0.iter_mut().find(|(own, _)| *own == name) {
                Some((_, own)) => own.0.extend(inner.0),
                None => mask.0.push((name, inner)),
            }
            let Some(after) = rest.trim_start().strip_prefix(',') else { return Some(mask) };
            *rest = after;
        }
    }

    fn item(rest: &mut &str) -> Option<(String, Mask)> {
        let text = rest.trim_start();
        let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '*' || c == '_')).unwrap_or(text.len());
        let (name, after) = text.split_at(end);
        if name.is_empty() {
            return None;
        }
        *rest = after;
        if let Some(after) = after.strip_prefix(['/', '.']) {
            *rest = after;
            return Some((name.to_owned(), Mask(vec![Mask::item(rest)?])));
        }
        let Some(after) = after.strip_prefix('(') else { return Some((name.to_owned(), Mask::default())) };
        *rest = after;
        let inner = Mask::list(rest)?;
        *rest = rest.trim_start().strip_prefix(')')?;
        Some((name.to_owned(), inner))
    }

    fn keep(&self, value: Value) -> Value {
        if self.0.is_empty() || self.0.iter().any(|(name, _)| name == "*") {
            return value;
        }
        match value {
            Value::Array(items) => items.into_iter().map(|item| self.keep(item)).collect(),
            Value::Object(mut object) => {
                let kept =
                    self.0.iter().filter_map(|(name, inner)| Some((name.clone(), inner.keep(object.remove(name)?))));
                Value::Object(kept.collect::<Map<_, _>>())
            }
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_mask_leaves_what_it_names() {
        let value = json!({"a": 1, "b": [{"c": 2, "d": 3}, {"c": 4}], "e": {"f": {"g": 5, "h": 6}}});
        let kept = |fields| apply(value.clone(), Some(fields)).unwrap();
        assert_eq!(kept("a"), json!({"a": 1}));
        assert_eq!(kept("b(c), e/f/g"), json!({"b": [{"c": 2}, {"c": 4}], "e": {"f": {"g": 5}}}));
        assert_eq!(kept("e.f(g,h)"), json!({"e": {"f": {"g": 5, "h": 6}}}));
        assert_eq!(kept("*"), value);
        for bad in ["a,", "b(c", "(a)", "a b"] {
            assert!(apply(value.clone(), Some(bad)).is_err(), "{bad}");
        }
    }
}
