//! Webhooks in: what is proven is kept once and copied without a sync's tick, what is not leaves nothing behind.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use sandbox::Sandbox;
use serde_json::{Value, json};
use server::config::Config;
use store::testing::TestStore;

use crate::support::{TestServer, config};

/// The simulated vendors in the place of the real ones, on a port of their own.
pub async fn vendors() -> Sandbox {
    let mut options = sandbox::Options::new(server::clock::Clock::system().now());
    options.contacts = 200;
    options.enforce_limits = false;
    options.webhook_retry = Duration::from_millis(50);
    sandbox::start(options, ([127, 0, 0, 1], 0).into()).await.unwrap()
}

/// What a person writes into `.env` to connect them.
pub fn connected(vendors: &Sandbox, more: &[(&str, &str)]) -> Config {
    let ghl = vendors.gohighlevel();
    let qbo = vendors.account("quickbooks").unwrap();
    let google = vendors.account("google_workspace").unwrap();
    let slack = vendors.account("slack").unwrap();
    let (url, secret) = (vendors.url(), |ecosystem: &str| vendors.webhook_secret(ecosystem));
    let keys = [secret("gohighlevel"), secret("quickbooks"), secret("google_workspace"), secret("slack")];
    let mut variables = vec![
        ("GHL_API_KEY", ghl.private_token.as_str()),
        ("GHL_LOCATION_ID", &ghl.location_id),
        ("GHL_BASE_URL", &url),
        ("GHL_REQUESTS_PER_SECOND", "100000"),
        ("GHL_WEBHOOK_PUBLIC_KEY", &keys[0]),
        ("QBO_CLIENT_ID", &qbo.credentials["client_id"]),
        ("QBO_CLIENT_SECRET", &qbo.credentials["client_secret"]),
        ("QBO_REFRESH_TOKEN", &qbo.credentials["refresh_token"]),
        ("QBO_WEBHOOK_VERIFIER_TOKEN", &keys[1]),
        ("GOOGLE_CLIENT_ID", &google.credentials["client_id"]),
        ("GOOGLE_CLIENT_SECRET", &google.credentials["client_secret"]),
        ("GOOGLE_REFRESH_TOKEN", &google.credentials["refresh_token"]),
        ("GOOGLE_CHANNEL_TOKEN", &keys[2]),
        ("SLACK_BOT_TOKEN", &slack.credentials["token"]),
        ("SLACK_SIGNING_SECRET", &keys[3]),
    ];
    variables.extend(more);
    let mut config = config(&variables);
    for (ecosystem, account) in [("quickbooks", qbo), ("google_workspace", google), ("slack", slack)] {
        let section = toml::Table::try_from(&account.config).unwrap();
        config.connectors.entry(ecosystem.into()).or_default().extend(section);
    }
    config
}

/// A server that is connected to the vendors, on this database.
async fn start(vendors: &Sandbox, database: Option<TestStore>, more: &[(&str, &str)]) -> Arc<TestServer> {
    let wanted = connected(vendors, more);
    let change = |config: &mut Config| {
        let (folder, url) = (config.server.data_dir.clone(), config.database.url.clone());
        *config = wanted;
        config.server.data_dir = folder;
        config.database.url = url;
    };
    Arc::new(TestServer::start(database, change).await)
}

pub async fn databases() -> Vec<Option<TestStore>> {
    let mut databases = vec![None];
    databases.extend(TestStore::postgres().await.unwrap().map(Some));
    databases
}

/// Sends a delivery as it is: status and body.
async fn send(server: &TestServer, ecosystem: &str, headers: &[(&str, String)], body: &[u8]) -> (u16, Value) {
    let mut request = server.http.post(server.url(&format!("/webhooks/{ecosystem}"))).body(body.to_vec());
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

/// Signs and sends.
pub async fn deliver(server: &TestServer, vendors: &Sandbox, ecosystem: &str, body: &Value) -> (u16, Value) {
    let body = body.to_string();
    send(server, ecosystem, &vendors.signed(ecosystem, body.as_bytes()), body.as_bytes()).await
}

async fn states(server: &TestServer, ecosystem: &str) -> BTreeMap<String, i64> {
    store::webhooks::count_by_state(&server.app().store.tenant("default"), ecosystem).await.unwrap()
}

/// Until every event of the ecosystem has been worked on.
async fn settled(server: &TestServer, ecosystem: &str, at_least: i64) -> BTreeMap<String, i64> {
    for _ in 0..600 {
        let states = states(server, ecosystem).await;
        if !states.contains_key("received") && states.values().sum::<i64>() >= at_least {
            return states;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("events of {ecosystem} were not worked on: {:?}", states(server, ecosystem).await);
}

async fn sync(server: &TestServer, ecosystem: &str) {
    let report = server.data("system.sync", json!({"ecosystem": ecosystem, "mode": "full"})).await;
    assert_eq!(report["syncs"][0]["errors"], 0, "{report}");
}

pub fn event(vendors: &Sandbox, kind: &str, number: usize, id: &str) -> Value {
    let contact = vendors.business().contact(number).unwrap();
    let now = server::clock::Clock::system().now();
    json!({"type": kind, "locationId": vendors.gohighlevel().location_id, "id": contact["contact"]["id"].as_str()
        .or(contact["id"].as_str()), "webhookId": id, "timestamp": now.to_rfc3339()})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_at_the_vendor_is_in_the_brain_without_a_tick() {
    for database in databases().await {
        let vendors = vendors().await;
        let server = start(&vendors, database, &[]).await;
        sync(&server, "gohighlevel").await;
        vendors.subscribe("gohighlevel", &server.url("/webhooks/gohighlevel")).unwrap();
        // Every delivery twice: it is one event all the same.
        vendors.duplicate_webhooks(1);
        let business = vendors.business();
        business.update_contact(7, json!({"companyName": "Renamed Works"})).unwrap();
        business.create_contact(json!({"firstName": "Zora", "lastName": "Quillfeather"})).unwrap();
        business.receive_sms(8, "are you there?").unwrap();
        let gone = business.delete_contact(3).unwrap();
        let states = settled(&server, "gohighlevel", 4).await;
        assert_eq!(states, BTreeMap::from([("done".to_owned(), 4)]), "each event once");
        for (query, name) in [("zora quillfeather", "Zora Quillfeather"), ("renamed works", "Renamed Works")] {
            let found = server.data("contacts.search", json!({"query": query})).await;
            assert!(found["contacts"][0].to_string().contains(name), "{found}");
        }
        let tenant = server.app().store.tenant("default");
        let row = store::contacts::by_vendor_id(&tenant, "gohighlevel", gone["id"].as_str().unwrap()).await.unwrap();
        assert!(row.is_none_or(|row| row.deleted_at.is_some()), "the deletion was written at once");
        assert_eq!(store::contacts::stats(&tenant, None).await.unwrap().contacts, 200);
        // What was walked is on record like any other sync.
        let audit = server.data("system.search_audit", json!({"tool": "system.sync"})).await;
        assert!(audit["executions"].to_string().contains("\"streams\""), "{audit}");
        finish(server).await;
    }
}

async fn finish(server: Arc<TestServer>) {
    Arc::into_inner(server).expect("the test let go of the server").stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_proven_leaves_nothing_behind() {
    let vendors = vendors().await;
    let server = start(&vendors, None, &[]).await;
    let now = server::clock::Clock::system().now();
    let ghl = event(&vendors, "ContactUpdate", 1, "w1").to_string();
    let qbo = json!([{"type": "qbo.invoice.updated.v1", "id": "e1"}]).to_string();
    let slack = json!({"type": "event_callback", "event_id": "Ev1", "event": {"type": "message"}}).to_string();
    for (ecosystem, body) in [("gohighlevel", &ghl), ("quickbooks", &qbo), ("slack", &slack)] {
        let headers = vendors.signed(ecosystem, body.as_bytes());
        let tampered = body.replace("type", "tipe");
        assert_eq!(send(&server, ecosystem, &headers, tampered.as_bytes()).await.0, 401, "{ecosystem}");
        assert_eq!(send(&server, ecosystem, &[], body.as_bytes()).await.0, 401, "{ecosystem}");
        let mut options = sandbox::Options::new(now);
        (options.seed, options.contacts) = (2, 1);
        let stranger = sandbox::start(options, ([127, 0, 0, 1], 0).into()).await.unwrap();
        let theirs = stranger.signed(ecosystem, body.as_bytes());
        assert_eq!(send(&server, ecosystem, &theirs, body.as_bytes()).await.0, 401, "{ecosystem}: another's key");
    }
    let wrong = [("x-goog-channel-token", "another secret of theirs".to_owned())];
    assert_eq!(send(&server, "google_workspace", &wrong, b"").await.0, 401);
    // Proven, and from another time.
    let mut old = event(&vendors, "ContactUpdate", 1, "w2");
    old["timestamp"] = json!((now - chrono::Duration::hours(3)).to_rfc3339());
    assert_eq!(deliver(&server, &vendors, "gohighlevel", &old).await.0, 401);
    // Proven, and nonsense.
    assert_eq!(deliver(&server, &vendors, "quickbooks", &json!("nonsense")).await.0, 400);
    assert_eq!(send(&server, "gohighlevel", &[], &vec![b'x'; 600 << 10]).await.0, 413);
    for ecosystem in ["gohighlevel", "quickbooks", "google_workspace", "slack"] {
        assert!(states(&server, ecosystem).await.is_empty(), "{ecosystem}: something was kept");
    }
    // A key of an agent opens nothing here, and is not asked for.
    for unexpected in ["amazon", "nothing", "contacts"] {
        let (status, body) = deliver(&server, &vendors, unexpected, &json!({})).await;
        assert_eq!((status, &body["status"]), (404, &json!(404)), "{unexpected}");
    }
    assert_eq!(server.http.get(server.url("/webhooks/gohighlevel")).send().await.unwrap().status(), 405);
    finish(server).await;
}

#[tokio::test]
async fn nobody_tells_of_the_sample_business() {
    let server = TestServer::sqlite().await;
    let body = json!({"type": "ContactUpdate"});
    let sample = &server.app().sandbox;
    assert_eq!(deliver(&server, sample, "gohighlevel", &body).await.0, 404);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeated_delivery_has_no_second_effect() {
    for database in databases().await {
        let vendors = vendors().await;
        let server = start(&vendors, database, &[]).await;
        sync(&server, "gohighlevel").await;
        let update = event(&vendors, "ContactUpdate", 1, "w1");
        let first = deliver(&server, &vendors, "gohighlevel", &update).await;
        assert_eq!(first, (200, json!({"accepted": 1, "duplicates": 0, "ignored": 0})));
        settled(&server, "gohighlevel", 1).await;
        let syncs = || async { server.data("system.search_audit", json!({"tool": "system.sync"})).await };
        let before = syncs().await["executions"].as_array().unwrap().len();
        for _ in 0..3 {
            let again = deliver(&server, &vendors, "gohighlevel", &update).await;
            assert_eq!(again, (200, json!({"accepted": 0, "duplicates": 1, "ignored": 0})));
        }
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert_eq!(syncs().await["executions"].as_array().unwrap().len(), before, "nothing was walked again");
        finish(server).await;
    }
}

/// A deletion that was held up on its way says nothing of a record that has been seen since.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn late_and_reordered_events_do_no_harm() {
    let vendors = vendors().await;
    let server = start(&vendors, None, &[]).await;
    sync(&server, "gohighlevel").await;
    vendors.subscribe("gohighlevel", &server.url("/webhooks/gohighlevel")).unwrap();
    vendors.hold_webhooks();
    let business = vendors.business();
    let id = business.create_contact(json!({"firstName": "Zora", "lastName": "Quillfeather"})).unwrap();
    let last = business.contacts() - 1;
    for name in ["One", "Two", "Three"] {
        business.update_contact(last, json!({"companyName": format!("Works {name}")})).unwrap();
    }
    let answers = vendors.release_webhooks(true).await;
    assert_eq!(answers, [200; 4]);
    settled(&server, "gohighlevel", 4).await;
    let tenant = server.app().store.tenant("default");
    let row = || async { store::contacts::by_vendor_id(&tenant, "gohighlevel", &id).await.unwrap() };
    assert_eq!(row().await.unwrap().company.as_deref(), Some("Works Three"), "the vendor's present state counts");

    let mut late = event(&vendors, "ContactDelete", last, "late");
    late["timestamp"] = json!((server::clock::Clock::system().now() - chrono::Duration::minutes(70)).to_rfc3339());
    assert_eq!(deliver(&server, &vendors, "gohighlevel", &late).await.0, 200);
    settled(&server, "gohighlevel", 5).await;
    assert!(row().await.is_some_and(|row| row.deleted_at.is_none()), "it was seen long after that");
    finish(server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn quickbooks_mixes_companies_and_formats() {
    for database in databases().await {
        let vendors = vendors().await;
        let server = start(&vendors, database, &[]).await;
        sync(&server, "quickbooks").await;
        let account = vendors.account("quickbooks").unwrap();
        let realm = account.config["realm_id"].as_str().unwrap().to_owned();
        // Somebody adds a customer at the vendor; nobody has subscribed, so that only what is sent below tells.
        let url = format!("{}/v3/company/{realm}/customer", account.config["base_url"].as_str().unwrap());
        let request = server.http.post(url).bearer_auth(&account.credentials["access_token"]);
        let answer = request.json(&json!({"DisplayName": "Quillfeather Imports"})).send().await.unwrap();
        let made: Value = answer.json().await.unwrap();
        let id = made["Customer"]["Id"].as_str().unwrap().to_owned();

        let event = |id: &str, kind: &str, record: &str, realm: &str| {
            json!({"specversion": "1.0", "id": id, "source": "intuit.x", "type": kind, "intuitentityid": record,
                "intuitaccountid": realm, "time": "2026-11-20T10:00:00.034359333Z", "data": {}})
        };
        let mixed = json!([
            event("e1", "qbo.customer.created.v1", &id, &realm),
            event("e2", "qbo.customer.created.v1", "77", "1185883450"),
            event("e3", "qbo.class.created.v1", "3", &realm),
        ]);
        let answer = deliver(&server, &vendors, "quickbooks", &mixed).await;
        assert_eq!(answer, (200, json!({"accepted": 1, "duplicates": 0, "ignored": 2})));
        let states = settled(&server, "quickbooks", 3).await;
        assert_eq!((states.get("done"), states.get("ignored")), (Some(&1), Some(&2)), "{states:?}");
        let tenant = server.app().store.tenant("default");
        for (event, reason) in [("e2", "account"), ("e3", "copied")] {
            let row = store::webhooks::by_event_id(&tenant, "quickbooks", event).await.unwrap().unwrap();
            assert!(row.reason.unwrap().contains(reason), "{event}");
        }
        let walks = store::sync_runs::list(&tenant, Some("quickbooks"), None, 50).await.unwrap();
        let incremental: Vec<_> = walks.iter().filter(|run| run.mode == "incremental").collect();
        assert_eq!(incremental.len(), 1, "one read, of the customers only");
        assert_eq!((incremental[0].stream.as_str(), incremental[0].created), ("customers", 1));

        let old = json!({"eventNotifications": [{"realmId": realm, "dataChangeEvent": {"entities": [
            {"name": "Invoice", "id": "1", "operation": "Update", "lastUpdated": "2026-11-20T10:00:00.000Z"},
            {"name": "Customer", "id": id, "operation": "Update", "lastUpdated": "2026-11-20T10:00:00.000Z"}]}}]});
        let answer = deliver(&server, &vendors, "quickbooks", &old).await;
        assert_eq!(answer, (200, json!({"accepted": 2, "duplicates": 0, "ignored": 0})));
        let again = deliver(&server, &vendors, "quickbooks", &old).await;
        assert_eq!(again.1["duplicates"], 2, "they have no ids, and are known all the same");
        settled(&server, "quickbooks", 5).await;
        finish(server).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn google_tells_of_documents_and_slack_asks_first() {
    let vendors = vendors().await;
    let server = start(&vendors, None, &[]).await;
    sync(&server, "google_workspace").await;
    vendors.subscribe("google_workspace", &server.url("/webhooks/google_workspace")).unwrap();
    let listed = server.data("google_workspace.list_assets", json!({"limit": 1})).await;
    let file = listed["documents"][0]["id"].as_str().unwrap().to_owned();
    assert!(vendors.business().rename_document(&file, "Quillfeather contract"));
    // The channel's first message and the change.
    let states = settled(&server, "google_workspace", 2).await;
    assert_eq!((states.get("done"), states.get("ignored")), (Some(&1), Some(&1)), "{states:?}");
    let tenant = server.app().store.tenant("default");
    let walks = store::sync_runs::list(&tenant, Some("google_workspace"), Some("documents"), 5).await.unwrap();
    assert_eq!((walks[0].mode.as_str(), walks[0].updated), ("incremental", 1), "{walks:?}");

    let challenge = json!({"type": "url_verification", "token": "x", "challenge": "3eZbrw1aBm2rZgRNFdxV2595E9CY"});
    let (status, text) = deliver(&server, &vendors, "slack", &challenge).await;
    assert_eq!((status, text), (200, json!("3eZbrw1aBm2rZgRNFdxV2595E9CY")));
    vendors.subscribe("slack", &server.url("/webhooks/slack")).unwrap();
    let slack = vendors.account("slack").unwrap();
    let url = format!("{}/chat.postMessage", slack.config["base_url"].as_str().unwrap());
    let request = server.http.post(url).bearer_auth(&slack.credentials["token"]);
    request.json(&json!({"channel": "#general", "text": "hello"})).send().await.unwrap();
    let states = settled(&server, "slack", 1).await;
    assert_eq!(states, BTreeMap::from([("ignored".to_owned(), 1)]));

    // A person sees where webhooks are expected and when the last one came.
    let shown = server.data("system.list_connections", json!({})).await;
    let of = |id: &str| {
        shown["connections"].as_array().unwrap().iter().find(|one| one["ecosystem"] == id).unwrap()["webhooks"].clone()
    };
    assert!(of("slack")["url"].as_str().unwrap().ends_with("/webhooks/slack"), "{shown}");
    assert!(of("slack")["last_event"].is_string() && of("quickbooks")["last_event"].is_null(), "{shown}");
    assert!(of("amazon").is_null());
    finish(server).await;
}

/// Google wants to be asked: the server opens the channel when it knows where it can be reached, and only once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_channel_is_opened_by_the_server() {
    for database in databases().await {
        let vendors = vendors().await;
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
        let url = format!("http://127.0.0.1:{port}");
        let server = start(&vendors, database, &[("PORT", &port), ("TUNNEL_URL", &url)]).await;
        // Its first message says that it is open.
        let states = settled(&server, "google_workspace", 1).await;
        assert_eq!(states, BTreeMap::from([("ignored".to_owned(), 1)]));
        let tenant = server.app().store.tenant("default");
        let address = format!("{url}/webhooks/google_workspace");
        let mut until = None;
        for _ in 0..100 {
            until = store::webhooks::subscribed_until(&tenant, "google_workspace", &address).await.unwrap();
            if until.is_some() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert!(until.unwrap() > server.app().clock.now() + chrono::Duration::days(6));
        let asked = || async {
            let page = store::audit::events(&tenant, Some("webhooks_asked_for"), 9, None).await.unwrap();
            page.rows.len()
        };
        let own = server.app().connections.own();
        server::webhooks::renew(server.app(), own, &server::actor::Actor::terminal()).await;
        assert_eq!(asked().await, 1, "it lasts for days");
        finish(server).await;
    }
}
