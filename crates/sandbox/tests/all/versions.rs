use reqwest::Method;
use serde_json::json;

use super::client::{options, start};

#[tokio::test]
async fn every_supported_version_is_accepted_on_any_path() {
    let (_sandbox, client) = start(options()).await;
    let calendars = format!("/calendars/?locationId={}", client.location());
    for version in ["legacy", "2021-04-15", "2021-07-28", "2023-02-21", "v3"] {
        assert_eq!(client.speaking(version).get(&calendars).await.status, 200, "{version}");
    }
}

#[tokio::test]
async fn v3_removed_paths_and_has_new_ones() {
    let (sandbox, client) = start(options()).await;
    let v3 = client.speaking("v3");
    let location = client.location();
    for path in [format!("/contacts/?locationId={location}"), format!("/users/?locationId={location}")] {
        assert_eq!(client.get(&path).await.status, 200);
        let gone = v3.get(&path).await;
        assert_eq!((gone.status.as_u16(), &gone.body["statusCode"]), (400, &json!(400)));
        assert!(gone.body["message"].as_str().unwrap().contains("not available in API version v3"));
    }
    let agency = agency(&sandbox, &client).await;
    let query = format!(
        "companyId={}&appId={}",
        client.account.company_id,
        client.account.client_id.split('-').next().unwrap()
    );
    let dated = client.bearing(&agency).get(&format!("/oauth/installedLocations?{query}")).await;
    assert_eq!(dated.body["count"], 1);
    assert_eq!(v3.bearing(&agency).get(&format!("/oauth/installedLocations?{query}")).await.status, 400);
    let renamed = v3.bearing(&agency).get(&format!("/oauth/installed-locations?{query}")).await;
    assert_eq!(renamed.body["pagination"]["hasNextPage"], false);
    let unknown = client.bearing(&agency).get(&format!("/oauth/installed-locations?{query}")).await;
    assert_eq!(unknown.status, 404);
}

async fn agency(sandbox: &sandbox::Sandbox, client: &super::client::Client) -> String {
    let account = &client.account;
    let code = sandbox.authorization_code(true);
    let fields = [
        ("client_id", account.client_id.as_str()),
        ("client_secret", &account.client_secret),
        ("grant_type", "authorization_code"),
        ("code", &code),
    ];
    let answer = client.form("/oauth/token", &fields).await;
    assert_eq!(answer.body["userType"], "Company");
    assert!(answer.body["locationId"].is_null());
    answer.body["access_token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn field_names_follow_the_version() {
    let (_sandbox, client) = start(options()).await;
    let v3 = client.speaking("v3");
    let location = client.location();
    let fields = client.get(&format!("/locations/{location}/customFields?model=contact")).await;
    let field = &fields.list("customFields")[1];

    let body = json!({"locationId": location, "firstName": "Ada", "email": "ada.first@example.com",
        "customFields": [{"id": field["id"], "field_value": "C1"}], "dndSettings": {"SMS": {"status": "active"}}});
    let made = client.post("/contacts/", body).await;
    assert_eq!(made.status, 201);
    let path = format!("/contacts/{}", made.body["contact"]["id"].as_str().unwrap());
    assert!(client.get(&path).await.body["contact"]["dndSettings"]["SMS"].is_object());
    assert!(v3.get(&path).await.body["contact"]["dndSettings"]["sms"].is_object());

    let change = json!({"customFields": [{"id": field["id"], "fieldValue": "C2"}], "dndSettings": {"email": {"status": "active"}}});
    let changed = v3.send(Method::PUT, &path, change).await;
    assert_eq!(changed.body["succeeded"], true);
    let read = client.get(&path).await;
    assert_eq!(read.body["contact"]["customFields"], json!([{"id": field["id"], "value": "C2"}]));
    assert!(read.body["contact"]["dndSettings"]["Email"].is_object());

    let gone = client.send(Method::DELETE, &path, json!({})).await;
    assert_eq!((&gone.body["succeded"], gone.body.get("succeeded")), (&json!(true), None));
}

#[tokio::test]
async fn opportunity_queries_are_snake_case_before_v3() {
    let (_sandbox, client) = start(options()).await;
    let v3 = client.speaking("v3");
    let location = client.location();
    let pipelines = client.get(&format!("/opportunities/pipelines?locationId={location}")).await;
    let pipeline = pipelines.list("pipelines")[1]["id"].as_str().unwrap();
    let dated = client.get(&format!("/opportunities/search?location_id={location}&pipeline_id={pipeline}")).await;
    let camel = v3.get(&format!("/opportunities/search?locationId={location}&pipelineId={pipeline}")).await;
    assert_eq!(dated.body["meta"]["total"], camel.body["meta"]["total"]);
    assert!(dated.body["meta"]["total"].as_u64().unwrap() < 420);
    assert_eq!(v3.get(&format!("/opportunities/search?location_id={location}")).await.status, 422);
    assert_eq!(client.get(&format!("/opportunities/search?locationId={location}")).await.status, 422);
}
