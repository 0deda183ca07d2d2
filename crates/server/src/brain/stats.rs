//! How old the copy is, and what the syncs found.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use sdk::Result;
use serde::{Deserialize, Serialize};
use store::sync_runs::{self, SyncCursor, SyncRun};
use store::{Tenant, contacts};

use super::reference::HOME;
use super::times::ago;
use crate::unavailable;

/// How fresh the local copy of GoHighLevel is: contacts in it, the age of the data, and for each stream the last sync
/// with what it fetched, created, updated, left, deleted and failed. Use it before relying on the copy, or after a sync.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GetSyncStats {}

/// The state of the copy.
#[derive(Debug, Serialize, JsonSchema)]
pub struct SyncStats {
    pub contacts: u64,
    /// Contacts that the vendor has deleted.
    pub contacts_deleted: u64,
    pub contacts_with_email: u64,
    pub contacts_with_phone: u64,
    /// When a contact was last seen at the vendor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_synced: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub age: Option<String>,
    pub streams: Vec<StreamStats>,
    /// What the reader has to know: never synced, failed, fetched nothing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// One stream and its last sync.
#[derive(Debug, Serialize, JsonSchema)]
pub struct StreamStats {
    pub stream: String,
    /// Everything at the vendor that changed before this is in the copy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub complete_until: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_full: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_run: Option<RunStats>,
}

/// What a sync found.
#[derive(Debug, Serialize, JsonSchema)]
pub struct RunStats {
    pub id: String,
    /// `full` or `incremental`.
    pub mode: String,
    /// `running`, `done`, `failed`, `cancelled`, or `skipped` where the account may not see the stream.
    pub state: String,
    pub started_at: DateTime<Utc>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<i64>,
    pub fetched: i64,
    pub created: i64,
    pub updated: i64,
    pub unchanged: i64,
    pub deleted: i64,
    pub errors: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// How fresh the local copy is, for every system: each stream with its age and its last sync (fetched, new, changed,
/// deleted, errors). Use it before relying on the copy, or while a sync runs.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SyncStatus {
    /// Only this system, such as `quickbooks`.
    #[schemars(length(max = 50))]
    pub ecosystem: Option<String>,
}

/// Every system that was ever copied.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Copies {
    pub ecosystems: Vec<Copy>,
}

/// The copy of one system.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Copy {
    pub ecosystem: String,
    pub streams: Vec<StreamStats>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// The state of the copies.
pub async fn sync_status(tenant: &Tenant, args: SyncStatus) -> Result<Copies> {
    let cursors = sync_runs::cursors(tenant).await.map_err(unavailable)?;
    let last = sync_runs::last_of_each(tenant).await.map_err(unavailable)?;
    let mut ecosystems: Vec<Copy> = Vec::new();
    for run in last.into_iter().filter(|run| args.ecosystem.as_ref().is_none_or(|only| run.ecosystem == *only)) {
        let cursor = cursors.iter().find(|cursor| cursor.ecosystem == run.ecosystem && cursor.stream == run.stream);
        let (ecosystem, stream) = (run.ecosystem.clone(), run.stream.clone());
        let stats = StreamStats::of(&stream, cursor, Some(run));
        match ecosystems.last_mut().filter(|copy| copy.ecosystem == ecosystem) {
            Some(copy) => copy.streams.push(stats),
            None => ecosystems.push(Copy { ecosystem, streams: vec![stats], notes: Vec::new() }),
        }
    }
    for copy in &mut ecosystems {
        copy.notes = troubles(&copy.streams);
    }
    Ok(Copies { ecosystems })
}

pub(super) const STREAMS: [&str; 3] = ["contacts", "opportunities", "interactions"];

/// The state of the copy of GoHighLevel.
pub async fn sync_stats(tenant: &Tenant, now: DateTime<Utc>) -> Result<SyncStats> {
    let found = contacts::stats(tenant, Some(HOME)).await.map_err(unavailable)?;
    let cursors = sync_runs::cursors(tenant).await.map_err(unavailable)?;
    let mut streams = Vec::new();
    for stream in STREAMS {
        let run = sync_runs::list(tenant, Some(HOME), Some(stream), 1).await.map_err(unavailable)?.pop();
        let cursor = cursors.iter().find(|cursor| cursor.ecosystem == HOME && cursor.stream == stream);
        if run.is_some() || cursor.is_some() {
            streams.push(StreamStats::of(stream, cursor, run));
        }
    }
    let count = |count: i64| u64::try_from(count).unwrap_or_default();
    Ok(SyncStats {
        contacts: count(found.contacts),
        contacts_deleted: count(found.deleted),
        contacts_with_email: count(found.with_email),
        contacts_with_phone: count(found.with_phone),
        last_synced: found.last_synced,
        age: found.last_synced.map(|at| ago(now - at)),
        notes: notes(&streams),
        streams,
    })
}

/// When the oldest of these streams was last synced with success, in whichever ecosystem; of no streams, when the
/// contacts were. `None` before the first sync. A stream that was never copied has nothing in the answer.
pub async fn freshness(tenant: &Tenant, streams: &[&str]) -> Result<Option<DateTime<Utc>>> {
    if !streams.is_empty() {
        let cursors = sync_runs::cursors(tenant).await.map_err(unavailable)?;
        let used = cursors.iter().filter(|cursor| streams.contains(&cursor.stream.as_str()));
        return Ok(used.map(|cursor| cursor.updated_at).min());
    }
    let cursor = sync_runs::cursor(tenant, HOME, STREAMS[0]).await.map_err(unavailable)?;
    Ok(cursor.map(|cursor| cursor.updated_at))
}

fn notes(streams: &[StreamStats]) -> Vec<String> {
    let mut notes = Vec::new();
    if !streams.iter().any(|stream| stream.stream == STREAMS[0]) {
        notes.push("contacts were never synced; run gohighlevel.sync_all_contacts".to_string());
    }
    notes.extend(troubles(streams));
    notes
}

fn troubles(streams: &[StreamStats]) -> Vec<String> {
    let mut notes = Vec::new();
    for (name, run) in streams.iter().filter_map(|stream| Some((&stream.stream, stream.last_run.as_ref()?))) {
        match run.state.as_str() {
            "failed" => notes.push(format!("the last sync of {name} failed; what is here is from before")),
            "skipped" => notes.push(format!("{name} is left out: the account may not see it")),
            "done" if run.fetched == 0 && run.mode == "full" => {
                notes.push(format!("the last full sync of {name} fetched nothing"));
            }
            "done" if run.fetched == 0 => {
                notes.push(format!("the last sync of {name} fetched nothing: nothing changed"))
            }
            _ => {}
        }
    }
    notes
}

impl StreamStats {
    fn of(stream: &str, cursor: Option<&SyncCursor>, run: Option<SyncRun>) -> StreamStats {
        StreamStats {
            stream: stream.into(),
            complete_until: cursor.and_then(|cursor| cursor.high_water),
            last_full: cursor.and_then(|cursor| cursor.last_full_at),
            last_run: run.map(RunStats::from),
        }
    }
}

impl From<SyncRun> for RunStats {
    fn from(run: SyncRun) -> RunStats {
        RunStats {
            id: run.id.to_string(),
            mode: run.mode,
            state: run.state,
            started_at: run.started_at,
            duration_ms: run.duration_ms,
            fetched: run.fetched,
            created: run.created,
            updated: run.updated,
            unchanged: run.unchanged,
            deleted: run.deleted,
            errors: run.errors,
            message: run.message,
        }
    }
}
