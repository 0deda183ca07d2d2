//! How an ecosystem authenticates, and the credentials of one connection.

use std::collections::BTreeMap;
use std::fmt;

use secrecy::{ExposeSecret, SecretString};

use crate::{Error, Result};

/// One way to authenticate, and what a person must provide for it.
#[derive(Clone, Debug)]
pub enum Auth {
    /// Keys that the person copies from the vendor's settings page.
    Keys(&'static [Key]),
    /// OAuth 2.0 authorization code (RFC 6749 §4.1). The connector gets [`ACCESS_TOKEN`], always fresh.
    OAuth2(OAuth2),
    /// A key file whose owner signs for access tokens (RFC 7523). The connector gets [`ACCESS_TOKEN`], always fresh.
    ServiceAccount(ServiceAccount),
}

/// The credential that holds the access token of [`Auth::OAuth2`] and [`Auth::ServiceAccount`].
pub const ACCESS_TOKEN: &str = "access_token";

/// A vendor's authorization server, and this installation's client there.
#[derive(Clone, Copy, Debug)]
pub struct OAuth2 {
    pub authorize_url: &'static str,
    pub token_url: &'static str,
    /// RFC 7009; `None` where the vendor has none.
    pub revoke_url: Option<&'static str>,
    pub scopes: &'static [&'static str],
    /// What stands between two scopes: a space (RFC 6749 §3.3), or a comma where the vendor wants that.
    pub scope_separator: &'static str,
    /// RFC 7636, S256.
    pub pkce: bool,
    /// Further parameters of the authorization request.
    pub authorize_with: &'static [(&'static str, &'static str)],
    pub client: ClientAuth,
    pub client_id: Key,
    pub client_secret: Key,
    /// Where a person may already have a refresh token from the vendor's own console.
    pub refresh_token: Option<Key>,
    /// What comes only with the callback: its query parameter, and the configuration's key that keeps it.
    pub from_callback: &'static [(&'static str, &'static str)],
}

/// Where the client's credentials stand in a request to the token endpoint (RFC 6749 §2.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientAuth {
    Basic,
    Form,
}

/// A service account's key file.
#[derive(Clone, Copy, Debug)]
pub struct ServiceAccount {
    /// The key file: its path, or its JSON.
    pub key: Key,
    pub scopes: &'static [&'static str],
    /// The configuration's key of the person in whose name it acts, where the vendor allows that.
    pub subject: &'static str,
}

/// One secret that a person provides.
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
