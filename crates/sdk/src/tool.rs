//! A tool: an arguments struct, an async function, and one line that names its effect.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};

use crate::{Error, Plan, Result, schema};

/// What a tool does to the world. It feeds the policy and MCP's annotations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Changes nothing anywhere.
    Read,
    /// Changes only our own copy of the business: a sync, a note, a nickname.
    Internal,
    /// Changes something at a vendor, or sends something to a person.
    Write,
    /// Removes or overwrites something at a vendor.
    Destructive,
}

impl Effect {
    pub fn as_str(self) -> &'static str {
        match self {
            Effect::Read => "read",
            Effect::Internal => "internal",
            Effect::Write => "write",
            Effect::Destructive => "destructive",
        }
    }

    /// Whether the call has an effect outside our own database, so that its intent must be
    /// committed before it happens.
    pub fn is_outward(self) -> bool {
        matches!(self, Effect::Write | Effect::Destructive)
    }
}

/// How long a tool may run unless it says otherwise. MCP clients give up after 60 s.
pub const DEADLINE: Duration = Duration::from_secs(50);

/// What a caller sees of a tool.
#[derive(Clone, Debug)]
pub struct Spec {
    /// The name within its ecosystem, `list_invoices`.
    pub name: &'static str,
    /// A few words for people, `List invoices`.
    pub title: String,
    /// What the model reads: the doc comment of the arguments struct.
    pub description: String,
    pub effect: Effect,
    /// The same call twice has no second effect.
    pub idempotent: bool,
    pub deadline: Duration,
    /// It can tell what it would change: `dry_run` is one of its arguments.
    pub dry_run: bool,
    /// Its answers hold texts that anybody may have written: a mail, a note, a document, a form.
    pub by_strangers: bool,
    /// It carries words out of the house: to a person's mailbox, phone or channel, or to a place that others read, such as
    /// a shared sheet or a zone's records.
    pub sends: bool,
    /// The streams whose copies its answers are made of, where the brain gives them and they are more than contacts: an
    /// answer is as old as the oldest of these copies.
    pub copies: &'static [&'static str],
    /// Where the effect depends on the arguments; then `effect` is the most that a call can have.
    pub varying: Option<Varying>,
    /// JSON Schema of the arguments, one copy for everybody who holds it.
    pub input: Arc<Map<String, Value>>,
    /// JSON Schema of the answer. It is only shown, and as text it takes a twentieth of the memory.
    pub output: Arc<str>,
}

/// A tool of which the arguments say what a call does: one that stands for many operations.
#[derive(Clone, Copy, Debug)]
pub struct Varying {
    /// What a call with these arguments does; the most that the tool can do where that is not clear.
    pub effect: fn(&Value) -> Effect,
    /// Refuses what no schema can: arguments that could never succeed are not put before a person.
    pub check: fn(&Value) -> Result<()>,
    /// The data that both rest on. With other data it is another version of the tool, whose approvals do not hold.
    pub data: &'static str,
}

/// The argument that turns a write into a question.
pub const DRY_RUN: &str = "dry_run";

impl Spec {
    /// What this very call does: a dry run changes nothing.
    pub fn effect_of(&self, arguments: &Value) -> Effect {
        if self.is_dry_run(arguments) {
            return Effect::Read;
        }
        self.varying.map_or(self.effect, |varying| (varying.effect)(arguments))
    }

    /// Whether this call only asks what it would change.
    pub fn is_dry_run(&self, arguments: &Value) -> bool {
        self.dry_run && arguments[DRY_RUN] == Value::Bool(true)
    }

    /// Whether this very call carries words out of the house.
    pub fn sends_by(&self, arguments: &Value) -> bool {
        self.sends && self.effect_of(arguments).is_outward()
    }

    /// Whether there are calls of it that change nothing outside.
    pub fn can_read(&self) -> bool {
        !self.effect.is_outward() || self.dry_run || self.varying.is_some()
    }

    /// What the schema cannot say about the arguments.
    pub fn check(&self, arguments: &Value) -> Result<()> {
        self.varying.map_or(Ok(()), |varying| (varying.check)(arguments))
    }

    /// [`Spec::output`], to be looked into.
    pub fn output_schema(&self) -> Map<String, Value> {
        serde_json::from_str(&self.output).unwrap_or_default()
    }
}

/// One tool over the state `S`: a connector, or the server's own scope.
pub struct Tool<S> {
    pub spec: Spec,
    run: Run<S>,
    plan: Option<Run<S>>,
}

type Run<S> = Arc<dyn for<'a> Fn(&'a S, Value) -> BoxFuture<'a, Result<Value>> + Send + Sync>;

impl<S: Send + Sync + 'static> Tool<S> {
    /// A tool that changes nothing.
    pub fn read<A, O, F>(name: &'static str, function: F) -> Tool<S>
    where
        A: Arguments,
        O: Answer,
        F: for<'a> Function<'a, S, A, Output = O>,
    {
        Tool::new(name, Effect::Read, function)
    }

    /// A tool that changes only our own copy.
    pub fn internal<A, O, F>(name: &'static str, function: F) -> Tool<S>
    where
        A: Arguments,
        O: Answer,
        F: for<'a> Function<'a, S, A, Output = O>,
    {
        Tool::new(name, Effect::Internal, function)
    }

    /// A tool that changes or sends something at the vendor.
    pub fn write<A, O, F>(name: &'static str, function: F) -> Tool<S>
    where
        A: Arguments,
        O: Answer,
        F: for<'a> Function<'a, S, A, Output = O>,
    {
        Tool::new(name, Effect::Write, function)
    }

    /// A tool that removes or overwrites something at the vendor.
    pub fn destructive<A, O, F>(name: &'static str, function: F) -> Tool<S>
    where
        A: Arguments,
        O: Answer,
        F: for<'a> Function<'a, S, A, Output = O>,
    {
        Tool::new(name, Effect::Destructive, function)
    }

    /// A tool of which the arguments say what a call does. Where they do not, it is taken for destructive.
    pub fn varying<A, O, F>(name: &'static str, varying: Varying, function: F) -> Tool<S>
    where
        A: Arguments,
        O: Answer,
        F: for<'a> Function<'a, S, A, Output = O>,
    {
        let mut tool = Tool::new(name, Effect::Destructive, function);
        tool.spec.varying = Some(varying);
        tool
    }

    /// Marks a write that may be repeated without a second effect.
    pub fn idempotent(mut self) -> Tool<S> {
        self.spec.idempotent = true;
        self
    }

    /// Marks a tool whose answers hold texts that anybody may have written.
    pub fn by_strangers(mut self) -> Tool<S> {
        self.spec.by_strangers = true;
        self
    }

    /// Marks a tool that carries words to people outside.
    pub fn sends(mut self) -> Tool<S> {
        self.spec.sends = true;
        self
    }

    /// Names the streams whose copies the answers are made of.
    pub fn from_copies(mut self, streams: &'static [&'static str]) -> Tool<S> {
        self.spec.copies = streams;
        self
    }

    pub fn deadline(mut self, deadline: Duration) -> Tool<S> {
        self.spec.deadline = deadline;
        self
    }

    /// Gives a write its dry run: with `dry_run: true` this function answers instead, and changes nothing.
    pub fn planned<A, F>(mut self, plan: F) -> Tool<S>
    where
        A: Arguments,
        F: for<'a> Function<'a, S, A, Output = Plan>,
    {
        self.spec.dry_run = true;
        let mut output = self.spec.output_schema();
        schema::add_dry_run(Arc::make_mut(&mut self.spec.input), &mut output);
        self.spec.output = schema::text(&output);
        self.plan = Some(erased(plan));
        self
    }

    /// Runs the tool with arguments that were validated against [`Spec::input`].
    pub async fn run(&self, state: &S, mut arguments: Value) -> Result<Value> {
        let Some(plan) = &self.plan else { return (self.run)(state, arguments).await };
        let asked = self.spec.is_dry_run(&arguments);
        if let Some(arguments) = arguments.as_object_mut() {
            arguments.remove(DRY_RUN);
        }
        if asked { Ok(json!({"plan": plan(state, arguments).await?})) } else { (self.run)(state, arguments).await }
    }

    fn new<A, O, F>(name: &'static str, effect: Effect, function: F) -> Tool<S>
    where
        A: Arguments,
        O: Answer,
        F: for<'a> Function<'a, S, A, Output = O>,
    {
        let spec = Spec {
            name,
            title: title(name),
            description: schema::description::<A>(),
            effect,
            idempotent: effect == Effect::Read,
            deadline: DEADLINE,
            dry_run: false,
            by_strangers: false,
            sends: false,
            copies: &[],
            varying: None,
            input: Arc::new(schema::input::<A>()),
            output: schema::text(&schema::output::<O>()),
        };
        Tool { spec, run: erased(function), plan: None }
    }
}

fn erased<S, A, O, F>(function: F) -> Run<S>
where
    S: Send + Sync + 'static,
    A: Arguments,
    O: Answer,
    F: for<'a> Function<'a, S, A, Output = O>,
{
    let function = Arc::new(function);
    Arc::new(move |state, arguments| {
        let function = function.clone();
        Box::pin(async move { answer(function.call(state, parse(arguments)?).await?) })
    })
}

/// What a tool takes.
pub trait Arguments: DeserializeOwned + JsonSchema + Send + 'static {}
impl<T: DeserializeOwned + JsonSchema + Send + 'static> Arguments for T {}

/// What a tool answers.
pub trait Answer: Serialize + JsonSchema + Send + 'static {}
impl<T: Serialize + JsonSchema + Send + 'static> Answer for T {}

/// `async fn(&S, A) -> Result<Output>` with a future that may borrow the state.
pub trait Function<'a, S: 'a, A>: Send + Sync + 'static {
    type Output;
    type Future: Future<Output = Result<Self::Output>> + Send + 'a;
    fn call(&self, state: &'a S, arguments: A) -> Self::Future;
}

impl<'a, S: 'a, A, O, F, Fut> Function<'a, S, A> for F
where
    F: Fn(&'a S, A) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<O>> + Send + 'a,
{
    type Output = O;
    type Future = Fut;
    fn call(&self, state: &'a S, arguments: A) -> Fut {
        self(state, arguments)
    }
}

fn parse<A: DeserializeOwned>(arguments: Value) -> Result<A> {
    serde_json::from_value(arguments).map_err(|e| Error::invalid_input(format!("arguments: {e}")))
}

fn answer<O: Serialize>(output: O) -> Result<Value> {
    serde_json::to_value(output).map_err(|e| Error::internal("the answer could not be written as JSON").with_source(e))
}

/// `list_invoices` → `List invoices`.
fn title(name: &str) -> String {
    let words = name.replace('_', " ");
    let mut letters = words.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
