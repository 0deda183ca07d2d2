//! Invoices: checked, added up, numbered, sent, voided.

use serde_json::{Value, json};

use super::{
    books::{Books, Entity, cents, entity},
    calls::Asked,
    dates,
    fault::Fault,
    generate, record,
};

/// The row of a new invoice.
pub(super) fn create(books: &mut Books, asked: &Asked<'_>, body: &Value) -> Result<Value, Fault> {
    let customer = books.customer(body)?.clone();
    let mut row = body.clone();
    let total = add_up(books, &mut row)?;
    number(books, asked, &mut row)?;
    row["CustomerRef"] = json!({"value": customer["Id"], "name": customer["DisplayName"]});
    let today = dates::day(asked.now);
    let issued = row["TxnDate"].as_str().and_then(dates::parse_day).unwrap_or(today);
    let due = row["DueDate"].as_str().and_then(dates::parse_day).unwrap_or(dates::plus_days(issued, 30));
    if due < issued {
        return Err(Fault::rule("The due date may not be before the invoice date").about("DueDate"));
    }
    row["TxnDate"] = json!(issued.to_string());
    row["DueDate"] = json!(due.to_string());
    row["Balance"] = json!(total);
    complete(&mut row, &customer);
    Ok(row)
}

/// Fields that every invoice has.
pub(super) fn complete(row: &mut Value, customer: &Value) {
    let Some(fields) = row.as_object_mut() else { return };
    for (name, value) in [
        ("CurrencyRef", generate::currency()),
        ("LinkedTxn", json!([])),
        ("CustomField", json!([])),
        ("TxnTaxDetail", json!({"TotalTax": 0})),
        ("ApplyTaxAfterDiscount", json!(false)),
        ("PrintStatus", json!("NotSet")),
        ("EmailStatus", json!("NotSet")),
        ("AllowOnlinePayment", json!(false)),
        ("AllowIPNPayment", json!(false)),
        ("Deposit", json!(0)),
    ] {
        fields.entry(name).or_insert(value);
    }
    if let Some(address) = customer.get("BillAddr") {
        fields.entry("BillAddr").or_insert(address.clone());
    }
}

/// A new invoice is owed.
pub(super) fn created(books: &mut Books, row: &Value) {
    books.owe(row["CustomerRef"]["value"].as_str().unwrap_or_default(), row["TotalAmt"].as_f64().unwrap_or_default());
}

/// Checks the lines and adds the subtotal that QuickBooks puts below them. Gives the total.
pub(super) fn add_up(books: &Books, row: &mut Value) -> Result<f64, Fault> {
    let lines = row["Line"].as_array().cloned().unwrap_or_default();
    let sold = lines.into_iter().filter(|line| line["DetailType"] != "SubTotalLineDetail");
    let mut lines: Vec<Value> = Vec::new();
    let mut total = 0.0;
    for (number, mut line) in sold.enumerate() {
        total += amount(books, &mut line)?;
        if line["DetailType"] == "SalesItemLineDetail" || line["DetailType"] == "DescriptionOnly" {
            line["Id"] = json!((number + 1).to_string());
            line["LineNum"] = json!(number + 1);
        }
        lines.push(line);
    }
    if lines.is_empty() {
        return Err(Fault::missing("Line"));
    }
    let total = cents(total);
    lines.push(json!({"Amount": total, "DetailType": "SubTotalLineDetail", "SubTotalLineDetail": {}}));
    row["Line"] = json!(lines);
    row["TotalAmt"] = json!(total);
    Ok(total)
}

fn amount(books: &Books, line: &mut Value) -> Result<f64, Fault> {
    match line["DetailType"].as_str() {
        Some("SalesItemLineDetail") => {}
        Some("DescriptionOnly") => return Ok(0.0),
        Some(_) => {
            return Err(Fault::validation("2170", "Invalid Enumeration", "DetailType is not known").about("DetailType"));
        }
        None => return Err(Fault::missing("DetailType")),
    }
    let Some(amount) = line["Amount"].as_f64() else { return Err(Fault::missing("Amount")) };
    let detail = &line["SalesItemLineDetail"];
    if let (Some(price), Some(count)) = (detail["UnitPrice"].as_f64(), detail["Qty"].as_f64())
        && (price * count - amount).abs() > 0.0051
    {
        let text = "Amount calculation incorrect in the request. : Amount is not equal to UnitPrice * Qty.";
        return Err(Fault::validation("6070", "Amount calculation incorrect in the request.", text));
    }
    let Some(id) = detail["ItemRef"]["value"].as_str() else { return Err(Fault::missing("ItemRef")) };
    let item = entity("Item").and_then(|items| books.get(items, id));
    let item = item.filter(|item| item["Active"] != false).ok_or_else(|| Fault::bad_reference("Item", id))?;
    line["SalesItemLineDetail"]["ItemRef"] = json!({"value": id, "name": item["Name"]});
    if detail_tax_is_absent(line) {
        line["SalesItemLineDetail"]["TaxCodeRef"] = json!({"value": "NON"});
    }
    Ok(amount)
}

fn detail_tax_is_absent(line: &Value) -> bool {
    line["SalesItemLineDetail"].get("TaxCodeRef").is_none()
}

fn number(books: &mut Books, asked: &Asked<'_>, row: &mut Value) -> Result<(), Fault> {
    match row["DocNumber"].as_str() {
        Some(number) if number != "AUTO_GENERATE" => {
            let taken = books.rows("Invoice").any(|other| other["DocNumber"] == number);
            let allowed = asked.parameter("include") == Some("allowduplicatedocnum");
            if taken && !allowed { Err(Fault::duplicate_number(number)) } else { Ok(()) }
        }
        _ => {
            books.last_number += 1;
            row["DocNumber"] = json!(books.last_number.to_string());
            Ok(())
        }
    }
}

/// The row after an update: sums follow the lines.
pub(super) fn changed(books: &mut Books, asked: &Asked<'_>, before: &Value, mut row: Value) -> Result<Value, Fault> {
    let customer = books.customer(&row)?.clone();
    let total = add_up(books, &mut row)?;
    let paid = before["TotalAmt"].as_f64().unwrap_or_default() - before["Balance"].as_f64().unwrap_or_default();
    row["Balance"] = json!(cents(total - paid));
    for day in ["TxnDate", "DueDate"] {
        if row[day].is_null() {
            row[day] = json!(dates::day(asked.now).to_string());
        }
    }
    complete(&mut row, &customer);
    let owed = total - before["TotalAmt"].as_f64().unwrap_or_default();
    books.owe(customer["Id"].as_str().unwrap_or_default(), owed);
    Ok(row)
}

/// A deleted or voided invoice is owed no longer.
pub(super) fn settle(books: &mut Books, before: &Value) {
    let balance = before["Balance"].as_f64().unwrap_or_default();
    books.owe(before["CustomerRef"]["value"].as_str().unwrap_or_default(), -balance);
}

/// A voided invoice stays, with nothing in it.
pub(super) fn voided(books: &mut Books, before: &Value) -> Result<Value, Fault> {
    if before["LinkedTxn"].as_array().is_some_and(|linked| !linked.is_empty()) {
        return Err(Fault::rule("Transaction is linked to a payment; remove the payment from the invoice first"));
    }
    settle(books, before);
    let mut row = before.clone();
    for line in row["Line"].as_array_mut().into_iter().flatten() {
        line["Amount"] = json!(0);
        if line["SalesItemLineDetail"].is_object() {
            line["SalesItemLineDetail"]["Qty"] = json!(0);
            line["SalesItemLineDetail"]["UnitPrice"] = json!(0);
        }
    }
    row["TotalAmt"] = json!(0);
    row["Balance"] = json!(0);
    row["PrivateNote"] = match before["PrivateNote"].as_str() {
        Some(note) => json!(format!("Voided\n{note}")),
        None => json!("Voided"),
    };
    Ok(row)
}

/// Mails an invoice to its own address or to another.
pub(super) fn send(books: &mut Books, asked: &Asked<'_>, kind: &'static Entity, id: &str) -> Result<Value, Fault> {
    if !["Invoice", "Estimate", "CreditMemo", "SalesReceipt"].contains(&kind.name) {
        return Err(Fault::unsupported(format!("{} cannot be sent", kind.name)));
    }
    let mut row = books.find(kind, id)?.clone();
    let to = asked.parameter("sendTo").map(str::to_owned);
    let Some(to) = to.or_else(|| row["BillEmail"]["Address"].as_str().map(str::to_owned)) else {
        return Err(Fault::rule("There is no e-mail address: set BillEmail or give sendTo").about("BillEmail"));
    };
    if !to.contains('@') {
        return Err(Fault::validation("2210", "Invalid Email Address format", to).about("sendTo"));
    }
    row["BillEmail"] = json!({"Address": to});
    row["EmailStatus"] = json!("EmailSent");
    row["DeliveryInfo"] = json!({"DeliveryType": "Email", "DeliveryTime": dates::stamp(asked.now)});
    let row = books.change(kind, row, asked.now);
    record(asked.world, asked.now, kind.name, "emailed", &row);
    Ok(row)
}
