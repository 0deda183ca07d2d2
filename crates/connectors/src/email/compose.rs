//! From arguments to a mail: addresses, headers, body. Nothing in an argument can become a header of its own.

use chrono::{DateTime, Utc};
use lettre::message::{Mailbox, MultiPart};
use lettre::{Address, Message};
use sdk::{Error, Result};
use sha2::{Digest, Sha256};

use super::send::Send;

/// A mail that is ready to be handed in.
pub struct Mail {
    /// With its angle brackets.
    pub id: String,
    pub from: Address,
    /// Everyone who gets it, once each.
    pub recipients: Vec<Address>,
    pub bytes: Vec<u8>,
}

/// Builds the mail. `key` decides its Message-ID: the same intended effect has the same, so that a person who finds two
/// sees that they are one, and many servers do too.
pub fn mail(from: &Mailbox, args: &Send, key: &str, now: DateTime<Utc>) -> Result<Mail> {
    one_line("subject", &args.subject)?;
    let id = message_id(key, from.email.domain());
    let mut builder = Message::builder()
        .from(from.clone())
        .subject(args.subject.trim())
        .message_id(Some(id.clone()))
        .date(now.into());
    let mut recipients = Vec::new();
    for (name, list) in [("to", &args.to), ("cc", &args.cc), ("bcc", &args.bcc)] {
        for text in list {
            let mailbox = mailbox(name, text)?;
            keep(&mut recipients, &mailbox.email);
            builder = match name {
                "to" => builder.to(mailbox),
                "cc" => builder.cc(mailbox),
                // Who gets a blind copy stands in the envelope alone.
                _ => builder,
            };
        }
    }
    if let Some(reply_to) = &args.reply_to {
        builder = builder.reply_to(mailbox("reply_to", reply_to)?);
    }
    let envelope = lettre::address::Envelope::new(Some(from.email.clone()), recipients.clone()).map_err(unfit)?;
    let builder = builder.envelope(envelope);
    let message = match &args.html {
        Some(html) => builder.multipart(MultiPart::alternative_plain_html(args.text.clone(), html.clone())),
        None => builder.singlepart(lettre::message::SinglePart::plain(args.text.clone())),
    };
    let bytes = message.map_err(unfit)?.formatted();
    Ok(Mail { id, from: from.email.clone(), recipients, bytes })
}

/// `ada@example.com` or `Ada Byron <ada@example.com>`.
pub fn mailbox(argument: &str, text: &str) -> Result<Mailbox> {
    one_line(argument, text)?;
    text.trim().parse().map_err(|_| {
        let shown = sdk::text::cut(text, 80);
        Error::invalid_input(format!("{argument}: `{shown}` is not an e-mail address"))
    })
}

/// A line break in a header would begin another header.
fn one_line(argument: &str, text: &str) -> Result<()> {
    if text.chars().any(char::is_control) {
        return Err(Error::invalid_input(format!("{argument}: it has a line break or another control character")));
    }
    Ok(())
}

fn keep(recipients: &mut Vec<Address>, address: &Address) {
    let address_text: &str = address.as_ref();
    let same = |other: &Address| AsRef::<str>::as_ref(other).eq_ignore_ascii_case(address_text);
    if !recipients.iter().any(same) {
        recipients.push(address.clone());
    }
}

fn message_id(key: &str, domain: &str) -> String {
    let digest = hex::encode(Sha256::digest(key.as_bytes()));
    format!("<{}@{domain}>", &digest[..32])
}

fn unfit(error: impl Into<Box<dyn std::error::Error + std::marker::Send + Sync>>) -> Error {
    Error::invalid_input("these arguments do not make a mail").with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(json: serde_json::Value) -> Send {
        serde_json::from_value(json).unwrap()
    }

    fn build(json: serde_json::Value) -> Result<Mail> {
        let from = mailbox("from", "MedTainer <sales@medtainer.example>").unwrap();
        mail(&from, &args(json), "run:step", "2026-11-21T20:00:00Z".parse().unwrap())
    }

    #[test]
    fn nothing_can_become_a_header() {
        let good = serde_json::json!({"to": ["ada@example.com"], "subject": "Hi", "text": "x"});
        for (name, value) in [
            ("subject", serde_json::json!("Hi\r\nBcc: all@example.com")),
            ("subject", serde_json::json!("Hi\nX: y")),
            ("to", serde_json::json!(["ada@example.com\r\nBcc: b@example.com"])),
            ("cc", serde_json::json!(["A\r\nX: y <ada@example.com>"])),
            ("bcc", serde_json::json!(["ada@example.com>\r\nRCPT TO:<eve@example.com"])),
            ("reply_to", serde_json::json!("a@example.com\rX: y")),
            ("to", serde_json::json!(["no address"])),
        ] {
            let mut bad = good.clone();
            bad[name] = value;
            let error = build(bad).err().unwrap();
            assert_eq!(error.kind, sdk::Kind::InvalidInput);
            assert!(error.message.starts_with(name), "{error}");
        }
        assert!(build(good).is_ok());
    }

    #[test]
    fn blind_copies_are_blind_and_nobody_gets_it_twice() {
        let mail = build(serde_json::json!({"to": ["Ada <ada@example.com>"], "cc": ["ADA@example.com"],
            "bcc": ["eve@example.com"], "subject": "Grüße", "text": "Hi", "html": "<p>Hi</p>"}))
        .unwrap();
        assert_eq!(mail.recipients.len(), 2);
        let text = String::from_utf8(mail.bytes).unwrap();
        assert!(!text.contains("eve@example.com"), "{text}");
        assert!(text.contains(&format!("Message-ID: {}", mail.id)) && text.contains("multipart/alternative"), "{text}");
        assert!(text.contains("Date: Sat, 21 Nov 2026 20:00:00 +0000"), "{text}");
    }
}
