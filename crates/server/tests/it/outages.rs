//! PostgreSQL drops the audit's connection, or goes away altogether, under load: what was answered is on record, nothing
//! is there twice, the chains verify, and the server recovers by itself.

use std::collections::HashSet;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;
use store::testing::{TestStore, kill_audit_connections};
use tokio::time::Instant;
use uuid::Uuid;

use crate::support::TestServer;

const CALLERS: usize = 6;

/// Callers that go on until they are stopped, and the calls that were answered with success.
struct Load {
    stop: Arc<AtomicBool>,
    answered: Arc<Mutex<Vec<Uuid>>>,
    refused: Arc<Mutex<usize>>,
    callers: Vec<tokio::task::JoinHandle<()>>,
}

impl Load {
    fn start(server: &Arc<TestServer>) -> Load {
        let mut load = Load {
            stop: Arc::default(),
            answered: Arc::default(),
            refused: Arc::default(),
            callers: Vec::with_capacity(CALLERS),
        };
        for caller in 0..CALLERS {
            let server = server.clone();
            let (stop, answered, refused) = (load.stop.clone(), load.answered.clone(), load.refused.clone());
            load.callers.push(tokio::spawn(async move {
                // Half of them ask the vendor, whose requests are on record beside the call.
                let tool = if caller % 2 == 0 { "gohighlevel.read_contacts" } else { "system.tools" };
                while !stop.load(Ordering::SeqCst) {
                    let (status, body) = server.run(tool, json!({})).await;
                    match status {
                        200 => answered
                            .lock()
                            .unwrap()
                            .push(body["metadata"]["execution_id"].as_str().unwrap().parse().unwrap()),
                        _ => *refused.lock().unwrap() += 1,
                    }
                }
            }));
        }
        load
    }

    fn count(&self) -> usize {
        self.answered.lock().unwrap().len()
    }

    async fn until(&self, answered: usize) {
        for _ in 0..3000 {
            if self.count() >= answered {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("only {} calls were answered", self.count());
    }

    /// The executions that were answered with success.
    async fn end(self) -> Vec<Uuid> {
        self.stop.store(true, Ordering::SeqCst);
        for caller in self.callers {
            caller.await.unwrap();
        }
        println!("{} answered, {} refused", self.answered.lock().unwrap().len(), self.refused.lock().unwrap());
        std::mem::take(&mut *self.answered.lock().unwrap())
    }
}

/// Every answered call is there, with each of its requests once, and the chains are whole.
async fn all_is_on_record(server: &TestServer, answered: &[Uuid]) {
    let store = &server.app().store;
    let report = store::chain::verify(&store.system()).await.unwrap();
    println!("{} records in {} chains", report.records, report.writers);
    assert!(report.is_sound(), "{report:?}");
    let tenant = store.tenant("default");
    for id in answered {
        let row = store::audit::get(&tenant, *id).await.unwrap();
        let row = row.unwrap_or_else(|| panic!("{id} was answered and is not on record"));
        let requests = store::audit::api_calls_of(&tenant, *id).await.unwrap();
        let distinct: HashSet<_> = requests.iter().map(|call| (call.endpoint.clone(), call.attempt)).collect();
        assert_eq!(distinct.len(), requests.len(), "a request is listed twice: {requests:?}");
        if row.tool_name == "gohighlevel.read_contacts" {
            assert!(!requests.is_empty(), "the requests of {id} are lost");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_audits_connection_is_killed_many_times_under_load() {
    let Some(database) = TestStore::postgres().await.unwrap() else { return };
    let url = database.url.clone();
    let server = Arc::new(TestServer::on(database).await);
    let load = Load::start(&server);
    load.until(10).await;
    let mut killed = 0;
    for turn in 0..100_u64 {
        killed += kill_audit_connections(&url).await.unwrap();
        tokio::time::sleep(Duration::from_millis(10 + turn * 7 % 41)).await;
    }
    let before = load.count();
    load.until(before + 20).await;
    let answered = load.end().await;
    println!("the connection was killed {killed} times");
    assert!(killed > 20, "it was hit {killed} times");
    assert_eq!(server.app().audit.trouble(), None);
    all_is_on_record(&server, &answered).await;
    Arc::into_inner(server).unwrap().stop().await;
}

/// A PostgreSQL of its own, which may be stopped.
pub struct Private(tempfile::TempDir);

impl Private {
    pub fn start() -> (Private, String) {
        let server = Private(tempfile::tempdir().unwrap());
        let url = server.tell("start");
        (server, url.trim().to_owned())
    }

    pub fn tell(&self, command: &str) -> String {
        let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../scripts/postgres.sh");
        // Beside the folder, which only its owner can enter: the database has a user of its own.
        let place = std::env::temp_dir().join(format!("{}.d", self.0.path().file_name().unwrap().display()));
        let output = Command::new(script).arg(command).env("POSTGRES_TEST_DIR", place).output().unwrap();
        assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        self.tell("stop");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_goes_and_comes_back() {
    let Some(any) = TestStore::postgres().await.unwrap() else { return };
    any.remove().await.unwrap();
    let (postgres, url) = Private::start();
    let server = Arc::new(TestServer::at(&url).await);
    let load = Load::start(&server);
    for round in 0..3 {
        load.until(load.count() + 20).await;
        postgres.tell("halt");
        tokio::time::sleep(Duration::from_millis(1_500 + 700 * round)).await;
        assert!(server.app().audit.trouble().is_some(), "nothing can be recorded now");
        let stood = load.count();
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert_eq!(load.count(), stood, "nothing is answered without a record");
        postgres.tell("resume");
        let back = Instant::now();
        while server.app().audit.trouble().is_some() {
            assert!(back.elapsed() < Duration::from_secs(10), "{:?}", server.app().audit.trouble());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        println!("back after {:?}", back.elapsed());
    }
    load.until(load.count() + 20).await;
    let answered = load.end().await;
    all_is_on_record(&server, &answered).await;
    Arc::into_inner(server).unwrap().stop().await;
}

/// Nobody calls meanwhile: a proxy in front that only asks for health must see it come back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_audit_recovers_without_a_call() {
    let Some(any) = TestStore::postgres().await.unwrap() else { return };
    any.remove().await.unwrap();
    let (postgres, url) = Private::start();
    let server = Arc::new(TestServer::at(&url).await);
    let (status, _) = server.run("system.tools", json!({})).await;
    assert_eq!(status, 200);
    postgres.tell("halt");
    let (status, body) = server.run("system.tools", json!({})).await;
    assert_eq!(status, 503, "{body}");
    assert!(server.app().audit.trouble().is_some());
    postgres.tell("resume");
    let back = Instant::now();
    while server.app().audit.trouble().is_some() {
        assert!(back.elapsed() < Duration::from_secs(10), "{:?}", server.app().audit.trouble());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Arc::into_inner(server).unwrap().stop().await;
}
