//! `enterprise-mcp sync`

use std::path::PathBuf;
use std::process::ExitCode;

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use server::actor::Actor;
use server::calls::{self, Outcome, Progress, Request};

/// How much to copy.
#[derive(clap::Args)]
pub struct Options {
    /// Only what changed since the last time
    #[arg(long)]
    incremental: bool,
}

/// Syncs as the machine's owner, with a progress bar.
pub async fn run(file: Option<PathBuf>, options: Options) -> anyhow::Result<ExitCode> {
    let app = super::beside(super::config(file)?).await?;
    let bar = ProgressBar::new(0)
        .with_style(ProgressStyle::with_template("{msg:14} {wide_bar} {human_pos}/{human_len} {eta}")?);
    let shown = bar.clone();
    let progress = Progress::to(move |done, total, stream| {
        shown.set_message(stream.to_owned());
        shown.set_length(total.unwrap_or(done) as u64);
        shown.set_position(done as u64);
    });
    let mode = if options.incremental { "incremental" } else { "full" };
    let request = Request { progress, ..Request::new("gohighlevel.sync_all_contacts", json!({"mode": mode})) };
    let reply = calls::call(&app, &Actor::terminal(), request).await;
    bar.finish_and_clear();
    app.stop().await;
    match reply.map_err(|unknown| anyhow::anyhow!(unknown.message))?.outcome {
        Outcome::Done(done) => {
            println!("{}", done.data["message"].as_str().unwrap_or_default());
            for stream in done.data["streams"].as_array().into_iter().flatten() {
                println!("  {stream}");
            }
            Ok(ExitCode::SUCCESS)
        }
        Outcome::Failed(e) => anyhow::bail!(calls::explain(&e)),
        Outcome::Denied(reason) => anyhow::bail!("denied: {reason}"),
        Outcome::Pending(_) => anyhow::bail!("the policy wants a person to decide; see enterprise-mcp approvals list"),
    }
}
