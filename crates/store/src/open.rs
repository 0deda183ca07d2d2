//! Opening a database, and the handles that queries start from.

use std::fs::File;
use std::sync::Arc;
use std::time::Duration;

use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, ExecResult, QueryResult,
    SqliteTransactionMode, Statement, TransactionOptions, TransactionTrait,
};
use sea_orm_migration::MigratorTrait;

use crate::gate::{Access, Gate};
use crate::migrations::{self, Migrator};
use crate::wall::{self, EVERYBODY, Wall};
use crate::{Result, StoreError, postgres, sqlite};

/// How a database is opened.
#[derive(Clone, Debug)]
pub struct OpenOptions {
    /// Bring the schema up to date. Without it, an older database is refused.
    pub migrate: bool,
    /// SQLite: hold the file for this process alone. PostgreSQL has any number of users.
    pub exclusive: bool,
    /// PostgreSQL: connections at most.
    pub pool_size: u32,
    /// SQLite: connections that read.
    pub readers: u32,
    /// How long a query may wait for a connection.
    pub acquire_timeout: Duration,
    /// PostgreSQL: whether it keeps tenants apart as well.
    pub wall: Wall,
}

impl Default for OpenOptions {
    fn default() -> Self {
        let acquire_timeout = Duration::from_secs(10);
        Self { migrate: true, exclusive: true, pool_size: 16, readers: 4, acquire_timeout, wall: Wall::Auto }
    }
}

/// Which database stands behind a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    Sqlite,
    Postgres,
}

/// An open database. Cloning is cheap; all clones share the connections.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) backend: Backend,
    /// The file or the address without its password, for messages.
    pub(crate) place: String,
    pub(crate) read: DatabaseConnection,
    /// SQLite: one connection, so that writers queue in order and never meet a busy database.
    pub(crate) write: DatabaseConnection,
    /// PostgreSQL: how to open the connections that belong to one purpose (audit, LISTEN).
    pub(crate) connect: Option<sqlx::postgres::PgConnectOptions>,
    /// PostgreSQL: the pool behind `read` and `write`.
    pub(crate) pool: Option<sqlx::PgPool>,
    /// Whether statements have to say for whom they are.
    pub(crate) wall: Arc<wall::State>,
    /// What was asked for.
    pub(crate) wanted_wall: Wall,
    /// Held, never read: its lock ends with the process.
    pub(crate) _lock: Option<File>,
}

impl Store {
    /// Opens `sqlite:///path/file.db`, `sqlite://relative.db` or `postgres://user:password@host/database`; creates the
    /// SQLite file and its folder where they are missing.
    pub async fn open(url: &str, options: OpenOptions) -> Result<Self> {
        let inner = if let Some(path) = sqlite::path(url) {
            sqlite::open(&path, &options).await?
        } else if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            postgres::open(url, &options).await?
        } else {
            let cure = "write sqlite:///path/to/file.db or postgres://user:password@host/database".to_owned();
            return Err(StoreError::Address { url: masked(url), cure });
        };
        let store = Self(Arc::new(inner));
        store.refuse_newer().await?;
        if options.migrate {
            store.migrate().await?;
        } else {
            store.refuse_older().await?;
        }
        wall::settle(&store, options.wall).await?;
        Ok(store)
    }

    /// The handle that every query of this tenant's rows starts from.
    pub fn tenant(&self, id: &str) -> Tenant {
        Tenant { store: self.clone(), id: id.into() }
    }

    /// The handle for questions that concern all tenants at once.
    pub fn system(&self) -> System {
        System { store: self.clone() }
    }

    /// Which database this is.
    pub fn backend(&self) -> Backend {
        self.0.backend
    }

    /// The file, or the address without its password.
    pub fn place(&self) -> &str {
        &self.0.place
    }

    /// Whether the database answers. On SQLite it does not wait for those who write.
    pub async fn ping(&self) -> Result<()> {
        Ok(self.0.read.ping().await?)
    }

    /// Brings the schema up to date. Of several replicas that start at once, one does it and the others wait.
    pub async fn migrate(&self) -> Result<()> {
        if self.pending_migrations().await?.is_empty() {
            return Ok(());
        }
        let guard = postgres::migration_lock(&self.0).await?;
        // All or none, and one commit: a first start waits for the disk once.
        let tx = self.begin(EVERYBODY).await?;
        Migrator::up(&tx, None).await?;
        tx.commit().await?;
        postgres::migration_unlock(guard).await
    }

    /// The names of the migrations that this version has and the database has not.
    pub async fn pending_migrations(&self) -> Result<Vec<String>> {
        let applied = self.applied_migrations().await?;
        Ok(migrations::names().into_iter().filter(|name| !applied.contains(name)).collect())
    }

    /// Ends all connections. SQLite writes its log back into the file.
    pub async fn close(self) -> Result<()> {
        self.0.read.close_by_ref().await?;
        if self.0.backend == Backend::Sqlite {
            self.0.write.close_by_ref().await?;
        }
        Ok(())
    }

    async fn refuse_newer(&self) -> Result<()> {
        let known = migrations::names();
        let applied = self.applied_migrations().await?;
        match applied.into_iter().find(|name| !known.contains(name)) {
            Some(unknown) => Err(StoreError::Newer { place: self.0.place.clone(), unknown }),
            None => Ok(()),
        }
    }

    async fn refuse_older(&self) -> Result<()> {
        match self.pending_migrations().await?.len() {
            0 => Ok(()),
            count => Err(StoreError::Older { place: self.0.place.clone(), count }),
        }
    }

    async fn applied_migrations(&self) -> Result<Vec<String>> {
        let exists = match self.0.backend {
            Backend::Sqlite => "SELECT 1 FROM sqlite_master WHERE name = 'seaql_migrations'",
            Backend::Postgres => "SELECT 1 WHERE to_regclass('seaql_migrations') IS NOT NULL",
        };
        let backend = self.db_backend();
        if self.0.write.query_one_raw(Statement::from_string(backend, exists)).await?.is_none() {
            return Ok(Vec::new());
        }
        let list = Statement::from_string(backend, "SELECT version FROM seaql_migrations ORDER BY version");
        let rows = self.0.write.query_all_raw(list).await?;
        Ok(rows.iter().map(|row| row.try_get("", "version")).collect::<Result<_, DbErr>>()?)
    }

    pub(crate) fn inner(&self) -> &Inner {
        &self.0
    }

    fn read<'a>(&'a self, of: &'a str) -> Gate<'a> {
        Gate::new(&self.0.read, self.walled(), of, Access::Read)
    }

    fn write<'a>(&'a self, of: &'a str) -> Gate<'a> {
        Gate::new(&self.0.write, self.walled(), of, Access::Write)
    }

    /// For tables that belong to no tenant, and what is no table.
    pub(crate) fn shared(&self) -> &DatabaseConnection {
        &self.0.write
    }

    fn walled(&self) -> Option<&sqlx::PgPool> {
        self.0.pool.as_ref().filter(|_| self.0.wall.is_up())
    }

    pub(crate) fn db_backend(&self) -> DbBackend {
        match self.0.backend {
            Backend::Sqlite => DbBackend::Sqlite,
            Backend::Postgres => DbBackend::Postgres,
        }
    }

    /// A transaction that may write from its first statement on. On SQLite it takes the write lock at once, because a
    /// read that turns into a write can be refused.
    async fn begin(&self, of: &str) -> Result<DatabaseTransaction> {
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..Default::default()
        };
        let tx = self.0.write.begin_with_options(options).await?;
        if self.walled().is_some() {
            tx.execute_unprepared(&wall::for_this_transaction(of)).await?;
        }
        Ok(tx)
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Store({})", self.0.place)
    }
}

/// One tenant of a store: what every query of a tenant's rows starts from.
#[derive(Clone, Debug)]
pub struct Tenant {
    store: Store,
    id: Arc<str>,
}

impl Tenant {
    /// The tenant's id, as in the column `tenant_id`.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The store that this tenant lives in.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Begins a transaction for what must happen together with rows of other modules (`runs::enqueue_in`).
    pub async fn begin(&self) -> Result<Tx> {
        Ok(Tx { inner: self.store.begin(&self.id).await?, backend: self.store.db_backend(), tenant: self.id.clone() })
    }

    pub(crate) fn read(&self) -> Gate<'_> {
        self.store.read(&self.id)
    }

    pub(crate) fn write(&self) -> Gate<'_> {
        self.store.write(&self.id)
    }

    pub(crate) fn sql(&self, text: &str) -> crate::sql::Sql {
        crate::sql::Sql::new(self.store.db_backend(), text)
    }
}

/// All tenants at once: for workers, key look-up and verification, never for answering a caller's question.
#[derive(Clone, Debug)]
pub struct System {
    store: Store,
}

impl System {
    /// The store behind it.
    pub fn store(&self) -> &Store {
        &self.store
    }

    pub(crate) fn read(&self) -> Gate<'_> {
        self.store.read(EVERYBODY)
    }

    pub(crate) fn write(&self) -> Gate<'_> {
        self.store.write(EVERYBODY)
    }

    pub(crate) async fn begin(&self) -> Result<DatabaseTransaction> {
        self.store.begin(EVERYBODY).await
    }

    pub(crate) fn sql(&self, text: &str) -> crate::sql::Sql {
        crate::sql::Sql::new(self.store.db_backend(), text)
    }
}

/// A transaction of one tenant. Dropped without [`Tx::commit`], it never happened.
pub struct Tx {
    inner: DatabaseTransaction,
    backend: DbBackend,
    tenant: Arc<str>,
}

impl Tx {
    /// Makes everything that was done in it durable.
    pub async fn commit(self) -> Result<()> {
        Ok(self.inner.commit().await?)
    }

    /// Forgets everything that was done in it.
    pub async fn rollback(self) -> Result<()> {
        Ok(self.inner.rollback().await?)
    }

    pub(crate) fn tenant_id(&self) -> &str {
        &self.tenant
    }

    pub(crate) fn connection(&self) -> &DatabaseTransaction {
        &self.inner
    }

    pub(crate) fn sql(&self, text: &str) -> crate::sql::Sql {
        crate::sql::Sql::new(self.backend, text)
    }

    /// It writes so many rows of a copy, which can be made again.
    pub(crate) async fn copies(&self, rows: usize) -> Result<()> {
        if rows > postgres::FEW && self.backend == DbBackend::Postgres {
            self.inner.execute_unprepared(postgres::PAGE).await?;
        }
        Ok(())
    }

    pub(crate) async fn execute(&self, sql: crate::sql::Sql) -> Result<ExecResult> {
        Ok(self.inner.execute_raw(sql.statement()).await?)
    }

    pub(crate) async fn rows(&self, sql: crate::sql::Sql) -> Result<Vec<QueryResult>> {
        Ok(self.inner.query_all_raw(sql.statement()).await?)
    }
}

/// An address without its password.
pub(crate) fn masked(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let Some((credentials, host)) = rest.rsplit_once('@') else { return url.to_owned() };
    let user = credentials.split(':').next().unwrap_or_default();
    format!("{scheme}://{user}:***@{host}")
}
