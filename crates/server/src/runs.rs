//! Work that outlives a request: jobs, workflows and schedules, all of them runs. A run is a row that is also its own
//! entry in the queue, so that it can be enqueued in the transaction of the data that it belongs to.
//!
//! [`Runs::register`] says who does a kind of work, [`Runs::enqueue`] asks for it, [`Runs::start`] begins to do it.
//! Work is done **at least once**: a process that dies between an effect and its record leaves the effect to be repeated
//! by the next attempt, with the same key. Whoever causes effects hands that key on ([`ToolCall::key`]).

mod job;
mod failure;
mod workers;
mod attempt;
mod lease;
pub mod flow;
mod embedded;
mod schedules;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::future::BoxFuture;
use sdk::Result;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use store::entities::runs::RunState;
use store::pages::Page;
use store::runs::{NewRun, Run, RunFilter};
use store::{Store, Tenant, Tx};
use tokio::sync::{Notify, broadcast};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::clock::Clock;
use crate::unavailable;

pub use embedded::{Embedded, ToolCall, Tools};
pub use failure::Failure;
pub use flow::{Durable, Flow, Node, Pause};
pub use job::{Job, Progress};
pub use schedules::{Every, Schedule};

use lease::Held;

/// The kind whose runs are workflows; [`Runs::register_flows`] says how their steps call tools.
pub const FLOW: &str = "flow";

/// How runs are worked on.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Runs at work in this process at the same time.
    pub workers: usize,
    /// How long a silent worker keeps its run. Another replica takes it over after that, by its own clock: the clocks of
    /// replicas must agree to within a small part of this.
    pub lease: Duration,
    /// How often a worker says that it is alive; a third of the lease or less.
    pub heartbeat: Duration,
    /// How often the queue is looked at when nobody says that something is due.
    pub poll: Duration,
    /// The wait after the first failed attempt; it doubles with each further one.
    pub first_backoff: Duration,
    /// The longest such wait.
    pub longest_backoff: Duration,
    /// How long running work may go on after the shutdown began, or after it lost its run.
    pub grace: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            workers: 8,
            lease: Duration::from_secs(30),
            heartbeat: Duration::from_secs(10),
            poll: Duration::from_secs(1),
            first_backoff: Duration::from_secs(2),
            longest_backoff: Duration::from_secs(600),
            grace: Duration::from_secs(10),
        }
    }
}

/// The runs of an installation. Cloning is cheap; all clones are the same.
#[derive(Clone)]
pub struct Runs(Arc<Inner>);

struct Inner {
    store: Store,
    clock: Clock,
    settings: Settings,
    handlers: RwLock<HashMap<&'static str, Handler>>,
    /// What this process works on now, by run.
    held: Mutex<HashMap<Uuid, Arc<Held>>>,
    /// Something may be due.
    due: Notify,
    /// A run of this process has ended or rests.
    settled: Notify,
    progress: broadcast::Sender<(Uuid, Progress)>,
    tasks: TaskTracker,
}

type Handler = Arc<dyn Fn(Job, Value) -> BoxFuture<'static, Result<Value, Failure>> + Send + Sync>;

/// What is asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct New {
    pub kind: String,
    pub input: Value,
    /// At most one run of the tenant ever has this key.
    pub unique_key: Option<String>,
    /// None: at once. Never earlier.
    pub due_at: Option<DateTime<Utc>>,
    /// How often it is tried without any progress before it becomes a dead letter.
    pub max_attempts: u32,
}

impl New {
    /// A job that is due at once and tried up to five times.
    pub fn job(kind: &str, input: Value) -> New {
        New { kind: kind.to_owned(), input, unique_key: None, due_at: None, max_attempts: 5 }
    }

    /// A workflow, as it is now: a later edit does not change this run.
    pub fn flow(flow: &Flow, input: Value) -> New {
        New::job(FLOW, json!({ "flow": flow, "input": input }))
    }

    pub fn unique(self, key: impl Into<String>) -> New {
        New { unique_key: Some(key.into()), ..self }
    }

    pub fn due(self, at: DateTime<Utc>) -> New {
        New { due_at: Some(at), ..self }
    }

    pub fn attempts(self, max_attempts: u32) -> New {
        New { max_attempts, ..self }
    }
}

impl From<New> for NewRun {
    fn from(new: New) -> NewRun {
        let New { unique_key, due_at, .. } = new;
        let max_attempts = i32::try_from(new.max_attempts).unwrap_or(i32::MAX);
        NewRun { unique_key, due_at, max_attempts, ..NewRun::of(&new.kind, new.input) }
    }
}

/// How a run stands when somebody has waited for it.
#[derive(Clone, Debug, PartialEq)]
pub enum RunOutcome {
    Done(Value),
    /// It failed in a way that trying again does not cure.
    Failed(String),
    /// A dead letter: its attempts are used up, or nobody understands it.
    Dead(String),
    Cancelled,
    /// The time was up first.
    Pending(RunState),
}

impl Runs {
    /// Runs on this store. Nothing is worked on before [`Runs::start`].
    pub fn new(store: Store, clock: Clock, settings: Settings) -> Runs {
        Runs(Arc::new(Inner {
            store,
            clock,
            settings,
            handlers: RwLock::default(),
            held: Mutex::default(),
            due: Notify::new(),
            settled: Notify::new(),
            progress: broadcast::Sender::new(256),
            tasks: TaskTracker::new(),
        }))
    }

    /// Says who works on runs of this kind. The input is decoded to `T`; one that does not decode is a dead letter.
    pub fn register<T, F, Work>(&self, kind: &'static str, work: F)
    where
        T: DeserializeOwned + Send,
        F: Fn(Job, T) -> Work + Send + Sync + 'static,
        Work: Future<Output = Result<Value, Failure>> + Send + 'static,
    {
        let handler: Handler = Arc::new(move |job, input| match serde_json::from_value::<T>(input) {
            Ok(input) => Box::pin(work(job, input)),
            Err(error) => Box::pin(std::future::ready(Err(Failure::undecodable(&error)))),
        });
        self.0.handlers.write().unwrap_or_else(PoisonError::into_inner).insert(kind, handler);
    }

    /// Says how the steps of workflows call tools, and so makes this process work on workflows.
    pub fn register_flows<F, Work>(&self, tools: F)
    where
        F: Fn(ToolCall) -> Work + Send + Sync + 'static,
        Work: Future<Output = Result<Value, Failure>> + Send + 'static,
    {
        let tools = Tools::new(tools);
        self.register(FLOW, move |job, order: flow::Order| {
            let tools = tools.clone();
            async move { flow::run(&job.durable(tools).await?, &order.flow, order.input).await }
        });
    }

    /// Asks for a run and gives its id; with a unique key that is known already, the id of the run that has it.
    pub async fn enqueue(&self, tenant: &Tenant, new: New) -> Result<Uuid> {
        let enqueued = store::runs::enqueue(tenant, new.into(), self.now()).await.map_err(unavailable)?;
        self.wake();
        Ok(enqueued.id)
    }

    /// The same within a transaction of the caller's: the run exists if and only if that is committed. Call
    /// [`Runs::wake`] afterwards, or the run waits for the next poll on SQLite.
    pub async fn enqueue_in(&self, tx: &Tx, new: New) -> Result<Uuid> {
        Ok(store::runs::enqueue_in(tx, new.into(), self.now()).await.map_err(unavailable)?.id)
    }

    /// Lets the workers of this process look at the queue now.
    pub fn wake(&self) {
        self.0.due.notify_one();
    }

    /// Begins to work on due runs and schedules, until the token is cancelled.
    pub fn start(&self, shutdown: CancellationToken) {
        self.0.tasks.spawn(workers::listen(self.clone(), shutdown.clone()));
        self.0.tasks.spawn(schedules::tick_forever(self.clone(), shutdown.clone()));
        self.0.tasks.spawn(workers::work(self.clone(), shutdown));
    }

    /// Waits, after the shutdown, until the running work has ended or given its runs back. False: some had not when the
    /// patience ended; their runs are taken over when their leases have run out.
    pub async fn stopped(&self, patience: Duration) -> bool {
        self.0.tasks.close();
        let in_time = tokio::time::timeout(patience, self.0.tasks.wait()).await.is_ok();
        // Handlers hold what holds us.
        self.0.handlers.write().unwrap_or_else(PoisonError::into_inner).clear();
        in_time
    }

    /// Waits until the run has ended; None: the tenant has no such run.
    pub async fn wait(&self, tenant: &Tenant, run: Uuid, patience: Duration) -> Result<Option<RunOutcome>> {
        self.watch(tenant, run, patience, |_| ()).await
    }

    /// The same, and tells how far it is, as far as this process works on it.
    pub async fn watch(
        &self,
        tenant: &Tenant,
        run: Uuid,
        patience: Duration,
        mut told: impl FnMut(&Progress) + Send,
    ) -> Result<Option<RunOutcome>> {
        let until = Instant::now() + patience;
        let mut progress = self.0.progress.subscribe();
        loop {
            let settled = self.0.settled.notified();
            let Some(row) = store::runs::get(tenant, run).await.map_err(unavailable)? else { return Ok(None) };
            let outcome = outcome(row);
            if !matches!(outcome, RunOutcome::Pending(_)) || Instant::now() >= until {
                return Ok(Some(outcome));
            }
            // Another replica may end the run; that is seen at the next poll.
            let poll = tokio::time::sleep_until(until.min(Instant::now() + self.0.settings.poll));
            tokio::select! {
                () = settled => {}
                () = poll => {}
                () = hear(&mut progress, run, &mut told) => {}
            }
        }
    }

    /// Hands a run a message that it waits for, or will wait for. The first of a name counts. False: the tenant has no
    /// such run, or it has ended, or it has this message already.
    pub async fn signal(&self, tenant: &Tenant, run: Uuid, name: &str, payload: &Value) -> Result<bool> {
        let new = store::runs::signal(tenant, run, name, payload, self.now()).await.map_err(unavailable)?;
        self.wake();
        Ok(new)
    }

    /// Ends a run that has not ended. Its running attempt is told to stop, here at once and elsewhere at its next
    /// heartbeat; whatever it still writes of the run is refused. False: it had ended, or there is none.
    pub async fn cancel(&self, tenant: &Tenant, run: Uuid) -> Result<bool> {
        let cancelled = store::runs::cancel(tenant, run, self.now()).await.map_err(unavailable)?;
        if cancelled {
            if let Some(held) = self.held().get(&run) {
                held.cancelled.cancel();
            }
            self.0.settled.notify_waiters();
        }
        Ok(cancelled)
    }

    /// Runs, newest first.
    pub async fn list(
        &self,
        tenant: &Tenant,
        filter: &RunFilter,
        limit: u64,
        cursor: Option<&str>,
    ) -> Result<Page<Run>> {
        store::runs::list(tenant, filter, limit, cursor).await.map_err(unavailable)
    }

    /// Runs that nobody will try again by himself, newest first.
    pub async fn dead_letters(&self, tenant: &Tenant, limit: u64, cursor: Option<&str>) -> Result<Page<Run>> {
        let filter = RunFilter { state: Some(RunState::Dead), ..RunFilter::default() };
        store::runs::list(tenant, &filter, limit, cursor).await.map_err(unavailable)
    }

    /// Tries a failed or dead run anew, with all its attempts. False: it is neither.
    pub async fn requeue(&self, tenant: &Tenant, run: Uuid) -> Result<bool> {
        let requeued = store::runs::requeue(tenant, run, self.now()).await.map_err(unavailable)?;
        self.wake();
        Ok(requeued)
    }

    /// Forgets runs that ended longer ago than this, with their steps and signals; gives their number.
    pub async fn purge(&self, older_than: Duration) -> Result<u64> {
        let before = self.now() - older_than;
        store::runs::purge_finished(&self.0.store.system(), before).await.map_err(unavailable)
    }

    /// Stores a schedule, or changes the one of that name. Its next tick stays where it is unless the rhythm changes.
    pub async fn ensure(&self, tenant: &Tenant, schedule: Schedule) -> Result<()> {
        schedules::ensure(self, tenant, schedule).await
    }

    fn held(&self) -> std::sync::MutexGuard<'_, HashMap<Uuid, Arc<Held>>> {
        self.0.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn handler(&self, kind: &str) -> Option<Handler> {
        self.0.handlers.read().unwrap_or_else(PoisonError::into_inner).get(kind).cloned()
    }

    fn now(&self) -> DateTime<Utc> {
        self.0.clock.now()
    }
}

impl std::fmt::Debug for Runs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Runs({:?})", self.0.store)
    }
}

fn outcome(run: Run) -> RunOutcome {
    let error = run.error.unwrap_or_default();
    match run.state {
        RunState::Done => RunOutcome::Done(run.output.unwrap_or_default()),
        RunState::Failed => RunOutcome::Failed(error),
        RunState::Dead => RunOutcome::Dead(error),
        RunState::Cancelled => RunOutcome::Cancelled,
        state @ (RunState::Queued | RunState::Parked | RunState::Running) => RunOutcome::Pending(state),
    }
}

/// Passes on the progress of one run; never returns, so that it only ever loses a race.
async fn hear(
    progress: &mut broadcast::Receiver<(Uuid, Progress)>,
    run: Uuid,
    told: &mut (impl FnMut(&Progress) + Send),
) {
    loop {
        match progress.recv().await {
            Ok((of, step)) if of == run => told(&step),
            Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => {}
            Err(broadcast::error::RecvError::Closed) => return std::future::pending().await,
        }
    }
}
