//! Throw-away stores for tests, on both back ends.

use std::collections::BTreeMap;
use std::future::Future;

use sea_orm::ConnectionTrait;
use sea_orm::prelude::Uuid;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, Connection, Executor};
use tempfile::TempDir;

use crate::{Backend, OpenOptions, Result, Store, StoreError, Wall};

/// A database of its own for one test.
pub struct TestStore {
    pub store: Store,
    /// Opens the same database again.
    pub url: String,
    place: Place,
}

enum Place {
    Folder(TempDir),
    Database { admin: String, name: String },
}

impl TestStore {
    /// A migrated SQLite store in a folder that vanishes with it.
    pub async fn sqlite() -> Result<Self> {
        Self::sqlite_with(OpenOptions::default()).await
    }

    /// The same, opened otherwise.
    pub async fn sqlite_with(options: OpenOptions) -> Result<Self> {
        let folder = tempfile::tempdir().map_err(sqlx::Error::Io)?;
        let url = format!("sqlite://{}", folder.path().join("store.db").display());
        Ok(Self { store: Store::open(&url, options).await?, url, place: Place::Folder(folder) })
    }

    /// A migrated database on the server of `TEST_POSTGRES_URL`; None, with a line in the output, if that is not set.
    pub async fn postgres() -> Result<Option<Self>> {
        Self::postgres_with(OpenOptions { pool_size: 5, ..Default::default() }).await
    }

    /// The same with row-level security.
    pub async fn walled() -> Result<Option<Self>> {
        Self::postgres_with(OpenOptions { pool_size: 5, wall: Wall::On, ..Default::default() }).await
    }

    /// The same, opened otherwise.
    pub async fn postgres_with(options: OpenOptions) -> Result<Option<Self>> {
        let Some(admin) = admin_url() else {
            println!("skipped on PostgreSQL: TEST_POSTGRES_URL is not set");
            return Ok(None);
        };
        let name = format!("test_{}", Uuid::new_v4().simple());
        run_as_admin(&admin, &format!("CREATE DATABASE {name}")).await?;
        let url = with_database(&admin, &name);
        let store = Store::open(&url, options).await?;
        Ok(Some(Self { store, url, place: Place::Database { admin, name } }))
    }

    /// Closes the store and removes the database.
    pub async fn remove(self) -> Result<()> {
        self.store.close().await?;
        match self.place {
            Place::Folder(folder) => folder.close().map_err(|error| sqlx::Error::Io(error).into()),
            Place::Database { admin, name } => {
                run_as_admin(&admin, &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await
            }
        }
    }
}

/// Runs a test on SQLite and, where there is one, on PostgreSQL.
pub async fn on_both<Test, Running>(test: Test)
where
    Test: Fn(Store) -> Running,
    Running: Future<Output = anyhow::Result<()>>,
{
    for store in both().await {
        println!("on {:?}", store.store.backend());
        if let Err(error) = test(store.store.clone()).await {
            panic!("on {:?}: {error:#}", store.store.backend());
        }
        if let Err(error) = store.remove().await {
            panic!("removing the test's database: {error}");
        }
    }
}

/// A store on each back end that there is, and on PostgreSQL another with a wall between tenants.
pub async fn both() -> Vec<TestStore> {
    let stores = async {
        let (sqlite, postgres, walled) =
            (TestStore::sqlite().await?, TestStore::postgres().await?, TestStore::walled().await?);
        Ok::<_, StoreError>([Some(sqlite), postgres, walled].into_iter().flatten().collect())
    };
    stores.await.unwrap_or_else(|error| panic!("opening a test's database: {error}"))
}

#[expect(clippy::disallowed_methods, reason = "tests have no configuration but the environment")]
fn admin_url() -> Option<String> {
    std::env::var("TEST_POSTGRES_URL").ok().filter(|url| !url.is_empty())
}

async fn run_as_admin(admin: &str, sql: &str) -> Result<()> {
    let options: PgConnectOptions = admin.parse()?;
    let mut connection = PgConnection::connect_with(&options).await?;
    connection.execute(AssertSqlSafe(sql.to_owned())).await?;
    Ok(connection.close().await?)
}

/// The address with another database in it.
fn with_database(url: &str, name: &str) -> String {
    let (address, query) = url.split_once('?').map_or((url, None), |(address, query)| (address, Some(query)));
    let host_end = address.find("://").map_or(0, |at| at + 3);
    let path = address[host_end..].find('/').map_or(address.len(), |at| host_end + at);
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    format!("{}/{name}{query}", &address[..path])
}

/// Ends the connections of the audit's writers to this PostgreSQL database, and says how many it met.
pub async fn kill_audit_connections(url: &str) -> Result<usize> {
    let options: PgConnectOptions = url.parse()?;
    let mut connection = PgConnection::connect_with(&options).await?;
    let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
               WHERE datname = current_database() AND application_name = 'enterprise-mcp audit'";
    let killed = connection.fetch_all(sql).await?.len();
    connection.close().await?;
    Ok(killed)
}

/// Leaves the mark of a migration that this version does not know.
pub async fn pretend_newer(url: &str) -> Result<()> {
    let options = OpenOptions { exclusive: false, ..Default::default() };
    let store = Store::open(url, options).await?;
    let mark = "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m9999_from_the_future', 0)";
    store.inner().write.execute_unprepared(mark).await?;
    store.close().await
}

/// The tables of tenants that have this column.
pub async fn tables_with(store: &Store, column: &str) -> Result<Vec<String>> {
    let columns = columns(store).await?;
    let has = |columns: &Vec<String>, wanted: &str| columns.iter().any(|column| column == wanted);
    Ok(columns.into_iter().filter(|(_, all)| has(all, column)).map(|(table, _)| table).collect())
}

/// Every row of a tenant as text, table by table.
pub async fn rows_of(store: &Store, tenant: &str) -> Result<BTreeMap<String, Vec<String>>> {
    let system = store.system();
    let mut all = BTreeMap::new();
    for (table, columns) in columns(store).await? {
        let row = match store.backend() {
            Backend::Postgres => "to_jsonb(t)::text".to_owned(),
            Backend::Sqlite => {
                columns.iter().map(|name| format!("quote(\"{name}\")")).collect::<Vec<_>>().join(" || ' ' || ")
            }
        };
        let mut sql = system.sql(&format!("SELECT {row} AS row_text FROM {table} t WHERE tenant_id = "));
        sql.bind(tenant).push(" ORDER BY 1");
        let rows = system.read().query_all_raw(sql.statement()).await?;
        let rows: Result<Vec<String>, _> = rows.iter().map(|row| row.try_get("", "row_text")).collect();
        all.insert(table, rows?);
    }
    Ok(all)
}

/// Changes rows behind everybody's back, as who has the database can.
pub async fn tamper(store: &Store, sql: &str) -> Result<u64> {
    Ok(store.system().write().execute_unprepared(sql).await?.rows_affected())
}

/// The tables that have a tenant, with their columns.
async fn columns(store: &Store) -> Result<BTreeMap<String, Vec<String>>> {
    let system = store.system();
    let sql = match store.backend() {
        Backend::Postgres => {
            "SELECT table_name::text AS t, column_name::text AS c FROM information_schema.columns \
             WHERE table_schema = current_schema() ORDER BY ordinal_position"
        }
        Backend::Sqlite => {
            "SELECT m.name AS t, i.name AS c FROM sqlite_master m JOIN pragma_table_info(m.name) i \
             WHERE m.type = 'table' ORDER BY i.cid"
        }
    };
    let mut tables: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in system.read().query_all_raw(system.sql(sql).statement()).await? {
        tables.entry(row.try_get("", "t")?).or_default().push(row.try_get("", "c")?);
    }
    tables.retain(|_, columns| columns.iter().any(|column| column == "tenant_id"));
    Ok(tables)
}

/// Somebody else's transaction that keeps the audit from being written.
pub enum Locked {
    Sqlite(sqlx::SqliteConnection),
    Postgres(PgConnection),
}

impl Locked {
    /// Takes the lock: the whole file on SQLite, the audit's tables on PostgreSQL.
    pub async fn take(url: &str) -> Result<Locked> {
        if let Some(path) = crate::sqlite::path(url) {
            let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
            let mut connection = sqlx::SqliteConnection::connect_with(&options).await?;
            connection.execute("BEGIN EXCLUSIVE").await?;
            return Ok(Locked::Sqlite(connection));
        }
        let mut connection = PgConnection::connect(url).await?;
        connection.execute("BEGIN").await?;
        let tables = "audit_events, audit_writers, api_calls, tool_executions";
        connection.execute(AssertSqlSafe(format!("LOCK TABLE {tables} IN ACCESS EXCLUSIVE MODE"))).await?;
        Ok(Locked::Postgres(connection))
    }

    /// Lets go of it.
    pub async fn release(self) -> Result<()> {
        match self {
            Locked::Sqlite(connection) => Ok(connection.close().await?),
            Locked::Postgres(connection) => Ok(connection.close().await?),
        }
    }
}
