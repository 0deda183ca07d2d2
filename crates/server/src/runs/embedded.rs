use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::future::BoxFuture;
use serde_json::{Value, json};
use store::Tenant;
use store::runs::StepResult;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::lease::insist;
use super::{Durable, Failure, Job, Pause};

/// How steps call tools: what the server passes to [`Runs::register_flows`](super::Runs::register_flows).
#[derive(Clone)]
pub struct Tools(Arc<dyn Fn(ToolCall) -> BoxFuture<'static, Result<Value, Failure>> + Send + Sync>);

impl Tools {
    pub fn new<F, Work>(tools: F) -> Tools
    where
        F: Fn(ToolCall) -> Work + Send + Sync + 'static,
        Work: Future<Output = Result<Value, Failure>> + Send + 'static,
    {
        Tools(Arc::new(move |call| Box::pin(tools(call))))
    }
}

/// A step's wish to call a tool. [`Failure::Parked`] as the answer makes the run rest and ask again after that.
#[derive(Clone, Debug)]
pub struct ToolCall {
    pub tenant: String,
    pub run: Uuid,
    pub step: String,
    pub tool: String,
    pub args: Value,
    /// `run:step`, the same however often the step is tried: the receiver carries the effect out once.
    pub key: String,
    pub cancelled: CancellationToken,
}

/// [`Durable`] on our own store. Results are recorded under the lease; a run that rests holds no task and no memory.
pub struct Embedded {
    job: Job,
    tools: Tools,
    tenant: Tenant,
    recorded: Mutex<HashMap<String, StepResult>>,
}

impl Embedded {
    pub(super) async fn load(job: Job, tools: Tools) -> Result<Embedded, Failure> {
        let tenant = job.runs.0.store.tenant(&job.tenant);
        let rows = insist(&job.cancelled, || store::runs::steps(&tenant, job.run)).await?;
        let recorded = rows.into_iter().map(|row| {
            let result = StepResult {
                output: row.output,
                due_at: row.due_at,
                attempts: row.attempts,
                error: row.error,
                state: row.state,
                finished_at: row.finished_at,
            };
            (row.step, result)
        });
        let recorded = Mutex::new(recorded.collect());
        Ok(Embedded { job, tools, tenant, recorded })
    }

    fn recorded(&self, step: &str) -> Option<StepResult> {
        self.recorded.lock().unwrap_or_else(PoisonError::into_inner).get(step).cloned()
    }

    /// The result of a step that is done.
    fn output(&self, step: &str) -> Option<Value> {
        let result = self.recorded(step).filter(|result| result.state == DONE)?;
        Some(result.output.unwrap_or_default())
    }

    async fn record(&self, step: &str, result: StepResult) -> Result<(), Failure> {
        let system = self.job.runs.0.store.system();
        let put = || store::runs::put_step(&system, self.job.held.lease, step, result.clone());
        if !insist(&self.job.cancelled, put).await? {
            return Err(Failure::Interrupted);
        }
        if result.state == DONE {
            self.job.held.progressed();
        }
        self.recorded.lock().unwrap_or_else(PoisonError::into_inner).insert(step.to_owned(), result);
        Ok(())
    }

    async fn record_done(&self, step: &str, output: Value) -> Result<Value, Failure> {
        let attempts = self.recorded(step).map_or(0, |result| result.attempts) + 1;
        let finished_at = Some(self.job.runs.now());
        let result = StepResult { output: Some(output.clone()), finished_at, ..blank(DONE, attempts) };
        self.record(step, result).await?;
        Ok(output)
    }

    /// The end of a timer, fixed when the run first comes to it.
    async fn record_due(&self, step: &str, due: DateTime<Utc>) -> Result<DateTime<Utc>, Failure> {
        if let Some(due) = self.recorded(step).and_then(|result| result.due_at) {
            return Ok(due);
        }
        let due = store::micros(due);
        self.record(step, StepResult { due_at: Some(due), ..blank("waiting", 0) }).await?;
        Ok(due)
    }

    /// Writes down that the step failed, for people; what is done about it is decided for the whole run.
    async fn record_failure(&self, step: &str, failure: Failure) -> Failure {
        let attempts = self.recorded(step).map_or(0, |result| result.attempts) + 1;
        let error = Some(failure.to_string());
        match self.record(step, StepResult { error, ..blank("failed", attempts) }).await {
            Ok(()) => failure,
            Err(worse) => worse,
        }
    }

    /// Whether a new effect may begin: a process that was frozen may have lost the run without knowing.
    async fn still_ours(&self) -> Result<(), Failure> {
        let Job { cancelled, stopping, runs, held, .. } = &self.job;
        if cancelled.is_cancelled() || stopping.is_cancelled() {
            return Err(Failure::Interrupted);
        }
        if held.lapsed(runs.now()) && !insist(cancelled, || held.renew(runs)).await? {
            return Err(Failure::Interrupted);
        }
        Ok(())
    }

    async fn signal(&self, name: &str) -> Result<Option<Value>, Failure> {
        let signals = insist(&self.job.cancelled, || store::runs::signals(&self.tenant, self.job.run)).await?;
        Ok(signals.into_iter().find(|signal| signal.name == name).map(|signal| signal.payload))
    }

    async fn explain(&self, step: &str, failure: Failure) -> Failure {
        match failure {
            Failure::Temporary { message, retry_after } => {
                let message = format!("step {step}: {message}");
                self.record_failure(step, Failure::Temporary { message, retry_after }).await
            }
            Failure::Permanent(message) => {
                self.record_failure(step, Failure::Permanent(format!("step {step}: {message}"))).await
            }
            Failure::Dead(message) => self.record_failure(step, Failure::Dead(format!("step {step}: {message}"))).await,
            Failure::Parked { signal: Some(name), .. } if matches!(self.signal(&name).await, Ok(Some(_))) => {
                // It would be due at once, again and again, and never use up its attempts.
                Failure::retry(format!("step {step}: it still waits for {name:?}, which has arrived"))
            }
            other => other,
        }
    }
}

const DONE: &str = "done";

fn blank(state: &str, attempts: i32) -> StepResult {
    StepResult { output: None, due_at: None, attempts, error: None, state: state.to_owned(), finished_at: None }
}

impl Durable for Embedded {
    type Stop = Failure;

    async fn call(&self, step: &str, tool: &str, args: Value) -> Result<Value, Failure> {
        if let Some(output) = self.output(step) {
            return Ok(output);
        }
        self.still_ours().await?;
        let call = ToolCall {
            tenant: self.job.tenant.clone(),
            run: self.job.run,
            step: step.to_owned(),
            tool: tool.to_owned(),
            args,
            key: self.job.key(step),
            cancelled: self.job.cancelled.clone(),
        };
        match (self.tools.0)(call).await {
            Ok(output) => self.record_done(step, output).await,
            Err(failure) => Err(self.explain(step, failure).await),
        }
    }

    async fn sleep(&self, step: &str, pause: Pause) -> Result<(), Failure> {
        let now = self.job.runs.now();
        let end = match pause {
            Pause::Seconds(seconds) => later(now, Duration::from_secs(seconds)),
            Pause::Until(end) => end,
        };
        let due = self.record_due(step, end).await?;
        if due <= now {
            return Ok(());
        }
        Err(Failure::Parked { until: due, signal: None })
    }

    async fn wait_signal(&self, name: &str, timeout: Duration) -> Result<Option<Value>, Failure> {
        if let Some(mut output) = self.output(name) {
            return Ok(output.get_mut("payload").map(Value::take));
        }
        let now = self.job.runs.now();
        let until = self.record_due(name, later(now, timeout)).await?;
        if let Some(payload) = self.signal(name).await? {
            self.record_done(name, json!({ "payload": payload })).await?;
            return Ok(Some(payload));
        }
        if until <= now {
            self.record_done(name, json!({ "timed_out": true })).await?;
            return Ok(None);
        }
        Err(Failure::Parked { until, signal: Some(name.to_owned()) })
    }
}

/// Not later than both databases can write down.
fn later(now: DateTime<Utc>, wait: Duration) -> DateTime<Utc> {
    now + wait.min(Duration::from_secs(100 * 365 * 86_400))
}
