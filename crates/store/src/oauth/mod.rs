//! What AI clients hold that people let in: registrations, codes, tokens, consents, and what of it was ended.
//!
//! A code or token is found by its SHA-256 and never stored. What belongs together happens in one transaction, and those
//! that write or end take turns (`turn`), so that nothing is written that was ended meanwhile.

mod clients;
mod records;
mod revocations;

pub use clients::{ClientRow, client, forget_unused, forget_unused_beyond, put_client, swap_client, used};
pub use records::{
    Kind, Record, by_alias, consent_of, consents, consents_of, get, put, put_unless_revoked, remove, rotate, swap,
    swap_consent, take, touch,
};
pub use revocations::{Window, delete_client, revoke_consent, revoke_family, sweep, tenant_of_family};

use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend};

use crate::sql::Sql;
use crate::{Result, System};

/// Any number will do that nobody else takes.
const TURN: i64 = 0x6f61_7574_6831;

/// A transaction of one of those who write or end. SQLite has one writer anyway.
async fn turn(system: &System) -> Result<DatabaseTransaction> {
    let tx = system.begin().await?;
    if tx.get_database_backend() == DbBackend::Postgres {
        let mut sql = system.sql("SELECT pg_advisory_xact_lock(");
        sql.bind(TURN).push(")");
        tx.query_one_raw(sql.statement()).await?;
    }
    Ok(tx)
}

async fn execute(on: &impl ConnectionTrait, sql: Sql) -> Result<u64> {
    Ok(on.execute_raw(sql.statement()).await?.rows_affected())
}
