//! One error for everything that a tool can fail with.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

/// The result of anything in this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, by what the caller can do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The arguments are wrong; the message names the field.
    InvalidInput,
    /// No valid credentials.
    Unauthenticated,
    /// Valid credentials that do not allow this.
    Forbidden,
    /// The thing named does not exist.
    NotFound,
    /// The thing changed meanwhile, or exists already.
    Conflict,
    /// Too many requests; try again after `retry_after`.
    RateLimited,
    /// The vendor answered with something that cannot be used.
    Upstream,
    /// The vendor (or our own store) cannot be reached right now.
    Unavailable,
    /// A defect of ours.
    Internal,
}

impl Kind {
    /// The name used in answers, metrics and audit rows.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::InvalidInput => "invalid_input",
            Kind::Unauthenticated => "unauthenticated",
            Kind::Forbidden => "forbidden",
            Kind::NotFound => "not_found",
            Kind::Conflict => "conflict",
            Kind::RateLimited => "rate_limited",
            Kind::Upstream => "upstream",
            Kind::Unavailable => "unavailable",
            Kind::Internal => "internal",
        }
    }
}

/// A failure: its kind, a message that is safe to show to the caller, and what caused it.
///
/// The message never holds a credential; the source may hold details for the log.
#[derive(Debug)]
pub struct Error {
    pub kind: Kind,
    pub message: String,
    /// How long to wait before a retry can succeed, where the vendor said so.
    pub retry_after: Option<Duration>,
    /// A write was sent and nobody knows whether the vendor carried it out.
    pub outcome_unknown: bool,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    pub fn new(kind: Kind, message: impl Into<String>) -> Error {
        Error { kind, message: message.into(), retry_after: None, outcome_unknown: false, source: None }
    }

    /// Keeps the cause for the log.
    pub fn with_source(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
        self.source = Some(source.into());
        self
    }

    pub fn with_retry_after(mut self, wait: Duration) -> Error {
        self.retry_after = Some(wait);
        self
    }

    /// Marks a write whose effect at the vendor is not known.
    pub fn with_unknown_outcome(mut self) -> Error {
        self.outcome_unknown = true;
        self
    }

    /// Takes the mark away again, where the caller knows that there was nothing to carry out.
    pub fn with_known_outcome(mut self) -> Error {
        self.outcome_unknown = false;
        self
    }

    /// Whether the same request can succeed later without a change.
    pub fn is_temporary(&self) -> bool {
        matches!(self.kind, Kind::RateLimited | Kind::Unavailable)
    }
}

macro_rules! constructors {
    ($($name:ident => $kind:ident),* $(,)?) => {
        /// Constructors, one a kind.
        impl Error {
            $(pub fn $name(message: impl Into<String>) -> Error { Error::new(Kind::$kind, message) })*
        }
    };
}

constructors! {
    invalid_input => InvalidInput,
    unauthenticated => Unauthenticated,
    forbidden => Forbidden,
    not_found => NotFound,
    conflict => Conflict,
    rate_limited => RateLimited,
    upstream => Upstream,
    unavailable => Unavailable,
    internal => Internal,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn std::error::Error + 'static))
    }
}
