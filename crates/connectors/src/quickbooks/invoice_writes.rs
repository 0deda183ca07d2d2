//! Invoices that are created and voided.

use chrono::NaiveDate;
use schemars::JsonSchema;
use sdk::{Error, Plan, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::invoices::{self, Invoice};
use super::wire::{self, cents};
use super::{QuickBooks, customers, items};
use crate::json as read;

/// Creates an unsent invoice in QuickBooks. QuickBooks has no drafts: it counts as owed at once; void_invoice undoes
/// it, send_invoice e-mails it.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateDraftInvoice {
    /// From list_customers.
    #[schemars(length(min = 1, max = 40))]
    customer_id: String,
    /// What is billed.
    #[schemars(length(min = 1, max = 50))]
    lines: Vec<NewLine>,
    /// Today if left out.
    issued: Option<NaiveDate>,
    /// By the usual terms if left out.
    due: Option<NaiveDate>,
    /// For sending later; the customer's if left out.
    #[schemars(length(max = 100))]
    email: Option<String>,
    /// Text for the customer.
    #[schemars(length(max = 1000))]
    memo: Option<String>,
    /// Note for ourselves.
    #[schemars(length(max = 2000))]
    private_note: Option<String>,
}

/// A line to be billed.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewLine {
    /// What the customer reads.
    #[schemars(length(max = 1000))]
    description: Option<String>,
    /// Product or service: exact name or id; usual service if left out.
    #[schemars(length(min = 1, max = 100))]
    item: Option<String>,
    /// How many.
    #[serde(default = "one")]
    #[schemars(range(min = 0.0001, max = 1_000_000))]
    quantity: f64,
    /// Price of one, in the customer's currency.
    #[schemars(range(min = -10_000_000, max = 10_000_000))]
    unit_price: f64,
}

fn one() -> f64 {
    1.0
}

/// Voids an invoice: it stays with its number and nothing is owed. Cannot be undone. Use it for an invoice that was a
/// mistake. Not for paid ones.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VoidInvoice {
    /// The invoice's id.
    #[schemars(length(min = 1, max = 40))]
    invoice_id: String,
    /// From get_invoice: refuse if it changed since.
    #[schemars(length(max = 20))]
    sync_token: Option<String>,
}

/// An invoice that was created and not sent.
#[derive(Serialize, JsonSchema)]
pub struct CreatedInvoice {
    invoice: Invoice,
}

/// An invoice that is void.
#[derive(Serialize, JsonSchema)]
pub struct VoidedInvoice {
    invoice: Invoice,
    /// True when it was void before.
    already_voided: bool,
}

pub async fn create(api: &QuickBooks, args: CreateDraftInvoice) -> Result<CreatedInvoice> {
    args.check()?;
    let items = args.items(api).await?;
    let mut body = args.body(&items);
    if args.email.is_none() {
        // An invoice made through the API does not get the customer's address by itself.
        let customer = customers::read(api, &args.customer_id).await?;
        if let Some(email) = customers::email(&customer) {
            body["BillEmail"] = json!({"Address": email});
        }
    }
    let sent = api.write("/v3/company/{realmId}/invoice", None, &body).await;
    let answer = sent.map_err(|error| wire::unknown(error, "look with list_invoices"))?;
    Ok(CreatedInvoice { invoice: created(&answer)? })
}

fn created(answer: &Value) -> Result<Invoice> {
    let invoice = Invoice::of(&answer["Invoice"], None);
    if invoice.id.is_empty() {
        let error = Error::upstream("QuickBooks answered without the invoice").with_unknown_outcome();
        return Err(wire::unknown(error, "look with list_invoices"));
    }
    Ok(invoice)
}

pub async fn plan_create(api: &QuickBooks, args: CreateDraftInvoice) -> Result<Plan> {
    args.check()?;
    let customer = customers::read(api, &args.customer_id).await?;
    if read::flag(&customer, "Active") == Some(false) {
        return Err(Error::conflict("this customer was made inactive in QuickBooks"));
    }
    let items = args.items(api).await?;
    let (name, total) = (customers::name(&customer), args.total());
    let currency = wire::reference(&customer, "CurrencyRef").unwrap_or_default();
    let owes = wire::money(&customer, "Balance");
    let email = args.email.clone().or_else(|| customers::email(&customer));
    let mut body = args.body(&items);
    body["CustomerRef"]["name"] = json!(name);
    let plan = Plan::new(format!("Create an invoice of {total:.2} {currency} for {name}, without sending it"))
        .adds("invoice", body)
        // A note, because every payment and every other invoice changes it.
        .note(format!("The customer owes {owes:.2} {currency} now, and {:.2} with it", cents(owes + total)))
        .note("QuickBooks has no drafts: it counts as owed at once, before sales tax");
    Ok(match email {
        Some(_) => plan,
        None => plan.note("There is no e-mail address to send it to later"),
    })
}

impl CreateDraftInvoice {
    fn check(&self) -> Result<()> {
        if self.issued.zip(self.due).is_some_and(|(issued, due)| due < issued) {
            return Err(Error::invalid_input("due: the due date is before the invoice date"));
        }
        if self.total() < 0.0 {
            return Err(Error::invalid_input("lines: they add up to less than nothing"));
        }
        let silent = self.lines.iter().position(|line| line.description.is_none() && line.item.is_none());
        match silent {
            Some(line) => Err(Error::invalid_input(format!("lines[{line}]: give a description or an item"))),
            None => Ok(()),
        }
    }

    fn total(&self) -> f64 {
        cents(self.lines.iter().map(NewLine::amount).sum())
    }

    async fn items(&self, api: &QuickBooks) -> Result<Vec<String>> {
        let wanted: Vec<Option<&str>> = self.lines.iter().map(|line| line.item.as_deref()).collect();
        items::of_lines(api, &wanted).await
    }

    fn body(&self, items: &[String]) -> Value {
        let lines: Vec<Value> = self.lines.iter().zip(items).map(|(line, item)| line.body(item)).collect();
        let mut body = json!({"CustomerRef": {"value": self.customer_id.trim()}, "Line": lines, "EmailStatus": "NotSet",
            "PrintStatus": "NotSet"});
        for (name, day) in [("TxnDate", self.issued), ("DueDate", self.due)] {
            if let Some(day) = day {
                body[name] = json!(day.to_string());
            }
        }
        if let Some(email) = &self.email {
            body["BillEmail"] = json!({"Address": email.trim()});
        }
        if let Some(memo) = &self.memo {
            body["CustomerMemo"] = json!({"value": memo});
        }
        if let Some(note) = &self.private_note {
            body["PrivateNote"] = json!(note);
        }
        body
    }
}

impl NewLine {
    fn amount(&self) -> f64 {
        cents(self.quantity * self.unit_price)
    }

    fn body(&self, item: &str) -> Value {
        let detail = json!({"ItemRef": {"value": item}, "Qty": self.quantity, "UnitPrice": self.unit_price});
        let mut line =
            json!({"Amount": self.amount(), "DetailType": "SalesItemLineDetail", "SalesItemLineDetail": detail});
        if let Some(description) = &self.description {
            line["Description"] = json!(description);
        }
        line
    }
}

pub async fn void(api: &QuickBooks, args: VoidInvoice) -> Result<VoidedInvoice> {
    let (row, today) = unchanged(api, &args.invoice_id, args.sync_token.as_deref()).await?;
    if invoices::is_voided(&row) {
        return Ok(VoidedInvoice { invoice: Invoice::of(&row, today), already_voided: true });
    }
    let body = json!({"Id": row["Id"], "SyncToken": row["SyncToken"]});
    let sent = api.write("/v3/company/{realmId}/invoice", Some("void"), &body).await;
    let answer = sent.map_err(|error| wire::unknown(error, "look with get_invoice"))?;
    Ok(VoidedInvoice { invoice: Invoice::of(&answer["Invoice"], today), already_voided: false })
}

pub async fn plan_void(api: &QuickBooks, args: VoidInvoice) -> Result<Plan> {
    let (row, today) = unchanged(api, &args.invoice_id, args.sync_token.as_deref()).await?;
    let invoice = Invoice::of(&row, today);
    let name = title(&invoice);
    if invoices::is_voided(&row) {
        return Ok(Plan::new(format!("Nothing: {name} is void already")));
    }
    let plan = Plan::new(format!("Void {name}"))
        .sets("status", invoice.status.as_str(), "voided")
        .sets("total", invoice.total, 0.0)
        .sets("balance", invoice.balance, 0.0);
    let linked = !read::list(&row, "LinkedTxn").is_empty();
    Ok(if linked {
        plan.note("A payment belongs to it: QuickBooks may refuse, or leave the payment as credit")
    } else {
        plan
    })
}

/// `invoice 1045 of Acme Supply over 120.00 USD`
pub fn title(invoice: &Invoice) -> String {
    let number = invoice.number.as_deref().unwrap_or(&invoice.id);
    let (customer, currency) = (invoice.customer.as_deref().unwrap_or("?"), invoice.currency.as_deref().unwrap_or(""));
    format!("invoice {number} of {customer} over {:.2} {currency}", invoice.total).trim_end().to_owned()
}

/// The invoice as it is now, if it is still what the caller has seen.
pub async fn unchanged(api: &QuickBooks, id: &str, seen: Option<&str>) -> Result<(Value, Option<NaiveDate>)> {
    let (row, today) = invoices::read(api, id).await?;
    let token = read::text(&row, "SyncToken").unwrap_or_default();
    match seen {
        Some(seen) if seen != token => Err(Error::conflict(format!(
            "the invoice was changed since (sync_token {token}, not {}). Read it again with get_invoice and decide anew",
            sdk::text::cut(seen, 20)
        ))),
        _ => Ok((row, today)),
    }
}
