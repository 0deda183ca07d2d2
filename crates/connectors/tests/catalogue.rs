//! Every tool can be offered to every MCP client.
#![expect(clippy::unwrap_used, reason = "a test ends where it fails, also in its helpers")]

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

#[test]
fn every_write_has_a_dry_run() {
    for (name, spec) in specs() {
        assert_eq!(spec.dry_run, spec.effect.is_outward(), "{name}");
    }
}

/// Names under which running text stands, and not a name, a number or a date. A `note` is our own remark.
const TEXTS: &[&str] = &[
    "body",
    "comment",
    "content",
    "description",
    "memo",
    "message",
    "notes",
    "snippet",
    "subject",
    "summary",
    "text",
    "values",
];
/// Texts of such a name in the answers of reads that nobody from outside has written.
const OURS: &[(&str, &str)] = &[
    ("quickbooks_ledger_summary", "notes"),
    ("quickbooks_get_invoice", "description"),
    ("quickbooks_get_invoice", "memo"),
    ("cloudflare_list_dns", "comment"),
    ("cloudflare_list_dns", "content"),
];
/// Writes with such an argument whose words stay in the house, or wait in it until another tool sends them.
const KEPT: &[(&str, &str)] = &[
    ("gohighlevel_add_note", "body"),
    ("gohighlevel_create_task", "body"),
    ("quickbooks_create_draft_invoice", "description"),
    ("quickbooks_create_draft_invoice", "memo"),
    ("google_workspace_create_draft", "body"),
    ("google_workspace_create_draft", "subject"),
];

/// So that nobody forgets to say whose words a tool carries.
#[test]
fn texts_are_of_strangers_or_ours_and_leave_or_stay() {
    let mut unsaid = Vec::new();
    for (name, spec) in specs().into_iter().filter(|(_, spec)| spec.name != "search_operations") {
        let (schema, is_said, listed) = if spec.effect.is_outward() {
            (Value::Object((*spec.input).clone()), spec.sends, KEPT)
        } else {
            (Value::Object(spec.output_schema()), spec.by_strangers, OURS)
        };
        let mut found = Vec::new();
        texts(&schema, &mut found);
        found.retain(|text| !is_said && !listed.contains(&(name.as_str(), text.as_str())));
        unsaid.extend(found.iter().map(|text| format!("{name}: `{text}`")));
    }
    assert!(unsaid.is_empty(), "`.by_strangers()`, `.sends()`, or a line in OURS or KEPT: {unsaid:#?}");
}

/// The names of running texts within a schema.
fn texts(schema: &Value, found: &mut Vec<String>) {
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        if TEXTS.contains(&name.as_str()) && !found.contains(name) {
            found.push(name.clone());
        }
        texts(property, found);
    }
    schema.get("items").into_iter().for_each(|items| texts(items, found));
}

/// A tool that no test of its connector calls may send anything.
#[test]
fn every_tool_is_called_by_a_test_of_its_connector() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    for connector in connectors::all() {
        let begins = connector.id.split('_').next().unwrap();
        let mut texts = String::new();
        gather(&folder, &|path| path.starts_with(begins) || path.starts_with("support"), &mut texts);
        for tool in &connector.tools {
            let is_long_tail = ["search_operations", "call_operation"].contains(&tool.spec.name);
            let is_called = texts.contains(&format!("\"{}\"", tool.spec.name));
            assert!(is_long_tail || is_called, "no test calls {}.{}", connector.id, tool.spec.name);
        }
    }
}

/// The text of the test files whose name, or whose folder's, is meant.
fn gather(folder: &std::path::Path, is_meant: &dyn Fn(&str) -> bool, texts: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if !is_meant(path.file_name().unwrap().to_str().unwrap()) {
            continue;
        }
        if path.is_dir() {
            gather(&path, &|_| true, texts);
        } else {
            texts.push_str(&std::fs::read_to_string(&path).unwrap());
        }
    }
}
