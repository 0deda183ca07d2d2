//! Letting old records of the audit go, where the operator wants that (`audit.keep_days`): only what verifies is let go,
//! a checkpoint sealed with a key that the database does not have takes its place, and sums by day stay for ever.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Duration, Utc};
use sdk::Result;
use serde_json::json;
use store::Store;
use store::audit::{self, Checkpoint};
use store::chain::{self, Link};
use uuid::Uuid;

use crate::actor::{Actor, DEFAULT_TENANT};
use crate::app::App;
use crate::vault::Vault;

/// Records that are let go in one transaction.
const AT_ONCE: i64 = 5_000;
/// Batches in one go of the housekeeping, which comes back.
const BATCHES: usize = 20;

/// Lets go of what is older than the operator wants to keep.
pub async fn tidy(app: &App) -> Result<()> {
    let days = app.config.audit.keep_days;
    if days == 0 {
        return Ok(());
    }
    let before = app.clock.now() - Duration::days(i64::from(days));
    let gone = let_go(app, before, AT_ONCE).await?;
    if gone > 0 {
        let detail = json!({"records": gone, "before": before});
        app.audit.event(DEFAULT_TENANT, "audit_let_go", None, &Actor::system(), &detail).await?;
    }
    Ok(())
}

/// Lets go of records before a moment, `most` at a time; what does not verify stays. Returns how many went.
pub async fn let_go(app: &App, before: DateTime<Utc>, most: i64) -> Result<u64> {
    let (system, mut gone, mut batches) = (app.store.system(), 0, 0);
    let trusted = trusted(&app.store, &app.vault).await?;
    for position in audit::writers(&system).await.map_err(crate::unavailable)? {
        let mut start = trusted.iter().find(|link| link.writer == position.writer).cloned();
        while batches < BATCHES {
            let from = start.as_ref().map_or(0, |link| link.seq);
            let cut = audit::cut(&system, &position, from, before, most).await.map_err(crate::unavailable)?;
            let Some(cut) = cut.filter(|cut| cut.seq > from) else { break };
            if !chain::is_sound_until(&system, position.writer, start.as_ref(), &cut)
                .await
                .map_err(crate::unavailable)?
            {
                tracing::error!(writer = %position.writer, "records of the audit do not verify, and are kept");
                break;
            }
            match replace(app, from, cut.clone()).await? {
                // Another process is at it.
                0 => break,
                some => gone += some,
            }
            (start, batches) = (Some(cut), batches + 1);
        }
    }
    Ok(gone)
}

async fn replace(app: &App, from: i64, link: Link) -> Result<u64> {
    let keeper = app.store.tenant(DEFAULT_TENANT);
    let sealed = app.vault.current(&keeper).await?.seal(&link.hash, &place(link.writer, link.seq))?;
    let checkpoint = Checkpoint { link, taken_at: app.clock.now(), key_id: sealed.key_id, seal: sealed.bytes };
    audit::let_go(&keeper, from, &checkpoint).await.map_err(crate::unavailable)
}

/// What a seal is bound to.
fn place(writer: Uuid, seq: i64) -> String {
    format!("audit checkpoint|{writer}|{seq}")
}

/// The checkpoints that are ours.
pub async fn trusted(store: &Store, vault: &Vault) -> Result<Vec<Link>> {
    let keeper = store.tenant(DEFAULT_TENANT);
    let checkpoints = audit::checkpoints(&store.system()).await.map_err(crate::unavailable)?;
    // There is one for each process that ever ran, and they share few keys.
    let mut keys = BTreeMap::new();
    for id in checkpoints.iter().map(|checkpoint| &checkpoint.key_id).collect::<BTreeSet<_>>() {
        keys.insert(id.clone(), vault.key(&keeper, id).await.ok());
    }
    let is_ours = |checkpoint: &Checkpoint| {
        let (link, key) = (&checkpoint.link, keys.get(&checkpoint.key_id).and_then(Option::as_ref));
        let opened = key.and_then(|key| key.open(&checkpoint.seal, &place(link.writer, link.seq)).ok());
        let ours = opened.is_some_and(|hash| hash == link.hash);
        if !ours {
            tracing::error!(writer = %link.writer, "a checkpoint of the audit was not sealed with this master key");
        }
        ours
    };
    Ok(checkpoints.into_iter().filter(is_ours).map(|checkpoint| checkpoint.link).collect())
}
