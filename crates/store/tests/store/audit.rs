use anyhow::Result;
use sea_orm::{ConnectionTrait, Database};
use serde_json::json;
use store::StoreError;
use store::audit::{self, ExecutionFilter, Writer};
use store::chain::{self, ApiCall, Canonical, Event, Execution, Finding, Record};
use store::entities::tool_executions;
use store::testing::{TestStore, both, on_both};
use uuid::Uuid;

use crate::{days, now};

fn execution(n: i64) -> Execution {
    Execution {
        id: Uuid::now_v7(),
        tenant_id: "main".into(),
        timestamp: now() + chrono::Duration::milliseconds(n),
        tool_name: "crm.read_contacts".into(),
        params: Canonical::from(&json!({ "z": n, "a": [1.0, 2.5e-3, null], "text": "tab\tüñ\0" })),
        response: (n % 2 == 0)
            .then(|| Canonical::from(&json!({ "total": 1e20, "small": 0.30000000000000004, "neg": -0.0 }))),
        duration_ms: n,
        status: "success".into(),
        error_message: (n % 3 == 0).then(|| "it\0failed".into()),
        source: Some("live".into()),
        user_context: Canonical::from(&json!({ "actor": "agent", "via": "mcp" })),
        effect: "read".into(),
        approval_id: (n % 5 == 0).then(Uuid::new_v4),
    }
}

pub(crate) fn records(count: i64) -> Vec<Record> {
    let mut records = Vec::new();
    for n in 0..count {
        let execution = execution(n);
        let intent = Event {
            id: Uuid::now_v7(),
            tenant_id: "main".into(),
            timestamp: now(),
            event: "intent".into(),
            execution_id: Some(execution.id),
            actor: Canonical::from(&json!({ "key": "k" })),
            detail: Canonical::from(&json!({})),
        };
        let call = ApiCall {
            id: Uuid::now_v7(),
            tenant_id: "main".into(),
            execution_id: Some(execution.id),
            timestamp: now(),
            ecosystem: "crm".into(),
            endpoint: "/contacts".into(),
            method: "GET".into(),
            status_code: (n % 4 != 0).then_some(200),
            latency_ms: 12,
            request_size_bytes: 0,
            response_size_bytes: 4_000,
            error: None,
            rate_limited: n % 7 == 0,
            attempt: 1,
        };
        records.extend([Record::Event(intent), Record::ApiCall(call), Record::Execution(execution)]);
    }
    records
}

#[tokio::test]
async fn what_was_written_is_read_and_verified() {
    on_both(|store| async move {
        let mut writer = Writer::open(&store, now()).await?;
        writer.append(Vec::new(), now()).await?;
        let all = records(40);
        for batch in all.chunks(7) {
            writer.append(batch.to_vec(), now()).await?;
        }
        assert_eq!(writer.head().map(|link| link.seq), Some(120));
        writer.close(now()).await?;

        let tenant = store.tenant("main");
        let page = audit::list(&tenant, &ExecutionFilter::default(), 15, None).await?;
        assert_eq!(page.rows[0].duration_ms, 39);
        let second = audit::list(&tenant, &ExecutionFilter::default(), 15, page.next.as_deref()).await?;
        let third = audit::list(&tenant, &ExecutionFilter::default(), 15, second.next.as_deref()).await?;
        assert_eq!((third.rows.len(), third.next), (10, None));
        assert_eq!(third.rows[9].duration_ms, 0);

        let row = audit::get(&tenant, page.rows[1].id).await?.unwrap();
        let listed = tool_executions::Model { response: None, ..row.clone() };
        assert_eq!(listed, page.rows[1], "a list leaves out what was answered, and nothing else");
        assert_eq!(row.params["z"], 38);
        assert_eq!(row.params["text"], "tab\tüñ\u{fffd}");
        assert_eq!(row.response.as_ref().map(|json| json["total"].as_f64()), Some(Some(1e20)));
        assert_eq!(audit::api_calls_of(&tenant, row.id).await?.len(), 1);
        assert_eq!(audit::events_of(&tenant, row.id).await?[0].event, "intent");

        let report = chain::verify(&store.system()).await?;
        assert_eq!((report.writers, report.records, report.findings), (1, 120, vec![]));
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn calls_are_found_by_what_they_were() {
    on_both(|store| async move {
        let mut writer = Writer::open(&store, now()).await?;
        let mut failed = execution(1);
        failed.tool_name = "dns.list".into();
        failed.status = "error".into();
        failed.error_message = Some("The ZONE is not there".into());
        failed.approval_id = Some(Uuid::new_v4());
        writer.append(vec![Record::Execution(execution(0)), Record::Execution(failed.clone())], now()).await?;
        let tenant = store.tenant("main");
        let none = ExecutionFilter::default;
        for (filter, expected) in [
            (ExecutionFilter { tool: Some("dns.list".into()), ..none() }, 1),
            (ExecutionFilter { tool: Some("crm.".into()), ..none() }, 1),
            (ExecutionFilter { tool: Some("crm".into()), ..none() }, 0),
            (ExecutionFilter { status: Some("error".into()), ..none() }, 1),
            (ExecutionFilter { text: Some("zone".into()), ..none() }, 1),
            (ExecutionFilter { text: Some("TAB".into()), ..none() }, 2),
            (ExecutionFilter { approval_id: failed.approval_id, ..none() }, 1),
            (ExecutionFilter { since: Some(failed.timestamp + days(1)), ..none() }, 0),
            (ExecutionFilter { since: Some(failed.timestamp), ..none() }, 1),
            (ExecutionFilter { before: Some(failed.timestamp - days(1)), ..none() }, 0),
        ] {
            assert_eq!(audit::list(&tenant, &filter, 9, None).await?.rows.len(), expected, "{filter:?}");
        }
        assert!(audit::list(&tenant, &none(), 9, Some("1_notauuid")).await.is_err());
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn an_intent_without_a_call_is_open() {
    on_both(|store| async move {
        let mut writer = Writer::open(&store, now()).await?;
        let mut all = records(3);
        all.truncate(8);
        writer.append(all, now()).await?;
        let open = audit::open_intents(&store.tenant("main"), None, now() + days(1), 10).await?;
        assert_eq!(open.len(), 1);
        assert!(audit::open_intents(&store.tenant("main"), None, now() - days(1), 10).await?.is_empty());
        assert!(
            audit::open_intents(&store.tenant("main"), Some(now() + days(1)), now() + days(2), 10).await?.is_empty()
        );
        let events = audit::events(&store.tenant("main"), Some("intent"), 2, None).await?;
        let rest = audit::events(&store.tenant("main"), Some("intent"), 2, events.next.as_deref()).await?;
        assert_eq!((events.rows.len(), rest.rows.len()), (2, 1));
        Ok(())
    })
    .await;
}

async fn written(test: &TestStore) -> Result<Uuid> {
    let mut writer = Writer::open(&test.store, now()).await?;
    writer.append(records(700), now()).await?;
    let id = writer.head().expect("a chain that was written to").writer;
    writer.close(now()).await?;
    Ok(id)
}

async fn tampered(test: &TestStore, sql: &str) -> Result<Vec<Finding>> {
    let admin = Database::connect(&test.url).await?;
    let done = admin.execute_unprepared(sql).await?;
    assert!(done.rows_affected() > 0, "{sql}");
    admin.close().await?;
    Ok(chain::verify(&test.store.system()).await?.findings)
}

/// Seq 1 is an event, 2 an API call, 3 an execution, and so on: 2,100 records, more than the verifier's page.
#[tokio::test]
async fn every_change_is_found_and_named() -> Result<()> {
    let changes = [
        (303, "UPDATE tool_executions SET tool_name = 'crm.other'"),
        (306, "UPDATE tool_executions SET params = '{\"z\": 1}'"),
        (309, "UPDATE tool_executions SET tenant_id = 'other'"),
        (318, "UPDATE tool_executions SET error_message = NULL"),
        (321, "UPDATE tool_executions SET duration_ms = 1"),
        (324, "UPDATE tool_executions SET source = NULL"),
        (328, "UPDATE audit_events SET actor = '{}'"),
        (331, "UPDATE audit_events SET event = 'other'"),
        (335, "UPDATE api_calls SET status_code = 500"),
        (338, "UPDATE api_calls SET rate_limited = NOT rate_limited"),
        (1503, "UPDATE tool_executions SET response = NULL"),
    ];
    for test in both().await {
        let writer = written(&test).await?;
        for (number, (seq, sql)) in changes.into_iter().enumerate() {
            let findings = tampered(&test, &format!("{sql} WHERE seq = {seq}")).await?;
            assert_eq!(findings.len(), number + 1, "{sql}: {findings:?}");
            let last = findings.last();
            assert!(
                matches!(last, Some(Finding::Changed { writer: w, seq: s, .. }) if *w == writer && *s == seq),
                "{sql}: {last:?}"
            );
        }
        test.remove().await?;
    }
    Ok(())
}

#[tokio::test]
async fn removed_inserted_and_reordered_records_are_found() -> Result<()> {
    for test in both().await {
        let writer = written(&test).await?;
        assert_eq!(
            tampered(&test, "DELETE FROM tool_executions WHERE seq = 300").await?,
            [Finding::Removed { writer, from: 300, to: 300 }]
        );
        let findings = tampered(&test, "DELETE FROM audit_events WHERE seq = 1").await?;
        assert_eq!(findings[0], Finding::Removed { writer, from: 1, to: 1 });
        test.remove().await?;
    }
    for test in both().await {
        written(&test).await?;
        let swap = "UPDATE tool_executions SET seq = CASE seq WHEN 300 THEN -303 ELSE -300 END WHERE seq IN (300, 303)";
        let back = "UPDATE tool_executions SET seq = -seq WHERE seq < 0";
        tampered(&test, swap).await?;
        let findings = tampered(&test, back).await?;
        assert!(matches!(findings[0], Finding::Changed { seq: 300, .. }), "{findings:?}");
        test.remove().await?;
    }
    for test in both().await {
        written(&test).await?;
        let copy = "INSERT INTO audit_events SELECT * FROM audit_events WHERE seq = 1";
        let id = match test.store.backend() {
            store::Backend::Sqlite => "randomblob(16)",
            store::Backend::Postgres => "gen_random_uuid()",
        };
        let columns = "tenant_id, timestamp, event, execution_id, actor, detail, writer";
        let insert = copy.replace('*', &format!("{id}, {columns}, 5000, hash"));
        let findings = tampered(&test, &insert).await?;
        assert!(matches!(findings[..], [Finding::Inserted { seq: 5000, .. }]), "{findings:?}");
        test.remove().await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_cut_tail_and_a_forgotten_writer_are_found() -> Result<()> {
    for test in both().await {
        let writer = written(&test).await?;
        let findings = tampered(&test, "DELETE FROM tool_executions WHERE seq > 2090").await?;
        assert!(findings.contains(&Finding::Removed { writer, from: 2100, to: 2100 }), "{findings:?}");
        test.remove().await?;
    }
    for test in both().await {
        let writer = written(&test).await?;
        assert_eq!(
            tampered(&test, "UPDATE audit_writers SET last_seq = 2101").await?,
            [Finding::Removed { writer, from: 2101, to: 2101 }]
        );
        assert_eq!(tampered(&test, "DELETE FROM audit_writers").await?, [Finding::UnknownWriter { writer }]);
        test.remove().await?;
    }
    Ok(())
}

#[tokio::test]
async fn each_writer_has_a_chain_and_a_failed_commit_begins_a_new_one() -> Result<()> {
    for test in both().await {
        let mut a = Writer::open(&test.store, now()).await?;
        let mut b = Writer::open(&test.store, now()).await?;
        let twice = records(1);
        a.append(twice.clone(), now()).await?;
        // The same ids again: the database refuses the batch, whole.
        let mut refused = records(1);
        refused.extend(twice);
        assert!(a.append(refused, now()).await.is_err());
        assert!(a.head().is_none());
        a.append(records(2), now()).await?;
        b.append(records(3), now()).await?;
        let report = chain::verify(&test.store.system()).await?;
        assert_eq!((report.writers, report.records, report.findings), (3, 3 + 6 + 9, vec![]));
        test.remove().await?;
    }
    Ok(())
}

#[tokio::test]
async fn an_abandoned_commit_leaves_the_store_usable() {
    on_both(|store| async move {
        let mut writer = Writer::open(&store, now()).await?;
        for _ in 0..20 {
            let append = writer.append(records(30), now());
            tokio::select! {
                biased;
                _ = append => {}
                () = tokio::task::yield_now() => {}
            }
        }
        writer.append(records(1), now()).await?;
        store.ping().await?;
        store::rate::take(&store.system(), "k", now(), std::time::Duration::ZERO, std::time::Duration::ZERO).await?;
        let report = chain::verify(&store.system()).await?;
        assert_eq!(report.findings, vec![]);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn verification_while_the_writer_goes_on_finds_nothing() {
    on_both(|store| async move {
        let writing = {
            let store = store.clone();
            tokio::spawn(async move {
                let mut writer = Writer::open(&store, now()).await?;
                for _ in 0..60 {
                    writer.append(records(2), now()).await?;
                }
                store::Result::<(), StoreError>::Ok(())
            })
        };
        while !writing.is_finished() {
            assert_eq!(chain::verify(&store.system()).await?.findings, vec![]);
        }
        writing.await??;
        assert_eq!(chain::verify(&store.system()).await?.records, 360);
        Ok(())
    })
    .await;
}
