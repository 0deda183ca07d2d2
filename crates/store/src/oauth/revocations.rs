//! What was ended. A request that was under way when somebody ended a grant finds its mark here before it writes.

use sea_orm::{ConnectionTrait, FromQueryResult};

use super::records::{Kind, Record};
use super::{execute, turn};
use crate::{Result, System};

/// When something was ended, and how long the mark stands. Nanoseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Window {
    pub recorded: i64,
    pub until: i64,
}

/// Removes a client with everything that it holds. False: there was none.
pub async fn delete_client(system: &System, client: &str, window: Window) -> Result<bool> {
    let tx = turn(system).await?;
    mark(&tx, system, ("client", client, ""), "", window).await?;
    let mut sql = system.sql("DELETE FROM oauth_records WHERE client_id = ");
    sql.bind(client);
    execute(&tx, sql).await?;
    let mut sql = system.sql("DELETE FROM oauth_clients WHERE client_id = ");
    sql.bind(client);
    let existed = execute(&tx, sql).await? == 1;
    tx.commit().await?;
    Ok(existed)
}

/// Removes the tokens of a family, and says how many there were.
pub async fn revoke_family(system: &System, family: &str, window: Window) -> Result<u64> {
    let tx = turn(system).await?;
    let mut sql = system.sql("SELECT tenant_id FROM oauth_records WHERE family = ");
    sql.bind(family).limit(1);
    let found = Owner::find_by_statement(sql.statement()).one(&tx).await?;
    let tenant = found.map(|found| found.tenant_id).unwrap_or_default();
    mark(&tx, system, ("family", family, ""), &tenant, window).await?;
    let mut sql = system.sql("DELETE FROM oauth_records WHERE family = ");
    sql.bind(family).push(" AND kind IN ('token', 'refresh')");
    let removed = execute(&tx, sql).await?;
    tx.commit().await?;
    Ok(removed)
}

/// Removes a consent and everything that was issued under it; the consent itself is not counted. `None`: there is none.
pub async fn revoke_consent(system: &System, id: &str, window: Window) -> Result<Option<u64>> {
    let tx = turn(system).await?;
    let mut sql = system.sql("DELETE FROM oauth_records WHERE kind = ");
    sql.bind(Kind::Consent.as_str()).push(" AND id = ").bind(id).push(" RETURNING *");
    let Some(consent) = Record::find_by_statement(sql.statement()).one(&tx).await? else { return Ok(None) };
    let subject = consent.subject.as_deref().unwrap_or_default();
    mark(&tx, system, ("consent", &consent.client_id, subject), &consent.tenant_id, window).await?;
    let mut sql = system.sql("DELETE FROM oauth_records WHERE client_id = ");
    sql.bind(consent.client_id.as_str()).push(" AND subject = ").bind(subject);
    let removed = execute(&tx, sql).await?;
    tx.commit().await?;
    Ok(Some(removed))
}

#[derive(FromQueryResult)]
struct Owner {
    tenant_id: String,
}

/// Whose tokens a family that was ended were.
pub async fn tenant_of_family(system: &System, family: &str) -> Result<Option<String>> {
    let mut sql = system.sql("SELECT tenant_id FROM oauth_revocations WHERE kind = 'family' AND name = ");
    sql.bind(family);
    let found = Owner::find_by_statement(sql.statement()).one(&system.read()).await?;
    Ok(found.map(|found| found.tenant_id).filter(|tenant| !tenant.is_empty()))
}

/// Removes what has expired at `now` (nanoseconds since 1970), and says how much it was.
pub async fn sweep(system: &System, now: i64) -> Result<u64> {
    let mut sql = system.sql("DELETE FROM oauth_records WHERE expires <= ");
    sql.bind(now);
    let records = execute(&system.write(), sql).await?;
    let mut sql = system.sql("DELETE FROM oauth_revocations WHERE until <= ");
    sql.bind(now);
    Ok(records + execute(&system.write(), sql).await?)
}

#[derive(FromQueryResult)]
struct Found {
    found: i64,
}

/// Whether what the record grew out of was ended. A client and a consent can be there again: what was established after
/// the end counts. A family cannot.
pub(super) async fn is_revoked(on: &impl ConnectionTrait, system: &System, record: &Record) -> Result<bool> {
    let mut sql = system.sql("SELECT COUNT(*) AS found FROM oauth_revocations WHERE (kind = 'client' AND name = ");
    sql.bind(record.client_id.as_str()).push(" AND (recorded >= ").bind(record.established);
    sql.push(" OR NOT EXISTS (SELECT 1 FROM oauth_clients WHERE client_id = ").bind(record.client_id.as_str());
    sql.push(")))");
    if let Some(subject) = &record.subject {
        sql.push(" OR (kind = 'consent' AND name = ").bind(record.client_id.as_str()).push(" AND subject = ");
        sql.bind(subject.as_str()).push(" AND recorded >= ").bind(record.established).push(")");
    }
    if let Some(family) = &record.family {
        sql.push(" OR (kind = 'family' AND name = ").bind(family.as_str()).push(")");
    }
    let found = Found::find_by_statement(sql.statement()).one(on).await?;
    Ok(found.is_some_and(|found| found.found > 0))
}

/// Leaves the mark. One that is there already is only made longer.
async fn mark(
    on: &impl ConnectionTrait,
    system: &System,
    (kind, name, subject): (&str, &str, &str),
    tenant: &str,
    window: Window,
) -> Result<()> {
    let greatest = if system.sql("").backend() == sea_orm::DbBackend::Postgres { "GREATEST" } else { "MAX" };
    let mut sql =
        system.sql("INSERT INTO oauth_revocations (kind, name, subject, tenant_id, recorded, until) VALUES (");
    sql.bind(kind).push(", ").bind(name).push(", ").bind(subject).push(", ").bind(tenant).push(", ");
    sql.bind(window.recorded).push(", ").bind(window.until);
    sql.push(") ON CONFLICT (kind, name, subject) DO UPDATE SET recorded = ");
    sql.push(greatest).push("(oauth_revocations.recorded, excluded.recorded), until = ");
    sql.push(greatest).push("(oauth_revocations.until, excluded.until)");
    execute(on, sql).await.map(drop)
}
