//! Connecting accounts, and what stays of their secrets.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use sandbox::Sandbox;
use serde_json::json;
use server::actor::Actor;
use server::clock::Clock;
use server::connections::{disconnect, rotate, test};
use store::vault::Credential;

use crate::support::{TestServer, on_both};

async fn vendor() -> Sandbox {
    let mut options = sandbox::Options::new(Clock::system().now());
    (options.seed, options.contacts, options.enforce_limits) = (77, 30, false);
    sandbox::start(options, ([127, 0, 0, 1], 0).into()).await.unwrap()
}

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

async fn connect(server: &TestServer, vendor: &Sandbox, token: &str) -> sdk::Result<sdk::Account> {
    let account = vendor.gohighlevel();
    let settings = map(&[("base_url", &vendor.url()), ("location_id", &account.location_id)]);
    let app = server.app();
    let secrets = map(&[("token", token)]);
    let connected =
        app.connections.own().connect_with_keys(app, &Actor::terminal(), "gohighlevel", secrets, settings).await?;
    Ok(connected.account)
}

/// An account is proven, kept sealed, used at once, survives a change of keys, and is gone when it is disconnected.
#[tokio::test]
async fn an_account_is_connected_rotated_and_wiped() {
    on_both(
        |_| {},
        |server: Arc<TestServer>| async move {
            let vendor = vendor().await;
            let token = vendor.gohighlevel().private_token;
            let (_, body) = server.run("gohighlevel.read_contacts", json!({"limit": 1})).await;
            assert_eq!(body["metadata"]["source"], "sample");

            let refused = connect(&server, &vendor, "pit-wrong").await.unwrap_err();
            assert_eq!(refused.kind, sdk::Kind::Unauthenticated, "{refused}");
            let account = connect(&server, &vendor, &token).await.unwrap();
            assert_eq!(account.id, vendor.gohighlevel().location_id);
            let (_, body) = server.run("gohighlevel.read_contacts", json!({"limit": 1})).await;
            assert_eq!(body["metadata"]["source"], "live", "{body}");

            let sealed = rows(&server).await;
            assert_eq!(sealed.len(), 1);
            for master in [false, true] {
                assert_eq!(rotate(server.app(), &Actor::terminal(), "default", master).await.unwrap(), 1);
                server.app().connections.own().reload("gohighlevel").await.unwrap();
                assert_eq!(test(server.app(), server.app().connections.own(), "gohighlevel").await.unwrap(), account);
            }
            let anew = rows(&server).await;
            assert!(sealed[0].key_id != anew[0].key_id && sealed[0].sealed != anew[0].sealed);
            assert!(!anew[0].sealed.windows(token.len()).any(|bytes| bytes == token.as_bytes()));

            let said = disconnect(server.app(), &Actor::terminal(), "gohighlevel").await.unwrap();
            assert!(said.contains("Wiped"), "{said}");
            assert!(rows(&server).await.is_empty());
            let (_, body) = server.run("gohighlevel.read_contacts", json!({"limit": 1})).await;
            assert_eq!(body["metadata"]["source"], "sample");
            let tenant = server.app().store.tenant("default");
            for event in ["connected", "keys_rotated", "disconnected"] {
                let found = store::audit::events(&tenant, Some(event), 9, None).await.unwrap().rows;
                assert!(!found.is_empty(), "{event} is on record");
                assert!(found.iter().all(|event| !event.detail.to_string().contains(&token)));
            }
        },
    )
    .await;
}

/// A master key that is not the one that sealed the vault is trouble of that connection, named with its cure; never
/// sample data in its place, and the server starts.
#[tokio::test]
async fn a_lost_master_key_is_named_and_never_answered_with_sample_data() {
    let server = TestServer::sqlite().await;
    let vendor = vendor().await;
    connect(&server, &vendor, &vendor.gohighlevel().private_token).await.unwrap();
    let file = server.folder.path().join("master.key");
    let key = std::fs::read_to_string(&file).unwrap();
    assert_eq!(key.len(), 64);
    std::fs::write(&file, "0".repeat(64)).unwrap();
    server.app().connections.own().reload("gohighlevel").await.unwrap();
    let (status, body) = server.run("gohighlevel.get_contact", json!({"contact_id": "nobody"})).await;
    assert!(status != 200 && body["detail"].as_str().unwrap().contains("master key"), "{status} {body}");
    let connections = server.data("system.list_connections", json!({})).await;
    let ours = connections["connections"].as_array().unwrap().iter().find(|one| one["ecosystem"] == "gohighlevel");
    assert_eq!(ours.unwrap()["state"], "needs_attention", "{connections}");
    std::fs::write(&file, key).unwrap();
    server.app().connections.own().reload("gohighlevel").await.unwrap();
    tokio::time::timeout(Duration::from_secs(10), test(server.app(), server.app().connections.own(), "gohighlevel"))
        .await
        .unwrap()
        .unwrap();
    server.stop().await;
}

/// A change of the master key that was cut off is gone on with, and opens what either run sealed anew.
#[tokio::test]
async fn a_change_of_the_master_key_that_was_cut_off_is_gone_on_with() {
    let server = TestServer::sqlite().await;
    let (vault, store) = (&server.app().vault, &server.app().store);
    let tenants = ["one", "two"].map(|id| store.tenant(id));
    let mut sealed = Vec::new();
    for tenant in &tenants {
        sealed.push(vault.current(tenant).await.unwrap().seal(b"a token", "here").unwrap());
    }
    let file = server.folder.path().join("master.key");
    let next = server.folder.path().join("master.key.next");
    let before = std::fs::read_to_string(&file).unwrap();
    // As a kill between the two would leave it: the first tenant's key is sealed anew, the files are not changed over.
    vault.change_master(&tenants[..1]).await.unwrap();
    std::fs::rename(&file, &next).unwrap();
    std::fs::write(&file, &before).unwrap();
    for _ in 0..2 {
        for (tenant, sealed) in tenants.iter().zip(&sealed) {
            let key = vault.key(tenant, &sealed.key_id).await.unwrap();
            assert_eq!(key.open(&sealed.bytes, "here").unwrap(), b"a token", "{}", tenant.id());
        }
        vault.change_master(&tenants).await.unwrap();
        assert!(!next.exists() && std::fs::read_to_string(&file).unwrap() != before);
    }
    server.stop().await;
}

/// The rows of the vault.
async fn rows(server: &TestServer) -> Vec<Credential> {
    store::vault::list(&server.app().store.tenant("default")).await.unwrap()
}
