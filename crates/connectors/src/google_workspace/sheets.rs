//! Reading spreadsheets.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use sdk::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::GoogleWorkspace;
use super::a1::{self, Range};
use super::drive::file_id;
use crate::json;

/// A longer text in a cell is cut.
const LONGEST_CELL: usize = 300;
/// Columns of a tab that are read when nobody says which.
const MOST_COLUMNS: u32 = 100;

/// Reads rows of a Google spreadsheet as values. Without a range it reads the first tab from the top and names all
/// `tabs`. Answers `rows`; the first is `first_row` of the sheet.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReadSheet {
    /// The spreadsheet's id, or its address in the browser.
    #[schemars(length(min = 1, max = 500))]
    spreadsheet_id: String,
    /// `Tab`, `Tab!A1:F20` or `Tab!A:F`.
    #[schemars(length(min = 1, max = 200))]
    range: Option<String>,
    /// Which row to begin with: `next_row` of the previous answer.
    #[schemars(range(min = 1, max = 10_000_000))]
    first_row: Option<u32>,
    /// How many rows.
    #[serde(default = "fifty")]
    #[schemars(range(min = 1, max = 500))]
    limit: u32,
}

fn fifty() -> u32 {
    50
}

/// A text, a number, true or false, or nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cell(pub Value);

impl JsonSchema for Cell {
    fn schema_name() -> Cow<'static, str> {
        "Cell".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        // Each type apart: some clients do not know a list of types.
        json_schema!({"anyOf": [{"type": "string"}, {"type": "number"}, {"type": "boolean"}, {"type": "null"}]})
    }
}

/// Rows of a sheet.
#[derive(Serialize, JsonSchema)]
pub struct Sheet {
    title: String,
    tabs: Vec<Tab>,
    /// What was read.
    range: String,
    first_row: u32,
    /// Empty cells at the end of a row are left out.
    rows: Vec<Vec<Cell>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_row: Option<u32>,
}

/// A tab of a spreadsheet.
#[derive(Clone, Serialize, JsonSchema)]
pub struct Tab {
    pub name: String,
    #[serde(skip)]
    pub id: i64,
    pub rows: u32,
    pub columns: u32,
}

/// A spreadsheet without its cells.
pub struct Book {
    pub id: String,
    pub title: String,
    pub tabs: Vec<Tab>,
    /// Marks that programs left on the spreadsheet.
    pub marks: Vec<Value>,
}

pub async fn read(api: &GoogleWorkspace, args: ReadSheet) -> Result<Sheet> {
    let wanted = args.range.as_deref().map(Range::parse).transpose()?.unwrap_or_default();
    let book = Book::open(api, &args.spreadsheet_id).await?;
    let tab = book.tab(wanted.tab.as_deref())?.clone();
    let first = args.first_row.unwrap_or(1).max(wanted.first_row.unwrap_or(1));
    // Drive clips a range that reaches beyond the grid and refuses one that begins there.
    let end = if wanted.cell { wanted.first_row } else { wanted.last_row };
    let end = end.unwrap_or(tab.rows).min(tab.rows);
    let last = first.saturating_add(args.limit - 1).min(end);
    let column = wanted.first_column.unwrap_or(1);
    let asked = Range {
        tab: Some(tab.name.clone()),
        first_row: Some(first),
        last_row: Some(last),
        first_column: Some(column),
        last_column: Some(wanted.last_column.unwrap_or(if wanted.cell {
            column
        } else {
            tab.columns.min(MOST_COLUMNS)
        })),
        cell: false,
    };
    let mut sheet = Sheet {
        title: book.title.clone(),
        tabs: book.tabs.clone(),
        range: asked.text(),
        first_row: first,
        rows: Vec::new(),
        next_row: None,
    };
    if first > end {
        return Ok(sheet);
    }
    let rows = values(api, &book.id, &asked).await?;
    // The vendor leaves empty rows at the end out, so a short answer to a full question is the end of the data.
    let full = rows.len() >= args.limit as usize;
    sheet.next_row = (full && last < end).then_some(last + 1);
    sheet.rows = rows.into_iter().map(|row| row.into_iter().map(shown).collect()).collect();
    Ok(sheet)
}

fn shown(value: Value) -> Cell {
    match value {
        Value::String(text) => Cell(json!(sdk::text::cut(&text, LONGEST_CELL))),
        other => Cell(other),
    }
}

/// The values of a range, as they are and not as they are formatted; rows are ragged.
pub async fn values(api: &GoogleWorkspace, book: &str, range: &Range) -> Result<Vec<Vec<Value>>> {
    let request = api.get("/v4/spreadsheets/{spreadsheetId}/values:batchGet", &[book])?.query(&[
        ("ranges", Some(range.text())),
        ("valueRenderOption", Some("UNFORMATTED_VALUE".to_owned())),
        ("dateTimeRenderOption", Some("FORMATTED_STRING".to_owned())),
    ]);
    let answer: Value = request.send().await?.json()?;
    let rows = answer.pointer("/valueRanges/0/values").and_then(Value::as_array).cloned().unwrap_or_default();
    Ok(rows.into_iter().map(|row| row.as_array().cloned().unwrap_or_default()).collect())
}

impl Book {
    pub async fn open(api: &GoogleWorkspace, id: &str) -> Result<Book> {
        let id = file_id(id);
        let fields = "properties.title,sheets.properties(sheetId,title,gridProperties),developerMetadata";
        let request = api.get("/v4/spreadsheets/{spreadsheetId}", &[&id])?;
        let answer: Value = request.query(&[("fields", Some(fields.to_owned()))]).send().await?.json()?;
        let title = answer.get("properties").and_then(|properties| json::text(properties, "title"));
        Ok(Book {
            id,
            title: title.unwrap_or_default(),
            tabs: json::list(&answer, "sheets").iter().filter_map(Tab::of).collect(),
            marks: json::list(&answer, "developerMetadata").to_vec(),
        })
    }

    /// The tab of this name, or the first.
    pub fn tab(&self, name: Option<&str>) -> Result<&Tab> {
        let Some(name) = name else {
            return self.tabs.first().ok_or_else(|| Error::not_found("the spreadsheet has no tab with cells"));
        };
        let same = |tab: &&Tab| tab.name == name;
        let alike = |tab: &&Tab| tab.name.eq_ignore_ascii_case(name);
        self.tabs.iter().find(same).or_else(|| self.tabs.iter().find(alike)).ok_or_else(|| {
            let names: Vec<String> = self.tabs.iter().take(20).map(|tab| a1::quoted(&tab.name)).collect();
            Error::not_found(format!("range: there is no tab {name:?}; there are {}", names.join(", ")))
        })
    }
}

impl Tab {
    fn of(sheet: &Value) -> Option<Tab> {
        let properties = sheet.get("properties")?;
        let grid = properties.get("gridProperties")?;
        let size = |key| json::count(grid, key).and_then(|size| u32::try_from(size).ok()).unwrap_or(0);
        Some(Tab {
            name: properties.get("title")?.as_str()?.to_owned(),
            // Google leaves a zero out.
            id: properties.get("sheetId").and_then(Value::as_i64).unwrap_or(0),
            rows: size("rowCount"),
            columns: size("columnCount"),
        })
    }
}
