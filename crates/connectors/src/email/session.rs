//! One SMTP session (RFC 5321), and what its replies mean.

use std::time::Duration;

use lettre::Address;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail as MailFrom, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailParameter};
use lettre::transport::smtp::response::Response;
use sdk::http::Exchange;
use sdk::{Error, Kind, Result};

use super::compose::Mail;
use super::{Email, Security};

/// How the audit calls it.
pub const PROTOCOL: &str = "SMTP";

/// A server that says "later" means minutes.
const LATER: Duration = Duration::from_secs(300);

/// A session that is greeted, encrypted and authenticated.
pub struct Session<'a> {
    api: &'a Email,
    exchange: &'a Exchange,
    connection: AsyncSmtpConnection,
}

/// Where in the session a refusal came.
#[derive(Clone, Copy, PartialEq)]
enum Stage {
    Greeting,
    Login,
    Sender,
    Recipient,
    Content,
}

pub async fn open<'a>(api: &'a Email, exchange: &'a Exchange) -> Result<Session<'a>> {
    let server = &api.server;
    let hello = ClientId::default();
    let implicit = (server.security == Security::Tls).then(|| tls(&server.host)).transpose()?;
    let address = (server.host.as_str(), server.port);
    let connected = AsyncSmtpConnection::connect_tokio1(address, None, &hello, implicit, None).await;
    let connection = connected.map_err(|e| failure(api, exchange, Stage::Greeting, e))?;
    let mut session = Session { api, exchange, connection };
    if server.security == Security::Starttls {
        session.encrypt(&hello).await?;
    }
    session.login().await?;
    Ok(session)
}

impl Session<'_> {
    /// A server that does not offer encryption gets neither password nor mail.
    async fn encrypt(&mut self, hello: &ClientId) -> Result<()> {
        let server = &self.api.server;
        if !self.connection.can_starttls() {
            return Err(Error::invalid_input(format!(
                "the mail server {}:{} does not offer STARTTLS, so it got no password. Use port 465 (tls), or the port \
                 that the provider names for STARTTLS",
                server.host, server.port
            )));
        }
        let upgraded = self.connection.starttls(tls(&server.host)?, hello).await;
        upgraded.map_err(|e| failure(self.api, self.exchange, Stage::Greeting, e))
    }

    async fn login(&mut self) -> Result<()> {
        let mechanisms = [Mechanism::Plain, Mechanism::Login];
        if self.connection.server_info().get_auth_mechanism(&mechanisms).is_none() {
            return Err(Error::forbidden(format!(
                "the mail server {} does not take a password here (neither AUTH PLAIN nor LOGIN is offered)",
                self.api.server.host
            )));
        }
        let credentials = Credentials::new(self.api.username.clone(), self.api.password.clone());
        let reply = self.connection.auth(&mechanisms, &credentials).await;
        self.heard(Stage::Login, reply).map(drop)
    }

    /// Hands the mail in; gives the server's last reply. All recipients or none.
    pub async fn hand_in(&mut self, mail: &Mail) -> Result<String> {
        let mut options = Vec::new();
        let plain = |address: &Address| address.to_string().is_ascii();
        if !mail.recipients.iter().chain([&mail.from]).all(plain) {
            if !self.connection.server_info().supports_feature(Extension::SmtpUtfEight) {
                return Err(Error::invalid_input(
                    "to: an address has letters beyond ASCII, which this mail server does not take",
                ));
            }
            options.push(MailParameter::SmtpUtfEight);
        }
        let reply = self.connection.command(MailFrom::new(Some(mail.from.clone()), options)).await;
        self.heard(Stage::Sender, reply)?;
        self.name_recipients(&mail.recipients).await?;
        let reply = self.connection.command(Data).await;
        self.heard(Stage::Content, reply)?;
        // From here on nobody but the server knows whether it has the mail.
        self.exchange.committing();
        self.exchange.sent(mail.bytes.len());
        let reply = self.connection.message(&mail.bytes).await;
        let reply = self.heard(Stage::Content, reply).map_err(after_content)?;
        let words = reply.message().collect::<Vec<_>>().join(" ");
        Ok(sdk::text::cut(&format!("{} {words}", u16::from(reply.code())), 200))
    }

    /// Every refused recipient is named, so that a second try can leave them out.
    async fn name_recipients(&mut self, recipients: &[Address]) -> Result<()> {
        let mut refused: Vec<(String, Error)> = Vec::new();
        for recipient in recipients {
            let reply = self.connection.command(Rcpt::new(recipient.clone(), Vec::new())).await;
            match self.heard(Stage::Recipient, reply) {
                Ok(_) => {}
                Err(error) if self.connection.has_broken() || error.kind == Kind::Unavailable => return Err(error),
                Err(error) => refused.push((recipient.to_string(), error)),
            }
        }
        let Some((_, first)) = refused.first() else { return Ok(()) };
        let mut error = Error::new(first.kind, String::new());
        error.retry_after = first.retry_after;
        let named: Vec<String> = refused.iter().map(|(address, error)| format!("{address} ({error})")).collect();
        error.message = format!("the mail server refuses recipients, so nobody got the mail: {}", named.join("; "));
        Err(error)
    }

    /// Says goodbye. The mail is handed in by then, so nobody waits long for it.
    pub async fn leave(mut self) {
        let _ = tokio::time::timeout(Duration::from_secs(1), self.connection.quit()).await;
    }

    fn heard(
        &self,
        stage: Stage,
        reply: std::result::Result<Response, lettre::transport::smtp::Error>,
    ) -> Result<Response> {
        let reply = reply.map_err(|e| failure(self.api, self.exchange, stage, e))?;
        self.exchange.status(reply.code().into());
        self.exchange.received(reply.message().map(str::len).sum());
        Ok(reply)
    }
}

fn tls(host: &str) -> Result<TlsParameters> {
    TlsParameters::new(host.to_owned())
        .map_err(|e| Error::internal(format!("no TLS connection to {host} can be prepared")).with_source(e))
}

/// After the content only a reply with a code tells what happened. A mail that was refused then is not sent again by
/// itself.
fn after_content(error: Error) -> Error {
    let spoke = error.kind != Kind::Unavailable && error.kind != Kind::Upstream;
    if spoke {
        return error;
    }
    let mut error = error.with_unknown_outcome();
    error.message = format!(
        "{}. The mail was already handed over, so it is unknown whether it is delivered: look in the sent folder, or ask \
         a recipient, before sending it again",
        error.message
    );
    error
}

fn failure(api: &Email, exchange: &Exchange, stage: Stage, cause: lettre::transport::smtp::Error) -> Error {
    let server = format!("the mail server {}:{}", api.server.host, api.server.port);
    let Some(code) = cause.status().map(u16::from) else {
        return without_code(&server, stage, cause);
    };
    exchange.status(code);
    let words = std::error::Error::source(&cause).map(ToString::to_string).unwrap_or_default();
    let words = sdk::text::cut(&words, 300);
    let (kind, cure) = meaning(api, stage, code, &words);
    let error = match cure {
        Some(cure) => Error::new(kind, format!("{server} says \"{code} {words}\": {cure}")),
        None => Error::new(kind, format!("{server} says \"{code} {words}\"")),
    };
    if kind == Kind::RateLimited { error.with_retry_after(LATER) } else { error }
}

fn without_code(server: &str, stage: Stage, cause: lettre::transport::smtp::Error) -> Error {
    let message = if is_certificate(&cause) {
        return Error::invalid_input(format!(
            "{server} shows a certificate that is not trusted for its name, so it got no password. Check the host name"
        ))
        .with_source(cause);
    } else if cause.is_response() {
        format!("{server} answers something that is not SMTP, or broke off. Check host, port and security")
    } else if stage == Stage::Greeting {
        format!("{server} cannot be reached. Check host, port and security")
    } else {
        format!("{server} broke off the connection")
    };
    Error::unavailable(message).with_source(cause)
}

/// TLS errors come wrapped in those of the transport.
fn is_certificate(cause: &lettre::transport::smtp::Error) -> bool {
    let mut source = std::error::Error::source(cause);
    while let Some(error) = source {
        if error.to_string().contains("certificate") {
            return true;
        }
        source = error.source();
    }
    cause.is_tls()
}

/// What a code means at this stage (RFC 5321, RFC 4954, RFC 3463), and the cure where there is one.
fn meaning(api: &Email, stage: Stage, code: u16, words: &str) -> (Kind, Option<String>) {
    let told = |kind, cure: &str| (kind, Some(cure.to_owned()));
    let daily = words.contains("5.4.5") || words.to_lowercase().contains("sending limit");
    match (stage, code) {
        (_, 421) | (Stage::Greeting | Stage::Login, 400..=499) if stage != Stage::Content => {
            told(Kind::Unavailable, "it is busy; try again later")
        }
        (_, 550) if daily => told(Kind::RateLimited, "the account has sent as much as it may today"),
        (_, 400..=499) => told(Kind::RateLimited, "it takes the mail later; nothing was delivered now"),
        (Stage::Login, 534) => told(
            Kind::Unauthenticated,
            "the provider wants an app password here. Make one in the account's security settings and set it as \
             SMTP_PASSWORD",
        ),
        (Stage::Login, _) | (_, 530 | 535) => told(
            Kind::Unauthenticated,
            "SMTP_USERNAME or SMTP_PASSWORD is not right. With Google, Microsoft or iCloud it has to be an app password",
        ),
        (Stage::Sender, _) => (
            Kind::Forbidden,
            Some(format!("the account may not send as {}. Set SMTP_FROM to an address of its own", api.from.email)),
        ),
        (Stage::Recipient, 550 | 551 | 554) if words.contains("5.7.") || words.to_lowercase().contains("relay") => {
            told(Kind::Forbidden, "the account may not send there")
        }
        (Stage::Recipient, _) => (Kind::InvalidInput, None),
        (Stage::Content, 552 | 523) => told(Kind::InvalidInput, "the mail is too large"),
        (Stage::Content, _) => {
            told(Kind::Forbidden, "the server refuses this mail, often as spam; it was not delivered")
        }
        (Stage::Greeting, _) => told(Kind::Forbidden, "it does not serve this machine"),
    }
}
