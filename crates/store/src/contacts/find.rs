use chrono::{DateTime, Utc};
use sea_orm::prelude::*;
use sea_orm::{FromQueryResult, QueryResult};

use super::{ContactRow, rank, rows, search};
use crate::pages::{Page, page};
use crate::sql::{Sql, decode_cursor};
use crate::{Result, StoreError, Tenant};

/// Which contacts are asked for. Every field narrows the list; deleted contacts are never in it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filter {
    /// Words anywhere in what the contact is found by, with typos. The best match comes first.
    pub text: Option<String>,
    /// The same, in the name and the nicknames only.
    pub name: Option<String>,
    /// The same, in the company only.
    pub company: Option<String>,
    pub ecosystem: Option<String>,
    pub kind: Option<String>,
    /// All of these are the vendor's tags or our own, whatever their case.
    pub tags: Vec<String>,
    pub has_email: Option<bool>,
    pub has_phone: Option<bool>,
    pub added_since: Option<DateTime<Utc>>,
    pub added_before: Option<DateTime<Utc>>,
    pub contacted_since: Option<DateTime<Utc>>,
    /// No interaction since then, or none at all.
    pub contacted_before: Option<DateTime<Utc>>,
    pub active_since: Option<DateTime<Utc>>,
    /// No activity since then, or none at all.
    pub active_before: Option<DateTime<Utc>>,
    /// All of these words, exactly, in company, tags, company info or the further words.
    pub industry_text: Option<String>,
    pub importance_min: Option<i16>,
    pub ids: Option<Vec<i64>>,
    /// For lists without text.
    pub order: Order,
}

/// In which order contacts without a text query come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// The last active first.
    #[default]
    Active,
    /// The last added first.
    Added,
    /// The most important first.
    Important,
}

impl Order {
    fn column(self) -> &'static str {
        match self {
            Self::Active => "c.last_activity",
            Self::Added => "c.created_at",
            Self::Important => "c.importance",
        }
    }

    fn key(self, row: &ContactRow) -> Option<i64> {
        match self {
            Self::Active => row.last_activity.map(|at| at.timestamp_micros()),
            Self::Added => row.created_at.map(|at| at.timestamp_micros()),
            Self::Important => Some(row.importance.into()),
        }
    }
}

/// The last added contacts.
pub async fn recent(tenant: &Tenant, limit: u64, cursor: Option<&str>) -> Result<Page<ContactRow>> {
    find(tenant, &Filter { order: Order::Added, ..Default::default() }, limit, cursor).await
}

/// Contacts that fit the filter: with words in it the best matches first (at most [`search::RANKED`]), else in the
/// filter's order.
pub async fn find(tenant: &Tenant, filter: &Filter, limit: u64, cursor: Option<&str>) -> Result<Page<ContactRow>> {
    let wanted = rank::Wanted::of(filter);
    if wanted.is_empty() {
        return listed(tenant, filter, limit, cursor).await;
    }
    let offset = cursor.map(decode_offset).transpose()?.unwrap_or_default();
    let found = search::best(tenant, filter, &wanted, offset + limit as usize).await?;
    let ids: Vec<i64> = found.into_iter().skip(offset).collect();
    let shown = &ids[..ids.len().min(limit as usize)];
    let mut rows = rows(tenant, shown).await?;
    rows.sort_by_key(|row| shown.iter().position(|id| *id == row.id));
    let next = (ids.len() > shown.len()).then(|| format!("o{}", offset + shown.len()));
    Ok(Page { rows, next })
}

/// How many contacts fit the filter; with words in it, how many [`find`] would give.
pub async fn count(tenant: &Tenant, filter: &Filter) -> Result<u64> {
    let wanted = rank::Wanted::of(filter);
    if !wanted.is_empty() {
        return Ok(search::best(tenant, filter, &wanted, search::RANKED).await?.len() as u64);
    }
    #[derive(FromQueryResult)]
    struct Count {
        contacts: i64,
    }
    let mut sql = tenant.sql("SELECT COUNT(*) AS contacts FROM contacts c");
    if needs_context(filter) {
        sql.push(CONTEXT);
    }
    conditions(sql.push(" WHERE "), tenant, filter);
    let count = Count::find_by_statement(sql.statement()).one(&tenant.read()).await?;
    Ok(count.map_or(0, |count| count.contacts.max(0) as u64))
}

/// How many contacts fit the filter, without regard to words in it and never more than `most`, so that it costs the
/// same for a million.
pub async fn count_to(tenant: &Tenant, filter: &Filter, most: u64) -> Result<u64> {
    #[derive(FromQueryResult)]
    struct Count {
        contacts: i64,
    }
    let mut sql = tenant.sql("SELECT COUNT(*) AS contacts FROM (SELECT 1 AS one FROM contacts c");
    if needs_context(filter) {
        sql.push(CONTEXT);
    }
    conditions(sql.push(" WHERE "), tenant, filter);
    sql.limit(most as i64).push(") AS counted");
    let count = Count::find_by_statement(sql.statement()).one(&tenant.read()).await?;
    Ok(count.map_or(0, |count| count.contacts.max(0) as u64))
}

async fn listed(tenant: &Tenant, filter: &Filter, limit: u64, cursor: Option<&str>) -> Result<Page<ContactRow>> {
    let mut sql = tenant.sql("SELECT ");
    sql.push(ContactRow::COLUMNS).push(" FROM contacts c").push(CONTEXT).push(" WHERE ");
    conditions(&mut sql, tenant, filter);
    let column = filter.order.column();
    if let Some(cursor) = cursor {
        after(&mut sql, filter.order, cursor)?;
    }
    sql.push(" ORDER BY ").push(column).push(" DESC NULLS LAST, c.id DESC").limit(limit as i64 + 1);
    let rows = ContactRow::find_by_statement(sql.statement()).all(&tenant.read()).await?;
    Ok(page(rows, limit, |row| match filter.order.key(row) {
        Some(key) => format!("{key}_{}", row.id),
        None => format!("none_{}", row.id),
    }))
}

const CONTEXT: &str = " JOIN contact_context x ON x.contact_id = c.id";

/// What comes after the last row of the page before: a lower key, or the same and a lower id, or no key at all.
fn after(sql: &mut Sql, order: Order, cursor: &str) -> Result<()> {
    let unknown = || StoreError::Cursor(cursor.to_owned());
    let (key, id) = cursor.split_once('_').ok_or_else(unknown)?;
    let id: i64 = id.parse().map_err(|_| unknown())?;
    let column = order.column();
    if key == "none" {
        sql.push(" AND ").push(column).push(" IS NULL AND c.id < ").bind(id);
        return Ok(());
    }
    let key: Value = match order {
        Order::Important => key.parse::<i16>().map_err(|_| unknown())?.into(),
        _ => decode_cursor(cursor)?.0.into(),
    };
    sql.push(" AND (").push(column).push(" < ").bind(key.clone()).push(" OR (").push(column).push(" = ").bind(key);
    sql.push(" AND c.id < ").bind(id).push(") OR ").push(column).push(" IS NULL)");
    Ok(())
}

pub(super) fn needs_context(filter: &Filter) -> bool {
    filter.contacted_since.is_some() || filter.contacted_before.is_some() || !filter.tags.is_empty()
}

/// Everything in the filter but the words. Contacts are `c`, contexts `x`.
pub(super) fn conditions(sql: &mut Sql, tenant: &Tenant, filter: &Filter) {
    match filter.ids {
        Some(_) => sql.of_tenant("c.tenant_id", tenant.id()),
        None => sql.push("c.tenant_id = ").bind(tenant.id()),
    };
    sql.push(" AND c.deleted_at IS NULL");
    if let Some(ecosystem) = &filter.ecosystem {
        sql.push(" AND c.ecosystem = ").bind(ecosystem.as_str());
    }
    if let Some(kind) = &filter.kind {
        sql.push(" AND lower(c.kind) = ").bind(kind.to_lowercase());
    }
    for tag in &filter.tags {
        let pattern = format!("%{}%", like_escaped(&serde_json::Value::from(tag.to_lowercase()).to_string()));
        sql.push(" AND (lower(CAST(c.tags AS TEXT)) LIKE ").bind(pattern.clone()).push(ESCAPE);
        sql.push(" OR lower(CAST(x.custom_tags AS TEXT)) LIKE ").bind(pattern).push(ESCAPE).push(")");
    }
    for (column, wanted) in [("c.email", filter.has_email), ("c.phone", filter.has_phone)] {
        match wanted {
            Some(true) => sql.push(" AND ").push(column).push(" <> ''"),
            Some(false) => sql.push(" AND COALESCE(").push(column).push(", '') = ''"),
            None => sql,
        };
    }
    for (condition, at) in [
        (" AND c.created_at >= ", filter.added_since),
        (" AND c.created_at < ", filter.added_before),
        (" AND c.last_activity >= ", filter.active_since),
        (" AND x.last_interaction >= ", filter.contacted_since),
    ] {
        if let Some(at) = at {
            sql.push(condition).bind(at);
        }
    }
    for (column, before) in [("x.last_interaction", filter.contacted_before), ("c.last_activity", filter.active_before)]
    {
        if let Some(at) = before {
            sql.push(" AND (").push(column).push(" IS NULL OR ").push(column).push(" < ").bind(at).push(")");
        }
    }
    for word in filter.industry_text.iter().flat_map(|text| text.split_whitespace()) {
        let pattern = format!("%{}%", like_escaped(&crate::text::folded(word)));
        sql.push(" AND c.search_text LIKE ").bind(pattern).push(ESCAPE);
    }
    if let Some(importance) = filter.importance_min {
        sql.push(" AND c.importance >= ").bind(importance);
    }
    if let Some(ids) = &filter.ids {
        sql.push(" AND c.id").among_ids(ids);
    }
}

pub(super) const ESCAPE: &str = " ESCAPE '~'";

/// Text for a LIKE pattern, with [`ESCAPE`] behind it.
pub(super) fn like_escaped(text: &str) -> String {
    text.replace('~', "~~").replace('%', "~%").replace('_', "~_")
}

fn decode_offset(cursor: &str) -> Result<usize> {
    let offset = cursor.strip_prefix('o').and_then(|offset| offset.parse().ok());
    offset.ok_or_else(|| StoreError::Cursor(cursor.to_owned()))
}

/// What ranking needs of a contact.
pub(super) struct Candidate {
    pub(super) id: i64,
    pub(super) name: Option<String>,
    pub(super) company: Option<String>,
    pub(super) search_text: String,
    pub(super) importance: i16,
    pub(super) last_activity: Option<DateTime<Utc>>,
}

impl FromQueryResult for Candidate {
    fn from_query_result(row: &QueryResult, prefix: &str) -> Result<Self, DbErr> {
        Ok(Self {
            id: row.try_get(prefix, "id")?,
            name: row.try_get(prefix, "name")?,
            company: row.try_get(prefix, "company")?,
            search_text: row.try_get(prefix, "search_text")?,
            importance: row.try_get(prefix, "importance")?,
            last_activity: row.try_get(prefix, "last_activity")?,
        })
    }
}
