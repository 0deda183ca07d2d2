use sea_orm::{DbErr, RuntimeErr, SqlErr};

/// What can go wrong between us and the database. The messages name the file or the address (never a password) and
/// what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The address is not one that we understand.
    #[error("DATABASE_URL {url:?} is not understood: {cure}")]
    Address { url: String, cure: String },
    /// The file or the server could not be opened.
    #[error("cannot open the database {place}: {cause}. {cure}")]
    Open { place: String, cause: String, cure: String },
    /// Another process has this SQLite file open for itself.
    #[error(
        "the database {file} is in use by another enterprise-mcp process. \
         Stop that one first, or give this one its own DATA_DIR or DATABASE_URL"
    )]
    InUse { file: String },
    /// A newer version has changed the schema.
    #[error(
        "the database {place} was written by a newer version of enterprise-mcp (it knows {unknown}). \
         Start that version or a later one, or restore the backup that was made before the upgrade"
    )]
    Newer { place: String, unknown: String },
    /// The schema is older than this version and nobody asked to change it.
    #[error("the database {place} needs {count} migrations. Run `enterprise-mcp migrate`")]
    Older { place: String, count: usize },
    /// A cursor that none of our answers contained.
    #[error("the cursor {0:?} is not one that was given out; ask again without a cursor")]
    Cursor(String),
    /// A value in the database does not have the shape that this version expects.
    #[error("unexpected value in the database: {0}")]
    Decode(String),
    /// Everything else that the database says.
    #[error("database: {0}")]
    Database(#[from] DbErr),
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(DbErr::Query(RuntimeErr::SqlxError(error.into())))
    }
}

impl StoreError {
    /// Whether the row already exists under the same unique key.
    pub fn is_duplicate(&self) -> bool {
        let Self::Database(error) = self else { return false };
        matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_)))
    }

    /// Whether the database refused the values themselves, so that the same statement can never succeed.
    pub fn is_final(&self) -> bool {
        let Self::Database(DbErr::Exec(RuntimeErr::SqlxError(error)) | DbErr::Query(RuntimeErr::SqlxError(error))) =
            self
        else {
            return false;
        };
        let Some(code) = error.as_database_error().and_then(|error| error.code()) else { return false };
        // SQLite: constraint, too big, mismatch, each with extended codes. PostgreSQL: five letters and digits, of which
        // the first two are the class; data and integrity.
        match code.parse::<u32>() {
            Ok(number) if code.len() < 5 => [18, 19, 20].contains(&(number & 0xff)),
            _ => code.starts_with("22") || code.starts_with("23"),
        }
    }

    /// Whether the same statement may well succeed in a moment: the server is restarting, the pool is empty, or a lock
    /// was not granted in time.
    pub fn is_temporary(&self) -> bool {
        let Self::Database(error) = self else { return false };
        match error {
            DbErr::ConnectionAcquire(_) | DbErr::Conn(_) => true,
            DbErr::Exec(RuntimeErr::SqlxError(error)) | DbErr::Query(RuntimeErr::SqlxError(error)) => {
                is_temporary(error)
            }
            _ => false,
        }
    }
}

fn is_temporary(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::WorkerCrashed => true,
        // SQLite: busy, locked. PostgreSQL: connection failure, shutdown, serialization failure, deadlock.
        sqlx::Error::Database(error) => error.code().is_some_and(|code| {
            ["5", "6", "57P01", "57P02", "57P03", "40001", "40P01"].contains(&code.as_ref()) || code.starts_with("08")
        }),
        _ => false,
    }
}
