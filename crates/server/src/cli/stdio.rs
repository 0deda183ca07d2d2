//! `enterprise-mcp stdio`

use std::path::PathBuf;
use std::process::ExitCode;

use server::actor::Actor;
use server::serve::asked_to_end;

/// Serves until the client closes stdin. Nothing but MCP is written to stdout.
pub async fn run(file: Option<PathBuf>, tenant: &str) -> anyhow::Result<ExitCode> {
    let app = super::open_patiently(super::config(file)?).await?;
    super::owner(&app, tenant).await?;
    app.start().await?;
    let shutdown = app.shutdown.clone();
    tokio::spawn(async move {
        asked_to_end().await;
        shutdown.cancel();
    });
    server::mcp::stdio(app.clone(), Actor::stdio().of(tenant)).await?;
    app.stop().await;
    Ok(ExitCode::SUCCESS)
}
