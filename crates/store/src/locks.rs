//! Locks between processes: what one of them at a time may do, whichever replica it is. A lock ends with its holder,
//! however that ends.

use std::fs::{File, TryLockError};

use sha2::{Digest, Sha256};
use sqlx::Connection;
use sqlx::postgres::PgConnection;

use crate::{Backend, Result, Store, StoreError};

/// A lock that is held until this value is dropped.
pub struct Guard {
    /// The operating system's lock on a file beside the embedded database.
    _file: Option<File>,
    /// A session's advisory lock; the session ends with the connection.
    _session: Option<PgConnection>,
}

/// Takes the lock of this name; None: somebody has it.
pub async fn try_lock(store: &Store, name: &str) -> Result<Option<Guard>> {
    let number = Sha256::digest(name);
    let number: [u8; 8] = number[..8].try_into().unwrap_or_default();
    match store.backend() {
        Backend::Sqlite => file(store, &hex(&number)),
        Backend::Postgres => session(store, i64::from_be_bytes(number)).await,
    }
}

fn file(store: &Store, name: &str) -> Result<Option<Guard>> {
    let path = format!("{}.{name}.lock", store.place());
    let failed = |cause: std::io::Error| StoreError::Open {
        place: path.clone(),
        cause: cause.to_string(),
        cure: "Give this user the right to write there".into(),
    };
    let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(Guard { _file: Some(file), _session: None })),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(cause)) => Err(failed(cause)),
    }
}

async fn session(store: &Store, number: i64) -> Result<Option<Guard>> {
    let Some(options) = &store.inner().connect else { return Err(sqlx::Error::PoolClosed.into()) };
    let mut connection = PgConnection::connect_with(options).await?;
    let taken: bool =
        sqlx::query_scalar("SELECT pg_try_advisory_lock($1)").bind(number).fetch_one(&mut connection).await?;
    Ok(taken.then(|| Guard { _file: None, _session: Some(connection) }))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
