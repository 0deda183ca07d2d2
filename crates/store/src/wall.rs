//! The second wall between tenants: row-level security of PostgreSQL.
//!
//! The first wall is that every query starts from a [`crate::Tenant`] and names it. With the second, PostgreSQL itself
//! shows and takes only the rows of the tenant that the transaction has named in `emcp.tenant`; `*` stands for all, and
//! where nothing is named there is nothing. So a query that forgot its condition finds no row of anybody else.
//!
//! A process whose wall is down says `*` for each of its connections. So walls go up and down under running replicas
//! without anybody's queries failing meanwhile.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection, Executor};

use crate::open::Inner;
use crate::{Result, Store, StoreError};

/// Whether PostgreSQL keeps tenants apart as well. SQLite cannot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wall {
    /// As soon as there is more than one tenant. Once it stands it stays, until somebody says `Off`.
    #[default]
    Auto,
    On,
    /// Takes it down: queries by hand see all rows again.
    Off,
}

/// Stands for all tenants, in `emcp.tenant`.
pub(crate) const EVERYBODY: &str = "*";

/// Who we are while the wall stands, where the user of DATABASE_URL would pass through it: superusers do, whatever a
/// policy says.
const ROLE: &str = "enterprise_mcp_walled";

/// Connections that were opened before the wall stood may be in use for so long; a statement waits at most ten seconds
/// for one.
const GRACE: Duration = Duration::from_secs(15);

/// Whether the statements of this process have to say for whom they are.
#[derive(Debug, Default)]
pub(crate) struct State {
    is_up: AtomicBool,
    /// The user of DATABASE_URL would pass through it.
    restricted: AtomicBool,
    /// From when on connections are opened without a word for everybody.
    since: Mutex<Option<Instant>>,
}

impl State {
    pub(crate) fn is_up(&self) -> bool {
        self.is_up.load(Ordering::Acquire)
    }

    fn raise(&self, restricted: bool, grace: Duration) {
        self.restricted.store(restricted, Ordering::Release);
        *self.since.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = Some(Instant::now() + grace);
        self.is_up.store(true, Ordering::Release);
    }

    fn since(&self) -> Option<Instant> {
        *self.since.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// What a new connection says first.
    pub(crate) fn greeting(&self) -> String {
        match self.since() {
            Some(since) if Instant::now() >= since => match self.restricted.load(Ordering::Acquire) {
                true => format!("SET ROLE {ROLE}"),
                false => String::new(),
            },
            _ => format!("SET emcp.tenant = '{EVERYBODY}'"),
        }
    }

    /// Whether a connection of this age still speaks for everybody, and nobody may use it any more.
    pub(crate) fn is_stale(&self, age: Duration) -> bool {
        let Some(since) = self.since() else { return false };
        let now = Instant::now();
        now >= since && now.checked_sub(age).is_none_or(|born| born < since)
    }
}

/// Says for whom the statements of a transaction are.
pub(crate) fn for_this_transaction(tenant: &str) -> String {
    format!("SET LOCAL emcp.tenant = '{}'", tenant.replace('\'', "''"))
}

/// What a connection says that is not of the pool and writes rows of all tenants.
pub(crate) const FOR_EVERYBODY: &str = "SET emcp.tenant = '*'";

/// Brings the wall where the setting wants it, before anybody asks anything.
pub(crate) async fn settle(store: &Store, wall: Wall) -> Result<()> {
    let Some(mut connection) = connect(store.inner()).await? else { return Ok(()) };
    let wanted = match wall {
        Wall::On => true,
        Wall::Off => false,
        Wall::Auto => is_up(&mut connection).await? || several_tenants(&mut connection).await?,
    };
    match wanted {
        true => {
            let restricted = raise(store.inner(), &mut connection).await?;
            store.inner().wall.raise(restricted, Duration::ZERO);
        }
        false if wall == Wall::Off => lower(store.inner(), &mut connection).await?,
        false => {}
    }
    Ok(connection.close().await?)
}

/// Follows what has changed since the store was opened: a second tenant, or a wall that another process has raised.
/// True: the wall stands.
pub async fn follow(store: &Store) -> Result<bool> {
    let inner = store.inner();
    if inner.wall.is_up() || inner.wanted_wall != Wall::Auto {
        return Ok(inner.wall.is_up());
    }
    let Some(mut connection) = connect(inner).await? else { return Ok(false) };
    let wanted = several_tenants(&mut connection).await? || is_up(&mut connection).await?;
    connection.close().await?;
    if wanted {
        prepare(store).await?;
    }
    Ok(wanted)
}

/// Raises it before a second tenant comes, so that an installation that cannot have it says so first.
pub async fn prepare(store: &Store) -> Result<()> {
    let inner = store.inner();
    if inner.wall.is_up() || inner.wanted_wall != Wall::Auto {
        return Ok(());
    }
    let Some(mut connection) = connect(inner).await? else { return Ok(()) };
    let restricted = raise(inner, &mut connection).await?;
    inner.wall.raise(restricted, GRACE);
    Ok(connection.close().await?)
}

/// Whether PostgreSQL keeps the tenants of this store apart.
pub fn stands(store: &Store) -> bool {
    store.inner().wall.is_up()
}

/// A connection of the user of DATABASE_URL, who owns the tables.
pub(crate) async fn connect(inner: &Inner) -> Result<Option<PgConnection>> {
    let Some(options) = &inner.connect else { return Ok(None) };
    let mut connection = PgConnection::connect_with(options).await?;
    connection.execute(FOR_EVERYBODY).await?;
    Ok(Some(connection))
}

async fn several_tenants(connection: &mut PgConnection) -> Result<bool> {
    let sql = "SELECT COUNT(*) > 1 FROM (SELECT 1 FROM tenants LIMIT 2) AS two";
    Ok(sqlx::query_scalar(sql).fetch_one(connection).await?)
}

async fn is_up(connection: &mut PgConnection) -> Result<bool> {
    Ok(sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM pg_policies WHERE policyname = 'emcp_wall' AND schemaname = current_schema())",
    )
    .fetch_one(connection)
    .await?)
}

/// A table, and whether it still has to be walled.
struct Table {
    name: String,
    has_tenant: bool,
    walled: bool,
}

const TABLES: &str = "SELECT format('%I', c.relname) AS name, \
    EXISTS (SELECT 1 FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped) AS has_tenant, \
    c.relrowsecurity AND c.relforcerowsecurity \
        AND EXISTS (SELECT 1 FROM pg_policy p WHERE p.polrelid = c.oid AND p.polname = 'emcp_wall') AS walled \
    FROM pg_class c WHERE c.relkind IN ('r', 'p') AND c.relnamespace = current_schema()::regnamespace ORDER BY 1";

async fn tables(connection: &mut PgConnection) -> Result<Vec<Table>, sqlx::Error> {
    let rows: Vec<(String, bool, bool)> = sqlx::query_as(TABLES).fetch_all(connection).await?;
    Ok(rows.into_iter().map(|(name, has_tenant, walled)| Table { name, has_tenant, walled }).collect())
}

/// Asked once for a statement, not once for a row.
const POLICY: &str = "tenant_id = (SELECT current_setting('emcp.tenant', true)) \
    OR (SELECT current_setting('emcp.tenant', true)) = '*'";

/// Raises it around every table that has a tenant, as the database itself lists them, so that a new one cannot be
/// forgotten. True: the user would pass through, and has to become another.
async fn raise(inner: &Inner, connection: &mut PgConnection) -> Result<bool> {
    let mut tx = connection.begin().await?;
    alone(&mut tx).await?;
    let sql = "SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = session_user";
    let restricted: bool = sqlx::query_scalar(sql).fetch_one(&mut *tx).await?;
    let work = async {
        if restricted {
            become_another(&mut tx).await?;
        }
        for table in tables(&mut tx).await?.iter().filter(|table| table.has_tenant && !table.walled) {
            let name = &table.name;
            let sql = format!(
                "DROP POLICY IF EXISTS emcp_wall ON {name}; \
                 CREATE POLICY emcp_wall ON {name} USING ({POLICY}) WITH CHECK ({POLICY}); \
                 ALTER TABLE {name} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY"
            );
            tx.execute(AssertSqlSafe(sql)).await?;
        }
        tx.commit().await
    };
    work.await.map_err(|error| explain(inner, &error))?;
    Ok(restricted)
}

async fn lower(inner: &Inner, connection: &mut PgConnection) -> Result<()> {
    let mut tx = connection.begin().await?;
    alone(&mut tx).await?;
    let work = async {
        for Table { name, .. } in tables(&mut tx).await?.iter().filter(|table| table.walled) {
            let sql = format!(
                "ALTER TABLE {name} NO FORCE ROW LEVEL SECURITY, DISABLE ROW LEVEL SECURITY; \
                 DROP POLICY emcp_wall ON {name}"
            );
            tx.execute(AssertSqlSafe(sql)).await?;
        }
        tx.commit().await
    };
    work.await.map_err(|error| explain(inner, &error))
}

/// A number of our own among PostgreSQL's advisory locks.
const WALL_LOCK: i64 = 0x656d_6370_7761_6c6c;

/// One process at a time, and none that waits for ever for somebody's long transaction.
async fn alone(connection: &mut PgConnection) -> Result<()> {
    connection.execute("SET LOCAL lock_timeout = '30s'; SET LOCAL client_min_messages = warning").await?;
    connection.execute(sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(WALL_LOCK)).await?;
    Ok(())
}

/// A role that may do what we do with rows and nothing else. It belongs to the whole server, so that another database's
/// installation may be making it at this moment.
async fn become_another(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let exists: bool = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = $1)")
        .bind(ROLE)
        .fetch_one(&mut *connection)
        .await?;
    if !exists {
        let sql = format!(
            "DO $$ BEGIN CREATE ROLE {ROLE} NOLOGIN NOSUPERUSER NOBYPASSRLS; \
             EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
        );
        connection.execute(AssertSqlSafe(sql)).await?;
    }
    let sql = "SELECT pg_has_role(session_user, $1, 'MEMBER') AND has_schema_privilege($1, current_schema(), 'USAGE') \
         AND NOT EXISTS (SELECT 1 FROM pg_class c WHERE c.relkind IN ('r', 'p') \
         AND c.relnamespace = current_schema()::regnamespace AND NOT has_table_privilege($1, c.oid, 'DELETE'))";
    let may: bool = sqlx::query_scalar(sql).bind(ROLE).fetch_one(&mut *connection).await?;
    if !may {
        let sql = format!(
            "DO $$ BEGIN IF NOT pg_has_role(session_user, '{ROLE}', 'MEMBER') THEN \
             EXECUTE 'GRANT {ROLE} TO ' || quote_ident(session_user); END IF; \
             EXECUTE format('GRANT USAGE ON SCHEMA %I TO {ROLE}', current_schema()); \
             EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA %I TO {ROLE}', current_schema()); \
             EXECUTE format('GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA %I TO {ROLE}', current_schema()); END $$"
        );
        connection.execute(AssertSqlSafe(sql)).await?;
    }
    Ok(())
}

fn explain(inner: &Inner, error: &sqlx::Error) -> StoreError {
    let code = error.as_database_error().and_then(|error| error.code()).unwrap_or_default();
    let cure = match code.as_ref() {
        "42501" => {
            "The user of DATABASE_URL must own the tables and be neither a superuser nor BYPASSRLS, or be allowed to \
             create roles; or set TENANT_WALL=off"
        }
        "55P03" => "Another session holds the tables; end it and start again",
        _ => "Set TENANT_WALL=off to run without row-level security",
    };
    let cause = format!("row-level security could not be set: {error}");
    StoreError::Open { place: inner.place.clone(), cause, cure: cure.to_owned() }
}

#[cfg(test)]
mod tests;
