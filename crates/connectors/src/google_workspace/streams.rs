//! Streams: how the brain copies the catalogue of documents and the headers of mails, page by page.

use chrono::Duration;
use sdk::stream::{self, Fields};
use sdk::{Batch, Error, Kind, Page, Record, Result};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::drive::{self, FIELDS};
use super::{GoogleWorkspace, compose, mail, wire};
use crate::json;

/// Where a walk over the documents is: first all files, then what changed while they were read. A walk may also begin
/// with `changes`, at the token where an earlier one ended.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Walk {
    /// The page of files.
    files: Option<String>,
    /// The page of changes; before the files are through, where the changes will begin.
    changes: Option<String>,
    /// The files are through.
    changing: bool,
}

/// All files that are not in the bin; with `since` those that changed, and those that went into the bin.
///
/// Drive tells removals in its list of changes, which begins at a token. A walk with a bookmark reads that list alone;
/// every other one reads it at its end, for what happened meanwhile. Where the list ends is the bookmark.
pub async fn documents(api: &GoogleWorkspace, page: Page) -> Result<Batch> {
    let marked = page.bookmark.filter(|_| page.cursor.is_none());
    if let Some(token) = marked {
        let walk = Walk { changes: Some(token), changing: true, ..Walk::default() };
        match changes(api, walk).await {
            // A token of another account, or one that Google has forgotten: what changed is asked for by time.
            Err(error) if matches!(error.kind, Kind::InvalidInput | Kind::NotFound) => {}
            outcome => return outcome,
        }
    }
    let mut walk: Walk = resume(page.cursor)?;
    if walk.changing {
        return changes(api, walk).await;
    }
    if walk.changes.is_none() {
        walk.changes = Some(start(api).await?);
    }
    let query = match page.since {
        // Files in the bin are among them, and are told as removed.
        Some(since) => format!("modifiedTime >= '{}'", drive::moment(since)),
        None => "trashed = false".to_owned(),
    };
    let size = api.config.page_size.clamp(1, 1000);
    let request = drive::files(api, &query, None, size, walk.files.take())?;
    let found = wire::page("files", request).await?;
    walk.files = found.next;
    walk.changing = walk.files.is_none();
    let next = Some(save(&walk)?);
    Ok(Batch { records: found.rows.into_iter().filter_map(file).collect(), next, ..Batch::default() })
}

/// Where the changes from now on will begin. The token does not expire.
pub async fn start(api: &GoogleWorkspace) -> Result<String> {
    let all = api.config.shared_drives.then(|| "true".to_owned());
    let request = api.get("/drive/v3/changes/startPageToken", &[])?.query(&[("supportsAllDrives", all)]);
    let answer: Value = request.send().await?.json()?;
    json::text(&answer, "startPageToken").ok_or_else(|| Error::upstream("Drive gave no token for its changes"))
}

async fn changes(api: &GoogleWorkspace, mut walk: Walk) -> Result<Batch> {
    let fields = format!("nextPageToken,newStartPageToken,changes(changeType,removed,fileId,time,file({FIELDS}))");
    let request = api.get("/drive/v3/changes", &[])?.query(&[
        ("pageToken", walk.changes.take()),
        ("pageSize", Some(api.config.page_size.clamp(1, 1000).to_string())),
        ("includeRemoved", Some("true".to_owned())),
        ("fields", Some(fields)),
    ]);
    let found = wire::page("changes", drive::shared(api, request)).await?;
    let bookmark = json::text(&found.answer, "newStartPageToken");
    walk.changes = found.next;
    let next = if walk.changes.is_some() { Some(save(&walk)?) } else { None };
    Ok(Batch { records: found.rows.into_iter().filter_map(change).collect(), next, bookmark, ..Batch::default() })
}

fn change(row: Value) -> Option<Record> {
    // Changes of shared drives themselves are no files.
    let id = json::text(&row, "fileId")?;
    let updated_at = json::time(&row, "time");
    match row.get("file").filter(|file| file.is_object()) {
        Some(file_row) if json::flag(&row, "removed") != Some(true) => file(file_row.clone()),
        _ => Some(Record { id, updated_at, data: row, fields: Fields::Deleted }),
    }
}

fn file(row: Value) -> Option<Record> {
    let id = json::text(&row, "id")?;
    let updated_at = json::time(&row, "modifiedTime");
    if json::flag(&row, "trashed") == Some(true) {
        return Some(Record { id, updated_at, data: row, fields: Fields::Deleted });
    }
    let owner = json::list(&row, "owners").first();
    let document = stream::Document {
        name: json::text(&row, "name").unwrap_or_default(),
        mime_type: json::text(&row, "mimeType"),
        owner_email: owner.and_then(|owner| json::text(owner, "emailAddress")).map(|email| email.to_lowercase()),
        modified_at: updated_at,
        link: json::text(&row, "webViewLink"),
        size: json::count(&row, "size").and_then(|size| i64::try_from(size).ok()),
    };
    Some(Record { id, updated_at, data: row, fields: Fields::Document(document) })
}

/// Where a walk over the mails is. A page token holds only with the question that it was given for.
#[derive(Serialize, Deserialize)]
struct Mails {
    /// Seconds since 1970.
    after: i64,
    token: Option<String>,
    /// The mailbox's history when the walk began; what came later is told from there.
    #[serde(default)]
    history: Option<String>,
}

/// Where a walk over the mailbox's history is.
#[derive(Serialize, Deserialize)]
struct History {
    from: String,
    token: String,
}

/// Mails a page; each is a request of its own.
const MAILS: u32 = 50;

/// Headers of mails, without drafts, chats, spam and bin: with a bookmark those that the mailbox's history names, else
/// those that a search finds, the newest first. Old ones are left out, so absence proves nothing.
pub async fn messages(api: &GoogleWorkspace, page: Page) -> Result<Batch> {
    let begun = page.cursor.is_some();
    if let Ok(History { from, token }) = resume_one(page.cursor.as_ref()) {
        return history(api, from, Some(token)).await;
    }
    if let Some(from) = page.bookmark.filter(|_| !begun) {
        match history(api, from, None).await {
            // Google keeps it for about a week; then the mails are searched by time.
            Err(error) if matches!(error.kind, Kind::NotFound | Kind::InvalidInput) => {}
            outcome => return outcome,
        }
    }
    let walk = match resume::<Option<Mails>>(page.cursor)? {
        Some(walk) => walk,
        None => {
            let since = page.since.unwrap_or_else(|| api.http.now() - Duration::days(api.config.mail_days.into()));
            // The search takes whole seconds, and a mail may arrive a little later than its time says.
            let after = (since - Duration::minutes(5)).timestamp();
            Mails { after, token: None, history: present(api).await? }
        }
    };
    let query = format!("after:{} -in:drafts -in:chats", walk.after);
    let (rows, next) = mail::page(api, Some(&query), MAILS, walk.token).await?;
    let bookmark = if next.is_none() { walk.history.clone() } else { None };
    let next = next.map(|token| save(&Mails { token: Some(token), ..walk })).transpose()?;
    Ok(Batch { records: rows.into_iter().filter_map(message).collect(), next, bookmark, ..Batch::default() })
}

/// The mailbox's history as it is now.
async fn present(api: &GoogleWorkspace) -> Result<Option<String>> {
    let answer: Value = api.get("/gmail/v1/users/me/profile", &[])?.send().await?.json()?;
    Ok(json::text(&answer, "historyId"))
}

/// What came into the mailbox since this point of its history.
async fn history(api: &GoogleWorkspace, from: String, token: Option<String>) -> Result<Batch> {
    let request = api.get("/gmail/v1/users/me/history", &[])?.query(&[
        ("startHistoryId", Some(from.clone())),
        ("historyTypes", Some("messageAdded".to_owned())),
        ("maxResults", Some(MAILS.to_string())),
        ("pageToken", token),
    ]);
    let found = wire::page("history", request).await?;
    let added = found.rows.iter().flat_map(|row| json::list(row, "messagesAdded")).filter_map(|row| row.get("message"));
    let ids = added.filter(|mail| !LEFT_OUT.iter().any(|label| mail::labelled(mail, label)));
    let mut ids: Vec<String> = ids.filter_map(|mail| json::text(mail, "id")).collect();
    ids.sort_unstable();
    ids.dedup();
    let rows = mail::headers_of(api, ids).await?;
    let next = found.next.map(|token| save(&History { from, token })).transpose()?;
    let bookmark = if next.is_none() { json::text(&found.answer, "historyId") } else { None };
    Ok(Batch { records: rows.into_iter().filter_map(message).collect(), next, bookmark, ..Batch::default() })
}

/// What a search leaves out by itself, or is told to.
const LEFT_OUT: [&str; 4] = ["DRAFT", "CHAT", "SPAM", "TRASH"];

fn message(row: Value) -> Option<Record> {
    let (id, at) = (json::text(&row, "id")?, json::time(&row, "internalDate")?);
    let list = |name| mail::header(&row, name).map(|header| compose::addresses(&header)).unwrap_or_default();
    let fields = stream::Message {
        from: list("From").into_iter().next().unwrap_or_default(),
        to: [list("To"), list("Cc")].concat(),
        subject: mail::header(&row, "Subject").unwrap_or_default(),
        at,
        outbound: mail::labelled(&row, "SENT"),
        thread: json::text(&row, "threadId"),
    };
    Some(Record { id, updated_at: Some(at), data: row, fields: Fields::Message(fields) })
}

fn resume<T: DeserializeOwned + Default>(cursor: Option<Value>) -> Result<T> {
    let Some(cursor) = cursor else { return Ok(T::default()) };
    serde_json::from_value(cursor).map_err(|e| Error::internal("a cursor of another version").with_source(e))
}

/// The cursor, if it is of this kind.
fn resume_one<T: DeserializeOwned>(cursor: Option<&Value>) -> Result<T> {
    let other = || Error::internal("a cursor of another kind");
    let cursor = cursor.cloned().ok_or_else(other)?;
    serde_json::from_value(cursor).map_err(|e| other().with_source(e))
}

fn save<T: Serialize>(walk: &T) -> Result<Value> {
    serde_json::to_value(walk).map_err(|e| Error::internal("a cursor cannot be written").with_source(e))
}
