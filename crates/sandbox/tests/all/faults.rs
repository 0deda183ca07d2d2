use std::time::{Duration, Instant};

use reqwest::Method;
use sandbox::Fault;
use serde_json::{Value, json};

use super::client::{Client, options, start};

fn sms(contact: &str) -> Value {
    json!({"type": "SMS", "contactId": contact, "message": "hello"})
}

/// A contact that can be written to.
async fn reachable(client: &Client) -> String {
    let filters = json!([{"field": "phone", "operator": "exists"}, {"field": "dnd", "operator": "eq", "value": false}]);
    let body = json!({"locationId": client.location(), "pageLimit": 1, "filters": filters});
    client.post("/contacts/search", body).await.list("contacts")[0]["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_dropped_reply_leaves_exactly_one_effect() {
    let (sandbox, client) = start(options()).await;
    let contact = reachable(&client).await;
    sandbox.faults().next_on("/conversations/messages", 1, Fault::DropReply);
    let request = client.request(Method::POST, "/conversations/messages").json(&sms(&contact));
    let error = request.send().await.expect_err("the reply must be lost");
    assert!(error.is_request() || error.is_connect(), "{error:?}");
    let effects = sandbox.business().effects();
    assert_eq!(effects.len(), 1);
    assert_eq!((effects[0].kind.as_str(), effects[0].origin), ("OutboundMessage", "api"));
    assert_eq!(effects[0].payload["body"], "hello");
    assert_eq!(client.post("/conversations/messages", sms(&contact)).await.status, 200);
    assert_eq!(sandbox.business().effects().len(), 2);
}

#[tokio::test]
async fn faults_before_the_work_leave_no_effect() {
    let (sandbox, client) = start(options()).await;
    let contact = reachable(&client).await;
    for status in [401, 403, 404, 422, 429, 500, 502, 503] {
        sandbox.faults().next(1, Fault::Status(status));
        let answer = client.post("/conversations/messages", sms(&contact)).await;
        assert_eq!(answer.status, status);
        assert_eq!(answer.body["statusCode"], status);
        assert_eq!(answer.body["message"].is_array(), status == 422);
        assert_eq!(answer.header("x-ratelimit-remaining") == 0, status == 429);
        assert!(answer.header("x-ratelimit-daily-remaining") > 0);
    }
    sandbox.faults().next(1, Fault::Drop);
    let request = client.request(Method::POST, "/conversations/messages").json(&sms(&contact));
    assert!(request.send().await.is_err());
    assert_eq!(sandbox.business().effects().len(), 0);
}

#[tokio::test]
async fn bodies_are_spoilt_after_the_work() {
    let (sandbox, client) = start(options()).await;
    let contact = reachable(&client).await;
    let send = async |fault| {
        sandbox.faults().next(1, fault);
        client.request(Method::POST, "/conversations/messages").json(&sms(&contact)).send().await.unwrap()
    };
    let malformed = send(Fault::Malformed).await;
    assert!(serde_json::from_slice::<Value>(&malformed.bytes().await.unwrap()).is_err());
    let html = send(Fault::Html).await;
    assert_eq!((html.status().as_u16(), html.headers()["content-type"].to_str().unwrap()), (200, "text/html"));
    assert!(html.text().await.unwrap().starts_with("<html"));
    let truncated = send(Fault::Truncated).await;
    assert_eq!(truncated.status(), 200);
    assert!(truncated.bytes().await.is_err(), "the body must end early");
    assert_eq!(sandbox.business().effects().len(), 3);
}

#[tokio::test]
async fn stalls_wait_before_or_after_the_work() {
    let (sandbox, client) = start(options()).await;
    let contact = reachable(&client).await;
    let timed = async |fault, patience| {
        sandbox.faults().next(1, fault);
        let request = client.request(Method::POST, "/conversations/messages").json(&sms(&contact));
        assert!(request.timeout(Duration::from_millis(patience)).send().await.unwrap_err().is_timeout());
    };
    timed(Fault::Stall(Duration::from_secs(60)), 300).await;
    assert_eq!(sandbox.business().effects().len(), 0);
    // Long enough for the work to be done on a busy machine.
    timed(Fault::StallReply(Duration::from_secs(60)), 3_000).await;
    assert_eq!(sandbox.business().effects().len(), 1);
    sandbox.faults().always("/locations", Fault::Stall(Duration::from_millis(120)));
    let began = Instant::now();
    assert_eq!(client.get(&format!("/locations/{}", client.location())).await.status, 200);
    assert!(began.elapsed() >= Duration::from_millis(120));
}

#[tokio::test]
async fn the_daily_limit_and_expiry_can_be_provoked() {
    let (sandbox, client) = start(options()).await;
    let path = format!("/locations/{}", client.location());
    sandbox.faults().next(1, Fault::DailyLimit);
    let refused = client.get(&path).await;
    assert_eq!((refused.status.as_u16(), refused.header("x-ratelimit-daily-remaining")), (429, 0));
    assert_eq!(client.get(&path).await.status, 429, "the day is used up");
    sandbox.skip(Duration::from_secs(86_400));
    assert_eq!(client.get(&path).await.status, 200);

    let code = sandbox.authorization_code(false);
    let account = &client.account;
    let fields = [
        ("client_id", account.client_id.as_str()),
        ("client_secret", &account.client_secret),
        ("grant_type", "authorization_code"),
        ("code", &code),
    ];
    let tokens = client.form("/oauth/token", &fields).await;
    let bearer = client.bearing(tokens.body["access_token"].as_str().unwrap());
    assert_eq!(bearer.get(&path).await.status, 200);
    sandbox.faults().next_on("/locations", 1, Fault::ExpiredToken);
    assert_eq!(bearer.get(&path).await.status, 401);
    assert_eq!(bearer.get(&path).await.status, 401, "the token stays dead");
}

#[tokio::test]
async fn other_processes_set_faults_over_http() {
    let (sandbox, client) = start(options()).await;
    let path = format!("/locations/{}", client.location());
    for (fault, status) in [(json!({"status": 503}), 503), (json!({"stall": 1}), 200), (json!("expiredToken"), 401)] {
        let rule = json!({"fault": fault, "times": 1, "path": "/locations", "method": "GET"});
        assert_eq!(client.post("/__sandbox/faults", rule).await.status, 204);
        assert_eq!(client.get(&path).await.status, status);
        assert_eq!(client.get(&path).await.status, 200);
    }
    let requests = sandbox.business().requests();
    assert_eq!(client.get("/__sandbox/effects").await.body, json!({"effects": []}));
    assert_eq!(sandbox.business().requests(), requests, "admin routes are not the vendor's");
}
