//! Codes, tokens and consents.

use chrono::{DateTime, Duration, Utc};
use sea_orm::prelude::*;
use sea_orm::{ConnectionTrait, FromQueryResult};

use super::revocations::is_revoked;
use super::{execute, turn};
use crate::sql::Sql;
use crate::{Result, System, Tenant, micros};

/// What a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Code,
    Token,
    Refresh,
    /// A person's leave for one client; a client has at most one of each person.
    Consent,
    /// Of a flow that the server does not offer; its library keeps them all the same.
    Device,
}

impl Kind {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Kind::Code => "code",
            Kind::Token => "token",
            Kind::Refresh => "refresh",
            Kind::Consent => "consent",
            Kind::Device => "device",
        }
    }
}

/// A record as it is kept. Times are nanoseconds since 1970.
#[derive(Clone, Debug, Default, PartialEq, FromQueryResult)]
pub struct Record {
    pub id: String,
    pub tenant_id: String,
    pub client_id: String,
    pub subject: Option<String>,
    pub family: Option<String>,
    pub alias: Option<String>,
    pub state: String,
    pub body: Vec<u8>,
    pub established: i64,
    pub expires: Option<i64>,
    pub used_at: Option<DateTimeUtc>,
}

pub async fn get(system: &System, kind: Kind, id: &str) -> Result<Option<Record>> {
    one(system, select(system, kind, "id", id)).await
}

pub async fn by_alias(system: &System, kind: Kind, alias: &str) -> Result<Option<Record>> {
    one(system, select(system, kind, "alias", alias)).await
}

/// Stores a record, or takes the place of the one before. An error: another one has its alias.
pub async fn put(system: &System, kind: Kind, record: &Record) -> Result<()> {
    write(&system.write(), system, kind, record).await
}

/// The same, unless what it grew out of was ended. False: it was.
pub async fn put_unless_revoked(system: &System, kind: Kind, record: &Record) -> Result<bool> {
    let tx = turn(system).await?;
    if is_revoked(&tx, system, record).await? {
        return Ok(false);
    }
    write(&tx, system, kind, record).await?;
    tx.commit().await?;
    Ok(true)
}

/// Takes a record away: of many who try at once, one gets it.
pub async fn take(system: &System, kind: Kind, id: &str) -> Result<Option<Record>> {
    let mut sql = system.sql("DELETE FROM oauth_records WHERE kind = ");
    sql.bind(kind.as_str()).push(" AND id = ").bind(id).push(" RETURNING *");
    Ok(Record::find_by_statement(sql.statement()).one(&system.write()).await?)
}

pub async fn remove(system: &System, kind: Kind, id: &str) -> Result<()> {
    take(system, kind, id).await.map(drop)
}

/// Changes a record whose state is still `expected`. False: it is not, or the record is gone.
pub async fn swap(system: &System, kind: Kind, expected: &str, record: &Record) -> Result<bool> {
    Ok(execute(&system.write(), update(system, kind, expected, record)).await? == 1)
}

/// The consent of a person for a client.
pub async fn consent_of(system: &System, client: &str, subject: &str) -> Result<Option<Record>> {
    one(system, select_consent(system, client, subject)).await
}

/// Stores a consent if the person's for this client still has the state `expected`; `None`: if there is none.
pub async fn swap_consent(system: &System, expected: Option<&str>, record: &Record) -> Result<bool> {
    let tx = turn(system).await?;
    let subject = record.subject.as_deref().unwrap_or_default();
    let sql = select_consent(system, &record.client_id, subject);
    let found = Record::find_by_statement(sql.statement()).one(&tx).await?;
    if found.as_ref().map(|found| found.state.as_str()) != expected {
        return Ok(false);
    }
    write(&tx, system, Kind::Consent, record).await?;
    tx.commit().await?;
    Ok(true)
}

/// Every consent of a person.
pub async fn consents_of(system: &System, subject: &str) -> Result<Vec<Record>> {
    let sql = select(system, Kind::Consent, "subject", subject);
    Ok(Record::find_by_statement(sql.statement()).all(&system.read()).await?)
}

/// Every consent of a tenant's people, the newest first.
pub async fn consents(tenant: &Tenant) -> Result<Vec<Record>> {
    let mut sql = tenant.sql("SELECT * FROM oauth_records WHERE tenant_id = ");
    sql.bind(tenant.id()).push(" AND kind = ").bind(Kind::Consent.as_str()).push(" ORDER BY established DESC, id");
    Ok(Record::find_by_statement(sql.statement()).all(&tenant.read()).await?)
}

/// Notes that a client used its consent, at most once a minute.
pub async fn touch(tenant: &Tenant, consent: &str, now: DateTime<Utc>) -> Result<()> {
    let mut sql = tenant.sql("UPDATE oauth_records SET used_at = ");
    sql.bind(micros(now)).push(" WHERE tenant_id = ").bind(tenant.id()).push(" AND kind = ");
    sql.bind(Kind::Consent.as_str()).push(" AND id = ").bind(consent);
    sql.push(" AND (used_at IS NULL OR used_at < ").bind(micros(now - Duration::minutes(1))).push(")");
    execute(&tenant.write(), sql).await.map(drop)
}

/// Exchanges a refresh token whose state is still `expected`: the spent one, the access token and the next one are there
/// together, or none of them.
pub async fn rotate(
    system: &System,
    expected: &str,
    spent: &Record,
    access: &Record,
    next: Option<&Record>,
) -> Result<bool> {
    let tx = turn(system).await?;
    if is_revoked(&tx, system, spent).await? || execute(&tx, update(system, Kind::Refresh, expected, spent)).await? != 1
    {
        return Ok(false);
    }
    write(&tx, system, Kind::Token, access).await?;
    if let Some(next) = next {
        write(&tx, system, Kind::Refresh, next).await?;
    }
    tx.commit().await?;
    Ok(true)
}

fn select(system: &System, kind: Kind, column: &str, value: &str) -> Sql {
    let mut sql = system.sql("SELECT * FROM oauth_records WHERE kind = ");
    sql.bind(kind.as_str()).push(" AND ").push(column).push(" = ").bind(value);
    sql
}

fn select_consent(system: &System, client: &str, subject: &str) -> Sql {
    let mut sql = select(system, Kind::Consent, "client_id", client);
    sql.push(" AND subject = ").bind(subject);
    sql
}

async fn one(system: &System, sql: Sql) -> Result<Option<Record>> {
    Ok(Record::find_by_statement(sql.statement()).one(&system.read()).await?)
}

async fn write(on: &impl ConnectionTrait, system: &System, kind: Kind, record: &Record) -> Result<()> {
    let mut sql = system.sql(
        "INSERT INTO oauth_records (kind, id, tenant_id, client_id, subject, family, alias, state, body, established, \
         expires) VALUES (",
    );
    sql.bind(kind.as_str()).push(", ").bind(record.id.as_str()).push(", ").bind(record.tenant_id.as_str()).push(", ");
    sql.bind(record.client_id.as_str()).push(", ").bind(record.subject.clone()).push(", ");
    sql.bind(record.family.clone()).push(", ").bind(record.alias.clone()).push(", ").bind(record.state.as_str());
    sql.push(", ").bind(record.body.clone()).push(", ").bind(record.established).push(", ").bind(record.expires);
    sql.push(
        ") ON CONFLICT (kind, id) DO UPDATE SET tenant_id = excluded.tenant_id, client_id = excluded.client_id, \
         subject = excluded.subject, family = excluded.family, alias = excluded.alias, state = excluded.state, \
         body = excluded.body, established = excluded.established, expires = excluded.expires",
    );
    execute(on, sql).await.map(drop)
}

fn update(system: &System, kind: Kind, expected: &str, record: &Record) -> Sql {
    let mut sql = system.sql("UPDATE oauth_records SET alias = ");
    sql.bind(record.alias.clone()).push(", state = ").bind(record.state.as_str()).push(", body = ");
    sql.bind(record.body.clone()).push(", expires = ").bind(record.expires).push(" WHERE kind = ");
    sql.bind(kind.as_str()).push(" AND id = ").bind(record.id.as_str()).push(" AND state = ").bind(expected);
    sql
}
