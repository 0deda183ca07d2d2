//! What other systems know of a contact: their customers, and what belongs to those.

use chrono::{DateTime, NaiveDate, Utc};
use sea_orm::FromQueryResult;

use crate::{Result, Tenant, micros};

/// A customer of another system.
#[derive(Clone, Debug, PartialEq, FromQueryResult)]
pub struct Customer {
    pub ecosystem: String,
    pub vendor_id: String,
    pub name: Option<String>,
    pub company: Option<String>,
    pub email: Option<String>,
    pub phone_digits: Option<String>,
    pub last_synced: DateTime<Utc>,
}

/// What a contact is looked for by; texts in lower case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Likeness {
    pub email: Option<String>,
    pub phone_digits: Option<String>,
    pub name: Option<String>,
    pub company: Option<String>,
}

/// Customers that share an e-mail address, a phone number, the name or the company; fifty at most.
pub async fn like(tenant: &Tenant, likeness: &Likeness) -> Result<Vec<Customer>> {
    let mut sql = tenant.sql(
        "SELECT ecosystem, vendor_id, name, company, email, phone_digits, last_synced FROM customers \
         WHERE deleted_at IS NULL AND tenant_id = ",
    );
    sql.bind(tenant.id()).push(" AND (FALSE");
    let Likeness { email, phone_digits, name, company } = likeness;
    for (column, text) in [
        ("email", email),
        ("phone_digits", phone_digits),
        ("lower(name)", name),
        ("lower(name)", company),
        ("lower(company)", company),
    ] {
        if let Some(text) = text {
            sql.push(" OR ").push(column).push(" = ").bind(text.as_str());
        }
    }
    sql.push(") ORDER BY ecosystem, id").limit(50);
    Ok(Customer::find_by_statement(sql.statement()).all(&tenant.read()).await?)
}

/// Customers of any system whose name, company or address has each of these words in it; for businesses whose contacts
/// are nowhere else.
pub async fn named(tenant: &Tenant, words: &[String], limit: u64) -> Result<Vec<Customer>> {
    let mut sql = tenant.sql(
        "SELECT ecosystem, vendor_id, name, company, email, phone_digits, last_synced FROM customers \
         WHERE deleted_at IS NULL AND tenant_id = ",
    );
    sql.bind(tenant.id());
    for word in words {
        let word = word.to_lowercase().replace('~', "~~").replace('%', "~%").replace('_', "~_");
        sql.push(" AND (lower(coalesce(name, '') || ' ' || coalesce(company, '') || ' ' || coalesce(email, '')) LIKE ");
        sql.bind(format!("%{word}%")).push(" ESCAPE '~')");
    }
    sql.push(" ORDER BY name, ecosystem, id").limit(limit as i64);
    Ok(Customer::find_by_statement(sql.statement()).all(&tenant.read()).await?)
}

/// What a person said of a link.
#[derive(Clone, Debug, PartialEq, FromQueryResult)]
pub struct Verdict {
    pub ecosystem: String,
    pub vendor_id: String,
    pub same: bool,
    pub said_by: String,
}

/// What people said of a contact's links.
pub async fn verdicts(tenant: &Tenant, contact_id: i64) -> Result<Vec<Verdict>> {
    let mut sql = tenant.sql("SELECT ecosystem, vendor_id, same, said_by FROM customer_links WHERE tenant_id = ");
    sql.bind(tenant.id()).push(" AND contact_id = ").bind(contact_id);
    Ok(Verdict::find_by_statement(sql.statement()).all(&tenant.read()).await?)
}

/// Keeps what a person said of a link; `None` takes it back.
pub async fn say(
    tenant: &Tenant,
    contact_id: i64,
    (ecosystem, vendor_id): (&str, &str),
    same: Option<bool>,
    by: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    let mut sql = tenant.sql("DELETE FROM customer_links WHERE tenant_id = ");
    sql.bind(tenant.id()).push(" AND contact_id = ").bind(contact_id);
    sql.push(" AND ecosystem = ").bind(ecosystem).push(" AND vendor_id = ").bind(vendor_id);
    let tx = tenant.begin().await?;
    tx.execute(sql).await?;
    if let Some(same) = same {
        let mut sql = tx.sql(
            "INSERT INTO customer_links (tenant_id, contact_id, ecosystem, vendor_id, same, said_by, said_at) VALUES (",
        );
        sql.bind(tenant.id()).push(", ").bind(contact_id).push(", ").bind(ecosystem).push(", ").bind(vendor_id);
        sql.push(", ").bind(same).push(", ").bind(by).push(", ").bind(micros(now)).push(")");
        tx.execute(sql).await?;
    }
    tx.commit().await
}

/// A customer by its vendor's id.
pub async fn get(tenant: &Tenant, ecosystem: &str, vendor_id: &str) -> Result<Option<Customer>> {
    let mut sql = tenant.sql(
        "SELECT ecosystem, vendor_id, name, company, email, phone_digits, last_synced FROM customers \
         WHERE deleted_at IS NULL AND tenant_id = ",
    );
    sql.bind(tenant.id()).push(" AND ecosystem = ").bind(ecosystem).push(" AND vendor_id = ").bind(vendor_id);
    Ok(Customer::find_by_statement(sql.statement()).one(&tenant.read()).await?)
}

/// An invoice as a customer's page shows it.
#[derive(Clone, Debug, PartialEq, FromQueryResult)]
pub struct Invoice {
    pub ecosystem: String,
    pub vendor_id: String,
    pub number: Option<String>,
    pub issued: Option<NaiveDate>,
    pub due: Option<NaiveDate>,
    pub total: f64,
    pub balance: f64,
    pub currency: Option<String>,
    pub status: String,
    pub last_synced: DateTime<Utc>,
}

/// A customer's invoices, the newest first; 500 at most.
pub async fn invoices(tenant: &Tenant, ecosystem: &str, customer_id: &str) -> Result<Vec<Invoice>> {
    let mut sql = tenant.sql(
        "SELECT ecosystem, vendor_id, number, issued, due, total, balance, currency, status, last_synced \
         FROM invoices WHERE deleted_at IS NULL AND tenant_id = ",
    );
    sql.bind(tenant.id()).push(" AND ecosystem = ").bind(ecosystem).push(" AND customer_id = ").bind(customer_id);
    sql.push(" ORDER BY issued DESC, id DESC").limit(500);
    Ok(Invoice::find_by_statement(sql.statement()).all(&tenant.read()).await?)
}

/// An order as a customer's page shows it.
#[derive(Clone, Debug, PartialEq, FromQueryResult)]
pub struct Order {
    pub ecosystem: String,
    pub vendor_id: String,
    pub buyer_name: Option<String>,
    pub buyer_email: Option<String>,
    pub placed_at: Option<DateTime<Utc>>,
    pub status: String,
    pub total: Option<f64>,
    pub currency: Option<String>,
    pub last_synced: DateTime<Utc>,
}

/// The orders of a buyer with this address or this name (both in lower case), the newest first; 200 at most.
pub async fn orders(tenant: &Tenant, email: Option<&str>, name: Option<&str>) -> Result<Vec<Order>> {
    let mut sql = tenant.sql(
        "SELECT ecosystem, vendor_id, buyer_name, buyer_email, placed_at, status, total, currency, last_synced \
         FROM orders WHERE deleted_at IS NULL AND tenant_id = ",
    );
    sql.bind(tenant.id()).push(" AND (FALSE");
    for (column, text) in [("buyer_email", email), ("lower(buyer_name)", name)] {
        if let Some(text) = text {
            sql.push(" OR ").push(column).push(" = ").bind(text);
        }
    }
    sql.push(") ORDER BY placed_at DESC, id DESC").limit(200);
    Ok(Order::find_by_statement(sql.statement()).all(&tenant.read()).await?)
}

/// A document as a customer's page shows it.
#[derive(Clone, Debug, PartialEq, FromQueryResult)]
pub struct Document {
    pub ecosystem: String,
    pub vendor_id: String,
    pub name: String,
    pub modified_at: Option<DateTime<Utc>>,
    pub link: Option<String>,
    pub last_synced: DateTime<Utc>,
}

/// Documents with one of these texts (in lower case) in their name, the last changed first.
pub async fn documents(tenant: &Tenant, texts: &[&str], limit: u64) -> Result<Vec<Document>> {
    let mut sql = tenant.sql(
        "SELECT ecosystem, vendor_id, name, modified_at, link, last_synced FROM documents \
         WHERE deleted_at IS NULL AND tenant_id = ",
    );
    sql.bind(tenant.id()).push(" AND (FALSE");
    for text in texts {
        let text = text.replace('~', "~~").replace('%', "~%").replace('_', "~_");
        sql.push(" OR lower(name) LIKE ").bind(format!("%{text}%")).push(" ESCAPE '~'");
    }
    sql.push(") ORDER BY modified_at DESC, id DESC").limit(limit as i64);
    Ok(Document::find_by_statement(sql.statement()).all(&tenant.read()).await?)
}
