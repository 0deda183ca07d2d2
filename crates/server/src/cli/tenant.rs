//! `enterprise-mcp tenant`

use std::path::PathBuf;
use std::process::ExitCode;

use server::actor::Actor;
use server::tenants;

#[derive(clap::Subcommand)]
pub enum Command {
    /// Add a business, and print the link that makes its first owner
    Create {
        /// Small letters, digits and hyphens, such as acme-supply
        id: String,
        name: String,
    },
    /// Show all businesses
    List,
    /// Let a business answer nobody; its data stays
    Disable { id: String },
    /// Let a business answer again
    Enable { id: String },
}

pub async fn run(file: Option<PathBuf>, command: Command) -> anyhow::Result<ExitCode> {
    let app = super::beside(super::config(file)?).await?;
    let by = Actor::terminal();
    let done = match command {
        Command::Create { id, name } => {
            let link = tenants::create(&app, &by, &id, &name).await;
            link.map(|link| format!("{}{link}", app.config.public_url()))
        }
        Command::List => tenants::list(&app, &by).await.map(|all| {
            let line = |business: &store::tenants::Business| {
                let state = if business.disabled_at.is_some() { "disabled" } else { "active" };
                format!("{:<24} {:<9} since {:.0?}  {}", business.tenant_id, state, business.created_at, business.name)
            };
            all.iter().map(line).collect::<Vec<_>>().join("\n")
        }),
        Command::Disable { id } => {
            let done = tenants::set_disabled(&app, &by, &id, true).await;
            done.map(|()| format!("`{id}` is disabled. Running servers follow within five seconds."))
        }
        Command::Enable { id } => {
            let done = tenants::set_disabled(&app, &by, &id, false).await;
            done.map(|()| format!("`{id}` answers again."))
        }
    };
    app.stop().await;
    say!("{}", done?);
    Ok(ExitCode::SUCCESS)
}
