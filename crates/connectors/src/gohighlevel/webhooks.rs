//! GoHighLevel's webhooks: flat events of a marketplace app, signed with Ed25519.
//!
//! <https://marketplace.gohighlevel.com/docs/webhook/WebhookIntegrationGuide>. The key that signs is the vendor's own and
//! the same for all apps, so that a proven event may be of a stranger's location; only the location tells.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::Duration;
use ring::signature::{ED25519, UnparsedPublicKey};
use sdk::auth::Key;
use sdk::webhook::{Delivery, Event, Received, Refusal, Webhook};
use serde_json::Value;

use crate::json;

pub const WEBHOOK: Webhook = Webhook {
    secret: Key {
        name: "webhook_public_key",
        env: "GHL_WEBHOOK_PUBLIC_KEY",
        help: "the vendor's public key for X-GHL-Signature; only if it has another one than the default",
    },
    // Two independent public repositories cite it from the vendor's documents; there is no page of the vendor to link.
    default: Some("MCowBQYDK2VwAyEAi2HR1srL4o18O8BRa7gVJY7G7bupbN3H9AwJrHCDiOg="),
    account: Some("location_id"),
    // Every other status is final, 5xx too.
    again: 429,
    setup: "a marketplace app's settings > Advanced settings > Webhooks; private integrations have none",
    subscribed: false,
    open,
};

/// The vendor repeats a delivery that was answered with 429 up to six times in a little more than an hour, with the same
/// bytes; a narrower window would refuse what we sent away ourselves. Repetitions within it are known by their id.
const OLDEST: Duration = Duration::hours(2);

/// Ed25519 keys in SubjectPublicKeyInfo (RFC 8410) are these twelve bytes and the key.
const SPKI: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// `X-GHL-Signature` is base64 of an Ed25519 signature (RFC 8032) over the raw body. The RSA signature of
/// `x-wh-signature` is no longer sent.
pub fn open(delivery: &Delivery<'_>, key: &str) -> Result<Received, Refusal> {
    let key = public_key(key)?;
    // `N/A` has been seen, and is no signature either.
    let signature = delivery.header("x-ghl-signature").ok_or(Refusal::Unproven("X-GHL-Signature is missing"))?;
    let signature = STANDARD.decode(signature).map_err(|_| Refusal::Unproven("X-GHL-Signature is not base64"))?;
    UnparsedPublicKey::new(&ED25519, key)
        .verify(delivery.body, &signature)
        .map_err(|_| Refusal::Unproven("the signature does not fit the body"))?;
    let body: Value =
        serde_json::from_slice(delivery.body).map_err(|e| Refusal::Unreadable(format!("the body is not JSON: {e}")))?;
    if let Some(sent) = json::time(&body, "timestamp") {
        delivery.must_be_of_now(sent, OLDEST)?;
    }
    Ok(Received::Events(vec![event(&body)?]))
}

/// Base64 of SubjectPublicKeyInfo, with or without the lines of PEM, or of the 32 bytes alone.
fn public_key(text: &str) -> Result<Vec<u8>, Refusal> {
    const WRONG: Refusal = Refusal::Secret("GHL_WEBHOOK_PUBLIC_KEY is not an Ed25519 public key in base64");
    let inner: String = text.lines().filter(|line| !line.starts_with("-----")).map(str::trim).collect();
    let bytes = STANDARD.decode(inner).map_err(|_| WRONG)?;
    let key = bytes.strip_prefix(&SPKI).unwrap_or(&bytes);
    if key.len() == 32 { Ok(key.to_vec()) } else { Err(WRONG) }
}

/// The payload is flat, or stands under `data`; appointments, notes and messages have their own place for the id.
fn event(body: &Value) -> Result<Event, Refusal> {
    let data = body.get("data").filter(|data| data.is_object()).unwrap_or(body);
    let either = |key: &str| json::text(body, key).or_else(|| json::text(data, key));
    let kind = either("type").ok_or_else(|| Refusal::Unreadable("the event has no type".into()))?;
    let inner = ["appointment", "note", "task"].into_iter().find_map(|key| data.get(key));
    let vendor_id = ["id", "messageId", "contactId"].into_iter().find_map(|key| json::text(data, key));
    Ok(Event {
        id: either("webhookId"),
        occurred_at: json::time(body, "timestamp"),
        account: either("locationId"),
        streams: streams(&kind),
        vendor_id: inner.and_then(|inner| json::text(inner, "id")).or(vendor_id),
        deleted: matches!(kind.as_str(), "ContactDelete" | "OpportunityDelete"),
        kind,
    })
}

/// What is copied of the record. A message belongs to its contact, who may be new. Notes and tasks cannot be listed, so
/// that the brain has none of them.
fn streams(kind: &str) -> &'static [&'static str] {
    match kind {
        "ContactCreate" | "ContactUpdate" | "ContactDelete" | "ContactDndUpdate" | "ContactTagUpdate" => &["contacts"],
        _ if kind.starts_with("Opportunity") => &["opportunities"],
        "InboundMessage" | "OutboundMessage" => &["interactions", "contacts"],
        _ if kind.starts_with("Appointment") => &["interactions", "contacts"],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::{DateTime, Utc};
    use http::HeaderMap;
    use ring::signature::{Ed25519KeyPair, KeyPair};

    fn pair() -> (Ed25519KeyPair, String) {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
        let spki = [&SPKI[..], pair.public_key().as_ref()].concat();
        (pair, STANDARD.encode(spki))
    }

    fn now() -> DateTime<Utc> {
        "2026-11-20T12:00:00Z".parse().unwrap()
    }

    fn tried(body: &str, signature: Option<&str>, key: &str) -> Result<Received, Refusal> {
        let mut headers = HeaderMap::new();
        headers.extend(signature.map(|text| (http::HeaderName::from_static("x-ghl-signature"), text.parse().unwrap())));
        open(&Delivery { headers: &headers, body: body.as_bytes(), now: now() }, key)
    }

    fn signed(body: &str) -> Result<Received, Refusal> {
        let (pair, key) = pair();
        tried(body, Some(&STANDARD.encode(pair.sign(body.as_bytes()))), &key)
    }

    const BODY: &str = r#"{"type":"ContactDelete","locationId":"loc1","id":"c1","webhookId":"w1","timestamp":"2026-11-20T11:59:00.000Z"}"#;

    #[test]
    fn a_signed_event_is_read() {
        let Ok(Received::Events(events)) = signed(BODY) else { panic!("refused") };
        let event = &events[0];
        assert_eq!((event.id.as_deref(), event.account.as_deref()), (Some("w1"), Some("loc1")));
        assert_eq!((event.vendor_id.as_deref(), event.deleted, event.streams), (Some("c1"), true, &["contacts"][..]));
        let wrapped = r#"{"type":"InboundMessage","webhookId":"w2","data":{"locationId":"loc1","contactId":"c1"}}"#;
        let Ok(Received::Events(events)) = signed(wrapped) else { panic!("refused") };
        assert_eq!((events[0].account.as_deref(), events[0].vendor_id.as_deref()), (Some("loc1"), Some("c1")));
    }

    #[test]
    fn what_is_not_proven_is_refused() {
        let (pair, key) = pair();
        let signature = STANDARD.encode(pair.sign(BODY.as_bytes()));
        assert!(tried(BODY, Some(&signature), &key).is_ok());
        let tampered = BODY.replace("c1", "c2");
        let other = WEBHOOK.default.unwrap();
        for (body, signature, key) in [
            (tampered.as_str(), Some(signature.as_str()), key.as_str()),
            (BODY, Some(&signature[..40]), &key),
            (BODY, Some("N/A"), &key),
            (BODY, None, &key),
            (BODY, Some(&signature), other),
        ] {
            assert!(matches!(tried(body, signature, key), Err(Refusal::Unproven(_))), "{body} {signature:?}");
        }
        assert!(matches!(tried(BODY, Some(&signature), "no key"), Err(Refusal::Secret(_))));
    }

    #[test]
    fn the_published_key_is_one() {
        assert_eq!(public_key(WEBHOOK.default.unwrap()).unwrap().len(), 32);
        let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", WEBHOOK.default.unwrap());
        assert_eq!(public_key(&pem), public_key(WEBHOOK.default.unwrap()));
    }

    #[test]
    fn another_time_is_refused_and_a_repetition_after_an_hour_is_not() {
        let at = |timestamp: &str| signed(&format!(r#"{{"type":"ContactUpdate","timestamp":"{timestamp}"}}"#));
        assert!(at("2026-11-20T10:50:00Z").is_ok(), "the sixth repetition after a 429");
        assert_eq!(at("2026-11-20T09:00:00Z"), Err(Refusal::Stale));
        assert_eq!(at("2026-11-20T12:30:00Z"), Err(Refusal::Stale));
    }

    #[test]
    fn signed_nonsense_is_named() {
        for body in ["", "[]", "{}", "{\"type\":null}", "{\"data\":{}}", "\u{0}"] {
            assert!(matches!(signed(body), Err(Refusal::Unreadable(_))), "{body}");
        }
    }

    /// The vendor's own examples, where they lie beside the workspace.
    #[test]
    fn every_documented_event_is_read() {
        let Some(folder) = crate::contracts::folder("gohighlevel/webhooks") else { return };
        let files = std::fs::read_dir(folder).unwrap();
        let mut seen = 0;
        for file in files.map(|file| file.unwrap().path()) {
            let event: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
            for example in json::list(&event, "examples") {
                let Ok(Received::Events(events)) = signed(&example.to_string()) else { continue };
                let copied = !events[0].streams.is_empty();
                assert!(
                    !copied || (events[0].account.is_some() && events[0].vendor_id.is_some()),
                    "{file:?} {events:?}"
                );
                seen += 1;
            }
        }
        assert!(seen > 40, "only {seen} examples were read");
    }
}
