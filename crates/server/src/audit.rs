//! The audit's single writer of this process.
//!
//! It commits whatever queued while the previous commit ran and acknowledges after the commit; it
//! never waits on a timer, so a lone caller pays for one commit and a crowd shares one. While the
//! database is away it refuses at once what has to be recorded first, keeps the notes, and looks
//! every second whether the database is back.

pub mod ends;
pub mod retention;

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sdk::http::{Attempt, Observer};
use sdk::{Error, Result};
use serde_json::{Value, json};
use store::Store;
use store::audit::{BATCH, Writer};
use store::chain::{ApiCall, Canonical, Event, Execution, Record, Report};
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use crate::actor::Actor;
use crate::app::App;
use crate::clock::Clock;
use crate::vault::Vault;
use ends::Ends;

/// How often a database that was away is looked for.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// Requests to vendors that are kept while the database is away.
const KEPT_NOTES: usize = 10_000;
/// Interrupted effects that get their record in one go of the housekeeping, which comes back.
const INTERRUPTED: u64 = 1_000;
/// What others committed meanwhile, by clocks that differ a little, is looked at again.
const OVERLAP: TimeDelta = TimeDelta::hours(1);

/// The way to the writer. Cloning is not needed: it lives in `App`.
pub struct Audit {
    queue: mpsc::UnboundedSender<Entry>,
    trouble: Arc<Mutex<Option<String>>>,
    store: Store,
    clock: Clock,
    store_responses: bool,
    writer: Mutex<Option<tokio::task::JoinHandle<()>>>,
    /// Up to when the effects of each tenant are known to have their record.
    settled: Mutex<HashMap<String, DateTime<Utc>>>,
}

enum Entry {
    /// Somebody waits for the commit.
    Awaited(Record, oneshot::Sender<bool>),
    /// Committed with whatever comes next.
    Note(Record),
    /// Commit what is there and stop.
    Close,
}

impl Audit {
    pub fn start(store: Store, clock: Clock, store_responses: bool) -> Audit {
        let (queue, entries) = mpsc::unbounded_channel();
        let trouble = Arc::new(Mutex::new(None));
        let writer = Writing::new(store.clone(), clock.clone(), trouble.clone());
        let task = tokio::spawn(writer.run(entries));
        Audit {
            queue,
            trouble,
            store,
            clock,
            store_responses,
            writer: Mutex::new(Some(task)),
            settled: Mutex::default(),
        }
    }

    /// Keeps the record of a call. It is durable when this returns.
    pub async fn execution(&self, mut record: Execution) -> Result<()> {
        if !self.store_responses {
            record.response = None;
        }
        self.commit(Record::Execution(record)).await
    }

    /// Keeps something beside calls: an intent, a decision, a new key. Durable when this returns.
    pub async fn event(
        &self,
        tenant: &str,
        event: &str,
        execution: Option<Uuid>,
        actor: &Actor,
        detail: &Value,
    ) -> Result<()> {
        let record = Event {
            id: Uuid::now_v7(),
            tenant_id: tenant.to_owned(),
            timestamp: self.clock.now(),
            event: event.to_owned(),
            execution_id: execution,
            actor: Canonical::from(&json!(actor)),
            detail: Canonical::from(detail),
        };
        self.commit(Record::Event(record)).await
    }

    /// Makes what notes every request to a vendor.
    pub fn observers(&self) -> Observers {
        Observers { queue: self.queue.clone(), clock: self.clock.clone() }
    }

    /// Why records cannot be written, while they cannot.
    pub fn trouble(&self) -> Option<String> {
        self.trouble.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).clone()
    }

    /// Commits what is queued and ends the chain.
    pub async fn close(&self) {
        // A closed queue means that the writer has already ended.
        let _ = self.queue.send(Entry::Close);
        let task = self.writer.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).take();
        if let Some(task) = task
            && let Err(e) = task.await
        {
            tracing::error!(error = %e, "the audit writer ended badly");
        }
    }

    /// Gives every effect that was intended and never completed its record: its outcome is unknown. The first time after
    /// a start it looks at all that there are, and later at those that have come since.
    pub async fn finish_interrupted(&self, tenant: &str) -> Result<()> {
        let tenant = self.store.tenant(tenant);
        let since = self.settled().get(tenant.id()).map(|at| *at - OVERLAP);
        // Somebody may still be working on a young one: another replica, or a command beside us.
        let before = self.clock.now() - TimeDelta::minutes(2);
        let open = store::audit::open_intents(&tenant, since, before, INTERRUPTED).await.map_err(crate::unavailable)?;
        let all = (open.len() as u64) < INTERRUPTED;
        for intent in open {
            self.execution(interrupted(intent)).await?;
        }
        if all {
            self.settled().insert(tenant.id().to_owned(), before);
        }
        Ok(())
    }

    fn settled(&self) -> MutexGuard<'_, HashMap<String, DateTime<Utc>>> {
        self.settled.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    async fn commit(&self, record: Record) -> Result<()> {
        let (done, wait) = oneshot::channel();
        let refused = || Error::unavailable("the audit cannot be written, so nothing was done");
        self.queue.send(Entry::Awaited(record, done)).map_err(|_| refused())?;
        if wait.await.unwrap_or(false) { Ok(()) } else { Err(refused()) }
    }
}

/// Verifies all that is on record: each chain, across what was let go, and against the ends that are noted elsewhere.
pub async fn verify(store: &Store, vault: &Vault, ends: &Ends) -> Result<Report> {
    let system = store.system();
    loop {
        let trusted = retention::trusted(store, vault).await?;
        let mut report = store::chain::verify_from(&system, &trusted).await.map_err(crate::unavailable)?;
        ends.verify(&system, &trusted, &mut report).await?;
        // Records that were let go while they were read are not missing.
        if report.is_sound() || retention::trusted(store, vault).await? == trusted {
            return Ok(report);
        }
    }
}

/// Notes outside of the database where the chains have got to. Where that cannot be done everything else goes on.
pub async fn note_ends(app: &App) {
    let noted = async {
        let trusted = retention::trusted(&app.store, &app.vault).await?;
        Ends::read(&app.config)?.go_on(&app.store.system(), &trusted).await
    };
    if let Err(error) = noted.await {
        tracing::warn!(%error, "where the audit ends could not be noted");
    }
}

/// Makes observers, one for the connections of each tenant.
#[derive(Clone)]
pub struct Observers {
    queue: mpsc::UnboundedSender<Entry>,
    clock: Clock,
}

impl Observers {
    pub fn of(&self, tenant: &str) -> Observer {
        let (queue, clock, tenant) = (self.queue.clone(), self.clock.clone(), tenant.to_owned());
        Arc::new(move |attempt| {
            // The queue is gone only after the audit was closed, when nothing is sent any more.
            let _ = queue.send(Entry::Note(Record::ApiCall(api_call(&tenant, &clock, attempt))));
        })
    }
}

fn interrupted(intent: store::entities::audit_events::Model) -> Execution {
    let text = |key: &str| intent.detail[key].as_str().unwrap_or_default().to_owned();
    Execution {
        id: intent.execution_id.unwrap_or(intent.id),
        tenant_id: intent.tenant_id.clone(),
        timestamp: intent.timestamp,
        tool_name: text("tool"),
        params: Canonical::from(&intent.detail["arguments"]),
        response: None,
        duration_ms: 0,
        status: "error".into(),
        error_message: Some("outcome unknown: the server stopped before the vendor's answer was recorded".into()),
        source: None,
        user_context: Canonical::from(&intent.actor),
        effect: text("effect"),
        approval_id: intent.detail["approval_id"].as_str().and_then(|id| id.parse().ok()),
    }
}

fn api_call(tenant: &str, clock: &Clock, attempt: Attempt) -> ApiCall {
    let status = attempt.status.map(|status| i32::from(status.as_u16()));
    ApiCall {
        id: Uuid::now_v7(),
        tenant_id: tenant.to_owned(),
        execution_id: attempt.execution,
        timestamp: clock.now() - attempt.latency,
        ecosystem: attempt.ecosystem.into(),
        endpoint: attempt.endpoint.into(),
        method: attempt.method.to_string(),
        status_code: status,
        latency_ms: attempt.latency.as_millis() as i64,
        request_size_bytes: attempt.request_bytes as i64,
        response_size_bytes: attempt.response_bytes as i64,
        error: attempt.error,
        rate_limited: status == Some(429),
        attempt: attempt.number as i32,
    }
}

/// The writer's side of the queue.
struct Writing {
    store: Store,
    clock: Clock,
    trouble: Arc<Mutex<Option<String>>>,
    writer: Option<Writer>,
    /// Notes of the commit that failed last. It may have taken place all the same.
    doubtful: Vec<Record>,
    /// Notes that came while the database was away.
    kept: VecDeque<Record>,
}

impl Writing {
    fn new(store: Store, clock: Clock, trouble: Arc<Mutex<Option<String>>>) -> Writing {
        Writing { store, clock, trouble, writer: None, doubtful: Vec::new(), kept: VecDeque::new() }
    }

    async fn run(mut self, mut entries: mpsc::UnboundedReceiver<Entry>) {
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            batch.clear();
            let received = entries.recv_many(&mut batch, BATCH);
            let count = if self.is_troubled() {
                tokio::time::timeout(LOOK_AGAIN, received).await.ok()
            } else {
                Some(received.await)
            };
            match count {
                None => drop(self.catch_up().await),
                Some(0) => break,
                Some(_) => {
                    let closing = batch.iter().any(|entry| matches!(entry, Entry::Close));
                    self.commit(&mut batch).await;
                    if closing {
                        break;
                    }
                }
            }
        }
        self.close().await;
    }

    async fn close(mut self) {
        if self.is_troubled() && !self.catch_up().await {
            self.drop_notes(self.doubtful.len() + self.kept.len(), "the server ends and the database is away");
        }
        if let Some(writer) = self.writer.take()
            && let Err(e) = writer.close(self.clock.now()).await
        {
            tracing::warn!(error = %e, "the end of the audit chain could not be noted");
        }
    }

    async fn commit(&mut self, batch: &mut Vec<Entry>) {
        let mut records = Vec::with_capacity(batch.len());
        let mut waiting = Vec::new();
        let mut notes = Vec::new();
        for entry in batch.drain(..) {
            match entry {
                Entry::Awaited(record, done) => {
                    records.push(record);
                    waiting.push(done);
                }
                Entry::Note(record) => {
                    notes.push(record.clone());
                    records.push(record);
                }
                Entry::Close => {}
            }
        }
        if records.is_empty() {
            return;
        }
        let committed = self.record(records, notes).await;
        for done in waiting {
            // A caller that no longer waits has its record all the same.
            let _ = done.send(committed);
        }
    }

    /// Commits the records. If that fails, the notes among them are kept: nobody waits for them who could be told.
    async fn record(&mut self, records: Vec<Record>, notes: Vec<Record>) -> bool {
        if self.is_troubled() && !self.catch_up().await {
            self.keep(notes);
            return false;
        }
        let outcome = self.append(records).await;
        if outcome.is_err() {
            self.doubtful = notes;
        }
        self.tell(outcome)
    }

    /// Whether the database can be written again, and all that was kept is in it.
    async fn catch_up(&mut self) -> bool {
        let outcome = self.append_kept().await;
        self.tell(outcome)
    }

    async fn append_kept(&mut self) -> store::Result<()> {
        let (doubtful, now) = (self.doubtful.clone(), self.clock.now());
        match self.writer().await?.append_again(doubtful, now).await {
            // They would stand in the way for ever.
            Err(e) if e.is_final() => self.drop_notes(self.doubtful.len(), &e.to_string()),
            done => done?,
        }
        self.doubtful.clear();
        while !self.kept.is_empty() {
            let chunk: Vec<Record> = self.kept.drain(..self.kept.len().min(BATCH)).collect();
            if let Err(e) = self.append(chunk.clone()).await {
                self.doubtful = chunk;
                return Err(e);
            }
        }
        let now = self.clock.now();
        self.writer().await?.resume(now).await
    }

    async fn append(&mut self, records: Vec<Record>) -> store::Result<()> {
        let now = self.clock.now();
        self.writer().await?.append(records, now).await
    }

    async fn writer(&mut self) -> store::Result<&mut Writer> {
        let now = self.clock.now();
        match &mut self.writer {
            Some(writer) => Ok(writer),
            none => Ok(none.insert(Writer::open(&self.store, now).await?)),
        }
    }

    fn keep(&mut self, notes: Vec<Record>) {
        for note in notes {
            if self.kept.len() < KEPT_NOTES {
                self.kept.push_back(note);
            } else {
                metrics::counter!("audit_notes_dropped_total").increment(1);
            }
        }
    }

    fn drop_notes(&self, count: usize, error: &str) {
        tracing::error!(error, count, "requests to vendors cannot be recorded");
        metrics::counter!("audit_notes_dropped_total").increment(count as u64);
    }

    fn is_troubled(&self) -> bool {
        self.trouble.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).is_some()
    }

    /// Says how it went: in the log when that changes, in the metrics, and to `/health`.
    fn tell(&self, outcome: store::Result<()>) -> bool {
        let ok = outcome.is_ok();
        metrics::counter!("audit_commits_total", "ok" => if ok { "true" } else { "false" }).increment(1);
        let trouble = outcome.err().map(|e| e.to_string());
        let mut before = self.trouble.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        match (&*before, &trouble) {
            (None, Some(trouble)) => tracing::error!(error = %trouble, "the audit cannot be written"),
            (Some(_), None) => tracing::info!("the audit is written again"),
            _ => {}
        }
        *before = trouble;
        ok
    }
}
