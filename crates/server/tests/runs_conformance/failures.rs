//! Work that fails, input that nobody understands, and a database that goes away.

use std::time::Duration;

use serde_json::json;
use server::clock::Clock;
use server::runs::{New, RunOutcome};
use store::entities::runs::RunState;
use store::{OpenOptions, Store};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::place::{Place, Replica, on_both};
use super::worker::Pace;

on_both! {
    one_bad_run_stops_nobody,
    progress_lets_the_attempts_begin_anew,
    a_dead_letter_can_be_tried_again,
    the_database_is_away,
    old_runs_are_forgotten,
}

async fn one_bad_run_stops_nobody(place: &Place) -> anyhow::Result<()> {
    let replica = place.replica(Pace { first_backoff: 10, ..Pace::default() });
    let undecodable = place.enqueue(New::job("flaky", json!({"not": "a number"}))).await?;
    let unsound = place.enqueue(New::job("flow", json!({"flow": {"nodes": [{"node": "teleport"}]}}))).await?;
    let unknown = place.enqueue(New::job("astrology", json!(null)).attempts(2)).await?;
    let panics = place.enqueue(New::job("panics", json!(null)).attempts(2)).await?;
    let hopeless = place.enqueue(New::job("hopeless", json!(null))).await?;
    let step = place.flow(json!([{"node": "call", "step": "a", "tool": "hopeless"}])).await?;
    let good = place.enqueue(New::job("note", json!({}))).await?;
    place.done(good).await?;

    let ends = [
        (undecodable, 1, "not understood"),
        (unsound, 1, "teleport"),
        (unknown, 2, "astrology"),
        (panics, 2, "on purpose"),
    ];
    for (run, attempts, reason) in ends {
        let RunOutcome::Dead(error) = place.wait(run).await? else { anyhow::bail!("{reason}: not a dead letter") };
        assert!(error.contains(reason), "{error}");
        assert_eq!(place.run(run).await?.attempts, attempts, "{error}");
    }
    assert_eq!(place.wait(hopeless).await?, RunOutcome::Failed("it can never work".into()));
    assert_eq!(place.wait(step).await?, RunOutcome::Failed("step a: it can never work".into()));
    let steps = store::runs::steps(&place.tenant, step).await?;
    assert_eq!((steps[0].state.as_str(), steps[0].attempts), ("failed", 1));
    replica.stop().await;
    Ok(())
}

/// Four steps that each fail once would be too much for two attempts, if progress did not count.
async fn progress_lets_the_attempts_begin_anew(place: &Place) -> anyhow::Result<()> {
    let replica = place.replica(Pace { first_backoff: 10, ..Pace::default() });
    let step = |name: &str| json!({"node": "call", "step": name, "tool": "fails_once"});
    let flow = json!({"flow": {"nodes": [step("a"), step("b"), step("c"), step("d")]}});
    let run = place.enqueue(New::job("flow", flow).attempts(2)).await?;
    place.done(run).await?;
    assert_eq!([2, 2, 2, 2], ["a", "b", "c", "d"].map(|step| place.ledger.begun(&format!("{run}:{step}"))));
    replica.stop().await;
    Ok(())
}

async fn a_dead_letter_can_be_tried_again(place: &Place) -> anyhow::Result<()> {
    let replica = place.replica(Pace { first_backoff: 10, ..Pace::default() });
    let run = place.enqueue(New::job("flaky", json!(1)).attempts(1)).await?;
    assert_eq!(
        place.wait(run).await?,
        RunOutcome::Dead("gave up after 1 attempts; the last error was: attempt 1 fails".into())
    );
    // Its attempts are counted from one again, so give it work that succeeds at the first.
    let again = place.enqueue(New::job("panics", json!(null)).attempts(1)).await?;
    place.until(again, RunState::Dead).await?;
    replica.runs.register("panics", |_, _: serde_json::Value| async { Ok(json!("mended")) });
    assert!(place.runs.requeue(&place.tenant, again).await?);
    assert!(!place.runs.requeue(&place.tenant, again).await?, "it is in the queue already");
    assert_eq!(place.done(again).await?, json!("mended"));
    replica.stop().await;
    Ok(())
}

/// The database is away for longer than statements wait for it. What runs goes on, and is recorded when it is back.
async fn the_database_is_away(place: &Place) -> anyhow::Result<()> {
    let pace = Pace { lease: 40_000, ..Pace::default() };
    let (replica, proxy) = if place.is_sqlite() {
        (place.replica(pace), None)
    } else {
        let (url, switch) = proxied(&place.test.url).await?;
        let options = OpenOptions { acquire_timeout: Duration::from_secs(2), pool_size: 5, ..OpenOptions::default() };
        (Replica::start(Store::open(&url, options).await?, Clock::system(), &place.ledger, pace), Some(switch))
    };
    let run = place
        .flow(json!([
            {"node": "call", "step": "a", "tool": "note", "args": {"hang": true}},
            {"node": "call", "step": "b", "tool": "note"},
        ]))
        .await?;
    place.ledger.wait_for("begin", &format!("{run}:a"), 1).await?;
    // The switch stays, for without it the cable is dead.
    match &proxy {
        Some(switch) => {
            switch.send_replace(false);
            place.ledger.open_gate();
            tokio::time::sleep(Duration::from_secs(4)).await;
            assert_eq!(place.ledger.begun(&format!("{run}:b")), 0, "the result of the first step is not on record yet");
            switch.send_replace(true);
        }
        None => {
            // Another program writes to the file for longer than the ten seconds that a statement waits.
            let other =
                Store::open(&place.test.url, OpenOptions { exclusive: false, ..OpenOptions::default() }).await?;
            let tx = other.tenant("acme").begin().await?;
            place.ledger.open_gate();
            tokio::time::sleep(Duration::from_secs(12)).await;
            assert_eq!(place.ledger.begun(&format!("{run}:b")), 0, "the result of the first step is not on record yet");
            tx.rollback().await?;
        }
    }
    place.done(run).await?;
    assert_eq!([1, 1], ["a", "b"].map(|step| place.ledger.begun(&format!("{run}:{step}"))));
    let after = place.enqueue(New::job("note", json!({}))).await?;
    place.done(after).await?;
    replica.stop().await;
    Ok(())
}

/// An address that leads to the same database through a cable that can be pulled.
async fn proxied(url: &str) -> anyhow::Result<(String, watch::Sender<bool>)> {
    let (head, rest) = url.split_once('@').unwrap_or_else(|| url.split_once("://").unwrap());
    let (host, tail) = rest.split_once('/').unwrap();
    let target = if host.contains(':') { host.to_owned() } else { format!("{host}:5432") };
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let separator = if url.contains('@') { "@" } else { "://" };
    let address = format!("{head}{separator}{}/{tail}", listener.local_addr()?);
    let (switch, plugged) = watch::channel(true);
    tokio::spawn(async move {
        while let Ok((inbound, _)) = listener.accept().await {
            tokio::spawn(cable(inbound, target.clone(), plugged.clone()));
        }
    });
    Ok((address, switch))
}

async fn cable(mut inbound: TcpStream, target: String, mut plugged: watch::Receiver<bool>) {
    if !*plugged.borrow() {
        return;
    }
    let Ok(mut outbound) = TcpStream::connect(target).await else { return };
    tokio::select! {
        _ = tokio::io::copy_bidirectional(&mut inbound, &mut outbound) => {}
        _ = plugged.wait_for(|plugged| !plugged) => {}
    }
}

async fn old_runs_are_forgotten(place: &Place) -> anyhow::Result<()> {
    let replica = place.replica(Pace::default());
    let old = place.flow(json!([{"node": "call", "step": "a", "tool": "note"}])).await?;
    place.done(old).await?;
    let waits = place.flow(json!([{"node": "wait_signal", "name": "go", "timeout_seconds": 3600}])).await?;
    place.until(waits, RunState::Parked).await?;
    assert_eq!(place.runs.purge(Duration::from_secs(3600)).await?, 0, "it ended just now");
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert_eq!(place.runs.purge(Duration::from_millis(10)).await?, 1);
    assert_eq!(place.runs.wait(&place.tenant, old, Duration::ZERO).await?, None);
    assert!(store::runs::steps(&place.tenant, old).await?.is_empty());
    assert_eq!(place.run(waits).await?.state, RunState::Parked, "what has not ended is kept");
    replica.stop().await;
    Ok(())
}
