//! Which of an ecosystem's connections a call means: the argument `connection`, which no tool knows of.

use std::sync::Arc;

use sdk::Result;
use serde_json::{Map, Value, json};
use store::DEFAULT_CONNECTION;

use super::Request;
use crate::connections::{Connected, Connections, Which};
use crate::tools::{Entry, Run};

/// The argument that chooses.
const CONNECTION: &str = "connection";

/// The connection of this call; None where the tool asks no vendor.
///
/// Where there is a choice its name is put into the arguments, so that the record and the approval say which account
/// was meant, and another default later does not change it.
pub(super) async fn choose(
    connections: &Connections,
    entry: &Entry,
    request: &mut Request,
) -> Result<Option<Arc<Connected>>> {
    let Run::Connector(_) = entry.run else { return Ok(None) };
    let mut name = request.arguments[CONNECTION].as_str().map(str::to_owned);
    if request.approved.is_some() && name.is_none() {
        // There was one, with no name of its own, when it was approved.
        name = Some(DEFAULT_CONNECTION.to_owned());
    }
    let connected = connections.present(Which::new(entry.ecosystem, name)).await?;
    let alone = connections.of(entry.ecosystem).len() == 1 && connected.name == DEFAULT_CONNECTION;
    if !alone && let Value::Object(arguments) = &mut request.arguments {
        arguments.insert(CONNECTION.to_owned(), json!(connected.name));
    }
    Ok(Some(connected))
}

/// The arguments that the tool itself knows.
pub fn own(entry: &Entry, arguments: &Value) -> Value {
    let mut own = arguments.clone();
    if let (Run::Connector(_), Value::Object(arguments)) = (&entry.run, &mut own)
        && arguments.get(CONNECTION).is_some_and(Value::is_string)
    {
        arguments.remove(CONNECTION);
    }
    own
}

/// Other arguments for a call keep the account that it means, unless they name one.
pub fn with_connection_of(mut arguments: Value, before: &Value) -> Value {
    if let (Value::Object(arguments), Some(connection)) = (&mut arguments, before.get(CONNECTION)) {
        arguments.entry(CONNECTION).or_insert_with(|| connection.clone());
    }
    arguments
}

/// A tool's arguments as callers see them. The choice is shown where there is one, so that it costs nobody else tokens.
pub fn input_of(connections: &Connections, entry: &Entry) -> Arc<Map<String, Value>> {
    let connections = connections.of(entry.ecosystem);
    let (Run::Connector(_), [first, _, ..]) = (&entry.run, connections.as_slice()) else {
        return entry.spec.input.clone();
    };
    let names: Vec<&str> = connections.iter().map(|connected| connected.name.as_str()).collect();
    let description = format!("Which account; {} unless given.", first.name);
    let choice = json!({"type": "string", "enum": names, "description": description});
    let mut schema = (*entry.spec.input).clone();
    if let Value::Object(properties) = schema.entry("properties").or_insert_with(|| json!({})) {
        properties.insert(CONNECTION.to_owned(), choice);
    }
    Arc::new(schema)
}
