//! Opening PostgreSQL, and what only it needs.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use sea_orm::SqlxPostgresConnector;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolOptions};
use sqlx::{AssertSqlSafe, Connection, Executor};

use crate::open::{Backend, Inner, OpenOptions, masked};
use crate::{Result, StoreError, wall};

pub(crate) async fn open(url: &str, options: &OpenOptions) -> Result<Inner> {
    let place = masked(url);
    let connect = PgConnectOptions::from_str(url)
        .map_err(|cause| StoreError::Address { url: place.clone(), cure: cause.to_string() })?
        .application_name("enterprise-mcp")
        .statement_cache_capacity(256);
    let wall = Arc::new(wall::State::default());
    let (of_new, of_old) = (wall.clone(), wall.clone());
    let pool = PgPoolOptions::new()
        .max_connections(options.pool_size.max(2))
        .min_connections(1)
        .acquire_timeout(options.acquire_timeout)
        // Asking the server before every query would double the trips; one that has rested may have been cut off.
        .test_before_acquire(false)
        .before_acquire(move |connection, about| {
            let stale = of_old.is_stale(about.age);
            Box::pin(async move { Ok(!stale && (about.idle_for < RESTED || connection.ping().await.is_ok())) })
        })
        .after_connect(move |connection, _| {
            let sql = format!("{SHORT_LIST}; {}", of_new.greeting());
            Box::pin(async move { connection.execute(AssertSqlSafe(sql)).await.map(drop) })
        })
        .connect_with(connect.clone())
        .await
        .map_err(|error| explain(&place, &error))?;
    assert_version(&place, &pool).await?;
    let shared = SqlxPostgresConnector::from_sqlx_postgres_pool(pool.clone());
    Ok(Inner {
        backend: Backend::Postgres,
        place,
        read: shared.clone(),
        write: shared,
        connect: Some(connect),
        pool: Some(pool),
        wall,
        wanted_wall: options.wall,
        _lock: None,
    })
}

/// What was written lately waits in a list of the search index, and every search reads through all of it: 1 MB took
/// 150 ms. So it is kept as short as PostgreSQL allows.
const SHORT_LIST: &str = "SET gin_pending_list_limit = '64kB'";

/// Up to so many rows are a change of the day, and more are a page of a sync.
pub(crate) const FEW: usize = 20;

/// What holds for the transaction of a sync's page. The search index's list may hold some 1,500 contacts, because sorting
/// them in together costs a tenth of the time that it takes in many small parts; [`crate::contacts::settle_search`]
/// empties it. Nobody waits for the disk: how far the sync is stands in a row that is written afterwards and waited for,
/// so that a page which a crash takes is copied again. And a statement with thousands of values is planned once.
pub(crate) const PAGE: &str = "SET LOCAL gin_pending_list_limit = '2MB'; SET LOCAL synchronous_commit = off; \
                               SET LOCAL plan_cache_mode = force_generic_plan";

const RESTED: Duration = Duration::from_secs(1);

async fn assert_version(place: &str, pool: &sqlx::PgPool) -> Result<()> {
    let version: String = sqlx::query_scalar("SHOW server_version_num").fetch_one(pool).await?;
    if version.parse::<u32>().is_ok_and(|number| number >= 150_000) {
        return Ok(());
    }
    let cause = format!("the server is PostgreSQL {version}, and 15 or later is needed");
    Err(StoreError::Open { place: place.to_owned(), cause, cure: "Upgrade the server".to_owned() })
}

/// A number of our own among PostgreSQL's advisory locks.
const MIGRATION_LOCK: i64 = 0x656d_6370_6d69_6772;

/// Waits until no other replica migrates. SQLite needs nothing: its writers queue.
pub(crate) async fn migration_lock(inner: &Inner) -> Result<Option<PgConnection>> {
    let Some(options) = &inner.connect else { return Ok(None) };
    let mut connection = PgConnection::connect_with(options).await?;
    connection.execute(sqlx::query("SELECT pg_advisory_lock($1)").bind(MIGRATION_LOCK)).await?;
    Ok(Some(connection))
}

/// Ends the wait of the others.
pub(crate) async fn migration_unlock(connection: Option<PgConnection>) -> Result<()> {
    match connection {
        Some(connection) => Ok(connection.close().await?),
        None => Ok(()),
    }
}

fn explain(place: &str, error: &sqlx::Error) -> StoreError {
    let code = error.as_database_error().and_then(|error| error.code()).unwrap_or_default();
    let cure = match code.as_ref() {
        "28P01" | "28000" => "Check the user and the password in DATABASE_URL",
        "3D000" => "Create the database first, for example with `createdb`",
        _ => "Check that the server runs and that DATABASE_URL names it",
    };
    StoreError::Open { place: place.to_owned(), cause: error.to_string(), cure: cure.to_owned() }
}
