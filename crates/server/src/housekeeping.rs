//! What has to be tidied from time to time: effects and approvals that a kill left open, approvals
//! that nobody decided, runs that ended, syncs and events that are long past.
//!
//! Approvals, and what agents decided, are kept for good: they are the record of what people decided.

use std::sync::Arc;
use std::time::Duration;

use sdk::Result;
use serde_json::{Value, json};
use store::tenants::Business;

use crate::actor::{Actor, DEFAULT_TENANT};
use crate::app::App;
use crate::identity::oauth;
use crate::runs::{Every, Failure, Job, Schedule};
use crate::{approvals, audit, connections, containment, tenants, webhooks};

const RUN: &str = "housekeeping";
const EVERY_SECONDS: i64 = 300;
/// Runs that ended longer ago than this are removed, and syncs that began longer ago.
const KEPT_RUNS: Duration = Duration::from_secs(90 * 24 * 3600);
/// A vendor's limit that is unused for so long is forgotten, until it is used again.
const KEPT_LIMITS: Duration = Duration::from_secs(24 * 3600);

pub fn register(app: &Arc<App>) {
    let weak = Arc::downgrade(app);
    app.runs.register(RUN, move |job: Job, _: Value| {
        let app = weak.upgrade();
        async move {
            let app = app.ok_or(Failure::Interrupted)?;
            tidy(&app).await?;
            for connections in tenants::connections(&app).await? {
                let by = Actor::run(connections.tenant().id(), job.run);
                webhooks::renew(&app, &connections, &by).await;
            }
            Ok(Value::Null)
        }
    });
}

/// Every few minutes, whoever starts and stops meanwhile; at once where the last time was longer ago than that.
pub async fn schedule(app: &Arc<App>) -> Result<()> {
    let schedule = Schedule {
        name: RUN.into(),
        kind: RUN.into(),
        input: json!({}),
        every: Every::Seconds(EVERY_SECONDS),
        at_once: true,
        enabled: true,
    };
    app.runs.ensure(&app.store.tenant(DEFAULT_TENANT), schedule).await?;
    Ok(())
}

async fn tidy(app: &Arc<App>) -> Result<()> {
    approvals::expire(app).await?;
    for business in tenants::all(app).await? {
        // What ails one business does not keep the others waiting.
        if let Err(error) = tidy_business(app, &business).await {
            tracing::warn!(tenant = business.tenant_id, %error, "a business could not be tidied");
        }
    }
    webhooks::tidy(app).await?;
    containment::tidy(app).await?;
    oauth::tidy(app).await?;
    for limiter in [&app.limiter, &app.tenant_limiter, &app.attempts, &app.guesses] {
        limiter.tidy();
    }
    store::sessions::purge(&app.store.system(), app.clock.now()).await.map_err(crate::unavailable)?;
    app.runs.purge(KEPT_RUNS).await?;
    audit::note_ends(app).await;
    audit::retention::tidy(app).await?;
    let old = app.clock.now() - KEPT_RUNS;
    store::budgets::purge(&app.store.system(), old).await.map_err(crate::unavailable)?;
    store::guesses::purge(&app.store.system(), old).await.map_err(crate::unavailable)?;
    store::sync_runs::purge(&app.store.system(), old).await.map_err(crate::unavailable)?;
    let unused = app.clock.now() - KEPT_LIMITS;
    store::rate::purge(&app.store.system(), unused).await.map_err(crate::unavailable)?;
    Ok(())
}

/// What was cut off is settled although a business answers nobody; its connections rest meanwhile.
async fn tidy_business(app: &Arc<App>, business: &Business) -> Result<()> {
    app.audit.finish_interrupted(&business.tenant_id).await?;
    approvals::tidy(app, &app.store.tenant(&business.tenant_id)).await?;
    if business.disabled_at.is_some() {
        return Ok(());
    }
    let connections = app.connections.of(app, &business.tenant_id).await?;
    if connections.look_again().await? {
        connections::settle(app, &connections).await?;
    }
    Ok(())
}
