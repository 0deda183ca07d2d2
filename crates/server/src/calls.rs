//! ★ The one path of every call: find → validate → decide → audit → run → audit → answer.
//!
//! MCP, REST, stdio, runs and the terminal translate into [`call`] and hold no rules of their own.

mod answer;
mod connection;
mod plan;
mod record;
mod source;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::FutureExt;
use sdk::{Effect, Error, Result, schema};
use serde_json::Value;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::actor::Actor;
use crate::app::App;
use crate::approvals::{self, Pending};
use crate::connections::{Connected, Connections};
use crate::policy::{Asks, Decision, Question, budgets};
use crate::tools::{Entry, Run};
use crate::{containment, decisions};

pub use connection::{input_of, own, with_connection_of};
pub use record::redacted;
pub use source::Source;

/// A call before anything was done about it.
pub struct Request {
    pub tool: String,
    pub arguments: Value,
    /// Where long work tells how far it is.
    pub progress: Progress,
    /// The caller went away.
    pub cancel: CancellationToken,
    /// A person decided that this very call may run.
    pub approved: Option<Approved>,
}

impl Request {
    fn approval(&self) -> Option<Uuid> {
        self.approved.as_ref().map(|approved| approved.id)
    }
}

/// The approval behind a call.
#[derive(Clone, Debug)]
pub struct Approved {
    pub id: Uuid,
    /// What the person was told that the call would change.
    pub plan: Option<Value>,
    /// Who asked for it: what is forbidden to them since stays undone.
    pub requester: Actor,
}

impl Request {
    pub fn new(tool: impl Into<String>, arguments: Value) -> Request {
        let (progress, cancel) = (Progress::none(), CancellationToken::new());
        Request { tool: tool.into(), arguments, progress, cancel, approved: None }
    }
}

/// A call after it.
pub struct Reply {
    /// The id of the row in `tool_executions`.
    pub execution_id: Uuid,
    pub latency: Duration,
    pub outcome: Outcome,
}

/// How a call ended.
pub enum Outcome {
    Done(Done),
    /// A person has to decide first.
    Pending(Pending),
    Denied(String),
    Failed(Error),
}

/// An answer and where it comes from.
pub struct Done {
    pub data: Value,
    pub source: Source,
    /// When the data was true, if it is not the vendor's answer of this moment.
    pub as_of: Option<DateTime<Utc>>,
    /// What the reader has to know: why the answer is old or incomplete.
    pub notes: Vec<String>,
    /// Texts in it may have been written by anybody.
    pub by_strangers: bool,
}

/// What a built-in tool works with.
pub struct Scope {
    pub app: Arc<App>,
    pub actor: Actor,
    pub tenant: store::Tenant,
    /// Those of the tenant.
    pub connections: Arc<Connections>,
    pub now: DateTime<Utc>,
    pub execution: Uuid,
    pub progress: Progress,
    pub cancel: CancellationToken,
}

/// Tells a caller who asked for it how far long work is.
#[derive(Clone)]
pub struct Progress(Option<Arc<Sink>>);

/// Takes what is done, of how much, and a word on what is being done.
type Sink = dyn Fn(f64, Option<f64>, &str) + Send + Sync;

impl Progress {
    pub fn none() -> Progress {
        Progress(None)
    }

    pub fn to(sink: impl Fn(f64, Option<f64>, &str) + Send + Sync + 'static) -> Progress {
        Progress(Some(Arc::new(sink)))
    }

    /// `done` of `total`, with a word on what is being done.
    pub fn report(&self, done: f64, total: Option<f64>, message: &str) {
        if let Some(sink) = &self.0 {
            sink(done, total, message);
        }
    }
}

/// The tool does not exist; front doors answer with their own kind of protocol error.
#[derive(Debug)]
pub struct UnknownTool {
    pub message: String,
}

/// Carries out one call and leaves its record.
///
/// The work goes on in a task of its own: a caller that goes away cancels a read, but a write is
/// finished and recorded all the same.
pub async fn call(app: &Arc<App>, actor: &Actor, mut request: Request) -> Result<Reply, UnknownTool> {
    request.arguments = schema::without_nulls(request.arguments);
    let Some(entry) = app.tools.find(&request.tool).cloned() else {
        return Err(unknown(app, &request.tool));
    };
    let effect = entry.spec.effect_of(&request.arguments);
    let begun = Begun { id: Uuid::now_v7(), at: app.clock.now(), started: Instant::now(), effect };
    let (id, started) = (begun.id, begun.started);
    let gone = request.cancel.clone().drop_guard();
    let actor = decisions::correlated(actor, begun.at);
    let work = app.running.spawn(carry_out(app.clone(), actor, entry, request, begun));
    let reply = work.await.unwrap_or_else(|_| {
        let outcome = Outcome::Failed(Error::internal("the call ended in a way that it should not; the log says more"));
        Reply { execution_id: id, latency: started.elapsed(), outcome }
    });
    gone.disarm();
    Ok(reply)
}

/// What a caller may read of a failure: what happened, whether it may have had an effect, and when
/// to try again.
pub fn explain(error: &Error) -> String {
    let mut text = error.message.clone();
    if error.outcome_unknown {
        text.push_str(". The outcome is unknown: it may have taken effect; look before you repeat it");
    }
    if let Some(wait) = error.retry_after {
        text.push_str(&format!(". Try again in {} s", wait.as_secs().max(1)));
    }
    text
}

async fn carry_out(app: Arc<App>, actor: Actor, entry: Arc<Entry>, mut request: Request, begun: Begun) -> Reply {
    let outcome = match reach(&app, &actor, &entry, &mut request).await {
        Ok(at) => AssertUnwindSafe(decide_and_run(&app, &actor, &entry, &request, &begun, at)).catch_unwind().await,
        Err(e) => Ok(Outcome::Failed(e)),
    };
    let outcome = outcome.unwrap_or_else(|_| Outcome::Failed(defect(&entry, begun.effect)));
    let latency = begun.started.elapsed();
    let outcome = record::completion(&app, &actor, &entry, &request, &begun, latency, outcome).await;
    if begun.effect.is_outward() {
        decisions::note(&app, &actor, &entry.id, begun.id, &outcome).await;
    }
    Reply { execution_id: begun.id, latency, outcome }
}

/// Which of its business's accounts the call means. A business that is disabled has none, nor anything else.
async fn reach(app: &App, actor: &Actor, entry: &Entry, request: &mut Request) -> Result<At> {
    app.tenants.refuse_disabled(app, &actor.tenant).await?;
    let connections = app.connections.of(app, &actor.tenant).await?;
    let connected = connection::choose(&connections, entry, request).await?;
    Ok(At { connections, connected })
}

/// Where a call goes.
#[derive(Clone)]
struct At {
    connections: Arc<Connections>,
    /// None where the tool asks no vendor.
    connected: Option<Arc<Connected>>,
}

fn defect(entry: &Entry, effect: Effect) -> Error {
    let error = Error::internal(format!("{} failed in a way that it should not; the log says more", entry.id));
    if effect.is_outward() { error.with_unknown_outcome() } else { error }
}

/// What identifies a call from its first moment.
struct Begun {
    id: Uuid,
    at: DateTime<Utc>,
    started: Instant,
    /// What this very call does.
    effect: Effect,
}

async fn decide_and_run(
    app: &Arc<App>,
    actor: &Actor,
    entry: &Entry,
    request: &Request,
    begun: &Begun,
    at: At,
) -> Outcome {
    let own = own(entry, &request.arguments);
    if let Err(e) = entry.validate(&own) {
        return Outcome::Failed(e);
    }
    let rules = match app.policy.rules(&app.store.tenant(&actor.tenant)).await {
        Ok(rules) => rules,
        // What they forbid is not known.
        Err(e) => return Outcome::Failed(e),
    };
    let asker = request.approved.as_ref().map_or(actor, |approved| &approved.requester);
    let question = Question::of(entry, &request.arguments, asker, begun.at);
    let decision = app.policy.decide(&rules, &question);
    let decision = match containment::contain(app, actor, entry, &request.arguments, decision).await {
        Ok(decision) => decision,
        Err(e) => return Outcome::Failed(e),
    };
    let call = plan::Call { app, actor, entry, request, begun, own: &own, at: &at };
    match decision {
        Decision::Allow => {}
        // What was denied since a person approved it stays denied.
        Decision::Deny(reason) => return Outcome::Denied(reason),
        Decision::Ask(..) if request.approved.is_some() => {}
        Decision::Ask(reason, asks) => {
            let asked = ask(call, reason, asks).await;
            return asked.map_or_else(Outcome::Failed, Outcome::Pending);
        }
    }
    if let Some(approved) = &request.approved
        && let Err(e) = plan::still_holds(call, approved).await
    {
        return Outcome::Failed(e);
    }
    match budgets::take(app, &question).await {
        Ok(None) => {}
        Ok(Some(reason)) => return Outcome::Denied(reason),
        Err(e) => return Outcome::Failed(e),
    }
    if begun.effect.is_outward()
        && let Err(e) = record::intent(app, actor, entry, request, begun).await
    {
        return Outcome::Failed(e);
    }
    if let Err(e) = containment::note(app, actor, entry, begun.id).await {
        return Outcome::Failed(e);
    }
    match run(app, actor, entry, request, begun, (own, at)).await {
        Ok(done) => Outcome::Done(Done { by_strangers: entry.spec.by_strangers, ..done }),
        // A search by POST that got no answer has changed nothing.
        Err(e) if !begun.effect.is_outward() => Outcome::Failed(e.with_known_outcome()),
        Err(e) => Outcome::Failed(e),
    }
}

/// Puts the call before a person, with what it would change. One that cannot succeed nobody has to decide.
async fn ask(call: plan::Call<'_>, reason: String, asks: Asks) -> Result<Pending> {
    let plan = plan::told(call).await?;
    let question = approvals::Question { reason, asks, plan, execution: call.begun.id };
    approvals::ask(call.app, call.actor, call.entry, &call.request.arguments, question).await
}

/// Runs the tool until its deadline, or until the caller goes away.
async fn run(
    app: &Arc<App>,
    actor: &Actor,
    entry: &Entry,
    request: &Request,
    begun: &Begun,
    (own, at): (Value, At),
) -> Result<Done> {
    let work = async {
        let connections = &at.connections;
        match (&entry.run, &at.connected) {
            (Run::Connector(tool), Some(at)) => {
                let asked = source::Asked { app, actor, entry, tool, own: &own, request, begun, connections, at };
                source::at_vendor(asked).await
            }
            (Run::BuiltIn(tool), _) => {
                let scope = scope(app, actor, request, begun, connections);
                let data = tool.run(&scope, own).await?;
                source::of_brain(&scope, entry, data).await
            }
            (Run::Connector(_), None) => Err(Error::internal("a vendor's tool was called without a connection")),
        }
    };
    let done = tokio::select! {
        done = tokio::time::timeout_at(begun.started + entry.spec.deadline, work) => done,
        // Not a time-out: the tool was not slow, nobody waits for it any more.
        () = request.cancel.cancelled(), if !begun.effect.is_outward() => {
            return Err(Error::unavailable("the caller went away"));
        }
    };
    match done {
        Ok(done) => Ok(answer::fit(done?)),
        Err(_) => {
            let seconds = entry.spec.deadline.as_secs();
            Err(interrupted(begun.effect, &format!("{} did not finish within {seconds} s", entry.id)))
        }
    }
}

fn scope(app: &Arc<App>, actor: &Actor, request: &Request, begun: &Begun, connections: &Arc<Connections>) -> Scope {
    Scope {
        connections: connections.clone(),
        app: app.clone(),
        actor: actor.clone(),
        tenant: app.store.tenant(&actor.tenant),
        now: begun.at,
        execution: begun.id,
        progress: request.progress.clone(),
        cancel: request.cancel.clone(),
    }
}

/// Nobody knows what an interrupted write did.
fn interrupted(effect: Effect, message: &str) -> Error {
    let error = Error::unavailable(message).with_source(Interrupted);
    if effect.is_outward() { error.with_unknown_outcome() } else { error }
}

/// Marks a call that ran out of time, whose row says `timeout`.
#[derive(Debug, thiserror::Error)]
#[error("interrupted")]
pub struct Interrupted;

fn unknown(app: &App, name: &str) -> UnknownTool {
    let shown: String = name.chars().take(100).collect();
    let hint = app.tools.nearest(name).map(|near| format!("; did you mean {near}?")).unwrap_or_default();
    UnknownTool { message: format!("there is no tool `{shown}`{hint}") }
}
