//! The token bucket of a connection, and the places for what is under way.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use tokio::sync::Semaphore;

use crate::{Error, Limits, Result};

/// Hands out permissions to send. One process has a [`LocalBucket`]; replicas share one on the
/// database.
pub trait Bucket: Send + Sync {
    /// Takes one permission, or says how long until there is one.
    fn take(&self) -> BoxFuture<'_, Result<std::result::Result<(), Duration>>>;

    /// Waits for a place among the requests that are under way. An exchange takes no longer than `longest`, so that the
    /// place of a process that was killed can be given to another after it.
    fn place(&self, longest: Duration) -> BoxFuture<'_, Result<Place>>;

    /// Goes on with other limits; what was used stays used. False: a bucket made anew does that by itself.
    fn adopt(&self, _limits: Limits) -> bool {
        false
    }
}

/// A place among the requests that are under way; dropping it gives it back.
pub type Place = Box<dyn Send + Sync>;

/// A bucket in this process (GCRA).
pub struct LocalBucket {
    state: Mutex<State>,
    places: Places,
    clock: DefaultClock,
}

/// The places for requests under way in this process, handed out in the order in which they are asked for.
pub struct Places(Option<Arc<Semaphore>>);

impl Places {
    pub fn new(limits: Limits) -> Places {
        let most = limits.in_flight.map(|most| usize::try_from(most.get()).unwrap_or(Semaphore::MAX_PERMITS));
        Places(most.map(|most| Arc::new(Semaphore::new(most))))
    }

    /// Waits for a place; where none is counted there always is one.
    pub async fn take(&self) -> Result<Place> {
        let Some(places) = self.0.clone() else { return Ok(Box::new(())) };
        let place = places.acquire_owned().await;
        Ok(Box::new(place.map_err(|e| Error::internal("the places for requests are closed").with_source(e))?))
    }
}

struct State {
    limits: Limits,
    limiter: DefaultDirectRateLimiter,
}

impl LocalBucket {
    pub fn new(limits: Limits) -> LocalBucket {
        let state = Mutex::new(State { limits, limiter: limiter(limits) });
        LocalBucket { state, places: Places::new(limits), clock: DefaultClock::default() }
    }
}

impl Bucket for LocalBucket {
    fn take(&self) -> BoxFuture<'_, Result<std::result::Result<(), Duration>>> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = state.limiter.check().map_err(|until| until.wait_time_from(self.clock.now()));
        Box::pin(async move { Ok(taken) })
    }

    fn place(&self, _longest: Duration) -> BoxFuture<'_, Result<Place>> {
        Box::pin(self.places.take())
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
