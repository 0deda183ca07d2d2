//! Working on events: deletions are written at once, everything else is read from the vendor by the sync.
//!
//! An event only says where to look. What is copied is the vendor's present state, so that repeated, late and reordered
//! events do no harm, and a burst costs one incremental walk of each stream that it names. What never arrived is found
//! by the ordinary sync.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::Duration;
use serde::Deserialize;
use serde_json::{Value, json};
use store::Tenant;
use store::webhooks as rows;

use super::count;
use crate::actor::Actor;
use crate::app::App;
use crate::calls::{self, Outcome, Request, Source};
use crate::runs::{Failure, Job};
use crate::sync;

/// The kind of run that works on the events of an ecosystem.
pub(super) const RUN: &str = "webhooks";

/// How much later than its deletion a record must have been seen to be believed alive. Clocks differ, and a page is
/// written some seconds after it was fetched.
const CLOCKS_DIFFER: Duration = Duration::minutes(1);
/// Deletions that are held at once.
const PAGE: i64 = 500;
/// How long to leave another sync of the same ecosystem in another process alone.
const ANOTHERS_TURN: Duration = Duration::seconds(3);
/// Events that no run could work on are given up after this; the ordinary sync has copied by then what they were about.
const LONGEST: Duration = Duration::days(1);
/// How long events are kept, and so known when they come again.
const KEPT: Duration = Duration::days(30);

/// The input of a run.
#[derive(Deserialize)]
struct Order {
    ecosystem: String,
}

pub fn register(app: &Arc<App>) {
    let weak = Arc::downgrade(app);
    app.runs.register(RUN, move |job: Job, order: Order| {
        let app = weak.upgrade();
        async move { work(&app.ok_or(Failure::Interrupted)?, &job, &order.ecosystem).await }
    });
}

async fn work(app: &Arc<App>, job: &Job, ecosystem: &str) -> Result<Value, Failure> {
    let tenant = app.store.tenant(&job.tenant);
    if app.tenants.name(app, tenant.id()).await?.is_none() {
        return Ok(json!({"skipped": "the business is disabled"}));
    }
    let taken = rows::take(&tenant, ecosystem, job.run).await?;
    if taken.events == 0 {
        return Ok(json!({"events": 0}));
    }
    let connected = app.connections.of(app, tenant.id()).await?.present(ecosystem).await?;
    if connected.source == Source::Sample {
        rows::settle(&tenant, job.run, "ignored", Some("it is no longer connected"), app.clock.now()).await?;
        return Ok(json!({"events": taken.events, "ignored": true}));
    }
    let id = connected.connector.id;
    let outcome = match connected.refuse_if_changed(&tenant).await {
        Ok(()) => bring_up_to_date(app, job, &tenant, id, &taken.streams).await,
        Err(e) => Err(e.into()),
    };
    match outcome {
        Ok(deleted) => {
            count(id, "processed", rows::settle(&tenant, job.run, "done", None, app.clock.now()).await?);
            Ok(json!({"events": taken.events, "deleted": deleted}))
        }
        Err(Failure::Permanent(why)) => {
            count(id, "failed", rows::settle(&tenant, job.run, "failed", Some(&why), app.clock.now()).await?);
            Err(Failure::Permanent(why))
        }
        // The events stay with this run, or go to the next one that takes them.
        Err(later) => Err(later),
    }
}

/// Deletions first: what has come back since is copied again by the walk.
async fn bring_up_to_date(
    app: &Arc<App>,
    job: &Job,
    tenant: &Tenant,
    ecosystem: &'static str,
    named: &[String],
) -> Result<u64, Failure> {
    let deleted = delete(app, job, tenant, ecosystem).await?;
    let streams: BTreeSet<&str> =
        named.iter().flat_map(|streams| streams.split(' ')).filter(|s| !s.is_empty()).collect();
    if !streams.is_empty() {
        walk(app, job, ecosystem, &streams).await?;
    }
    Ok(deleted)
}

async fn delete(app: &Arc<App>, job: &Job, tenant: &Tenant, ecosystem: &str) -> Result<u64, Failure> {
    let (mut after, mut deleted) = (None, 0);
    loop {
        let gone = rows::gone(tenant, job.run, after, PAGE).await?;
        let Some(last) = gone.last() else { return Ok(deleted) };
        after = Some(last.id);
        for event in &gone {
            let stream = event.streams.split(' ').next().unwrap_or_default();
            let seen = event.occurred_at.unwrap_or(event.received_at) + CLOCKS_DIFFER;
            let one = sync::forget(tenant, ecosystem, stream, &event.vendor_id, seen, app.clock.now()).await?;
            deleted += u64::from(one);
        }
    }
}

/// A tool call like any other sync, so that it leaves the same record.
async fn walk(app: &Arc<App>, job: &Job, ecosystem: &str, streams: &BTreeSet<&str>) -> Result<(), Failure> {
    let arguments = json!({"ecosystem": ecosystem, "mode": "incremental", "streams": streams});
    let reply = calls::call(app, &Actor::run(&job.tenant, job.run), Request::new("system.sync", arguments)).await;
    let report = match reply.map_err(|unknown| Failure::permanent(unknown.message))?.outcome {
        Outcome::Done(done) => done.data["syncs"][0].clone(),
        Outcome::Failed(e) => return Err(e.into()),
        Outcome::Denied(reason) => return Err(Failure::Permanent(reason)),
        Outcome::Pending(_) => return Err(Failure::permanent("a sync does not wait for a person")),
    };
    if report["state"] == "running" {
        return Err(Failure::Parked { until: app.clock.now() + ANOTHERS_TURN, signal: None });
    }
    let failed = report["streams"].as_array().into_iter().flatten().find_map(|stream| stream["error"].as_str());
    failed.map_or(Ok(()), |why| Err(Failure::retry(why)))
}

/// Gives up what nobody could work on, and forgets what is old.
pub async fn tidy(app: &App) -> sdk::Result<()> {
    let (system, now) = (app.store.system(), app.clock.now());
    let why = "it could not be worked on in a day; the ordinary sync copies what it was about";
    let given_up = rows::give_up(&system, now - LONGEST, why, now).await.map_err(crate::unavailable)?;
    if given_up > 0 {
        tracing::warn!(events = given_up, "webhook events were given up");
    }
    rows::purge(&system, now - KEPT).await.map_err(crate::unavailable)?;
    Ok(())
}
