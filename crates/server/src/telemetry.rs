//! Logs to stderr (stdout belongs to MCP over stdio) and metrics for Prometheus.

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;

use crate::config::{Log, LogFormat};

/// Seconds; from a call out of the brain to a vendor at its slowest.
const BUCKETS: &[f64] = &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0];

/// Sends the log to stderr. Called once a process.
pub fn log(config: &Log) -> Result<(), String> {
    // A line for each migration of a new database, or two for each MCP request, say nothing to anybody.
    let filter = EnvFilter::try_new(format!("sea_orm_migration=warn,rmcp=warn,{}", config.level));
    let filter = filter.map_err(|e| format!("LOG_LEVEL: `{}`: {e}", config.level))?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match config.format {
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
        LogFormat::Text => builder.try_init(),
    }
    .map_err(|e| e.to_string())
}

/// Collects the metrics of this process. Called once a process.
pub fn install_metrics() -> Result<PrometheusHandle, String> {
    builder()?.install_recorder().map_err(|e| e.to_string())
}

/// A handle that collects nothing, for commands and for tests that run side by side.
pub fn detached_metrics() -> Result<PrometheusHandle, String> {
    Ok(builder()?.build_recorder().handle())
}

fn builder() -> Result<PrometheusBuilder, String> {
    PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), BUCKETS)
        .map_err(|e| e.to_string())
}
