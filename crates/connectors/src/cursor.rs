//! Cursors as tools hand them out: the vendor's own cursor, opaque to the model.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sdk::{Error, Result};
use serde_json::Value;

/// The cursor of the next page as text.
pub fn encode(cursor: &Value) -> String {
    URL_SAFE_NO_PAD.encode(cursor.to_string())
}

/// The vendor's cursor, or an error that names the argument.
pub fn decode(text: &str) -> Result<Value> {
    let unknown = || Error::invalid_input("cursor: give `next_cursor` of the previous answer as it came");
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| unknown())?;
    serde_json::from_slice(&bytes).map_err(|_| unknown())
}

/// [`decode`] of an argument that may be absent.
pub fn decode_option(text: Option<&str>) -> Result<Option<Value>> {
    text.map(decode).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_cursor_survives_the_way_through_a_client() {
        let cursor = json!({"after": [1_700_000_000_000_u64, "abc/+="]});
        assert_eq!(decode(&encode(&cursor)).unwrap(), cursor);
        assert!(encode(&cursor).chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_'));
    }

    #[test]
    fn a_made_up_cursor_is_refused() {
        assert_eq!(decode("page two").unwrap_err().kind, sdk::Kind::InvalidInput);
        assert_eq!(decode("AAAA").unwrap_err().kind, sdk::Kind::InvalidInput);
    }
}
