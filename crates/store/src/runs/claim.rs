use std::time::Duration;

use chrono::{DateTime, Utc};
use sea_orm::prelude::*;
use sea_orm::{DbBackend, FromQueryResult};
use serde_json::Value;

use super::{Run, changed};
use crate::chain::canonical_json;
use crate::sql::Sql;
use crate::{Result, System, micros};

/// The right to work on a run: valid until another claim of the same run succeeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    pub run_id: Uuid,
    pub token: Uuid,
}

impl Lease {
    /// The lease of a run that [`claim`] returned.
    pub fn of(run: &Run) -> Option<Self> {
        Some(Self { run_id: run.id, token: run.lease_token? })
    }
}

/// Takes up to `limit` due runs of all tenants, the longest due first, and runs whose lease has run out. Counts the
/// attempt; a run whose attempts are used up is claimed all the same (`attempts > max_attempts`), so that its worker
/// declares it [`dead`]. A row that cannot be read becomes a dead letter here and does not hold up the others.
pub async fn claim(system: &System, limit: u64, now: DateTime<Utc>, lease: Duration) -> Result<Vec<Run>> {
    let now = micros(now);
    // A token of its own for each claim, not for each process: a run that hangs must not pass for its successor.
    let token = Uuid::new_v4();
    // Materialized, because PostgreSQL may otherwise look for rows again and again and take more than `limit`.
    let mut sql = system.sql(
        "WITH next AS MATERIALIZED (SELECT id FROM runs WHERE state IN ('queued', 'parked', 'running') AND due_at <= ",
    );
    sql.bind(now).push(" AND (state <> 'running' OR lease_until <= ").bind(now);
    sql.push(") ORDER BY due_at").limit(limit as i64).push(skip_locked(system));
    sql.push(") UPDATE runs SET state = 'running', attempts = attempts + 1, lease_token = ");
    sql.bind(token).push(", lease_until = ").bind(now + lease).push(", heartbeat_at = ").bind(now);
    sql.push(", started_at = COALESCE(started_at, ").bind(now);
    sql.push(") WHERE id IN (SELECT id FROM next) RETURNING *");
    let mut runs = Vec::new();
    for row in system.write().query_all_raw(sql.statement()).await? {
        match Run::from_query_result(&row, "") {
            Ok(run) => runs.push(run),
            Err(error) => set_aside(system, Lease { run_id: row.try_get("", "id")?, token }, &error, now).await?,
        }
    }
    runs.sort_by_key(|run| (run.due_at, run.id));
    Ok(runs)
}

/// Somebody wrote into the table what is not JSON. It is kept, as a JSON string, so that the list of dead letters can be
/// read. PostgreSQL refuses to store such a thing in the first place.
async fn set_aside(system: &System, lease: Lease, error: &DbErr, now: DateTime<Utc>) -> Result<()> {
    if system.store().db_backend() == DbBackend::Sqlite {
        let mut sql = system.sql("UPDATE runs SET input = json_quote(CAST(input AS TEXT))");
        sql.push(" WHERE NOT json_valid(input) AND id = ").bind(lease.run_id);
        system.write().execute_raw(sql.statement()).await?;
    }
    dead(system, lease, &format!("the row cannot be read: {error}"), now).await?;
    Ok(())
}

/// PostgreSQL's workers step around each other's rows; SQLite has one writer at a time.
fn skip_locked(system: &System) -> &'static str {
    match system.store().db_backend() {
        DbBackend::Postgres => " FOR UPDATE SKIP LOCKED",
        _ => "",
    }
}

/// When the next run is due or the next lease runs out; None: nothing waits. Costs the same with any number of runs that
/// rest: those at work are all among the few that are due already.
pub async fn next_due(system: &System, now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>> {
    #[derive(FromQueryResult)]
    struct Next {
        at: Option<DateTime<Utc>>,
    }
    let mut sql = system.sql(
        "SELECT MIN(at) AS at FROM (SELECT * FROM (SELECT due_at AS at FROM runs \
         WHERE state IN ('queued', 'parked', 'running') AND state <> 'running' ORDER BY due_at LIMIT 1) AS resting \
         UNION ALL SELECT MIN(lease_until) FROM runs \
         WHERE state IN ('queued', 'parked', 'running') AND state = 'running' AND due_at <= ",
    );
    sql.bind(micros(now)).push(") AS waiting");
    Ok(Next::find_by_statement(sql.statement()).one(&system.read()).await?.and_then(|next| next.at))
}

/// How many runs of all tenants could be worked on now.
pub async fn count_due(system: &System, now: DateTime<Utc>) -> Result<i64> {
    #[derive(FromQueryResult)]
    struct Count {
        runs: i64,
    }
    let mut sql = system.sql("SELECT COUNT(*) AS runs FROM runs WHERE state IN ('queued', 'parked', 'running')");
    sql.push(" AND state <> 'running' AND due_at <= ").bind(micros(now));
    Ok(Count::find_by_statement(sql.statement()).one(&system.read()).await?.map_or(0, |count| count.runs))
}

/// Keeps the lease for another while. False: it is no longer ours; stop.
pub async fn heartbeat(system: &System, lease: Lease, now: DateTime<Utc>, length: Duration) -> Result<bool> {
    let now = micros(now);
    let mut sql = system.sql("UPDATE runs SET heartbeat_at = ");
    sql.bind(now).push(", lease_until = ").bind(now + length);
    changed(&system.write(), fenced(sql, lease)).await
}

/// The run is done.
pub async fn finish(system: &System, lease: Lease, output: &Value, now: DateTime<Utc>) -> Result<bool> {
    let mut sql = system.sql("UPDATE runs SET state = 'done', error = NULL, output = ");
    sql.bind_json(Some(canonical_json(output))).push(", finished_at = ").bind(micros(now));
    changed(&system.write(), released(sql, lease)).await
}

/// The run has failed and will not be tried again.
pub async fn fail(system: &System, lease: Lease, error: &str, now: DateTime<Utc>) -> Result<bool> {
    end(system, lease, "failed", error, now).await
}

/// The run can never succeed (it used up its attempts, or nobody understands it): a dead letter for people to look at.
pub async fn dead(system: &System, lease: Lease, error: &str, now: DateTime<Utc>) -> Result<bool> {
    end(system, lease, "dead", error, now).await
}

async fn end(system: &System, lease: Lease, state: &str, error: &str, now: DateTime<Utc>) -> Result<bool> {
    let mut sql = system.sql("UPDATE runs SET state = ");
    sql.bind(state).push(", error = ").bind(crate::text::clean(error).into_owned());
    sql.push(", finished_at = ").bind(micros(now));
    changed(&system.write(), released(sql, lease)).await
}

/// The attempt failed; the run is due again at `due_at`. The attempt stays counted.
pub async fn retry(system: &System, lease: Lease, error: &str, due_at: DateTime<Utc>) -> Result<bool> {
    let mut sql = system.sql("UPDATE runs SET state = 'queued', error = ");
    sql.bind(crate::text::clean(error).into_owned()).push(", due_at = ").bind(micros(due_at));
    changed(&system.write(), released(sql, lease)).await
}

/// The run waits until `due_at`, or until the signal `waiting_for` arrives; one that has arrived already makes it due at
/// once. Waiting costs no attempt.
pub async fn park(
    system: &System,
    lease: Lease,
    due_at: DateTime<Utc>,
    waiting_for: Option<&str>,
    now: DateTime<Utc>,
) -> Result<bool> {
    let tx = system.begin().await?;
    lock(&tx, system, lease.run_id).await?;
    let mut sql = system.sql("UPDATE runs SET state = 'parked', attempts = attempts - 1, error = NULL, due_at = ");
    match waiting_for {
        Some(name) => {
            sql.push("CASE WHEN EXISTS (SELECT 1 FROM run_signals s WHERE s.run_id = runs.id AND s.name = ").bind(name);
            sql.push(") THEN ").bind(micros(now)).push(" ELSE ").bind(micros(due_at)).push(" END");
        }
        None => {
            sql.bind(micros(due_at));
        }
    }
    let parked = changed(&tx, released(sql, lease)).await?;
    tx.commit().await?;
    Ok(parked)
}

/// Holds the run's row, so that "a signal arrives" and "the run parks" happen one after the other. SQLite has one writer.
pub(super) async fn lock(tx: &impl ConnectionTrait, system: &System, run_id: Uuid) -> Result<()> {
    if system.store().db_backend() != DbBackend::Postgres {
        return Ok(());
    }
    let mut sql = system.sql("SELECT 1 AS one FROM runs WHERE id = ");
    sql.bind(run_id).push(" FOR UPDATE");
    tx.query_one_raw(sql.statement()).await?;
    Ok(())
}

fn released(mut sql: Sql, lease: Lease) -> Sql {
    sql.push(", lease_token = NULL, lease_until = NULL");
    fenced(sql, lease)
}

fn fenced(mut sql: Sql, lease: Lease) -> Sql {
    sql.push(" WHERE id = ").bind(lease.run_id).push(" AND state = 'running' AND lease_token = ").bind(lease.token);
    sql
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entities::runs::RunState;
    use crate::runs::{NewRun, RunFilter, enqueue, list};
    use crate::testing::{TestStore, on_both};

    const LEASE: Duration = Duration::from_secs(30);

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_790_000_000, 0).unwrap()
    }

    /// PostgreSQL does not let such a row come into being.
    #[tokio::test]
    async fn a_row_that_cannot_be_read_holds_up_nobody() {
        let test = TestStore::sqlite().await.unwrap();
        let (tenant, system) = (test.store.tenant("main"), test.store.system());
        let broken = enqueue(&tenant, NewRun::of("job", Value::Null), now()).await.unwrap().id;
        let good = enqueue(&tenant, NewRun::of("job", Value::Null), now()).await.unwrap().id;
        let mut sql = system.sql("UPDATE runs SET input = 'not {json' WHERE id = ");
        sql.bind(broken);
        system.write().execute_raw(sql.statement()).await.unwrap();

        let claimed = claim(&system, 10, now(), LEASE).await.unwrap();
        assert_eq!(claimed.iter().map(|run| run.id).collect::<Vec<_>>(), [good]);
        let filter = RunFilter { state: Some(RunState::Dead), ..RunFilter::default() };
        let letters = list(&tenant, &filter, 10, None).await.unwrap().rows;
        assert_eq!(letters.len(), 1);
        assert_eq!(letters[0].input, Value::from("not {json"), "what stood there is kept");
        assert!(letters[0].error.as_deref().unwrap_or_default().contains("cannot be read"));
        test.remove().await.unwrap();
    }

    #[tokio::test]
    async fn a_claim_takes_no_more_than_its_limit() {
        on_both(|store| async move {
            let (tenant, system) = (store.tenant("main"), store.system());
            for _ in 0..50 {
                enqueue(&tenant, NewRun::of("job", Value::Null), now()).await?;
            }
            let claims = (0..8).map(|_| {
                let system = system.clone();
                tokio::spawn(async move { claim(&system, 3, now(), LEASE).await })
            });
            for claimed in futures::future::join_all(claims).await {
                assert!(claimed??.len() <= 3);
            }
            assert!(count_due(&system, now()).await? >= 50 - 24);
            Ok(())
        })
        .await;
    }

    /// The next time is that of the first resting run or of the first lease to run out.
    #[tokio::test]
    async fn the_next_due_time_knows_timers_and_leases() {
        on_both(|store| async move {
            let (tenant, system) = (store.tenant("main"), store.system());
            assert_eq!(next_due(&system, now()).await?, None);
            let later = now() + Duration::from_secs(60);
            enqueue(&tenant, NewRun { due_at: Some(later), ..NewRun::of("job", Value::Null) }, now()).await?;
            assert_eq!(next_due(&system, now()).await?, Some(later));
            enqueue(&tenant, NewRun::of("job", Value::Null), now()).await?;
            assert_eq!(next_due(&system, now()).await?, Some(now()));
            assert_eq!(count_due(&system, now()).await?, 1);
            let held = claim(&system, 10, now(), LEASE).await?.remove(0);
            assert_eq!(next_due(&system, now()).await?, Some(now() + LEASE));
            assert_eq!(count_due(&system, now()).await?, 0);
            let lease = Lease::of(&held).unwrap();
            assert!(finish(&system, lease, &Value::Null, now()).await?);
            assert_eq!(next_due(&system, now()).await?, Some(later));
            Ok(())
        })
        .await;
    }
}
