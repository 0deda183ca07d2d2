//! A write that can tell what it would change.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops where it is")]

use std::sync::Mutex;

use schemars::JsonSchema;
use sdk::{Effect, Kind, Plan, Result, Tool};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Names the shop anew. It is for tests.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Rename {
    /// The new name.
    #[schemars(length(min = 1, max = 50))]
    name: String,
}

#[derive(Serialize, JsonSchema)]
struct Renamed {
    before: String,
}

#[derive(Default)]
struct Shop(Mutex<String>);

async fn rename(shop: &Shop, args: Rename) -> Result<Renamed> {
    let before = std::mem::replace(&mut *shop.0.lock().unwrap(), args.name);
    Ok(Renamed { before })
}

async fn plan(shop: &Shop, args: Rename) -> Result<Plan> {
    let before = shop.0.lock().unwrap().clone();
    Ok(Plan::new(format!("Name the shop {}.", args.name)).sets("name", before, args.name))
}

fn tool() -> Tool<Shop> {
    Tool::write("rename", rename).planned(plan)
}

#[tokio::test]
async fn a_dry_run_answers_with_the_plan_and_changes_nothing() {
    let (tool, shop) = (tool(), Shop(Mutex::new("Old".into())));
    let answer = tool.run(&shop, json!({"name": "New", "dry_run": true})).await.unwrap();
    let change = json!({"what": "name", "before": "Old", "after": "New"});
    assert_eq!(answer, json!({"plan": {"would": "Name the shop New.", "changes": [change]}}));
    assert_eq!(*shop.0.lock().unwrap(), "Old");
    for arguments in [json!({"name": "New"}), json!({"name": "Newer", "dry_run": false})] {
        let answer = tool.run(&shop, arguments.clone()).await.unwrap();
        assert!(answer.get("before").is_some() && answer.get("plan").is_none(), "{answer}");
        assert_eq!(*shop.0.lock().unwrap(), arguments["name"]);
    }
}

#[test]
fn only_a_true_dry_run_has_no_effect() {
    let spec = tool().spec;
    assert_eq!((spec.effect, spec.dry_run), (Effect::Write, true));
    assert_eq!(spec.effect_of(&json!({"name": "New", "dry_run": true})), Effect::Read);
    for lookalike in
        [json!({"name": "x"}), json!({"dry_run": false}), json!({"dry_run": "true"}), json!({"dry_run": 1})]
    {
        assert_eq!(spec.effect_of(&lookalike), Effect::Write, "{lookalike}");
    }
    // A tool that has no plan does not become harmless by an argument.
    let without = Tool::write("rename", rename).spec;
    assert_eq!(without.effect_of(&json!({"dry_run": true})), Effect::Write);
}

#[tokio::test]
async fn a_tool_without_a_plan_refuses_the_question() {
    let shop = Shop::default();
    let error = Tool::write("rename", rename).run(&shop, json!({"name": "New", "dry_run": true})).await.unwrap_err();
    assert_eq!((error.kind, shop.0.lock().unwrap().as_str()), (Kind::InvalidInput, ""));
    let error = tool().run(&shop, json!({"dry_run": true})).await.unwrap_err();
    assert_eq!(error.kind, Kind::InvalidInput, "the plan wants the same arguments");
}

#[test]
fn the_schemas_know_both() {
    let spec = tool().spec;
    assert_eq!(spec.input["properties"]["dry_run"]["type"], "boolean");
    assert_eq!(spec.input["required"], json!(["name"]), "nobody has to ask");
    assert_eq!(spec.input["additionalProperties"], false);
    let output = &spec.output_schema()["properties"];
    assert!(output["before"].is_object() && output["plan"]["properties"]["changes"].is_object(), "{output:#}");
    assert_eq!(spec.output_schema().get("required"), None, "an answer is one or the other");
}

#[test]
fn a_plan_holds_differences_alone() {
    let plan = Plan::new("Change it.")
        .adds("record A", json!({"ip": "10.0.0.1"}))
        .removes("record B", "old")
        .sets("ttl", 300, 600)
        .sets("name", "same", "same")
        .note("It takes an hour.");
    let told = serde_json::to_value(&plan).unwrap();
    let changes: Vec<Value> = vec![
        json!({"what": "record A", "after": {"ip": "10.0.0.1"}}),
        json!({"what": "record B", "before": "old"}),
        json!({"what": "ttl", "before": 300, "after": 600}),
    ];
    assert_eq!(told, json!({"would": "Change it.", "changes": changes, "notes": ["It takes an hour."]}));
    let nothing = serde_json::to_value(Plan::new("Nothing to do.")).unwrap();
    assert_eq!(nothing, json!({"would": "Nothing to do.", "changes": []}));
}
