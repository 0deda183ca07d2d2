//! Due times and waking up.

use std::time::Duration;

use serde_json::{Value, json};
use server::clock::Clock;
use server::runs::{Flow, New};
use store::entities::runs::RunState;
use tokio::time::Instant;

use super::place::{Place, on_both};
use super::worker::Pace;

on_both! {
    never_early,
    nobody_polls_and_nothing_is_lost,
    many_runs_can_rest,
    work_that_blocks_its_thread_keeps_its_lease,
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

async fn work_that_blocks_its_thread_keeps_its_lease(place: &Place) -> anyhow::Result<()> {
    let replica = place.replica(Pace::default());
    let ledger = place.ledger.clone();
    replica.runs.register("blocks", move |job, _: Value| {
        let ledger = ledger.clone();
        async move {
            ledger.write("begin", &job.run.to_string());
            std::thread::sleep(Duration::from_secs(4));
            Ok(Value::Null)
        }
    });
    let run = replica.runs.enqueue(&place.tenant, New::job("blocks", Value::Null)).await?;
    place.done(run).await?;
    assert_eq!(place.ledger.begun(&run.to_string()), 1, "its lease of 1.5 s ran out although its process is alive");
    replica.stop().await;
    Ok(())
}
