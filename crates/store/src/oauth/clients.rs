//! Registrations of AI clients.

use chrono::{DateTime, Utc};
use sea_orm::FromQueryResult;
use sea_orm::prelude::*;

use super::execute;
use crate::{Result, System, micros};

/// A registered client.
#[derive(Clone, Debug, PartialEq, FromQueryResult)]
pub struct ClientRow {
    pub client_id: String,
    pub record: String,
    pub created_at: DateTimeUtc,
    pub fetched_at: Option<DateTimeUtc>,
    pub used_at: Option<DateTimeUtc>,
}

pub async fn client(system: &System, id: &str) -> Result<Option<ClientRow>> {
    let mut sql = system.sql("SELECT * FROM oauth_clients WHERE client_id = ");
    sql.bind(id);
    Ok(ClientRow::find_by_statement(sql.statement()).one(&system.read()).await?)
}

/// Stores a registration, or takes the place of the one before. `fetched`: it came from the document at its id.
pub async fn put_client(system: &System, id: &str, record: &str, fetched: bool, now: DateTime<Utc>) -> Result<()> {
    let mut sql = system.sql("INSERT INTO oauth_clients (client_id, record, created_at, fetched_at) VALUES (");
    sql.bind(id).push(", ").bind(record).push(", ").bind(micros(now)).push(", ");
    sql.bind(fetched.then(|| micros(now)));
    sql.push(") ON CONFLICT (client_id) DO UPDATE SET record = excluded.record, fetched_at = excluded.fetched_at");
    execute(&system.write(), sql).await.map(drop)
}

/// Changes a registration that is still `expected`. False: it is not, or not there.
pub async fn swap_client(system: &System, id: &str, expected: &str, record: &str) -> Result<bool> {
    let mut sql = system.sql("UPDATE oauth_clients SET record = ");
    sql.bind(record).push(" WHERE client_id = ").bind(id).push(" AND record = ").bind(expected);
    Ok(execute(&system.write(), sql).await? == 1)
}

/// A person has let the client in.
pub async fn used(system: &System, id: &str, now: DateTime<Utc>) -> Result<()> {
    let mut sql = system.sql("UPDATE oauth_clients SET used_at = ");
    sql.bind(micros(now)).push(" WHERE client_id = ").bind(id);
    execute(&system.write(), sql).await.map(drop)
}

/// Forgets the clients that nobody let in since they registered before `before`, and those that hold nothing any more and
/// were let in before `long_ago`.
pub async fn forget_unused(system: &System, before: DateTime<Utc>, long_ago: DateTime<Utc>) -> Result<u64> {
    let mut sql = system.sql("DELETE FROM oauth_clients WHERE (used_at IS NULL AND created_at < ");
    sql.bind(before).push(") OR (used_at < ").bind(long_ago);
    sql.push(" AND NOT EXISTS (SELECT 1 FROM oauth_records r WHERE r.client_id = oauth_clients.client_id))");
    execute(&system.write(), sql).await
}

/// Keeps at most `most` clients that nobody let in: the newest.
pub async fn forget_unused_beyond(system: &System, most: i64) -> Result<u64> {
    let mut sql = system.sql(
        "DELETE FROM oauth_clients WHERE used_at IS NULL AND client_id NOT IN \
         (SELECT client_id FROM oauth_clients WHERE used_at IS NULL ORDER BY created_at DESC",
    );
    sql.limit(most).push(")");
    execute(&system.write(), sql).await
}
