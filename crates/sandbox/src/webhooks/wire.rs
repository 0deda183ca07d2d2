//! Bodies and signatures, one vendor after the other.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::STANDARD};
use reqwest::StatusCode;
use ring::{
    digest::{SHA256, digest},
    hmac,
    signature::{Ed25519KeyPair, KeyPair},
};
use serde_json::{Value, json};

use crate::{
    business::{Kind, random, uuid},
    clock::{Millis, iso},
    gohighlevel::rows,
    quickbooks,
    world::World,
};

/// What stands before the 32 bytes of an Ed25519 key in SubjectPublicKeyInfo.
const SPKI_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// A request without its address.
#[derive(Clone)]
pub(super) struct Message {
    pub headers: Arc<[(&'static str, String)]>,
    pub body: Arc<[u8]>,
}

/// What the vendors sign with.
pub(super) struct Keys {
    seed: u64,
    /// None only if the crypto library refuses its own 32 bytes.
    gohighlevel: Option<Ed25519KeyPair>,
}

/// After which answers a vendor delivers again: GoHighLevel only after 429, Google after some of 5xx, Intuit and Slack
/// after everything that is not success.
pub(super) fn again(ecosystem: &str) -> fn(Option<StatusCode>) -> bool {
    match ecosystem {
        "gohighlevel" => |status| status == Some(StatusCode::TOO_MANY_REQUESTS),
        "google_workspace" => |status| status.is_some_and(|status| [500, 502, 503, 504].contains(&status.as_u16())),
        "quickbooks" => |status| status != Some(StatusCode::OK),
        _ => |status| !status.is_some_and(|status| status.is_success()),
    }
}

impl Keys {
    pub(super) fn new(seed: u64) -> Keys {
        let secret = digest(&SHA256, format!("sandbox webhook key {seed}").as_bytes());
        Keys { seed, gohighlevel: Ed25519KeyPair::from_seed_unchecked(secret.as_ref()).ok() }
    }

    /// The public key as GoHighLevel publishes it (base64 of SubjectPublicKeyInfo), or the secret that is shared.
    pub(super) fn secret(&self, ecosystem: &str) -> String {
        let shared = |number: u64| uuid(&mut random(self.seed, Kind::Secret, (9 << 32) | number));
        match ecosystem {
            "gohighlevel" => {
                let key = self.gohighlevel.as_ref().map(|key| key.public_key().as_ref().to_vec()).unwrap_or_default();
                STANDARD.encode([&SPKI_PREFIX[..], &key].concat())
            }
            "quickbooks" => shared(1),
            "google_workspace" => shared(2),
            _ => shared(3).replace('-', ""),
        }
    }

    pub(super) fn signed(&self, ecosystem: &str, body: &[u8], now: Millis) -> Vec<(&'static str, String)> {
        let mac =
            |message: &[u8]| hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, self.secret(ecosystem).as_bytes()), message);
        match ecosystem {
            "gohighlevel" => {
                let signature = self.gohighlevel.as_ref().map(|key| STANDARD.encode(key.sign(body)));
                vec![("x-ghl-signature", signature.unwrap_or_default())]
            }
            "quickbooks" => vec![("intuit-signature", STANDARD.encode(mac(body)))],
            "google_workspace" => vec![("x-goog-channel-token", self.secret(ecosystem))],
            _ => {
                let stamp = (now / 1000).to_string();
                let mac = mac(&[b"v0:", stamp.as_bytes(), b":", body].concat());
                let hex: String = mac.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
                vec![("x-slack-signature", format!("v0={hex}")), ("x-slack-request-timestamp", stamp)]
            }
        }
    }

    fn message(&self, ecosystem: &str, body: &Value, now: Millis) -> Message {
        let body = body.to_string().into_bytes();
        let mut headers = self.signed(ecosystem, &body, now);
        headers.push(("content-type", "application/json".to_owned()));
        Message { headers: headers.into(), body: body.into() }
    }

    fn id(&self, number: u64) -> String {
        uuid(&mut random(self.seed, Kind::Webhook, number))
    }

    /// The flat payload with the fields that deliveries carry.
    pub(super) fn gohighlevel(&self, kind: &str, payload: &Value, number: u64, now: Millis) -> Message {
        let mut event = payload.clone();
        if let Some(event) = event.as_object_mut() {
            event.insert("type".into(), kind.into());
            event.insert("timestamp".into(), iso(now).into());
            event.insert("webhookId".into(), self.id(number).into());
        }
        self.message("gohighlevel", &event, now)
    }

    /// CloudEvents in one array, whatever company they are of: type, the record's id, the company.
    pub(super) fn quickbooks(&self, events: &[(&str, &str, &str)], number: u64, now: Millis) -> Message {
        let source = STANDARD.encode(digest(&SHA256, self.secret("quickbooks").as_bytes()));
        let event = |(index, (kind, id, realm)): (usize, &(&str, &str, &str))| {
            json!({"specversion": "1.0", "id": self.id((number << 8) | index as u64), "source": format!("intuit.{source}"),
                "type": kind, "datacontenttype": "application/json", "time": iso(now), "intuitentityid": id,
                "intuitaccountid": realm, "data": {}})
        };
        self.message("quickbooks", &events.iter().enumerate().map(event).collect(), now)
    }

    pub(super) fn slack(&self, team: &str, event: &Value, number: u64, now: Millis) -> Message {
        let id = self.id(number).replace('-', "").to_uppercase();
        let body = json!({"type": "event_callback", "team_id": team, "api_app_id": "A0SANDBOX", "event": event,
            "event_id": format!("Ev{}", &id[..10]), "event_time": now / 1000});
        self.message("slack", &body, now)
    }

    /// Google says everything in headers and sends no body.
    pub(super) fn notification(&self, resource: &str, state: &str, channel: &str, number: u64) -> Message {
        let uri = match resource {
            "drive" => "https://www.googleapis.com/drive/v3/changes?alt=json",
            _ => "https://www.googleapis.com/calendar/v3/calendars/primary/events?alt=json",
        };
        let mut headers = self.signed("google_workspace", b"", 0);
        headers.extend([
            ("x-goog-channel-id", channel.to_owned()),
            ("x-goog-message-number", number.to_string()),
            ("x-goog-resource-id", self.id(resource.len() as u64)),
            ("x-goog-resource-state", state.to_owned()),
            ("x-goog-resource-uri", uri.to_owned()),
        ]);
        Message { headers: headers.into(), body: Arc::new([]) }
    }

    /// An event about a record that there is, for a burst.
    pub(super) fn any(&self, world: &World, ecosystem: &str, number: u64) -> Message {
        let now = world.now();
        match ecosystem {
            "gohighlevel" => {
                let business = world.business();
                let nth = usize::try_from(number).unwrap_or_default() % business.contacts.len().max(1);
                let contact = business.contacts.iter().nth(nth);
                let payload = contact.map(|contact| rows::event(contact, business.location)).unwrap_or_default();
                self.gohighlevel("ContactUpdate", &payload, number, now)
            }
            "quickbooks" => {
                let id = (number % 50 + 1).to_string();
                let realm = quickbooks::realm(world.options.seed);
                self.quickbooks(&[("qbo.customer.updated.v1", &id, &realm)], number, now)
            }
            "google_workspace" => self.notification("drive", "change", "burst", number),
            _ => {
                let event =
                    json!({"type": "message", "channel": "C0BURST", "ts": format!("{}.{number:06}", now / 1000)});
                self.slack(&world.slack().team, &event, number, now)
            }
        }
    }
}
