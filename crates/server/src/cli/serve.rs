//! `enterprise-mcp serve`

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;

use server::config::LogFormat;
use server::identity::keys;
use server::serve::{Server, asked_to_end};

pub async fn run(file: Option<PathBuf>) -> anyhow::Result<ExitCode> {
    let mut config = super::config(file)?;
    // A person at a terminal reads text; everything else reads JSON.
    if std::io::stderr().is_terminal() && config.log.level == "info" {
        config.log.format = LogFormat::Text;
        config.log.level = "warn".into();
    }
    let server = Server::start(super::open(config, true).await?).await?;
    welcome(&server);
    tracing::info!(address = %server.address, "listening");
    asked_to_end().await;
    eprintln!("finishing running calls …");
    server.stop().await;
    Ok(ExitCode::SUCCESS)
}

/// What a newcomer needs: the address, the key, and configuration to paste.
fn welcome(server: &Server) {
    let app = &server.app;
    // With PORT=0 only the listener knows the port.
    let url = if app.config.server.public_url.is_some() { app.config.public_url() } else { server.url() };
    let key = keys::shown(app);
    let shown = key.as_deref().unwrap_or("YOUR_KEY");
    println!("{} is running.\n", app.config.server.brand);
    println!("  URL      {url}");
    match &key {
        Some(key) => println!("  API key  {key}"),
        None => println!("  API key  the one in MCP_API_KEY, or make one: enterprise-mcp key create NAME"),
    }
    if app.connections.is_sample() {
        println!("  Data     sample business (nothing is connected; set GHL_API_KEY and GHL_LOCATION_ID to connect)");
    }
    println!("\nConnect an AI client:\n");
    println!("  claude mcp add --transport http enterprise {url}/mcp --header \"Authorization: Bearer {shown}\"\n");
    println!("  {{\"mcpServers\": {{\"enterprise\": {{\"type\": \"http\", \"url\": \"{url}/mcp\",");
    println!("    \"headers\": {{\"Authorization\": \"Bearer {shown}\"}}}}}}}}\n");
    println!("Or ask by hand:\n");
    println!("  curl -X POST {url}/mcp/run/contacts.search -H 'Authorization: Bearer {shown}' \\");
    println!("    -H 'Content-Type: application/json' -d '{{\"query\": \"who is at acme supply\"}}'\n");
}
