//! Webhooks in: what vendors tell by themselves when something changes.
//!
//! A delivery is proven on its raw body by its connector's pure function, kept in `webhook_events` once, together with
//! the run that works on it, and answered; no vendor is asked meanwhile. The run ([`work`]) brings the streams that the
//! events name up to date with the sync. Nothing of a delivery but names and ids is kept.

mod route;
mod subscribe;
mod work;

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::http::HeaderMap;
use chrono::{DateTime, Utc};
use sdk::webhook::{Delivery, Event, Received, Refusal, Webhook};
use serde::Serialize;
use serde_json::json;
use sha2::{Digest, Sha256};
use store::webhooks::{Accepted, NewEvent};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::app::{App, Limiter};
use crate::config;
use crate::connections::{Connected, Connections};
use crate::runs::New;

pub use subscribe::renew;
pub use work::{register, tidy};

use route::{Taker, secret};
use work::RUN;

/// A larger delivery is refused.
const LARGEST: usize = 512 << 10;
/// Deliveries that are held in memory at the same time; with [`LARGEST`], 32 MB at most.
const HELD: usize = 64;
/// Deliveries that are being written at the same time, so that a burst leaves connections to the others.
const WRITING: usize = 4;
/// Intuit and Slack count an answer after three seconds as none.
const PATIENCE: Duration = Duration::from_millis(2_500);
/// How long a sender may take for the body.
const BODY_PATIENCE: Duration = Duration::from_secs(5);
/// Events without consequence that are kept in a minute. GoHighLevel signs events of strangers' accounts like ours, so
/// that whoever has one could fill the table; and a busy Slack says more than anybody reads.
const IGNORED: u32 = 10;
/// Events that come within this time are worked on together.
const SETTLING: chrono::Duration = chrono::Duration::seconds(2);
/// With the back-off of runs, about two hours.
const ATTEMPTS: u32 = 20;

/// What keeps a burst within bounds, in this process.
pub struct Intake {
    held: Semaphore,
    writing: Semaphore,
    pace: Limiter,
    ignored: Limiter,
}

impl Intake {
    pub fn new(settings: &config::Webhooks) -> Intake {
        Intake {
            held: Semaphore::new(HELD),
            writing: Semaphore::new(WRITING),
            pace: Limiter::new(settings.per_minute),
            ignored: Limiter::new(IGNORED),
        }
    }
}

/// What the vendor is told.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    Taken(Taken),
    /// This text, as it is.
    Challenge(String),
    /// There is nobody who could take it.
    Unknown,
    /// Not proven, or of another time.
    Refused(String),
    Unreadable(String),
    TooLarge,
    /// Not now: the status after which the vendor delivers again, and why.
    Again(u16, &'static str),
}

/// What became of the events of a delivery.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Taken {
    pub accepted: u64,
    pub duplicates: u64,
    pub ignored: u64,
}

/// Takes a delivery. It asks the database at most which businesses there are, and holds little, before the delivery is
/// proven.
pub async fn receive(app: &Arc<App>, ecosystem: &str, headers: &HeaderMap, body: Body) -> Answer {
    let mut takers = route::takers(app, ecosystem).await;
    let Some((connected, webhook)) = takers.first().map(|taker| (taker.connected.clone(), taker.webhook)) else {
        return Answer::Unknown;
    };
    let again = |why| Answer::Again(webhook.again, why);
    let Ok(_held) = app.webhooks.held.try_acquire() else { return shed(&connected, again("too many deliveries")) };
    let body = match timeout(BODY_PATIENCE, to_bytes(body, LARGEST)).await {
        Ok(Ok(body)) => body,
        Ok(Err(_)) => return Answer::TooLarge,
        Err(_) => return Answer::Unreadable("the body did not arrive in time".into()),
    };
    let delivery = Delivery { headers, body: &body, now: app.clock.now() };
    let events = match route::prove(&mut takers, &delivery) {
        Ok(Received::Events(events)) => events,
        Ok(Received::Challenge(challenge)) => return Answer::Challenge(challenge),
        Err(refusal) => return refused(&connected, refusal),
    };
    if app.webhooks.pace.check(&connected.connector.id.to_owned()).is_err() {
        return shed(&connected, again("more deliveries a minute than webhooks.per_minute"));
    }
    match timeout(PATIENCE, keep_all(app, &takers, events, &body)).await {
        Ok(Ok(Some(kept))) => Answer::Taken(kept),
        Ok(Ok(None)) => shed(&connected, again("too many events wait")),
        Ok(Err(error)) => unavailable(&connected, again("the database cannot answer right now"), &error.to_string()),
        Err(_) => unavailable(&connected, again("the database cannot answer right now"), "it took too long"),
    }
}

/// Keeps the events of each business; `None`: as much waits as may. What was kept before that is known when it comes again.
async fn keep_all(app: &App, takers: &[Taker], events: Vec<Event>, body: &Bytes) -> store::Result<Option<Taken>> {
    let mut all = Taken::default();
    for (taker, events) in route::shares(takers, events) {
        let (events, left_out) = rows(app, taker, events, body);
        let Some(kept) = keep(app, taker, events).await? else { return Ok(None) };
        all.accepted += kept.accepted;
        all.duplicates += kept.duplicates;
        all.ignored += kept.ignored + left_out;
    }
    Ok(Some(all))
}

/// Keeps what is new, with the run that works on it; `None`: as much waits as may.
async fn keep(app: &App, taker: &Taker, events: Vec<NewEvent>) -> store::Result<Option<Taken>> {
    let (tenant, ecosystem, now) = (&taker.tenant, taker.connected.connector.id, app.clock.now());
    let most = app.config.webhooks.max_waiting;
    // An error of a closed semaphore cannot come: nobody closes it.
    let _writing = app.webhooks.writing.acquire().await;
    if store::webhooks::count_open(tenant, ecosystem, most).await? >= u64::from(most) {
        return Ok(None);
    }
    let run = New::job(RUN, json!({"ecosystem": ecosystem})).due(now + SETTLING).attempts(ATTEMPTS);
    let Accepted { fresh, ignored } = store::webhooks::accept(tenant, ecosystem, &events, run.into(), now).await?;
    app.runs.wake();
    let duplicates = events.len() as u64 - fresh - ignored;
    for (outcome, events) in [("accepted", fresh), ("ignored", ignored), ("duplicate", duplicates)] {
        count(ecosystem, outcome, events);
    }
    Ok(Some(Taken { accepted: fresh, duplicates, ignored }))
}

/// The events as they are kept, and how many were left out.
fn rows(app: &App, taker: &Taker, events: Vec<(usize, Event)>, body: &Bytes) -> (Vec<NewEvent>, u64) {
    let (connected, ecosystem) = (&taker.connected, taker.connected.connector.id);
    let (mut rows, mut left_out) = (Vec::with_capacity(events.len()), 0);
    for (index, event) in events {
        let stranger = is_strangers(connected, &taker.webhook, &event);
        let row = row(connected, event, stranger, body, index);
        if row.ignored.is_some() && app.webhooks.ignored.check(&ecosystem.to_owned()).is_err() {
            left_out += 1;
        } else {
            rows.push(row);
        }
    }
    count(ecosystem, "ignored", left_out);
    (rows, left_out)
}

fn is_strangers(connected: &Connected, webhook: &Webhook, event: &Event) -> bool {
    let Some(key) = webhook.account else { return false };
    event.account.is_none() || event.account.as_deref() != connected.setting(key)
}

fn row(connected: &Connected, event: Event, stranger: bool, body: &Bytes, index: usize) -> NewEvent {
    let known = |stream: &&&str| connected.connector.streams.iter().any(|known| known.name == **stream);
    let streams: Vec<&str> = event.streams.iter().filter(known).copied().collect();
    let ignored = match (stranger, streams.is_empty()) {
        (true, _) => Some("it is not of the account that is connected"),
        (_, true) => Some("nothing of it is copied"),
        _ => None,
    };
    NewEvent {
        event_id: identity(event.id, body, index),
        kind: sdk::text::cut(&event.kind, 100),
        account: event.account.map(|account| sdk::text::cut(&account, 100)),
        streams: streams.join(" "),
        vendor_id: event.vendor_id.filter(|id| id.len() <= 300),
        deleted: event.deleted,
        occurred_at: event.occurred_at,
        ignored: ignored.map(str::to_owned),
    }
}

/// The vendor's id of the event; where it has none, or one that is too long for an index, a hash stands for it.
fn identity(id: Option<String>, body: &Bytes, index: usize) -> String {
    match id {
        Some(id) if id.len() <= 200 => id,
        Some(id) => format!("sha256:{}", hex::encode(Sha256::digest(id))),
        None => format!("sha256:{}:{index}", hex::encode(Sha256::digest(body))),
    }
}

fn refused(connected: &Connected, refusal: Refusal) -> Answer {
    let ecosystem = connected.connector.id;
    match refusal {
        Refusal::Unproven(_) => count(ecosystem, "refused", 1),
        Refusal::Stale => count(ecosystem, "stale", 1),
        Refusal::Unreadable(why) => {
            count(ecosystem, "unreadable", 1);
            return Answer::Unreadable(why);
        }
        Refusal::Secret(why) => {
            tracing::error!(ecosystem, why, "webhooks cannot be verified");
            return Answer::Unknown;
        }
    }
    // Which part of the proof is wrong is nobody's business.
    Answer::Refused("The delivery is not proven to be the vendor's, or is from another time.".into())
}

fn shed(connected: &Connected, answer: Answer) -> Answer {
    count(connected.connector.id, "shed", 1);
    answer
}

fn unavailable(connected: &Connected, answer: Answer, why: &str) -> Answer {
    count(connected.connector.id, "unavailable", 1);
    tracing::warn!(ecosystem = connected.connector.id, why, "a webhook could not be kept");
    answer
}

fn count(ecosystem: &'static str, outcome: &'static str, events: u64) {
    if events > 0 {
        metrics::counter!("mcp_webhook_events_total", "ecosystem" => ecosystem, "outcome" => outcome).increment(events);
    }
}

/// Where a vendor's webhooks are expected.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct Expected {
    /// The address to register at the vendor.
    pub url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_event: Option<DateTime<Utc>>,
}

fn address(app: &App, ecosystem: &str) -> String {
    format!("{}/webhooks/{ecosystem}", app.config.public_url())
}

/// Where webhooks of the connected ecosystems are expected, and when the last one came.
pub async fn expectations(app: &App, connections: &Connections) -> sdk::Result<Vec<(&'static str, Expected)>> {
    let last = store::webhooks::last_received(connections.tenant()).await.map_err(crate::unavailable)?;
    let expected = connections.defaults().filter(|connected| connected.webhook_secret().is_some());
    let told = expected.map(|connected| {
        let id = connected.connector.id;
        (id, Expected { url: address(app, id), last_event: last.get(id).copied() })
    });
    Ok(told.collect())
}
