//! What the runs of these tests do, in whichever process, and the process that does it.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use server::clock::Clock;
use server::runs::{Failure, Job, Runs, Settings, ToolCall};
use store::{OpenOptions, Store};
use tokio_util::sync::CancellationToken;

use super::ledger::Ledger;

const TASK: &str = "RUNS_WORKER";

/// How a worker works, in milliseconds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Pace {
    pub workers: usize,
    pub lease: u64,
    pub heartbeat: u64,
    pub poll: u64,
    pub first_backoff: u64,
    pub grace: u64,
}

impl Default for Pace {
    fn default() -> Self {
        Pace { workers: 4, lease: 1_500, heartbeat: 300, poll: 100, first_backoff: 200, grace: 300 }
    }
}

impl Pace {
    pub fn settings(&self) -> Settings {
        Settings {
            workers: self.workers,
            lease: Duration::from_millis(self.lease),
            heartbeat: Duration::from_millis(self.heartbeat),
            poll: Duration::from_millis(self.poll),
            first_backoff: Duration::from_millis(self.first_backoff),
            longest_backoff: Duration::from_millis(self.first_backoff * 8),
            grace: Duration::from_millis(self.grace),
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Task {
    url: String,
    ledger: std::path::PathBuf,
    pace: Pace,
}

/// A process of its own that works on runs until it is killed.
pub struct Process(Child);

impl Process {
    pub fn start(url: &str, ledger: &Ledger, pace: Pace) -> Process {
        let task = Task { url: url.to_owned(), ledger: ledger.path().to_owned(), pace };
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "worker_process", "--nocapture", "--test-threads=1"])
            .env(TASK, serde_json::to_string(&task).unwrap())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Process(child)
    }

    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// SIGKILL: no destructor, no goodbye.
    pub fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    /// Waits until it ends by itself.
    pub async fn ended(mut self) -> anyhow::Result<()> {
        for _ in 0..6_000 {
            if self.0.try_wait()?.is_some() {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        anyhow::bail!("the worker is still alive after a minute")
    }

    pub fn freeze(&self) {
        self.send("-STOP");
    }

    pub fn thaw(&self) {
        self.send("-CONT");
    }

    fn send(&self, signal: &str) {
        let sent = Command::new("kill").args([signal, &self.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The body of the worker's process.
#[expect(clippy::disallowed_methods, reason = "a test binary has no configuration but the environment")]
pub fn main() {
    let Ok(task) = std::env::var(TASK) else { return };
    let task: Task = serde_json::from_str(&task).unwrap();
    // Whoever started us has died without killing us.
    std::thread::spawn(|| {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        std::process::exit(1);
    });
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let store = Store::open(&task.url, OpenOptions { pool_size: 5, ..OpenOptions::default() }).await.unwrap();
        let runs = Runs::new(store, Clock::system(), task.pace.settings());
        equip(&runs, &Ledger::at(&task.ledger));
        runs.start(CancellationToken::new());
        std::future::pending::<()>().await;
    });
}

/// The kinds of runs that exist in these tests.
pub fn equip(runs: &Runs, ledger: &Ledger) {
    let book = ledger.clone();
    runs.register_flows(move |call| step(book.clone(), call));
    let book = ledger.clone();
    runs.register("note", move |job: Job, input: Value| note(book.clone(), job.run.to_string(), input));
    let book = ledger.clone();
    runs.register("poison", move |job: Job, _: Value| {
        book.write("begin", &job.run.to_string());
        async { std::process::abort() }
    });
    runs.register("panics", |_: Job, _: Value| async { panic!("on purpose") });
    let book = ledger.clone();
    runs.register("flaky", move |job: Job, failures: u32| {
        book.write("begin", &job.run.to_string());
        async move {
            match job.attempt > failures {
                true => Ok(json!({ "attempt": job.attempt })),
                false => Err(Failure::retry(format!("attempt {} fails", job.attempt))),
            }
        }
    });
    runs.register("hopeless", |_: Job, _: Value| async { Err(Failure::permanent("it can never work")) });
    runs.register("counts", |job: Job, _: Value| async move {
        for done in 1..=3 {
            job.progress(f64::from(done), Some(3.0), "counting");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(Value::Null)
    });
}

async fn step(ledger: Ledger, call: ToolCall) -> Result<Value, Failure> {
    match call.tool.as_str() {
        "note" => note(ledger, call.key, call.args).await,
        "fails_once" => {
            ledger.write("begin", &call.key);
            match ledger.begun(&call.key) {
                1 => Err(Failure::retry("the first time always fails")),
                _ => Ok(Value::Null),
            }
        }
        "asks" => {
            ledger.write("begin", &call.key);
            match ledger.begun(&call.key) {
                1 => Err(Failure::Parked {
                    until: Clock::system().now() + Duration::from_secs(600),
                    signal: Some("decision".to_owned()),
                }),
                _ => Ok(json!("allowed")),
            }
        }
        "hopeless" => Err(Failure::permanent("it can never work")),
        unknown => Err(Failure::permanent(format!("there is no tool {unknown}"))),
    }
}

/// An effect: begins, takes its time, ends. `{"hang": true}` makes the first one of a key wait for the gate.
async fn note(ledger: Ledger, key: String, args: Value) -> Result<Value, Failure> {
    ledger.write("begin", &key);
    let mut unfinished = Unfinished { ledger: &ledger, key: &key, ended: false };
    if args["hang"] == true && ledger.begun(&key) == 1 {
        while !ledger.gate_is_open() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    tokio::time::sleep(Duration::from_millis(args["millis"].as_u64().unwrap_or_default())).await;
    unfinished.ended = true;
    ledger.write("end", &key);
    Ok(json!({ "process": std::process::id(), "said": args["say"] }))
}

struct Unfinished<'a> {
    ledger: &'a Ledger,
    key: &'a str,
    ended: bool,
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.ledger.write("dropped", self.key);
        }
    }
}
