//! The consents of the vendors that have ways of their own, and what is told of a consent's ends and scopes.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::time::Duration;

use sandbox::{Account, Sandbox};
use serde_json::{Value, json};
use server::actor::Actor;
use server::clock::Clock;
use server::config::Config;
use server::connections::{Consent, NewConnection, Which, disconnect};

use crate::support::{TestServer, on_both};

const CALLBACK: &str = "http://127.0.0.1:8765/callback";

pub async fn vendor(seed: u64) -> Sandbox {
    let mut options = sandbox::Options::new(Clock::system().now());
    (options.seed, options.contacts, options.enforce_limits) = (seed, 40, false);
    sandbox::start(options, ([127, 0, 0, 1], 0).into()).await.unwrap()
}

/// What a person gives with `--set`: the addresses of a simulated vendor, and these.
pub fn settings(account: &Account, keys: &[&str]) -> BTreeMap<String, String> {
    let all = account.config.as_object().unwrap().iter();
    let wanted = all.filter(|(key, _)| key.ends_with("_url") || keys.contains(&key.as_str()));
    wanted.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
}

pub fn client(account: &Account) -> BTreeMap<String, String> {
    ["client_id", "client_secret"].map(|name| (name.to_owned(), account.credentials[name].clone())).into()
}

pub fn begin(server: &TestServer, vendor: &Sandbox, which: impl Into<Which>, keys: &[&str]) -> Consent {
    let (app, which) = (server.app(), which.into());
    let account = vendor.account(&which.ecosystem).unwrap();
    let settings = settings(&account, keys);
    app.connections.own().begin_consent(which, client(&account), settings, None, CALLBACK).unwrap()
}

/// A person says yes on the vendor's page: what the browser is sent back with.
pub async fn says_yes(server: &TestServer, url: &str) -> String {
    let answer = server.http.get(url).send().await.unwrap();
    assert!(answer.status().is_redirection(), "{url}: {}", answer.text().await.unwrap());
    let location = answer.headers()["location"].to_str().unwrap().to_owned();
    location.split_once('?').unwrap().1.to_owned()
}

pub async fn finish(server: &TestServer, consent: Consent, query: &str) -> sdk::Result<NewConnection> {
    let app = server.app();
    app.connections.own().finish_consent(app, &Actor::terminal(), consent, query).await
}

async fn shown(server: &TestServer, ecosystem: &str) -> Value {
    let list = server.data("system.list_connections", json!({})).await;
    let ours = list["connections"].as_array().unwrap().iter().find(|one| one["ecosystem"] == ecosystem);
    ours.unwrap().clone()
}

fn ends_in_days(shown: &Value) -> i64 {
    let at: chrono::DateTime<chrono::Utc> = shown["expires_at"].as_str().unwrap().parse().unwrap();
    (at - Clock::system().now()).num_days()
}

/// GoHighLevel: the location comes with the token, each refresh brings a new refresh token, and a year is its end.
#[tokio::test]
async fn a_location_of_gohighlevel_is_connected_by_consent() {
    on_both(
        |_| {},
        |server| async move {
            let vendor = vendor(81).await;
            let consent = begin(&server, &vendor, "gohighlevel", &[]);
            for part in ["/v2/oauth/chooselocation?", "response_type=code", "scope=contacts.readonly+contacts.write"] {
                assert!(consent.url.contains(part), "{part}: {}", consent.url);
            }
            let query = says_yes(&server, &consent.url).await;
            let done = finish(&server, consent, &query).await.unwrap();
            assert_eq!(done.account.id, vendor.gohighlevel().location_id);
            assert_eq!((done.missing_scopes.len(), done.refused_tools.len()), (0, 0), "{done:?}");
            let (status, body) = server.run("gohighlevel.read_contacts", json!({"limit": 1})).await;
            assert_eq!((status, &body["metadata"]["source"]), (200, &json!("live")), "{body}");
            assert_eq!(ends_in_days(&shown(&server, "gohighlevel").await), 364);

            // Twice a token that is refused: the second refresh works with the refresh token of the first.
            for _ in 0..2 {
                vendor.faults().next_on("/contacts", 1, sandbox::Fault::ExpiredToken);
                assert_eq!(server.run("gohighlevel.read_contacts", json!({"limit": 1})).await.0, 200);
            }
            let asked = vendor.token_requests("gohighlevel");
            assert_eq!((asked.granted, asked.refused), (3, 0), "{asked:?}");
            disconnect(server.app(), &Actor::terminal(), "gohighlevel").await.unwrap();
        },
    )
    .await;
}

/// An agency's token is exchanged for the location's before anything is stored; one consent is not good for a location
/// that the agency does not have.
#[tokio::test]
async fn an_agencys_token_becomes_a_locations() {
    let (server, vendor) = (TestServer::sqlite().await, vendor(82).await);
    let agency = |consent: &Consent| {
        let state = consent.url.split("state=").nth(1).unwrap().split('&').next().unwrap().to_owned();
        format!("code={}&state={state}", vendor.authorization_code(true))
    };
    let consent = begin(&server, &vendor, "gohighlevel", &[]);
    let query = agency(&consent);
    let done = finish(&server, consent, &query).await.unwrap();
    assert_eq!(done.account.id, vendor.gohighlevel().location_id, "the agency's only location");
    vendor.faults().next_on("/contacts", 1, sandbox::Fault::ExpiredToken);
    let (status, body) = server.run("gohighlevel.read_contacts", json!({"limit": 1})).await;
    assert_eq!((status, &body["metadata"]["source"]), (200, &json!("live")), "{body}");

    let app = server.app();
    let account = vendor.account("gohighlevel").unwrap();
    let mut other = settings(&account, &[]);
    other.insert("location_id".into(), "another-location".into());
    let consent = app.connections.own().begin_consent("gohighlevel", client(&account), other, None, CALLBACK).unwrap();
    let query = agency(&consent);
    let refused = finish(&server, consent, &query).await.unwrap_err();
    assert!(refused.message.contains("GoHighLevel"), "{refused}");
    server.stop().await;
}

/// Amazon: parameters and the code have names of their own, a draft has to be meant, and the page is the region's.
#[tokio::test]
async fn a_seller_consents_in_seller_central() {
    let (server, vendor) = (TestServer::sqlite().await, vendor(83).await);
    let app = server.app();
    let account = vendor.account("amazon").unwrap();
    let missing =
        app.connections.own().begin_consent("amazon", client(&account), [].into(), None, CALLBACK).err().unwrap();
    assert!(missing.message.contains("--set application_id="), "{missing}");

    let consent = begin(&server, &vendor, "amazon", &["application_id"]);
    let answer = server.http.get(&consent.url).send().await.unwrap();
    assert!(answer.text().await.unwrap().contains("version=beta"), "a draft is not found by accident");

    let consent = begin(&server, &vendor, "amazon", &["application_id", "application_version"]);
    assert!(!consent.url.contains("client_id") && !consent.url.contains("scope="), "{}", consent.url);
    let query = says_yes(&server, &consent.url).await;
    assert!(query.contains("spapi_oauth_code=") && query.contains("selling_partner_id="), "{query}");
    let done = finish(&server, consent, &query).await.unwrap();
    assert_eq!(Some(done.account.id.as_str()), account.config["seller_id"].as_str());
    let (status, body) = server.run("amazon.list_orders", json!({"limit": 1})).await;
    assert_eq!((status, &body["metadata"]["source"]), (200, &json!("live")), "{body}");
    // Nobody tells when the client secret was made, but it was before it was given.
    let shown = shown(&server, "amazon").await;
    assert_eq!((&shown["state"], ends_in_days(&shown)), (&json!("connected"), 179), "{shown}");
    server.stop().await;
}

#[tokio::test]
async fn the_consent_page_is_that_of_the_marketplace() {
    let change = |config: &mut Config| {
        let section = config.connectors.entry("amazon".into()).or_default();
        section.insert("application_id".into(), "amzn1.sp.solution.test".into());
        section.insert("marketplace_ids".into(), vec!["A1VC38T7YXB528"].into());
    };
    let server = TestServer::sqlite_with(change).await;
    let secrets: BTreeMap<String, String> =
        [("client_id", "id"), ("client_secret", "secret")].map(|(name, text)| (name.into(), text.into())).into();
    let consent = server.app().connections.own().begin_consent("amazon", secrets, [].into(), None, CALLBACK).unwrap();
    let page = "https://sellercentral.amazon.co.jp/apps/authorize/consent?application_id=amzn1.sp.solution.test&";
    assert!(consent.url.starts_with(page), "{}", consent.url);
    server.stop().await;
}

/// Boxes that were not ticked: the scopes are named, and the tools that the vendor refuses without them.
#[tokio::test]
async fn scopes_that_were_not_granted_are_told() {
    let (server, vendor) = (TestServer::sqlite().await, vendor(84).await);
    let consent = begin(&server, &vendor, "google_workspace", &[]);
    let mail = "https://www.googleapis.com/auth/gmail.compose";
    let mut page = url::Url::parse(&consent.url).unwrap();
    let query: Vec<(String, String)> = page.query_pairs().into_owned().collect();
    page.query_pairs_mut().clear().extend_pairs(query.into_iter().map(|(name, value)| match name.as_str() {
        "scope" => (name, value.split(' ').filter(|scope| *scope != mail).collect::<Vec<_>>().join(" ")),
        _ => (name, value),
    }));
    let query = says_yes(&server, page.as_str()).await;
    let done = finish(&server, consent, &query).await.unwrap();
    assert_eq!(done.missing_scopes, [mail]);
    let refused = ["google_workspace.create_draft", "google_workspace.send_email"];
    assert_eq!(done.refused_tools, refused);
    let shown = shown(&server, "google_workspace").await;
    assert_eq!((&shown["missing_scopes"], &shown["refused_tools"]), (&json!([mail]), &json!(refused)), "{shown}");
    server.stop().await;
}

/// A connection that ends soon says when, and what helps; the vendor's word and a person's count alike.
#[tokio::test]
async fn a_connection_that_ends_soon_is_expiring() {
    on_both(
        |_| {},
        |server| async move {
            let vendor = vendor(85).await;
            let consent = begin(&server, &vendor, "quickbooks", &[]);
            let query = says_yes(&server, &consent.url).await;
            finish(&server, consent, &query).await.unwrap();
            let ours = shown(&server, "quickbooks").await;
            let ends = (&ours["state"], ends_in_days(&ours));
            assert_eq!(ends, (&json!("connected"), 100), "101 days from the last use: {ours}");

            // Near the end of the five years only the hard end counts: the vendor tells at the next refresh.
            for days in [90_u64; 20].into_iter().chain([20]) {
                vendor.faults().next_on("/quickbooks/v3", 1, sandbox::Fault::ExpiredToken);
                assert_eq!(server.run("quickbooks.list_invoices", json!({"limit": 1})).await.0, 200);
                vendor.skip(Duration::from_secs(86_400 * days));
            }
            vendor.faults().next_on("/quickbooks/v3", 1, sandbox::Fault::ExpiredToken);
            assert_eq!(server.run("quickbooks.list_invoices", json!({"limit": 1})).await.0, 200);
            let ours = shown(&server, "quickbooks").await;
            assert_eq!(ours["state"], "expiring", "{ours}");
            let reason = ours["reason"].as_str().unwrap();
            assert!(reason.contains("ends in") && reason.contains("enterprise-mcp connect quickbooks"), "{reason}");

            // A key whose end only a person knows.
            let app = server.app();
            let slack = vendor.account("slack").unwrap();
            let day = (Clock::system().now() + chrono::Duration::days(3)).format("%Y-%m-%d").to_string();
            let mut settings = settings(&slack, &[]);
            settings.retain(|key, _| key == "base_url");
            settings.insert("expires_on".into(), day);
            let secrets = [("token".to_owned(), slack.credentials["token"].clone())].into();
            app.connections.own().connect_with_keys(app, &Actor::terminal(), "slack", secrets, settings).await.unwrap();
            let ours = shown(&server, "slack").await;
            assert_eq!(ours["state"], "expiring", "{ours}");
            assert!(ours["reason"].as_str().unwrap().starts_with("the key ends"), "{ours}");
        },
    )
    .await;
}

/// `enterprise-mcp connect` from beginning to end: the real command waits for the browser, which comes back by itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_catches_the_callback() {
    let (folder, vendor) = (tempfile::tempdir().unwrap(), vendor(86).await);
    let account = vendor.account("gohighlevel").unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let redirect = format!("http://127.0.0.1:{port}/callback");
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_enterprise-mcp"));
    command.args(["connect", "gohighlevel", "--name", "north", "--no-browser", "--redirect", &redirect]);
    for (name, value) in client(&account) {
        command.arg("--key").arg(format!("{name}={value}"));
    }
    for (name, value) in settings(&account, &[]) {
        command.arg("--set").arg(format!("{name}={value}"));
    }
    command.current_dir(folder.path()).env_clear().env("SANDBOX_CONTACTS", "20");
    let mut process = command.stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let page = lines.find_map(|line| line.unwrap().strip_prefix("Say yes here: ").map(str::to_owned)).unwrap();
    assert!(page.contains(&format!("127.0.0.1%3A{port}")), "{page}");

    let http = server::app::client().unwrap();
    let favicon = http.get(redirect.replace("/callback", "/favicon.ico")).send().await.unwrap();
    assert_eq!(favicon.status(), 404, "the browser asks for more than the callback");
    let answer = http.get(&page).send().await.unwrap();
    let back = http.get(answer.headers()["location"].to_str().unwrap()).send().await.unwrap();
    assert!(back.text().await.unwrap().contains("close this window"));
    let said: Vec<String> = lines.map_while(Result::ok).collect();
    assert!(said.iter().any(|line| line.contains(&vendor.gohighlevel().location_id)), "{said:?}");
    assert!(process.wait().unwrap().success());

    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_enterprise-mcp"));
    command.arg("connections").current_dir(folder.path()).env_clear().env("SANDBOX_CONTACTS", "20");
    let shown = String::from_utf8(command.output().unwrap().stdout).unwrap();
    assert!(shown.lines().any(|line| line.starts_with("gohighlevel") && line.contains("\"north\"")), "{shown}");
}
