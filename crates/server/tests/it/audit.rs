//! The record of all calls: complete, chained, and true.

use std::time::Duration;

use serde_json::{Value, json};
use server::actor::Actor;
use server::app::App;
use server::audit::ends::Ends;
use server::calls::{self, Request};
use store::Tenant;
use store::chain::{Finding, Report};
use store::entities::tool_executions;
use tokio_util::sync::CancellationToken;

use crate::support::{KEY, TestServer, on_both};

#[tokio::test]
async fn the_chain_verifies_and_a_change_is_found() {
    on_both(
        |_| {},
        |server| async move {
            for _ in 0..5 {
                server.data("contacts.search", json!({"query": "acme"})).await;
            }
            let system = server.app().store.system();
            let report = store::chain::verify(&system).await.unwrap();
            assert!(report.is_sound(), "{report:?}");
            assert!(report.records >= 5);
        },
    )
    .await;
}

#[tokio::test]
async fn every_end_of_a_call_has_its_status() {
    on_both(
        |config| config.policy.deny = vec!["system.health".into()],
        |server| async move {
            let contacts = server.data("gohighlevel.read_contacts", json!({"limit": 1})).await;
            let somebody = &contacts["contacts"][0]["id"];
            server.run("system.tools", json!({})).await;
            server.run("system.health", json!({})).await;
            server.run("gohighlevel.get_contact", json!({})).await;
            server.run("gohighlevel.add_tags", json!({"contact_id": somebody, "tags": ["vip"]})).await;
            let tenant = server.app().store.tenant("default");
            let page = store::audit::list(&tenant, &Default::default(), 4, None).await.unwrap();
            let ends: Vec<_> = page.rows.iter().map(|row| (row.tool_name.as_str(), row.status.as_str())).collect();
            assert_eq!(
                ends,
                [
                    ("gohighlevel.add_tags", "pending_approval"),
                    ("gohighlevel.get_contact", "error"),
                    ("system.health", "denied"),
                    ("system.tools", "success"),
                ]
            );
            assert!(page.rows[1].error_message.as_deref().unwrap().contains("contact_id"));
        },
    )
    .await;
}

#[tokio::test]
async fn responses_are_dropped_on_request_but_never_the_record() {
    let server = TestServer::sqlite_with(|config| config.audit.store_responses = false).await;
    server.data("contacts.search", json!({"query": "acme"})).await;
    let tenant = server.app().store.tenant("default");
    let page = store::audit::list(&tenant, &Default::default(), 10, None).await.unwrap();
    assert_eq!(page.rows.len(), 1);
    let row = store::audit::get(&tenant, page.rows[0].id).await.unwrap().unwrap();
    assert_eq!(row.response, None);
    assert_eq!(page.rows[0].params, json!({"query": "acme"}));
    server.stop().await;
}

#[tokio::test]
async fn an_agent_can_search_the_audit_page_by_page() {
    let server = TestServer::sqlite().await;
    for limit in 1..=5 {
        server.data("gohighlevel.read_contacts", json!({"limit": limit})).await;
    }
    let first = server.data("system.search_audit", json!({"tool": "gohighlevel.read_contacts", "limit": 3})).await;
    let cursor = first["next_cursor"].as_str().expect("more pages");
    let rest = server
        .data("system.search_audit", json!({"tool": "gohighlevel.read_contacts", "limit": 3, "cursor": cursor}))
        .await;
    let limits = |page: &serde_json::Value| -> Vec<i64> {
        let rows = page["executions"].as_array().unwrap();
        rows.iter().map(|row| row["arguments"]["limit"].as_i64().unwrap()).collect()
    };
    assert_eq!((limits(&first), limits(&rest)), (vec![5, 4, 3], vec![2, 1]));
    let (status, _) = server.run("system.search_audit", json!({"cursor": "nonsense"})).await;
    assert_eq!(status, 422);
    server.stop().await;
}

/// Who hangs up is not told that the tool was slow.
#[tokio::test]
async fn a_caller_that_hangs_up_is_recorded_as_that() {
    on_both(
        |config| config.sandbox.delay_ms = 3_000,
        |server| async move {
            let app = server.app().clone();
            let (caller, cancel) = (Actor::terminal(), CancellationToken::new());
            let request = Request { cancel: cancel.clone(), ..Request::new("gohighlevel.read_contacts", json!({})) };
            let call = tokio::spawn(async move { calls::call(&app, &caller, request).await });
            tokio::time::sleep(Duration::from_millis(100)).await;
            cancel.cancel();
            let Ok(Ok(reply)) = call.await else { panic!("the call did not end") };
            let tenant = server.app().store.tenant("default");
            let row = store::audit::get(&tenant, reply.execution_id).await.unwrap().expect("its record");
            assert_eq!((row.status.as_str(), row.error_message.as_deref()), ("error", Some("the caller went away")));

            // The same over HTTP, where a closed connection is all that the server sees.
            let request = server.http.post(server.url("/mcp/run/gohighlevel.read_contacts")).bearer_auth(KEY);
            let gone = request.timeout(Duration::from_millis(500)).json(&json!({"limit": 3})).send().await;
            assert!(gone.unwrap_err().is_timeout());
            let row = recorded(&tenant, json!({"limit": 3})).await;
            assert_eq!((row.status.as_str(), row.error_message.as_deref()), ("error", Some("the caller went away")));
        },
    )
    .await;
}

/// What `enterprise-mcp audit verify` finds.
async fn verified(app: &App) -> Report {
    let ends = Ends::read(&app.config).unwrap();
    server::audit::verify(&app.store, &app.vault, &ends).await.unwrap()
}

async fn recorded(tenant: &Tenant, arguments: Value) -> tool_executions::Model {
    for _ in 0..200 {
        let page = store::audit::list(tenant, &Default::default(), 20, None).await.unwrap();
        if let Some(row) = page.rows.into_iter().find(|row| row.params == arguments) {
            return row;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the call left no record");
}

/// Old records are let go, and what is left still proves that nothing else is missing.
#[tokio::test]
async fn the_chain_verifies_across_what_was_let_go() {
    on_both(
        |_| {},
        |server| async move {
            let app = server.app();
            for _ in 0..30 {
                server.data("gohighlevel.read_contacts", json!({"limit": 1})).await;
            }
            let early = app.clock.now();
            let all = verified(app).await.records;
            assert_eq!(server::audit::retention::let_go(app, early - chrono::Duration::days(1), 10).await.unwrap(), 0);
            let gone = server::audit::retention::let_go(app, early, 10).await.unwrap();
            assert!(gone > 50 && gone <= all, "{gone} of {all}");
            for _ in 0..5 {
                server.data("gohighlevel.read_contacts", json!({"limit": 1})).await;
            }
            let report = verified(app).await;
            assert!(report.is_sound() && report.records >= 10, "{report:?}");
            let days = store::audit::days(&app.store.tenant("default"), 10).await.unwrap();
            let kept = days.iter().find(|day| day.tool_name == "gohighlevel.read_contacts").unwrap();
            assert_eq!((kept.calls, kept.status.as_str()), (30, "success"), "{days:?}");

            // Who has the database can neither take more away nor pretend that we let more go.
            let tamper = async |sql: &str| store::testing::tamper(&app.store, sql).await.unwrap();
            tamper("CREATE TABLE kept AS SELECT * FROM tool_executions").await;
            tamper("DELETE FROM tool_executions WHERE id IN (SELECT id FROM tool_executions ORDER BY seq LIMIT 1)")
                .await;
            assert!(!verified(app).await.is_sound(), "removed");
            tamper("UPDATE audit_checkpoints SET seq = seq + 2").await;
            assert!(!verified(app).await.is_sound(), "a checkpoint that was moved");
            tamper("UPDATE audit_checkpoints SET seq = seq - 2").await;
            assert!(!verified(app).await.is_sound(), "still removed");
            tamper("DELETE FROM tool_executions").await;
            tamper("INSERT INTO tool_executions SELECT * FROM kept").await;
            assert!(verified(app).await.is_sound(), "put back");
            tamper("DELETE FROM audit_checkpoints").await;
            assert!(!verified(app).await.is_sound(), "the checkpoint was removed");
        },
    )
    .await;
}

/// What was noted beside the database tells that a chain was cut together with its end, or a writer removed with its rows.
#[tokio::test]
async fn what_is_cut_with_its_end_is_found_by_the_noted_ends() {
    on_both(
        |_| {},
        |server| async move {
            let app = server.app();
            for _ in 0..5 {
                server.data("gohighlevel.read_contacts", json!({"limit": 1})).await;
            }
            server::audit::note_ends(app).await;
            assert!(verified(app).await.is_sound());
            let tamper = async |sql: &str| store::testing::tamper(&app.store, sql).await.unwrap();
            let head = store::audit::writers(&app.store.system()).await.unwrap().remove(0);
            let cut = head.last_seq - 1;
            let tables = ["tool_executions", "audit_events", "api_calls"];
            let hash = tables.map(|table| format!("(SELECT hash FROM {table} WHERE seq = {cut})")).join(", ");
            tamper(&format!("UPDATE audit_writers SET last_seq = {cut}, head_hash = COALESCE({hash})")).await;
            for table in tables {
                tamper(&format!("DELETE FROM {table} WHERE seq > {cut}")).await;
            }
            let alone = store::chain::verify(&app.store.system()).await.unwrap();
            assert!(alone.is_sound(), "the database alone does not tell: {alone:?}");
            let report = verified(app).await;
            assert!(report.findings.iter().any(|f| matches!(f, Finding::NotAsNoted { .. })), "{report:?}");
            // Looking again does not forget it.
            server.data("gohighlevel.read_contacts", json!({"limit": 1})).await;
            server::audit::note_ends(app).await;
            assert!(!verified(app).await.is_sound());
        },
    )
    .await;
}

/// Of several who let go at once, one does it and the sums are right.
#[tokio::test]
async fn what_is_let_go_is_counted_once() {
    on_both(
        |_| {},
        |server| async move {
            let app = server.app();
            for _ in 0..20 {
                server.data("gohighlevel.read_contacts", json!({"limit": 1})).await;
            }
            let before = app.clock.now();
            let goes = (0..8).map(|_| server::audit::retention::let_go(app, before, 15));
            let gone: u64 = futures::future::join_all(goes).await.into_iter().map(|gone| gone.unwrap()).sum();
            assert!(gone > 0);
            let days = store::audit::days(&app.store.tenant("default"), 10).await.unwrap();
            let calls: i64 =
                days.iter().filter(|day| day.tool_name == "gohighlevel.read_contacts").map(|day| day.calls).sum();
            let filter = store::audit::ExecutionFilter {
                tool: Some("gohighlevel.read_contacts".into()),
                ..store::audit::ExecutionFilter::default()
            };
            let kept = store::audit::list(&app.store.tenant("default"), &filter, 100, None).await.unwrap().rows;
            assert_eq!(calls + kept.len() as i64, 20, "{days:?}");
            assert!(verified(app).await.is_sound());
        },
    )
    .await;
}
