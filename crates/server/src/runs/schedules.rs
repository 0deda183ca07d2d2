//! What is to be run again and again. A tick is a run with a unique key, so that replicas fire it once; the next tick is
//! fixed in the same transaction.

use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use croner::Cron;
use serde_json::Value;
use store::entities::runs::RunState;
use store::runs::NewRun;
use store::schedules::{NewSchedule, Schedule as Row};
use store::{StoreError, Tenant};
use tokio_util::sync::CancellationToken;

use super::Runs;
use super::workers::{Trouble, rest};

/// A kind of run that is enqueued again and again.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    /// Unique within the tenant.
    pub name: String,
    pub kind: String,
    pub input: Value,
    pub every: Every,
    /// Whether the first tick is now, or one period from now.
    pub at_once: bool,
    pub enabled: bool,
}

impl Schedule {
    /// First due one period from now.
    pub fn every(name: &str, kind: &str, input: Value, seconds: i64) -> Schedule {
        Schedule::of(name, kind, input, Every::Seconds(seconds))
    }

    /// By a cron pattern in UTC.
    pub fn cron(name: &str, kind: &str, input: Value, pattern: &str) -> Schedule {
        Schedule::of(name, kind, input, Every::Cron(pattern.to_owned()))
    }

    fn of(name: &str, kind: &str, input: Value, every: Every) -> Schedule {
        Schedule { name: name.to_owned(), kind: kind.to_owned(), input, every, at_once: false, enabled: true }
    }

    /// First due now.
    pub fn at_once(self) -> Schedule {
        Schedule { at_once: true, ..self }
    }

    /// A schedule that is not enabled stays known and is never due.
    pub fn enabled(self, enabled: bool) -> Schedule {
        Schedule { enabled, ..self }
    }
}

/// The rhythm of a schedule.
#[derive(Clone, Debug, PartialEq)]
pub enum Every {
    /// At least one second.
    Seconds(i64),
    /// Five fields, or six with seconds, in UTC.
    Cron(String),
}

impl Every {
    /// The first tick after `now`, in step with a tick at `tick`.
    pub fn next(&self, tick: DateTime<Utc>, now: DateTime<Utc>) -> Result<DateTime<Utc>, sdk::Error> {
        match self {
            Every::Seconds(..=0) => Err(sdk::Error::invalid_input("the period of a schedule is at least one second")),
            Every::Seconds(seconds) => {
                // A century at most, which both databases can write down.
                let seconds = (*seconds).min(100 * 365 * 86_400);
                let passed = (now - tick).num_seconds().max(0) / seconds;
                Ok(tick + TimeDelta::seconds(seconds * (passed + 1)))
            }
            Every::Cron(pattern) => {
                let wrong = |cause: croner::errors::CronError| {
                    sdk::Error::invalid_input(format!("{pattern:?} is not a cron pattern that ever comes due: {cause}"))
                };
                Cron::from_str(pattern).map_err(wrong)?.find_next_occurrence(&now, false).map_err(wrong)
            }
        }
    }

    fn of(row: &Row) -> Option<Every> {
        match (&row.cron, row.every_seconds) {
            (Some(pattern), None) => Some(Every::Cron(pattern.clone())),
            (None, Some(seconds)) => Some(Every::Seconds(seconds)),
            _ => None,
        }
    }
}

pub(super) async fn ensure(runs: &Runs, tenant: &Tenant, schedule: Schedule) -> sdk::Result<()> {
    let now = runs.now();
    let next = schedule.every.next(now, now)?;
    let (cron, every_seconds) = match schedule.every {
        Every::Seconds(seconds) => (None, Some(seconds)),
        Every::Cron(pattern) => (Some(pattern), None),
    };
    let new = NewSchedule {
        name: schedule.name,
        kind: schedule.kind,
        input: schedule.input,
        cron,
        every_seconds,
        next_due: if schedule.at_once { now } else { next },
        enabled: schedule.enabled,
    };
    store::schedules::put(tenant, new).await.map_err(crate::unavailable)
}

/// Fires due ticks until the shutdown.
pub(super) async fn tick_forever(runs: Runs, shutdown: CancellationToken) {
    let mut trouble = Trouble::default();
    while !shutdown.is_cancelled() {
        let pause = match tick_all(&runs).await {
            Ok(()) => {
                trouble = Trouble::default();
                until_next(&runs).await
            }
            Err(error) => {
                tracing::warn!(%error, "cannot look for due schedules");
                trouble.pause()
            }
        };
        rest(pause, &shutdown).await;
    }
}

async fn until_next(runs: &Runs) -> Duration {
    let poll = runs.0.settings.poll;
    let Ok(Some(next)) = store::schedules::next_due(&runs.0.store.system()).await else { return poll };
    let wait = (next - runs.now()).to_std().unwrap_or_default();
    wait.clamp(Duration::from_millis(20).min(poll), poll)
}

async fn tick_all(runs: &Runs) -> Result<(), StoreError> {
    let (system, now) = (runs.0.store.system(), runs.now());
    metrics::gauge!("runs_due").set(store::runs::count_due(&system, now).await? as f64);
    for schedule in store::schedules::due(&system, now, 100).await? {
        let outcome = match tick(runs, &schedule, now).await? {
            Some(true) => "fired",
            Some(false) => "skipped",
            None => continue,
        };
        metrics::counter!("schedule_ticks_total", "name" => schedule.name, "outcome" => outcome).increment(1);
    }
    Ok(())
}

/// Fires one tick, or skips it because the previous one is still at work. None: another replica has done it. However
/// many ticks were missed, the next one lies in the future, so that one run catches all of them up.
async fn tick(runs: &Runs, row: &Row, now: DateTime<Utc>) -> Result<Option<bool>, StoreError> {
    let tenant = runs.0.store.tenant(&row.tenant_id);
    let free = !still_at_work(&tenant, row).await?;
    let tx = tenant.begin().await?;
    if !store::schedules::advance_in(&tx, row.id, row.next_due, next(row, now), free).await? {
        tx.rollback().await?;
        return Ok(None);
    }
    if free {
        let unique_key = Some(key(&row.name, row.next_due));
        let run = NewRun { unique_key, ..NewRun::of(&row.kind, row.input.clone()) };
        store::runs::enqueue_in(&tx, run, now).await?;
    }
    tx.commit().await?;
    runs.wake();
    if !free {
        tracing::warn!(schedule = row.name, "the previous run is still at work; this tick is skipped");
    }
    Ok(Some(free))
}

async fn still_at_work(tenant: &Tenant, row: &Row) -> Result<bool, StoreError> {
    let Some(last) = row.last_tick else { return Ok(false) };
    let previous = store::runs::by_unique_key(tenant, &key(&row.name, last)).await?;
    Ok(previous.is_some_and(|run| matches!(run.state, RunState::Queued | RunState::Parked | RunState::Running)))
}

fn key(name: &str, tick: DateTime<Utc>) -> String {
    format!("schedule:{name}:{}", tick.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true))
}

/// A row that nobody understands must not stop the others: it is looked at again in an hour.
fn next(row: &Row, now: DateTime<Utc>) -> DateTime<Utc> {
    let next = Every::of(row).and_then(|every| every.next(row.next_due, now).ok());
    next.unwrap_or_else(|| {
        tracing::error!(schedule = row.name, cron = row.cron, "the rhythm of this schedule is not understood");
        now + TimeDelta::hours(1)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn ticks_keep_their_step_and_lie_in_the_future() {
        let every = Every::Seconds(900);
        let tick = at("2026-01-01T00:00:00Z");
        assert_eq!(every.next(tick, tick).unwrap(), at("2026-01-01T00:15:00Z"));
        assert_eq!(every.next(tick, at("2026-01-01T00:14:59Z")).unwrap(), at("2026-01-01T00:15:00Z"));
        assert_eq!(every.next(tick, at("2026-01-01T00:15:00Z")).unwrap(), at("2026-01-01T00:30:00Z"));
        assert_eq!(every.next(tick, at("2026-01-03T07:20:00Z")).unwrap(), at("2026-01-03T07:30:00Z"));
    }

    #[test]
    fn cron_is_in_utc() {
        let every = Every::Cron("30 2 * * *".into());
        let next = every.next(at("2026-01-01T02:30:00Z"), at("2026-03-29T02:30:00Z")).unwrap();
        assert_eq!(next, at("2026-03-30T02:30:00Z"));
    }

    #[test]
    fn nonsense_is_refused_with_its_name() {
        let error = |every: Every| every.next(at("2026-01-01T00:00:00Z"), at("2026-01-01T00:00:00Z")).unwrap_err();
        assert!(error(Every::Cron("every now and then".into())).to_string().contains("every now and then"));
        assert!(error(Every::Cron("0 0 31 2 *".into())).to_string().contains("0 0 31 2 *"));
        assert!(error(Every::Seconds(0)).to_string().contains("one second"));
    }
}
