//! One attempt at one run, from its claim to what is written of its end.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use store::StoreError;
use store::runs::Run;
use tokio::task::{JoinError, JoinHandle};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::lease::{Held, insist};
use super::{Failure, Job, Runs, Settings};

/// How an attempt ended.
type End = Result<Value, Failure>;

/// Works on a claimed run and writes how that ended.
pub(super) async fn attempt(runs: Runs, run: Run, stopping: CancellationToken) {
    let Some(held) = Held::of(&run).map(Arc::new) else { return };
    runs.held().insert(run.id, held.clone());
    let started = Instant::now();
    if let Some(end) = work(&runs, &run, &held, &stopping).await {
        let state = settle(&runs, &run, &held, &stopping, end).await;
        metrics::counter!("runs_total", "kind" => run.kind.clone(), "state" => state).increment(1);
    }
    metrics::histogram!("run_duration_seconds", "kind" => run.kind.clone()).record(started.elapsed().as_secs_f64());
    let mut all = runs.held();
    // A later claim of the same run may have taken the place.
    if all.get(&run.id).is_some_and(|latest| Arc::ptr_eq(latest, &held)) {
        all.remove(&run.id);
    }
    drop(all);
    runs.0.settled.notify_waiters();
    runs.wake();
}

/// None: the work cannot be stopped, so its run must not be given to anybody before its lease has run out.
async fn work(runs: &Runs, run: &Run, held: &Arc<Held>, stopping: &CancellationToken) -> Option<End> {
    if run.attempts > run.max_attempts {
        return Some(Err(Failure::Dead(used_up(run))));
    }
    let Some(handler) = runs.handler(&run.kind) else {
        // During an upgrade another replica may know it, so it is worth the usual attempts.
        return Some(Err(Failure::retry(format!("nobody here works on runs of the kind {:?}", run.kind))));
    };
    let (job, input) = (job(runs, run, held, stopping), run.input.clone());
    // A task of its own: a panic ends nothing else, and work that blocks its thread does not stop the heartbeat.
    let mut task = tokio::spawn(async move { handler(job, input).await });
    tokio::select! {
        ended = &mut task => return Some(joined(ended)),
        () = lost(runs, held) => tracing::warn!(run = %run.id, kind = run.kind, "the run was cancelled or another worker took it over"),
        () = held.cancelled.cancelled() => {}
        () = grace_over(stopping, runs.0.settings.grace) => {}
    }
    held.cancelled.cancel();
    let patience = if stopping.is_cancelled() { Duration::from_millis(200) } else { runs.0.settings.grace };
    wind_down(task, patience).await
}

fn job(runs: &Runs, run: &Run, held: &Arc<Held>, stopping: &CancellationToken) -> Job {
    Job {
        run: run.id,
        tenant: run.tenant_id.clone(),
        kind: run.kind.clone(),
        attempt: u32::try_from(run.attempts).unwrap_or(1),
        due_at: run.due_at,
        cancelled: held.cancelled.clone(),
        stopping: stopping.clone(),
        runs: runs.clone(),
        held: held.clone(),
    }
}

fn used_up(run: &Run) -> String {
    let tries = run.max_attempts;
    match &run.error {
        Some(error) => format!("gave up after {tries} attempts; the last error was: {error}"),
        None => format!("gave up after {tries} attempts, each of which ended with its process or lost its lease"),
    }
}

/// Keeps the lease, and returns when it is no longer ours. What the database cannot say now, it says later.
async fn lost(runs: &Runs, held: &Held) {
    let settings = &runs.0.settings;
    let mut pause = settings.heartbeat;
    loop {
        sleep(pause).await;
        pause = match held.renew(runs).await {
            Ok(true) => settings.heartbeat,
            Ok(false) => return,
            Err(error) => {
                tracing::warn!(run = %held.lease.run_id, %error, "heartbeat failed");
                settings.heartbeat.min(Duration::from_millis(500))
            }
        };
    }
}

async fn grace_over(stopping: &CancellationToken, grace: Duration) {
    stopping.cancelled().await;
    sleep(grace).await;
}

async fn wind_down(mut task: JoinHandle<End>, patience: Duration) -> Option<End> {
    if let Ok(ended) = timeout(patience, &mut task).await {
        return Some(joined(ended));
    }
    task.abort();
    let ended = timeout(Duration::from_secs(1), task).await.ok()?;
    Some(joined(ended))
}

fn joined(ended: Result<End, JoinError>) -> End {
    match ended {
        Ok(end) => end,
        Err(error) if error.is_panic() => {
            Err(Failure::retry(format!("the work panicked: {}", panic_message(error.into_panic()))))
        }
        Err(_) => Err(Failure::Interrupted),
    }
}

fn panic_message(panic: Box<dyn Any + Send>) -> String {
    match panic.downcast::<String>() {
        Ok(message) => *message,
        Err(panic) => panic.downcast_ref::<&str>().copied().unwrap_or("without a message").to_owned(),
    }
}

/// Writes the end under the lease, and gives it a name for the metrics.
async fn settle(runs: &Runs, run: &Run, held: &Held, stopping: &CancellationToken, end: End) -> &'static str {
    let written = insist(&held.cancelled, || write(runs, run, held, stopping, &end)).await;
    let (written, end) = match (written, &end) {
        // A result that cannot be stored is as good as none.
        (Err(refused @ Failure::Temporary { .. }), Ok(_)) => {
            let end = Err(refused);
            (insist(&held.cancelled, || write(runs, run, held, stopping, &end)).await, end)
        }
        (written, _) => (written, end),
    };
    let state = match &written {
        Ok(true) => name(run, held, &end),
        Ok(false) => "lost",
        Err(_) => "unknown",
    };
    tell(run, held, state, end.err(), written.err());
    state
}

async fn write(
    runs: &Runs,
    run: &Run,
    held: &Held,
    stopping: &CancellationToken,
    end: &End,
) -> Result<bool, StoreError> {
    let (system, lease, now) = (runs.0.store.system(), held.lease, runs.now());
    match end {
        Ok(output) => store::runs::finish(&system, lease, output, now).await,
        Err(Failure::Temporary { message, .. }) if held.attempts() >= run.max_attempts => {
            let message = format!("gave up after {} attempts; the last error was: {message}", run.max_attempts);
            store::runs::dead(&system, lease, &message, now).await
        }
        Err(Failure::Temporary { message, retry_after }) => {
            let wait = backoff(&runs.0.settings, held.attempts()).max(retry_after.unwrap_or_default());
            store::runs::retry(&system, lease, message, now + wait).await
        }
        Err(Failure::Permanent(message)) => store::runs::fail(&system, lease, message, now).await,
        Err(Failure::Dead(message)) => store::runs::dead(&system, lease, message, now).await,
        Err(Failure::Parked { until, signal }) => {
            store::runs::park(&system, lease, *until, signal.as_deref(), now).await
        }
        Err(Failure::Interrupted) if stopping.is_cancelled() => {
            let given_back = store::runs::park(&system, lease, now, None, now).await?;
            store::runs::notify(&runs.0.store).await?;
            Ok(given_back)
        }
        Err(Failure::Interrupted) => {
            let wait = backoff(&runs.0.settings, held.attempts());
            store::runs::retry(&system, lease, "interrupted", now + wait).await
        }
    }
}

fn name(run: &Run, held: &Held, end: &End) -> &'static str {
    match end {
        Ok(_) => "done",
        Err(Failure::Temporary { .. }) if held.attempts() >= run.max_attempts => "dead",
        Err(Failure::Temporary { .. }) => "retried",
        Err(Failure::Permanent(_)) => "failed",
        Err(Failure::Dead(_)) => "dead",
        Err(Failure::Parked { .. }) => "parked",
        Err(Failure::Interrupted) => "released",
    }
}

fn tell(run: &Run, held: &Held, state: &'static str, failure: Option<Failure>, unwritten: Option<Failure>) {
    let (id, kind, attempt) = (run.id, run.kind.as_str(), held.attempts());
    if let Some(error) = unwritten {
        tracing::error!(run = %id, kind, attempt, %error, "the end of an attempt could not be written; its lease decides");
        return;
    }
    if state == "lost" {
        tracing::info!(run = %id, kind, attempt, "the run is no longer ours; the end of this attempt does not count");
        return;
    }
    match failure {
        None | Some(Failure::Parked { .. } | Failure::Interrupted) => tracing::debug!(run = %id, kind, attempt, state),
        Some(error) if state == "retried" => {
            tracing::warn!(run = %id, kind, attempt, %error, "run will be tried again")
        }
        Some(error) => tracing::error!(run = %id, kind, attempt, state, %error, "run has failed"),
    }
}

/// Doubles with each attempt, and adds up to a quarter, so that what failed together does not come back together.
fn backoff(settings: &Settings, attempt: i32) -> Duration {
    let doublings = u32::try_from(attempt.clamp(1, 32) - 1).unwrap_or_default();
    let wait = settings.first_backoff.saturating_mul(2_u32.saturating_pow(doublings)).min(settings.longest_backoff);
    wait + wait.mul_f64(fastrand::f64() / 4.0)
}
