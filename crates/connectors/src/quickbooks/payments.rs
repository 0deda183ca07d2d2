//! Payments by customers.

use chrono::NaiveDate;
use schemars::JsonSchema;
use sdk::Result;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::select::{self, Select};
use super::{QuickBooks, customers, wire};
use crate::json;

/// Lists payments received in QuickBooks, newest first, with the invoices that they pay. Use it for "what came in",
/// "has this customer paid".
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListPayments {
    /// By this customer: id, e-mail address or part of the name.
    #[schemars(length(min = 1, max = 100))]
    customer: Option<String>,
    /// On this day or later.
    from: Option<NaiveDate>,
    /// On this day or earlier.
    to: Option<NaiveDate>,
    /// Rows, at most 50.
    #[serde(default = "customers::twenty")]
    #[schemars(range(min = 1, max = 50))]
    limit: u32,
    /// `next_cursor` of the previous answer.
    #[schemars(length(max = 200))]
    cursor: Option<String>,
}

/// A page of payments.
#[derive(Serialize, JsonSchema)]
pub struct Payments {
    payments: Vec<Payment>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// Money that a customer paid.
#[derive(Serialize, JsonSchema)]
pub struct Payment {
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    customer_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    customer: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    date: Option<NaiveDate>,
    amount: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    currency: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<String>,
    /// Ids of the invoices that it pays.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    invoices: Vec<String>,
    /// What belongs to no invoice yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    unapplied: Option<f64>,
}

pub async fn list(api: &QuickBooks, args: ListPayments) -> Result<Payments> {
    let start = select::start(args.cursor.as_deref())?;
    let mut query =
        Select::from("Payment", "TxnDate DESC").and("TxnDate", ">=", args.from).and("TxnDate", "<=", args.to);
    if let Some(customer) = &args.customer {
        query = query.and_in("CustomerRef", &customers::meant(api, customer).await?);
    }
    let answer = query.page(api, start, args.limit + 1).await?;
    let (rows, next_cursor) = select::cut(answer.rows("Payment"), start, args.limit);
    Ok(Payments { payments: rows.iter().map(payment).collect(), next_cursor })
}

fn payment(row: &Value) -> Payment {
    Payment {
        id: json::text(row, "Id").unwrap_or_default(),
        customer_id: wire::reference(row, "CustomerRef"),
        customer: wire::reference_name(row, "CustomerRef"),
        date: wire::day(row, "TxnDate"),
        amount: wire::money(row, "TotalAmt"),
        currency: wire::reference(row, "CurrencyRef"),
        method: wire::reference_name(row, "PaymentMethodRef"),
        invoices: invoices(row),
        unapplied: Some(wire::money(row, "UnappliedAmt")).filter(|amount| *amount != 0.0),
    }
}

/// The ids of the invoices that a payment pays.
pub fn invoices(row: &Value) -> Vec<String> {
    let linked = json::list(row, "Line").iter().flat_map(|line| json::list(line, "LinkedTxn"));
    let of_invoices = linked.filter(|linked| json::text(linked, "TxnType").is_some_and(|kind| kind == "Invoice"));
    of_invoices.filter_map(|linked| json::text(linked, "TxnId")).collect()
}
