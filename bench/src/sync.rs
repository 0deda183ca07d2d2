//! Copying a business into the brain: how long it takes, how much memory, and what others notice of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use sandbox::Sandbox;
use serde_json::{Value, json};
use server::clock::Clock;

use crate::bench::Bench;
use crate::copy;
use crate::load::{Shot, within};
use crate::people;
use crate::place::{self, Place};
use crate::process::Running;
use crate::table::Table;

/// The simulated vendor, in this process, without limits.
pub struct Vendor(Sandbox);

impl Vendor {
    pub async fn start(contacts: usize, delay_ms: u64) -> Result<Vendor> {
        let mut options = sandbox::Options::new(Clock::system().now());
        options.contacts = contacts;
        options.enforce_limits = false;
        options.delay = Duration::from_millis(delay_ms);
        Ok(Vendor(sandbox::start(options, ([127, 0, 0, 1], 0).into()).await?))
    }

    /// Where a bare copy gets the same contacts.
    fn pages(&self) -> copy::From {
        let account = self.0.gohighlevel();
        copy::From { url: self.0.url(), token: account.private_token, location: account.location_id }
    }

    /// What connects a server to it, with nothing going on by itself.
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        let account = self.0.gohighlevel();
        vec![
            ("GHL_API_KEY", account.private_token),
            ("GHL_LOCATION_ID", account.location_id),
            ("GHL_BASE_URL", self.0.url()),
            ("GHL_REQUESTS_PER_SECOND", "1000000".into()),
            ("SYNC_ENABLED", "false".into()),
        ]
    }
}

/// What one full sync took, in seconds.
struct Synced {
    all: f64,
    contacts: f64,
    cpu: f64,
    /// Megabytes before it, and at most.
    idle: f64,
    most: f64,
    /// A bare copy of the same contacts, just before, in seconds.
    bare: f64,
}

pub async fn measure(bench: &mut Bench) -> Result<()> {
    let mut table = Table::new(
        "Full sync, the simulated vendor beside it on the same processors",
        &["database", "contacts", "× bare copy", "contacts s", "all streams s", "CPU s", "MB idle", "MB at most"],
    );
    for kind in bench.kinds() {
        small(bench, kind, &mut table).await?;
        large(bench, kind, &mut table).await?;
    }
    table.print();
    let mut table = Table::new(
        "Eight callers while a business is copied, 200 ms a page",
        &["database", "calls before", "p50 ms", "p99 ms", "calls during", "p50 ms", "p99 ms", "contacts s"],
    );
    for kind in bench.kinds() {
        beside_callers(bench, kind, &mut table).await?;
    }
    table.print();
    Ok(())
}

/// The sample business three times over, each into an empty database; the middle one counts.
async fn small(bench: &mut Bench, kind: place::Kind, table: &mut Table) -> Result<()> {
    let mut all = Vec::new();
    for _ in 0..3 {
        all.push(fresh(bench, kind, 1_206).await?);
    }
    all.sort_by(|a, b| a.contacts.total_cmp(&b.contacts));
    let middle = all.swap_remove(1);
    bench.limit(format!("{kind}: contacts of a full sync of 1,206, no delay"), middle.contacts, 0.2, " s");
    row(table, kind, 1_206, &middle);
    Ok(())
}

async fn large(bench: &mut Bench, kind: place::Kind, table: &mut Table) -> Result<()> {
    let (few, many) = if bench.quick { (2_000, 10_000) } else { (20_000, 100_000) };
    let (first, second) = (fresh(bench, kind, few).await?, fresh(bench, kind, many).await?);
    row(table, kind, few, &first);
    row(table, kind, many, &second);
    let a_contact = |synced: &Synced, contacts: usize| synced.contacts / contacts as f64;
    let slower = a_contact(&second, many) / a_contact(&first, few);
    bench.limit(format!("{kind}: a contact of {many} beside one of {few}, seconds"), slower, 1.5, "×");
    bench.limit(format!("{kind}: memory at most, {many} beside {few} contacts"), second.most / first.most, 1.5, "×");
    Ok(())
}

async fn fresh(bench: &mut Bench, kind: place::Kind, contacts: usize) -> Result<Synced> {
    let place = bench.place(kind).await?;
    let vendor = Vendor::start(contacts, 0).await?;
    let beside = bench.place(kind).await?;
    let bare = copy::bare(&bench.http, &beside, &vendor.pages()).await?.as_secs_f64();
    beside.remove().await?;
    let server = Running::server(bench, &place, &vendor.settings())?;
    let synced = full(bench, &server).await?;
    drop(server);
    place.remove().await?;
    Ok(Synced { bare, ..synced })
}

/// Runs a full sync and waits for its end, which may come after the answer.
async fn full(bench: &Bench, server: &Running) -> Result<Synced> {
    let (idle, cpu, begun) = (server.memory("VmRSS")?, server.cpu()?, Instant::now());
    let sync = Shot::rest(server, "gohighlevel.sync_all_contacts", &json!({}), "contacts_fetched");
    sync.send(&bench.http).await?;
    let stats = finished(bench, server).await?;
    Ok(Synced {
        all: begun.elapsed().as_secs_f64(),
        contacts: seconds_of(&stats, "contacts")?,
        cpu: (server.cpu()? - cpu).as_secs_f64(),
        idle,
        most: server.memory("VmHWM")?,
        bare: 0.0,
    })
}

async fn finished(bench: &Bench, server: &Running) -> Result<Value> {
    let stats = Shot::rest(server, "gohighlevel.get_sync_stats", &json!({}), "streams");
    for _ in 0..6_000 {
        let answer: Value = serde_json::from_str(&stats.send(&bench.http).await?)?;
        let streams = answer["data"]["streams"].as_array().cloned().unwrap_or_default();
        let state = |stream: &Value| stream["last_run"]["state"].as_str().map(str::to_owned);
        if let Some(failed) = streams.iter().find(|stream| state(stream).as_deref() == Some("failed")) {
            bail!("the sync failed: {failed}");
        }
        if streams.len() == 3 && streams.iter().all(|stream| state(stream).as_deref() == Some("done")) {
            return Ok(answer);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    bail!("the sync did not end within ten minutes")
}

fn seconds_of(stats: &Value, stream: &str) -> Result<f64> {
    let streams = stats["data"]["streams"].as_array().context("there are no streams")?;
    let found = streams.iter().find(|found| found["stream"] == stream).context("the stream is missing")?;
    Ok(found["last_run"]["duration_ms"].as_f64().context("the stream has no duration")? / 1000.0)
}

fn row(table: &mut Table, kind: place::Kind, contacts: usize, synced: &Synced) {
    table.row([
        kind.to_string(),
        contacts.to_string(),
        format!("{:.2}", synced.contacts / synced.bare),
        format!("{:.2}", synced.contacts),
        format!("{:.2}", synced.all),
        format!("{:.2}", synced.cpu),
        format!("{:.0}", synced.idle),
        format!("{:.0}", synced.most),
    ]);
}

/// Callers ask for ten contacts that are there already, with a pause of 5 ms between two calls, before and during the
/// sync of 1,206 others.
async fn beside_callers(bench: &mut Bench, kind: place::Kind, table: &mut Table) -> Result<()> {
    let place = bench.place(kind).await?;
    known_before(&place).await?;
    let vendor = Vendor::start(1_206, 200).await?;
    let server = Running::server(bench, &place, &vendor.settings())?;
    let question = json!({"query": "latest contacts", "limit": 10});
    let shot = Shot::mcp(&server, "contacts_search", &question, "next_cursor");
    let pause = Duration::from_secs(if bench.quick { 2 } else { 5 });
    calling(bench, &shot, tokio::time::sleep(Duration::from_secs(1))).await?;
    let (before, ()) = calling(bench, &shot, tokio::time::sleep(pause)).await?;
    let (during, synced) = calling(bench, &shot, full(bench, &server)).await?;
    let contacts = synced?.contacts;
    let p99 = (within(&before, 0.99), within(&during, 0.99));
    table.row([
        kind.to_string(),
        before.len().to_string(),
        format!("{:.2}", within(&before, 0.5)),
        format!("{:.2}", p99.0),
        during.len().to_string(),
        format!("{:.2}", within(&during, 0.5)),
        format!("{:.2}", p99.1),
        format!("{contacts:.2}"),
    ]);
    bench.limit(format!("{kind}: contacts of a full sync of 1,206, 200 ms a page, eight callers"), contacts, 2.8, " s");
    bench.limit(format!("{kind}: p99 of eight callers during a sync beside before"), p99.1 / p99.0, 2.0, "×");
    drop(server);
    place.remove().await
}

/// Contacts of another ecosystem, which this sync leaves alone.
async fn known_before(place: &Place) -> Result<()> {
    let store = store::Store::open(&place.url, store::OpenOptions::default()).await?;
    people::fill(&store.tenant("default"), 0..1_000).await?;
    Ok(store.close().await?)
}

/// Eight callers while something else happens: how long each call took, and what came of it.
async fn calling<T>(bench: &Bench, shot: &Shot, work: impl Future<Output = T>) -> Result<(Vec<Duration>, T)> {
    let over = Arc::new(AtomicBool::new(false));
    let callers: Vec<_> =
        (0..8).map(|_| tokio::spawn(caller(bench.http.clone(), shot.clone(), over.clone()))).collect();
    let done = work.await;
    over.store(true, Ordering::Relaxed);
    let mut latencies = Vec::new();
    for caller in callers {
        latencies.extend(caller.await.context("a caller ended badly")??);
    }
    Ok((latencies, done))
}

async fn caller(http: reqwest::Client, shot: Shot, over: Arc<AtomicBool>) -> Result<Vec<Duration>> {
    let mut latencies = Vec::new();
    while !over.load(Ordering::Relaxed) {
        let begun = Instant::now();
        shot.send(&http).await?;
        latencies.push(begun.elapsed());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(latencies)
}
