//! A vendor's token endpoint, and what stands beside it (RFC 6749 §5).

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use http::HeaderName;
use http::header::AUTHORIZATION;
use sdk::auth::{ClientAuth, Narrow, OAuth2, Reconnect};
use sdk::http::{Call, Connection, Http, Request, Response, Vendor};
use sdk::{Credentials, Error, Kind, Result};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Map, Value};
use url::Url;

/// Where tokens are had.
pub(super) struct Endpoint {
    pub(super) url: String,
    pub(super) http: Arc<Connection>,
}

/// This installation at the vendor's authorization server.
#[derive(Clone)]
pub(super) struct Client {
    pub(super) id: SecretString,
    pub(super) secret: SecretString,
    pub(super) oauth: &'static OAuth2,
}

/// A token endpoint's answer (RFC 6749 §5.1), and what vendors add.
#[derive(Deserialize)]
pub(super) struct Granted {
    pub(super) access_token: SecretString,
    pub(super) refresh_token: Option<SecretString>,
    pub(super) expires_in: Option<i64>,
    pub(super) scope: Option<String>,
    /// Google: of a consent that ends by itself.
    refresh_token_expires_in: Option<i64>,
    /// Intuit: from the last use, and whatever the use.
    x_refresh_token_expires_in: Option<i64>,
    x_refresh_token_hard_expires_in: Option<i64>,
    #[serde(flatten)]
    pub(super) rest: Map<String, Value>,
}

impl Granted {
    /// When the refresh token ends, as far as the answer or the vendor's rules tell.
    pub(super) fn refresh_ends(&self, oauth: &OAuth2, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let told =
            [self.refresh_token_expires_in, self.x_refresh_token_expires_in, self.x_refresh_token_hard_expires_in];
        let told = told.into_iter().flatten().min();
        let ruled = oauth.lifetimes.refresh_days.filter(|_| self.refresh_token.is_some());
        let seconds = told.or(ruled.map(|days| i64::from(days) * 86_400))?;
        chrono::Duration::try_seconds(seconds).map(|left| now + left)
    }

    pub(super) fn text(&self, field: &str) -> Option<&str> {
        self.rest.get(field).and_then(Value::as_str)
    }
}

impl Endpoint {
    /// Asks for a token. A refresh whose answer was lost may be asked for again: where the vendor no longer takes the
    /// token then, nothing would have been gained without.
    pub(super) async fn token(
        &self,
        client: Option<&Client>,
        form: &[(&str, &str)],
        secrets: &[&SecretString],
        call: &Call,
    ) -> Result<Granted> {
        let mut form = form.to_vec();
        let http = self.http(client, secrets, call);
        let mut request = http.post("/oauth/token", self.url.clone()).repeatable();
        if let Some(client) = client {
            form.extend(client.oauth.token_with);
            request = with_headers(request, client.oauth.token_headers);
            match client.oauth.client {
                ClientAuth::Basic => request = request.header(AUTHORIZATION, &client.basic()),
                ClientAuth::Form => form.extend([
                    ("client_id", client.id.expose_secret()),
                    ("client_secret", client.secret.expose_secret()),
                ]),
            }
        }
        granted(&request.form(&form).send().await?)
    }

    /// Exchanges a group's token for one account's.
    pub(super) async fn narrowed(
        &self,
        client: &Client,
        narrow: &Narrow,
        group: &Granted,
        account: &str,
        call: &Call,
    ) -> Result<Granted> {
        let http = self.http(Some(client), &[&group.access_token], call);
        let request = http.post("/oauth/narrow", self.beside(narrow.path)?).repeatable();
        let request = with_headers(request, narrow.headers).bearer(group.access_token.expose_secret());
        let id = group.text(narrow.group).unwrap_or_default();
        granted(&request.form(&[(narrow.group, id), (narrow.account.0, account)]).send().await?)
    }

    /// A new code for this client, without a person.
    pub(super) async fn reconnect(
        &self,
        client: &Client,
        reconnect: &Reconnect,
        account: &str,
        call: &Call,
    ) -> Result<String> {
        let http = self.http(Some(client), &[], call);
        let request = with_headers(http.post("/oauth/reconnect", self.beside(reconnect.path)?), reconnect.headers);
        let (id, secret) = reconnect.client;
        let body = serde_json::json!({
            id: client.id.expose_secret(), secret: client.secret.expose_secret(), reconnect.account.0: account
        });
        let answer: Value = request.json(&body).send().await?.json()?;
        let code = answer[reconnect.code].as_str().map(str::to_owned);
        code.ok_or_else(|| Error::unauthenticated("the vendor gave no new code"))
    }

    /// Tells the vendor to forget a token (RFC 7009).
    pub(super) async fn revoke(&self, client: &Client, url: String, token: &SecretString, call: &Call) -> Result<()> {
        let http = self.http(Some(client), &[token], call);
        let request = http.post("/oauth/revoke", url).repeatable();
        let token = token.expose_secret();
        let request = match client.oauth.client {
            ClientAuth::Basic => {
                request.header(AUTHORIZATION, &client.basic()).json(&serde_json::json!({"token": token}))
            }
            ClientAuth::Form => request.form(&[
                ("token", token),
                ("client_id", client.id.expose_secret()),
                ("client_secret", client.secret.expose_secret()),
            ]),
        };
        request.send().await.map(drop)
    }

    /// The pipeline, which keeps secrets out of what is recorded.
    fn http(&self, client: Option<&Client>, secrets: &[&SecretString], call: &Call) -> Http {
        let named = secrets.iter().enumerate();
        let mut scrubbed =
            named.fold(Credentials::new(), |all, (index, secret)| all.with(&index.to_string(), secret.expose_secret()));
        if let Some(client) = client {
            scrubbed = scrubbed.with("client_secret", client.secret.expose_secret());
        }
        let vendor = Vendor { error: refusal, quota: |_| sdk::http::Quota::default() };
        Http::new(self.http.clone(), call.clone()).for_vendor(vendor, &scrubbed)
    }

    fn beside(&self, path: &str) -> Result<String> {
        let joined = Url::parse(&self.url).and_then(|url| url.join(path));
        Ok(joined.map_err(|e| Error::invalid_input("token_url is no web address").with_source(e))?.into())
    }
}

impl Client {
    /// RFC 6749 §2.3.1
    fn basic(&self) -> String {
        format!("Basic {}", STANDARD.encode(format!("{}:{}", self.id.expose_secret(), self.secret.expose_secret())))
    }
}

fn with_headers(request: Request, headers: &'static [(&'static str, &'static str)]) -> Request {
    headers.iter().fold(request, |request, (name, value)| request.header(HeaderName::from_static(name), value))
}

fn granted(answer: &Response) -> Result<Granted> {
    // Some refuse with 200.
    if serde_json::from_slice::<Refusal>(&answer.body).is_ok_and(|said| !said.error.is_empty()) {
        return Err(refusal(answer));
    }
    answer.json()
}

/// What a token endpoint says when it refuses (RFC 6749 §5.2).
#[derive(Deserialize, Default)]
#[serde(default)]
struct Refusal {
    error: String,
    error_description: String,
}

fn refusal(response: &Response) -> Error {
    let said: Refusal = serde_json::from_slice(&response.body).unwrap_or_default();
    let ended = ["invalid_grant", "invalid_refresh_token", "invalid_code", "token_revoked", "invalid_auth"];
    let unknown = ["invalid_client", "unauthorized_client", "invalid_client_id", "bad_client_secret"];
    let error = said.error.as_str();
    if ended.contains(&error) {
        return Error::unauthenticated("the consent has ended or was withdrawn");
    }
    if unknown.contains(&error) {
        return Error::unauthenticated("the client id or the client secret is not accepted");
    }
    let words = match error {
        "" => format!("the token endpoint answered {}", response.status),
        other => sdk::text::cut(&format!("{other} {}", said.error_description), 200),
    };
    let kind = if response.status.is_success() { Kind::Upstream } else { sdk::http::kind_of(response.status) };
    Error::new(if error == "invalid_scope" { Kind::Unauthenticated } else { kind }, words)
}
