//! Keeps the stored importance true, which changes by the mere passing of time.

use chrono::{DateTime, Utc};
use sdk::Result;
use store::Tenant;
use store::contacts::{self as rows, Scored};

use super::scoring::{Facts, importance};
use crate::unavailable;

/// How many contacts are read at once.
pub(super) const PAGE: u64 = 2_000;

/// Computes the importance of every contact anew and writes those that changed. Call it after a sync. Returns how many
/// changed.
pub async fn rescore(tenant: &Tenant, now: DateTime<Utc>) -> Result<u64> {
    let (mut after, mut changed) = (0, 0);
    loop {
        let page = rows::scored(tenant, after, PAGE).await.map_err(unavailable)?;
        let Some(last) = page.last() else { return Ok(changed) };
        after = last.id;
        let full = page.len() as u64 == PAGE;
        let scores: Vec<(i64, i16)> = page.iter().filter_map(|row| new_score(row, now)).collect();
        if !scores.is_empty() {
            rows::set_importance(tenant, &scores).await.map_err(unavailable)?;
        }
        changed += scores.len() as u64;
        if !full {
            return Ok(changed);
        }
    }
}

/// The importance of a contact, where it is not the stored one.
fn new_score(row: &Scored, now: DateTime<Utc>) -> Option<(i64, i16)> {
    let facts = Facts {
        has_tags: row.has_tags,
        kind: row.kind.as_deref(),
        last_activity: row.last_activity,
        last_contact: None,
        interactions: 0,
    };
    let score = i16::from(importance(&facts, now).value);
    (score != row.importance).then_some((row.id, score))
}
