//! The audit: written by one [`Writer`] a process, read newest first.

mod postgres;
mod retention;
mod sqlite;
mod write;

pub use retention::{Checkpoint, Day, checkpoints, cut, days, let_go, link_at};
pub use write::{BATCH, Writer};

use chrono::{DateTime, Utc};
use sea_orm::prelude::*;
use sea_orm::sea_query::Func;
use sea_orm::{Condition, ExprTrait, Iterable, QueryOrder, QuerySelect, QueryTrait};

use crate::chain::Hash;
use crate::entities::{api_calls, audit_events, audit_writers, tool_executions};
use crate::pages::{Page, newest};
use crate::{Result, System, Tenant, micros};

/// A writer and where its chain ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    pub writer: Uuid,
    pub started_at: DateTime<Utc>,
    pub last_seq: i64,
    pub head_hash: Hash,
    pub closed_at: Option<DateTime<Utc>>,
}

/// Which calls are asked for. Every field narrows the list.
#[derive(Clone, Debug, Default)]
pub struct ExecutionFilter {
    /// A whole tool name, or `ecosystem.` for all of an ecosystem.
    pub tool: Option<String>,
    /// Only tools of these; `None` is all.
    pub ecosystems: Option<Vec<String>>,
    pub status: Option<String>,
    pub since: Option<DateTime<Utc>>,
    pub before: Option<DateTime<Utc>>,
    pub approval_id: Option<Uuid>,
    /// Text in the tool's name, the parameters or the error.
    pub text: Option<String>,
}

/// Calls, newest first, without what was answered: that may be 100 kB a call, and [`get`] has it. The cost depends on
/// the page, not on the size of the table, as long as the filter is not rare.
pub async fn list(
    tenant: &Tenant,
    filter: &ExecutionFilter,
    limit: u64,
    cursor: Option<&str>,
) -> Result<Page<tool_executions::Model>> {
    use tool_executions::{Column, Entity};
    let columns = Column::iter().filter(|column| !matches!(column, Column::Response));
    let mut query = Entity::find().select_only().columns(columns).expr_as(Expr::cust("NULL"), "response");
    query = query.filter(Column::TenantId.eq(tenant.id())).filter(conditions(filter));
    let place = |row: &tool_executions::Model| (row.timestamp, row.id);
    newest(tenant, query, (Column::Timestamp, Column::Id), place, (limit, cursor)).await
}

fn conditions(filter: &ExecutionFilter) -> Condition {
    use tool_executions::Column;
    let tool = filter.tool.as_ref().map(|tool| match tool.strip_suffix('.') {
        Some(_) => Column::ToolName.starts_with(tool),
        None => Column::ToolName.eq(tool),
    });
    let text = filter.text.as_ref().map(|text| {
        let columns = [Column::ToolName, Column::Params, Column::ErrorMessage];
        columns.into_iter().fold(Condition::any(), |any, column| {
            let text_of_column = Func::lower(Expr::col(column).cast_as("text"));
            any.add(Expr::expr(text_of_column).like(like(text)))
        })
    });
    let ecosystems = filter.ecosystems.as_ref().map(|ecosystems| {
        let tools = |any: Condition, name: &String| any.add(Column::ToolName.starts_with(format!("{name}.")));
        // Of none at all there is nothing.
        ecosystems.iter().fold(Condition::any().add(Expr::val(1).eq(0)), tools)
    });
    Condition::all()
        .add_option(tool)
        .add_option(ecosystems)
        .add_option(filter.status.as_ref().map(|status| Column::Status.eq(status)))
        .add_option(filter.since.map(|since| Column::Timestamp.gte(micros(since))))
        .add_option(filter.before.map(|before| Column::Timestamp.lt(micros(before))))
        .add_option(filter.approval_id.map(|id| Column::ApprovalId.eq(id)))
        .add_option(text)
}

fn like(text: &str) -> String {
    format!("%{}%", text.to_lowercase().replace(['%', '_'], ""))
}

/// One call.
pub async fn get(tenant: &Tenant, id: Uuid) -> Result<Option<tool_executions::Model>> {
    use tool_executions::{Column, Entity};
    Ok(Entity::find_by_id(id).filter(Column::TenantId.eq(tenant.id())).one(&tenant.read()).await?)
}

/// The requests to vendors that belong to a call, in order.
pub async fn api_calls_of(tenant: &Tenant, execution_id: Uuid) -> Result<Vec<api_calls::Model>> {
    use api_calls::{Column, Entity};
    let query = Entity::find().filter(Column::TenantId.eq(tenant.id())).filter(Column::ExecutionId.eq(execution_id));
    Ok(query.order_by_asc(Column::Timestamp).order_by_asc(Column::Id).all(&tenant.read()).await?)
}

/// The events that belong to a call, in order.
pub async fn events_of(tenant: &Tenant, execution_id: Uuid) -> Result<Vec<audit_events::Model>> {
    use audit_events::{Column, Entity};
    let query = Entity::find().filter(Column::TenantId.eq(tenant.id())).filter(Column::ExecutionId.eq(execution_id));
    Ok(query.order_by_asc(Column::Timestamp).order_by_asc(Column::Id).all(&tenant.read()).await?)
}

/// Events, newest first; of one kind if `event` names it.
pub async fn events(
    tenant: &Tenant,
    event: Option<&str>,
    limit: u64,
    cursor: Option<&str>,
) -> Result<Page<audit_events::Model>> {
    use audit_events::{Column, Entity};
    let mut query = Entity::find().filter(Column::TenantId.eq(tenant.id()));
    query = query.apply_if(event, |query, event| query.filter(Column::Event.eq(event)));
    let place = |row: &audit_events::Model| (row.timestamp, row.id);
    newest(tenant, query, (Column::Timestamp, Column::Id), place, (limit, cursor)).await
}

/// Intents from `since` to `before` without a record of their call: the outcome of these effects is unknown.
pub async fn open_intents(
    tenant: &Tenant,
    since: Option<DateTime<Utc>>,
    before: DateTime<Utc>,
    limit: u64,
) -> Result<Vec<audit_events::Model>> {
    let mut sql = tenant.sql("SELECT * FROM audit_events i WHERE event = 'intent' AND tenant_id = ");
    sql.bind(tenant.id()).push(" AND timestamp < ").bind(before);
    if let Some(since) = since {
        sql.push(" AND timestamp >= ").bind(since);
    }
    sql.push(" AND NOT EXISTS (SELECT 1 FROM tool_executions e WHERE e.id = i.execution_id)");
    sql.push(" ORDER BY timestamp DESC").limit(limit as i64);
    Ok(audit_events::Entity::find().from_raw_sql(sql.statement()).all(&tenant.read()).await?)
}

/// Every writer there has been, oldest first.
pub async fn writers(system: &System) -> Result<Vec<Position>> {
    let rows = audit_writers::Entity::find().order_by_asc(audit_writers::Column::StartedAt).all(&system.read()).await?;
    Ok(rows.into_iter().map(position).collect())
}

pub(crate) async fn writer(system: &System, writer: Uuid) -> Result<Option<Position>> {
    Ok(audit_writers::Entity::find_by_id(writer).one(&system.read()).await?.map(position))
}

fn position(row: audit_writers::Model) -> Position {
    Position {
        writer: row.writer,
        started_at: row.started_at,
        last_seq: row.last_seq,
        // A hash of another length is no hash; all zeros never fit.
        head_hash: row.head_hash.try_into().unwrap_or([0; 32]),
        closed_at: row.closed_at,
    }
}

/// Writers that have records but no row in `audit_writers`.
pub(crate) async fn unlisted_writers(system: &System) -> Result<Vec<Uuid>> {
    let mut unlisted = Vec::new();
    for table in ["tool_executions", "audit_events", "api_calls"] {
        let mut after = Uuid::nil();
        while let Some(writer) = next_writer(system, table, after).await? {
            after = writer;
            if self::writer(system, writer).await?.is_none() && !unlisted.contains(&writer) {
                unlisted.push(writer);
            }
        }
    }
    Ok(unlisted)
}

/// Steps from writer to writer on the index, instead of reading every record for a DISTINCT.
async fn next_writer(system: &System, table: &str, after: Uuid) -> Result<Option<Uuid>> {
    let mut sql = system.sql("SELECT writer FROM ");
    sql.push(table).push(" WHERE writer > ").bind(after).push(" ORDER BY writer LIMIT 1");
    let row = system.read().query_one_raw(sql.statement()).await?;
    Ok(row.map(|row| row.try_get("", "writer")).transpose()?)
}
