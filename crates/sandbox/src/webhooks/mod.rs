//! What the vendors tell by themselves: their events, signed as each signs, delivered again as each does.
//!
//! A subscriber is of one vendor. Tests ask for what the networks of vendors do anyway: the same delivery twice, several
//! in another order, a burst.

use std::{
    collections::BTreeMap,
    mem,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures::{StreamExt, stream};
use reqwest::StatusCode;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::{clock::Millis, world::World};

mod wire;

use wire::Keys;

pub(crate) struct Webhooks {
    keys: Keys,
    retry: Duration,
    sent: AtomicU64,
    state: Mutex<State>,
    stop: CancellationToken,
}

#[derive(Default)]
struct State {
    subscribers: Vec<Subscriber>,
    /// How many more times each delivery is made.
    copies: u32,
    /// Deliveries that wait for [`Webhooks::release`]; `None`: they leave at once.
    held: Option<Vec<Delivery>>,
}

#[derive(Clone)]
struct Subscriber {
    ecosystem: &'static str,
    /// Google calls it a channel and numbers its messages.
    channel: String,
    /// `drive` or `calendar`; empty with all others.
    resource: &'static str,
    url: String,
    client: reqwest::Client,
    messages: Arc<AtomicU64>,
}

/// One request to one subscriber.
#[derive(Clone)]
struct Delivery {
    url: String,
    client: reqwest::Client,
    message: wire::Message,
    /// Whether the vendor delivers again after this answer; `None` is no answer.
    again: fn(Option<StatusCode>) -> bool,
}

impl Webhooks {
    pub(crate) fn new(seed: u64, retry: Duration, stop: CancellationToken) -> Webhooks {
        Webhooks { keys: Keys::new(seed), retry, sent: AtomicU64::new(0), state: Mutex::default(), stop }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a receiver needs to prove deliveries of this vendor.
    pub(crate) fn secret(&self, ecosystem: &str) -> String {
        self.keys.secret(ecosystem)
    }

    /// The headers that prove this body.
    pub(crate) fn signed(&self, ecosystem: &str, body: &[u8], now: Millis) -> Vec<(&'static str, String)> {
        self.keys.signed(ecosystem, body, now)
    }

    /// Deliveries of this vendor go to `url` from now on.
    pub(crate) fn subscribe(&self, ecosystem: &str, url: &str) -> Result<(), String> {
        match ecosystem {
            "gohighlevel" => self.add("gohighlevel", "", "", url),
            "quickbooks" => self.add("quickbooks", "", "", url),
            "slack" => self.add("slack", "", "", url),
            "google_workspace" => self.watch("drive", "subscribed", url),
            other => Err(format!("{other} has no webhooks")),
        }
    }

    /// Opens one of Google's channels; its first message only says that it is open.
    pub(crate) fn watch(&self, resource: &'static str, channel: &str, url: &str) -> Result<(), String> {
        self.add("google_workspace", resource, channel, url)?;
        let added = self.state().subscribers.last().cloned();
        if let Some(subscriber) = added {
            self.send(&subscriber, self.keys.notification(resource, "sync", channel, self.next(&subscriber)));
        }
        Ok(())
    }

    /// Ends a channel; whether there was one.
    pub(crate) fn unwatch(&self, channel: &str) -> bool {
        let subscribers = &mut self.state().subscribers;
        let before = subscribers.len();
        subscribers.retain(|subscriber| subscriber.resource.is_empty() || subscriber.channel != channel);
        subscribers.len() < before
    }

    fn add(&self, ecosystem: &'static str, resource: &'static str, channel: &str, url: &str) -> Result<(), String> {
        let url = url::Url::parse(url).map_err(|error| error.to_string())?.to_string();
        let client = client().map_err(|error| error.to_string())?;
        let (channel, messages) = (channel.to_owned(), Arc::default());
        self.state().subscribers.push(Subscriber { ecosystem, channel, resource, url, client, messages });
        Ok(())
    }

    /// A flat event of GoHighLevel.
    pub(crate) fn gohighlevel(&self, kind: &str, payload: &Value, now: Millis) {
        self.tell("gohighlevel", "", |number| self.keys.gohighlevel(kind, payload, number, now));
    }

    /// A CloudEvent of Intuit.
    pub(crate) fn quickbooks(&self, kind: &str, id: &str, realm: &str, now: Millis) {
        self.tell("quickbooks", "", |number| self.keys.quickbooks(&[(kind, id, realm)], number, now));
    }

    /// An event of Slack's workspace.
    pub(crate) fn slack(&self, team: &str, event: &Value, now: Millis) {
        self.tell("slack", "", |number| self.keys.slack(team, event, number, now));
    }

    /// Something changed in `drive` or `calendar`; the message does not say what.
    pub(crate) fn google(&self, resource: &'static str) {
        let subscribers: Vec<Subscriber> = self.state().subscribers.clone();
        for subscriber in subscribers.iter().filter(|subscriber| subscriber.resource == resource) {
            let state = if resource == "drive" { "change" } else { "exists" };
            let number = self.next(subscriber);
            self.send(subscriber, self.keys.notification(resource, state, &subscriber.channel, number));
        }
    }

    /// Makes the event's message once and sends it to every subscriber of the vendor.
    fn tell(&self, ecosystem: &str, resource: &str, message: impl FnOnce(u64) -> wire::Message) {
        let fits = |subscriber: &&Subscriber| subscriber.ecosystem == ecosystem && subscriber.resource == resource;
        let subscribers: Vec<Subscriber> = self.state().subscribers.iter().filter(fits).cloned().collect();
        if subscribers.is_empty() {
            return;
        }
        let message = message(self.sent.fetch_add(1, Ordering::Relaxed));
        for subscriber in subscribers {
            self.send(&subscriber, message.clone());
        }
    }

    fn next(&self, subscriber: &Subscriber) -> u64 {
        subscriber.messages.fetch_add(1, Ordering::Relaxed) + 1
    }

    fn send(&self, to: &Subscriber, message: wire::Message) {
        let again = wire::again(to.ecosystem);
        let delivery = Delivery { url: to.url.clone(), client: to.client.clone(), message, again };
        let mut state = self.state();
        for _ in 0..=state.copies {
            match &mut state.held {
                Some(held) => held.push(delivery.clone()),
                None => self.leave(delivery.clone()),
            }
        }
    }

    fn leave(&self, delivery: Delivery) {
        let (stop, retry) = (self.stop.clone(), self.retry);
        tokio::spawn(async move { stop.run_until_cancelled(delivery.make(retry)).await });
    }

    /// Every delivery is made so many more times from now on.
    pub(crate) fn duplicate(&self, copies: u32) {
        self.state().copies = copies;
    }

    /// Keeps deliveries back from now on.
    pub(crate) fn hold(&self) {
        self.state().held.get_or_insert_default();
    }

    /// Makes the deliveries that were kept back, the last one first if `reversed`, each after the answer to the one
    /// before. Gives the answers.
    pub(crate) async fn release(&self, reversed: bool) -> Vec<u16> {
        let mut held = mem::take(&mut self.state().held).unwrap_or_default();
        if reversed {
            held.reverse();
        }
        let mut answers = Vec::new();
        for delivery in held {
            answers.push(delivery.once().await.map_or(0, |status| status.as_u16()));
        }
        answers
    }

    /// So many different events at the same moment, each delivered once, and how many were answered how.
    pub(crate) async fn burst(
        &self,
        world: &World,
        ecosystem: &str,
        url: &str,
        count: u64,
    ) -> Result<BTreeMap<u16, u64>, String> {
        let client = client().map_err(|error| error.to_string())?;
        let again = wire::again(ecosystem);
        let delivery = |_| {
            let number = self.sent.fetch_add(1, Ordering::Relaxed);
            let message = self.keys.any(world, ecosystem, number);
            Delivery { url: url.to_owned(), client: client.clone(), message, again }
        };
        let answers = stream::iter((0..count).map(delivery)).map(|delivery| async move { delivery.once().await });
        let mut answers = answers.buffer_unordered(AT_ONCE);
        let mut counted = BTreeMap::new();
        while let Some(status) = answers.next().await {
            *counted.entry(status.map_or(0, |status| status.as_u16())).or_default() += 1;
        }
        Ok(counted)
    }
}

/// Connections of a burst.
const AT_ONCE: usize = 48;
/// How often a vendor repeats a delivery here; they all go on for longer.
const ATTEMPTS: u32 = 6;

impl Delivery {
    async fn make(self, retry: Duration) {
        for _ in 0..=ATTEMPTS {
            if !(self.again)(self.once().await) {
                return;
            }
            tokio::time::sleep(retry).await;
        }
    }

    async fn once(&self) -> Option<StatusCode> {
        let mut request = self.client.post(&self.url);
        for (name, value) in self.message.headers.iter() {
            request = request.header(*name, value);
        }
        match request.body(self.message.body.to_vec()).send().await {
            Ok(response) => Some(response.status()),
            Err(error) => {
                tracing::debug!(%error, "a webhook was not delivered");
                None
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
