//! Which account the copied rows of an ecosystem come from, so that sample rows never pass for a business's own.

use chrono::{DateTime, Utc};
use sea_orm::ConnectionTrait;

use crate::sql::Sql;
use crate::vendor_rows::TABLES;
use crate::{Result, Tenant, Tx, micros};

/// The account that the rows of an ecosystem came from last; None where nothing was ever connected.
pub async fn origin(tenant: &Tenant, ecosystem: &str) -> Result<Option<String>> {
    let mut sql = tenant.sql("SELECT origin FROM connections WHERE tenant_id = ");
    sql.bind(tenant.id()).push(" AND ecosystem = ").bind(ecosystem);
    let row = tenant.read().query_one_raw(sql.statement()).await?;
    Ok(row.map(|row| row.try_get("", "origin")).transpose()?)
}

/// What happens to the rows of the account before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Before {
    /// They were invented: they are removed.
    Remove,
    /// They belong to another account: they are marked deleted, and come back if the new account has them too.
    MarkDeleted,
}

/// Notes a new account and puts the rows of the one before away, in one transaction. The next sync begins anew.
pub async fn change(tenant: &Tenant, ecosystem: &str, origin: &str, before: Before, now: DateTime<Utc>) -> Result<()> {
    let tx = tenant.begin().await?;
    match before {
        Before::Remove => remove(&tx, ecosystem).await?,
        Before::MarkDeleted => mark_deleted(&tx, ecosystem, now).await?,
    }
    of_ecosystem(&tx, "DELETE FROM sync_cursors", ecosystem).await?;
    // What the vendor was asked to tell is of the account before.
    of_ecosystem(&tx, "DELETE FROM webhook_subscriptions", ecosystem).await?;
    let mut sql = tx.sql("INSERT INTO connections (tenant_id, ecosystem, origin, connected_at) VALUES (");
    sql.bind(tx.tenant_id()).push(", ").bind(ecosystem).push(", ").bind(origin).push(", ").bind(micros(now));
    sql.push(
        ") ON CONFLICT (tenant_id, ecosystem) DO UPDATE SET origin = excluded.origin, connected_at = excluded.connected_at",
    );
    tx.execute(sql).await?;
    tx.commit().await
}

async fn remove(tx: &Tx, ecosystem: &str) -> Result<()> {
    for dependent in ["contact_context", "interaction_history", "recommendation_outcomes"] {
        let mut sql = tx.sql("DELETE FROM ");
        sql.push(dependent).push(" WHERE tenant_id = ").bind(tx.tenant_id());
        sql.push(" AND contact_id IN (SELECT id FROM contacts WHERE tenant_id = ").bind(tx.tenant_id());
        sql.push(" AND ecosystem = ").bind(ecosystem);
        since_connected(&mut sql, tx, ecosystem, "last_synced");
        sql.push(")");
        tx.execute(sql).await?;
    }
    let copied = TABLES.map(|table| (table.name, "last_synced"));
    for (table, time) in copied.into_iter().chain([("contacts", "last_synced"), ("sync_runs", "started_at")]) {
        let mut sql = tx.sql("DELETE FROM ");
        sql.push(table).push(" WHERE tenant_id = ").bind(tx.tenant_id()).push(" AND ecosystem = ").bind(ecosystem);
        since_connected(&mut sql, tx, ecosystem, time);
        tx.execute(sql).await?;
    }
    Ok(())
}

/// Only what came since this account was connected: rows of an account before it may be a business's own.
fn since_connected(sql: &mut Sql, tx: &Tx, ecosystem: &str, time: &str) {
    sql.push(" AND ").push(time).push(" >= (SELECT connected_at FROM connections WHERE tenant_id = ");
    sql.bind(tx.tenant_id()).push(" AND ecosystem = ").bind(ecosystem).push(")");
}

async fn mark_deleted(tx: &Tx, ecosystem: &str, now: DateTime<Utc>) -> Result<()> {
    for table in TABLES.map(|table| table.name).into_iter().chain(["contacts"]) {
        let mut sql = tx.sql("UPDATE ");
        sql.push(table).push(" SET deleted_at = ").bind(micros(now)).push(" WHERE tenant_id = ").bind(tx.tenant_id());
        sql.push(" AND ecosystem = ").bind(ecosystem).push(" AND deleted_at IS NULL");
        tx.execute(sql).await?;
    }
    // A walk that was cut off must not go on over another account.
    let mut sql =
        tx.sql("UPDATE sync_runs SET state = 'cancelled', cursor = NULL WHERE state = 'running' AND tenant_id = ");
    sql.bind(tx.tenant_id()).push(" AND ecosystem = ").bind(ecosystem);
    tx.execute(sql).await?;
    Ok(())
}

async fn of_ecosystem(tx: &Tx, statement: &str, ecosystem: &str) -> Result<()> {
    let mut sql = tx.sql(statement);
    sql.push(" WHERE tenant_id = ").bind(tx.tenant_id()).push(" AND ecosystem = ").bind(ecosystem);
    tx.execute(sql).await?;
    Ok(())
}
