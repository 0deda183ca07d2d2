//! Amazon Selling Partner API: orders, FBA inventory, sales metrics, reports.
//!
//! Orders come from version 2026-01-01; the older version is removed in March 2027. See README.md in this folder.

mod wire;
mod operations;
mod marketplaces;
mod orders;
mod order;
mod digest;
mod inventory;
mod sales;
mod reports;
mod streams;
mod long_tail;

use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use http::HeaderName;
use schemars::JsonSchema;
use sdk::auth::{ACCESS_TOKEN, AuthorizationRequest, Key, Lifetimes, OAuth2, Regions};
use sdk::http::{Method, Request, Vendor};
use sdk::{Account, Auth, Connector, Credentials, Error, Http, Limits, Result, Stream, Tool};
use serde::Deserialize;
use serde_json::Value;

use crate::{address, json, path};
use operations::Operation;

/// One selling partner's account in one region, opened for a call or a walk.
pub struct Amazon {
    http: Http,
    token: String,
    config: Config,
}

/// How to reach Amazon's Selling Partner API.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The region's address: https://sellingpartnerapi-na.amazon.com, -eu or -fe. An authorization is good for one.
    base_url: String,
    /// The marketplaces that are worked on, by id; ATVPDKIKX0DER is Amazon.com. The first is the default of tools.
    #[schemars(length(max = 50))]
    marketplace_ids: Vec<String>,
    /// The merchant token: Seller Central > Settings > Account Info shows it.
    seller_id: Option<String>,
    /// The application that sellers consent to: Developer Central > the application > its id, amzn1.sp.solution.…
    #[schemars(length(max = 200))]
    application_id: Option<String>,
    /// `beta` for a consent to an application that is still a draft.
    #[schemars(length(max = 20))]
    application_version: Option<String>,
    /// Asks for buyers' names and addresses. The application needs the roles for them; without them answers say so.
    buyer_data: bool,
    /// How many days back the copy of the orders goes; Amazon serves two years.
    #[schemars(range(min = 1, max = 729))]
    order_history_days: u32,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            base_url: "https://sellingpartnerapi-na.amazon.com".into(),
            marketplace_ids: vec!["ATVPDKIKX0DER".into()],
            seller_id: None,
            application_id: None,
            application_version: None,
            buyer_data: true,
            order_history_days: 365,
        }
    }
}

const LOGIN: OAuth2 = OAuth2 {
    authorize_url: "https://sellercentral.amazon.com/apps/authorize/consent",
    token_url: "https://api.amazon.com/auth/o2/token",
    request: AuthorizationRequest::FromConfiguration(&[
        ("application_id", "application_id"),
        ("version", "application_version"),
    ]),
    regions: Some(Regions { key: "marketplace_ids", urls: marketplaces::CONSENT_PAGES }),
    client_id: Key {
        name: "client_id",
        env: "AMAZON_CLIENT_ID",
        help: "Seller Central > Apps and Services > Develop Apps > View LWA credentials; amzn1.application-oa2-client.…",
    },
    client_secret: Key {
        name: "client_secret",
        env: "AMAZON_CLIENT_SECRET",
        help: "Beside the client id; Amazon wants a new one every 180 days",
    },
    refresh_token: Some(Key {
        name: "refresh_token",
        env: "AMAZON_REFRESH_TOKEN",
        help: "Seller Central > Apps and Services > Develop Apps > Authorize; the token begins with Atzr|",
    }),
    code: "spapi_oauth_code",
    from_callback: &[("selling_partner_id", "seller_id")],
    lifetimes: Lifetimes { refresh_days: None, client_secret_days: Some(180) },
    ..OAuth2::STANDARD
};

const TOKEN_HEADER: HeaderName = HeaderName::from_static("x-amz-access-token");

impl Connector for Amazon {
    const ID: &'static str = "amazon";
    const TITLE: &'static str = "Amazon Seller";
    const ACCOUNT: &'static [&'static str] = &["base_url", "seller_id"];
    type Config = Config;

    fn auth() -> Vec<Auth> {
        vec![Auth::OAuth2(&LOGIN)]
    }

    /// Amazon limits each operation by itself; this only keeps a burst over all of them civil.
    fn limits() -> Limits {
        Limits::new(50, Duration::from_millis(50))
    }

    fn connect(config: Config, credentials: Credentials, http: Http) -> Result<Amazon> {
        let token = credentials.get(ACCESS_TOKEN)?.trim().to_owned();
        let http = http.for_vendor(Vendor { error: wire::error, quota: wire::quota }, &credentials);
        Ok(Amazon { http, token, config: config.checked()? })
    }

    async fn check(&self) -> Result<Account> {
        let answer = self.read(self.get(&operations::MARKETPLACES, &[])?).await?;
        let shops = json::list(&answer, "payload");
        let here = |shop: &&Value| {
            let id = shop.get("marketplace").and_then(|marketplace| json::text(marketplace, "id"));
            id.is_some_and(|id| self.config.marketplace_ids.contains(&id))
        };
        let Some(shop) = shops.iter().find(here) else {
            return Err(Error::invalid_input(format!("Amazon: {}", self.not_sold_in(shops))));
        };
        let name = json::text(shop, "storeName").unwrap_or_else(|| "Amazon store".into());
        let id = self.config.seller_id.clone().unwrap_or_else(|| self.config.marketplace_ids.join(","));
        Ok(Account::new(id, name))
    }

    fn tools() -> Vec<Tool<Amazon>> {
        let mut tools = vec![
            Tool::read("order_digest", digest::digest),
            Tool::read("list_orders", orders::list),
            Tool::read("get_order", order::get),
            Tool::read("inventory_snapshot", inventory::snapshot),
            Tool::read("sales_metrics", sales::metrics),
            Tool::read("list_reports", reports::list),
        ];
        tools.extend(crate::operations::tools());
        tools
    }

    fn streams() -> Vec<Stream<Amazon>> {
        vec![
            // Amazon serves no order that is older than two years, so that absence proves nothing.
            Stream::new("orders", streams::orders).partial(),
            Stream::new("inventory", streams::inventory),
        ]
    }
}

impl Config {
    /// The configuration with an address that paths can be added to, and marketplaces that are there.
    fn checked(mut self) -> Result<Config> {
        address::check(Amazon::ID, "base_url", &mut self.base_url)?;
        self.marketplace_ids.iter_mut().for_each(|id| *id = id.trim().to_owned());
        self.marketplace_ids.retain(|id| !id.is_empty());
        if self.marketplace_ids.is_empty() {
            self.marketplace_ids = Config::default().marketplace_ids;
        }
        if let Some(why) = marketplaces::misplaced(&self.base_url, &self.marketplace_ids) {
            return Err(Error::invalid_input(format!("configuration of amazon: {why}")));
        }
        self.seller_id = self.seller_id.map(|id| id.trim().to_owned()).filter(|id| !id.is_empty());
        self.order_history_days = self.order_history_days.clamp(1, 729);
        Ok(self)
    }
}

impl Amazon {
    /// A request to an operation; the braces of its path are filled with `ids`.
    fn request(&self, method: Method, operation: &Operation, ids: &[&str]) -> Result<Request> {
        let url = format!("{}{}", self.config.base_url, path::fill(operation.path, ids)?);
        let request = self.http.request(method, operation.path, url).header(TOKEN_HEADER, &self.token);
        Ok(request.paced(operation.limits()).paced_as_told(wire::pace))
    }

    fn get(&self, operation: &Operation, ids: &[&str]) -> Result<Request> {
        self.request(Method::GET, operation, ids)
    }

    /// Sends, and reads an answer that may be an error in the dress of a success.
    async fn read(&self, request: Request) -> Result<Value> {
        let answer = request.send().await?.json::<Value>()?;
        wire::no_hidden_error(&answer)?;
        Ok(answer)
    }

    /// The marketplace that was asked for, or the first of the configuration.
    fn marketplace(&self, asked: Option<&str>) -> Result<String> {
        let ids = &self.config.marketplace_ids;
        match asked {
            None => Ok(ids[0].clone()),
            Some(asked) => ids.iter().find(|id| *id == asked).cloned().ok_or_else(|| {
                let known = ids.join(", ");
                Error::invalid_input(format!("marketplace_id: {asked} is not configured; there is {known}"))
            }),
        }
    }

    fn not_sold_in(&self, shops: &[Value]) -> String {
        let ids = shops.iter().filter_map(|shop| json::text(shop.get("marketplace")?, "id"));
        let sold = ids.collect::<Vec<_>>().join(", ");
        let asked = self.config.marketplace_ids.join(", ");
        let sold = if sold.is_empty() { "none in this region".into() } else { sold };
        format!(
            "the account does not sell in {asked}. It takes part in: {sold}. Set marketplace_ids, and base_url to \
                 the account's region"
        )
    }
}

/// A moment as Amazon wants it.
fn stamp(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// The first of a list is shown, and the list is never empty.
fn listed(values: &[&str]) -> Option<String> {
    (!values.is_empty()).then(|| values.join(","))
}
