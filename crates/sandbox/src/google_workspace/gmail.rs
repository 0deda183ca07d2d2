//! Gmail v1: mails, drafts, sending.

use std::{collections::HashMap, sync::Arc};

use axum::{
    Json, Router,
    extract::{Path, Query, RawQuery, State as Shared},
    http::StatusCode,
    response::IntoResponse,
    routing::{get, post},
};
use serde_json::{Value, json};

use super::{
    drive::record,
    google, letters, paging,
    reply::{Refusal, Reply, ok},
    search,
    state::{Draft, Mail, State},
};
use crate::{
    clock::{DAY, Millis, moment},
    world::World,
};

type Asked = Query<HashMap<String, String>>;

pub(super) fn router() -> Router<Arc<World>> {
    Router::new()
        .route("/users/{user}/profile", get(profile))
        .route("/users/{user}/history", get(history))
        .route("/users/{user}/messages", get(list))
        .route("/users/{user}/messages/send", post(send_at_once))
        .route("/users/{user}/messages/{id}", get(message))
        .route("/users/{user}/drafts", get(drafts).post(create))
        .route("/users/{user}/drafts/send", post(send))
        .route("/users/{user}/drafts/{id}", get(draft).delete(discard))
}

async fn profile(Shared(world): Shared<Arc<World>>) -> Reply {
    let now = world.now();
    let google = google(&world);
    ok(&json!({"emailAddress": google.me.1, "messagesTotal": google.mails.len(), "threadsTotal": google.mails.len(),
        "historyId": now.to_string()}))
}

/// Google keeps the history for about a week.
const HISTORY: Millis = 7 * DAY;

/// What came since a point of the mailbox's history. Points are moments here, which grow as Google's numbers do.
async fn history(Shared(world): Shared<Arc<World>>, asked: Asked) -> Reply {
    let now = world.now();
    let google = google(&world);
    let start = asked.get("startHistoryId").and_then(|text| text.parse::<Millis>().ok());
    let start = start.ok_or_else(|| Refusal::old(400, "invalidArgument", "Invalid startHistoryId"))?;
    if start < now - HISTORY {
        return Err(Refusal::entity_not_found());
    }
    let drafted = google.drafts.iter().map(|draft| &draft.mail);
    let mut mails: Vec<&Mail> = google.mails.iter().chain(drafted).filter(|mail| mail.at >= start).collect();
    mails.sort_by_key(|mail| mail.at);
    let (size, token) = (size(&asked)?, asked.get("pageToken").map(String::as_str));
    let page = paging::page(mails.len(), size, token, &format!("history {start} {size}"), now)?;
    let mut answer = json!({"historyId": now.to_string()});
    let rows = mails[page.from..page.to].iter().map(|mail| {
        let brief = json!({"id": mail.id, "threadId": mail.thread});
        let added = json!({"id": mail.id, "threadId": mail.thread, "labelIds": mail.labels});
        json!({"id": mail.at.to_string(), "messages": [brief], "messagesAdded": [{"message": added}]})
    });
    finish(&mut answer, "history", rows.collect(), page.next);
    ok(&answer)
}

/// How many rows a page has: at most 500, 100 unless asked.
fn size(asked: &HashMap<String, String>) -> Result<usize, Refusal> {
    let size = asked.get("maxResults").map_or(Some(100), |text| text.parse::<usize>().ok());
    size.map(|size| size.clamp(1, 500)).ok_or_else(|| Refusal::old(400, "invalidArgument", "Invalid maxResults"))
}

async fn list(Shared(world): Shared<Arc<World>>, asked: Asked) -> Reply {
    let now = world.now();
    let google = google(&world);
    let query = asked.get("q").map(String::as_str).unwrap_or_default();
    let drafted = google.drafts.iter().map(|draft| &draft.mail);
    let mut mails: Vec<&Mail> =
        google.mails.iter().chain(drafted).filter(|mail| search::fits(mail, query, now)).collect();
    mails.sort_by_key(|mail| std::cmp::Reverse(mail.at));
    let (size, token) = (size(&asked)?, asked.get("pageToken").map(String::as_str));
    let page = paging::page(mails.len(), size, token, &format!("{query} {size}"), now)?;
    let mut answer = json!({"resultSizeEstimate": mails.len().min(201)});
    let rows: Vec<Value> =
        mails[page.from..page.to].iter().map(|mail| json!({"id": mail.id, "threadId": mail.thread})).collect();
    finish(&mut answer, "messages", rows, page.next);
    ok(&answer)
}

/// Nothing is left out rather than shown as an empty list.
fn finish(answer: &mut Value, key: &str, rows: Vec<Value>, next: Option<String>) {
    if !rows.is_empty() {
        answer[key] = rows.into();
    }
    if let Some(next) = next {
        answer["nextPageToken"] = next.into();
    }
}

async fn message(
    Shared(world): Shared<Arc<World>>,
    Path((_, id)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Reply {
    let google = google(&world);
    let mails = google.mails.iter().chain(google.drafts.iter().map(|draft| &draft.mail));
    let mail = mails.into_iter().find(|mail| mail.id == id).ok_or_else(Refusal::entity_not_found)?;
    let query = query.unwrap_or_default();
    let pairs = || url::form_urlencoded::parse(query.as_bytes());
    let wanted: Vec<String> =
        pairs().filter(|(key, _)| key == "metadataHeaders").map(|(_, value)| value.into_owned()).collect();
    let format =
        pairs().find(|(key, _)| key == "format").map_or_else(|| "full".to_owned(), |(_, value)| value.into_owned());
    ok(&letters::shown(mail, &format, &wanted))
}

async fn drafts(Shared(world): Shared<Arc<World>>, asked: Asked) -> Reply {
    let now = world.now();
    let google = google(&world);
    let query = asked.get("q").map(String::as_str).unwrap_or_default();
    let found: Vec<&Draft> = google.drafts.iter().rev().filter(|draft| search::fits(&draft.mail, query, now)).collect();
    let (size, token) = (size(&asked)?, asked.get("pageToken").map(String::as_str));
    let page = paging::page(found.len(), size, token, &format!("{query} {size}"), now)?;
    let mut answer = json!({"resultSizeEstimate": found.len()});
    let rows = found[page.from..page.to].iter().map(|draft| brief(draft)).collect();
    finish(&mut answer, "drafts", rows, page.next);
    ok(&answer)
}

fn brief(draft: &Draft) -> Value {
    json!({"id": draft.id, "message": {"id": draft.mail.id, "threadId": draft.mail.thread, "labelIds": ["DRAFT"]}})
}

async fn draft(Shared(world): Shared<Arc<World>>, Path((_, id)): Path<(String, String)>, asked: Asked) -> Reply {
    let google = google(&world);
    let draft = google.drafts.iter().find(|draft| draft.id == id).ok_or_else(Refusal::entity_not_found)?;
    let format = asked.get("format").map_or("full", String::as_str);
    ok(&json!({"id": draft.id, "message": letters::shown(&draft.mail, format, &[])}))
}

async fn discard(Shared(world): Shared<Arc<World>>, Path((_, id)): Path<(String, String)>) -> Reply {
    let now = world.now();
    let mut google = google(&world);
    google.drafts.iter().find(|draft| draft.id == id).ok_or_else(Refusal::entity_not_found)?;
    google.drafts.retain(|draft| draft.id != id);
    record(&world, now, "GmailDraftDelete", &id, json!({"id": id}));
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// A mail out of what a client wrote: `{raw, threadId?}`.
fn written(google: &mut State, message: &Value, now: Millis) -> Result<Mail, Refusal> {
    let raw = message["raw"].as_str().unwrap_or_default();
    let mut mail = letters::read(raw)?;
    mail.id = google.new_id()[..16].to_owned();
    mail.at = now;
    mail.thread = match message["threadId"].as_str() {
        Some(thread) => {
            google.mails.iter().find(|mail| mail.thread == thread).ok_or_else(Refusal::entity_not_found)?;
            thread.to_owned()
        }
        None => mail.id.clone(),
    };
    // Gmail writes the sender itself.
    mail.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("From"));
    mail.headers.insert(0, ("From".into(), format!("{} <{}>", google.me.0, google.me.1)));
    if mail.header("Date").is_none() {
        mail.headers.push(("Date".into(), moment(now).to_rfc2822()));
    }
    Ok(mail)
}

async fn create(Shared(world): Shared<Arc<World>>, Json(body): Json<Value>) -> Reply {
    let now = world.now();
    let mut google = google(&world);
    let mut mail = written(&mut google, &body["message"], now)?;
    mail.labels = vec!["DRAFT"];
    let id = format!("r-{}", &google.new_id()[..18]);
    record(&world, now, "GmailDraftCreate", &id, told(&mail));
    let draft = Draft { id, mail };
    let answer = brief(&draft);
    google.drafts.push(draft);
    ok(&answer)
}

fn told(mail: &Mail) -> Value {
    json!({"to": mail.header("To"), "cc": mail.header("Cc"), "bcc": mail.header("Bcc"), "subject": mail.header("Subject"),
        "text": mail.text})
}

/// Sends a draft: it goes, and a mail with another id comes into the folder of sent mail.
async fn send(Shared(world): Shared<Arc<World>>, Json(body): Json<Value>) -> Reply {
    let now = world.now();
    let mut google = google(&world);
    let id = body["id"].as_str().unwrap_or_default();
    let at = google.drafts.iter().position(|draft| draft.id == id).ok_or_else(Refusal::entity_not_found)?;
    if google.drafts[at].mail.header("To").is_none() {
        return Err(Refusal::old(400, "invalidArgument", "Recipient address required"));
    }
    let mut mail = google.drafts.remove(at).mail;
    mail.id = google.new_id()[..16].to_owned();
    ok(&sent(&world, &mut google, mail, now))
}

async fn send_at_once(Shared(world): Shared<Arc<World>>, Json(body): Json<Value>) -> Reply {
    let now = world.now();
    let mut google = google(&world);
    let mail = written(&mut google, &body, now)?;
    if mail.header("To").is_none() {
        return Err(Refusal::old(400, "invalidArgument", "Recipient address required"));
    }
    ok(&sent(&world, &mut google, mail, now))
}

/// Gmail may give a mail a message id of its own when it sends it, so here it always does.
fn sent(world: &World, google: &mut State, mut mail: Mail, now: Millis) -> Value {
    let own = format!("<CA{}@mail.gmail.com>", google.new_id());
    for (name, value) in &mut mail.headers {
        if name.eq_ignore_ascii_case("Message-ID") {
            value.clone_from(&own);
        }
    }
    mail.labels = vec!["SENT"];
    mail.at = now;
    record(world, now, "GmailSend", &mail.id, told(&mail));
    let answer = json!({"id": mail.id, "threadId": mail.thread, "labelIds": ["SENT"]});
    google.mails.insert(0, mail);
    answer
}
