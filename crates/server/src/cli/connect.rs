//! `enterprise-mcp connect`, `disconnect` and `connections`

use std::collections::BTreeMap;
use std::io::{BufRead, IsTerminal};
use std::path::PathBuf;
use std::process::{ExitCode, Stdio};

use anyhow::{Context, bail};
use dialoguer::{Password, Select};
use sdk::Auth;
use sdk::auth::Key;
use secrecy::ExposeSecret;
use server::actor::Actor;
use server::app::App;
use server::connections::{self, NewConnection, Which};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

/// What is connected, and with what.
#[derive(clap::Args)]
pub struct Options {
    /// quickbooks, google_workspace, amazon, cloudflare, godaddy, slack, email or gohighlevel
    ecosystem: String,
    /// A name for a further account of the same ecosystem, such as "second shop"
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// A secret that would be asked for, such as client_id=…; the environment is better, because others can see this
    #[arg(long = "key", value_name = "NAME=VALUE", value_parser = pair)]
    keys: Vec<(String, String)>,
    /// A setting of the connector, such as location_id=…
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = pair)]
    settings: Vec<(String, String)>,
    /// The day on which the key ends, where the vendor does not tell: 2027-01-31
    #[arg(long, value_name = "DAY")]
    expires: Option<String>,
    /// Where the vendor sends the browser after the consent; it must be registered there
    #[arg(long, value_name = "URL")]
    redirect: Option<String>,
    /// Only print the address of the consent page
    #[arg(long)]
    no_browser: bool,
}

/// Where the browser comes back to, unless another address is registered at the vendor.
const CALLBACK: &str = "http://127.0.0.1:8765/callback";

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// Asks for what is missing, proves the credentials and keeps them in the vault.
pub async fn run(file: Option<PathBuf>, tenant: &str, options: Options) -> anyhow::Result<ExitCode> {
    let app = super::beside(super::config(file)?).await?;
    let by = super::owner(&app, tenant).await?;
    let done = connect(&app, &by, &options).await;
    app.stop().await;
    let done = done?;
    say!("Connected to {} ({}).", done.account.name, done.account.id);
    if !done.missing_scopes.is_empty() {
        say!("Not granted: {}", done.missing_scopes.join(", "));
    }
    if !done.refused_tools.is_empty() {
        say!("So the vendor will refuse {}. Connect again and leave every box ticked.", done.refused_tools.join(", "));
    }
    Ok(ExitCode::SUCCESS)
}

async fn connect(app: &App, by: &Actor, options: &Options) -> anyhow::Result<NewConnection> {
    let connections = app.connections.of(app, &by.tenant).await?;
    let connected = connections.get(&options.ecosystem)?;
    let mut given: BTreeMap<String, String> = options.keys.iter().cloned().collect();
    let auth = chosen(&connected.connector.auth, &given)?;
    let keys = match &auth {
        Auth::Keys(keys) => keys.to_vec(),
        Auth::ServiceAccount(account) => vec![account.key],
        Auth::OAuth2(oauth) => vec![oauth.client_id, oauth.client_secret],
    };
    for key in &keys {
        if !given.contains_key(key.name) {
            given.insert(key.name.to_owned(), asked(app, key)?);
        }
    }
    if let Some(webhook) = connected.connector.webhook {
        offer(&mut given, &webhook.secret)?;
    }
    if matches!(auth, Auth::OAuth2(_)) && !given.contains_key("refresh_token") {
        return consent(app, by, options, given).await;
    }
    Ok(connections.connect_with_keys(app, by, options.which(), given, options.settings()).await?)
}

impl Options {
    fn which(&self) -> Which {
        Which::new(&self.ecosystem, self.name.clone())
    }

    fn settings(&self) -> BTreeMap<String, String> {
        let expires = self.expires.iter().map(|day| ("expires_on".to_owned(), day.clone()));
        self.settings.iter().cloned().chain(expires).collect()
    }
}

/// The way that the given secrets belong to, or that the person picks.
fn chosen(ways: &[Auth], given: &BTreeMap<String, String>) -> anyhow::Result<Auth> {
    let fits = |auth: &&Auth| match auth {
        Auth::Keys(keys) => keys.iter().any(|key| given.contains_key(key.name)),
        Auth::ServiceAccount(account) => given.contains_key(account.key.name),
        Auth::OAuth2(oauth) => given.contains_key(oauth.client_id.name),
    };
    if let Some(auth) = ways.iter().find(fits) {
        return Ok(auth.clone());
    }
    match ways {
        [] => bail!("this ecosystem needs no credentials"),
        [only] => Ok(only.clone()),
        several if std::io::stdin().is_terminal() => {
            let names: Vec<&str> = several.iter().map(name).collect();
            let picked = Select::new().with_prompt("How").items(&names).default(0).interact()?;
            Ok(several[picked].clone())
        }
        several => Ok(several[0].clone()),
    }
}

fn name(auth: &Auth) -> &'static str {
    match auth {
        Auth::Keys(_) => "with a key from the vendor's settings page",
        Auth::OAuth2(_) => "by consent in the browser",
        Auth::ServiceAccount(_) => "with a service account's key file",
    }
}

fn asked(app: &App, key: &Key) -> anyhow::Result<String> {
    if let Some(secret) = app.config.secrets.get(key.env) {
        return Ok(secret.expose_secret().to_owned());
    }
    if std::io::stdin().is_terminal() {
        eprintln!("{}", key.help);
        return Ok(Password::new().with_prompt(key.name).interact()?.trim().to_owned());
    }
    bail!("{} is missing: set {} or give --key {}=… ({})", key.name, key.env, key.name, key.help)
}

/// Webhooks are worth having and not needed, so nothing is an answer; what stands in the environment stays there.
fn offer(given: &mut BTreeMap<String, String>, key: &Key) -> anyhow::Result<()> {
    if given.contains_key(key.name) || !std::io::stdin().is_terminal() {
        return Ok(());
    }
    eprintln!("For webhooks (press Enter to go without, or to leave it to {}): {}", key.env, key.help);
    let secret = Password::new().with_prompt(key.name).allow_empty_password(true).interact()?;
    if !secret.trim().is_empty() {
        given.insert(key.name.to_owned(), secret.trim().to_owned());
    }
    Ok(())
}

async fn consent(
    app: &App,
    by: &Actor,
    options: &Options,
    secrets: BTreeMap<String, String>,
) -> anyhow::Result<NewConnection> {
    let connections = app.connections.of(app, &by.tenant).await?;
    let consent =
        connections.begin_consent(options.which(), secrets, options.settings(), options.redirect.clone(), CALLBACK)?;
    let redirect = Url::parse(consent.redirect()).context("the redirect address is no web address")?;
    // Bound before the browser opens, so that it cannot come back too early.
    let listener = listener(&redirect).await?;
    say!("Say yes here: {}", consent.url);
    if !options.no_browser && std::io::stdout().is_terminal() {
        open(&consent.url);
    }
    let query = match listener {
        Some(listener) => called_back(&listener, redirect.path()).await?,
        None => pasted(&redirect)?,
    };
    Ok(connections.finish_consent(app, by, consent, &query).await?)
}

/// A redirect to this machine is caught; any other address is the person's to copy.
async fn listener(redirect: &Url) -> anyhow::Result<Option<TcpListener>> {
    let local = matches!(redirect.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
    if redirect.scheme() != "http" || !local {
        return Ok(None);
    }
    let port = redirect.port_or_known_default().unwrap_or(80);
    let bound = TcpListener::bind(("127.0.0.1", port)).await;
    Ok(Some(bound.with_context(|| format!("port {port} of the redirect address is taken; give --redirect"))?))
}

/// Waits for the browser and thanks it; other requests (a favicon) get 404.
async fn called_back(listener: &TcpListener, path: &str) -> anyhow::Result<String> {
    loop {
        let (mut stream, _) = listener.accept().await?;
        let Some(target) = requested(&mut stream).await else { continue };
        let (asked, query) = target.split_once('?').unwrap_or((&target, ""));
        let (status, words) = if asked == path {
            ("200 OK", "Thank you. You can close this window and go back to the terminal.")
        } else {
            ("404 Not Found", "There is nothing here.")
        };
        let answer = format!(
            "HTTP/1.1 {status}\r\ncontent-type: text/plain\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{words}",
            words.len()
        );
        // The browser's thanks are not worth an error.
        let _ = stream.write_all(answer.as_bytes()).await;
        if asked == path {
            return Ok(query.to_owned());
        }
    }
}

/// The target of a GET request.
async fn requested(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    let mut buffer = [0; 2048];
    while !head.windows(4).any(|end| end == b"\r\n\r\n") && head.len() < 64 << 10 {
        let count = stream.read(&mut buffer).await.ok().filter(|count| *count > 0)?;
        head.extend_from_slice(&buffer[..count]);
    }
    let head = String::from_utf8_lossy(&head);
    head.lines().next()?.strip_prefix("GET ")?.split(' ').next().map(str::to_owned)
}

fn pasted(redirect: &Url) -> anyhow::Result<String> {
    say!("Then paste the address that the browser was sent to ({}…):", redirect.as_str());
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    let address = Url::parse(line.trim()).context("this is no web address")?;
    Ok(address.query().unwrap_or_default().to_owned())
}

/// Where no browser can be opened the printed address is enough.
fn open(url: &str) {
    let program = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let opened = std::process::Command::new(program).arg(url).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    drop(opened);
}

/// Which connection a command is about.
#[derive(clap::Args)]
pub struct Target {
    ecosystem: String,
    /// The connection's name, where the ecosystem has several
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
}

impl From<Target> for Which {
    fn from(target: Target) -> Which {
        Which::new(target.ecosystem, target.name)
    }
}

/// Ends a connection.
pub async fn disconnect(file: Option<PathBuf>, tenant: &str, target: Target) -> anyhow::Result<ExitCode> {
    let app = super::beside(super::config(file)?).await?;
    let by = super::owner(&app, tenant).await?;
    let said = connections::disconnect(&app, &by, target).await;
    app.stop().await;
    say!("{}", said?);
    Ok(ExitCode::SUCCESS)
}

/// Shows every connection and how it fares.
pub async fn list(file: Option<PathBuf>, tenant: &str) -> anyhow::Result<ExitCode> {
    let app = super::beside(super::config(file)?).await?;
    super::owner(&app, tenant).await?;
    let connections = app.connections.of(&app, tenant).await?.descriptions().await;
    app.stop().await;
    for shown in connections? {
        let account = shown.account.unwrap_or_default();
        let name = shown.connection.map(|name| format!("{name:?} ")).unwrap_or_default();
        say!("{:<18} {:<16} {name}{account}", shown.ecosystem, shown.state.replace('_', " "));
        for line in shown.reason.iter().chain(shown.to_connect.first()) {
            say!("{:<18} {line}", "");
        }
        if !shown.missing_scopes.is_empty() {
            say!("{:<18} not granted: {}", "", shown.missing_scopes.join(", "));
        }
        if !shown.refused_tools.is_empty() {
            say!("{:<18} so the vendor refuses {}", "", shown.refused_tools.join(", "));
        }
    }
    Ok(ExitCode::SUCCESS)
}
