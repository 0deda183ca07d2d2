//! The brain follows the vendor: all, then what changed, then what went away.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sandbox::Fault;
use serde_json::{Value, json};

use crate::support::{TestServer, on_both};

async fn sync(server: &TestServer, mode: &str) -> Value {
    server.data("gohighlevel.sync_all_contacts", json!({"mode": mode})).await
}

async fn count(server: &TestServer) -> i64 {
    store::contacts::stats(&server.app().store.tenant("default"), None).await.unwrap().contacts
}

#[tokio::test]
async fn full_then_incremental_then_a_deletion() {
    on_both(
        |_| {},
        |server| async move {
            let first = sync(&server, "full").await;
            assert_eq!(
                (&first["contacts_fetched"], &first["contacts_created"]),
                (&json!(1206), &json!(1206)),
                "{first}"
            );
            assert_eq!((&first["errors"], &first["state"]), (&json!(0), &json!("done")), "{first}");
            assert_eq!(count(&server).await, 1206);

            let again = sync(&server, "full").await;
            assert_eq!(
                (&again["contacts_unchanged"], &again["contacts_created"]),
                (&json!(1206), &json!(0)),
                "{again}"
            );

            let business = server.app().sandbox.business();
            business.update_contact(7, json!({"companyName": "Renamed Works"})).unwrap();
            business
                .create_contact(json!({"firstName": "Zora", "lastName": "Quillfeather", "email": "zora@example.com"}))
                .unwrap();
            let changed = sync(&server, "incremental").await;
            assert_eq!(
                (&changed["contacts_created"], &changed["contacts_updated"]),
                (&json!(1), &json!(1)),
                "{changed}"
            );
            let found = server.data("contacts.search", json!({"query": "zora quilfeather"})).await;
            assert_eq!(found["contacts"][0]["name"], "Zora Quillfeather");

            business.delete_contact(3).unwrap();
            let nightly = sync(&server, "full").await;
            assert_eq!(nightly["contacts_deleted"], 1, "{nightly}");
            assert_eq!(count(&server).await, 1206);
        },
    )
    .await;
}

#[tokio::test]
async fn a_sync_that_fetched_nothing_says_so() {
    let server = TestServer::sqlite().await;
    sync(&server, "full").await;
    server.app().sandbox.skip(Duration::from_secs(3600));
    let report = sync(&server, "incremental").await;
    assert!(
        report["message"].as_str().unwrap().contains("nothing") || report["contacts_unchanged"].as_u64() > Some(0),
        "{report}"
    );
    server.stop().await;
}

#[tokio::test]
async fn a_vendor_that_fails_in_the_middle_costs_no_contact() {
    on_both(
        |_| {},
        |server| async move {
            sync(&server, "full").await;
            // Every attempt on the second and third page fails.
            server.app().sandbox.faults().next_on("/contacts/search", 1, Fault::Stall(Duration::from_millis(1)));
            server.app().sandbox.faults().next_on("/contacts/search", 6, Fault::Status(503));
            let (status, body) = server.run("gohighlevel.sync_all_contacts", json!({"mode": "full"})).await;
            assert_eq!(status, 503, "{body}");
            assert_eq!(count(&server).await, 1206, "an incomplete walk proves no deletion");
            server.app().sandbox.faults().clear();
        },
    )
    .await;
}

#[tokio::test]
async fn two_syncs_at_once_are_one() {
    let server = TestServer::sqlite().await;
    let before = server.app().sandbox.business().requests();
    let (one, two) = tokio::join!(sync(&server, "full"), sync(&server, "full"));
    assert_eq!(one["contacts_created"], 1206);
    assert_eq!(one, two, "the second waited for the first and tells the same");
    let alone = server.app().sandbox.business().requests() - before;
    let before = server.app().sandbox.business().requests();
    sync(&server, "full").await;
    assert_eq!(server.app().sandbox.business().requests() - before, alone);
    server.stop().await;
}

#[tokio::test]
async fn the_brain_fills_itself_after_the_start() {
    let server = TestServer::sqlite_with(|config| config.sync.enabled = true).await;
    for _ in 0..200 {
        if count(&server).await == 1206 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(count(&server).await, 1206);
    let audit = server.data("system.search_audit", json!({"tool": "gohighlevel.sync_all_contacts"})).await;
    let caller = audit["executions"].as_array().unwrap().first().map(|row| row["caller"].clone());
    assert!(caller.is_none_or(|caller| caller == "run"), "the schedule's sync is on record as a run");
    server.stop().await;
}

/// A vendor that answers 200 with less than it has: nothing is believed deleted, and the report says so.
#[tokio::test]
async fn an_answer_that_is_too_short_deletes_nothing() {
    let server = TestServer::sqlite().await;
    sync(&server, "full").await;
    server.app().sandbox.faults().next_on("/contacts/search", 1, Fault::Html);
    let (status, body) = server.run("gohighlevel.sync_all_contacts", json!({"mode": "full"})).await;
    assert!(status >= 500, "{body}");
    assert_eq!(count(&server).await, 1206);
    server.stop().await;
}

/// What a newcomer sees first: a short list of those who wait, and nobody spoken to tomorrow.
#[tokio::test]
async fn the_sample_business_reads_like_one() {
    let server = TestServer::sqlite().await;
    server.data("gohighlevel.sync_all_contacts", json!({})).await;
    let waiting = server.data("contacts.needs_follow_up", json!({"limit": 1})).await;
    assert!((5..=25).contains(&waiting["total"].as_u64().unwrap()), "{waiting}");
    let now = server.app().clock.now();
    let tenant = server.app().store.tenant("default");
    let mut after = 0;
    let mut kinds = std::collections::HashSet::new();
    loop {
        let contacts = store::contacts::walk(&tenant, after, 500).await.unwrap();
        let Some(last) = contacts.last() else { break };
        after = last.id;
        let ids: Vec<i64> = contacts.iter().map(|contact| contact.id).collect();
        assert!(contacts.iter().all(|contact| contact.last_interaction <= Some(now)), "spoken to in the future");
        for id in ids {
            let rows = store::interactions::of_contact(&tenant, id, 50).await.unwrap();
            kinds.extend(rows.into_iter().map(|row| row.interaction_type));
        }
    }
    assert!(["sms", "email", "call", "appointment"].iter().all(|kind| kinds.contains(*kind)), "{kinds:?}");
    server.stop().await;
}

/// When everything was copied, as the health says it.
async fn last_success(server: &TestServer) -> Option<DateTime<Utc>> {
    let health = server.data("system.health", json!({})).await;
    health["sync"]["last_success"].as_str().map(|at| at.parse().unwrap())
}

/// How old a tool's answer says that it is.
async fn as_of(server: &TestServer, tool: &str, arguments: Value) -> DateTime<Utc> {
    let (status, body) = server.run(tool, arguments).await;
    assert_eq!(status, 200, "{tool}: {body}");
    body["metadata"]["as_of"].as_str().unwrap().parse().unwrap()
}

/// A stream that fails is seen although the others are copied: in the health, and in the age of what is made of it.
#[tokio::test]
async fn what_is_copied_is_as_fresh_as_its_oldest_stream() {
    on_both(
        |config| config.sandbox.contacts = 60,
        |server| async move {
            assert_eq!(last_success(&server).await, None);
            sync(&server, "full").await;
            assert_eq!(last_success(&server).await, None, "the other systems were never copied");
            server.data("system.sync", json!({})).await;
            let app = server.app();
            let first = app.clock.now();
            assert!(last_success(&server).await.is_some_and(|at| at <= first));

            // What the account may not see is left out, and holds nothing up.
            app.sandbox.faults().always("/opportunities", Fault::Status(403));
            let report = server.data("system.sync", json!({})).await;
            assert!(report.to_string().contains("skipped"), "{report}");
            let second = app.clock.now();
            assert!(last_success(&server).await.is_some_and(|at| at > first));
            let status = server.data("system.sync_status", json!({"ecosystem": "gohighlevel"})).await;
            assert!(status.to_string().contains("the account may not see it"), "{status}");

            app.sandbox.faults().clear();
            app.sandbox.faults().always("/opportunities", Fault::Status(500));
            server.data("system.sync", json!({})).await;
            assert!(last_success(&server).await.is_some_and(|at| first < at && at < second), "they failed since");
            app.sandbox.faults().clear();

            // The opportunities are those of the beginning, and the contacts are not.
            let page = json!({"page": "dashboard"});
            for (tool, arguments) in [("gohighlevel.get_insights", json!({})), ("contacts.page", page)] {
                assert!(as_of(&server, tool, arguments).await < first, "{tool}");
            }
            assert!(as_of(&server, "contacts.search", json!({"query": "acme"})).await > second);
        },
    )
    .await;
}

/// What is made of many systems is as old as the one of them that was copied longest ago.
#[tokio::test]
async fn one_customer_is_as_old_as_the_system_that_failed() {
    let server = TestServer::sqlite_with(|config| config.sandbox.contacts = 60).await;
    sync(&server, "full").await;
    let tenant = server.app().store.tenant("default");
    let contact = store::contacts::walk(&tenant, 0, 1).await.unwrap().remove(0).vendor_id;
    let view = || as_of(&server, "contacts.view_360", json!({"contact": contact}));
    let now = server.app().clock.now();
    assert!(now - view().await < TimeDelta::minutes(5));
    for (stream, age) in [("quickbooks", "invoices"), ("google_workspace", "messages")].into_iter().zip([3, 9]) {
        let then = store::micros(now - TimeDelta::days(age));
        store::sync_runs::put_cursor(&tenant, stream, Some(then), None, then).await.unwrap();
        assert_eq!(view().await, then, "{stream:?}");
    }
    // Domains say nothing of a customer.
    let then = now - TimeDelta::days(30);
    store::sync_runs::put_cursor(&tenant, ("godaddy", "domains"), Some(then), None, then).await.unwrap();
    assert!(now - view().await < TimeDelta::days(10));
    server.stop().await;
}
