//! Payments and the invoices that they pay.

use serde_json::{Value, json};

use super::{
    books::{Books, cents, entity},
    calls::Asked,
    dates,
    fault::Fault,
    generate,
};
use crate::clock::Millis;

pub(super) fn create(books: &Books, asked: &Asked<'_>, body: &Value) -> Result<Value, Fault> {
    let customer = books.customer(body)?;
    let Some(total) = body["TotalAmt"].as_f64() else { return Err(Fault::missing("TotalAmt")) };
    let mut row = body.clone();
    let mut applied = 0.0;
    for (invoice, amount) in paid(&row) {
        let found = entity("Invoice").and_then(|invoices| books.get(invoices, &invoice));
        let found = found.ok_or_else(|| Fault::bad_reference("TxnId", &invoice))?;
        if amount > found["Balance"].as_f64().unwrap_or_default() + 0.005 {
            return Err(Fault::rule(format!("The payment is more than the balance of invoice {invoice}")));
        }
        applied += amount;
    }
    if applied > total + 0.005 {
        return Err(Fault::rule("The lines add up to more than the total amount"));
    }
    row["CustomerRef"] = json!({"value": customer["Id"], "name": customer["DisplayName"]});
    row["UnappliedAmt"] = json!(cents(total - applied));
    if row["TxnDate"].is_null() {
        row["TxnDate"] = json!(dates::day(asked.now).to_string());
    }
    if let Some(fields) = row.as_object_mut() {
        fields.entry("CurrencyRef").or_insert(generate::currency());
        fields.entry("ProcessPayment").or_insert(json!(false));
        fields.entry("Line").or_insert(json!([]));
    }
    Ok(row)
}

pub(super) fn created(books: &mut Books, asked: &Asked<'_>, row: &Value) {
    apply(books, row, 1.0, asked.now);
}

/// The payment is no longer there, the invoices are owed again.
pub(super) fn undo(books: &mut Books, asked: &Asked<'_>, row: &Value) {
    apply(books, row, -1.0, asked.now);
}

pub(super) fn voided(books: &mut Books, asked: &Asked<'_>, before: &Value) -> Value {
    undo(books, asked, before);
    let mut row = before.clone();
    row["TotalAmt"] = json!(0);
    row["UnappliedAmt"] = json!(0);
    row["Line"] = json!([]);
    row["PrivateNote"] = json!("Voided");
    row
}

/// Takes a payment off its invoices, or puts it back.
pub(super) fn apply(books: &mut Books, payment: &Value, sign: f64, at: Millis) {
    let Some(invoices) = entity("Invoice") else { return };
    let link = json!({"TxnId": payment["Id"], "TxnType": "Payment"});
    for (invoice, amount) in paid(payment) {
        let Some(mut row) = books.get(invoices, &invoice).cloned() else { continue };
        row["Balance"] = json!(cents(row["Balance"].as_f64().unwrap_or_default() - sign * amount));
        if let Some(linked) = row["LinkedTxn"].as_array_mut() {
            linked.retain(|other| *other != link);
            if sign > 0.0 {
                linked.push(link.clone());
            }
        }
        books.change(invoices, row, at);
    }
    let total = payment["TotalAmt"].as_f64().unwrap_or_default();
    books.owe(payment["CustomerRef"]["value"].as_str().unwrap_or_default(), -sign * total);
}

/// Ids of the invoices and what each gets.
fn paid(payment: &Value) -> Vec<(String, f64)> {
    let lines = payment["Line"].as_array().into_iter().flatten();
    let linked = |line: &Value| {
        let to = line["LinkedTxn"].as_array()?.iter().find(|linked| linked["TxnType"] == "Invoice")?;
        Some((to["TxnId"].as_str()?.to_owned(), line["Amount"].as_f64()?))
    };
    lines.filter_map(linked).collect()
}
