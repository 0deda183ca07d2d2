//! What every part of the measurement needs, and the list of what had to be kept.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::place::{Kind, Place};
use crate::table::Table;

/// One run of the measurement.
pub struct Bench {
    pub quick: bool,
    pub large: bool,
    /// The server that is measured.
    pub binary: PathBuf,
    pub http: reqwest::Client,
    folder: TempDir,
    /// The address of a PostgreSQL server on which databases may be made.
    postgres: Option<String>,
    limits: Table,
    places: u32,
    begun: Instant,
}

impl Bench {
    /// Builds the server unless one is given.
    #[expect(
        clippy::disallowed_methods,
        reason = "this program has no configuration but its arguments and this variable"
    )]
    pub fn new(quick: bool, large: bool, binary: Option<PathBuf>) -> Result<Bench> {
        let binary = match binary {
            Some(binary) => binary,
            None => build()?,
        };
        let postgres = std::env::var("TEST_POSTGRES_URL").ok().filter(|url| !url.is_empty());
        if postgres.is_none() {
            println!("TEST_POSTGRES_URL is not set: measured on SQLite alone\n");
        }
        let limits = Table::new("What had to be kept", &["what", "measured", "limit", ""]);
        let (http, folder) = (server::app::client()?, tempfile::tempdir()?);
        Ok(Bench { quick, large, binary, http, folder, postgres, limits, places: 0, begun: Instant::now() })
    }

    /// The databases that there are to measure on.
    pub fn kinds(&self) -> Vec<Kind> {
        let mut kinds = vec![Kind::Sqlite];
        kinds.extend(self.postgres.as_ref().map(|_| Kind::Postgres));
        kinds
    }

    /// An empty database of its own.
    pub async fn place(&mut self, kind: Kind) -> Result<Place> {
        let name = self.name();
        Place::empty(kind, self.folder.path(), self.postgres.as_deref(), &name).await
    }

    /// A database with the same rows; nobody may be connected to the first.
    pub async fn copy(&mut self, place: &Place) -> Result<Place> {
        let name = self.name();
        place.copy(self.folder.path(), self.postgres.as_deref(), &name).await
    }

    /// Where processes may leave files.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Notes a limit. `better` of the measured number is less.
    pub fn limit(&mut self, what: impl Into<String>, measured: f64, limit: f64, unit: &str) {
        let verdict = if measured <= limit { "kept" } else { "MISSED" };
        let number = |value: f64| format!("{value:.2}{unit}");
        self.limits.row([what.into(), number(measured), format!("≤ {}", number(limit)), verdict.into()]);
    }

    /// Tells which limits were kept.
    pub fn conclude(&self) {
        self.limits.print();
        println!("{} processors, {:.0} s", processors(), self.begun.elapsed().as_secs_f64());
    }

    fn name(&mut self) -> String {
        self.places += 1;
        format!("bench_{}_{}", std::process::id(), self.places)
    }
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Builds the server in the profile of this program and says where it is.
fn build() -> Result<PathBuf> {
    let folder = std::env::current_exe()?.parent().map(Path::to_owned).context("this program is in no folder")?;
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--locked", "--package", "enterprise-mcp-server", "--bin", "enterprise-mcp"]);
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    ensure!(cargo.current_dir(env!("CARGO_MANIFEST_DIR")).status()?.success(), "the server could not be built");
    Ok(folder.join("enterprise-mcp"))
}
