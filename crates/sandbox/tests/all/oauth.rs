use std::time::Duration;

use serde_json::{Value, json};

use super::client::{Answer, Client, options, start};

async fn grant(client: &Client, kind: &str, name: &str, value: &str) -> Answer {
    let account = &client.account;
    let fields = [
        ("client_id", account.client_id.as_str()),
        ("client_secret", &account.client_secret),
        ("grant_type", kind),
        ("user_type", "Location"),
        (name, value),
    ];
    client.form("/oauth/token", &fields).await
}

fn text<'a>(body: &'a Value, key: &str) -> &'a str {
    body[key].as_str().unwrap_or_else(|| panic!("no {key} in {body}"))
}

#[tokio::test]
async fn refreshing_rotates_and_the_old_token_is_dead() {
    let (sandbox, client) = start(options()).await;
    let client = client.speaking("");
    let code = sandbox.authorization_code(false);
    let first = grant(&client, "authorization_code", "code", &code).await;
    assert_eq!(first.status, 200);
    assert_eq!((&first.body["token_type"], &first.body["expires_in"]), (&json!("Bearer"), &json!(86_399)));
    assert_eq!(text(&first.body, "locationId"), client.location());
    let again = grant(&client, "authorization_code", "code", &code).await;
    assert_eq!((again.status.as_u16(), text(&again.body, "error")), (400, "invalid_grant"));

    let old = text(&first.body, "refresh_token");
    let second = grant(&client, "refresh_token", "refresh_token", old).await;
    assert_eq!(second.status, 200);
    assert_ne!(text(&second.body, "refresh_token"), old);
    assert_eq!(grant(&client, "refresh_token", "refresh_token", old).await.status, 400);
    let access = text(&second.body, "access_token");
    let path = format!("/locations/{}", client.location());
    let bearer = client.bearing(access).speaking("2021-07-28");
    assert_eq!(bearer.get(&path).await.status, 200);
    sandbox.skip(Duration::from_secs(86_400));
    assert_eq!(bearer.get(&path).await.status, 401);
    let third = grant(&client, "refresh_token", "refresh_token", text(&second.body, "refresh_token")).await;
    assert_eq!(third.status, 200);
    sandbox.skip(Duration::from_secs(366 * 86_400));
    let late = grant(&client, "refresh_token", "refresh_token", text(&third.body, "refresh_token")).await;
    assert_eq!(late.status, 400);
}

#[tokio::test]
async fn v3_tokens_are_camel_case_and_may_be_json() {
    let (sandbox, client) = start(options()).await;
    let client = client.speaking("v3");
    let account = &client.account;
    let code = sandbox.authorization_code(false);
    let body = json!({"clientId": account.client_id, "clientSecret": account.client_secret,
        "grantType": "authorization_code", "code": code});
    let tokens = client.post("/oauth/token", body.clone()).await;
    assert_eq!(tokens.status, 200);
    assert!(tokens.body["access_token"].is_null());
    let bearer = client.bearing(text(&tokens.body, "accessToken"));
    assert_eq!(bearer.get(&format!("/locations/{}", client.location())).await.status, 200);
    // The dated versions take forms only.
    assert_eq!(client.speaking("2021-07-28").post("/oauth/token", body).await.status, 400);
}

#[tokio::test]
async fn a_wrong_client_gets_nothing() {
    let (sandbox, client) = start(options()).await;
    let code = sandbox.authorization_code(false);
    let fields =
        [("client_id", "a"), ("client_secret", "b"), ("grant_type", "authorization_code"), ("code", code.as_str())];
    let answer = client.speaking("").form("/oauth/token", &fields).await;
    assert_eq!((answer.status.as_u16(), text(&answer.body, "error")), (401, "invalid_client"));
    // The code survives a stranger's attempt.
    assert_eq!(grant(&client.speaking(""), "authorization_code", "code", &code).await.status, 200);
}

#[tokio::test]
async fn an_agency_mints_a_location_token() {
    let (sandbox, client) = start(options()).await;
    let code = sandbox.authorization_code(true);
    let agency = grant(&client.speaking(""), "authorization_code", "code", &code).await;
    let agency = client.bearing(text(&agency.body, "access_token"));
    let search = json!({"locationId": client.location(), "pageLimit": 1});
    assert_eq!(agency.post("/contacts/search", search.clone()).await.status, 403);
    let company = client.account.company_id.as_str();
    let minted =
        agency.form("/oauth/locationToken", &[("companyId", company), ("locationId", client.location())]).await;
    assert_eq!(minted.status, 200);
    let location = client.bearing(text(&minted.body, "access_token"));
    assert_eq!(location.post("/contacts/search", search).await.status, 200);
    assert_eq!(location.form("/oauth/locationToken", &[("companyId", company)]).await.status, 401);
}
