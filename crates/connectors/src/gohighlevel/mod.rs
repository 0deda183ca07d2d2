//! GoHighLevel (HighLevel, LeadConnector): contacts, opportunities, conversations, calendars.
//!
//! The current API ("V2") with a private integration token; contacts and pipelines also with a
//! key of the old V1 API. See README.md in this folder.

mod wire;
mod auth;
mod v1;
mod contacts;
mod contact_writes;
mod notes;
mod plans;
mod opportunities;
mod digest;
mod messages;
mod conversations;
mod calendars;
mod streams;
mod webhooks;
mod long_tail;

use std::time::Duration;

use schemars::JsonSchema;
use sdk::auth::ACCESS_TOKEN;
use sdk::http::{Request, Vendor};
use sdk::{Account, Auth, Connector, Credentials, Error, Http, Kind, Limits, Result, Stream, Tool, Webhook};
use serde::Deserialize;
use serde_json::Value;

use crate::{address, json, operations, path};
use auth::TOKEN;

/// One GoHighLevel location, opened for a call or a walk.
pub struct GoHighLevel {
    http: Http,
    token: String,
    generation: Generation,
    config: Config,
    pipelines: opportunities::Known,
}

/// How to reach GoHighLevel.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where the current API is.
    base_url: String,
    /// Where the old V1 API is.
    v1_base_url: String,
    /// The location (sub-account) that is worked on: Settings > Business Profile shows it as Location ID.
    location_id: Option<String>,
    /// Which API the key belongs to; `auto` looks at the key.
    api: Api,
    /// The value of the `Version` header.
    version: String,
    /// The value of the `Version` header for conversations and calendars; 2021-04-15, or v3 when `version` is v3.
    conversations_version: Option<String>,
    /// Rows a page when everything is read; the V1 API gives at most 100.
    #[schemars(range(min = 1, max = 500))]
    page_size: u32,
}

/// A generation of the API, or the question which.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Api {
    Auto,
    V1,
    V2,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Generation {
    V1,
    V2,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            base_url: "https://services.leadconnectorhq.com".into(),
            v1_base_url: "https://rest.gohighlevel.com/v1".into(),
            location_id: None,
            api: Api::Auto,
            version: "2021-07-28".into(),
            conversations_version: None,
            page_size: 100,
        }
    }
}

impl Connector for GoHighLevel {
    const ID: &'static str = "gohighlevel";
    const TITLE: &'static str = "GoHighLevel";
    const ACCOUNT: &'static [&'static str] = &["base_url", "v1_base_url", "location_id"];
    type Config = Config;

    fn auth() -> Vec<Auth> {
        vec![Auth::Keys(&[TOKEN]), Auth::OAuth2(&auth::APPLICATION)]
    }

    /// The vendor allows 100 requests in 10 seconds for one app and location. A few are left to
    /// others with the same key, and so that our own pace never uses up the window: the headers
    /// would then stop everything for ten seconds.
    fn limits() -> Limits {
        Limits::window(95, Duration::from_secs(10))
    }

    fn connect(config: Config, credentials: Credentials, http: Http) -> Result<GoHighLevel> {
        let granted = credentials.get(ACCESS_TOKEN).ok();
        let token = granted.map_or_else(|| credentials.get(TOKEN.name), Ok)?.trim().to_owned();
        if token.is_empty() {
            return Err(Error::unauthenticated(format!("{} is empty: {}", TOKEN.env, TOKEN.help)));
        }
        let generation = match config.api {
            Api::V1 => Generation::V1,
            Api::V2 => Generation::V2,
            Api::Auto if granted.is_none() && v1::location_of(&token).is_some() => Generation::V1,
            Api::Auto => Generation::V2,
        };
        let http = http.for_vendor(Vendor { error: wire::error, quota: wire::quota }, &credentials);
        Ok(GoHighLevel { http, token, generation, config: config.checked()?, pipelines: Default::default() })
    }

    async fn check(&self) -> Result<Account> {
        if self.generation == Generation::V1 {
            return v1::check(self).await;
        }
        let location = self.location()?;
        match self.get("/locations/{location_id}", &[location])?.send().await {
            Ok(response) => Ok(account(location, &response.json()?)),
            // The token may lack the scope for the location's name and be good for everything else.
            Err(error) if error.kind == Kind::Forbidden => {
                contacts::newest(self, 1).await?;
                Ok(account(location, &Value::Null))
            }
            Err(error) => Err(error),
        }
    }

    fn tools() -> Vec<Tool<GoHighLevel>> {
        let mut tools = vec![
            Tool::read("read_contacts", contacts::read),
            Tool::read("get_contact", contacts::get).by_strangers(),
            Tool::write("create_contact", contact_writes::create).planned(contact_writes::plan_create),
            Tool::write("update_contact", contact_writes::update).planned(contact_writes::plan_update).idempotent(),
            Tool::write("add_tags", contact_writes::add_tags).planned(contact_writes::plan_add_tags).idempotent(),
            Tool::write("remove_tags", contact_writes::remove_tags)
                .planned(contact_writes::plan_remove_tags)
                .idempotent(),
            Tool::write("add_note", notes::add).planned(notes::plan_note),
            Tool::write("create_task", notes::create_task).planned(notes::plan_task),
            Tool::write("send_sms", conversations::send_sms).planned(conversations::plan_sms).sends(),
            Tool::write("send_email", conversations::send_email).planned(conversations::plan_email).sends(),
            Tool::read("list_pipelines", opportunities::list_pipelines),
            Tool::read("pipeline_digest", digest::digest),
            Tool::read("list_opportunities", opportunities::list),
            Tool::write("update_opportunity", opportunities::update).planned(opportunities::plan_update).idempotent(),
            Tool::read("read_conversations", conversations::read).by_strangers(),
            Tool::read("list_appointments", calendars::list).by_strangers(),
            // The vendor may write to the contact.
            Tool::write("book_appointment", calendars::book).planned(calendars::plan_booking).sends(),
        ];
        tools.extend(operations::tools());
        tools
    }

    fn streams() -> Vec<Stream<GoHighLevel>> {
        vec![
            Stream::new("contacts", streams::contacts),
            Stream::new("opportunities", streams::opportunities),
            Stream::new("interactions", streams::interactions).partial(),
        ]
    }

    fn webhook() -> Option<Webhook> {
        Some(webhooks::WEBHOOK)
    }
}

fn account(id: &str, answer: &Value) -> Account {
    let location = answer.get("location").unwrap_or(answer);
    let name = json::text(location, "name").unwrap_or_else(|| format!("Location {id}"));
    Account::new(id, name)
}

impl Config {
    /// The configuration with URLs that paths can be added to.
    fn checked(mut self) -> Result<Config> {
        for (name, url) in [("base_url", &mut self.base_url), ("v1_base_url", &mut self.v1_base_url)] {
            address::check(GoHighLevel::ID, name, url)?;
        }
        self.location_id = self.location_id.map(|id| id.trim().to_owned()).filter(|id| !id.is_empty());
        Ok(self)
    }
}

impl GoHighLevel {
    /// The location that is worked on, or an error that says where to find it.
    fn location(&self) -> Result<&str> {
        if self.generation == Generation::V1 {
            return Err(v1::not_possible());
        }
        self.config.location_id.as_deref().ok_or_else(|| {
            Error::invalid_input(
                "GoHighLevel: the location is not configured: set GHL_LOCATION_ID \
                 (Settings > Business Profile > Location ID)",
            )
        })
    }

    /// Whether fields have the names of `Version: v3`.
    fn is_v3(&self) -> bool {
        self.config.version == "v3"
    }

    fn get(&self, endpoint: &'static str, ids: &[&str]) -> Result<Request> {
        self.request(sdk::http::Method::GET, endpoint, ids)
    }

    fn post(&self, endpoint: &'static str, ids: &[&str]) -> Result<Request> {
        self.request(sdk::http::Method::POST, endpoint, ids)
    }

    /// A request to the current API; `endpoint` is the documented path, its braces are filled with `ids`.
    fn request(&self, method: sdk::http::Method, endpoint: &'static str, ids: &[&str]) -> Result<Request> {
        if self.generation == Generation::V1 {
            return Err(v1::not_possible());
        }
        let url = format!("{}{}", self.config.base_url, path::fill(endpoint, ids)?);
        let request = self.http.request(method, endpoint, url).bearer(&self.token);
        Ok(request.header(wire::VERSION, self.version_of(endpoint)))
    }

    fn version_of(&self, endpoint: &str) -> &str {
        let conversations = endpoint.starts_with("/conversations") || endpoint.starts_with("/calendars");
        match &self.config.conversations_version {
            Some(version) if conversations => version,
            None if conversations && !self.is_v3() => "2021-04-15",
            _ => &self.config.version,
        }
    }
}
