//! Refresh storms: access tokens that live two seconds, many callers, one or two processes, and `kill -9` after the token
//! server has answered and before the answer is kept. With the real binary; EMCP_ROUNDS sets how many kills.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use sandbox::{Fault, Sandbox};
use serde_json::{Value, json};
use server::connections::Which;
use store::testing::TestStore;

use crate::binary::Binary;
use crate::consents::{begin, finish, says_yes, vendor};
use crate::support::{KEY, TestServer};

const MASTER: &str = "5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f";
const CALLERS: usize = 3;

/// One process of the installation.
fn start(folder: &Path, database: &str) -> Binary {
    let variables =
        [("MASTER_KEY", MASTER), ("DATABASE_URL", database), ("SYNC_ENABLED", "false"), ("SANDBOX_CONTACTS", "20")];
    Binary::start(folder, variables)
}

/// What the installation is made of.
struct Installation {
    folder: tempfile::TempDir,
    database: String,
    processes: Vec<Binary>,
    calls: Arc<AtomicU64>,
    failed: Arc<AtomicU64>,
}

impl Installation {
    /// Connects the vendor's account by consent, then starts so many processes on the database.
    async fn connected(
        vendor: &Sandbox,
        ecosystem: &str,
        postgres: Option<&TestStore>,
        processes: usize,
    ) -> Installation {
        let folder = tempfile::tempdir().unwrap();
        let file = format!("sqlite://{}", folder.path().join("storm.db").display());
        let database = postgres.map_or(file, |database| database.url.clone());
        let url = database.clone();
        let server = TestServer::start(None, move |config| {
            config.database.url = Some(url);
            config.secrets.insert("MASTER_KEY".into(), MASTER.to_owned().into());
        })
        .await;
        let consent = begin(&server, vendor, Which::from(ecosystem), &[]);
        let query = says_yes(&server, &consent.url).await;
        finish(&server, consent, &query).await.unwrap();
        server.stop().await;
        let processes = (0..processes).map(|_| start(folder.path(), &database)).collect();
        let (calls, failed) = (Arc::default(), Arc::default());
        Installation { folder, database, processes, calls, failed }
    }

    /// Callers at every process until `end`.
    fn storm(&self, tool: &'static str, end: &Arc<AtomicBool>) -> Vec<tokio::task::JoinHandle<()>> {
        let at = self.processes.iter().flat_map(|process| std::iter::repeat_n(process.url.clone(), CALLERS));
        at.map(|url| {
            let (end, calls, failed) = (end.clone(), self.calls.clone(), self.failed.clone());
            tokio::spawn(async move {
                while !end.load(Ordering::Relaxed) {
                    match call(&url, tool).await {
                        Some(body) if body["metadata"]["source"] == "live" => calls.fetch_add(1, Ordering::Relaxed),
                        Some(_) => failed.fetch_add(1, Ordering::Relaxed),
                        None => return,
                    };
                }
            })
        })
        .collect()
    }

    /// Kills these processes and starts others in their places.
    fn kill_and_start(&mut self, which: &[usize]) {
        for index in which {
            self.processes[*index].kill();
        }
        for index in which {
            self.processes[*index] = start(self.folder.path(), &self.database);
        }
    }
}

/// The whole answer, or nothing when the server is gone.
async fn call(url: &str, tool: &str) -> Option<Value> {
    let client = server::app::client().unwrap();
    let request = client.post(format!("{url}/mcp/run/{tool}")).bearer_auth(KEY).json(&json!({"limit": 1}));
    request.send().await.ok()?.json().await.ok()
}

#[expect(clippy::disallowed_methods, reason = "how long a test runs is said by whoever starts it")]
pub fn rounds(default: usize) -> usize {
    std::env::var("EMCP_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// Waits until the vendor has issued more tokens than this, which is the moment before the server knows of it.
async fn issued_more_than(vendor: &Sandbox, ecosystem: &str, granted: u64) -> bool {
    for _ in 0..20_000 {
        if vendor.token_requests(ecosystem).granted > granted {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    false
}

/// GoHighLevel's refresh tokens work once. What a kill loses is replaced without a person, because the vendor gives the
/// client a new code; and no refresh token is shown twice but by who could not know.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_between_the_reply_and_its_commit_ends_no_connection() {
    storm_on(None, 1, rounds(6)).await;
    let Some(database) = TestStore::postgres().await.unwrap() else { return };
    storm_on(Some(&database), 2, rounds(10)).await;
    database.remove().await.unwrap();
}

async fn storm_on(postgres: Option<&TestStore>, processes: usize, rounds: usize) {
    let vendor = vendor(95).await;
    vendor.access_tokens_live(Duration::from_secs(2));
    let mut installation = Installation::connected(&vendor, "gohighlevel", postgres, processes).await;
    let (mut kills, all) = (0, (0..processes).collect::<Vec<_>>());
    for round in 0..rounds {
        let end = Arc::new(AtomicBool::new(false));
        let callers = installation.storm("gohighlevel.read_contacts", &end);
        let before = vendor.token_requests("gohighlevel").granted;
        // Every other time the reply is held back, so that the kill surely comes before it is kept.
        if round % 2 == 0 {
            vendor.faults().next_on("/oauth/token", 1, Fault::StallReply(Duration::from_millis(700)));
        }
        assert!(issued_more_than(&vendor, "gohighlevel", before).await, "round {round}: nobody refreshes any more");
        tokio::time::sleep(Duration::from_millis((round as u64 * 3) % 11)).await;
        let victims = if round % 4 == 0 { all.clone() } else { vec![round % processes] };
        kills += victims.len() as u64;
        installation.kill_and_start(&victims);
        end.store(true, Ordering::Relaxed);
        for caller in callers {
            caller.await.unwrap();
        }
        for process in &installation.processes {
            let body = call(&process.url, "gohighlevel.read_contacts").await.unwrap();
            assert_eq!(body["metadata"]["source"], "live", "round {round}: the connection has not recovered: {body}");
        }
    }
    let asked = vendor.token_requests("gohighlevel");
    let (calls, failed) = (installation.calls.load(Ordering::Relaxed), installation.failed.load(Ordering::Relaxed));
    println!("{kills} kills, {calls} calls answered and {failed} not, {asked:?}");
    assert!(calls > rounds as u64, "the load was real");
    assert!(asked.reused <= kills, "a refresh token is shown again only after a kill: {asked:?}");
    assert_eq!(asked.refused, asked.reused, "{asked:?}");
}

/// A vendor that gives nothing without a person: the state says so with the cure, and the token server is left alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_kill_ends_for_good_needs_a_person_and_is_not_asked_for_again() {
    let database = TestStore::postgres().await.unwrap();
    let processes = if database.is_some() { 2 } else { 1 };
    let vendor = vendor(96).await;
    let mut installation = Installation::connected(&vendor, "quickbooks", database.as_ref(), processes).await;

    // Intuit's refresh token keeps its value for a day: a kill in between costs nothing.
    let all: Vec<usize> = (0..processes).collect();
    for day in [false, true] {
        let end = Arc::new(AtomicBool::new(false));
        let before = vendor.token_requests("quickbooks").granted;
        vendor.skip(Duration::from_secs(if day { 86_400 } else { 4_000 }));
        vendor.faults().next_on("/quickbooks/oauth2", 1, Fault::StallReply(Duration::from_secs(2)));
        let callers = installation.storm("quickbooks.list_invoices", &end);
        assert!(issued_more_than(&vendor, "quickbooks", before).await);
        installation.kill_and_start(&all);
        end.store(true, Ordering::Relaxed);
        for caller in callers {
            caller.await.unwrap();
        }
        if !day {
            for process in &installation.processes {
                let body = call(&process.url, "quickbooks.list_invoices").await.unwrap();
                assert_eq!(body["metadata"]["source"], "live", "{body}");
            }
        }
    }

    // This time the value had changed, and nobody has the new one.
    let end = Arc::new(AtomicBool::new(false));
    let callers = installation.storm("quickbooks.list_invoices", &end);
    tokio::time::sleep(Duration::from_secs(2)).await;
    end.store(true, Ordering::Relaxed);
    for caller in callers {
        caller.await.unwrap();
    }
    let asked = vendor.token_requests("quickbooks");
    println!("{} calls were refused, {asked:?}", installation.failed.load(Ordering::Relaxed));
    assert!((1..=processes as u64).contains(&asked.refused), "no retry loop: {asked:?}");
    for process in &installation.processes {
        let client = server::app::client().unwrap();
        let url = format!("{}/mcp/run/system.list_connections", process.url);
        let request = client.post(url).bearer_auth(KEY).json(&json!({}));
        let body: Value = request.send().await.unwrap().json().await.unwrap();
        let list = body["data"]["connections"].as_array().unwrap();
        let ours = list.iter().find(|one| one["ecosystem"] == "quickbooks").unwrap();
        assert_eq!(ours["state"], "needs_attention", "{ours}");
        assert!(ours["reason"].as_str().unwrap().contains("enterprise-mcp connect quickbooks"), "{ours}");
    }
    assert_eq!(vendor.token_requests("quickbooks").refused, asked.refused);
    drop(installation);
    if let Some(database) = database {
        database.remove().await.unwrap();
    }
}
