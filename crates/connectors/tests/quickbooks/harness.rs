//! Running the connector against a recorded or a simulated vendor.

use std::sync::Arc;
use std::time::Duration;

use connectors::quickbooks::QuickBooks;
use sandbox::{Fault, Options, Sandbox};
use sdk::connector::{ErasedStream, Opening};
use sdk::http::{Call, Connection, Settings};
use sdk::{Batch, Credentials, ErasedConnector, Error, Http, Limits, Page, Record, Result};
use serde_json::{Value, json};

use crate::support::{Reply, Vendor, satisfies, walk_from};

pub const REALM: &str = "9341453908059321";
pub const TOKEN: &str = "access-token-of-a-test";

pub fn connector() -> ErasedConnector {
    ErasedConnector::of::<QuickBooks>()
}

/// A pipeline that does not wait, for calls with one key after the other.
pub struct Account {
    config: Value,
    token: String,
    connection: Arc<Connection>,
}

impl Account {
    pub fn new(config: Value, token: &str) -> Account {
        let _ = rustls::crypto::ring::default_provider().install_default();
        #[expect(clippy::disallowed_methods, reason = "a test is its own process and owns its client")]
        let client = reqwest::Client::new();
        let wait = Duration::from_millis(1);
        let settings = Settings { first_wait: wait, longest_wait: wait, ..Settings::default() };
        let limits = Limits::window(100_000, Duration::from_secs(1));
        let connection = Arc::new(Connection::new("quickbooks", client, limits, settings, Arc::new(|_| {})));
        Account { config, token: token.to_owned(), connection }
    }

    pub fn of(vendor: &Vendor) -> Account {
        Account::new(json!({"base_url": vendor.url, "realm_id": REALM}), TOKEN)
    }

    pub fn simulated(sandbox: &Sandbox) -> Account {
        let account = sandbox.account("quickbooks").unwrap();
        let mut config = account.config.clone();
        for key in ["token_url", "authorize_url", "revoke_url"] {
            config.as_object_mut().unwrap().remove(key).unwrap();
        }
        Account::new(config, &account.credentials["access_token"])
    }

    pub fn with(mut self, name: &str, value: Value) -> Account {
        self.config[name] = value;
        self
    }

    pub fn opening(&self, key: &str) -> Opening {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
        let call = Call { execution: None, key: key.into(), deadline };
        Opening {
            config: self.config.clone(),
            credentials: Credentials::new().with(sdk::auth::ACCESS_TOKEN, self.token.as_str()),
            http: Http::new(self.connection.clone(), call),
        }
    }

    pub async fn run(&self, tool: &str, arguments: Value) -> Result<Value> {
        self.run_as("key", tool, arguments).await
    }

    /// Runs a tool as the runtime does: the arguments and the answer must satisfy the tool's schemas.
    pub async fn run_as(&self, key: &str, tool: &str, arguments: Value) -> Result<Value> {
        let found = connector().tools.into_iter().find(|found| found.spec.name == tool);
        let found = found.unwrap_or_else(|| panic!("no tool {tool}"));
        satisfies(&json!(*found.spec.input), &arguments, &format!("arguments of {tool}"));
        let answer = found.run(self.opening(key), arguments).await?;
        satisfies(&found.spec.output_schema().into(), &answer, &format!("answer of {tool}"));
        Ok(answer)
    }

    pub async fn fails(&self, tool: &str, arguments: Value) -> Error {
        match self.run(tool, arguments).await {
            Ok(answer) => panic!("{tool} answered {answer:#}"),
            Err(error) => error,
        }
    }

    pub async fn walk(&self, name: &str, since: Option<&str>) -> Result<(Vec<Record>, Vec<Batch>)> {
        let stream = stream(name);
        let opened = stream.open(self.opening("walk"))?;
        walk_from(&stream, &opened, Page { since: since.map(|since| since.parse().unwrap()), ..Page::default() }).await
    }
}

pub fn stream(name: &str) -> ErasedStream {
    connector().streams.into_iter().find(|stream| stream.name == name).unwrap()
}

/// A vendor that answers lines such as `GET /query` (below the company) with these bodies.
pub async fn vendor(answers: Vec<(&'static str, Value)>) -> Vendor {
    Vendor::start(move |sent, _| {
        let line = line(sent);
        let found = answers.iter().find(|(known, _)| *known == line);
        found.map_or(Reply::Json(404, json!({})), |(_, body)| Reply::from(body.clone()))
    })
    .await
}

/// Method and path below the company.
pub fn line(sent: &crate::support::Sent) -> String {
    let company = format!("/v3/company/{REALM}");
    format!("{} {}", sent.method, sent.path.strip_prefix(&company).unwrap_or(&sent.path))
}

pub fn options() -> Options {
    Options { enforce_limits: false, ..Options::new("2026-11-23T20:00:00Z".parse().unwrap()) }
}

pub async fn sandbox() -> Sandbox {
    sandbox::start(options(), "127.0.0.1:0".parse().unwrap()).await.unwrap()
}

/// The effects of clients of this kind.
pub fn effects(sandbox: &Sandbox, kind: &str) -> usize {
    sandbox.business().effects().iter().filter(|effect| effect.kind == kind && effect.origin == "api").count()
}

/// The next replies of writes to this path below the company get lost after the work was done.
pub fn lose_replies(sandbox: &Sandbox, path: &str, times: u32) {
    let realm = sandbox.account("quickbooks").unwrap().config["realm_id"].as_str().unwrap().to_owned();
    sandbox.faults().next_on(&format!("/quickbooks/v3/company/{realm}{path}"), times, Fault::DropReply);
}

/// The first customer with an e-mail address.
pub async fn a_customer(account: &Account) -> String {
    let customers = account.run("list_customers", json!({"limit": 50})).await.unwrap();
    let found = customers["customers"].as_array().unwrap().iter().find(|customer| customer["email"].is_string());
    found.unwrap()["id"].as_str().unwrap().to_owned()
}
