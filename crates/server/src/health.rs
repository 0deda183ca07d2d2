//! Whether the installation can do its work, in words and in one bit.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use crate::actor::{Actor, DEFAULT_TENANT};
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
    /// The last sync is at most three intervals old.
    pub fresh: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_success: Option<DateTime<Utc>>,
    pub every_minutes: u32,
}

/// Asks each part; the connections and the sync are those of one tenant.
pub async fn report(app: &Arc<App>, connections: &Connections) -> Report {
    let database = match app.store.ping().await {
        Ok(()) => Part { ok: true, detail: app.store.place().to_owned() },
        Err(e) => Part { ok: false, detail: e.to_string() },
    };
    if app.audit.trouble().is_some() {
        // Where no call comes because we are not ready, this is how we find out that we are again.
        let _ = app.audit.event(DEFAULT_TENANT, "probe", None, &Actor::system(), &serde_json::Value::Null).await;
    }
    let audit = match app.audit.trouble() {
        None => Part { ok: true, detail: "records are committed before answers leave".into() },
        Some(trouble) => Part { ok: false, detail: trouble },
    };
    let ready = database.ok && audit.ok && !app.shutdown.is_cancelled();
    Report {
        status: if ready { "ok" } else { "unavailable" }.into(),
        ready,
        version: env!("CARGO_PKG_VERSION").into(),
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
