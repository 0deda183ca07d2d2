//! Where a scenario takes place: a database, an outside world, and somebody who watches without working.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use chrono::TimeDelta;
use serde_json::{Value, json};
use server::clock::Clock;
use server::runs::{Flow, New, Node, RunOutcome, Runs};
use store::entities::runs::RunState;
use store::runs::Run;
use store::testing::TestStore;
use store::{OpenOptions, Store, Tenant};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::ledger::Ledger;
use super::worker::{Pace, Process, equip};

/// Longer than anything takes on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

pub struct Place {
    pub test: TestStore,
    pub ledger: Ledger,
    pub tenant: Tenant,
    /// Enqueues and asks, but does no work.
    pub runs: Runs,
    _folder: tempfile::TempDir,
}

impl Place {
    pub async fn sqlite() -> Place {
        // The worker's process holds the file for itself; the test looks in beside it.
        let options = OpenOptions { exclusive: false, ..OpenOptions::default() };
        Place::new(TestStore::sqlite_with(options).await.unwrap())
    }

    pub async fn postgres() -> Option<Place> {
        Some(Place::new(TestStore::postgres().await.unwrap()?))
    }

    fn new(test: TestStore) -> Place {
        let folder = tempfile::tempdir().unwrap();
        let tenant = test.store.tenant("acme");
        let runs = Runs::new(test.store.clone(), Clock::system(), Pace::default().settings());
        Place { ledger: Ledger::at(&folder.path().join("ledger")), tenant, runs, test, _folder: folder }
    }

    pub fn is_sqlite(&self) -> bool {
        self.test.store.backend() == store::Backend::Sqlite
    }

    /// A worker in a process of its own.
    pub fn process(&self, pace: Pace) -> Process {
        Process::start(&self.test.url, &self.ledger, pace)
    }

    /// A worker in this process, on the store's own connections.
    pub fn replica(&self, pace: Pace) -> Replica {
        Replica::start(self.test.store.clone(), Clock::system(), &self.ledger, pace)
    }

    pub async fn enqueue(&self, new: New) -> anyhow::Result<Uuid> {
        Ok(self.runs.enqueue(&self.tenant, new).await?)
    }

    pub async fn flow(&self, nodes: Value) -> anyhow::Result<Uuid> {
        let nodes: Vec<Node> = serde_json::from_value(nodes)?;
        self.enqueue(New::flow(&Flow { nodes }, json!({"name": "Ada"}))).await
    }

    pub async fn run(&self, id: Uuid) -> anyhow::Result<Run> {
        store::runs::get(&self.tenant, id).await?.ok_or_else(|| anyhow::anyhow!("the run has vanished"))
    }

    pub async fn wait(&self, id: Uuid) -> anyhow::Result<RunOutcome> {
        let outcome = self.runs.wait(&self.tenant, id, PATIENCE).await?;
        outcome.ok_or_else(|| anyhow::anyhow!("the run has vanished"))
    }

    /// Waits for the result of a run that must succeed.
    pub async fn done(&self, id: Uuid) -> anyhow::Result<Value> {
        match self.wait(id).await? {
            RunOutcome::Done(value) => Ok(value),
            other => anyhow::bail!("expected a result, found {other:?}; the ledger: {:#?}", self.ledger.read()),
        }
    }

    /// Waits until the run is in this state.
    pub async fn until(&self, id: Uuid, state: RunState) -> anyhow::Result<Run> {
        for _ in 0..6_000 {
            let run = self.run(id).await?;
            if run.state == state {
                return Ok(run);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        anyhow::bail!("not {state:?} within a minute: {:?}", self.run(id).await?)
    }

    pub async fn end(self) -> anyhow::Result<()> {
        Ok(self.test.remove().await?)
    }
}

/// A worker in this process.
pub struct Replica {
    pub runs: Runs,
    shutdown: CancellationToken,
}

impl Replica {
    pub fn start(store: Store, clock: Clock, ledger: &Ledger, pace: Pace) -> Replica {
        let runs = Runs::new(store, clock, pace.settings());
        equip(&runs, ledger);
        let shutdown = CancellationToken::new();
        runs.start(shutdown.clone());
        Replica { runs, shutdown }
    }

    pub async fn stop(self) {
        self.shutdown.cancel();
        assert!(self.runs.stopped(PATIENCE).await, "the workers did not stop");
    }
}

/// A clock that runs, and can be moved ahead.
#[derive(Clone, Default)]
pub struct Ahead(Arc<AtomicI64>);

impl Ahead {
    pub fn clock(&self) -> Clock {
        let ahead = self.clone();
        Clock::from_fn(move || Clock::system().now() + TimeDelta::seconds(ahead.0.load(Ordering::Relaxed)))
    }

    pub fn hours(&self, hours: i64) {
        self.0.fetch_add(hours * 3_600, Ordering::Relaxed);
    }
}

/// Makes two tests of each scenario.
macro_rules! on_both {
    ($($scenario:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $scenario() -> anyhow::Result<()> {
                let place = $crate::runs_conformance::place::Place::sqlite().await;
                super::$scenario(&place).await?;
                place.end().await
            })*
        }

        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $scenario() -> anyhow::Result<()> {
                let Some(place) = $crate::runs_conformance::place::Place::postgres().await else { return Ok(()) };
                super::$scenario(&place).await?;
                place.end().await
            })*
        }
    };
}
pub(crate) use on_both;
