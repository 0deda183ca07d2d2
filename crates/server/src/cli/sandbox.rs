//! `enterprise-mcp sandbox`

use std::process::ExitCode;
use std::time::Duration;

use server::clock::Clock;
use server::serve::asked_to_end;

/// The simulated business.
#[derive(clap::Args)]
pub struct Options {
    /// Where to listen
    #[arg(long, default_value_t = 8100)]
    port: u16,
    /// The same seed makes the same business
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many contacts it has
    #[arg(long, default_value_t = 1206)]
    contacts: usize,
    /// How long each answer takes, in milliseconds
    #[arg(long, default_value_t = 0)]
    delay_ms: u64,
    /// Answer any number of requests instead of the vendor's limits
    #[arg(long)]
    no_limits: bool,
}

/// Prints how to reach it as JSON and serves until it is told to end.
pub async fn run(options: Options) -> anyhow::Result<ExitCode> {
    let mut business = ::sandbox::Options::new(Clock::system().now());
    business.seed = options.seed;
    business.contacts = options.contacts;
    business.delay = Duration::from_millis(options.delay_ms);
    business.enforce_limits = !options.no_limits;
    let sandbox = ::sandbox::start(business, ([127, 0, 0, 1], options.port).into()).await?;
    let account = sandbox.gohighlevel();
    let mut reach = serde_json::json!({
        "gohighlevel": {
            "base_url": sandbox.url(),
            "v1_base_url": format!("{}/v1", sandbox.url()),
            "location_id": account.location_id,
            "private_token": account.private_token,
            "v1_key": account.v1_key,
            "client_id": account.client_id,
            "client_secret": account.client_secret,
            "webhook_public_key": account.webhook_public_key,
        }
    });
    for connector in connectors::all().into_iter().filter(|connector| connector.id != "gohighlevel") {
        reach[connector.id] = serde_json::to_value(sandbox.account(connector.id))?;
    }
    say!("{}", serde_json::to_string_pretty(&reach)?);
    asked_to_end().await;
    sandbox.shutdown().await;
    Ok(ExitCode::SUCCESS)
}
