//! Streams: how the brain copies GoHighLevel page by page.

use chrono::{DateTime, Duration, SecondsFormat, Utc};
use sdk::stream::{self, Fields};
use sdk::{Batch, Error, Kind, Page, Record, Result};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::contacts::{self, Found, Search};
use super::opportunities::{self, Filter, Pipeline};
use super::{Generation, GoHighLevel, calendars, messages, v1, wire};
use crate::json;

/// How far a walk over the contacts has come.
#[derive(Default, Serialize, Deserialize)]
struct Walk {
    /// The vendor's cursor.
    at: Option<Value>,
    /// Rows seen so far.
    seen: u64,
    /// The change of the last row, for the check that rows come in the order that was asked for.
    last: Option<DateTime<Utc>>,
    /// They did not, so that an old row says nothing about those behind it.
    unsorted: bool,
}

/// All contacts, the newest first; with `since` only those that changed at or after it.
pub async fn contacts(api: &GoHighLevel, page: Page) -> Result<Batch> {
    let mut walk: Walk = resume(page.cursor)?;
    let (limit, sort) = match (api.generation, page.since) {
        (Generation::V1, _) => (api.config.page_size.clamp(1, v1::LARGEST_PAGE), ""),
        (Generation::V2, None) => (api.config.page_size.clamp(1, 500), "dateAdded"),
        (Generation::V2, Some(_)) => (api.config.page_size.clamp(1, 500), "dateUpdated"),
    };
    let found = contacts::find(api, &Search { query: None, sort, limit, at: walk.at.as_ref() }).await?;
    walk.follow(&found.rows);
    // V1 cannot sort by change, so that a page of old rows says nothing about the next.
    walk.unsorted |= api.generation == Generation::V1;
    let total = found.total;
    let over = walk.is_over(&found, limit, page.since);
    let records = found.rows.into_iter().filter_map(record).filter(|record| is_recent(record, page.since)).collect();
    walk.at = found.next;
    let next = if over { None } else { Some(save(&walk)?) };
    Ok(Batch { records, next, total, ..Batch::default() })
}

impl Walk {
    /// Counts the rows and checks their order.
    fn follow(&mut self, rows: &[Value]) {
        self.seen += rows.len() as u64;
        for changed in rows.iter().map(|row| json::time(row, "dateUpdated")) {
            let descends = changed.is_some() && self.last.is_none_or(|last| changed <= Some(last));
            self.unsorted |= !descends;
            self.last = changed;
        }
    }

    fn is_over(&self, found: &Found, limit: u32, since: Option<DateTime<Utc>>) -> bool {
        if found.rows.is_empty() || found.next.is_none() {
            return true;
        }
        // A short page alone is not the end: the vendor may give less than was asked for. A full
        // page is never the end: the total may have shrunk by rows that were seen already.
        let short = found.rows.len() < limit as usize;
        let reached = found.total.is_none_or(|total| self.seen >= total);
        let old = since.is_some() && !self.unsorted && self.last < since;
        (short && reached) || old
    }
}

/// Where a walk over the opportunities is.
#[derive(Default, Serialize, Deserialize)]
struct Position {
    at: Option<Value>,
    seen: u64,
}

/// All opportunities. The vendor cannot sort them by change, so that `since` reads everything and
/// leaves the old ones out.
pub async fn opportunities(api: &GoHighLevel, page: Page) -> Result<Batch> {
    let position: Position = resume(page.cursor)?;
    let limit = api.config.page_size.clamp(1, opportunities::LARGEST_PAGE);
    let filter = Filter::default();
    let (found, pipelines) = futures::try_join!(
        opportunities::find(api, &filter, limit, position.at.as_ref()),
        opportunities::pipelines(api)
    )?;
    let seen = position.seen + found.rows.len() as u64;
    let short = found.rows.len() < limit as usize && found.total.is_none_or(|total| seen >= total);
    let next = found.next.filter(|_| !short).map(|at| save(&Position { at: Some(at), seen })).transpose()?;
    let records = found.rows.into_iter().filter_map(|row| deal(row, pipelines));
    Ok(Batch {
        records: records.filter(|record| is_recent(record, page.since)).collect(),
        next,
        total: found.total,
        ..Batch::default()
    })
}

fn deal(row: Value, pipelines: &[Pipeline]) -> Option<Record> {
    let (pipeline, stage) = opportunities::place(&row, pipelines);
    let fields = stream::Opportunity {
        name: opportunities::name(&row),
        contact: opportunities::contact_id(&row),
        pipeline,
        stage,
        status: json::text(&row, "status"),
        value: json::number(&row, "monetaryValue"),
    };
    let changes = ["updatedAt", "lastStatusChangeAt", "lastStageChangeAt"].map(|key| json::time(&row, key));
    let updated_at = changes.into_iter().flatten().max().or_else(|| json::time(&row, "createdAt"));
    Some(Record { id: json::text(&row, "id")?, updated_at, data: row, fields: Fields::Opportunity(fields) })
}

/// Where a walk over the interactions is. Without a channel the export of messages leaves e-mails out, so it is walked
/// twice; the appointments come last.
#[derive(Default, Serialize, Deserialize)]
struct Export {
    emails: bool,
    cursor: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    appointments: Option<Window>,
}

/// The appointments that remain: those that begin before `to`, and not before `oldest`.
#[derive(Serialize, Deserialize)]
struct Window {
    calendars: Vec<String>,
    oldest: DateTime<Utc>,
    to: DateTime<Utc>,
}

/// How far back a walk over all interactions looks for appointments, which are asked for by calendar and window.
const APPOINTMENTS_DAYS: i64 = 365;

/// Messages and calls of both directions, the newest first, then appointments that took place. Entries of the system are
/// left out; notes too, because the vendor has no list of them.
pub async fn interactions(api: &GoHighLevel, page: Page) -> Result<Batch> {
    let here: Export = resume(page.cursor.clone())?;
    match here.appointments {
        Some(window) => appointments(api, window, page.since).await,
        None => exported(api, here, page.since).await,
    }
}

async fn exported(api: &GoHighLevel, here: Export, since: Option<DateTime<Utc>>) -> Result<Batch> {
    let request = api.get("/conversations/messages/export", &[])?.query(&[
        ("locationId", Some(api.location()?.to_owned())),
        // As many as the vendor gives: messages are many and small.
        ("limit", Some("500".into())),
        ("channel", here.emails.then(|| "Email".to_owned())),
        ("sortBy", Some("createdAt".into())),
        ("sortOrder", Some("desc".into())),
        ("startDate", since.map(|since| since.to_rfc3339_opts(SecondsFormat::Millis, true))),
        ("cursor", here.cursor.clone()),
    ]);
    let response = request.send().await?;
    let (answer, now): (Value, _) = (response.json()?, wire::date(&response.headers));
    let rows = json::list(&answer, "messages");
    let cursor =
        json::text(&answer, "nextCursor").filter(|next| !rows.is_empty() && Some(next) != here.cursor.as_ref());
    let next = match cursor {
        Some(cursor) => Some(Export { cursor: Some(cursor), ..here }),
        None if here.emails => first_window(api, now, since).await?,
        None => Some(Export { emails: true, ..Export::default() }),
    };
    let records = rows.iter().filter_map(message).filter(|record| is_recent(record, since)).collect();
    Ok(Batch { records, next: next.as_ref().map(save).transpose()?, ..Batch::default() })
}

/// Where the appointments begin, if the token may see calendars and there are any.
async fn first_window(
    api: &GoHighLevel,
    now: Option<DateTime<Utc>>,
    since: Option<DateTime<Utc>>,
) -> Result<Option<Export>> {
    let Some(to) = now else { return Ok(None) };
    let calendars = match calendars::ids(api).await {
        // Messages are worth having without them.
        Err(e) if matches!(e.kind, Kind::Forbidden | Kind::NotFound) => return Ok(None),
        calendars => calendars?,
    };
    let earliest = to - Duration::days(APPOINTMENTS_DAYS);
    let window = Window { calendars, oldest: since.map_or(earliest, |since| since.max(earliest)), to };
    let is_empty = window.calendars.is_empty() || window.oldest >= to;
    Ok((!is_empty).then(|| Export { appointments: Some(window), ..Export::default() }))
}

async fn appointments(api: &GoHighLevel, window: Window, since: Option<DateTime<Utc>>) -> Result<Batch> {
    let from = window.oldest.max(window.to - Duration::days(calendars::MOST_DAYS));
    let rows = calendars::booked_in(api, &window.calendars, from, window.to).await?;
    let records = rows.into_iter().filter_map(|row| appointment(row, window.to));
    let records = records.filter(|record| is_recent(record, since)).collect();
    let rest = (from > window.oldest)
        .then(|| Export { appointments: Some(Window { to: from, ..window }), ..Export::default() });
    Ok(Batch { records, next: rest.as_ref().map(save).transpose()?, ..Batch::default() })
}

/// An appointment is contact once it has begun, and if nobody called it off or stayed away. That may be noted after it
/// was copied, so that such a one is told as gone.
fn appointment(row: Value, now: DateTime<Utc>) -> Option<Record> {
    let at = json::time(&row, "startTime").filter(|at| *at <= now)?;
    let status = calendars::status(&row).unwrap_or_default();
    if matches!(status.as_str(), "cancelled" | "noshow" | "invalid") {
        return Some(Record { id: json::text(&row, "id")?, updated_at: Some(at), data: row, fields: Fields::Deleted });
    }
    let fields = stream::Interaction {
        contact: json::text(&row, "contactId")?,
        at,
        kind: "appointment".into(),
        direction: None,
        description: json::text(&row, "title").map(|title| sdk::text::cut(&title, 500)).unwrap_or_default(),
    };
    Some(Record { id: json::text(&row, "id")?, updated_at: Some(at), data: row, fields: Fields::Interaction(fields) })
}

fn message(row: &Value) -> Option<Record> {
    let kind = messages::kind(row).filter(|_| messages::was_sent(row))?;
    let at = messages::at(row)?;
    let fields = stream::Interaction {
        contact: json::text(row, "contactId")?,
        at,
        kind: kind.into(),
        direction: messages::direction(row),
        description: messages::body(row, 500),
    };
    Some(Record {
        id: json::text(row, "id")?,
        updated_at: Some(at),
        data: row.clone(),
        fields: Fields::Interaction(fields),
    })
}

fn is_recent(record: &Record, since: Option<DateTime<Utc>>) -> bool {
    since.is_none() || record.updated_at.is_none() || record.updated_at >= since
}

/// A row without an id cannot be kept.
fn record(row: Value) -> Option<Record> {
    let fields = stream::Contact {
        name: contacts::name(&row),
        first_name: contacts::first_name(&row),
        company: contacts::company(&row),
        email: json::text(&row, "email"),
        phone: json::text(&row, "phone"),
        kind: json::text(&row, "type"),
        tags: json::texts(&row, "tags"),
        source: json::text(&row, "source"),
        created_at: json::time(&row, "dateAdded"),
        last_activity: contacts::last_activity(&row),
    };
    let updated_at = json::time(&row, "dateUpdated");
    Some(Record { id: json::text(&row, "id")?, updated_at, data: row, fields: Fields::Contact(fields) })
}

fn resume<T: DeserializeOwned + Default>(cursor: Option<Value>) -> Result<T> {
    let Some(cursor) = cursor else { return Ok(T::default()) };
    serde_json::from_value(cursor).map_err(|e| Error::invalid_input("the cursor is of another stream").with_source(e))
}

fn save(cursor: &impl Serialize) -> Result<Value> {
    serde_json::to_value(cursor).map_err(|e| Error::internal("a cursor could not be written").with_source(e))
}
