//! Several workers on one queue, and workers that leave.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;
use server::runs::New;
use store::entities::runs::RunState;

use super::place::{Place, on_both};
use super::worker::Pace;

on_both! {
    two_replicas_do_each_job_once,
    a_unique_key_is_one_run,
    a_shutdown_hands_over_at_once,
    enqueued_with_its_transaction_or_not_at_all,
}

/// 400 jobs, two replicas, nobody dies: each job exactly once. On SQLite the two are in one process, as it has to be.
async fn two_replicas_do_each_job_once(place: &Place) -> anyhow::Result<()> {
    let pace = Pace { workers: 8, lease: 60_000, ..Pace::default() };
    let mut runs = Vec::new();
    for _ in 0..400 {
        runs.push(place.enqueue(New::job("note", json!({}))).await?);
    }
    if place.is_sqlite() {
        let replicas = [place.replica(pace.clone()), place.replica(pace)];
        all_done_once(place, &runs).await?;
        for replica in replicas {
            replica.stop().await;
        }
        return Ok(());
    }
    let _processes = [place.process(pace.clone()), place.process(pace)];
    all_done_once(place, &runs).await?;
    let mut share: BTreeMap<u32, usize> = BTreeMap::new();
    for entry in place.ledger.read() {
        *share.entry(entry.process).or_default() += 1;
    }
    println!("lines written by each process: {share:?}");
    Ok(())
}

async fn all_done_once(place: &Place, runs: &[uuid::Uuid]) -> anyhow::Result<()> {
    for run in runs {
        place.done(*run).await?;
        assert_eq!(place.run(*run).await?.attempts, 1);
    }
    let mut begun: BTreeMap<String, usize> = BTreeMap::new();
    for entry in place.ledger.read().into_iter().filter(|entry| entry.what == "begin") {
        *begun.entry(entry.key).or_default() += 1;
    }
    assert_eq!(begun.len(), runs.len());
    assert!(begun.values().all(|times| *times == 1), "{begun:?}");
    Ok(())
}

async fn a_unique_key_is_one_run(place: &Place) -> anyhow::Result<()> {
    let ask = || {
        let (runs, tenant) = (place.runs.clone(), place.tenant.clone());
        tokio::spawn(async move { runs.enqueue(&tenant, New::job("note", json!({})).unique("sync:7")).await })
    };
    let asked: Vec<_> = (0..20).map(|_| ask()).collect();
    let mut ids = Vec::new();
    for answer in asked {
        ids.push(answer.await??);
    }
    ids.dedup();
    assert_eq!(ids.len(), 1, "twenty callers, one run");
    let _process = place.process(Pace::default());
    place.done(ids[0]).await?;
    // The key is taken for ever, so that a late duplicate does not repeat what is done.
    assert_eq!(place.enqueue(New::job("note", json!({})).unique("sync:7")).await?, ids[0]);
    let stranger = place.test.store.tenant("umbrella");
    assert_ne!(place.runs.enqueue(&stranger, New::job("note", json!({})).unique("sync:7")).await?, ids[0]);
    assert_eq!(place.ledger.begun(&ids[0].to_string()), 1);
    Ok(())
}

/// The lease is long: without being given back, the run would wait for it.
async fn a_shutdown_hands_over_at_once(place: &Place) -> anyhow::Result<()> {
    let pace = Pace { lease: 600_000, heartbeat: 60_000, ..Pace::default() };
    let leaving = place.replica(pace.clone());
    let flow = place
        .flow(json!([
            {"node": "call", "step": "a", "tool": "note"},
            {"node": "call", "step": "b", "tool": "note", "args": {"hang": true}},
        ]))
        .await?;
    let quick = place.enqueue(New::job("note", json!({"millis": 100}))).await?;
    place.ledger.wait_for("begin", &format!("{flow}:b"), 1).await?;
    place.ledger.wait_for("begin", &quick.to_string(), 1).await?;
    leaving.stop().await;

    let given_back = place.run(flow).await?;
    assert_eq!((given_back.state, given_back.attempts, given_back.lease_token), (RunState::Parked, 0, None));
    assert_eq!(place.run(quick).await?.state, RunState::Done, "what ends within the grace is not interrupted");
    let staying = place.replica(pace);
    place.done(flow).await?;
    assert_eq!([1, 2], ["a", "b"].map(|step| place.ledger.begun(&format!("{flow}:{step}"))));
    staying.stop().await;
    Ok(())
}

async fn enqueued_with_its_transaction_or_not_at_all(place: &Place) -> anyhow::Result<()> {
    let replica = place.replica(Pace::default());
    let tx = place.tenant.begin().await?;
    let forgotten = replica.runs.enqueue_in(&tx, New::job("note", json!({}))).await?;
    tx.rollback().await?;
    let tx = place.tenant.begin().await?;
    let kept = replica.runs.enqueue_in(&tx, New::job("note", json!({}))).await?;
    tx.commit().await?;
    replica.runs.wake();
    place.done(kept).await?;
    assert_eq!(place.runs.wait(&place.tenant, forgotten, Duration::ZERO).await?, None);
    assert_eq!(place.ledger.begun(&forgotten.to_string()), 0);
    replica.stop().await;
    Ok(())
}
