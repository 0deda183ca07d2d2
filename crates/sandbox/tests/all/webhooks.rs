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
use ring::{
    hmac,
    signature::{ED25519, UnparsedPublicKey},
};
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::client::{options, start, unlimited};

struct Sink {
    url: String,
    /// Headers, body and what was answered.
    received: UnboundedReceiver<(HeaderMap, Bytes, u16)>,
    /// The status to answer with.
    answer: Arc<AtomicU16>,
}

async fn sink() -> Sink {
    let (sender, received) = unbounded_channel();
    let answer = Arc::new(AtomicU16::new(200));
    let status = answer.clone();
    let handler = move |headers: HeaderMap, body: Bytes| async move {
        let status = status.load(Ordering::Relaxed);
        let _ = sender.send((headers, body, status));
        StatusCode::from_u16(status).unwrap()
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().route("/hook", post(handler))).await });
    Sink { url, received, answer }
}

impl Sink {
    async fn next(&mut self) -> (HeaderMap, Bytes, u16) {
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
    let (headers, body, _) = sink.next().await;
    let signature = headers["x-ghl-signature"].to_str().unwrap();
    assert_eq!(signature, sandbox.signed("gohighlevel", &body)[0].1);
    key.verify(&body, &STANDARD.decode(signature).unwrap()).unwrap();
    let event: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!((&event["type"], &event["id"]), (&json!("ContactCreate"), &made.body["contact"]["id"]));
    assert_eq!((&event["locationId"], &event["tags"]), (&json!(client.location()), &json!(["vip"])));
    assert!(event["webhookId"].is_string() && event["timestamp"].is_string() && event.get("data").is_none());

    sandbox.business().receive_sms(3, "are you there?").unwrap();
    let (_, body, _) = sink.next().await;
    let event: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!((&event["type"], &event["direction"]), (&json!("InboundMessage"), &json!("inbound")));
}

#[tokio::test]
async fn only_a_429_is_delivered_again() {
    let retry = Duration::from_millis(30);
    let (sandbox, _client) = start(sandbox::Options { webhook_retry: retry, ..options() }).await;
    let mut sink = sink().await;
    sandbox.subscribe("gohighlevel", &sink.url).unwrap();
    sink.answer.store(429, Ordering::Relaxed);
    sandbox.business().receive_sms(1, "one").unwrap();
    let (_, first, _) = sink.next().await;
    sink.answer.store(500, Ordering::Relaxed);
    loop {
        let (_, again, answered) = sink.next().await;
        assert_eq!(first, again, "a repeated delivery has the same bytes");
        if answered == 500 {
            break;
        }
    }
    tokio::time::sleep(retry * 10).await;
    assert!(sink.received.try_recv().is_err(), "a 500 must end the delivery");
}

/// Each vendor signs as it does: Intuit the body, Slack the time and the body; Google says everything in headers.
#[tokio::test]
async fn the_other_vendors_sign_as_they_do() {
    let (sandbox, client) = start(unlimited()).await;
    let mac = |ecosystem: &str, message: &[u8]| {
        hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, sandbox.webhook_secret(ecosystem).as_bytes()), message)
    };
    let mut intuit = sink().await;
    sandbox.subscribe("quickbooks", &intuit.url).unwrap();
    let account = sandbox.account("quickbooks").unwrap();
    let realm = account.config["realm_id"].as_str().unwrap();
    let path = format!("/quickbooks/v3/company/{realm}/customer");
    let bearing = client.bearing(&account.credentials["access_token"]);
    let made = bearing.post(&path, json!({"DisplayName": "Quillfeather Imports"})).await;
    let (headers, body, _) = intuit.next().await;
    assert_eq!(headers["intuit-signature"].to_str().unwrap(), STANDARD.encode(mac("quickbooks", &body)));
    let events: Value = serde_json::from_slice(&body).unwrap();
    let event = &events[0];
    assert_eq!((&event["specversion"], &event["type"]), (&json!("1.0"), &json!("qbo.customer.created.v1")));
    assert_eq!((&event["intuitaccountid"], &event["intuitentityid"]), (&json!(realm), &made.body["Customer"]["Id"]));

    let mut slack = sink().await;
    sandbox.subscribe("slack", &slack.url).unwrap();
    let account = sandbox.account("slack").unwrap();
    let bearing = client.bearing(&account.credentials["token"]);
    bearing.post("/slack/api/chat.postMessage", json!({"channel": "#general", "text": "hello"})).await;
    let (headers, body, _) = slack.next().await;
    let stamp = headers["x-slack-request-timestamp"].to_str().unwrap();
    let signed = mac("slack", &[b"v0:", stamp.as_bytes(), b":", &body].concat());
    let hex: String = signed.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(headers["x-slack-signature"].to_str().unwrap(), format!("v0={hex}"));

    let mut google = sink().await;
    let account = sandbox.account("google_workspace").unwrap();
    let bearing = client.bearing(&account.credentials["access_token"]);
    let channel = json!({"id": "channel-1", "type": "web_hook", "address": google.url,
        "token": account.credentials["channel_token"]});
    let opened = bearing.post("/google_workspace/drive/v3/changes/watch?pageToken=1001", channel.clone()).await;
    assert_eq!((opened.status.as_u16(), &opened.body["id"]), (200, &json!("channel-1")), "{}", opened.body);
    let files = bearing.get("/google_workspace/drive/v3/files?pageSize=1").await;
    assert!(sandbox.business().rename_document(files.body["files"][0]["id"].as_str().unwrap(), "New name"));
    for (number, state) in [("1", "sync"), ("2", "change")] {
        let (headers, body, _) = google.next().await;
        let told = |name: &str| headers[name].to_str().unwrap().to_owned();
        assert_eq!((told("x-goog-message-number"), told("x-goog-resource-state")), (number.into(), state.into()));
        assert_eq!((told("x-goog-channel-token"), body.len()), (sandbox.webhook_secret("google_workspace"), 0));
    }
    let stopped = bearing.post("/google_workspace/drive/v3/channels/stop", channel.clone()).await;
    assert_eq!(stopped.status, 204);
    assert_eq!(bearing.post("/google_workspace/drive/v3/channels/stop", channel).await.status, 404);
}

#[tokio::test]
async fn deliveries_are_doubled_and_reordered_on_demand() {
    let (sandbox, _client) = start(unlimited()).await;
    let mut sink = sink().await;
    sandbox.subscribe("gohighlevel", &sink.url).unwrap();
    sandbox.duplicate_webhooks(1);
    sandbox.hold_webhooks();
    for text in ["one", "two"] {
        sandbox.business().receive_sms(1, text).unwrap();
    }
    assert!(sink.received.try_recv().is_err(), "they are kept back");
    assert_eq!(sandbox.release_webhooks(true).await, [200; 4]);
    let mut texts = Vec::new();
    for _ in 0..4 {
        let (_, body, _) = sink.next().await;
        texts.push(serde_json::from_slice::<Value>(&body).unwrap()["body"].as_str().unwrap().to_owned());
    }
    assert_eq!(texts, ["two", "two", "one", "one"]);
    sink.answer.store(429, Ordering::Relaxed);
    let answers = sandbox.burst_of_webhooks("quickbooks", &sink.url, 100).await.unwrap();
    assert_eq!(answers, std::collections::BTreeMap::from([(429, 100)]));
}

/// Every event that the sandbox sends has a published sample; no field may be made up.
#[tokio::test]
async fn payloads_hold_only_published_fields() {
    let Some(folder) = super::contracts::folder("gohighlevel/webhooks") else { return };
    let (sandbox, client) = start(options()).await;
    everything(&client).await;
    sandbox.business().receive_sms(0, "hello").unwrap();
    let mut kinds = std::collections::BTreeSet::new();
    for effect in sandbox.business().effects() {
        let file = effect.kind.replace("ConversationUnreadUpdate", "ConversationUnreadWebhook");
        let Ok(text) = std::fs::read(folder.join(format!("{file}.json"))) else {
            assert_eq!(file, "TaskUpdate", "the vendor has no such event");
            continue;
        };
        let sample: Value = serde_json::from_slice(&text).unwrap();
        let known = fields(&sample);
        for key in fields(&json!({"examples": [effect.payload]})) {
            // `messageId` stands in the samples of calls only, but live texts carry it too.
            assert!(known.contains(&key) || key == "messageId", "{file} has no field {key}");
        }
        kinds.insert(effect.kind);
    }
    assert!(kinds.len() >= 15, "{kinds:?}");
}

/// The names of all fields, also of the one nested object that appointments have.
fn fields(sample: &Value) -> std::collections::BTreeSet<String> {
    let mut names = std::collections::BTreeSet::new();
    let declared = sample["schema"]["properties"].as_object();
    names.extend(declared.into_iter().flatten().map(|(name, _)| name.clone()));
    for example in sample["examples"].as_array().into_iter().flatten().filter_map(Value::as_object) {
        names.extend(example.keys().cloned());
        let nested = example.get("appointment").and_then(Value::as_object);
        names.extend(nested.into_iter().flatten().map(|(name, _)| name.clone()));
    }
    names
}

/// One write of every kind.
async fn everything(client: &super::client::Client) {
    use reqwest::Method;
    let location = client.location();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let body = json!({"locationId": location, "firstName": "All", "email": "all@example.com", "phone": "+12135550000"});
    let contact = text(&client.post("/contacts/", body).await.body["contact"]["id"]);
    let path = format!("/contacts/{contact}");
    client.send(Method::PUT, &path, json!({"city": "Reno", "dnd": false})).await;
    client.post(&format!("{path}/tags"), json!({"tags": ["x"]})).await;
    let note = text(&client.post(&format!("{path}/notes"), json!({"body": "n"})).await.body["note"]["id"]);
    client.send(Method::PUT, &format!("{path}/notes/{note}"), json!({"body": "m"})).await;
    client.send(Method::DELETE, &format!("{path}/notes/{note}"), json!({})).await;
    let task = json!({"title": "t", "dueDate": "2026-12-01", "completed": false});
    let task = text(&client.post(&format!("{path}/tasks"), task).await.body["task"]["id"]);
    client.send(Method::PUT, &format!("{path}/tasks/{task}/completed"), json!({"completed": true})).await;
    client.send(Method::DELETE, &format!("{path}/tasks/{task}"), json!({})).await;
    let pipelines = client.get(&format!("/opportunities/pipelines?locationId={location}")).await;
    let deal = json!({"locationId": location, "pipelineId": pipelines.list("pipelines")[0]["id"], "name": "d",
        "status": "open", "contactId": contact});
    let deal = text(&client.post("/opportunities/", deal).await.body["opportunity"]["id"]);
    client.send(Method::PUT, &format!("/opportunities/{deal}"), json!({"monetaryValue": 3})).await;
    client.send(Method::DELETE, &format!("/opportunities/{deal}"), json!({})).await;
    for kind in ["SMS", "Email"] {
        let body = json!({"type": kind, "contactId": contact, "message": "hi", "subject": "s"});
        let thread = text(&client.post("/conversations/messages", body).await.body["conversationId"]);
        let read = json!({"locationId": location, "unreadCount": 0});
        client.send(Method::PUT, &format!("/conversations/{thread}"), read).await;
    }
    let calendars = client.get(&format!("/calendars/?locationId={location}")).await;
    let meeting = json!({"calendarId": calendars.list("calendars")[0]["id"], "locationId": location,
        "contactId": contact, "startTime": "2026-12-09T17:00:00Z", "ignoreFreeSlotValidation": true});
    let meeting = text(&client.post("/calendars/events/appointments", meeting).await.body["id"]);
    client.send(Method::PUT, &format!("/calendars/events/appointments/{meeting}"), json!({"title": "z"})).await;
    client.send(Method::DELETE, &format!("/calendars/events/{meeting}"), json!({})).await;
    client.send(Method::DELETE, &path, json!({})).await;
}
