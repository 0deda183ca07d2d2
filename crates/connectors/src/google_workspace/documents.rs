//! The text of a document.

use schemars::JsonSchema;
use sdk::{Error, Kind, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::GoogleWorkspace;
use super::drive::{Document, FIELDS, file_id};
use crate::json;

/// Files that are read whole, in bytes.
const LARGEST: u64 = 10 << 20;

/// Reads the text of a Google Doc, of slides or of a text file, a part at a time. For spreadsheets use `read_sheet`.
/// Answers `document`, `text`, and `next_start` when there is more.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReadDocument {
    /// The file's id, or its address in the browser.
    #[schemars(length(min = 1, max = 500))]
    document_id: String,
    /// Where to begin, in characters: `next_start` of the previous answer.
    #[serde(default)]
    #[schemars(range(max = 100_000_000))]
    start: usize,
    /// How many characters.
    #[serde(default = "six_thousand")]
    #[schemars(range(min = 100, max = 50_000))]
    length: usize,
}

fn six_thousand() -> usize {
    6_000
}

/// A part of a document.
#[derive(Serialize, JsonSchema)]
pub struct Text {
    document: Document,
    text: String,
    /// Characters in all.
    characters: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_start: Option<usize>,
}

pub async fn read(api: &GoogleWorkspace, args: ReadDocument) -> Result<Text> {
    let id = file_id(&args.document_id);
    let row = file(api, &id).await?;
    let document = Document::of(&row).ok_or_else(|| Error::upstream("Google described a file without an id"))?;
    let text = sdk::text::clean(&content(api, &id, &row, &document).await?);
    let characters = text.chars().count();
    let part: String = text.chars().skip(args.start).take(args.length).collect();
    let end = args.start.saturating_add(args.length);
    Ok(Text { document, text: part, characters, next_start: (end < characters).then_some(end) })
}

async fn file(api: &GoogleWorkspace, id: &str) -> Result<Value> {
    let all = api.config.shared_drives.then(|| "true".to_owned());
    let query = [("fields", Some(FIELDS.to_owned())), ("supportsAllDrives", all)];
    api.get("/drive/v3/files/{fileId}", &[id])?.query(&query).send().await?.json()
}

async fn content(api: &GoogleWorkspace, id: &str, row: &Value, document: &Document) -> Result<String> {
    let mime = json::text(row, "mimeType").unwrap_or_default();
    match document.kind.as_str() {
        "document" => match export(api, id, "text/plain").await {
            // The export ends at 10 MB; the document's own API does not.
            Err(error) if error.kind == Kind::InvalidInput => paragraphs(api, id).await,
            exported => exported,
        },
        "presentation" => export(api, id, "text/plain").await,
        "spreadsheet" => export(api, id, "text/csv").await,
        _ if is_text(&mime) && json::count(row, "size").unwrap_or(0) <= LARGEST => download(api, id).await,
        kind => {
            let place = document.link.as_deref().unwrap_or("Drive");
            Err(Error::invalid_input(format!("a file of the kind {kind} cannot be read as text; open it at {place}")))
        }
    }
}

fn is_text(mime: &str) -> bool {
    mime.starts_with("text/") || matches!(mime, "application/json" | "application/xml" | "application/x-yaml")
}

async fn export(api: &GoogleWorkspace, id: &str, mime: &str) -> Result<String> {
    let request = api.get("/drive/v3/files/{fileId}/export", &[id])?;
    Ok(request.query(&[("mimeType", Some(mime.to_owned()))]).send().await?.text())
}

async fn download(api: &GoogleWorkspace, id: &str) -> Result<String> {
    let all = api.config.shared_drives.then(|| "true".to_owned());
    let query = [("alt", Some("media".to_owned())), ("supportsAllDrives", all)];
    Ok(api.get("/drive/v3/files/{fileId}", &[id])?.query(&query).send().await?.text())
}

async fn paragraphs(api: &GoogleWorkspace, id: &str) -> Result<String> {
    let request = api.get("/v1/documents/{documentId}", &[id])?;
    let answer: Value = request.query(&[("fields", Some("body".to_owned()))]).send().await?.json()?;
    let mut text = String::new();
    gather(answer.get("body").unwrap_or(&Value::Null), &mut text);
    Ok(text)
}

/// The text runs of a body, also of those in tables, in order.
fn gather(node: &Value, text: &mut String) {
    match node {
        Value::Array(items) => items.iter().for_each(|item| gather(item, text)),
        Value::Object(members) => {
            if let Some(run) = node.pointer("/textRun/content").and_then(Value::as_str) {
                text.push_str(run);
            }
            let inner = ["content", "paragraph", "elements", "table", "tableRows", "tableCells"];
            inner.iter().filter_map(|key| members.get(*key)).for_each(|node| gather(node, text));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn tables_are_read_too() {
        let run = |text: &str| json!({"paragraph": {"elements": [{"textRun": {"content": text}}]}});
        let row = json!({"tableCells": [{"content": [run("b")]}, {"content": [run("c")]}]});
        let body = json!({"content": [run("a"), {"table": {"tableRows": [row]}}, run("d"), null]});
        let mut text = String::new();
        gather(&body, &mut text);
        assert_eq!(text, "abcd");
    }
}
