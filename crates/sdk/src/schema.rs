//! JSON Schemas that every MCP client accepts.
//!
//! Some clients refuse `$ref`, top-level combinators, unsigned formats and objects that are open
//! to unknown fields, and drop the whole catalogue when one tool has them. So schemas are inlined
//! and cleaned here, once for all tools.

use std::sync::Arc;

use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::{Map, Value, json};

/// The schema of `T` as the arguments of a tool: an object that takes no unknown field.
pub fn input<T: JsonSchema>() -> Map<String, Value> {
    let mut schema = clean::<T>(SchemaSettings::for_deserialize);
    schema.insert("additionalProperties".into(), Value::Bool(false));
    schema.entry("properties").or_insert_with(|| json!({}));
    schema.remove("description");
    schema
}

/// The schema of `T` as the answer of a tool: an object that may grow.
pub fn output<T: JsonSchema>() -> Map<String, Value> {
    let mut schema = clean::<T>(SchemaSettings::for_serialize);
    schema.remove("additionalProperties");
    schema
}

/// A schema as compact JSON.
pub(crate) fn text(schema: &Map<String, Value>) -> Arc<str> {
    let mut text = Vec::new();
    // A tree of texts always has a form in JSON.
    let _ = serde_json::to_writer(&mut text, schema);
    String::from_utf8(text).unwrap_or_default().into()
}

/// The doc comment of `T`, which is the description that the model reads.
pub fn description<T: JsonSchema>() -> String {
    let schema = generate::<T>(SchemaSettings::for_deserialize);
    let text = schema.get("description").and_then(Value::as_str).unwrap_or_default();
    text.split("\n\n").map(|paragraph| paragraph.replace('\n', " ")).collect::<Vec<_>>().join("\n")
}

/// Adds the question of a dry run to a tool's arguments and its answer, which is the plan alone, to its answers.
pub(crate) fn add_dry_run(input: &mut Map<String, Value>, output: &mut Map<String, Value>) {
    let about = "Only tell what would change; asks nobody.";
    input["properties"][crate::tool::DRY_RUN] = json!({"type": "boolean", "description": about});
    let mut plan = self::output::<crate::Plan>();
    plan.insert("description".into(), json!("What would change; alone in the answer to a dry run."));
    output.remove("required");
    output.entry("properties").or_insert_with(|| json!({}))["plan"] = plan.into();
}

/// Arguments without the members that are null: models send null for what they do not want to
/// give, and the schemas of optional arguments do not know null.
pub fn without_nulls(mut arguments: Value) -> Value {
    if let Value::Object(map) = &mut arguments {
        map.retain(|_, value| !value.is_null());
    }
    arguments
}

fn clean<T: JsonSchema>(side: fn(SchemaSettings) -> SchemaSettings) -> Map<String, Value> {
    let mut schema = generate::<T>(side);
    for key in ["$schema", "title", "$defs"] {
        schema.remove(key);
    }
    schema.values_mut().for_each(strip);
    drop_null(&mut schema);
    name_any(&mut schema);
    schema.insert("type".into(), json!("object"));
    schema
}

fn generate<T: JsonSchema>(side: fn(SchemaSettings) -> SchemaSettings) -> Map<String, Value> {
    let settings = side(SchemaSettings::draft2020_12().with(|s| s.inline_subschemas = true));
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
            drop_null(map);
        }
        Value::Array(items) => items.iter_mut().for_each(strip),
        _ => {}
    }
}

/// A property that may be left out need not be null as well. Without this every `Option` is a
/// list of types or an `anyOf`, which some clients refuse.
fn drop_null(object: &mut Map<String, Value>) {
    let required: Vec<String> = object
        .get("required")
        .and_then(Value::as_array)
        .map(|names| names.iter().filter_map(Value::as_str).map(str::to_owned).collect())
        .unwrap_or_default();
    let Some(properties) = object.get_mut("properties").and_then(Value::as_object_mut) else { return };
    for (name, property) in properties.iter_mut() {
        // "Anything" may be written as `true`, but up to 2025-11-25 a property is an object.
        if *property == Value::Bool(true) {
            *property = json!({});
        }
        if let Some(property) = property.as_object_mut().filter(|_| !required.contains(name)) {
            never_null(property);
        }
    }
}

/// A property that may be anything says so: checkers of schemas take an empty one for a mistake.
fn name_any(schema: &mut Map<String, Value>) {
    for (key, inner) in schema.iter_mut() {
        let inside: Vec<&mut Value> = match (key.as_str(), inner) {
            ("properties", Value::Object(properties)) => properties.values_mut().collect(),
            ("anyOf" | "oneOf" | "allOf", Value::Array(choices)) => choices.iter_mut().collect(),
            ("items" | "additionalProperties", inner) => vec![inner],
            _ => continue,
        };
        for inner in inside.into_iter().filter_map(Value::as_object_mut) {
            name_types(inner);
            name_any(inner);
        }
    }
}

fn name_types(schema: &mut Map<String, Value>) {
    let says = ["type", "enum", "const", "anyOf", "oneOf", "allOf", "not"];
    if !says.iter().any(|key| schema.contains_key(*key)) {
        // Each type apart: some clients do not know a list of types.
        let types = ["object", "array", "string", "number", "boolean", "null"];
        schema.insert("anyOf".into(), types.iter().map(|name| json!({ "type": name })).collect());
    }
}

fn never_null(property: &mut Map<String, Value>) {
    if property.get("default").is_some_and(Value::is_null) {
        property.remove("default");
    }
    for key in ["type", "enum"] {
        let Some(Value::Array(names)) = property.get_mut(key) else { continue };
        names.retain(|name| !name.is_null() && name != "null");
        if key == "type" && names.len() == 1 {
            let only = names.remove(0);
            property.insert(key.into(), only);
        }
    }
    let Some(Value::Array(choices)) = property.get_mut("anyOf") else { return };
    choices.retain(|choice| choice.get("type").is_none_or(|name| name != "null"));
    if choices.len() != 1 {
        return;
    }
    if let Value::Object(only) = choices.remove(0) {
        property.remove("anyOf");
        for (key, value) in only {
            property.entry(key).or_insert(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Serialize, serde::Deserialize, JsonSchema)]
    struct Row {
        id: String,
        /// What it is worth.
        #[serde(skip_serializing_if = "Option::is_none")]
        value: Option<u32>,
        kind: Option<Kind>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        inner: Vec<Inner>,
    }

    #[derive(serde::Serialize, serde::Deserialize, JsonSchema)]
    #[serde(rename_all = "lowercase")]
    enum Kind {
        Lead,
        Customer,
    }

    #[derive(serde::Serialize, serde::Deserialize, JsonSchema)]
    struct Inner {
        note: Option<String>,
    }

    #[test]
    fn what_may_be_left_out_is_never_null() {
        let schema = input::<Row>();
        assert_eq!(schema["required"], json!(["id"]));
        let value = json!({"type": "integer", "minimum": 0, "description": "What it is worth."});
        assert_eq!(schema["properties"]["value"], value);
        assert_eq!(schema["properties"]["kind"], json!({"type": "string", "enum": ["lead", "customer"]}));
        assert_eq!(schema["properties"]["inner"]["items"]["properties"]["note"], json!({"type": "string"}));
    }

    #[test]
    fn an_answer_requires_what_is_always_written() {
        let schema = output::<Row>();
        assert_eq!(schema["required"], json!(["id", "kind"]));
        assert_eq!(schema["properties"]["value"]["type"], "integer");
        // It is written as null, so null must be allowed.
        assert_eq!(schema["properties"]["kind"]["type"], json!(["string", "null"]));
    }

    #[derive(JsonSchema)]
    struct Loose {
        #[expect(dead_code, reason = "only its schema is looked at")]
        anything: Value,
        #[expect(dead_code, reason = "only its schema is looked at")]
        rows: Vec<Looser>,
    }

    #[derive(JsonSchema)]
    struct Looser {
        #[expect(dead_code, reason = "only its schema is looked at")]
        properties: Value,
    }

    #[test]
    fn a_property_that_may_be_anything_is_still_an_object_and_says_so() {
        let types = ["object", "array", "string", "number", "boolean", "null"];
        let any = json!({"anyOf": types.map(|name| json!({ "type": name }))});
        assert_eq!(output::<Loose>()["properties"]["anything"], any);
        assert_eq!(input::<Loose>()["properties"]["anything"], any);
        assert_eq!(output::<Loose>()["properties"]["rows"]["items"]["properties"]["properties"], any);
    }

    #[test]
    fn arguments_that_are_null_are_not_given() {
        assert_eq!(without_nulls(json!({"a": null, "b": [null]})), json!({"b": [null]}));
    }
}
