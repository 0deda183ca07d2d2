use std::time::Duration;

use serde_json::json;
use store::api_keys::{self, NewApiKey};
use store::decisions::{self, Of, Said, Step};
use store::interactions::{self, NewInteraction};
use store::opportunities::{self, NewOpportunity};
use store::schedules::{self, NewSchedule};
use store::sync_runs::{self, Progress};
use store::testing::on_both;
use store::vendor_rows::{self, NewRow};
use store::{Tenant, contacts, locks, outcomes, rate, runs};
use uuid::Uuid;

use crate::{contact, days, now};

pub(crate) fn interaction(contact_id: i64, vendor_id: &str, days_ago: i64) -> NewInteraction {
    NewInteraction {
        contact_id,
        timestamp: now() - days(days_ago),
        interaction_type: "sms".into(),
        direction: Some("in".into()),
        description: Some("hello".into()),
        extra_data: Some(json!({ "n": 1 })),
        ecosystem: "crm".into(),
        vendor_id: vendor_id.into(),
    }
}

pub(crate) fn schedule(name: &str) -> NewSchedule {
    NewSchedule {
        name: name.into(),
        kind: "sync".into(),
        input: json!({}),
        cron: None,
        every_seconds: Some(900),
        next_due: now(),
        enabled: true,
    }
}

pub(crate) fn key(hash: &str) -> NewApiKey {
    let scopes = json!({ "tools": "*" });
    NewApiKey {
        id: Uuid::now_v7(),
        name: "laptop".into(),
        prefix: "emcp_ab".into(),
        hash: hash.into(),
        scopes,
        toolsets: None,
        expires_at: None,
    }
}

pub(crate) fn decision() -> Of<'static> {
    Of { caller: "key", correlation: "trace", agent: "claude" }
}

#[tokio::test]
async fn interactions_count_once_and_date_the_contact() {
    on_both(|store| async move {
        let tenant = store.tenant("main");
        contacts::upsert_batch(&tenant, "crm", Uuid::new_v4(), &[contact("1", "Ann", "Acme")], now()).await?;
        let id = contacts::by_vendor_id(&tenant, "crm", "1").await?.unwrap().id;
        let batch =
            [interaction(id, "a", 5), interaction(id, "b", 3), interaction(id, "b", 3), interaction(id + 9, "c", 1)];
        assert_eq!(interactions::upsert_batch(&tenant, &batch).await?, 2);
        assert_eq!(interactions::upsert_batch(&tenant, &batch).await?, 0);
        let row = contacts::rows(&tenant, &[id]).await?.remove(0);
        assert_eq!((row.interaction_count, row.last_interaction), (2, Some(store::micros(now() - days(3)))));
        let list = interactions::of_contact(&tenant, id, 10).await?;
        assert_eq!(list.iter().map(|row| row.vendor_id.as_str()).collect::<Vec<_>>(), ["b", "a"]);
        let sums = interactions::aggregates(&tenant, &[id]).await?;
        assert_eq!((sums.len(), sums[0].interactions, sums[0].last), (1, 2, store::micros(now() - days(3))));
        // One was called off after all.
        assert_eq!(interactions::remove(&tenant, "crm", &["b".into(), "never".into()]).await?, 1);
        assert_eq!(interactions::remove(&tenant, "other", &["a".into()]).await?, 0);
        let row = contacts::rows(&tenant, &[id]).await?.remove(0);
        assert_eq!((row.interaction_count, row.last_interaction), (1, Some(store::micros(now() - days(5)))));
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn opportunities_are_synced_like_contacts() {
    on_both(|store| async move {
        let tenant = store.tenant("main");
        let deal = |id: &str, value: f64| NewOpportunity {
            vendor_id: id.into(),
            contact_vendor_id: Some("c1".into()),
            data: json!({ "id": id }),
            name: Some(format!("Deal {id}")),
            pipeline: Some("Sales".into()),
            stage: Some("New".into()),
            status: Some("open".into()),
            value: Some(value),
        };
        let mut page = vec![deal("1", 10.5), deal("2", 20.0), deal("3", 1.0)];
        let counts = opportunities::upsert_batch(&tenant, "crm", Uuid::new_v4(), &page, now()).await?;
        assert_eq!(counts.created, 3);
        page[0].stage = Some("Won".into());
        let (run, started) = (Uuid::new_v4(), now() + days(1));
        let counts = opportunities::upsert_batch(&tenant, "crm", run, &page[..2], started).await?;
        assert_eq!((counts.updated, counts.unchanged), (1, 1));
        assert_eq!(vendor_rows::mark_missing_deleted(&tenant, "opportunities", "crm", run, started, started).await?, 1);
        let deals = opportunities::of_contact(&tenant, "crm", "c1").await?;
        assert_eq!(deals.iter().map(|deal| deal.vendor_id.as_str()).collect::<Vec<_>>(), ["2", "1"]);
        let sums = opportunities::aggregates(&tenant, "crm").await?;
        assert_eq!((sums.len(), sums[0].opportunities, sums[0].value), (1, 2, 30.5));
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn keys_are_found_by_hash_and_revoked_once() {
    on_both(|store| async move {
        let (tenant, system) = (store.tenant("main"), store.system());
        let id = api_keys::create(&tenant, key("ff"), now()).await?.id;
        let error = api_keys::create(&store.tenant("other"), key("ff"), now()).await.unwrap_err();
        assert!(error.is_duplicate() && !error.is_temporary(), "{error}");
        assert_eq!(api_keys::by_hash(&system, "ff").await?.map(|key| key.tenant_id).as_deref(), Some("main"));
        assert_eq!(api_keys::by_hash(&system, "00").await?, None);
        api_keys::touch(&tenant, id, now()).await?;
        api_keys::touch(&tenant, id, now() + chrono::Duration::seconds(30)).await?;
        assert_eq!(api_keys::list(&tenant).await?[0].last_used_at, Some(store::micros(now())));
        assert!(api_keys::revoke(&tenant, id, now()).await?);
        assert!(!api_keys::revoke(&tenant, id, now()).await?);
        assert!(api_keys::by_hash(&system, "ff").await?.unwrap().revoked_at.is_some());
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_tick_is_taken_once_and_a_restart_does_not_move_it() {
    on_both(|store| async move {
        let (tenant, system) = (store.tenant("main"), store.system());
        schedules::put(&tenant, schedule("sync")).await?;
        schedules::put(&tenant, NewSchedule { enabled: false, ..schedule("off") }).await?;
        assert_eq!(schedules::next_due(&system).await?, Some(store::micros(now())));
        let due = schedules::due(&system, now(), 9).await?;
        assert_eq!(due.len(), 1);
        for first in [true, false] {
            let tx = tenant.begin().await?;
            let next = now() + days(1);
            assert_eq!(schedules::advance_in(&tx, due[0].id, due[0].next_due, next, true).await?, first);
            runs::enqueue_in(&tx, runs::NewRun::of("sync", json!({})), now()).await?;
            tx.commit().await?;
        }
        schedules::put(&tenant, NewSchedule { next_due: now() + days(9), ..schedule("sync") }).await?;
        let row = schedules::list(&tenant).await?.into_iter().find(|row| row.name == "sync").unwrap();
        assert_eq!((row.next_due, row.last_tick), (store::micros(now() + days(1)), Some(store::micros(now()))));
        let faster = NewSchedule { every_seconds: Some(60), next_due: now() + days(9), ..schedule("sync") };
        schedules::put(&tenant, faster).await?;
        let row = schedules::list(&tenant).await?.into_iter().find(|row| row.name == "sync").unwrap();
        assert_eq!(row.next_due, store::micros(now() + days(9)));
        assert!(schedules::remove(&tenant, "sync").await?);
        assert!(!schedules::remove(&tenant, "sync").await?);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_sync_tells_how_far_it_is_and_where_to_go_on() {
    on_both(|store| async move {
        let tenant = store.tenant("main");
        let id = Uuid::new_v4();
        let stream = ("crm", "contacts");
        sync_runs::start(&tenant, id, stream, "full", None, now()).await?;
        sync_runs::start(&tenant, id, stream, "full", None, now() + days(1)).await?;
        let half =
            Progress { fetched: 500, created: 500, cursor: Some(json!({ "after": [1, "x"] })), ..Default::default() };
        assert!(sync_runs::progress(&tenant, id, &half).await?);
        assert_eq!(sync_runs::get(&tenant, id).await?.unwrap().cursor, half.cursor);
        let whole = Progress { fetched: 1206, created: 1206, deleted: 2, ..Default::default() };
        let end = now() + chrono::Duration::milliseconds(1500);
        assert!(sync_runs::finish(&tenant, id, "done", None, &whole, end).await?);
        assert!(!sync_runs::finish(&tenant, id, "done", None, &whole, end).await?);
        assert!(!sync_runs::progress(&tenant, id, &half).await?);
        let run = sync_runs::list(&tenant, Some("crm"), Some("contacts"), 9).await?.remove(0);
        assert_eq!((run.state.as_str(), run.fetched, run.deleted, run.duration_ms), ("done", 1206, 2, Some(1500)));
        assert_eq!((run.cursor, run.started_at), (None, store::micros(now())));

        assert_eq!(sync_runs::cursor(&tenant, "crm", "contacts").await?, None);
        sync_runs::put_cursor(&tenant, stream, Some(now()), Some(now()), now()).await?;
        sync_runs::put_cursor(&tenant, stream, Some(now() + days(1)), None, now()).await?;
        sync_runs::put_bookmark(&tenant, stream, "token-1", now()).await?;
        sync_runs::put_bookmark(&tenant, stream, "token-2", now()).await?;
        let cursor = sync_runs::cursor(&tenant, stream.0, stream.1).await?.unwrap();
        assert_eq!((cursor.bookmark.as_deref(), cursor.high_water.is_some()), (Some("token-2"), true));
        let cursor = sync_runs::cursor(&tenant, "crm", "contacts").await?.unwrap();
        assert_eq!(cursor.high_water, Some(store::micros(now() + days(1))));
        assert_eq!(cursor.last_full_at, Some(store::micros(now())));
        assert_eq!(sync_runs::cursors(&tenant).await?, [cursor]);
        Ok(())
    })
    .await;
}

async fn synced(tenant: &Tenant, stream: &str, state: &str, days_ago: i64) -> store::Result<()> {
    let (id, at) = (Uuid::new_v4(), now() - days(days_ago));
    sync_runs::start(tenant, id, ("crm", stream), "full", None, at).await?;
    sync_runs::finish(tenant, id, state, None, &Progress::default(), at).await?;
    Ok(())
}

#[tokio::test]
async fn old_syncs_are_let_go_but_for_the_newest_and_the_newest_that_ended_well() {
    on_both(|store| async move {
        let (tenant, other) = (store.tenant("main"), store.tenant("other"));
        for (state, days_ago) in [("done", 200), ("done", 150), ("failed", 120), ("failed", 100)] {
            synced(&tenant, "invoices", state, days_ago).await?;
        }
        for (stream, state, days_ago) in
            [("contacts", "done", 100), ("contacts", "done", 1), ("payments", "skipped", 95)]
        {
            synced(&tenant, stream, state, days_ago).await?;
        }
        synced(&other, "invoices", "done", 300).await?;

        assert_eq!(sync_runs::purge(&store.system(), now() - days(90)).await?, 3);
        assert_eq!(sync_runs::purge(&store.system(), now() - days(90)).await?, 0);
        let kept = sync_runs::list(&tenant, Some("crm"), Some("invoices"), 9).await?;
        let kept: Vec<_> = kept.iter().map(|run| (run.state.as_str(), run.started_at)).collect();
        let at = |days_ago| store::micros(now() - days(days_ago));
        assert_eq!(kept, [("failed", at(100)), ("done", at(150))]);
        assert_eq!(sync_runs::list(&tenant, Some("crm"), Some("contacts"), 9).await?.len(), 1);
        assert_eq!(sync_runs::list(&other, None, None, 9).await?.len(), 1);

        // A stream that fails is as old as the last time that it did not, whatever became of the others.
        for (stream, expected) in [("invoices", Some(at(150))), ("contacts", Some(at(1))), ("payments", Some(at(95)))] {
            assert_eq!(sync_runs::last_success(&tenant, "crm", stream).await?, expected, "{stream}");
        }
        assert_eq!(sync_runs::last_success(&tenant, "crm", "deals").await?, None);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_shared_place_is_held_by_one_until_it_is_given_back_or_its_time_is_over() {
    on_both(|store| async move {
        let longest = Duration::from_secs(20);
        let enter = |holder: Uuid, at| {
            let system = store.system();
            async move { rate::enter(&system, "crm:main", holder, 3, at, longest).await }
        };
        let holders: Vec<Uuid> = (0..12).map(Uuid::from_u128).collect();
        let tries = holders.iter().map(|holder| tokio::spawn(enter(*holder, now())));
        let mut held = Vec::new();
        for (tried, holder) in futures::future::join_all(tries).await.into_iter().zip(&holders) {
            held.extend(tried??.map(|place| (*holder, place)));
        }
        // Two that want the same place at the same moment may both have to ask again.
        for holder in &holders {
            if held.len() < 3 && held.iter().all(|(other, _)| other != holder) {
                held.extend(enter(*holder, now()).await?.map(|place| (*holder, place)));
            }
        }
        let mut places: Vec<i64> = held.iter().map(|(_, place)| *place).collect();
        places.sort_unstable();
        assert_eq!(places, [1, 2, 3]);
        let other = Uuid::from_u128(99);
        assert_eq!(enter(other, now()).await?, None);
        rate::leave(&store.system(), "crm:main", other, held[0].1).await?;
        assert_eq!(enter(other, now()).await?, None, "nobody gives back what another holds");
        rate::leave(&store.system(), "crm:main", held[0].0, held[0].1).await?;
        assert_eq!(enter(other, now()).await?, Some(held[0].1));
        assert!(enter(other, now() + chrono::Duration::seconds(21)).await?.is_some(), "its holder was killed");
        assert!(rate::enter(&store.system(), "crm:other", other, 1, now(), longest).await?.is_some());
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_shared_bucket_lets_no_more_through_than_it_holds() {
    on_both(|store| async move {
        let (increment, burst) = (Duration::from_millis(100), Duration::from_millis(1_000));
        let takers: Vec<_> = (0..30)
            .map(|_| {
                let system = store.system();
                tokio::spawn(async move { rate::take(&system, "crm:main", now(), increment, burst).await })
            })
            .collect();
        let mut waits = Vec::new();
        for taker in takers {
            waits.push(taker.await??);
        }
        assert_eq!(waits.iter().filter(|wait| wait.is_none()).count(), 10);
        assert_eq!(waits.iter().flatten().max(), Some(&increment));
        let system = store.system();
        let later = now() + increment * 3;
        for expected in [None, None, None, Some(increment)] {
            assert_eq!(rate::take(&system, "crm:main", later, increment, burst).await?, expected);
        }
        assert_eq!(rate::take(&system, "crm:other", now(), increment, burst).await?, None);
        assert_eq!(rate::purge(&system, now()).await?, 0, "they are not full yet");
        assert_eq!(rate::purge(&system, now() + Duration::from_millis(200)).await?, 1, "one is full, one is empty");
        assert_eq!(rate::take(&system, "crm:main", later, increment, burst).await?, Some(increment));
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn decisions_and_outcomes_are_kept() {
    on_both(|store| async move {
        let tenant = store.tenant("main");
        let (of, execution_id, approval) = (decision(), Uuid::new_v4(), Uuid::new_v4());
        let step = |tool: &str, approval_id, status| Step { tool: tool.into(), execution_id, approval_id, status };
        for (step, outcome) in [
            (step("crm.add_tags", None, "done"), Some("success")),
            (step("crm.send_sms", Some(approval), "waiting"), None),
            (step("crm.send_sms", Some(approval), "rejected"), Some("partial")),
        ] {
            decisions::step(&tenant, of, &step, now()).await?;
            assert_eq!(decisions::list(&tenant, 9).await?.remove(0).outcome.as_deref(), outcome, "{step:?}");
        }
        let said = Said { decision: "call Ann".into(), rationale: Some("she asked".into()), ..Said::default() };
        let id = decisions::say(&tenant, of, said, now()).await?;
        decisions::step(&tenant, of, &step("crm.add_note", None, "done"), now()).await?;
        let rows = decisions::list(&tenant, 9).await?;
        assert_eq!(
            (rows.len(), rows[0].decision.as_str(), rows[0].rationale.as_deref()),
            (1, "call Ann", Some("she asked"))
        );
        decisions::say(&tenant, Of { correlation: "another", ..of }, Said::default(), now()).await?;
        assert_eq!(decisions::list(&tenant, 9).await?.len(), 2);
        assert!(decisions::feedback(&tenant, id, Some("success"), Some("good")).await?);
        let row = decisions::list(&tenant, 9).await?.into_iter().find(|row| row.id == id).unwrap();
        assert_eq!((row.outcome.as_deref(), row.user_feedback.as_deref()), (Some("success"), Some("good")));
        assert_eq!(row.tools_used, json!(["crm.add_tags", "crm.send_sms", "crm.add_note"]));

        contacts::upsert_batch(&tenant, "crm", Uuid::new_v4(), &[contact("1", "Ann", "Acme")], now()).await?;
        let contact = contacts::by_vendor_id(&tenant, "crm", "1").await?.unwrap().id;
        assert!(outcomes::record(&tenant, contact, "call", true, Some("sale"), now()).await?.is_some());
        assert!(outcomes::record(&tenant, contact + 1, "call", true, None, now()).await?.is_none());
        assert_eq!(outcomes::list(&tenant, Some(contact), 9).await?.len(), 1);
        assert!(outcomes::list(&tenant, Some(contact + 1), 9).await?.is_empty());
        Ok(())
    })
    .await;
}

/// Every table takes every type of its columns, on both back ends, and knows when nothing has changed.
#[tokio::test]
async fn vendor_rows_keep_their_columns() {
    on_both(|store| async move {
        let tenant = store.tenant("main");
        let day = now().date_naive();
        let texts = |count: usize| (0..count).map(|n| sea_orm::Value::from(format!("text {n}"))).collect::<Vec<_>>();
        let with = |texts: Vec<sea_orm::Value>, rest: Vec<sea_orm::Value>| [texts, rest].concat();
        let pages = [
            (vendor_rows::CUSTOMERS, texts(5)),
            (
                vendor_rows::INVOICES,
                with(texts(4), vec![day.into(), day.into(), 12.5.into(), 2.5.into(), "USD".into(), "open".into()]),
            ),
            (
                vendor_rows::PAYMENTS,
                with(texts(2), vec![day.into(), 10.0.into(), "USD".into(), "card".into(), json!(["1"]).into()]),
            ),
            (
                vendor_rows::ORDERS,
                with(
                    texts(2),
                    vec![
                        now().into(),
                        "shipped".into(),
                        9.99.into(),
                        "USD".into(),
                        2_i64.into(),
                        "amazon".into(),
                        now().into(),
                    ],
                ),
            ),
            (vendor_rows::INVENTORY, with(texts(2), vec![5_i64.into(), 0_i64.into(), 1_i64.into()])),
            (vendor_rows::DOCUMENTS, with(texts(3), vec![now().into(), "https://example.com".into(), 10_i64.into()])),
            (vendor_rows::DOMAINS, with(texts(2), vec![now().into(), true.into(), json!(["ns1.example.com"]).into()])),
            (vendor_rows::DNS_RECORDS, with(texts(4), vec![300_i64.into(), 10_i64.into()])),
        ];
        for (table, values) in pages {
            let row = |id: &str| NewRow { vendor_id: id.into(), data: json!({"id": id}), values: values.clone() };
            let page = [row("1"), row("2")];
            let counts = vendor_rows::upsert_batch(&tenant, table, "crm", Uuid::new_v4(), &page, now()).await?;
            assert_eq!(counts.created, 2, "{}", table.name);
            let counts = vendor_rows::upsert_batch(&tenant, table, "crm", Uuid::new_v4(), &page, now()).await?;
            assert_eq!(counts.unchanged, 2, "{}", table.name);
            assert_eq!(vendor_rows::mark_deleted(&tenant, table.name, "crm", &["2", "9"], now()).await?, 1);
            assert_eq!(vendor_rows::mark_deleted(&store.tenant("other"), table.name, "crm", &["1"], now()).await?, 0);
            let counts = vendor_rows::upsert_batch(&tenant, table, "crm", Uuid::new_v4(), &page, now()).await?;
            assert_eq!((counts.unchanged, counts.updated), (1, 1), "{}", table.name);
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_lock_has_one_holder_and_ends_with_it() {
    on_both(|store| async move {
        let held = locks::try_lock(&store, "sync of crm").await?;
        assert!(held.is_some());
        assert!(locks::try_lock(&store, "sync of crm").await?.is_none());
        assert!(locks::try_lock(&store, "sync of shop").await?.is_some(), "another name is another lock");
        drop(held);
        for _ in 0..100 {
            if locks::try_lock(&store, "sync of crm").await?.is_some() {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        anyhow::bail!("the lock was never given back")
    })
    .await;
}
