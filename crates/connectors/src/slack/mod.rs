//! Slack: posting messages and finding channels. See README.md in this folder.

mod wire;
mod channels;
mod messages;
mod webhooks;
mod long_tail;

use std::time::Duration;

use schemars::JsonSchema;
use sdk::auth::{ACCESS_TOKEN, ClientAuth, Key, OAuth2};
use sdk::http::{Request, Vendor};
use sdk::{Account, Auth, Connector, Credentials, Error, Http, Limits, Result, Tool, Webhook};
use serde::Deserialize;

use crate::{address, json, operations};

/// One Slack workspace, opened for a call.
pub struct Slack {
    http: Http,
    token: String,
    config: Config,
}

/// How to reach Slack.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where the Web API is.
    base_url: String,
}

impl Default for Config {
    fn default() -> Config {
        Config { base_url: "https://slack.com/api".into() }
    }
}

const TOKEN: Key = Key {
    name: "token",
    env: "SLACK_BOT_TOKEN",
    help: "api.slack.com/apps > your app > OAuth & Permissions > Bot User OAuth Token; the token begins with xoxb-",
};

const CLIENT: OAuth2 = OAuth2 {
    authorize_url: "https://slack.com/oauth/v2/authorize",
    token_url: "https://slack.com/api/oauth.v2.access",
    scopes: &["chat:write", "channels:read", "channels:history", "groups:read", "groups:history"],
    scope_separator: ",",
    client: ClientAuth::Basic,
    client_id: Key {
        name: "client_id",
        env: "SLACK_CLIENT_ID",
        help: "api.slack.com/apps > your app > Basic Information > App Credentials > Client ID",
    },
    client_secret: Key {
        name: "client_secret",
        env: "SLACK_CLIENT_SECRET",
        help: "api.slack.com/apps > your app > Basic Information > App Credentials > Client Secret",
    },
    unlocks: &[("chat:write", &["post_message"]), ("channels:read", &["list_channels"])],
    ..OAuth2::STANDARD
};

impl Connector for Slack {
    const ID: &'static str = "slack";
    const TITLE: &'static str = "Slack";
    type Config = Config;

    fn auth() -> Vec<Auth> {
        vec![Auth::Keys(&[TOKEN]), Auth::OAuth2(&CLIENT)]
    }

    /// Every method has a limit of its own; this one only keeps the whole from becoming a burst.
    fn limits() -> Limits {
        Limits::new(20, Duration::from_millis(500))
    }

    fn connect(config: Config, credentials: Credentials, http: Http) -> Result<Slack> {
        let given = credentials.get(TOKEN.name).or_else(|_| credentials.get(ACCESS_TOKEN));
        let token = given.map(str::trim).unwrap_or_default().to_owned();
        if token.is_empty() {
            let message = format!("Slack is not connected: set {} ({}), or connect with OAuth", TOKEN.env, TOKEN.help);
            return Err(Error::unauthenticated(message));
        }
        let http = http.for_vendor(Vendor { error: wire::error, quota: wire::quota }, &credentials);
        Ok(Slack { http, token, config: config.checked()? })
    }

    async fn check(&self) -> Result<Account> {
        let answer = wire::read(&self.get("auth.test").send().await?, false)?;
        let id = json::text(&answer, "team_id").unwrap_or_default();
        let name = json::text(&answer, "team").unwrap_or_else(|| format!("Workspace {id}"));
        Ok(Account::new(id, name))
    }

    fn tools() -> Vec<Tool<Slack>> {
        let mut tools = vec![
            Tool::write("post_message", messages::post).planned(messages::plan).sends(),
            Tool::read("list_channels", channels::list),
        ];
        tools.extend(operations::tools());
        tools
    }

    fn webhook() -> Option<Webhook> {
        Some(webhooks::WEBHOOK)
    }
}

impl Config {
    fn checked(mut self) -> Result<Config> {
        address::check(Slack::ID, "base_url", &mut self.base_url)?;
        Ok(self)
    }
}

impl Slack {
    /// A method that reads; its name is what audit and metrics show.
    fn get(&self, method: &'static str) -> Request {
        self.http.get(method, self.url(method)).bearer(&self.token).paced(pace(method))
    }

    /// A method that changes something.
    fn post(&self, method: &'static str) -> Request {
        self.http.post(method, self.url(method)).bearer(&self.token).paced(pace(method))
    }

    fn url(&self, method: &str) -> String {
        format!("{}/{method}", self.config.base_url)
    }
}

/// Slack's tiers, a few requests below what they allow: 20 a minute, 50 a minute; messages one a second in a channel,
/// which is kept for all channels together.
fn pace(method: &str) -> Limits {
    match method {
        "chat.postMessage" => Limits::new(1, Duration::from_millis(1_050)),
        "conversations.list" => Limits::window(18, Duration::from_secs(60)),
        _ => Limits::window(45, Duration::from_secs(60)),
    }
}
