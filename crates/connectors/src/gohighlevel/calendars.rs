//! Calendars: what is booked, and booking.

use chrono::{DateTime, Duration, FixedOffset, SecondsFormat, Utc};
use futures::{StreamExt, TryStreamExt};
use schemars::JsonSchema;
use sdk::{Error, Plan, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{GoHighLevel, plans, wire};
use crate::json;

/// Calendars that are asked at the same time.
const AT_ONCE: usize = 4;
/// Appointments that an answer holds at most.
const MOST: usize = 200;
/// The longest window.
pub(super) const MOST_DAYS: i64 = 92;

/// Appointments of GoHighLevel in a window of time, over all calendars or one, the earliest first. Use it for "what
/// is on today" or before booking. The next 14 days unless given. Answers `appointments` and `calendars` with ids.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListAppointments {
    /// From when, `2026-11-23T00:00:00Z`; now unless given.
    from: Option<DateTime<Utc>>,
    /// Until when, at most 92 days after `from`; 14 days after it unless given.
    to: Option<DateTime<Utc>>,
    /// Only this calendar, by id.
    #[schemars(length(min = 1, max = 128))]
    calendar_id: Option<String>,
}

/// Books an appointment for a GoHighLevel contact, if the calendar is free then; otherwise nothing is booked and the
/// error names free times nearby. The contact may be notified. Answers the `appointment`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BookAppointment {
    /// The calendar's id (`list_appointments`).
    #[schemars(length(min = 1, max = 128))]
    calendar_id: String,
    /// The contact's id.
    #[schemars(length(min = 1, max = 128))]
    contact_id: String,
    /// When it begins, with time zone, `2026-11-24T10:00:00-06:00`.
    start: DateTime<FixedOffset>,
    /// When it ends; the calendar's usual length unless given.
    end: Option<DateTime<FixedOffset>>,
    /// What it is about.
    #[schemars(length(min = 1, max = 200))]
    title: Option<String>,
    /// Notes for whoever attends.
    #[schemars(length(min = 1, max = 2000))]
    notes: Option<String>,
}

/// Appointments of a window.
#[derive(Serialize, JsonSchema)]
pub struct Appointments {
    appointments: Vec<Appointment>,
    calendars: Vec<Calendar>,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    /// Said when there are more appointments than the answer holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

/// A calendar.
#[derive(Clone, Serialize, JsonSchema)]
pub struct Calendar {
    id: String,
    name: String,
    /// The usual length of an appointment.
    #[serde(skip_serializing_if = "Option::is_none")]
    minutes: Option<u64>,
}

/// An appointment that was booked.
#[derive(Serialize, JsonSchema)]
pub struct Booked {
    appointment: Appointment,
}

/// An appointment.
#[derive(Serialize, JsonSchema)]
pub struct Appointment {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    title: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    calendar: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    contact_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    start: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end: Option<DateTime<Utc>>,
    /// `confirmed`, `cancelled`, `showed`, `noshow`, …
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    notes: Option<String>,
}

pub async fn list(api: &GoHighLevel, args: ListAppointments) -> Result<Appointments> {
    let (mut calendars, date) = calendars(api).await?;
    if let Some(id) = &args.calendar_id {
        calendars.retain(|calendar| calendar.id == *id);
        if calendars.is_empty() {
            return Err(Error::not_found("calendar_id: there is no such calendar"));
        }
    }
    let (from, to) = window(args.from.or(date), args.to)?;
    // Events are asked for by calendar: the vendor has no list over all of them.
    let asked = calendars.clone().into_iter().map(|calendar| events(api, calendar, from, to));
    let lists: Vec<Vec<Appointment>> = futures::stream::iter(asked).buffered(AT_ONCE).try_collect().await?;
    let mut appointments: Vec<Appointment> = lists.into_iter().flatten().collect();
    appointments.sort_by_key(|appointment| appointment.start);
    let found = appointments.len();
    appointments.truncate(MOST);
    let note = (found > MOST).then(|| format!("the first {MOST} of {found}; ask for a shorter window"));
    Ok(Appointments { appointments, calendars, from, to, note })
}

pub async fn book(api: &GoHighLevel, args: BookAppointment) -> Result<Booked> {
    let body = args.body(api)?;
    check_free(api, &args.calendar_id, args.start).await?;
    let sent = api.post("/calendars/events/appointments", &[])?.json(&body).send().await;
    let answer: Value = sent
        .and_then(|r| r.json())
        .map_err(|e| wire::unknown(e, "look with list_appointments whether it is booked"))?;
    let row = ["appointment", "event"].iter().find_map(|key| answer.get(key)).unwrap_or(&answer);
    Ok(Booked { appointment: Appointment::of(row, None) })
}

pub async fn plan_booking(api: &GoHighLevel, args: BookAppointment) -> Result<Plan> {
    let body = args.body(api)?;
    check_free(api, &args.calendar_id, args.start).await?;
    let row = plans::contact(api, &args.contact_id).await?;
    let plan = Plan::new(format!("Book an appointment with {}.", plans::name(&row))).adds("appointment", body);
    Ok(plan.note("GoHighLevel may write to the contact about it"))
}

impl BookAppointment {
    fn body(&self, api: &GoHighLevel) -> Result<Value> {
        if self.end.is_some_and(|end| end <= self.start) {
            return Err(Error::invalid_input("end: it must be after start"));
        }
        let time = |at: DateTime<FixedOffset>| at.to_rfc3339_opts(SecondsFormat::Secs, true);
        let mut body = json!({
            "calendarId": self.calendar_id,
            "locationId": api.location()?,
            "contactId": self.contact_id,
            "startTime": time(self.start),
        });
        let texts =
            [("endTime", self.end.map(time)), ("title", self.title.clone()), ("description", self.notes.clone())];
        for (name, text) in texts {
            if let Some(text) = text {
                body[name] = json!(text);
            }
        }
        Ok(body)
    }
}

/// Refuses a start that is not among the free slots, and names some that are.
async fn check_free(api: &GoHighLevel, calendar: &str, start: DateTime<FixedOffset>) -> Result<()> {
    let millis = |days| (start + Duration::days(days)).timestamp_millis().to_string();
    let request = api.get("/calendars/{calendar_id}/free-slots", &[calendar])?;
    let request = request.query(&[("startDate", Some(millis(-1))), ("endDate", Some(millis(3)))]);
    let answer: Value = request.send().await?.json()?;
    let mut free = slots(&answer);
    if free.contains(&start) {
        return Ok(());
    }
    free.sort_by_key(|slot| (*slot - start).abs());
    free.truncate(5);
    free.sort();
    let near = free.iter().map(|slot| slot.with_timezone(start.offset()).to_rfc3339()).collect::<Vec<_>>();
    let near = if near.is_empty() { "nothing within three days".to_owned() } else { near.join(", ") };
    Err(Error::conflict(format!(
        "start: the calendar has no free slot at {}; free near it: {near}",
        start.to_rfc3339()
    )))
}

/// The free slots of an answer: `{"2026-11-24": {"slots": [...]}}`, in an older form one level deeper.
fn slots(value: &Value) -> Vec<DateTime<FixedOffset>> {
    let Some(days) = value.as_object() else { return Vec::new() };
    let here = json::list(value, "slots").iter().filter_map(Value::as_str);
    let here = here.filter_map(|slot| DateTime::parse_from_rfc3339(slot).ok());
    here.chain(days.values().flat_map(slots)).collect()
}

async fn calendars(api: &GoHighLevel) -> Result<(Vec<Calendar>, Option<DateTime<Utc>>)> {
    let location = Some(api.location()?.to_owned());
    let response = api.get("/calendars/", &[])?.query(&[("locationId", location)]).send().await?;
    let answer: Value = response.json()?;
    let calendars = json::list(&answer, "calendars").iter().filter_map(Calendar::of).collect();
    Ok((calendars, wire::date(&response.headers)))
}

async fn events(
    api: &GoHighLevel,
    calendar: Calendar,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> Result<Vec<Appointment>> {
    let rows = booked(api, calendar.id.clone(), from, to).await?;
    Ok(rows.iter().map(|row| Appointment::of(row, Some(&calendar))).collect())
}

/// The vendor's rows of one calendar's appointments that begin within the window.
async fn booked(api: &GoHighLevel, calendar: String, from: DateTime<Utc>, to: DateTime<Utc>) -> Result<Vec<Value>> {
    let request = api.get("/calendars/events", &[])?.query(&[
        ("locationId", Some(api.location()?.to_owned())),
        ("calendarId", Some(calendar)),
        ("startTime", Some(from.timestamp_millis().to_string())),
        ("endTime", Some(to.timestamp_millis().to_string())),
    ]);
    let mut answer: Value = request.send().await?.json()?;
    Ok(answer.get_mut("events").and_then(Value::as_array_mut).map(std::mem::take).unwrap_or_default())
}

/// The same of several calendars.
pub(super) async fn booked_in(
    api: &GoHighLevel,
    calendars: &[String],
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> Result<Vec<Value>> {
    let asked = calendars.iter().cloned().map(|calendar| booked(api, calendar, from, to));
    let lists: Vec<Vec<Value>> = futures::stream::iter(asked).buffered(AT_ONCE).try_collect().await?;
    Ok(lists.into_iter().flatten().collect())
}

/// The ids of all calendars.
pub(super) async fn ids(api: &GoHighLevel) -> Result<Vec<String>> {
    Ok(calendars(api).await?.0.into_iter().map(|calendar| calendar.id).collect())
}

fn window(from: Option<DateTime<Utc>>, to: Option<DateTime<Utc>>) -> Result<(DateTime<Utc>, DateTime<Utc>)> {
    let from =
        from.ok_or_else(|| Error::invalid_input("from: GoHighLevel did not say what time it is; give a moment"))?;
    let to = to.unwrap_or(from + Duration::days(14));
    if to <= from || to - from > Duration::days(MOST_DAYS) {
        return Err(Error::invalid_input(format!("to: it must be after from and at most {MOST_DAYS} days later")));
    }
    Ok((from, to))
}

impl Calendar {
    fn of(row: &Value) -> Option<Calendar> {
        let hours = json::text(row, "slotDurationUnit").is_some_and(|unit| unit.starts_with("hour"));
        let length = json::count(row, "slotDuration");
        Some(Calendar {
            id: json::text(row, "id")?,
            name: json::text(row, "name").unwrap_or_else(|| "(no name)".into()),
            minutes: length.map(|length| if hours { length.saturating_mul(60) } else { length }),
        })
    }
}

/// One of the vendor's answers spells the key wrong.
pub(super) fn status(row: &Value) -> Option<String> {
    json::first_text(row, &["appointmentStatus", "appoinmentStatus", "status"])
}

impl Appointment {
    fn of(row: &Value, calendar: Option<&Calendar>) -> Appointment {
        Appointment {
            id: json::text(row, "id"),
            title: json::text(row, "title").unwrap_or_else(|| "(no title)".into()),
            calendar: calendar.map(|calendar| calendar.name.clone()).or_else(|| json::text(row, "calendarId")),
            contact_id: json::text(row, "contactId"),
            start: json::time(row, "startTime"),
            end: json::time(row, "endTime"),
            status: status(row),
            place: json::text(row, "address"),
            notes: json::first_text(row, &["notes", "description"]).map(|notes| sdk::text::cut(&notes, 500)),
        }
    }
}
