//! A bare copy to compare a sync with: the same pages from the same vendor, each written in one transaction, row by row,
//! into a table without an index to search by. It knows no changes, no deletions, no record and no resumption.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::{Value, json};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{Connection, PgConnection, Row, SqliteConnection};

use crate::place::{Kind, Place};

/// Where the pages come from.
pub struct From {
    pub url: String,
    pub token: String,
    pub location: String,
}

const TABLE: &str = "CREATE TABLE bare (vendor_id TEXT PRIMARY KEY, data TEXT NOT NULL)";
const INSERT: &str = "INSERT INTO bare (vendor_id, data) VALUES ($1, $2)";

enum Database {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

/// How long it takes to copy all contacts.
pub async fn bare(http: &reqwest::Client, place: &Place, from: &From) -> Result<Duration> {
    let mut database = Database::open(place).await?;
    let (begun, mut after, mut rows) = (Instant::now(), None, 0);
    loop {
        let page = page(http, from, after.take()).await?;
        let contacts = page["contacts"].as_array().context("the vendor's page has no contacts")?;
        let Some(last) = contacts.last() else { break };
        database.write(contacts).await?;
        rows += contacts.len() as i64;
        after = Some(last["searchAfter"].clone());
    }
    let took = begun.elapsed();
    anyhow::ensure!(database.count().await? == rows, "the bare copy lost rows");
    Ok(took)
}

async fn page(http: &reqwest::Client, from: &From, after: Option<Value>) -> Result<Value> {
    let sort = json!([{"field": "dateAdded", "direction": "desc"}]);
    let mut body = json!({"locationId": from.location, "pageLimit": 100, "sort": sort});
    if let Some(after) = after {
        body["searchAfter"] = after;
    }
    let request = http.post(format!("{}/contacts/search", from.url)).bearer_auth(&from.token).json(&body);
    Ok(request.header("version", "2021-07-28").send().await?.error_for_status()?.json().await?)
}

impl Database {
    /// As durable as the server's.
    async fn open(place: &Place) -> Result<Database> {
        let mut database = match place.kind {
            Kind::Sqlite => {
                let options: SqliteConnectOptions = place.url.parse()?;
                let options = options.create_if_missing(true).journal_mode(SqliteJournalMode::Wal);
                let options = options.synchronous(SqliteSynchronous::Full);
                Database::Sqlite(SqliteConnection::connect_with(&options).await?)
            }
            Kind::Postgres => Database::Postgres(PgConnection::connect(&place.url).await?),
        };
        match &mut database {
            Database::Sqlite(connection) => sqlx::query(TABLE).execute(connection).await.map(drop)?,
            Database::Postgres(connection) => sqlx::query(TABLE).execute(connection).await.map(drop)?,
        }
        Ok(database)
    }

    async fn write(&mut self, contacts: &[Value]) -> Result<()> {
        let rows = contacts.iter().map(|contact| (contact["id"].as_str().unwrap_or_default(), contact.to_string()));
        match self {
            Database::Sqlite(connection) => {
                let mut tx = connection.begin().await?;
                for (id, data) in rows {
                    sqlx::query(INSERT).bind(id).bind(data).execute(&mut *tx).await?;
                }
                Ok(tx.commit().await?)
            }
            Database::Postgres(connection) => {
                let mut tx = connection.begin().await?;
                for (id, data) in rows {
                    sqlx::query(INSERT).bind(id).bind(data).execute(&mut *tx).await?;
                }
                Ok(tx.commit().await?)
            }
        }
    }

    async fn count(&mut self) -> Result<i64> {
        let count = "SELECT COUNT(*) FROM bare";
        Ok(match self {
            Database::Sqlite(connection) => sqlx::query(count).fetch_one(connection).await?.try_get(0)?,
            Database::Postgres(connection) => sqlx::query(count).fetch_one(connection).await?.try_get(0)?,
        })
    }
}
