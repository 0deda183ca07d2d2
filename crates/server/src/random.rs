//! Randomness of the system, which nobody guesses.

use ring::rand::{SecureRandom, SystemRandom};
use sdk::{Error, Result};

/// So many random bytes.
pub fn bytes<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).map_err(|_| Error::internal("the system has no randomness"))?;
    Ok(bytes)
}
