//! Letting old records go: what they say is summed up by day, a sealed checkpoint takes their place in the chain, and
//! then they are removed; all in one transaction.

use chrono::{DateTime, NaiveDate, Utc};
use sea_orm::prelude::*;
use sea_orm::{ConnectionTrait, DbBackend, FromQueryResult};

use super::Position;
use crate::chain::{Hash, Link};
use crate::{Result, System, Tenant, micros};

const TABLES: [&str; 3] = ["tool_executions", "audit_events", "api_calls"];

/// The place in a writer's chain up to which its records have been let go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    pub link: Link,
    pub taken_at: DateTime<Utc>,
    /// The key that it is sealed with.
    pub key_id: String,
    pub seal: Vec<u8>,
}

#[derive(FromQueryResult)]
struct Row {
    writer: Uuid,
    seq: i64,
    hash: Vec<u8>,
    taken_at: DateTime<Utc>,
    key_id: String,
    seal: Vec<u8>,
}

/// The checkpoint of each writer that has one.
pub async fn checkpoints(system: &System) -> Result<Vec<Checkpoint>> {
    let sql = system.sql("SELECT writer, seq, hash, taken_at, key_id, seal FROM audit_checkpoints ORDER BY writer");
    let rows = Row::find_by_statement(sql.statement()).all(&system.read()).await?;
    let checkpoint = |row: Row| {
        let link = Link { writer: row.writer, seq: row.seq, hash: hash(row.hash) };
        Checkpoint { link, taken_at: row.taken_at, key_id: row.key_id, seal: row.seal }
    };
    Ok(rows.into_iter().map(checkpoint).collect())
}

/// The last of the next `most` records of a writer after `from` that are all older than `before`; `None` where there is
/// none.
pub async fn cut(system: &System, of: &Position, from: i64, before: DateTime<Utc>, most: i64) -> Result<Option<Link>> {
    let young = first_after(system, of.writer, from, before).await?;
    let last = young.map_or(of.last_seq, |seq| seq - 1).min(from + most);
    link_at(system, of.writer, last).await
}

/// The record at this place of a writer's chain, if there is one.
pub async fn link_at(system: &System, writer: Uuid, seq: i64) -> Result<Option<Link>> {
    for table in TABLES {
        let mut sql = system.sql("SELECT hash FROM ");
        sql.push(table).push(" WHERE writer = ").bind(writer).push(" AND seq = ").bind(seq);
        if let Some(row) = system.read().query_one_raw(sql.statement()).await? {
            return Ok(Some(Link { writer, seq, hash: hash(row.try_get("", "hash")?) }));
        }
    }
    Ok(None)
}

/// The first record of a writer after `from` that is not older than `before`.
async fn first_after(system: &System, writer: Uuid, from: i64, before: DateTime<Utc>) -> Result<Option<i64>> {
    let mut first: Option<i64> = None;
    for table in TABLES {
        let mut sql = system.sql("SELECT MIN(seq) AS seq FROM ");
        sql.push(table).push(" WHERE writer = ").bind(writer).push(" AND seq > ").bind(from);
        sql.push(" AND timestamp >= ").bind(micros(before));
        let row = system.read().query_one_raw(sql.statement()).await?;
        let seq: Option<i64> = row.map(|row| row.try_get("", "seq")).transpose()?.flatten();
        first = first.into_iter().chain(seq).min();
    }
    Ok(first)
}

/// Lets go of a writer's records up to the checkpoint. `keeper`: the tenant whose key seals it; `from`: where the last
/// checkpoint stands, 0 for none. Returns how many there were; none if somebody else has let go of some meanwhile.
pub async fn let_go(keeper: &Tenant, from: i64, checkpoint: &Checkpoint) -> Result<u64> {
    let system = keeper.store().system();
    let tx = system.begin().await?;
    let Link { writer, seq, hash } = &checkpoint.link;
    // First of all: of two who try, one waits here and then finds that the place has moved.
    let mut sql =
        system.sql("INSERT INTO audit_checkpoints (writer, tenant_id, seq, hash, taken_at, key_id, seal) VALUES (");
    sql.bind(*writer).push(", ").bind(keeper.id()).push(", ").bind(*seq).push(", ").bind(hash.to_vec()).push(", ");
    sql.bind(micros(checkpoint.taken_at)).push(", ").bind(checkpoint.key_id.as_str()).push(", ");
    sql.bind(checkpoint.seal.clone()).push(
        ") ON CONFLICT (writer) DO UPDATE SET seq = excluded.seq, hash = excluded.hash, taken_at = excluded.taken_at, \
         key_id = excluded.key_id, seal = excluded.seal, tenant_id = excluded.tenant_id \
         WHERE audit_checkpoints.seq = ",
    );
    sql.bind(from);
    if tx.execute_raw(sql.statement()).await?.rows_affected() == 0 {
        return Ok(0);
    }
    let day = match keeper.store().db_backend() {
        DbBackend::Postgres => "CAST(timestamp AT TIME ZONE 'UTC' AS DATE)",
        _ => "substr(timestamp, 1, 10)",
    };
    let mut sql =
        system.sql("INSERT INTO audit_days (tenant_id, day, tool_name, status, calls, duration_ms) SELECT tenant_id, ");
    sql.push(day).push(" AS day, tool_name, status, COUNT(*), COALESCE(SUM(duration_ms), 0) FROM tool_executions");
    sql.push(" WHERE writer = ").bind(*writer).push(" AND seq <= ").bind(*seq);
    sql.push(
        " GROUP BY 1, 2, 3, 4 ON CONFLICT (tenant_id, day, tool_name, status) DO UPDATE SET \
         calls = audit_days.calls + excluded.calls, duration_ms = audit_days.duration_ms + excluded.duration_ms",
    );
    tx.execute_raw(sql.statement()).await?;
    let mut gone = 0;
    for table in TABLES {
        let mut sql = system.sql("DELETE FROM ");
        sql.push(table).push(" WHERE writer = ").bind(*writer).push(" AND seq <= ").bind(*seq);
        gone += tx.execute_raw(sql.statement()).await?.rows_affected();
    }
    tx.commit().await?;
    Ok(gone)
}

/// What is kept of a day's calls.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
pub struct Day {
    pub day: NaiveDate,
    pub tool_name: String,
    pub status: String,
    pub calls: i64,
    pub duration_ms: i64,
}

/// The days whose records were let go, the newest first.
pub async fn days(tenant: &Tenant, limit: u64) -> Result<Vec<Day>> {
    let mut sql = tenant.sql("SELECT day, tool_name, status, calls, duration_ms FROM audit_days WHERE tenant_id = ");
    sql.bind(tenant.id()).push(" ORDER BY day DESC, tool_name, status").limit(limit as i64);
    Ok(Day::find_by_statement(sql.statement()).all(&tenant.read()).await?)
}

/// A hash of another length is no hash; all zeros never fit.
fn hash(bytes: Vec<u8>) -> Hash {
    bytes.try_into().unwrap_or([0; 32])
}
