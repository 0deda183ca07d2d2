//! Due times and waking up.

use std::time::Duration;

use serde_json::{Value, json};
use server::clock::Clock;
use server::runs::{Flow, New};
use store::entities::runs::RunState;
use tokio::time::Instant;

use super::place::{Ahead, Place, Replica, on_both};
use super::worker::Pace;

on_both! {
    never_early,
    nobody_polls_and_nothing_is_lost,
    many_runs_can_rest,
    work_that_blocks_its_thread_keeps_its_lease,
    a_machine_that_slept_keeps_its_work,
}

async fn never_early(place: &Place) -> anyhow::Result<()> {
    let replica = place.replica(Pace::default());
    let now = Clock::system().now();
    let mut runs = Vec::new();
    for n in 0..20_u64 {
        let due = now + Duration::from_micros(300_000 + n * 41_237);
        runs.push((place.enqueue(New::job("note", json!({})).due(due)).await?, due));
    }
    for (run, due) in runs {
        place.done(run).await?;
        let begun = place.ledger.wait_for("begin", &run.to_string(), 1).await?;
        assert!(begun.at >= store::micros(due), "{} is before {due}", begun.at);
    }
    replica.stop().await;
    Ok(())
}

/// With a poll interval of ten minutes, only timers that are set and wake-ups that are heard can be on time.
async fn nobody_polls_and_nothing_is_lost(place: &Place) -> anyhow::Result<()> {
    let pace = Pace { poll: 600_000, ..Pace::default() };
    let replica = place.replica(pace.clone());
    // Another process hears of it from the database, where the database can say so.
    let _process = (!place.is_sqlite()).then(|| place.process(pace));
    let asker = if place.is_sqlite() { replica.runs.clone() } else { place.runs.clone() };
    let started = Instant::now();
    for round in 0..5 {
        let due = Clock::system().now() + Duration::from_millis(40 * round);
        let run = asker.enqueue(&place.tenant, New::job("note", json!({})).due(due)).await?;
        place.done(run).await?;
        let nodes = serde_json::from_value(json!([
            {"node": "sleep", "step": "rest", "seconds": 1},
            {"node": "wait_signal", "name": "go", "timeout_seconds": 3600},
        ]))?;
        let run = asker.enqueue(&place.tenant, New::flow(&Flow { nodes }, Value::Null)).await?;
        place.until(run, RunState::Parked).await?;
        asker.signal(&place.tenant, run, "go", &json!(round)).await?;
        assert_eq!(place.done(run).await?, json!({"go": round}));
    }
    let retried = asker.enqueue(&place.tenant, New::job("flaky", json!(1))).await?;
    assert_eq!(place.done(retried).await?, json!({"attempt": 2}));
    assert!(started.elapsed() < Duration::from_secs(300), "somebody waited for the poll");
    replica.stop().await;
    Ok(())
}

/// Resting runs hold no desk: with two desks, hundreds rest and new work is done.
async fn many_runs_can_rest(place: &Place) -> anyhow::Result<()> {
    let replica = place.replica(Pace { workers: 2, lease: 60_000, ..Pace::default() });
    let mut resting = Vec::new();
    for _ in 0..200 {
        resting.push(place.flow(json!([{"node": "sleep", "step": "rest", "seconds": 3600}])).await?);
    }
    replica.runs.wake();
    for run in resting {
        place.until(run, RunState::Parked).await?;
    }
    let run = replica.runs.enqueue(&place.tenant, New::job("note", json!({}))).await?;
    place.done(run).await?;
    let next = store::runs::next_due(&place.test.store.system(), Clock::system().now()).await?;
    assert!(next.is_some_and(|next| next > Clock::system().now() + Duration::from_secs(1800)));
    replica.stop().await;
    Ok(())
}

/// Longer than the lease, on a worker that is busy with nothing else, beside one that would take the run over.
async fn work_that_blocks_its_thread_keeps_its_lease(place: &Place) -> anyhow::Result<()> {
    let pace = Pace { workers: 1, lease: 4_000, heartbeat: 500, ..Pace::default() };
    let replicas = [place.replica(pace.clone()), place.replica(pace)];
    for replica in &replicas {
        let ledger = place.ledger.clone();
        replica.runs.register("blocks", move |job, _: Value| {
            let ledger = ledger.clone();
            async move {
                ledger.write("begin", &job.run.to_string());
                std::thread::sleep(Duration::from_secs(7));
                Ok(Value::Null)
            }
        });
    }
    let run = place.enqueue(New::job("blocks", Value::Null)).await?;
    place.done(run).await?;
    assert_eq!(place.ledger.begun(&run.to_string()), 1, "its lease ran out although its process is alive");
    for replica in replicas {
        replica.stop().await;
    }
    Ok(())
}

/// The clock jumps over the end of the lease, as it does when a laptop is opened again. The heartbeat is not due for a
/// minute; what the process still works on is not begun a second time by itself.
async fn a_machine_that_slept_keeps_its_work(place: &Place) -> anyhow::Result<()> {
    let time = Ahead::default();
    let pace = Pace { lease: 600_000, heartbeat: 60_000, poll: 20, ..Pace::default() };
    let replica = Replica::start(place.test.store.clone(), time.clock(), &place.ledger, pace);
    let run = place.flow(json!([
        {"node": "call", "step": "a", "tool": "note", "args": {"hang": true}},
        {"node": "call", "step": "b", "tool": "note"},
    ]));
    let run = run.await?;
    place.ledger.wait_for("begin", &format!("{run}:a"), 1).await?;
    time.hours(8);
    // Other work is claimed meanwhile, so it has been looked for what is due.
    let other = replica.runs.enqueue(&place.tenant, New::job("note", json!({}))).await?;
    place.done(other).await?;
    place.ledger.open_gate();
    place.done(run).await?;
    assert_eq!([1, 1], ["a", "b"].map(|step| place.ledger.begun(&format!("{run}:{step}"))));
    replica.stop().await;
    Ok(())
}
