//! Calendars, events, free slots, appointments.

use std::{collections::HashMap, sync::Arc};

use axum::{
    extract::{Path, Query, State},
    http::StatusCode,
};
use serde_json::{Map, Value, json};

use super::{
    contacts::{find, known_user, text},
    gate::{Body, Call},
    reply::{Refusal, Reply, ok, respond},
};
use crate::{
    business::{Appointment, Business, Calendar, Kind},
    clock::{DAY, HOUR, MINUTE, Millis, iso, moment, parse},
    world::World,
};

const STATUSES: &[&str] = &["new", "confirmed", "cancelled", "showed", "noshow", "invalid", "active", "completed"];

pub(crate) async fn list(
    State(world): State<Arc<World>>,
    call: Call,
    Query(query): Query<HashMap<String, String>>,
) -> Reply {
    call.at(query.get("locationId").map(String::as_str))?;
    let business = world.business();
    let calendars: Vec<Value> = business.calendars.iter().map(|row| shown(&business, row)).collect();
    ok(&json!({"calendars": calendars, "traceId": call.trace}))
}

pub(crate) async fn get(State(world): State<Arc<World>>, call: Call, Path(id): Path<String>) -> Reply {
    let business = world.business();
    let calendar = shown(&business, calendar(&business, &id)?);
    ok(&json!({"calendar": calendar, "traceId": call.trace}))
}

/// `GET /calendars/events`: of one user, calendar or group, in a span of milliseconds.
pub(crate) async fn events(
    State(world): State<Arc<World>>,
    call: Call,
    Query(query): Query<HashMap<String, String>>,
) -> Reply {
    let get = |key: &str| query.get(key).map(String::as_str).filter(|value| !value.is_empty());
    call.at(get("locationId"))?;
    if ["userId", "calendarId", "groupId"].iter().all(|key| get(key).is_none()) {
        return Err(Refusal::invalid(["Either of userId, calendarId or groupId is required"]));
    }
    let millis = |key: &str| get(key).and_then(|at| at.parse::<Millis>().ok());
    let (Some(start), Some(end)) = (millis("startTime"), millis("endTime")) else {
        return Err(Refusal::invalid(["startTime must be a number string", "endTime must be a number string"]));
    };
    let business = world.business();
    let fits = |row: &&Appointment| {
        row.start >= start
            && row.start <= end
            && get("userId").is_none_or(|id| id == row.user.as_str())
            && get("calendarId").is_none_or(|id| id == row.calendar.as_str())
            && get("groupId").is_none_or(|id| id == business.calendar_group.as_str())
    };
    let mut rows: Vec<&Appointment> = business.appointments.iter().filter(fits).collect();
    rows.sort_by_key(|row| (row.start, row.id));
    let events: Vec<Value> = rows.into_iter().map(|row| event(&business, row, &call)).collect();
    ok(&json!({"events": events, "traceId": call.trace}))
}

/// `GET /calendars/{id}/free-slots`: by day, at most 31 days.
pub(crate) async fn free_slots(
    State(world): State<Arc<World>>,
    call: Call,
    Path(id): Path<String>,
    Query(query): Query<HashMap<String, String>>,
) -> Reply {
    let millis = |key: &str| query.get(key).and_then(|at| at.parse::<Millis>().ok());
    let (Some(start), Some(end)) = (millis("startDate"), millis("endDate")) else {
        return Err(Refusal::invalid(["startDate must be a number", "endDate must be a number"]));
    };
    if end < start || end - start > 31 * DAY {
        return Err(Refusal::bad_request("Date range cannot be more than 31 days."));
    }
    let business = world.business();
    let calendar = calendar(&business, &id)?;
    let mut days = Map::new();
    for at in open(calendar.minutes, start.max(call.now), end).filter(|at| free(&business, calendar, *at)) {
        let day = iso(at)[..10].to_owned();
        let slots = days.entry(day).or_insert_with(|| json!({"slots": []}));
        if let Some(slots) = slots["slots"].as_array_mut() {
            slots.push(moment(at).to_rfc3339_opts(chrono::SecondsFormat::Secs, false).into());
        }
    }
    ok(&days)
}

/// Working hours are 16:00 to 23:00 UTC on weekdays, a working day on the west coast.
fn open(minutes: i64, start: Millis, end: Millis) -> impl Iterator<Item = Millis> {
    let first = start.div_euclid(DAY) * DAY;
    let days = (0..=(end - first).div_euclid(DAY)).map(move |n| first + n * DAY);
    let weekdays = days.filter(|day| (day.div_euclid(DAY) + 4).rem_euclid(7) % 6 != 0);
    let slots = move |day: Millis| (0..7 * 60 / minutes).map(move |n| day + 16 * HOUR + n * minutes * MINUTE);
    weekdays.flat_map(slots).filter(move |at| *at >= start && *at <= end)
}

fn free(business: &Business, calendar: &Calendar, at: Millis) -> bool {
    let end = at + calendar.minutes * MINUTE;
    let clashes =
        |row: &Appointment| row.user == calendar.user && row.status != "cancelled" && row.start < end && row.end > at;
    !business.appointments.iter().any(clashes)
}

pub(crate) async fn create(State(world): State<Arc<World>>, call: Call, Body(body): Body) -> Reply {
    let needed = ["calendarId", "locationId", "contactId", "startTime"];
    let missing: Vec<String> = needed
        .iter()
        .filter(|key| text(&body, key).is_none())
        .map(|key| format!("{key} should not be empty"))
        .collect();
    if !missing.is_empty() {
        return Err(Refusal::invalid(missing));
    }
    call.body_at(&body)?;
    let mut business = world.business();
    let row = new(&mut business, &call, &body)?;
    let answer = booked(&row, &call);
    publish(&world, &mut business, &call, "AppointmentCreate", &row);
    let (contact, now) = (row.contact, call.now);
    business.appointments.push(row);
    business.contacts.edit(contact, now, |contact| contact.last_activity = now);
    ok(&answer)
}

fn new(business: &mut Business, call: &Call, body: &Map<String, Value>) -> Result<Appointment, Refusal> {
    let contact = find(business, text(body, "contactId").unwrap_or_default())?.id;
    let calendar = calendar(business, text(body, "calendarId").unwrap_or_default())?.clone();
    let start = start_of(body)?;
    let end = text(body, "endTime").and_then(parse).unwrap_or(start + calendar.minutes * MINUTE);
    let unchecked = body.get("ignoreFreeSlotValidation").and_then(Value::as_bool).unwrap_or(false);
    if !unchecked && (start < call.now || !free(business, &calendar, start)) {
        return Err(Refusal::bad_request("The slot you have selected is no longer available."));
    }
    let user = known_user(body.get("assignedUserId").unwrap_or(&Value::Null), business)?;
    let mut row = Appointment {
        id: business.new_id(Kind::Appointment),
        calendar: calendar.id,
        contact,
        user: user.unwrap_or(calendar.user),
        title: calendar.name.to_owned(),
        status: "confirmed".into(),
        notes: None,
        address: None,
        start,
        end,
        added: call.now,
        updated: call.now,
    };
    fill(&mut row, body)?;
    Ok(row)
}

fn start_of(body: &Map<String, Value>) -> Result<Millis, Refusal> {
    let start = text(body, "startTime").and_then(parse);
    start.ok_or_else(|| Refusal::invalid(["startTime must be a valid ISO 8601 date string"]))
}

fn fill(row: &mut Appointment, body: &Map<String, Value>) -> Result<(), Refusal> {
    if let Some(title) = text(body, "title") {
        title.clone_into(&mut row.title);
    }
    if let Some(status) = text(body, "appointmentStatus") {
        if !STATUSES.contains(&status) {
            let known = STATUSES.join(", ");
            return Err(Refusal::invalid([format!("appointmentStatus must be one of the following values: {known}")]));
        }
        row.status = status.to_owned().into();
    }
    if let Some(address) = text(body, "address") {
        row.address = Some(address.to_owned().into());
    }
    if let Some(notes) = text(body, "description") {
        row.notes = Some(notes.to_owned().into());
    }
    if body.contains_key("startTime") {
        let length = row.end - row.start;
        row.start = start_of(body)?;
        row.end = text(body, "endTime").and_then(parse).unwrap_or(row.start + length);
    }
    Ok(())
}

pub(crate) async fn appointment(State(world): State<Arc<World>>, call: Call, Path(id): Path<String>) -> Reply {
    let business = world.business();
    let row = &business.appointments[position(&business, &id)?];
    ok(&json!({"event": event(&business, row, &call), "traceId": call.trace}))
}

pub(crate) async fn update(
    State(world): State<Arc<World>>,
    call: Call,
    Path(id): Path<String>,
    Body(body): Body,
) -> Reply {
    let mut business = world.business();
    let position = position(&business, &id)?;
    let mut row = business.appointments[position].clone();
    fill(&mut row, &body)?;
    if let Some(user) = body.get("assignedUserId") {
        row.user = known_user(user, &business)?.unwrap_or(row.user);
    }
    row.updated = call.now;
    let answer = booked(&row, &call);
    publish(&world, &mut business, &call, "AppointmentUpdate", &row);
    business.appointments[position] = row;
    ok(&answer)
}

/// `DELETE /calendars/events/{id}` answers 201, says its schema.
pub(crate) async fn delete(State(world): State<Arc<World>>, call: Call, Path(id): Path<String>) -> Reply {
    let mut business = world.business();
    let position = position(&business, &id)?;
    let row = business.appointments.remove(position);
    publish(&world, &mut business, &call, "AppointmentDelete", &row);
    Ok(respond(StatusCode::CREATED, &json!({"succeeded": true, "traceId": call.trace})))
}

/// `GET /contacts/{id}/appointments`: times without a zone, as this older operation has them.
pub(crate) async fn of_contact(State(world): State<Arc<World>>, call: Call, Path(id): Path<String>) -> Reply {
    let business = world.business();
    let contact = find(&business, &id)?.id;
    let plain = |at: Millis| moment(at).format("%Y-%m-%d %H:%M:%S").to_string();
    let mut rows: Vec<&Appointment> = business.appointments.iter().filter(|row| row.contact == contact).collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.start));
    let shown = |row: &Appointment| {
        json!({"id": row.id, "calendarId": row.calendar, "status": "booked", "title": row.title,
            "assignedUserId": row.user, "notes": row.notes.clone().unwrap_or_default(),
            "startTime": plain(row.start), "endTime": plain(row.end),
            "address": row.address.clone().unwrap_or_default(), "locationId": call.location,
            "contactId": row.contact, "groupId": business.calendar_group, "appointmentStatus": row.status,
            "users": [], "dateAdded": plain(row.added), "dateUpdated": plain(row.updated), "assignedResources": []})
    };
    let events: Vec<Value> = rows.into_iter().map(shown).collect();
    ok(&json!({"events": events, "traceId": call.trace}))
}

fn calendar<'a>(business: &'a Business, id: &str) -> Result<&'a Calendar, Refusal> {
    let found = business.calendars.iter().find(|calendar| calendar.id.as_str() == id);
    found.ok_or_else(|| Refusal::not_found(format!("Calendar with id {id} not found")))
}

fn position(business: &Business, id: &str) -> Result<usize, Refusal> {
    let found = business.appointments.iter().position(|row| row.id.as_str() == id);
    found.ok_or_else(|| Refusal::not_found(format!("Event with id {id} not found")))
}

fn publish(world: &World, business: &mut Business, call: &Call, kind: &str, row: &Appointment) {
    let mut appointment = event(business, row, call);
    if let Some(fields) = appointment.as_object_mut() {
        fields.retain(|key, _| !["locationId", "isRecurring", "assignedResources"].contains(&key.as_str()));
        fields.insert("source".into(), "api".into());
    }
    let payload = json!({"locationId": call.location, "appointment": appointment});
    world.committed(business, "api", kind, row.id.as_str(), payload);
}

fn event(business: &Business, row: &Appointment, call: &Call) -> Value {
    json!({"id": row.id, "address": row.address.clone().unwrap_or_default(), "title": row.title,
        "calendarId": row.calendar, "locationId": call.location, "contactId": row.contact,
        "groupId": business.calendar_group, "appointmentStatus": row.status, "assignedUserId": row.user,
        "users": [], "notes": row.notes.clone().unwrap_or_default(), "isRecurring": false,
        "startTime": iso(row.start), "endTime": iso(row.end), "dateAdded": iso(row.added),
        "dateUpdated": iso(row.updated), "assignedResources": []})
}

fn booked(row: &Appointment, call: &Call) -> Value {
    json!({"id": row.id, "calendarId": row.calendar, "locationId": call.location, "contactId": row.contact,
        "startTime": iso(row.start), "endTime": iso(row.end), "title": row.title, "meetingLocationType": "custom",
        "appointmentStatus": row.status, "assignedUserId": row.user,
        "address": row.address.clone().unwrap_or_default(), "isRecurring": false, "dateAdded": iso(row.added),
        "dateUpdated": iso(row.updated), "traceId": call.trace})
}

fn shown(business: &Business, row: &Calendar) -> Value {
    json!({"id": row.id, "locationId": business.location, "groupId": business.calendar_group, "isActive": true,
        "name": row.name, "description": row.description, "slug": row.name.to_lowercase().replace(' ', "-"),
        "calendarType": "round_robin", "eventType": "RoundRobin_OptimizeForAvailability", "widgetType": "default",
        "eventTitle": "{{contact.name}}", "eventColor": "#039be5",
        "teamMembers": [{"userId": row.user, "priority": 0.5, "isPrimary": true}],
        "slotDuration": row.minutes, "slotDurationUnit": "mins", "slotInterval": row.minutes,
        "slotIntervalUnit": "mins", "openHours": [{"daysOfTheWeek": [1, 2, 3, 4, 5],
            "hours": [{"openHour": 16, "openMinute": 0, "closeHour": 23, "closeMinute": 0}]}],
        "autoConfirm": true, "allowReschedule": true, "allowCancellation": true, "notes": ""})
}
