//! What the targets share: a server in this process, without a network.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, StatusCode};
use server::app::{App, Parts};
use server::clock::Clock;
use server::config::{Config, Sources};
use tower::ServiceExt;

/// The key that every target sends.
pub const KEY: &str = "fuzz-key-0123456789abcdef";

struct House {
    runtime: tokio::runtime::Runtime,
    router: axum::Router,
    _folder: tempfile::TempDir,
}

/// Sends a request into the server and gives the answer's status and body. The server must answer, and not with a
/// failure of its own.
pub fn send(mut request: Request<Body>) -> (StatusCode, Vec<u8>) {
    static HOUSE: OnceLock<House> = OnceLock::new();
    static SENT: AtomicU32 = AtomicU32::new(0);
    let house = HOUSE.get_or_init(build);
    // From many places, so that the limits by address do not answer everything.
    let address = Ipv4Addr::from_bits(0x0a00_0000 | (SENT.fetch_add(1, Ordering::Relaxed) / 8) & 0x00ff_ffff);
    request.extensions_mut().insert(ConnectInfo(SocketAddr::from((address, 1))));
    house.runtime.block_on(async {
        let Ok(answer) = house.router.clone().oneshot(request).await;
        let (parts, body) = answer.into_parts();
        let body = axum::body::to_bytes(body, 8 << 20).await.map(Vec::from).unwrap_or_default();
        let text = String::from_utf8_lossy(&body);
        assert!(parts.status != StatusCode::INTERNAL_SERVER_ERROR, "{}: {text}", parts.status);
        (parts.status, body)
    })
}

#[expect(clippy::unwrap_used, reason = "a target that cannot begin ends")]
fn build() -> House {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let environment = [
        ("PORT", "0"),
        ("MCP_API_KEY", KEY),
        ("SYNC_ENABLED", "false"),
        ("CALLS_PER_MINUTE", "100000000"),
        ("TENANT_CALLS_PER_MINUTE", "100000000"),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect();
    let mut config = Config::load(&Sources { environment, ..Sources::default() }).unwrap();
    config.server.data_dir = folder.path().to_owned();
    config.sandbox.contacts = 20;
    let router = runtime.block_on(async {
        let metrics = server::telemetry::detached_metrics().unwrap();
        let outbound = sdk::http::Settings::default();
        let parts = Parts { clock: Clock::system(), metrics, exclusive: true, outbound };
        let app = App::open(config, parts).await.unwrap();
        server::identity::keys::seed(&app).await.unwrap();
        server::api::router(&app)
    });
    House { runtime, router, _folder: folder }
}
