//! Names that follow from the intended effect, so that a repetition has the same ones.

use sha2::{Digest, Sha256};

use super::GoogleWorkspace;

/// 32 hexadecimal digits for the key of this call and what it is about: the same for every repetition of the same
/// effect, and never the same for two.
pub fn of(api: &GoogleWorkspace, parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in [api.http.idempotency_key()].iter().chain(parts) {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    hex::encode(&hash.finalize()[..16])
}
