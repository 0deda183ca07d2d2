//! The simulated token server, as the runtime that refreshes tokens meets it.

use std::collections::HashMap;
use std::time::Duration;

use sandbox::{Account, Sandbox};
use serde_json::{Value, json};

use crate::harness::{self, sandbox};

const DAY: Duration = Duration::from_secs(24 * 3600);

struct Client {
    http: reqwest::Client,
    account: Account,
}

impl Client {
    fn of(sandbox: &Sandbox) -> Client {
        let account = sandbox.account("quickbooks").unwrap();
        // Installs the process's TLS, which the client needs.
        let _ = harness::Account::simulated(sandbox);
        #[expect(clippy::disallowed_methods, reason = "a test is its own process and owns its client")]
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Client { http, account }
    }

    fn url(&self, name: &str) -> String {
        self.account.config[name].as_str().unwrap().to_owned()
    }

    fn secret(&self, name: &str) -> String {
        self.account.credentials[name].clone()
    }

    async fn token(&self, fields: &[(&str, &str)]) -> (u16, Value) {
        let request = self
            .http
            .post(self.url("token_url"))
            .basic_auth(self.secret("client_id"), Some(self.secret("client_secret")));
        let response = request.form(fields).send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    async fn refresh(&self, token: &str) -> (u16, Value) {
        self.token(&[("grant_type", "refresh_token"), ("refresh_token", token)]).await
    }

    /// The status of a call with this bearer.
    async fn call(&self, bearer: &str) -> u16 {
        let url = format!("{}/v3/company/{0}/companyinfo/{0}", self.url("realm_id"));
        let url = format!("{}{}", self.url("base_url"), url.strip_prefix(&self.url("realm_id")).unwrap());
        self.http.get(url).bearer_auth(bearer).send().await.unwrap().status().as_u16()
    }
}

#[tokio::test]
async fn a_consent_brings_the_company_and_tokens_of_an_hour() {
    let sandbox = sandbox().await;
    let client = Client::of(&sandbox);
    let back = "http://127.0.0.1:9/callback";
    let query = [
        ("client_id", client.secret("client_id")),
        ("response_type", "code".into()),
        ("state", "s1".into()),
        ("redirect_uri", back.into()),
        ("scope", "com.intuit.quickbooks.accounting".into()),
    ];
    let response = client.http.get(client.url("authorize_url")).query(&query).send().await.unwrap();
    let location = url::Url::parse(response.headers()["location"].to_str().unwrap()).unwrap();
    let given: HashMap<String, String> = location.query_pairs().into_owned().collect();
    assert_eq!((given["state"].as_str(), json!(given["realmId"])), ("s1", client.account.config["realm_id"].clone()));

    let fields = [("grant_type", "authorization_code"), ("code", given["code"].as_str()), ("redirect_uri", back)];
    let (status, tokens) = client.token(&fields).await;
    assert_eq!((status, &tokens["expires_in"], &tokens["token_type"]), (200, &json!(3600), &json!("bearer")));
    assert_eq!(tokens["x_refresh_token_expires_in"], 8_726_400);
    assert_eq!(client.token(&fields).await.1["error"], "invalid_grant", "a code works once");
    let access = tokens["access_token"].as_str().unwrap();
    assert_eq!(client.call(access).await, 200);
    sandbox.skip(Duration::from_secs(3601));
    assert_eq!(client.call(access).await, 401);
}

#[tokio::test]
async fn a_refresh_token_changes_daily_and_the_old_one_is_dead() {
    let sandbox = sandbox().await;
    let client = Client::of(&sandbox);
    let first = client.secret("refresh_token");
    let (_, same_day) = client.refresh(&first).await;
    assert_eq!(same_day["refresh_token"], first);
    assert_eq!(client.call(same_day["access_token"].as_str().unwrap()).await, 200);
    sandbox.skip(DAY);
    let (_, next_day) = client.refresh(&first).await;
    let second = next_day["refresh_token"].as_str().unwrap();
    assert_ne!(second, first);
    assert_eq!(client.refresh(&first).await.1["error"], "invalid_grant");
    // A hundred days without use end it.
    sandbox.skip(DAY * 102);
    let (status, refused) = client.refresh(second).await;
    assert_eq!((status, &refused["error"]), (400, &json!("invalid_grant")));
    // The sandbox's own account works all the same.
    assert_eq!(client.call(&sandbox.account("quickbooks").unwrap().credentials["access_token"]).await, 200);
}

#[tokio::test]
async fn revoking_ends_all_tokens_of_the_consent() {
    let sandbox = sandbox().await;
    let client = Client::of(&sandbox);
    let basic = |request: reqwest::RequestBuilder| {
        request.basic_auth(client.secret("client_id"), Some(client.secret("client_secret")))
    };
    let stranger = client.http.post(client.url("revoke_url")).json(&json!({"token": client.secret("refresh_token")}));
    assert_eq!(stranger.send().await.unwrap().status(), 401);
    let request =
        basic(client.http.post(client.url("revoke_url"))).json(&json!({"token": client.secret("refresh_token")}));
    assert_eq!(request.send().await.unwrap().status(), 200);
    assert_eq!(client.call(&client.secret("access_token")).await, 401);
    assert_eq!(client.refresh(&client.secret("refresh_token")).await.1["error"], "invalid_grant");
}

#[tokio::test]
async fn a_wrong_client_is_no_client() {
    let sandbox = sandbox().await;
    let client = Client::of(&sandbox);
    let fields = [("grant_type", "refresh_token"), ("refresh_token", "x")];
    let response =
        client.http.post(client.url("token_url")).basic_auth("x", Some("y")).form(&fields).send().await.unwrap();
    assert_eq!(response.status(), 401);
    assert_eq!(client.token(&[("grant_type", "password")]).await.1["error"], "unsupported_grant_type");
}
