use std::time::Duration;

use reqwest::Method;
use serde_json::json;

use super::client::{options, read, start};

#[tokio::test]
async fn the_gate_refuses_as_the_vendor_does() {
    let (_sandbox, client) = start(options()).await;
    let search = json!({"locationId": client.location(), "pageLimit": 1});
    let cases = [
        (client.bearing("eyJ.nonsense"), "Invalid JWT"),
        (client.bearing("pit-00000000-0000-0000-0000-000000000000"), "Invalid Private Integration token"),
        (client.speaking(""), "version header was not found."),
        (client.speaking("2020-01-01"), "version header is invalid"),
        (client.bearing(&client.account.v1_key), "Invalid JWT"),
    ];
    for (client, message) in cases {
        let answer = client.post("/contacts/search", search.clone()).await;
        assert_eq!(answer.status, 401);
        assert_eq!(answer.body, json!({"statusCode": 401, "message": message}));
    }
    let foreign = client.post("/contacts/search", json!({"locationId": "x", "pageLimit": 1})).await;
    assert_eq!(foreign.status, 403);
    let body = json!({"statusCode": 403, "message": "The token does not have access to this location."});
    assert_eq!(foreign.body, body);
}

#[tokio::test]
async fn bad_arguments_get_a_list_of_messages() {
    let (_sandbox, client) = start(options()).await;
    let location = client.location();
    for body in [
        json!({}),
        json!({"locationId": location}),
        json!({"pageLimit": 10}),
        json!({"locationId": location, "pageLimit": 501}),
        json!({"locationId": location, "pageLimit": 10, "startAfter": 1}),
        json!({"locationId": location, "pageLimit": 10, "page": 1, "searchAfter": [1, "a"]}),
        json!({"locationId": location, "pageLimit": 10, "filters": [{"field": "email", "operator": "like"}]}),
        json!({"locationId": location, "pageLimit": 10, "query": "x".repeat(76)}),
    ] {
        let answer = client.post("/contacts/search", body.clone()).await;
        assert_eq!(answer.status, 422, "{body}");
        assert!(answer.body["message"].is_array() && answer.body["error"] == "Unprocessable Entity", "{}", answer.body);
    }
    let extra = json!({"locationId": location, "email": "new@example.com", "additionalEmails": ["b@example.com"]});
    let answer = client.post("/contacts/", extra).await;
    assert_eq!(answer.body["message"], json!(["property additionalEmails should not exist"]));
    let window = format!("/calendars/events?locationId={location}&startTime=1&endTime=2");
    assert_eq!(client.get(&window).await.status, 422);
}

#[tokio::test]
async fn what_is_not_there_is_a_404_and_bad_json_a_400() {
    let (_sandbox, client) = start(options()).await;
    let nothing = client.get("/contacts/AAAAAAAAAAAAAAAAAAAA").await;
    assert_eq!((nothing.status.as_u16(), &nothing.body["statusCode"]), (404, &json!(404)));
    let route = client.get("/nowhere").await;
    assert_eq!(route.body, json!({"statusCode": 404, "message": "Cannot GET /nowhere", "error": "Not Found"}));
    let method = client.send(Method::PATCH, "/contacts/search", json!({})).await;
    assert_eq!((method.status.as_u16(), &method.body["message"]), (404, &json!("Cannot PATCH /contacts/search")));
    let request = client.request(Method::POST, "/contacts/search").header("content-type", "application/json");
    let broken = read(request.body("{\"locationId\": ").send().await.unwrap()).await;
    assert_eq!(broken.status, 400);
}

#[tokio::test]
async fn v1_speaks_in_its_own_errors() {
    let (_sandbox, client) = start(options()).await;
    let refused = client.get("/v1/contacts/").await;
    assert_eq!(refused.status, 401);
    assert!(refused.body["msg"].is_string(), "{}", refused.body);
    let v1 = client.bearing(&client.account.v1_key).speaking("");
    let rows = v1.get("/v1/contacts/?limit=1").await;
    let row = &rows.list("contacts")[0];
    assert!(row["contactName"].is_string() && row["customField"].is_array() && row["lastActivity"].is_i64(), "{row}");
    let one = v1.get(&format!("/v1/contacts/{}", row["id"].as_str().unwrap())).await;
    assert_eq!(one.body["contact"], *row);
    assert_eq!(v1.get("/v1/contacts/?limit=101").await.status, 422);
    assert_eq!(v1.get("/v1/pipelines/").await.list("pipelines").len(), 2);
    let phone = row["phone"].as_str().unwrap_or("none").replace('+', "%2B");
    let found = v1.get(&format!("/v1/contacts/lookup?phone={phone}")).await;
    assert!(found.status == 200 || row["phone"].is_null(), "{}", found.body);
}

#[tokio::test]
async fn the_hundred_and_first_request_waits_for_the_window() {
    let (sandbox, client) = start(options()).await;
    let path = format!("/locations/{}", client.location());
    for n in 0..100 {
        let answer = client.get(&path).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("x-ratelimit-remaining"), 99 - n);
    }
    let refused = client.get(&path).await;
    assert_eq!(refused.status, 429);
    assert_eq!(refused.header("x-ratelimit-remaining"), 0);
    assert_eq!(refused.header("x-ratelimit-max"), 100);
    assert_eq!(refused.header("x-ratelimit-interval-milliseconds"), 10_000);
    assert_eq!(refused.header("x-ratelimit-limit-daily"), 200_000);
    assert_eq!(refused.header("x-ratelimit-daily-remaining"), 199_900);
    assert!(refused.headers.get("retry-after").is_none(), "the vendor documents none");
    // V1 keys are an application of their own.
    let v1 = client.bearing(&client.account.v1_key).speaking("");
    assert_eq!(v1.get("/v1/contacts/?limit=1").await.status, 200);
    sandbox.skip(Duration::from_secs(10));
    assert_eq!(client.get(&path).await.status, 200);
}

#[tokio::test]
async fn the_limits_can_be_lifted() {
    let (_sandbox, client) = start(super::client::unlimited()).await;
    let path = format!("/locations/{}", client.location());
    for _ in 0..120 {
        assert_eq!(client.get(&path).await.status, 200);
    }
}
