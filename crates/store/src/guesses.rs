//! Wrong passwords, by person and address: who guesses locks itself out, and not the person.

use chrono::{DateTime, Utc};
use sea_orm::FromQueryResult;
use sea_orm::prelude::*;

use crate::{Result, System, Tenant, Tx, micros};

/// Whose password it is, and from where it is tried.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    pub person: Uuid,
    pub address: &'a str,
}

/// What was tried at a place.
#[derive(Clone, Debug, Default, PartialEq, FromQueryResult)]
pub struct Tried {
    /// Wrong ones in a row.
    pub failures: i64,
    pub locked_until: Option<DateTime<Utc>>,
    /// The person has signed in from there.
    pub known: bool,
}

/// What was tried at a place. Read where it is written, so that nobody judges by what stood there before.
pub async fn tried(tenant: &Tenant, place: Place<'_>) -> Result<Tried> {
    let mut sql = tenant.sql("SELECT failures, locked_until, known FROM password_guesses WHERE tenant_id = ");
    sql.bind(tenant.id()).push(" AND person_id = ").bind(place.person).push(" AND address = ").bind(place.address);
    Ok(Tried::find_by_statement(sql.statement()).one(&tenant.write()).await?.unwrap_or_default())
}

#[derive(FromQueryResult)]
struct Sum {
    failures: i64,
}

/// How many wrong ones there were since, from wherever.
pub async fn everywhere(tenant: &Tenant, person: Uuid, since: DateTime<Utc>) -> Result<i64> {
    let mut sql = tenant.sql("SELECT CAST(COALESCE(SUM(failures), 0) AS BIGINT) AS failures FROM password_guesses");
    sql.push(" WHERE tenant_id = ").bind(tenant.id()).push(" AND person_id = ").bind(person);
    sql.push(" AND tried_at > ").bind(since);
    Ok(Sum::find_by_statement(sql.statement()).one(&tenant.write()).await?.map_or(0, |sum| sum.failures))
}

/// One more wrong one: nobody may try from there before `locked_until`. False: another was counted since `before` was read.
pub async fn count(
    tenant: &Tenant,
    place: Place<'_>,
    before: &Tried,
    locked_until: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Result<bool> {
    let mut sql = tenant.sql(
        "INSERT INTO password_guesses (tenant_id, person_id, address, failures, locked_until, known, tried_at) VALUES (",
    );
    sql.bind(tenant.id()).push(", ").bind(place.person).push(", ").bind(place.address).push(", 1, ");
    sql.bind(locked_until.map(micros)).push(", FALSE, ").bind(micros(now)).push(
        ") ON CONFLICT (tenant_id, person_id, address) DO UPDATE SET failures = password_guesses.failures + 1, \
         locked_until = excluded.locked_until, tried_at = excluded.tried_at WHERE password_guesses.failures = ",
    );
    sql.bind(before.failures);
    Ok(tenant.write().execute_raw(sql.statement()).await?.rows_affected() == 1)
}

/// The person has signed in from there.
pub async fn note_login(tenant: &Tenant, place: Place<'_>, now: DateTime<Utc>) -> Result<()> {
    let mut sql = tenant.sql(
        "INSERT INTO password_guesses (tenant_id, person_id, address, failures, locked_until, known, tried_at) VALUES (",
    );
    sql.bind(tenant.id()).push(", ").bind(place.person).push(", ").bind(place.address).push(", 0, NULL, TRUE, ");
    sql.bind(micros(now)).push(
        ") ON CONFLICT (tenant_id, person_id, address) DO UPDATE SET failures = 0, locked_until = NULL, known = TRUE, \
         tried_at = excluded.tried_at",
    );
    tenant.write().execute_raw(sql.statement()).await?;
    Ok(())
}

/// There is a new password, and those before were not of it. Where the person has signed in stays known.
pub(crate) async fn forget_in(tx: &Tx, person: Uuid) -> Result<()> {
    let mut sql = tx.sql("UPDATE password_guesses SET failures = 0, locked_until = NULL WHERE tenant_id = ");
    sql.bind(tx.tenant_id()).push(" AND person_id = ").bind(person);
    tx.execute(sql).await?;
    Ok(())
}

/// Forgets places where nobody has tried since.
pub async fn purge(system: &System, before: DateTime<Utc>) -> Result<()> {
    let mut sql = system.sql("DELETE FROM password_guesses WHERE tried_at < ");
    sql.bind(before);
    system.write().execute_raw(sql.statement()).await?;
    Ok(())
}
