//! Sample data is never passed off as real, and a failing vendor never yields it.

use std::time::Duration;

use sandbox::Fault;
use serde_json::json;
use server::app::App;
use server::config::Config;
use server::serve::Server;

use crate::support::{self, KEY, TestServer};

/// A second business that a "live" account leads to.
async fn vendor() -> sandbox::Sandbox {
    let mut options = sandbox::Options::new(chrono_now());
    options.seed = 77;
    options.contacts = 40;
    sandbox::start(options, ([127, 0, 0, 1], 0).into()).await.unwrap()
}

fn chrono_now() -> chrono::DateTime<chrono::Utc> {
    server::clock::Clock::system().now()
}

/// A server whose GoHighLevel account is connected to `vendor`.
async fn connected(vendor: &sandbox::Sandbox, folder: &std::path::Path) -> TestServer {
    let account = vendor.gohighlevel();
    let mut config = live_config(vendor, &account.private_token, &account.location_id);
    config.server.data_dir = folder.to_owned();
    let app = support::app(config).await.unwrap();
    let server = Server::start(app).await.unwrap();
    TestServer { server, http: server::app::client().unwrap(), folder: tempfile::tempdir().unwrap(), database: None }
}

fn live_config(vendor: &sandbox::Sandbox, token: &str, location: &str) -> Config {
    support::config(&[("GHL_API_KEY", token), ("GHL_LOCATION_ID", location), ("GHL_BASE_URL", &vendor.url())])
}

#[tokio::test]
async fn a_live_account_answers_live_then_cached_never_sample() {
    let (vendor, folder) = (vendor().await, tempfile::tempdir().unwrap());
    let server = connected(&vendor, folder.path()).await;
    let (_, live) = server.run("gohighlevel.read_contacts", json!({"limit": 3})).await;
    assert_eq!(live["metadata"]["source"], "live", "{live}");
    server.data("gohighlevel.sync_all_contacts", json!({})).await;

    vendor.faults().always("/", Fault::Status(503));
    let (status, cached) = server.run("gohighlevel.read_contacts", json!({"limit": 3})).await;
    assert_eq!((status, &cached["metadata"]["source"]), (200, &json!("cached")), "{cached}");
    assert!(cached["metadata"]["as_of"].is_string(), "its age is told: {cached}");
    assert!(
        cached["metadata"]["notes"][0].as_str().unwrap().contains("could not be asked"),
        "and the reason: {cached}"
    );
    assert_eq!(cached["data"]["contacts"][0]["id"], live["data"]["contacts"][0]["id"]);

    let (status, failed) = server.run("gohighlevel.list_pipelines", json!({})).await;
    assert!(status >= 500, "what has no copy is an error: {failed}");
    server.stop().await;
}

#[tokio::test]
async fn a_live_account_that_never_synced_gets_an_error_and_no_sample() {
    let (vendor, folder) = (vendor().await, tempfile::tempdir().unwrap());
    let server = connected(&vendor, folder.path()).await;
    vendor.faults().always("/", Fault::Status(503));
    let (status, body) = server.run("gohighlevel.read_contacts", json!({})).await;
    assert_eq!(status, 503, "{body}");
    server.stop().await;
}

#[tokio::test]
async fn connecting_an_account_removes_the_sample_business() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = support::config(&[]);
    config.server.data_dir = folder.path().to_owned();
    let app = support::app(config).await.unwrap();
    let sample = Server::start(app).await.unwrap();
    let first = TestServer {
        server: sample,
        http: server::app::client().unwrap(),
        folder: tempfile::tempdir().unwrap(),
        database: None,
    };
    first.data("gohighlevel.sync_all_contacts", json!({})).await;
    first.stop().await;

    let vendor = vendor().await;
    let server = connected(&vendor, folder.path()).await;
    let found = server.data("contacts.search", json!({"query": "latest contacts"})).await;
    assert_eq!(found["contacts"], json!([]), "nothing of the sample business is left: {found}");
    server.data("gohighlevel.sync_all_contacts", json!({})).await;
    let stats = store::contacts::stats(&server.app().store.tenant("default"), None).await.unwrap();
    assert_eq!(stats.contacts, 40);
    let (_, body) = server.run("contacts.search", json!({"query": "latest contacts"})).await;
    assert_eq!(body["metadata"]["source"], "cached");
    server.stop().await;
}

#[tokio::test]
async fn a_wrong_key_is_named_as_such() {
    let (vendor, folder) = (vendor().await, tempfile::tempdir().unwrap());
    let mut config = live_config(&vendor, "pit-wrong", &vendor.gohighlevel().location_id);
    config.server.data_dir = folder.path().to_owned();
    let app = support::app(config).await.unwrap();
    let server = Server::start(app).await.unwrap();
    let server = TestServer { server, http: server::app::client().unwrap(), folder, database: None };
    let (status, body) = server.run("gohighlevel.read_contacts", json!({})).await;
    assert_eq!(status, 502, "{body}");
    assert!(body["detail"].as_str().unwrap().contains("Private Integrations"), "{body}");
    server.stop().await;
}

#[tokio::test]
async fn slow_vendor_calls_do_not_hold_up_the_health_check() {
    let (vendor, folder) = (vendor().await, tempfile::tempdir().unwrap());
    let server = connected(&vendor, folder.path()).await;
    vendor.faults().always("/contacts/search", Fault::Stall(Duration::from_secs(2)));
    let app: &App = server.app();
    let calls: Vec<_> = (0..200)
        .map(|_| {
            let request = server.http.post(server.url("/mcp/run/gohighlevel.read_contacts")).bearer_auth(KEY);
            tokio::spawn(request.json(&json!({})).send())
        })
        .collect();
    while app.running.len() < 200 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // All of them wait for the vendor or for the bucket; a health check that has to queue behind one
    // of them would take seconds.
    for _ in 0..20 {
        let health = tokio::time::timeout(Duration::from_secs(1), server.http.get(server.url("/health")).send());
        assert_eq!(health.await.expect("health answers meanwhile").unwrap().status(), 200);
    }
    assert!(app.running.len() > 100, "the calls were still in flight");
    calls.iter().for_each(|call| call.abort());
    server.stop().await;
}

/// One start without the key must not cost a business what its people wrote.
#[tokio::test]
async fn a_start_without_the_key_keeps_what_people_wrote() {
    let (vendor, folder) = (vendor().await, tempfile::tempdir().unwrap());
    let server = connected(&vendor, folder.path()).await;
    server.data("gohighlevel.sync_all_contacts", json!({})).await;
    let contact = server.data("gohighlevel.read_contacts", json!({"limit": 1})).await["contacts"][0]["id"].clone();
    server.data("contacts.save_context", json!({"contact": contact, "personal_notes": "prefers mornings"})).await;
    server.stop().await;

    let mut config = support::config(&[]);
    config.server.data_dir = folder.path().to_owned();
    let app = support::app(config).await.unwrap();
    let sample = Server::start(app).await.unwrap();
    let sample = TestServer {
        server: sample,
        http: server::app::client().unwrap(),
        folder: tempfile::tempdir().unwrap(),
        database: None,
    };
    sample.data("gohighlevel.sync_all_contacts", json!({})).await;
    sample.stop().await;

    let server = connected(&vendor, folder.path()).await;
    server.data("gohighlevel.sync_all_contacts", json!({})).await;
    let view = server.data("contacts.view_360", json!({"contact": contact})).await;
    assert!(view.to_string().contains("prefers mornings"), "{view}");
    let stats = store::contacts::stats(&server.app().store.tenant("default"), None).await.unwrap();
    assert_eq!(stats.contacts, 40, "and nothing of the sample business is left");
    server.stop().await;
}
