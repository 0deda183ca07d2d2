//! Looking for due runs and handing them out.

use std::sync::Arc;
use std::time::Duration;

use store::StoreError;
use store::runs::Run;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::attempt::attempt;
use super::{Held, Runs};

/// Claims due runs and works on them until the shutdown; then waits for those that are at work.
pub(super) async fn work(runs: Runs, shutdown: CancellationToken) {
    let desks = Arc::new(Semaphore::new(runs.0.settings.workers.max(1)));
    let mut trouble = Trouble::default();
    while let Some(free) = free_desks(&desks, &shutdown).await {
        let claimed = match claim(&runs, free.len()).await {
            Ok(claimed) => claimed,
            Err(error) => {
                tracing::warn!(%error, "cannot look for due runs");
                rest(trouble.pause(), &shutdown).await;
                continue;
            }
        };
        trouble = Trouble::default();
        if claimed.is_empty() {
            drop(free);
            wait_for_work(&runs, &shutdown).await;
            continue;
        }
        for (run, desk) in claimed.into_iter().zip(free) {
            let attempt = attempt(runs.clone(), run, shutdown.clone());
            runs.0.tasks.spawn(async move {
                attempt.await;
                drop(desk);
            });
        }
    }
}

/// At least one desk, as soon as there is one; None: the shutdown has begun.
async fn free_desks(desks: &Arc<Semaphore>, shutdown: &CancellationToken) -> Option<Vec<OwnedSemaphorePermit>> {
    let first = tokio::select! {
        biased;
        () = shutdown.cancelled() => return None,
        desk = desks.clone().acquire_owned() => desk.ok()?,
    };
    let mut free = vec![first];
    while let Ok(desk) = desks.clone().try_acquire_owned() {
        free.push(desk);
    }
    Some(free)
}

async fn claim(runs: &Runs, free: usize) -> Result<Vec<Run>, StoreError> {
    renew_lapsed(runs).await?;
    store::runs::claim(&runs.0.store.system(), free as u64, runs.now(), runs.0.settings.lease).await
}

/// A machine that slept wakes up with all its leases run out. What we still work on and nobody has taken meanwhile is
/// ours before it is anybody's.
async fn renew_lapsed(runs: &Runs) -> Result<(), StoreError> {
    let now = runs.now();
    let lapsed: Vec<Arc<Held>> = runs.held().values().filter(|held| held.lapsed(now)).cloned().collect();
    for held in lapsed {
        held.renew(runs).await?;
    }
    Ok(())
}

/// Until something is due, or somebody says so, or the poll interval has passed.
async fn wait_for_work(runs: &Runs, shutdown: &CancellationToken) {
    let now = runs.now();
    let poll = runs.0.settings.poll;
    let next = store::runs::next_due(&runs.0.store.system(), now).await;
    let until_due = match next {
        // In the past: somebody else is about to take it.
        Ok(Some(at)) => (at - now).to_std().unwrap_or_default().max(Duration::from_millis(20)),
        Ok(None) | Err(_) => poll,
    };
    tokio::select! {
        () = runs.0.due.notified() => {}
        () = rest(until_due.min(poll), shutdown) => {}
    }
}

/// Passes on what other replicas say of the queue. On SQLite there are none.
pub(super) async fn listen(runs: Runs, shutdown: CancellationToken) {
    while !shutdown.is_cancelled() {
        tokio::select! {
            () = shutdown.cancelled() => return,
            Err(error) = hear(&runs) => tracing::warn!(%error, "cannot hear of due runs; they are found by looking"),
        }
        rest(Duration::from_secs(1), &shutdown).await;
    }
}

async fn hear(runs: &Runs) -> Result<(), StoreError> {
    let mut listener = store::runs::listen(&runs.0.store).await?;
    loop {
        // First of all for what was said while nobody listened.
        runs.wake();
        listener.wait().await?;
    }
}

/// How often in a row the database did not answer.
#[derive(Default)]
pub(super) struct Trouble(u32);

impl Trouble {
    /// Longer each time, up to some seconds.
    pub(super) fn pause(&mut self) -> Duration {
        self.0 = (self.0 + 1).min(6);
        Duration::from_millis(50) * 2_u32.pow(self.0)
    }
}

pub(super) async fn rest(pause: Duration, shutdown: &CancellationToken) {
    tokio::select! {
        () = sleep(pause) => {}
        () = shutdown.cancelled() => {}
    }
}
