//! Cloudflare: zones, DNS records, an audit of them, the account's audit log.
//!
//! API v4 with an API token. Records are changed field by field with PATCH, never overwritten. See README.md in this
//! folder.

mod wire;
mod zones;
mod record;
mod dns;
mod writes;
mod audit;
mod findings;
mod audit_log;
mod token;
mod streams;
mod long_tail;

use std::time::Duration;

use schemars::JsonSchema;
use sdk::auth::Key;
use sdk::http::{Method, Request, Vendor};
use sdk::{Account, Auth, Connector, Credentials, Error, Http, Limits, Result, Stream, Tool};
use serde::Deserialize;

use crate::{address, operations, path};

/// One Cloudflare account, opened for a call or a walk.
pub struct Cloudflare {
    http: Http,
    token: String,
    config: Config,
}

/// How to reach Cloudflare.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where API v4 is.
    base_url: String,
    /// The zone that is meant when a call names none: the domain's Overview page shows it as Zone ID.
    zone_id: Option<String>,
    /// The account, for tokens that belong to it and for its audit log; found by its zones when left out.
    account_id: Option<String>,
    /// Records a page when a whole zone is read.
    #[schemars(range(min = 5, max = 5000))]
    page_size: u32,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            base_url: "https://api.cloudflare.com/client/v4".into(),
            zone_id: None,
            account_id: None,
            page_size: 500,
        }
    }
}

const TOKEN: Key = Key {
    name: "token",
    env: "CF_API_TOKEN",
    help: "My Profile > API Tokens > Create Token, with Zone Read, DNS Read, DNS Edit and Account Audit Logs Read",
};

impl Connector for Cloudflare {
    const ID: &'static str = "cloudflare";
    const TITLE: &'static str = "Cloudflare";
    const ACCOUNT: &'static [&'static str] = &["base_url", "account_id"];
    type Config = Config;

    fn auth() -> Vec<Auth> {
        vec![Auth::Keys(&[TOKEN])]
    }

    /// The vendor allows 1,200 requests in five minutes, the dashboard's included, and blocks everything for five
    /// minutes when there are more; so some are left over.
    fn limits() -> Limits {
        Limits::window(1_100, Duration::from_secs(300))
    }

    fn connect(config: Config, credentials: Credentials, http: Http) -> Result<Cloudflare> {
        let token = credentials.get(TOKEN.name)?.trim().to_owned();
        if token.is_empty() {
            return Err(Error::unauthenticated(format!("{} is empty: {}", TOKEN.env, TOKEN.help)));
        }
        let http = http.for_vendor(Vendor { error: wire::error, quota: wire::quota }, &credentials);
        Ok(Cloudflare { http, token, config: config.checked()? })
    }

    async fn check(&self) -> Result<Account> {
        token::account(self).await
    }

    fn tools() -> Vec<Tool<Cloudflare>> {
        let mut tools = vec![
            Tool::read("list_zones", zones::list),
            Tool::read("list_dns", dns::list),
            // A zone is read by the whole world.
            Tool::write("create_dns_record", writes::create).planned(writes::plan_create).idempotent().sends(),
            Tool::write("update_dns_record", writes::update).planned(writes::plan_update).idempotent().sends(),
            Tool::destructive("delete_dns_record", writes::delete).planned(writes::plan_delete).idempotent(),
            Tool::read("dns_audit", audit::audit),
            Tool::read("audit_log", audit_log::list),
            Tool::read("verify_token", token::verify),
        ];
        tools.extend(operations::tools());
        tools
    }

    fn streams() -> Vec<Stream<Cloudflare>> {
        vec![Stream::new("domains", streams::domains), Stream::new("dns_records", streams::dns_records)]
    }
}

impl Config {
    /// The configuration with a URL that paths can be added to.
    fn checked(mut self) -> Result<Config> {
        address::check(Cloudflare::ID, "base_url", &mut self.base_url)?;
        for id in [&mut self.zone_id, &mut self.account_id] {
            *id = id.take().map(|id| id.trim().to_owned()).filter(|id| !id.is_empty());
        }
        Ok(self)
    }
}

impl Cloudflare {
    /// A request; `endpoint` is the documented path, its braces are filled with `ids`.
    fn request(&self, method: Method, endpoint: &'static str, ids: &[&str]) -> Result<Request> {
        let url = format!("{}{}", self.config.base_url, path::fill(endpoint, ids)?);
        Ok(self.http.request(method, endpoint, url).bearer(&self.token))
    }

    fn get(&self, endpoint: &'static str, ids: &[&str]) -> Result<Request> {
        self.request(Method::GET, endpoint, ids)
    }
}
