//! A server of its own for each test, on each database.

use std::sync::Arc;
use std::time::Duration;

use sdk::http::Settings;
use serde_json::{Value, json};
use server::app::{App, Parts};
use server::clock::Clock;
use server::config::{Config, Sources};
use server::serve::Server;
use server::telemetry;
use store::testing::TestStore;
use tempfile::TempDir;

pub const KEY: &str = "test-key-0123456789abcdef";

/// A running server and where it keeps its things.
pub struct TestServer {
    pub server: Server,
    pub http: reqwest::Client,
    pub folder: TempDir,
    pub database: Option<TestStore>,
}

/// What a test changes before the server starts.
pub type Change = fn(&mut Config);

impl TestServer {
    pub async fn sqlite() -> TestServer {
        TestServer::start(None, |_| {}).await
    }

    pub async fn sqlite_with(change: Change) -> TestServer {
        TestServer::start(None, change).await
    }

    /// On a database of the test's own.
    pub async fn on(database: TestStore) -> TestServer {
        TestServer::start(Some(database), |_| {}).await
    }

    /// On the database at this address, which is left as it is.
    pub async fn at(url: &str) -> TestServer {
        let folder = tempfile::tempdir().unwrap();
        let mut config = config(&[("DATABASE_URL", url)]);
        config.server.data_dir = folder.path().to_owned();
        let server = Server::start(app(config).await.unwrap()).await.unwrap();
        TestServer { server, http: server::app::client().unwrap(), folder, database: None }
    }

    pub async fn start(database: Option<TestStore>, change: impl FnOnce(&mut Config)) -> TestServer {
        let folder = tempfile::tempdir().unwrap();
        let mut config = config(&[]);
        config.server.data_dir = folder.path().to_owned();
        config.database.url = database.as_ref().map(|database| database.url.clone());
        change(&mut config);
        let app = app(config).await.unwrap();
        let server = Server::start(app).await.unwrap();
        TestServer { server, http: server::app::client().unwrap(), folder, database }
    }

    pub fn app(&self) -> &Arc<App> {
        &self.server.app
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.server.url())
    }

    /// `POST /mcp/run/{tool}` with the test's key: the status and the body.
    pub async fn run(&self, tool: &str, arguments: Value) -> (u16, Value) {
        let request = self.http.post(self.url(&format!("/mcp/run/{tool}"))).bearer_auth(KEY).json(&arguments);
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    /// The same, which must succeed: the data.
    pub async fn data(&self, tool: &str, arguments: Value) -> Value {
        let (status, body) = self.run(tool, arguments).await;
        assert_eq!(status, 200, "{tool}: {body}");
        body["data"].clone()
    }

    /// One JSON-RPC request of the 2025-11-25 era, stateless: the result or the error.
    pub async fn rpc(&self, method: &str, params: Value) -> Value {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let request = self.http.post(self.url("/mcp")).bearer_auth(KEY).header("mcp-protocol-version", "2025-11-25");
        let response = request.json(&body).send().await.unwrap();
        assert_eq!(response.status(), 200, "{method}");
        response.json().await.unwrap()
    }

    pub async fn stop(self) {
        self.server.stop().await;
        if let Some(database) = self.database {
            database.remove().await.unwrap();
        }
    }
}

/// Runs a test on SQLite and, where there is one, on PostgreSQL.
pub async fn on_both<Test, Running>(change: Change, test: Test)
where
    Test: Fn(Arc<TestServer>) -> Running,
    Running: Future<Output = ()>,
{
    let mut databases = vec![None];
    databases.extend(TestStore::postgres().await.unwrap().map(Some));
    for database in databases {
        println!("on {}", if database.is_some() { "PostgreSQL" } else { "SQLite" });
        let server = Arc::new(TestServer::start(database, change).await);
        test(server.clone()).await;
        Arc::into_inner(server).expect("the test let go of the server").stop().await;
    }
}

/// A configuration with a free port and a key, from variables only.
pub fn config(variables: &[(&str, &str)]) -> Config {
    let mut environment: std::collections::HashMap<String, String> =
        [("PORT", "0"), ("MCP_API_KEY", KEY), ("SYNC_ENABLED", "false"), ("CALLS_PER_MINUTE", "1000000")]
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
    environment.extend(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    Config::load(&Sources { environment, ..Sources::default() }).unwrap()
}

/// An app whose outbound requests are impatient.
pub async fn app(config: Config) -> sdk::Result<Arc<App>> {
    let outbound = Settings {
        timeout: Duration::from_secs(5),
        first_wait: Duration::from_millis(10),
        longest_wait: Duration::from_millis(50),
        ..Settings::default()
    };
    let metrics = telemetry::detached_metrics().unwrap();
    App::open(config, Parts { clock: Clock::system(), metrics, exclusive: true, outbound }).await
}
