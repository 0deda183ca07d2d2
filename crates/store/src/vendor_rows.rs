//! Tables that hold what a vendor knows: its JSON whole, and the few columns that we ask by.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sea_orm::prelude::*;
use sea_orm::{FromQueryResult, Value as Bound};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::chain::canonical_json;
use crate::contacts::Counts;
use crate::{Result, Tenant, Tx, micros};

/// One of these tables and its own columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Table {
    pub name: &'static str,
    pub(crate) columns: &'static [&'static str],
}

pub const OPPORTUNITIES: Table =
    Table { name: "opportunities", columns: &["contact_vendor_id", "name", "pipeline", "stage", "status", "value"] };
/// Whom another system knows as a customer; the brain's contacts are linked to them.
pub const CUSTOMERS: Table =
    Table { name: "customers", columns: &["name", "company", "email", "phone", "phone_digits"] };
pub const INVOICES: Table = Table {
    name: "invoices",
    columns: &[
        "number",
        "customer_id",
        "customer_name",
        "customer_email",
        "issued",
        "due",
        "total",
        "balance",
        "currency",
        "status",
    ],
};
pub const PAYMENTS: Table = Table {
    name: "payments",
    columns: &["customer_id", "customer_name", "paid_on", "amount", "currency", "method", "invoices"],
};
pub const ORDERS: Table = Table {
    name: "orders",
    columns: &[
        "buyer_name",
        "buyer_email",
        "placed_at",
        "status",
        "total",
        "currency",
        "items",
        "fulfilled_by",
        "ship_by",
    ],
};
pub const INVENTORY: Table = Table { name: "inventory", columns: &["sku", "name", "available", "reserved", "inbound"] };
pub const DOCUMENTS: Table =
    Table { name: "documents", columns: &["name", "mime_type", "owner_email", "modified_at", "link", "size"] };
pub const DOMAINS: Table =
    Table { name: "domains", columns: &["name", "status", "registered_until", "auto_renew", "name_servers"] };
pub const DNS_RECORDS: Table =
    Table { name: "dns_records", columns: &["domain", "name", "kind", "content", "ttl", "priority"] };
/// Headers of mails; `others` are the addresses on the other side, in small letters.
pub const MESSAGES: Table = Table { name: "messages", columns: &["others", "subject", "sent_at", "outbound"] };

/// Every table of this kind.
pub const TABLES: [Table; 10] =
    [OPPORTUNITIES, CUSTOMERS, INVOICES, PAYMENTS, ORDERS, INVENTORY, DOCUMENTS, DOMAINS, DNS_RECORDS, MESSAGES];

/// A row as a connector read it; `values` are those of the table's columns, in their order.
#[derive(Clone, Debug, PartialEq)]
pub struct NewRow {
    pub vendor_id: String,
    /// The vendor's JSON, whole.
    pub data: Value,
    pub values: Vec<Bound>,
}

/// Bound values of a statement, below what SQLite (32,766) and PostgreSQL (65,535) take.
const VALUES_A_STATEMENT: usize = 6_000;

/// Stores a page in one transaction. Rows whose content is the same only get `seen_run` and `last_synced`. Of two rows
/// with one id the last counts.
pub async fn upsert_batch(
    tenant: &Tenant,
    table: Table,
    ecosystem: &str,
    run_id: Uuid,
    rows: &[NewRow],
    now: DateTime<Utc>,
) -> Result<Counts> {
    let now = micros(now);
    let latest: HashMap<&str, &NewRow> = rows.iter().map(|row| (row.vendor_id.as_str(), row)).collect();
    let tx = tenant.begin().await?;
    let known = known(&tx, table, ecosystem, &latest.keys().copied().collect::<Vec<_>>()).await?;
    let mut counts = Counts::default();
    let (mut changed, mut unchanged) = (Vec::new(), Vec::new());
    for row in rows.iter().filter(|row| std::ptr::eq(latest[row.vendor_id.as_str()], *row)) {
        let data = canonical_json(&row.data);
        let hash = content_hash(row, &data);
        match known.get(row.vendor_id.as_str()) {
            Some(known) if known.data_hash == hash && known.deleted_at.is_none() => {
                counts.unchanged += 1;
                unchanged.push(known.id);
                continue;
            }
            Some(_) => counts.updated += 1,
            None => counts.created += 1,
        }
        changed.push((row, data, hash));
    }
    tx.copies(changed.len()).await?;
    for rows in changed.chunks(VALUES_A_STATEMENT / (table.columns.len() + 7)) {
        write(&tx, table, ecosystem, run_id, rows, now).await?;
    }
    mark_seen(&tx, table, run_id, &unchanged, now).await?;
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

async fn known(tx: &Tx, table: Table, ecosystem: &str, vendor_ids: &[&str]) -> Result<HashMap<String, Known>> {
    let mut sql = tx.sql("SELECT c.id, c.vendor_id, c.data_hash, c.deleted_at");
    sql.push_from_vendor_ids(table.name, tx.tenant_id(), ecosystem, vendor_ids, true);
    let rows = Known::find_by_statement(sql.statement()).all(tx.connection()).await?;
    Ok(rows.into_iter().map(|row| (row.vendor_id.clone(), row)).collect())
}

fn content_hash(row: &NewRow, data: &str) -> Vec<u8> {
    Sha256::new().chain_update(data).chain_update(format!("{:?}", row.values)).finalize().to_vec()
}

async fn write(
    tx: &Tx,
    table: Table,
    ecosystem: &str,
    run_id: Uuid,
    rows: &[(&NewRow, String, Vec<u8>)],
    now: DateTime<Utc>,
) -> Result<()> {
    let own = table.columns.join(", ");
    let mut sql = tx.sql("INSERT INTO ");
    sql.push(table.name).push(" (tenant_id, ecosystem, vendor_id, data, ").push(&own);
    sql.push(", data_hash, last_synced, seen_run) VALUES ");
    for (index, (row, data, hash)) in rows.iter().enumerate() {
        sql.push(if index == 0 { "(" } else { ", (" }).bind(tx.tenant_id()).push(", ").bind(ecosystem);
        sql.push(", ").bind(row.vendor_id.as_str()).push(", ").bind_json(Some(data.clone()));
        for value in &row.values {
            sql.push(", ").bind(value.clone());
        }
        sql.push(", ").bind(hash.clone()).push(", ").bind(now).push(", ").bind(run_id).push(")");
    }
    sql.push(" ON CONFLICT (tenant_id, ecosystem, vendor_id) DO UPDATE SET deleted_at = NULL");
    for column in table.columns.iter().chain(&["data", "data_hash", "last_synced", "seen_run"]) {
        sql.push(", ").push(column).push(" = excluded.").push(column);
    }
    tx.execute(sql).await?;
    Ok(())
}

async fn mark_seen(tx: &Tx, table: Table, run_id: Uuid, ids: &[i64], now: DateTime<Utc>) -> Result<()> {
    if ids.is_empty() {
        return Ok(());
    }
    let mut sql = tx.sql("UPDATE ");
    sql.push(table.name).push(" SET seen_run = ").bind(run_id).push(", last_synced = ").bind(now).push(" WHERE ");
    sql.of_tenant("tenant_id", tx.tenant_id()).push(" AND id").among_ids(ids);
    tx.execute(sql).await?;
    Ok(())
}

/// Marks rows of a table, `contacts` among them, deleted that a complete run over the ecosystem did not see. What was
/// written after the run began (by a webhook, or by a call of ours) stays.
pub async fn mark_missing_deleted(
    tenant: &Tenant,
    table: &'static str,
    ecosystem: &str,
    run_id: Uuid,
    started_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<u64> {
    let mut sql = tenant.sql("UPDATE ");
    sql.push(table).push(" SET deleted_at = ").bind(micros(now));
    sql.push(" WHERE tenant_id = ").bind(tenant.id()).push(" AND ecosystem = ").bind(ecosystem);
    sql.push(" AND deleted_at IS NULL AND (seen_run IS NULL OR seen_run <> ").bind(run_id);
    sql.push(") AND last_synced < ").bind(micros(started_at));
    Ok(tenant.write().execute_raw(sql.statement()).await?.rows_affected())
}

/// Marks these rows deleted, because the vendor said so. Returns how many were not before. `table` may also be
/// `contacts`.
pub async fn mark_deleted(
    tenant: &Tenant,
    table: &'static str,
    ecosystem: &str,
    vendor_ids: &[&str],
    now: DateTime<Utc>,
) -> Result<u64> {
    let mut deleted = 0;
    for vendor_id in vendor_ids {
        deleted += u64::from(mark_deleted_unless_seen(tenant, table, ecosystem, vendor_id, None, now).await?);
    }
    Ok(deleted)
}

/// The same for one row, unless it was copied after `seen`: then it has come back since, or the word is an old one.
pub async fn mark_deleted_unless_seen(
    tenant: &Tenant,
    table: &'static str,
    ecosystem: &str,
    vendor_id: &str,
    seen: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Result<bool> {
    let mut sql = tenant.sql("UPDATE ");
    sql.push(table).push(" SET deleted_at = ").bind(micros(now)).push(", last_synced = ").bind(micros(now));
    sql.push(" WHERE tenant_id = ").bind(tenant.id()).push(" AND ecosystem = ").bind(ecosystem);
    sql.push(" AND vendor_id = ").bind(vendor_id).push(" AND deleted_at IS NULL");
    if let Some(seen) = seen {
        sql.push(" AND last_synced <= ").bind(micros(seen));
    }
    Ok(tenant.write().execute_raw(sql.statement()).await?.rows_affected() > 0)
}
