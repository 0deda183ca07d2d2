//! What other systems know of a contact: invoices, orders, documents, and what waits for a person.

use chrono::{DateTime, NaiveDate, Utc};
use schemars::JsonSchema;
use sdk::Result;
use serde::Serialize;
use store::Tenant;
use store::approvals;
use store::contacts::ContactRow;
use store::customers::{self, Document, Invoice, Order};
use store::entities::approvals::ApprovalState;

use super::linking::{LinkedCustomer, lower};
use super::view::Origin;
use crate::unavailable;

/// How many of each are shown; the sums are over all.
const SHOWN: usize = 5;

/// A contact's invoices in the accounting system.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Invoices {
    pub count: u64,
    pub total: f64,
    /// What is still to be paid.
    pub balance: f64,
    pub overdue: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    /// "3 invoices totalling $1,200.00, $200.00 open".
    pub in_words: String,
    /// The newest.
    pub last: Vec<InvoiceLine>,
    pub origin: Origin,
}

/// One invoice.
#[derive(Debug, Serialize, JsonSchema)]
pub struct InvoiceLine {
    pub id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issued: Option<NaiveDate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due: Option<NaiveDate>,
    pub total: f64,
    pub balance: f64,
    pub status: String,
}

/// A contact's orders.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Orders {
    pub count: u64,
    pub total: f64,
    /// Why they are taken for this contact's.
    pub reason: String,
    pub last: Vec<OrderLine>,
    pub origin: Origin,
}

/// One order.
#[derive(Debug, Serialize, JsonSchema)]
pub struct OrderLine {
    pub id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub placed: Option<DateTime<Utc>>,
    pub status: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<f64>,
}

/// A document that names the contact or its company.
#[derive(Debug, Serialize, JsonSchema)]
pub struct DocumentLine {
    pub id: String,
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub modified: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    pub origin: Origin,
}

/// A call about this contact that waits for a person.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Waiting {
    pub approval_id: String,
    pub tool: String,
    pub expires_at: DateTime<Utc>,
}

/// The invoices of the customers that are surely this contact; None where there are none.
pub(super) async fn invoices(
    tenant: &Tenant,
    links: &[LinkedCustomer],
    now: DateTime<Utc>,
) -> Result<Option<Invoices>> {
    let mut all: Vec<Invoice> = Vec::new();
    for link in links.iter().filter(|link| !link.unsure) {
        all.extend(customers::invoices(tenant, &link.source, &link.id).await.map_err(unavailable)?);
    }
    all.retain(|invoice| invoice.status != "voided");
    let Some(first) = all.first() else { return Ok(None) };
    let origin = Origin::of(&first.ecosystem, first.last_synced, now);
    let currency = first.currency.clone();
    let sum = |amount: fn(&Invoice) -> f64| cents(all.iter().map(amount).sum());
    let (total, balance) = (sum(|invoice| invoice.total), sum(|invoice| invoice.balance));
    let today = now.date_naive();
    let late = |invoice: &&Invoice| invoice.balance > 0.0 && invoice.due.is_some_and(|due| due < today);
    let money = |amount: f64| in_words(amount, currency.as_deref());
    let plural = if all.len() == 1 { "" } else { "s" };
    Ok(Some(Invoices {
        count: all.len() as u64,
        in_words: format!("{} invoice{plural} totalling {}, {} open", all.len(), money(total), money(balance)),
        total,
        balance,
        overdue: all.iter().filter(late).count() as u64,
        last: all.iter().take(SHOWN).map(InvoiceLine::from).collect(),
        currency,
        origin,
    }))
}

/// The orders of a buyer with the contact's address, or else its name.
pub(super) async fn orders(tenant: &Tenant, row: &ContactRow, now: DateTime<Utc>) -> Result<Option<Orders>> {
    let (email, name) = (lower(row.email.as_deref()), lower(row.name.as_deref()));
    let all = customers::orders(tenant, email.as_deref(), name.as_deref()).await.map_err(unavailable)?;
    let Some(first) = all.first() else { return Ok(None) };
    let by_email = email.is_some() && all.iter().any(|order| order.buyer_email == email);
    Ok(Some(Orders {
        count: all.len() as u64,
        total: cents(all.iter().filter_map(|order| order.total).sum()),
        reason: if by_email { "same e-mail address" } else { "same name" }.into(),
        origin: Origin::of(&first.ecosystem, first.last_synced, now),
        last: all.iter().take(SHOWN).map(OrderLine::from).collect(),
    }))
}

/// Documents with the contact's name or company in their own.
pub(super) async fn documents(tenant: &Tenant, row: &ContactRow, now: DateTime<Utc>) -> Result<Vec<DocumentLine>> {
    let texts = [lower(row.name.as_deref()), lower(row.company.as_deref())];
    // A name of three letters is in half of all documents.
    let texts: Vec<&str> = texts.iter().flatten().map(String::as_str).filter(|text| text.len() > 3).collect();
    if texts.is_empty() {
        return Ok(Vec::new());
    }
    let found = customers::documents(tenant, &texts, SHOWN as u64).await.map_err(unavailable)?;
    Ok(found.into_iter().map(|document| DocumentLine::of(document, now)).collect())
}

/// Calls that name the contact and wait for a person.
pub(super) async fn waiting(tenant: &Tenant, row: &ContactRow) -> Result<Vec<Waiting>> {
    let pending = approvals::list(tenant, Some(ApprovalState::Pending), 200, None).await.map_err(unavailable)?;
    let about = |arguments: &str| {
        arguments.contains(&row.vendor_id)
            || row.email.as_ref().is_some_and(|email| !email.is_empty() && arguments.contains(email.as_str()))
    };
    let named = pending.rows.into_iter().filter(|approval| about(&approval.arguments.to_string()));
    let line = |approval: approvals::Approval| Waiting {
        approval_id: approval.id.to_string(),
        tool: approval.tool_name,
        expires_at: approval.expires_at,
    };
    Ok(named.take(SHOWN).map(line).collect())
}

fn cents(amount: f64) -> f64 {
    (amount * 100.0).round() / 100.0
}

/// `$1,200.00`, `EUR 1,200.00`.
fn in_words(amount: f64, currency: Option<&str>) -> String {
    let text = format!("{:.2}", amount.abs());
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, "00"));
    let mut grouped = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    let sign = if amount < 0.0 { "-" } else { "" };
    let unit = match currency {
        Some("USD") | None => "$".to_owned(),
        Some(other) => format!("{other} "),
    };
    format!("{sign}{unit}{grouped}.{fraction}")
}

impl From<&Invoice> for InvoiceLine {
    fn from(invoice: &Invoice) -> InvoiceLine {
        InvoiceLine {
            id: invoice.vendor_id.clone(),
            number: invoice.number.clone(),
            issued: invoice.issued,
            due: invoice.due,
            total: cents(invoice.total),
            balance: cents(invoice.balance),
            status: invoice.status.clone(),
        }
    }
}

impl From<&Order> for OrderLine {
    fn from(order: &Order) -> OrderLine {
        OrderLine {
            id: order.vendor_id.clone(),
            placed: order.placed_at,
            status: order.status.clone(),
            total: order.total.map(cents),
        }
    }
}

impl DocumentLine {
    fn of(document: Document, now: DateTime<Utc>) -> DocumentLine {
        DocumentLine {
            id: document.vendor_id,
            name: sdk::text::cut(&document.name, 120),
            modified: document.modified_at,
            link: document.link,
            origin: Origin::of(&document.ecosystem, document.last_synced, now),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::in_words;

    #[test]
    fn money_is_written_as_people_do() {
        assert_eq!(in_words(1200.0, Some("USD")), "$1,200.00");
        assert_eq!(in_words(1_234_567.5, Some("EUR")), "EUR 1,234,567.50");
        assert_eq!(in_words(-12.0, None), "-$12.00");
    }
}
