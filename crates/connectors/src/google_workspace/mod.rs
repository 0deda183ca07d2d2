//! Google Workspace: Drive, Docs, Sheets, Gmail and Calendar of one person.
//!
//! Drive v3, Docs v1, Sheets v4, Gmail v1, Calendar v3. See README.md in this folder.

mod wire;
mod digest;
mod a1;
mod drive;
mod documents;
mod sheets;
mod sheet_writes;
mod mail;
mod compose;
mod outbox;
mod calendar;
mod event_writes;
mod streams;
mod webhooks;
mod long_tail;

use std::time::Duration;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use sdk::auth::{ACCESS_TOKEN, Key, OAuth2, ServiceAccount};
use sdk::http::{Method, Request, Vendor};
use sdk::webhook::Subscription;
use sdk::{Account, Auth, Connector, Credentials, Error, Http, Limits, Result, Stream, Tool, Webhook};
use serde::Deserialize;
use serde_json::Value;

use crate::{address, json, operations, path};

/// One Google account, opened for a call or a walk.
pub struct GoogleWorkspace {
    http: Http,
    token: String,
    config: Config,
}

/// How to reach Google Workspace.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where Drive v3 is.
    drive_url: String,
    /// Where Sheets v4 is.
    sheets_url: String,
    /// Where Docs v1 is.
    docs_url: String,
    /// Where Gmail v1 is.
    gmail_url: String,
    /// Where Calendar v3 is.
    calendar_url: String,
    /// For a service account: the person in whose name it acts. Mail and calendar need one (domain-wide delegation).
    subject: Option<String>,
    /// Whether files of shared drives are seen too.
    shared_drives: bool,
    /// Files a page when the catalogue of documents is copied.
    #[schemars(range(min = 1, max = 1000))]
    page_size: u32,
    /// How far back the headers of mails are copied at first, in days.
    #[schemars(range(min = 1, max = 3650))]
    mail_days: u32,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            drive_url: "https://www.googleapis.com/drive/v3".into(),
            sheets_url: "https://sheets.googleapis.com/v4".into(),
            docs_url: "https://docs.googleapis.com/v1".into(),
            gmail_url: "https://gmail.googleapis.com/gmail/v1".into(),
            calendar_url: "https://www.googleapis.com/calendar/v3".into(),
            subject: None,
            shared_drives: true,
            page_size: 200,
            mail_days: 90,
        }
    }
}

/// Reading files, writing sheets, reading mail, drafts and sending, events.
const SCOPES: &[&str] = &[
    "https://www.googleapis.com/auth/drive.readonly",
    "https://www.googleapis.com/auth/spreadsheets",
    "https://www.googleapis.com/auth/gmail.readonly",
    "https://www.googleapis.com/auth/gmail.compose",
    "https://www.googleapis.com/auth/calendar.events",
];

/// What each of them is for.
const UNLOCKS: &[(&str, &[&str])] = &[
    (SCOPES[0], &["list_assets", "search_documents", "read_document"]),
    (SCOPES[1], &["read_sheet", "sync_sheet", "append_rows"]),
    (SCOPES[2], &["list_messages", "read_message"]),
    (SCOPES[3], &["create_draft", "send_email"]),
    (SCOPES[4], &["list_events", "create_event"]),
];

const OAUTH: OAuth2 = OAuth2 {
    authorize_url: "https://accounts.google.com/o/oauth2/v2/auth",
    token_url: "https://oauth2.googleapis.com/token",
    revoke_url: Some("https://oauth2.googleapis.com/revoke"),
    scopes: SCOPES,
    pkce: true,
    // Without these Google gives a refresh token only at the very first consent.
    authorize_with: &[("access_type", "offline"), ("prompt", "consent"), ("include_granted_scopes", "true")],
    client_id: Key {
        name: "client_id",
        env: "GOOGLE_CLIENT_ID",
        help: "Google Cloud console > APIs & Services > Credentials > Create credentials > OAuth client ID",
    },
    client_secret: Key {
        name: "client_secret",
        env: "GOOGLE_CLIENT_SECRET",
        help: "shown with the client id when it is created",
    },
    refresh_token: Some(Key {
        name: "refresh_token",
        env: "GOOGLE_REFRESH_TOKEN",
        help: "only if you have one already; otherwise the consent page gives it",
    }),
    unlocks: UNLOCKS,
    ..OAuth2::STANDARD
};

const SERVICE_ACCOUNT: ServiceAccount = ServiceAccount {
    key: Key {
        name: "service_account_key",
        env: "GOOGLE_SERVICE_ACCOUNT_KEY",
        help: "Google Cloud console > IAM & Admin > Service accounts > Keys > Add key > JSON; the file or its path",
    },
    scopes: SCOPES,
    subject: "subject",
};

impl Connector for GoogleWorkspace {
    const ID: &'static str = "google_workspace";
    const TITLE: &'static str = "Google Workspace";
    const ACCOUNT: &'static [&'static str] = &["drive_url", "subject"];
    type Config = Config;

    fn auth() -> Vec<Auth> {
        vec![Auth::OAuth2(&OAUTH), Auth::ServiceAccount(SERVICE_ACCOUNT)]
    }

    /// Google counts by API and person; those limits stand with the operations. This one keeps all of them together
    /// at a pace that no person is slowed down by.
    fn limits() -> Limits {
        Limits::window(1_500, MINUTE)
    }

    fn connect(config: Config, credentials: Credentials, http: Http) -> Result<GoogleWorkspace> {
        let token = credentials.get(ACCESS_TOKEN)?.trim().to_owned();
        if token.is_empty() {
            return Err(Error::unauthenticated("Google Workspace is not connected: connect the account"));
        }
        let http = http.for_vendor(Vendor { error: wire::error, quota: wire::quota }, &credentials);
        Ok(GoogleWorkspace { http, token, config: config.checked()? })
    }

    async fn check(&self) -> Result<Account> {
        let request = self.get("/drive/v3/about", &[])?.query(&[("fields", Some("user".into()))]);
        let about: Value = request.send().await?.json()?;
        let user = about.get("user").unwrap_or(&Value::Null);
        let id = json::first_text(user, &["emailAddress", "permissionId"]).unwrap_or_else(|| "me".into());
        let name = json::text(user, "displayName").unwrap_or_else(|| id.clone());
        Ok(Account::new(id, name))
    }

    fn tools() -> Vec<Tool<GoogleWorkspace>> {
        let mut tools = vec![
            // Anybody may share a file with us, under any name.
            Tool::read("list_assets", drive::list_assets).by_strangers(),
            Tool::read("search_documents", drive::search_documents).by_strangers(),
            Tool::read("read_document", documents::read).by_strangers(),
            Tool::read("read_sheet", sheets::read).by_strangers(),
            // A sheet may be shared with anybody, or belong to them.
            Tool::write("sync_sheet", sheet_writes::sync).planned(sheet_writes::plan_sync).idempotent().sends(),
            Tool::write("append_rows", sheet_writes::append).planned(sheet_writes::plan_append).sends(),
            Tool::read("list_messages", mail::list).by_strangers(),
            Tool::read("read_message", mail::read).by_strangers(),
            Tool::write("create_draft", outbox::create_draft).planned(outbox::plan_draft),
            Tool::write("send_email", outbox::send).planned(outbox::plan_send).sends(),
            Tool::read("list_events", calendar::list).by_strangers(),
            Tool::write("create_event", event_writes::create).planned(event_writes::plan).sends(),
        ];
        tools.extend(operations::tools());
        tools
    }

    fn streams() -> Vec<Stream<GoogleWorkspace>> {
        vec![Stream::new("documents", streams::documents), Stream::new("messages", streams::messages).partial()]
    }

    fn webhook() -> Option<Webhook> {
        Some(webhooks::WEBHOOK)
    }

    async fn subscribe(&self, to: Subscription) -> Result<DateTime<Utc>> {
        webhooks::subscribe(self, to).await
    }
}

const MINUTE: Duration = Duration::from_secs(60);

/// What Google counts by person, a little below what it allows.
mod pace {
    use super::{Limits, MINUTE};

    /// The group of an operation and its limit, by the documented path.
    pub fn of(endpoint: &'static str, reads: bool) -> Option<(&'static str, Limits)> {
        let limit = |group, most| Some((group, Limits::window(most, MINUTE)));
        match endpoint {
            // 60 reads and 60 writes a minute.
            _ if endpoint.starts_with("/v4/") && reads => limit("sheets reads", 55),
            _ if endpoint.starts_with("/v4/") => limit("sheets writes", 55),
            // 6,000 units a minute: a mail sent costs 100, a draft 10, everything else 5.
            "/gmail/v1/users/me/drafts/send" => limit(endpoint, 20),
            "/gmail/v1/users/me/drafts" if !reads => limit(endpoint, 40),
            _ if endpoint.starts_with("/gmail/") => limit("gmail", 700),
            // 600 requests a minute.
            _ if endpoint.starts_with("/calendar/") => limit("calendar", 550),
            _ => None,
        }
    }
}

impl Config {
    /// The configuration with URLs that paths can be added to.
    fn checked(mut self) -> Result<Config> {
        let urls = [
            ("drive_url", &mut self.drive_url),
            ("sheets_url", &mut self.sheets_url),
            ("docs_url", &mut self.docs_url),
            ("gmail_url", &mut self.gmail_url),
            ("calendar_url", &mut self.calendar_url),
        ];
        for (name, url) in urls {
            address::check(GoogleWorkspace::ID, name, url)?;
        }
        Ok(self)
    }
}

impl GoogleWorkspace {
    fn get(&self, endpoint: &'static str, ids: &[&str]) -> Result<Request> {
        self.request(Method::GET, endpoint, ids)
    }

    fn post(&self, endpoint: &'static str, ids: &[&str]) -> Result<Request> {
        self.request(Method::POST, endpoint, ids)
    }

    /// A request; `endpoint` is the documented path, which begins with the API's own part, and its braces are filled
    /// with `ids`.
    fn request(&self, method: Method, endpoint: &'static str, ids: &[&str]) -> Result<Request> {
        let config = &self.config;
        let services = [
            ("/drive/v3", &config.drive_url),
            ("/v4", &config.sheets_url),
            ("/v1", &config.docs_url),
            ("/gmail/v1", &config.gmail_url),
            ("/calendar/v3", &config.calendar_url),
        ];
        let found = services.into_iter().find_map(|(part, url)| Some((url, endpoint.strip_prefix(part)?)));
        let (url, rest) = found.ok_or_else(|| Error::internal(format!("{endpoint} belongs to no Google API")))?;
        let pace = pace::of(endpoint, method == Method::GET);
        let request = self.http.request(method, endpoint, format!("{url}{}", path::fill(rest, ids)?));
        let request = request.bearer(&self.token);
        Ok(match pace {
            Some((group, limits)) => request.paced_with(group, limits),
            None => request,
        })
    }
}
