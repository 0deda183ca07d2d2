use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};
use store::StoreError;
use store::runs::{Lease, Run};
use tokio_util::sync::CancellationToken;

use super::{Failure, Runs};

/// A run that this process works on. Only its lease decides whether the work may go on: a database that is away for a
/// while ends nothing.
pub(super) struct Held {
    pub(super) lease: Lease,
    pub(super) cancelled: CancellationToken,
    /// Microseconds of the epoch.
    until: AtomicI64,
    attempts: i32,
    progressed: AtomicBool,
}

impl Held {
    /// Notes that we hold this run. None: nobody has claimed it.
    pub(super) fn of(run: &Run) -> Option<Held> {
        Some(Held {
            lease: Lease::of(run)?,
            cancelled: CancellationToken::new(),
            until: AtomicI64::new(run.lease_until?.timestamp_micros()),
            attempts: run.attempts,
            progressed: AtomicBool::new(false),
        })
    }

    /// Keeps the lease for another while. False: another worker has the run, or it was cancelled.
    pub(super) async fn renew(&self, runs: &Runs) -> Result<bool, StoreError> {
        let (system, length) = (runs.0.store.system(), runs.0.settings.lease);
        let now = runs.now();
        let ours = store::runs::heartbeat(&system, self.lease, now, length).await?;
        if ours {
            self.until.store((now + length).timestamp_micros(), Ordering::Relaxed);
        }
        Ok(ours)
    }

    /// Whether another worker may have the run by now, as far as our clock tells.
    pub(super) fn lapsed(&self, now: DateTime<Utc>) -> bool {
        now.timestamp_micros() >= self.until.load(Ordering::Relaxed)
    }

    /// A step was recorded, and with it the attempts began anew: they count those without any progress.
    pub(super) fn progressed(&self) {
        self.progressed.store(true, Ordering::Relaxed);
    }

    /// The attempts without progress, this one included.
    pub(super) fn attempts(&self) -> i32 {
        if self.progressed.load(Ordering::Relaxed) { 1 } else { self.attempts }
    }
}

/// Repeats what the database could not do for the moment, until it can or the work is cancelled.
pub(super) async fn insist<T, Work>(cancelled: &CancellationToken, work: impl Fn() -> Work) -> Result<T, Failure>
where
    Work: Future<Output = Result<T, StoreError>>,
{
    let mut pause = Duration::from_millis(50);
    loop {
        let error = match work().await {
            Ok(value) => return Ok(value),
            Err(error) if error.is_temporary() => error,
            Err(error) => return Err(error.into()),
        };
        tracing::warn!(%error, "the database is away; running work goes on and waits for it");
        tokio::select! {
            () = cancelled.cancelled() => return Err(Failure::Interrupted),
            () = tokio::time::sleep(pause) => {}
        }
        pause = (pause * 2).min(Duration::from_secs(1));
    }
}
