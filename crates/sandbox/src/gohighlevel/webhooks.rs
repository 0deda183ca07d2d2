//! The vendor's webhooks: flat events, signed with Ed25519, repeated only after a 429.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use reqwest::StatusCode;
use ring::{
    digest::{SHA256, digest},
    signature::{Ed25519KeyPair, KeyPair},
};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::{
    business::{Kind, random, uuid},
    clock::{Millis, iso},
};

/// How often the vendor repeats a delivery that was answered with 429.
const ATTEMPTS: u32 = 6;
/// What stands before the 32 bytes of an Ed25519 key in SubjectPublicKeyInfo.
const SPKI_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

pub(crate) struct Webhooks {
    seed: u64,
    /// None only if the crypto library refuses its own 32 bytes.
    key: Option<Ed25519KeyPair>,
    retry: Duration,
    sent: AtomicU64,
    subscribers: Mutex<Vec<(String, reqwest::Client)>>,
    stop: CancellationToken,
}

impl Webhooks {
    pub(crate) fn new(seed: u64, retry: Duration, stop: CancellationToken) -> Webhooks {
        let secret = digest(&SHA256, format!("sandbox webhook key {seed}").as_bytes());
        let key = Ed25519KeyPair::from_seed_unchecked(secret.as_ref()).ok();
        Webhooks { seed, key, retry, sent: AtomicU64::new(0), subscribers: Mutex::default(), stop }
    }

    /// The public key as the vendor publishes it: base64 of SubjectPublicKeyInfo.
    pub(crate) fn public_key(&self) -> String {
        let mut spki = SPKI_PREFIX.to_vec();
        if let Some(key) = &self.key {
            spki.extend_from_slice(key.public_key().as_ref());
        }
        STANDARD.encode(spki)
    }

    /// The value of `X-GHL-Signature` for these bytes.
    pub(crate) fn sign(&self, body: &[u8]) -> String {
        self.key.as_ref().map(|key| STANDARD.encode(key.sign(body))).unwrap_or_default()
    }

    /// Deliveries go to `url` from now on.
    pub(crate) fn subscribe(&self, url: &str) -> Result<(), String> {
        let url = url::Url::parse(url).map_err(|error| error.to_string())?;
        let client = client().map_err(|error| error.to_string())?;
        self.subscribers.lock().unwrap_or_else(PoisonError::into_inner).push((url.to_string(), client));
        Ok(())
    }

    /// Sends an event to every subscriber, each in a task of its own.
    pub(crate) fn announce(&self, kind: &str, payload: &Value, now: Millis) {
        let subscribers = self.subscribers.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if subscribers.is_empty() {
            return;
        }
        let number = self.sent.fetch_add(1, Ordering::Relaxed);
        let body = self.envelope(kind, payload, number, now);
        let signature = self.sign(&body);
        let body: Arc<[u8]> = body.into();
        for (url, client) in subscribers {
            let delivery = deliver(client, url, body.clone(), signature.clone(), self.retry);
            let stop = self.stop.clone();
            tokio::spawn(async move { stop.run_until_cancelled(delivery).await });
        }
    }

    /// The flat payload with the fields that deliveries carry.
    fn envelope(&self, kind: &str, payload: &Value, number: u64, now: Millis) -> Vec<u8> {
        let mut event = payload.clone();
        if let Some(event) = event.as_object_mut() {
            event.insert("type".into(), kind.into());
            event.insert("timestamp".into(), iso(now).into());
            event.insert("webhookId".into(), uuid(&mut random(self.seed, Kind::Webhook, number)).into());
        }
        event.to_string().into_bytes()
    }
}

async fn deliver(client: reqwest::Client, url: String, body: Arc<[u8]>, signature: String, retry: Duration) {
    for _ in 0..=ATTEMPTS {
        let request = client.post(&url).header("content-type", "application/json");
        let request = request.header("x-ghl-signature", &signature).body(body.to_vec());
        match request.send().await.map(|response| response.status()) {
            Ok(StatusCode::TOO_MANY_REQUESTS) => tokio::time::sleep(retry).await,
            Ok(_) => return,
            Err(error) => {
                tracing::debug!(%error, "a webhook was not delivered");
                return;
            }
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the vendor's side has a client of its own, made on the first subscription"
)]
fn client() -> reqwest::Result<reqwest::Client> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().timeout(Duration::from_secs(10)).build()
}
