//! `enterprise-mcp key`

use std::path::PathBuf;
use std::process::ExitCode;

use server::actor::{Actor, DEFAULT_TENANT, Scope};
use server::identity::keys;
use uuid::Uuid;

#[derive(clap::Subcommand)]
pub enum Command {
    /// Make a key and print it once
    Create {
        /// Who or what uses it
        name: String,
        /// What it may do: read, write, approve
        #[arg(long, value_delimiter = ',', default_value = "read,write", value_parser = scope)]
        scopes: Vec<Scope>,
        /// Days until it expires; without it never
        #[arg(long)]
        days: Option<i64>,
    },
    /// Show all keys without their secrets
    List,
    /// End a key
    Revoke { id: Uuid },
}

fn scope(text: &str) -> Result<Scope, String> {
    Scope::parse(text).ok_or_else(|| format!("`{text}` is none of read, write, approve"))
}

pub async fn run(file: Option<PathBuf>, command: Command) -> anyhow::Result<ExitCode> {
    let app = super::beside(super::config(file)?).await?;
    match command {
        Command::Create { name, scopes, days } => {
            let expires = days.map(|days| app.clock.now() + chrono::Duration::days(days));
            let (id, key) = keys::create(&app, &Actor::terminal(), &name, &scopes, expires).await?;
            say!("{key}");
            eprintln!("key {id} ({name}); it is not shown again");
        }
        Command::List => {
            for key in store::api_keys::list(&app.store.tenant(DEFAULT_TENANT)).await? {
                let state = if key.revoked_at.is_some() { "revoked" } else { "valid" };
                let used = key.last_used_at.map_or_else(|| "never used".into(), |at| format!("last used {at:.0?}"));
                say!("{}  {}…  {:<8} {}  {}  {used}", key.id, key.prefix, state, key.scopes, key.name);
            }
        }
        Command::Revoke { id } => {
            let revoked = keys::revoke(&app, &Actor::terminal(), id).await?;
            say!("{}", if revoked { "revoked" } else { "there is no such valid key" });
        }
    }
    app.stop().await;
    Ok(ExitCode::SUCCESS)
}
