//! A stranger sees nothing and changes nothing, table by table.

use serde_json::json;
use store::approvals::{self, ApprovalState, Decision};
use store::audit::{self, ExecutionFilter, Writer};
use store::chain::{Canonical, Event, Execution, Record};
use store::contacts::{self, ContextChange, Filter};
use store::decisions::{self, Said};
use store::opportunities::{self, NewOpportunity};
use store::runs::{self, Lease, NewRun, RunFilter, StepResult};
use store::sync_runs::Progress;
use store::testing::on_both;
use store::vendor_rows;
use store::{Store, api_keys, interactions, outcomes, schedules, sync_runs};
use uuid::Uuid;

use crate::tables::{decision, interaction, key, schedule};
use crate::{contact, days, now};

#[tokio::test]
async fn contacts_and_what_hangs_on_them() {
    on_both(|store| async move {
        let (ours, stranger) = (store.tenant("ours"), store.tenant("stranger"));
        let run = Uuid::new_v4();
        contacts::upsert_batch(&ours, "crm", run, &[contact("1", "Ann Lee", "Acme")], now()).await?;
        let id = contacts::by_vendor_id(&ours, "crm", "1").await?.unwrap().id;
        interactions::upsert_batch(&ours, &[interaction(id, "a", 1)]).await?;
        let deal = NewOpportunity { vendor_id: "1".into(), contact_vendor_id: Some("1".into()), ..Default::default() };
        opportunities::upsert_batch(&ours, "crm", run, &[deal], now()).await?;
        outcomes::record(&ours, id, "call", true, None, now()).await?;

        assert!(contacts::get(&stranger, id).await?.is_none());
        assert!(contacts::by_vendor_id(&stranger, "crm", "1").await?.is_none());
        assert!(contacts::rows(&stranger, &[id]).await?.is_empty());
        assert!(contacts::recent(&stranger, 9, None).await?.rows.is_empty());
        for filter in [
            Filter { text: Some("ann lee".into()), ..Default::default() },
            Filter { text: Some("an".into()), ..Default::default() },
            Filter { ids: Some(vec![id]), ..Default::default() },
            Filter { tags: vec!["new".into()], ..Default::default() },
        ] {
            assert_eq!(contacts::count(&ours, &filter).await?, 1, "{filter:?}");
            assert_eq!(contacts::count(&stranger, &filter).await?, 0, "{filter:?}");
            assert!(contacts::find(&stranger, &filter, 9, None).await?.rows.is_empty(), "{filter:?}");
        }
        assert_eq!(contacts::stats(&stranger, None).await?.contacts, 0);
        assert!(!contacts::save_context(&stranger, id, ContextChange::default(), now()).await?);
        contacts::set_importance(&stranger, &[(id, 1)]).await?;
        let far = now() + days(9);
        assert_eq!(vendor_rows::mark_missing_deleted(&stranger, "contacts", "crm", Uuid::new_v4(), far, far).await?, 0);
        assert_eq!(vendor_rows::mark_deleted(&stranger, "contacts", "crm", &["1"], far).await?, 0);
        assert_eq!(interactions::upsert_batch(&stranger, &[interaction(id, "b", 0)]).await?, 0);
        assert!(interactions::of_contact(&stranger, id, 9).await?.is_empty());
        assert!(interactions::aggregates(&stranger, &[id]).await?.is_empty());
        assert!(opportunities::of_contact(&stranger, "crm", "1").await?.is_empty());
        assert!(opportunities::aggregates(&stranger, "crm").await?.is_empty());
        assert_eq!(
            vendor_rows::mark_missing_deleted(&stranger, "opportunities", "crm", Uuid::new_v4(), far, far).await?,
            0
        );
        assert!(outcomes::record(&stranger, id, "call", true, None, now()).await?.is_none());
        assert!(outcomes::list(&stranger, None, 9).await?.is_empty());

        // The same vendor id of another tenant is another row.
        contacts::upsert_batch(&stranger, "crm", run, &[contact("1", "Zed Zee", "Zap")], now()).await?;
        let row = contacts::rows(&ours, &[id]).await?.remove(0);
        assert_eq!((row.name.as_deref(), row.importance, row.interaction_count), (Some("Ann Lee"), 5, 1));
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn the_audit() {
    on_both(|store| async move {
        let stranger = store.tenant("stranger");
        let id = Uuid::now_v7();
        let mut writer = Writer::open(&store, now()).await?;
        let json = || Canonical::from(&json!({}));
        let event = Event {
            id: Uuid::now_v7(),
            tenant_id: "ours".into(),
            timestamp: now(),
            event: "intent".into(),
            execution_id: None,
            actor: json(),
            detail: json(),
        };
        let execution = Execution {
            id,
            tenant_id: "ours".into(),
            timestamp: now(),
            tool_name: "crm.x".into(),
            params: json(),
            response: None,
            duration_ms: 1,
            status: "success".into(),
            error_message: None,
            source: None,
            user_context: json(),
            effect: "read".into(),
            approval_id: None,
        };
        writer.append(vec![Record::Event(event), Record::Execution(execution)], now()).await?;
        assert_eq!(audit::list(&store.tenant("ours"), &ExecutionFilter::default(), 9, None).await?.rows.len(), 1);
        assert!(audit::list(&stranger, &ExecutionFilter::default(), 9, None).await?.rows.is_empty());
        assert!(audit::get(&stranger, id).await?.is_none());
        assert!(audit::events(&stranger, None, 9, None).await?.rows.is_empty());
        assert!(audit::events_of(&stranger, id).await?.is_empty());
        assert!(audit::api_calls_of(&stranger, id).await?.is_empty());
        assert_eq!(audit::open_intents(&store.tenant("ours"), None, now() + days(1), 9).await?.len(), 1);
        assert!(audit::open_intents(&stranger, None, now() + days(1), 9).await?.is_empty());
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn approvals_and_keys() {
    on_both(|store| async move {
        let (ours, stranger) = (store.tenant("ours"), store.tenant("stranger"));
        let id = approvals::create(&ours, crate::approvals::approval(), now()).await?.id;
        assert!(approvals::get(&stranger, id).await?.is_none());
        assert!(approvals::list(&stranger, None, 9, None).await?.rows.is_empty());
        assert_eq!(approvals::pending(&stranger, now()).await?, 0);
        assert!(approvals::decide(&stranger, id, Decision::Approve, &json!({}), None, now()).await?.is_none());
        assert!(approvals::cancel(&stranger, id, None, now()).await?.is_none());
        approvals::decide(&ours, id, Decision::Approve, &json!({}), None, now()).await?.unwrap();
        assert!(approvals::take(&stranger, id, now()).await?.is_none());
        approvals::take(&ours, id, now()).await?.unwrap();
        assert!(approvals::finish(&stranger, id, ApprovalState::Executed, None, None).await?.is_none());

        let id = api_keys::create(&ours, key("aa"), now()).await?.id;
        assert!(api_keys::list(&stranger).await?.is_empty());
        assert!(!api_keys::revoke(&stranger, id, now()).await?);
        api_keys::touch(&stranger, id, now()).await?;
        assert_eq!(api_keys::list(&ours).await?[0].last_used_at, None);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn runs_and_schedules() {
    on_both(|store| async move {
        let (ours, stranger) = (store.tenant("ours"), store.tenant("stranger"));
        let run = NewRun { unique_key: Some("k".into()), ..NewRun::of("job", json!({})) };
        let id = runs::enqueue(&ours, run, now()).await?.id;
        let claimed = runs::claim(&store.system(), 1, now(), std::time::Duration::from_secs(9)).await?;
        let lease = Lease::of(&claimed[0]).unwrap();
        let step = StepResult {
            output: None,
            due_at: None,
            attempts: 1,
            error: None,
            state: "done".into(),
            finished_at: None,
        };
        runs::put_step(&store.system(), lease, "one", step).await?;
        runs::signal(&ours, id, "go", &json!(1), now()).await?;
        assert!(runs::get(&stranger, id).await?.is_none());
        assert!(runs::by_unique_key(&stranger, "k").await?.is_none());
        assert!(runs::list(&stranger, &RunFilter::default(), 9, None).await?.rows.is_empty());
        assert!(runs::count_by_state(&stranger).await?.is_empty());
        assert!(runs::steps(&stranger, id).await?.is_empty());
        assert!(runs::signals(&stranger, id).await?.is_empty());
        assert!(!runs::signal(&stranger, id, "stop", &json!(1), now()).await?);
        assert!(!runs::cancel(&stranger, id, now()).await?);
        runs::fail(&store.system(), lease, "x", now()).await?;
        assert!(!runs::requeue(&stranger, id, now()).await?);

        schedules::put(&ours, schedule("sync")).await?;
        assert!(schedules::list(&stranger).await?.is_empty());
        assert!(!schedules::remove(&stranger, "sync").await?);
        let row = schedules::list(&ours).await?.remove(0);
        let tx = stranger.begin().await?;
        assert!(!schedules::advance_in(&tx, row.id, row.next_due, now() + days(1), true).await?);
        tx.commit().await?;
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn syncs_and_decisions() {
    on_both(|store: Store| async move {
        let (ours, stranger) = (store.tenant("ours"), store.tenant("stranger"));
        let id = Uuid::new_v4();
        sync_runs::start(&ours, id, ("crm", "contacts"), "full", None, now()).await?;
        sync_runs::put_cursor(&ours, ("crm", "contacts"), Some(now()), None, now()).await?;
        assert!(sync_runs::get(&stranger, id).await?.is_none());
        assert!(sync_runs::list(&stranger, None, None, 9).await?.is_empty());
        assert!(!sync_runs::progress(&stranger, id, &Progress::default()).await?);
        assert!(!sync_runs::finish(&stranger, id, "done", None, &Progress::default(), now()).await?);
        assert!(sync_runs::cursor(&stranger, "crm", "contacts").await?.is_none());
        assert!(sync_runs::cursors(&stranger).await?.is_empty());

        let id = decisions::say(&ours, decision(), Said::default(), now()).await?;
        decisions::say(&stranger, decision(), Said::default(), now()).await?;
        let others: Vec<_> = decisions::list(&stranger, 9).await?.into_iter().map(|row| row.id).collect();
        assert!(others.len() == 1 && !others.contains(&id));
        assert!(!decisions::feedback(&stranger, id, Some("failure"), None).await?);
        Ok(())
    })
    .await;
}
