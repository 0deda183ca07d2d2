//! Tasks of a contact, and of the location.

use std::sync::Arc;

use axum::extract::{Path, State};
use serde_json::{Map, Value, json};

use super::{
    contacts::{find, known_user, strings, succeeded, text},
    gate::{Body, Call},
    reply::{Refusal, Reply, created, ok},
};
use crate::{
    business::{Business, Id, Kind, Task},
    clock::{iso, parse},
    world::World,
};

pub(crate) async fn list(State(world): State<Arc<World>>, call: Call, Path(contact): Path<String>) -> Reply {
    let business = world.business();
    let contact = find(&business, &contact)?.id;
    let tasks: Vec<Value> = business.tasks.iter().filter(|task| task.contact == contact).map(shown).collect();
    ok(&json!({"tasks": tasks, "traceId": call.trace}))
}

pub(crate) async fn get(
    State(world): State<Arc<World>>,
    call: Call,
    Path((contact, id)): Path<(String, String)>,
) -> Reply {
    let business = world.business();
    let position = position(&business, &contact, &id)?;
    ok(&json!({"task": shown(&business.tasks[position]), "traceId": call.trace}))
}

pub(crate) async fn create(
    State(world): State<Arc<World>>,
    call: Call,
    Path(contact): Path<String>,
    Body(body): Body,
) -> Reply {
    check(&body, true)?;
    let mut business = world.business();
    let contact = find(&business, &contact)?.id;
    let id = business.new_id(Kind::Task);
    let mut task = Task {
        id,
        contact,
        title: "".into(),
        body: None,
        assigned_to: None,
        due: call.now,
        completed: false,
        added: call.now,
    };
    fill(&mut task, &body, &business)?;
    publish(&world, &mut business, &call, "TaskCreate", &task);
    let answer = shown(&task);
    business.tasks.push(task);
    created(&json!({"task": answer, "traceId": call.trace}))
}

pub(crate) async fn update(
    State(world): State<Arc<World>>,
    call: Call,
    Path((contact, id)): Path<(String, String)>,
    Body(body): Body,
) -> Reply {
    check(&body, false)?;
    change(&world, &call, &contact, &id, &body)
}

/// `PUT …/completed`.
pub(crate) async fn complete(
    State(world): State<Arc<World>>,
    call: Call,
    Path((contact, id)): Path<(String, String)>,
    Body(body): Body,
) -> Reply {
    if !body.get("completed").is_some_and(Value::is_boolean) {
        return Err(Refusal::invalid(["completed must be a boolean value"]));
    }
    change(&world, &call, &contact, &id, &body)
}

pub(crate) async fn delete(
    State(world): State<Arc<World>>,
    call: Call,
    Path((contact, id)): Path<(String, String)>,
) -> Reply {
    let mut business = world.business();
    let position = position(&business, &contact, &id)?;
    let task = business.tasks.remove(position);
    publish(&world, &mut business, &call, "TaskDelete", &task);
    ok(&succeeded(&call, json!({})))
}

/// `POST /locations/{loc}/tasks/search`: newest first, 25 unless told.
pub(crate) async fn search(
    State(world): State<Arc<World>>,
    call: Call,
    Path(location): Path<String>,
    Body(body): Body,
) -> Reply {
    call.at(Some(&location))?;
    let number = |key: &str, default: u64| {
        let value = body.get(key).and_then(|value| value.as_u64().or_else(|| value.as_str()?.parse().ok()));
        usize::try_from(value.unwrap_or(default)).unwrap_or(0)
    };
    let (contacts, users) = (strings(&body, "contactId"), strings(&body, "assignedTo"));
    let query = text(&body, "query").unwrap_or_default().to_lowercase();
    let completed = body.get("completed").and_then(Value::as_bool);
    let fits = |task: &&Task| {
        (contacts.is_empty() || contacts.iter().any(|id| id == task.contact.as_str()))
            && (users.is_empty() || task.assigned_to.is_some_and(|own| users.iter().any(|id| id == own.as_str())))
            && completed.is_none_or(|completed| task.completed == completed)
            && task.title.to_lowercase().contains(&query)
    };
    let business = world.business();
    let mut tasks: Vec<&Task> = business.tasks.iter().filter(fits).collect();
    tasks.sort_by_key(|task| (std::cmp::Reverse(task.added), task.id));
    let page = tasks.into_iter().skip(number("skip", 0)).take(number("limit", 25).min(100));
    let tasks: Vec<Value> = page.map(|task| with_people(&business, call.location, task)).collect();
    ok(&json!({"tasks": tasks, "traceId": call.trace}))
}

/// The location-wide list names the people.
fn with_people(business: &Business, location: Id, task: &Task) -> Value {
    let mut row = shown(task);
    let Some(fields) = row.as_object_mut() else { return row };
    fields.insert("_id".into(), task.id.as_str().into());
    fields.insert("locationId".into(), location.as_str().into());
    if let Some(contact) = business.contacts.get(task.contact) {
        let (first, last) = (&contact.first_name, &contact.last_name);
        fields.insert("contactDetails".into(), json!({"firstName": first, "lastName": last}));
    }
    if let Some(user) = task.assigned_to.and_then(|user| business.user(user)) {
        let details = json!({"firstName": user.first_name, "lastName": user.last_name});
        fields.insert("assignedToUserDetails".into(), details);
    }
    row
}

fn change(world: &World, call: &Call, contact: &str, id: &str, body: &Map<String, Value>) -> Reply {
    let mut business = world.business();
    let position = position(&business, contact, id)?;
    let mut task = business.tasks[position].clone();
    let was = task.completed;
    fill(&mut task, body, &business)?;
    // The vendor has an event for completion only; other changes are silent on the wire.
    let kind = if task.completed && !was { "TaskComplete" } else { "TaskUpdate" };
    publish(world, &mut business, call, kind, &task);
    let answer = shown(&task);
    business.tasks[position] = task;
    ok(&json!({"task": answer, "traceId": call.trace}))
}

fn fill(task: &mut Task, body: &Map<String, Value>, business: &Business) -> Result<(), Refusal> {
    if let Some(title) = text(body, "title") {
        task.title = title.to_owned().into();
    }
    if let Some(words) = body.get("body") {
        task.body = words.as_str().map(|words| words.to_owned().into());
    }
    if let Some(due) = text(body, "dueDate").and_then(parse) {
        task.due = due;
    }
    if let Some(completed) = body.get("completed").and_then(Value::as_bool) {
        task.completed = completed;
    }
    if let Some(user) = body.get("assignedTo") {
        task.assigned_to = known_user(user, business)?;
    }
    Ok(())
}

fn check(body: &Map<String, Value>, complete: bool) -> Result<(), Refusal> {
    let mut wrong = Vec::new();
    let needed = |key: &str| complete || body.contains_key(key);
    if needed("title") && text(body, "title").is_none() {
        wrong.push("title should not be empty");
    }
    if needed("dueDate") && text(body, "dueDate").and_then(parse).is_none() {
        wrong.push("dueDate must be a valid ISO 8601 date string");
    }
    if needed("completed") && !body.get("completed").is_some_and(Value::is_boolean) {
        wrong.push("completed must be a boolean value");
    }
    if wrong.is_empty() { Ok(()) } else { Err(Refusal::invalid(wrong)) }
}

fn position(business: &Business, contact: &str, id: &str) -> Result<usize, Refusal> {
    let contact = find(business, contact)?.id;
    let found = id
        .parse()
        .ok()
        .and_then(|id: Id| business.tasks.iter().position(|task| task.id == id && task.contact == contact));
    found.ok_or_else(|| Refusal::not_found(format!("Task with id {id} not found")))
}

fn publish(world: &World, business: &mut Business, call: &Call, kind: &str, task: &Task) {
    let mut payload = json!({"locationId": call.location, "id": task.id, "body": task.body.clone().unwrap_or_default(),
        "contactId": task.contact, "title": task.title, "dateAdded": iso(task.added), "dueDate": iso(task.due)});
    if let (Some(user), Some(payload)) = (task.assigned_to, payload.as_object_mut()) {
        payload.insert("assignedTo".into(), user.as_str().into());
    }
    if kind == "TaskUpdate" {
        business.record(call.now, kind, task.id.as_str(), "api", payload);
        return;
    }
    world.committed(business, "api", kind, task.id.as_str(), payload);
}

fn shown(task: &Task) -> Value {
    let mut row = json!({"id": task.id, "title": task.title, "dueDate": iso(task.due), "completed": task.completed,
        "contactId": task.contact, "dateAdded": iso(task.added)});
    if let Some(row) = row.as_object_mut() {
        task.body.as_ref().map(|body| row.insert("body".into(), body.as_ref().into()));
        task.assigned_to.map(|user| row.insert("assignedTo".into(), user.as_str().into()));
    }
    row
}
