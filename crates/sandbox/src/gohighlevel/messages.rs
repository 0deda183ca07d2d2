//! Messages: read a thread, read one, export all, send.

use std::{collections::HashMap, sync::Arc};

use axum::extract::{Path, Query, State};
use serde_json::{Map, Value, json};

use super::{
    contacts::{find, strings, text},
    conversations,
    gate::{Body, Call},
    reply::{Refusal, Reply, ok},
};
use crate::{
    business::{Business, Channel, Conversation, Id, Kind, Message},
    clock::{Millis, iso, parse},
    world::World,
};

/// `GET /conversations/{id}/messages`: newest first, nested under `messages` as on the live wire.
pub(crate) async fn list(
    State(world): State<Arc<World>>,
    call: Call,
    Path(id): Path<String>,
    Query(query): Query<HashMap<String, String>>,
) -> Reply {
    let business = world.business();
    let row = &business.conversations[conversations::position(&business, &id)?];
    let limit: usize = query.get("limit").and_then(|limit| limit.parse().ok()).unwrap_or(20).clamp(1, 100);
    let mut messages = business.messages(row);
    messages.reverse();
    if let Some(kinds) = query.get("type").filter(|kinds| !kinds.is_empty()) {
        messages.retain(|message| kinds.split(',').any(|kind| kind == message.channel.message_type()));
    }
    if let Some(last) = query.get("lastMessageId") {
        let seen = messages.iter().position(|message| message.id.as_str() == last);
        messages.drain(..seen.map_or(messages.len(), |seen| seen + 1));
    }
    let more = messages.len() > limit;
    messages.truncate(limit);
    let last = messages.last().map(|message| message.id.to_string()).unwrap_or_default();
    let rows: Vec<Value> = messages.iter().map(|message| shown(message, row, &call)).collect();
    let page = json!({"lastMessageId": last, "nextPage": more, "messages": rows});
    ok(&json!({"messages": page, "traceId": call.trace}))
}

pub(crate) async fn get(State(world): State<Arc<World>>, call: Call, Path(id): Path<String>) -> Reply {
    let business = world.business();
    let (row, message) = search(&business, &id, Id::as_str)?;
    ok(&shown(&message, row, &call))
}

/// `GET /conversations/messages/email/{id}`: the e-mail behind a message.
pub(crate) async fn email(State(world): State<Arc<World>>, call: Call, Path(id): Path<String>) -> Reply {
    let business = world.business();
    let (row, message) = search(&business, &id, Id::as_str)?;
    if message.channel != Channel::Email {
        return Err(Refusal::not_found(format!("Email message with id {id} not found")));
    }
    let theirs = business.contacts.get(row.contact).and_then(|contact| contact.email.clone()).unwrap_or_default();
    let ours = message.user.and_then(|user| business.user(user)).map_or("sales@medtainer.example", |user| user.email);
    let (from, to) = if message.inbound { (theirs.as_ref(), ours) } else { (ours, theirs.as_ref()) };
    ok(&json!({"id": message.id, "threadId": row.id, "locationId": call.location, "contactId": row.contact,
        "conversationId": row.id, "dateAdded": iso(message.at), "subject": message.subject, "body": message.body,
        "direction": direction(&message), "status": message.status, "contentType": "text/html",
        "attachments": message.attachments, "from": from, "to": [to], "cc": [], "bcc": [], "source": message.source}))
}

/// Finds a message by id in all threads.
fn search<'a>(business: &'a Business, id: &str, name: fn(&Id) -> &str) -> Result<(&'a Conversation, Message), Refusal> {
    let found = business.conversations.iter().find_map(|row| {
        let message = business.messages(row).into_iter().find(|message| name(&message.id) == id)?;
        Some((row, message))
    });
    found.ok_or_else(|| Refusal::not_found(format!("Message with id {id} not found")))
}

/// `GET /conversations/messages/export`: everything of the location, by cursor.
pub(crate) async fn export(
    State(world): State<Arc<World>>,
    call: Call,
    Query(query): Query<HashMap<String, String>>,
) -> Reply {
    let get = |key: &str| query.get(key).map(String::as_str).filter(|value| !value.is_empty());
    call.at(get("locationId"))?;
    let limit = get("limit").map_or(Some(100), |limit| limit.parse().ok()).filter(|limit| (10..=500).contains(limit));
    let Some(limit) = limit else {
        return Err(Refusal::invalid(["limit must not be less than 10", "limit must not be greater than 500"]));
    };
    let business = world.business();
    let mut all = collect(&business, &query);
    let ascending = get("sortOrder") == Some("asc");
    all.sort_unstable_by_key(|(_, message)| (message.at, message.id));
    if !ascending {
        all.reverse();
    }
    let total = all.len();
    if let Some((at, id)) = get("cursor").and_then(read_cursor) {
        all.retain(|(_, message)| {
            let key = (message.at, message.id);
            if ascending { key > (at, id) } else { key < (at, id) }
        });
    }
    let more = all.len() > limit;
    all.truncate(limit);
    let rows: Vec<Value> = all.iter().map(|(row, message)| shown(message, row, &call)).collect();
    let mut answer = json!({"messages": rows, "total": total, "traceId": call.trace});
    if let (true, Some((_, last))) = (more, all.last()) {
        answer["nextCursor"] = format!("{}_{}", last.at, last.id).into();
    }
    ok(&answer)
}

fn collect<'a>(business: &'a Business, query: &HashMap<String, String>) -> Vec<(&'a Conversation, Message)> {
    let get = |key: &str| query.get(key).map(String::as_str).filter(|value| !value.is_empty());
    let (since, until) = (get("startDate").and_then(parse), get("endDate").and_then(parse));
    let fits = |message: &Message| {
        since.is_none_or(|since| message.at >= since)
            && until.is_none_or(|until| message.at <= until)
            // Without a channel the vendor leaves e-mails out.
            && get("channel").map_or(message.channel != Channel::Email, |channel| {
                channel.eq_ignore_ascii_case(message.channel.short())
            })
    };
    let mut all = Vec::new();
    for row in &business.conversations {
        let wanted = get("conversationId").is_none_or(|id| id == row.id.as_str())
            && get("contactId").is_none_or(|id| id == row.contact.as_str())
            && since.is_none_or(|since| row.last() >= since);
        if wanted {
            all.extend(business.messages(row).into_iter().filter(fits).map(|message| (row, message)));
        }
    }
    all
}

fn read_cursor(cursor: &str) -> Option<(Millis, Id)> {
    let (at, id) = cursor.split_once('_')?;
    Some((at.parse().ok()?, id.parse().ok()?))
}

/// `POST /conversations/messages`: the one operation that reaches a real person.
pub(crate) async fn send(State(world): State<Arc<World>>, call: Call, Body(body): Body) -> Reply {
    let channel = check(&body)?;
    let mut business = world.business();
    let contact = find(&business, text(&body, "contactId").unwrap_or_default())?;
    let (id, dnd) = (contact.id, contact.dnd);
    let missing = match channel {
        Channel::Email => contact.email.is_none() && text(&body, "emailTo").is_none(),
        _ => contact.phone.is_none() && text(&body, "toNumber").is_none(),
    };
    if missing {
        let what = if channel == Channel::Email { "email" } else { "phone number" };
        return Err(Refusal::bad_request(format!("Missing {what} for the contact")));
    }
    if dnd {
        return Err(Refusal::bad_request("Cannot send message as DND is active for the contact."));
    }
    let message = outbound(&mut business, &call, channel, &body);
    let (sent, conversation) = (message.clone(), business.say(id, message));
    let payload = event(&sent, conversation, id, &call);
    world.committed(&mut business, "api", "OutboundMessage", sent.id.as_str(), payload);
    let mut answer = json!({"conversationId": conversation, "messageId": sent.id, "msg": "Message queued successfully.",
        "traceId": call.trace});
    // Both versions of the schema call for `status`; the dated one allows only four words.
    answer["status"] = "pending".into();
    if channel == Channel::Email {
        answer["emailMessageId"] = json!(sent.id);
        answer["msg"] = "Email queued successfully.".into();
    }
    ok(&answer)
}

fn check(body: &Map<String, Value>) -> Result<Channel, Refusal> {
    let mut wrong = Vec::new();
    if text(body, "contactId").is_none() {
        wrong.push("contactId should not be empty");
    }
    let channel = match text(body, "type") {
        Some("SMS") => Some(Channel::Sms),
        Some("Email") => Some(Channel::Email),
        Some("RCS" | "WhatsApp" | "IG" | "FB" | "Custom" | "Live_Chat" | "TIKTOK") => {
            return Err(Refusal::bad_request("No conversation provider is connected for this type."));
        }
        _ => None,
    };
    let Some(channel) = channel else {
        wrong.push("type must be one of the following values: SMS, RCS, Email, WhatsApp, IG, FB, Custom, Live_Chat");
        return Err(Refusal::invalid(wrong));
    };
    if !wrong.is_empty() {
        return Err(Refusal::invalid(wrong));
    }
    let words = ["message", "html"].iter().any(|key| text(body, key).is_some());
    if !words && strings(body, "attachments").is_empty() {
        return Err(Refusal::bad_request("There is no message or attachments for this message. Skip sending."));
    }
    Ok(channel)
}

fn outbound(business: &mut Business, call: &Call, channel: Channel, body: &Map<String, Value>) -> Message {
    let scheduled = body.get("scheduledTimestamp").and_then(Value::as_i64);
    Message {
        id: business.new_id(Kind::Message),
        at: call.now,
        channel,
        inbound: false,
        subject: text(body, "subject").map(str::to_owned),
        body: text(body, "html").or(text(body, "message")).unwrap_or_default().to_owned(),
        status: if scheduled.is_some() { "scheduled".into() } else { "sent".into() },
        user: None,
        call_seconds: None,
        attachments: strings(body, "attachments"),
        source: "api",
    }
}

/// `DELETE /conversations/messages/{id}/schedule`.
pub(crate) async fn cancel(State(world): State<Arc<World>>, call: Call, Path(id): Path<String>) -> Reply {
    let mut business = world.business();
    let found = business.conversations.iter_mut().flat_map(|row| row.later.iter_mut());
    let Some(message) = found.into_iter().find(|message| message.id.as_str() == id) else {
        return Err(Refusal::not_found(format!("Message with id {id} not found")));
    };
    if message.status != "scheduled" {
        return Err(Refusal::bad_request("The message is not scheduled."));
    }
    message.status = "failed".into();
    business.record(call.now, "MessageScheduleCancel", &id, "api", json!({"messageId": id}));
    ok(&json!({"status": 200, "message": "Scheduled message cancelled successfully"}))
}

pub(crate) fn direction(message: &Message) -> &'static str {
    if message.inbound { "inbound" } else { "outbound" }
}

fn shown(message: &Message, row: &Conversation, call: &Call) -> Value {
    let content = if message.channel == Channel::Email { "text/html" } else { "text/plain" };
    let mut shown = json!({"id": message.id, "type": message.channel.number(),
        "messageType": message.channel.message_type(), "locationId": call.location, "contactId": row.contact,
        "conversationId": row.id, "dateAdded": iso(message.at), "direction": direction(message),
        "status": message.status, "contentType": content, "attachments": message.attachments,
        "source": message.source});
    let Some(fields) = shown.as_object_mut() else { return shown };
    message.user.map(|user| fields.insert("userId".into(), user.as_str().into()));
    match message.channel {
        Channel::Call => {
            let seconds = message.call_seconds.unwrap_or(0).to_string();
            fields.insert("meta".into(), json!({"callDuration": seconds, "callStatus": "completed"}));
        }
        Channel::Email => {
            fields.insert("body".into(), message.body.as_str().into());
            fields.insert("meta".into(), json!({"email": {"messageIds": [message.id]}}));
        }
        Channel::Sms => {
            fields.insert("body".into(), message.body.as_str().into());
        }
    }
    shown
}

/// The flat payload of `OutboundMessage` and `InboundMessage`.
pub(crate) fn event(message: &Message, conversation: Id, contact: Id, call: &Call) -> Value {
    let content = if message.channel == Channel::Email { "text/html" } else { "text/plain" };
    let mut event = json!({"locationId": call.location, "attachments": message.attachments, "body": message.body,
        "contactId": contact, "contentType": content, "conversationId": conversation, "dateAdded": iso(message.at),
        "direction": direction(message), "messageType": message.channel.short(), "messageId": message.id,
        "status": message.status});
    if !message.inbound {
        event["source"] = message.source.into();
    }
    if message.channel == Channel::Email {
        event["emailMessageId"] = json!(message.id);
        event["threadId"] = json!(conversation);
        event["subject"] = json!(message.subject.clone().unwrap_or_default());
    }
    event
}
