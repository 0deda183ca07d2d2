//! Reading calendars.

use chrono::{DateTime, Duration, SecondsFormat, Utc};
use schemars::JsonSchema;
use sdk::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{GoogleWorkspace, wire};
use crate::{cursor, json};

/// Events of a Google calendar in a window of time, the earliest first; the next 7 days unless given. Use it for "what
/// is on today" or before `create_event`. Answers `events`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListEvents {
    /// From when, with time zone; now unless given.
    from: Option<DateTime<Utc>>,
    /// Until when; 7 days after `from` unless given.
    to: Option<DateTime<Utc>>,
    /// Only events with these words.
    #[schemars(length(min = 1, max = 200))]
    query: Option<String>,
    /// The calendar's id; the own one unless given.
    #[serde(default = "own")]
    #[schemars(length(min = 1, max = 128))]
    calendar_id: String,
    /// How many.
    #[serde(default = "twenty")]
    #[schemars(range(min = 1, max = 100))]
    limit: u32,
    /// `next_cursor` of the previous answer.
    #[schemars(length(max = 4000))]
    cursor: Option<String>,
}

/// The calendar of whoever is connected.
pub fn own() -> String {
    "primary".to_owned()
}

fn twenty() -> u32 {
    20
}

/// Events of a window.
#[derive(Serialize, JsonSchema)]
pub struct Events {
    events: Vec<Event>,
    #[serde(skip_serializing_if = "Option::is_none")]
    time_zone: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// An event.
#[derive(Serialize, JsonSchema)]
pub struct Event {
    pub id: String,
    pub title: String,
    /// A moment with time zone, or a date for whole days.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<String>,
    /// The same; of whole days the first that is free again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end: Option<String>,
    /// Addresses with what they answered: `accepted`, `declined`, `tentative`, `needsAction`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub attendees: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// Unless confirmed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
}

pub async fn list(api: &GoogleWorkspace, args: ListEvents) -> Result<Events> {
    let page = Page::of(api, &args)?;
    let found = wire::listing("items", page.token.clone(), |token| {
        Ok(api.get("/calendar/v3/calendars/{calendarId}/events", &[&args.calendar_id])?.query(&[
            ("timeMin", Some(moment(page.from))),
            ("timeMax", Some(moment(page.to))),
            ("q", args.query.clone()),
            ("singleEvents", Some("true".to_owned())),
            ("orderBy", Some("startTime".to_owned())),
            ("maxResults", Some(args.limit.to_string())),
            ("pageToken", token),
        ]))
    })
    .await?;
    Ok(Events {
        events: found.rows.iter().filter_map(Event::of).collect(),
        time_zone: json::text(&found.answer, "timeZone"),
        next_cursor: found.next.map(|token| page.after(&token)),
    })
}

/// A window and where in it. The next page must be asked for with the same window, so the cursor keeps it.
struct Page {
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    token: Option<String>,
}

impl Page {
    fn of(api: &GoogleWorkspace, args: &ListEvents) -> Result<Page> {
        if let Some(kept) = cursor::decode_option(args.cursor.as_deref())? {
            let time = |key| json::time(&kept, key);
            let page =
                time("from").zip(time("to")).map(|(from, to)| Page { from, to, token: json::text(&kept, "token") });
            return page
                .ok_or_else(|| Error::invalid_input("cursor: give `next_cursor` of the previous answer as it came"));
        }
        let from = args.from.unwrap_or_else(|| api.http.now());
        let to = args.to.unwrap_or(from + Duration::days(7));
        if to <= from {
            return Err(Error::invalid_input("to: it must be after `from`"));
        }
        Ok(Page { from, to, token: None })
    }

    fn after(&self, token: &str) -> String {
        cursor::encode(&json!({"from": moment(self.from), "to": moment(self.to), "token": token}))
    }
}

/// A moment as Calendar wants it, with an offset.
pub fn moment(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

impl Event {
    pub fn of(row: &Value) -> Option<Event> {
        let time = |key: &str| row.get(key).and_then(|time| json::first_text(time, &["dateTime", "date"]));
        let line = |key: &str, most| json::text(row, key).map(|text| sdk::text::cut(&text, most));
        Some(Event {
            id: json::text(row, "id")?,
            title: line("summary", 200).unwrap_or_else(|| "(no title)".to_owned()),
            start: time("start"),
            end: time("end"),
            attendees: json::list(row, "attendees").iter().take(20).filter_map(attendee).collect(),
            location: line("location", 200),
            description: line("description", 300),
            link: json::first_text(row, &["hangoutLink", "htmlLink"]),
            status: json::text(row, "status").filter(|status| status != "confirmed"),
        })
    }
}

fn attendee(row: &Value) -> Option<String> {
    let address = json::first_text(row, &["email", "displayName"])?;
    let answer = json::text(row, "responseStatus");
    Some(answer.map_or_else(|| address.clone(), |answer| format!("{address} ({answer})")))
}
