//! Calendar v3: events of the one calendar, with tokens for what changed since.

use std::{collections::HashMap, sync::Arc};

use axum::{
    Json, Router,
    extract::{Path, Query, State as Shared},
    http::StatusCode,
    response::IntoResponse,
    routing::{get, post},
};
use chrono::NaiveDate;
use serde_json::{Map, Value, json};

use super::{
    drive::{open_channel, record},
    google, mask, paging,
    reply::{Refusal, Reply, ok},
    state::{Event, State},
};
use crate::{
    clock::{DAY, Millis, iso, moment, parse},
    world::World,
};

type Asked = Query<HashMap<String, String>>;

/// A token for changes is good for so long.
const SYNC: Millis = 7 * DAY;

pub(super) fn router() -> Router<Arc<World>> {
    Router::new()
        .route("/users/me/calendarList", get(calendars))
        .route("/calendars/{calendar}/events", get(list).post(insert))
        .route("/calendars/{calendar}/events/watch", post(watch))
        .route("/calendars/{calendar}/events/{id}", get(event).patch(patch).delete(remove))
}

/// A moment as events have it.
pub(super) fn at(at: Millis) -> Value {
    json!({"dateTime": moment(at).to_rfc3339_opts(chrono::SecondsFormat::Secs, true), "timeZone": "UTC"})
}

async fn calendars(Shared(world): Shared<Arc<World>>) -> Reply {
    let google = google(&world);
    ok(&json!({"kind": "calendar#calendarList", "items": [{"kind": "calendar#calendarListEntry", "id": google.me.1,
        "summary": google.me.1, "primary": true, "accessRole": "owner", "timeZone": "UTC"}]}))
}

/// The one calendar has two names.
fn known(google: &State, calendar: &str) -> Result<(), Refusal> {
    let found = calendar == "primary" || calendar == google.me.1;
    found.then_some(()).ok_or_else(|| Refusal::old(404, "notFound", "Not Found"))
}

fn shown(google: &State, event: &Event) -> Value {
    let mut row = event.row.clone();
    let person = json!({"email": google.me.1, "self": true});
    row["kind"] = "calendar#event".into();
    row["id"] = event.id.clone().into();
    row["etag"] = format!("\"{}\"", event.updated).into();
    row["updated"] = iso(event.updated).into();
    row["created"] = iso(event.updated).into();
    row["htmlLink"] = format!("https://www.google.com/calendar/event?eid={}", event.id).into();
    row["iCalUID"] = format!("{}@google.com", event.id).into();
    row["creator"] = person.clone();
    row["organizer"] = person;
    row
}

async fn list(Shared(world): Shared<Arc<World>>, Path(calendar): Path<String>, asked: Asked) -> Reply {
    let now = world.now();
    let google = google(&world);
    known(&google, &calendar)?;
    let text = |key: &str| asked.get(key).map(String::as_str);
    let since = since(&asked, now)?;
    let sorted = text("orderBy") == Some("startTime");
    if sorted && text("singleEvents") != Some("true") {
        let message = "The requested ordering is not available for the particular query.";
        return Err(Refusal::parameter("orderBy", message));
    }
    let (from, to) = (time(&asked, "timeMin")?, time(&asked, "timeMax")?);
    let deleted = text("showDeleted") == Some("true") || since.is_some();
    let words = text("q").unwrap_or_default().to_lowercase();
    let fits = |event: &&Event| {
        let cancelled = event.row["status"] == "cancelled";
        let within = from.is_none_or(|from| event.end > from) && to.is_none_or(|to| event.start < to);
        let changed = since.is_none_or(|since| event.updated > since);
        let said = words.is_empty() || event.row.to_string().to_lowercase().contains(&words);
        (deleted || !cancelled) && within && changed && said
    };
    let mut events: Vec<&Event> = google.events.iter().filter(fits).collect();
    events.sort_by_key(|event| if sorted { event.start } else { event.updated });
    let size = text("maxResults").map_or(Some(250), |text| text.parse::<usize>().ok()).map(|size| size.clamp(1, 2_500));
    let size = size.ok_or_else(|| Refusal::parameter("maxResults", "Invalid integer value"))?;
    let question = format!("{from:?} {to:?} {words} {sorted} {since:?} {size}");
    let page = paging::page(events.len(), size, text("pageToken"), &question, now)?;
    let rows: Vec<Value> = events[page.from..page.to].iter().map(|event| shown(&google, event)).collect();
    let mut answer = json!({"kind": "calendar#events", "summary": google.me.1, "timeZone": "UTC", "accessRole": "owner",
        "updated": iso(now), "items": rows});
    match page.next {
        Some(next) => answer["nextPageToken"] = next.into(),
        None if !sorted && words.is_empty() && from.is_none() && to.is_none() => {
            answer["nextSyncToken"] = format!("C{now}").into();
        }
        None => {}
    }
    ok(&mask::apply(answer, text("fields"))?)
}

/// Opens a channel for what changes in the calendar.
async fn watch(Shared(world): Shared<Arc<World>>, Path(calendar): Path<String>, Json(channel): Json<Value>) -> Reply {
    known(&google(&world), &calendar)?;
    open_channel(&world, "calendar", &channel)
}

/// The moment of a sync token. It stands alone, and dies.
fn since(asked: &HashMap<String, String>, now: Millis) -> Result<Option<Millis>, Refusal> {
    let Some(token) = asked.get("syncToken") else { return Ok(None) };
    let alone = ["timeMin", "timeMax", "q", "orderBy", "updatedMin", "iCalUID"];
    if alone.iter().any(|key| asked.contains_key(*key)) {
        return Err(Refusal::parameter(
            "syncToken",
            "Sync token cannot be combined with the other query restrictions.",
        ));
    }
    let at = token.strip_prefix('C').and_then(|at| at.parse::<Millis>().ok()).filter(|at| at + SYNC > now);
    let message = "Sync token is no longer valid, a full sync is required.";
    at.map(Some).ok_or_else(|| Refusal::old(410, "fullSyncRequired", message))
}

fn time(asked: &HashMap<String, String>, key: &str) -> Result<Option<Millis>, Refusal> {
    let Some(text) = asked.get(key) else { return Ok(None) };
    // Without an offset it is no moment.
    let at = chrono::DateTime::parse_from_rfc3339(text).map(|at| at.timestamp_millis());
    at.map(Some).map_err(|_| Refusal::old(400, "badRequest", "Bad Request"))
}

async fn event(Shared(world): Shared<Arc<World>>, Path((calendar, id)): Path<(String, String)>) -> Reply {
    let google = google(&world);
    known(&google, &calendar)?;
    let event = google.events.iter().find(|event| event.id == id);
    ok(&shown(&google, event.ok_or_else(|| Refusal::old(404, "notFound", "Not Found"))?))
}

async fn insert(
    Shared(world): Shared<Arc<World>>,
    Path(calendar): Path<String>,
    asked: Asked,
    Json(mut row): Json<Map<String, Value>>,
) -> Reply {
    let now = world.now();
    let mut google = google(&world);
    known(&google, &calendar)?;
    let id = match row.remove("id") {
        Some(Value::String(id)) if valid(&id) => id,
        None => google.new_id(),
        Some(_) => return Err(Refusal::old(400, "invalid", "Invalid resource id value.")),
    };
    if google.events.iter().any(|event| event.id == id) {
        return Err(Refusal::old(409, "duplicate", "The requested identifier already exists."));
    }
    let row = Value::Object(row);
    let (Some(start), Some(end)) = (begins(&row["start"]), begins(&row["end"])) else {
        return Err(Refusal::old(400, "required", "Missing end time."));
    };
    if end <= start {
        return Err(Refusal::old(400, "timeRangeEmpty", "The specified time range is empty."));
    }
    let mut event = Event { id: id.clone(), start, end, updated: now, row };
    event.row["status"] = "confirmed".into();
    for guest in event.row["attendees"].as_array_mut().into_iter().flatten() {
        guest["responseStatus"] = "needsAction".into();
    }
    let answer = shown(&google, &event);
    google.events.push(event);
    let mut payload = answer.clone();
    payload["sendUpdates"] = json!(asked.get("sendUpdates"));
    record(&world, now, "CalendarEventCreate", &id, payload);
    ok(&answer)
}

/// Letters a-v and digits, 5 to 1024 of them.
fn valid(id: &str) -> bool {
    (5..=1024).contains(&id.len()) && id.bytes().all(|byte| matches!(byte, b'a'..=b'v' | b'0'..=b'9'))
}

fn begins(time: &Value) -> Option<Millis> {
    if let Some(text) = time["dateTime"].as_str() {
        return chrono::DateTime::parse_from_rfc3339(text).ok().map(|at| at.timestamp_millis());
    }
    let day = time["date"].as_str()?;
    NaiveDate::parse_from_str(day, "%Y-%m-%d").ok()?;
    parse(day)
}

async fn patch(
    Shared(world): Shared<Arc<World>>,
    Path((calendar, id)): Path<(String, String)>,
    Json(fields): Json<Map<String, Value>>,
) -> Reply {
    let now = world.now();
    let mut google = google(&world);
    known(&google, &calendar)?;
    let at = google.events.iter().position(|event| event.id == id);
    let at = at.ok_or_else(|| Refusal::old(404, "notFound", "Not Found"))?;
    let event = &mut google.events[at];
    for (key, value) in fields {
        event.row[key] = value;
    }
    event.start = begins(&event.row["start"]).unwrap_or(event.start);
    event.end = begins(&event.row["end"]).unwrap_or(event.end);
    event.updated = now;
    let answer = shown(&google, &google.events[at]);
    record(&world, now, "CalendarEventUpdate", &id, answer.clone());
    ok(&answer)
}

/// A deleted event stays as cancelled, so that those who synchronise hear of it.
async fn remove(Shared(world): Shared<Arc<World>>, Path((calendar, id)): Path<(String, String)>) -> Reply {
    let now = world.now();
    let mut google = google(&world);
    known(&google, &calendar)?;
    let event = google.events.iter_mut().find(|event| event.id == id);
    let event = event.ok_or_else(|| Refusal::old(404, "notFound", "Not Found"))?;
    if event.row["status"] == "cancelled" {
        return Err(Refusal::old(410, "deleted", "Resource has been deleted"));
    }
    event.row["status"] = "cancelled".into();
    event.updated = now;
    record(&world, now, "CalendarEventDelete", &id, json!({"id": id}));
    Ok(StatusCode::NO_CONTENT.into_response())
}
