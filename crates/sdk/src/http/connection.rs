//! What all calls of one authorised account share: client, bucket, breaker and observer.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::Instant;
use uuid::Uuid;

use super::breaker::Breaker;
use super::{Bucket, LocalBucket, Method, Place, Quota, StatusCode};
use crate::{Error, Limits, Result};

/// How patient the pipeline is.
#[derive(Clone, Debug)]
pub struct Settings {
    /// One attempt, from connecting to the last byte of the body.
    pub timeout: Duration,
    /// Attempts in all, the first included.
    pub attempts: usize,
    /// The first wait between attempts; it doubles up to `longest_wait`.
    pub first_wait: Duration,
    pub longest_wait: Duration,
    /// Failures in a row that open the breaker, and how long it stays open.
    pub breaker_failures: usize,
    pub breaker_pause: Duration,
    /// A larger answer is refused.
    pub largest_body: usize,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            timeout: Duration::from_secs(20),
            attempts: 3,
            first_wait: Duration::from_secs(2),
            longest_wait: Duration::from_secs(10),
            breaker_failures: 5,
            breaker_pause: Duration::from_secs(60),
            largest_body: 20 << 20,
        }
    }
}

/// One attempt, as the audit keeps it. It holds no header, no query and no body.
#[derive(Clone, Debug)]
pub struct Attempt {
    pub ecosystem: &'static str,
    pub execution: Option<Uuid>,
    /// The path as the vendor documents it, without ids.
    pub endpoint: &'static str,
    pub method: Method,
    pub status: Option<StatusCode>,
    pub latency: Duration,
    pub request_bytes: usize,
    pub response_bytes: usize,
    pub error: Option<String>,
    /// Counted from 1.
    pub number: usize,
}

/// Is told of every attempt when it ends, also when it is cancelled.
pub type Observer = Arc<dyn Fn(Attempt) + Send + Sync>;

/// One authorised account at a vendor.
pub struct Connection {
    pub(super) ecosystem: &'static str,
    pub(super) client: reqwest::Client,
    pub(super) settings: Settings,
    pub(super) breaker: Breaker,
    pub(super) observer: Observer,
    bucket: Arc<dyn Bucket>,
    /// The buckets of single operations, by endpoint.
    operations: Mutex<HashMap<&'static str, Operation>>,
    buckets: Buckets,
    /// Operations have limits of their own.
    paced: bool,
    hold: Mutex<Hold>,
    now: Now,
}

/// A single operation's bucket, and the limits that it keeps.
struct Operation {
    limits: Limits,
    bucket: Arc<dyn Bucket>,
}

/// Tells the time.
pub type Now = Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>;

/// Makes the bucket of a connection (no endpoint) or of one operation of it.
pub type Buckets = Box<dyn Fn(Option<&'static str>, Limits) -> Arc<dyn Bucket> + Send + Sync>;

#[derive(Default)]
struct Hold {
    until: Option<Instant>,
    exhausted: bool,
}

impl Connection {
    pub fn new(
        ecosystem: &'static str,
        client: reqwest::Client,
        limits: Limits,
        settings: Settings,
        observer: Observer,
    ) -> Connection {
        let breaker = Breaker::new(settings.breaker_failures, settings.breaker_pause);
        Connection {
            ecosystem,
            client,
            settings,
            breaker,
            observer,
            bucket: Arc::new(LocalBucket::new(limits)),
            operations: Mutex::default(),
            buckets: Box::new(|_, limits| Arc::new(LocalBucket::new(limits))),
            paced: true,
            hold: Mutex::default(),
            now: machine(),
        }
    }

    /// Goes by this clock instead of the machine's.
    pub fn with_clock(mut self, now: Now) -> Connection {
        self.now = now;
        self
    }

    /// Keeps the connection's limits alone: the address is not the vendor's, or has other limits than the vendor.
    pub fn at_one_pace(mut self) -> Connection {
        self.paced = false;
        self
    }

    pub(super) fn now(&self) -> DateTime<Utc> {
        (self.now)()
    }

    /// Shares the buckets with other processes.
    pub fn with_buckets(mut self, limits: Limits, buckets: Buckets) -> Connection {
        self.bucket = buckets(None, limits);
        self.buckets = buckets;
        self
    }

    /// Waits for permission to send, first the operation's and then the connection's; fails at once when it would come
    /// after the deadline. What is returned is held while the exchange is under way.
    pub(super) async fn permission(&self, pace: Option<(&'static str, Limits)>, deadline: Instant) -> Result<Place> {
        let operation = pace.filter(|_| self.paced).map(|(endpoint, limits)| self.operation(endpoint, limits));
        let first = match operation {
            Some(operation) => Some(self.pass(&*operation, deadline).await?),
            None => None,
        };
        let second = self.pass(&*self.bucket, deadline).await?;
        Ok(Box::new((first, second)))
    }

    /// A place and a permission. The place comes first: permissions that wait for places would be used all at once when
    /// those come free.
    async fn pass(&self, bucket: &dyn Bucket, deadline: Instant) -> Result<Place> {
        let place = tokio::time::timeout_at(deadline, bucket.place(self.settings.timeout)).await.map_err(|_| {
            let said = format!("as many requests to {} are under way as it takes at once", self.ecosystem);
            Error::rate_limited(said).with_retry_after(Duration::from_secs(1))
        })??;
        self.granted(bucket, deadline).await?;
        Ok(place)
    }

    fn operation(&self, endpoint: &'static str, limits: Limits) -> Arc<dyn Bucket> {
        let mut operations = self.operations.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let first = || Operation { limits, bucket: (self.buckets)(Some(endpoint), limits) };
        operations.entry(endpoint).or_insert_with(first).bucket.clone()
    }

    /// The vendor told this operation's pace; what was used of its burst stays used.
    pub(super) fn adopt(&self, endpoint: &'static str, replenish: Duration) {
        let mut operations = self.operations.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let Some(operation) = operations.get_mut(endpoint) else { return };
        let (told, kept) = (replenish.as_secs_f64(), operation.limits.replenish.as_secs_f64());
        // Vendors round what they tell.
        if (told - kept).abs() <= kept / 50.0 {
            return;
        }
        operation.limits.replenish = replenish;
        if !operation.bucket.adopt(operation.limits) {
            operation.bucket = (self.buckets)(Some(endpoint), operation.limits);
        }
    }

    async fn granted(&self, bucket: &dyn Bucket, deadline: Instant) -> Result<()> {
        loop {
            let wait = match self.held() {
                Some(wait) => wait?,
                None => match bucket.take().await? {
                    Ok(()) => return Ok(()),
                    Err(wait) => wait,
                },
            };
            if Instant::now() + wait > deadline {
                return Err(self.busy(wait));
            }
            tokio::time::sleep(wait).await;
        }
    }

    /// Keeps what the vendor's headers said.
    pub(super) fn learn(&self, quota: Quota) {
        let mut hold = self.hold.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        hold.exhausted = quota.exhausted;
        if let Some(pause) = quota.pause {
            let until = Instant::now() + pause;
            hold.until = Some(hold.until.map_or(until, |held| held.max(until)));
        }
    }

    fn held(&self) -> Option<Result<Duration>> {
        let mut hold = self.hold.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let until = hold.until?;
        let wait = until.saturating_duration_since(Instant::now());
        if wait.is_zero() {
            *hold = Hold::default();
            return None;
        }
        Some(if hold.exhausted { Err(self.busy(wait)) } else { Ok(wait) })
    }

    fn busy(&self, wait: Duration) -> Error {
        Error::rate_limited(format!(
            "the request limit of {} is used up for the next {} s",
            self.ecosystem,
            wait.as_secs() + 1
        ))
        .with_retry_after(wait)
    }
}

/// The clock of a connection that was given no other.
#[expect(clippy::disallowed_methods, reason = "the default; a server gives its own clock")]
fn machine() -> Now {
    Arc::new(Utc::now)
}
