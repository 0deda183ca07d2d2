//! Writes the records of a page into the brain.

use chrono::{DateTime, Utc};
use sdk::stream::Interaction;
use sdk::{Record, Result};
use serde_json::Value;
use store::contacts::{self, Counts};
use store::interactions::{self, NewInteraction};
use store::{Tenant, vendor_rows};
use uuid::Uuid;

use super::rows::{self, Sorted};
use super::walk::Work;

/// Interactions in one transaction. While one is open, the embedded database writes nothing else.
const INTERACTIONS_AT_ONCE: usize = 100;

/// What a page did, with what the vendor said is gone.
#[derive(Clone, Copy, Default)]
pub(super) struct Written {
    pub counts: Counts,
    pub deleted: u64,
}

/// Writes a page.
pub(super) async fn records(work: &Work, stream: &str, run: Uuid, records: Vec<Record>) -> Result<Written> {
    let now = work.app.clock.now();
    let Sorted { people, talks, rows, gone } = rows::sorted(stream, records, now);
    let mut counts = Counts::default();
    if !people.is_empty() {
        let written = contacts::upsert_batch(&work.tenant, work.ecosystem, run, &people, now).await;
        counts += written.map_err(crate::unavailable)?;
    }
    for (table, rows) in rows {
        let written = vendor_rows::upsert_batch(&work.tenant, table, work.ecosystem, run, &rows, now).await;
        counts += written.map_err(crate::unavailable)?;
    }
    for talks in talks.chunks(INTERACTIONS_AT_ONCE) {
        counts += write_talks(work, talks).await?;
    }
    let deleted = if gone.is_empty() { 0 } else { mark_gone(work, stream, &gone, now).await? };
    Ok(Written { counts, deleted })
}

async fn mark_gone(work: &Work, stream: &str, gone: &[String], now: DateTime<Utc>) -> Result<u64> {
    if stream == "interactions" {
        return interactions::remove(&work.tenant, work.ecosystem, gone).await.map_err(crate::unavailable);
    }
    let Some(table) = marked(stream) else { return Ok(0) };
    let gone: Vec<&str> = gone.iter().map(String::as_str).collect();
    vendor_rows::mark_deleted(&work.tenant, table, work.ecosystem, &gone, now).await.map_err(crate::unavailable)
}

/// Marks one record deleted unless it was seen after `seen`.
pub(super) async fn gone(
    tenant: &Tenant,
    ecosystem: &str,
    stream: &str,
    vendor_id: &str,
    seen: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<bool> {
    let table = rows::table_of(stream).map_or("contacts", |table| table.name);
    let marked = vendor_rows::mark_deleted_unless_seen(tenant, table, ecosystem, vendor_id, Some(seen), now);
    marked.await.map_err(crate::unavailable)
}

/// Marks what a whole walk did not see.
pub(super) async fn deletions(
    work: &Work,
    stream: &str,
    run: Uuid,
    started_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<u64> {
    let Some(table) = marked(stream) else { return Ok(0) };
    let deleted = vendor_rows::mark_missing_deleted(&work.tenant, table, work.ecosystem, run, started_at, now).await;
    deleted.map_err(crate::unavailable)
}

/// The table whose rows are marked when the vendor has them no more. What was said between people stays said.
fn marked(stream: &str) -> Option<&'static str> {
    if stream == "contacts" { Some("contacts") } else { rows::table_of(stream).map(|table| table.name) }
}

type Talk = (String, Value, Interaction);

async fn write_talks(work: &Work, talks: &[Talk]) -> Result<Counts> {
    let vendor_ids: Vec<&str> = talks.iter().map(|(.., talk)| talk.contact.as_str()).collect();
    let known = contacts::ids_by_vendor_id(&work.tenant, work.ecosystem, &vendor_ids).await;
    let known = known.map_err(crate::unavailable)?;
    // A message of a contact that was deleted meanwhile has nobody to belong to.
    let of_contact = |talk: &Talk| known.get(&talk.2.contact).map(|id| rows::interaction(work.ecosystem, *id, talk));
    let rows: Vec<NewInteraction> = talks.iter().filter_map(of_contact).collect();
    let created = interactions::upsert_batch(&work.tenant, &rows).await.map_err(crate::unavailable)?;
    Ok(Counts { created, updated: 0, unchanged: (rows.len() as u64).saturating_sub(created) })
}
