//! Whether the installation can do its work, in words and in one bit.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use store::Store;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::app::App;
use crate::connections::{Connections, Description};

/// The state of an installation.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Report {
    /// `ok`, or `unavailable` when calls cannot be recorded.
    pub status: String,
    pub ready: bool,
    pub version: String,
    pub database: Part,
    pub audit: Part,
    pub sync: SyncState,
    pub connections: Vec<Description>,
}

/// One thing that has to work.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Part {
    pub ok: bool,
    pub detail: String,
}

/// How fresh the brain is.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct SyncState {
    /// Every stream was copied within the last three intervals.
    pub fresh: bool,
    /// When the stream that was copied longest ago was; absent while one never was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_success: Option<DateTime<Utc>>,
    pub every_minutes: u32,
}

/// What everybody may know: whether calls can be answered and recorded.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Readiness {
    /// `ok`, or `unavailable` when calls cannot be recorded.
    pub status: String,
    pub ready: bool,
    pub version: String,
}

/// For this long the database is taken to be as it was found.
const LATELY: Duration = Duration::from_secs(1);

/// Whether the database answered lately. However often strangers ask, it is asked once.
#[derive(Default)]
pub struct Pulse(Mutex<Option<(bool, Instant)>>);

impl Pulse {
    async fn beats(&self, store: &Store) -> bool {
        // Held while it is asked: who comes meanwhile waits for the same answer.
        let mut last = self.0.lock().await;
        if let Some((beats, at)) = *last
            && at.elapsed() < LATELY
        {
            return beats;
        }
        let beats = store.ping().await.is_ok();
        *last = Some((beats, Instant::now()));
        beats
    }
}

/// The answer to a stranger, which names nothing and costs next to nothing.
pub async fn readiness(app: &App) -> Readiness {
    let works = app.audit.trouble().is_none() && app.pulse.beats(&app.store).await;
    in_words(works && !app.shutdown.is_cancelled())
}

fn in_words(ready: bool) -> Readiness {
    let status = if ready { "ok" } else { "unavailable" }.into();
    Readiness { status, ready, version: env!("CARGO_PKG_VERSION").into() }
}

/// Asks each part; the connections and the sync are those of one tenant.
pub async fn report(app: &Arc<App>, connections: &Connections) -> Report {
    let database = match app.store.ping().await {
        Ok(()) => Part { ok: true, detail: app.store.place().to_owned() },
        Err(e) => Part { ok: false, detail: e.to_string() },
    };
    let audit = match app.audit.trouble() {
        None => Part { ok: true, detail: "records are committed before answers leave".into() },
        Some(trouble) => Part { ok: false, detail: trouble },
    };
    let Readiness { status, ready, version } = in_words(database.ok && audit.ok && !app.shutdown.is_cancelled());
    Report {
        status,
        ready,
        version,
        database,
        audit,
        sync: sync_state(app, connections).await,
        // Without a database there is nothing to say of them.
        connections: connections.descriptions().await.unwrap_or_default(),
    }
}

async fn sync_state(app: &Arc<App>, connections: &Connections) -> SyncState {
    let every_minutes = app.config.sync.every_minutes;
    let last_success = crate::sync::last_success(connections).await.ok().flatten();
    let oldest = app.clock.now() - chrono::Duration::minutes(i64::from(every_minutes) * 3);
    SyncState { fresh: last_success.is_some_and(|at| at >= oldest), last_success, every_minutes }
}
