//! A rate limit that all replicas share: GCRA in one statement.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, DbBackend};

use crate::{Result, System};

/// Takes one from the bucket `key`, which refills one every `increment` and holds what refills in `burst`. `Some(wait)`:
/// it is empty; ask again after that long.
pub async fn take(
    system: &System,
    key: &str,
    now: DateTime<Utc>,
    increment: Duration,
    burst: Duration,
) -> Result<Option<Duration>> {
    let now = now.timestamp_micros();
    let (increment, burst) = (increment.as_micros() as i64, burst.as_micros() as i64);
    let greatest = if system.store().db_backend() == DbBackend::Postgres { "greatest" } else { "max" };
    let mut sql = system.sql("INSERT INTO rate_buckets (key, tat) VALUES (");
    sql.bind(key).push(", ").bind(now + increment).push(") ON CONFLICT (key) DO UPDATE SET tat = ").push(greatest);
    sql.push("(rate_buckets.tat, ").bind(now).push(") + ").bind(increment);
    // What is taken now must still fit into the burst.
    sql.push(" WHERE ").push(greatest).push("(rate_buckets.tat, ").bind(now).push(") - ").bind(now);
    sql.push(" <= ").bind((burst - increment).max(0)).push(" RETURNING tat");
    if system.write().query_one_raw(sql.statement()).await?.is_some() {
        return Ok(None);
    }
    let mut sql = system.sql("SELECT tat FROM rate_buckets WHERE key = ");
    sql.bind(key);
    let row = system.write().query_one_raw(sql.statement()).await?;
    let tat: i64 = row.map(|row| row.try_get("", "tat")).transpose()?.unwrap_or(now);
    let wait = tat - now - (burst - increment).max(0);
    Ok(Some(Duration::from_micros(wait.max(1) as u64)))
}
