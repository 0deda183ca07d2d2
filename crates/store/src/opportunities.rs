//! Opportunities: deals in a pipeline, each with one contact of the same vendor.

use chrono::{DateTime, Utc};
use sea_orm::FromQueryResult;
use sea_orm::prelude::Uuid;
use serde::Serialize;
use serde_json::Value;

use crate::contacts::Counts;
pub use crate::entities::opportunities::Model as Opportunity;
use crate::text::clean_option;
use crate::vendor_rows::{self, NewRow, OPPORTUNITIES};
use crate::{Result, Tenant};

/// An opportunity as a connector read it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NewOpportunity {
    pub vendor_id: String,
    pub contact_vendor_id: Option<String>,
    /// The vendor's JSON, whole.
    pub data: Value,
    pub name: Option<String>,
    pub pipeline: Option<String>,
    pub stage: Option<String>,
    /// `open`, `won`, `lost`, `abandoned` …
    pub status: Option<String>,
    pub value: Option<f64>,
}

/// Stores a page of opportunities; see [`vendor_rows::upsert_batch`].
pub async fn upsert_batch(
    tenant: &Tenant,
    ecosystem: &str,
    run_id: Uuid,
    opportunities: &[NewOpportunity],
    now: DateTime<Utc>,
) -> Result<Counts> {
    let rows: Vec<NewRow> = opportunities.iter().cloned().map(NewRow::from).collect();
    vendor_rows::upsert_batch(tenant, OPPORTUNITIES, ecosystem, run_id, &rows, now).await
}

impl From<NewOpportunity> for NewRow {
    fn from(deal: NewOpportunity) -> NewRow {
        let texts = [deal.contact_vendor_id, deal.name, deal.pipeline, deal.stage, deal.status];
        let mut values: Vec<sea_orm::Value> =
            texts.into_iter().map(|text| clean_option(text.as_deref()).into()).collect();
        values.push(deal.value.into());
        NewRow { vendor_id: deal.vendor_id, data: deal.data, values }
    }
}

/// A contact's opportunities, the most valuable first.
pub async fn of_contact(tenant: &Tenant, ecosystem: &str, contact_vendor_id: &str) -> Result<Vec<Opportunity>> {
    let mut sql = tenant.sql("SELECT * FROM opportunities WHERE tenant_id = ");
    sql.bind(tenant.id()).push(" AND ecosystem = ").bind(ecosystem);
    sql.push(" AND contact_vendor_id = ").bind(contact_vendor_id);
    sql.push(" AND deleted_at IS NULL ORDER BY value DESC NULLS LAST, id");
    Ok(Opportunity::find_by_statement(sql.statement()).all(&tenant.read()).await?)
}

/// Which opportunities are asked for. Every field narrows the list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    pub contact_vendor_id: Option<String>,
    pub status: Option<String>,
    /// Part of the name, whatever its case.
    pub name: Option<String>,
}

/// Opportunities that fit the filter, the most valuable first.
pub async fn list(tenant: &Tenant, ecosystem: &str, filter: &Filter, limit: u64) -> Result<Vec<Opportunity>> {
    let mut sql = tenant.sql("SELECT * FROM opportunities WHERE deleted_at IS NULL AND tenant_id = ");
    sql.bind(tenant.id()).push(" AND ecosystem = ").bind(ecosystem);
    for (column, text) in [("contact_vendor_id", &filter.contact_vendor_id), ("status", &filter.status)] {
        if let Some(text) = text {
            sql.push(" AND ").push(column).push(" = ").bind(text.as_str());
        }
    }
    if let Some(name) = &filter.name {
        let name = name.to_lowercase().replace('~', "~~").replace('%', "~%").replace('_', "~_");
        sql.push(" AND lower(name) LIKE ").bind(format!("%{name}%")).push(" ESCAPE '~'");
    }
    sql.push(" ORDER BY value DESC NULLS LAST, id").limit(limit as i64);
    Ok(Opportunity::find_by_statement(sql.statement()).all(&tenant.read()).await?)
}

/// What a contact's opportunities of one status come to.
#[derive(Clone, Debug, PartialEq, Serialize, FromQueryResult)]
pub struct Aggregate {
    pub contact_vendor_id: String,
    pub status: Option<String>,
    pub opportunities: i64,
    pub value: f64,
}

/// Counts and sums by status of each contact that has any.
pub async fn aggregates(tenant: &Tenant, ecosystem: &str) -> Result<Vec<Aggregate>> {
    let mut sql = tenant.sql(
        "SELECT contact_vendor_id, status, COUNT(*) AS opportunities, COALESCE(SUM(value), 0.0) AS value \
         FROM opportunities WHERE deleted_at IS NULL AND contact_vendor_id IS NOT NULL AND tenant_id = ",
    );
    sql.bind(tenant.id()).push(" AND ecosystem = ").bind(ecosystem);
    sql.push(" GROUP BY contact_vendor_id, status ORDER BY contact_vendor_id, status");
    Ok(Aggregate::find_by_statement(sql.statement()).all(&tenant.read()).await?)
}
