//! `enterprise-mcp serve`

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use server::actor::DEFAULT_TENANT;
use server::config::LogFormat;
use server::identity::{keys, people};
use server::serve::{Server, asked_to_end};

pub async fn run(file: Option<PathBuf>) -> anyhow::Result<ExitCode> {
    let mut config = super::config(file)?;
    // A person at a terminal reads text; everything else reads JSON.
    if std::io::stderr().is_terminal() && config.log.level == "info" {
        config.log.format = LogFormat::Text;
        config.log.level = "warn".into();
    }
    let server = Server::start(super::open(config, true).await?).await?;
    welcome(&server, people::setup_link(&server.app, DEFAULT_TENANT).await?);
    tracing::info!(address = %server.address, "listening");
    asked_to_end().await;
    eprintln!("finishing running calls …");
    server.stop().await;
    Ok(ExitCode::SUCCESS)
}

/// Prints what a newcomer needs. A reader who has seen enough and closed the pipe ends nothing.
fn welcome(server: &Server, setup: Option<String>) {
    let _ = std::io::stdout().write_all(welcome_text(server, setup).as_bytes());
}

/// The address, the key, and configuration to paste.
fn welcome_text(server: &Server, setup: Option<String>) -> String {
    let app = &server.app;
    // With PORT=0 only the listener knows the port.
    let url = if app.config.server.public_url.is_some() { app.config.public_url() } else { server.url() };
    let key = keys::shown(app);
    let shown = key.as_deref().unwrap_or("YOUR_KEY");
    let key_line = key.as_deref().unwrap_or("the one in MCP_API_KEY, or make one: enterprise-mcp key create NAME");
    let data = if app.connections.own().is_sample() {
        "\n  Data     sample business (nothing is connected; to connect: enterprise-mcp connect <ecosystem>)"
    } else {
        ""
    };
    let owner = setup.map(|path| format!("\n  Owner    open {url}{path} within a day, once, to sign in as the owner"));
    let owner = owner.unwrap_or_default();
    format!(
        r#"{brand} is running.

  URL      {url}
  API key  {key_line}{owner}{data}

Connect an AI client:

  claude mcp add --transport http enterprise {url}/mcp --header "Authorization: Bearer {shown}"

  {{"mcpServers": {{"enterprise": {{"type": "http", "url": "{url}/mcp",
    "headers": {{"Authorization": "Bearer {shown}"}}}}}}}}

Clients that log in (claude mcp login, connectors on the web) need the address alone, once somebody can sign in.

Or ask by hand:

  curl -X POST {url}/mcp/run/contacts.search -H 'Authorization: Bearer {shown}' \
    -H 'Content-Type: application/json' -d '{{"query": "who is at acme supply"}}'

"#,
        brand = app.config.server.brand
    )
}
