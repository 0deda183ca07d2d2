//! Opening the embedded database: one file, written by one connection.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sea_orm::SqlxSqliteConnector;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

use crate::open::{Backend, Inner, OpenOptions};
use crate::{Result, StoreError};

/// The file that a `sqlite:` address names.
pub(crate) fn path(url: &str) -> Option<PathBuf> {
    let rest = url.strip_prefix("sqlite://").or_else(|| url.strip_prefix("sqlite:"))?;
    let path = rest.split('?').next().unwrap_or_default();
    (!path.is_empty() && path != ":memory:").then(|| PathBuf::from(path))
}

pub(crate) async fn open(path: &Path, options: &OpenOptions) -> Result<Inner> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder {
        std::fs::create_dir_all(folder).map_err(|cause| {
            refused(folder, &cause.to_string(), "Create the folder, or name one that this user may write to")
        })?;
    }
    let lock = if options.exclusive { Some(lock(path)?) } else { None };
    let write = pool(path, options, 1, false).await?;
    assert_version(path, &write).await?;
    let read = pool(path, options, options.readers.max(1), true).await?;
    Ok(Inner {
        backend: Backend::Sqlite,
        place: path.display().to_string(),
        read: SqlxSqliteConnector::from_sqlx_sqlite_pool(read),
        write: SqlxSqliteConnector::from_sqlx_sqlite_pool(write),
        connect: None,
        pool: None,
        wall: Default::default(),
        wanted_wall: options.wall,
        _lock: lock,
    })
}

async fn pool(path: &Path, options: &OpenOptions, connections: u32, read_only: bool) -> Result<sqlx::SqlitePool> {
    let connect = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(!read_only)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(Duration::from_secs(10))
        .statement_cache_capacity(256)
        .pragma("temp_store", "memory")
        .pragma("query_only", if read_only { "1" } else { "0" });
    SqlitePoolOptions::new()
        .max_connections(connections)
        .min_connections(1)
        .acquire_timeout(options.acquire_timeout)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .connect_with(connect)
        .await
        .map_err(|error| explain(path, &error))
}

/// A second process on the same file would be correct but slow, and its audit would be a second chain; so it is
/// refused. The lock is the operating system's: it ends with the process, however that ends.
fn lock(path: &Path) -> Result<File> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let name = PathBuf::from(name);
    let file = File::options().create(true).truncate(false).write(true).open(&name).map_err(|cause| {
        refused(&name, &cause.to_string(), "Give this user the right to write there, or name another DATA_DIR")
    })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse { file: path.display().to_string() }),
        Err(TryLockError::Error(cause)) => {
            Err(refused(&name, &cause.to_string(), "The file system must support locks; a network drive may not"))
        }
    }
}

/// All versions before 3.51.3 can corrupt a database in WAL mode. Another crate may pull an older one in silently.
async fn assert_version(path: &Path, pool: &sqlx::SqlitePool) -> Result<()> {
    let version: String = sqlx::query_scalar("SELECT sqlite_version()").fetch_one(pool).await?;
    let number: Vec<u32> = version.split('.').filter_map(|part| part.parse().ok()).collect();
    if number >= vec![3, 51, 3] {
        return Ok(());
    }
    let cause = format!("this build contains SQLite {version}, which can lose data in WAL mode");
    Err(refused(path, &cause, "Build with libsqlite3-sys 0.37 or later (SQLite 3.51.3)"))
}

fn explain(path: &Path, error: &sqlx::Error) -> StoreError {
    let code = error.as_database_error().and_then(|error| error.code()).unwrap_or_default();
    match code.as_ref() {
        "26" => refused(path, "the file is not a SQLite database", "Name another file, or restore it from a backup"),
        "11" => refused(path, "the file is damaged", "Restore it from a backup"),
        "8" => refused(path, "the file is read-only", "Give this user the right to write to it and to its folder"),
        "14" => refused(
            path,
            "the file cannot be opened for reading and writing",
            "It must be a file, and this user must be allowed to write to it and to its folder",
        ),
        "13" => refused(path, "the disk is full", "Free some space"),
        "5" => refused(path, "the file is locked by another program", "Close that program"),
        _ => refused(path, &error.to_string(), "Check the file and its folder"),
    }
}

fn refused(path: &Path, cause: &str, cure: &str) -> StoreError {
    StoreError::Open { place: path.display().to_string(), cause: cause.to_owned(), cure: cure.to_owned() }
}
