//! Syncs: what each run found, and how far each stream has come.

use chrono::{DateTime, Utc};
use sea_orm::prelude::*;
use sea_orm::{QueryOrder, QuerySelect, QueryTrait};
use serde_json::Value;

use crate::chain::canonical_json;
pub use crate::entities::sync_cursors::Model as SyncCursor;
pub use crate::entities::sync_runs::Model as SyncRun;
use crate::entities::{sync_cursors, sync_runs};
use crate::text::clean_option;
use crate::{Result, System, Tenant, micros};

/// What a sync has found so far.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Progress {
    pub fetched: i64,
    pub created: i64,
    pub updated: i64,
    pub unchanged: i64,
    pub deleted: i64,
    pub errors: i64,
    /// Where to go on after an interruption; None once there is nothing to resume.
    pub cursor: Option<Value>,
}

/// Notes that a sync begins. `mode` is `full` or `incremental`. Starting a run again changes nothing.
pub async fn start(
    tenant: &Tenant,
    id: Uuid,
    (ecosystem, stream): (&str, &str),
    mode: &str,
    since: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Result<()> {
    let mut sql = tenant.sql(
        "INSERT INTO sync_runs (id, tenant_id, ecosystem, stream, mode, started_at, state, fetched, created, updated, \
         unchanged, deleted, errors, since) VALUES (",
    );
    sql.bind(id).push(", ").bind(tenant.id()).push(", ").bind(ecosystem).push(", ").bind(stream).push(", ").bind(mode);
    sql.push(", ").bind(micros(now)).push(", 'running', 0, 0, 0, 0, 0, 0, ").bind(since.map(micros));
    sql.push(") ON CONFLICT (id) DO NOTHING");
    tenant.write().execute_raw(sql.statement()).await?;
    Ok(())
}

/// Writes how far a sync has come. False: it is not running.
pub async fn progress(tenant: &Tenant, id: Uuid, progress: &Progress) -> Result<bool> {
    let mut sql = tenant.sql("UPDATE sync_runs SET ");
    counts(&mut sql, progress);
    sql.push(" WHERE tenant_id = ").bind(tenant.id()).push(" AND id = ").bind(id).push(" AND state = 'running'");
    Ok(tenant.write().execute_raw(sql.statement()).await?.rows_affected() > 0)
}

/// Ends a sync as `done`, `failed`, `cancelled`, or `skipped` where the account may not see the stream. False: it is not running.
pub async fn finish(
    tenant: &Tenant,
    id: Uuid,
    state: &str,
    message: Option<&str>,
    progress: &Progress,
    now: DateTime<Utc>,
) -> Result<bool> {
    let now = micros(now);
    let Some(run) = get(tenant, id).await? else { return Ok(false) };
    let mut sql = tenant.sql("UPDATE sync_runs SET ");
    counts(&mut sql, progress);
    sql.push(", state = ")
        .bind(state)
        .push(", message = ")
        .bind(clean_option(message))
        .push(", finished_at = ")
        .bind(now);
    sql.push(", duration_ms = ").bind((now - run.started_at).num_milliseconds());
    sql.push(" WHERE tenant_id = ").bind(tenant.id()).push(" AND id = ").bind(id).push(" AND state = 'running'");
    Ok(tenant.write().execute_raw(sql.statement()).await?.rows_affected() > 0)
}

fn counts(sql: &mut crate::sql::Sql, progress: &Progress) {
    sql.push("fetched = ").bind(progress.fetched).push(", created = ").bind(progress.created);
    sql.push(", updated = ").bind(progress.updated).push(", unchanged = ").bind(progress.unchanged);
    sql.push(", deleted = ").bind(progress.deleted).push(", errors = ").bind(progress.errors);
    sql.push(", cursor = ").bind_json(progress.cursor.as_ref().map(canonical_json));
}

/// One sync.
pub async fn get(tenant: &Tenant, id: Uuid) -> Result<Option<SyncRun>> {
    use sync_runs::{Column, Entity};
    Ok(Entity::find_by_id(id).filter(Column::TenantId.eq(tenant.id())).one(&tenant.read()).await?)
}

/// Syncs, newest first.
pub async fn list(tenant: &Tenant, ecosystem: Option<&str>, stream: Option<&str>, limit: u64) -> Result<Vec<SyncRun>> {
    use sync_runs::{Column, Entity};
    let query = Entity::find()
        .filter(Column::TenantId.eq(tenant.id()))
        .apply_if(ecosystem, |query, ecosystem| query.filter(Column::Ecosystem.eq(ecosystem)))
        .apply_if(stream, |query, stream| query.filter(Column::Stream.eq(stream)));
    Ok(query.order_by_desc(Column::StartedAt).order_by_desc(Column::Id).limit(limit).all(&tenant.read()).await?)
}

/// The newest sync of each stream, by ecosystem and stream.
pub async fn last_of_each(tenant: &Tenant) -> Result<Vec<SyncRun>> {
    let mut sql = tenant.sql(
        "SELECT * FROM sync_runs r WHERE id = (SELECT id FROM sync_runs n WHERE n.tenant_id = r.tenant_id \
         AND n.ecosystem = r.ecosystem AND n.stream = r.stream ORDER BY started_at DESC, id DESC LIMIT 1) \
         AND tenant_id = ",
    );
    sql.bind(tenant.id()).push(" ORDER BY ecosystem, stream");
    Ok(sync_runs::Entity::find().from_raw_sql(sql.statement()).all(&tenant.read()).await?)
}

/// When a sync of this stream last ended well. Where the account may not see the stream there was nothing to copy, and
/// that is well too.
pub async fn last_success(tenant: &Tenant, ecosystem: &str, stream: &str) -> Result<Option<DateTime<Utc>>> {
    use sync_runs::{Column, Entity};
    let query = Entity::find()
        .filter(Column::TenantId.eq(tenant.id()))
        .filter(Column::Ecosystem.eq(ecosystem))
        .filter(Column::Stream.eq(stream))
        .filter(Column::State.is_in(["done", "skipped"]));
    let newest = query.order_by_desc(Column::StartedAt).one(&tenant.read()).await?;
    Ok(newest.and_then(|run| run.finished_at))
}

/// Lets go of syncs that began before. Of each stream the newest stays, and the newest that ended well: it tells since
/// when the stream is not copied.
pub async fn purge(system: &System, before: DateTime<Utc>) -> Result<u64> {
    let newer = "EXISTS (SELECT 1 FROM sync_runs n WHERE n.tenant_id = r.tenant_id AND n.ecosystem = r.ecosystem \
                 AND n.stream = r.stream AND n.started_at > r.started_at";
    let mut sql = system.sql("DELETE FROM sync_runs AS r WHERE r.started_at < ");
    sql.bind(micros(before)).push(" AND ").push(newer).push(") AND (r.state <> 'done' OR ");
    sql.push(newer).push(" AND n.state = 'done'))");
    Ok(system.write().execute_raw(sql.statement()).await?.rows_affected())
}

/// How far a stream has come. It is asked for at every call that answers from the copy.
pub async fn cursor(tenant: &Tenant, ecosystem: &str, stream: &str) -> Result<Option<SyncCursor>> {
    let id = (tenant.id().to_owned(), ecosystem.to_owned(), stream.to_owned());
    // The key finds one row at most. `one` would bind a limit, for which SQLite plans the statement anew each time.
    Ok(sync_cursors::Entity::find_by_id(id).all(&tenant.read()).await?.pop())
}

/// How far each stream has come.
pub async fn cursors(tenant: &Tenant) -> Result<Vec<SyncCursor>> {
    use sync_cursors::{Column, Entity};
    let query = Entity::find().filter(Column::TenantId.eq(tenant.id()));
    Ok(query.order_by_asc(Column::Ecosystem).order_by_asc(Column::Stream).all(&tenant.read()).await?)
}

/// Writes how far a stream has come. What is None stays as it was.
pub async fn put_cursor(
    tenant: &Tenant,
    (ecosystem, stream): (&str, &str),
    high_water: Option<DateTime<Utc>>,
    last_full_at: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Result<()> {
    let mut sql = tenant
        .sql("INSERT INTO sync_cursors (tenant_id, ecosystem, stream, high_water, last_full_at, updated_at) VALUES (");
    sql.bind(tenant.id()).push(", ").bind(ecosystem).push(", ").bind(stream).push(", ").bind(high_water.map(micros));
    sql.push(", ").bind(last_full_at.map(micros)).push(", ").bind(micros(now)).push(
        ") ON CONFLICT (tenant_id, ecosystem, stream) DO UPDATE SET \
         high_water = COALESCE(excluded.high_water, sync_cursors.high_water), \
         last_full_at = COALESCE(excluded.last_full_at, sync_cursors.last_full_at), updated_at = excluded.updated_at",
    );
    tenant.write().execute_raw(sql.statement()).await?;
    Ok(())
}

/// Keeps where changes after a walk begin, in the vendor's own terms.
pub async fn put_bookmark(
    tenant: &Tenant,
    (ecosystem, stream): (&str, &str),
    bookmark: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    let mut sql = tenant.sql("INSERT INTO sync_cursors (tenant_id, ecosystem, stream, bookmark, updated_at) VALUES (");
    sql.bind(tenant.id()).push(", ").bind(ecosystem).push(", ").bind(stream).push(", ").bind(bookmark);
    sql.push(", ").bind(micros(now)).push(
        ") ON CONFLICT (tenant_id, ecosystem, stream) DO UPDATE SET bookmark = excluded.bookmark, \
         updated_at = excluded.updated_at",
    );
    tenant.write().execute_raw(sql.statement()).await?;
    Ok(())
}
