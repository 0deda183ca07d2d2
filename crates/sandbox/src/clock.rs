//! The simulated present: starts where the options say and runs at the speed of the wall clock.

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::{Duration, Instant},
};

use chrono::{DateTime, SecondsFormat, Utc};

/// Milliseconds since 1970 in simulated time.
pub(crate) type Millis = i64;

pub(crate) const SECOND: Millis = 1_000;
pub(crate) const MINUTE: Millis = 60 * SECOND;
pub(crate) const HOUR: Millis = 60 * MINUTE;
pub(crate) const DAY: Millis = 24 * HOUR;

pub(crate) struct Clock {
    start: Millis,
    began: Instant,
    skipped: AtomicI64,
}

impl Clock {
    pub(crate) fn new(now: DateTime<Utc>) -> Clock {
        Clock { start: now.timestamp_millis(), began: Instant::now(), skipped: AtomicI64::new(0) }
    }

    pub(crate) fn now(&self) -> Millis {
        let elapsed = i64::try_from(self.began.elapsed().as_millis()).unwrap_or(i64::MAX / 4);
        self.start + elapsed + self.skipped.load(Ordering::Relaxed)
    }

    /// Moves the present forward, so that a test can let tokens and windows expire without waiting.
    pub(crate) fn skip(&self, by: Duration) {
        self.skipped.fetch_add(i64::try_from(by.as_millis()).unwrap_or(0), Ordering::Relaxed);
    }
}

/// `2026-11-21T10:00:00.000Z`, the way the vendor writes moments.
pub(crate) fn iso(at: Millis) -> String {
    moment(at).to_rfc3339_opts(SecondsFormat::Millis, true)
}

pub(crate) fn moment(at: Millis) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(at).unwrap_or_default()
}

/// Reads milliseconds or any RFC 3339 moment or a plain date.
pub(crate) fn parse(text: &str) -> Option<Millis> {
    if let Ok(millis) = text.parse::<Millis>() {
        return Some(millis);
    }
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return Some(at.timestamp_millis());
    }
    let date = chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
    Some(date.and_hms_opt(0, 0, 0)?.and_utc().timestamp_millis())
}
