//! Writing calendars. The id of an event is chosen by us, so that Google refuses a second one.

use chrono::{DateTime, Days, Duration, FixedOffset, NaiveDate, NaiveTime, Utc};
use schemars::JsonSchema;
use sdk::{Error, Kind, Plan, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::calendar::{Event, moment, own};
use super::{GoogleWorkspace, digest, wire};
use crate::json;

/// Makes an event in a Google calendar. Look with `list_events` whether the time is free. Guests get an invitation by
/// mail only with `notify`. Answers the `event`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateEvent {
    /// What it is.
    #[schemars(length(min = 1, max = 300))]
    title: String,
    /// `2026-11-24T10:00:00-06:00`, or `2026-11-24` for whole days.
    #[schemars(length(min = 10, max = 40))]
    start: String,
    /// In the same form; an hour, or that day, unless given. Of whole days the last one.
    #[schemars(length(min = 10, max = 40))]
    end: Option<String>,
    /// Addresses of guests.
    #[serde(default)]
    #[schemars(length(max = 100), inner(length(min = 3, max = 320)))]
    attendees: Vec<String>,
    /// Where.
    #[schemars(length(min = 1, max = 300))]
    location: Option<String>,
    /// Notes.
    #[schemars(length(min = 1, max = 4000))]
    description: Option<String>,
    /// Whether guests get a mail.
    #[serde(default)]
    notify: bool,
    /// The calendar's id; the own one unless given.
    #[serde(default = "own")]
    #[schemars(length(min = 1, max = 128))]
    calendar_id: String,
}

/// An event that was made.
#[derive(Serialize, JsonSchema)]
pub struct Created {
    event: Event,
}

const EVENTS: &str = "/calendar/v3/calendars/{calendarId}/events";

pub async fn create(api: &GoogleWorkspace, args: CreateEvent) -> Result<Created> {
    let mut body = args.body()?;
    // Hexadecimal digits are among the letters that Google allows.
    let id = digest::of(api, &["create_event", &args.calendar_id, &body.to_string()]);
    body["id"] = json!(id);
    let updates = if args.notify { "all" } else { "none" };
    let request = api.post(EVENTS, &[&args.calendar_id])?.query(&[("sendUpdates", Some(updates.to_owned()))]);
    let row: Value = match request.json(&body).repeatable().send().await {
        Ok(answer) => match answer.json::<Value>() {
            Ok(row) => row,
            // The answer cannot be read; the event can.
            Err(_) => read(api, &args.calendar_id, &id).await?,
        },
        Err(error) if error.kind == Kind::Conflict => read(api, &args.calendar_id, &id).await?,
        Err(error) => return Err(wire::unknown(error, "look with list_events")),
    };
    if json::text(&row, "status").as_deref() == Some("cancelled") {
        return Err(Error::conflict("this event was made by an earlier attempt and has been deleted since"));
    }
    let event = Event::of(&row).ok_or_else(|| Error::upstream("Google answered an event without an id"))?;
    Ok(Created { event })
}

pub async fn plan(api: &GoogleWorkspace, args: CreateEvent) -> Result<Plan> {
    let body = args.body()?;
    let (from, to) = args.window()?;
    let request = api.get(EVENTS, &[&args.calendar_id])?.query(&[
        ("timeMin", Some(moment(from))),
        ("timeMax", Some(moment(to))),
        ("singleEvents", Some("true".to_owned())),
        ("orderBy", Some("startTime".to_owned())),
        ("maxResults", Some("10".to_owned())),
    ]);
    let present = wire::page("items", request).await?;
    let mut plan = Plan::new(format!("make the event {:?}", args.title)).adds("event", body);
    for event in present.rows.iter().filter_map(Event::of) {
        let start = event.start.unwrap_or_default();
        plan = plan.note(format!("at the same time there is {:?} ({start})", event.title));
    }
    if args.notify && !args.attendees.is_empty() {
        plan = plan.note("the guests get an invitation by mail");
    }
    Ok(plan)
}

async fn read(api: &GoogleWorkspace, calendar: &str, id: &str) -> Result<Value> {
    let read = api.get("/calendar/v3/calendars/{calendarId}/events/{eventId}", &[calendar, id])?.send().await;
    read.and_then(|answer| answer.json()).map_err(|e| wire::unknown(e.with_unknown_outcome(), "look with list_events"))
}

/// When an event begins or ends.
enum When {
    Day(NaiveDate),
    At(DateTime<FixedOffset>),
}

impl When {
    fn parse(field: &str, text: &str) -> Result<When> {
        let text = text.trim();
        if let Ok(day) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
            return Ok(When::Day(day));
        }
        let at = DateTime::parse_from_rfc3339(text).map_err(|_| {
            Error::invalid_input(format!("{field}: give it as 2026-11-24T10:00:00-06:00 or 2026-11-24"))
        })?;
        Ok(When::At(at))
    }

    fn json(&self) -> Value {
        match self {
            When::Day(day) => json!({"date": day.to_string()}),
            When::At(at) => json!({"dateTime": at.to_rfc3339()}),
        }
    }

    fn utc(&self) -> DateTime<Utc> {
        match self {
            When::Day(day) => day.and_time(NaiveTime::MIN).and_utc(),
            When::At(at) => at.to_utc(),
        }
    }
}

impl CreateEvent {
    /// Begin and end; the end of whole days is the day after, as Google has it.
    fn times(&self) -> Result<(When, When)> {
        let start = When::parse("start", &self.start)?;
        let end = self.end.as_deref().map(|end| When::parse("end", end)).transpose()?;
        let end = match (&start, end) {
            (When::Day(day), None) => When::Day(after(*day)?),
            (When::Day(day), Some(When::Day(last))) if last >= *day => When::Day(after(last)?),
            (When::At(at), None) => When::At(*at + Duration::hours(1)),
            (When::At(at), Some(When::At(end))) if end > *at => When::At(end),
            _ => return Err(Error::invalid_input("end: it must be after `start` and in the same form")),
        };
        Ok((start, end))
    }

    fn window(&self) -> Result<(DateTime<Utc>, DateTime<Utc>)> {
        let (start, end) = self.times()?;
        Ok((start.utc(), end.utc()))
    }

    fn body(&self) -> Result<Value> {
        let (start, end) = self.times()?;
        let mut body = json!({"summary": self.title, "start": start.json(), "end": end.json()});
        for (key, text) in [("location", &self.location), ("description", &self.description)] {
            if let Some(text) = text {
                body[key] = json!(text);
            }
        }
        if !self.attendees.is_empty() {
            let wrong =
                self.attendees.iter().find(|address| !address.contains('@') || address.contains(char::is_whitespace));
            if let Some(wrong) = wrong {
                return Err(Error::invalid_input(format!("attendees: {wrong:?} is not an e-mail address")));
            }
            body["attendees"] = self.attendees.iter().map(|address| json!({"email": address})).collect();
        }
        Ok(body)
    }
}

fn after(day: NaiveDate) -> Result<NaiveDate> {
    day.checked_add_days(Days::new(1)).ok_or_else(|| Error::invalid_input("end: there is no such day"))
}
