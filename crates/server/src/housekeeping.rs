//! What has to be tidied from time to time: effects and approvals that a kill left open, approvals
//! that nobody decided, runs that ended and events that came long ago.

use std::sync::Arc;
use std::time::Duration;

use sdk::Result;
use serde_json::{Value, json};

use crate::actor::{Actor, DEFAULT_TENANT};
use crate::app::App;
use crate::identity::oauth;
use crate::runs::{Every, Failure, Job, Schedule};
use crate::{approvals, audit, connections, containment, tenants, webhooks};

const RUN: &str = "housekeeping";
const EVERY_SECONDS: i64 = 300;
/// Runs that ended longer ago than this are removed.
const KEPT_RUNS: Duration = Duration::from_secs(90 * 24 * 3600);

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

/// Once after the start, then every few minutes.
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
    for connections in tenants::connections(app).await? {
        if connections.look_again().await? {
            connections::settle(app, &connections).await?;
        }
        app.audit.finish_interrupted(connections.tenant().id()).await?;
        approvals::tidy(app, connections.tenant()).await?;
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
    Ok(())
}
