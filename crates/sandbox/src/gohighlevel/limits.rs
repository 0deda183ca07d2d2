//! 100 requests in any 10 seconds and so many a day, for each application and location.

use std::collections::{HashMap, VecDeque};

use axum::http::{HeaderMap, HeaderValue};

use crate::clock::{DAY, Millis, SECOND};

const BURST: usize = 100;
const WINDOW: Millis = 10 * SECOND;

pub(crate) struct Limits {
    /// 200,000 at the vendor.
    daily: u32,
    callers: HashMap<String, Usage>,
}

#[derive(Default)]
struct Usage {
    recent: VecDeque<Millis>,
    day: Millis,
    today: u32,
    daily: u32,
}

/// What the headers of one answer say.
#[derive(Clone, Copy)]
pub(crate) struct Allowance {
    pub allowed: bool,
    pub remaining: usize,
    pub daily: u32,
    pub daily_remaining: u32,
    pub daily_reset: Millis,
}

impl Limits {
    pub(crate) fn new(daily: u32) -> Limits {
        Limits { daily, callers: HashMap::new() }
    }

    /// Counts a request of this caller, unless it is refused. Where nothing is enforced nothing is used up, or a client
    /// that heeds the headers would slow down all the same.
    pub(crate) fn take(&mut self, caller: &str, now: Millis, enforce: bool) -> Allowance {
        if !enforce {
            return Allowance::untouched(now);
        }
        let usage = self.usage(caller, now);
        let allowed = usage.recent.len() < BURST && usage.today < usage.daily;
        if allowed {
            usage.today = usage.today.saturating_add(1);
            usage.recent.push_back(now);
        }
        usage.allowance(allowed, now)
    }

    /// What the headers say when a request is refused although the caller has some left.
    pub(crate) fn refuse(&mut self, caller: &str, now: Millis) -> Allowance {
        let usage = self.usage(caller, now);
        Allowance { allowed: false, remaining: 0, ..usage.allowance(false, now) }
    }

    /// As if the caller had used up its day.
    pub(crate) fn exhaust(&mut self, caller: &str, now: Millis) {
        let usage = self.usage(caller, now);
        usage.today = usage.daily;
    }

    fn usage(&mut self, caller: &str, now: Millis) -> &mut Usage {
        let usage = self.callers.entry(caller.to_owned()).or_insert_with(|| Usage::new(self.daily));
        usage.forget(now);
        usage
    }
}

impl Usage {
    fn new(daily: u32) -> Usage {
        Usage { daily, ..Usage::default() }
    }

    fn forget(&mut self, now: Millis) {
        while self.recent.front().is_some_and(|at| at + WINDOW <= now) {
            self.recent.pop_front();
        }
        if self.day != now.div_euclid(DAY) {
            self.day = now.div_euclid(DAY);
            self.today = 0;
        }
    }

    fn allowance(&self, allowed: bool, now: Millis) -> Allowance {
        Allowance {
            allowed,
            remaining: BURST - self.recent.len().min(BURST),
            daily: self.daily,
            daily_remaining: self.daily.saturating_sub(self.today),
            daily_reset: DAY - now.rem_euclid(DAY),
        }
    }
}

impl Allowance {
    /// For answers to nobody in particular.
    pub(crate) fn untouched(now: Millis) -> Allowance {
        Usage::new(200_000).allowance(true, now)
    }

    pub(crate) fn write(&self, headers: &mut HeaderMap) {
        headers.insert("x-ratelimit-max", number(BURST as i64));
        headers.insert("x-ratelimit-remaining", number(self.remaining as i64));
        headers.insert("x-ratelimit-interval-milliseconds", number(WINDOW));
        headers.insert("x-ratelimit-limit-daily", number(i64::from(self.daily)));
        headers.insert("x-ratelimit-daily-remaining", number(i64::from(self.daily_remaining)));
        headers.insert("x-ratelimit-daily-reset", number(self.daily_reset));
    }
}

fn number(value: i64) -> HeaderValue {
    HeaderValue::from(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_limits_nothing_is_used_up() {
        let mut limits = Limits::new(200_000);
        let last = (0..1_000).map(|at| limits.take("app", at, false)).last();
        assert!(last.is_some_and(|last| last.allowed && last.remaining == BURST));
        assert!((0..100).all(|at| limits.take("app", at, true).allowed));
        assert!(!limits.take("app", 100, true).allowed);
    }
}
