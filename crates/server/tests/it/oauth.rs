//! Consent and tokens against a vendor's authorization server: single use, refreshed once, kept before they are used.

use std::collections::BTreeMap;

use sandbox::{Account, Fault, Sandbox};
use serde_json::{Value, json};
use server::actor::Actor;
use server::clock::Clock;
use server::config::Config;
use store::testing::TestStore;

use crate::support::TestServer;

const CALLBACK: &str = "http://127.0.0.1:8765/callback";

pub async fn vendor() -> Sandbox {
    let mut options = sandbox::Options::new(Clock::system().now());
    (options.seed, options.contacts, options.enforce_limits) = (78, 60, false);
    sandbox::start(options, ([127, 0, 0, 1], 0).into()).await.unwrap()
}

/// A server whose QuickBooks is this vendor, connected to nothing yet.
pub async fn beside(
    vendor: &Sandbox,
    database: Option<TestStore>,
    change: impl FnOnce(&mut Config),
) -> (TestServer, Account) {
    let account = vendor.account("quickbooks").unwrap();
    let addresses = account.config.as_object().unwrap().clone();
    let changed = move |config: &mut Config| {
        change(config);
        let section = config.connectors.entry("quickbooks".into()).or_default();
        for (key, value) in addresses.iter().filter(|(key, _)| key.ends_with("_url")) {
            section.insert(key.clone(), value.as_str().unwrap().into());
        }
    };
    (TestServer::start(database, changed).await, account)
}

fn client(account: &Account) -> BTreeMap<String, String> {
    ["client_id", "client_secret"].map(|name| (name.to_owned(), account.credentials[name].clone())).into()
}

/// A person says yes: what the browser is sent back with.
async fn says_yes(server: &TestServer, url: &str) -> String {
    let answer = server.http.get(url).send().await.unwrap();
    let location = answer.headers()["location"].to_str().unwrap().to_owned();
    location.split_once('?').unwrap().1.to_owned()
}

pub async fn connected(server: &TestServer, account: &Account) -> server::connections::NewConnection {
    let app = server.app();
    let consent =
        app.connections.own().begin_consent("quickbooks", client(account), [].into(), None, CALLBACK).unwrap();
    let query = says_yes(server, &consent.url).await;
    app.connections.own().finish_consent(app, &Actor::terminal(), consent, &query).await.unwrap()
}

/// How many requests to the token endpoint these calls made.
async fn refreshes(server: &TestServer, answers: &[(u16, Value)]) -> usize {
    let tenant = server.app().store.tenant("default");
    let mut count = 0;
    for (_, body) in answers {
        let execution = body["metadata"]["execution_id"].as_str().unwrap().parse().unwrap();
        let calls = store::audit::api_calls_of(&tenant, execution).await.unwrap();
        count += calls.iter().filter(|call| call.endpoint == "/oauth/token").count();
    }
    count
}

pub async fn invoices(server: &TestServer) -> (u16, Value) {
    server.run("quickbooks.list_invoices", json!({"limit": 1})).await
}

#[tokio::test]
async fn a_consent_is_bound_to_who_began_it_and_good_once() {
    let vendor = vendor().await;
    let (server, account) = beside(&vendor, None, |_| {}).await;
    let app = server.app();
    let begin =
        || app.connections.own().begin_consent("quickbooks", client(&account), [].into(), None, CALLBACK).unwrap();

    let (first, second) = (begin(), begin());
    let foreign = says_yes(&server, &first.url).await;
    let by = Actor::terminal();
    let forged = app.connections.own().finish_consent(app, &by, second, &foreign).await.unwrap_err();
    assert_eq!(forged.kind, sdk::Kind::Forbidden, "{forged}");
    let refused = app.connections.own().finish_consent(app, &by, begin(), "error=access_denied").await.unwrap_err();
    assert_eq!(refused.kind, sdk::Kind::Forbidden, "{refused}");

    let done = app.connections.own().finish_consent(app, &by, first, &foreign).await.unwrap();
    assert!(!done.account.id.is_empty() && done.missing_scopes.is_empty(), "{done:?}");
    let (status, body) = invoices(&server).await;
    assert_eq!((status, &body["metadata"]["source"]), (200, &json!("live")), "{body}");

    // Fresh is what is connected; the rest is not copied.
    let synced = server.data("system.sync", json!({})).await;
    assert_eq!(synced["syncs"].as_array().map(Vec::len), Some(1), "{synced}");
    let health = server.data("system.health", json!({})).await;
    assert_eq!(health["sync"]["fresh"], true, "{health}");

    // Nothing in the database is a token.
    let token = store::vault::token(&app.store.tenant("default"), "quickbooks").await.unwrap().unwrap();
    let sealed = token.refresh_token.unwrap();
    assert!(!String::from_utf8_lossy(&sealed).contains("RT"), "the refresh token is sealed");
    server.stop().await;
}

/// Many calls at once with a token that the vendor no longer takes cost one refresh, and every call succeeds.
#[tokio::test]
async fn of_many_calls_one_refreshes() {
    let mut databases = vec![None];
    databases.extend(TestStore::postgres().await.unwrap().map(Some));
    for database in databases {
        let vendor = vendor().await;
        let (server, account) = beside(&vendor, database, |_| {}).await;
        connected(&server, &account).await;
        assert_eq!(invoices(&server).await.0, 200);
        vendor.faults().next_on("/quickbooks/v3", 1, Fault::ExpiredToken);
        let calls: Vec<_> = (0..20).map(|_| invoices(&server)).collect();
        let answers = futures::future::join_all(calls).await;
        assert!(answers.iter().all(|(status, _)| *status == 200), "{answers:?}");
        // The record of a request is committed with whatever comes next.
        assert_eq!(invoices(&server).await.0, 200);
        assert_eq!(refreshes(&server, &answers).await, 1);
        server.stop().await;
    }
}

/// A refresh whose answer is lost is asked for again; a consent that was withdrawn is named once and not asked for again.
#[tokio::test]
async fn a_lost_refresh_is_repeated_and_a_withdrawn_consent_is_not() {
    let vendor = vendor().await;
    let (server, account) = beside(&vendor, None, |_| {}).await;
    connected(&server, &account).await;
    vendor.faults().next_on("/quickbooks/v3", 1, Fault::ExpiredToken);
    vendor.faults().next_on("/quickbooks/oauth2", 1, Fault::DropReply);
    let (status, body) = invoices(&server).await;
    assert_eq!(status, 200, "{body}");

    let app = server.app();
    let said = server::connections::disconnect(app, &Actor::terminal(), "quickbooks").await.unwrap();
    assert!(said.starts_with("Revoked"), "{said}");
    let mut secrets = client(&account);
    secrets.insert("refresh_token".into(), "RT1-withdrawn".into());
    let realm = account.config["realm_id"].as_str().unwrap().to_owned();
    let settings = [("realm_id".to_owned(), realm)].into();
    let by = Actor::terminal();
    let refused = app.connections.own().connect_with_keys(app, &by, "quickbooks", secrets, settings).await.unwrap_err();
    assert_eq!(refused.kind, sdk::Kind::Unauthenticated, "{refused}");
    assert!(refused.message.contains("enterprise-mcp connect quickbooks"), "{refused}");
    server.stop().await;
}
