//! What the connector sends, held against the vendor's OpenAPI documents where they are present.
#![expect(clippy::unwrap_used, reason = "a test ends where it fails, also in its helpers")]

mod support;

use serde_json::{Value, json};
use support::{Sent, Vendor, cases, contracts};

/// Where the documents are known to be wrong: the request schema and the property.
const DEFECTS: &[(&str, &str, &str)] = &[
    ("SearchBodyV2DTO", "*", "the schema is empty"),
    ("SendMessageBodyDto", "status", "marked required; clients leave it out"),
    ("SendMessageBodyDto", "subType", "marked required; clients leave it out"),
    ("UpdateContactDto", "companyName", "not declared; the API accepts it (issue 314 of the vendor's docs)"),
    ("UpdateContactDtoV3", "companyName", "not declared; the API accepts it (issue 314 of the vendor's docs)"),
];

#[tokio::test]
async fn requests_agree_with_the_vendors_documents() {
    for version in ["2021-07-28", "v3"] {
        let Some(documents) = documents(version) else { return };
        let opening = |vendor: &Vendor| {
            let mut config = vendor.config();
            config["version"] = json!(version);
            support::opening(config, support::TOKEN)
        };
        let mut checked = 0;
        for case in cases::all() {
            let vendor = case.vendor().await;
            support::run(opening(&vendor), case.tool, case.arguments.clone()).await.unwrap();
            vendor.sent().iter().for_each(|sent| check(&documents, sent, case.tool));
            checked += vendor.sent().len();
        }
        for stream in ["contacts", "opportunities", "interactions"] {
            let vendor = Vendor::start(|_, _| json!({}).into()).await;
            support::walk(opening(&vendor), stream, Some("2026-11-01T00:00:00Z")).await.unwrap();
            vendor.sent().iter().for_each(|sent| check(&documents, sent, stream));
            checked += vendor.sent().len();
        }
        println!("{checked} requests checked against {version}");
    }
}

fn documents(version: &str) -> Option<Vec<Value>> {
    let folder = contracts::folder("gohighlevel/apps")?;
    let names = ["contacts", "opportunities", "conversations", "calendars"];
    let file = |name: &str| if version == "v3" { format!("v3/{name}-v3.json") } else { format!("{name}.json") };
    let read = |name| std::fs::read_to_string(folder.join(file(name))).unwrap();
    Some(names.into_iter().map(|name| serde_json::from_str(&read(name)).unwrap()).collect())
}

fn check(documents: &[Value], sent: &Sent, who: &str) {
    let who = format!("{who}: {}", sent.line());
    let (document, operation) = operation(documents, sent).unwrap_or_else(|| panic!("{who} is not documented"));
    let none = Vec::new();
    let parameters = operation["parameters"].as_array().unwrap_or(&none);
    let of = |place: &'static str| parameters.iter().filter(move |parameter| parameter["in"] == place);
    for name in sent.query.keys() {
        assert!(of("query").any(|parameter| parameter["name"] == *name), "{who}: `{name}` is not documented");
    }
    for parameter in of("query") {
        let name = parameter["name"].as_str().unwrap();
        let given = sent.query.get(name);
        assert!(given.is_some() || parameter["required"] != true, "{who}: `{name}` is missing");
        if let (Some(given), Some(allowed)) = (given, parameter["schema"]["enum"].as_array()) {
            assert!(allowed.iter().any(|value| value == given), "{who}: `{name}` may not be {given}");
        }
    }
    for parameter in of("header").filter(|parameter| parameter["name"] == "Version") {
        let version = json!(sent.header("version").unwrap());
        assert!(parameter["schema"]["enum"].as_array().unwrap().contains(&version), "{who}: version {version}");
    }
    match operation.pointer("/requestBody/content/application~1json/schema") {
        Some(schema) => check_body(document, schema, sent, &who),
        None => assert_eq!(sent.body, Value::Null, "{who}: no body is documented"),
    }
}

fn check_body(document: &Value, schema: &Value, sent: &Sent, who: &str) {
    let name = schema["$ref"].as_str().and_then(|reference| reference.rsplit('/').next()).unwrap_or_default();
    let known = |property: &str| {
        DEFECTS.iter().any(|(schema, known, _)| *schema == name && (*known == property || *known == "*"))
    };
    let mut declared = document["components"]["schemas"][name].clone();
    for property in sent.body.as_object().unwrap().keys() {
        let there = declared["properties"].get(property).is_some();
        assert!(there || known(property), "{who}: `{property}` is not declared by {name}");
    }
    if let Some(required) = declared.get_mut("required").and_then(Value::as_array_mut) {
        required.retain(|property| !known(property.as_str().unwrap()));
    }
    declared["components"] = document["components"].clone();
    support::satisfies(&declared, &sent.body, who);
}

/// The operation for a request: the path with the fewest parameters that fits.
fn operation<'a>(documents: &'a [Value], sent: &Sent) -> Option<(&'a Value, &'a Value)> {
    let mut found: Vec<(usize, &Value, &Value)> = Vec::new();
    for document in documents {
        for (path, operations) in document["paths"].as_object()? {
            if let (true, Some(operation)) = (fits(path, &sent.path), operations.get(sent.method.to_lowercase())) {
                found.push((path.matches('{').count(), document, operation));
            }
        }
    }
    found.into_iter().min_by_key(|(parameters, ..)| *parameters).map(|(_, document, operation)| (document, operation))
}

fn fits(template: &str, path: &str) -> bool {
    let (template, path): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
    template.len() == path.len()
        && template.iter().zip(path).all(|(part, given)| part.starts_with('{') || *part == given)
}
