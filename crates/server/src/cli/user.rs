//! `enterprise-mcp user`

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use server::actor::{Actor, Role};
use server::app::App;
use server::identity::people;
use store::people::{Change, Person};

#[derive(clap::Subcommand)]
pub enum Command {
    /// Show everybody who may sign in
    List,
    /// Print the link that makes the first owner
    Setup,
    /// Add somebody, and print the link that sets the password
    Invite {
        email: String,
        name: String,
        /// owner, admin, operator or viewer
        #[arg(long, default_value = "viewer", value_parser = role)]
        role: Role,
    },
    /// Give somebody another role
    Role {
        email: String,
        #[arg(value_parser = role)]
        role: Role,
    },
    /// Let somebody in no more; open sessions end
    Disable { email: String },
    /// Let somebody in again
    Enable { email: String },
    /// Print a new link for somebody who has lost the password
    Link { email: String },
    /// Remove the second factor of somebody who has lost it
    RemoveSecondFactor { email: String },
}

fn role(text: &str) -> Result<Role, String> {
    Role::parse(text).ok_or_else(|| format!("`{text}` is none of owner, admin, operator, viewer"))
}

pub async fn run(file: Option<PathBuf>, tenant: &str, command: Command) -> anyhow::Result<ExitCode> {
    let app = super::beside(super::config(file)?).await?;
    let by = super::owner(&app, tenant).await?;
    let done = carry_out(&app, &by, command).await;
    app.stop().await;
    say!("{}", done?);
    Ok(ExitCode::SUCCESS)
}

async fn carry_out(app: &Arc<App>, by: &Actor, command: Command) -> anyhow::Result<String> {
    let url = app.config.public_url();
    Ok(match command {
        Command::List => people::list(app, by).await?.iter().map(line).collect::<Vec<_>>().join("\n"),
        Command::Setup => {
            let link =
                people::setup_link(app, &by.tenant).await?.context("there is somebody already; use invite or link")?;
            format!("{url}{link}")
        }
        Command::Invite { email, name, role } => {
            format!("{url}{}", people::invite(app, by, &email, &name, role).await?.1)
        }
        Command::Role { email, role } => {
            changed(app, by, &email, Change { role: Some(role.as_str().into()), ..Change::default() }).await?
        }
        Command::Disable { email } => {
            changed(app, by, &email, Change { disabled: Some(true), ..Change::default() }).await?
        }
        Command::Enable { email } => {
            changed(app, by, &email, Change { disabled: Some(false), ..Change::default() }).await?
        }
        Command::Link { email } => {
            format!("{url}{}", people::reset_link(app, by, find(app, by, &email).await?.id).await?)
        }
        Command::RemoveSecondFactor { email } => {
            people::remove_second_factor(app, by, find(app, by, &email).await?.id, None).await?;
            "removed".into()
        }
    })
}

async fn changed(app: &Arc<App>, by: &Actor, email: &str, change: Change) -> anyhow::Result<String> {
    let person = people::change(app, by, find(app, by, email).await?.id, change).await?;
    Ok(line(&person))
}

async fn find(app: &Arc<App>, by: &Actor, email: &str) -> anyhow::Result<Person> {
    let everybody = people::list(app, by).await?;
    let wanted = email.trim().to_lowercase();
    everybody.into_iter().find(|person| person.email == wanted).with_context(|| format!("there is nobody with {email}"))
}

fn line(person: &Person) -> String {
    let state = match (&person.disabled_at, &person.password_hash) {
        (Some(_), _) => "disabled",
        (_, None) => "invited",
        _ => "active",
    };
    let factor = if person.totp_since.is_some() { "  second factor" } else { "" };
    let seen = person.last_login_at.map_or_else(|| "never signed in".into(), |at| format!("last signed in {at:.0?}"));
    format!("{:<9} {:<8} {}  {}  {seen}{factor}", person.role, state, person.email, person.name)
}
