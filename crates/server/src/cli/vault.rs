//! `enterprise-mcp vault`

use std::path::PathBuf;
use std::process::ExitCode;

use server::connections;

#[derive(clap::Subcommand)]
pub enum Command {
    /// Seal all secrets anew with a new key
    Rotate {
        /// Make a new master key too; it takes the old one's place in DATA_DIR/master.key
        #[arg(long)]
        master: bool,
    },
}

pub async fn run(file: Option<PathBuf>, tenant: &str, command: Command) -> anyhow::Result<ExitCode> {
    let Command::Rotate { master } = command;
    let app = super::beside(super::config(file)?).await?;
    let by = super::owner(&app, tenant).await?;
    let outcome = connections::rotate(&app, &by, tenant, master).await;
    app.stop().await;
    say!("{} secrets were sealed anew.", outcome?);
    Ok(ExitCode::SUCCESS)
}
