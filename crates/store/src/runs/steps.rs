use chrono::{DateTime, Utc};
use sea_orm::prelude::*;
use sea_orm::{ConnectionTrait, QueryOrder};
use serde_json::Value;

use super::claim::{Lease, lock};
use super::{changed, wake};
use crate::chain::canonical_json;
use crate::entities::{run_signals, run_steps};
use crate::{Result, System, Tenant, micros};

/// What is recorded of a step.
#[derive(Clone, Debug, PartialEq)]
pub struct StepResult {
    pub output: Option<Value>,
    /// When it is to be tried again, or when a timer ends.
    pub due_at: Option<DateTime<Utc>>,
    pub attempts: i32,
    pub error: Option<String>,
    /// `done`, `failed`, `waiting` …
    pub state: String,
    pub finished_at: Option<DateTime<Utc>>,
}

/// Records a step under the lease. False: the lease is no longer ours, and nothing was recorded. A step that is done
/// lets the run's attempts begin anew, so that they count the attempts without any progress.
pub async fn put_step(system: &System, lease: Lease, step: &str, result: StepResult) -> Result<bool> {
    let tx = system.begin().await?;
    let mut sql = system.sql("UPDATE runs SET attempts = CASE WHEN ");
    sql.bind(result.state == "done").push(" THEN 1 ELSE attempts END WHERE id = ").bind(lease.run_id);
    sql.push(" AND state = 'running' AND lease_token = ").bind(lease.token);
    // The row stays locked until the step is committed; a claim steps around it.
    if !changed(&tx, sql).await? {
        tx.rollback().await?;
        return Ok(false);
    }
    let mut sql = system.sql(
        "INSERT INTO run_steps (run_id, step, tenant_id, output, due_at, attempts, error, state, finished_at) SELECT id, ",
    );
    sql.bind(step).push(", tenant_id, ").bind_json(result.output.as_ref().map(canonical_json));
    sql.push(", ").bind(result.due_at.map(micros)).push(", ").bind(result.attempts);
    sql.push(", ").bind(crate::text::clean_option(result.error.as_deref())).push(", ").bind(result.state);
    sql.push(", ").bind(result.finished_at.map(micros)).push(" FROM runs WHERE id = ").bind(lease.run_id);
    sql.push(" ON CONFLICT (run_id, step) DO UPDATE SET output = excluded.output, due_at = excluded.due_at, ");
    sql.push("attempts = excluded.attempts, error = excluded.error, state = excluded.state, ");
    sql.push("finished_at = excluded.finished_at");
    tx.execute_raw(sql.statement()).await?;
    tx.commit().await?;
    Ok(true)
}

/// The recorded steps of a run.
pub async fn steps(tenant: &Tenant, run_id: Uuid) -> Result<Vec<run_steps::Model>> {
    use run_steps::{Column, Entity};
    let query = Entity::find().filter(Column::TenantId.eq(tenant.id())).filter(Column::RunId.eq(run_id));
    Ok(query.order_by_asc(Column::Step).all(&tenant.read()).await?)
}

/// Sends a message to a run and wakes it if it is parked. The first message of a name counts. False: the tenant has no
/// such run, or it has ended, or it has this message already.
pub async fn signal(tenant: &Tenant, run_id: Uuid, name: &str, payload: &Value, now: DateTime<Utc>) -> Result<bool> {
    let now = micros(now);
    let tx = tenant.begin().await?;
    lock(tx.connection(), &tenant.store().system(), run_id).await?;
    let mut sql = tx.sql("INSERT INTO run_signals (run_id, name, tenant_id, payload, received_at) SELECT id, ");
    sql.bind(name).push(", tenant_id, ").bind_json(Some(canonical_json(payload))).push(", ").bind(now);
    sql.push(" FROM runs WHERE id = ").bind(run_id).push(" AND tenant_id = ").bind(tx.tenant_id());
    sql.push(" AND state IN ('queued', 'parked', 'running') ON CONFLICT (run_id, name) DO NOTHING");
    if tx.execute(sql).await?.rows_affected() == 0 {
        tx.rollback().await?;
        return Ok(false);
    }
    let mut sql = tx.sql("UPDATE runs SET due_at = ");
    sql.bind(now).push(" WHERE id = ").bind(run_id).push(" AND state = 'parked' AND due_at > ").bind(now);
    tx.execute(sql).await?;
    wake::notify_in(&tx).await?;
    tx.commit().await?;
    Ok(true)
}

/// The messages that a run has got.
pub async fn signals(tenant: &Tenant, run_id: Uuid) -> Result<Vec<run_signals::Model>> {
    use run_signals::{Column, Entity};
    let query = Entity::find().filter(Column::TenantId.eq(tenant.id())).filter(Column::RunId.eq(run_id));
    Ok(query.order_by_asc(Column::ReceivedAt).all(&tenant.read()).await?)
}
