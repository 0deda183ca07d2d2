//! E-mail against the simulated mail server, over real SMTP.
#![expect(clippy::unwrap_used, reason = "a test ends where it fails, also in its helpers")]

mod talk;

use std::time::Duration;

use chrono::{DateTime, Utc};
use connectors::email::Email;
use sandbox::{Fault, Options, Sandbox};
use sdk::Kind;
use serde_json::{Value, json};
use talk::Talk;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

async fn start() -> Sandbox {
    let now: DateTime<Utc> = "2026-11-23T20:00:00Z".parse().unwrap();
    let options = Options { contacts: 20, ..Options::new(now) };
    sandbox::start(options, "127.0.0.1:0".parse().unwrap()).await.unwrap()
}

fn mail() -> Value {
    json!({"to": ["Ada Byron <ada@example.com>"], "cc": ["bo@example.com"], "bcc": ["eve@example.com"],
        "subject": "Your quote – 5,000 tubes", "text": "Dear Ada,\n.\n..two dots\nBye", "html": "<p>Dear Ada</p>",
        "reply_to": "quotes@medtainer.example"})
}

fn without(mut config: Value, name: &str) -> Value {
    config.as_object_mut().unwrap().remove(name);
    config
}

#[tokio::test]
async fn a_mail_arrives_whole_and_the_attempt_is_recorded() {
    let sandbox = start().await;
    let talk = Talk::to::<Email>(&sandbox);
    let sent = talk.run("send", mail()).await.unwrap();
    assert_eq!(sent["recipients"], 3);
    assert!(sent["reply"].as_str().unwrap().starts_with("250 2.0.0 Ok: queued as"), "{sent}");

    let mails = sandbox.mails();
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0].to, ["ada@example.com", "bo@example.com", "eve@example.com"]);
    assert_eq!(mails[0].message_id.as_deref(), sent["message_id"].as_str());
    assert_eq!(mails[0].from, sent["from"].as_str().unwrap());
    let raw = &mails[0].raw;
    assert!(!raw.contains("eve@example.com"), "a blind copy is not in the headers:\n{raw}");
    for part in [
        "To: \"Ada Byron\" <ada@example.com>",
        "Cc: bo@example.com",
        "Reply-To: quotes@medtainer.example",
        "Subject: Your quote =?utf-8?",
        "multipart/alternative",
        "\r\n.\r\n..two dots\r\n",
        "<p>Dear Ada</p>",
    ] {
        assert!(raw.contains(part), "{part} is not in\n{raw}");
    }
    let effects = sandbox.business().effects();
    assert_eq!((effects.len(), effects[0].kind.as_str()), (1, "email.message"));

    assert_eq!(talk.attempts(), ["SMTP send 250"]);
    let attempt = talk.seen.lock().unwrap()[0].clone();
    assert!(attempt.request_bytes + 2 >= raw.len() && attempt.response_bytes > 0, "{attempt:?}");
    assert_eq!((attempt.ecosystem, attempt.error), ("email", None));
}

#[tokio::test]
async fn the_admin_wire_shows_the_mails() {
    let sandbox = start().await;
    Talk::to::<Email>(&sandbox).run("send", mail()).await.unwrap();
    let shown = reqwest::get(format!("{}/__sandbox/mails", sandbox.url())).await.unwrap();
    let shown: Value = serde_json::from_slice(&shown.bytes().await.unwrap()).unwrap();
    assert_eq!(shown["mails"][0]["to"][2], "eve@example.com", "{shown:#}");
}

#[tokio::test]
async fn the_same_effect_has_the_same_message_id_and_another_has_another() {
    let sandbox = start().await;
    let talk = Talk::to::<Email>(&sandbox);
    for key in ["run:a", "run:a", "run:b"] {
        talk.run_as(key, "send", mail()).await.unwrap();
    }
    let ids: Vec<_> = sandbox.mails().into_iter().map(|mail| mail.message_id.unwrap()).collect();
    assert_eq!(ids[0], ids[1]);
    assert_ne!(ids[0], ids[2]);
    assert!(ids[0].ends_with("@medtainer.example>") && !ids[0].contains("run"), "{}", ids[0]);
}

#[tokio::test]
async fn a_dry_run_tells_and_sends_nothing() {
    let sandbox = start().await;
    let talk = Talk::to::<Email>(&sandbox);
    let mut arguments = mail();
    arguments["dry_run"] = json!(true);
    let answer = talk.run("send", arguments).await.unwrap();
    let plan = &answer["plan"];
    assert_eq!(plan["changes"][0]["after"]["to"], json!(["Ada Byron <ada@example.com>"]));
    assert!(plan["would"].as_str().unwrap().contains("3 people"), "{plan:#}");
    assert_eq!(plan["notes"], json!(["1 of them get a blind copy."]));
    assert!(sandbox.mails().is_empty() && talk.attempts().is_empty());
}

#[tokio::test]
async fn checking_logs_in_and_sends_nothing() {
    let sandbox = start().await;
    let talk = Talk::to::<Email>(&sandbox);
    let account = talk.check().await.unwrap();
    assert!(account.id.ends_with("@medtainer.example") && account.name.contains("127.0.0.1"), "{account:?}");
    assert_eq!(talk.attempts(), ["SMTP check 235"]);
    assert!(sandbox.mails().is_empty());
}

#[tokio::test]
async fn a_wrong_password_is_named_and_never_shown() {
    let sandbox = start().await;
    let account = sandbox.account("email").unwrap();
    let talk = Talk::new::<Email>(
        account.config,
        &[("username", &account.credentials["username"]), ("password", "wr0ng-canary")],
    );
    for error in [talk.check().await.unwrap_err(), talk.fails("send", mail()).await] {
        assert_eq!(error.kind, Kind::Unauthenticated);
        assert!(error.message.contains("SMTP_PASSWORD") && error.message.contains("535"), "{error}");
        assert!(!error.outcome_unknown && !format!("{error:?}").contains("canary"));
    }
    assert_eq!(talk.attempts(), ["SMTP check 535", "SMTP send 535"], "it is not tried again");
}

#[tokio::test]
async fn refusals_are_told_apart_and_nothing_is_delivered() {
    let sandbox = start().await;
    for (stage, fault, kind, says) in [
        ("/email/connect", Fault::Status(554), Kind::Forbidden, "does not serve this machine"),
        ("/email/auth", Fault::ExpiredToken, Kind::Unauthenticated, "app password"),
        ("/email/mail", Fault::Status(550), Kind::Forbidden, "SMTP_FROM"),
        ("/email/rcpt", Fault::Status(550), Kind::InvalidInput, "ada@example.com"),
        ("/email/rcpt", Fault::Status(450), Kind::RateLimited, "later"),
        ("/email/data", Fault::Status(451), Kind::RateLimited, "later"),
        ("/email/message", Fault::Status(554), Kind::Forbidden, "spam"),
        ("/email/message", Fault::Status(452), Kind::RateLimited, "nothing was delivered"),
        ("/email/message", Fault::Status(421), Kind::RateLimited, "later"),
        ("/email/message", Fault::DailyLimit, Kind::RateLimited, "today"),
        ("/email/message", Fault::Status(552), Kind::InvalidInput, "too large"),
    ] {
        let talk = Talk::to::<Email>(&sandbox);
        sandbox.faults().next_on(stage, 1, fault.clone());
        let error = talk.fails("send", mail()).await;
        assert_eq!(error.kind, kind, "{stage} {fault:?}: {error}");
        assert!(error.message.contains(says), "{stage} {fault:?}: {error}");
        assert!(!error.outcome_unknown, "{stage} {fault:?}: a reply with a code is a known outcome");
        assert_eq!(talk.attempts().len(), 1, "{stage} {fault:?}");
    }
    assert!(sandbox.mails().is_empty());
}

#[tokio::test]
async fn every_refused_recipient_is_named_and_the_others_get_nothing_either() {
    let sandbox = start().await;
    let talk = Talk::to::<Email>(&sandbox);
    let arguments =
        json!({"to": ["a@nowhere.invalid", "ada@example.com", "b@nowhere.invalid"], "subject": "Hi", "text": "x"});
    let error = talk.fails("send", arguments).await;
    assert_eq!(error.kind, Kind::InvalidInput);
    let both = error.message.contains("a@nowhere.invalid") && error.message.contains("b@nowhere.invalid");
    assert!(both && !error.message.contains("ada@example.com"), "{error}");
    assert!(sandbox.mails().is_empty());
}

#[tokio::test]
async fn a_foreign_sender_is_refused_with_the_cure() {
    let sandbox = start().await;
    let mut talk = Talk::to::<Email>(&sandbox);
    talk.config["from"] = json!("Somebody <somebody@elsewhere.example>");
    let error = talk.fails("send", mail()).await;
    assert_eq!(error.kind, Kind::Forbidden);
    assert!(error.message.contains("may not send as somebody@elsewhere.example"), "{error}");
}

#[tokio::test]
async fn what_breaks_before_the_content_is_tried_again_and_arrives_once() {
    let sandbox = start().await;
    for stage in ["/email/connect", "/email/auth", "/email/mail", "/email/rcpt", "/email/data"] {
        let talk = Talk::to::<Email>(&sandbox);
        let before = sandbox.mails().len();
        sandbox.faults().next_on(stage, 1, Fault::Drop);
        talk.run("send", mail()).await.unwrap_or_else(|error| panic!("{stage}: {error:?}"));
        assert_eq!(sandbox.mails().len() - before, 1, "{stage}");
        assert_eq!(talk.attempts().len(), 2, "{stage}");
    }
}

#[tokio::test]
async fn what_breaks_after_the_content_is_unknown_and_never_sent_again() {
    let sandbox = start().await;
    for (fault, delivered) in [(Fault::DropReply, 1), (Fault::Drop, 0), (Fault::Malformed, 0)] {
        let talk = Talk::to::<Email>(&sandbox);
        let before = sandbox.mails().len();
        sandbox.faults().next_on("/email/message", 1, fault.clone());
        let error = talk.fails("send", mail()).await;
        assert!(error.outcome_unknown && error.message.contains("unknown"), "{fault:?}: {error}");
        assert_eq!(sandbox.mails().len() - before, delivered, "{fault:?}");
        assert_eq!(talk.attempts().len(), 1, "{fault:?}");
    }
}

#[tokio::test]
async fn two_hundred_lost_replies_make_no_duplicate() {
    let sandbox = start().await;
    let settings = sdk::http::Settings { breaker_failures: 1_000, ..Default::default() };
    let account = sandbox.account("email").unwrap();
    let credentials: Vec<_> =
        account.credentials.iter().map(|(name, secret)| (name.as_str(), secret.as_str())).collect();
    let talk = Talk::with::<Email>(account.config, &credentials, settings);
    sandbox.faults().always("/email/message", Fault::DropReply);
    for n in 0..200 {
        let arguments = json!({"to": ["ada@example.com"], "subject": format!("Mail {n}"), "text": "x"});
        assert!(talk.fails("send", arguments).await.outcome_unknown);
    }
    assert_eq!(sandbox.mails().len(), 200);
    let ids: std::collections::BTreeSet<_> = sandbox.mails().into_iter().map(|mail| mail.message_id).collect();
    assert_eq!(ids.len(), 200);
}

#[tokio::test]
async fn the_deadline_ends_it_and_tells_whether_the_outcome_is_known() {
    let sandbox = start().await;
    let account = sandbox.account("email").unwrap();
    let credentials: Vec<_> =
        account.credentials.iter().map(|(name, secret)| (name.as_str(), secret.as_str())).collect();
    let settings = sdk::http::Settings { timeout: Duration::from_millis(400), attempts: 1, ..Default::default() };
    let talk = Talk::with::<Email>(account.config, &credentials, settings);
    for (stage, fault, unknown) in [
        ("/email/connect", Fault::Stall(Duration::from_secs(20)), false),
        ("/email/data", Fault::Stall(Duration::from_secs(20)), false),
        ("/email/message", Fault::StallReply(Duration::from_secs(20)), true),
    ] {
        sandbox.faults().next_on(stage, 1, fault);
        let error = talk.fails("send", mail()).await;
        assert_eq!((error.kind, error.outcome_unknown), (Kind::Unavailable, unknown), "{stage}: {error}");
    }
    assert_eq!(sandbox.mails().len(), 1);
}

#[tokio::test]
async fn line_breaks_in_headers_are_refused_before_anything_is_sent() {
    let sandbox = start().await;
    let talk = Talk::to::<Email>(&sandbox);
    for (name, value) in [
        ("subject", json!("Hi\r\nBcc: all@example.com")),
        ("to", json!(["ada@example.com\r\nBcc: eve@example.com"])),
        ("reply_to", json!("a@example.com\nX: y")),
        ("to", json!(["not an address"])),
    ] {
        let mut arguments = mail();
        arguments[name] = value;
        let error = talk.fails("send", arguments).await;
        assert_eq!(error.kind, Kind::InvalidInput);
        assert!(error.message.starts_with(name), "{error}");
    }
    assert!(talk.attempts().is_empty() && sandbox.mails().is_empty());
}

#[tokio::test]
async fn a_server_without_starttls_gets_no_password_and_no_mail() {
    let sandbox = start().await;
    let mut talk = Talk::to::<Email>(&sandbox);
    talk.config = without(talk.config, "security");
    let error = talk.fails("send", mail()).await;
    assert!(error.message.contains("does not offer STARTTLS") && !error.outcome_unknown, "{error}");
    // TLS from the first byte, to a server that does not speak it.
    talk.config["security"] = json!("tls");
    let error = talk.fails("send", mail()).await;
    assert!(!error.outcome_unknown && sandbox.mails().is_empty(), "{error}");
}

#[tokio::test]
async fn starttls_with_a_certificate_that_nobody_vouches_for_gets_no_password() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let heard = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut all = Vec::new();
        stream.write_all(b"220 hi\r\n").await.unwrap();
        let mut bytes = [0; 4096];
        for reply in [&b"250-hi\r\n250-AUTH PLAIN\r\n250 STARTTLS\r\n"[..], b"220 go\r\n", b"not TLS at all\r\n"] {
            let read = stream.read(&mut bytes).await.unwrap();
            all.extend_from_slice(&bytes[..read]);
            stream.write_all(reply).await.unwrap();
        }
        let _ = stream.read_to_end(&mut all).await;
        String::from_utf8_lossy(&all).into_owned()
    });
    let settings = sdk::http::Settings { attempts: 1, ..Default::default() };
    let config = json!({"host": "127.0.0.1", "port": port});
    let talk = Talk::with::<Email>(config, &[("username", "a@b.example"), ("password", "s3cret-canary")], settings);
    let error = talk.fails("send", mail()).await;
    assert!(!error.outcome_unknown, "{error}");
    drop(talk);
    let heard = heard.await.unwrap();
    assert!(heard.contains("STARTTLS") && !heard.contains("AUTH") && !heard.contains("MAIL"), "{heard}");
}

#[tokio::test]
async fn a_server_that_cannot_be_reached_or_is_none_is_named() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let config = json!({"host": "127.0.0.1", "port": port, "security": "none"});
    let talk = Talk::new::<Email>(config, &[("username", "a@b.example"), ("password", "x")]);
    let error = talk.fails("send", mail()).await;
    assert_eq!((error.kind, error.outcome_unknown), (Kind::Unavailable, false));
    assert!(error.message.contains("cannot be reached"), "{error}");
    assert_eq!(talk.attempts().len(), 3, "nothing was sent, so it was tried again");

    let none = Talk::new::<Email>(json!({}), &[("username", "a@b.example"), ("password", "x")]);
    assert!(none.fails("send", mail()).await.message.contains("SMTP_HOST"));
    let open = json!({"host": "mail.example.com", "security": "none"});
    let open = Talk::new::<Email>(open, &[("username", "a@b.example"), ("password", "x")]);
    assert!(open.fails("send", mail()).await.message.contains("password"));
}

#[tokio::test]
async fn a_server_that_only_knows_auth_login_is_served_too() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"220 hi\r\n").await.unwrap();
        let mut bytes = [0; 4096];
        for reply in [
            "250-hi\r\n250 AUTH LOGIN\r\n",
            "334 VXNlcm5hbWU6\r\n",
            "334 UGFzc3dvcmQ6\r\n",
            "235 ok\r\n",
            "221 bye\r\n",
        ] {
            let _ = stream.read(&mut bytes).await;
            let _ = stream.write_all(reply.as_bytes()).await;
        }
    });
    let config = json!({"host": "127.0.0.1", "port": port, "security": "none"});
    let talk = Talk::new::<Email>(config, &[("username", "a@b.example"), ("password", "x")]);
    assert_eq!(talk.check().await.unwrap().id, "a@b.example");
}
