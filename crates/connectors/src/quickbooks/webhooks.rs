//! Intuit's webhooks: what changed in which company, without the values.
//!
//! <https://developer.intuit.com/app/developer/qbo/docs/develop/webhooks>. An app has one address for all companies that
//! it is connected to. Events come as an array of CloudEvents that may mix companies, or, from older subscriptions, as
//! `eventNotifications`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use sdk::auth::Key;
use sdk::webhook::{Delivery, Event, Received, Refusal, Webhook};
use serde_json::Value;

use crate::json;

pub const WEBHOOK: Webhook = Webhook {
    secret: Key {
        name: "webhook_verifier_token",
        env: "QBO_WEBHOOK_VERIFIER_TOKEN",
        help: "developer.intuit.com > your app > Webhooks > Show verifier token; development and production differ",
    },
    default: None,
    account: Some("realm_id"),
    // Anything but 200 within 3 s is delivered again after 10 s, 20 s, 30 s, 5 min and so on.
    again: 503,
    setup: "developer.intuit.com > your app > Webhooks: customers, invoices and payments",
    subscribed: false,
    open,
};

/// `intuit-signature` is base64 of HMAC-SHA256 over the raw body with the verifier token.
pub fn open(delivery: &Delivery<'_>, token: &str) -> Result<Received, Refusal> {
    let signature = delivery.header("intuit-signature").ok_or(Refusal::Unproven("intuit-signature is missing"))?;
    let signature = STANDARD.decode(signature).map_err(|_| Refusal::Unproven("intuit-signature is not base64"))?;
    let key = hmac::Key::new(hmac::HMAC_SHA256, token.trim().as_bytes());
    hmac::verify(&key, delivery.body, &signature)
        .map_err(|_| Refusal::Unproven("the signature does not fit the body"))?;
    let body: Value =
        serde_json::from_slice(delivery.body).map_err(|e| Refusal::Unreadable(format!("the body is not JSON: {e}")))?;
    match &body {
        Value::Array(events) => Ok(Received::Events(events.iter().filter_map(cloud_event).collect())),
        // A single CloudEvent is one of its content types too.
        Value::Object(event) if event.contains_key("specversion") => {
            Ok(Received::Events(cloud_event(&body).into_iter().collect()))
        }
        Value::Object(old) if old.contains_key("eventNotifications") => Ok(Received::Events(notified(&body))),
        _ => Err(Refusal::Unreadable("neither CloudEvents nor eventNotifications".into())),
    }
}

/// `qbo.invoice.created.v1` of one company. What has no type cannot be told.
fn cloud_event(event: &Value) -> Option<Event> {
    let kind = json::text(event, "type")?;
    let mut words = kind.split('.').skip(1);
    let (entity, verb) = (words.next().unwrap_or_default().to_owned(), words.next().unwrap_or_default().to_owned());
    Some(Event {
        id: json::text(event, "id"),
        occurred_at: json::time(event, "time"),
        account: json::text(event, "intuitaccountid"),
        streams: streams(&entity),
        vendor_id: json::text(event, "intuitentityid"),
        deleted: verb == "deleted",
        kind,
    })
}

/// The older format has no ids; what changed, how and when is the same in every delivery.
fn notified(body: &Value) -> Vec<Event> {
    let mut events = Vec::new();
    for company in json::list(body, "eventNotifications") {
        let realm = json::text(company, "realmId");
        let entities = company.get("dataChangeEvent").map(|event| json::list(event, "entities")).unwrap_or_default();
        events.extend(entities.iter().filter_map(|entity| old_event(entity, realm.as_deref())));
    }
    events
}

fn old_event(entity: &Value, realm: Option<&str>) -> Option<Event> {
    let (name, id, operation) =
        (json::text(entity, "name")?, json::text(entity, "id")?, json::text(entity, "operation")?);
    let at = json::text(entity, "lastUpdated").unwrap_or_default();
    Some(Event {
        id: Some(format!("{} {name} {id} {operation} {at}", realm.unwrap_or_default())),
        kind: format!("{name}.{operation}"),
        occurred_at: json::time(entity, "lastUpdated"),
        account: realm.map(str::to_owned),
        streams: streams(&name),
        vendor_id: Some(id),
        deleted: operation == "Delete",
    })
}

/// What is copied of it. Change data capture tells each entity by itself, and reads are metered, so nothing else is
/// asked for: what a payment changes in an invoice is an event of the invoice.
fn streams(entity: &str) -> &'static [&'static str] {
    match entity.to_ascii_lowercase().as_str() {
        "customer" => &["customers"],
        "invoice" => &["invoices"],
        "payment" => &["payments"],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderMap;

    const TOKEN: &str = "a verifier token";

    fn tried(body: &str, signature: Option<&str>, token: &str) -> Result<Received, Refusal> {
        let mut headers = HeaderMap::new();
        headers
            .extend(signature.map(|text| (http::HeaderName::from_static("intuit-signature"), text.parse().unwrap())));
        open(&Delivery { headers: &headers, body: body.as_bytes(), now: Default::default() }, token)
    }

    fn sign(body: &str) -> String {
        STANDARD.encode(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, TOKEN.as_bytes()), body.as_bytes()))
    }

    fn events(body: &str) -> Vec<Event> {
        match tried(body, Some(&sign(body)), TOKEN) {
            Ok(Received::Events(events)) => events,
            other => panic!("{body}: {other:?}"),
        }
    }

    /// The vector of Intuit's own Java SDK, where it lies beside the workspace.
    #[test]
    fn intuits_vector_fits() {
        let Some(folder) = crate::contracts::folder("quickbooks/samples") else { return };
        let text = std::fs::read(folder.join("webhook-signature-vector.json")).unwrap();
        let vector: Value = serde_json::from_slice(&text).unwrap();
        let field = |name: &str| vector[name].as_str().unwrap();
        let opened = tried(field("payload"), Some(field("intuitSignature")), field("verifierToken"));
        let Ok(Received::Events(events)) = opened else { panic!("{opened:?}") };
        assert_eq!((events[0].account.as_deref(), events[0].streams), (Some("1185883450"), &["customers"][..]));
        assert_eq!(events[0].occurred_at, Some("2015-10-05T21:42:19Z".parse().unwrap()));
    }

    #[test]
    fn what_is_not_proven_is_refused() {
        let body = "[]";
        assert_eq!(tried(body, Some(&sign(body)), TOKEN), Ok(Received::Events(Vec::new())));
        assert!(matches!(tried("[1]", Some(&sign(body)), TOKEN), Err(Refusal::Unproven(_))));
        assert!(matches!(tried(body, Some(&sign(body)), "another"), Err(Refusal::Unproven(_))));
        assert!(matches!(tried(body, Some("%"), TOKEN), Err(Refusal::Unproven(_))));
        assert!(matches!(tried(body, None, TOKEN), Err(Refusal::Unproven(_))));
    }

    #[test]
    fn both_formats_say_the_same() {
        let new = events(
            r#"[{"specversion":"1.0","id":"e1","type":"qbo.invoice.deleted.v1","time":"2026-10-07T19:59:07.034359333Z",
                 "intuitentityid":"12","intuitaccountid":"r1"},
                {"id":"e2","type":"qbo.class.created.v1","intuitentityid":"3","intuitaccountid":"r2","data":{}}]"#,
        );
        let old = events(
            r#"{"eventNotifications":[{"realmId":"r1","dataChangeEvent":{"entities":[
                {"name":"Invoice","id":"12","operation":"Delete","lastUpdated":"2026-10-07T19:59:07.000Z"}]}},
                {"realmId":"r2","dataChangeEvent":{"entities":[{"name":"Class","id":"3","operation":"Create"}]}}]}"#,
        );
        for events in [&new, &old] {
            let told =
                |event: &Event| (event.account.clone().unwrap(), event.vendor_id.clone().unwrap(), event.deleted);
            assert_eq!(told(&events[0]), ("r1".into(), "12".into(), true));
            assert_eq!(events[0].streams, ["invoices"]);
            assert_eq!((told(&events[1]), events[1].streams.len()), (("r2".into(), "3".into(), false), 0));
        }
        assert_eq!(new[0].id.as_deref(), Some("e1"));
        assert_eq!(old[0].id.as_deref(), Some("r1 Invoice 12 Delete 2026-10-07T19:59:07.000Z"));
    }

    #[test]
    fn signed_nonsense_is_named_or_left_out() {
        for body in ["", "7", "{}", "null", "\"\""] {
            assert!(matches!(tried(body, Some(&sign(body)), TOKEN), Err(Refusal::Unreadable(_))), "{body}");
        }
        assert!(events(r#"[7, null, {}, {"type": null}]"#).is_empty());
        assert!(events(r#"{"eventNotifications":[{}, {"dataChangeEvent": {"entities": [{}]}}]}"#).is_empty());
    }
}
