//! Creating, changing, deleting and voiding.

use serde_json::{Map, Value, json};

use super::{
    books::{Books, Entity},
    calls::Asked,
    fault::Fault,
    invoices, payments, record,
};

/// What only QuickBooks sets.
const OWN: &[&str] = &["Id", "SyncToken", "MetaData", "domain", "Balance", "BalanceWithJobs", "LinkedTxn", "DocNumber"];

pub(super) fn write(
    books: &mut Books,
    asked: &Asked<'_>,
    entity: &'static Entity,
    body: &Value,
    operation: &str,
) -> Result<Value, Fault> {
    if body.get("Id").is_none_or(Value::is_null) {
        return create(books, asked, entity, body);
    }
    let before = current(books, entity, body)?;
    let voids = operation == "void" || asked.parameter("include") == Some("void");
    match operation {
        "delete" => delete(books, asked, entity, &before),
        _ if voids => void(books, asked, entity, &before),
        "" | "update" => update(books, asked, entity, before, body),
        other => Err(Fault::unsupported(format!("Operation {other} is not supported."))),
    }
}

fn create(books: &mut Books, asked: &Asked<'_>, entity: &'static Entity, body: &Value) -> Result<Value, Fault> {
    let row = match entity.name {
        "Invoice" => invoices::create(books, asked, body)?,
        "Payment" => payments::create(books, asked, body)?,
        "CompanyInfo" => return Err(Fault::unsupported("Operation CompanyInfo is not supported.")),
        _ if !entity.transaction => named(books, entity, body, None)?,
        _ => body.clone(),
    };
    let row = books.insert(entity, row, asked.now);
    match entity.name {
        "Invoice" => invoices::created(books, &row),
        "Payment" => payments::created(books, asked, &row),
        _ => {}
    }
    record(asked.world, asked.now, entity.name, "created", &row);
    Ok(row)
}

/// The stored row, if the caller has seen its latest state.
fn current(books: &Books, entity: &Entity, body: &Value) -> Result<Value, Fault> {
    let id = body["Id"].as_str().unwrap_or_default();
    let Some(token) = body["SyncToken"].as_str() else { return Err(Fault::missing("SyncToken")) };
    let before = books.find(entity, id)?;
    if before["SyncToken"] != token { Err(Fault::stale()) } else { Ok(before.clone()) }
}

fn update(
    books: &mut Books,
    asked: &Asked<'_>,
    entity: &'static Entity,
    before: Value,
    body: &Value,
) -> Result<Value, Fault> {
    let given = body.as_object().cloned().unwrap_or_default();
    let sparse = body["sparse"] == true;
    // A full update takes away what it does not name.
    let mut row = if sparse { before.as_object().cloned().unwrap_or_default() } else { kept(&before) };
    row.extend(
        given.into_iter().filter(|(name, _)| !["Id", "SyncToken", "MetaData", "sparse"].contains(&name.as_str())),
    );
    let mut row = Value::Object(row);
    match entity.name {
        "Invoice" => row = invoices::changed(books, asked, &before, row)?,
        _ if !entity.transaction => row = named(books, entity, &row, before["Id"].as_str())?,
        _ => {}
    }
    let row = books.change(entity, row, asked.now);
    record(asked.world, asked.now, entity.name, "updated", &row);
    Ok(row)
}

fn kept(before: &Value) -> Map<String, Value> {
    OWN.iter().filter_map(|name| Some(((*name).to_owned(), before.get(*name)?.clone()))).collect()
}

fn delete(books: &mut Books, asked: &Asked<'_>, entity: &'static Entity, before: &Value) -> Result<Value, Fault> {
    if !entity.transaction {
        return Err(Fault::unsupported(format!("Operation delete is not supported for {}", entity.name)));
    }
    let id = before["Id"].as_str().unwrap_or_default().to_owned();
    match entity.name {
        "Invoice" => invoices::settle(books, before),
        "Payment" => payments::undo(books, asked, before),
        _ => {}
    }
    books.remove(entity, &id, asked.now);
    record(asked.world, asked.now, entity.name, "deleted", before);
    Ok(json!({"domain": "QBO", "status": "Deleted", "Id": id}))
}

fn void(books: &mut Books, asked: &Asked<'_>, entity: &'static Entity, before: &Value) -> Result<Value, Fault> {
    let row = match entity.name {
        "Invoice" => invoices::voided(books, before)?,
        "Payment" => payments::voided(books, asked, before),
        other => return Err(Fault::unsupported(format!("Operation void is not supported for {other}"))),
    };
    let row = books.change(entity, row, asked.now);
    record(asked.world, asked.now, entity.name, "voided", &row);
    Ok(row)
}

/// A customer, vendor, item or account: its name is its own.
fn named(books: &Books, entity: &Entity, body: &Value, own: Option<&str>) -> Result<Value, Fault> {
    let people = ["Customer", "Vendor", "Employee"].contains(&entity.name);
    let (element, shared) =
        if people { ("DisplayName", &["Customer", "Vendor", "Employee"][..]) } else { ("Name", &[entity.name][..]) };
    let mut row = body.clone();
    let name = body[element].as_str().map(str::to_owned).or_else(|| people.then(|| composed(body)).flatten());
    let Some(name) = name.filter(|name| !name.trim().is_empty()) else { return Err(Fault::missing(element)) };
    if name.contains(':') {
        let detail = format!("{element} may not contain a colon");
        return Err(Fault::validation("6240", "Invalid Name", detail).about(element));
    }
    let taken = shared.iter().flat_map(|table| books.rows(table)).any(|other| {
        other[element].as_str().is_some_and(|other| other.eq_ignore_ascii_case(&name)) && other["Id"].as_str() != own
    });
    if taken {
        return Err(Fault::duplicate_name());
    }
    if let Some(email) = body["PrimaryEmailAddr"]["Address"].as_str()
        && !email.contains('@')
    {
        let detail = "Email Address does not conform to the syntax rules of RFC 822.";
        return Err(Fault::validation("2210", "Invalid Email Address format", detail).about("PrimaryEmailAddr"));
    }
    row["FullyQualifiedName"] = json!(name);
    row[element] = json!(name);
    complete(&mut row, people);
    Ok(row)
}

fn complete(row: &mut Value, people: bool) {
    let Some(fields) = row.as_object_mut() else { return };
    fields.entry("Active").or_insert(json!(true));
    if people {
        let name = fields["DisplayName"].clone();
        fields.entry("PrintOnCheckName").or_insert(name);
        fields.entry("Balance").or_insert(json!(0));
        fields.entry("BalanceWithJobs").or_insert(json!(0));
        fields.entry("CurrencyRef").or_insert(super::generate::currency());
        fields.entry("Job").or_insert(json!(false));
        fields.entry("Taxable").or_insert(json!(true));
        fields.entry("PreferredDeliveryMethod").or_insert(json!("None"));
    }
}

/// Without a display name the parts of the name make one.
fn composed(body: &Value) -> Option<String> {
    let parts = ["Title", "GivenName", "MiddleName", "FamilyName", "Suffix"].map(|part| body[part].as_str());
    let name = parts.into_iter().flatten().collect::<Vec<_>>().join(" ");
    Some(name).filter(|name| !name.is_empty())
}
