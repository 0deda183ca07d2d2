//! `enterprise-mcp tools`

use std::path::PathBuf;
use std::process::ExitCode;

pub async fn run(file: Option<PathBuf>) -> anyhow::Result<ExitCode> {
    let app = super::beside(super::config(file)?).await?;
    for entry in app.tools.iter() {
        say!("{:<36} {:<12} {}", entry.id, entry.spec.effect.as_str(), first_sentence(&entry.spec.description));
    }
    app.stop().await;
    Ok(ExitCode::SUCCESS)
}

fn first_sentence(text: &str) -> &str {
    text.split_inclusive(['.', '\n']).next().unwrap_or_default().trim_end()
}
