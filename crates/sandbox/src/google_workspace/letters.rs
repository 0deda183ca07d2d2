//! Mails as text (RFC 5322): read when a client brings one, written when it asks for one.

use base64::{
    Engine, alphabet,
    engine::{
        DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig,
        general_purpose::{STANDARD, URL_SAFE},
    },
};
use serde_json::{Value, json};

use super::{reply::Refusal, state::Mail};

/// base64url with or without padding.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The mail in `raw`.
pub(super) fn read(raw: &str) -> Result<Mail, Refusal> {
    let invalid = |message: &str| Refusal::old(400, "invalidArgument", message);
    let bytes = LENIENT.decode(raw).map_err(|_| invalid("Invalid value for ByteString"))?;
    let text = String::from_utf8_lossy(&bytes).replace("\r\n", "\n");
    let (head, body) = text.split_once("\n\n").unwrap_or((&text, ""));
    let unfolded = head.replace("\n ", " ").replace("\n\t", " ");
    let header = |line: &str| line.split_once(':').map(|(name, value)| (name.to_owned(), decoded(value.trim())));
    let mail =
        Mail { headers: unfolded.lines().filter_map(header).collect(), raw: Some(raw.to_owned()), ..Mail::default() };
    let encoding = mail.header("Content-Transfer-Encoding").unwrap_or_default().to_ascii_lowercase();
    let text = match encoding.as_str() {
        "base64" => STANDARD
            .decode(body.replace('\n', ""))
            .map_or_else(|_| body.to_owned(), |b| String::from_utf8_lossy(&b).into_owned()),
        _ => body.to_owned(),
    };
    Ok(Mail { text, ..mail })
}

/// Encoded words (RFC 2047) of UTF-8 and base64; blanks between two of them go.
fn decoded(value: &str) -> String {
    let mut text = String::new();
    let mut rest = value;
    while let Some((before, after)) = rest.split_once("=?utf-8?B?") {
        if !before.trim().is_empty() || text.is_empty() {
            text.push_str(before);
        }
        let (word, after) = after.split_once("?=").unwrap_or((after, ""));
        text.push_str(&String::from_utf8_lossy(&STANDARD.decode(word).unwrap_or_default()));
        rest = after;
    }
    text + rest
}

/// A mail as `messages.get` shows it.
pub(super) fn shown(mail: &Mail, format: &str, wanted: &[String]) -> Value {
    let snippet: String = mail.text.chars().take(180).collect();
    let snippet = snippet
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;");
    let mut row = json!({"id": mail.id, "threadId": mail.thread, "labelIds": mail.labels, "snippet": snippet,
        "internalDate": mail.at.to_string(), "sizeEstimate": 1_000 + mail.text.len(), "historyId": mail.at.to_string()});
    match format {
        "minimal" => {}
        "raw" => row["raw"] = mail.raw.clone().unwrap_or_else(|| URL_SAFE.encode(&mail.text)).into(),
        "metadata" => {
            let of = |name: &str| wanted.is_empty() || wanted.iter().any(|wanted| wanted.eq_ignore_ascii_case(name));
            row["payload"] = json!({"mimeType": "text/plain", "headers": headers(mail, of)});
        }
        _ => row["payload"] = payload(mail),
    }
    row
}

fn headers(mail: &Mail, wanted: impl Fn(&str) -> bool) -> Value {
    mail.headers
        .iter()
        .filter(|(name, _)| wanted(name))
        .map(|(name, value)| json!({"name": name, "value": value}))
        .collect()
}

fn payload(mail: &Mail) -> Value {
    let part = |id: &str, mime: &str, text: &str| {
        json!({"partId": id, "mimeType": mime, "filename": "", "headers": [{"name": "Content-Type", "value": mime}],
            "body": {"size": text.len(), "data": URL_SAFE.encode(text)}})
    };
    let mut parts = Vec::new();
    if !mail.text.is_empty() {
        parts.push(part("0", "text/plain", &mail.text));
    }
    if let Some(html) = &mail.html {
        parts.push(part("1", "text/html", html));
    }
    for (n, name) in mail.attachments.iter().enumerate() {
        parts.push(json!({"partId": (n + 2).to_string(), "mimeType": "application/pdf", "filename": name,
            "headers": [], "body": {"attachmentId": format!("ANGjd{n}"), "size": 48_213}}));
    }
    let all = headers(mail, |_| true);
    if let [only] = parts.as_mut_slice() {
        only["headers"] = all;
        only["partId"] = "".into();
        return parts.remove(0);
    }
    json!({"partId": "", "mimeType": "multipart/mixed", "filename": "", "headers": all, "body": {"size": 0}, "parts": parts})
}
