//! The sync: copies the business into the brain, page by page, and remembers how far it came.
//!
//! A sync is a tool call like any other, so schedules, agents and people leave the same record.
//! Streams are walked one after the other; while one page is written the next is fetched.

mod rows;
mod walk;
mod write;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use sdk::{Error, Result, Tool};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::vendor_rows::MESSAGES;

use crate::actor::{Actor, ActorKind};
use crate::app::App;
use crate::brain;
use crate::brain::reference::HOME;
use crate::calls::{self, Outcome, Request, Scope};
use crate::connections::Connections;
use crate::runs::{Every, Failure, Job, Schedule};

/// The kind of run that a schedule's tick makes.
const RUN: &str = "sync";
/// A caller waits so long; the sync itself goes on.
const PATIENCE: Duration = Duration::from_secs(45);
/// The longest that a sync may take.
const LONGEST: Duration = Duration::from_secs(3600);

/// How much is copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Everything; finds what was deleted.
    Full,
    /// What changed since the last time.
    Incremental,
}

impl Mode {
    pub fn as_str(self) -> &'static str {
        match self {
            Mode::Full => "full",
            Mode::Incremental => "incremental",
        }
    }
}

/// One sync at a time, tenant and ecosystem in this process; a lock of the store keeps other processes out.
#[derive(Default)]
pub struct Gates(Mutex<HashMap<(String, String), Gate>>);

/// Held while a sync runs; inside is what the last one did.
type Gate = Arc<tokio::sync::Mutex<Option<Report>>>;

impl Gates {
    fn of(&self, tenant: &str, ecosystem: &str) -> Gate {
        let mut gates = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        gates.entry((tenant.to_owned(), ecosystem.to_owned())).or_default().clone()
    }
}

/// What a sync did.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct Report {
    pub ecosystem: String,
    /// `done`, `failed`, or `running` when it goes on after this answer.
    pub state: String,
    /// `full` or `incremental`
    pub mode: String,
    pub contacts_fetched: u64,
    pub contacts_created: u64,
    pub contacts_updated: u64,
    pub contacts_unchanged: u64,
    pub contacts_deleted: u64,
    pub errors: u64,
    pub duration_ms: u64,
    /// Each stream by itself.
    pub streams: Vec<StreamReport>,
    /// In words, also when nothing was fetched.
    pub message: String,
}

/// What a sync did with one stream.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct StreamReport {
    pub stream: String,
    pub fetched: u64,
    pub created: u64,
    pub updated: u64,
    pub unchanged: u64,
    pub deleted: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Why this stream is left out for this account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skipped: Option<String>,
}

pub fn tools() -> Vec<(&'static str, Tool<Scope>)> {
    let contacts = Tool::internal("sync_all_contacts", sync_all_contacts).idempotent();
    let all = Tool::internal("sync", sync).idempotent();
    vec![(HOME, contacts.deadline(LONGEST)), ("system", all.deadline(LONGEST))]
}

/// Copies all contacts, opportunities and conversations into the local brain now and tells what was
/// new, changed and deleted. It runs by itself every 15 minutes; call it for "sync everything" or
/// when data looks old.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct SyncAllContacts {
    /// `full` reads everything and finds deletions; `incremental` reads what changed.
    #[serde(default = "full")]
    mode: Mode,
}

/// Copies connected systems (invoices, orders, documents, mail, domains, contacts) into the local brain now and tells
/// what was new, changed and deleted. It runs by itself every 15 minutes; call it when data looks old.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Sync {
    /// One of them, such as `quickbooks`; all unless given.
    ecosystem: Option<String>,
    /// `full` reads everything and finds deletions; `incremental` reads what changed.
    #[serde(default = "full")]
    mode: Mode,
    /// Only these of its streams, such as `invoices`; all unless given.
    #[serde(default)]
    #[schemars(length(max = 20), inner(length(max = 30)))]
    streams: Vec<String>,
}

fn full() -> Mode {
    Mode::Full
}

/// What several syncs did.
#[derive(Serialize, JsonSchema)]
struct Reports {
    syncs: Vec<Report>,
}

async fn sync_all_contacts(scope: &Scope, arguments: SyncAllContacts) -> Result<Report> {
    one(scope, HOME, arguments.mode, Vec::new()).await
}

/// All at once, so that a slow one does not delay the others.
async fn sync(scope: &Scope, arguments: Sync) -> Result<Reports> {
    let ecosystems = match &arguments.ecosystem {
        Some(ecosystem) => vec![known(&scope.connections, ecosystem)?],
        None => copied(&scope.connections),
    };
    if let [only] = ecosystems.as_slice() {
        return Ok(Reports { syncs: vec![one(scope, only, arguments.mode, arguments.streams).await?] });
    }
    let each = ecosystems.into_iter().map(|ecosystem| {
        let (mode, streams) = (arguments.mode, arguments.streams.clone());
        async move {
            one(scope, ecosystem, mode, streams).await.unwrap_or_else(|e| Report::failed(ecosystem, mode, &e))
        }
    });
    Ok(Reports { syncs: futures::future::join_all(each).await })
}

/// The ecosystems that are copied.
fn copied(connections: &Connections) -> Vec<&'static str> {
    let copied = connections.iter().filter(|connected| connections.is_copied(connected));
    copied.map(|connected| connected.connector.id).collect()
}

fn known(connections: &Connections, ecosystem: &str) -> Result<&'static str> {
    let connected = connections.get(ecosystem)?;
    if !connections.is_copied(&connected) {
        let title = connected.connector.title;
        return Err(Error::invalid_input(format!("ecosystem: {title} is not connected, or has nothing to copy")));
    }
    Ok(connected.connector.id)
}

async fn one(scope: &Scope, ecosystem: &'static str, mode: Mode, streams: Vec<String>) -> Result<Report> {
    let work = walk::Work {
        app: scope.app.clone(),
        tenant: scope.tenant.clone(),
        connections: scope.connections.clone(),
        ecosystem,
        mode,
        streams,
        execution: scope.execution,
        progress: scope.progress.clone(),
        end: scope.now + LONGEST,
    };
    let mut task = scope.app.running.spawn(once(work));
    // A run waits for the end; a caller gets an answer before its client gives up.
    let patience =
        if scope.actor.kind == ActorKind::System || scope.actor.kind == ActorKind::Person { LONGEST } else { PATIENCE };
    match tokio::time::timeout(patience, &mut task).await {
        Ok(Ok(report)) => report,
        Ok(Err(_)) => Err(Error::internal("the sync ended in a way that it should not; the log says more")),
        Err(_) => Ok(Report::running(ecosystem, mode, "The sync goes on; system_sync_status shows how far it is.")),
    }
}

/// Runs the sync, or waits for the one that runs already and tells what that did.
async fn once(work: walk::Work) -> Result<Report> {
    let gate = work.app.syncs.of(work.tenant.id(), work.ecosystem);
    let mut last = match gate.try_lock() {
        Ok(gate) => gate,
        Err(_) => {
            let last = gate.lock().await;
            // What was running may have been less than what is asked for, or have failed. Who asks for a stream knows
            // that something has changed, which a walk that began before may have passed.
            let enough = |report: &&Report| {
                let as_much = work.mode == Mode::Incremental || report.mode == work.mode.as_str();
                as_much && work.streams.is_empty()
            };
            if let Some(report) = last.as_ref().filter(enough) {
                return Ok(report.clone());
            }
            last
        }
    };
    *last = None;
    let lock = format!("sync of {} for {}", work.ecosystem, work.tenant.id());
    let Some(_alone) = store::locks::try_lock(&work.app.store, &lock).await.map_err(crate::unavailable)? else {
        return Ok(Report::running(work.ecosystem, work.mode, "Another process of this installation copies it now."));
    };
    let walked = walk::all(&work).await;
    if work.ecosystem == HOME || has_mails(&work)? {
        store::mails::link(&work.tenant, HOME).await.map_err(crate::unavailable)?;
    }
    let report = walked?;
    if work.ecosystem == HOME {
        brain::rescore(&work.tenant, work.app.clock.now()).await?;
        store::contacts::settle_search(&work.tenant).await.map_err(crate::unavailable)?;
    }
    *last = Some(report.clone()).filter(|_| work.streams.is_empty());
    Ok(report)
}

fn has_mails(work: &walk::Work) -> Result<bool> {
    let connected = work.connections.get(work.ecosystem)?;
    Ok(connected.connector.streams.iter().any(|stream| stream.name == MESSAGES.name))
}

/// Marks a record deleted, because its vendor said so, unless a walk has seen it after `seen`.
pub async fn forget(
    tenant: &store::Tenant,
    ecosystem: &str,
    stream: &str,
    vendor_id: &str,
    seen: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<bool> {
    write::gone(tenant, ecosystem, stream, vendor_id, seen, now).await
}

/// Teaches the runs what a tick of the schedule does.
pub fn register(app: &Arc<App>) {
    let weak = Arc::downgrade(app);
    app.runs.register(RUN, move |job: Job, input: Value| {
        let app = weak.upgrade();
        async move {
            let app = app.ok_or(Failure::Interrupted)?;
            tick(&app, &job, input).await
        }
    });
}

async fn tick(app: &Arc<App>, job: &Job, input: Value) -> Result<Value, Failure> {
    if app.tenants.name(app, &job.tenant).await?.is_none() {
        return Ok(json!({"skipped": "the business is disabled"}));
    }
    let request = match input["ecosystem"].as_str() {
        None | Some(HOME) => Request::new("gohighlevel.sync_all_contacts", json!({"mode": input["mode"]})),
        Some(_) => Request::new("system.sync", input),
    };
    let reply = calls::call(app, &Actor::run(&job.tenant, job.run), request).await;
    match reply.map_err(|unknown| Failure::permanent(unknown.message))?.outcome {
        Outcome::Done(done) => Ok(done.data),
        Outcome::Failed(e) => Err(e.into()),
        Outcome::Denied(reason) => Err(Failure::permanent(reason)),
        Outcome::Pending(_) => Err(Failure::permanent("a sync does not wait for a person")),
    }
}

/// Incremental every so many minutes, full every night, and at once where the brain is empty; each ecosystem by itself.
pub async fn schedule(app: &App, connections: &Connections) -> Result<()> {
    let settings = &app.config.sync;
    for connected in connections.defaults().filter(|connected| !connected.connector.streams.is_empty()) {
        let ecosystem = connected.connector.id;
        let rhythms = [
            ("sync", "incremental", Every::Seconds(i64::from(settings.every_minutes) * 60)),
            ("reconcile", "full", Every::Cron(format!("0 {} * * *", settings.reconcile_hour))),
        ];
        for (name, mode, every) in rhythms {
            let schedule = Schedule {
                name: if ecosystem == HOME { name.into() } else { format!("{name} {ecosystem}") },
                kind: RUN.into(),
                input: json!({"mode": mode, "ecosystem": ecosystem}),
                every,
                at_once: name == "sync",
                enabled: settings.enabled && connections.is_copied(&connected),
            };
            app.runs.ensure(connections.tenant(), schedule).await?;
        }
    }
    Ok(())
}

/// When every stream of every ecosystem that is copied had last been copied with success: the oldest of these moments,
/// or `None` where one never was. What an account may not see is left out.
pub async fn last_success(connections: &Connections) -> Result<Option<DateTime<Utc>>> {
    let mut oldest: Option<DateTime<Utc>> = None;
    for ecosystem in copied(connections) {
        for stream in &connections.get(ecosystem)?.connector.streams {
            let last = store::sync_runs::last_success(connections.tenant(), ecosystem, stream.name).await;
            let Some(last) = last.map_err(crate::unavailable)? else { return Ok(None) };
            oldest = Some(oldest.map_or(last, |oldest| oldest.min(last)));
        }
    }
    Ok(oldest)
}

impl Report {
    fn of(ecosystem: &str, mode: Mode, state: &str, message: impl Into<String>) -> Report {
        Report {
            ecosystem: ecosystem.into(),
            state: state.into(),
            mode: mode.as_str().into(),
            message: message.into(),
            ..Report::default()
        }
    }

    fn running(ecosystem: &str, mode: Mode, message: &str) -> Report {
        Report::of(ecosystem, mode, "running", message)
    }

    fn failed(ecosystem: &str, mode: Mode, error: &Error) -> Report {
        Report { errors: 1, ..Report::of(ecosystem, mode, "failed", calls::explain(error)) }
    }

    fn add(&mut self, stream: StreamReport) {
        if stream.stream == "contacts" {
            self.contacts_fetched = stream.fetched;
            self.contacts_created = stream.created;
            self.contacts_updated = stream.updated;
            self.contacts_unchanged = stream.unchanged;
            self.contacts_deleted = stream.deleted;
        }
        self.errors += u64::from(stream.error.is_some());
        self.streams.push(stream);
    }

    /// A sync that fetched nothing says so.
    fn in_words(&self) -> String {
        let sum = |count: fn(&StreamReport) -> u64| self.streams.iter().map(count).sum::<u64>();
        let fetched = sum(|stream| stream.fetched);
        let failed: Vec<&str> =
            self.streams.iter().filter(|stream| stream.error.is_some()).map(|stream| stream.stream.as_str()).collect();
        let mut text = match (fetched, self.mode.as_str()) {
            (0, "incremental") => "Nothing has changed since the last sync; nothing was fetched.".to_owned(),
            (0, _) => "The sync fetched nothing: the account has no records, or the key may not see them.".to_owned(),
            _ if self.ecosystem == HOME => format!(
                "{} contacts fetched: {} new, {} changed, {} unchanged, {} deleted.",
                self.contacts_fetched,
                self.contacts_created,
                self.contacts_updated,
                self.contacts_unchanged,
                self.contacts_deleted
            ),
            _ => format!(
                "{fetched} records fetched: {} new, {} changed, {} unchanged, {} deleted.",
                sum(|stream| stream.created),
                sum(|stream| stream.updated),
                sum(|stream| stream.unchanged),
                sum(|stream| stream.deleted)
            ),
        };
        if !failed.is_empty() {
            text.push_str(&format!(" Not complete: {} failed.", failed.join(", ")));
        }
        text
    }
}
