use std::{
    sync::{
        Arc,
        atomic::{AtomicU16, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    http::{HeaderMap, StatusCode},
    routing::post,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use ring::signature::{ED25519, UnparsedPublicKey};
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::client::{options, start};

struct Sink {
    url: String,
    received: UnboundedReceiver<(HeaderMap, Bytes)>,
    /// The status to answer with.
    answer: Arc<AtomicU16>,
}

async fn sink() -> Sink {
    let (sender, received) = unbounded_channel();
    let answer = Arc::new(AtomicU16::new(200));
    let status = answer.clone();
    let handler = move |headers: HeaderMap, body: Bytes| async move {
        let _ = sender.send((headers, body));
        StatusCode::from_u16(status.load(Ordering::Relaxed)).unwrap()
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().route("/hook", post(handler))).await });
    Sink { url, received, answer }
}

impl Sink {
    async fn next(&mut self) -> (HeaderMap, Bytes) {
        tokio::time::timeout(Duration::from_secs(20), self.received.recv()).await.unwrap().unwrap()
    }
}

#[tokio::test]
async fn events_are_flat_and_signed() {
    let (sandbox, client) = start(options()).await;
    let mut sink = sink().await;
    assert_eq!(client.post("/__sandbox/webhooks", json!({"url": sink.url})).await.status, 204);
    let spki = STANDARD.decode(sandbox.gohighlevel().webhook_public_key).unwrap();
    let key = UnparsedPublicKey::new(&ED25519, &spki[12..]);

    let body =
        json!({"locationId": client.location(), "firstName": "Ada", "email": "ada@example.com", "tags": ["vip"]});
    let made = client.post("/contacts/", body).await;
    let (headers, body) = sink.next().await;
    let signature = headers["x-ghl-signature"].to_str().unwrap();
    assert_eq!(signature, sandbox.sign(&body));
    key.verify(&body, &STANDARD.decode(signature).unwrap()).unwrap();
    let event: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!((&event["type"], &event["id"]), (&json!("ContactCreate"), &made.body["contact"]["id"]));
    assert_eq!((&event["locationId"], &event["tags"]), (&json!(client.location()), &json!(["vip"])));
    assert!(event["webhookId"].is_string() && event["timestamp"].is_string() && event.get("data").is_none());

    sandbox.business().receive_sms(3, "are you there?").unwrap();
    let (_, body) = sink.next().await;
    let event: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!((&event["type"], &event["direction"]), (&json!("InboundMessage"), &json!("inbound")));
}

#[tokio::test]
async fn only_a_429_is_delivered_again() {
    let retry = Duration::from_millis(30);
    let (sandbox, _client) = start(sandbox::Options { webhook_retry: retry, ..options() }).await;
    let mut sink = sink().await;
    sandbox.subscribe(&sink.url).unwrap();
    sink.answer.store(429, Ordering::Relaxed);
    sandbox.business().receive_sms(1, "one").unwrap();
    let (_, first) = sink.next().await;
    sink.answer.store(500, Ordering::Relaxed);
    // Whatever arrives until the 500 is seen is the same delivery, byte for byte.
    let (_, repeated) = sink.next().await;
    assert_eq!(first, repeated);
    tokio::time::sleep(retry * 5).await;
    while let Ok((_, again)) = sink.received.try_recv() {
        assert_eq!(first, again);
    }
    tokio::time::sleep(retry * 5).await;
    assert!(sink.received.try_recv().is_err(), "a 500 must end the delivery");
}
