//! Passwords: argon2id with the parameters of the OWASP Password Storage Cheat Sheet (19 MiB, two passes).

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use sdk::{Error, Result};
use tokio::sync::Semaphore;

/// NIST SP 800-63B asks for length and against composition rules.
const SHORTEST: usize = 12;
const LONGEST: usize = 200;
/// Fewer different letters are a pattern.
const DIFFERENT: usize = 5;

/// Hashes passwords, a few at a time: each takes 19 MiB and some 20 ms of a processor.
pub struct Passwords(Semaphore);

impl Default for Passwords {
    fn default() -> Passwords {
        Passwords(Semaphore::new(2))
    }
}

impl Passwords {
    /// The hash of a password that is good enough.
    pub async fn hash(&self, password: &str, email: &str) -> Result<String> {
        check(password, email)?;
        let password = password.to_owned();
        self.at_work(move || {
            let hash = Argon2::default().hash_password(password.as_bytes());
            hash.map(|hash| hash.to_string()).map_err(|e| Error::internal(format!("the password was not hashed: {e}")))
        })
        .await?
    }

    /// Whether it is the password. Without a hash the answer is no, and takes as long.
    pub async fn verify(&self, password: &str, hash: Option<&str>) -> Result<bool> {
        let password: String = password.chars().take(LONGEST).collect();
        let hash = hash.map(str::to_owned);
        self.at_work(move || {
            let Some(hash) = hash else {
                let _ = Argon2::default().hash_password(password.as_bytes());
                return false;
            };
            let read = PasswordHash::new(&hash);
            read.is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
        })
        .await
    }

    async fn at_work<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        let _turn = self.0.acquire().await.map_err(|_| Error::unavailable("the server is stopping"))?;
        tokio::task::spawn_blocking(work)
            .await
            .map_err(|e| Error::internal("the password was not hashed").with_source(e))
    }
}

fn check(password: &str, email: &str) -> Result<()> {
    let letters = password.chars().count();
    if letters < SHORTEST {
        return Err(Error::invalid_input(format!("a password has at least {SHORTEST} letters")));
    }
    if letters > LONGEST {
        return Err(Error::invalid_input(format!("a password has at most {LONGEST} letters")));
    }
    let different: std::collections::BTreeSet<char> = password.to_lowercase().chars().collect();
    let name = email.split('@').next().unwrap_or_default().to_lowercase();
    if different.len() < DIFFERENT || (name.len() > 3 && password.to_lowercase().contains(&name)) {
        return Err(Error::invalid_input("this password is too easy to guess"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_is_kept_as_argon2id_and_told_from_another() {
        let passwords = Passwords::default();
        let hash = passwords.hash("correct horse battery", "dana@acme.example").await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(passwords.verify("correct horse battery", Some(&hash)).await.unwrap());
        assert!(!passwords.verify("correct horse batterz", Some(&hash)).await.unwrap());
        assert!(!passwords.verify("correct horse battery", None).await.unwrap());
        assert!(!passwords.verify("correct horse battery", Some("no hash")).await.unwrap());
    }

    #[test]
    fn what_is_easy_to_guess_is_not_taken() {
        for password in ["short", "aaaaaaaaaaaaaaaa", "abababababab", "dana.reyes-2026!", &"long ".repeat(50)] {
            assert!(check(password, "dana.reyes@acme.example").is_err(), "{password}");
        }
        assert!(check("correct horse battery", "dana@acme.example").is_ok());
    }
}
