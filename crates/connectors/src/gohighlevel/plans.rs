//! What the dry runs of the writes share: the contact as it is, and what would be different.

use sdk::{Plan, Result};
use serde_json::{Map, Value};

use super::GoHighLevel;
use crate::json;

/// The contact that a write is about. One that does not exist is an error, as it would be for the write.
pub async fn contact(api: &GoHighLevel, id: &str) -> Result<Value> {
    let mut answer: Value = api.get("/contacts/{contact_id}", &[id])?.send().await?.json()?;
    Ok(match answer.get_mut("contact").map(Value::take) {
        Some(row) if row.is_object() => row,
        _ => answer,
    })
}

/// The contact that the vendor would find by this e-mail address or phone number.
pub async fn duplicate(api: &GoHighLevel, email: Option<&str>, phone: Option<&str>) -> Result<Option<Value>> {
    if email.is_none() && phone.is_none() {
        return Ok(None);
    }
    let request = api.get("/contacts/search/duplicate", &[])?.query(&[
        ("locationId", Some(api.location()?.to_owned())),
        ("email", email.map(str::to_owned)),
        ("number", phone.filter(|_| email.is_none()).map(str::to_owned)),
    ]);
    let mut answer: Value = request.send().await?.json()?;
    Ok(answer.get_mut("contact").map(Value::take).filter(Value::is_object))
}

/// The words by which a person knows the contact.
pub fn name(row: &Value) -> String {
    let parts = [json::text(row, "firstName"), json::text(row, "lastName")];
    let whole = parts.into_iter().flatten().collect::<Vec<_>>().join(" ");
    let known = Some(whole).filter(|whole| !whole.is_empty());
    known.or_else(|| json::first_text(row, &["contactName", "name", "email", "phone", "id"])).unwrap_or_default()
}

/// Adds each field that would have another value.
pub fn fields(plan: Plan, row: &Value, wanted: &Map<String, Value>) -> Plan {
    wanted.iter().filter(|(name, _)| *name != "customFields").fold(plan, |plan, (name, after)| {
        match row.get(name).filter(|before| !before.is_null()) {
            // 1500 is 1500.0, and the vendor writes either, or a text.
            Some(_) if after.is_number() && json::number(row, name) == after.as_f64() => plan,
            Some(before) => plan.sets(name, before.clone(), after.clone()),
            None => plan.adds(name, after.clone()),
        }
    })
}

/// Adds each of the business's own fields that would have another value; given by id and value.
pub fn own_fields<'a>(plan: Plan, row: &Value, wanted: impl Iterator<Item = (&'a str, &'a str)>) -> Plan {
    wanted.fold(plan, |plan, (id, after)| {
        let before =
            json::list(row, "customFields").iter().find(|field| json::text(field, "id").as_deref() == Some(id));
        let what = format!("custom field {id}");
        match before.and_then(|field| field.get("value")) {
            Some(before) => plan.sets(what, before.clone(), after),
            None => plan.adds(what, after),
        }
    })
}

/// The tags among `tags` that the contact has, or has not. The vendor keeps them in small letters.
pub fn tags<'a>(row: &Value, tags: &'a [String], there: bool) -> Vec<&'a str> {
    let has: Vec<String> = json::texts(row, "tags").iter().map(|tag| tag.to_lowercase()).collect();
    tags.iter().map(String::as_str).filter(|tag| has.contains(&tag.trim().to_lowercase()) == there).collect()
}

/// A message to a contact, with what speaks against it.
pub fn message(plan: Plan, row: &Value, key: &str, channel: &str, text: Value) -> Plan {
    let to = json::text(row, key);
    let plan = plan.adds("to", to.clone().unwrap_or_else(|| "nobody".into())).adds("message", text);
    let plan =
        if to.is_none() { plan.note(format!("the contact has no {key}, so GoHighLevel will refuse")) } else { plan };
    let all = json::flag(row, "dnd").unwrap_or(false);
    let here = row.pointer(&format!("/dndSettings/{channel}/status")).and_then(Value::as_str) == Some("active");
    let plan = if all || here { plan.note("the contact asked not to be disturbed") } else { plan };
    plan.note("what was sent cannot be taken back")
}
