//! Notes of a contact.

use std::sync::Arc;

use axum::extract::{Path, State};
use serde_json::{Map, Value, json};

use super::{
    contacts::{find, known_user, succeeded, text},
    gate::{Body, Call},
    reply::{Refusal, Reply, created, ok},
};
use crate::{
    business::{Business, Id, Kind, Note},
    clock::iso,
    world::World,
};

pub(crate) async fn list(State(world): State<Arc<World>>, call: Call, Path(contact): Path<String>) -> Reply {
    let business = world.business();
    let contact = find(&business, &contact)?.id;
    let mut notes: Vec<&Note> = business.notes.iter().filter(|note| note.contact == contact).collect();
    notes.sort_by_key(|note| std::cmp::Reverse(note.added));
    let notes: Vec<Value> = notes.into_iter().map(shown).collect();
    ok(&json!({"notes": notes, "traceId": call.trace}))
}

pub(crate) async fn get(
    State(world): State<Arc<World>>,
    call: Call,
    Path((contact, id)): Path<(String, String)>,
) -> Reply {
    let business = world.business();
    let position = position(&business, &contact, &id)?;
    ok(&json!({"note": shown(&business.notes[position]), "traceId": call.trace}))
}

pub(crate) async fn create(
    State(world): State<Arc<World>>,
    call: Call,
    Path(contact): Path<String>,
    Body(body): Body,
) -> Reply {
    let Some(text) = text(&body, "body") else {
        return Err(Refusal::invalid(["body should not be empty", "body must be a string"]));
    };
    let mut business = world.business();
    let contact = find(&business, &contact)?.id;
    let user = known_user(body.get("userId").unwrap_or(&Value::Null), &business)?;
    let id = business.new_id(Kind::Note);
    let mut note = Note {
        id,
        contact,
        user,
        title: None,
        color: None,
        pinned: false,
        body: text.to_owned().into(),
        added: call.now,
    };
    decorate(&mut note, &body);
    business.contacts.edit(contact, call.now, |contact| contact.last_activity = call.now);
    let answer = shown(&note);
    publish(&world, &mut business, &call, "NoteCreate", &note);
    business.notes.push(note);
    created(&json!({"note": answer, "traceId": call.trace}))
}

pub(crate) async fn update(
    State(world): State<Arc<World>>,
    call: Call,
    Path((contact, id)): Path<(String, String)>,
    Body(body): Body,
) -> Reply {
    let mut business = world.business();
    let position = position(&business, &contact, &id)?;
    let user = body.get("userId").map(|user| known_user(user, &business)).transpose()?;
    let note = &mut business.notes[position];
    if let Some(text) = text(&body, "body") {
        note.body = text.to_owned().into();
    }
    note.user = user.unwrap_or(note.user);
    decorate(note, &body);
    let note = note.clone();
    publish(&world, &mut business, &call, "NoteUpdate", &note);
    ok(&json!({"note": shown(&note), "traceId": call.trace}))
}

pub(crate) async fn delete(
    State(world): State<Arc<World>>,
    call: Call,
    Path((contact, id)): Path<(String, String)>,
) -> Reply {
    let mut business = world.business();
    let position = position(&business, &contact, &id)?;
    let note = business.notes.remove(position);
    publish(&world, &mut business, &call, "NoteDelete", &note);
    ok(&succeeded(&call, json!({})))
}

fn decorate(note: &mut Note, body: &Map<String, Value>) {
    if let Some(title) = text(body, "title") {
        note.title = Some(title.to_owned());
    }
    if let Some(color) = text(body, "color") {
        note.color = Some(color.to_owned());
    }
    if let Some(pinned) = body.get("pinned").and_then(Value::as_bool) {
        note.pinned = pinned;
    }
}

fn position(business: &Business, contact: &str, id: &str) -> Result<usize, Refusal> {
    let contact = find(business, contact)?.id;
    let found = id
        .parse()
        .ok()
        .and_then(|id: Id| business.notes.iter().position(|note| note.id == id && note.contact == contact));
    found.ok_or_else(|| Refusal::not_found(format!("Note with id {id} not found")))
}

fn publish(world: &World, business: &mut Business, call: &Call, kind: &str, note: &Note) {
    let payload = json!({"locationId": call.location, "id": note.id, "body": note.body, "contactId": note.contact,
        "dateAdded": iso(note.added)});
    world.committed(business, "api", kind, note.id.as_str(), payload);
}

fn shown(note: &Note) -> Value {
    let mut row = json!({"id": note.id, "body": note.body, "bodyText": note.body, "dateAdded": iso(note.added),
        "contactId": note.contact, "pinned": note.pinned, "relations": []});
    if let Some(row) = row.as_object_mut() {
        note.user.map(|user| row.insert("userId".into(), user.as_str().into()));
        note.title.as_ref().map(|title| row.insert("title".into(), title.as_str().into()));
        note.color.as_ref().map(|color| row.insert("color".into(), color.as_str().into()));
    }
    row
}
