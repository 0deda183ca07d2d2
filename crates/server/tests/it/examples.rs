//! The rules and budgets that people copy from the documents do what the documents promise, on the tools that there are.

use std::path::{Path, PathBuf};
use std::process::Command;

use schemars::{JsonSchema, schema_for};
use serde_json::{Value, json};
use server::actor::Actor;
use server::policy::{self, Asks, Budget, Decision, Question, Rule, Says, Window, budgets};
use server::tools::{Entry, Run};

use crate::support::TestServer;

/// A call as an agent makes it, whether the examples' conditions mean it, and the money in it.
struct Sample {
    tool: &'static str,
    arguments: Value,
    is_meant: bool,
    money: f64,
}

/// Calls of each tool that an example puts a condition or a price on.
fn samples() -> Vec<Sample> {
    let of = |tool, arguments, is_meant, money| Sample { tool, arguments, is_meant, money };
    let (invoice, tags, deal) =
        ("quickbooks.create_draft_invoice", "gohighlevel.add_tags", "gohighlevel.update_opportunity");
    let line = |price: f64, quantity: f64| json!({"description": "Work", "unit_price": price, "quantity": quantity});
    vec![
        of(
            invoice,
            json!({"customer_id": "1", "lines": [line(120.0, 2.0), {"description": "More", "unit_price": 900}]}),
            true,
            1140.0,
        ),
        of(invoice, json!({"customer_id": "1", "lines": [line(500.0, 1.0), line(19.99, 2.0)]}), false, 539.98),
        of(tags, json!({"contact_id": "c1", "tags": ["lead"]}), true, 0.0),
        of(tags, json!({"contact_id": "c1", "tags": ["lead", "vip"]}), false, 0.0),
        of(deal, json!({"opportunity_id": "o1", "value": 5000.5}), true, 5000.5),
        of(deal, json!({"opportunity_id": "o1", "status": "won"}), false, 0.0),
    ]
}

#[tokio::test]
async fn every_example_decides_as_it_reads() {
    let server = TestServer::sqlite().await;
    let (samples, mut tried) = (samples(), 0);
    for Sample { tool, arguments, .. } in &samples {
        server.app().tools.find(tool).unwrap().validate(arguments).unwrap();
    }
    for (place, words) in texts(&server).await {
        for example in examples(&words) {
            let place = format!("{place}: {example}");
            if example.get("calls").or(example.get("amount")).is_some() {
                costs(&server, &samples, &place, serde_json::from_value(example).expect(&place)).await;
            } else {
                decides(&server, &samples, &place, serde_json::from_value(example).expect(&place)).await;
            }
            tried += 1;
        }
        for condition in conditions(&words) {
            let place = format!("{place}: {condition}");
            let rule = json!({"tools": ["quickbooks.create_draft_invoice"], "when": condition, "decision": "deny"});
            decides(&server, &samples, &place, serde_json::from_value(rule).unwrap()).await;
            tried += 1;
        }
    }
    assert!(tried >= 12, "{tried} examples");
    server.stop().await;
}

/// The rule decides the calls that it means, as it says, and no others; and none is unclear.
async fn decides(server: &TestServer, samples: &[Sample], place: &str, rule: Rule) {
    let app = server.app();
    let actor = Actor::stdio();
    policy::put(app, &Actor::terminal(), "example", rule.clone(), None, true).await.expect(place);
    let rules = app.policy.rules(&app.store.tenant("default")).await.unwrap();
    // A Wednesday morning.
    let at = "2026-11-18T10:00:00Z".parse().unwrap();
    let decide = |tool: &Entry, arguments| app.policy.decide(&rules, &Question::of(tool, arguments, &actor, at));
    for tool in app.tools.iter().filter(|tool| rule.when.is_some() && concerns(&rule.tools, &tool.id)) {
        let of_tool: Vec<_> = samples.iter().filter(|sample| sample.tool == tool.id).collect();
        assert!(of_tool.len() > 1, "{place}: is it true of {}?", tool.id);
        for sample in of_tool {
            let decision = decide(tool, &sample.arguments);
            let is_decided = match (&decision, rule.decision) {
                (Decision::Allow, Says::Allow) => true,
                (Decision::Deny(why), Says::Deny) => why.contains("`example`") && !why.contains("cannot be told"),
                (Decision::Ask(why, asks), Says::Ask) => {
                    let wanted = rule.asks.clone().unwrap_or_default();
                    why.contains("`example`") && !why.contains("cannot be told") && *asks == wanted
                }
                _ => false,
            };
            assert_eq!(is_decided, sample.is_meant, "{place}: {} {decision:?}", sample.arguments);
        }
    }
    assert!(policy::remove(app, &Actor::terminal(), "example").await.unwrap());
}

/// The budget takes what a call costs, and one that costs more than there is does not pass.
async fn costs(server: &TestServer, samples: &[Sample], place: &str, budget: Budget) {
    let (app, by, actor) = (server.app(), Actor::terminal(), Actor::stdio());
    let most = budget.amount;
    budgets::put(app, &by, "example", budget.clone()).await.expect(place);
    for tool in app.tools.iter().filter(|tool| most.is_some() && concerns(&budget.tools, &tool.id)) {
        let sample = samples.iter().find(|sample| sample.tool == tool.id && sample.money > 0.0);
        let sample = sample.unwrap_or_else(|| panic!("{place}: is there an amount in {}?", tool.id));
        let question = Question::of(tool, &sample.arguments, &actor, app.clock.now());
        let used = async || budgets::list(app, &by).await.unwrap()[0].used;
        let (before, calls) = (used().await, (most.unwrap() / sample.money) as usize);
        for _ in 0..calls {
            assert_eq!(budgets::take(app, &question).await.unwrap(), None, "{place}");
        }
        assert!((used().await - before - sample.money * calls as f64).abs() < 1e-6, "{place}");
        let refused = budgets::take(app, &question).await.unwrap().expect(place);
        assert!(refused.contains("does not have it"), "{place}: {refused}");
    }
    assert!(budgets::remove(app, &by, "example").await.unwrap());
}

/// Whether one of these patterns fits, as the rules themselves judge it.
fn concerns(patterns: &[String], tool: &str) -> bool {
    patterns.is_empty()
        || patterns.iter().any(|pattern| match pattern.split_once('*') {
            Some((start, end)) => tool.starts_with(start) && tool.ends_with(end),
            None => tool == pattern,
        })
}

/// What people read: README, the pages, what the commands say of themselves, what the routes say of theirs.
async fn texts(server: &TestServer) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut texts = Vec::new();
    for page in std::iter::once(root.join("README.md")).chain(pages(&root.join("docs"))) {
        texts.push((page.display().to_string(), std::fs::read_to_string(&page).unwrap()));
    }
    for command in [&["policy", "set", "--help"][..], &["policy", "budget", "set", "--help"]] {
        let said = Command::new(env!("CARGO_BIN_EXE_enterprise-mcp")).args(command).env_clear().output().unwrap();
        assert!(said.status.success());
        texts.push((command.join(" "), String::from_utf8(said.stdout).unwrap()));
    }
    let document = server.http.get(server.url("/api/v1/openapi.json")).send().await.unwrap();
    let mut words = Vec::new();
    gather(&document.json().await.unwrap(), &mut words);
    texts.push(("the OpenAPI document".into(), words.join("\n")));
    for (place, least) in [("README.md", 1), ("policy.md", 5), ("policy set --help", 3), ("budget set --help", 1)] {
        let words = &texts.iter().find(|(text, _)| text.ends_with(place)).unwrap().1;
        assert!(examples(words).len() + conditions(words).len() >= least, "{place} has no examples any more");
    }
    texts
}

fn pages(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { pages(&path) } else { vec![path] }).collect()
}

fn gather(value: &Value, words: &mut Vec<String>) {
    match value {
        Value::String(text) => words.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| gather(item, words)),
        Value::Object(map) => map.values().for_each(|value| gather(value, words)),
        _ => {}
    }
}

/// Rules and budgets as a shell is given them, and what stands for a part of a rule in `asks ({…})`.
fn examples(words: &str) -> Vec<Value> {
    let between = |start: &str, end: &str| -> Vec<Value> {
        let pieces = words.split(start).skip(1).map(|rest| rest.split(end).next().unwrap_or_default());
        pieces
            .map(|inner| serde_json::from_str(&format!("{{{inner}}}")).unwrap_or_else(|e| panic!("{inner}: {e}")))
            .collect()
    };
    let is_one = |example: &Value| ["tools", "effects", "callers"].iter().any(|field| example.get(field).is_some());
    let mut examples: Vec<Value> = between("'{", "}'").into_iter().filter(is_one).collect();
    for part in ["asks", "window"] {
        let made = between(&format!("{part} ({{"), "})").into_iter();
        examples.extend(made.map(|inner| json!({"tools": ["quickbooks.create_draft_invoice"], part: inner})));
    }
    examples
}

/// Conditions that stand alone, in quotes or ticks.
fn conditions(words: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for (start, end) in [("`args.", '`'), ("such as \"args.", '"')] {
        for (at, _) in words.match_indices(start) {
            let from = at + start.len() - "args.".len();
            found.extend(words[from..].split(end).next());
        }
    }
    found
}

#[test]
fn every_field_is_explained() {
    let page = include_str!("../../../../docs/policy.md");
    let mut seen = 0;
    for schema in [fields::<Rule>(), fields::<Asks>(), fields::<Window>(), fields::<Budget>()] {
        for field in schema["properties"].as_object().unwrap().keys() {
            assert!(page.contains(&format!("`{field}`")), "docs/policy.md does not explain `{field}`");
            seen += 1;
        }
    }
    assert!(seen > 20, "{seen} fields");
}

fn fields<T: JsonSchema>() -> Value {
    schema_for!(T).to_value()
}

/// Tools over the copy have no page of their own, so this one names those that answer with words of strangers.
#[tokio::test]
async fn words_of_strangers_from_the_copy_are_named() {
    let server = TestServer::sqlite().await;
    let page = include_str!("../../../../docs/policy.md");
    let section = page.split("## What strangers wrote").nth(1).unwrap().split("\n## ").next().unwrap();
    for tool in server.app().tools.iter().filter(|tool| matches!(tool.run, Run::BuiltIn(_))) {
        let is_named = section.contains(&format!("`{}`", tool.id));
        assert_eq!(is_named, tool.spec.by_strangers, "{}", tool.id);
        assert!(!tool.spec.sends, "{}: say so in docs/policy.md", tool.id);
    }
    server.stop().await;
}
