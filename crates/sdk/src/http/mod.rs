//! Outbound HTTP: one pipeline for every request to a vendor, and for what is not HTTP (`Http::attempt`).
//!
//! token bucket and places → circuit breaker → retry → time-out → a redacted record of each attempt.
//!
//! A [`Connection`] holds what is shared by all calls of one authorised account; [`Http`] is that
//! connection seen from one call, with its deadline and its key.

mod connection;
mod bucket;
mod breaker;
mod pipeline;
mod request;
mod exchange;

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::Instant;
use uuid::Uuid;

pub use bucket::{Bucket, LocalBucket, Place, Places};
pub use connection::{Attempt, Buckets, Connection, Now, Observer, Settings};
pub use exchange::Exchange;
pub use http::{HeaderMap, Method, StatusCode};
pub use request::{Request, Response};

use crate::{Credentials, Error};

/// What only the vendor's own documentation can say, given once in `Connector::connect`.
#[derive(Clone, Copy)]
pub struct Vendor {
    /// Maps an unsuccessful status and body to an error kind and a message that is safe to show.
    pub error: fn(&Response) -> Error,
    /// Reads what the vendor's rate-limit headers say.
    pub quota: fn(&HeaderMap) -> Quota,
}

/// What a response says about the requests that are left.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Quota {
    /// Send nothing before this long has passed.
    pub pause: Option<Duration>,
    /// The allowance of the day (or month) is used up: waiting does not help.
    pub exhausted: bool,
}

/// The call on whose behalf requests are sent.
#[derive(Clone, Debug)]
pub struct Call {
    /// The execution that the `api_calls` rows belong to.
    pub execution: Option<Uuid>,
    /// The same for every repetition of the same intended effect; vendors with idempotency keys
    /// get it.
    pub key: String,
    /// No attempt starts and no wait goes beyond it.
    pub deadline: Instant,
}

/// The pipeline of one connection, for one call.
#[derive(Clone)]
pub struct Http {
    connection: Arc<Connection>,
    call: Call,
    vendor: Vendor,
    secrets: Arc<[String]>,
}

impl Http {
    pub fn new(connection: Arc<Connection>, call: Call) -> Http {
        Http {
            connection,
            call,
            vendor: Vendor { error: plain_error, quota: |_| Quota::default() },
            secrets: Arc::new([]),
        }
    }

    /// Adds the vendor's way to say no, and the secrets that no message may repeat.
    pub fn for_vendor(mut self, vendor: Vendor, credentials: &Credentials) -> Http {
        self.vendor = vendor;
        self.secrets = credentials.secrets().filter(|s| !s.is_empty()).map(str::to_owned).collect();
        self
    }

    /// The key of the effect that this call intends.
    pub fn idempotency_key(&self) -> &str {
        &self.call.key
    }

    /// The present, for vendors that want to be asked from a moment on.
    pub fn now(&self) -> DateTime<Utc> {
        self.connection.now()
    }

    pub fn get(&self, endpoint: &'static str, url: String) -> Request {
        self.request(Method::GET, endpoint, url)
    }

    pub fn post(&self, endpoint: &'static str, url: String) -> Request {
        self.request(Method::POST, endpoint, url)
    }

    pub fn put(&self, endpoint: &'static str, url: String) -> Request {
        self.request(Method::PUT, endpoint, url)
    }

    pub fn patch(&self, endpoint: &'static str, url: String) -> Request {
        self.request(Method::PATCH, endpoint, url)
    }

    pub fn delete(&self, endpoint: &'static str, url: String) -> Request {
        self.request(Method::DELETE, endpoint, url)
    }

    /// No attempt starts and no wait goes beyond it.
    pub fn deadline(&self) -> Instant {
        self.call.deadline
    }

    /// A request; `endpoint` is the path as the vendor documents it, without ids, and is what
    /// metrics and audit rows show.
    pub fn request(&self, method: Method, endpoint: &'static str, url: String) -> Request {
        Request::new(self.clone(), method, endpoint, url)
    }

    /// Replaces every secret in a text that came from outside.
    fn scrub(&self, text: &str) -> String {
        self.secrets.iter().fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), "[redacted]"))
    }
}

/// The mapping for vendors that say nothing beyond the status.
fn plain_error(response: &Response) -> Error {
    Error::new(kind_of(response.status), format!("the vendor answered {}", response.status))
}

/// The kind that a status has everywhere; vendors refine it.
pub fn kind_of(status: StatusCode) -> crate::Kind {
    use crate::Kind;
    match status.as_u16() {
        401 => Kind::Unauthenticated,
        403 => Kind::Forbidden,
        404 | 410 => Kind::NotFound,
        409 | 412 => Kind::Conflict,
        429 => Kind::RateLimited,
        400..=499 => Kind::InvalidInput,
        500..=599 => Kind::Unavailable,
        _ => Kind::Upstream,
    }
}
