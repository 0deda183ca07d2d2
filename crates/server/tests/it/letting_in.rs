//! An AI client as its makers write it, and a browser without scripts: what the tests of OAuth share.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use reqwest::header::{COOKIE, LOCATION};
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};
use server::app::{App, Parts};
use server::clock::Clock;
use server::config::Config;
use server::serve::Server;
use server::telemetry;
use sha2::{Digest, Sha256};
use store::testing::TestStore;
use url::Url;

use crate::identity::Browser;
use crate::support::{TestServer, config};

/// What a client keeps to itself until it shows it for its code.
pub const VERIFIER: &str = "0123456789abcdef0123456789abcdef0123456789abcdef";
pub const REDIRECT: &str = "http://127.0.0.1:33418/callback";

/// A server whose clock the test moves, in seconds.
pub struct Moving {
    pub server: TestServer,
    pub ahead: Arc<AtomicI64>,
}

impl Moving {
    pub fn skip(&self, seconds: i64) {
        self.ahead.fetch_add(seconds, Ordering::SeqCst);
    }
}

/// On a port that is known before, because who issues tokens is an address.
pub async fn start(database: Option<TestStore>, change: impl FnOnce(&mut Config)) -> Moving {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(&[]);
    config.server.data_dir = folder.path().to_owned();
    config.server.port = free_port();
    config.database.url = database.as_ref().map(|database| database.url.clone());
    change(&mut config);
    let ahead = Arc::new(AtomicI64::new(0));
    let clock = {
        let (ahead, system) = (ahead.clone(), Clock::system());
        Clock::from_fn(move || system.now() + chrono::Duration::seconds(ahead.load(Ordering::SeqCst)))
    };
    let (metrics, outbound) = (telemetry::detached_metrics().unwrap(), sdk::http::Settings::default());
    let app = App::open(config, Parts { clock, metrics, exclusive: true, outbound }).await.unwrap();
    let server = Server::start(app).await.unwrap();
    Moving { server: TestServer { server, http: server::app::client().unwrap(), folder, database }, ahead }
}

/// Runs a test on SQLite and, where there is one, on PostgreSQL.
pub async fn on_both<Test, Running>(test: Test)
where
    Test: Fn(Arc<Moving>) -> Running,
    Running: Future<Output = ()>,
{
    let mut databases = vec![None];
    databases.extend(TestStore::postgres().await.unwrap().map(Some));
    for database in databases {
        println!("on {}", if database.is_some() { "PostgreSQL" } else { "SQLite" });
        let moving = Arc::new(start(database, |_| {}).await);
        test(moving.clone()).await;
        Arc::into_inner(moving).expect("the test let go of the server").server.stop().await;
    }
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A client that has registered.
#[derive(Clone, Debug)]
pub struct Program {
    pub id: String,
    pub redirect: String,
}

pub async fn register(server: &TestServer, metadata: Value) -> (StatusCode, Value) {
    let answer = server.http.post(server.url("/register")).json(&metadata).send().await.unwrap();
    (answer.status(), answer.json().await.unwrap_or_default())
}

pub async fn program(server: &TestServer) -> Program {
    let metadata =
        json!({"client_name": "Test Agent", "redirect_uris": [REDIRECT], "token_endpoint_auth_method": "none"});
    let (status, body) = register(server, metadata).await;
    assert_eq!(status, StatusCode::CREATED, "{body}");
    Program { id: body["client_id"].as_str().unwrap().into(), redirect: REDIRECT.into() }
}

impl Program {
    /// What it asks for; later pairs take the place of earlier ones, empty ones take them away.
    pub fn asks(&self, server: &TestServer, other: &[(&str, &str)]) -> String {
        let challenge = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER));
        let resource = format!("{}/mcp", server.app().config.public_url());
        let mut pairs = vec![
            ("response_type", "code"),
            ("client_id", &self.id),
            ("redirect_uri", &self.redirect),
            ("scope", "mcp:read mcp:write"),
            ("state", "st&te"),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
            ("resource", &resource),
        ];
        pairs.retain(|(name, _)| !other.iter().any(|(changed, _)| changed == name));
        pairs.extend(other.iter().filter(|(_, value)| !value.is_empty()));
        url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
    }

    /// Has itself let in by this person: its tokens.
    pub async fn let_in(&self, server: &TestServer, browser: &Browser<'_>, write: bool) -> Value {
        let code = self.code(server, browser, write).await;
        let (status, body) = self.redeem(server, &code).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        body
    }

    pub async fn code(&self, server: &TestServer, browser: &Browser<'_>, write: bool) -> String {
        let page = visit(server, Some(&browser.cookie), &self.asks(server, &[])).await;
        assert_eq!(page.status(), StatusCode::OK);
        let back = decide(server, browser, &page.text().await.unwrap(), "allow", write).await;
        parameter(&location(&back), "code").expect("a code")
    }

    pub async fn redeem(&self, server: &TestServer, code: &str) -> (StatusCode, Value) {
        let form = [
            ("grant_type", "authorization_code"),
            ("client_id", &self.id),
            ("redirect_uri", &self.redirect),
            ("code_verifier", VERIFIER),
            ("code", code),
        ];
        exchange(server, &form).await
    }

    pub async fn refresh(&self, server: &TestServer, token: &Value) -> (StatusCode, Value) {
        let token = token["refresh_token"].as_str().unwrap();
        let form = [("grant_type", "refresh_token"), ("client_id", &self.id), ("refresh_token", token)];
        exchange(server, &form).await
    }
}

pub async fn exchange(server: &TestServer, form: &[(&str, &str)]) -> (StatusCode, Value) {
    let answer = server.http.post(server.url("/token")).form(form).send().await.unwrap();
    (answer.status(), answer.json().await.unwrap_or_default())
}

/// The browser comes to `/authorize` with what a client asks for.
pub async fn visit(server: &TestServer, cookie: Option<&str>, query: &str) -> Response {
    let mut request = server.http.get(server.url(&format!("/authorize?{query}")));
    if let Some(cookie) = cookie {
        request = request.header(COOKIE, cookie);
    }
    request.send().await.unwrap()
}

/// A person presses a button of the consent page.
pub async fn decide(server: &TestServer, browser: &Browser<'_>, page: &str, decision: &str, write: bool) -> Response {
    let (request, csrf) = (hidden(page, "request"), hidden(page, "csrf"));
    let mut form = vec![("request", request.as_str()), ("csrf", csrf.as_str()), ("decision", decision)];
    if write && page.contains("name=\"write\"") {
        form.push(("write", "yes"));
    }
    let request = server.http.post(server.url("/authorize")).header(COOKIE, &browser.cookie).form(&form);
    request.send().await.unwrap()
}

/// What a hidden field of a page holds.
pub fn hidden(page: &str, name: &str) -> String {
    let mark = format!("name=\"{name}\" value=\"");
    let rest = page.split_once(&mark).unwrap_or_else(|| panic!("no {name} in {page}")).1;
    rest.split_once('"').unwrap().0.replace("&quot;", "\"").replace("&#39;", "'").replace("&amp;", "&")
}

pub fn location(answer: &Response) -> Url {
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    answer.headers()[LOCATION].to_str().unwrap().parse().unwrap()
}

pub fn parameter(url: &Url, name: &str) -> Option<String> {
    url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

/// A JSON-RPC request with a token.
pub async fn rpc(server: &TestServer, token: &str, method: &str, params: Value) -> Response {
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
    let request = server.http.post(server.url("/mcp")).bearer_auth(token);
    request.header("mcp-protocol-version", "2025-11-25").json(&body).send().await.unwrap()
}

/// Whether a token opens anything.
pub async fn opens(server: &TestServer, tokens: &Value) -> bool {
    let token = tokens["access_token"].as_str().unwrap();
    let status = rpc(server, token, "tools/list", json!({})).await.status();
    assert!(status == StatusCode::OK || status == StatusCode::UNAUTHORIZED, "{status}");
    status == StatusCode::OK
}

/// How often an event is on record.
pub async fn recorded(server: &TestServer, event: &str) -> usize {
    let tenant = server.app().store.tenant("default");
    store::audit::events(&tenant, Some(event), 200, None).await.unwrap().rows.len()
}
