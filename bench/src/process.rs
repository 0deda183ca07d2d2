//! Servers as processes of their own, and what the kernel knows of them.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::bench::Bench;
use crate::place::Place;

/// The key that the measured servers know.
pub const KEY: &str = "bench-key-0123456789abcdef";

/// A running server. It ends with this value.
pub struct Running {
    process: Child,
    pub url: String,
    /// Held, so that what the server prints does not meet a closed pipe.
    _output: BufReader<ChildStdout>,
}

impl Running {
    /// The server itself, with its settings in the environment.
    pub fn server(bench: &Bench, place: &Place, settings: &[(&str, String)]) -> Result<Running> {
        let mut command = Command::new(&bench.binary);
        command.arg("serve").current_dir(bench.folder()).env_clear();
        command.envs([
            ("PORT", "0"),
            ("MCP_API_KEY", KEY),
            ("CALLS_PER_MINUTE", "100000000"),
            ("TENANT_CALLS_PER_MINUTE", "100000000"),
        ]);
        command.env("DATABASE_URL", &place.url).envs(settings.iter().map(|(name, value)| (name, value)));
        Running::start(command)
    }

    /// This program in another role.
    pub fn bare(arguments: &[&str]) -> Result<Running> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("bare").args(arguments);
        Running::start(command)
    }

    fn start(mut command: Command) -> Result<Running> {
        let mut process = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let mut output = BufReader::new(process.stdout.take().context("the server has no output")?);
        let mut line = String::new();
        loop {
            line.clear();
            if output.read_line(&mut line)? == 0 {
                let status = process.wait()?;
                anyhow::bail!("{:?} ended at its start: {status}", command.get_program());
            }
            if let Some(url) = line.trim().strip_prefix("URL ") {
                let url = url.trim().to_owned();
                return Ok(Running { process, url, _output: output });
            }
        }
    }

    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// User and system time so far, of all its threads, those that ended too.
    pub fn cpu(&self) -> Result<Duration> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.id()))?;
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks: u64 = fields.iter().skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
        // Linux counts in hundredths of a second for user space on every platform.
        Ok(Duration::from_millis(ticks * 10))
    }

    /// Megabytes: `VmRSS` now, `VmHWM` at most.
    pub fn memory(&self, name: &str) -> Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
        Ok(kilobytes.with_context(|| format!("the kernel does not say {name}"))? / 1024.0)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
