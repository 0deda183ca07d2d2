//! 10 requests in a second and 500 in a minute for one company, 120 batches in a minute. That no more than 10 are under
//! way at once is held where requests arrive.

use std::collections::VecDeque;

use crate::clock::{MINUTE, Millis, SECOND};

const A_SECOND: usize = 10;
const A_MINUTE: usize = 500;
const BATCHES_A_MINUTE: usize = 120;

#[derive(Default)]
pub(super) struct Limits {
    requests: VecDeque<Millis>,
    batches: VecDeque<Millis>,
}

impl Limits {
    /// Counts a request; false when it is too many.
    pub(super) fn take(&mut self, now: Millis, batch: bool) -> bool {
        forget(&mut self.requests, now);
        forget(&mut self.batches, now);
        let lately = self.requests.iter().rev().take_while(|at| **at + SECOND > now).count();
        let free = lately < A_SECOND && self.requests.len() < A_MINUTE;
        let allowed = free && !(batch && self.batches.len() >= BATCHES_A_MINUTE);
        if allowed {
            self.requests.push_back(now);
            self.batches.extend(batch.then_some(now));
        }
        allowed
    }
}

fn forget(times: &mut VecDeque<Millis>, now: Millis) {
    while times.front().is_some_and(|at| *at + MINUTE <= now) {
        times.pop_front();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_a_second_and_five_hundred_a_minute() {
        let mut limits = Limits::default();
        assert!((0..10).all(|at| limits.take(at, false)));
        assert!(!limits.take(10, false));
        assert!(limits.take(1_000, false));
        let mut limits = Limits::default();
        assert!((0..500).all(|n| limits.take(n * 110, false)));
        assert!(!limits.take(56_000, false));
        assert!(limits.take(60_001, false));
    }

    #[test]
    fn batches_have_their_own_limit() {
        let mut limits = Limits::default();
        assert!((0..120).all(|n| limits.take(n * 200, true)));
        assert!(!limits.take(30_000, true));
        assert!(limits.take(30_000, false));
    }
}
