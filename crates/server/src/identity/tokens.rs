//! What proves a caller: kept by us as a hash only.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use sdk::Result;
use sha2::{Digest, Sha256};

/// 32 random bytes, as text that fits into an address and a cookie.
pub fn token() -> Result<String> {
    Ok(BASE64_URL_SAFE_NO_PAD.encode(crate::random::bytes::<32>()?))
}

/// SHA-256 in hex. Tokens are random, so a slow hash would protect nothing.
pub fn digest(token: &str) -> String {
    hex::encode(Sha256::digest(token))
}
