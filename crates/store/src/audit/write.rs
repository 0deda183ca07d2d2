use std::time::Duration;

use chrono::{DateTime, Utc};
use sea_orm::prelude::Uuid;
use sea_orm::{ConnectionTrait, QueryResult};
use sqlx::Connection;
use sqlx::postgres::PgConnection;

use super::{postgres, sqlite};
use crate::chain::{Link, Record};
use crate::{Backend, Result, Store, StoreError, micros};

/// Records in one commit at most, far below both back ends' limits of bound values.
pub const BATCH: usize = 500;
/// How often the same records are tried, each time with a new connection and a new chain.
const ATTEMPTS: usize = 2;
/// How long a commit on PostgreSQL may take; after it the connection counts as lost. The server gives up before.
const COMMIT: Duration = Duration::from_secs(10);
/// The same for everything else: to connect, to begin a chain, to look where one ends.
const LOOK: Duration = Duration::from_secs(5);

/// The one who writes the audit in this process. It owns the end of its chain; on PostgreSQL it also owns a connection.
///
/// A commit whose answer was lost may have taken place. The end of its chain moves in the same commit, so the row of the
/// chain tells: if it stands at the end of the batch, the batch is there and the chain goes on. Otherwise the old chain is
/// whole without it, and the batch is tried once more under a new one. Should the lost commit still come, the records' ids
/// keep the two from both being there.
pub struct Writer {
    store: Store,
    link: Option<Link>,
    connection: Option<PgConnection>,
    /// Where the chains would end whose commits failed: all tries of the same records.
    doubts: Vec<Link>,
}

/// A record with its place in the chain.
pub(super) struct Linked {
    pub(super) record: Record,
    pub(super) link: Link,
}

impl Writer {
    /// Begins a new chain.
    pub async fn open(store: &Store, now: DateTime<Utc>) -> Result<Self> {
        let mut writer = Self { store: store.clone(), link: None, connection: None, doubts: Vec::new() };
        writer.resume(now).await?;
        Ok(writer)
    }

    /// Commits all records, in order, and returns when they are durable; [`BATCH`] of them are there or not as one.
    ///
    /// After an error nobody could find out whether the last batch was committed: treat its calls as not recorded. What
    /// of it has to be recorded all the same goes to [`Writer::append_again`], before anything else is appended.
    pub async fn append(&mut self, records: Vec<Record>, now: DateTime<Utc>) -> Result<()> {
        let mut records = records.into_iter().peekable();
        while records.peek().is_some() {
            self.doubts.clear();
            let batch: Vec<Record> = records.by_ref().take(BATCH).collect();
            self.deliver(batch, now).await?;
        }
        Ok(())
    }

    /// Appends records of the batch that failed last, unless that commit took place after all.
    pub async fn append_again(&mut self, records: Vec<Record>, now: DateTime<Utc>) -> Result<()> {
        if records.is_empty() || self.took_place().await? {
            return Ok(());
        }
        self.deliver(records, now).await
    }

    /// Begins a new chain if the last commit failed, which shows that the database can be written again.
    pub async fn resume(&mut self, now: DateTime<Utc>) -> Result<()> {
        if self.link.is_none() {
            self.link = Some(self.begin(now).await?);
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

    async fn deliver(&mut self, mut records: Vec<Record>, now: DateTime<Utc>) -> Result<()> {
        for attempt in 1.. {
            let Err((back, failure)) = self.commit(records, now).await else { return Ok(()) };
            if self.took_place().await.is_ok_and(|there| there) {
                return Ok(());
            }
            if attempt == ATTEMPTS || !failure.is_temporary() {
                return Err(failure);
            }
            records = back;
        }
        Ok(())
    }

    /// One batch under the present chain, or a new one. A failure gives the records back.
    async fn commit(&mut self, records: Vec<Record>, now: DateTime<Utc>) -> Result<(), (Vec<Record>, StoreError)> {
        let start = match self.link.take() {
            Some(link) => link,
            None => match self.begin(now).await {
                Ok(link) => link,
                Err(failure) => return Err((records, failure)),
            },
        };
        let (linked, end) = chained(start, records);
        match self.write(&linked, &end).await {
            Ok(()) => {
                self.link = Some(end);
                Ok(())
            }
            Err(failure) => {
                self.doubts.push(end);
                Err((linked.into_iter().map(|linked| linked.record).collect(), failure))
            }
        }
    }

    async fn write(&mut self, batch: &[Linked], end: &Link) -> Result<()> {
        match self.store.backend() {
            Backend::Sqlite => sqlite::commit(&self.store, batch, end).await,
            Backend::Postgres => {
                // Taken, so that a connection in an unknown state is dropped if this fails or is abandoned.
                let mut connection = self.connection().await?;
                within(COMMIT, postgres::commit(&mut connection, batch, end)).await?;
                self.connection = Some(connection);
                Ok(())
            }
        }
    }

    async fn begin(&mut self, now: DateTime<Utc>) -> Result<Link> {
        let link = Link::start(Uuid::new_v4());
        match self.store.backend() {
            Backend::Sqlite => {
                let system = self.store.system();
                let mut sql =
                    system.sql("INSERT INTO audit_writers (writer, started_at, last_seq, head_hash) VALUES (");
                sql.bind(link.writer).push(", ").bind(micros(now)).push(", 0, ").bind(link.hash.to_vec()).push(")");
                system.write().execute_raw(sql.statement()).await?;
            }
            Backend::Postgres => {
                let mut connection = self.connection().await?;
                within(LOOK, postgres::begin(&mut connection, &link, micros(now))).await?;
                self.connection = Some(connection);
            }
        }
        Ok(link)
    }

    /// Whether a commit that failed took place all the same; then its chain is the one that goes on.
    async fn took_place(&mut self) -> Result<bool> {
        for end in self.doubts.clone() {
            if self.head_of(&end).await? == Some((end.seq, end.hash.to_vec())) {
                self.link = Some(end);
                self.doubts.clear();
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Where the chain of this link ends in the database.
    async fn head_of(&mut self, link: &Link) -> Result<Option<(i64, Vec<u8>)>> {
        match self.store.backend() {
            Backend::Sqlite => {
                let system = self.store.system();
                let mut sql = system.sql("SELECT last_seq, head_hash FROM audit_writers WHERE writer = ");
                sql.bind(link.writer);
                let row = system.write().query_one_raw(sql.statement()).await?;
                let head = |row: QueryResult| Ok::<_, StoreError>((row.try_get_by(0)?, row.try_get_by(1)?));
                row.map(head).transpose()
            }
            Backend::Postgres => {
                let mut connection = self.connection().await?;
                let head = within(LOOK, postgres::head(&mut connection, link.writer)).await?;
                self.connection = Some(connection);
                Ok(head)
            }
        }
    }

    /// The connection, or a new one. It is taken: who is done with it puts it back.
    async fn connection(&mut self) -> Result<PgConnection> {
        if let Some(connection) = self.connection.take() {
            return Ok(connection);
        }
        let Some(options) = &self.store.inner().connect else { return Err(sqlx::Error::PoolClosed.into()) };
        let options = options.clone().application_name("enterprise-mcp audit");
        within(LOOK, async {
            let mut connection = PgConnection::connect_with(&options).await?;
            postgres::prepare(&mut connection).await?;
            Ok(connection)
        })
        .await
    }
}

fn chained(start: Link, records: Vec<Record>) -> (Vec<Linked>, Link) {
    let mut end = start;
    let mut linked = Vec::with_capacity(records.len());
    for mut record in records {
        record.tidy();
        end = end.next(&record);
        linked.push(Linked { record, link: end.clone() });
    }
    (linked, end)
}

async fn within<T>(limit: Duration, work: impl Future<Output = Result<T>>) -> Result<T> {
    let late = |_| Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into()).into());
    tokio::time::timeout(limit, work).await.unwrap_or_else(late)
}
