use sea_orm::{ConnectionTrait, Database, Statement};
use store::contacts::{self, ContextChange, Counts, Filter, Order};
use store::interactions::{self, NewInteraction};
use store::testing::{both, on_both};
use store::vendor_rows;
use uuid::Uuid;

use crate::{contact, days, now};

#[tokio::test]
async fn an_upsert_counts_what_it_did() {
    on_both(|store| async move {
        let tenant = store.tenant("main");
        let run = Uuid::new_v4();
        let mut page =
            vec![contact("1", "Ann Lee", "Acme"), contact("2", "Bob Ray", "Bolt"), contact("3", "Cy", "Cog")];
        let counts = contacts::upsert_batch(&tenant, "crm", run, &page, now()).await?;
        assert_eq!(counts, Counts { created: 3, updated: 0, unchanged: 0 });

        page[1].email = Some("bob@bolt.test".to_owned());
        page.push(contact("4", "Di", "Dot"));
        page.push(contact("4", "Diana", "Dot"));
        let second = Uuid::new_v4();
        let later = now() + days(1);
        let counts = contacts::upsert_batch(&tenant, "crm", second, &page, later).await?;
        assert_eq!(counts, Counts { created: 1, updated: 1, unchanged: 2 });

        let row = contacts::by_vendor_id(&tenant, "crm", "1").await?.unwrap();
        assert_eq!((row.seen_run, row.last_synced), (Some(second), store::micros(later)));
        assert_eq!(row.data["contactName"], "Ann Lee");
        let row = contacts::by_vendor_id(&tenant, "crm", "4").await?.unwrap();
        assert_eq!(row.name.as_deref(), Some("Diana"));
        assert_eq!(contacts::get(&tenant, row.id).await?.unwrap(), row);
        let bob = contacts::find(&tenant, &Filter { name: Some("bob".into()), ..Default::default() }, 5, None).await?;
        assert_eq!(bob.rows[0].email.as_deref(), Some("bob@bolt.test"));
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn pages_larger_than_one_statement_are_stored_whole() {
    on_both(|store| async move {
        let tenant = store.tenant("main");
        let page: Vec<_> = (0..1_203).map(|n| contact(&n.to_string(), &format!("Person {n}"), "Acme")).collect();
        let counts = contacts::upsert_batch(&tenant, "crm", Uuid::new_v4(), &page, now()).await?;
        assert_eq!(counts.created, 1_203);
        let counts = contacts::upsert_batch(&tenant, "crm", Uuid::new_v4(), &page, now()).await?;
        assert_eq!(counts.unchanged, 1_203);
        assert_eq!(contacts::count(&tenant, &Filter::default()).await?, 1_203);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_score_that_changed_with_time_alone_is_no_update() {
    on_both(|store| async move {
        let tenant = store.tenant("main");
        let mut page = vec![contact("1", "Ann Lee", "Acme")];
        contacts::upsert_batch(&tenant, "crm", Uuid::new_v4(), &page, now()).await?;
        page[0].importance = 9;
        let counts = contacts::upsert_batch(&tenant, "crm", Uuid::new_v4(), &page, now()).await?;
        assert_eq!(counts.unchanged, 1);
        let id = contacts::by_vendor_id(&tenant, "crm", "1").await?.unwrap().id;
        assert_eq!(contacts::rows(&tenant, &[id]).await?[0].importance, 9);
        contacts::set_importance(&tenant, &[(id, 3)]).await?;
        assert_eq!(contacts::rows(&tenant, &[id]).await?[0].importance, 3);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn what_a_complete_run_did_not_see_is_deleted_and_can_come_back() {
    on_both(|store| async move {
        let tenant = store.tenant("main");
        let page = vec![contact("1", "Ann Lee", "Acme"), contact("2", "Bob Ray", "Bolt"), contact("3", "Cy", "Cog")];
        contacts::upsert_batch(&tenant, "crm", Uuid::new_v4(), &page, now()).await?;
        contacts::upsert_batch(&tenant, "other", Uuid::new_v4(), &page, now()).await?;

        let (run, started) = (Uuid::new_v4(), now() + days(1));
        contacts::upsert_batch(&tenant, "crm", run, &page[..1], started).await?;
        // Written by a webhook while the run was on its way.
        let webhook = contact("3", "Cyrus", "Cog");
        contacts::upsert_batch(&tenant, "crm", Uuid::new_v4(), &[webhook], started + days(1)).await?;
        assert_eq!(vendor_rows::mark_missing_deleted(&tenant, "contacts", "crm", run, started, started).await?, 1);
        assert_eq!(vendor_rows::mark_missing_deleted(&tenant, "contacts", "crm", run, started, started).await?, 0);

        let deleted = contacts::by_vendor_id(&tenant, "crm", "2").await?.unwrap();
        assert_eq!(deleted.deleted_at, Some(store::micros(started)));
        let filter = Filter { text: Some("bob ray".into()), ecosystem: Some("crm".into()), ..Default::default() };
        assert!(contacts::find(&tenant, &filter, 5, None).await?.rows.is_empty());
        let stats = contacts::stats(&tenant, Some("crm")).await?;
        assert_eq!((stats.contacts, stats.deleted), (2, 1));
        assert_eq!(contacts::stats(&tenant, Some("other")).await?.contacts, 3);

        let counts = contacts::upsert_batch(&tenant, "crm", Uuid::new_v4(), &page[1..2], started).await?;
        assert_eq!(counts.updated, 1);
        assert_eq!(contacts::find(&tenant, &filter, 5, None).await?.rows.len(), 1);
        assert_eq!(vendor_rows::mark_deleted(&tenant, "contacts", "crm", &["2"], started).await?, 1);
        assert_eq!(vendor_rows::mark_deleted(&tenant, "contacts", "crm", &["2"], started).await?, 0);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn what_people_wrote_survives_every_sync_and_is_found() {
    on_both(|store| async move {
        let tenant = store.tenant("main");
        let mut page = vec![contact("1", "Catherine Fitzgerald", "Acme Supply"), contact("2", "Bob Ray", "Bolt")];
        contacts::upsert_batch(&tenant, "crm", Uuid::new_v4(), &page, now()).await?;
        let id = contacts::by_vendor_id(&tenant, "crm", "1").await?.unwrap().id;
        let generated = ["catherine", "acme supply", "catherine from acme supply"];
        assert_eq!(contacts::rows(&tenant, &[id]).await?[0].nicknames, generated);

        let change = ContextChange {
            add_nicknames: vec![" Kitty Cat ".into()],
            personal_notes: Some("Likes tea".into()),
            company_info: Some("Greenhouse equipment".into()),
            add_tags: vec!["VIP".into()],
            ..Default::default()
        };
        assert!(contacts::save_context(&tenant, id, change, now()).await?);
        page[0].company = Some("Globex".to_owned());
        page[0].importance = 8;
        contacts::upsert_batch(&tenant, "crm", Uuid::new_v4(), &page, now()).await?;

        let row = contacts::rows(&tenant, &[id]).await?.remove(0);
        assert_eq!(row.nicknames, ["catherine", "globex", "catherine from globex", "kitty cat"]);
        assert_eq!(row.personal_notes.as_deref(), Some("Likes tea"));
        assert_eq!(row.custom_tags, ["vip"]);
        assert_eq!(row.importance, 8);
        for (filter, why) in [
            (Filter { text: Some("kitty".into()), ..Default::default() }, "own nickname"),
            (Filter { industry_text: Some("greenhouse".into()), ..Default::default() }, "company info"),
            (Filter { tags: vec!["vip".into()], ..Default::default() }, "own tag"),
        ] {
            let found = contacts::find(&tenant, &filter, 5, None).await?.rows;
            assert_eq!(found.iter().map(|row| row.id).collect::<Vec<_>>(), [id], "{why}");
        }

        let change = ContextChange { remove_nicknames: vec!["Kitty cat".into()], ..Default::default() };
        contacts::save_context(&tenant, id, change, now()).await?;
        let row = contacts::rows(&tenant, &[id]).await?.remove(0);
        assert_eq!(row.nicknames, ["catherine", "globex", "catherine from globex"]);
        assert_eq!(row.personal_notes.as_deref(), Some("Likes tea"));
        let filter = Filter { text: Some("kitty".into()), ..Default::default() };
        assert!(contacts::find(&tenant, &filter, 5, None).await?.rows.is_empty());
        assert!(!contacts::save_context(&tenant, id + 100, ContextChange::default(), now()).await?);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn every_filter_narrows() {
    on_both(|store| async move {
        let tenant = store.tenant("main");
        let mut page: Vec<_> = (0..4).map(|n| contact(&n.to_string(), &format!("Person {n}"), "Acme")).collect();
        page[0].email = None;
        page[1].phone = Some(String::new());
        page[2].kind = Some("Customer".to_owned());
        page[2].tags = vec!["50%_\"off\"".to_owned(), "Cannabis".to_owned()];
        page[3].importance = 9;
        page[3].extra_text = Some("Industry: Healthcare".to_owned());
        for (n, contact) in page.iter_mut().enumerate() {
            contact.created_at = Some(now() - days(n as i64 * 10));
            contact.last_activity = Some(now() - days(n as i64 * 20));
        }
        contacts::upsert_batch(&tenant, "crm", Uuid::new_v4(), &page, now()).await?;
        let ids: Vec<i64> = contacts::recent(&tenant, 10, None).await?.rows.iter().map(|row| row.id).collect();
        let talk = NewInteraction {
            contact_id: ids[1],
            timestamp: now() - days(5),
            interaction_type: "call".into(),
            direction: None,
            description: None,
            extra_data: None,
            ecosystem: "crm".into(),
            vendor_id: "t1".into(),
        };
        interactions::upsert_batch(&tenant, &[talk]).await?;

        let none = Filter::default;
        for (filter, expected) in [
            (Filter { has_email: Some(false), ..none() }, vec![0]),
            (Filter { has_email: Some(true), ..none() }, vec![1, 2, 3]),
            (Filter { has_phone: Some(false), ..none() }, vec![1]),
            (Filter { kind: Some("customer".into()), ..none() }, vec![2]),
            (Filter { tags: vec!["cannabis".into()], ..none() }, vec![2]),
            (Filter { tags: vec!["canna".into()], ..none() }, vec![]),
            (Filter { tags: vec!["50%_\"OFF\"".into()], ..none() }, vec![2]),
            (Filter { tags: vec!["50__\"off\"".into()], ..none() }, vec![]),
            (Filter { importance_min: Some(6), ..none() }, vec![3]),
            (Filter { industry_text: Some("healthcare".into()), ..none() }, vec![3]),
            (Filter { industry_text: Some("cannabis".into()), ..none() }, vec![2]),
            (Filter { added_since: Some(now() - days(15)), ..none() }, vec![0, 1]),
            (Filter { added_before: Some(now() - days(15)), ..none() }, vec![2, 3]),
            (Filter { active_since: Some(now() - days(25)), ..none() }, vec![0, 1]),
            (Filter { contacted_before: Some(now() - days(3)), ..none() }, vec![0, 1, 2, 3]),
            (Filter { contacted_before: Some(now() - days(7)), ..none() }, vec![0, 2, 3]),
            (Filter { contacted_since: Some(now() - days(7)), ..none() }, vec![1]),
            (Filter { active_before: Some(now() - days(25)), ..none() }, vec![2, 3]),
            (Filter { tags: vec!["cannabis".into(), "50%_\"off\"".into()], ..none() }, vec![2]),
            (Filter { tags: vec!["cannabis".into(), "new".into()], ..none() }, vec![]),
            (Filter { ids: Some(vec![ids[2], ids[0]]), ..none() }, vec![0, 2]),
            (Filter { ids: Some(vec![]), ..none() }, vec![]),
            (Filter { ecosystem: Some("other".into()), ..none() }, vec![]),
            (Filter { text: Some("person".into()), has_email: Some(false), ..none() }, vec![0]),
            (Filter { text: Some("person".into()), tags: vec!["cannabis".into()], ..none() }, vec![2]),
        ] {
            let found = contacts::find(&tenant, &filter, 10, None).await?.rows;
            let mut found: Vec<usize> = found.iter().map(|row| row.vendor_id.parse().unwrap()).collect();
            found.sort();
            assert_eq!(found, expected, "{filter:?}");
            assert_eq!(contacts::count(&tenant, &filter).await?, expected.len() as u64, "{filter:?}");
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn pages_follow_each_other_without_gap_or_repetition() {
    on_both(|store| async move {
        let tenant = store.tenant("main");
        let mut page: Vec<_> = (0..25).map(|n| contact(&n.to_string(), &format!("Person {n}"), "Acme")).collect();
        for (n, contact) in page.iter_mut().enumerate() {
            // Some have the same time, some none.
            contact.last_activity = (n % 3 != 0).then(|| now() - days(n as i64 / 4));
            contact.created_at = Some(now());
            contact.importance = (n % 4) as i16;
        }
        contacts::upsert_batch(&tenant, "crm", Uuid::new_v4(), &page, now()).await?;
        for order in [Order::Active, Order::Added, Order::Important] {
            let filter = Filter { order, ..Default::default() };
            let whole = contacts::find(&tenant, &filter, 100, None).await?;
            assert_eq!((whole.rows.len(), whole.next), (25, None));
            let (mut seen, mut cursor) = (Vec::new(), None);
            loop {
                let page = contacts::find(&tenant, &filter, 4, cursor.as_deref()).await?;
                seen.extend(page.rows);
                cursor = page.next;
                if cursor.is_none() {
                    break;
                }
            }
            assert_eq!(seen, whole.rows, "{order:?}");
        }
        let filter = Filter::default();
        let newest = contacts::find(&tenant, &filter, 1, None).await?.rows;
        assert!(newest[0].last_activity.is_some(), "those without activity come last");

        let words = Filter { text: Some("person".into()), ..Default::default() };
        let first = contacts::find(&tenant, &words, 10, None).await?;
        let second = contacts::find(&tenant, &words, 10, first.next.as_deref()).await?;
        let third = contacts::find(&tenant, &words, 10, second.next.as_deref()).await?;
        let mut all: Vec<i64> = [first.rows, second.rows, third.rows].concat().iter().map(|row| row.id).collect();
        all.sort();
        all.dedup();
        assert_eq!((all.len(), third.next), (25, None));
        for cursor in ["", "x", "12", "none_x", "o-1", "99999999999999999999_1"] {
            assert!(contacts::find(&tenant, &filter, 1, Some(cursor)).await.is_err(), "{cursor:?}");
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn text_that_postgres_cannot_store_is_stored_nearly_the_same() {
    on_both(|store| async move {
        let tenant = store.tenant("main");
        let mut odd = contact("1", "Nul\0 Person", "Acme\0");
        odd.data = serde_json::json!({ "a\0b": "x\0y", "number": 1e300, "emoji": "👩‍🌾" });
        odd.tags = vec!["t\0".into()];
        for expected in [Counts { created: 1, ..Default::default() }, Counts { unchanged: 1, ..Default::default() }] {
            assert_eq!(contacts::upsert_batch(&tenant, "crm", Uuid::new_v4(), &[odd.clone()], now()).await?, expected);
        }
        let row = contacts::by_vendor_id(&tenant, "crm", "1").await?.unwrap();
        assert_eq!(row.data["a\u{fffd}b"], "x\u{fffd}y");
        assert_eq!(row.data["number"], 1e300);
        assert_eq!(row.name.as_deref(), Some("Nul\u{fffd} Person"));
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn two_at_once_do_not_block_each_other_for_good() {
    on_both(|store| async move {
        let page: Vec<_> = (0..60).map(|n| contact(&n.to_string(), &format!("Person {n}"), "Acme")).collect();
        contacts::upsert_batch(&store.tenant("main"), "crm", Uuid::new_v4(), &page, now()).await?;
        let tasks = (0..4).map(|task| {
            let (tenant, mut page) = (store.tenant("main"), page.clone());
            if task % 2 == 0 {
                page.reverse();
            }
            page.iter_mut().for_each(|contact| contact.source = Some(format!("task {task}")));
            tokio::spawn(async move { contacts::upsert_batch(&tenant, "crm", Uuid::new_v4(), &page, now()).await })
        });
        for task in tasks.collect::<Vec<_>>() {
            assert_eq!(task.await??.created, 0);
        }
        Ok(())
    })
    .await;
}

/// The full-text index is a second copy of the text; SQLite's own check says whether the two agree.
#[tokio::test]
async fn the_search_index_of_sqlite_agrees_with_the_table() -> anyhow::Result<()> {
    for test in both().await.into_iter().take(1) {
        let tenant = test.store.tenant("main");
        let page: Vec<_> = (0..50).map(|n| contact(&n.to_string(), &format!("Person {n}"), "Acme")).collect();
        contacts::upsert_batch(&tenant, "crm", Uuid::new_v4(), &page, now()).await?;
        let renamed: Vec<_> = (0..50).map(|n| contact(&n.to_string(), &format!("Other {n}"), "Bolt")).collect();
        contacts::upsert_batch(&tenant, "crm", Uuid::new_v4(), &renamed[..30], now()).await?;
        let admin = Database::connect(&test.url).await?;
        admin.execute_unprepared("DELETE FROM contacts WHERE vendor_id = '49'").await?;
        admin.execute_unprepared("INSERT INTO contacts_fts (contacts_fts, rank) VALUES ('integrity-check', 1)").await?;
        let count = Statement::from_string(
            sea_orm::DbBackend::Sqlite,
            "SELECT COUNT(*) AS n FROM contacts_fts WHERE contacts_fts MATCH '\"per\" AND \"ers\" AND \"rso\"'",
        );
        assert_eq!(admin.query_one_raw(count).await?.unwrap().try_get::<i64>("", "n")?, 19);
        admin.close().await?;
        test.remove().await?;
    }
    Ok(())
}
