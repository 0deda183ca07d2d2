//! `enterprise-mcp audit`

use std::path::PathBuf;
use std::process::ExitCode;

use chrono::{DateTime, Utc};
use serde_json::Value;
use server::audit::ends::Ends;
use server::clock::Clock;
use server::vault::Vault;
use store::audit::ExecutionFilter;
use store::chain::Finding;
use store::{OpenOptions, Store, Tenant};
use uuid::Uuid;

#[derive(clap::Subcommand)]
pub enum Command {
    /// Prove that no record was changed, removed, inserted or moved
    Verify,
    /// Show the newest calls
    List {
        #[arg(long, default_value_t = 20)]
        limit: u64,
        /// Only calls of this tool
        #[arg(long)]
        tool: Option<String>,
        /// Only calls that ended so: success, error, timeout, denied, pending_approval
        #[arg(long)]
        status: Option<String>,
    },
    /// Show one call with all that belongs to it: what was sent and answered, the requests to the vendor, the events
    Show {
        /// The execution id of an answer, or of `audit list`
        id: Uuid,
    },
    /// Show what is kept of the days whose records were let go
    Days {
        #[arg(long, default_value_t = 50)]
        limit: u64,
    },
}

pub async fn run(file: Option<PathBuf>, tenant: &str, command: Command) -> anyhow::Result<ExitCode> {
    let config = super::config(file)?;
    let wall = config.tenants.wall.into();
    let options = OpenOptions { migrate: false, exclusive: false, wall, ..OpenOptions::default() };
    let store = Store::open(&config.database_url(), options).await?;
    let code = match command {
        Command::Verify => verify(&store, &Vault::new(&config, &Clock::system())?, &Ends::read(&config)?).await?,
        Command::Show { id } => show(&store.tenant(tenant), id).await?,
        Command::Days { limit } => days(&store.tenant(tenant), limit).await?,
        Command::List { limit, tool, status } => list(&store.tenant(tenant), limit, tool, status).await?,
    };
    store.close().await?;
    Ok(code)
}

async fn verify(store: &Store, vault: &Vault, ends: &Ends) -> anyhow::Result<ExitCode> {
    let report = server::audit::verify(store, vault, ends).await?;
    for finding in &report.findings {
        say!("{}", serde_json::to_string(finding)?);
    }
    if ends.is_empty() {
        say!("No ends are noted in {}; what was cut together with its end cannot be seen.", ends.path().display());
    }
    if report.is_sound() {
        say!("{} records of {} writers: unchanged.", report.records, report.writers);
        return Ok(ExitCode::SUCCESS);
    }
    if report.findings.iter().any(|finding| matches!(finding, Finding::NotAsNoted { .. })) {
        say!("If you have put an older database back yourself, remove {} and verify again.", ends.path().display());
    }
    say!("{} records of {} writers: {} findings.", report.records, report.writers, report.findings_total);
    Ok(ExitCode::FAILURE)
}

async fn days(tenant: &Tenant, limit: u64) -> anyhow::Result<ExitCode> {
    for sum in store::audit::days(tenant, limit).await? {
        let each = sum.duration_ms / sum.calls.max(1);
        say!("{}  {:<16} {:>9} calls {:>7} ms each  {}", sum.day, sum.status, sum.calls, each, sum.tool_name);
    }
    Ok(ExitCode::SUCCESS)
}

async fn show(tenant: &Tenant, id: Uuid) -> anyhow::Result<ExitCode> {
    let Some(call) = store::audit::get(tenant, id).await? else {
        anyhow::bail!("there is no call {id} on record; it may have been let go");
    };
    let json = |value: &Value| serde_json::to_string_pretty(value).map(|text| sdk::text::revealed(&text));
    say!("{}  {}  {}, {} ms", at(call.timestamp), call.tool_name, call.status, call.duration_ms);
    say!("by {}", json(&call.user_context)?);
    say!("with {}", json(&call.params)?);
    if let Some(error) = &call.error_message {
        say!("error: {error}");
    }
    if let Some(response) = &call.response {
        say!("answered {}", json(response)?);
    }
    for event in store::audit::events_of(tenant, id).await? {
        say!("{}  {}  {}", at(event.timestamp), event.event, event.detail);
    }
    for request in store::audit::api_calls_of(tenant, id).await? {
        let status = request.status_code.map_or_else(|| "no answer".to_owned(), |status| status.to_string());
        let error = request.error.unwrap_or_default();
        let (when, what) = (at(request.timestamp), format!("{} {}", request.method, request.endpoint));
        say!("{when}  {what}  {status}, {} ms, attempt {}  {error}", request.latency_ms, request.attempt);
    }
    Ok(ExitCode::SUCCESS)
}

fn at(moment: DateTime<Utc>) -> String {
    moment.format("%Y-%m-%d %H:%M:%S%.3f").to_string()
}

async fn list(tenant: &Tenant, limit: u64, tool: Option<String>, status: Option<String>) -> anyhow::Result<ExitCode> {
    let filter = ExecutionFilter { tool, status, ..ExecutionFilter::default() };
    for row in store::audit::list(tenant, &filter, limit, None).await?.rows {
        let who = row.user_context["name"].as_str().unwrap_or_default();
        say!(
            "{}  {}  {:<16} {:>7} ms  {:<34} {who}  {}",
            at(row.timestamp),
            row.id,
            row.status,
            row.duration_ms,
            row.tool_name,
            row.error_message.unwrap_or_default(),
        );
    }
    for intent in store::audit::open_intents(tenant, None, chrono::DateTime::<chrono::Utc>::MAX_UTC, 100).await? {
        say!("{}  outcome unknown          {}", at(intent.timestamp), intent.detail["tool"]);
    }
    Ok(ExitCode::SUCCESS)
}
