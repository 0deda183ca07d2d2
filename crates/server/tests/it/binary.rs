//! The real binary as a process of its own: it can be killed, and what it uses is its alone.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::support::KEY;

/// A serving process, which ends with this.
pub struct Binary {
    process: Child,
    pub url: String,
}

impl Binary {
    /// Serves from this folder, with these variables and no others.
    pub fn start<'a>(folder: &Path, variables: impl IntoIterator<Item = (&'a str, &'a str)>) -> Binary {
        let mut command = Command::new(env!("CARGO_BIN_EXE_enterprise-mcp"));
        command.arg("serve").current_dir(folder).env_clear().stdout(Stdio::piped()).stderr(Stdio::null());
        command.envs([("PORT", "0"), ("MCP_API_KEY", KEY), ("CALLS_PER_MINUTE", "1000000")]).envs(variables);
        let mut process = command.spawn().unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let url = lines.find_map(|line| line.unwrap().trim().strip_prefix("URL ").map(|url| url.trim().to_owned()));
        Binary { process, url: url.expect("the server starts") }
    }

    /// SIGKILL: no handler runs, nothing is flushed.
    pub fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Bytes of memory that the process holds now.
    pub fn resident(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches("kB").trim().parse::<u64>().unwrap() << 10
    }
}

impl Drop for Binary {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}
