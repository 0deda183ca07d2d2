//! `enterprise-mcp key`

use std::path::PathBuf;
use std::process::ExitCode;

use chrono::{DateTime, NaiveDate, Utc};
use server::actor::Scope;
use server::identity::keys::{self, NewKey};
use uuid::Uuid;

#[derive(clap::Subcommand)]
pub enum Command {
    /// Make a key and print it once
    Create {
        /// Who or what uses it
        name: String,
        /// What it may do: read, write, destroy, approve
        #[arg(long, value_delimiter = ',', default_value = "read,write,destroy", value_parser = scope)]
        scopes: Vec<Scope>,
        /// Whose tools it sees and calls, such as contacts,quickbooks; without it all
        #[arg(long, value_delimiter = ',')]
        toolsets: Option<Vec<String>>,
        /// Days until it expires; without it never
        #[arg(long, conflicts_with = "expires")]
        days: Option<i64>,
        /// The moment when it expires, 2027-01-31 or 2027-01-31T18:00:00Z
        #[arg(long, value_parser = moment)]
        expires: Option<DateTime<Utc>>,
    },
    /// Show all keys without their secrets
    List,
    /// End a key
    Revoke { id: Uuid },
}

fn scope(text: &str) -> Result<Scope, String> {
    Scope::parse(text).ok_or_else(|| format!("`{text}` is none of read, write, destroy, approve"))
}

fn moment(text: &str) -> Result<DateTime<Utc>, String> {
    let day = text.parse::<NaiveDate>().ok().and_then(|day| day.and_hms_opt(0, 0, 0)).map(|at| at.and_utc());
    day.or_else(|| text.parse().ok()).ok_or_else(|| format!("`{text}` is neither a day nor a moment (RFC 3339)"))
}

pub async fn run(file: Option<PathBuf>, tenant: &str, command: Command) -> anyhow::Result<ExitCode> {
    let app = super::beside(super::config(file)?).await?;
    let by = super::owner(&app, tenant).await?;
    match command {
        Command::Create { name, scopes, toolsets, days, expires } => {
            let expires_at = expires.or(days.map(|days| app.clock.now() + chrono::Duration::days(days)));
            let new = NewKey { name: name.clone(), scopes, toolsets, expires_at };
            let (id, key) = keys::make(&app, &by, &new).await?;
            say!("{key}");
            eprintln!("key {id} ({name}); it is not shown again");
        }
        Command::List => {
            for key in keys::list(&app, &by).await? {
                let state = match (key.revoked_at, key.expires_at) {
                    (Some(_), _) => "revoked".into(),
                    (None, Some(at)) if at <= app.clock.now() => "expired".into(),
                    (None, Some(at)) => format!("until {}", at.date_naive()),
                    (None, None) => "valid".to_owned(),
                };
                let toolsets = key.toolsets.as_ref().map_or_else(|| "all".into(), ToString::to_string);
                let used = key.last_used_at.map_or_else(|| "never used".into(), |at| format!("last used {at:.0?}"));
                say!("{}  {}…  {state:<8} {}  {toolsets}  {}  {used}", key.id, key.prefix, key.scopes, key.name);
            }
        }
        Command::Revoke { id } => {
            let revoked = keys::revoke(&app, &by, id).await?;
            say!("{}", if revoked { "revoked" } else { "there is no such valid key" });
        }
    }
    app.stop().await;
    Ok(ExitCode::SUCCESS)
}
