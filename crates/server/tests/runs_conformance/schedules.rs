//! Schedules, with a clock that the test moves.

use std::time::Duration;

use chrono::TimeDelta;
use serde_json::json;
use server::runs::Schedule;
use store::entities::runs::RunState;
use store::runs::Run;

use super::place::{Ahead, Place, Replica, on_both};
use super::worker::Pace;

on_both! {
    replicas_fire_a_tick_once,
    downtime_is_caught_up_once,
    ticks_do_not_overlap,
    a_restart_does_not_push_the_tick_back,
    a_broken_schedule_stops_nobody,
}

fn hourly() -> Schedule {
    Schedule::every("sync", "note", json!({}), 3_600)
}

/// A lease of days: moving the clock must not look like a dead worker.
fn pace() -> Pace {
    Pace { lease: 30 * 86_400_000, poll: 50, ..Pace::default() }
}

fn replica(place: &Place, time: &Ahead) -> Replica {
    Replica::start(place.test.store.clone(), time.clock(), &place.ledger, pace())
}

async fn fired(place: &Place) -> anyhow::Result<Vec<Run>> {
    Ok(place.runs.list(&place.tenant, &Default::default(), 100, None).await?.rows)
}

/// Waits until so many ticks have fired and are done, then some time longer for one too many.
async fn until_fired(place: &Place, n: usize) -> anyhow::Result<()> {
    for _ in 0..6_000 {
        let runs = fired(place).await?;
        if runs.len() >= n && runs.iter().all(|run| run.state == RunState::Done) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    tokio::time::sleep(Duration::from_millis(400)).await;
    let keys: Vec<_> = fired(place).await?.into_iter().map(|run| run.unique_key).collect();
    anyhow::ensure!(keys.len() == n, "expected {n} ticks, found {keys:?}");
    Ok(())
}

async fn replicas_fire_a_tick_once(place: &Place) -> anyhow::Result<()> {
    let time = Ahead::default();
    let replicas = [replica(place, &time), replica(place, &time), replica(place, &time)];
    for replica in &replicas {
        replica.runs.ensure(&place.tenant, hourly()).await?;
    }
    until_fired(place, 0).await?;
    for n in 1..=4 {
        time.hours(1);
        until_fired(place, n).await?;
    }
    for run in fired(place).await? {
        assert_eq!(place.ledger.begun(&run.id.to_string()), 1);
    }
    for replica in replicas {
        replica.stop().await;
    }
    Ok(())
}

async fn downtime_is_caught_up_once(place: &Place) -> anyhow::Result<()> {
    let time = Ahead::default();
    let before = replica(place, &time);
    before.runs.ensure(&place.tenant, hourly().at_once()).await?;
    until_fired(place, 1).await?;
    before.stop().await;
    time.hours(50);
    let after = [replica(place, &time), replica(place, &time)];
    until_fired(place, 2).await?;
    let schedule = store::schedules::list(&place.tenant).await?.remove(0);
    let now = time.clock().now();
    assert!(schedule.next_due > now && schedule.next_due <= now + TimeDelta::hours(1));
    time.hours(1);
    until_fired(place, 3).await?;
    for replica in after {
        replica.stop().await;
    }
    Ok(())
}

async fn ticks_do_not_overlap(place: &Place) -> anyhow::Result<()> {
    let time = Ahead::default();
    let replica = replica(place, &time);
    let slow = Schedule::every("sync", "note", json!({"hang": true}), 3_600);
    replica.runs.ensure(&place.tenant, slow.at_once()).await?;
    for _ in 0..3 {
        let next = store::schedules::list(&place.tenant).await?[0].next_due;
        time.hours(1);
        // The tick is looked at, and skipped.
        until_advanced(place, next).await?;
        assert_eq!(fired(place).await?.len(), 1);
    }
    place.ledger.open_gate();
    until_fired(place, 1).await?;
    time.hours(1);
    until_fired(place, 2).await?;
    replica.stop().await;
    Ok(())
}

async fn until_advanced(place: &Place, from: chrono::DateTime<chrono::Utc>) -> anyhow::Result<()> {
    for _ in 0..6_000 {
        if store::schedules::list(&place.tenant).await?[0].next_due > from {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    anyhow::bail!("the schedule stands still")
}

async fn a_restart_does_not_push_the_tick_back(place: &Place) -> anyhow::Result<()> {
    let time = Ahead::default();
    let first = replica(place, &time);
    first.runs.ensure(&place.tenant, hourly()).await?;
    let due = store::schedules::list(&place.tenant).await?[0].next_due;
    first.stop().await;
    let second = replica(place, &time);
    second.runs.ensure(&place.tenant, hourly()).await?;
    assert_eq!(store::schedules::list(&place.tenant).await?[0].next_due, due);
    second.runs.ensure(&place.tenant, Schedule::cron("sync", "note", json!({}), "0 3 * * *")).await?;
    let nightly = store::schedules::list(&place.tenant).await?[0].next_due;
    assert_eq!(nightly.format("%H:%M:%S").to_string(), "03:00:00");
    let wrong = second.runs.ensure(&place.tenant, Schedule::cron("sync", "note", json!({}), "at noon")).await;
    assert_eq!(wrong.unwrap_err().kind, sdk::error::Kind::InvalidInput);
    second.stop().await;
    Ok(())
}

async fn a_broken_schedule_stops_nobody(place: &Place) -> anyhow::Result<()> {
    let time = Ahead::default();
    let broken = store::schedules::NewSchedule {
        name: "broken".into(),
        kind: "note".into(),
        input: json!({}),
        cron: Some("at noon".into()),
        every_seconds: None,
        next_due: time.clock().now(),
        enabled: true,
    };
    store::schedules::put(&place.tenant, broken).await?;
    let replica = replica(place, &time);
    replica.runs.ensure(&place.tenant, hourly().at_once()).await?;
    // The broken one fires its tick too, but has no rhythm to go on with.
    until_fired(place, 2).await?;
    time.hours(1);
    until_fired(place, 4).await?;
    replica.stop().await;
    Ok(())
}
