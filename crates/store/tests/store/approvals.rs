use serde_json::{Value, json};
use store::approvals::{self, ApprovalState, Decision, NewApproval};
use store::testing::{both, on_both};
use store::{Backend, OpenOptions, Store};
use uuid::Uuid;

use crate::{days, now};

pub(crate) fn approval() -> NewApproval {
    NewApproval {
        id: Uuid::now_v7(),
        tool_name: "crm.send_sms".into(),
        tool_version: "abc".into(),
        arguments: json!({ "to": "1" }),
        arguments_hash: "00".into(),
        effect: "write".into(),
        requester: json!({ "key": "k" }),
        reason: Some("because".into()),
        expires_at: now() + days(1),
        execution_id: None,
        plan: None,
        asks: None,
    }
}

/// Two replicas have a store each; SQLite has one.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_who_ask_for_the_same_one_makes_it() -> anyhow::Result<()> {
    for test in both().await {
        let other = match test.store.backend() {
            Backend::Sqlite => test.store.clone(),
            Backend::Postgres => Store::open(&test.url, OpenOptions { pool_size: 5, ..Default::default() }).await?,
        };
        let same = || NewApproval { requester: json!({ "id": "agent", "name": "Agent" }), ..approval() };
        for round in 0..4 {
            let asking = (0..50).map(|n| {
                let tenant = if n % 2 == 0 { test.store.tenant("main") } else { other.tenant("main") };
                let new = same();
                tokio::spawn(async move { approvals::create(&tenant, new, now()).await })
            });
            let mut ids = std::collections::HashSet::new();
            for asked in futures::future::join_all(asking).await {
                ids.insert(asked??.id);
            }
            let tenant = test.store.tenant("main");
            assert_eq!((ids.len(), approvals::pending(&tenant, now()).await?), (1, 1), "round {round}");
            // Once decided, the same may be asked for again.
            let id = ids.into_iter().next().expect("the one");
            approvals::decide(&tenant, id, Decision::Reject, &json!({}), None, now()).await?.expect("decided");
        }
        if test.store.backend() == Backend::Postgres {
            other.close().await?;
        }
        test.remove().await?;
    }
    Ok(())
}

#[tokio::test]
async fn what_differs_or_is_over_does_not_stand_in_the_way() {
    on_both(|store| async move {
        let tenant = store.tenant("main");
        let of = |id: &str| NewApproval { requester: json!({ "id": id }), ..approval() };
        let first = approvals::create(&tenant, of("a"), now()).await?;
        assert_eq!(approvals::create(&tenant, of("a"), now()).await?, first, "the one that is there, as it is");
        for other in [
            of("b"),
            NewApproval { tool_name: "crm.send_email".into(), ..of("a") },
            NewApproval { tool_version: "abd".into(), ..of("a") },
            NewApproval { arguments_hash: "01".into(), ..of("a") },
        ] {
            assert_ne!(approvals::create(&tenant, other, now()).await?.id, first.id);
        }
        assert_ne!(approvals::create(&store.tenant("other"), of("a"), now()).await?.id, first.id);
        // Its time is over, and nobody has marked it yet.
        let later = approvals::create(&tenant, NewApproval { expires_at: now() + days(3), ..of("a") }, now() + days(2));
        let later = later.await?;
        assert_ne!(later.id, first.id);
        let before = approvals::get(&tenant, first.id).await?.map(|approval| approval.state);
        assert_eq!(before, Some(ApprovalState::Expired));
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn of_many_who_decide_one_wins() {
    on_both(|store| async move {
        let tenant = store.tenant("main");
        let id = approvals::create(&tenant, approval(), now()).await?.id;
        let deciders: Vec<_> = (0..8)
            .map(|n| {
                let tenant = tenant.clone();
                tokio::spawn(async move {
                    let decision = if n % 2 == 0 { Decision::Approve } else { Decision::Reject };
                    approvals::decide(&tenant, id, decision, &json!({ "n": n }), Some("ok"), now()).await
                })
            })
            .collect();
        let mut won = Vec::new();
        for decider in deciders {
            won.extend(decider.await??);
        }
        assert_eq!(won.len(), 1);
        assert_eq!(approvals::get(&tenant, id).await?, won.pop());
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn an_approval_is_executed_at_most_once() {
    on_both(|store| async move {
        let tenant = store.tenant("main");
        let id = approvals::create(&tenant, approval(), now()).await?.id;
        assert!(approvals::take(&tenant, id, now()).await?.is_none(), "not approved yet");
        approvals::decide(&tenant, id, Decision::Approve, &json!({}), None, now()).await?.unwrap();
        let (a, b) = tokio::join!(approvals::take(&tenant, id, now()), approvals::take(&tenant, id, now()));
        assert_eq!(a?.is_some() as u8 + b?.is_some() as u8, 1);
        let execution = Some(Uuid::new_v4());
        let result = json!({ "id": 7 });
        let unknown = approvals::finish(&tenant, id, ApprovalState::Unknown, execution, None).await?.unwrap();
        assert_eq!(unknown.state, ApprovalState::Unknown);
        let done = approvals::finish(&tenant, id, ApprovalState::Executed, execution, Some(&result)).await?.unwrap();
        assert_eq!(
            (done.state, done.result, done.result_execution_id),
            (ApprovalState::Executed, Some(result), execution)
        );
        assert!(approvals::finish(&tenant, id, ApprovalState::Failed, None, None).await?.is_none());
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn silence_is_never_consent() {
    on_both(|store| async move {
        let tenant = store.tenant("main");
        let late = now() + days(1);
        let pending = approvals::create(&tenant, approval(), now()).await?.id;
        let approved = approvals::create(&tenant, approval(), now()).await?.id;
        approvals::decide(&tenant, approved, Decision::Approve, &json!({}), None, now()).await?.unwrap();
        assert!(approvals::decide(&tenant, pending, Decision::Approve, &Value::Null, None, late).await?.is_none());
        assert!(approvals::take(&tenant, approved, late).await?.is_none());
        assert_eq!(approvals::pending(&tenant, now()).await?, 1);
        assert_eq!(approvals::pending(&tenant, late).await?, 0);
        assert!(approvals::expire_due(&store.system(), now()).await?.is_empty());
        assert_eq!(approvals::expire_due(&store.system(), late).await?.len(), 2);
        assert!(approvals::expire_due(&store.system(), late).await?.is_empty());

        let withdrawn = approvals::create(&tenant, approval(), now()).await?.id;
        assert!(approvals::cancel(&tenant, withdrawn, Some("no"), now()).await?.is_some());
        assert!(approvals::cancel(&tenant, withdrawn, None, now()).await?.is_none());
        let expired = approvals::list(&tenant, Some(ApprovalState::Expired), 1, None).await?;
        assert_eq!(
            approvals::list(&tenant, Some(ApprovalState::Expired), 9, expired.next.as_deref()).await?.rows.len(),
            1
        );
        assert_eq!(approvals::list(&tenant, None, 9, None).await?.rows.len(), 3);
        Ok(())
    })
    .await;
}
