//! Webhooks under load and loss: a kill after the answer, more at once than may wait, and no database.

use std::time::Duration;

use serde_json::{Value, json};
use store::testing::TestStore;

use crate::kill::{self, call};
use crate::outages::Private;
use crate::support::{TestServer, app};
use crate::webhooks::{connected, databases, deliver, event, vendors};

/// The process dies after it has answered and before it has worked on anything.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_answered_survives_a_kill() {
    for database in databases().await {
        let vendors = vendors().await;
        let folder = tempfile::tempdir().unwrap();
        let url = database.as_ref().map(|database| database.url.clone());
        let key = vendors.webhook_secret("gohighlevel");
        let more = [("SYNC_ENABLED", "false"), ("GHL_WEBHOOK_PUBLIC_KEY", key.as_str())];
        let serve = || kill::start(folder.path(), &vendors, url.as_deref(), &more);
        let mut victim = serve();
        call(&victim.url, "gohighlevel.sync_all_contacts", json!({})).await.unwrap();
        vendors.hold_webhooks();
        vendors.subscribe("gohighlevel", &format!("{}/webhooks/gohighlevel", victim.url)).unwrap();
        let business = vendors.business();
        business.create_contact(json!({"firstName": "Zora", "lastName": "Quillfeather"})).unwrap();
        assert_eq!(vendors.release_webhooks(false).await, [200]);
        victim.kill();

        let mut victim = serve();
        let mut found = Value::Null;
        for _ in 0..300 {
            found = call(&victim.url, "contacts.search", json!({"query": "zora quillfeather"})).await.unwrap();
            if found["data"]["contacts"][0].to_string().contains("Quillfeather") {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert!(found["data"]["contacts"][0].to_string().contains("Quillfeather"), "{found}");
        victim.kill();
        if let Some(database) = database {
            database.remove().await.unwrap();
        }
    }
}

/// More at once than may wait: what does not fit is sent away in the way that the vendor comes back after, what was
/// taken is worked on to the last event, and the process does not grow.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_burst_stays_within_its_bounds() {
    for (database, events) in databases().await.into_iter().zip([10_000, 1_500]) {
        let vendors = vendors().await;
        let folder = tempfile::tempdir().unwrap();
        let url = database.as_ref().map(|database| database.url.clone());
        let key = vendors.webhook_secret("gohighlevel");
        let more = [
            ("SYNC_ENABLED", "false"),
            ("GHL_WEBHOOK_PUBLIC_KEY", key.as_str()),
            ("WEBHOOKS_MAX_WAITING", "200"),
            ("WEBHOOKS_PER_MINUTE", "100000"),
        ];
        let mut victim = kill::start(folder.path(), &vendors, url.as_deref(), &more);
        call(&victim.url, "gohighlevel.sync_all_contacts", json!({})).await.unwrap();
        let before = victim.resident();
        let hook = format!("{}/webhooks/gohighlevel", victim.url);
        let mut burst = Box::pin(vendors.burst_of_webhooks("gohighlevel", &hook, events));
        let mut peak = before;
        let answers = loop {
            tokio::select! {
                answers = &mut burst => break answers.unwrap(),
                () = tokio::time::sleep(Duration::from_millis(50)) => peak = peak.max(victim.resident()),
            }
        };
        println!("{answers:?}, {} MB before, {} MB at most", before >> 20, peak >> 20);
        let taken = answers[&200];
        assert_eq!((answers.len(), taken + answers[&429]), (2, events), "{answers:?}");
        assert!(taken >= 200, "{answers:?}");
        assert!(peak < before + (150 << 20), "it grew from {before} to {peak} bytes");
        let mut done = 0;
        for _ in 0..600 {
            done = outcomes(&victim.url, "processed").await;
            if done >= taken {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        // One that was kept just after its vendor was told to come back is worked on all the same, and known when it comes.
        assert!(done >= taken && done <= events, "{done} of {taken}");
        assert_eq!(outcomes(&victim.url, "accepted").await, taken);
        victim.kill();
        if let Some(database) = database {
            database.remove().await.unwrap();
        }
    }
}

/// A count of the server's metrics.
async fn outcomes(url: &str, outcome: &str) -> u64 {
    let client = server::app::client().unwrap();
    let text = client.get(format!("{url}/metrics")).send().await.unwrap().text().await.unwrap();
    let labels = format!("mcp_webhook_events_total{{ecosystem=\"gohighlevel\",outcome=\"{outcome}\"}}");
    text.lines().find_map(|line| line.strip_prefix(&labels)).map_or(0, |count| count.trim().parse().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_database_each_vendor_is_asked_to_come_back() {
    let Some(any) = TestStore::postgres().await.unwrap() else { return };
    any.remove().await.unwrap();
    let (postgres, url) = Private::start();
    let vendors = vendors().await;
    let folder = tempfile::tempdir().unwrap();
    let mut config = connected(&vendors, &[("DATABASE_URL", &url)]);
    config.server.data_dir = folder.path().to_owned();
    let server = server::serve::Server::start(app(config).await.unwrap()).await.unwrap();
    let server = TestServer { server, http: server::app::client().unwrap(), folder, database: None };
    let realm = vendors.account("quickbooks").unwrap().config["realm_id"].as_str().unwrap().to_owned();
    let qbo = json!([{"id": "e1", "type": "qbo.customer.updated.v1", "intuitentityid": "1", "intuitaccountid": realm}]);
    let ghl = event(&vendors, "ContactUpdate", 1, "w1");
    postgres.tell("halt");
    // GoHighLevel comes back after 429 and nothing else.
    assert_eq!(deliver(&server, &vendors, "quickbooks", &qbo).await.0, 503);
    assert_eq!(deliver(&server, &vendors, "gohighlevel", &ghl).await.0, 429);
    postgres.tell("resume");
    for (ecosystem, body) in [("quickbooks", &qbo), ("gohighlevel", &ghl)] {
        let mut status = 0;
        for _ in 0..100 {
            status = deliver(&server, &vendors, ecosystem, body).await.0;
            if status == 200 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert_eq!(status, 200, "{ecosystem}");
    }
    server.stop().await;
}
