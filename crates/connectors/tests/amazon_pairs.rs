//! The pairs of Amazon's static sandbox, played through `call_operation`: for every operation of the table that has
//! them, the request of a pair must leave as the pair wants it, and its answer must come back whole.
#![expect(clippy::unwrap_used, reason = "a test ends where it fails, also in its helpers")]

mod amazon;
mod support;

use std::collections::BTreeMap;

use amazon::{opening, run};
use sdk::Kind;
use serde_json::{Map, Value, json};
use support::{Reply, Vendor, contracts};

const TABLE: &str = include_str!("../src/amazon/operations.txt");

/// A line of the table; a star marks what is required.
#[derive(Clone, Copy)]
struct Operation {
    name: &'static str,
    method: &'static str,
    path: &'static str,
    query: &'static str,
    body: &'static str,
}

impl Operation {
    fn read(line: &'static str) -> Operation {
        let parts: Vec<&str> = line.split('|').map(str::trim).collect();
        let (method, path) = parts[2].split_once(' ').unwrap();
        Operation { name: parts[0], method, path, query: parts[3], body: parts[4] }
    }

    fn ids(&self) -> impl Iterator<Item = &'static str> {
        self.path.split('{').skip(1).filter_map(|rest| rest.split('}').next())
    }

    fn query(&self) -> impl Iterator<Item = (&'static str, bool)> {
        names(self.query)
    }

    fn body(&self) -> impl Iterator<Item = (&'static str, bool)> {
        names(self.body)
    }
}

fn names(list: &'static str) -> impl Iterator<Item = (&'static str, bool)> {
    let names = list.split(',').filter(|name| !name.is_empty());
    names.map(|name| (name.trim_end_matches('*'), name.ends_with('*')))
}

/// A request and the answer to it, as Amazon's model has them.
struct Pair {
    operation: Operation,
    status: u16,
    parameters: Map<String, Value>,
    response: Value,
}

fn pairs() -> Option<Vec<Pair>> {
    let folder = contracts::folder("amazon/models")?;
    let files = std::fs::read_dir(folder).unwrap().map(|file| std::fs::read(file.unwrap().path()).unwrap());
    let models: Vec<Value> = files.map(|file| serde_json::from_slice(&file).unwrap()).collect();
    let is_callable = |line: &&str| !line.is_empty() && !line.starts_with('#') && !line.contains("| refused |");
    let lines = TABLE.lines().filter(is_callable);
    Some(lines.map(Operation::read).flat_map(|operation| of(&models, operation)).collect())
}

fn of(models: &[Value], operation: Operation) -> Vec<Pair> {
    let method = operation.method.to_lowercase();
    let responses = models.iter().filter_map(|model| model["paths"][operation.path][&method]["responses"].as_object());
    let all = responses.flatten().flat_map(|(status, response)| {
        let pairs = response["x-amzn-api-sandbox"]["static"].as_array().cloned().unwrap_or_default();
        pairs.into_iter().map(move |pair| Pair {
            operation,
            status: status.parse().unwrap(),
            parameters: pair["request"]["parameters"].as_object().cloned().unwrap_or_default(),
            response: pair["response"].clone(),
        })
    });
    all.filter(|pair| pair.is_askable()).collect()
}

impl Pair {
    /// A pair asks with more than its operation takes here (what needs a restricted-data token), or with too little.
    fn is_askable(&self) -> bool {
        let known = |name: &String| {
            let query = self.operation.query().any(|(known, _)| known == name);
            name == "body" || query || self.operation.ids().any(|known| known == name)
        };
        self.status < 500 && self.parameters.keys().all(known)
    }

    /// What a model would write. Ids that the pair leaves open are made up.
    fn arguments(&self) -> Value {
        let ids: BTreeMap<&str, String> = self.operation.ids().map(|name| (name, self.text(name))).collect();
        let given = |name: &str| Some((name.to_owned(), self.parameters.get(name)?.get("value")?.clone()));
        let mut query: Map<String, Value> = self.operation.query().filter_map(|(name, _)| given(name)).collect();
        for (name, _) in self.operation.query().filter(|(name, wanted)| *wanted && !query_has(self, name)) {
            query.insert(name.to_owned(), "ANY".into());
        }
        let mut arguments = json!({"operation": self.operation.name, "path": ids, "query": query});
        let body = self.parameters.get("body").and_then(|body| body.get("value")).cloned();
        let wanted =
            self.operation.body().filter(|(_, wanted)| *wanted).map(|(name, _)| (name.to_owned(), json!(["ANY"])));
        let made_up = || Value::Object(wanted.collect());
        if self.operation.body().next().is_some() {
            arguments["body"] = body.unwrap_or_else(made_up);
        }
        arguments
    }

    fn text(&self, name: &str) -> String {
        match &self.parameters.get(name).and_then(|parameter| parameter.get("value")) {
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
            None => "ANY".into(),
        }
    }
}

fn query_has(pair: &Pair, name: &str) -> bool {
    pair.parameters.get(name).is_some_and(|parameter| parameter.get("value").is_some())
}

/// As it stands in an address: lists with commas.
fn written(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(written).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

#[tokio::test]
async fn every_pair_of_amazons_static_sandbox_is_asked_and_read() {
    let Some(pairs) = pairs() else { return };
    let (mut answered, mut refused, mut spared) = (0, 0, 0);
    for pair in &pairs {
        let (status, body) = (pair.status, pair.response.clone());
        let vendor = Vendor::start(move |_, _| match &body {
            Value::Null => Reply::Text(status, String::new()),
            body => Reply::Json(status, body.clone()),
        })
        .await;
        let name = pair.operation.name;
        let outcome = run(opening(&vendor), "call_operation", pair.arguments()).await;
        let sent = vendor.sent();
        if let (Err(error), true) = (&outcome, sent.is_empty()) {
            assert_eq!((error.kind, status), (Kind::InvalidInput, 400), "{name} {:?}: {error}", pair.parameters);
            spared += 1;
            continue;
        }
        assert_eq!(sent.len(), 1, "{name} {:?}: {outcome:?}", pair.parameters);
        for (parameter, _) in pair.operation.query().filter(|(parameter, _)| query_has(pair, parameter)) {
            let wanted = written(&pair.parameters[parameter]["value"]);
            assert_eq!(sent[0].query.get(parameter), Some(&wanted), "{name}: {parameter}");
        }
        if let Some(body) = pair.parameters.get("body").and_then(|body| body.get("value")) {
            // What the configuration knows may stand beside it.
            for (member, value) in body.as_object().unwrap() {
                assert_eq!(&sent[0].body[member], value, "{name}: {member}");
            }
        }
        match outcome {
            Ok(answer) => {
                assert!(status < 300, "{name} took {status} for a success");
                assert_eq!(answer["status"], status, "{name}");
                let says_nothing = status == 204 || pair.response.is_null() || pair.response == json!({});
                assert!(says_nothing || !answer["answer"].is_null(), "{name} lost the answer: {answer}");
                answered += 1;
            }
            Err(error) => {
                let told = pair.response.pointer("/errors/0/message").and_then(Value::as_str).unwrap_or_default();
                assert!(status >= 400, "{name}: {error}");
                assert!(error.message.contains(told.trim_end_matches(['.', ' '])), "{name} hides `{told}`: {error}");
                refused += 1;
            }
        }
    }
    println!("{answered} answers and {refused} refusals of Amazon's static sandbox played; {spared} were not sent");
    assert!(answered >= 30 && refused >= 10, "{answered} and {refused}");
}
