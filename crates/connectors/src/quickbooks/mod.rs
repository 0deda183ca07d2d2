//! QuickBooks Online: invoices, customers, payments and reports of one company.
//!
//! The accounting API v3 with OAuth 2. Every write carries a `requestid`, so that a reply that got lost can be asked
//! for again without a second effect. See README.md in this folder.

mod wire;
mod select;
mod customers;
mod customer_writes;
mod invoices;
mod invoice_writes;
mod invoice_sending;
mod items;
mod payments;
mod ledger;
mod reports;
mod aging;
mod streams;
mod webhooks;
mod long_tail;

use std::time::Duration;

use schemars::JsonSchema;
use sdk::auth::{ACCESS_TOKEN, ClientAuth, Key, OAuth2};
use sdk::http::{Method, Quota, Request, Vendor};
use sdk::{Account, Auth, Connector, Credentials, Error, Http, Limits, Result, Stream, Tool, Webhook};
use serde::Deserialize;
use serde_json::Value;

use crate::{address, json, operations, path};
use wire::Answer;

/// One company in QuickBooks Online, opened for a call or a walk.
pub struct QuickBooks {
    http: Http,
    token: String,
    config: Config,
}

/// How to reach QuickBooks Online.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where the API is; https://sandbox-quickbooks.api.intuit.com for a sandbox company with development keys.
    base_url: String,
    /// The company that is worked on (realmId); it comes with the consent.
    realm_id: Option<String>,
    /// The API's minor version.
    minor_version: u32,
    /// The id of the product or service for invoice lines that name none; left out: the company's first service.
    default_item_id: Option<String>,
    /// Rows a page when everything is read.
    #[schemars(range(min = 1, max = 1000))]
    page_size: u32,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            base_url: "https://quickbooks.api.intuit.com".into(),
            realm_id: None,
            minor_version: 75,
            default_item_id: None,
            page_size: 1000,
        }
    }
}

const INTUIT: OAuth2 = OAuth2 {
    authorize_url: "https://appcenter.intuit.com/connect/oauth2",
    token_url: "https://oauth.platform.intuit.com/oauth2/v1/tokens/bearer",
    revoke_url: Some("https://developer.api.intuit.com/v2/oauth2/tokens/revoke"),
    scopes: &["com.intuit.quickbooks.accounting"],
    client: ClientAuth::Basic,
    client_id: Key {
        name: "client_id",
        env: "QBO_CLIENT_ID",
        help: "developer.intuit.com > your app > Keys & credentials; development and production have keys of their own",
    },
    client_secret: Key {
        name: "client_secret",
        env: "QBO_CLIENT_SECRET",
        help: "developer.intuit.com > your app > Keys & credentials, beside the client id",
    },
    refresh_token: Some(Key {
        name: "refresh_token",
        env: "QBO_REFRESH_TOKEN",
        help: "from Intuit's OAuth 2.0 Playground, if you have one already; set QBO_REALM_ID with it",
    }),
    from_callback: &[("realmId", "realm_id")],
    // Without it Intuit does not tell when the consent ends for good, after five years.
    token_headers: &[("x-include-refresh-token-hard-expires-in", "true")],
    ..OAuth2::STANDARD
};

impl Connector for QuickBooks {
    const ID: &'static str = "quickbooks";
    const TITLE: &'static str = "QuickBooks Online";
    const ACCOUNT: &'static [&'static str] = &["base_url", "realm_id"];
    type Config = Config;

    fn auth() -> Vec<Auth> {
        vec![Auth::OAuth2(&INTUIT)]
    }

    /// The vendor allows 10 requests in a second and 500 in a minute for one company: 2 at once and 6.7 a second make
    /// 9 in any second and 402 in any minute, which leaves room for requests that the way bunches together. It takes 10
    /// that are under way at once; one is left for an answer that was given up here and is still being worked on there.
    fn limits() -> Limits {
        Limits::new(2, Duration::from_millis(150)).at_once(9)
    }

    fn connect(config: Config, credentials: Credentials, http: Http) -> Result<QuickBooks> {
        let token = credentials.get(ACCESS_TOKEN)?.trim().to_owned();
        // QuickBooks says nothing in headers about the requests that are left.
        let http = http.for_vendor(Vendor { error: wire::error, quota: |_| Quota::default() }, &credentials);
        Ok(QuickBooks { http, token, config: config.checked()? })
    }

    async fn check(&self) -> Result<Account> {
        let realm = self.realm()?.to_owned();
        let answer = self.get("/v3/company/{realmId}/companyinfo/{realmId}", &[&realm])?.read().await?;
        let info = &answer.body["CompanyInfo"];
        let name = json::first_text(info, &["CompanyName", "LegalName"]).unwrap_or_else(|| format!("Company {realm}"));
        Ok(Account::new(realm, name))
    }

    fn tools() -> Vec<Tool<QuickBooks>> {
        let mut tools = vec![
            Tool::read("ledger_summary", ledger::summary),
            Tool::read("list_invoices", invoices::list),
            Tool::read("get_invoice", invoices::get),
            Tool::write("create_draft_invoice", invoice_writes::create).planned(invoice_writes::plan_create),
            Tool::write("send_invoice", invoice_sending::send).planned(invoice_sending::plan_send).sends(),
            Tool::destructive("void_invoice", invoice_writes::void).planned(invoice_writes::plan_void).idempotent(),
            Tool::read("list_customers", customers::list),
            Tool::write("create_customer", customer_writes::create).planned(customer_writes::plan),
            Tool::read("list_payments", payments::list),
            Tool::read("profit_and_loss", reports::profit_and_loss),
            Tool::read("balance_sheet", reports::balance_sheet),
            Tool::read("aged_receivables", aging::aged_receivables),
        ];
        tools.extend(operations::tools());
        tools
    }

    fn streams() -> Vec<Stream<QuickBooks>> {
        vec![
            Stream::new("customers", streams::customers),
            Stream::new("invoices", streams::invoices),
            Stream::new("payments", streams::payments),
        ]
    }

    fn webhook() -> Option<Webhook> {
        Some(webhooks::WEBHOOK)
    }
}

impl Config {
    /// The configuration with an address that paths can be added to.
    fn checked(mut self) -> Result<Config> {
        address::check(QuickBooks::ID, "base_url", &mut self.base_url)?;
        self.realm_id = self.realm_id.map(|id| id.trim().to_owned()).filter(|id| !id.is_empty());
        Ok(self)
    }
}

/// A request to the company, before it is sent.
struct Asking(Request);

impl QuickBooks {
    /// The company that is worked on, or an error that says where its id comes from.
    fn realm(&self) -> Result<&str> {
        self.config.realm_id.as_deref().ok_or_else(|| {
            Error::invalid_input(
                "QuickBooks: the company is not configured. Connect it again, the consent brings the id; or set \
                 QBO_REALM_ID to the Company ID of Settings > Additional info in QuickBooks",
            )
        })
    }

    fn get(&self, endpoint: &'static str, ids: &[&str]) -> Result<Asking> {
        self.ask(Method::GET, endpoint, ids)
    }

    /// A request; `endpoint` is the documented path, its braces are filled with the company and `ids`.
    fn ask(&self, method: Method, endpoint: &'static str, ids: &[&str]) -> Result<Asking> {
        let all: Vec<&str> = std::iter::once(self.realm()?).chain(ids.iter().copied()).collect();
        let url = format!("{}{}", self.config.base_url, path::fill(endpoint, &all)?);
        let minor = self.config.minor_version.to_string();
        Ok(Asking(self.http.request(method, endpoint, url).bearer(&self.token).query(&[("minorversion", Some(minor))])))
    }

    /// Sends a write that QuickBooks carries out once, however often it arrives: a lost or unreadable reply is asked
    /// for again. `operation` is `void` and the like.
    async fn write(&self, endpoint: &'static str, operation: Option<&str>, body: &Value) -> Result<Value> {
        let once = || async {
            let parameters = [
                ("requestid", Some(wire::request_id(self.http.idempotency_key()))),
                ("operation", operation.map(str::to_owned)),
            ];
            let Asking(request) = self.ask(Method::POST, endpoint, &[])?;
            Asking(request.query(&parameters).json(body).repeatable()).read().await
        };
        let answer = match once().await {
            Err(error) if error.kind == sdk::Kind::Upstream => once().await.map_err(wire::unreadable_write)?,
            other => other?,
        };
        Ok(answer.body)
    }
}

impl Asking {
    /// Sends, and takes a fault for what it is whatever the status says.
    async fn read(self) -> Result<Answer> {
        Answer::of(self.0.send().await?)
    }

    fn with(self, parameters: &[(&str, Option<String>)]) -> Asking {
        Asking(self.0.query(parameters))
    }
}
