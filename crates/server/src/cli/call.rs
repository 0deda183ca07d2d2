//! `enterprise-mcp call`

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use server::calls::{self, Outcome, Request};

/// One tool and its arguments.
#[derive(clap::Args)]
pub struct Options {
    /// The tool, such as contacts.search
    tool: String,
    /// Its arguments as a JSON object
    #[arg(default_value = "{}")]
    arguments: String,
}

/// Calls as the machine's owner and prints the answer as JSON.
pub async fn run(file: Option<PathBuf>, tenant: &str, options: Options) -> anyhow::Result<ExitCode> {
    let arguments = serde_json::from_str(&options.arguments).context("the arguments are not JSON")?;
    let app = super::beside(super::config(file)?).await?;
    let by = super::owner(&app, tenant).await?;
    let reply = calls::call(&app, &by, Request::new(options.tool, arguments)).await;
    app.stop().await;
    let reply = reply.map_err(|unknown| anyhow::anyhow!(unknown.message))?;
    match reply.outcome {
        Outcome::Done(done) => {
            say!("{}", serde_json::to_string_pretty(&done.data)?);
            eprintln!("source: {}, execution {}", done.source.as_str(), reply.execution_id);
            done.notes.iter().for_each(|note| eprintln!("note: {note}"));
            Ok(ExitCode::SUCCESS)
        }
        Outcome::Pending(pending) => {
            say!("{}", serde_json::to_string_pretty(&pending.for_agent())?);
            Ok(ExitCode::SUCCESS)
        }
        Outcome::Denied(reason) => anyhow::bail!("denied: {reason}"),
        Outcome::Failed(e) => anyhow::bail!(calls::explain(&e)),
    }
}
