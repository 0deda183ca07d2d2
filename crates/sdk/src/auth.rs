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
    OAuth2(&'static OAuth2),
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
    /// What the authorization request says beside where to come back to.
    pub request: AuthorizationRequest,
    /// Further parameters of the authorization request.
    pub authorize_with: &'static [(&'static str, &'static str)],
    /// The authorization page by a value of the configuration, where the vendor has several.
    pub regions: Option<Regions>,
    pub client: ClientAuth,
    pub client_id: Key,
    pub client_secret: Key,
    /// Where a person may already have a refresh token from the vendor's own console.
    pub refresh_token: Option<Key>,
    /// The callback's parameter that holds the code.
    pub code: &'static str,
    /// What comes only with the callback: its query parameter, and the configuration's key that keeps it.
    pub from_callback: &'static [(&'static str, &'static str)],
    /// Further parameters of every request to the token endpoint.
    pub token_with: &'static [(&'static str, &'static str)],
    /// Further headers of every request to the token endpoint.
    pub token_headers: &'static [(&'static str, &'static str)],
    /// What comes only with the token: the field of the answer, and the configuration's key that keeps it.
    pub from_token: &'static [(&'static str, &'static str)],
    /// How a token for a group of accounts becomes one for an account.
    pub narrow: Option<Narrow>,
    /// Where a code is had without a person when a refresh token was lost.
    pub reconnect: Option<Reconnect>,
    /// What this installation's client knows of ends that no answer tells.
    pub lifetimes: Lifetimes,
    /// The tools that need a scope beyond the connection itself: a scope, and the tools' names.
    pub unlocks: &'static [(&'static str, &'static [&'static str])],
}

impl OAuth2 {
    /// The standard's way, for `..OAuth2::STANDARD`: nothing but what RFC 6749 says.
    pub const STANDARD: OAuth2 = OAuth2 {
        authorize_url: "",
        token_url: "",
        revoke_url: None,
        scopes: &[],
        scope_separator: " ",
        pkce: false,
        request: AuthorizationRequest::Standard,
        authorize_with: &[],
        regions: None,
        client: ClientAuth::Form,
        client_id: Key { name: "client_id", env: "", help: "" },
        client_secret: Key { name: "client_secret", env: "", help: "" },
        refresh_token: None,
        code: "code",
        from_callback: &[],
        token_with: &[],
        token_headers: &[],
        from_token: &[],
        narrow: None,
        reconnect: None,
        lifetimes: Lifetimes { refresh_days: None, client_secret_days: None },
        unlocks: &[],
    };
}

/// The parameters of an authorization request beside `redirect_uri` and `state`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthorizationRequest {
    /// `response_type`, `client_id` and `scope` (RFC 6749 §4.1.1).
    Standard,
    /// These instead: a parameter, and the configuration's key with its value. One without a value is left out, but for
    /// the first.
    FromConfiguration(&'static [(&'static str, &'static str)]),
}

/// One authorization page a region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Regions {
    /// The configuration's key that decides; of a list its first value.
    pub key: &'static str,
    /// A value, and the page for it. For any other value `authorize_url` counts.
    pub urls: &'static [(&'static str, &'static str)],
}

/// A consent may bring a token for a group of accounts, such as an agency's. It is exchanged for one account's token
/// before it is used, and forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Narrow {
    /// The field of the token's answer that says so, and its value then.
    pub when: (&'static str, &'static str),
    /// Where it is exchanged, beside the token endpoint.
    pub path: &'static str,
    /// The form's parameter for the group, which has the same name in the token's answer.
    pub group: &'static str,
    /// The form's parameter for the account, and the configuration's key that holds it.
    pub account: (&'static str, &'static str),
    /// The field of the token's answer that lists the accounts; the only one counts where none is configured.
    pub choices: &'static str,
    /// The exchange's headers.
    pub headers: &'static [(&'static str, &'static str)],
}

/// A vendor that gives a new code to the client itself. The request is JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reconnect {
    /// Where, beside the token endpoint.
    pub path: &'static str,
    /// The names of the client's id and secret.
    pub client: (&'static str, &'static str),
    /// The name of the account, and the configuration's key that holds it.
    pub account: (&'static str, &'static str),
    /// The answer's field with the code.
    pub code: &'static str,
    pub headers: &'static [(&'static str, &'static str)],
}

/// Ends that are known from the vendor's rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetimes {
    /// Days that a refresh token is good for after it was issued, where the answer does not say.
    pub refresh_days: Option<u32>,
    /// Days after which the vendor wants another client secret.
    pub client_secret_days: Option<u32>,
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
