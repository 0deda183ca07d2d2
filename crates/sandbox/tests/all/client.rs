//! A plain client for one sandbox: the vendor's headers, JSON in and out.

use std::net::SocketAddr;

use chrono::{DateTime, Utc};
use reqwest::{Method, StatusCode, header::HeaderMap};
use sandbox::{GoHighLevelAccount, Options, Sandbox};
use serde_json::Value;

/// The present of all tests.
pub fn now() -> DateTime<Utc> {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

pub fn options() -> Options {
    Options::new(now())
}

pub fn unlimited() -> Options {
    Options { enforce_limits: false, ..options() }
}

pub async fn start(options: Options) -> (Sandbox, Client) {
    let sandbox = sandbox::start(options, SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
    let client = Client::new(&sandbox);
    (sandbox, client)
}

#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    pub url: String,
    pub account: GoHighLevelAccount,
    pub token: String,
    pub version: &'static str,
}

pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Value,
}

impl Client {
    #[expect(clippy::disallowed_methods, reason = "the test's own client")]
    pub fn new(sandbox: &Sandbox) -> Client {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (url, account) = (sandbox.url(), sandbox.gohighlevel());
        let token = account.private_token.clone();
        Client { http: reqwest::Client::new(), url, account, token, version: "2021-07-28" }
    }

    pub fn speaking(&self, version: &'static str) -> Client {
        Client { version, ..self.clone() }
    }

    pub fn bearing(&self, token: &str) -> Client {
        Client { token: token.to_owned(), ..self.clone() }
    }

    pub fn location(&self) -> &str {
        &self.account.location_id
    }

    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.url)).bearer_auth(&self.token);
        if self.version.is_empty() { request } else { request.header("Version", self.version) }
    }

    pub async fn get(&self, path: &str) -> Answer {
        read(self.request(Method::GET, path).send().await.unwrap()).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(Method::POST, path, body).await
    }

    pub async fn send(&self, method: Method, path: &str, body: Value) -> Answer {
        read(self.request(method, path).json(&body).send().await.unwrap()).await
    }

    pub async fn form(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        read(self.request(Method::POST, path).form(fields).send().await.unwrap()).await
    }
}

pub async fn read(response: reqwest::Response) -> Answer {
    let (status, headers) = (response.status(), response.headers().clone());
    let bytes = response.bytes().await.unwrap();
    Answer { status, headers, body: serde_json::from_slice(&bytes).unwrap_or(Value::Null) }
}

impl Answer {
    pub fn header(&self, name: &str) -> i64 {
        self.headers[name].to_str().unwrap().parse().unwrap()
    }

    /// The array at a key, which must be there.
    pub fn list(&self, key: &str) -> &Vec<Value> {
        self.body[key].as_array().unwrap_or_else(|| panic!("no {key} in {}", self.body))
    }
}
