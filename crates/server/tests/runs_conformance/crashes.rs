//! Processes that die or freeze.

use std::time::Duration;

use serde_json::json;
use server::runs::{New, RunOutcome};
use store::entities::runs::RunState;

use super::place::{Place, on_both};
use super::worker::Pace;

on_both! {
    killed_in_a_step,
    killed_in_a_timer,
    killed_while_it_waits_for_a_signal,
    killed_again_and_again,
    poison_becomes_a_dead_letter,
    frozen_and_overtaken,
    backoff_outlives_the_process,
}

async fn killed_in_a_step(place: &Place) -> anyhow::Result<()> {
    let run = place
        .flow(json!([
            {"node": "call", "step": "a", "tool": "note"},
            {"node": "call", "step": "b", "tool": "note", "args": {"hang": true}},
            {"node": "call", "step": "c", "tool": "note"},
        ]))
        .await?;
    let key = |step: &str| format!("{run}:{step}");
    let first = place.process(Pace::default());
    place.ledger.wait_for("begin", &key("b"), 1).await?;
    first.kill();
    let second = place.process(Pace::default());
    let result = place.done(run).await?;

    // The one step that was under way is begun again, with the same key; what was recorded is not.
    assert_eq!([1, 2, 1], ["a", "b", "c"].map(|step| place.ledger.begun(&key(step))));
    assert_eq!([1, 1, 1], ["a", "b", "c"].map(|step| place.ledger.count("end", &key(step))));
    assert_ne!(result["a"]["process"], result["c"]["process"]);
    assert_eq!(result["b"]["process"], second.id());
    Ok(())
}

async fn killed_in_a_timer(place: &Place) -> anyhow::Result<()> {
    let run = place
        .flow(json!([
            {"node": "call", "step": "a", "tool": "note"},
            {"node": "sleep", "step": "rest", "seconds": 2},
            {"node": "call", "step": "b", "tool": "note"},
        ]))
        .await?;
    let first = place.process(Pace::default());
    let parked = place.until(run, RunState::Parked).await?;
    assert!(parked.lease_token.is_none(), "a run that rests is held by nobody");
    assert_eq!(parked.attempts, 0, "resting costs no attempt");
    first.kill();
    let _second = place.process(Pace::default());
    place.done(run).await?;
    assert_eq!([1, 1], ["a", "b"].map(|step| place.ledger.begun(&format!("{run}:{step}"))));
    let after = place.ledger.wait_for("begin", &format!("{run}:b"), 1).await?;
    assert!(after.at >= parked.due_at, "{} is before {}", after.at, parked.due_at);
    Ok(())
}

async fn killed_while_it_waits_for_a_signal(place: &Place) -> anyhow::Result<()> {
    let run = place
        .flow(json!([
            {"node": "call", "step": "a", "tool": "note"},
            {"node": "wait_signal", "name": "decision", "timeout_seconds": 3600},
            {"node": "call", "step": "b", "tool": "note", "args": {"say": {"$from": "/steps/decision/word"}}},
        ]))
        .await?;
    let first = place.process(Pace::default());
    place.until(run, RunState::Parked).await?;
    first.kill();
    assert!(place.runs.signal(&place.tenant, run, "decision", &json!({"word": "yes"})).await?);
    let _second = place.process(Pace::default());
    let result = place.done(run).await?;
    assert_eq!(result["b"]["said"], "yes");
    assert_eq!([1, 1], ["a", "b"].map(|step| place.ledger.begun(&format!("{run}:{step}"))));
    Ok(())
}

/// Six kills under load: everything ends, recorded steps are not repeated, and progress keeps a run from running out of
/// attempts.
async fn killed_again_and_again(place: &Place) -> anyhow::Result<()> {
    let mut runs = Vec::new();
    for _ in 0..12 {
        let step = |name: &str| json!({"node": "call", "step": name, "tool": "note", "args": {"millis": 150}});
        runs.push(place.flow(json!([step("a"), step("b"), step("c"), step("d"), step("e"), step("f")])).await?);
    }
    let pace = Pace { lease: 700, heartbeat: 200, ..Pace::default() };
    for kill in 0..6 {
        let process = place.process(pace.clone());
        place.ledger.wait_for_process(process.id()).await?;
        tokio::time::sleep(Duration::from_millis(100 + 50 * kill)).await;
        process.kill();
    }
    let _last = place.process(pace);
    let mut twice = 0;
    for run in runs {
        place.done(run).await?;
        for step in ["a", "b", "c", "d", "e", "f"] {
            let begun = place.ledger.begun(&format!("{run}:{step}"));
            assert!(begun >= 1);
            twice += begun - 1;
        }
    }
    // Each kill can interrupt what each of the four desks was at.
    assert!(twice <= 6 * 4, "{twice} steps were begun again");
    Ok(())
}

async fn poison_becomes_a_dead_letter(place: &Place) -> anyhow::Result<()> {
    let poison = place.enqueue(New::job("poison", json!(null)).attempts(3)).await?;
    let pace = Pace { lease: 600, heartbeat: 200, ..Pace::default() };
    for _ in 0..3 {
        place.process(pace.clone()).ended().await?;
    }
    let _fourth = place.process(pace);
    let RunOutcome::Dead(error) = place.wait(poison).await? else { anyhow::bail!("not a dead letter") };
    assert!(error.contains("gave up after 3 attempts"), "{error}");
    assert_eq!(place.ledger.begun(&poison.to_string()), 3);

    let innocent = place.enqueue(New::job("note", json!({}))).await?;
    place.done(innocent).await?;
    let letters = place.runs.dead_letters(&place.tenant, 10, None).await?;
    assert_eq!(letters.rows.iter().map(|run| run.id).collect::<Vec<_>>(), [poison]);
    Ok(())
}

/// A process is frozen beyond its lease. On PostgreSQL another takes over, and what the thawed one still writes is
/// refused. On SQLite there is no other; it keeps what it was at and does nothing twice.
async fn frozen_and_overtaken(place: &Place) -> anyhow::Result<()> {
    let run = place
        .flow(json!([
            {"node": "call", "step": "a", "tool": "note"},
            {"node": "call", "step": "b", "tool": "note", "args": {"hang": true}},
            {"node": "call", "step": "c", "tool": "note"},
        ]))
        .await?;
    let key = |step: &str| format!("{run}:{step}");
    let frozen = place.process(Pace::default());
    place.ledger.wait_for("begin", &key("b"), 1).await?;
    frozen.freeze();
    if place.is_sqlite() {
        tokio::time::sleep(Duration::from_secs(3)).await;
        place.ledger.open_gate();
        frozen.thaw();
        place.done(run).await?;
        assert_eq!([1, 1, 1], ["a", "b", "c"].map(|step| place.ledger.begun(&key(step))));
        return Ok(());
    }
    let other = place.process(Pace::default());
    let result = place.done(run).await?;
    place.ledger.open_gate();
    frozen.thaw();
    // The thawed process gets to the end of its effect, or is told before; in neither case does it go on from there.
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(result["b"]["process"], other.id());
    assert_eq!([1, 2, 1], ["a", "b", "c"].map(|step| place.ledger.begun(&key(step))));
    let steps = store::runs::steps(&place.tenant, run).await?;
    let by = steps.iter().find(|step| step.step == "b").and_then(|step| step.output.clone()).unwrap_or_default();
    assert_eq!(by["process"], other.id(), "the late result was not refused");
    assert_eq!(place.done(run).await?, result);
    Ok(())
}

async fn backoff_outlives_the_process(place: &Place) -> anyhow::Result<()> {
    let run = place.enqueue(New::job("flaky", json!(1))).await?;
    let pace = Pace { first_backoff: 3_000, ..Pace::default() };
    let first = place.process(pace.clone());
    let begun = place.ledger.wait_for("begin", &run.to_string(), 1).await?;
    let waiting = place.until(run, RunState::Queued).await?;
    first.kill();
    assert_eq!(waiting.attempts, 1);
    assert!(waiting.due_at >= begun.at + Duration::from_millis(3_000));
    assert!(waiting.due_at <= begun.at + Duration::from_secs(60));
    let _second = place.process(pace);
    assert_eq!(place.done(run).await?, json!({"attempt": 2}));
    let again = place.ledger.wait_for("begin", &run.to_string(), 2).await?;
    assert!(again.at >= waiting.due_at, "{} is before {}", again.at, waiting.due_at);
    Ok(())
}
