use std::sync::Arc;

use chrono::{DateTime, Utc};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::embedded::{Embedded, Tools};
use super::lease::Held;
use super::{Failure, Runs};

/// One attempt at a run, as its handler sees it.
#[derive(Clone)]
pub struct Job {
    pub run: Uuid,
    pub tenant: String,
    pub kind: String,
    /// Counted from 1; resting in a timer or for a signal costs none.
    pub attempt: u32,
    pub due_at: DateTime<Utc>,
    /// Stop now: the run was cancelled, another worker has it, or the grace of the shutdown is over. The work is
    /// dropped shortly after.
    pub cancelled: CancellationToken,
    /// The server shuts down: long work comes to a good place and returns [`Failure::Interrupted`], which gives the run
    /// to another replica at once.
    pub stopping: CancellationToken,
    pub(super) runs: Runs,
    pub(super) held: Arc<Held>,
}

/// How far a run is.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    pub done: f64,
    pub total: Option<f64>,
    pub message: String,
}

impl Job {
    /// Tells whoever watches how far the work is. Costs next to nothing when nobody does.
    pub fn progress(&self, done: f64, total: Option<f64>, message: impl Into<String>) {
        let step = Progress { done, total, message: message.into() };
        // An error only says that nobody watches.
        let _ = self.runs.0.progress.send((self.run, step));
    }

    /// The key that an effect of this run carries to its receiver, the same in every attempt.
    pub fn key(&self, step: &str) -> String {
        format!("{}:{step}", self.run)
    }

    /// The durable steps of this run, with what earlier attempts have recorded of them.
    pub async fn durable(&self, tools: Tools) -> Result<Embedded, Failure> {
        Embedded::load(self.clone(), tools).await
    }
}
