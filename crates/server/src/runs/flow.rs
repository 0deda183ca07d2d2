//! A workflow as data, and the one interpreter of it. What it runs on is a [`Durable`], so that the same workflow runs on
//! our own store or on an engine that somebody else operates.
//!
//! The interpreter must be **deterministic**: a run is replayed from its first node whenever it is taken up, and the
//! recorded results of its steps have to lead it to the same place. So it reads no clock and throws no dice, and the
//! order of its calls to the port is a promise to the runs that are under way.

use std::collections::HashSet;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::future::BoxFuture;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// What a workflow needs of the engine that runs it. Each step is recorded under its name and never done again after
/// that; names are unique within a run.
pub trait Durable: Sync {
    /// Why the interpreter has to stop here: the run rests, or has failed, or belongs to another worker now.
    type Stop: Send;

    /// Calls a tool, with the key `run:step`.
    fn call(&self, step: &str, tool: &str, args: Value) -> impl Future<Output = Result<Value, Self::Stop>> + Send;

    /// Rests. The end is fixed when the run first comes here.
    fn sleep(&self, step: &str, pause: Pause) -> impl Future<Output = Result<(), Self::Stop>> + Send;

    /// Waits for a message to the run, which may have come before; None: none came in time.
    fn wait_signal(
        &self,
        name: &str,
        timeout: Duration,
    ) -> impl Future<Output = Result<Option<Value>, Self::Stop>> + Send;
}

/// How long a timer rests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Pause {
    /// From the moment that the run comes here.
    Seconds(u64),
    /// Until this moment; one that has passed does not rest.
    Until(DateTime<Utc>),
}

/// A workflow: nodes in their order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Flow {
    pub nodes: Vec<Node>,
}

/// One node. The names of steps and signals are unique in the whole workflow, because results are kept under them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "node", rename_all = "snake_case")]
pub enum Node {
    /// Calls a tool. Within the arguments, `{"$from": "/steps/find/total"}` stands for what is found there: `/input` is
    /// the workflow's input, `/steps` the results so far. What is not there becomes null.
    Call {
        step: String,
        tool: String,
        #[serde(default)]
        args: Value,
    },
    /// Rests.
    Sleep {
        step: String,
        #[serde(flatten)]
        pause: Pause,
    },
    /// Waits for a signal, for example a person's decision. `/steps/<name>` becomes its payload, or null when the time
    /// is up.
    WaitSignal { name: String, timeout_seconds: u64 },
    /// Goes one of two ways.
    If {
        when: Condition,
        then: Vec<Node>,
        #[serde(default, rename = "else")]
        otherwise: Vec<Node>,
    },
}

/// A test of one value, by its JSON pointer as in the arguments of a call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Condition {
    pub value: String,
    #[serde(flatten)]
    pub test: Test,
}

/// What is tested.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Test {
    Equals(Value),
    Differs(Value),
    Above(f64),
    Below(f64),
    /// Whether there is anything but null.
    Exists(bool),
}

/// The input of a run of the kind [`FLOW`](super::FLOW): the workflow itself, so that a later edit does not change the
/// runs that are under way.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    #[serde(deserialize_with = "sound")]
    pub flow: Flow,
    #[serde(default)]
    pub input: Value,
}

/// Runs a workflow, or goes on with it, and gives the results of its steps by name.
pub async fn run<D: Durable>(durable: &D, flow: &Flow, input: Value) -> Result<Value, D::Stop> {
    let mut scope = json!({ "input": input, "steps": Map::new() });
    block(durable, &flow.nodes, &mut scope).await?;
    Ok(scope["steps"].take())
}

/// Boxed, because blocks hold blocks.
fn block<'a, D: Durable>(
    durable: &'a D,
    nodes: &'a [Node],
    scope: &'a mut Value,
) -> BoxFuture<'a, Result<(), D::Stop>> {
    Box::pin(async move {
        for node in nodes {
            match node {
                Node::Call { step, tool, args } => {
                    scope["steps"][step] = durable.call(step, tool, filled(args, scope)).await?;
                }
                Node::Sleep { step, pause } => durable.sleep(step, *pause).await?,
                Node::WaitSignal { name, timeout_seconds } => {
                    let payload = durable.wait_signal(name, Duration::from_secs(*timeout_seconds)).await?;
                    scope["steps"][name] = payload.unwrap_or_default();
                }
                Node::If { when, then, otherwise } => {
                    let branch = if when.holds(scope) { then } else { otherwise };
                    block(durable, branch, scope).await?;
                }
            }
        }
        Ok(())
    })
}

impl Condition {
    fn holds(&self, scope: &Value) -> bool {
        let value = scope.pointer(&self.value).unwrap_or(&Value::Null);
        match &self.test {
            Test::Equals(expected) => value == expected,
            Test::Differs(expected) => value != expected,
            Test::Above(limit) => value.as_f64().is_some_and(|number| number > *limit),
            Test::Below(limit) => value.as_f64().is_some_and(|number| number < *limit),
            Test::Exists(expected) => value.is_null() != *expected,
        }
    }
}

/// The arguments with every `{"$from": pointer}` replaced by what is found there.
fn filled(args: &Value, scope: &Value) -> Value {
    match args {
        Value::Object(map) => match (map.len(), map.get("$from")) {
            (1, Some(Value::String(pointer))) => scope.pointer(pointer).cloned().unwrap_or_default(),
            _ => map.iter().map(|(name, value)| (name.clone(), filled(value, scope))).collect(),
        },
        Value::Array(items) => items.iter().map(|item| filled(item, scope)).collect(),
        plain => plain.clone(),
    }
}

impl Flow {
    /// Says what is wrong with the workflow: steps without a name or with one that is taken, or a pointer that is none.
    pub fn check(&self) -> Result<(), String> {
        check(&self.nodes, &mut HashSet::new())
    }
}

fn check<'a>(nodes: &'a [Node], taken: &mut HashSet<&'a str>) -> Result<(), String> {
    for node in nodes {
        let name = match node {
            Node::Call { step, .. } | Node::Sleep { step, .. } => step,
            Node::WaitSignal { name, .. } => name,
            Node::If { when, then, otherwise } => {
                if !when.value.starts_with('/') {
                    return Err(format!("the condition's value {:?} does not begin with a slash", when.value));
                }
                check(then, taken)?;
                check(otherwise, taken)?;
                continue;
            }
        };
        if name.is_empty() || name.contains(['/', '~', ':']) {
            return Err(format!("{name:?} is not a name for a step: it is empty, or contains one of / ~ :"));
        }
        if !taken.insert(name) {
            return Err(format!("two steps have the name {name:?}"));
        }
    }
    Ok(())
}

fn sound<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Flow, D::Error> {
    let flow = Flow::deserialize(deserializer)?;
    flow.check().map_err(serde::de::Error::custom)?;
    Ok(flow)
}

#[cfg(test)]
mod tests;
