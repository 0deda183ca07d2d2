//! SMTP (RFC 5321) with AUTH (RFC 4954), one task a client.
//!
//! Faults strike by stage: `/email/connect`, `/email/auth`, `/email/mail`, `/email/rcpt`, `/email/data` and
//! `/email/message`, the last when the whole mail has arrived.

use std::{sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::json;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

use super::Mail;
use crate::{clock::moment, faults::Fault, world::World};

const LONGEST_LINE: u64 = 8_192;
const LARGEST_MAIL: usize = 25 << 20;
const MOST_RECIPIENTS: usize = 100;

/// Serves until the sandbox stops.
pub(crate) async fn run(world: Arc<World>, listener: TcpListener) {
    let stop = world.stop.clone();
    while let Some(Ok((stream, _))) = stop.run_until_cancelled(listener.accept()).await {
        let (world, stop) = (world.clone(), stop.clone());
        // Short replies are not held back for the acknowledgement of the one before.
        let _ = stream.set_nodelay(true);
        tokio::spawn(async move { stop.run_until_cancelled(Session::new(world, stream).serve()).await });
    }
}

/// The connection ends.
struct Ended;

impl From<std::io::Error> for Ended {
    fn from(_: std::io::Error) -> Ended {
        Ended
    }
}

type Step = Result<(), Ended>;

struct Session {
    world: Arc<World>,
    stream: BufReader<TcpStream>,
    greeted: bool,
    admitted: bool,
    sender: Option<String>,
    recipients: Vec<String>,
}

impl Session {
    fn new(world: Arc<World>, stream: TcpStream) -> Session {
        let stream = BufReader::new(stream);
        Session { world, stream, greeted: false, admitted: false, sender: None, recipients: Vec::new() }
    }

    async fn serve(mut self) -> Step {
        self.world.trace();
        if self.spoilt("/email/connect").await? {
            return Ok(());
        }
        self.say("220 mail.medtainer.example ESMTP").await?;
        loop {
            let line = self.line().await?;
            let (verb, rest) = line.split_once(' ').unwrap_or((&line, ""));
            match verb.to_ascii_uppercase().as_str() {
                "EHLO" | "HELO" => self.hello(verb).await?,
                "AUTH" => self.auth(rest).await?,
                "MAIL" => self.mail(rest).await?,
                "RCPT" => self.rcpt(rest).await?,
                "DATA" => self.data().await?,
                "RSET" => {
                    self.reset();
                    self.say("250 2.0.0 Ok").await?;
                }
                "NOOP" => self.say("250 2.0.0 Ok").await?,
                "VRFY" => self.say("252 2.0.0 Try and see").await?,
                "QUIT" => return self.say("221 2.0.0 Bye").await,
                _ => self.say("502 5.5.2 Error: command not recognized").await?,
            }
        }
    }

    async fn hello(&mut self, verb: &str) -> Step {
        self.greeted = true;
        self.reset();
        if verb.eq_ignore_ascii_case("HELO") {
            return self.say("250 mail.medtainer.example").await;
        }
        self.say(
            "250-mail.medtainer.example\r\n250-PIPELINING\r\n250-SIZE 26214400\r\n250-AUTH PLAIN LOGIN\r\n\
             250-ENHANCEDSTATUSCODES\r\n250-8BITMIME\r\n250 SMTPUTF8",
        )
        .await
    }

    async fn auth(&mut self, rest: &str) -> Step {
        if self.spoilt("/email/auth").await? {
            return Ok(());
        }
        if !self.greeted || self.admitted {
            return self.say("503 5.5.1 Error: send EHLO first, AUTH once").await;
        }
        let (mechanism, initial) = rest.split_once(' ').unwrap_or((rest, ""));
        let given = match mechanism.to_ascii_uppercase().as_str() {
            "PLAIN" => self.plain(initial).await?,
            "LOGIN" => self.login(initial).await?,
            _ => return self.say("504 5.5.4 Unrecognized authentication type").await,
        };
        let known = {
            let post = self.world.post();
            given == Some((post.username.clone(), post.password.clone()))
        };
        if !known {
            return self.say("535 5.7.8 Error: authentication failed: UGFzc3dvcmQ6").await;
        }
        self.admitted = true;
        self.say("235 2.7.0 Authentication successful").await
    }

    /// `\0user\0password` in one piece.
    async fn plain(&mut self, initial: &str) -> Result<Option<(String, String)>, Ended> {
        let text = if initial.is_empty() { self.ask("334 ").await? } else { decoded(initial) };
        let mut parts = text.split('\0').skip(1).map(str::to_owned);
        Ok(parts.next().zip(parts.next()))
    }

    async fn login(&mut self, initial: &str) -> Result<Option<(String, String)>, Ended> {
        let username = if initial.is_empty() { self.ask("334 VXNlcm5hbWU6").await? } else { decoded(initial) };
        let password = self.ask("334 UGFzc3dvcmQ6").await?;
        Ok(Some((username, password)))
    }

    async fn ask(&mut self, question: &str) -> Result<String, Ended> {
        self.say(question).await?;
        Ok(decoded(&self.line().await?))
    }

    async fn mail(&mut self, rest: &str) -> Step {
        if self.spoilt("/email/mail").await? {
            return Ok(());
        }
        if !self.admitted {
            return self.say("530 5.7.0 Authentication required").await;
        }
        if self.sender.is_some() {
            return self.say("503 5.5.1 Error: nested MAIL command").await;
        }
        let Some(sender) = path(rest, "FROM:") else { return self.say("501 5.5.4 Syntax: MAIL FROM:<address>").await };
        if !self.world.post().may_send_as(&sender) {
            let refusal = format!("553 5.7.1 <{sender}>: Sender address rejected: not owned by the authenticated user");
            return self.say(&refusal).await;
        }
        self.sender = Some(sender);
        self.say("250 2.1.0 Ok").await
    }

    async fn rcpt(&mut self, rest: &str) -> Step {
        if self.spoilt("/email/rcpt").await? {
            return Ok(());
        }
        if self.sender.is_none() {
            return self.say("503 5.5.1 Error: need MAIL command").await;
        }
        let Some(recipient) = path(rest, "TO:") else { return self.say("501 5.5.4 Syntax: RCPT TO:<address>").await };
        // A top-level domain that never exists (RFC 6761).
        if recipient.to_ascii_lowercase().ends_with(".invalid") {
            return self.say(&format!("550 5.1.2 <{recipient}>: Recipient address rejected: Domain not found")).await;
        }
        if self.recipients.len() >= MOST_RECIPIENTS {
            return self.say("452 4.5.3 Error: too many recipients").await;
        }
        self.recipients.push(recipient);
        self.say("250 2.1.5 Ok").await
    }

    async fn data(&mut self) -> Step {
        if self.spoilt("/email/data").await? {
            return Ok(());
        }
        if self.recipients.is_empty() {
            return self.say("503 5.5.1 Error: need RCPT command").await;
        }
        self.say("354 End data with <CR><LF>.<CR><LF>").await?;
        let Some(raw) = self.content().await? else {
            self.reset();
            return self.say("552 5.3.4 Error: message file too big").await;
        };
        let fault = self.world.faults.take("SMTP", "/email/message");
        match fault {
            Some(Fault::DropReply) => {
                self.keep(raw);
                Err(Ended)
            }
            Some(Fault::StallReply(time)) => {
                let number = self.keep(raw);
                tokio::time::sleep(time).await;
                self.say(&format!("250 2.0.0 Ok: queued as {number:08X}")).await
            }
            Some(fault) => {
                self.reset();
                self.spoil(fault).await?;
                Ok(())
            }
            None => {
                let number = self.keep(raw);
                self.say(&format!("250 2.0.0 Ok: queued as {number:08X}")).await
            }
        }
    }

    /// Everything up to the line with a dot; none when it is too much.
    async fn content(&mut self) -> Result<Option<String>, Ended> {
        let mut raw: Vec<u8> = Vec::new();
        let mut too_big = false;
        loop {
            let mut line = Vec::new();
            let read = (&mut self.stream).take(LARGEST_MAIL as u64).read_until(b'\n', &mut line).await?;
            if read == 0 {
                return Err(Ended);
            }
            if line == b".\r\n" {
                return Ok((!too_big).then(|| String::from_utf8_lossy(&raw).into_owned()));
            }
            // A dot that begins a line was doubled on the way (RFC 5321 §4.5.2).
            let line = line.strip_prefix(b".").unwrap_or(&line);
            too_big |= raw.len() + line.len() > LARGEST_MAIL;
            if !too_big {
                raw.extend_from_slice(line);
            }
        }
    }

    /// Keeps the mail as delivered, and gives its number.
    fn keep(&mut self, raw: String) -> usize {
        let now = self.world.now();
        let (from, to) = (self.sender.take().unwrap_or_default(), std::mem::take(&mut self.recipients));
        let message_id = header(&raw, "message-id");
        let id = message_id.clone().unwrap_or_default();
        let payload = json!({"from": from, "to": to, "subject": header(&raw, "subject")});
        self.world.business().record(now, "email.message", &id, "api", payload);
        let mut post = self.world.post();
        post.mails.push(Mail { at: moment(now), from, to, message_id, raw });
        post.mails.len()
    }

    fn reset(&mut self) {
        self.sender = None;
        self.recipients.clear();
    }

    /// Whether a fault took the place of the answer.
    async fn spoilt(&mut self, stage: &str) -> Result<bool, Ended> {
        match self.world.faults.take("SMTP", stage) {
            Some(Fault::Stall(time)) => {
                tokio::time::sleep(time).await;
                Ok(false)
            }
            Some(fault) => self.spoil(fault).await.map(|()| true),
            None => Ok(false),
        }
    }

    async fn spoil(&mut self, fault: Fault) -> Step {
        match fault {
            Fault::Status(code @ (421 | 554)) => {
                self.say(&format!("{code} {}.3.0 Service not available", code / 100)).await?;
                Err(Ended)
            }
            Fault::Status(code) => {
                self.say(&format!("{code} {}.0.0 The sandbox was asked to say so", code / 100)).await
            }
            Fault::DailyLimit => self.say("550 5.4.5 Daily user sending limit exceeded").await,
            Fault::ExpiredToken => self.say("534 5.7.9 Application-specific password required").await,
            Fault::Malformed | Fault::Html => self.say("<html>this is no mail server</html>").await,
            Fault::Stall(time) | Fault::StallReply(time) => {
                tokio::time::sleep(time).await;
                Err(Ended)
            }
            Fault::Drop | Fault::DropReply | Fault::Truncated => Err(Ended),
        }
    }

    async fn line(&mut self) -> Result<String, Ended> {
        let mut line = Vec::new();
        let mut limited = (&mut self.stream).take(LONGEST_LINE);
        // A client that says nothing is sent away, as everywhere (RFC 5321 §4.5.3.2.7).
        let reading = tokio::time::timeout(Duration::from_secs(300), limited.read_until(b'\n', &mut line));
        let read = reading.await.map_err(|_| Ended)??;
        if read == 0 {
            return Err(Ended);
        }
        Ok(String::from_utf8_lossy(&line).trim_end().to_owned())
    }

    async fn say(&mut self, line: &str) -> Step {
        self.stream.get_mut().write_all(format!("{line}\r\n").as_bytes()).await?;
        Ok(())
    }
}

fn decoded(text: &str) -> String {
    let bytes = STANDARD.decode(text.trim()).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// `FROM:<ada@example.com> BODY=8BITMIME` → `ada@example.com`
fn path(rest: &str, keyword: &str) -> Option<String> {
    let given = rest.get(..keyword.len())?;
    let path = rest[keyword.len()..].trim_start().strip_prefix('<')?;
    let (address, _) = path.split_once('>')?;
    (given.eq_ignore_ascii_case(keyword) && address.contains('@')).then(|| address.to_owned())
}

/// A header's value, its folded lines joined.
fn header(raw: &str, name: &str) -> Option<String> {
    let head = raw.split("\r\n\r\n").next()?.replace("\r\n ", " ").replace("\r\n\t", " ");
    head.split("\r\n").find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
    })
}
