//! `enterprise-mcp migrate`

use std::path::PathBuf;
use std::process::ExitCode;

use store::{OpenOptions, Store};

pub async fn run(file: Option<PathBuf>) -> anyhow::Result<ExitCode> {
    let config = super::config(file)?;
    let store = Store::open(&config.database_url(), OpenOptions { migrate: true, ..OpenOptions::default() }).await?;
    say!("{} is up to date.", store.place());
    store.close().await?;
    Ok(ExitCode::SUCCESS)
}
