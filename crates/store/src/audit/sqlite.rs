//! One commit as one string of statements: the whole transaction is a single trip to SQLite's thread.

use sea_orm::prelude::Uuid;
use sqlx::sqlite::SqliteArguments;
use sqlx::{Arguments, AssertSqlSafe, Executor, Sqlite};

use super::write::Linked;
use crate::chain::{ApiCall, Canonical, Event, Execution, Link, Record};
use crate::{Result, Store};

/// Commits in a task of its own, so that a caller who gives up does not leave a transaction open.
pub(super) async fn commit(store: &Store, batch: &[Linked], end: &Link) -> Result<()> {
    let (sql, arguments) = statements(batch, end)?;
    let pool = store.inner().write.get_sqlite_connection_pool().clone();
    let task = tokio::spawn(async move {
        let mut connection = pool.acquire().await?;
        let done = sqlx::query_with(AssertSqlSafe(sql), arguments).execute(&mut *connection).await;
        if done.is_err() {
            // The transaction may not have begun; then there is nothing to roll back.
            let _ = connection.execute("ROLLBACK").await;
        }
        done
    });
    task.await.map_err(|_| sqlx::Error::WorkerCrashed)??;
    Ok(())
}

struct Bound(SqliteArguments);

impl Bound {
    fn add<'t, T: sqlx::Encode<'t, Sqlite> + sqlx::Type<Sqlite>>(&mut self, value: T) -> Result<&mut Self> {
        self.0.add(value).map_err(sqlx::Error::Encode)?;
        Ok(self)
    }

    fn id_and_tenant(&mut self, id: Uuid, tenant_id: &str) -> Result<&mut Self> {
        self.add(id)?.add(tenant_id.to_owned())
    }

    fn link(&mut self, link: &Link) -> Result<&mut Self> {
        self.add(link.writer)?.add(link.seq)?.add(link.hash.to_vec())
    }
}

fn statements(batch: &[Linked], end: &Link) -> Result<(String, SqliteArguments)> {
    let mut sql = String::from("BEGIN IMMEDIATE;");
    let mut bound = Bound(SqliteArguments::default());
    let executions = batch.iter().filter_map(|linked| match &linked.record {
        Record::Execution(record) => Some((record, &linked.link)),
        _ => None,
    });
    insert(&mut sql, EXECUTIONS, executions, |record, link| execution(&mut bound, record, link))?;
    let events = batch.iter().filter_map(|linked| match &linked.record {
        Record::Event(record) => Some((record, &linked.link)),
        _ => None,
    });
    insert(&mut sql, EVENTS, events, |record, link| event(&mut bound, record, link))?;
    let calls = batch.iter().filter_map(|linked| match &linked.record {
        Record::ApiCall(record) => Some((record, &linked.link)),
        _ => None,
    });
    insert(&mut sql, API_CALLS, calls, |record, link| api_call(&mut bound, record, link))?;
    sql.push_str("UPDATE audit_writers SET last_seq = ?, head_hash = ? WHERE writer = ?; COMMIT");
    bound.add(end.seq)?.add(end.hash.to_vec())?.add(end.writer)?;
    Ok((sql, bound.0))
}

/// The statement up to VALUES, and the placeholders of one row.
type Insert = (&'static str, &'static str);

const EXECUTIONS: Insert = (
    "INSERT INTO tool_executions (id, tenant_id, timestamp, tool_name, params, response, duration_ms, status, \
     error_message, source, user_context, effect, approval_id, writer, seq, hash) VALUES ",
    "(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
);
const EVENTS: Insert = (
    "INSERT INTO audit_events (id, tenant_id, timestamp, event, execution_id, actor, detail, writer, seq, hash) VALUES ",
    "(?,?,?,?,?,?,?,?,?,?)",
);
const API_CALLS: Insert = (
    "INSERT INTO api_calls (id, tenant_id, execution_id, timestamp, ecosystem, endpoint, method, status_code, \
     latency_ms, request_size_bytes, response_size_bytes, error, rate_limited, attempt, writer, seq, hash) VALUES ",
    "(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
);

fn insert<'a, T: 'a>(
    sql: &mut String,
    (head, row): Insert,
    records: impl Iterator<Item = (&'a T, &'a Link)>,
    mut bind: impl FnMut(&T, &Link) -> Result<()>,
) -> Result<()> {
    for (index, (record, link)) in records.enumerate() {
        sql.push_str(if index == 0 { head } else { "," });
        sql.push_str(row);
        bind(record, link)?;
    }
    if sql.ends_with(')') {
        sql.push(';');
    }
    Ok(())
}

fn execution(bound: &mut Bound, record: &Execution, link: &Link) -> Result<()> {
    bound.id_and_tenant(record.id, &record.tenant_id)?.add(record.timestamp)?.add(record.tool_name.clone())?;
    bound.add(record.params.as_str().to_owned())?.add(record.response.as_ref().map(text))?.add(record.duration_ms)?;
    bound.add(record.status.clone())?.add(record.error_message.clone())?.add(record.source.clone())?;
    bound.add(text(&record.user_context))?.add(record.effect.clone())?.add(record.approval_id)?;
    bound.link(link)?;
    Ok(())
}

fn event(bound: &mut Bound, record: &Event, link: &Link) -> Result<()> {
    bound.id_and_tenant(record.id, &record.tenant_id)?.add(record.timestamp)?.add(record.event.clone())?;
    bound.add(record.execution_id)?.add(text(&record.actor))?.add(text(&record.detail))?;
    bound.link(link)?;
    Ok(())
}

fn api_call(bound: &mut Bound, record: &ApiCall, link: &Link) -> Result<()> {
    bound.id_and_tenant(record.id, &record.tenant_id)?.add(record.execution_id)?.add(record.timestamp)?;
    bound.add(record.ecosystem.clone())?.add(record.endpoint.clone())?.add(record.method.clone())?;
    bound.add(record.status_code)?.add(record.latency_ms)?.add(record.request_size_bytes)?;
    bound.add(record.response_size_bytes)?.add(record.error.clone())?.add(record.rate_limited)?;
    bound.add(record.attempt)?.link(link)?;
    Ok(())
}

fn text(json: &Canonical) -> String {
    json.as_str().to_owned()
}
