//! `enterprise-mcp client`

use std::path::PathBuf;
use std::process::ExitCode;

use server::identity::oauth::{self, ConnectedClient};

#[derive(clap::Subcommand)]
pub enum Command {
    /// Show the AI clients that people let in
    List,
    /// Cut a client off; its next call is refused within seconds
    Revoke { id: String },
}

pub async fn run(file: Option<PathBuf>, tenant: &str, command: Command) -> anyhow::Result<ExitCode> {
    let app = super::beside(super::config(file)?).await?;
    let by = super::owner(&app, tenant).await?;
    let done = match command {
        Command::List => oauth::list(&app, &by).await.map(|clients| clients.iter().map(line).collect::<Vec<_>>()),
        Command::Revoke { id } => oauth::revoke(&app, &by, &id).await.map(|()| vec!["cut off".into()]),
    };
    app.stop().await;
    for line in done? {
        say!("{line}");
    }
    Ok(ExitCode::SUCCESS)
}

fn line(client: &ConnectedClient) -> String {
    let used = client.last_used_at.map_or_else(|| "never used".into(), |at| format!("last used {at:.0?}"));
    let (scopes, back) = (client.scopes.join(","), client.redirects.join(", "));
    format!("{}  {}  for {}  {scopes}  answers at {back}  {used}", client.id, client.name, client.person)
}
