//! Streams: how the brain copies GoHighLevel page by page.

use chrono::{DateTime, SecondsFormat, Utc};
use sdk::stream::{self, Fields};
use sdk::{Batch, Error, Page, Record, Result};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::contacts::{self, Found, Search};
use super::opportunities::{self, Filter, Pipeline};
use super::{Generation, GoHighLevel, messages, v1};
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
    Ok(Batch { records, next, total })
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
    Ok(Batch { records: records.filter(|record| is_recent(record, page.since)).collect(), next, total: found.total })
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

/// Where a walk over the messages is. Without a channel the export leaves e-mails out, so there
/// are two walks, one after the other.
#[derive(Default, Serialize, Deserialize)]
struct Export {
    emails: bool,
    cursor: Option<String>,
}

/// Messages and calls of both directions, the newest first; entries of the system are left out.
pub async fn interactions(api: &GoHighLevel, page: Page) -> Result<Batch> {
    let here: Export = resume(page.cursor)?;
    let request = api.get("/conversations/messages/export", &[])?.query(&[
        ("locationId", Some(api.location()?.to_owned())),
        // As many as the vendor gives: messages are many and small.
        ("limit", Some("500".into())),
        ("channel", here.emails.then(|| "Email".to_owned())),
        ("sortBy", Some("createdAt".into())),
        ("sortOrder", Some("desc".into())),
        ("startDate", page.since.map(|since| since.to_rfc3339_opts(SecondsFormat::Millis, true))),
        ("cursor", here.cursor.clone()),
    ]);
    let answer: Value = request.send().await?.json()?;
    let rows = json::list(&answer, "messages");
    let cursor =
        json::text(&answer, "nextCursor").filter(|next| !rows.is_empty() && Some(next) != here.cursor.as_ref());
    let next = match cursor {
        Some(cursor) => Some(Export { cursor: Some(cursor), ..here }),
        None if here.emails => None,
        None => Some(Export { emails: true, cursor: None }),
    };
    let records = rows.iter().filter_map(message).filter(|record| is_recent(record, page.since)).collect();
    Ok(Batch { records, next: next.as_ref().map(save).transpose()?, total: None })
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
