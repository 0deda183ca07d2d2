//! Conversations: reading them, and sending SMS and e-mail.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use sdk::{Plan, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::contacts::Found;
use super::{GoHighLevel, messages, plans, wire};
use crate::{cursor, json};

/// Conversations of GoHighLevel, the latest first; with `conversation_id` or `contact_id` the messages of that
/// conversation, the newest first. Use it for "who wrote to us" or "what did we last say to …". Answers
/// `conversations` or `messages`, and `next_cursor`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReadConversations {
    /// The messages of this conversation.
    #[schemars(length(min = 1, max = 128))]
    conversation_id: Option<String>,
    /// The messages of this contact's latest conversation.
    #[schemars(length(min = 1, max = 128))]
    contact_id: Option<String>,
    /// Only conversations with messages that nobody has read.
    #[serde(default)]
    unread: bool,
    /// Words to search conversations for.
    #[schemars(length(min = 1, max = 75))]
    query: Option<String>,
    /// How many, 20 unless given.
    #[schemars(range(min = 1, max = 100))]
    limit: Option<u32>,
    /// `next_cursor` of the previous answer.
    #[schemars(length(max = 2000))]
    cursor: Option<String>,
}

/// Sends an SMS to a GoHighLevel contact; it reaches a real person and may cost money. Answers the ids of message and
/// conversation. It is sent once: if the connection breaks, the outcome is unknown and nothing is sent again.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SendSms {
    /// The contact's id.
    #[schemars(length(min = 1, max = 128))]
    contact_id: String,
    /// The text.
    #[schemars(length(min = 1, max = 1600))]
    message: String,
}

/// Sends an e-mail to a GoHighLevel contact; it reaches a real person. Answers the ids of message and conversation. It
/// is sent once: if the connection breaks, the outcome is unknown and nothing is sent again.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SendEmail {
    /// The contact's id.
    #[schemars(length(min = 1, max = 128))]
    contact_id: String,
    /// The subject line.
    #[schemars(length(min = 1, max = 300))]
    subject: String,
    /// The text; line breaks are kept.
    #[schemars(length(min = 1, max = 50_000))]
    body: String,
    /// The body is HTML already.
    #[serde(default)]
    html: bool,
    /// Sender address; the location's own unless given.
    #[schemars(length(min = 3, max = 254), email)]
    from: Option<String>,
    /// Copies go to these addresses.
    #[serde(default)]
    #[schemars(length(max = 20), inner(length(min = 3, max = 254)))]
    cc: Vec<String>,
    /// The id of the message that this answers.
    #[schemars(length(min = 1, max = 128))]
    reply_to: Option<String>,
}

/// Conversations, or the messages of one.
#[derive(Default, Serialize, JsonSchema)]
pub struct Conversations {
    #[serde(skip_serializing_if = "Option::is_none")]
    conversations: Option<Vec<Conversation>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    conversation_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    messages: Option<Vec<Message>>,
    /// How many conversations match in all.
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<u64>,
    /// Give it as `cursor`, with the same ids, for the next page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// A conversation with a contact.
#[derive(Serialize, JsonSchema)]
pub struct Conversation {
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    contact_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    contact: Option<String>,
    /// The last message, shortened.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_message_at: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_direction: Option<String>,
    unread: u64,
}

/// A message, call or entry of a conversation.
#[derive(Serialize, JsonSchema)]
pub struct Message {
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<DateTime<Utc>>,
    /// `sms`, `email`, `call`, `message`, or `activity` for entries of the system.
    #[serde(rename = "type")]
    kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    direction: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<String>,
    body: String,
}

/// A message that was handed to the vendor for delivery.
#[derive(Serialize, JsonSchema)]
pub struct Sent {
    #[serde(skip_serializing_if = "Option::is_none")]
    message_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    conversation_id: Option<String>,
    /// What the vendor says about the delivery.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<String>,
}

pub async fn read(api: &GoHighLevel, args: ReadConversations) -> Result<Conversations> {
    let limit = args.limit.unwrap_or(20).clamp(1, 100);
    let at = cursor::decode_option(args.cursor.as_deref())?;
    if let Some(id) = &args.conversation_id {
        return one(api, id, limit, at).await;
    }
    if let Some(contact) = &args.contact_id {
        return of_contact(api, contact, limit, at).await;
    }
    let search = Search { contact: None, query: args.query, unread: args.unread, limit };
    let found = find(api, &search, at.as_ref()).await?;
    let full = found.rows.len() >= limit as usize;
    Ok(Conversations {
        conversations: Some(found.rows.iter().map(Conversation::of).collect()),
        total: found.total,
        next_cursor: found.next.filter(|_| full).as_ref().map(cursor::encode),
        ..Conversations::default()
    })
}

pub async fn send_sms(api: &GoHighLevel, args: SendSms) -> Result<Sent> {
    send(api, &json!({"type": "SMS", "contactId": args.contact_id, "message": args.message})).await
}

pub async fn plan_sms(api: &GoHighLevel, args: SendSms) -> Result<Plan> {
    let row = plans::contact(api, &args.contact_id).await?;
    let plan = Plan::new(format!("Send an SMS to {}.", plans::name(&row)));
    Ok(plans::message(plan, &row, "phone", "SMS", args.message.into()))
}

pub async fn plan_email(api: &GoHighLevel, args: SendEmail) -> Result<Plan> {
    let row = plans::contact(api, &args.contact_id).await?;
    let plan = Plan::new(format!("Send an e-mail to {}.", plans::name(&row))).adds("subject", args.subject);
    let plan = args.cc.into_iter().fold(plan, |plan, copy| plan.adds("cc", copy));
    Ok(plans::message(plan, &row, "email", "Email", sdk::text::cut(&args.body, 2_000).into()))
}

pub async fn send_email(api: &GoHighLevel, args: SendEmail) -> Result<Sent> {
    let html = if args.html { args.body.clone() } else { as_html(&args.body) };
    let mut body = json!({"type": "Email", "contactId": args.contact_id, "subject": args.subject, "html": html});
    if !args.html {
        body["message"] = json!(args.body);
    }
    for (name, text) in [("emailFrom", &args.from), ("replyMessageId", &args.reply_to)] {
        if let Some(text) = text {
            body[name] = json!(text);
        }
    }
    if !args.cc.is_empty() {
        body["emailCc"] = json!(args.cc);
    }
    send(api, &body).await
}

/// Sent once: the vendor has no idempotency key, and a second message would reach the person.
async fn send(api: &GoHighLevel, body: &Value) -> Result<Sent> {
    let sent = api.post("/conversations/messages", &[])?.json(body).send().await;
    let answer: Value = sent
        .and_then(|r| r.json())
        .map_err(|e| wire::unknown(e, "look with read_conversations whether the message is there"))?;
    Ok(Sent {
        message_id: json::first_text(&answer, &["messageId", "emailMessageId"]),
        conversation_id: json::text(&answer, "conversationId"),
        status: json::first_text(&answer, &["status", "msg"]),
    })
}

async fn of_contact(api: &GoHighLevel, contact: &str, limit: u32, at: Option<Value>) -> Result<Conversations> {
    let search = Search { contact: Some(contact.to_owned()), query: None, unread: false, limit: 1 };
    let found = find(api, &search, None).await?;
    let Some(id) = found.rows.first().and_then(|row| json::text(row, "id")) else {
        return Ok(Conversations { messages: Some(Vec::new()), ..Conversations::default() });
    };
    one(api, &id, limit, at).await
}

async fn one(api: &GoHighLevel, id: &str, limit: u32, at: Option<Value>) -> Result<Conversations> {
    let before = at.as_ref().map(|at| json::text(at, "before").ok_or_else(Found::foreign_cursor)).transpose()?;
    let request = api.get("/conversations/{conversation_id}/messages", &[id])?;
    let request = request.query(&[("limit", Some(limit.to_string())), ("lastMessageId", before.clone())]);
    let answer: Value = request.send().await?.json()?;
    // Documented flat; the live API nests the page under `messages`.
    let page = answer.get("messages").filter(|page| page.is_object()).unwrap_or(&answer);
    let last = json::text(page, "lastMessageId").filter(|last| Some(last) != before.as_ref());
    let next = last.filter(|_| json::flag(page, "nextPage").unwrap_or(false));
    Ok(Conversations {
        conversation_id: Some(id.to_owned()),
        messages: Some(json::list(page, "messages").iter().map(Message::of).collect()),
        next_cursor: next.map(|last| cursor::encode(&json!({ "before": last }))),
        ..Conversations::default()
    })
}

struct Search {
    contact: Option<String>,
    query: Option<String>,
    unread: bool,
    limit: u32,
}

async fn find(api: &GoHighLevel, search: &Search, at: Option<&Value>) -> Result<Found> {
    let after = at.map(|at| json::text(at, "after").ok_or_else(Found::foreign_cursor)).transpose()?;
    let request = api.get("/conversations/search", &[])?.query(&[
        ("locationId", Some(api.location()?.to_owned())),
        ("contactId", search.contact.clone()),
        ("query", search.query.clone()),
        ("status", search.unread.then(|| "unread".to_owned())),
        ("sort", Some("desc".into())),
        ("sortBy", Some("last_message_date".into())),
        ("limit", Some(search.limit.to_string())),
        ("startAfterDate", after),
    ]);
    let response = request.send().await?;
    let answer: Value = response.json()?;
    let rows = json::list(&answer, "conversations").to_vec();
    let next = rows.last().and_then(sort_value).map(|after| json!({ "after": after }));
    let next = next.filter(|next| Some(next) != at);
    Ok(Found { total: json::count(&answer, "total"), rows, next, date: wire::date(&response.headers) })
}

/// What the next page begins after: the sort value of the last row.
fn sort_value(row: &Value) -> Option<String> {
    let sort = json::list(row, "sort").first().map(|value| value.to_string());
    sort.or_else(|| Some(json::time(row, "lastMessageDate")?.timestamp_millis().to_string()))
}

impl Conversation {
    fn of(row: &Value) -> Conversation {
        Conversation {
            id: json::text(row, "id").unwrap_or_default(),
            contact_id: json::text(row, "contactId"),
            contact: json::first_text(row, &["fullName", "contactName", "companyName", "email", "phone"]),
            last_message: json::text(row, "lastMessageBody").map(|text| sdk::text::cut(&text, 200)),
            last_message_at: json::time(row, "lastMessageDate"),
            last_direction: json::text(row, "lastMessageDirection"),
            unread: json::count(row, "unreadCount").unwrap_or_default(),
        }
    }
}

impl Message {
    fn of(row: &Value) -> Message {
        Message {
            id: json::text(row, "id").unwrap_or_default(),
            at: messages::at(row),
            kind: messages::kind(row).unwrap_or("activity").into(),
            direction: messages::direction(row),
            status: json::text(row, "status"),
            body: messages::body(row, 2000),
        }
    }
}

/// Plain text as HTML, so that no character of it is markup.
fn as_html(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    format!("<p>{}</p>", text.replace("\r\n", "\n").replace("\n\n", "</p><p>").replace('\n', "<br>"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_cannot_become_markup() {
        assert_eq!(as_html("a < b\r\n& c\n\nd"), "<p>a &lt; b<br>&amp; c</p><p>d</p>");
    }
}
