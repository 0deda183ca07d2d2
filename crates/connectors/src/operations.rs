//! The long tail of a vendor's API: one tool that finds operations, one that carries them out.
//!
//! The operations are a table in the connector's folder; this is the one way to call them. A call can do what its line
//! says and nothing else: ids cannot leave their place in the path, the query takes the names of the line, and what is
//! refused on principle is refused before anybody is asked. The effect of a call is that of its operation, so that the
//! policy decides about it as about any tool.

pub mod table;
mod search;
mod wanted;
mod plan;
mod trim;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod contract;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use sdk::http::{Request, Response};
use sdk::tool::{DRY_RUN, Varying};
use sdk::{Connector, Effect, Error, Result, Tool};
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use table::Operation;
pub use wanted::Body;
use wanted::Wanted;

/// A connector whose vendor can do more than there are tools for.
pub trait LongTail: Connector {
    /// One operation a line, as `operations/table.rs` says.
    const OPERATIONS: &'static str;
    /// The names that [`LongTail::known`] has a value for.
    const KNOWN: &'static [&'static str] = &[];
    /// A list in a query is one parameter with commas; else the parameter is repeated.
    const JOINS_LISTS: bool = false;

    /// What the configuration has for a parameter that the caller left out: the location, the company.
    fn known(&self, _name: &str) -> impl Future<Output = Result<Option<String>>> + Send {
        async { Ok(None) }
    }

    /// Refuses or completes a body.
    fn shape(_operation: &Operation, _body: &mut Body) -> Result<()> {
        Ok(())
    }

    /// The request with its address, its credentials and its pace.
    fn begin(&self, operation: &Operation, ids: &[&str]) -> Result<Request>;

    /// Whether the vendor carries out a repeated write once, so that it may be sent again after a lost reply.
    fn knows_repeats(_operation: &Operation) -> bool {
        false
    }

    /// A refusal in the dress of a success.
    fn refusal(_response: &Response, _body: &Value, _changes: bool) -> Result<()> {
        Ok(())
    }
}

/// Both tools of a connector.
pub fn tools<C: LongTail>() -> [Tool<C>; 2] {
    let varying = Varying { effect: effect::<C>, check: check::<C>, data: C::OPERATIONS };
    [
        Tool::read("search_operations", find::<C>),
        Tool::varying("call_operation", varying, call::<C>).planned(plan::plan::<C>).by_strangers().sends(),
    ]
}

/// Finds operations of the vendor's API for what no other tool does. Answers `operations` with effect, path and
/// parameters (`*`: required), to be used with `call_operation`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SearchOperations {
    /// A few words: what to do, to what.
    #[serde(default)]
    #[schemars(length(max = 200))]
    query: String,
    /// 10 unless given.
    #[serde(default = "ten")]
    #[schemars(range(min = 1, max = 50))]
    limit: usize,
}

fn ten() -> usize {
    10
}

/// Carries out one operation that `search_operations` found, where no other tool does it. Reads run at once; what
/// changes something asks a person. A long answer is cut (`truncated`).
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CallOperation {
    /// `name` of the operation.
    #[schemars(length(min = 1, max = 100))]
    pub operation: String,
    /// Values for the braces of its path.
    pub path: Option<BTreeMap<String, String>>,
    /// Its query parameters.
    pub query: Option<Body>,
    /// Its JSON body.
    pub body: Option<Body>,
}

/// Operations that fit.
#[derive(Serialize, JsonSchema)]
pub struct Found {
    operations: Vec<Row>,
    /// How many fit in all.
    total: usize,
}

/// An operation as a model reads it.
#[derive(Serialize, JsonSchema)]
pub struct Row {
    name: &'static str,
    /// read, write, destructive, or refused.
    effect: &'static str,
    method: &'static str,
    path: &'static str,
    #[serde(skip_serializing_if = "String::is_empty")]
    query: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    body: String,
    #[serde(skip_serializing_if = "str::is_empty")]
    scope: &'static str,
    about: &'static str,
}

/// What the vendor answered.
#[derive(Serialize, JsonSchema)]
pub struct Called {
    status: u16,
    /// As the vendor wrote it.
    answer: Value,
    /// Something was left out: ask for fewer rows or fields.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    truncated: bool,
}

async fn find<C: LongTail>(_: &C, args: SearchOperations) -> Result<Found> {
    let (operations, total) = search::search(C::OPERATIONS, &args.query, args.limit);
    Ok(Found { operations: operations.iter().map(row::<C>).collect(), total })
}

fn row<C: LongTail>(operation: &Operation) -> Row {
    Row {
        name: operation.name,
        effect: operation.effect_name(),
        method: operation.method_name(),
        path: operation.path,
        query: shown::<C>(operation.query()),
        body: shown::<C>(operation.body()),
        scope: operation.scope,
        about: operation.about,
    }
}

/// Names for a caller, who need not know what the configuration knows.
fn shown<C: LongTail>(names: impl Iterator<Item = (&'static str, bool)>) -> String {
    let asked = names.filter(|(name, _)| !C::KNOWN.contains(name));
    asked.map(|(name, wanted)| format!("{name}{}", if wanted { "*" } else { "" })).collect::<Vec<_>>().join(", ")
}

async fn call<C: LongTail>(api: &C, args: CallOperation) -> Result<Called> {
    let wanted = complete(api, wanted::read::<C>(args)?).await?;
    let (status, answer) = sent(api, &wanted).await?;
    let (answer, truncated) = trim::fit(answer);
    Ok(Called { status, answer, truncated })
}

/// The effect of a call: that of its operation. What nobody knows is taken for the worst.
fn effect<C: LongTail>(arguments: &Value) -> Effect {
    let name = arguments["operation"].as_str().unwrap_or_default();
    let known = table::find(C::OPERATIONS, name.trim());
    known.and_then(|operation| operation.effect).unwrap_or(Effect::Destructive)
}

fn check<C: LongTail>(arguments: &Value) -> Result<()> {
    let mut arguments = arguments.clone();
    if let Some(arguments) = arguments.as_object_mut() {
        arguments.remove(DRY_RUN);
    }
    let call = serde_json::from_value(arguments).map_err(|e| Error::invalid_input(format!("arguments: {e}")))?;
    wanted::read::<C>(call).map(drop)
}

/// Adds what the configuration knows.
async fn complete<C: LongTail>(api: &C, mut wanted: Wanted) -> Result<Wanted> {
    let operation = wanted.operation;
    for name in operation.ids().filter(|name| C::KNOWN.contains(name)) {
        if !wanted.ids.contains_key(name)
            && let Some(value) = api.known(name).await?
        {
            wanted.ids.insert(name.to_owned(), value);
        }
    }
    for (name, _) in operation.query().filter(|(name, _)| C::KNOWN.contains(name)) {
        if !wanted.query.iter().any(|(given, _)| given == name)
            && let Some(value) = api.known(name).await?
        {
            wanted.query.push((name.to_owned(), value));
        }
    }
    let Some(body) = &mut wanted.body else { return Ok(wanted) };
    for (name, _) in operation.body().filter(|(name, _)| C::KNOWN.contains(name)) {
        if !body.contains_key(name)
            && let Some(value) = api.known(name).await?
        {
            body.insert(name.to_owned(), value.into());
        }
    }
    Ok(wanted)
}

/// Sends, and reads what came back. A write is sent once, unless the vendor knows it again.
async fn sent<C: LongTail>(api: &C, wanted: &Wanted) -> Result<(u16, Value)> {
    let operation = &wanted.operation;
    let changes = operation.effect != Some(Effect::Read);
    let ids: Vec<&str> = operation.ids().map(|name| wanted.ids.get(name).map_or("", String::as_str)).collect();
    let fixed = url::form_urlencoded::parse(operation.fixed.as_bytes()).into_owned();
    let query: Vec<(String, String)> = fixed.chain(wanted.query.iter().cloned()).collect();
    let pairs: Vec<(&str, Option<String>)> =
        query.iter().map(|(name, value)| (name.as_str(), Some(value.clone()))).collect();
    let mut request = api.begin(operation, &ids)?.query(&pairs);
    if let Some(body) = &wanted.body {
        request = request.json(body);
    }
    let repeats = !changes || C::knows_repeats(operation);
    let response = if repeats { request.repeatable() } else { request.once() }.send().await?;
    let body = content(&response, changes)?;
    C::refusal(&response, &body, changes)?;
    Ok((response.status.as_u16(), body))
}

/// The answer as a value: JSON, or a text; of anything else only what it is.
fn content(response: &Response, changes: bool) -> Result<Value> {
    let body = &response.body;
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Value::Null);
    }
    if let Ok(value) = serde_json::from_slice(body) {
        return Ok(value);
    }
    let kind = response.headers.get(http::header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if kind.contains("html") || kind.contains("json") {
        let error = Error::upstream(format!("{} answered with something that cannot be read", response.endpoint()));
        return Err(if changes { error.with_unknown_outcome() } else { error });
    }
    Ok(match std::str::from_utf8(body) {
        Ok(text) => text.into(),
        Err(_) => format!("{} bytes of {kind}, which are not shown", body.len()).into(),
    })
}
