//! A pipeline for one connector that does not wait and keeps every attempt, for the tests of Slack and e-mail.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use sdk::connector::Opening;
use sdk::http::{Attempt, Call, Connection, Settings};
use sdk::{Connector, Credentials, ErasedConnector, Error, Http, Limits, Result};
use serde_json::{Value, json};

pub type Seen = Arc<Mutex<Vec<Attempt>>>;

/// A connection of this connector.
pub struct Talk {
    connector: ErasedConnector,
    connection: Arc<Connection>,
    pub config: Value,
    pub credentials: Credentials,
    pub seen: Seen,
}

impl Talk {
    pub fn new<C: Connector>(config: Value, credentials: &[(&str, &str)]) -> Talk {
        Talk::with::<C>(config, credentials, Settings { timeout: Duration::from_secs(5), ..Settings::default() })
    }

    pub fn with<C: Connector>(config: Value, credentials: &[(&str, &str)], settings: Settings) -> Talk {
        let _ = rustls::crypto::ring::default_provider().install_default();
        #[expect(clippy::disallowed_methods, reason = "a test is its own process and owns its client")]
        let client = reqwest::Client::new();
        let wait = Duration::from_millis(1);
        let settings = Settings { first_wait: wait, longest_wait: wait, ..settings };
        let limits = Limits::new(100_000, Duration::from_nanos(1));
        let seen = Seen::default();
        let kept = seen.clone();
        let observer = Arc::new(move |attempt| kept.lock().unwrap().push(attempt));
        let connection = Arc::new(Connection::new(C::ID, client, limits, settings, observer));
        let credentials = credentials.iter().fold(Credentials::new(), |all, (name, secret)| all.with(name, *secret));
        Talk { connector: ErasedConnector::of::<C>(), connection, config, credentials, seen }
    }

    /// The connector's side of a sandbox's account.
    pub fn to<C: Connector>(sandbox: &sandbox::Sandbox) -> Talk {
        let account = sandbox.account(C::ID).unwrap();
        let credentials: Vec<(&str, &str)> =
            account.credentials.iter().map(|(name, secret)| (name.as_str(), secret.as_str())).collect();
        Talk::new::<C>(account.config, &credentials)
    }

    pub fn opening(&self, key: &str, patience: Duration) -> Opening {
        let call = Call { execution: None, key: key.into(), deadline: tokio::time::Instant::now() + patience };
        let http = Http::new(self.connection.clone(), call);
        let mut config = self.config.clone();
        // The server takes these out before a connector sees them.
        for name in ["token_url", "authorize_url", "revoke_url"] {
            config.as_object_mut().unwrap().remove(name);
        }
        Opening { config, credentials: self.credentials.clone(), http }
    }

    /// Runs a tool as the runtime does; every call is an effect of its own.
    pub async fn run(&self, tool: &str, arguments: Value) -> Result<Value> {
        let key = format!("key {}", self.seen.lock().unwrap().len());
        self.run_as(&key, tool, arguments).await
    }

    pub async fn run_as(&self, key: &str, name: &str, arguments: Value) -> Result<Value> {
        let tool = self.connector.tools.iter().find(|tool| tool.spec.name == name).unwrap();
        satisfies(&json!(*tool.spec.input), &arguments, &format!("arguments of {name}"));
        let answer = tool.run(self.opening(key, Duration::from_secs(30)), arguments).await?;
        satisfies(&tool.spec.output_schema().into(), &answer, &format!("answer of {name}"));
        Ok(answer)
    }

    pub async fn fails(&self, tool: &str, arguments: Value) -> Error {
        match self.run(tool, arguments).await {
            Ok(answer) => panic!("{tool} answered {answer}"),
            Err(error) => error,
        }
    }

    pub async fn check(&self) -> Result<sdk::Account> {
        self.connector.check(self.opening("check", Duration::from_secs(30))).await
    }

    /// Protocol, endpoint and status of every attempt.
    pub fn attempts(&self) -> Vec<String> {
        let line = |attempt: &Attempt| {
            let status = attempt.status.map_or(0, |status| status.as_u16());
            format!("{} {} {status}", attempt.method, attempt.endpoint)
        };
        self.seen.lock().unwrap().iter().map(line).collect()
    }
}

fn satisfies(schema: &Value, value: &Value, what: &str) {
    let validator = jsonschema::validator_for(schema).unwrap();
    let errors: Vec<String> =
        validator.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{what}: {errors:?}\n{value:#}");
}
