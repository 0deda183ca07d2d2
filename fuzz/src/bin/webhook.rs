//! A delivery that says to be a vendor's: without the secret nothing of it is believed, and reading it never fails badly.
#![no_main]

use std::sync::OnceLock;

use axum::http::HeaderMap;
use libfuzzer_sys::fuzz_target;
use sdk::ErasedConnector;
use sdk::webhook::Delivery;

/// Made once: a catalogue takes a tenth of a second.
static CONNECTORS: OnceLock<Vec<ErasedConnector>> = OnceLock::new();

fuzz_target!(|data: &[u8]| {
    let (head, body) = data.split_at(data.len().min(64));
    for connector in CONNECTORS.get_or_init(connectors::all) {
        let Some(webhook) = &connector.webhook else { continue };
        let mut headers = HeaderMap::new();
        for name in
            ["intuit-signature", "x-wh-signature", "x-ghl-signature", "x-slack-signature", "x-goog-channel-token"]
        {
            if let Ok(value) = axum::http::HeaderValue::from_bytes(head) {
                headers.insert(name, value);
            }
        }
        let delivery = Delivery { headers: &headers, body, now: chrono::DateTime::UNIX_EPOCH };
        assert!((webhook.open)(&delivery, "a secret that nobody knows").is_err(), "{} believed it", connector.id);
    }
});
