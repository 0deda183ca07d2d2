//! Drive v3: files and changes; Docs v1: the content of a document.

use std::{collections::HashMap, sync::Arc};

use axum::{
    Json, Router,
    extract::{Path, Query as Parameters, State as Shared},
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::{Map, Value, json};

use super::{
    google, mask, paging,
    query::Query,
    reply::{Refusal, Reply, ok},
    state::{File, State},
};
use crate::{
    clock::{DAY, HOUR, Millis, iso},
    world::World,
};

type Asked = Parameters<HashMap<String, String>>;

/// What Drive tells of a file when nobody says what is wanted.
const LITTLE: &str = "kind,id,name,mimeType";
const NATIVE: &str = "application/vnd.google-apps.";

pub(super) fn router() -> Router<Arc<World>> {
    Router::new()
        .route("/about", get(about))
        .route("/files", get(list))
        .route("/files/{id}", get(file).patch(update).delete(remove))
        .route("/files/{id}/export", get(export))
        .route("/changes/startPageToken", get(start))
        .route("/changes", get(changes))
        .route("/changes/watch", post(watch))
        .route("/channels/stop", post(stop))
}

async fn about(Shared(world): Shared<Arc<World>>, asked: Asked) -> Reply {
    let fields = asked
        .get("fields")
        .ok_or_else(|| Refusal::parameter("fields", "The 'fields' parameter is required for this method."))?;
    let google = google(&world);
    let user = json!({"kind": "drive#user", "displayName": google.me.0, "emailAddress": google.me.1, "me": true,
        "permissionId": "01234567890123456789"});
    ok(&mask::apply(json!({"kind": "drive#about", "user": user}), Some(fields))?)
}

async fn list(Shared(world): Shared<Arc<World>>, asked: Asked) -> Reply {
    let text = |key: &str| asked.get(key).map(String::as_str);
    let size = size(text("pageSize"))?;
    if text("includeItemsFromAllDrives") == Some("true") && text("supportsAllDrives") != Some("true") {
        let message =
            "The supportsAllDrives parameter must be set to true when includeItemsFromAllDrives is set to true.";
        return Err(Refusal::parameter("includeItemsFromAllDrives", message));
    }
    let query = Query::parse(text("q").unwrap_or_default())?;
    let order = text("orderBy").unwrap_or_default();
    if query.is_full_text() && !order.is_empty() {
        let message = "Sorting is not supported for queries with fullText terms. Results are always in descending \
                       relevance order.";
        return Err(Refusal::old(400, "badRequest", message));
    }
    let google = google(&world);
    let mut files: Vec<&File> = google.files.iter().filter(|file| query.fits(file)).collect();
    sort(&mut files, order)?;
    let question = format!("{:?} {order} {size}", text("q"));
    let page = paging::page(files.len(), size, text("pageToken"), &question, world.now())?;
    let rows: Vec<Value> = files[page.from..page.to].iter().map(|file| shown(file)).collect();
    let mut answer = json!({"kind": "drive#fileList", "incompleteSearch": false, "files": rows});
    if let Some(next) = page.next {
        answer["nextPageToken"] = next.into();
    }
    let little = format!("kind,nextPageToken,incompleteSearch,files({LITTLE})");
    ok(&mask::apply(answer, Some(text("fields").unwrap_or(&little)))?)
}

fn sort(files: &mut [&File], order: &str) -> Result<(), Refusal> {
    let (key, descending) = order.split_once(' ').map_or((order, false), |(key, rest)| (key, rest.trim() == "desc"));
    match key {
        // By relevance or whatever Drive likes.
        "" => files.sort_by(|a, b| a.id.cmp(&b.id)),
        "modifiedTime" => files.sort_by_key(|file| file.modified),
        "createdTime" => files.sort_by_key(|file| file.created),
        "name" => files.sort_by(|a, b| a.name.cmp(&b.name)),
        _ => return Err(Refusal::parameter("orderBy", "Invalid Value")),
    }
    if descending {
        files.reverse();
    }
    Ok(())
}

fn size(text: Option<&str>) -> Result<usize, Refusal> {
    let size = text.map_or(Some(100), |text| text.parse().ok()).filter(|size| (1..=1000).contains(size));
    size.ok_or_else(|| Refusal::parameter("pageSize", "Invalid value. Values must be within the range: [1, 1000]"))
}

/// A file with everything that the sandbox knows of it.
fn shown(file: &File) -> Value {
    let owner = json!({"kind": "drive#user", "displayName": file.owner.0, "emailAddress": file.owner.1, "me": true});
    let mut row = json!({"kind": "drive#file", "id": file.id, "name": file.name, "mimeType": file.mime,
        "parents": [file.parent], "createdTime": iso(file.created), "modifiedTime": iso(file.modified),
        "trashed": file.trashed, "starred": false, "owners": [owner], "webViewLink": link(file)});
    // Documents of Google's own have no size here.
    if !file.mime.starts_with(NATIVE) {
        row["size"] = file.text.len().to_string().into();
    }
    row
}

fn link(file: &File) -> String {
    let id = &file.id;
    match file.mime.strip_prefix(NATIVE) {
        Some("document") => format!("https://docs.google.com/document/d/{id}/edit"),
        Some("spreadsheet") => format!("https://docs.google.com/spreadsheets/d/{id}/edit"),
        Some("presentation") => format!("https://docs.google.com/presentation/d/{id}/edit"),
        Some("folder") => format!("https://drive.google.com/drive/folders/{id}"),
        _ => format!("https://drive.google.com/file/d/{id}/view"),
    }
}

async fn file(Shared(world): Shared<Arc<World>>, Path(id): Path<String>, asked: Asked) -> Reply {
    let google = google(&world);
    let file = google.file(&id).ok_or_else(|| Refusal::file_not_found(&id))?;
    if asked.get("alt").map(String::as_str) != Some("media") {
        return ok(&mask::apply(shown(file), Some(asked.get("fields").map_or(LITTLE, String::as_str)))?);
    }
    if file.mime.starts_with(NATIVE) {
        let message = "Only files with binary content can be downloaded. Use Export with Docs Editors files.";
        return Err(Refusal::old(403, "fileNotDownloadable", message));
    }
    Ok(content(&file.mime, file.text.clone()))
}

fn content(mime: &str, text: String) -> Response {
    (StatusCode::OK, [(CONTENT_TYPE, mime.to_owned())], text).into_response()
}

/// The first tab as comma-separated values, everything else as text; at most 10 MB.
async fn export(Shared(world): Shared<Arc<World>>, Path(id): Path<String>, asked: Asked) -> Reply {
    let google = google(&world);
    let file = google.file(&id).ok_or_else(|| Refusal::file_not_found(&id))?;
    let mime = asked.get("mimeType").map(String::as_str).unwrap_or_default();
    let text = match (file.mime.strip_prefix(NATIVE), mime) {
        (Some("document" | "presentation"), "text/plain") => format!("\u{feff}{}", file.text.replace('\n', "\r\n")),
        (Some("spreadsheet"), "text/csv") => table(file),
        (Some(_), _) => return Err(Refusal::old(400, "badRequest", "The requested conversion is not supported.")),
        (None, _) => {
            return Err(Refusal::old(403, "fileNotExportable", "Export only supports Docs Editors files."));
        }
    };
    if text.len() > 10 << 20 {
        let message = "This file is too large to be exported.";
        return Err(Refusal::old(403, "exportSizeLimitExceeded", message));
    }
    Ok(content(mime, text))
}

fn table(file: &File) -> String {
    let cell = |value: &Value| match value {
        Value::Null => String::new(),
        Value::String(text) if text.contains([',', '"', '\n']) => format!("\"{}\"", text.replace('"', "\"\"")),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let rows = file.tabs.first().map(|tab| tab.cells.as_slice()).unwrap_or_default();
    let lines: Vec<String> = rows.iter().map(|row| row.iter().map(cell).collect::<Vec<_>>().join(",")).collect();
    lines.join("\r\n")
}

/// Renames a file, or puts it into the bin or takes it out.
async fn update(
    Shared(world): Shared<Arc<World>>,
    Path(id): Path<String>,
    asked: Asked,
    Json(fields): Json<Map<String, Value>>,
) -> Reply {
    let now = world.now();
    let mut google = google(&world);
    google.file(&id).ok_or_else(|| Refusal::file_not_found(&id))?;
    google.touch(&id, now, |file| {
        if let Some(name) = fields.get("name").and_then(Value::as_str) {
            file.name = name.to_owned();
        }
        if let Some(trashed) = fields.get("trashed").and_then(Value::as_bool) {
            file.trashed = trashed;
        }
    });
    let row = google.file(&id).map(shown).unwrap_or_default();
    record(&world, now, "DriveFileUpdate", &id, row.clone());
    ok(&mask::apply(row, Some(asked.get("fields").map_or(LITTLE, String::as_str)))?)
}

/// Deletes a file for good.
async fn remove(Shared(world): Shared<Arc<World>>, Path(id): Path<String>) -> Reply {
    let now = world.now();
    let mut google = google(&world);
    google.file(&id).ok_or_else(|| Refusal::file_not_found(&id))?;
    google.files.retain(|file| file.id != id);
    google.changes.push((id.clone(), now));
    record(&world, now, "DriveFileDelete", &id, json!({"id": id}));
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// A write happened.
pub(super) fn record(world: &World, now: Millis, kind: &str, id: &str, payload: Value) {
    world.business().record(now, kind, id, "api", payload);
    match kind {
        _ if kind.starts_with("Drive") || kind.starts_with("Sheet") => world.webhooks.google("drive"),
        _ if kind.starts_with("Calendar") => world.webhooks.google("calendar"),
        _ => {}
    }
}

/// Tokens are positions; the first is not zero, as with Google.
const FIRST: usize = 1_001;

async fn start(Shared(world): Shared<Arc<World>>) -> Reply {
    let token = (FIRST + google(&world).changes.len()).to_string();
    ok(&json!({"kind": "drive#startPageToken", "startPageToken": token}))
}

/// Opens a channel for changes from a token on. It lives an hour, unless it is asked for longer, and a week at most.
async fn watch(Shared(world): Shared<Arc<World>>, asked: Asked, Json(channel): Json<Value>) -> Reply {
    if !asked.contains_key("pageToken") {
        return Err(Refusal::parameter("pageToken", "Required parameter: pageToken"));
    }
    open_channel(&world, "drive", &channel)
}

/// What both APIs do with the channel that they are asked for. The sandbox has one secret for all channels, so that it
/// refuses another.
pub(super) fn open_channel(world: &World, resource: &'static str, channel: &Value) -> Reply {
    let text = |key: &str| channel[key].as_str().filter(|text| !text.is_empty());
    let required = |key: &str| Refusal::parameter(key, &format!("Required parameter: {key}"));
    let (id, address) =
        (text("id").ok_or_else(|| required("id"))?, text("address").ok_or_else(|| required("address"))?);
    if text("type") != Some("web_hook") {
        return Err(Refusal::parameter("type", "Unknown channel type"));
    }
    if text("token") != Some(world.webhooks.secret("google_workspace").as_str()) {
        return Err(Refusal::parameter("token", "The sandbox knows one token"));
    }
    let now = world.now();
    let asked = channel["expiration"].as_str().and_then(|at| at.parse().ok()).or(channel["expiration"].as_i64());
    let expiration = asked.unwrap_or(now + HOUR).min(now + 7 * DAY);
    world
        .webhooks
        .watch(resource, id, address)
        .map_err(|_| Refusal::old(400, "pushInvalidAddress", "WebHook callback must be an address"))?;
    ok(&json!({"kind": "api#channel", "id": id, "resourceId": format!("{resource}-of-sandbox"), "token": text("token"),
        "resourceUri": format!("https://www.googleapis.com/{resource}"), "expiration": expiration.to_string()}))
}

async fn stop(Shared(world): Shared<Arc<World>>, Json(channel): Json<Value>) -> Reply {
    let id = channel["id"].as_str().unwrap_or_default();
    let missing = || Refusal::old(404, "channelIdNotFound", &format!("Channel '{id}' not found"));
    world.webhooks.unwatch(id).then(|| StatusCode::NO_CONTENT.into_response()).ok_or_else(missing)
}

async fn changes(Shared(world): Shared<Arc<World>>, asked: Asked) -> Reply {
    let text = |key: &str| asked.get(key).map(String::as_str);
    let required = || Refusal::parameter("pageToken", "Required parameter: pageToken");
    let google = google(&world);
    let token: usize = text("pageToken")
        .ok_or_else(required)?
        .parse()
        .map_err(|_| Refusal::parameter("pageToken", "Invalid Value"))?;
    let from = token.checked_sub(FIRST).filter(|from| *from <= google.changes.len());
    let from = from.ok_or_else(|| Refusal::parameter("pageToken", "Invalid Value"))?;
    let to = (from + size(text("pageSize"))?).min(google.changes.len());
    let removed = text("includeRemoved") != Some("false");
    // A file that changed several times is told once, with its last change.
    let last = |at: usize| !google.changes[at + 1..to].iter().any(|(id, _)| *id == google.changes[at].0);
    let rows = (from..to).filter(|at| last(*at)).filter_map(|at| change(&google, at, removed));
    let mut answer = json!({"kind": "drive#changeList", "changes": rows.collect::<Vec<_>>()});
    let key = if to < google.changes.len() { "nextPageToken" } else { "newStartPageToken" };
    answer[key] = (FIRST + to).to_string().into();
    let little =
        format!("kind,nextPageToken,newStartPageToken,changes(kind,changeType,time,removed,fileId,file({LITTLE}))");
    ok(&mask::apply(answer, Some(text("fields").unwrap_or(&little)))?)
}

fn change(google: &State, at: usize, removed: bool) -> Option<Value> {
    let (id, time) = &google.changes[at];
    let mut row =
        json!({"kind": "drive#change", "changeType": "file", "time": iso(*time), "fileId": id, "removed": false});
    match google.file(id) {
        Some(file) => row["file"] = shown(file),
        None if !removed => return None,
        None => row["removed"] = true.into(),
    }
    Some(row)
}

/// Docs v1: a document as a list of paragraphs.
pub(super) async fn document(Shared(world): Shared<Arc<World>>, Path(id): Path<String>, asked: Asked) -> Reply {
    let google = google(&world);
    let file = google.file(&id).ok_or_else(Refusal::entity_not_found)?;
    if file.mime != format!("{NATIVE}document") {
        return Err(Refusal::new(400, "FAILED_PRECONDITION", "This operation is not supported for this document"));
    }
    let mut index = 1;
    let paragraph = |line: &str| {
        let (start, content) = (index, format!("{line}\n"));
        index += content.encode_utf16().count();
        json!({"startIndex": start, "endIndex": index, "paragraph": {"elements": [{"startIndex": start, "endIndex": index,
            "textRun": {"content": content, "textStyle": {}}}], "paragraphStyle": {"namedStyleType": "NORMAL_TEXT"}}})
    };
    let content: Vec<Value> = file.text.lines().map(paragraph).collect();
    let body = json!({"documentId": file.id, "title": file.name, "body": {"content": content}, "revisionId": "1"});
    ok(&mask::apply(body, asked.get("fields").map(String::as_str))?)
}
