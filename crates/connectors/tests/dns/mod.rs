//! What the tests of the two DNS hosts share: a connector, its opening, its account in the sandbox.
#![expect(dead_code, reason = "every test file uses a part of it")]

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use sandbox::{Options, Sandbox};
use sdk::connector::Opening;
use sdk::http::{Call, Connection, Settings};
use sdk::{Batch, Connector, Credentials, ErasedConnector, Http, Limits, Page, Record, Result};
use serde_json::{Value, json};

use crate::support::satisfies;

pub fn now() -> DateTime<Utc> {
    "2026-11-23T20:00:00Z".parse().unwrap()
}

pub async fn start() -> Sandbox {
    limited(false).await
}

pub async fn limited(enforce_limits: bool) -> Sandbox {
    let options = Options { enforce_limits, ..Options::new(now()) };
    sandbox::start(options, "127.0.0.1:0".parse().unwrap()).await.unwrap()
}

/// The effects of one kind on the vendor's side.
pub fn effects(sandbox: &Sandbox, kind: &str) -> usize {
    sandbox.business().effects().iter().filter(|effect| effect.kind == kind).count()
}

/// A pipeline that does not wait, for one call.
pub fn opening(config: Value, credentials: &[(&str, &str)]) -> Opening {
    let _ = rustls::crypto::ring::default_provider().install_default();
    #[expect(clippy::disallowed_methods, reason = "a test is its own process and owns its client")]
    let client = reqwest::Client::new();
    let wait = Duration::from_millis(1);
    let settings = Settings { first_wait: wait, longest_wait: wait, ..Settings::default() };
    let limits = Limits::window(100_000, Duration::from_secs(1));
    let connection = Connection::new("dns", client, limits, settings, Arc::new(|_| {}));
    let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
    let call = Call { execution: None, key: "key".into(), deadline };
    let mut kept = Credentials::new();
    for (name, secret) in credentials {
        kept = kept.with(name, *secret);
    }
    Opening { config, credentials: kept, http: Http::new(Arc::new(connection), call) }
}

/// Runs a tool as the runtime does: the arguments and the answer must satisfy the tool's schemas.
pub async fn run<C: Connector>(opening: Opening, name: &str, arguments: Value) -> Result<Value> {
    let connector = ErasedConnector::of::<C>();
    let tool = connector.tools.into_iter().find(|tool| tool.spec.name == name);
    let tool = tool.unwrap_or_else(|| panic!("no tool {name}"));
    satisfies(&json!(*tool.spec.input), &arguments, &format!("arguments of {name}"));
    let answer = tool.run(opening, arguments).await?;
    satisfies(&tool.spec.output_schema().into(), &answer, &format!("answer of {name}"));
    let letters = answer.to_string().len();
    assert!(letters < 8_000, "{name} answered {letters} characters, which is too much for a model");
    Ok(answer)
}

/// Walks a stream to its end, or to 100 pages.
pub async fn walk<C: Connector>(
    opening: Opening,
    name: &str,
    since: Option<DateTime<Utc>>,
) -> Result<(Vec<Record>, Vec<Batch>)> {
    let streams = ErasedConnector::of::<C>().streams;
    let stream = streams.into_iter().find(|stream| stream.name == name).unwrap();
    let opened = stream.open(opening)?;
    let mut page = Page { since, ..Page::default() };
    let (mut records, mut batches) = (Vec::new(), Vec::new());
    for _ in 0..100 {
        let batch = stream.fetch(&opened, page.clone()).await?;
        records.extend(batch.records.clone());
        page.cursor = batch.next.clone();
        batches.push(batch);
        if page.cursor.is_none() {
            return Ok((records, batches));
        }
    }
    panic!("the walk over {name} does not end");
}

/// Whether `part` is within `whole`: objects may have more members.
pub fn holds(whole: &Value, part: &Value) -> bool {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => {
            part.iter().all(|(key, part)| whole.get(key).is_some_and(|whole| holds(whole, part)))
        }
        (Value::Array(whole), Value::Array(part)) => {
            whole.len() >= part.len() && whole.iter().zip(part).all(|(whole, part)| holds(whole, part))
        }
        _ => whole == part,
    }
}

/// Descriptions and arguments cost a model this many characters; four of them are about a token.
pub fn within_budget<C: Connector>() {
    for tool in ErasedConnector::of::<C>().tools {
        let letters = tool.spec.description.len() + json!(*tool.spec.input).to_string().len();
        assert!(letters <= 1_700, "{} costs {letters} characters in the catalogue", tool.spec.name);
        let described = (40..=300).contains(&tool.spec.description.chars().count());
        assert!(described, "{}: {}", tool.spec.name, tool.spec.description.chars().count());
        for (argument, schema) in tool.spec.input["properties"].as_object().unwrap() {
            assert!(schema["description"].is_string(), "{}.{argument} is not described", tool.spec.name);
        }
    }
}
