//! Change data capture: what changed since a moment, and what was deleted.

use serde_json::{Value, json};

use super::{
    books::{self, Books},
    calls::Asked,
    dates,
    fault::Fault,
};
use crate::clock::DAY;

/// The vendor looks back this far and answers with this many rows at most.
const LOOK_BACK: i64 = 30 * DAY;
const MOST: usize = 1_000;

pub(super) fn answer(books: &Books, asked: &Asked<'_>) -> Result<Value, Fault> {
    let Some(names) = asked.parameter("entities") else { return Err(Fault::missing("entities")) };
    let since = asked.parameter("changedSince").and_then(dates::parse);
    let Some(since) = since else { return Err(Fault::missing("changedSince")) };
    if since < asked.now - LOOK_BACK {
        let detail = "changedSince may not be more than 30 days ago";
        return Err(Fault::validation("2030", "Invalid changedSince", detail).about("changedSince"));
    }
    let mut left = MOST;
    let mut responses = Vec::new();
    for name in names.split(',').map(str::trim) {
        let entity = books::entity(name).ok_or_else(|| Fault::unsupported(format!("{name} cannot be tracked")))?;
        let mut rows: Vec<Value> = books.rows(entity.name).filter(|row| changed(row) >= since).cloned().collect();
        let gone = books.gone.iter().filter(|(table, _, at)| *table == entity.name && *at >= since);
        rows.extend(gone.map(|(_, id, at)| {
            json!({"domain": "QBO", "status": "Deleted", "Id": id.to_string(),
                "MetaData": {"LastUpdatedTime": dates::stamp(*at)}})
        }));
        rows.truncate(left);
        left -= rows.len();
        responses.push(match rows.len() {
            0 => json!({}),
            count => json!({entity.name: rows, "startPosition": 1, "maxResults": count}),
        });
    }
    Ok(json!({"CDCResponse": [{"QueryResponse": responses}]}))
}

fn changed(row: &Value) -> i64 {
    row["MetaData"]["LastUpdatedTime"].as_str().and_then(dates::parse).unwrap_or_default()
}
