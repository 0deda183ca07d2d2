//! E-mail over SMTP. See README.md in this folder.

mod compose;
mod send;
mod session;

use std::time::Duration;

use lettre::message::Mailbox;
use schemars::JsonSchema;
use sdk::auth::Key;
use sdk::http::{Quota, Vendor, kind_of};
use sdk::{Account, Auth, Connector, Credentials, Error, Http, Limits, Result, Tool};
use serde::Deserialize;

/// One mail account, opened for a call.
pub struct Email {
    http: Http,
    server: Server,
    from: Mailbox,
    username: String,
    password: String,
}

/// Where mails are handed in, and how that is protected.
struct Server {
    host: String,
    port: u16,
    security: Security,
}

/// How to reach the mail server.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The mail server that takes outgoing mail, such as smtp.gmail.com.
    host: Option<String>,
    /// Its port: 587 unless given, 465 with `tls`.
    port: Option<u16>,
    /// How the connection is encrypted: `starttls`, or `tls` from the first byte, which is what port 465 means. `none`
    /// is only for a server on this machine.
    security: Option<Security>,
    /// Who mails come from: an address, or Name <address>. The user name unless given.
    from: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Security {
    Starttls,
    Tls,
    None,
}

const USERNAME: Key =
    Key { name: "username", env: "SMTP_USERNAME", help: "the user name of the mail account, mostly its address" };
const PASSWORD: Key = Key {
    name: "password",
    env: "SMTP_PASSWORD",
    help: "the password of the mail account; with Google, Microsoft or iCloud an app password",
};

impl Connector for Email {
    const ID: &'static str = "email";
    const TITLE: &'static str = "E-mail (SMTP)";
    const ACCOUNT: &'static [&'static str] = &["host", "from"];
    type Config = Config;

    fn auth() -> Vec<Auth> {
        vec![Auth::Keys(&[USERNAME, PASSWORD])]
    }

    /// Providers count by the day and block who comes in bursts; none documents a pace.
    fn limits() -> Limits {
        Limits::window(30, Duration::from_secs(60))
    }

    fn connect(config: Config, credentials: Credentials, http: Http) -> Result<Email> {
        let username = credentials.get(USERNAME.name)?.trim().to_owned();
        let password = credentials.get(PASSWORD.name)?.to_owned();
        let from = config.from.as_deref().unwrap_or(&username);
        let from = compose::mailbox("SMTP_FROM", from)?;
        // Nothing here is HTTP, so the mapping is never asked; the secrets are scrubbed from every message.
        let vendor = Vendor {
            error: |answer| Error::new(kind_of(answer.status), "the mail server answered with HTTP"),
            quota: |_| Quota::default(),
        };
        let http = http.for_vendor(vendor, &secrets(&username, &password));
        Ok(Email { http, server: config.server()?, from, username, password })
    }

    /// Connects, greets, authenticates and leaves.
    async fn check(&self) -> Result<Account> {
        let open = |exchange| async move {
            let session = session::open(self, &exchange).await?;
            session.leave().await;
            Ok(())
        };
        self.http.attempt(session::PROTOCOL, "check", open).await?;
        let name = format!("{} at {}", self.from.email, self.server.host);
        Ok(Account::new(self.username.clone(), name))
    }

    fn tools() -> Vec<Tool<Email>> {
        vec![Tool::write("send", send::send).planned(send::plan).sends()]
    }
}

/// The password as it is, and as AUTH PLAIN and AUTH LOGIN send it. The user name is no secret.
fn secrets(username: &str, password: &str) -> Credentials {
    use base64::{Engine, engine::general_purpose::STANDARD};
    Credentials::new()
        .with("password", password)
        .with("login", STANDARD.encode(password))
        .with("plain", STANDARD.encode(format!("\0{username}\0{password}")))
}

impl Config {
    fn server(&self) -> Result<Server> {
        let host = self.host.as_deref().map(str::trim).filter(|host| !host.is_empty()).ok_or_else(|| {
            Error::invalid_input("e-mail: the mail server is not configured: set SMTP_HOST, such as smtp.gmail.com")
        })?;
        let security = self.security.unwrap_or(if self.port == Some(465) { Security::Tls } else { Security::Starttls });
        if security == Security::None && !is_this_machine(host) {
            return Err(Error::invalid_input(
                "configuration of email: security = \"none\" would show the password to everyone on the way; it is only \
                 for a server on this machine. Use starttls or tls",
            ));
        }
        let usual = if security == Security::Tls { 465 } else { 587 };
        Ok(Server { host: host.to_owned(), port: self.port.unwrap_or(usual), security })
    }
}

fn is_this_machine(host: &str) -> bool {
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(config: serde_json::Value) -> Result<Server> {
        serde_json::from_value::<Config>(config).unwrap().server()
    }

    #[test]
    fn encryption_is_the_default_and_its_absence_stays_on_this_machine() {
        let usual = server(serde_json::json!({"host": "smtp.example.com"})).unwrap();
        assert_eq!((usual.port, usual.security), (587, Security::Starttls));
        let implicit = server(serde_json::json!({"host": "smtp.example.com", "port": 465})).unwrap();
        assert_eq!(implicit.security, Security::Tls);
        let tls = server(serde_json::json!({"host": "smtp.example.com", "security": "tls"})).unwrap();
        assert_eq!(tls.port, 465);
        let open = server(serde_json::json!({"host": "smtp.example.com", "security": "none"}));
        assert!(open.err().unwrap().message.contains("password"));
        assert!(server(serde_json::json!({"host": "127.0.0.1", "port": 25, "security": "none"})).is_ok());
        assert!(server(serde_json::json!({})).err().unwrap().message.contains("SMTP_HOST"));
    }
}
