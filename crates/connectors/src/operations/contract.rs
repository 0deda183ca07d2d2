//! The tables held against the vendors' published documents, where those are present: what is named exists there.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use super::LongTail;
use super::table::{self, Operation};
use crate::amazon::Amazon;
use crate::contracts::folder;
use crate::gohighlevel::GoHighLevel;
use crate::google_workspace::GoogleWorkspace;

#[test]
fn gohighlevel_has_every_operation() {
    let Some(folder) = folder("gohighlevel/apps") else { return };
    let known: BTreeSet<String> = documents(&folder).iter().flat_map(|document| described(document, "")).collect();
    holds(GoHighLevel::OPERATIONS, &known, |_| true);
}

#[test]
fn google_has_every_operation() {
    let Some(folder) = folder("google/discovery") else { return };
    let of = |document: &Value| {
        let mut methods = BTreeSet::new();
        let base = match document["servicePath"].as_str() {
            Some("") | None => "/".to_owned(),
            Some(path) => format!("/{path}"),
        };
        discovered(document, &base, &mut methods);
        methods
    };
    let known: BTreeSet<String> = documents(&folder).iter().flat_map(of).collect();
    holds(GoogleWorkspace::OPERATIONS, &known, |_| true);
}

/// Only some of Amazon's models are there; what stands in their paths must be as they say.
#[test]
fn amazon_has_every_operation_of_the_models_that_are_there() {
    let Some(folder) = folder("amazon/models") else { return };
    let known: BTreeSet<String> = documents(&folder).iter().flat_map(|document| described(document, "")).collect();
    let apis: BTreeSet<String> = known.iter().filter_map(|line| Some(api(line.split_once(' ')?.1))).collect();
    let checked = holds(Amazon::OPERATIONS, &known, |operation| apis.contains(&api(operation.path)));
    assert!(checked >= 35, "{checked}");
}

/// `/listings/2021-08-01/items/{}` → `/listings/2021-08-01/items`: restrictions have a model of their own.
fn api(path: &str) -> String {
    path.split('/').take(4).collect::<Vec<_>>().join("/")
}

/// Every operation of the table that is meant is known; how many were looked at.
fn holds(text: &'static str, known: &BTreeSet<String>, meant: impl Fn(&Operation) -> bool) -> usize {
    let all: Vec<Operation> = table::all(text).filter(meant).collect();
    for operation in &all {
        let line = format!("{} {}", operation.method_name(), bare(operation.path));
        assert!(known.contains(&line), "{}: the vendor has no {line}", operation.name);
    }
    all.len()
}

/// The path with nameless braces.
fn bare(path: &str) -> String {
    let mut parts = path.split('{');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |path, part| path + "{}" + part.split_once('}').map_or("", |(_, rest)| rest))
}

fn described(document: &Value, base: &str) -> Vec<String> {
    let paths = document["paths"].as_object().into_iter().flatten();
    let lines = paths.flat_map(|(path, methods)| {
        let verbs = methods.as_object().into_iter().flat_map(|methods| methods.keys());
        verbs.map(move |verb| format!("{} {base}{}", verb.to_uppercase(), bare(path))).collect::<Vec<_>>()
    });
    lines.collect()
}

fn discovered(value: &Value, base: &str, found: &mut BTreeSet<String>) {
    for method in value["methods"].as_object().into_iter().flat_map(|methods| methods.values()) {
        let path = method["flatPath"].as_str().or(method["path"].as_str()).unwrap_or_default();
        let path = bare(&format!("{base}{path}")).replace("/users/{}/", "/users/me/");
        found.insert(format!("{} {path}", method["httpMethod"].as_str().unwrap_or_default()));
    }
    for inner in value["resources"].as_object().into_iter().flat_map(|resources| resources.values()) {
        discovered(inner, base, found);
    }
}

fn documents(folder: &Path) -> Vec<Value> {
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let documents = files.filter(|path| path.extension().is_some_and(|end| end == "json"));
    documents.map(|path| serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()).collect()
}
