use std::collections::HashSet;
use std::time::Duration;

use chrono::TimeDelta;
use serde_json::json;
use store::StoreError;
use store::entities::RunState;
use store::runs::{self, Lease, NewRun, RunFilter, StepResult};
use store::testing::on_both;
use uuid::Uuid;

use crate::{days, now};

const LEASE: Duration = Duration::from_secs(30);

fn step(output: i64) -> StepResult {
    let output = Some(json!({ "n": output }));
    StepResult { output, due_at: None, attempts: 1, error: None, state: "done".into(), finished_at: Some(now()) }
}

#[tokio::test]
async fn concurrent_workers_never_claim_the_same_run() {
    on_both(|store| async move {
        let tenant = store.tenant("main");
        for n in 0..60 {
            runs::enqueue(&tenant, NewRun::of("job", json!(n)), now()).await?;
        }
        let workers = (0..6)
            .map(|_| {
                let system = store.system();
                tokio::spawn(async move {
                    let mut claimed = Vec::new();
                    loop {
                        let runs = runs::claim(&system, 4, now(), LEASE).await?;
                        if runs.is_empty() {
                            return store::Result::<Vec<Uuid>, StoreError>::Ok(claimed);
                        }
                        claimed.extend(runs.into_iter().map(|run| run.id));
                    }
                })
            })
            .collect::<Vec<_>>();
        let mut claimed = Vec::new();
        for worker in workers {
            claimed.extend(worker.await??);
        }
        let distinct: HashSet<_> = claimed.iter().collect();
        assert_eq!((claimed.len(), distinct.len()), (60, 60));
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn the_fence_holds_after_the_lease_has_passed_on() {
    on_both(|store| async move {
        let (tenant, system) = (store.tenant("main"), store.system());
        let id = runs::enqueue(&tenant, NewRun::of("job", json!({})), now()).await?.id;
        let first = runs::claim(&system, 1, now(), LEASE).await?.remove(0);
        assert_eq!((first.id, first.attempts, first.state), (id, 1, RunState::Running));
        let old = Lease::of(&first).unwrap();
        assert!(runs::put_step(&system, old, "one", step(1)).await?);
        assert!(runs::heartbeat(&system, old, now() + TimeDelta::seconds(20), LEASE).await?);
        assert!(runs::claim(&system, 1, now() + TimeDelta::seconds(40), LEASE).await?.is_empty());

        let later = now() + TimeDelta::seconds(60);
        let second = runs::claim(&system, 1, later, LEASE).await?.remove(0);
        assert_eq!((second.id, second.attempts), (id, 2));
        assert!(!runs::heartbeat(&system, old, later, LEASE).await?);
        assert!(!runs::put_step(&system, old, "one", step(2)).await?);
        assert!(!runs::put_step(&system, old, "two", step(2)).await?);
        assert!(!runs::park(&system, old, later, None, later).await?);
        assert!(!runs::retry(&system, old, "late", later).await?);
        assert!(!runs::fail(&system, old, "late", later).await?);
        assert!(!runs::dead(&system, old, "late", later).await?);
        assert!(!runs::finish(&system, old, &json!(null), later).await?);
        let steps = runs::steps(&tenant, id).await?;
        assert_eq!(steps.len(), 1);
        assert_eq!(steps[0].output, Some(json!({ "n": 1 })));

        let new = Lease::of(&second).unwrap();
        assert!(runs::put_step(&system, new, "one", step(3)).await?);
        assert!(runs::finish(&system, new, &json!({ "ok": true }), later).await?);
        assert!(!runs::finish(&system, new, &json!({ "ok": true }), later).await?);
        let run = runs::get(&tenant, id).await?.unwrap();
        assert_eq!((run.state, run.output, run.lease_token), (RunState::Done, Some(json!({ "ok": true })), None));
        assert_eq!(runs::steps(&tenant, id).await?[0].output, Some(json!({ "n": 3 })));
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_unique_key_gives_the_first_run_for_ever() {
    on_both(|store| async move {
        let (tenant, system) = (store.tenant("main"), store.system());
        let keyed = || NewRun { unique_key: Some("tick:1".into()), ..NewRun::of("job", json!({})) };
        let first = runs::enqueue(&tenant, keyed(), now()).await?;
        assert!(first.fresh);
        let again = runs::enqueue(&tenant, keyed(), now()).await?;
        assert_eq!((again.id, again.fresh), (first.id, false));
        let other = runs::enqueue(&store.tenant("other"), keyed(), now()).await?;
        assert!(other.fresh);
        for run in runs::claim(&system, 9, now(), LEASE).await? {
            runs::finish(&system, Lease::of(&run).unwrap(), &json!(1), now()).await?;
        }
        assert!(!runs::enqueue(&tenant, keyed(), now()).await?.fresh);
        assert_eq!(runs::by_unique_key(&tenant, "tick:1").await?.unwrap().id, first.id);
        // Without a key there are as many as are asked for.
        assert!(runs::enqueue(&tenant, NewRun::of("job", json!({})), now()).await?.fresh);
        assert!(runs::enqueue(&tenant, NewRun::of("job", json!({})), now()).await?.fresh);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn enqueueing_belongs_to_the_callers_transaction() {
    on_both(|store| async move {
        let tenant = store.tenant("main");
        let tx = tenant.begin().await?;
        runs::enqueue_in(&tx, NewRun::of("job", json!({})), now()).await?;
        tx.rollback().await?;
        let tx = tenant.begin().await?;
        runs::enqueue_in(&tx, NewRun::of("job", json!({})), now()).await?;
        drop(tx);
        assert!(runs::list(&tenant, &RunFilter::default(), 9, None).await?.rows.is_empty());
        let tx = tenant.begin().await?;
        runs::enqueue_in(&tx, NewRun::of("job", json!({})), now()).await?;
        tx.commit().await?;
        assert_eq!(runs::list(&tenant, &RunFilter::default(), 9, None).await?.rows.len(), 1);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn due_times_retries_and_the_end_of_attempts() {
    on_both(|store| async move {
        let (tenant, system) = (store.tenant("main"), store.system());
        let run = NewRun { due_at: Some(now() + days(3)), max_attempts: 2, ..NewRun::of("job", json!({})) };
        let id = runs::enqueue(&tenant, run, now()).await?.id;
        assert!(runs::claim(&system, 9, now() + days(2), LEASE).await?.is_empty());
        assert_eq!(runs::next_due(&system, now()).await?, Some(store::micros(now() + days(3))));

        let run = runs::claim(&system, 9, now() + days(3), LEASE).await?.remove(0);
        assert_eq!(runs::next_due(&system, now() + days(3)).await?, Some(store::micros(now() + days(3)) + LEASE));
        assert!(runs::retry(&system, Lease::of(&run).unwrap(), "vendor down\0", now() + days(4)).await?);
        let run = runs::get(&tenant, id).await?.unwrap();
        assert_eq!((run.state, run.error.as_deref()), (RunState::Queued, Some("vendor down\u{fffd}")));

        // Parking costs no attempt.
        let run = runs::claim(&system, 9, now() + days(4), LEASE).await?.remove(0);
        assert_eq!(run.attempts, 2);
        assert!(runs::park(&system, Lease::of(&run).unwrap(), now() + days(5), None, now() + days(4)).await?);
        let run = runs::claim(&system, 9, now() + days(5), LEASE).await?.remove(0);
        assert_eq!(run.attempts, 2);

        // A worker that dies takes an attempt with it; the next claim says that they are used up.
        let run = runs::claim(&system, 9, now() + days(6), LEASE).await?.remove(0);
        assert!(run.attempts > run.max_attempts);
        assert!(runs::dead(&system, Lease::of(&run).unwrap(), "used up", now() + days(6)).await?);
        assert!(runs::claim(&system, 9, now() + days(9), LEASE).await?.is_empty());
        assert_eq!(runs::next_due(&system, now() + days(9)).await?, None);
        assert_eq!(runs::count_by_state(&tenant).await?.get("dead"), Some(&1));

        assert!(runs::requeue(&tenant, id, now() + days(9)).await?);
        assert!(!runs::requeue(&tenant, id, now() + days(9)).await?);
        assert_eq!(runs::claim(&system, 9, now() + days(9), LEASE).await?[0].attempts, 1);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_signal_wakes_the_run_before_while_and_after_it_parks() {
    on_both(|store| async move {
        let (tenant, system) = (store.tenant("main"), store.system());
        let far = now() + days(30);
        for signal_first in [true, false] {
            let id = runs::enqueue(&tenant, NewRun::of("flow", json!({})), now()).await?.id;
            let lease = Lease::of(&runs::claim(&system, 1, now(), LEASE).await?[0]).unwrap();
            if signal_first {
                assert!(runs::signal(&tenant, id, "approve", &json!({ "ok": 1 }), now()).await?);
            }
            assert!(runs::park(&system, lease, far, Some("approve"), now()).await?);
            if !signal_first {
                assert!(runs::claim(&system, 1, now(), LEASE).await?.is_empty());
                assert!(runs::signal(&tenant, id, "approve", &json!({ "ok": 1 }), now()).await?);
            }
            assert!(!runs::signal(&tenant, id, "approve", &json!({ "ok": 2 }), now()).await?);
            let run = runs::claim(&system, 1, now(), LEASE).await?.remove(0);
            assert_eq!(run.id, id);
            let signals = runs::signals(&tenant, id).await?;
            assert_eq!(signals[0].payload, json!({ "ok": 1 }));
            runs::finish(&system, Lease::of(&run).unwrap(), &json!(1), now()).await?;
            assert!(!runs::signal(&tenant, id, "late", &json!(1), now()).await?);
        }
        // Both at the same moment, again and again: whichever comes first, the run is due afterwards.
        for _ in 0..40 {
            let id = runs::enqueue(&tenant, NewRun::of("flow", json!({})), now()).await?.id;
            let lease = Lease::of(&runs::claim(&system, 1, now(), LEASE).await?[0]).unwrap();
            let payload = json!(1);
            let (parked, sent) = tokio::join!(
                runs::park(&system, lease, far, Some("go"), now()),
                runs::signal(&tenant, id, "go", &payload, now())
            );
            assert!(parked? && sent?);
            assert_eq!(runs::claim(&system, 1, now(), LEASE).await?.len(), 1);
            assert!(runs::cancel(&tenant, id, now()).await?);
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn cancelling_takes_the_lease_away() {
    on_both(|store| async move {
        let (tenant, system) = (store.tenant("main"), store.system());
        let id = runs::enqueue(&tenant, NewRun::of("job", json!({})), now()).await?.id;
        let run = runs::claim(&system, 1, now(), LEASE).await?.remove(0);
        assert!(runs::cancel(&tenant, id, now()).await?);
        assert!(!runs::cancel(&tenant, id, now()).await?);
        assert!(!runs::finish(&system, Lease::of(&run).unwrap(), &json!(1), now()).await?);
        assert!(runs::claim(&system, 1, now() + days(1), LEASE).await?.is_empty());
        let filter = RunFilter { state: Some(RunState::Cancelled), kind: Some("job".into()), ..Default::default() };
        assert_eq!(runs::list(&tenant, &filter, 9, None).await?.rows[0].id, id);

        assert_eq!(runs::purge_finished(&system, now()).await?, 0);
        assert_eq!(runs::purge_finished(&system, now() + days(1)).await?, 1);
        assert_eq!(runs::get(&tenant, id).await?, None);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn lists_are_paged() {
    on_both(|store| async move {
        let tenant = store.tenant("main");
        let parent_id = Some(Uuid::new_v4());
        for n in 0..7 {
            let run = NewRun { parent_id, ..NewRun::of("job", json!(n)) };
            runs::enqueue(&tenant, run, now() + days(n / 2)).await?;
        }
        let filter = RunFilter { parent_id, ..Default::default() };
        let (mut inputs, mut cursor) = (Vec::new(), None);
        loop {
            let page = runs::list(&tenant, &filter, 3, cursor.as_deref()).await?;
            inputs.extend(page.rows.iter().map(|run| run.input.as_i64().unwrap()));
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(inputs, [6, 5, 4, 3, 2, 1, 0]);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn another_process_hears_of_a_new_run() -> anyhow::Result<()> {
    let Some(test) = store::testing::TestStore::postgres().await? else { return Ok(()) };
    let mut listener = runs::listen(&test.store).await?;
    runs::enqueue(&test.store.tenant("main"), NewRun::of("job", json!({})), now()).await?;
    tokio::time::timeout(Duration::from_secs(20), listener.wait()).await??;
    runs::notify(&test.store).await?;
    tokio::time::timeout(Duration::from_secs(20), listener.wait()).await??;
    drop(listener);
    Ok(test.remove().await?)
}
