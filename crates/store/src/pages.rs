//! Lists in pages, the newest first: a cursor names the row after which the next page begins, so that a page costs the same
//! wherever it is.

use chrono::{DateTime, Utc};
use sea_orm::prelude::*;
use sea_orm::{Condition, QueryOrder, QuerySelect, Select};

use crate::sql::{decode_cursor, encode_cursor};
use crate::{Result, StoreError, Tenant};

/// Rows, newest first, and how to ask for the next ones.
#[derive(Clone, Debug, PartialEq)]
pub struct Page<T> {
    pub rows: Vec<T>,
    pub next: Option<String>,
}

/// A page of what a query finds, ordered by the columns for time and id; `place` gives those of a row.
pub(crate) async fn newest<E: EntityTrait>(
    tenant: &Tenant,
    mut query: Select<E>,
    (at, id): (E::Column, E::Column),
    place: impl Fn(&E::Model) -> (DateTime<Utc>, Uuid),
    (limit, cursor): (u64, Option<&str>),
) -> Result<Page<E::Model>> {
    if let Some(cursor) = cursor {
        let (time, row) = decode_cursor(cursor)?;
        let row = Uuid::parse_str(&row).map_err(|_| StoreError::Cursor(cursor.to_owned()))?;
        query = query.filter(at.lte(time)).filter(Condition::any().add(at.lt(time)).add(id.lt(row)));
    }
    let query = query.order_by_desc(at).order_by_desc(id).limit(limit + 1);
    let rows = query.all(&tenant.read()).await?;
    let cursor = |row: &E::Model| {
        let (at, id) = place(row);
        encode_cursor(at, &id.to_string())
    };
    Ok(page(rows, limit, cursor))
}

/// What was found with one row more than asked for, which says whether there are others.
pub(crate) fn page<T>(mut rows: Vec<T>, limit: u64, cursor: impl Fn(&T) -> String) -> Page<T> {
    let more = rows.len() as u64 > limit;
    rows.truncate(limit as usize);
    let next = if more { rows.last().map(cursor) } else { None };
    Page { rows, next }
}
