//! Planted secrets that must appear nowhere: not in the log, the audit, an error or a debug print.

use std::io::Write;
use std::sync::{Arc, Mutex};

use serde_json::json;
use server::serve::Server;
use tracing_subscriber::fmt::MakeWriter;

use crate::support::{self, TestServer};

const VENDOR_CANARY: &str = "pit-canary-vendor-5f2b";
const CALLER_CANARY: &str = "canary-caller-key-91ac";

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Log;
    fn make_writer(&self) -> Log {
        self.clone()
    }
}

/// A vendor that repeats the credentials it was sent, as some do in their error pages.
async fn echoing_vendor() -> String {
    let echo = |headers: axum::http::HeaderMap| async move {
        let sent = headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
        (
            axum::http::StatusCode::UNAUTHORIZED,
            axum::Json(json!({"statusCode": 401, "message": format!("bad token {sent}")})),
        )
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, axum::Router::new().fallback(echo)).await });
    format!("http://{address}")
}

#[tokio::test]
async fn no_secret_reaches_log_audit_or_answer() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt().json().with_env_filter("trace").with_writer(log.clone()).finish();
    let guard = tracing::subscriber::set_default(subscriber);
    let vendor = echoing_vendor().await;
    let folder = tempfile::tempdir().unwrap();
    let mut config = support::config(&[
        ("GHL_API_KEY", VENDOR_CANARY),
        ("GHL_LOCATION_ID", "loc"),
        ("GHL_BASE_URL", &vendor),
        ("MCP_API_KEY", CALLER_CANARY),
    ]);
    config.server.data_dir = folder.path().to_owned();
    let mut seen = format!("{config:?}");
    let app = support::app(config).await.unwrap();
    let server = Server::start(app).await.unwrap();
    let server = TestServer {
        server,
        http: server::app::client().unwrap(),
        folder: tempfile::tempdir().unwrap(),
        database: None,
    };

    for (tool, arguments) in [
        ("gohighlevel.read_contacts", json!({})),
        ("gohighlevel.get_contact", json!({"contact_id": "abc"})),
        ("system.health", json!({})),
        ("system.list_connections", json!({})),
    ] {
        let request = server.http.post(server.url(&format!("/mcp/run/{tool}"))).bearer_auth(CALLER_CANARY);
        seen.push_str(&request.json(&arguments).send().await.unwrap().text().await.unwrap());
    }
    let tenant = server.app().store.tenant("default");
    for row in store::audit::list(&tenant, &Default::default(), 100, None).await.unwrap().rows {
        let row = store::audit::get(&tenant, row.id).await.unwrap().unwrap();
        seen.push_str(&format!("{row:?}"));
        for request in store::audit::api_calls_of(&tenant, row.id).await.unwrap() {
            seen.push_str(&format!("{request:?}"));
        }
    }
    seen.push_str(&server.http.get(server.url("/metrics")).send().await.unwrap().text().await.unwrap());
    drop(guard);
    seen.push_str(&String::from_utf8_lossy(&log.0.lock().unwrap()));

    assert!(seen.contains("[redacted]"), "the vendor's echo was scrubbed, so the test looked in the right place");
    for canary in [VENDOR_CANARY, CALLER_CANARY] {
        if let Some(at) = seen.find(canary) {
            let around = &seen[at.saturating_sub(200)..(at + 60).min(seen.len())];
            panic!("a secret leaked: …{around}…");
        }
    }
    // Neither does the database file hold them, the caller's key being kept as a hash.
    server.stop().await;
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        for canary in [VENDOR_CANARY, CALLER_CANARY] {
            assert!(!bytes.windows(canary.len()).any(|window| window == canary.as_bytes()));
        }
    }
}
