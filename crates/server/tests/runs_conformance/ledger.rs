//! The outside world of these tests: a file to which every effect appends one line, in one write.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, Utc};

/// One line: what happened, to whom, by which process, when.
#[derive(Clone, Debug)]
pub struct Entry {
    pub what: String,
    pub key: String,
    pub process: u32,
    pub at: DateTime<Utc>,
}

#[derive(Clone)]
pub struct Ledger(PathBuf);

impl Ledger {
    pub fn at(path: &Path) -> Ledger {
        Ledger(path.to_owned())
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn write(&self, what: &str, key: &str) {
        let at = server::clock::Clock::system().now().timestamp_micros();
        let line = format!("{what} {key} {} {at}\n", std::process::id());
        let mut file = OpenOptions::new().create(true).append(true).open(&self.0).unwrap();
        file.write_all(line.as_bytes()).unwrap();
    }

    pub fn read(&self) -> Vec<Entry> {
        let text = std::fs::read_to_string(&self.0).unwrap_or_default();
        text.lines().map(entry).collect()
    }

    pub fn count(&self, what: &str, key: &str) -> usize {
        self.read().iter().filter(|entry| entry.what == what && entry.key == key).count()
    }

    /// How often each key was begun.
    pub fn begun(&self, key: &str) -> usize {
        self.count("begin", key)
    }

    /// Waits for the `n`th such line.
    pub async fn wait_for(&self, what: &str, key: &str, n: usize) -> anyhow::Result<Entry> {
        for _ in 0..6_000 {
            let found = self.read().into_iter().filter(|entry| entry.what == what && entry.key == key).nth(n - 1);
            if let Some(entry) = found {
                return Ok(entry);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        anyhow::bail!("no {n}. line \"{what} {key}\" within a minute; there are {:#?}", self.read())
    }

    /// Waits until this process has written something.
    pub async fn wait_for_process(&self, process: u32) -> anyhow::Result<()> {
        for _ in 0..6_000 {
            if self.read().iter().any(|entry| entry.process == process) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        anyhow::bail!("process {process} did nothing within a minute")
    }

    /// Whether somebody has opened the gate that stands beside this ledger.
    pub fn gate_is_open(&self) -> bool {
        self.0.with_extension("gate").exists()
    }

    pub fn open_gate(&self) {
        File::create(self.0.with_extension("gate")).unwrap();
    }
}

fn entry(line: &str) -> Entry {
    let mut words = line.split(' ').map(str::to_owned);
    let mut next = || words.next().unwrap();
    Entry {
        what: next(),
        key: next(),
        process: next().parse().unwrap(),
        at: DateTime::from_timestamp_micros(next().parse().unwrap()).unwrap(),
    }
}
