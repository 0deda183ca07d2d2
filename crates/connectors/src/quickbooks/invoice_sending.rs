//! Invoices that are e-mailed.
//!
//! QuickBooks promises nothing about a repeated send, so it is sent once: when the reply is lost, the invoice itself
//! tells whether it went out.

use schemars::JsonSchema;
use sdk::http::Method;
use sdk::{Error, Plan, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::QuickBooks;
use super::invoice_writes::{title, unchanged};
use super::invoices::{self, Invoice};
use super::wire;
use crate::json;

/// E-mails an existing invoice to the customer from QuickBooks. Sends nothing if it was e-mailed before, unless
/// `again` is true. Answers where it went.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SendInvoice {
    /// The invoice's id.
    #[schemars(length(min = 1, max = 40))]
    invoice_id: String,
    /// Another address than the invoice's own.
    #[schemars(length(max = 100))]
    email: Option<String>,
    /// True: also if it was e-mailed before.
    #[serde(default)]
    again: bool,
    /// From get_invoice: refuse if it changed since.
    #[schemars(length(max = 20))]
    sync_token: Option<String>,
}

/// An invoice that is with the customer.
#[derive(Serialize, JsonSchema)]
pub struct SentInvoice {
    invoice: Invoice,
    #[serde(skip_serializing_if = "Option::is_none")]
    sent_to: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sent_at: Option<String>,
    /// True when it was e-mailed before and not again now.
    already_sent: bool,
}

pub async fn send(api: &QuickBooks, args: SendInvoice) -> Result<SentInvoice> {
    let (row, today) = unchanged(api, &args.invoice_id, args.sync_token.as_deref()).await?;
    if invoices::was_sent(&row) && !args.again {
        return Ok(SentInvoice::of(&row, today, true));
    }
    args.address(&row)?;
    let asking = api.ask(Method::POST, "/v3/company/{realmId}/invoice/{invoiceId}/send", &[&args.invoice_id])?;
    let to = args.email.as_deref().map(|email| email.trim().to_owned());
    let request = asking.with(&[("sendTo", to), ("requestid", Some(wire::request_id(api.http.idempotency_key())))]);
    let outcome = super::Asking(request.0.body(Vec::new(), "application/octet-stream")).read().await;
    match outcome {
        Ok(answer) => Ok(SentInvoice::of(&answer.body["Invoice"], today, false)),
        Err(error) if error.outcome_unknown => went_out(api, &args, &row, error).await,
        Err(error) => Err(error),
    }
}

/// Reads back whether an invoice went out although nobody said so.
async fn went_out(api: &QuickBooks, args: &SendInvoice, before: &Value, error: Error) -> Result<SentInvoice> {
    match invoices::read(api, &args.invoice_id).await {
        Ok((now, today)) if invoices::was_sent(&now) && delivered(&now) != delivered(before) => {
            Ok(SentInvoice::of(&now, today, false))
        }
        _ => Err(wire::unknown(error, "look at sent_at with get_invoice")),
    }
}

pub async fn plan_send(api: &QuickBooks, args: SendInvoice) -> Result<Plan> {
    let (row, today) = unchanged(api, &args.invoice_id, args.sync_token.as_deref()).await?;
    let name = title(&Invoice::of(&row, today));
    if invoices::was_sent(&row) && !args.again {
        let at = delivered(&row).unwrap_or_default();
        return Ok(Plan::new(format!("Nothing: {name} was e-mailed already {at}")));
    }
    let to = args.address(&row)?;
    let plan = Plan::new(format!("E-mail {name} to {to}")).sets("sent", invoices::was_sent(&row), true).sets(
        "email",
        address(&row),
        to.as_str(),
    );
    Ok(if invoices::was_sent(&row) {
        plan.note("It was e-mailed before; the customer gets it once more")
    } else {
        plan
    })
}

impl SendInvoice {
    /// Where it goes, or why it cannot go.
    fn address(&self, row: &Value) -> Result<String> {
        if invoices::is_voided(row) {
            return Err(Error::conflict("the invoice is void; nothing was sent"));
        }
        let to = self.email.as_deref().map(|email| email.trim().to_owned()).or_else(|| address(row));
        let missing = || Error::invalid_input("email: the invoice has no e-mail address; give one");
        to.filter(|to| to.contains('@')).ok_or_else(missing)
    }
}

impl SentInvoice {
    fn of(row: &Value, today: Option<chrono::NaiveDate>, already_sent: bool) -> SentInvoice {
        let invoice = Invoice::of(row, today);
        SentInvoice { invoice, sent_to: address(row), sent_at: delivered(row), already_sent }
    }
}

fn address(row: &Value) -> Option<String> {
    json::text(row.get("BillEmail")?, "Address")
}

fn delivered(row: &Value) -> Option<String> {
    json::text(row.get("DeliveryInfo")?, "DeliveryTime")
}
