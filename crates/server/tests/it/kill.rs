//! `kill -9` at any moment under load: what was answered is on record, the chain verifies, the store
//! opens again, and a half-done sync goes on without duplicates. With the real binary, many times.

use std::collections::HashSet;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sandbox::Sandbox;
use serde_json::{Value, json};
use store::testing::TestStore;
use store::{OpenOptions, Store};
use uuid::Uuid;

use crate::binary::Binary;
use crate::support::KEY;

const ROUNDS: usize = 8;
const CALLERS: usize = 8;

/// What callers were told.
#[derive(Default)]
struct Answered {
    executions: Vec<Uuid>,
    /// Notes whose writing was answered with success.
    notes: Vec<String>,
}

/// The binary, with a business that is this vendor's, and with more variables.
pub fn start(folder: &Path, vendor: &Sandbox, database: Option<&str>, more: &[(&str, &str)]) -> Binary {
    let (account, vendor) = (vendor.gohighlevel(), vendor.url());
    let variables = [
        ("POLICY_ALLOW", "gohighlevel.add_note"),
        ("GHL_API_KEY", &account.private_token),
        ("GHL_LOCATION_ID", &account.location_id),
        ("GHL_BASE_URL", &vendor),
    ];
    let database = database.map(|url| ("DATABASE_URL", url));
    Binary::start(folder, variables.into_iter().chain(more.iter().copied()).chain(database))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_was_answered_is_lost() {
    let mut databases = vec![None];
    databases.extend(TestStore::postgres().await.unwrap().map(Some));
    for database in databases {
        println!("on {}", if database.is_some() { "PostgreSQL" } else { "SQLite" });
        let folder = tempfile::tempdir().unwrap();
        let url = database.as_ref().map(|database| database.url.clone());
        many_kills(folder.path(), url.as_deref()).await;
        if let Some(database) = database {
            database.remove().await.unwrap();
        }
    }
}

async fn many_kills(folder: &Path, database: Option<&str>) {
    let vendor = vendor().await;
    let contacts = vendor.business().contact_ids();
    let answered = Arc::new(Mutex::new(Answered::default()));
    for round in 0..ROUNDS {
        let mut victim = start(folder, &vendor, database, &[]);
        let callers: Vec<_> = (0..CALLERS)
            .map(|caller| {
                let (url, answered, contacts) = (victim.url.clone(), answered.clone(), contacts.clone());
                tokio::spawn(async move { call_until_killed(&url, &answered, &contacts, round, caller).await })
            })
            .collect();
        // Not before the load is real, however slow the machine is; then at another moment every time.
        let goal = answered.lock().unwrap().executions.len() + 2 + round;
        for _ in 0..1000 {
            if answered.lock().unwrap().executions.len() >= goal {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        tokio::time::sleep(Duration::from_millis(37 * (round as u64 * 7 % 10))).await;
        victim.kill();
        for caller in callers {
            caller.await.unwrap();
        }
    }
    settle(folder, &vendor, database, &answered).await;
}

/// Starts it once more, lets it finish what was cut off, and looks at the rows.
async fn settle(folder: &Path, vendor: &Sandbox, database: Option<&str>, answered: &Mutex<Answered>) {
    let mut victim = start(folder, vendor, database, &[]);
    let report = call(&victim.url, "gohighlevel.sync_all_contacts", json!({})).await.expect("the sync after the kills");
    assert_eq!(report["status"], "ok", "{report}");
    victim.kill();

    let file = format!("sqlite://{}", folder.join("data/enterprise-mcp.db").display());
    let store = Store::open(database.unwrap_or(&file), OpenOptions::default()).await.expect("the store opens again");
    let report = store::chain::verify(&store.system()).await.unwrap();
    assert!(report.is_sound(), "{report:?}");
    let tenant = store.tenant("default");
    let answered = std::mem::take(&mut *answered.lock().unwrap());
    println!("{} answered calls, {} records, {} writers", answered.executions.len(), report.records, report.writers);
    assert!(answered.executions.len() > ROUNDS, "the load was real");
    for id in &answered.executions {
        assert!(store::audit::get(&tenant, *id).await.unwrap().is_some(), "{id} was answered and is not on record");
    }
    let contacts = store::contacts::stats(&tenant, None).await.unwrap().contacts;
    assert_eq!(contacts as usize, vendor.business().contacts(), "the half-done syncs left no duplicate and no gap");
    effects_have_intents(&tenant, vendor, &answered.notes).await;
    store.close().await.unwrap();
}

/// Every effect at the vendor was announced before it, and what was answered happened once.
async fn effects_have_intents(tenant: &store::Tenant, vendor: &Sandbox, answered: &[String]) {
    let mut intended = HashSet::new();
    let mut cursor = None;
    loop {
        let page = store::audit::events(tenant, Some("intent"), 500, cursor.as_deref()).await.unwrap();
        intended.extend(page.rows.iter().map(|row| row.detail["arguments"]["body"].as_str().unwrap().to_owned()));
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    let effects = vendor.business().effects();
    let written: Vec<&str> = effects
        .iter()
        .filter(|effect| effect.kind == "NoteCreate" && effect.origin == "api")
        .filter_map(|effect| effect.payload["body"].as_str())
        .collect();
    println!("{} notes at the vendor, {} of them answered, {} intended", written.len(), answered.len(), intended.len());
    for note in answered {
        assert_eq!(written.iter().filter(|body| *body == note).count(), 1, "{note} was answered with success");
    }
    for note in written {
        assert!(intended.contains(note), "the vendor was changed without an intent on record: {note}");
    }
}

async fn call_until_killed(url: &str, answered: &Mutex<Answered>, contacts: &[String], round: usize, caller: usize) {
    for turn in 0.. {
        let note = format!("kill-{round}-{caller}-{turn}");
        let (tool, arguments) = match (caller, turn % 4) {
            (0, _) => ("gohighlevel.sync_all_contacts", json!({"mode": "full"})),
            (1, _) => ("gohighlevel.add_note", json!({"contact_id": contacts[turn % contacts.len()], "body": note})),
            (_, 1) => ("gohighlevel.get_contact", json!({})),
            _ => ("contacts.search", json!({"query": "acme supply"})),
        };
        let Some(body) = call(url, tool, arguments).await else { return };
        let id = body["metadata"]["execution_id"].as_str().or(body["execution_id"].as_str());
        let mut answered = answered.lock().unwrap();
        answered.executions.extend(id.and_then(|id| id.parse::<Uuid>().ok()));
        if tool == "gohighlevel.add_note" && body["status"] == "ok" {
            answered.notes.push(note);
        }
    }
}

/// The whole answer, or nothing when the server is gone.
pub async fn call(url: &str, tool: &str, arguments: Value) -> Option<Value> {
    let client = server::app::client().unwrap();
    let request = client.post(format!("{url}/mcp/run/{tool}")).bearer_auth(KEY).json(&arguments);
    request.send().await.ok()?.json().await.ok()
}

async fn vendor() -> Sandbox {
    let mut options = sandbox::Options::new(server::clock::Clock::system().now());
    options.contacts = 600;
    options.enforce_limits = false;
    sandbox::start(options, ([127, 0, 0, 1], 0).into()).await.unwrap()
}
