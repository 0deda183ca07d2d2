//! Messages to runs, cancelling, and progress.

use std::time::Duration;

use serde_json::{Value, json};
use server::runs::{New, RunOutcome};
use store::entities::runs::RunState;

use super::place::{Place, on_both};
use super::worker::Pace;

on_both! {
    early_signal,
    signals_race_with_parking,
    silence_times_out,
    a_step_that_asks_is_called_again,
    cancel,
    other_tenants_see_nothing,
    progress_is_told,
}

/// Waits an hour, so that only a signal can end it in time.
fn waits() -> Value {
    json!([{"node": "wait_signal", "name": "go", "timeout_seconds": 3600}])
}

async fn early_signal(place: &Place) -> anyhow::Result<()> {
    let run = place.flow(waits()).await?;
    assert!(place.runs.signal(&place.tenant, run, "go", &json!({"n": 1})).await?);
    assert!(!place.runs.signal(&place.tenant, run, "go", &json!({"n": 2})).await?, "the first of a name counts");
    let _process = place.process(Pace::default());
    assert_eq!(place.done(run).await?, json!({"go": {"n": 1}}));
    assert!(!place.runs.signal(&place.tenant, run, "late", &json!(null)).await?, "it has ended");
    Ok(())
}

/// The signal comes before, while and after the run parks; none gets lost.
async fn signals_race_with_parking(place: &Place) -> anyhow::Result<()> {
    let replica = place.replica(Pace { workers: 8, lease: 20_000, ..Pace::default() });
    let mut runs = Vec::new();
    for n in 0..60 {
        let run = replica.runs.enqueue(&place.tenant, flow()).await?;
        runs.push(run);
        let (sender, tenant) = (place.runs.clone(), place.tenant.clone());
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(n % 15)).await;
            sender.signal(&tenant, run, "go", &json!(n)).await
        });
    }
    for (n, run) in runs.into_iter().enumerate() {
        assert_eq!(place.done(run).await?, json!({"go": n}));
    }
    replica.stop().await;
    Ok(())
}

fn flow() -> New {
    let nodes = serde_json::from_value(waits()).unwrap();
    New::flow(&server::runs::Flow { nodes }, Value::Null)
}

async fn silence_times_out(place: &Place) -> anyhow::Result<()> {
    let run = place.flow(json!([{"node": "wait_signal", "name": "go", "timeout_seconds": 1}])).await?;
    let replica = place.replica(Pace::default());
    assert_eq!(place.done(run).await?, json!({"go": null}));
    let steps = store::runs::steps(&place.tenant, run).await?;
    assert_eq!(steps[0].output, Some(json!({"timed_out": true})));
    replica.stop().await;
    Ok(())
}

/// A tool that needs a person's decision parks its run; after the signal the same step is asked again, with its key.
async fn a_step_that_asks_is_called_again(place: &Place) -> anyhow::Result<()> {
    let run = place.flow(json!([{"node": "call", "step": "send", "tool": "asks"}])).await?;
    let replica = place.replica(Pace::default());
    place.until(run, RunState::Parked).await?;
    place.runs.signal(&place.tenant, run, "decision", &json!("yes")).await?;
    assert_eq!(place.done(run).await?, json!({"send": "allowed"}));
    assert_eq!(place.ledger.begun(&format!("{run}:send")), 2);
    replica.stop().await;
    Ok(())
}

async fn cancel(place: &Place) -> anyhow::Result<()> {
    let hangs = place.enqueue(New::job("note", json!({"hang": true}))).await?;
    let rests = place.flow(json!([
        {"node": "sleep", "step": "rest", "seconds": 1}, {"node": "call", "step": "a", "tool": "note"}]));
    let rests = rests.await?;
    let later = New::job("note", json!({})).due(server::clock::Clock::system().now() + Duration::from_secs(1));
    let queued = place.enqueue(later).await?;
    let _process = place.process(Pace::default());
    place.ledger.wait_for("begin", &hangs.to_string(), 1).await?;
    place.until(rests, RunState::Parked).await?;
    for run in [hangs, rests, queued] {
        assert!(place.runs.cancel(&place.tenant, run).await?);
        assert!(!place.runs.cancel(&place.tenant, run).await?, "it has ended");
        assert_eq!(place.wait(run).await?, RunOutcome::Cancelled);
    }
    // The process learns of it at its next heartbeat, and drops the work.
    place.ledger.wait_for("dropped", &hangs.to_string(), 1).await?;
    let after = place.enqueue(New::job("note", json!({"millis": 1500}))).await?;
    place.done(after).await?;
    assert_eq!(place.ledger.begun(&queued.to_string()), 0);
    assert_eq!(place.ledger.begun(&format!("{rests}:a")), 0);
    assert_eq!(place.wait(hangs).await?, RunOutcome::Cancelled);
    Ok(())
}

async fn other_tenants_see_nothing(place: &Place) -> anyhow::Result<()> {
    let run = place.flow(waits()).await?;
    let stranger = place.test.store.tenant("umbrella");
    assert_eq!(place.runs.wait(&stranger, run, Duration::ZERO).await?, None);
    assert!(!place.runs.signal(&stranger, run, "go", &json!(1)).await?);
    assert!(!place.runs.cancel(&stranger, run).await?);
    assert!(!place.runs.requeue(&stranger, run).await?);
    assert!(place.runs.list(&stranger, &Default::default(), 10, None).await?.rows.is_empty());
    assert_eq!(place.runs.wait(&place.tenant, run, Duration::ZERO).await?, Some(RunOutcome::Pending(RunState::Queued)));
    Ok(())
}

async fn progress_is_told(place: &Place) -> anyhow::Result<()> {
    let replica = place.replica(Pace::default());
    let run = place.runs.enqueue(&place.tenant, New::job("counts", Value::Null)).await?;
    let mut told = Vec::new();
    let outcome = replica.runs.watch(&place.tenant, run, super::place::PATIENCE, |step| told.push(step.done)).await?;
    assert_eq!(outcome, Some(RunOutcome::Done(Value::Null)));
    assert_eq!(told.last(), Some(&3.0), "{told:?}");
    replica.stop().await;
    Ok(())
}
