//! `enterprise-mcp`: the one binary.

mod cli;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// An agent-driven operating system for a small business: MCP and REST over the systems it runs on.
#[derive(Parser)]
#[command(name = "enterprise-mcp", version, arg_required_else_help = false)]
struct Arguments {
    /// Settings in TOML; without it ./enterprise-mcp.toml where there is one. The environment and
    /// ./.env override it.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The business that the command is about, in an installation of several
    #[arg(long, global = true, value_name = "ID", default_value = server::actor::DEFAULT_TENANT)]
    tenant: String,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Start the server (the default)
    Serve,
    /// Serve one local MCP client over stdin and stdout
    Stdio,
    /// Connect an account: prove its credentials and keep them sealed
    Connect(cli::connect::Options),
    /// End a connection: revoke it at the vendor and wipe it here
    Disconnect(cli::connect::Target),
    /// Show every connection and how it fares
    Connections,
    /// Change the keys that secrets are sealed with
    #[command(subcommand)]
    Vault(cli::vault::Command),
    /// Copy the business into the local brain now
    Sync(cli::sync::Options),
    /// Call one tool from the terminal
    Call(cli::call::Options),
    /// List the tools
    Tools,
    /// Look at the record of all calls, or prove that it is unchanged
    #[command(subcommand)]
    Audit(cli::audit::Command),
    /// See and decide what agents asked for
    #[command(subcommand)]
    Approvals(cli::approvals::Command),
    /// Write the rules of what is allowed, asked and denied, and try them
    #[command(subcommand)]
    Policy(cli::policy::Command),
    /// Invite people, give them roles, and let them in again
    #[command(subcommand)]
    User(cli::user::Command),
    /// Show and cut off the AI clients that people let in
    #[command(subcommand)]
    Client(cli::client::Command),
    /// Add businesses to this installation, disable and enable them
    #[command(subcommand)]
    Tenant(cli::tenant::Command),
    /// Make, list and revoke API keys
    #[command(subcommand)]
    Key(cli::key::Command),
    /// Say in plain words what is configured, reachable and stale
    Doctor,
    /// Bring the database's schema up to date
    Migrate,
    /// Start only the simulated vendors, for other clients
    Sandbox(cli::sandbox::Options),
    /// Serve what the protocol's conformance suite asks for beside the real tools
    #[cfg(feature = "conformance")]
    #[command(hide = true)]
    Conformance,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(e) => return fail(&anyhow::anyhow!("the runtime could not be started: {e}")),
    };
    match runtime.block_on(run(arguments)) {
        Ok(code) => code,
        Err(e) => fail(&e),
    }
}

async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let (file, tenant) = (arguments.config, arguments.tenant);
    match arguments.command.unwrap_or(Command::Serve) {
        Command::Serve => cli::serve::run(file).await,
        Command::Stdio => cli::stdio::run(file, &tenant).await,
        Command::Connect(options) => cli::connect::run(file, &tenant, options).await,
        Command::Disconnect(target) => cli::connect::disconnect(file, &tenant, target).await,
        Command::Connections => cli::connect::list(file, &tenant).await,
        Command::Vault(command) => cli::vault::run(file, &tenant, command).await,
        Command::Sync(options) => cli::sync::run(file, &tenant, options).await,
        Command::Call(options) => cli::call::run(file, &tenant, options).await,
        Command::Tools => cli::tools::run(file).await,
        Command::Audit(command) => cli::audit::run(file, &tenant, command).await,
        Command::Approvals(command) => cli::approvals::run(file, &tenant, command).await,
        Command::Policy(command) => cli::policy::run(file, &tenant, command).await,
        Command::User(command) => cli::user::run(file, &tenant, command).await,
        Command::Client(command) => cli::client::run(file, &tenant, command).await,
        Command::Tenant(command) => cli::tenant::run(file, command).await,
        Command::Key(command) => cli::key::run(file, &tenant, command).await,
        Command::Doctor => cli::doctor::run(file, &tenant).await,
        Command::Migrate => cli::migrate::run(file).await,
        Command::Sandbox(options) => cli::sandbox::run(options).await,
        #[cfg(feature = "conformance")]
        Command::Conformance => cli::conformance::run(file).await,
    }
}

/// One line a person can act on; the causes below it.
fn fail(error: &anyhow::Error) -> ExitCode {
    eprintln!("error: {error}");
    let mut last = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !last.contains(&cause) {
            eprintln!("  because: {cause}");
        }
        last = cause;
    }
    ExitCode::FAILURE
}
