//! The commands, one file each.

pub mod approvals;
pub mod audit;
pub mod call;
#[cfg(feature = "conformance")]
pub mod conformance;
pub mod doctor;
pub mod key;
pub mod migrate;
pub mod sandbox;
pub mod serve;
pub mod stdio;
pub mod sync;
pub mod tools;

use std::path::PathBuf;
use std::sync::Arc;

use server::app::{App, Parts};
use server::clock::Clock;
use server::config::{Config, Sources};
use server::telemetry;

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

/// An app, with the log on.
pub async fn open(config: Config, exclusive: bool) -> anyhow::Result<Arc<App>> {
    telemetry::log(&config.log).map_err(anyhow::Error::msg)?;
    let metrics = telemetry::install_metrics().map_err(anyhow::Error::msg)?;
    let parts = Parts { clock: Clock::system(), metrics, exclusive, outbound: sdk::http::Settings::default() };
    Ok(App::open(config, parts).await?)
}
