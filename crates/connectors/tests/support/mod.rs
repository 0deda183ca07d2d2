//! A vendor's side that records what it is sent, and a way to run tools against it.
#![expect(dead_code, reason = "every test file uses a part of it")]

pub mod cases;
pub mod contracts;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, Response};
use sdk::connector::{ErasedStream, ErasedTool, Opened, Opening};
use sdk::http::{Call, Connection, Settings};
use sdk::{Batch, Credentials, ErasedConnector, Error, Http, Limits, Page, Record, Result};
use serde_json::{Value, json};

pub const TOKEN: &str = "pit-00000000-test";
/// `{"location_id":"LOC1"}` between two parts that nobody reads.
pub const V1_KEY: &str = "eyJhbGciOiJIUzI1NiJ9.eyJsb2NhdGlvbl9pZCI6IkxPQzEifQ.c2lnbmF0dXJl";
/// The vendor's clock.
pub const DATE: &str = "Sat, 21 Nov 2026 20:00:00 GMT";

/// One request as it arrived.
#[derive(Clone, Debug)]
pub struct Sent {
    pub method: String,
    pub path: String,
    pub query: BTreeMap<String, String>,
    pub headers: HeaderMap,
    pub body: Value,
}

impl Sent {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// `POST /contacts/search`
    pub fn line(&self) -> String {
        format!("{} {}", self.method, self.path)
    }
}

/// What the vendor's side answers.
pub enum Reply {
    Json(u16, Value),
    Text(u16, String),
    With(u16, Value, Vec<(&'static str, String)>),
    /// The request arrived and the connection breaks.
    Lost,
}

impl From<Value> for Reply {
    fn from(body: Value) -> Reply {
        Reply::Json(200, body)
    }
}

/// The vendor's side.
pub struct Vendor {
    pub url: String,
    log: Arc<Mutex<Vec<Sent>>>,
    _serving: Serving,
}

struct Serving(tokio::task::JoinHandle<()>);

impl Drop for Serving {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Vendor {
    /// Answers every request with `answer`, which also gets the number of requests before it.
    pub async fn start(answer: impl Fn(&Sent, usize) -> Reply + Send + Sync + 'static) -> Vendor {
        let log: Arc<Mutex<Vec<Sent>>> = Arc::default();
        let (kept, answer) = (log.clone(), Arc::new(answer));
        let app = axum::Router::new().fallback(move |request: Request| {
            let (kept, answer) = (kept.clone(), answer.clone());
            async move {
                let sent = read(request).await;
                let before = kept.lock().unwrap().len();
                kept.lock().unwrap().push(sent.clone());
                respond(answer(&sent, before))
            }
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let serving = Serving(tokio::spawn(async move { axum::serve(listener, app).await.unwrap() }));
        Vendor { url, log, _serving: serving }
    }

    pub fn sent(&self) -> Vec<Sent> {
        self.log.lock().unwrap().clone()
    }

    pub fn config(&self) -> Value {
        json!({"base_url": self.url, "v1_base_url": format!("{}/v1", self.url), "location_id": "LOC1"})
    }

    pub fn opening(&self) -> Opening {
        opening(self.config(), TOKEN)
    }

    pub fn v1(&self) -> Opening {
        let mut config = self.config();
        config.as_object_mut().unwrap().remove("location_id");
        opening(config, V1_KEY)
    }

    /// Runs a tool with the usual configuration.
    pub async fn run(&self, tool: &str, arguments: Value) -> Result<Value> {
        run(self.opening(), tool, arguments).await
    }
}

async fn read(request: Request) -> Sent {
    let (parts, body) = request.into_parts();
    let body: Bytes = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let query = parts.uri.query().unwrap_or_default();
    Sent {
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        query: url::form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
        headers: parts.headers,
        body: serde_json::from_slice(&body).unwrap_or(Value::Null),
    }
}

fn respond(reply: Reply) -> Response<Body> {
    let (status, body, headers, json) = match reply {
        Reply::Json(status, body) => (status, Body::from(body.to_string()), Vec::new(), true),
        Reply::With(status, body, headers) => (status, Body::from(body.to_string()), headers, true),
        Reply::Text(status, text) => (status, Body::from(text), Vec::new(), false),
        Reply::Lost => {
            let broken = futures::stream::iter([Err::<Bytes, _>(std::io::Error::other("broken"))]);
            (200, Body::from_stream(broken), Vec::new(), true)
        }
    };
    let mut response = Response::builder().status(status).header("date", DATE);
    response = response.header("content-type", if json { "application/json" } else { "text/html" });
    for (name, value) in headers {
        response = response.header(name, value);
    }
    response.body(body).unwrap()
}

/// GoHighLevel as the runtime holds it.
pub fn connector() -> ErasedConnector {
    connectors::all().into_iter().find(|connector| connector.id == "gohighlevel").unwrap()
}

pub fn tool(name: &str) -> ErasedTool {
    connector().tools.into_iter().find(|tool| tool.spec.name == name).unwrap_or_else(|| panic!("no tool {name}"))
}

pub fn stream(name: &str) -> ErasedStream {
    connector().streams.into_iter().find(|stream| stream.name == name).unwrap_or_else(|| panic!("no stream {name}"))
}

/// A pipeline that does not wait, for one call.
pub fn opening(config: Value, token: &str) -> Opening {
    opening_with(config, Credentials::new().with("token", token))
}

/// [`opening`] for any connector.
pub fn opening_with(config: Value, credentials: Credentials) -> Opening {
    let _ = rustls::crypto::ring::default_provider().install_default();
    #[expect(clippy::disallowed_methods, reason = "a test is its own process and owns its client")]
    let client = reqwest::Client::new();
    let wait = Duration::from_millis(1);
    let settings = Settings { first_wait: wait, longest_wait: wait, ..Settings::default() };
    let limits = Limits::window(100_000, Duration::from_secs(1));
    let connection = Connection::new("gohighlevel", client, limits, settings, Arc::new(|_| {}));
    let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
    let call = Call { execution: None, key: "key".into(), deadline };
    Opening { config, credentials, http: Http::new(Arc::new(connection), call) }
}

/// Whether it is one of the two tools for all other operations, which have tests of their own.
pub fn is_long_tail(tool: &ErasedTool) -> bool {
    ["search_operations", "call_operation"].contains(&tool.spec.name)
}

/// Runs a tool as the runtime does: the arguments and the answer must satisfy the tool's schemas.
pub async fn run(opening: Opening, name: &str, arguments: Value) -> Result<Value> {
    let tool = tool(name);
    satisfies(&json!(*tool.spec.input), &arguments, &format!("arguments of {name}"));
    let answer = tool.run(opening, arguments).await?;
    satisfies(&tool.spec.output_schema().into(), &answer, &format!("answer of {name}"));
    Ok(answer)
}

pub async fn fails(vendor: &Vendor, tool: &str, arguments: Value) -> Error {
    match vendor.run(tool, arguments).await {
        Ok(answer) => panic!("{tool} answered {answer}"),
        Err(error) => error,
    }
}

pub fn satisfies(schema: &Value, value: &Value, what: &str) {
    let validator = jsonschema::validator_for(schema).unwrap();
    let errors: Vec<String> =
        validator.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{what}: {errors:?}\n{value:#}");
}

/// Walks a stream to its end, or to 100 pages.
pub async fn walk(opening: Opening, name: &str, since: Option<&str>) -> Result<(Vec<Record>, Vec<Batch>)> {
    let stream = stream(name);
    let opened = stream.open(opening)?;
    walk_from(&stream, &opened, Page { since: since.map(|since| since.parse().unwrap()), ..Page::default() }).await
}

pub async fn walk_from(stream: &ErasedStream, opened: &Opened, mut page: Page) -> Result<(Vec<Record>, Vec<Batch>)> {
    let (mut records, mut batches) = (Vec::new(), Vec::new());
    for _ in 0..100 {
        let batch = stream.fetch(opened, page.clone()).await?;
        records.extend(batch.records.clone());
        page.cursor = batch.next.clone();
        batches.push(batch);
        if page.cursor.is_none() {
            return Ok((records, batches));
        }
    }
    panic!("the walk over {} does not end", stream.name);
}
