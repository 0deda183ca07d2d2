use chrono::{DateTime, Utc};
use sea_orm::ConnectionTrait;
use sea_orm::prelude::Uuid;
use sqlx::Connection;
use sqlx::postgres::PgConnection;

use super::{postgres, sqlite};
use crate::chain::{Link, Record};
use crate::{Backend, Result, Store, micros};

/// Records in one commit at most, far below both back ends' limits of bound values.
const BATCH: usize = 500;

/// The one who writes the audit in this process. It owns the end of its chain; on PostgreSQL it also owns a connection.
///
/// After an error nobody knows whether the batch was committed, so the writer goes on with a new chain: the old one is
/// whole either way, because its end moves in the same commit.
pub struct Writer {
    store: Store,
    link: Option<Link>,
    connection: Option<PgConnection>,
}

/// A record with its place in the chain.
pub(super) struct Linked {
    pub(super) record: Record,
    pub(super) link: Link,
}

impl Writer {
    /// Begins a new chain.
    pub async fn open(store: &Store, now: DateTime<Utc>) -> Result<Self> {
        let mut writer = Self { store: store.clone(), link: None, connection: None };
        writer.begin(now).await?;
        Ok(writer)
    }

    /// Commits all records, in order, or none, and returns when they are durable.
    ///
    /// An error means that the records may or may not be there: treat their calls as not recorded.
    pub async fn append(&mut self, records: Vec<Record>, now: DateTime<Utc>) -> Result<()> {
        let mut records = records.into_iter().peekable();
        while records.peek().is_some() {
            let batch: Vec<Record> = records.by_ref().take(BATCH).collect();
            self.commit(batch, now).await?;
        }
        Ok(())
    }

    /// Where the chain ends now.
    pub fn head(&self) -> Option<&Link> {
        self.link.as_ref()
    }

    /// Notes that this chain will not go on.
    pub async fn close(self, now: DateTime<Utc>) -> Result<()> {
        let Some(link) = self.link else { return Ok(()) };
        let system = self.store.system();
        let mut sql = system.sql("UPDATE audit_writers SET closed_at = ");
        sql.bind(micros(now)).push(" WHERE writer = ").bind(link.writer);
        system.write().execute_raw(sql.statement()).await?;
        Ok(())
    }

    async fn begin(&mut self, now: DateTime<Utc>) -> Result<Link> {
        let link = Link::start(Uuid::new_v4());
        let system = self.store.system();
        let mut sql = system.sql("INSERT INTO audit_writers (writer, started_at, last_seq, head_hash) VALUES (");
        sql.bind(link.writer).push(", ").bind(micros(now)).push(", 0, ").bind(link.hash.to_vec()).push(")");
        system.write().execute_raw(sql.statement()).await?;
        self.link = Some(link.clone());
        Ok(link)
    }

    async fn commit(&mut self, batch: Vec<Record>, now: DateTime<Utc>) -> Result<()> {
        let mut end = match self.link.take() {
            Some(link) => link,
            None => self.begin(now).await?,
        };
        let mut linked = Vec::with_capacity(batch.len());
        for mut record in batch {
            record.tidy();
            end = end.next(&record);
            linked.push(Linked { record, link: end.clone() });
        }
        match self.store.backend() {
            Backend::Sqlite => sqlite::commit(&self.store, linked, &end).await?,
            Backend::Postgres => {
                // Taken, so that a connection in an unknown state is dropped if this fails or is abandoned.
                let mut connection = match self.connection.take() {
                    Some(connection) => connection,
                    None => self.connect().await?,
                };
                postgres::commit(&mut connection, &linked, &end).await?;
                self.connection = Some(connection);
            }
        }
        self.link = Some(end);
        Ok(())
    }

    async fn connect(&self) -> Result<PgConnection> {
        let Some(options) = &self.store.inner().connect else { return Err(sqlx::Error::PoolClosed.into()) };
        Ok(PgConnection::connect_with(options).await?)
    }
}
