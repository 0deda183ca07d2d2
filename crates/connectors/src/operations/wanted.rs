//! What a call of an operation wants, checked against the table before anything is asked or sent.

use std::collections::BTreeMap;

use sdk::{Error, Result};
use serde_json::{Map, Value};

use super::table::{self, Operation};
use super::{CallOperation, LongTail};
use crate::path;

/// A JSON object as it goes to the vendor.
pub type Body = Map<String, Value>;

/// An operation with everything that the caller gave for it.
pub struct Wanted {
    pub operation: Operation,
    pub ids: BTreeMap<String, String>,
    pub query: Vec<(String, String)>,
    pub body: Option<Body>,
}

/// Reads a call. An error names the argument and what there would be.
pub fn read<C: LongTail>(call: CallOperation) -> Result<Wanted> {
    let operation = table::named(C::OPERATIONS, &call.operation)?;
    if operation.effect.is_none() {
        return Err(Error::forbidden(format!("{} is not done from here: {}", operation.name, operation.about)));
    }
    let ids = call.path.unwrap_or_default();
    check_ids::<C>(&operation, &ids)?;
    let query = listed::<C>(&operation, call.query.unwrap_or_default())?;
    let body = body::<C>(&operation, call.body)?;
    Ok(Wanted { operation, ids, query, body })
}

fn check_ids<C: LongTail>(operation: &Operation, given: &BTreeMap<String, String>) -> Result<()> {
    if let Some(name) = given.keys().find(|name| !operation.ids().any(|id| id == name.as_str())) {
        return Err(unknown("path", name, operation.path, operation.ids()));
    }
    for name in operation.ids() {
        let Some(value) = given.get(name) else {
            if C::KNOWN.contains(&name) {
                continue;
            }
            return Err(Error::invalid_input(format!("path.{name}: {} needs it ({})", operation.name, operation.path)));
        };
        path::segment(name, value).map_err(|e| Error::invalid_input(format!("path.{e}")))?;
        if operation.is_led_elsewhere(C::OPERATIONS, name, value) {
            return Err(Error::invalid_input(format!(
                "path.{name}: `{value}` is no id here, it names another operation"
            )));
        }
    }
    Ok(())
}

fn listed<C: LongTail>(operation: &Operation, given: Body) -> Result<Vec<(String, String)>> {
    let mut pairs = Vec::new();
    for (name, value) in given {
        if !operation.query().any(|(known, _)| known == name) {
            let names = operation.query().map(|(name, _)| name);
            return Err(unknown("query", &name, operation.name, names));
        }
        let values = match &value {
            Value::Array(items) => items.iter().map(plain).collect::<Option<Vec<_>>>(),
            one => plain(one).map(|one| vec![one]),
        };
        let wrong =
            || Error::invalid_input(format!("query.{name}: give a text, a number, true or false, or a list of them"));
        let values = values.ok_or_else(wrong)?;
        if C::JOINS_LISTS {
            pairs.push((name, values.join(",")));
        } else {
            pairs.extend(values.into_iter().map(|value| (name.clone(), value)));
        }
    }
    Ok(pairs)
}

fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        _ => None,
    }
}

fn body<C: LongTail>(operation: &Operation, given: Option<Body>) -> Result<Option<Body>> {
    if !operation.takes_body() {
        return match given {
            Some(body) if !body.is_empty() => Err(Error::invalid_input(format!("body: {} takes none", operation.name))),
            _ => Ok(None),
        };
    }
    let mut body = given.unwrap_or_default();
    let known = |name: &str| operation.body().any(|(known, _)| known == name);
    if operation.is_closed()
        && let Some(name) = body.keys().find(|name| !known(name))
    {
        return Err(unknown("body", name, operation.name, operation.body().map(|(name, _)| name)));
    }
    C::shape(operation, &mut body)?;
    Ok(Some(body))
}

fn unknown<'a>(part: &str, name: &str, place: &str, names: impl Iterator<Item = &'a str>) -> Error {
    let shown = sdk::text::cut(name, 60);
    let names: Vec<&str> = names.collect();
    let there = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    Error::invalid_input(format!("{part}.{shown}: {place} does not take it; it takes {there}"))
}
