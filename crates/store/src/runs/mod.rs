//! Runs: a row is a job or a workflow's run and also its own entry in the queue.
//!
//! A worker [`claim`]s due runs, keeps its lease with [`heartbeat`], and ends with [`finish`], [`retry`], [`park`] or
//! [`fail`]. Whatever it writes is fenced by the token of its claim: after the lease was taken by another, every write
//! returns false and nothing has happened.

mod claim;
mod steps;
mod wake;

pub use claim::{Lease, claim, count_due, dead, fail, finish, heartbeat, next_due, park, retry};
pub use steps::{StepResult, put_step, signal, signals, steps};
pub use wake::{Listener, listen, notify};

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sea_orm::prelude::*;
use sea_orm::{FromQueryResult, QueryTrait};

pub use crate::entities::runs::Model as Run;
use crate::entities::runs::{Column, Entity, RunState};
use crate::pages::{Page, newest};
use crate::sql::Sql;
use crate::{Result, StoreError, System, Tenant, Tx, micros};

/// What is to be run.
#[derive(Clone, Debug, PartialEq)]
pub struct NewRun {
    pub kind: String,
    pub input: serde_json::Value,
    /// At most one run of the tenant has this key, ever; enqueueing it again gives the first one.
    pub unique_key: Option<String>,
    /// None: at once.
    pub due_at: Option<DateTime<Utc>>,
    /// Claims at most; afterwards the run is dead.
    pub max_attempts: i32,
    pub parent_id: Option<Uuid>,
    /// Of the code or the workflow that the run belongs to.
    pub version: i32,
}

impl NewRun {
    /// A run of this kind, due at once, tried up to five times.
    pub fn of(kind: &str, input: serde_json::Value) -> Self {
        let kind = kind.to_owned();
        Self { kind, input, unique_key: None, due_at: None, max_attempts: 5, parent_id: None, version: 1 }
    }
}

/// What [`enqueue`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Enqueued {
    pub id: Uuid,
    /// False: a run with this unique key was there already, and this is its id.
    pub fresh: bool,
}

/// Stores a run, and on PostgreSQL wakes a worker. On SQLite the caller wakes its own.
pub async fn enqueue(tenant: &Tenant, run: NewRun, now: DateTime<Utc>) -> Result<Enqueued> {
    let tx = tenant.begin().await?;
    let enqueued = enqueue_in(&tx, run, now).await?;
    tx.commit().await?;
    Ok(enqueued)
}

/// The same within the transaction of the data that the run belongs to.
pub async fn enqueue_in(tx: &Tx, run: NewRun, now: DateTime<Utc>) -> Result<Enqueued> {
    let now = micros(now);
    let id = Uuid::now_v7();
    let unique_key = run.unique_key.clone();
    let mut sql = tx.sql(
        "INSERT INTO runs (id, tenant_id, kind, unique_key, input, state, attempts, max_attempts, due_at, created_at, \
         parent_id, version) VALUES (",
    );
    sql.bind(id).push(", ").bind(tx.tenant_id()).push(", ").bind(run.kind).push(", ").bind(run.unique_key);
    sql.push(", ").bind_json(Some(crate::chain::canonical_json(&run.input)));
    sql.push(", 'queued', 0, ").bind(run.max_attempts).push(", ").bind(run.due_at.map_or(now, micros));
    sql.push(", ").bind(now).push(", ").bind(run.parent_id).push(", ").bind(run.version);
    sql.push(") ON CONFLICT (tenant_id, unique_key) DO NOTHING");
    if tx.execute(sql).await?.rows_affected() == 1 {
        wake::notify_in(tx).await?;
        return Ok(Enqueued { id, fresh: true });
    }
    let mut sql = tx.sql("SELECT id FROM runs WHERE tenant_id = ");
    sql.bind(tx.tenant_id()).push(" AND unique_key = ").bind(unique_key);
    let rows = tx.rows(sql).await?;
    let Some(row) = rows.first() else { return Err(StoreError::Decode("a run vanished while it was enqueued".into())) };
    Ok(Enqueued { id: row.try_get("", "id")?, fresh: false })
}

/// One run.
pub async fn get(tenant: &Tenant, id: Uuid) -> Result<Option<Run>> {
    Ok(Entity::find_by_id(id).filter(Column::TenantId.eq(tenant.id())).one(&tenant.read()).await?)
}

/// The run with this unique key.
pub async fn by_unique_key(tenant: &Tenant, key: &str) -> Result<Option<Run>> {
    let query = Entity::find().filter(Column::TenantId.eq(tenant.id())).filter(Column::UniqueKey.eq(key));
    Ok(query.one(&tenant.read()).await?)
}

/// Which runs are asked for.
#[derive(Clone, Debug, Default)]
pub struct RunFilter {
    pub kind: Option<String>,
    pub state: Option<RunState>,
    pub parent_id: Option<Uuid>,
}

/// Runs, newest first.
pub async fn list(tenant: &Tenant, filter: &RunFilter, limit: u64, cursor: Option<&str>) -> Result<Page<Run>> {
    let query = Entity::find()
        .filter(Column::TenantId.eq(tenant.id()))
        .apply_if(filter.kind.as_deref(), |query, kind| query.filter(Column::Kind.eq(kind)))
        .apply_if(filter.state, |query, state| query.filter(Column::State.eq(state)))
        .apply_if(filter.parent_id, |query, parent| query.filter(Column::ParentId.eq(parent)));
    let place = |row: &Run| (row.created_at, row.id);
    newest(tenant, query, (Column::CreatedAt, Column::Id), place, (limit, cursor)).await
}

/// How many runs are in each state.
pub async fn count_by_state(tenant: &Tenant) -> Result<BTreeMap<String, i64>> {
    #[derive(FromQueryResult)]
    struct Count {
        state: String,
        runs: i64,
    }
    let mut sql = tenant.sql("SELECT state, COUNT(*) AS runs FROM runs WHERE tenant_id = ");
    sql.bind(tenant.id()).push(" GROUP BY state");
    let rows = Count::find_by_statement(sql.statement()).all(&tenant.read()).await?;
    Ok(rows.into_iter().map(|row| (row.state, row.runs)).collect())
}

/// Ends a run that has not ended. A worker that holds it loses its fence and stops. False: it had ended, or is not there.
pub async fn cancel(tenant: &Tenant, id: Uuid, now: DateTime<Utc>) -> Result<bool> {
    let mut sql =
        tenant.sql("UPDATE runs SET state = 'cancelled', lease_token = NULL, lease_until = NULL, finished_at = ");
    sql.bind(micros(now)).push(" WHERE id = ").bind(id).push(" AND tenant_id = ").bind(tenant.id());
    sql.push(" AND state IN ('queued', 'parked', 'running')");
    changed(&tenant.write(), sql).await
}

/// Puts a run that failed or died back into the queue with all its attempts. False: it is not one of these.
pub async fn requeue(tenant: &Tenant, id: Uuid, now: DateTime<Utc>) -> Result<bool> {
    let mut sql = tenant.sql("UPDATE runs SET state = 'queued', attempts = 0, finished_at = NULL, due_at = ");
    sql.bind(micros(now)).push(" WHERE id = ").bind(id).push(" AND tenant_id = ").bind(tenant.id());
    sql.push(" AND state IN ('failed', 'dead')");
    changed(&tenant.write(), sql).await
}

/// Removes what ended before, with its steps and signals.
pub async fn purge_finished(system: &System, before: DateTime<Utc>) -> Result<u64> {
    let mut sql = system.sql("DELETE FROM runs WHERE finished_at < ");
    sql.bind(before).push(" AND state IN ('done', 'failed', 'dead', 'cancelled')");
    Ok(system.write().execute_raw(sql.statement()).await?.rows_affected())
}

async fn changed(connection: &impl ConnectionTrait, sql: Sql) -> Result<bool> {
    Ok(connection.execute_raw(sql.statement()).await?.rows_affected() > 0)
}
