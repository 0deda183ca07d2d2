//! One ecosystem that is down, slow, rate-limited or misconfigured never delays another. Only the order of what happens is
//! measured: the others are through while the ill one is still waited for.

use std::sync::Arc;
use std::time::Duration;

use sandbox::{Fault, Sandbox};
use sdk::http::Settings;
use serde_json::{Value, json};
use server::app::{App, Parts};
use server::clock::Clock;
use server::serve::Server;
use server::telemetry;

use crate::vendors::{self, ALL, call};

/// One read of each ecosystem.
const READS: [(&str, &str); 7] = [
    ("gohighlevel", "gohighlevel.list_pipelines"),
    ("quickbooks", "quickbooks.list_customers"),
    ("google_workspace", "google_workspace.list_assets"),
    ("amazon", "amazon.list_reports"),
    ("cloudflare", "cloudflare.list_zones"),
    ("godaddy", "godaddy.list_domains"),
    ("slack", "slack.list_channels"),
];
/// More than there are workers or connections to anything.
const STUCK: usize = 40;

/// As patient as in production, so that whoever waits for the ill one waits long.
async fn connected(vendor: &Sandbox) -> (Server, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let config = vendors::config(folder.path(), vendor, &ALL, &[("SHUTDOWN_SECONDS", "1")]);
    let metrics = telemetry::detached_metrics().unwrap();
    let parts = Parts { clock: Clock::system(), metrics, exclusive: true, outbound: Settings::default() };
    (Server::start(App::open(config, parts).await.unwrap()).await.unwrap(), folder)
}

/// Where an ecosystem's requests go.
fn path(ecosystem: &str) -> String {
    if ecosystem == "gohighlevel" { "/opportunities".into() } else { format!("/{ecosystem}") }
}

async fn ask(url: &str, tool: &str, arguments: Value) -> Value {
    let http = server::app::client().unwrap();
    call(&http, url, tool, &arguments).await.unwrap()
}

/// Calls of an ill ecosystem are pending; all of the others are answered by their vendors before any of those ends.
async fn others_do_not_wait(server: &Server, ill: usize) {
    let url = Arc::new(server.url());
    let stuck: Vec<_> = (0..STUCK)
        .map(|_| {
            let url = url.clone();
            tokio::spawn(async move { ask(&url, READS[ill].1, json!({})).await })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(200)).await;
    for (_, tool) in READS.iter().enumerate().filter(|(at, _)| *at != ill).map(|(_, read)| read) {
        let body = ask(&url, tool, json!({})).await;
        assert_eq!(body["metadata"]["source"], "live", "{tool} while {} is ill: {body}", READS[ill].0);
    }
    assert!(stuck.iter().all(|call| !call.is_finished()), "{} was not ill", READS[ill].0);
    stuck.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whichever_is_slow_delays_no_other() {
    let vendor = vendors::start(|options| options.enforce_limits = false).await;
    let (server, _folder) = connected(&vendor).await;
    for (ill, (ecosystem, _)) in READS.iter().enumerate() {
        vendor.faults().always(&path(ecosystem), Fault::Stall(Duration::from_secs(3600)));
        others_do_not_wait(&server, ill).await;
        vendor.faults().clear();
    }
    server.stop().await;
}

/// One after the other becomes ill and stays so; those that are not are answered by their vendors.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_a_limit_and_a_wrong_key_stay_with_their_own() {
    let vendor = vendors::start(|options| options.enforce_limits = false).await;
    let (server, _folder) = connected(&vendor).await;
    let url = Arc::new(server.url());
    let faults = [(1, Fault::Status(429)), (4, Fault::Status(503)), (5, Fault::Drop), (6, Fault::Status(401))];
    let (mut ill, mut stuck) = (Vec::new(), Vec::new());
    for (at, fault) in faults {
        vendor.faults().always(&path(READS[at].0), fault);
        ill.push(at);
        stuck.extend((0..STUCK).map(|_| {
            let url = url.clone();
            tokio::spawn(async move { ask(&url, READS[at].1, json!({})).await })
        }));
        for (_, tool) in READS.iter().enumerate().filter(|(at, _)| !ill.contains(at)).map(|(_, read)| read) {
            let body = ask(&url, tool, json!({})).await;
            assert_eq!(body["metadata"]["source"], "live", "{tool} while {ill:?} are ill: {body}");
        }
    }
    stuck.iter().for_each(tokio::task::JoinHandle::abort);
    server.stop().await;
}

/// A copy that hangs at one vendor leaves the copies of the others alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sync_that_hangs_delays_no_other_sync() {
    let vendor = vendors::start(|options| options.enforce_limits = false).await;
    let (server, _folder) = connected(&vendor).await;
    let url = Arc::new(server.url());
    vendor.faults().always("/quickbooks/v3", Fault::Stall(Duration::from_secs(3600)));
    let hanging = {
        let url = url.clone();
        tokio::spawn(async move { ask(&url, "system.sync", json!({"ecosystem": "quickbooks"})).await })
    };
    for ecosystem in ["gohighlevel", "google_workspace", "amazon", "cloudflare", "godaddy"] {
        let body = ask(&url, "system.sync", json!({"ecosystem": ecosystem})).await;
        let sync = &body["data"]["syncs"][0];
        assert_eq!((&sync["state"], &sync["errors"]), (&json!("done"), &json!(0)), "{ecosystem}: {body}");
    }
    assert!(!hanging.is_finished(), "QuickBooks was not hanging");
    hanging.abort();
    server.stop().await;
}
