//! Contacts: the vendor's data with the columns that we search by, joined with what people know (`contact_context`).

mod attention;
mod context;
mod find;
mod rank;
mod search;
mod upsert;

pub use attention::{Brief, Patience, Scored, scored, waiting, walk};
pub use context::{ContextChange, save_context};
pub use find::{Filter, Order, count, count_to, find, recent};
pub use upsert::{Counts, NewContact, set_importance, settle_search, upsert_batch};

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sea_orm::prelude::*;
use sea_orm::{FromQueryResult, QueryResult};
use serde::Serialize;

pub use crate::entities::contacts::Model as Contact;
use crate::entities::contacts::{Column, Entity};
use crate::{Result, Tenant};

/// A contact as lists show it: without the vendor's JSON, with its context.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ContactRow {
    pub id: i64,
    pub ecosystem: String,
    pub vendor_id: String,
    pub name: Option<String>,
    pub first_name: Option<String>,
    pub company: Option<String>,
    pub email: Option<String>,
    pub phone: Option<String>,
    pub kind: Option<String>,
    pub tags: Vec<String>,
    pub source: Option<String>,
    pub created_at: Option<DateTime<Utc>>,
    pub last_activity: Option<DateTime<Utc>>,
    pub importance: i16,
    pub last_synced: DateTime<Utc>,
    pub nicknames: Vec<String>,
    pub personal_notes: Option<String>,
    pub company_info: Option<String>,
    pub relationship_notes: Option<String>,
    pub last_interaction: Option<DateTime<Utc>>,
    pub interaction_count: i64,
    pub custom_tags: Vec<String>,
}

impl ContactRow {
    /// The columns, from contacts `c` and contact_context `x`.
    pub(crate) const COLUMNS: &str = "c.id, c.ecosystem, c.vendor_id, c.name, c.first_name, c.company, c.email, \
        c.phone, c.kind, c.tags, c.source, c.created_at, c.last_activity, c.importance, c.last_synced, x.nicknames, \
        x.personal_notes, x.company_info, x.relationship_notes, x.last_interaction, x.interaction_count, x.custom_tags";
}

impl FromQueryResult for ContactRow {
    fn from_query_result(row: &QueryResult, prefix: &str) -> Result<Self, DbErr> {
        Ok(Self {
            id: row.try_get(prefix, "id")?,
            ecosystem: row.try_get(prefix, "ecosystem")?,
            vendor_id: row.try_get(prefix, "vendor_id")?,
            name: row.try_get(prefix, "name")?,
            first_name: row.try_get(prefix, "first_name")?,
            company: row.try_get(prefix, "company")?,
            email: row.try_get(prefix, "email")?,
            phone: row.try_get(prefix, "phone")?,
            kind: row.try_get(prefix, "kind")?,
            tags: strings(row.try_get(prefix, "tags")?),
            source: row.try_get(prefix, "source")?,
            created_at: row.try_get(prefix, "created_at")?,
            last_activity: row.try_get(prefix, "last_activity")?,
            importance: row.try_get(prefix, "importance")?,
            last_synced: row.try_get(prefix, "last_synced")?,
            nicknames: strings(row.try_get(prefix, "nicknames")?),
            personal_notes: row.try_get(prefix, "personal_notes")?,
            company_info: row.try_get(prefix, "company_info")?,
            relationship_notes: row.try_get(prefix, "relationship_notes")?,
            last_interaction: row.try_get(prefix, "last_interaction")?,
            interaction_count: row.try_get(prefix, "interaction_count")?,
            custom_tags: strings(row.try_get(prefix, "custom_tags")?),
        })
    }
}

/// The texts of a JSON array; anything else in it is left out.
pub(crate) fn strings(json: Json) -> Vec<String> {
    let Json::Array(items) = json else { return Vec::new() };
    items.into_iter().filter_map(|item| if let Json::String(text) = item { Some(text) } else { None }).collect()
}

/// How many contacts there are, and when they were last synced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, FromQueryResult)]
pub struct Stats {
    pub contacts: i64,
    pub deleted: i64,
    pub with_email: i64,
    pub with_phone: i64,
    pub last_synced: Option<DateTime<Utc>>,
}

/// One contact with all that the vendor said of it.
pub async fn get(tenant: &Tenant, id: i64) -> Result<Option<Contact>> {
    Ok(Entity::find_by_id(id).filter(Column::TenantId.eq(tenant.id())).one(&tenant.read()).await?)
}

/// The same, by the vendor's id.
pub async fn by_vendor_id(tenant: &Tenant, ecosystem: &str, vendor_id: &str) -> Result<Option<Contact>> {
    let query = Entity::find()
        .filter(Column::TenantId.eq(tenant.id()))
        .filter(Column::Ecosystem.eq(ecosystem))
        .filter(Column::VendorId.eq(vendor_id));
    Ok(query.one(&tenant.read()).await?)
}

/// Our ids of these contacts of the vendor; those that are not here are left out.
pub async fn ids_by_vendor_id(tenant: &Tenant, ecosystem: &str, vendor_ids: &[&str]) -> Result<HashMap<String, i64>> {
    #[derive(FromQueryResult)]
    struct Known {
        id: i64,
        vendor_id: String,
    }
    let mut sql = tenant.sql("SELECT c.id, c.vendor_id");
    sql.push_from_vendor_ids("contacts", tenant.id(), ecosystem, vendor_ids, false);
    let rows = Known::find_by_statement(sql.statement()).all(&tenant.read()).await?;
    Ok(rows.into_iter().map(|row| (row.vendor_id, row.id)).collect())
}

/// The rows of these contacts, deleted ones too, in no particular order.
pub async fn rows(tenant: &Tenant, ids: &[i64]) -> Result<Vec<ContactRow>> {
    let mut sql = tenant.sql("SELECT ");
    sql.push(ContactRow::COLUMNS).push(" FROM contacts c JOIN contact_context x ON x.contact_id = c.id");
    sql.push(" WHERE ").of_tenant("c.tenant_id", tenant.id()).push(" AND c.id").among_ids(ids);
    Ok(ContactRow::find_by_statement(sql.statement()).all(&tenant.read()).await?)
}

/// Counts over one ecosystem's contacts, or over all.
pub async fn stats(tenant: &Tenant, ecosystem: Option<&str>) -> Result<Stats> {
    let mut sql = tenant.sql(
        "SELECT SUM(CASE WHEN deleted_at IS NULL THEN 1 ELSE 0 END) AS contacts, \
         SUM(CASE WHEN deleted_at IS NULL THEN 0 ELSE 1 END) AS deleted, \
         SUM(CASE WHEN deleted_at IS NULL AND email <> '' THEN 1 ELSE 0 END) AS with_email, \
         SUM(CASE WHEN deleted_at IS NULL AND phone <> '' THEN 1 ELSE 0 END) AS with_phone, \
         MAX(last_synced) AS last_synced FROM contacts WHERE tenant_id = ",
    );
    sql.bind(tenant.id());
    if let Some(ecosystem) = ecosystem {
        sql.push(" AND ecosystem = ").bind(ecosystem);
    }
    // Without rows the sums are NULL.
    sql.push(" HAVING COUNT(*) > 0");
    let stats = Stats::find_by_statement(sql.statement()).one(&tenant.read()).await?;
    Ok(stats.unwrap_or(Stats { contacts: 0, deleted: 0, with_email: 0, with_phone: 0, last_synced: None }))
}
