//! The catalogue of files, and the search over them.

use chrono::{DateTime, SecondsFormat, Utc};
use schemars::JsonSchema;
use sdk::Result;
use sdk::http::Request;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{GoogleWorkspace, wire};
use crate::{cursor, json};

/// What is asked of a file; without it Drive tells little more than the name.
pub const FIELDS: &str =
    "id,name,mimeType,modifiedTime,createdTime,size,webViewLink,trashed,parents,owners(displayName,emailAddress)";

/// Lists files of Google Drive, the newest change first: documents, sheets, slides, PDFs, folders. Use it to see what
/// there is; use `search_documents` for words within them. Answers `documents` with ids.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListAssets {
    /// Only this kind.
    kind: Option<Kind>,
    /// Only names with a word that begins so.
    #[schemars(length(min = 1, max = 100))]
    name: Option<String>,
    /// Only what lies in this folder, by id.
    #[schemars(length(min = 1, max = 128))]
    folder_id: Option<String>,
    /// Only what changed after this.
    modified_after: Option<DateTime<Utc>>,
    /// How many.
    #[serde(default = "twenty")]
    #[schemars(range(min = 1, max = 100))]
    limit: u32,
    /// `next_cursor` of the previous answer.
    #[schemars(length(max = 4000))]
    cursor: Option<String>,
}

/// Finds Google Drive files by words in their text or name, the best match first. Use it for "the contract with …".
/// Answers `documents` with ids for `read_document` and `read_sheet`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SearchDocuments {
    /// The words.
    #[schemars(length(min = 1, max = 200))]
    query: String,
    /// Only this kind.
    kind: Option<Kind>,
    /// How many.
    #[serde(default = "ten")]
    #[schemars(range(min = 1, max = 50))]
    limit: u32,
    /// `next_cursor` of the previous answer.
    #[schemars(length(max = 4000))]
    cursor: Option<String>,
}

fn twenty() -> u32 {
    20
}

fn ten() -> u32 {
    10
}

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Document,
    Spreadsheet,
    Presentation,
    Form,
    Pdf,
    Folder,
    Image,
}

/// Files.
#[derive(Serialize, JsonSchema)]
pub struct Documents {
    documents: Vec<Document>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
    /// Said when Google did not look everywhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<&'static str>,
}

/// A file.
#[derive(Serialize, JsonSchema)]
pub struct Document {
    pub id: String,
    pub name: String,
    /// `document`, `spreadsheet`, `presentation`, `pdf`, `folder`, …
    pub kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub modified: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
}

pub async fn list_assets(api: &GoogleWorkspace, args: ListAssets) -> Result<Documents> {
    let mut terms = vec!["trashed = false".to_owned()];
    terms.extend(args.kind.map(Kind::term));
    terms.extend(args.name.map(|name| format!("name contains {}", quoted(&name))));
    terms.extend(args.folder_id.map(|folder| format!("{} in parents", quoted(&file_id(&folder)))));
    terms.extend(args.modified_after.map(|after| format!("modifiedTime > '{}'", moment(after))));
    find(api, &terms.join(" and "), Some("modifiedTime desc"), args.limit, args.cursor.as_deref()).await
}

pub async fn search_documents(api: &GoogleWorkspace, args: SearchDocuments) -> Result<Documents> {
    let mut terms = vec![format!("fullText contains {}", quoted(&args.query)), "trashed = false".to_owned()];
    terms.extend(args.kind.map(Kind::term));
    // Drive refuses an order with fullText: matches come by relevance.
    find(api, &terms.join(" and "), None, args.limit, args.cursor.as_deref()).await
}

async fn find(
    api: &GoogleWorkspace,
    query: &str,
    order: Option<&str>,
    limit: u32,
    from: Option<&str>,
) -> Result<Documents> {
    let token = cursor::decode_option(from)?.and_then(|token| token.as_str().map(str::to_owned));
    let found = wire::listing("files", token, |token| files(api, query, order, limit, token)).await?;
    let incomplete = json::flag(&found.answer, "incompleteSearch") == Some(true);
    Ok(Documents {
        documents: found.rows.iter().filter_map(Document::of).collect(),
        next_cursor: found.next.map(|token| cursor::encode(&json!(token))),
        note: incomplete.then_some("Google did not look through every shared drive, so something may be missing"),
    })
}

/// A page of files.
pub fn files(
    api: &GoogleWorkspace,
    query: &str,
    order: Option<&str>,
    limit: u32,
    token: Option<String>,
) -> Result<Request> {
    let request = api.get("/drive/v3/files", &[])?.query(&[
        ("q", Some(query.to_owned())),
        ("orderBy", order.map(str::to_owned)),
        ("pageSize", Some(limit.to_string())),
        ("pageToken", token),
        ("fields", Some(format!("nextPageToken,incompleteSearch,files({FIELDS})"))),
    ]);
    Ok(shared(api, request))
}

/// Asks for shared drives too; both parameters are needed.
pub fn shared(api: &GoogleWorkspace, request: Request) -> Request {
    let all = api.config.shared_drives.then(|| "true".to_owned());
    request.query(&[("supportsAllDrives", all.clone()), ("includeItemsFromAllDrives", all)])
}

/// A moment as a query has it.
pub fn moment(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// A text within a query. Without this it could end its quotes and change what is asked.
pub fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

/// The id of a file, also from the address that a person sees in the browser.
pub fn file_id(text: &str) -> String {
    let text = text.trim();
    let after = ["/d/", "/folders/", "id="].into_iter().find_map(|mark| Some(text.split_once(mark)?.1));
    let id = after.filter(|_| text.contains("google.com/")).unwrap_or(text);
    let end = id.find(['/', '?', '#', '&']).filter(|_| after.is_some()).unwrap_or(id.len());
    id[..end].to_owned()
}

const NATIVE: &str = "application/vnd.google-apps.";

impl Kind {
    fn term(self) -> String {
        match self {
            Kind::Document => format!("mimeType = '{NATIVE}document'"),
            Kind::Spreadsheet => format!("mimeType = '{NATIVE}spreadsheet'"),
            Kind::Presentation => format!("mimeType = '{NATIVE}presentation'"),
            Kind::Form => format!("mimeType = '{NATIVE}form'"),
            Kind::Folder => format!("mimeType = '{NATIVE}folder'"),
            Kind::Pdf => "mimeType = 'application/pdf'".to_owned(),
            Kind::Image => "mimeType contains 'image/'".to_owned(),
        }
    }
}

impl Document {
    /// A row of Drive's; without an id it is none.
    pub fn of(row: &Value) -> Option<Document> {
        let owner = json::list(row, "owners").first();
        Some(Document {
            id: json::text(row, "id")?,
            name: json::text(row, "name").map_or_else(|| "(no name)".to_owned(), |name| sdk::text::cut(&name, 200)),
            kind: kind_of(&json::text(row, "mimeType").unwrap_or_default()),
            modified: json::time(row, "modifiedTime"),
            owner: owner.and_then(|owner| json::first_text(owner, &["displayName", "emailAddress"])),
            link: json::text(row, "webViewLink"),
        })
    }
}

/// A word for a media type.
fn kind_of(mime: &str) -> String {
    if let Some(kind) = mime.strip_prefix(NATIVE) {
        return kind.to_owned();
    }
    match mime {
        "application/pdf" => "pdf".to_owned(),
        "" => "file".to_owned(),
        _ if mime.starts_with("image/") => "image".to_owned(),
        _ => mime.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_cannot_leave_its_quotes() {
        assert_eq!(quoted(r"x' or name contains '"), r"'x\' or name contains \''");
        assert_eq!(quoted(r"a\' b"), r"'a\\\' b'");
    }

    #[test]
    fn an_address_is_as_good_as_an_id() {
        assert_eq!(file_id(" 1AbC-_9 "), "1AbC-_9");
        assert_eq!(file_id("https://docs.google.com/spreadsheets/d/1AbC/edit#gid=0"), "1AbC");
        assert_eq!(file_id("https://drive.google.com/drive/folders/1AbC?usp=sharing"), "1AbC");
        assert_eq!(file_id("https://drive.google.com/open?id=1AbC&x=1"), "1AbC");
    }
}
