//! Every connector's way to open a delivery, with whatever may arrive: it is proven by the vendor's own signature or
//! refused, and nothing makes it panic.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops where it is")]

use chrono::{DateTime, Utc};
use http::{HeaderMap, HeaderName};
use sandbox::Sandbox;
use sdk::ErasedConnector;
use sdk::webhook::{Delivery, Received, Refusal};
use serde_json::json;

const NOW: i64 = 1_790_000_000;

async fn vendors() -> Sandbox {
    let mut options = sandbox::Options::new(DateTime::<Utc>::from_timestamp(NOW, 0).unwrap());
    options.contacts = 1;
    sandbox::start(options, ([127, 0, 0, 1], 0).into()).await.unwrap()
}

fn open(vendors: &Sandbox, connector: &ErasedConnector, signed: &[u8], sent: &[u8]) -> Result<Received, Refusal> {
    let mut headers = HeaderMap::new();
    let mut all = vendors.signed(connector.id, signed);
    all.extend([("x-goog-channel-id", "c".into()), ("x-goog-message-number", "1".into())]);
    all.push(("x-goog-resource-state", "change".into()));
    headers.extend(all.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())));
    let now = DateTime::from_timestamp(NOW + 1, 0).unwrap();
    let delivery = Delivery { headers: &headers, body: sent, now };
    (connector.webhook.unwrap().open)(&delivery, &vendors.webhook_secret(connector.id))
}

fn body(ecosystem: &str) -> Vec<u8> {
    let body = match ecosystem {
        "gohighlevel" => json!({"type": "ContactUpdate", "locationId": "l", "id": "c", "webhookId": "w"}),
        "quickbooks" => {
            json!([{"specversion": "1.0", "id": "e", "type": "qbo.invoice.updated.v1", "intuitaccountid": "r",
            "intuitentityid": "7"}])
        }
        _ => json!({"type": "event_callback", "event_id": "Ev", "team_id": "T", "event": {"type": "message"}}),
    };
    body.to_string().into_bytes()
}

/// A generator of numbers that are the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit.max(1)
    }
}

#[tokio::test]
async fn any_change_of_the_body_breaks_the_proof() {
    let vendors = vendors().await;
    let with_webhooks: Vec<_> = connectors::all().into_iter().filter(|one| one.webhook.is_some()).collect();
    assert_eq!(with_webhooks.len(), 4);
    for connector in with_webhooks.iter().filter(|one| one.id != "google_workspace") {
        let body = body(connector.id);
        let Ok(Received::Events(events)) = open(&vendors, connector, &body, &body) else {
            panic!("{} refused its own vendor", connector.id)
        };
        assert_eq!(events.len(), 1, "{}", connector.id);
        for at in 0..body.len() {
            let mut changed = body.clone();
            changed[at] ^= 1;
            let opened = open(&vendors, connector, &body, &changed);
            assert!(matches!(opened, Err(Refusal::Unproven(_))), "{} at {at}: {opened:?}", connector.id);
        }
    }
}

/// Proven nonsense: pieces of bodies, cut, doubled and mixed.
#[tokio::test]
async fn nothing_that_is_proven_makes_it_panic() {
    let vendors = vendors().await;
    let mut numbers = Numbers(7);
    for connector in connectors::all().into_iter().filter(|one| one.webhook.is_some()) {
        let (mut read, mut refused) = (0, 0);
        for _ in 0..3_000 {
            let mut body = body(connector.id);
            for _ in 0..=numbers.below(4) {
                let (from, to) = (numbers.below(body.len()), numbers.below(body.len()));
                match numbers.below(4) {
                    0 => body.truncate(from.max(to)),
                    1 => body[from] = b"{}[]\",:0\\\xff"[numbers.below(10)],
                    2 => body.extend_from_within(from.min(to)..from.max(to)),
                    _ => body.swap(from, to),
                }
                if body.is_empty() {
                    break;
                }
            }
            match open(&vendors, &connector, &body, &body) {
                Ok(_) => read += 1,
                Err(Refusal::Unreadable(_) | Refusal::Stale) => refused += 1,
                Err(other) => panic!("{}: {other:?}", connector.id),
            }
        }
        println!("{}: {read} read, {refused} refused", connector.id);
        assert!(read > 0, "{}", connector.id);
    }
}
