//! Configuration: defaults, then a TOML file, then `.env`, then the environment.
//!
//! A key that nobody knows is an error that names it and its place, because a setting that is
//! silently ignored is worse than none.

mod network;
mod tenants;
mod variables;

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use secrecy::SecretString;
use serde::Deserialize;
use toml::{Table, Value};

pub use network::Network;
pub use tenants::{Tenants, Wall};
pub use variables::{VARIABLES, Variable};

/// Everything that can be set.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    pub server: Server,
    pub database: Database,
    pub log: Log,
    pub audit: Audit,
    pub sync: Sync,
    pub webhooks: Webhooks,
    pub connections: Connections,
    pub tenants: Tenants,
    pub policy: Policy,
    pub notifications: Notifications,
    pub oauth: OAuth,
    pub sandbox: Sandbox,
    /// One section a connector; its keys are the connector's own.
    pub connectors: BTreeMap<String, Table>,
    /// Secrets by environment name. They come from the environment or `.env`, never from the file.
    #[serde(skip)]
    pub secrets: BTreeMap<String, SecretString>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Server {
    /// The name that people see.
    pub brand: String,
    pub bind: IpAddr,
    pub port: u16,
    /// A second listener that takes API keys alone and answers no OAuth discovery, for clients that would otherwise forget
    /// the key that they were given.
    pub key_listen: Option<SocketAddr>,
    /// Where the outside reaches this server; Host and Origin checks and links follow from it.
    pub public_url: Option<String>,
    pub allowed_hosts: Vec<String>,
    pub allowed_origins: Vec<String>,
    /// Whose `X-Forwarded-For` is believed. Unset is this machine where there is a public address, and nobody otherwise.
    pub trusted_proxies: Option<Vec<Network>>,
    /// Holds the embedded database and the generated key.
    pub data_dir: PathBuf,
    /// A larger request is refused with 413.
    pub max_body_bytes: usize,
    /// Calls a minute and caller; beyond it 429 with `Retry-After`.
    pub calls_per_minute: u32,
    /// How long a client may take to send a request's head, or the next piece of its body.
    pub read_timeout_seconds: u64,
    /// How long a shutdown waits for running calls.
    pub shutdown_seconds: u64,
    /// Keeps MCP sessions for clients of the older protocol that need requests from the server.
    pub mcp_sessions: bool,
}

#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Database {
    /// `postgres://…` or `sqlite://…`; unset is SQLite under `data_dir`. It may hold a password.
    pub url: Option<String>,
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Database").field("url", &self.url.as_ref().map(|_| "…")).finish()
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// `info`, `debug`, or a filter such as `info,server=debug`.
    pub level: String,
    /// `json`, or `text` for people.
    pub format: LogFormat,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    Json,
    Text,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Audit {
    /// Keeps what was answered beside the record that it was called.
    pub store_responses: bool,
    /// Records older than this are let go, but for sums by day; 0 keeps them for ever.
    pub keep_days: u32,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sync {
    pub enabled: bool,
    /// Between the starts of two incremental runs.
    pub every_minutes: u32,
    /// UTC hour of the nightly full walk that finds deletions.
    pub reconcile_hour: u32,
}

/// What is taken of webhooks; beyond it vendors are asked to deliver again.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Webhooks {
    /// Deliveries a minute and ecosystem.
    pub per_minute: u32,
    /// Events of an ecosystem that wait to be worked on.
    pub max_waiting: u32,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Connections {
    /// Days before the end of a consent or a key from which its connection is shown as expiring.
    pub warn_days: u32,
}

/// Exceptions to the default table, as patterns of tool ids (`gohighlevel.add_*`).
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    pub deny: Vec<String>,
    pub ask: Vec<String>,
    pub allow: Vec<String>,
    /// How long an approval waits for a person.
    pub approval_minutes: Option<u32>,
    /// For how long an agent that has read texts of strangers is asked before it sends anything; 0 is never.
    pub containment_minutes: u32,
}

/// Whom to tell that a call waits for a person.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Notifications {
    /// Gets a POST for each approval; Slack, a phone's push service or a script of one's own stands behind it.
    pub url: Option<String>,
}

/// How AI clients are let in by people who sign in.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OAuth {
    pub enabled: bool,
    /// Clients may be described by a document at their id, which is fetched from the internet.
    pub client_documents: bool,
    /// For tests: documents come from this address on the machine, with host and path of the id behind it.
    pub documents_from: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sandbox {
    pub seed: u64,
    pub contacts: usize,
    /// Milliseconds that each answer takes.
    pub delay_ms: u64,
}

impl Default for Server {
    fn default() -> Server {
        Server {
            brand: "Enterprise MCP Server".into(),
            bind: IpAddr::from([127, 0, 0, 1]),
            port: 8000,
            key_listen: None,
            public_url: None,
            allowed_hosts: Vec::new(),
            allowed_origins: Vec::new(),
            trusted_proxies: None,
            data_dir: PathBuf::from("data"),
            max_body_bytes: 1 << 20,
            calls_per_minute: 600,
            read_timeout_seconds: 30,
            shutdown_seconds: 60,
            mcp_sessions: false,
        }
    }
}

impl Default for Log {
    fn default() -> Log {
        Log { level: "info".into(), format: LogFormat::Json }
    }
}

impl Default for Audit {
    fn default() -> Audit {
        Audit { store_responses: true, keep_days: 0 }
    }
}

impl Default for Sync {
    fn default() -> Sync {
        Sync { enabled: true, every_minutes: 15, reconcile_hour: 3 }
    }
}

impl Default for Webhooks {
    fn default() -> Webhooks {
        Webhooks { per_minute: 6_000, max_waiting: 5_000 }
    }
}

impl Default for Connections {
    fn default() -> Connections {
        Connections { warn_days: 7 }
    }
}

impl Default for Policy {
    fn default() -> Policy {
        Policy { deny: Vec::new(), ask: Vec::new(), allow: Vec::new(), approval_minutes: None, containment_minutes: 60 }
    }
}

impl Default for OAuth {
    fn default() -> OAuth {
        OAuth { enabled: true, client_documents: true, documents_from: None }
    }
}

impl Default for Sandbox {
    fn default() -> Sandbox {
        Sandbox { seed: 1, contacts: 1206, delay_ms: 0 }
    }
}

/// What is wrong with the configuration, where, and what to do.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(String);

/// Where settings are read from.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The TOML file; given explicitly it must exist.
    pub file: Option<PathBuf>,
    /// The text of `.env`, where there is one.
    pub dotenv: Option<String>,
    pub environment: HashMap<String, String>,
}

impl Sources {
    /// What the process was started with: `--config`, `./enterprise-mcp.toml`, `./.env` and the
    /// environment.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    pub fn of_process(file: Option<PathBuf>) -> Result<Sources, ConfigError> {
        let usual = Path::new("enterprise-mcp.toml");
        let file = file.or_else(|| usual.exists().then(|| usual.to_owned()));
        let dotenv = match std::fs::read_to_string(".env") {
            Ok(text) => Some(text),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => None,
            Err(e) => return Err(ConfigError(format!(".env cannot be read: {e}"))),
        };
        Ok(Sources { file, dotenv, environment: std::env::vars().collect() })
    }
}

impl Config {
    pub fn load(sources: &Sources) -> Result<Config, ConfigError> {
        let mut table = read_file(sources.file.as_deref())?;
        let mut secrets = BTreeMap::new();
        let dotenv = read_dotenv(sources.dotenv.as_deref())?;
        for (source, values) in [(".env", &dotenv), ("environment", &sources.environment)] {
            overlay(source, values, &mut table, &mut secrets)?;
        }
        let place = sources.file.as_ref().map_or_else(|| "the settings".into(), |file| file.display().to_string());
        let mut config: Config =
            table.try_into().map_err(|e: toml::de::Error| ConfigError(format!("{place}: {}", e.message())))?;
        config.secrets = secrets;
        config.check()?;
        Ok(config)
    }

    /// The database to open.
    pub fn database_url(&self) -> String {
        let file = || format!("sqlite://{}", self.server.data_dir.join("enterprise-mcp.db").display());
        self.database.url.clone().unwrap_or_else(file)
    }

    /// The URL that people and clients use.
    pub fn public_url(&self) -> String {
        let local = || format!("http://{}:{}", host_of(self.server.bind), self.server.port);
        self.server.public_url.clone().map_or_else(local, |url| url.trim_end_matches('/').to_owned())
    }

    fn check(&self) -> Result<(), ConfigError> {
        if (1..30).contains(&self.audit.keep_days) {
            return Err(ConfigError("audit.keep_days (AUDIT_KEEP_DAYS) is 0, for ever, or at least 30".into()));
        }
        if let Some(url) = &self.server.public_url {
            let parsed = url::Url::parse(url)
                .map_err(|e| ConfigError(format!("server.public_url (TUNNEL_URL): `{url}` is not a URL: {e}")))?;
            if !matches!(parsed.scheme(), "http" | "https") || !parsed.has_host() {
                return Err(ConfigError(format!("server.public_url (TUNNEL_URL): `{url}` must be an http(s) address")));
            }
        }
        if let Some(url) = &self.notifications.url
            && !url::Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https"))
        {
            return Err(ConfigError(format!("notifications.url (NOTIFY_URL): `{url}` must be an http(s) address")));
        }
        if let Some(from) = &self.oauth.documents_from {
            let is_local = |address: &str| url::Url::parse(address).is_ok_and(|url| is_loopback(&url));
            if !is_local(from) || !is_local(&self.public_url()) {
                let why = "is for tests: it and the public address must be on this machine";
                return Err(ConfigError(format!("oauth.documents_from (OAUTH_DOCUMENTS_FROM) {why}")));
            }
        }
        if self.server.read_timeout_seconds == 0 {
            return Err(ConfigError("server.read_timeout_seconds must be at least 1".into()));
        }
        if self.server.calls_per_minute == 0 || self.tenants.calls_per_minute == 0 {
            return Err(ConfigError("calls_per_minute must be at least 1, of a caller and of a tenant".into()));
        }
        if self.webhooks.per_minute == 0 || self.webhooks.max_waiting == 0 {
            return Err(ConfigError("webhooks.per_minute and webhooks.max_waiting must be at least 1".into()));
        }
        if self.sync.every_minutes == 0 || self.sync.reconcile_hour > 23 {
            return Err(ConfigError("sync.every_minutes must be at least 1 and sync.reconcile_hour at most 23".into()));
        }
        Ok(())
    }
}

/// Whether an address is on this machine.
pub fn is_loopback(url: &url::Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

fn host_of(bind: IpAddr) -> String {
    match bind {
        ip if ip.is_unspecified() || ip.is_loopback() => "127.0.0.1".into(),
        IpAddr::V6(ip) => format!("[{ip}]"),
        ip => ip.to_string(),
    }
}

fn read_file(file: Option<&Path>) -> Result<Table, ConfigError> {
    let Some(file) = file else { return Ok(Table::new()) };
    let text = std::fs::read_to_string(file)
        .map_err(|e| ConfigError(format!("the configuration file {} cannot be read: {e}", file.display())))?;
    text.parse().map_err(|e: toml::de::Error| ConfigError(format!("{}: {e}", file.display())))
}

fn read_dotenv(text: Option<&str>) -> Result<HashMap<String, String>, ConfigError> {
    let Some(text) = text else { return Ok(HashMap::new()) };
    dotenvy::from_read_iter(text.as_bytes()).collect::<Result<_, _>>().map_err(|e| ConfigError(format!(".env: {e}")))
}

/// Lays the variables that we know over the table, and refuses those that look like ours but are not.
fn overlay(
    source: &str,
    values: &HashMap<String, String>,
    table: &mut Table,
    secrets: &mut BTreeMap<String, SecretString>,
) -> Result<(), ConfigError> {
    for (name, value) in values {
        let Some(variable) = VARIABLES.iter().find(|variable| variable.name == name) else {
            refuse_lookalike(source, name)?;
            continue;
        };
        if value.is_empty() {
            continue;
        }
        match variable.path {
            "" => drop(secrets.insert(name.clone(), value.clone().into())),
            path => {
                put(table, path, typed(variable, value).map_err(|e| ConfigError(format!("{source}: {name}: {e}")))?)?
            }
        }
    }
    Ok(())
}

fn refuse_lookalike(source: &str, name: &str) -> Result<(), ConfigError> {
    let ours = variables::PREFIXES.iter().any(|prefix| name.starts_with(prefix));
    if !ours || variables::OTHERS.contains(&name) {
        return Ok(());
    }
    let nearest = VARIABLES
        .iter()
        .map(|v| v.name)
        .max_by(|a, b| strsim::jaro_winkler(a, name).total_cmp(&strsim::jaro_winkler(b, name)));
    let hint = nearest.map(|known| format!("; did you mean {known}?")).unwrap_or_default();
    Err(ConfigError(format!("{source}: {name} is not a setting of this server{hint}")))
}

fn typed(variable: &Variable, text: &str) -> Result<Value, String> {
    match variable.kind {
        variables::Type::Text => Ok(Value::String(text.to_owned())),
        variables::Type::List => {
            Ok(Value::Array(text.split(',').map(str::trim).filter(|s| !s.is_empty()).map(Value::from).collect()))
        }
        variables::Type::Number => {
            text.trim().parse::<i64>().map(Value::Integer).map_err(|_| format!("`{text}` is not a whole number"))
        }
        variables::Type::Flag => match text.trim().to_lowercase().as_str() {
            "1" | "true" | "yes" | "on" => Ok(Value::Boolean(true)),
            "0" | "false" | "no" | "off" => Ok(Value::Boolean(false)),
            _ => Err(format!("`{text}` is neither true nor false")),
        },
    }
}

/// Sets `a.b.c`.
fn put(table: &mut Table, path: &str, value: Value) -> Result<(), ConfigError> {
    let mut place = table;
    let mut keys = path.split('.').peekable();
    while let Some(key) = keys.next() {
        if keys.peek().is_none() {
            place.insert(key.to_owned(), value);
            return Ok(());
        }
        let next = place.entry(key).or_insert_with(|| Value::Table(Table::new()));
        let Value::Table(inner) = next else { return Err(ConfigError(format!("`{key}` must be a table, [{key}]"))) };
        place = inner;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    fn environment(pairs: &[(&str, &str)]) -> Sources {
        let environment = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Sources { environment, ..Sources::default() }
    }

    #[test]
    fn environment_overrides_dotenv_and_secrets_stay_apart() {
        let mut sources = environment(&[("PORT", "9001"), ("HOME", "/root")]);
        sources.dotenv = Some("PORT=9000\nGHL_API_KEY=pit-canary\nGHL_LOCATION_ID=loc1\n".into());
        let config = Config::load(&sources).unwrap();
        assert_eq!(config.server.port, 9001);
        assert_eq!(config.connectors["gohighlevel"]["location_id"].as_str(), Some("loc1"));
        assert_eq!(config.secrets["GHL_API_KEY"].expose_secret(), "pit-canary");
        assert!(!format!("{config:?}").contains("canary"));
    }

    #[test]
    fn an_unknown_variable_is_named_with_the_nearest_known_one() {
        let error = Config::load(&environment(&[("GHL_API_KYE", "x")])).unwrap_err().to_string();
        assert_eq!(error, "environment: GHL_API_KYE is not a setting of this server; did you mean GHL_API_KEY?");
    }

    #[test]
    fn an_unknown_key_in_the_file_is_named_with_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("e.toml");
        std::fs::write(&file, "[server]\nprot = 1\n").unwrap();
        let error = Config::load(&Sources { file: Some(file), ..Sources::default() }).unwrap_err().to_string();
        assert!(error.contains("e.toml") && error.contains("prot"), "{error}");
    }

    #[test]
    fn a_wrong_type_names_the_variable() {
        let error = Config::load(&environment(&[("PORT", "eighty")])).unwrap_err().to_string();
        assert_eq!(error, "environment: PORT: `eighty` is not a whole number");
        let error = Config::load(&environment(&[("TRUSTED_PROXIES", "::1, 10.0.0.0/33")])).unwrap_err().to_string();
        assert!(error.contains("`10.0.0.0/33` is neither an address nor a network"), "{error}");
    }

    #[test]
    fn every_variable_is_explained_in_the_example() {
        let example = include_str!("../../../.env.example");
        let missing: Vec<_> =
            VARIABLES.iter().filter(|v| !example.contains(&format!("{}=", v.name))).map(|v| v.name).collect();
        assert!(missing.is_empty(), "not in .env.example: {missing:?}");
    }
}
