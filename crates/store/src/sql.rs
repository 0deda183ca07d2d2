//! A statement that grows: text and bound values side by side.

use chrono::{DateTime, Utc};
use sea_orm::{DbBackend, Statement, Value};

/// SQL text with its bound values.
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
        match self.backend {
            DbBackend::Postgres => self.text.push_str(&format!("${}", self.values.len())),
            // Numbered ones have names in SQLite, which looks through all of them at each.
            _ => self.text.push('?'),
        }
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

    /// Writes the tenant's condition of a statement that names its rows by id. SQLite knows nothing of how many rows a
    /// tenant has and would rather walk through all of them; the plus forbids it the index.
    pub(crate) fn of_tenant(&mut self, column: &str, tenant: &str) -> &mut Self {
        self.push(if self.backend == DbBackend::Sqlite { "+" } else { "" }).push(column).push(" = ").bind(tenant)
    }

    /// Writes the condition that what was written before is one of these. It takes one placeholder whatever their
    /// number, so that the prepared statement is reused.
    pub(crate) fn among_ids(&mut self, ids: &[i64]) -> &mut Self {
        let json = serde_json::Value::from(ids).to_string();
        match self.backend {
            // As an array and not as a subquery to join with, so that PostgreSQL looks each one up in an index.
            DbBackend::Postgres => {
                self.push(" = ANY(ARRAY(SELECT jsonb_array_elements(").bind_json(Some(json)).push(")::bigint))")
            }
            _ => self.push(" IN (SELECT value FROM json_each(").bind(json).push("))"),
        }
    }

    /// Writes the FROM of those rows `c` of a vendor's table that have one of these ids, each looked up by itself: with
    /// a plain condition, PostgreSQL may compare every row of the ecosystem with every id. Locked in the order of the
    /// ids, so that two who want the same rows cannot block each other.
    pub(crate) fn push_from_vendor_ids(
        &mut self,
        table: &str,
        tenant: &str,
        ecosystem: &str,
        ids: &[&str],
        lock: bool,
    ) {
        let mut ids = ids.to_vec();
        ids.sort_unstable();
        let ids = serde_json::Value::from(ids).to_string();
        let key = |sql: &mut Self| {
            sql.push("tenant_id = ").bind(tenant).push(" AND ecosystem = ").bind(ecosystem).push(" AND vendor_id = ");
        };
        match self.backend {
            DbBackend::Postgres => {
                self.push(" FROM jsonb_array_elements_text(").bind_json(Some(ids)).push(") AS wanted(id)");
                key(self.push(" CROSS JOIN LATERAL (SELECT * FROM ").push(table).push(" WHERE "));
                self.push("wanted.id OFFSET 0").push(if lock { " FOR UPDATE" } else { "" }).push(") AS c");
            }
            // The order of a CROSS JOIN is kept.
            _ => {
                self.push(" FROM json_each(").bind(ids).push(") AS wanted CROSS JOIN ").push(table);
                key(self.push(" AS c ON c."));
                self.push("wanted.value");
            }
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
