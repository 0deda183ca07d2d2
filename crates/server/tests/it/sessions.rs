//! Sessions of older clients: whose they are, and when they end.

use serde_json::json;
use server::actor::{Actor, Scope};
use server::identity::keys;

use crate::support::{KEY, TestServer};

#[tokio::test]
async fn a_session_serves_only_the_key_that_opened_it() {
    let server = TestServer::sqlite_with(|config| config.server.mcp_sessions = true).await;
    let (_, other) = keys::create(server.app(), &Actor::terminal(), "other", &[Scope::Read], None).await.unwrap();
    let send = async |key: &str, session: Option<&str>, method: &str, params: serde_json::Value| {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let mut request = server.http.post(server.url("/mcp")).bearer_auth(key).json(&body);
        if let Some(session) = session {
            request = request.header("mcp-session-id", session).header("mcp-protocol-version", "2025-11-25");
        }
        request.send().await.unwrap()
    };
    let client =
        json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}});
    let hello = send(KEY, None, "initialize", client).await;
    let session = hello.headers()["mcp-session-id"].to_str().unwrap().to_owned();
    assert_eq!(send(KEY, Some(&session), "tools/list", json!({})).await.status(), 200);
    assert_eq!(send(&other, Some(&session), "tools/list", json!({})).await.status(), 404, "another key");
    assert_eq!(send(KEY, Some("no-such-session"), "tools/list", json!({})).await.status(), 404);
    assert_eq!(send(KEY, Some(&session), "tools/list", json!({})).await.status(), 200, "it lives on");
    let bye = server.http.delete(server.url("/mcp")).bearer_auth(KEY).header("mcp-session-id", &session);
    assert!(bye.send().await.unwrap().status().is_success());
    assert_eq!(send(KEY, Some(&session), "tools/list", json!({})).await.status(), 404, "it has ended");
    server.stop().await;
}
