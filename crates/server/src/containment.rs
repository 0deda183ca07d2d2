//! Containment of what was read: an agent that has texts of strangers in its context may have been told by them what to
//! do. From then on, for a while, whatever carries words out of the house is put before a person, also where the policy
//! would allow it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use chrono::{DateTime, Duration, Utc};
use sdk::Result;
use serde_json::Value;
use store::exposures::{self, Exposure};
use uuid::Uuid;

use crate::actor::{Actor, ActorKind};
use crate::app::App;
use crate::policy::{Asks, Decision};
use crate::tools::Entry;

/// Who reads on and on is noted again after this time.
const NOTED_EVERY: Duration = Duration::minutes(1);
/// Agents that are remembered at most.
const REMEMBERED: usize = 1_000;

/// When each agent was noted last, so that not every read writes.
#[derive(Default)]
pub struct Noted(Mutex<HashMap<(String, String), DateTime<Utc>>>);

impl Noted {
    fn is_due(&self, actor: &Actor, now: DateTime<Utc>) -> bool {
        let noted = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let key = (actor.tenant.clone(), actor.id.clone());
        noted.get(&key).is_none_or(|at| *at <= now - NOTED_EVERY)
    }

    fn put(&self, actor: &Actor, now: DateTime<Utc>) {
        let mut noted = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if noted.len() >= REMEMBERED {
            noted.clear();
        }
        noted.insert((actor.tenant.clone(), actor.id.clone()), now);
    }
}

/// Notes that an agent is about to read texts of strangers, before it does.
pub async fn note(app: &App, actor: &Actor, entry: &Entry, execution: Uuid) -> Result<()> {
    if entry.spec.by_strangers { expose(app, actor, &entry.id, execution).await } else { Ok(()) }
}

/// Notes that an agent reads texts of strangers that this tool had got, in this call.
pub async fn expose(app: &App, actor: &Actor, tool: &str, execution: Uuid) -> Result<()> {
    let now = app.clock.now();
    let minutes = app.config.policy.containment_minutes;
    if minutes == 0 || actor.kind != ActorKind::Agent || !app.contained.is_due(actor, now) {
        return Ok(());
    }
    let exposure = Exposure { tool_name: tool.to_owned(), execution_id: execution, read_at: now };
    let noted = exposures::note(&app.store.tenant(&actor.tenant), &actor.id, &exposure).await;
    noted.map_err(crate::unavailable)?;
    app.contained.put(actor, now);
    Ok(())
}

/// What was allowed, unless the caller has read texts of strangers and this call sends.
pub async fn contain(
    app: &Arc<App>,
    actor: &Actor,
    entry: &Entry,
    arguments: &Value,
    decision: Decision,
) -> Result<Decision> {
    let minutes = i64::from(app.config.policy.containment_minutes);
    let is_meant = decision == Decision::Allow && actor.kind == ActorKind::Agent && entry.spec.sends_by(arguments);
    if !is_meant || minutes == 0 {
        return Ok(decision);
    }
    let now = app.clock.now();
    // A note is as old as the interval in which none is made, at most.
    let since = now - Duration::minutes(minutes) - NOTED_EVERY;
    let read = exposures::of(&app.store.tenant(&actor.tenant), &actor.id, since).await.map_err(crate::unavailable)?;
    let Some(read) = read else { return Ok(decision) };
    let ago = (now - read.read_at).num_minutes();
    let reason = format!(
        "asked because this agent has read texts that anybody may have written ({}, {ago} minutes ago), and this sends",
        read.tool_name
    );
    Ok(Decision::Ask(reason, Asks::default()))
}

/// Forgets what no longer counts.
pub async fn tidy(app: &App) -> Result<()> {
    let before = app.clock.now() - Duration::minutes(i64::from(app.config.policy.containment_minutes)) - NOTED_EVERY;
    exposures::purge(&app.store.system(), before).await.map(drop).map_err(crate::unavailable)
}
