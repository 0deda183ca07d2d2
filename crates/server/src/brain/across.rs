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
    /// One for each currency: what is in two cannot be added.
    pub sums: Vec<InvoiceSum>,
    pub overdue: u64,
    /// "3 invoices totalling $1,200.00, $200.00 open".
    pub in_words: String,
    /// The newest.
    pub last: Vec<InvoiceLine>,
    pub origin: Origin,
}

/// The invoices in one currency.
#[derive(Debug, Serialize, JsonSchema)]
pub struct InvoiceSum {
    /// Absent where the system does not say it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    pub total: f64,
    /// What is still to be paid.
    pub balance: f64,
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
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    pub status: String,
}

/// A contact's orders.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Orders {
    pub count: u64,
    /// One for each currency: what is in two cannot be added.
    pub sums: Vec<OrderSum>,
    /// Why they are taken for this contact's.
    pub reason: String,
    pub last: Vec<OrderLine>,
    pub origin: Origin,
}

/// The orders in one currency.
#[derive(Debug, Serialize, JsonSchema)]
pub struct OrderSum {
    /// Absent where the system does not say it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    pub total: f64,
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
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
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
    // Each customer's come newest first, and there may be several customers.
    all.sort_by_key(|invoice| std::cmp::Reverse(invoice.issued));
    let Some(first) = all.first() else { return Ok(None) };
    let today = now.date_naive();
    let late = |invoice: &&Invoice| invoice.balance > 0.0 && invoice.due.is_some_and(|due| due < today);
    let sums = InvoiceSum::of(&all);
    let plural = if all.len() == 1 { "" } else { "s" };
    let amounts: Vec<String> = sums.iter().map(InvoiceSum::in_words).collect();
    Ok(Some(Invoices {
        count: all.len() as u64,
        in_words: format!("{} invoice{plural} totalling {}", all.len(), amounts.join("; ")),
        sums,
        overdue: all.iter().filter(late).count() as u64,
        last: all.iter().take(SHOWN).map(InvoiceLine::from).collect(),
        origin: Origin::of(&first.ecosystem, first.last_synced, now),
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
        sums: OrderSum::of(&all),
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

/// The rows of each currency, in the order in which the currencies come.
fn by_currency<'a, Row>(rows: impl Iterator<Item = &'a Row>, currency: fn(&Row) -> Option<&str>) -> Groups<'a, Row> {
    let mut groups: Groups<'a, Row> = Vec::new();
    for row in rows {
        let name = currency(row);
        match groups.iter_mut().find(|(found, _)| found.as_deref() == name) {
            Some((_, group)) => group.push(row),
            None => groups.push((name.map(str::to_owned), vec![row])),
        }
    }
    groups
}

type Groups<'a, Row> = Vec<(Option<String>, Vec<&'a Row>)>;

impl InvoiceSum {
    fn of(all: &[Invoice]) -> Vec<InvoiceSum> {
        let groups = by_currency(all.iter(), |invoice| invoice.currency.as_deref());
        let sum = |(currency, group): (Option<String>, Vec<&Invoice>)| InvoiceSum {
            currency,
            total: cents(group.iter().map(|invoice| invoice.total).sum()),
            balance: cents(group.iter().map(|invoice| invoice.balance).sum()),
        };
        groups.into_iter().map(sum).collect()
    }

    fn in_words(&self) -> String {
        let money = |amount: f64| in_words(amount, self.currency.as_deref());
        format!("{}, {} open", money(self.total), money(self.balance))
    }
}

impl OrderSum {
    /// An order whose total is not known counts for no currency.
    fn of(all: &[Order]) -> Vec<OrderSum> {
        let told = all.iter().filter(|order| order.total.is_some());
        let groups = by_currency(told, |order| order.currency.as_deref());
        let sum = |(currency, group): (Option<String>, Vec<&Order>)| OrderSum {
            currency,
            total: cents(group.iter().filter_map(|order| order.total).sum()),
        };
        groups.into_iter().map(sum).collect()
    }
}

fn cents(amount: f64) -> f64 {
    (amount * 100.0).round() / 100.0
}

/// `$1,200.00`, `EUR 1,200.00`; `1,200.00` where nobody says of what.
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
        Some("USD") => "$".to_owned(),
        Some(other) => format!("{other} "),
        None => String::new(),
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
            currency: invoice.currency.clone(),
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
            currency: order.currency.clone(),
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
        assert_eq!(in_words(-12.0, Some("USD")), "-$12.00");
        assert_eq!(in_words(-12.0, None), "-12.00");
    }
}
