//! Conversations and messages.

use std::{cmp::Reverse, collections::HashMap, sync::Arc};

use axum::extract::{Path, Query, State};
use serde_json::{Map, Value, json};

use super::{
    contacts::text,
    gate::{Body, Call},
    messages,
    reply::{Refusal, Reply, created, ok},
};
use crate::{
    business::{Business, Conversation, Id, Message},
    clock::Millis,
    world::World,
};

/// `GET /conversations/search`, by the date of the last message.
pub(crate) async fn search(
    State(world): State<Arc<World>>,
    call: Call,
    Query(query): Query<HashMap<String, String>>,
) -> Reply {
    let get = |key: &str| query.get(key).map(String::as_str);
    call.at(get("locationId"))?;
    let limit = get("limit").map_or(Some(20), |limit| limit.parse().ok()).filter(|limit| (1..=100).contains(limit));
    let Some(limit) = limit else {
        return Err(Refusal::invalid(["limit must not be greater than 100", "limit must be a number"]));
    };
    let business = world.business();
    let mut found: Vec<&Conversation> =
        business.conversations.iter().filter(|row| fits(&business, row, &query)).collect();
    let total = found.len();
    let ascending = get("sort") == Some("asc");
    found.sort_unstable_by_key(|row| (Reverse(row.last()), row.id));
    if ascending {
        found.reverse();
    }
    if let Some(after) = get("startAfterDate").and_then(|at| at.parse::<Millis>().ok()) {
        found.retain(|row| if ascending { row.last() > after } else { row.last() < after });
    }
    let rows: Vec<Value> = found.iter().take(limit).map(|row| listed(&business, row, &call)).collect();
    ok(&json!({"conversations": rows, "total": total, "traceId": call.trace}))
}

fn fits(business: &Business, row: &Conversation, query: &HashMap<String, String>) -> bool {
    let get = |key: &str| query.get(key).map(String::as_str).filter(|value| !value.is_empty());
    let same = |key: &str, own: &str| get(key).is_none_or(|wanted| wanted.split(',').any(|one| one == own));
    let time = |key: &str| get(key).and_then(|at| at.parse::<Millis>().ok());
    let status = match get("status") {
        Some("unread") => row.unread > 0,
        Some("read") => row.unread == 0,
        Some("starred") => row.starred,
        _ => true,
    };
    status
        && same("contactId", row.contact.as_str())
        && same("id", row.id.as_str())
        && same("assignedTo", row.assigned_to.as_ref().map(Id::as_str).unwrap_or_default())
        && time("startDate").is_none_or(|start| row.last() >= start)
        && time("endDate").is_none_or(|end| row.last() <= end)
        && get("query").is_none_or(|query| mentions(business, row, &query.to_lowercase()))
        && last_is(business, row, get("lastMessageType"), get("lastMessageDirection"))
}

fn mentions(business: &Business, row: &Conversation, query: &str) -> bool {
    let Some(contact) = business.contacts.get(row.contact) else { return false };
    let email = contact.email.as_deref().unwrap_or_default();
    contact.name().to_lowercase().contains(query) || email.contains(query)
}

/// Looks into the thread only when somebody asks for it.
fn last_is(business: &Business, row: &Conversation, kind: Option<&str>, direction: Option<&str>) -> bool {
    if kind.is_none() && direction.is_none() {
        return true;
    }
    let messages = business.messages(row);
    let Some(last) = messages.last() else { return false };
    kind.is_none_or(|kind| kind == last.channel.message_type())
        && direction.is_none_or(|direction| direction == messages::direction(last))
}

fn listed(business: &Business, row: &Conversation, call: &Call) -> Value {
    let messages = business.messages(row);
    let last = messages.last();
    let kind = last.map_or("TYPE_SMS", |last| last.channel.message_type());
    let contact = business.contacts.get(row.contact);
    let name = contact.map(|contact| contact.name()).unwrap_or_default();
    // The schema wants these two as strings even where the contact has none.
    let email = contact.and_then(|contact| contact.email.as_deref()).unwrap_or_default();
    let phone = contact.and_then(|contact| contact.phone.as_deref()).unwrap_or_default();
    let manual = messages.iter().rfind(|message| !message.inbound).map(|message| message.at);
    let mut shown = json!({"id": row.id, "contactId": row.contact, "locationId": call.location,
        "lastMessageBody": last.map(preview).unwrap_or_default(), "lastMessageType": kind,
        "type": if kind == "TYPE_EMAIL" { "TYPE_EMAIL" } else { "TYPE_PHONE" }, "unreadCount": row.unread,
        "fullName": name, "contactName": name, "email": email, "phone": phone, "lastMessageDate": row.last(),
        "lastMessageDirection": last.map_or("outbound", messages::direction), "inbox": true,
        "starred": row.starred, "dateAdded": row.added, "dateUpdated": row.updated, "lastManualMessageDate": manual,
        "tags": contact.map(|contact| &contact.tags[..]).unwrap_or_default(), "sort": [row.last()]});
    if let (Some(user), Some(fields)) = (row.assigned_to, shown.as_object_mut()) {
        fields.insert("assignedTo".into(), user.as_str().into());
    }
    shown
}

fn preview(message: &Message) -> String {
    message.body.chars().take(200).collect()
}

pub(crate) async fn get(State(world): State<Arc<World>>, call: Call, Path(id): Path<String>) -> Reply {
    let business = world.business();
    let row = &business.conversations[position(&business, &id)?];
    ok(&shown(row, &call))
}

fn shown(row: &Conversation, call: &Call) -> Value {
    let mut shown = json!({"id": row.id, "contactId": row.contact, "locationId": call.location, "deleted": false,
        "inbox": true, "type": 1, "unreadCount": row.unread, "starred": row.starred, "traceId": call.trace});
    if let (Some(user), Some(fields)) = (row.assigned_to, shown.as_object_mut()) {
        fields.insert("assignedTo".into(), user.as_str().into());
    }
    shown
}

/// `POST /conversations/`: one thread a contact.
pub(crate) async fn create(State(world): State<Arc<World>>, call: Call, Body(body): Body) -> Reply {
    call.body_at(&body)?;
    let mut business = world.business();
    let id = text(&body, "contactId").unwrap_or_default();
    let contact = super::contacts::find(&business, id)?.id;
    let known = business.conversations.iter().any(|row| row.contact == contact);
    if known {
        return Err(Refusal::bad_request("Conversation already exists"));
    }
    let row = business.conversation_of(contact, call.now).clone();
    business.record(call.now, "ConversationCreate", row.id.as_str(), "api", json!({"contactId": contact}));
    let shown = json!({"id": row.id, "dateUpdated": crate::clock::iso(row.updated),
        "dateAdded": crate::clock::iso(row.added), "deleted": false, "contactId": contact,
        "locationId": call.location, "lastMessageDate": crate::clock::iso(row.last())});
    created(&json!({"success": true, "conversation": shown}))
}

/// `PUT /conversations/{id}`: read marks and stars.
pub(crate) async fn update(
    State(world): State<Arc<World>>,
    call: Call,
    Path(id): Path<String>,
    Body(body): Body,
) -> Reply {
    call.body_at(&body)?;
    let mut business = world.business();
    let position = position(&business, &id)?;
    let row = mark(&mut business.conversations[position], &body, call.now);
    let payload = json!({"locationId": call.location, "id": row.id, "contactId": row.contact,
        "unreadCount": row.unread, "inbox": true, "starred": row.starred, "deleted": false});
    world.committed(&mut business, "api", "ConversationUnreadUpdate", row.id.as_str(), payload);
    let mut conversation = shown(&row, &call);
    if let Some(fields) = conversation.as_object_mut() {
        fields.remove("type");
    }
    ok(&json!({"success": true, "conversation": conversation}))
}

fn mark(row: &mut Conversation, body: &Map<String, Value>, now: Millis) -> Conversation {
    if let Some(unread) = body.get("unreadCount").and_then(Value::as_u64) {
        row.unread = u32::try_from(unread).unwrap_or(u32::MAX);
    }
    if let Some(starred) = body.get("starred").and_then(Value::as_bool) {
        row.starred = starred;
    }
    row.updated = now;
    row.clone()
}

pub(crate) fn position(business: &Business, id: &str) -> Result<usize, Refusal> {
    let found = business.conversations.iter().position(|row| row.id.as_str() == id);
    found.ok_or_else(|| Refusal::not_found(format!("Conversation with id {id} not found")))
}
