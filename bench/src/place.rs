//! A database of its own for each server that is measured, so that none works on another's rows.

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, Connection, Executor};

/// A kind of database.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    Sqlite,
    Postgres,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Sqlite => "SQLite",
            Kind::Postgres => "PostgreSQL",
        })
    }
}

/// One database.
pub struct Place {
    pub kind: Kind,
    /// What opens it.
    pub url: String,
    /// On PostgreSQL.
    database: Option<Database>,
    file: PathBuf,
}

struct Database {
    admin: String,
    name: String,
}

impl Place {
    pub async fn empty(kind: Kind, folder: &Path, postgres: Option<&str>, name: &str) -> Result<Place> {
        let place = Place::named(kind, folder, postgres, name)?;
        if let Some(database) = &place.database {
            database.run(&format!("CREATE DATABASE {name}")).await?;
        }
        Ok(place)
    }

    pub async fn copy(&self, folder: &Path, postgres: Option<&str>, name: &str) -> Result<Place> {
        let copy = Place::named(self.kind, folder, postgres, name)?;
        match &self.database {
            None => copy_files(&self.file, &copy.file)?,
            Some(database) => {
                // A server that was killed a moment ago is still connected.
                let end = format!(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{}'",
                    database.name
                );
                database.run(&end).await?;
                database.run(&format!("CREATE DATABASE {name} TEMPLATE {}", database.name)).await?;
            }
        }
        Ok(copy)
    }

    /// Removes it with its rows.
    pub async fn remove(self) -> Result<()> {
        match &self.database {
            Some(database) => database.run(&format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", database.name)).await,
            None => {
                for file in files(&self.file).into_iter().filter(|file| file.exists()) {
                    std::fs::remove_file(file)?;
                }
                Ok(())
            }
        }
    }

    fn named(kind: Kind, folder: &Path, postgres: Option<&str>, name: &str) -> Result<Place> {
        let file = folder.join(format!("{name}.db"));
        if kind == Kind::Sqlite {
            return Ok(Place { kind, url: format!("sqlite://{}", file.display()), database: None, file });
        }
        let admin = postgres.context("there is no PostgreSQL server")?.to_owned();
        let (server, _) = admin.rsplit_once('/').context("TEST_POSTGRES_URL names no database")?;
        let url = format!("{server}/{name}");
        Ok(Place { kind, url, database: Some(Database { admin, name: name.to_owned() }), file })
    }
}

impl Database {
    async fn run(&self, sql: &str) -> Result<()> {
        let mut connection = PgConnection::connect_with(&self.admin.parse::<PgConnectOptions>()?).await?;
        connection.execute(AssertSqlSafe(sql.to_owned())).await.with_context(|| sql.to_owned())?;
        Ok(connection.close().await?)
    }
}

/// The database and what SQLite has not yet written back into it.
fn files(database: &Path) -> [PathBuf; 3] {
    ["", "-wal", "-shm"].map(|suffix| {
        let mut name = database.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    })
}

fn copy_files(from: &Path, to: &Path) -> Result<()> {
    // The third file is memory that is shared between processes; it is made anew.
    for (from, to) in files(from).into_iter().zip(files(to)).take(2) {
        if from.exists() {
            std::fs::copy(from, to)?;
        }
    }
    Ok(())
}
