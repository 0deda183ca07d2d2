//! Opportunities: deals in a pipeline, each with one contact of the same vendor.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sea_orm::FromQueryResult;
use sea_orm::prelude::*;
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::chain::canonical_json;
pub use crate::contacts::Counts;
pub use crate::entities::opportunities::Model as Opportunity;
use crate::text::clean_option;
use crate::{Result, Tenant, Tx, micros};

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
    pub expires_at: Option<DateTime<Utc>>,
}

const ROWS_A_STATEMENT: usize = 400;

/// Stores a page of opportunities in one transaction; see [`crate::contacts::upsert_batch`].
pub async fn upsert_batch(
    tenant: &Tenant,
    ecosystem: &str,
    run_id: Uuid,
    opportunities: &[NewOpportunity],
    now: DateTime<Utc>,
) -> Result<Counts> {
    let now = micros(now);
    let latest: HashMap<&str, &NewOpportunity> =
        opportunities.iter().map(|opportunity| (opportunity.vendor_id.as_str(), opportunity)).collect();
    let tx = tenant.begin().await?;
    let known = known(&tx, ecosystem, &latest.keys().copied().collect::<Vec<_>>()).await?;
    let mut counts = Counts::default();
    let (mut changed, mut unchanged) = (Vec::new(), Vec::new());
    for opportunity in opportunities.iter().filter(|row| std::ptr::eq(latest[row.vendor_id.as_str()], *row)) {
        let data = canonical_json(&opportunity.data);
        let hash = content_hash(opportunity, &data);
        match known.get(opportunity.vendor_id.as_str()) {
            Some(row) if row.data_hash == hash && row.deleted_at.is_none() => {
                counts.unchanged += 1;
                unchanged.push(row.id);
            }
            row => {
                if row.is_some() {
                    counts.updated += 1
                } else {
                    counts.created += 1
                }
                changed.push((opportunity, data, hash));
            }
        }
    }
    for rows in changed.chunks(ROWS_A_STATEMENT) {
        write(&tx, ecosystem, run_id, rows, now).await?;
    }
    mark_seen(&tx, run_id, &unchanged, now).await?;
    tx.commit().await?;
    Ok(counts)
}

#[derive(FromQueryResult)]
struct Known {
    id: i64,
    vendor_id: String,
    data_hash: Vec<u8>,
    deleted_at: Option<DateTime<Utc>>,
}

async fn known(tx: &Tx, ecosystem: &str, vendor_ids: &[&str]) -> Result<HashMap<String, Known>> {
    let mut sql = tx.sql("SELECT c.id, c.vendor_id, c.data_hash, c.deleted_at");
    sql.from_vendor_ids("opportunities", tx.tenant_id(), ecosystem, vendor_ids, true);
    let rows = Known::find_by_statement(sql.statement()).all(tx.connection()).await?;
    Ok(rows.into_iter().map(|row| (row.vendor_id.clone(), row)).collect())
}

fn content_hash(row: &NewOpportunity, data: &str) -> Vec<u8> {
    let typed = (&row.contact_vendor_id, &row.name, &row.pipeline, &row.stage, &row.status, row.value);
    let mut hash = Sha256::new();
    hash.update(data);
    hash.update(canonical_json(&serde_json::json!(typed)));
    hash.finalize().to_vec()
}

async fn write(
    tx: &Tx,
    ecosystem: &str,
    run_id: Uuid,
    rows: &[(&NewOpportunity, String, Vec<u8>)],
    now: DateTime<Utc>,
) -> Result<()> {
    let mut sql = tx.sql(
        "INSERT INTO opportunities (tenant_id, ecosystem, vendor_id, contact_vendor_id, data, name, pipeline, stage, \
         status, value, data_hash, last_synced, expires_at, seen_run) VALUES ",
    );
    for (index, (row, data, hash)) in rows.iter().enumerate() {
        sql.push(if index == 0 { "(" } else { ", (" }).bind(tx.tenant_id()).push(", ").bind(ecosystem);
        sql.push(", ").bind(row.vendor_id.as_str()).push(", ").bind(row.contact_vendor_id.clone());
        sql.push(", ").bind_json(Some(data.clone()));
        for text in [&row.name, &row.pipeline, &row.stage, &row.status] {
            sql.push(", ").bind(clean_option(text.as_deref()));
        }
        sql.push(", ").bind(row.value).push(", ").bind(hash.clone()).push(", ").bind(now);
        sql.push(", ").bind(row.expires_at.map(micros)).push(", ").bind(run_id).push(")");
    }
    sql.push(
        " ON CONFLICT (tenant_id, ecosystem, vendor_id) DO UPDATE SET contact_vendor_id = excluded.contact_vendor_id, \
         data = excluded.data, name = excluded.name, pipeline = excluded.pipeline, stage = excluded.stage, \
         status = excluded.status, value = excluded.value, data_hash = excluded.data_hash, \
         last_synced = excluded.last_synced, expires_at = excluded.expires_at, deleted_at = NULL, \
         seen_run = excluded.seen_run",
    );
    tx.execute(sql).await?;
    Ok(())
}

async fn mark_seen(tx: &Tx, run_id: Uuid, ids: &[i64], now: DateTime<Utc>) -> Result<()> {
    if ids.is_empty() {
        return Ok(());
    }
    let mut sql = tx.sql("UPDATE opportunities SET seen_run = ");
    sql.bind(run_id).push(", last_synced = ").bind(now).push(" WHERE ").of_tenant("tenant_id", tx.tenant_id());
    sql.push(" AND id").among_ids(ids);
    tx.execute(sql).await?;
    Ok(())
}

/// Marks opportunities deleted that a complete run did not see; see [`crate::contacts::mark_missing_deleted`].
pub async fn mark_missing_deleted(
    tenant: &Tenant,
    ecosystem: &str,
    run_id: Uuid,
    started_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<u64> {
    let mut sql = tenant.sql("UPDATE opportunities SET deleted_at = ");
    sql.bind(micros(now)).push(" WHERE tenant_id = ").bind(tenant.id()).push(" AND ecosystem = ").bind(ecosystem);
    sql.push(" AND deleted_at IS NULL AND (seen_run IS NULL OR seen_run <> ").bind(run_id);
    sql.push(") AND last_synced < ").bind(micros(started_at));
    Ok(tenant.write().execute_raw(sql.statement()).await?.rows_affected())
}

/// A contact's opportunities, the most valuable first.
pub async fn of_contact(tenant: &Tenant, ecosystem: &str, contact_vendor_id: &str) -> Result<Vec<Opportunity>> {
    let mut sql = tenant.sql("SELECT * FROM opportunities WHERE tenant_id = ");
    sql.bind(tenant.id()).push(" AND ecosystem = ").bind(ecosystem);
    sql.push(" AND contact_vendor_id = ").bind(contact_vendor_id);
    sql.push(" AND deleted_at IS NULL ORDER BY value DESC NULLS LAST, id");
    Ok(Opportunity::find_by_statement(sql.statement()).all(tenant.read()).await?)
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
    Ok(Opportunity::find_by_statement(sql.statement()).all(tenant.read()).await?)
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
    Ok(Aggregate::find_by_statement(sql.statement()).all(tenant.read()).await?)
}
