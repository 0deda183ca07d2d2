//! Twenty agents at once against vendors that count: no limit of any of them is ever exceeded.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sandbox::{Fault, Sandbox};
use serde_json::{Value, json};
use server::serve::Server;
use store::testing::TestStore;

use crate::binary::Binary;
use crate::support;
use crate::vendors::{self, ALL, call};

const AGENTS: usize = 20;
/// Longer than the longest window that is full within it.
const FOR: Duration = Duration::from_secs(14);

/// What an agent asks for, in turn: of each vendor something that costs one request, something that costs many, and what
/// has a limit of its own.
fn wishes(turn: usize) -> (&'static str, Value) {
    let all = [
        ("gohighlevel.read_contacts", json!({"limit": 5})),
        ("quickbooks.list_invoices", json!({"limit": 5})),
        ("google_workspace.list_messages", json!({"limit": 10})),
        ("amazon.inventory_snapshot", json!({})),
        ("cloudflare.list_zones", json!({})),
        ("godaddy.list_domains", json!({})),
        ("slack.list_channels", json!({})),
        ("gohighlevel.list_opportunities", json!({})),
        ("quickbooks.ledger_summary", json!({})),
        ("google_workspace.list_assets", json!({})),
        ("amazon.list_orders", json!({})),
        ("cloudflare.dns_audit", json!({})),
        ("gohighlevel.pipeline_digest", json!({})),
        ("quickbooks.aged_receivables", json!({})),
        ("google_workspace.list_events", json!({})),
        ("amazon.sales_metrics", json!({})),
        ("slack.post_message", json!({"channel": "general", "text": "twenty at once"})),
        ("amazon.list_reports", json!({})),
    ];
    all[turn % all.len()].clone()
}

/// Calls until the time is over; how many were answered by the vendor, by ecosystem.
async fn crowd(urls: &[String], time: Duration, wishes: fn(usize) -> (&'static str, Value)) -> Vec<(String, usize)> {
    let answered: Arc<Mutex<std::collections::BTreeMap<String, usize>>> = Arc::default();
    let turns = Arc::new(AtomicUsize::new(0));
    let agents: Vec<_> = (0..AGENTS)
        .map(|agent| {
            let (url, answered, turns) = (urls[agent % urls.len()].clone(), answered.clone(), turns.clone());
            tokio::spawn(async move {
                let http = server::app::client().unwrap();
                loop {
                    let (tool, arguments) = wishes(turns.fetch_add(1, Ordering::Relaxed));
                    let Some(body) = call(&http, &url, tool, &arguments).await else { return };
                    if body["metadata"]["source"] == "live" {
                        let ecosystem = tool.split('.').next().unwrap().to_owned();
                        *answered.lock().unwrap().entry(ecosystem).or_default() += 1;
                    }
                }
            })
        })
        .collect();
    tokio::time::sleep(time).await;
    agents.iter().for_each(tokio::task::JoinHandle::abort);
    let answered = answered.lock().unwrap().clone();
    println!("answered by the vendors: {answered:?}");
    answered.into_iter().collect()
}

fn nothing_was_exceeded(vendor: &Sandbox) {
    println!("{} requests", vendor.business().requests());
    assert!(vendor.breaches().is_empty(), "limits were exceeded: {:?}", vendor.breaches());
}

/// A server in this process that is connected to these, and what stops it.
async fn connected(vendor: &Sandbox, ecosystems: &[&str]) -> (Server, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let variables = [("POLICY_ALLOW", "slack.post_message"), ("SHUTDOWN_SECONDS", "1")];
    let config = vendors::config(folder.path(), vendor, ecosystems, &variables);
    (Server::start(support::app(config).await.unwrap()).await.unwrap(), folder)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_agents_exceed_no_limit() {
    let vendor = vendors::start(|_| {}).await;
    let (server, _folder) = connected(&vendor, &ALL).await;
    let answered = crowd(&[server.url()], FOR, wishes).await;
    nothing_was_exceeded(&vendor);
    assert_eq!(answered.len(), ALL.len(), "every vendor was asked and answered");
    server.stop().await;
}

/// QuickBooks counts what it is working on, so that a slow QuickBooks is asked by fewer at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_vendor_is_never_asked_by_more_at_once_than_it_takes() {
    let vendor = vendors::start(|_| {}).await;
    vendor.faults().always("/quickbooks/v3", Fault::Stall(Duration::from_millis(2_500)));
    let (server, _folder) = connected(&vendor, &["quickbooks"]).await;
    let wishes = |_| ("quickbooks.list_customers", json!({"limit": 1}));
    let answered = crowd(&[server.url()], Duration::from_secs(8), wishes).await;
    nothing_was_exceeded(&vendor);
    assert!(answered.iter().any(|(_, count)| *count >= 10), "{answered:?}");
    server.stop().await;
}

/// The last requests of the day are not used up by those who do not know yet of each other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_limit_of_a_day_is_kept() {
    let vendor = vendors::start(|options| options.daily = 90).await;
    let (server, _folder) = connected(&vendor, &["gohighlevel"]).await;
    let wishes = |_| ("gohighlevel.list_opportunities", json!({}));
    let _ = crowd(&[server.url()], Duration::from_secs(4), wishes).await;
    nothing_was_exceeded(&vendor);
    let http = server::app::client().unwrap();
    let refused = call(&http, &server.url(), "gohighlevel.list_pipelines", &json!({})).await.unwrap();
    assert_eq!(refused["status"], 429, "{refused}");
    server.stop().await;
}

/// Two processes on one database share every limit, that of requests under way included.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_share_the_limits() {
    let Some(database) = TestStore::postgres().await.unwrap() else {
        println!("skipped: no PostgreSQL");
        return;
    };
    let vendor = vendors::start(|_| {}).await;
    vendor.faults().always("/quickbooks/v3", Fault::Stall(Duration::from_millis(1_800)));
    let folder = tempfile::tempdir().unwrap();
    let secrets = vendors::connect(folder.path(), &vendor, &ALL);
    let key = "11".repeat(32);
    let variables =
        [("DATABASE_URL", database.url.as_str()), ("MASTER_KEY", key.as_str()), ("POLICY_ALLOW", "slack.post_message")];
    let mut both = [0, 1].map(|_| vendors::serve(folder.path(), &secrets, &variables));
    let urls = both.each_ref().map(|one| one.url.clone());
    let answered = crowd(&urls, FOR, wishes).await;
    nothing_was_exceeded(&vendor);
    assert_eq!(answered.len(), ALL.len(), "every vendor was asked and answered");
    both.iter_mut().for_each(Binary::kill);
    database.remove().await.unwrap();
}
