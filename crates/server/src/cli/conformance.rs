//! `enterprise-mcp conformance`, in builds with that feature only.

use std::path::PathBuf;
use std::process::ExitCode;

use server::mcp::Fixtures;
use server::serve::asked_to_end;

/// Serves until it is told to end. The suite cannot send a key, so the listener adds it.
pub async fn run(file: Option<PathBuf>) -> anyhow::Result<ExitCode> {
    let server = Fixtures::serve(super::open(super::config(file)?, true).await?).await?;
    say!("{}/mcp", server.url());
    asked_to_end().await;
    server.stop().await;
    Ok(ExitCode::SUCCESS)
}
