//! GoDaddy: domains, their records, a plan of changes and its execution.
//!
//! v3 with a personal access token; v1 with API key and secret for accounts without one, and for what v3 does not
//! have. Nothing here replaces a whole zone. See README.md in this folder.

mod wire;
mod record;
mod records;
mod domains;
mod reading;
mod diff;
mod plan;
mod apply;
mod streams;
mod long_tail;

use std::time::Duration;

use schemars::JsonSchema;
use sdk::auth::Key;
use sdk::http::{Method, Request, Vendor};
use sdk::{Account, Auth, Connector, Credentials, Error, Http, Limits, Result, Stream, Tool};
use serde::Deserialize;

use crate::{address, operations, path};

/// One GoDaddy account, opened for a call or a walk.
pub struct GoDaddy {
    http: Http,
    /// `Bearer …`
    token: Option<String>,
    /// `sso-key …`
    key: Option<String>,
    config: Config,
}

/// How to reach GoDaddy.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where the APIs are; https://api.ote-godaddy.com is the test environment, which has keys of its own.
    base_url: String,
    /// Which API is used for what both have; `auto` takes v3 when there is a token.
    api: Choice,
    /// The customer that a reseller works for.
    shopper_id: Option<String>,
}

/// An API, or the question which.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Choice {
    Auto,
    V1,
    V3,
}

/// One of the two APIs.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Api {
    V1,
    V3,
}

impl Default for Config {
    fn default() -> Config {
        Config { base_url: "https://api.godaddy.com".into(), api: Choice::Auto, shopper_id: None }
    }
}

const TOKEN: Key = Key {
    name: "token",
    env: "GODADDY_TOKEN",
    help: "developer.godaddy.com > Personal Access Tokens, with domains.domain:read and domains.dns:update",
};
const KEY: Key =
    Key { name: "key", env: "GODADDY_API_KEY", help: "developer.godaddy.com/keys > Create New API Key > Production" };
const SECRET: Key = Key { name: "secret", env: "GODADDY_API_SECRET", help: "shown once, when the key is made" };

impl Connector for GoDaddy {
    const ID: &'static str = "godaddy";
    const TITLE: &'static str = "GoDaddy";
    const ACCOUNT: &'static [&'static str] = &["base_url", "shopper_id"];
    type Config = Config;

    fn auth() -> Vec<Auth> {
        vec![Auth::Keys(&[KEY, SECRET]), Auth::Keys(&[TOKEN])]
    }

    /// A token was seen to have 600 requests in 20 minutes. Each endpoint's own limit is kept beside that.
    fn limits() -> Limits {
        Limits::window(580, Duration::from_secs(1_200))
    }

    fn connect(config: Config, credentials: Credentials, http: Http) -> Result<GoDaddy> {
        let given = |name: &str| credentials.get(name).ok().map(str::trim).filter(|text| !text.is_empty());
        let token = given(TOKEN.name).map(|token| format!("Bearer {token}"));
        let key = given(KEY.name).zip(given(SECRET.name)).map(|(key, secret)| format!("sso-key {key}:{secret}"));
        if token.is_none() && key.is_none() {
            return Err(Error::unauthenticated(
                "GoDaddy is not configured: set GODADDY_API_KEY and GODADDY_API_SECRET (developer.godaddy.com/keys), or \
                 GODADDY_TOKEN",
            ));
        }
        let http = http.for_vendor(Vendor { error: wire::error, quota: wire::quota }, &credentials);
        Ok(GoDaddy { http, token, key, config: config.checked()? })
    }

    async fn check(&self) -> Result<Account> {
        let page = domains::page(self, &domains::Filter::default(), None, 1).await?;
        let first = page.rows.first().map(|row| row.domain.clone());
        let name = first.map_or_else(|| "GoDaddy account without domains".into(), |name| format!("GoDaddy ({name})"));
        let id = self.config.shopper_id.clone().unwrap_or_else(|| "godaddy".into());
        Ok(Account::new(id, name))
    }

    fn tools() -> Vec<Tool<GoDaddy>> {
        let mut tools = vec![
            Tool::read("list_domains", domains::list),
            Tool::read("get_domain", domains::get),
            Tool::read("list_dns", reading::list),
            Tool::read("dns_plan", plan::plan),
            // A zone is read by the whole world.
            Tool::write("apply_dns_plan", apply::apply).planned(apply::dry_run).idempotent().sends(),
            Tool::read("check_availability", domains::availability),
            Tool::read("domain_contacts", domains::contacts),
            Tool::read("mx_records", reading::mx),
            Tool::read("subdomains", reading::subdomains),
        ];
        tools.extend(operations::tools());
        tools
    }

    fn streams() -> Vec<Stream<GoDaddy>> {
        vec![Stream::new("domains", streams::domains), Stream::new("dns_records", streams::dns_records)]
    }
}

impl Config {
    /// The configuration with a URL that paths can be added to.
    fn checked(mut self) -> Result<Config> {
        address::check(GoDaddy::ID, "base_url", &mut self.base_url)?;
        self.shopper_id = self.shopper_id.map(|id| id.trim().to_owned()).filter(|id| !id.is_empty());
        Ok(self)
    }
}

/// 60 requests a minute for each endpoint; a few are left to others with the same key.
fn pace() -> Limits {
    Limits::window(55, Duration::from_secs(60))
}

impl GoDaddy {
    /// The API for what both have.
    fn api(&self) -> Api {
        match self.config.api {
            Choice::V1 => Api::V1,
            Choice::V3 => Api::V3,
            Choice::Auto if self.token.is_some() => Api::V3,
            Choice::Auto => Api::V1,
        }
    }

    /// A request; `endpoint` is the documented path, its braces are filled with `ids`.
    fn request(&self, method: Method, endpoint: &'static str, ids: &[&str]) -> Result<Request> {
        let authorization = if endpoint.starts_with("/v3/") { &self.token } else { &self.key };
        let Some(authorization) = authorization else { return Err(missing(endpoint)) };
        let url = format!("{}{}", self.config.base_url, path::fill(endpoint, ids)?);
        let request = self.http.request(method, endpoint, url).paced(pace());
        let request = request.header(http::header::AUTHORIZATION, authorization);
        Ok(match &self.config.shopper_id {
            Some(shopper) => request.header(http::HeaderName::from_static("x-shopper-id"), shopper),
            None => request,
        })
    }

    fn get(&self, endpoint: &'static str, ids: &[&str]) -> Result<Request> {
        self.request(Method::GET, endpoint, ids)
    }
}

fn missing(endpoint: &str) -> Error {
    if endpoint.starts_with("/v3/") {
        return Error::unauthenticated("GoDaddy: this needs a personal access token: set GODADDY_TOKEN");
    }
    Error::unauthenticated(
        "GoDaddy: a personal access token does not open this; set GODADDY_API_KEY and GODADDY_API_SECRET as well \
         (developer.godaddy.com/keys)",
    )
}

/// A domain as people write it, as GoDaddy wants it.
fn domain_name(text: &str) -> Result<String> {
    let name = text.trim().trim_end_matches('.').to_lowercase();
    let well = name.contains('.') && name.chars().all(|c| c.is_alphanumeric() || c == '-' || c == '.');
    if well { Ok(name) } else { Err(Error::invalid_input("domain: give a name such as example.com")) }
}
