//! What an account's coming, going and failing does to the brain, to the schedules and to what people are told.

use std::time::Duration;

use serde_json::{Value, json};
use server::actor::Actor;
use server::connections::{disconnect, settle};
use store::testing::TestStore;

use crate::oauth::{beside, connected, invoices, vendor};
use crate::support::TestServer;

/// The first account of any ecosystem takes the whole sample business with it, and only what is connected is copied
/// from then on; when the last one goes, the sample is back.
#[tokio::test]
async fn the_first_account_takes_the_whole_sample_with_it() {
    let mut databases = vec![None];
    databases.extend(TestStore::postgres().await.unwrap().map(Some));
    for database in databases {
        let vendor = vendor().await;
        let (server, account) = beside(&vendor, database, |config| config.sync.enabled = true).await;
        let app = server.app();
        server.data("system.sync", json!({})).await;
        settle(app, app.connections.own()).await.unwrap();
        assert!(contacts(&server).await > 0);
        assert_eq!(
            enabled(&server).await,
            ["amazon", "cloudflare", "godaddy", "gohighlevel", "google_workspace", "quickbooks"]
        );

        connected(&server, &account).await;
        assert_eq!(contacts(&server).await, 0, "sample contacts stay out of a business");
        assert_eq!(enabled(&server).await, ["quickbooks"]);

        disconnect(app, &Actor::terminal(), "quickbooks").await.unwrap();
        assert_eq!(enabled(&server).await.len(), 6);
        server.stop().await;
    }
}

/// A consent that ran out at the vendor is named with what helps, wherever a person looks, also by a process that starts
/// later; a new consent mends it.
#[tokio::test]
async fn an_ended_consent_is_shown_until_there_is_a_new_one() {
    let vendor = vendor().await;
    let (server, account) = beside(&vendor, None, |_| {}).await;
    connected(&server, &account).await;
    assert_eq!(quickbooks(&server).await["state"], "connected");
    vendor.skip(Duration::from_secs(102 * 24 * 3600));
    let cure = "enterprise-mcp connect quickbooks";
    for _ in 0..2 {
        let (status, body) = invoices(&server).await;
        assert!(status >= 400 && body["detail"].as_str().unwrap().contains(cure), "{status} {body}");
        server.app().connections.own().reload("quickbooks").await.unwrap();
    }
    let told = quickbooks(&server).await;
    assert_eq!(told["state"], "needs_attention", "{told}");
    assert!(told["reason"].as_str().unwrap().contains(cure), "{told}");
    connected(&server, &account).await;
    assert_eq!(quickbooks(&server).await["state"], "connected");
    assert_eq!(invoices(&server).await.0, 200);
    server.stop().await;
}

async fn contacts(server: &TestServer) -> u64 {
    let tenant = server.app().store.tenant("default");
    store::contacts::count(&tenant, &store::contacts::Filter::default()).await.unwrap()
}

/// The ecosystems whose schedules run.
async fn enabled(server: &TestServer) -> Vec<String> {
    let schedules = store::schedules::list(&server.app().store.tenant("default")).await.unwrap();
    let of = |input: &Value| input["ecosystem"].as_str().map(str::to_owned);
    let mut ecosystems: Vec<String> =
        schedules.iter().filter(|row| row.enabled).filter_map(|row| of(&row.input)).collect();
    ecosystems.sort();
    ecosystems.dedup();
    ecosystems
}

async fn quickbooks(server: &TestServer) -> Value {
    let list = server.data("system.list_connections", json!({})).await;
    let all = list["connections"].as_array().unwrap();
    all.iter().find(|one| one["ecosystem"] == "quickbooks").unwrap().clone()
}
