//! The commands, one file each.

#[macro_use]
mod output;
pub mod approvals;
pub mod audit;
pub mod call;
pub mod client;
pub mod connect;
#[cfg(feature = "conformance")]
pub mod conformance;
pub mod doctor;
pub mod key;
pub mod migrate;
pub mod policy;
pub mod sandbox;
pub mod serve;
pub mod stdio;
pub mod sync;
pub mod tenant;
pub mod tools;
pub mod user;
pub mod vault;

use output::print;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use metrics_exporter_prometheus::PrometheusHandle;
use server::actor::Actor;
use server::app::{App, Parts};
use server::clock::Clock;
use server::config::{Config, Sources};
use server::telemetry;
use tokio::time::Instant;

/// The configuration of this process.
pub fn config(file: Option<PathBuf>) -> anyhow::Result<Config> {
    Ok(Config::load(&Sources::of_process(file)?)?)
}

/// An app for one command beside a server that may be running.
pub async fn beside(mut config: Config) -> anyhow::Result<Arc<App>> {
    if std::io::IsTerminal::is_terminal(&std::io::stderr()) && config.log.level == "info" {
        config.log.level = "warn".into();
    }
    open(config, false).await
}

/// The machine's owner, for a business that is there.
pub async fn owner(app: &App, tenant: &str) -> anyhow::Result<Actor> {
    let known = store::tenants::list(&app.store.system()).await?;
    if !known.iter().any(|business| business.tenant_id == tenant) {
        let ids: Vec<&str> = known.iter().map(|business| business.tenant_id.as_str()).collect();
        anyhow::bail!("there is no business `{tenant}`; there is {}", ids.join(", "));
    }
    Ok(Actor::terminal().of(tenant))
}

/// An app, with the log on.
pub async fn open(config: Config, exclusive: bool) -> anyhow::Result<Arc<App>> {
    let metrics = observed(&config)?;
    Ok(App::open(config, parts(metrics, exclusive)).await?)
}

/// The same for a client that starts a server of its own: the one of its last session may still be closing the file.
pub async fn open_patiently(config: Config) -> anyhow::Result<Arc<App>> {
    let metrics = observed(&config)?;
    let until = Instant::now() + PATIENCE;
    loop {
        match App::open(config.clone(), parts(metrics.clone(), true)).await {
            Err(e) if is_in_use(&e) && Instant::now() < until => tokio::time::sleep(Duration::from_millis(100)).await,
            opened => return Ok(opened?),
        }
    }
}

/// How long a file may be in use before it is an error.
const PATIENCE: Duration = Duration::from_secs(5);

fn observed(config: &Config) -> anyhow::Result<PrometheusHandle> {
    telemetry::log(&config.log).map_err(anyhow::Error::msg)?;
    telemetry::install_metrics().map_err(anyhow::Error::msg)
}

fn parts(metrics: PrometheusHandle, exclusive: bool) -> Parts {
    Parts { clock: Clock::system(), metrics, exclusive, outbound: sdk::http::Settings::default() }
}

fn is_in_use(error: &sdk::Error) -> bool {
    let source = std::error::Error::source(error).and_then(|source| source.downcast_ref());
    matches!(source, Some(store::StoreError::InUse { .. }))
}
