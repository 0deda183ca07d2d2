//! Waking workers of other processes. SQLite has one process, which wakes its own.

use sea_orm::{ConnectionTrait, DbBackend};
use sqlx::postgres::{PgListener, PgPoolOptions};

use crate::{Result, Store, Tx};

const CHANNEL: &str = "enterprise_mcp_runs";
const NOTIFY: &str = "SELECT pg_notify('enterprise_mcp_runs', '')";

/// Tells the workers of all replicas to look for due runs.
pub async fn notify(store: &Store) -> Result<()> {
    if store.db_backend() == DbBackend::Postgres {
        store.shared().execute_unprepared(NOTIFY).await?;
    }
    Ok(())
}

/// The same at the commit of a transaction.
pub(super) async fn notify_in(tx: &Tx) -> Result<()> {
    let sql = tx.sql(NOTIFY);
    if sql.backend() == DbBackend::Postgres {
        tx.execute(sql).await?;
    }
    Ok(())
}

/// Hears what [`notify`] says.
pub struct Listener(Option<PgListener>);

/// Begins to listen, on a connection of its own.
pub async fn listen(store: &Store) -> Result<Listener> {
    let Some(options) = &store.inner().connect else { return Ok(Listener(None)) };
    let pool = PgPoolOptions::new().max_connections(1).max_lifetime(None).idle_timeout(None);
    let mut listener = PgListener::connect_with(&pool.connect_with(options.clone()).await?).await?;
    listener.listen(CHANNEL).await?;
    Ok(Listener(Some(listener)))
}

impl Listener {
    /// Returns at the next notification, or when the connection was lost and is back (something may have been missed).
    /// On SQLite it never returns.
    pub async fn wait(&mut self) -> Result<()> {
        match &mut self.0 {
            Some(listener) => {
                listener.try_recv().await?;
                Ok(())
            }
            None => std::future::pending().await,
        }
    }
}
