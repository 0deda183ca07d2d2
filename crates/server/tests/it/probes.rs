//! What strangers throw at an open port: it costs nothing, changes nothing and stops nobody else.

use std::time::Duration;

use serde_json::{Value, json};
use store::{OpenOptions, Store};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::binary::Binary;
use crate::support::{KEY, TestServer};

fn initialize() -> Value {
    let params =
        json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "probe", "version": "1"}});
    json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_thousand_strangers_leave_nothing_behind() {
    for sessions in ["false", "true"] {
        let folder = tempfile::tempdir().unwrap();
        let server = Binary::start(folder.path(), [("MCP_SESSIONS", sessions), ("SYNC_ENABLED", "false")]);
        let (http, url) = (server::app::client().unwrap(), format!("{}/mcp", server.url));
        let knock = || async {
            let request = http.post(&url).header("accept", "application/json, text/event-stream");
            request.json(&initialize()).send().await.unwrap().status()
        };
        let crowd = |rounds: usize| async move {
            for _ in 0..rounds {
                let knocks = futures::future::join_all((0..100).map(|_| knock())).await;
                assert!(knocks.iter().all(|status| *status == 401));
            }
        };
        crowd(20).await;
        let before = server.resident();
        crowd(50).await;
        let grown = server.resident().saturating_sub(before) >> 10;
        println!("grown by {grown} kB");
        assert!(grown < 4_000, "5,000 strangers grew the process by {grown} kB");
        let tools = http.get(format!("{}/metrics", server.url)).bearer_auth(KEY).send().await.unwrap();
        assert_eq!(tools.status(), 200, "and who has a key is served");
        drop(server);
        let file = format!("sqlite://{}", folder.path().join("data/enterprise-mcp.db").display());
        let store = Store::open(&file, OpenOptions::default()).await.unwrap();
        let records = store::chain::verify(&store.system()).await.unwrap().records;
        assert!(records < 50, "a stranger must not be able to fill the record, and there are {records}");
    }
}

/// Bytes sent by hand, and what comes back until the server closes or falls silent.
async fn by_hand(address: &str, bytes: &[u8], patience: Duration) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    drop(tokio::time::timeout(patience, stream.read_to_end(&mut answer)).await);
    String::from_utf8_lossy(&answer).into_owned()
}

fn head(length: usize, more: &str) -> String {
    format!(
        "POST /mcp/run/system.health HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {KEY}\r\n\
         content-type: application/json\r\ncontent-length: {length}\r\n{more}connection: close\r\n\r\n"
    )
}

#[tokio::test]
async fn what_is_compressed_is_not_unpacked() {
    let folder = tempfile::tempdir().unwrap();
    let server = Binary::start(folder.path(), [("SYNC_ENABLED", "false")]);
    // A hundred megabytes of nothing in a hundred kilobytes.
    let mut bomb = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::Write::write_all(&mut bomb, &vec![b' '; 100 << 20]).unwrap();
    let bomb = bomb.finish().unwrap();
    let mut sent = head(bomb.len(), "content-encoding: gzip\r\n").into_bytes();
    sent.extend(&bomb);
    let before = server.resident();
    let answer = by_hand(server.url.trim_start_matches("http://"), &sent, Duration::from_secs(5)).await;
    assert!(answer.starts_with("HTTP/1.1 4"), "{answer}");
    assert!(server.resident() < before + (20 << 20), "it was unpacked");
}

#[tokio::test]
async fn what_says_to_be_large_is_refused_before_it_comes() {
    let server = TestServer::sqlite().await;
    let answer = by_hand(
        &server.server.address.to_string(),
        head(1 << 30, "expect: 100-continue\r\n").as_bytes(),
        Duration::from_secs(5),
    )
    .await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    let endless = format!("GET /{} HTTP/1.1\r\nhost: localhost\r\n\r\n", "a".repeat(1 << 20));
    let answer = by_hand(&server.server.address.to_string(), endless.as_bytes(), Duration::from_secs(5)).await;
    assert!(answer.starts_with("HTTP/1.1 4"), "{answer}");
    let headers = format!("GET / HTTP/1.1\r\nhost: localhost\r\n{}\r\n", "x: y\r\n".repeat(10_000));
    let answer = by_hand(&server.server.address.to_string(), headers.as_bytes(), Duration::from_secs(5)).await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    server.stop().await;
}

/// Deep nesting must not exhaust the stack, nor a number the memory.
#[tokio::test]
async fn odd_json_is_answered() {
    let server = TestServer::sqlite().await;
    let deep = format!("{{\"query\": {}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    for body in [
        deep,
        "{\"limit\": 1e400}".into(),
        "{\"limit\": -0}".into(),
        format!("{{\"query\": \"{}\"}}", "\\u0000".repeat(1000)),
    ] {
        let request = server.http.post(server.url("/mcp/run/contacts.search")).bearer_auth(KEY);
        let status =
            request.header("content-type", "application/json").body(body.clone()).send().await.unwrap().status();
        assert!(status.is_client_error() || status.is_success(), "{status} for {}", &body[..40.min(body.len())]);
    }
    assert_eq!(server.run("system.health", json!({})).await.0, 200);
    server.stop().await;
}

/// Who sends a byte now and then holds nothing up, and is not waited for without end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_sends_slowly_is_not_waited_for() {
    let server = TestServer::start(None, |config| config.server.read_timeout_seconds = 1).await;
    let half_a_head = b"POST /mcp HTTP/1.1\r\nhost: localhost\r\nx-slow: ".as_slice();
    let half_a_body = [head(1_000, "").as_bytes(), b"{\"query\": "].concat();
    let mut slow = Vec::new();
    for start in [half_a_head, &half_a_body].repeat(50) {
        let mut stream = TcpStream::connect(server.server.address).await.unwrap();
        stream.write_all(start).await.unwrap();
        slow.push(stream);
    }
    assert_eq!(server.run("system.health", json!({})).await.0, 200);
    let begun = tokio::time::Instant::now();
    for mut stream in slow {
        let mut answer = Vec::new();
        let ended = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut answer)).await;
        assert!(ended.is_ok(), "held open for {:?}: {}", begun.elapsed(), String::from_utf8_lossy(&answer));
    }
    server.stop().await;
}
