//! A vendor's limits that all replicas share: GCRA in one statement, and places for what is under way.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, DbBackend};

use uuid::Uuid;

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
    if system.store().shared().query_one_raw(sql.statement()).await?.is_some() {
        return Ok(None);
    }
    let mut sql = system.sql("SELECT tat FROM rate_buckets WHERE key = ");
    sql.bind(key);
    let row = system.store().shared().query_one_raw(sql.statement()).await?;
    let tat: i64 = row.map(|row| row.try_get("", "tat")).transpose()?.unwrap_or(now);
    let wait = tat - now - (burst - increment).max(0);
    Ok(Some(Duration::from_micros(wait.max(1) as u64)))
}

/// Takes one of `most` places for `key` until `longest` from now. `None`: all are taken, or another was faster.
pub async fn enter(
    system: &System,
    key: &str,
    holder: Uuid,
    most: u32,
    now: DateTime<Utc>,
    longest: Duration,
) -> Result<Option<i64>> {
    let now = now.timestamp_micros();
    let mut sql =
        system.sql("WITH RECURSIVE places(place) AS (SELECT 1 UNION ALL SELECT place + 1 FROM places WHERE place < ");
    sql.bind(i64::from(most)).push(") INSERT INTO rate_places (key, place, holder, ends) SELECT ").bind(key);
    sql.push(", place, ").bind(holder).push(", ").bind(now + longest.as_micros() as i64);
    sql.push(" FROM places WHERE NOT EXISTS (SELECT 1 FROM rate_places taken WHERE taken.key = ").bind(key);
    sql.push(" AND taken.place = places.place AND taken.ends > ").bind(now);
    // By chance, so that those who ask at the same moment do not all want the same place.
    sql.push(") ORDER BY random() LIMIT 1 ON CONFLICT (key, place) DO UPDATE SET holder = excluded.holder, ");
    sql.push("ends = excluded.ends WHERE rate_places.ends <= ").bind(now).push(" RETURNING place");
    let row = system.store().shared().query_one_raw(sql.statement()).await?;
    Ok(row.map(|row| row.try_get("", "place")).transpose()?)
}

/// Gives a place back, unless it was given to another meanwhile.
pub async fn leave(system: &System, key: &str, holder: Uuid, place: i64) -> Result<()> {
    let mut sql = system.sql("UPDATE rate_places SET ends = 0 WHERE key = ");
    sql.bind(key).push(" AND place = ").bind(place).push(" AND holder = ").bind(holder);
    system.store().shared().execute_raw(sql.statement()).await?;
    Ok(())
}

/// Forgets buckets that have been full since `before`: one that is not there is full too.
pub async fn purge(system: &System, before: DateTime<Utc>) -> Result<u64> {
    let mut sql = system.sql("DELETE FROM rate_buckets WHERE tat < ");
    sql.bind(before.timestamp_micros());
    Ok(system.store().shared().execute_raw(sql.statement()).await?.rows_affected())
}
