//! The sync: copies the business into the brain, page by page, and remembers how far it came.
//!
//! A sync is a tool call like any other, so schedules, agents and people leave the same record.
//! Streams are walked one after the other; while one page is written the next is fetched.

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

use crate::actor::{Actor, ActorKind, DEFAULT_TENANT};
use crate::app::App;
use crate::brain;
use crate::calls::{self, Outcome, Request, Scope};
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

/// One sync at a time and ecosystem.
#[derive(Default)]
pub struct Gates(Mutex<HashMap<String, Arc<tokio::sync::Mutex<Option<Report>>>>>);

impl Gates {
    fn of(&self, ecosystem: &str) -> Arc<tokio::sync::Mutex<Option<Report>>> {
        let mut gates = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        gates.entry(ecosystem.to_owned()).or_default().clone()
    }
}

/// What a sync did.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct Report {
    /// `done`, or `running` when it goes on after this answer.
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
    let tool = Tool::internal("sync_all_contacts", sync_all_contacts).idempotent();
    vec![("gohighlevel", tool.deadline(LONGEST))]
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

fn full() -> Mode {
    Mode::Full
}

async fn sync_all_contacts(scope: &Scope, arguments: SyncAllContacts) -> Result<Report> {
    let work = walk::Work {
        app: scope.app.clone(),
        tenant: scope.tenant.clone(),
        ecosystem: "gohighlevel",
        mode: arguments.mode,
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
        Err(_) => Ok(still_running(arguments.mode)),
    }
}

fn still_running(mode: Mode) -> Report {
    Report {
        state: "running".into(),
        mode: mode.as_str().into(),
        message: "The sync goes on; gohighlevel_get_sync_stats shows how far it is.".into(),
        ..Report::default()
    }
}

/// Runs the sync, or waits for the one that runs already and tells what that did.
async fn once(work: walk::Work) -> Result<Report> {
    let gate = work.app.syncs.of(work.ecosystem);
    let mut last = match gate.try_lock() {
        Ok(gate) => gate,
        Err(_) => {
            let last = gate.lock().await;
            // What was running may have been less than what is asked for, or have failed.
            let enough = |report: &&Report| work.mode == Mode::Incremental || report.mode == work.mode.as_str();
            if let Some(report) = last.as_ref().filter(enough) {
                return Ok(report.clone());
            }
            last
        }
    };
    *last = None;
    let report = walk::all(&work).await?;
    brain::rescore(&work.tenant, work.app.clock.now()).await?;
    store::contacts::settle_search(&work.tenant).await.map_err(crate::unavailable)?;
    *last = Some(report.clone());
    Ok(report)
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
    let request = Request::new("gohighlevel.sync_all_contacts", input);
    let reply = calls::call(app, &Actor::run(&job.tenant, job.run), request).await;
    match reply.map_err(|unknown| Failure::permanent(unknown.message))?.outcome {
        Outcome::Done(done) => Ok(done.data),
        Outcome::Failed(e) => Err(e.into()),
        Outcome::Denied(reason) => Err(Failure::permanent(reason)),
        Outcome::Pending(_) => Err(Failure::permanent("a sync does not wait for a person")),
    }
}

/// Incremental every so many minutes, full every night, and at once where the brain is empty.
pub async fn schedule(app: &Arc<App>) -> Result<()> {
    let tenant = app.store.tenant(DEFAULT_TENANT);
    let settings = &app.config.sync;
    let rhythms = [
        ("sync", "incremental", Every::Seconds(i64::from(settings.every_minutes) * 60)),
        ("reconcile", "full", Every::Cron(format!("0 {} * * *", settings.reconcile_hour))),
    ];
    for (name, mode, every) in rhythms {
        let schedule = Schedule {
            name: name.into(),
            kind: RUN.into(),
            input: json!({"mode": mode}),
            every,
            at_once: name == "sync",
            enabled: settings.enabled,
        };
        app.runs.ensure(&tenant, schedule).await?;
    }
    Ok(())
}

/// When a sync last succeeded.
pub async fn last_success(tenant: &store::Tenant) -> Result<Option<DateTime<Utc>>> {
    store::sync_runs::last_success(tenant).await.map_err(crate::unavailable)
}

impl Report {
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
        let fetched: u64 = self.streams.iter().map(|stream| stream.fetched).sum();
        let failed: Vec<&str> =
            self.streams.iter().filter(|stream| stream.error.is_some()).map(|stream| stream.stream.as_str()).collect();
        let mut text = match (fetched, self.mode.as_str()) {
            (0, "incremental") => "Nothing has changed since the last sync; nothing was fetched.".to_owned(),
            (0, _) => "The sync fetched nothing: the account has no records, or the key may not see them.".to_owned(),
            _ => format!(
                "{} contacts fetched: {} new, {} changed, {} unchanged, {} deleted.",
                self.contacts_fetched,
                self.contacts_created,
                self.contacts_updated,
                self.contacts_unchanged,
                self.contacts_deleted
            ),
        };
        if !failed.is_empty() {
            text.push_str(&format!(" Not complete: {} failed.", failed.join(", ")));
        }
        text
    }
}
