//! Interactions: messages, calls, notes, appointments and meetings with a contact. Our own syncs and views are none.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use sea_orm::FromQueryResult;
use serde_json::Value;

use crate::chain::canonical_json;
pub use crate::entities::interaction_history::Model as Interaction;
use crate::text::clean_option;
use crate::{Result, Tenant, Tx, micros};

/// An interaction as a connector read it.
#[derive(Clone, Debug, PartialEq)]
pub struct NewInteraction {
    pub contact_id: i64,
    pub timestamp: DateTime<Utc>,
    /// `sms`, `email`, `call`, `note`, `appointment`, `meeting` …
    pub interaction_type: String,
    /// `in`, `out`, or None where it has none.
    pub direction: Option<String>,
    pub description: Option<String>,
    pub extra_data: Option<Value>,
    pub ecosystem: String,
    pub vendor_id: String,
}

const ROWS_A_STATEMENT: usize = 100;

/// Stores interactions, each once however often it is read, and keeps `last_interaction` and `interaction_count` of
/// their contacts right. Interactions of contacts that the tenant does not have are left out. Returns how many are new.
pub async fn upsert_batch(tenant: &Tenant, interactions: &[NewInteraction]) -> Result<u64> {
    let tx = tenant.begin().await?;
    let contacts: BTreeSet<i64> = interactions.iter().map(|interaction| interaction.contact_id).collect();
    let contacts = known_contacts(&tx, &contacts.into_iter().collect::<Vec<_>>()).await?;
    let mut seen = BTreeSet::new();
    let rows: Vec<&NewInteraction> = interactions
        .iter()
        .filter(|row| contacts.contains(&row.contact_id) && seen.insert((&row.ecosystem, &row.vendor_id)))
        .collect();
    tx.copies(rows.len()).await?;
    let before = count(&tx, &contacts).await?;
    for rows in rows.chunks(ROWS_A_STATEMENT) {
        write(&tx, rows).await?;
    }
    let created = count(&tx, &contacts).await? - before;
    refresh(&tx, &contacts).await?;
    tx.commit().await?;
    Ok(created.max(0) as u64)
}

/// Removes interactions that turned out to be none, and keeps the sums of their contacts right. Returns how many there
/// were.
pub async fn remove(tenant: &Tenant, ecosystem: &str, vendor_ids: &[String]) -> Result<u64> {
    let tx = tenant.begin().await?;
    let mut contacts = BTreeSet::new();
    let mut removed = 0;
    for vendor_id in vendor_ids {
        let mut sql = tx.sql("DELETE FROM interaction_history WHERE tenant_id = ");
        sql.bind(tx.tenant_id()).push(" AND ecosystem = ").bind(ecosystem).push(" AND vendor_id = ");
        sql.bind(vendor_id.as_str()).push(" RETURNING contact_id");
        for row in tx.rows(sql).await? {
            contacts.insert(row.try_get::<i64>("", "contact_id")?);
            removed += 1;
        }
    }
    if removed > 0 {
        refresh(&tx, &contacts.into_iter().collect::<Vec<_>>()).await?;
    }
    tx.commit().await?;
    Ok(removed)
}

async fn known_contacts(tx: &Tx, ids: &[i64]) -> Result<Vec<i64>> {
    let mut sql = tx.sql("SELECT id FROM contacts WHERE ");
    sql.of_tenant("tenant_id", tx.tenant_id()).push(" AND id").among_ids(ids);
    tx.rows(sql).await?.iter().map(|row| Ok(row.try_get("", "id")?)).collect()
}

async fn count(tx: &Tx, contacts: &[i64]) -> Result<i64> {
    let mut sql = tx.sql("SELECT COUNT(*) AS interactions FROM interaction_history WHERE tenant_id = ");
    sql.bind(tx.tenant_id()).push(" AND contact_id").among_ids(contacts);
    let rows = tx.rows(sql).await?;
    Ok(rows.first().map(|row| row.try_get("", "interactions")).transpose()?.unwrap_or_default())
}

async fn write(tx: &Tx, rows: &[&NewInteraction]) -> Result<()> {
    let mut sql = tx.sql(
        "INSERT INTO interaction_history (tenant_id, contact_id, timestamp, interaction_type, direction, description, \
         extra_data, ecosystem, vendor_id) VALUES ",
    );
    for (index, row) in rows.iter().enumerate() {
        sql.push(if index == 0 { "(" } else { ", (" }).bind(tx.tenant_id()).push(", ").bind(row.contact_id);
        sql.push(", ").bind(micros(row.timestamp)).push(", ").bind(row.interaction_type.as_str());
        sql.push(", ").bind(row.direction.clone()).push(", ").bind(clean_option(row.description.as_deref()));
        sql.push(", ").bind_json(row.extra_data.as_ref().map(canonical_json));
        sql.push(", ").bind(row.ecosystem.as_str()).push(", ").bind(row.vendor_id.as_str()).push(")");
    }
    sql.push(
        " ON CONFLICT (tenant_id, ecosystem, vendor_id) DO UPDATE SET timestamp = excluded.timestamp, \
         interaction_type = excluded.interaction_type, direction = excluded.direction, \
         description = excluded.description, extra_data = excluded.extra_data",
    );
    tx.execute(sql).await?;
    Ok(())
}

async fn refresh(tx: &Tx, contacts: &[i64]) -> Result<()> {
    let of_contact = "FROM interaction_history h WHERE h.tenant_id = contact_context.tenant_id \
                      AND h.contact_id = contact_context.contact_id";
    let mut sql = tx.sql("UPDATE contact_context SET last_interaction = (SELECT MAX(h.timestamp) ");
    sql.push(of_contact).push("), interaction_count = (SELECT COUNT(*) ").push(of_contact);
    sql.push(") WHERE tenant_id = ").bind(tx.tenant_id()).push(" AND contact_id").among_ids(contacts);
    tx.execute(sql).await?;
    Ok(())
}

/// A contact's interactions, newest first.
pub async fn of_contact(tenant: &Tenant, contact_id: i64, limit: u64) -> Result<Vec<Interaction>> {
    let mut sql = tenant.sql("SELECT * FROM interaction_history WHERE tenant_id = ");
    sql.bind(tenant.id()).push(" AND contact_id = ").bind(contact_id);
    sql.push(" ORDER BY timestamp DESC, id DESC").limit(limit as i64);
    Ok(Interaction::find_by_statement(sql.statement()).all(&tenant.read()).await?)
}

/// How many interactions of one type a contact has, and when the last one was.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
pub struct Aggregate {
    pub contact_id: i64,
    pub interaction_type: String,
    pub interactions: i64,
    pub last: DateTime<Utc>,
}

/// Counts by type of each of these contacts.
pub async fn aggregates(tenant: &Tenant, contacts: &[i64]) -> Result<Vec<Aggregate>> {
    let mut sql = tenant.sql(
        "SELECT contact_id, interaction_type, COUNT(*) AS interactions, MAX(timestamp) AS last \
         FROM interaction_history WHERE tenant_id = ",
    );
    sql.bind(tenant.id()).push(" AND contact_id").among_ids(contacts);
    sql.push(" GROUP BY contact_id, interaction_type ORDER BY contact_id, interaction_type");
    Ok(Aggregate::find_by_statement(sql.statement()).all(&tenant.read()).await?)
}
