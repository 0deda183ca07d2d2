//! Invoices: lists and one in full.

use chrono::NaiveDate;
use schemars::JsonSchema;
use sdk::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::select::{self, Select};
use super::wire::{self, Answer, cents};
use super::{QuickBooks, customers};
use crate::json;

/// Lists QuickBooks invoices, newest first (overdue: longest due first), with what is still to be paid and the sum of
/// the page. Use it for "who owes us", "invoices of this customer", "invoices of last month".
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListInvoices {
    /// Only these.
    #[serde(default)]
    status: Wanted,
    /// Of this customer: id, e-mail address or part of the name.
    #[schemars(length(min = 1, max = 100))]
    customer: Option<String>,
    /// Issued on this day or later.
    from: Option<NaiveDate>,
    /// Issued on this day or earlier.
    to: Option<NaiveDate>,
    /// Rows, at most 50.
    #[serde(default = "customers::twenty")]
    #[schemars(range(min = 1, max = 50))]
    limit: u32,
    /// `next_cursor` of the previous answer.
    #[schemars(length(max = 200))]
    cursor: Option<String>,
}

/// Which invoices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Wanted {
    #[default]
    All,
    Open,
    Overdue,
    Paid,
}

/// One invoice in full: lines, addresses, notes, payments. By its id or by the number that the customer sees. Its
/// `sync_token` lets send_invoice and void_invoice refuse when it has changed since.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GetInvoice {
    /// The invoice's id.
    #[schemars(length(min = 1, max = 40))]
    invoice_id: Option<String>,
    /// Or the number that the customer sees.
    #[schemars(length(min = 1, max = 40))]
    number: Option<String>,
}

/// A page of invoices.
#[derive(Serialize, JsonSchema)]
pub struct Invoices {
    invoices: Vec<Invoice>,
    /// Of the invoices on this page.
    sum: Sum,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// What a list adds up to; amounts are left out when there are several currencies.
#[derive(Serialize, JsonSchema)]
pub struct Sum {
    count: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    balance: Option<f64>,
}

/// An invoice.
#[derive(Clone, Serialize, JsonSchema)]
pub struct Invoice {
    pub id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issued: Option<NaiveDate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due: Option<NaiveDate>,
    pub total: f64,
    /// What is still to be paid.
    pub balance: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    /// `open`, `overdue`, `paid` or `voided`.
    pub status: String,
    /// Whether it was e-mailed.
    pub sent: bool,
}

/// One invoice in full.
#[derive(Serialize, JsonSchema)]
pub struct InvoiceInFull {
    invoice: Invoice,
    lines: Vec<Line>,
    /// How many lines are not shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    lines_left_out: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    /// What the customer reads on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    memo: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    private_note: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tax: Option<f64>,
    /// Ids of payments and other transactions that belong to it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    payments: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sent_at: Option<String>,
    sync_token: String,
}

/// A line of an invoice.
#[derive(Serialize, JsonSchema)]
pub struct Line {
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    item: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    quantity: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unit_price: Option<f64>,
    amount: f64,
}

impl Invoice {
    pub fn of(row: &Value, today: Option<NaiveDate>) -> Invoice {
        Invoice {
            id: json::text(row, "Id").unwrap_or_default(),
            number: json::text(row, "DocNumber"),
            customer_id: wire::reference(row, "CustomerRef"),
            customer: wire::reference_name(row, "CustomerRef"),
            issued: wire::day(row, "TxnDate"),
            due: wire::day(row, "DueDate"),
            total: wire::money(row, "TotalAmt"),
            balance: wire::money(row, "Balance"),
            currency: wire::reference(row, "CurrencyRef"),
            status: status(row, today).to_owned(),
            sent: was_sent(row),
        }
    }
}

/// QuickBooks has no status: it follows from the balance, the due date, and the note that voiding leaves.
pub fn status(row: &Value, today: Option<NaiveDate>) -> &'static str {
    let (total, balance) = (wire::money(row, "TotalAmt"), wire::money(row, "Balance"));
    if balance > 0.0 {
        let late = wire::day(row, "DueDate").zip(today).is_some_and(|(due, today)| due < today);
        return if late { "overdue" } else { "open" };
    }
    if total == 0.0 && is_voided(row) { "voided" } else { "paid" }
}

pub fn is_voided(row: &Value) -> bool {
    wire::money(row, "TotalAmt") == 0.0
        && json::text(row, "PrivateNote").is_some_and(|note| note.to_lowercase().starts_with("voided"))
}

pub fn was_sent(row: &Value) -> bool {
    json::text(row, "EmailStatus").is_some_and(|status| status == "EmailSent")
}

pub async fn list(api: &QuickBooks, args: ListInvoices) -> Result<Invoices> {
    let start = select::start(args.cursor.as_deref())?;
    let order = if args.status == Wanted::Overdue { "DueDate" } else { "TxnDate DESC" };
    let mut query = Select::from("Invoice", order).and("TxnDate", ">=", args.from).and("TxnDate", "<=", args.to);
    if let Some(customer) = &args.customer {
        query = query.and_in("CustomerRef", &customers::meant(api, customer).await?);
    }
    query = match args.status {
        Wanted::All => query,
        Wanted::Open | Wanted::Overdue => query.and("Balance", ">", Some("0")),
        Wanted::Paid => query.and("Balance", "=", Some("0")),
    };
    let answer = query.page(api, start, args.limit + 1).await?;
    let (rows, next_cursor) = select::cut(answer.rows("Invoice"), start, args.limit);
    let mut invoices: Vec<Invoice> = rows.iter().map(|row| Invoice::of(row, answer.today)).collect();
    let found = invoices.len();
    match args.status {
        Wanted::Overdue => invoices.retain(|invoice| invoice.status == "overdue"),
        // What was voided has no balance either, and was not paid.
        Wanted::Paid => invoices.retain(|invoice| invoice.status == "paid"),
        _ => {}
    }
    // Open invoices come by due date: behind one that is not overdue there is none that is.
    let next_cursor = next_cursor.filter(|_| args.status != Wanted::Overdue || invoices.len() == found);
    Ok(Invoices { sum: Sum::of(&invoices), invoices, next_cursor })
}

impl Sum {
    fn of(invoices: &[Invoice]) -> Sum {
        let first = invoices.first().and_then(|invoice| invoice.currency.as_ref());
        let one = invoices.iter().all(|invoice| invoice.currency.as_ref() == first);
        let sum = |amount: fn(&Invoice) -> f64| one.then(|| cents(invoices.iter().map(amount).sum()));
        Sum { count: invoices.len(), total: sum(|invoice| invoice.total), balance: sum(|invoice| invoice.balance) }
    }
}

pub async fn get(api: &QuickBooks, args: GetInvoice) -> Result<InvoiceInFull> {
    let (row, today) = match (&args.invoice_id, &args.number) {
        (Some(id), _) => read(api, id).await?,
        (None, Some(number)) => numbered(api, number).await?,
        (None, None) => return Err(Error::invalid_input("give invoice_id or number")),
    };
    Ok(in_full(&row, today))
}

/// The row of an invoice as it is now, and the vendor's day.
pub async fn read(api: &QuickBooks, id: &str) -> Result<(Value, Option<NaiveDate>)> {
    let answer = api.get("/v3/company/{realmId}/invoice/{invoiceId}", &[id])?.read().await?;
    let row = answer.body.get("Invoice").filter(|row| row.is_object()).cloned();
    let row = row.ok_or_else(|| Error::upstream("QuickBooks answered without the invoice"))?;
    Ok((row, answer.today))
}

async fn numbered(api: &QuickBooks, number: &str) -> Result<(Value, Option<NaiveDate>)> {
    let query = Select::from("Invoice", "TxnDate DESC").and("DocNumber", "=", Some(number));
    let answer: Answer = query.page(api, 1, 2).await?;
    match answer.rows("Invoice") {
        [] => Err(Error::not_found(format!("there is no invoice with the number {}", sdk::text::cut(number, 40)))),
        [row] => Ok((row.clone(), answer.today)),
        _ => Err(Error::conflict("several invoices have this number; take the id from list_invoices")),
    }
}

const MOST_LINES: usize = 40;

fn in_full(row: &Value, today: Option<NaiveDate>) -> InvoiceInFull {
    let text = |key: &str| json::text(row, key).map(|text| sdk::text::cut(&text, 500));
    let mut lines: Vec<Line> = json::list(row, "Line").iter().filter_map(line).collect();
    let left_out = lines.len().saturating_sub(MOST_LINES);
    lines.truncate(MOST_LINES);
    InvoiceInFull {
        invoice: Invoice::of(row, today),
        lines,
        lines_left_out: Some(left_out).filter(|count| *count > 0),
        email: row.get("BillEmail").and_then(|email| json::text(email, "Address")),
        memo: row.get("CustomerMemo").and_then(|memo| json::text(memo, "value")).map(|memo| sdk::text::cut(&memo, 500)),
        private_note: text("PrivateNote"),
        tax: row.get("TxnTaxDetail").and_then(|tax| json::number(tax, "TotalTax")).filter(|tax| *tax != 0.0),
        payments: json::list(row, "LinkedTxn").iter().filter_map(|linked| json::text(linked, "TxnId")).collect(),
        sent_at: row.get("DeliveryInfo").and_then(|info| json::text(info, "DeliveryTime")),
        sync_token: json::text(row, "SyncToken").unwrap_or_default(),
    }
}

/// QuickBooks adds the subtotal as a line of its own, which is none.
fn line(row: &Value) -> Option<Line> {
    let detail = row.get("SalesItemLineDetail").unwrap_or(&Value::Null);
    if json::text(row, "DetailType").is_some_and(|kind| kind == "SubTotalLineDetail") {
        return None;
    }
    Some(Line {
        description: json::text(row, "Description").map(|text| sdk::text::cut(&text, 200)),
        item: wire::reference_name(detail, "ItemRef"),
        quantity: json::number(detail, "Qty"),
        unit_price: json::number(detail, "UnitPrice"),
        amount: wire::money(row, "Amount"),
    })
}
