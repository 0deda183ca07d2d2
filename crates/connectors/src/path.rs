//! Paths with ids in them.

use sdk::{Error, Result};

/// `("/contacts/{contact_id}/notes", ["a b"])` → `/contacts/a%20b/notes`.
///
/// Ids come from a model, so they are encoded and may not be a way to another path.
pub fn fill(template: &str, ids: &[&str]) -> Result<String> {
    let mut path = String::new();
    let (mut rest, mut ids) = (template, ids.iter());
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}').unwrap_or((after, ""));
        let id = ids.next().ok_or_else(|| Error::internal(format!("no value for {name} in {template}")))?;
        path.push_str(before);
        path.push_str(&segment(name, id)?);
        rest = after;
    }
    path.push_str(rest);
    Ok(path)
}

/// An id as it stands in a path, or an error that names it.
pub fn segment(name: &str, id: &str) -> Result<String> {
    let id = id.trim();
    let strange = id.is_empty() || id.len() > 128 || id == "." || id == "..";
    if strange || id.contains(|c: char| c == '/' || c == '\\' || c.is_control()) {
        return Err(Error::invalid_input(format!("{name}: this is not an id; take the `id` of an earlier answer")));
    }
    Ok(id.bytes().map(encoded).collect())
}

fn encoded(byte: u8) -> String {
    match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_encoded_and_cannot_leave_their_place() {
        assert_eq!(fill("/contacts/{contact_id}/notes", &["a b?c"]).unwrap(), "/contacts/a%20b%3Fc/notes");
        for bad in ["", "..", "a/b", "a\\b", "a\nb"] {
            let error = fill("/contacts/{contact_id}", &[bad]).unwrap_err();
            assert!(error.message.starts_with("contact_id: "), "{bad:?} gave {error}");
        }
    }
}
