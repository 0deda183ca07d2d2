use std::sync::Mutex;

use super::*;

/// Answers every call with its own arguments, and writes down what it was asked.
#[derive(Default)]
struct Paper {
    signal: Option<Value>,
    asked: Mutex<Vec<String>>,
}

impl Durable for Paper {
    type Stop = String;

    async fn call(&self, step: &str, tool: &str, args: Value) -> Result<Value, String> {
        self.asked.lock().unwrap().push(format!("call {step} {tool} {args}"));
        if tool == "fails" { Err(format!("{step} failed")) } else { Ok(args) }
    }

    async fn sleep(&self, step: &str, pause: Pause) -> Result<(), String> {
        self.asked.lock().unwrap().push(format!("sleep {step} {pause:?}"));
        Ok(())
    }

    async fn wait_signal(&self, name: &str, timeout: Duration) -> Result<Option<Value>, String> {
        self.asked.lock().unwrap().push(format!("wait {name} {}", timeout.as_secs()));
        Ok(self.signal.clone())
    }
}

fn order(json: Value) -> Result<Order, String> {
    serde_json::from_value(json).map_err(|error| error.to_string())
}

fn approval() -> Flow {
    let json = json!({"flow": {"nodes": [
        {"node": "call", "step": "find", "tool": "find", "args": {"name": {"$from": "/input/name"}, "total": 7}},
        {"node": "sleep", "step": "rest", "seconds": 5},
        {"node": "wait_signal", "name": "decision", "timeout_seconds": 60},
        {"node": "if", "when": {"value": "/steps/decision/approved", "equals": true},
            "then": [{"node": "call", "step": "send", "tool": "send", "args": [{"$from": "/steps/find/total"}]}],
            "else": [{"node": "call", "step": "tell", "tool": "tell", "args": {"$from": "/steps/absent"}}]},
    ]}});
    order(json).unwrap().flow
}

#[tokio::test]
async fn results_of_steps_reach_later_steps() {
    let paper = Paper { signal: Some(json!({"approved": true})), ..Paper::default() };
    let result = run(&paper, &approval(), json!({"name": "Ada"})).await.unwrap();
    let asked = paper.asked.into_inner().unwrap();
    assert_eq!(
        asked,
        [
            r#"call find find {"name":"Ada","total":7}"#,
            "sleep rest Seconds(5)",
            "wait decision 60",
            "call send send [7]"
        ]
    );
    assert_eq!(result, json!({"find": {"name": "Ada", "total": 7}, "decision": {"approved": true}, "send": [7]}));
}

#[tokio::test]
async fn silence_is_not_consent() {
    let paper = Paper::default();
    let result = run(&paper, &approval(), json!({})).await.unwrap();
    assert_eq!(paper.asked.into_inner().unwrap().last().unwrap(), "call tell tell null");
    assert_eq!(result["decision"], Value::Null);
}

#[tokio::test]
async fn a_stop_ends_the_run_where_it_is() {
    let flow = order(json!({"flow": {"nodes": [
        {"node": "call", "step": "a", "tool": "fails"}, {"node": "call", "step": "b", "tool": "fine"}]}}));
    let paper = Paper::default();
    assert_eq!(run(&paper, &flow.unwrap().flow, Value::Null).await, Err("a failed".to_owned()));
    assert_eq!(paper.asked.into_inner().unwrap().len(), 1);
}

#[test]
fn conditions() {
    let scope = json!({"steps": {"a": {"total": 12, "word": "x", "nothing": null}}});
    let holds = |json: Value| serde_json::from_value::<Condition>(json).unwrap().holds(&scope);
    assert!(holds(json!({"value": "/steps/a/total", "above": 11})));
    assert!(!holds(json!({"value": "/steps/a/total", "above": 12})));
    assert!(holds(json!({"value": "/steps/a/total", "below": 12.5})));
    assert!(!holds(json!({"value": "/steps/a/word", "above": 0})));
    assert!(holds(json!({"value": "/steps/a/word", "differs": "y"})));
    assert!(holds(json!({"value": "/steps/a/nothing", "exists": false})));
    assert!(!holds(json!({"value": "/steps/b", "exists": true})));
}

#[test]
fn what_cannot_be_replayed_is_refused() {
    let twice = json!({"flow": {"nodes": [
        {"node": "call", "step": "a", "tool": "t"},
        {"node": "if", "when": {"value": "/input", "exists": true}, "then": [{"node": "sleep", "step": "a", "seconds": 1}]},
    ]}});
    assert!(order(twice).unwrap_err().contains("two steps have the name \"a\""));
    let nameless = json!({"flow": {"nodes": [{"node": "call", "step": "", "tool": "t"}]}});
    assert!(order(nameless).unwrap_err().contains("not a name"));
    let unknown = json!({"flow": {"nodes": [{"node": "teleport", "step": "a"}]}});
    assert!(order(unknown).unwrap_err().contains("teleport"));
    let pointer = json!({"flow": {"nodes": [{"node": "if", "when": {"value": "input", "exists": true}, "then": []}]}});
    assert!(order(pointer).unwrap_err().contains("slash"));
}

#[test]
fn a_flow_survives_its_own_json() {
    let flow = approval();
    assert_eq!(serde_json::from_value::<Flow>(serde_json::to_value(&flow).unwrap()).unwrap(), flow);
}
