//! A way to run Google's tools against a vendor's side.
#![expect(dead_code, reason = "every test file uses a part of it")]

pub mod cases;
pub mod contract;

use std::sync::Arc;
use std::time::Duration;

use connectors::google_workspace::GoogleWorkspace;
use sandbox::{Options, Sandbox};
use sdk::connector::Opening;
use sdk::http::{Call, Connection, Settings};
use sdk::{Batch, Credentials, ErasedConnector, Error, Http, Limits, Page, Record, Result};
use serde_json::{Value, json};

use super::support::{Vendor, satisfies, walk_from};

pub const TOKEN: &str = "ya29.test";
pub const NOW: &str = "2026-11-23T20:00:00Z";

pub fn connector() -> ErasedConnector {
    ErasedConnector::of::<GoogleWorkspace>()
}

/// A pipeline that does not wait, for one call with this key.
pub fn opening(config: Value, token: &str, key: &str) -> Opening {
    let _ = rustls::crypto::ring::default_provider().install_default();
    #[expect(clippy::disallowed_methods, reason = "a test is its own process and owns its client")]
    let client = reqwest::Client::new();
    let wait = Duration::from_millis(1);
    let settings = Settings { first_wait: wait, longest_wait: wait, ..Settings::default() };
    let limits = Limits::window(100_000, Duration::from_secs(1));
    let connection = Connection::new("google_workspace", client, limits, settings, Arc::new(|_| {}));
    let connection = connection.with_clock(Arc::new(|| NOW.parse().unwrap()));
    let deadline = tokio::time::Instant::now() + Duration::from_secs(50);
    let call = Call { execution: None, key: key.into(), deadline };
    Opening {
        config,
        credentials: Credentials::new().with("access_token", token),
        http: Http::new(Arc::new(connection), call),
    }
}

/// Every API on one address, each under a name of its own.
pub fn of(vendor: &Vendor) -> Opening {
    opening(config(&vendor.url), TOKEN, "key")
}

pub fn config(url: &str) -> Value {
    json!({"drive_url": format!("{url}/drive/v3"), "docs_url": format!("{url}/docs/v1"),
        "sheets_url": format!("{url}/sheets/v4"), "gmail_url": format!("{url}/gmail/v1"),
        "calendar_url": format!("{url}/calendar/v3/")})
}

/// Runs a tool as the runtime does: the arguments and the answer must satisfy the tool's schemas.
pub async fn run(opening: Opening, name: &str, arguments: Value) -> Result<Value> {
    let tools = connector().tools;
    let tool = tools.into_iter().find(|tool| tool.spec.name == name).unwrap_or_else(|| panic!("no tool {name}"));
    satisfies(&json!(*tool.spec.input), &arguments, &format!("arguments of {name}"));
    let answer = tool.run(opening, arguments).await?;
    satisfies(&tool.spec.output_schema().into(), &answer, &format!("answer of {name}"));
    Ok(answer)
}

pub async fn fails(opening: Opening, name: &str, arguments: Value) -> Error {
    match run(opening, name, arguments).await {
        Ok(answer) => panic!("{name} answered {answer}"),
        Err(error) => error,
    }
}

pub async fn walk(opening: Opening, name: &str, page: Page) -> Result<(Vec<Record>, Vec<Batch>)> {
    let stream = connector().streams.into_iter().find(|stream| stream.name == name).unwrap();
    let opened = stream.open(opening)?;
    walk_from(&stream, &opened, page).await
}

/// A sandbox without limits, and its account.
pub async fn start() -> Sandbox {
    let options = Options { enforce_limits: false, contacts: 300, ..Options::new(NOW.parse().unwrap()) };
    sandbox::start(options, "127.0.0.1:0".parse().unwrap()).await.unwrap()
}

/// The account of a sandbox as the server hands it to the connector.
pub fn open(sandbox: &Sandbox, key: &str) -> Opening {
    let account = sandbox.account("google_workspace").unwrap();
    let mut config = account.config;
    for gone in ["token_url", "authorize_url", "revoke_url"] {
        config.as_object_mut().unwrap().remove(gone);
    }
    opening(config, &account.credentials["access_token"], key)
}

/// Whether `part` is within `whole`: objects may have more members.
pub fn holds(whole: &Value, part: &Value) -> bool {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => {
            part.iter().all(|(key, part)| whole.get(key).is_some_and(|whole| holds(whole, part)))
        }
        (Value::Array(whole), Value::Array(part)) => {
            whole.len() == part.len() && whole.iter().zip(part).all(|(whole, part)| holds(whole, part))
        }
        _ => whole == part,
    }
}
