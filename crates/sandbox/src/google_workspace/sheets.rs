//! Sheets v4: values, and requests that are carried out together or not at all.

use std::{collections::HashMap, sync::Arc};

use axum::{
    Json, Router,
    extract::{Path, Query, RawQuery, State as Shared},
    routing::{get, post},
};
use serde_json::{Value, json};

use super::{
    drive::record,
    google, mask,
    reply::{Refusal, Reply, ok},
    state::{File, State, Tab},
    values::{self, find},
};
use crate::world::World;

type Asked = Query<HashMap<String, String>>;

pub(super) fn router() -> Router<Arc<World>> {
    Router::new()
        .route("/spreadsheets/{id}", get(book).post(batch))
        .route("/spreadsheets/{id}/values:batchGet", get(batch_get))
        .route("/spreadsheets/{id}/values:batchUpdate", post(batch_update))
        .route("/spreadsheets/{id}/values/{range}", get(one).put(update).post(append_or_clear))
        .route("/spreadsheets/{id}/developerMetadata/{mark}", get(mark))
}

fn sheet<'a>(google: &'a State, id: &str) -> Result<&'a File, Refusal> {
    let found = google.file(id).filter(|file| !file.tabs.is_empty());
    found.ok_or_else(|| Refusal::new(404, "NOT_FOUND", "Requested entity was not found."))
}

/// Does something to a spreadsheet; when it fails the spreadsheet is as it was.
fn change<T>(
    world: &World,
    id: &str,
    kind: &str,
    edit: impl FnOnce(&mut File) -> Result<(T, Value), Refusal>,
) -> Result<T, Refusal> {
    let now = world.now();
    let mut google = google(world);
    let mut file = sheet(&google, id)?.clone();
    let (outcome, payload) = edit(&mut file)?;
    google.touch(id, now, |stored| *stored = file);
    record(world, now, kind, id, payload);
    Ok(outcome)
}

async fn book(Shared(world): Shared<Arc<World>>, Path(id): Path<String>, asked: Asked) -> Reply {
    let google = google(&world);
    let file = sheet(&google, &id)?;
    let tab = |(n, tab): (usize, &Tab)| {
        json!({"properties": {"sheetId": tab.id, "title": tab.name, "index": n, "sheetType": "GRID",
            "gridProperties": {"rowCount": tab.rows, "columnCount": tab.columns}}})
    };
    let tabs: Vec<Value> = file.tabs.iter().enumerate().map(tab).collect();
    let mut answer = json!({"spreadsheetId": file.id, "sheets": tabs,
        "properties": {"title": file.name, "locale": "en_US", "timeZone": "America/Los_Angeles"},
        "spreadsheetUrl": format!("https://docs.google.com/spreadsheets/d/{id}/edit")});
    if !file.marks.is_empty() {
        answer["developerMetadata"] = file.marks.iter().map(|(_, mark)| mark.clone()).collect();
    }
    ok(&mask::apply(answer, asked.get("fields").map(String::as_str))?)
}

async fn mark(Shared(world): Shared<Arc<World>>, Path((id, mark)): Path<(String, i64)>) -> Reply {
    let google = google(&world);
    let found = sheet(&google, &id)?.marks.iter().find(|(own, _)| *own == mark);
    let found = found.ok_or_else(|| Refusal::new(404, "NOT_FOUND", "No metadata with this id"))?;
    ok(&found.1)
}

fn formatted(option: Option<&str>) -> Result<bool, Refusal> {
    match option.unwrap_or("FORMATTED_VALUE") {
        "FORMATTED_VALUE" => Ok(true),
        "UNFORMATTED_VALUE" | "FORMULA" => Ok(false),
        other => Err(Refusal::argument(&format!("Invalid value at 'value_render_option': {other}"))),
    }
}

fn ranged(file: &File, range: &str, formatted: bool) -> Result<Value, Refusal> {
    let (at, block) = find(file, range)?;
    let tab = &file.tabs[at];
    let mut answer = json!({"range": values::name(tab, block), "majorDimension": "ROWS"});
    let rows = values::read(tab, block, formatted);
    // Nothing is left out rather than shown as an empty list.
    if !rows.is_empty() {
        answer["values"] = json!(rows);
    }
    Ok(answer)
}

async fn one(Shared(world): Shared<Arc<World>>, Path((id, range)): Path<(String, String)>, asked: Asked) -> Reply {
    let google = google(&world);
    ok(&ranged(sheet(&google, &id)?, &range, formatted(asked.get("valueRenderOption").map(String::as_str))?)?)
}

async fn batch_get(Shared(world): Shared<Arc<World>>, Path(id): Path<String>, RawQuery(query): RawQuery) -> Reply {
    let google = google(&world);
    let file = sheet(&google, &id)?;
    let query = query.unwrap_or_default();
    let pairs = || url::form_urlencoded::parse(query.as_bytes());
    let render = pairs().find(|(key, _)| key == "valueRenderOption").map(|(_, value)| value.into_owned());
    let formatted = formatted(render.as_deref())?;
    let ranges = pairs().filter(|(key, _)| key == "ranges").map(|(_, range)| ranged(file, &range, formatted));
    ok(&json!({"spreadsheetId": id, "valueRanges": ranges.collect::<Result<Vec<_>, _>>()?}))
}

fn raw(option: Option<&str>) -> Result<bool, Refusal> {
    match option {
        Some("RAW") => Ok(true),
        Some("USER_ENTERED") => Ok(false),
        _ => Err(Refusal::argument("'valueInputOption' is required but not specified")),
    }
}

/// Writes a value range that must fit into its own range.
fn put(file: &mut File, data: &Value, range: &str, raw: bool) -> Result<Value, Refusal> {
    let (at, block) = find(file, range)?;
    let rows = data["values"].as_array().map(Vec::as_slice).unwrap_or_default();
    let width = rows.iter().filter_map(Value::as_array).map(Vec::len).max().unwrap_or(0);
    let single = !range.rsplit('!').next().unwrap_or_default().contains(':');
    if !single && (rows.len() > block.bottom - block.top || width > block.right - block.left) {
        let message = format!("Requested writing within range [{range}], but tried writing outside of it");
        return Err(Refusal::argument(&message));
    }
    let cells = values::write(&mut file.tabs[at], block.top, block.left, rows, raw)?;
    Ok(json!({"updatedRange": values::name(&file.tabs[at], block), "updatedRows": rows.len(), "updatedCells": cells}))
}

async fn update(
    Shared(world): Shared<Arc<World>>,
    Path((id, range)): Path<(String, String)>,
    asked: Asked,
    Json(body): Json<Value>,
) -> Reply {
    let raw = raw(asked.get("valueInputOption").map(String::as_str))?;
    let answer = change(&world, &id, "SheetUpdate", |file| Ok((put(file, &body, &range, raw)?, body.clone())))?;
    ok(&answer)
}

async fn batch_update(Shared(world): Shared<Arc<World>>, Path(id): Path<String>, Json(body): Json<Value>) -> Reply {
    let raw = raw(body["valueInputOption"].as_str())?;
    let answers = change(&world, &id, "SheetUpdate", |file| {
        let data = body["data"].as_array().map(Vec::as_slice).unwrap_or_default();
        let put = |data: &Value| put(file, data, data["range"].as_str().unwrap_or_default(), raw);
        Ok((data.iter().map(put).collect::<Result<Vec<_>, _>>()?, body.clone()))
    })?;
    let cells: u64 = answers.iter().filter_map(|answer| answer["updatedCells"].as_u64()).sum();
    ok(&json!({"spreadsheetId": id, "totalUpdatedCells": cells, "responses": answers}))
}

/// `POST …/values/{range}:append` and `…:clear`.
async fn append_or_clear(
    Shared(world): Shared<Arc<World>>,
    Path((id, range)): Path<(String, String)>,
    asked: Asked,
    body: axum::body::Bytes,
) -> Reply {
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    if let Some(range) = range.strip_suffix(":clear") {
        let cleared = change(&world, &id, "SheetClear", |file| {
            let (at, block) = find(file, range)?;
            let empty = vec![json!(vec![""; block.right - block.left]); block.bottom - block.top];
            values::write(&mut file.tabs[at], block.top, block.left, &empty, true)?;
            Ok((values::name(&file.tabs[at], block), json!({"range": range})))
        })?;
        return ok(&json!({"spreadsheetId": id, "clearedRange": cleared}));
    }
    let range = range.strip_suffix(":append").ok_or_else(|| Refusal::new(404, "NOT_FOUND", "Not found"))?;
    raw(asked.get("valueInputOption").map(String::as_str))?;
    let added = change(&world, &id, "SheetAppend", |file| {
        let (at, _) = find(file, range)?;
        let rows = body["values"].as_array().map(Vec::as_slice).unwrap_or_default();
        let rows = rows.iter().map(|row| row.as_array().cloned().unwrap_or_default()).collect();
        let block = values::append(&mut file.tabs[at], rows);
        let (rows, columns) = (block.bottom - block.top, block.right - block.left);
        let told = json!({"updatedRange": values::name(&file.tabs[at], block), "updatedRows": rows,
            "updatedColumns": columns, "updatedCells": rows * columns});
        Ok((told, body.clone()))
    })?;
    let mut updates = added;
    updates["spreadsheetId"] = json!(id);
    ok(&json!({"spreadsheetId": id, "updates": updates}))
}

/// `POST /v4/spreadsheets/{id}:batchUpdate`.
async fn batch(Shared(world): Shared<Arc<World>>, Path(id): Path<String>, Json(body): Json<Value>) -> Reply {
    let id = id.strip_suffix(":batchUpdate").ok_or_else(|| Refusal::new(404, "NOT_FOUND", "Not found"))?;
    let requests = body["requests"].as_array().cloned().unwrap_or_default();
    if requests.is_empty() {
        return Err(Refusal::argument("Must specify at least one request."));
    }
    let appends = requests.iter().any(|request| request.get("appendCells").is_some());
    let kind = if appends { "SheetAppend" } else { "SheetUpdate" };
    let replies = change(&world, id, kind, |file| {
        let replies = requests.iter().enumerate().map(|(n, request)| carry_out(file, n, request));
        Ok((replies.collect::<Result<Vec<_>, _>>()?, body.clone()))
    })?;
    ok(&json!({"spreadsheetId": id, "replies": replies}))
}

fn carry_out(file: &mut File, n: usize, request: &Value) -> Result<Value, Refusal> {
    let wrong = |what: &str| Refusal::argument(&format!("Invalid requests[{n}].{what}"));
    let Some((name, body)) = request.as_object().and_then(|request| request.iter().next()) else {
        return Err(wrong(": a request is needed"));
    };
    match name.as_str() {
        "appendCells" => {
            let tab = by_id(file, &body["sheetId"]).ok_or_else(|| wrong("appendCells: No grid with this id"))?;
            if body["fields"].as_str().is_none_or(str::is_empty) {
                return Err(wrong("appendCells: At least one field must be listed in 'fields'."));
            }
            let row = |row: &Value| {
                row["values"].as_array().map(Vec::as_slice).unwrap_or_default().iter().map(typed).collect()
            };
            values::append(
                tab,
                body["rows"].as_array().map(Vec::as_slice).unwrap_or_default().iter().map(row).collect(),
            );
            Ok(json!({}))
        }
        "appendDimension" => {
            let length = usize::try_from(body["length"].as_u64().unwrap_or(0)).unwrap_or(0);
            let tab = by_id(file, &body["sheetId"]).ok_or_else(|| wrong("appendDimension: No grid with this id"))?;
            match body["dimension"].as_str() {
                Some("ROWS") => tab.rows += length,
                Some("COLUMNS") => tab.columns += length,
                _ => return Err(wrong("appendDimension: No dimension")),
            }
            Ok(json!({}))
        }
        "createDeveloperMetadata" => {
            let mark = &body["developerMetadata"];
            let id = mark["metadataId"].as_i64().filter(|id| *id > 0 && *id <= i64::from(i32::MAX));
            let id = id.ok_or_else(|| wrong("createDeveloperMetadata: the metadataId must be positive"))?;
            if mark["metadataKey"].as_str().is_none_or(str::is_empty) || mark["visibility"].as_str().is_none() {
                return Err(wrong("createDeveloperMetadata: a key and a visibility are needed"));
            }
            if file.marks.iter().any(|(own, _)| *own == id) {
                return Err(wrong(&format!(
                    "createDeveloperMetadata: a developer metadata with ID {id} already exists"
                )));
            }
            let mut mark = mark.clone();
            mark["location"]["locationType"] = "SPREADSHEET".into();
            file.marks.push((id, mark.clone()));
            Ok(json!({"createDeveloperMetadata": {"developerMetadata": mark}}))
        }
        "deleteDeveloperMetadata" => {
            let id = body.pointer("/dataFilter/developerMetadataLookup/metadataId").and_then(Value::as_i64);
            file.marks.retain(|(own, _)| Some(*own) != id);
            Ok(json!({"deleteDeveloperMetadata": {}}))
        }
        other => Err(Refusal::argument(&format!("Unknown name \"{other}\" at 'requests[{n}]': Cannot find field."))),
    }
}

fn by_id<'a>(file: &'a mut File, id: &Value) -> Option<&'a mut Tab> {
    let id = id.as_i64().unwrap_or(0);
    file.tabs.iter_mut().find(|tab| tab.id == id)
}

/// A cell of the wire.
fn typed(cell: &Value) -> Value {
    let value = &cell["userEnteredValue"];
    let found = ["numberValue", "boolValue", "stringValue"].into_iter().find_map(|key| value.get(key));
    found.cloned().unwrap_or_else(|| value.get("formulaValue").map_or(Value::Null, |_| json!("#FORMULA!")))
}
