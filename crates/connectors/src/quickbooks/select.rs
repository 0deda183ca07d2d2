//! The query language: one entity, conditions joined by AND, one order, pages by position.

use sdk::Result;
use sdk::http::Method;
use serde_json::{Value, json};

use super::QuickBooks;
use super::wire::Answer;
use crate::{cursor, json};

/// A statement that is being put together.
pub struct Select {
    entity: &'static str,
    conditions: Vec<String>,
    order: &'static str,
}

impl Select {
    /// All rows of an entity; `order` such as `TxnDate DESC`, so that pages do not overlap.
    pub fn from(entity: &'static str, order: &'static str) -> Select {
        Select { entity, conditions: Vec::new(), order }
    }

    /// Adds `property operator 'value'`; `None` adds nothing.
    pub fn and(mut self, property: &str, operator: &str, value: Option<impl ToString>) -> Select {
        if let Some(value) = value {
            self.conditions.push(format!("{property} {operator} {}", quoted(&value.to_string())));
        }
        self
    }

    /// Adds that a text contains another.
    pub fn and_contains(self, property: &str, part: &str) -> Select {
        // A percent sign cannot be escaped; left out it stands for itself and more.
        self.and(property, "LIKE", Some(format!("%{}%", part.replace('%', ""))))
    }

    /// Adds that a property is one of several values.
    pub fn and_in(mut self, property: &str, values: &[String]) -> Select {
        let values: Vec<String> = values.iter().map(|value| quoted(value)).collect();
        self.conditions.push(format!("{property} IN ({})", values.join(", ")));
        self
    }

    /// Adds rows that were made inactive; they are left out otherwise.
    pub fn and_inactive(mut self) -> Select {
        self.conditions.push("Active IN (true, false)".into());
        self
    }

    /// One page, from the first row on at 1.
    pub async fn page(&self, api: &QuickBooks, start: u64, most: u32) -> Result<Answer> {
        let (entity, conditions, order) = (self.entity, self.conditions(), self.order);
        let statement =
            format!("SELECT * FROM {entity}{conditions} ORDERBY {order} STARTPOSITION {start} MAXRESULTS {most}");
        send(api, statement).await
    }

    /// How many rows there are.
    pub async fn count(&self, api: &QuickBooks) -> Result<Option<u64>> {
        let answer = send(api, format!("SELECT count(*) FROM {}{}", self.entity, self.conditions())).await?;
        Ok(json::count(&answer.body["QueryResponse"], "totalCount"))
    }

    fn conditions(&self) -> String {
        if self.conditions.is_empty() { String::new() } else { format!(" WHERE {}", self.conditions.join(" AND ")) }
    }
}

async fn send(api: &QuickBooks, statement: String) -> Result<Answer> {
    let asking = api.ask(Method::GET, "/v3/company/{realmId}/query", &[])?;
    asking.with(&[("query", Some(statement))]).read().await
}

/// A value in quotes, which nothing in it can end.
fn quoted(value: &str) -> String {
    let plain: String = value.chars().filter(|letter| !letter.is_control()).collect();
    format!("'{}'", plain.replace('\\', "\\\\").replace('\'', "\\'"))
}

/// Where a tool's page begins, by the cursor of the page before.
pub fn start(cursor: Option<&str>) -> Result<u64> {
    let cursor = cursor::decode_option(cursor)?;
    Ok(cursor.and_then(|cursor| json::count(&cursor, "at")).unwrap_or(1).max(1))
}

/// The first `limit` rows of a page that was asked for with one row more, and the cursor of the next if there is one.
pub fn cut(rows: &[Value], start: u64, limit: u32) -> (&[Value], Option<String>) {
    let most = limit as usize;
    if rows.len() <= most {
        return (rows, None);
    }
    (&rows[..most], Some(cursor::encode(&json!({"at": start + u64::from(limit)}))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_ends_a_quoted_value() {
        assert_eq!(quoted("O'Neil"), "'O\\'Neil'");
        assert_eq!(quoted("x\\' OR '1'='1"), "'x\\\\\\' OR \\'1\\'=\\'1'");
        assert_eq!(quoted("a\nb\u{0}"), "'ab'");
    }
}
