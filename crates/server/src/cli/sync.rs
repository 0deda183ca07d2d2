//! `enterprise-mcp sync`

use std::path::PathBuf;
use std::process::ExitCode;

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use server::calls::{self, Outcome, Progress, Request};

/// How much to copy.
#[derive(clap::Args)]
pub struct Options {
    /// One ecosystem, such as quickbooks; all that are connected unless given
    ecosystem: Option<String>,
    /// Only what changed since the last time
    #[arg(long)]
    incremental: bool,
}

/// Syncs as the machine's owner, with a progress bar.
pub async fn run(file: Option<PathBuf>, tenant: &str, options: Options) -> anyhow::Result<ExitCode> {
    let app = super::beside(super::config(file)?).await?;
    let by = super::owner(&app, tenant).await?;
    let bar = ProgressBar::new(0)
        .with_style(ProgressStyle::with_template("{msg:14} {wide_bar} {human_pos}/{human_len} {eta}")?);
    let shown = bar.clone();
    let progress = Progress::to(move |done, total, stream| {
        shown.set_message(stream.to_owned());
        shown.set_length(total.unwrap_or(done) as u64);
        shown.set_position(done as u64);
    });
    let mode = if options.incremental { "incremental" } else { "full" };
    let arguments = json!({"mode": mode, "ecosystem": options.ecosystem});
    let request = Request { progress, ..Request::new("system.sync", arguments) };
    let reply = calls::call(&app, &by, request).await;
    bar.finish_and_clear();
    app.stop().await;
    match reply.map_err(|unknown| anyhow::anyhow!(unknown.message))?.outcome {
        Outcome::Done(done) => {
            let syncs = done.data["syncs"].as_array().cloned().unwrap_or_default();
            syncs.iter().for_each(show);
            let failed = syncs.iter().any(|sync| sync["state"] == "failed");
            Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
        }
        Outcome::Failed(e) => anyhow::bail!(calls::explain(&e)),
        Outcome::Denied(reason) => anyhow::bail!("denied: {reason}"),
        Outcome::Pending(_) => anyhow::bail!("the policy wants a person to decide; see enterprise-mcp approvals list"),
    }
}

fn show(sync: &Value) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    say!("{:<18} {}", text(&sync["ecosystem"]), text(&sync["message"]));
    for stream in sync["streams"].as_array().into_iter().flatten() {
        let counts = ["fetched", "created", "updated", "unchanged", "deleted"]
            .map(|count| format!("{} {count}", stream[count].as_u64().unwrap_or_default()));
        let trouble = [&stream["error"], &stream["skipped"]].map(text).concat();
        say!("  {:<16} {}  {trouble}", text(&stream["stream"]), counts.join(", "));
    }
}
