//! The circuit breaker of a connection: so many failures in a row, and the vendor is left alone for a while.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Lets requests through until too many in a row have failed. After the pause one request tries; if it works all are let
/// through again, else the pause begins anew.
pub(super) struct Breaker {
    failures: usize,
    pause: Duration,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    in_a_row: usize,
    open_until: Option<Instant>,
    /// The one request that tries after the pause is under way.
    trying: bool,
}

impl State {
    fn is_open(&self) -> bool {
        self.open_until.is_some_and(|until| self.trying || Instant::now() < until)
    }
}

/// Permission for one request. Dropping it without a word says nothing about the vendor.
pub(super) struct Pass<'a> {
    breaker: &'a Breaker,
    tries: bool,
}

impl Breaker {
    pub(super) fn new(failures: usize, pause: Duration) -> Breaker {
        Breaker { failures: failures.max(1), pause, state: Mutex::default() }
    }

    /// `None`: the vendor is left alone now.
    pub(super) fn pass(&self) -> Option<Pass<'_>> {
        let mut state = self.state();
        if state.is_open() {
            return None;
        }
        state.trying = state.open_until.is_some();
        Some(Pass { breaker: self, tries: state.trying })
    }

    /// Nobody would get a pass now.
    pub(super) fn is_open(&self) -> bool {
        self.state().is_open()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pass<'_> {
    /// The vendor worked, or said no in a way that shows that it works.
    pub(super) fn worked(self) {
        let mut state = self.breaker.state();
        // What was sent before the breaker opened proves less than the request that tries.
        if state.open_until.is_none() || self.tries {
            (state.in_a_row, state.open_until) = (0, None);
        }
    }

    pub(super) fn failed(self) {
        let mut state = self.breaker.state();
        state.in_a_row += 1;
        if self.tries || (state.in_a_row >= self.breaker.failures && state.open_until.is_none()) {
            state.open_until = Some(Instant::now() + self.breaker.pause);
        }
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        if self.tries {
            self.breaker.state().trying = false;
        }
    }
}
