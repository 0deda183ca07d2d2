//! A statement that grows: text and bound values side by side.

use chrono::{DateTime, Utc};
use sea_orm::{DbBackend, Statement, Value};

/// SQL text with its bound values. Both back ends understand `$1`.
pub(crate) struct Sql {
    backend: DbBackend,
    text: String,
    values: Vec<Value>,
}

impl Sql {
    pub(crate) fn new(backend: DbBackend, text: &str) -> Self {
        Self { backend, text: text.to_owned(), values: Vec::new() }
    }

    pub(crate) fn push(&mut self, text: &str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    /// Writes the placeholder of one value. Times are cut to what PostgreSQL keeps, so that both back ends compare alike.
    pub(crate) fn bind(&mut self, value: impl Into<Value>) -> &mut Self {
        self.values.push(match value.into() {
            Value::ChronoDateTimeUtc(Some(at)) => crate::micros(at).into(),
            other => other,
        });
        self.text.push_str(&format!("${}", self.values.len()));
        self
    }

    /// Writes ` LIMIT …`. SQLite plans a statement anew each time a limit is bound to it, which costs more than a short
    /// read; so there it stands as a number. PostgreSQL keeps one plan for all limits.
    pub(crate) fn limit(&mut self, rows: i64) -> &mut Self {
        match self.backend {
            DbBackend::Postgres => self.push(" LIMIT ").bind(rows),
            _ => self.push(&format!(" LIMIT {rows}")),
        }
    }

    /// Writes the placeholder of JSON that is text already.
    pub(crate) fn bind_json(&mut self, json: Option<String>) -> &mut Self {
        self.bind(json);
        if self.backend == DbBackend::Postgres {
            self.text.push_str("::jsonb");
        }
        self
    }

    /// Writes `(…)`, a list that needs one placeholder whatever its length, so that the prepared statement is reused.
    pub(crate) fn bind_ids(&mut self, ids: &[i64]) -> &mut Self {
        let json = serde_json::Value::from(ids).to_string();
        match self.backend {
            DbBackend::Postgres => self.push("(SELECT jsonb_array_elements(").bind_json(Some(json)).push(")::bigint)"),
            _ => self.push("(SELECT value FROM json_each(").bind(json).push("))"),
        }
    }

    /// The same for text.
    pub(crate) fn bind_texts(&mut self, texts: &[&str]) -> &mut Self {
        let json = serde_json::Value::from(texts.to_vec()).to_string();
        match self.backend {
            DbBackend::Postgres => self.push("(SELECT jsonb_array_elements_text(").bind_json(Some(json)).push("))"),
            _ => self.push("(SELECT value FROM json_each(").bind(json).push("))"),
        }
    }

    /// The same statement with a part of its text exchanged.
    pub(crate) fn replace(mut self, from: &str, to: &str) -> Self {
        self.text = self.text.replace(from, to);
        self
    }

    pub(crate) fn backend(&self) -> DbBackend {
        self.backend
    }

    pub(crate) fn statement(self) -> Statement {
        Statement::from_sql_and_values(self.backend, self.text, self.values)
    }
}

/// The start of a keyset cursor over (timestamp, id): microseconds and the id's text.
pub(crate) fn encode_cursor(at: DateTime<Utc>, id: &str) -> String {
    format!("{}_{id}", at.timestamp_micros())
}

/// What [`encode_cursor`] wrote.
pub(crate) fn decode_cursor(cursor: &str) -> crate::Result<(DateTime<Utc>, String)> {
    let parts = cursor.split_once('_').and_then(|(at, id)| {
        let at = DateTime::from_timestamp_micros(at.parse().ok()?)?;
        Some((at, id.to_owned()))
    });
    parts.ok_or_else(|| crate::StoreError::Cursor(cursor.to_owned()))
}
