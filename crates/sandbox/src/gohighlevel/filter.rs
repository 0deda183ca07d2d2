//! The filters of the contacts search: fields, operators, groups.

use serde_json::Value;

use crate::{
    business::Contact,
    clock::{Millis, parse},
};

/// A group or one comparison.
pub(crate) enum Condition {
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Compare { field: String, operator: Operator, value: Value },
}

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Operator {
    Eq,
    NotEq,
    Contains,
    NotContains,
    Exists,
    NotExists,
    Range,
}

impl Condition {
    /// Reads `filters`; what is wrong with them goes into `wrong`.
    pub(crate) fn read(filters: Option<&Value>, wrong: &mut Vec<String>) -> Condition {
        let list = filters.and_then(Value::as_array);
        if filters.is_some_and(|filters| !filters.is_null()) && list.is_none() {
            wrong.push("filters must be an array".into());
        }
        Condition::All(list.into_iter().flatten().filter_map(|item| one(item, wrong)).collect())
    }

    pub(crate) fn is_empty(&self) -> bool {
        matches!(self, Condition::All(list) if list.is_empty())
    }
}

fn one(item: &Value, wrong: &mut Vec<String>) -> Option<Condition> {
    if let Some(group) = item.get("group").and_then(Value::as_str) {
        let members = item.get("filters").and_then(Value::as_array).into_iter().flatten();
        let members = members.filter_map(|member| one(member, wrong)).collect();
        return match group {
            "AND" => Some(Condition::All(members)),
            "OR" => Some(Condition::Any(members)),
            _ => {
                wrong.push(format!("group {group} is not supported"));
                None
            }
        };
    }
    let field = item.get("field").and_then(Value::as_str).unwrap_or_default().to_owned();
    let name = item.get("operator").and_then(Value::as_str).unwrap_or_default();
    let Some(operator) = operator(name) else {
        wrong.push(format!("operator {name} is not supported"));
        return None;
    };
    if !known(&field) {
        wrong.push(format!("filter field {field} is not supported"));
        return None;
    }
    let value = item.get("value").cloned().unwrap_or_default();
    if value.as_str().is_some_and(|text| text.chars().count() > 75) {
        wrong.push(format!("value of {field} must be shorter than or equal to 75 characters"));
    }
    Some(Condition::Compare { field, operator, value })
}

fn operator(name: &str) -> Option<Operator> {
    Some(match name {
        "eq" => Operator::Eq,
        "not_eq" => Operator::NotEq,
        "contains" => Operator::Contains,
        "not_contains" => Operator::NotContains,
        "exists" => Operator::Exists,
        "not_exists" => Operator::NotExists,
        "range" => Operator::Range,
        _ => return None,
    })
}

fn known(field: &str) -> bool {
    const FIELDS: &[&str] = &[
        "id",
        "contactName",
        "firstNameLowerCase",
        "lastNameLowerCase",
        "email",
        "phone",
        "address",
        "city",
        "state",
        "country",
        "postalCode",
        "businessName",
        "companyName",
        "website",
        "source",
        "assignedTo",
        "tags",
        "timezone",
        "type",
        "dnd",
        "dateOfBirth",
        "dateAdded",
        "dateUpdated",
        "validEmail",
        "followers",
        "businessId",
    ];
    FIELDS.contains(&field) || field.starts_with("customFields.")
}

pub(crate) fn matches(contact: &Contact, condition: &Condition) -> bool {
    match condition {
        Condition::All(members) => members.iter().all(|member| matches(contact, member)),
        Condition::Any(members) => members.iter().any(|member| matches(contact, member)),
        Condition::Compare { field, operator, value } => compare(contact, field, *operator, value),
    }
}

fn compare(contact: &Contact, field: &str, operator: Operator, wanted: &Value) -> bool {
    match field {
        "dateAdded" => return date(Some(contact.added), operator, wanted),
        "dateUpdated" => return date(Some(contact.updated), operator, wanted),
        "dateOfBirth" => return date(contact.date_of_birth.as_deref().and_then(parse), operator, wanted),
        _ => {}
    }
    let held = held(contact, field);
    let wanted = plain(wanted);
    match operator {
        Operator::Eq => held.contains(&wanted),
        Operator::NotEq => !held.contains(&wanted),
        Operator::Contains => held.iter().any(|held| held.contains(&wanted)),
        Operator::NotContains => !held.iter().any(|held| held.contains(&wanted)),
        Operator::Exists => !held.is_empty(),
        Operator::NotExists => held.is_empty(),
        Operator::Range => false,
    }
}

fn date(held: Option<Millis>, operator: Operator, wanted: &Value) -> bool {
    let Some(held) = held else { return operator == Operator::NotExists };
    let bound = |key: &str| wanted.get(key).and_then(|value| parse(&plain(value).to_uppercase()));
    match operator {
        Operator::Exists => true,
        Operator::Range => {
            bound("gte").or(bound("low")).is_none_or(|low| held >= low)
                && bound("gt").is_none_or(|low| held > low)
                && bound("lte").or(bound("high")).is_none_or(|high| held <= high)
                && bound("lt").is_none_or(|high| held < high)
        }
        Operator::Eq => parse(&plain(wanted).to_uppercase()) == Some(held),
        _ => false,
    }
}

/// The values that a contact holds under a field's name, in lower case.
fn held(contact: &Contact, field: &str) -> Vec<String> {
    let one = |text: Option<&str>| text.map(str::to_lowercase).into_iter().collect::<Vec<_>>();
    match field {
        "id" => vec![contact.id.to_string().to_lowercase()],
        "contactName" => one(Some(&contact.name())),
        "firstNameLowerCase" => one(contact.first_name.as_deref()),
        "lastNameLowerCase" => one(contact.last_name.as_deref()),
        "email" => one(contact.email.as_deref()),
        "phone" => one(contact.phone.as_deref()),
        "address" => one(contact.address.as_deref()),
        "city" => one(contact.city.as_deref()),
        "state" => one(contact.state.as_deref()),
        "country" => one(Some(&contact.country)),
        "postalCode" => one(contact.postal_code.as_deref()),
        "businessName" | "companyName" => one(contact.company.as_deref()),
        "website" => one(contact.website.as_deref()),
        "source" => one(contact.source.as_deref()),
        "assignedTo" => one(contact.assigned_to.as_ref().map(|user| user.as_str())),
        "tags" => contact.tags.iter().map(|tag| tag.to_lowercase()).collect(),
        "timezone" => one(contact.timezone.as_deref()),
        "type" => one(Some(&contact.kind)),
        "dnd" => vec![contact.dnd.to_string()],
        _ => answer(contact, field),
    }
}

fn answer(contact: &Contact, field: &str) -> Vec<String> {
    let Some(id) = field.strip_prefix("customFields.") else { return Vec::new() };
    contact.custom_fields.iter().filter(|(own, _)| own.as_str() == id).map(|(_, value)| plain(value)).collect()
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.to_lowercase(),
        other => other.to_string().to_lowercase(),
    }
}
