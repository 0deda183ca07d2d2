//! Every tool can be offered to every MCP client.

use serde_json::Value;

#[test]
fn names_are_short_and_plain_with_their_ecosystem() {
    for (name, _) in specs() {
        assert!(name.len() <= 45, "{name} is too long");
        assert!(name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'), "{name}");
    }
}

#[test]
fn no_name_is_used_twice() {
    let mut names: Vec<String> = specs().into_iter().map(|(name, _)| name).collect();
    names.sort();
    let all = names.len();
    names.dedup();
    assert_eq!(names.len(), all);
}

/// What a person is told of a scope that was not granted is true of tools that exist.
#[test]
fn scopes_unlock_tools_that_there_are() {
    for connector in connectors::all() {
        let oauth =
            connector.auth.iter().find_map(|auth| if let sdk::Auth::OAuth2(oauth) = auth { Some(oauth) } else { None });
        for (scope, tools) in oauth.map(|oauth| oauth.unlocks).unwrap_or_default() {
            assert!(
                oauth.is_some_and(|oauth| oauth.scopes.contains(scope)),
                "{}: {scope} is not asked for",
                connector.id
            );
            for tool in *tools {
                assert!(connector.tools.iter().any(|one| one.spec.name == *tool), "{}: no tool {tool}", connector.id);
            }
        }
    }
}

#[test]
fn every_tool_and_every_argument_is_described() {
    for (name, spec) in specs() {
        let length = spec.description.chars().count();
        assert!((40..=300).contains(&length), "the description of {name} has {length} characters");
        assert!(!spec.title.is_empty(), "{name} has no title");
        for (argument, schema) in spec.input["properties"].as_object().unwrap() {
            let described = schema["description"].as_str().is_some_and(|text| !text.is_empty());
            assert!(described, "{name}.{argument} has no description");
        }
    }
}

#[test]
fn schemas_are_such_that_every_client_takes_them() {
    for (name, spec) in specs() {
        for (side, schema) in [("input", spec.input.as_ref().clone()), ("output", spec.output_schema())] {
            let place = format!("{name} {side}");
            assert_eq!(schema["type"], "object", "{place}");
            look(&schema.into(), &place);
        }
        assert_eq!(spec.input["additionalProperties"], false, "{name}");
    }
}

#[test]
fn texts_and_lists_among_the_arguments_are_bounded() {
    for (name, spec) in specs() {
        for (argument, schema) in spec.input["properties"].as_object().unwrap() {
            let place = format!("{name}.{argument}");
            let closed =
                schema.get("enum").is_some() || schema.get("format").is_some() || schema.get("pattern").is_some();
            match schema["type"].as_str() {
                Some("string") if !closed => assert!(schema["maxLength"].is_u64(), "{place} has no maxLength"),
                Some("array") => assert!(schema["maxItems"].is_u64(), "{place} has no maxItems"),
                Some("integer" | "number") => assert!(schema["maximum"].is_number(), "{place} has no maximum"),
                _ => {}
            }
        }
    }
}

#[test]
fn the_configuration_of_every_connector_can_be_left_out() {
    for connector in connectors::all() {
        let required = connector.config_schema.get("required").and_then(Value::as_array);
        assert!(required.is_none_or(Vec::is_empty), "{}: {required:?}", connector.id);
        look(&connector.config_schema, connector.id);
    }
}

fn specs() -> Vec<(String, sdk::tool::Spec)> {
    let of = |connector: sdk::ErasedConnector| {
        let id = connector.id;
        connector.tools.into_iter().map(move |tool| (format!("{id}_{}", tool.spec.name), tool.spec))
    };
    let specs: Vec<_> = connectors::all().into_iter().flat_map(of).collect();
    assert!(specs.len() >= 17);
    specs
}

/// Looks at every schema within a schema.
fn look(schema: &Value, place: &str) {
    let Some(object) = schema.as_object() else {
        assert!(!schema.is_boolean() || place.ends_with("additionalProperties"), "{place} is anything");
        return;
    };
    for forbidden in ["$ref", "$defs", "$schema", "oneOf", "anyOf", "allOf"] {
        // A value of several types says so type by type: anything among the answers, a cell among the arguments.
        let values = place.contains(" output") || place.ends_with(".items");
        let several = forbidden == "anyOf" && values && is_types(schema);
        assert!(several || !object.contains_key(forbidden), "{place} has {forbidden}: {schema}");
    }
    if let Some(kind) = object.get("type") {
        assert!(kind.is_string(), "{place} has several types: {kind}");
    }
    if let Some(format) = object.get("format").and_then(Value::as_str) {
        assert!(!format.starts_with("uint") && !format.starts_with("int"), "{place} has the format {format}");
    }
    assert!(object.get("default").is_none_or(|default| !default.is_null()), "{place} has the default null");
    for (name, property) in object.get("properties").and_then(Value::as_object).into_iter().flatten() {
        look(property, &format!("{place}.{name}"));
    }
    for key in ["items", "additionalProperties"] {
        if let Some(inner) = object.get(key) {
            look(inner, &format!("{place}.{key}"));
        }
    }
}

/// Whether a schema's choices are types and nothing else.
fn is_types(schema: &Value) -> bool {
    let bare =
        |choice: &Value| choice["type"].is_string() && choice.as_object().is_some_and(|choice| choice.len() == 1);
    schema["anyOf"].as_array().is_some_and(|choices| choices.iter().all(bare))
}
