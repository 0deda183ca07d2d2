//! The token bucket of a connection.

use std::sync::{Mutex, PoisonError};
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

    /// Goes on with other limits; what was used stays used. False: a bucket made anew does that by itself.
    fn adopt(&self, _limits: Limits) -> bool {
        false
    }
}

/// A bucket in this process (GCRA).
pub struct LocalBucket {
    state: Mutex<State>,
    clock: DefaultClock,
}

struct State {
    limits: Limits,
    limiter: DefaultDirectRateLimiter,
}

impl LocalBucket {
    pub fn new(limits: Limits) -> LocalBucket {
        LocalBucket { state: Mutex::new(State { limits, limiter: limiter(limits) }), clock: DefaultClock::default() }
    }
}

impl Bucket for LocalBucket {
    fn take(&self) -> BoxFuture<'_, Result<std::result::Result<(), Duration>>> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = state.limiter.check().map_err(|until| until.wait_time_from(self.clock.now()));
        Box::pin(async move { Ok(taken) })
    }

    fn adopt(&self, limits: Limits) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let limiter = limiter(limits);
        // The old limiter does not tell what is left in it, so it is emptied.
        let left = (0..state.limits.burst.get()).take_while(|_| state.limiter.check().is_ok()).count();
        let used = limits.burst.get().saturating_sub(u32::try_from(left).unwrap_or(u32::MAX));
        (0..used).for_each(|_| drop(limiter.check()));
        *state = State { limits, limiter };
        true
    }
}

fn limiter(limits: Limits) -> DefaultDirectRateLimiter {
    let period = limits.replenish.max(Duration::from_nanos(1));
    let quota = Quota::with_period(period).unwrap_or_else(|| Quota::per_second(limits.burst));
    RateLimiter::direct(quota.allow_burst(limits.burst))
}
