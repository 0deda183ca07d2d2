//! The way of one statement into the database: for one tenant, or for all.
//!
//! With the wall up ([`crate::wall`]) a statement runs in a transaction that says first for whom it is. That is one trip
//! more for a read, whose end nobody waits for, and two for a write. Without it the statement goes as it is.

use std::sync::Arc;

use sea_orm::{
    ConnAcquireErr, ConnectionTrait, DatabaseConnection, DbBackend, DbErr, ExecResult, QueryResult, RuntimeErr,
    Statement,
};
use sea_query_sqlx::SqlxValues;
use sqlx::postgres::PgPool;
use sqlx::{AssertSqlSafe, Executor, Postgres, Transaction};

use crate::wall;

/// Statements for one tenant, or for all of them.
pub(crate) struct Gate<'a> {
    plain: &'a DatabaseConnection,
    /// The pool, where each statement has to say for whom it is.
    walled: Option<&'a PgPool>,
    /// The tenant, or [`wall::EVERYBODY`].
    of: &'a str,
    access: Access,
}

/// What may be done, and so whether its end has to be waited for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    Write,
}

impl<'a> Gate<'a> {
    pub(crate) fn new(
        plain: &'a DatabaseConnection,
        walled: Option<&'a PgPool>,
        of: &'a str,
        access: Access,
    ) -> Gate<'a> {
        Gate { plain, walled, of, access }
    }

    /// Both in one trip. Readers are held to reading, because nothing of theirs is committed.
    async fn begin(&self, pool: &PgPool) -> Result<Transaction<'static, Postgres>, DbErr> {
        let begin = if self.access == Access::Read { "BEGIN READ ONLY" } else { "BEGIN" };
        let sql = format!("{begin}; {}", wall::for_this_transaction(self.of));
        pool.begin_with(AssertSqlSafe(sql)).await.map_err(unopened)
    }

    /// What was only read is rolled back when the connection returns to the pool, which makes a trip anyway.
    async fn end(&self, transaction: Transaction<'static, Postgres>) -> Result<(), DbErr> {
        match self.access {
            Access::Read => Ok(()),
            Access::Write => transaction.commit().await.map_err(failed),
        }
    }
}

#[async_trait::async_trait]
impl ConnectionTrait for Gate<'_> {
    fn get_database_backend(&self) -> DbBackend {
        self.plain.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        let Some(pool) = self.walled else { return self.plain.execute_raw(statement).await };
        let mut transaction = self.begin(pool).await?;
        let done = bound(statement).execute(&mut *transaction).await.map_err(failed)?;
        self.end(transaction).await?;
        Ok(done.into())
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        let Some(pool) = self.walled else { return self.plain.execute_unprepared(sql).await };
        let mut transaction = self.begin(pool).await?;
        let done = transaction.execute(AssertSqlSafe(sql.to_owned())).await.map_err(failed)?;
        self.end(transaction).await?;
        Ok(done.into())
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        let Some(pool) = self.walled else { return self.plain.query_one_raw(statement).await };
        let mut transaction = self.begin(pool).await?;
        let row = bound(statement).fetch_optional(&mut *transaction).await.map_err(failed)?;
        self.end(transaction).await?;
        Ok(row.map(QueryResult::from))
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        let Some(pool) = self.walled else { return self.plain.query_all_raw(statement).await };
        let mut transaction = self.begin(pool).await?;
        let rows = bound(statement).fetch_all(&mut *transaction).await.map_err(failed)?;
        self.end(transaction).await?;
        Ok(rows.into_iter().map(QueryResult::from).collect())
    }
}

/// As SeaORM binds it.
fn bound(statement: Statement) -> sqlx::query::Query<'static, Postgres, SqlxValues> {
    let values = statement.values.unwrap_or_else(|| sea_orm::Values(Vec::new()));
    sqlx::query_with(AssertSqlSafe(statement.sql), SqlxValues(values))
}

/// As SeaORM says it, so that [`crate::StoreError`] tells what may be tried again.
fn unopened(error: sqlx::Error) -> DbErr {
    match error {
        sqlx::Error::PoolTimedOut => DbErr::ConnectionAcquire(ConnAcquireErr::Timeout),
        sqlx::Error::PoolClosed => DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed),
        other => DbErr::Conn(RuntimeErr::SqlxError(Arc::new(other))),
    }
}

fn failed(error: sqlx::Error) -> DbErr {
    DbErr::Query(RuntimeErr::SqlxError(Arc::new(error)))
}
