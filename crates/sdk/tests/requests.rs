//! What a request carries, and the pace of single operations, over real HTTP.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops where it is")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::http::HeaderMap;
use sdk::http::{Call, Connection, Http, Settings};
use sdk::{Kind, Limits};
use tokio::time::Instant;

/// Content type and body of each request.
type Received = Arc<Mutex<Vec<(String, Vec<u8>)>>>;

async fn serve() -> (String, Received) {
    let received = Received::default();
    let kept = received.clone();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().fallback(move |headers: HeaderMap, body: Bytes| async move {
        let kind = headers.get("content-type").map(|kind| kind.to_str().unwrap().to_owned()).unwrap_or_default();
        kept.lock().unwrap().push((kind, body.to_vec()));
        "{}"
    });
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, received)
}

#[expect(clippy::disallowed_methods, reason = "a test has no app that owns the client")]
fn connection(limits: Limits) -> Arc<Connection> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    Arc::new(Connection::new("vendor", reqwest::Client::new(), limits, Settings::default(), Arc::new(|_| {})))
}

fn http(connection: &Arc<Connection>, patience: Duration) -> Http {
    let call = Call { execution: None, key: "key".into(), deadline: Instant::now() + patience };
    Http::new(connection.clone(), call)
}

fn limits(burst: u32, replenish: Duration) -> Limits {
    Limits::new(burst, replenish)
}

fn unlimited() -> Limits {
    limits(10_000, Duration::from_nanos(1))
}

const PATIENT: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_form_is_encoded_and_a_body_stays_as_it_is() {
    let (url, received) = serve().await;
    let http = http(&connection(unlimited()), PATIENT);
    let pairs = [("grant_type", "refresh_token"), ("refresh_token", "a+b&c=d é")];
    http.post("/token", url.clone()).form(&pairs).send().await.unwrap();
    http.post("/upload", url.clone()).body(vec![0, 159, 146, 150], "application/octet-stream").send().await.unwrap();
    http.post("/json", url).json(&serde_json::json!({"a": 1})).send().await.unwrap();
    let received = received.lock().unwrap();
    let form = "grant_type=refresh_token&refresh_token=a%2Bb%26c%3Dd+%C3%A9";
    assert_eq!(received[0], ("application/x-www-form-urlencoded".to_owned(), form.as_bytes().to_vec()));
    assert_eq!(received[1], ("application/octet-stream".to_owned(), vec![0, 159, 146, 150]));
    assert_eq!(received[2], ("application/json".to_owned(), b"{\"a\":1}".to_vec()));
}

#[tokio::test]
async fn a_content_type_that_no_header_can_carry_is_refused_before_anything_is_sent() {
    let (url, received) = serve().await;
    let http = http(&connection(unlimited()), PATIENT);
    let error = http.post("/upload", url).body(vec![1], "text/plain\r\nx-evil: 1").send().await.unwrap_err();
    assert_eq!((error.kind, received.lock().unwrap().len()), (Kind::InvalidInput, 0));
}

#[tokio::test]
async fn an_operation_keeps_its_own_pace_and_leaves_the_others_alone() {
    let (url, received) = serve().await;
    let connection = connection(unlimited());
    let slow = limits(2, Duration::from_secs(60));
    let paced = |patience| http(&connection, patience).get("/slow", url.clone()).paced(slow).send();
    for _ in 0..2 {
        paced(PATIENT).await.unwrap();
    }
    let error = paced(Duration::from_millis(100)).await.unwrap_err();
    assert_eq!((error.kind, received.lock().unwrap().len()), (Kind::RateLimited, 2), "it was not sent");
    assert!(error.retry_after.unwrap() > Duration::from_secs(30));
    // Another operation, and the same connection without a pace, go on.
    http(&connection, PATIENT).get("/other", url.clone()).paced(slow).send().await.unwrap();
    http(&connection, PATIENT).get("/free", url.clone()).send().await.unwrap();
    assert_eq!(received.lock().unwrap().len(), 4);
}

#[tokio::test]
async fn a_paced_operation_counts_for_the_connection_too() {
    let (url, received) = serve().await;
    let connection = connection(limits(2, Duration::from_secs(60)));
    let quick = limits(100, Duration::from_millis(1));
    for _ in 0..2 {
        http(&connection, PATIENT).get("/quick", url.clone()).paced(quick).send().await.unwrap();
    }
    let error = http(&connection, Duration::from_millis(100)).get("/quick", url).paced(quick).send().await.unwrap_err();
    assert_eq!((error.kind, received.lock().unwrap().len()), (Kind::RateLimited, 2));
}
