//! Tables that can be read in a terminal and pasted into Markdown.

/// Rows under a head.
pub struct Table {
    title: String,
    head: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub fn new(title: impl Into<String>, head: &[&str]) -> Table {
        Table { title: title.into(), head: head.iter().map(|cell| (*cell).to_owned()).collect(), rows: Vec::new() }
    }

    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// Prints it, unless it has no rows.
    pub fn print(&self) {
        if self.rows.is_empty() {
            return;
        }
        let widths: Vec<usize> = (0..self.head.len()).map(|column| self.width(column)).collect();
        println!("{}\n", self.title);
        println!("{}", line(&self.head, &widths));
        println!("|{}", widths.iter().map(|width| format!("{}|", "-".repeat(width + 2))).collect::<String>());
        for row in &self.rows {
            println!("{}", line(row, &widths));
        }
        println!();
    }

    fn width(&self, column: usize) -> usize {
        let cells = self.rows.iter().chain([&self.head]).filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or_default()
    }
}

fn line(cells: &[String], widths: &[usize]) -> String {
    let padded = cells.iter().zip(widths).map(|(cell, width)| format!(" {cell:<width$} |"));
    format!("|{}", padded.collect::<String>())
}
