//! Leases: what one process at a time may do, whichever replica it is.

use chrono::{DateTime, Duration, Utc};
use sea_orm::ConnectionTrait;
use sea_orm::prelude::Uuid;

use crate::{Result, System, micros};

/// Takes the lease, or renews it for its holder. False: somebody else has it.
pub async fn take(system: &System, name: &str, holder: Uuid, now: DateTime<Utc>, term: Duration) -> Result<bool> {
    let mut sql = system.sql("INSERT INTO leases (name, holder, until) VALUES (");
    sql.bind(name).push(", ").bind(holder).push(", ").bind(micros(now + term));
    sql.push(") ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until ");
    sql.push("WHERE leases.holder = ").bind(holder).push(" OR leases.until <= ").bind(micros(now));
    Ok(system.write().execute_raw(sql.statement()).await?.rows_affected() > 0)
}

/// Gives the lease back, if this holder still has it.
pub async fn release(system: &System, name: &str, holder: Uuid) -> Result<()> {
    let mut sql = system.sql("DELETE FROM leases WHERE name = ");
    sql.bind(name).push(" AND holder = ").bind(holder);
    system.write().execute_raw(sql.statement()).await?;
    Ok(())
}
