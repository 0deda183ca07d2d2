//! Who is signed in. A session is known by the hash of its cookie.

use chrono::{DateTime, Utc};
use sea_orm::FromQueryResult;
use sea_orm::prelude::*;

use crate::{Result, System, Tenant, Tx, micros};

/// A session with the person that it is.
#[derive(Clone, Debug, PartialEq, FromQueryResult)]
pub struct Session {
    pub tenant_id: String,
    pub person_id: Uuid,
    pub csrf: String,
    pub seen_at: DateTimeUtc,
    pub expires_at: DateTimeUtc,
    pub email: String,
    pub name: String,
    pub role: String,
}

/// A session to be begun.
#[derive(Clone, Debug)]
pub struct NewSession<'a> {
    pub token_hash: &'a str,
    pub person: Uuid,
    pub csrf: &'a str,
    pub client: Option<&'a str>,
    pub expires_at: DateTime<Utc>,
}

pub async fn begin(tenant: &Tenant, new: NewSession<'_>, now: DateTime<Utc>) -> Result<()> {
    let mut sql = tenant.sql(
        "INSERT INTO sessions (token_hash, tenant_id, person_id, csrf, client, created_at, seen_at, expires_at) VALUES (",
    );
    sql.bind(new.token_hash).push(", ").bind(tenant.id()).push(", ").bind(new.person).push(", ").bind(new.csrf);
    sql.push(", ")
        .bind(crate::text::clean_option(new.client))
        .push(", ")
        .bind(micros(now))
        .push(", ")
        .bind(micros(now));
    sql.push(", ").bind(micros(new.expires_at)).push(")");
    tenant.write().execute_raw(sql.statement()).await?;
    Ok(())
}

/// The session of this cookie, if it has not ended and its person may still sign in.
pub async fn by_hash(system: &System, token_hash: &str, now: DateTime<Utc>) -> Result<Option<Session>> {
    let mut sql = system.sql(
        "SELECT s.tenant_id, s.person_id, s.csrf, s.seen_at, s.expires_at, p.email, p.name, p.role FROM sessions s \
         JOIN people p ON p.id = s.person_id AND p.tenant_id = s.tenant_id AND p.disabled_at IS NULL WHERE s.token_hash = ",
    );
    sql.bind(token_hash).push(" AND s.expires_at > ").bind(now);
    Ok(Session::find_by_statement(sql.statement()).one(&system.read()).await?)
}

/// Notes that it was used.
pub async fn touch(tenant: &Tenant, token_hash: &str, now: DateTime<Utc>) -> Result<()> {
    let mut sql = tenant.sql("UPDATE sessions SET seen_at = ");
    sql.bind(micros(now)).push(" WHERE tenant_id = ").bind(tenant.id()).push(" AND token_hash = ").bind(token_hash);
    tenant.write().execute_raw(sql.statement()).await?;
    Ok(())
}

pub async fn end(tenant: &Tenant, token_hash: &str) -> Result<()> {
    let mut sql = tenant.sql("DELETE FROM sessions WHERE tenant_id = ");
    sql.bind(tenant.id()).push(" AND token_hash = ").bind(token_hash);
    tenant.write().execute_raw(sql.statement()).await?;
    Ok(())
}

/// Ends every session of a person.
pub async fn end_all(tenant: &Tenant, person: Uuid) -> Result<()> {
    let tx = tenant.begin().await?;
    end_all_in(&tx, person).await?;
    tx.commit().await
}

pub(crate) async fn end_all_in(tx: &Tx, person: Uuid) -> Result<()> {
    let mut sql = tx.sql("DELETE FROM sessions WHERE tenant_id = ");
    sql.bind(tx.tenant_id()).push(" AND person_id = ").bind(person);
    tx.execute(sql).await?;
    Ok(())
}

/// Forgets the sessions and links that have ended.
pub async fn purge(system: &System, now: DateTime<Utc>) -> Result<()> {
    for table in ["sessions", "password_links"] {
        let mut sql = system.sql("DELETE FROM ");
        sql.push(table).push(" WHERE expires_at <= ").bind(now);
        system.write().execute_raw(sql.statement()).await?;
    }
    Ok(())
}
