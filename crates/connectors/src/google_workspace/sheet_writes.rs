//! Writing spreadsheets. Values are written as they are: a text that begins with `=` stays a text.

use schemars::JsonSchema;
use sdk::{Error, Kind, Plan, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::a1::{self, Range};
use super::sheets::{Book, Cell, Tab, values};
use super::{GoogleWorkspace, digest, wire};
use crate::json;

/// Differences that a plan lists one by one.
const LISTED: usize = 50;
/// Cells that one call may touch.
const MOST_CELLS: u64 = 100_000;

/// Makes a range of a Google spreadsheet equal to the given rows: what differs is written, what is left over in the
/// range is emptied. `Tab!A1` is a block as large as the rows; `Tab` or `Tab!A:F` everything there. Formulas are not
/// evaluated.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SyncSheet {
    /// The spreadsheet's id, or its address in the browser.
    #[schemars(length(min = 1, max = 500))]
    spreadsheet_id: String,
    /// `Tab`, `Tab!A1`, `Tab!A:F` or `Tab!A1:F20`.
    #[schemars(length(min = 1, max = 200))]
    range: String,
    /// All rows as they shall be.
    #[schemars(length(max = 2000), inner(length(max = 200)))]
    rows: Vec<Vec<Cell>>,
}

/// Adds rows below the last row with data of a tab of a Google spreadsheet. Use it for logs and lists; `sync_sheet`
/// replaces. Formulas are not evaluated.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AppendRows {
    /// The spreadsheet's id, or its address in the browser.
    #[schemars(length(min = 1, max = 500))]
    spreadsheet_id: String,
    /// The tab's name; the first tab unless given.
    #[schemars(length(min = 1, max = 100))]
    tab: Option<String>,
    /// The rows to add.
    #[schemars(length(min = 1, max = 1000), inner(length(min = 1, max = 200)))]
    rows: Vec<Vec<Cell>>,
}

/// A range that is now as it was wanted.
#[derive(Serialize, JsonSchema)]
pub struct Synced {
    /// Where.
    range: String,
    /// Cells that were written or emptied.
    cells_changed: usize,
    rows: usize,
}

/// Rows that were added.
#[derive(Serialize, JsonSchema)]
pub struct Appended {
    tab: String,
    rows_added: usize,
    /// An earlier attempt of the same call had added them.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    already_there: bool,
}

/// What a sync would write.
struct Difference {
    tab: Tab,
    first_row: u32,
    first_column: u32,
    /// Row and column within the range, as it is, as it shall be.
    cells: Vec<(usize, usize, Value, Value)>,
}

pub async fn sync(api: &GoogleWorkspace, args: SyncSheet) -> Result<Synced> {
    let (book, difference) = compare(api, &args).await?;
    let synced = Synced { range: args.range, cells_changed: difference.cells.len(), rows: args.rows.len() };
    if difference.cells.is_empty() {
        return Ok(synced);
    }
    difference.make_room(api, &book).await?;
    let body = json!({"valueInputOption": "RAW", "data": difference.data()});
    let request = api.post("/v4/spreadsheets/{spreadsheetId}/values:batchUpdate", &[&book.id])?;
    // Writing the same values into the same cells again changes nothing.
    let sent = request.json(&body).repeatable().send().await;
    let _: Value = sent.and_then(|answer| answer.json()).map_err(|e| wire::unknown(e, "look at it with read_sheet"))?;
    Ok(synced)
}

pub async fn plan_sync(api: &GoogleWorkspace, args: SyncSheet) -> Result<Plan> {
    let (book, difference) = compare(api, &args).await?;
    let count = difference.cells.len();
    let mut plan = Plan::new(format!("change {count} cells of {} in {:?}", args.range, book.title));
    for (row, column, before, after) in difference.cells.iter().take(LISTED) {
        plan = plan.sets(difference.name(*row, *column), before.clone(), after.clone());
    }
    if count > LISTED {
        plan = plan.note(format!("the first {LISTED} of {count} changes are listed"));
    }
    Ok(plan)
}

pub async fn append(api: &GoogleWorkspace, args: AppendRows) -> Result<Appended> {
    let book = Book::open(api, &args.spreadsheet_id).await?;
    let tab = book.tab(args.tab.as_deref())?.clone();
    let mark = Mark::of(api, &book, &tab, &args.rows)?;
    let appended = Appended { tab: tab.name.clone(), rows_added: args.rows.len(), already_there: true };
    if mark.is_in(&book.marks) {
        return Ok(appended);
    }
    // Rows and mark are one request, which Google carries out as a whole or not at all.
    let mut changes = vec![json!({"appendCells": {"sheetId": tab.id, "fields": "userEnteredValue",
        "rows": args.rows.iter().map(|row| entered(row)).collect::<Result<Vec<_>>>()?}})];
    changes.push(mark.created());
    changes.extend(Mark::outdated(&book.marks));
    let mut last = Error::internal("no attempt was made");
    for _ in 0..ATTEMPTS {
        let request = api.post("/v4/spreadsheets/{spreadsheetId}:batchUpdate", &[&book.id])?;
        let sent = request.json(&json!({"requests": changes})).send().await;
        let Err(error) = sent.and_then(|answer| answer.json::<Value>()) else {
            return Ok(Appended { already_there: false, ..appended });
        };
        let lost = error.outcome_unknown;
        // Google refuses a mark that exists with the same words as any mistake.
        if !lost && error.kind != Kind::InvalidInput {
            return Err(error);
        }
        last = error;
        let Ok(book) = Book::open(api, &book.id).await else { break };
        if mark.is_in(&book.marks) {
            return Ok(Appended { already_there: !lost, ..appended });
        }
        if !lost {
            break;
        }
    }
    Err(wire::unknown(last, "look at the end of the tab with read_sheet"))
}

/// How often rows are sent whose reply is lost, each time after a look that they are not there.
const ATTEMPTS: usize = 3;

pub async fn plan_append(api: &GoogleWorkspace, args: AppendRows) -> Result<Plan> {
    let book = Book::open(api, &args.spreadsheet_id).await?;
    let tab = book.tab(args.tab.as_deref())?.clone();
    let count = args.rows.len();
    let mut plan = Plan::new(format!("add {count} rows at the end of {} in {:?}", a1::quoted(&tab.name), book.title));
    for row in args.rows.iter().take(LISTED) {
        entered(row)?;
        plan = plan.adds("row", json!(row));
    }
    if count > LISTED {
        plan = plan.note(format!("the first {LISTED} of {count} rows are listed"));
    }
    Ok(plan)
}

/// Reads the range and finds the cells that are not as wanted.
async fn compare(api: &GoogleWorkspace, args: &SyncSheet) -> Result<(Book, Difference)> {
    let wanted = Range::parse(&args.range)?;
    let book = Book::open(api, &args.spreadsheet_id).await?;
    let tab = book.tab(wanted.tab.as_deref())?.clone();
    let range = block(&wanted, &tab, &args.rows)?;
    let (first_row, first_column) = (range.first_row.unwrap_or(1), range.first_column.unwrap_or(1));
    let inside = first_row <= tab.rows && first_column <= tab.columns;
    let present = if inside { values(api, &book.id, &range).await? } else { Vec::new() };
    let mut cells = Vec::new();
    for row in 0..present.len().max(args.rows.len()) {
        let (is, shall) = (present.get(row), args.rows.get(row));
        let width = is.map_or(0, Vec::len).max(shall.map_or(0, Vec::len));
        for column in 0..width {
            let before = is.and_then(|row| row.get(column)).cloned().unwrap_or(json!(""));
            let after = match shall.and_then(|row| row.get(column)) {
                Some(cell) => plain(cell)?,
                None => json!(""),
            };
            if !same(&before, &after) {
                cells.push((row, column, before, after));
            }
        }
    }
    Ok((book, Difference { tab, first_row, first_column, cells }))
}

/// The range with both ends, as far as the rows or the sheet reach.
fn block(wanted: &Range, tab: &Tab, rows: &[Vec<Cell>]) -> Result<Range> {
    let height = u32::try_from(rows.len()).unwrap_or(u32::MAX);
    let width = rows.iter().map(Vec::len).max().and_then(|width| u32::try_from(width).ok()).unwrap_or(0);
    let (row, column) = (wanted.first_row.unwrap_or(1), wanted.first_column.unwrap_or(1));
    let needed = (row + height.max(1) - 1, column + width.max(1) - 1);
    let last_row = if wanted.cell { needed.0 } else { wanted.last_row.unwrap_or(needed.0.max(tab.rows)) };
    let last_column = if wanted.cell { needed.1 } else { wanted.last_column.unwrap_or(needed.1.max(tab.columns)) };
    if needed.0 > last_row || needed.1 > last_column {
        return Err(Error::invalid_input(format!(
            "rows: {height} rows of up to {width} cells do not fit into {}; give a larger range",
            wanted.text()
        )));
    }
    if u64::from(height) * u64::from(width) > MOST_CELLS {
        return Err(Error::invalid_input(format!("rows: at most {MOST_CELLS} cells at once")));
    }
    Ok(Range {
        tab: Some(tab.name.clone()),
        first_row: Some(row),
        first_column: Some(column),
        last_row: Some(last_row.min(tab.rows.max(row))),
        last_column: Some(last_column.min(tab.columns.max(column))),
        cell: false,
    })
}

impl Difference {
    /// Values are refused beyond the end of the grid, so it grows first. Rows that are added twice are empty rows.
    async fn make_room(&self, api: &GoogleWorkspace, book: &Book) -> Result<()> {
        let reach = |first: u32, offset: usize| first + u32::try_from(offset).unwrap_or(0);
        let row = self.cells.iter().map(|cell| reach(self.first_row, cell.0)).max().unwrap_or(0);
        let column = self.cells.iter().map(|cell| reach(self.first_column, cell.1)).max().unwrap_or(0);
        let missing =
            [("ROWS", row.saturating_sub(self.tab.rows)), ("COLUMNS", column.saturating_sub(self.tab.columns))];
        let grow = |(dimension, length): &(&str, u32)| json!({"appendDimension": {"sheetId": self.tab.id, "dimension": dimension, "length": length}});
        let requests: Vec<Value> = missing.iter().filter(|(_, length)| *length > 0).map(grow).collect();
        if requests.is_empty() {
            return Ok(());
        }
        let request = api.post("/v4/spreadsheets/{spreadsheetId}:batchUpdate", &[&book.id])?;
        request.json(&json!({"requests": requests})).repeatable().send().await?;
        Ok(())
    }

    fn name(&self, row: usize, column: usize) -> String {
        let at = |first: u32, offset: usize| first + u32::try_from(offset).unwrap_or(0);
        a1::cell(at(self.first_column, column), at(self.first_row, row))
    }

    /// One range for each row that changes, from its first to its last change; null leaves a cell alone.
    fn data(&self) -> Vec<Value> {
        let rows = self.cells.chunk_by(|a, b| a.0 == b.0);
        rows.map(|cells| {
            let (row, from, to) = (cells[0].0, cells[0].1, cells[cells.len() - 1].1);
            let mut values = vec![Value::Null; to - from + 1];
            for (_, column, _, after) in cells {
                values[column - from] = after.clone();
            }
            let range = format!("{}!{}:{}", a1::quoted(&self.tab.name), self.name(row, from), self.name(row, to));
            json!({"range": range, "majorDimension": "ROWS", "values": [values]})
        })
        .collect()
    }
}

/// A cell as values are written; nothing is an empty text.
fn plain(cell: &Cell) -> Result<Value> {
    match &cell.0 {
        Value::Null => Ok(json!("")),
        Value::String(_) | Value::Number(_) | Value::Bool(_) => Ok(cell.0.clone()),
        _ => Err(Error::invalid_input("rows: a cell is a text, a number, true or false, or null")),
    }
}

/// A row as cells are appended. A text is a text, whatever it begins with.
fn entered(row: &[Cell]) -> Result<Value> {
    let cell = |cell: &Cell| {
        Ok(match plain(cell)? {
            Value::Number(number) => json!({"userEnteredValue": {"numberValue": number}}),
            Value::Bool(flag) => json!({"userEnteredValue": {"boolValue": flag}}),
            Value::String(text) if !text.is_empty() => json!({"userEnteredValue": {"stringValue": text}}),
            _ => json!({}),
        })
    };
    Ok(json!({"values": row.iter().map(cell).collect::<Result<Vec<_>>>()?}))
}

fn same(a: &Value, b: &Value) -> bool {
    match (a.as_f64(), b.as_f64()) {
        (Some(a), Some(b)) => a == b,
        _ => a == b,
    }
}

/// What says on the spreadsheet itself that a call has added its rows: developer metadata, which nobody sees and whose
/// id Google gives out once.
struct Mark {
    id: u64,
    value: String,
}

const MARK: &str = "rows-added";
/// Marks that are kept; the oldest go when new ones come, because Google keeps 30,000 characters of them.
const KEPT: usize = 200;

impl Mark {
    fn of(api: &GoogleWorkspace, book: &Book, tab: &Tab, rows: &[Vec<Cell>]) -> Result<Mark> {
        let rows = json!(rows).to_string();
        let digest = digest::of(api, &["append_rows", &book.id, &tab.id.to_string(), &rows]);
        let id = u64::from_str_radix(&digest[..8], 16).map_err(|e| Error::internal("a digest").with_source(e))?;
        let number = book.marks.iter().filter_map(numbered).map(|(number, _)| number).max().unwrap_or(0) + 1;
        // Google's ids are positive numbers of 31 bits.
        Ok(Mark { id: (id & 0x7FFF_FFFF).max(1), value: format!("{number} {digest}") })
    }

    fn is_in(&self, marks: &[Value]) -> bool {
        let digest = |value: &str| value.split(' ').next_back().unwrap_or_default().to_owned();
        let ours = digest(&self.value);
        marks.iter().filter_map(|mark| json::text(mark, "metadataValue")).any(|value| digest(&value) == ours)
    }

    fn created(&self) -> Value {
        json!({"createDeveloperMetadata": {"developerMetadata": {"metadataId": self.id, "metadataKey": MARK,
            "metadataValue": self.value, "location": {"spreadsheet": true}, "visibility": "DOCUMENT"}}})
    }

    fn outdated(marks: &[Value]) -> Vec<Value> {
        let mut ours: Vec<(u64, u64)> = marks.iter().filter_map(numbered).collect();
        ours.sort_unstable();
        let old = ours.len().saturating_sub(KEPT);
        let delete = |(_, id): &(u64, u64)| json!({"deleteDeveloperMetadata": {"dataFilter": {"developerMetadataLookup": {"metadataId": id}}}});
        ours[..old].iter().map(delete).collect()
    }
}

/// The running number and the id of a mark of ours.
fn numbered(mark: &Value) -> Option<(u64, u64)> {
    json::text(mark, "metadataKey").filter(|key| key == MARK)?;
    let number = json::text(mark, "metadataValue")?.split(' ').next()?.parse().ok()?;
    Some((number, json::count(mark, "metadataId")?))
}
