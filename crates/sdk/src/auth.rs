//! How an ecosystem authenticates, and the credentials of one connection.

use std::collections::BTreeMap;
use std::fmt;

use secrecy::{ExposeSecret, SecretString};

use crate::{Error, Result};

/// What a person must provide to connect an ecosystem.
#[derive(Clone, Debug)]
pub enum Auth {
    /// Keys that the person copies from the vendor's settings page.
    Keys(&'static [Key]),
    /// OAuth 2.0 authorization code.
    OAuth2 { authorize_url: &'static str, token_url: &'static str, scopes: &'static [&'static str] },
}

/// One key of [`Auth::Keys`].
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// The name in [`Credentials`].
    pub name: &'static str,
    /// The environment variable that people already have in their `.env`.
    pub env: &'static str,
    /// Where to find it at the vendor.
    pub help: &'static str,
}

/// The secrets of one connection by name. `Debug` shows the names only.
#[derive(Clone, Default)]
pub struct Credentials(BTreeMap<String, SecretString>);

impl Credentials {
    pub fn new() -> Credentials {
        Credentials::default()
    }

    /// Adds a secret.
    pub fn with(mut self, name: &str, secret: impl Into<SecretString>) -> Credentials {
        self.0.insert(name.to_owned(), secret.into());
        self
    }

    /// The secret of this name, or an error that names what is missing.
    pub fn get(&self, name: &str) -> Result<&str> {
        self.0
            .get(name)
            .map(|secret| secret.expose_secret())
            .ok_or_else(|| Error::unauthenticated(format!("the credential `{name}` is not configured")))
    }

    /// Every secret, for scrubbing texts.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        self.0.values().map(|secret| secret.expose_secret())
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
