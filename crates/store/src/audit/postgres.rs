//! One commit as one statement: inserts of any number of rows are arrays, and the end of the chain moves with them.

use chrono::{DateTime, Utc};
use sea_orm::prelude::Uuid;
use sqlx::postgres::{PgArguments, PgConnection};
use sqlx::{Arguments, AssertSqlSafe, Encode, Executor, Postgres, Type};

use super::write::Linked;
use crate::chain::{ApiCall, Canonical, Event, Execution, Link, Record};
use crate::wall::FOR_EVERYBODY;
use crate::{Result, StoreError};

/// The server gives a statement up before the writer does, so that it is over when the writer looks what became of it.
pub(super) async fn prepare(connection: &mut PgConnection) -> Result<()> {
    // It writes the records of all tenants, each in one batch with the others.
    let sql = format!("SET statement_timeout = '8s'; {FOR_EVERYBODY}");
    connection.execute(AssertSqlSafe(sql)).await?;
    Ok(())
}

/// Notes a new chain.
pub(super) async fn begin(connection: &mut PgConnection, link: &Link, now: DateTime<Utc>) -> Result<()> {
    let sql = "INSERT INTO audit_writers (writer, started_at, last_seq, head_hash) VALUES ($1, $2, 0, $3)";
    sqlx::query(sql).bind(link.writer).bind(now).bind(link.hash.to_vec()).execute(connection).await?;
    Ok(())
}

/// Where a chain ends. It waits for a commit that moves the end at this moment.
pub(super) async fn head(connection: &mut PgConnection, writer: Uuid) -> Result<Option<(i64, Vec<u8>)>> {
    let sql = "SELECT last_seq, head_hash FROM audit_writers WHERE writer = $1 FOR UPDATE";
    Ok(sqlx::query_as(sql).bind(writer).fetch_optional(connection).await?)
}

pub(super) async fn commit(connection: &mut PgConnection, batch: &[Linked], end: &Link) -> Result<()> {
    let mut statement = Statement { ctes: Vec::new(), arguments: PgArguments::default(), count: 0 };
    executions(&mut statement, batch)?;
    events(&mut statement, batch)?;
    api_calls(&mut statement, batch)?;
    let inserts = statement.ctes.join(", ");
    let (seq, hash, writer) =
        (statement.bind(end.seq)?, statement.bind(end.hash.to_vec())?, statement.bind(end.writer)?);
    let sql =
        format!("WITH {inserts} UPDATE audit_writers SET last_seq = {seq}, head_hash = {hash} WHERE writer = {writer}");
    // Seven texts at most (which of the three tables have rows), so each is prepared once.
    let done = sqlx::query_with(AssertSqlSafe(sql), statement.arguments).execute(connection).await?;
    if done.rows_affected() == 1 {
        return Ok(());
    }
    Err(StoreError::Decode(format!("audit_writers has no row for {}", end.writer)))
}

struct Statement {
    ctes: Vec<String>,
    arguments: PgArguments,
    count: usize,
}

impl Statement {
    fn bind<'t, T: Encode<'t, Postgres> + Type<Postgres>>(&mut self, value: T) -> Result<String> {
        self.arguments.add(value).map_err(sqlx::Error::Encode)?;
        self.count += 1;
        Ok(format!("${}", self.count))
    }

    /// An insert from arrays, one a column; `columns` are (name, cast of the unnested value).
    fn insert(&mut self, table: &str, columns: &[(&str, &str)], arrays: Vec<String>) {
        let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
        let values: Vec<String> = columns.iter().map(|(name, cast)| format!("u.{name}{cast}")).collect();
        self.ctes.push(format!(
            "{table}_inserted AS (INSERT INTO {table} ({names}) SELECT {values} FROM unnest({arrays}) AS u ({names}))",
            names = names.join(", "),
            values = values.join(", "),
            arrays = arrays.join(", "),
        ));
    }

    fn links(&mut self, links: &[&Link]) -> Result<[String; 3]> {
        Ok([
            self.bind(each(links, |link| link.writer))?,
            self.bind(each(links, |link| link.seq))?,
            self.bind(each(links, |link| link.hash.as_slice()))?,
        ])
    }
}

fn each<'a, R, T>(rows: &[&'a R], value: impl Fn(&'a R) -> T) -> Vec<T> {
    rows.iter().map(|row| value(row)).collect()
}

fn executions(to: &mut Statement, batch: &[Linked]) -> Result<()> {
    let (rows, links): (Vec<&Execution>, Vec<&Link>) = batch
        .iter()
        .filter_map(|linked| match &linked.record {
            Record::Execution(record) => Some((record, &linked.link)),
            _ => None,
        })
        .unzip();
    if rows.is_empty() {
        return Ok(());
    }
    let mut arrays = vec![
        to.bind(each(&rows, |row| row.id))?,
        to.bind(each(&rows, |row| row.tenant_id.as_str()))?,
        to.bind(each(&rows, |row| row.timestamp))?,
        to.bind(each(&rows, |row| row.tool_name.as_str()))?,
        to.bind(each(&rows, |row| row.params.as_str()))?,
        to.bind(each(&rows, |row| row.response.as_ref().map(Canonical::as_str)))?,
        to.bind(each(&rows, |row| row.duration_ms))?,
        to.bind(each(&rows, |row| row.status.as_str()))?,
        to.bind(each(&rows, |row| row.error_message.as_deref()))?,
        to.bind(each(&rows, |row| row.source.as_deref()))?,
        to.bind(each(&rows, |row| row.user_context.as_str()))?,
        to.bind(each(&rows, |row| row.effect.as_str()))?,
        to.bind(each(&rows, |row| row.approval_id))?,
    ];
    arrays.extend(to.links(&links)?);
    to.insert(
        "tool_executions",
        &[
            ("id", ""),
            ("tenant_id", ""),
            ("timestamp", ""),
            ("tool_name", ""),
            ("params", "::jsonb"),
            ("response", "::jsonb"),
            ("duration_ms", ""),
            ("status", ""),
            ("error_message", ""),
            ("source", ""),
            ("user_context", "::jsonb"),
            ("effect", ""),
            ("approval_id", ""),
            ("writer", ""),
            ("seq", ""),
            ("hash", ""),
        ],
        arrays,
    );
    Ok(())
}

fn events(to: &mut Statement, batch: &[Linked]) -> Result<()> {
    let (rows, links): (Vec<&Event>, Vec<&Link>) = batch
        .iter()
        .filter_map(|linked| match &linked.record {
            Record::Event(record) => Some((record, &linked.link)),
            _ => None,
        })
        .unzip();
    if rows.is_empty() {
        return Ok(());
    }
    let mut arrays = vec![
        to.bind(each(&rows, |row| row.id))?,
        to.bind(each(&rows, |row| row.tenant_id.as_str()))?,
        to.bind(each(&rows, |row| row.timestamp))?,
        to.bind(each(&rows, |row| row.event.as_str()))?,
        to.bind(each(&rows, |row| row.execution_id))?,
        to.bind(each(&rows, |row| row.actor.as_str()))?,
        to.bind(each(&rows, |row| row.detail.as_str()))?,
    ];
    arrays.extend(to.links(&links)?);
    to.insert(
        "audit_events",
        &[
            ("id", ""),
            ("tenant_id", ""),
            ("timestamp", ""),
            ("event", ""),
            ("execution_id", ""),
            ("actor", "::jsonb"),
            ("detail", "::jsonb"),
            ("writer", ""),
            ("seq", ""),
            ("hash", ""),
        ],
        arrays,
    );
    Ok(())
}

fn api_calls(to: &mut Statement, batch: &[Linked]) -> Result<()> {
    let (rows, links): (Vec<&ApiCall>, Vec<&Link>) = batch
        .iter()
        .filter_map(|linked| match &linked.record {
            Record::ApiCall(record) => Some((record, &linked.link)),
            _ => None,
        })
        .unzip();
    if rows.is_empty() {
        return Ok(());
    }
    let mut arrays = vec![
        to.bind(each(&rows, |row| row.id))?,
        to.bind(each(&rows, |row| row.tenant_id.as_str()))?,
        to.bind(each(&rows, |row| row.execution_id))?,
        to.bind(each(&rows, |row| row.timestamp))?,
        to.bind(each(&rows, |row| row.ecosystem.as_str()))?,
        to.bind(each(&rows, |row| row.endpoint.as_str()))?,
        to.bind(each(&rows, |row| row.method.as_str()))?,
        to.bind(each(&rows, |row| row.status_code))?,
        to.bind(each(&rows, |row| row.latency_ms))?,
        to.bind(each(&rows, |row| row.request_size_bytes))?,
        to.bind(each(&rows, |row| row.response_size_bytes))?,
        to.bind(each(&rows, |row| row.error.as_deref()))?,
        to.bind(each(&rows, |row| row.rate_limited))?,
        to.bind(each(&rows, |row| row.attempt))?,
    ];
    arrays.extend(to.links(&links)?);
    let columns = [
        "id",
        "tenant_id",
        "execution_id",
        "timestamp",
        "ecosystem",
        "endpoint",
        "method",
        "status_code",
        "latency_ms",
        "request_size_bytes",
        "response_size_bytes",
        "error",
        "rate_limited",
        "attempt",
        "writer",
        "seq",
        "hash",
    ];
    to.insert("api_calls", &columns.map(|column| (column, "")), arrays);
    Ok(())
}
