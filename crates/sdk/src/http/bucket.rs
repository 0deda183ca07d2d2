//! The token bucket of a connection.

use std::time::Duration;

use futures::future::BoxFuture;
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

use crate::{Limits, Result};

/// Hands out permissions to send. One process has a [`LocalBucket`]; replicas share one on the
/// database.
pub trait Bucket: Send + Sync {
    /// Takes one permission, or says how long until there is one.
    fn take(&self) -> BoxFuture<'_, Result<std::result::Result<(), Duration>>>;
}

/// A bucket in this process (GCRA).
pub struct LocalBucket {
    limiter: DefaultDirectRateLimiter,
    clock: DefaultClock,
}

impl LocalBucket {
    pub fn new(limits: Limits) -> LocalBucket {
        let period = limits.replenish.max(Duration::from_nanos(1));
        let quota = Quota::with_period(period).unwrap_or_else(|| Quota::per_second(limits.burst));
        LocalBucket { limiter: RateLimiter::direct(quota.allow_burst(limits.burst)), clock: DefaultClock::default() }
    }
}

impl Bucket for LocalBucket {
    fn take(&self) -> BoxFuture<'_, Result<std::result::Result<(), Duration>>> {
        let taken = self.limiter.check().map_err(|until| until.wait_time_from(self.clock.now()));
        Box::pin(async move { Ok(taken) })
    }
}
