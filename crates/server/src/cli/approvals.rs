//! `enterprise-mcp approvals`

use std::path::PathBuf;
use std::process::ExitCode;

use server::approvals::{self, Verdict};
use uuid::Uuid;

#[derive(clap::Subcommand)]
pub enum Command {
    /// Show what waits and what was decided lately
    List,
    /// Let the call happen, once, exactly as it was asked
    Approve { id: Uuid },
    /// Ask for something else instead; then it can be approved
    Modify {
        id: Uuid,
        /// The arguments, as JSON
        arguments: serde_json::Value,
    },
    /// Refuse it
    Reject {
        id: Uuid,
        /// Why, for the record and the agent
        #[arg(long)]
        note: Option<String>,
    },
}

/// Decides as the machine's owner. A running server carries out what was approved.
pub async fn run(file: Option<PathBuf>, tenant: &str, command: Command) -> anyhow::Result<ExitCode> {
    let app = super::beside(super::config(file)?).await?;
    let by = super::owner(&app, tenant).await?;
    let (id, verdict, note) = match command {
        Command::List => {
            for approval in approvals::list(&app, &by).await? {
                let arguments = sdk::text::revealed(&approval.arguments.to_string());
                say!("{}  {:<9} {}  {arguments}", approval.approval_id, approval.state, approval.tool);
            }
            app.stop().await;
            return Ok(ExitCode::SUCCESS);
        }
        Command::Modify { id, arguments } => {
            let modified = approvals::modify(&app, &by, id, arguments, None).await;
            app.stop().await;
            say!("{id}: {}", modified?.arguments);
            return Ok(ExitCode::SUCCESS);
        }
        Command::Approve { id } => (id, Verdict::Approve, None),
        Command::Reject { id, note } => (id, Verdict::Reject, note),
    };
    let decided = approvals::decide(&app, &by, id, verdict, note).await;
    app.stop().await;
    say!("{}: {}", id, decided?.state);
    Ok(ExitCode::SUCCESS)
}
