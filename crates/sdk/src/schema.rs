//! JSON Schemas that every MCP client accepts.
//!
//! Some clients refuse `$ref`, top-level combinators, unsigned formats and objects that are open
//! to unknown fields, and drop the whole catalogue when one tool has them. So schemas are inlined
//! and cleaned here, once for all tools.

use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::{Map, Value, json};

/// The schema of `T` as the arguments of a tool: an object that takes no unknown field.
pub fn input<T: JsonSchema>() -> Value {
    let mut schema = clean::<T>();
    schema.insert("additionalProperties".into(), Value::Bool(false));
    schema.entry("properties").or_insert_with(|| json!({}));
    schema.remove("description");
    Value::Object(schema)
}

/// The schema of `T` as the answer of a tool: an object that may grow.
pub fn output<T: JsonSchema>() -> Value {
    let mut schema = clean::<T>();
    schema.remove("additionalProperties");
    Value::Object(schema)
}

/// The doc comment of `T`, which is the description that the model reads.
pub fn description<T: JsonSchema>() -> String {
    let schema = generate::<T>();
    let text = schema.get("description").and_then(Value::as_str).unwrap_or_default();
    text.split("\n\n").map(|paragraph| paragraph.replace('\n', " ")).collect::<Vec<_>>().join("\n")
}

fn clean<T: JsonSchema>() -> Map<String, Value> {
    let mut schema = generate::<T>();
    for key in ["$schema", "title", "$defs"] {
        schema.remove(key);
    }
    schema.values_mut().for_each(strip);
    schema.insert("type".into(), json!("object"));
    schema
}

fn generate<T: JsonSchema>() -> Map<String, Value> {
    let settings = SchemaSettings::draft2020_12().with(|s| s.inline_subschemas = true);
    match settings.into_generator().into_root_schema_for::<T>().to_value() {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// Removes what some clients refuse: unsigned formats and the titles that repeat the field name.
fn strip(value: &mut Value) {
    match value {
        Value::Object(map) => {
            if map.get("format").and_then(Value::as_str).is_some_and(|f| f.starts_with("uint") || f.starts_with("int"))
            {
                map.remove("format");
            }
            if map.get("title").is_some_and(Value::is_string) {
                map.remove("title");
            }
            map.values_mut().for_each(strip);
        }
        Value::Array(items) => items.iter_mut().for_each(strip),
        _ => {}
    }
}
