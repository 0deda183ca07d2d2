//! What vendors have told us by webhook, each event once, and the run that works on it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sea_orm::FromQueryResult;
use sea_orm::prelude::*;

use crate::chain::canonical_json;
pub use crate::entities::webhook_events::Model as WebhookEvent;
use crate::entities::webhook_events::{Column, Entity};
use crate::runs::{self, NewRun};
use crate::{Backend, Result, System, Tenant, Tx, clean, micros};

/// An event as it came.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NewEvent {
    /// The same in every delivery of the event.
    pub event_id: String,
    pub kind: String,
    pub account: Option<String>,
    /// Separated by spaces; the first is the record's own.
    pub streams: String,
    pub vendor_id: Option<String>,
    pub deleted: bool,
    pub occurred_at: Option<DateTime<Utc>>,
    /// Why there is nothing to do; None: a run works on it.
    pub ignored: Option<String>,
}

/// How many events of a delivery were new, of those that are worked on and of those that are not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Accepted {
    pub fresh: u64,
    pub ignored: u64,
}

/// Rows in a statement; a row binds eleven values.
const ROWS_A_STATEMENT: usize = 500;

/// Stores the events that are not known yet and, if there is anything to do, makes sure in the same transaction that a
/// run is going to do it.
pub async fn accept(
    tenant: &Tenant,
    ecosystem: &str,
    events: &[NewEvent],
    run: NewRun,
    now: DateTime<Utc>,
) -> Result<Accepted> {
    let (ignored, open): (Vec<&NewEvent>, Vec<&NewEvent>) = events.iter().partition(|event| event.ignored.is_some());
    let tx = tenant.begin().await?;
    let mut accepted = Accepted::default();
    for events in open.chunks(ROWS_A_STATEMENT) {
        accepted.fresh += insert(&tx, ecosystem, events, now).await?;
    }
    for events in ignored.chunks(ROWS_A_STATEMENT) {
        accepted.ignored += insert(&tx, ecosystem, events, now).await?;
    }
    if accepted.fresh > 0 {
        enqueue(tenant, &tx, run, now).await?;
    }
    tx.commit().await?;
    Ok(accepted)
}

async fn insert(tx: &Tx, ecosystem: &str, events: &[&NewEvent], now: DateTime<Utc>) -> Result<u64> {
    let now = micros(now);
    let mut sql = tx.sql(
        "INSERT INTO webhook_events (id, tenant_id, ecosystem, event_id, kind, account, streams, vendor_id, deleted, \
         occurred_at, received_at, state, reason, processed_at) VALUES ",
    );
    // In one order, so that two deliveries with the same events cannot wait for each other.
    let mut events = events.to_vec();
    events.sort_by(|a, b| a.event_id.cmp(&b.event_id));
    for (index, event) in events.iter().enumerate() {
        let text = |text: &str| clean(Some(text)).unwrap_or_default();
        sql.push(if index == 0 { "(" } else { ", (" }).bind(Uuid::now_v7()).push(", ").bind(tx.tenant_id());
        sql.push(", ").bind(ecosystem).push(", ").bind(text(&event.event_id)).push(", ").bind(text(&event.kind));
        sql.push(", ").bind(clean(event.account.as_deref())).push(", ").bind(event.streams.as_str());
        sql.push(", ").bind(clean(event.vendor_id.as_deref())).push(", ").bind(event.deleted);
        sql.push(", ").bind(event.occurred_at.map(micros)).push(", ").bind(now);
        sql.push(if event.ignored.is_some() { ", 'ignored', " } else { ", 'received', " });
        sql.bind(clean(event.ignored.as_deref())).push(", ").bind(event.ignored.as_ref().map(|_| now)).push(")");
    }
    sql.push(" ON CONFLICT (tenant_id, ecosystem, event_id) DO NOTHING");
    Ok(tx.execute(sql).await?.rows_affected())
}

/// Joins the run of the same work that waits for its time, or asks for a new one. The row of the waiting run stays locked
/// until the commit, so that nobody can begin it before our events are there; one that is due already is left to those
/// who begin it. SQLite has one writer at a time and needs no lock.
async fn enqueue(tenant: &Tenant, tx: &Tx, run: NewRun, now: DateTime<Utc>) -> Result<()> {
    let mut sql = tx.sql("SELECT id FROM runs WHERE state IN ('queued', 'parked', 'running') AND state <> 'running'");
    sql.push(" AND due_at > ").bind(micros(now)).push(" AND tenant_id = ").bind(tx.tenant_id());
    sql.push(" AND kind = ").bind(run.kind.as_str());
    sql.push(" AND input = ").bind_json(Some(canonical_json(&run.input))).push(" ORDER BY due_at").limit(1);
    if tenant.store().backend() == Backend::Postgres {
        sql.push(" FOR UPDATE");
    }
    if tx.rows(sql).await?.is_empty() {
        runs::enqueue_in(tx, run, now).await?;
    }
    Ok(())
}

/// How many events wait to be worked on, counted up to `most`.
pub async fn count_open(tenant: &Tenant, ecosystem: &str, most: u32) -> Result<u64> {
    #[derive(FromQueryResult)]
    struct Count {
        events: i64,
    }
    let mut sql = tenant.sql("SELECT COUNT(*) AS events FROM (SELECT 1 FROM webhook_events WHERE state = 'received'");
    sql.push(" AND tenant_id = ").bind(tenant.id()).push(" AND ecosystem = ").bind(ecosystem);
    sql.limit(i64::from(most)).push(") AS waiting");
    let count = Count::find_by_statement(sql.statement()).one(&tenant.read()).await?;
    Ok(count.map_or(0, |count| count.events.unsigned_abs()))
}

/// What a run has to do for the events that it took.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Work {
    pub events: u64,
    /// What [`NewEvent::streams`] said of those that are no deletions, each once.
    pub streams: Vec<String>,
}

/// Gives a run every event of the ecosystem that waits, those of runs that did not come to their end too.
pub async fn take(tenant: &Tenant, ecosystem: &str, run: Uuid) -> Result<Work> {
    let mut sql = tenant.sql("UPDATE webhook_events SET run_id = ");
    sql.bind(run).push(" WHERE state = 'received' AND tenant_id = ").bind(tenant.id());
    sql.push(" AND ecosystem = ").bind(ecosystem);
    let events = tenant.write().execute_raw(sql.statement()).await?.rows_affected();
    let mut sql = tenant.sql("SELECT DISTINCT streams FROM webhook_events WHERE state = 'received' AND NOT deleted");
    sql.push(" AND tenant_id = ")
        .bind(tenant.id())
        .push(" AND ecosystem = ")
        .bind(ecosystem)
        .push(" AND run_id = ")
        .bind(run);
    let rows = tenant.write().query_all_raw(sql.statement()).await?;
    let streams = rows.iter().map(|row| row.try_get("", "streams")).collect::<Result<_, DbErr>>()?;
    Ok(Work { events, streams })
}

/// A record that is gone, as its vendor said.
#[derive(Clone, Debug, PartialEq, FromQueryResult)]
pub struct Gone {
    pub id: Uuid,
    pub streams: String,
    pub vendor_id: String,
    pub occurred_at: Option<DateTime<Utc>>,
    pub received_at: DateTime<Utc>,
}

/// The deletions among the events of a run, in pages by id.
pub async fn gone(tenant: &Tenant, run: Uuid, after: Option<Uuid>, limit: i64) -> Result<Vec<Gone>> {
    let mut sql = tenant.sql("SELECT id, streams, vendor_id, occurred_at, received_at FROM webhook_events");
    sql.push(" WHERE state = 'received' AND deleted AND vendor_id IS NOT NULL AND tenant_id = ").bind(tenant.id());
    sql.push(" AND run_id = ").bind(run);
    if let Some(after) = after {
        sql.push(" AND id > ").bind(after);
    }
    sql.push(" ORDER BY id").limit(limit);
    Ok(Gone::find_by_statement(sql.statement()).all(&tenant.write()).await?)
}

/// Writes what became of the events that a run has taken: `done`, `ignored` or `failed`.
pub async fn settle(tenant: &Tenant, run: Uuid, state: &str, reason: Option<&str>, now: DateTime<Utc>) -> Result<u64> {
    let mut sql = tenant.sql("UPDATE webhook_events SET state = ");
    sql.bind(state).push(", reason = ").bind(clean(reason)).push(", processed_at = ").bind(micros(now));
    sql.push(" WHERE state = 'received' AND tenant_id = ").bind(tenant.id()).push(" AND run_id = ").bind(run);
    Ok(tenant.write().execute_raw(sql.statement()).await?.rows_affected())
}

/// Gives up events that came before `before` and that no run could work on.
pub async fn give_up(system: &System, before: DateTime<Utc>, reason: &str, now: DateTime<Utc>) -> Result<u64> {
    let mut sql = system.sql("UPDATE webhook_events SET state = 'failed', reason = ");
    sql.bind(reason).push(", processed_at = ").bind(micros(now));
    sql.push(" WHERE state = 'received' AND received_at < ").bind(micros(before));
    Ok(system.write().execute_raw(sql.statement()).await?.rows_affected())
}

/// Removes what came before. An event that comes again after that is new.
pub async fn purge(system: &System, before: DateTime<Utc>) -> Result<u64> {
    let mut sql = system.sql("DELETE FROM webhook_events WHERE state <> 'received' AND received_at < ");
    sql.bind(micros(before));
    Ok(system.write().execute_raw(sql.statement()).await?.rows_affected())
}

/// Until when the vendor was asked for webhooks to this address; None: it was not.
pub async fn subscribed_until(tenant: &Tenant, ecosystem: &str, address: &str) -> Result<Option<DateTime<Utc>>> {
    #[derive(FromQueryResult)]
    struct Until {
        ends_at: DateTime<Utc>,
    }
    let mut sql = tenant.sql("SELECT ends_at FROM webhook_subscriptions WHERE tenant_id = ");
    sql.bind(tenant.id()).push(" AND ecosystem = ").bind(ecosystem).push(" AND address = ").bind(address);
    let row = Until::find_by_statement(sql.statement()).one(&tenant.read()).await?;
    Ok(row.map(|row| row.ends_at))
}

/// Notes that the vendor sends webhooks to this address until then.
pub async fn subscribed(tenant: &Tenant, ecosystem: &str, address: &str, ends_at: DateTime<Utc>) -> Result<()> {
    let mut sql = tenant.sql("INSERT INTO webhook_subscriptions (tenant_id, ecosystem, address, ends_at) VALUES (");
    sql.bind(tenant.id()).push(", ").bind(ecosystem).push(", ").bind(address).push(", ").bind(micros(ends_at));
    sql.push(
        ") ON CONFLICT (tenant_id, ecosystem) DO UPDATE SET address = excluded.address, ends_at = excluded.ends_at",
    );
    tenant.write().execute_raw(sql.statement()).await?;
    Ok(())
}

/// When the last event of each ecosystem came.
pub async fn last_received(tenant: &Tenant) -> Result<BTreeMap<String, DateTime<Utc>>> {
    #[derive(FromQueryResult)]
    struct Last {
        ecosystem: String,
        at: DateTime<Utc>,
    }
    let mut sql = tenant.sql("SELECT ecosystem, MAX(received_at) AS at FROM webhook_events WHERE tenant_id = ");
    sql.bind(tenant.id()).push(" GROUP BY ecosystem");
    let rows = Last::find_by_statement(sql.statement()).all(&tenant.read()).await?;
    Ok(rows.into_iter().map(|row| (row.ecosystem, row.at)).collect())
}

/// The event of this id.
pub async fn by_event_id(tenant: &Tenant, ecosystem: &str, event_id: &str) -> Result<Option<WebhookEvent>> {
    let query = Entity::find().filter(Column::TenantId.eq(tenant.id())).filter(Column::Ecosystem.eq(ecosystem));
    Ok(query.filter(Column::EventId.eq(event_id)).one(&tenant.read()).await?)
}

/// How many events there are in each state.
pub async fn count_by_state(tenant: &Tenant, ecosystem: &str) -> Result<BTreeMap<String, i64>> {
    #[derive(FromQueryResult)]
    struct Count {
        state: String,
        events: i64,
    }
    let mut sql = tenant.sql("SELECT state, COUNT(*) AS events FROM webhook_events WHERE tenant_id = ");
    sql.bind(tenant.id()).push(" AND ecosystem = ").bind(ecosystem).push(" GROUP BY state");
    let rows = Count::find_by_statement(sql.statement()).all(&tenant.read()).await?;
    Ok(rows.into_iter().map(|row| (row.state, row.events)).collect())
}
