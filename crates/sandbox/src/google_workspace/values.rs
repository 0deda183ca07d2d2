//! Cells of a tab, and ranges in A1 notation.

use serde_json::{Value, json};

use super::{
    reply::Refusal,
    state::{File, Tab},
};

/// A block of cells; from 0, the ends are not included.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Block {
    pub top: usize,
    pub left: usize,
    pub bottom: usize,
    pub right: usize,
}

/// The tab (by position) and the block that a range names, cut at the end of the grid.
pub(super) fn find(file: &File, range: &str) -> Result<(usize, Block), Refusal> {
    let unknown = || Refusal::argument(&format!("Unable to parse range: {range}"));
    let (name, cells) = range.rsplit_once('!').map_or((None, range), |(name, cells)| (Some(unquoted(name)), cells));
    let whole = |tab: &Tab| Block { top: 0, left: 0, bottom: tab.rows, right: tab.columns };
    let by_name = |name: &str| file.tabs.iter().position(|tab| tab.name.eq_ignore_ascii_case(name));
    // A name without cells is a whole tab.
    if name.is_none()
        && let Some(at) = by_name(&unquoted(range))
    {
        return Ok((at, whole(&file.tabs[at])));
    }
    let at = name.map_or(Some(0), |name| by_name(&name)).ok_or_else(unknown)?;
    let tab = file.tabs.get(at).ok_or_else(unknown)?;
    let (first, last) = cells.split_once(':').unwrap_or((cells, cells));
    let (Some(first), Some(last)) = (corner(first), corner(last)) else { return Err(unknown()) };
    let block = Block {
        top: first.1.unwrap_or(0),
        left: first.0.unwrap_or(0),
        bottom: last.1.map_or(tab.rows, |row| row + 1).min(tab.rows),
        right: last.0.map_or(tab.columns, |column| column + 1).min(tab.columns),
    };
    if block.top >= tab.rows || block.left >= tab.columns {
        let message =
            format!("Range ({range}) exceeds grid limits. Max rows: {}, max columns: {}", tab.rows, tab.columns);
        return Err(Refusal::argument(&message));
    }
    Ok((at, block))
}

/// A block of a tab, as the wire names it.
pub(super) fn name(tab: &Tab, block: Block) -> String {
    let plain = tab.name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let quoted = if plain { tab.name.clone() } else { format!("'{}'", tab.name.replace('\'', "''")) };
    let first = format!("{}{}", letters(block.left), block.top + 1);
    let last = format!("{}{}", letters(block.right.saturating_sub(1)), block.bottom);
    if first == last { format!("{quoted}!{first}") } else { format!("{quoted}!{first}:{last}") }
}

/// The values of a block, without empty cells and rows at the ends.
pub(super) fn read(tab: &Tab, block: Block, formatted: bool) -> Vec<Vec<Value>> {
    let cell = |value: &Value| match value {
        Value::Null => json!(""),
        Value::Bool(flag) if formatted => json!(flag.to_string().to_uppercase()),
        Value::Number(number) if formatted => json!(number.to_string()),
        other => other.clone(),
    };
    let row = |n: usize| {
        let cells = tab.cells.get(n).map(Vec::as_slice).unwrap_or_default();
        let cells = cells.get(block.left..block.right.min(cells.len())).unwrap_or_default();
        let end = cells.iter().rposition(|value| !value.is_null()).map_or(0, |at| at + 1);
        cells[..end].iter().map(cell).collect::<Vec<_>>()
    };
    let mut rows: Vec<Vec<Value>> = (block.top..block.bottom.min(tab.cells.len()).max(block.top)).map(row).collect();
    while rows.last().is_some_and(Vec::is_empty) {
        rows.pop();
    }
    rows
}

/// Puts values in; null leaves a cell alone, an empty text empties it. Gives the number of cells that were written.
pub(super) fn write(tab: &mut Tab, top: usize, left: usize, values: &[Value], raw: bool) -> Result<usize, Refusal> {
    let mut count = 0;
    for (y, row) in values.iter().enumerate() {
        for (x, value) in row.as_array().map(Vec::as_slice).unwrap_or_default().iter().enumerate() {
            if value.is_null() {
                continue;
            }
            if !matches!(value, Value::String(_) | Value::Number(_) | Value::Bool(_)) {
                return Err(Refusal::argument("Invalid values: a cell is a text, a number or a boolean"));
            }
            put(tab, top + y, left + x, entered(value, raw))?;
            count += 1;
        }
    }
    Ok(count)
}

fn put(tab: &mut Tab, row: usize, column: usize, value: Value) -> Result<(), Refusal> {
    if row >= tab.rows || column >= tab.columns {
        let message = format!(
            "Range ({}!{}{}) exceeds grid limits. Max rows: {}, max columns: {}",
            tab.name,
            letters(column),
            row + 1,
            tab.rows,
            tab.columns
        );
        return Err(Refusal::argument(&message));
    }
    if tab.cells.len() <= row {
        tab.cells.resize(row + 1, Vec::new());
    }
    let cells = &mut tab.cells[row];
    if cells.len() <= column {
        cells.resize(column + 1, Value::Null);
    }
    cells[column] = value;
    Ok(())
}

/// A value as a person's typing would be understood, unless it is to be taken as it is.
fn entered(value: &Value, raw: bool) -> Value {
    let Value::String(text) = value else { return value.clone() };
    if text.is_empty() {
        return Value::Null;
    }
    if raw {
        return value.clone();
    }
    if text.starts_with(['=', '+']) {
        // Nobody calculates here; what matters is that it is no text any more.
        return json!("#FORMULA!");
    }
    match text.parse::<f64>() {
        Ok(number) => json!(number),
        Err(_) if text.eq_ignore_ascii_case("true") => json!(true),
        Err(_) if text.eq_ignore_ascii_case("false") => json!(false),
        Err(_) => value.clone(),
    }
}

/// Adds rows below the last one with data; the grid grows. Gives where they stand.
pub(super) fn append(tab: &mut Tab, rows: Vec<Vec<Value>>) -> Block {
    let filled = tab.cells.iter().rposition(|row| row.iter().any(|value| !value.is_null()));
    let top = filled.map_or(0, |at| at + 1);
    let right = rows.iter().map(Vec::len).max().unwrap_or(0);
    tab.cells.truncate(top);
    tab.cells.extend(rows);
    tab.rows = tab.rows.max(tab.cells.len());
    tab.columns = tab.columns.max(right);
    Block { top, left: 0, bottom: tab.cells.len(), right }
}

fn unquoted(name: &str) -> String {
    let inner = name.strip_prefix('\'').and_then(|name| name.strip_suffix('\''));
    inner.map_or_else(|| name.to_owned(), |inner| inner.replace("''", "'"))
}

fn corner(text: &str) -> Option<(Option<usize>, Option<usize>)> {
    let split = text.find(|c: char| c.is_ascii_digit()).unwrap_or(text.len());
    let (letters, digits) = text.split_at(split);
    if text.is_empty() || letters.len() > 3 || !letters.bytes().all(|letter| letter.is_ascii_alphabetic()) {
        return None;
    }
    let column = letters.bytes().fold(0, |sum, letter| sum * 26 + usize::from(letter.to_ascii_uppercase() - b'A') + 1);
    let row = if digits.is_empty() { None } else { Some(digits.parse::<usize>().ok()?.checked_sub(1)?) };
    Some((column.checked_sub(1), row))
}

fn letters(column: usize) -> String {
    let mut rest = column + 1;
    let mut text = String::new();
    while rest > 0 {
        text.insert(0, char::from(b'A' + u8::try_from((rest - 1) % 26).unwrap_or(0)));
        rest = (rest - 1) / 26;
    }
    text
}
