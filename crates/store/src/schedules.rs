//! Schedules: rows that enqueue a run again and again, once a tick however many replicas look.

use chrono::{DateTime, Utc};
use sea_orm::prelude::*;
use sea_orm::{QueryOrder, QuerySelect};
use serde_json::Value;

use crate::chain::canonical_json;
pub use crate::entities::schedules::Model as Schedule;
use crate::entities::schedules::{Column, Entity};
use crate::{Result, System, Tenant, Tx, micros};

/// What is to be run, and when. Either `cron` or `every_seconds` is set; the caller computes the times.
#[derive(Clone, Debug, PartialEq)]
pub struct NewSchedule {
    pub name: String,
    pub kind: String,
    pub input: Value,
    pub cron: Option<String>,
    pub every_seconds: Option<i64>,
    pub next_due: DateTime<Utc>,
    pub enabled: bool,
}

/// Stores a schedule, or changes the one of that name. The next tick stays where it is unless the rhythm, or whether it
/// is enabled, has changed: a restart must not push it back.
pub async fn put(tenant: &Tenant, schedule: NewSchedule) -> Result<()> {
    let mut sql = tenant.sql(
        "INSERT INTO schedules (id, tenant_id, name, kind, input, cron, every_seconds, next_due, enabled) VALUES (",
    );
    sql.bind(Uuid::now_v7()).push(", ").bind(tenant.id()).push(", ").bind(schedule.name).push(", ");
    sql.bind(schedule.kind).push(", ").bind_json(Some(canonical_json(&schedule.input))).push(", ");
    sql.bind(schedule.cron).push(", ").bind(schedule.every_seconds).push(", ").bind(micros(schedule.next_due));
    sql.push(", ").bind(schedule.enabled).push(
        ") ON CONFLICT (tenant_id, name) DO UPDATE SET kind = excluded.kind, input = excluded.input, \
         next_due = CASE WHEN schedules.cron IS NOT DISTINCT FROM excluded.cron \
         AND schedules.every_seconds IS NOT DISTINCT FROM excluded.every_seconds \
         AND schedules.enabled = excluded.enabled THEN schedules.next_due ELSE excluded.next_due END, \
         cron = excluded.cron, every_seconds = excluded.every_seconds, enabled = excluded.enabled",
    );
    tenant.write().execute_raw(sql.statement()).await?;
    Ok(())
}

/// All schedules of a tenant by name.
pub async fn list(tenant: &Tenant) -> Result<Vec<Schedule>> {
    let query = Entity::find().filter(Column::TenantId.eq(tenant.id()));
    Ok(query.order_by_asc(Column::Name).all(&tenant.read()).await?)
}

/// The enabled schedules of all tenants whose tick is due, the longest due first.
pub async fn due(system: &System, now: DateTime<Utc>, limit: u64) -> Result<Vec<Schedule>> {
    let query = Entity::find().filter(Column::Enabled.eq(true)).filter(Column::NextDue.lte(micros(now)));
    Ok(query.order_by_asc(Column::NextDue).limit(limit).all(&system.read()).await?)
}

/// When the next tick of any tenant is due.
pub async fn next_due(system: &System) -> Result<Option<DateTime<Utc>>> {
    let query = Entity::find().filter(Column::Enabled.eq(true)).order_by_asc(Column::NextDue);
    Ok(query.one(&system.read()).await?.map(|schedule| schedule.next_due))
}

/// Moves a schedule from the tick that was read to its next one. False: another replica has done it; enqueue nothing.
/// `fired` says whether a run is enqueued for it; `last_tick` is the last tick that was.
pub async fn advance_in(tx: &Tx, id: Uuid, tick: DateTime<Utc>, next_due: DateTime<Utc>, fired: bool) -> Result<bool> {
    let mut sql = tx.sql("UPDATE schedules SET next_due = ");
    sql.bind(micros(next_due));
    if fired {
        sql.push(", last_tick = ").bind(tick);
    }
    sql.push(" WHERE id = ").bind(id);
    sql.push(" AND tenant_id = ").bind(tx.tenant_id()).push(" AND next_due = ").bind(tick);
    Ok(tx.execute(sql).await?.rows_affected() == 1)
}

/// Removes a schedule. False: there is none of that name.
pub async fn remove(tenant: &Tenant, name: &str) -> Result<bool> {
    let mut sql = tenant.sql("DELETE FROM schedules WHERE tenant_id = ");
    sql.bind(tenant.id()).push(" AND name = ").bind(name);
    Ok(tenant.write().execute_raw(sql.statement()).await?.rows_affected() > 0)
}
