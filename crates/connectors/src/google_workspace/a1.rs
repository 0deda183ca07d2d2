//! Ranges in A1 notation: `'My tab'!B2:D10`.

use sdk::{Error, Result};

/// A range; rows and columns count from 1, the last ones are included.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Range {
    pub tab: Option<String>,
    pub first_row: Option<u32>,
    pub first_column: Option<u32>,
    pub last_row: Option<u32>,
    pub last_column: Option<u32>,
    /// One cell alone: where a block begins.
    pub cell: bool,
}

impl Range {
    /// `Tab`, `Tab!A1`, `Tab!A1:C9`, `Tab!A:C`, `Tab!2:9`, and `A1:C9` for the first tab.
    pub fn parse(text: &str) -> Result<Range> {
        let text = text.trim();
        let (tab, cells) = match text.rsplit_once('!') {
            Some((tab, cells)) => (Some(unquoted(tab)), cells.trim()),
            None => (None, text),
        };
        let range = within(cells).map(|range| Range { tab: tab.clone(), ..range });
        match (range, tab) {
            (Some(range), _) => Ok(range),
            // A name without cells is a whole tab.
            (None, None) if !text.is_empty() => Ok(Range { tab: Some(unquoted(text)), ..Range::default() }),
            _ => Err(Error::invalid_input("range: give it as `Tab!A1:F20`, `Tab!A1` or `Tab`")),
        }
    }

    /// The text for the vendor.
    pub fn text(&self) -> String {
        let first = end(self.first_column, self.first_row);
        let last = end(self.last_column, self.last_row);
        let cells = if self.cell || last.is_empty() { first } else { format!("{first}:{last}") };
        match &self.tab {
            Some(tab) if cells.is_empty() => quoted(tab),
            Some(tab) => format!("{}!{cells}", quoted(tab)),
            None => cells,
        }
    }
}

/// `(3, 7)` is `C7`.
pub fn cell(column: u32, row: u32) -> String {
    format!("{}{row}", letters(column))
}

/// `'My tab'`: quotes are allowed around every name and needed around most.
pub fn quoted(tab: &str) -> String {
    format!("'{}'", tab.replace('\'', "''"))
}

fn unquoted(tab: &str) -> String {
    let tab = tab.trim();
    let inner = tab.strip_prefix('\'').and_then(|tab| tab.strip_suffix('\''));
    inner.map_or_else(|| tab.to_owned(), |inner| inner.replace("''", "'"))
}

fn within(cells: &str) -> Option<Range> {
    let (first, last) = cells.split_once(':').map_or((cells, None), |(first, last)| (first, Some(last)));
    let (first_column, first_row) = corner(first)?;
    let Some(last) = last else {
        let cell = first_column.is_some() && first_row.is_some();
        return cell.then(|| Range { first_row, first_column, cell, ..Range::default() });
    };
    let (last_column, last_row) = corner(last)?;
    let backwards = |first: Option<u32>, last: Option<u32>| first.zip(last).is_some_and(|(first, last)| last < first);
    if backwards(first_row, last_row) || backwards(first_column, last_column) {
        return None;
    }
    Some(Range { first_row, first_column, last_row, last_column, ..Range::default() })
}

/// Column and row of `B2`, `B` or `2`.
fn corner(text: &str) -> Option<(Option<u32>, Option<u32>)> {
    let text = text.trim().replace('$', "");
    let split = text.find(|c: char| c.is_ascii_digit()).unwrap_or(text.len());
    let (letters, digits) = text.split_at(split);
    let valid = letters.len() <= 3 && letters.chars().all(|c| c.is_ascii_alphabetic()) && digits.len() <= 8;
    if text.is_empty() || !valid {
        return None;
    }
    let column = letters.bytes().fold(0, |sum, letter| sum * 26 + u32::from(letter.to_ascii_uppercase() - b'A') + 1);
    let row = if digits.is_empty() { None } else { Some(digits.parse().ok().filter(|row| *row > 0)?) };
    Some(((column > 0).then_some(column), row))
}

fn end(column: Option<u32>, row: Option<u32>) -> String {
    format!("{}{}", column.map(letters).unwrap_or_default(), row.map(|row| row.to_string()).unwrap_or_default())
}

fn letters(mut column: u32) -> String {
    let mut letters = String::new();
    while column > 0 {
        let letter = u8::try_from((column - 1) % 26).unwrap_or(0);
        letters.insert(0, char::from(b'A' + letter));
        column = (column - 1) / 26;
    }
    letters
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_and_written() {
        for (given, written) in [
            ("Sheet1!A1:C9", "'Sheet1'!A1:C9"),
            ("'It''s mine'!b2", "'It''s mine'!B2"),
            ("Tab!A:AB", "'Tab'!A:AB"),
            ("Tab!2:9", "'Tab'!2:9"),
            ("A1:C9", "A1:C9"),
            ("$A$1:$C$9", "A1:C9"),
            ("Price list", "'Price list'"),
            ("A!B!C1", "'A!B'!C1"),
        ] {
            assert_eq!(Range::parse(given).unwrap().text(), written, "{given}");
        }
        for bad in ["", "Tab!", "Tab!C3:A1", "Tab!A0", "Tab!A1:B2:C3"] {
            assert!(Range::parse(bad).is_err(), "{bad}");
        }
        assert!(Range::parse("Tab!C3").unwrap().cell);
        assert_eq!(cell(28, 7), "AB7");
    }
}
