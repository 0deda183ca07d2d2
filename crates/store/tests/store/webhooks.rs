//! Events are kept once, with a run that is going to work on them.

use std::time::Duration;

use serde_json::json;
use store::connections::{self, Before};
use store::runs::{self, NewRun};
use store::testing::on_both;
use store::webhooks::{self, Accepted, NewEvent};
use uuid::Uuid;

use crate::{days, now};

fn event(id: &str) -> NewEvent {
    NewEvent { event_id: id.into(), kind: "ContactUpdate".into(), streams: "contacts".into(), ..NewEvent::default() }
}

fn run() -> NewRun {
    let due_at = Some(now() + Duration::from_secs(2));
    NewRun { due_at, ..NewRun::of("webhooks", json!({"ecosystem": "crm"})) }
}

fn accepted(fresh: u64, ignored: u64) -> Accepted {
    Accepted { fresh, ignored }
}

#[tokio::test]
async fn each_event_once_and_a_run_for_all_that_come_before_it_begins() {
    on_both(|store| async move {
        let (tenant, system) = (store.tenant("ours"), store.system());
        let strange = NewEvent { ignored: Some("of another account".into()), ..event("strange") };
        let first = [event("a"), strange, event("b"), event("a")];
        assert_eq!(webhooks::accept(&tenant, "crm", &first, run(), now()).await?, accepted(2, 1));
        assert_eq!(webhooks::accept(&tenant, "crm", &first, run(), now()).await?, accepted(0, 0));
        assert_eq!(webhooks::accept(&tenant, "crm", &[event("c")], run(), now()).await?, accepted(1, 0));
        // The same id of another ecosystem is another event, and another run's.
        let other = NewRun::of("webhooks", json!({"ecosystem": "books"}));
        assert_eq!(webhooks::accept(&tenant, "books", &[event("a")], other, now()).await?, accepted(1, 0));
        assert_eq!(webhooks::count_open(&tenant, "crm", 2).await?, 2, "counted up to the limit");
        let later = now() + Duration::from_secs(3);
        let claimed = runs::claim(&system, 9, later, Duration::from_secs(30)).await?;
        assert_eq!(claimed.len(), 2, "one an ecosystem");
        let of_crm = claimed.iter().find(|run| run.input["ecosystem"] == "crm").unwrap();

        // One that comes when the run has begun gets a run of its own.
        assert_eq!(webhooks::accept(&tenant, "crm", &[event("d")], run(), now()).await?, accepted(1, 0));
        assert_eq!(runs::claim(&system, 9, later, Duration::from_secs(30)).await?.len(), 1);

        let work = webhooks::take(&tenant, "crm", of_crm.id).await?;
        assert_eq!((work.events, work.streams), (4, vec!["contacts".to_owned()]));
        assert_eq!(webhooks::settle(&tenant, of_crm.id, "done", None, later).await?, 4);
        assert_eq!(webhooks::take(&tenant, "crm", of_crm.id).await?.events, 0);
        let states = webhooks::count_by_state(&tenant, "crm").await?;
        assert_eq!((states["done"], states["ignored"]), (4, 1));
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn deletions_are_paged_and_old_events_leave() {
    on_both(|store| async move {
        let (tenant, system) = (store.tenant("ours"), store.system());
        let gone = |n: usize| NewEvent { deleted: true, vendor_id: Some(n.to_string()), ..event(&format!("gone {n}")) };
        let events: Vec<NewEvent> = (0..1_100).map(gone).collect();
        assert_eq!(webhooks::accept(&tenant, "crm", &events, run(), now()).await?, accepted(1_100, 0));
        let run_id = Uuid::now_v7();
        let work = webhooks::take(&tenant, "crm", run_id).await?;
        assert_eq!((work.events, work.streams.len()), (1_100, 0), "nothing to walk for what is gone");
        let (mut after, mut seen) = (None, std::collections::HashSet::new());
        loop {
            let page = webhooks::gone(&tenant, run_id, after, 500).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.id);
            seen.extend(page.into_iter().map(|event| event.vendor_id));
        }
        assert_eq!(seen.len(), 1_100);
        assert_eq!(webhooks::purge(&system, now() + days(1)).await?, 0, "what waits stays");
        assert_eq!(webhooks::give_up(&system, now() + days(1), "too late", now()).await?, 1_100);
        assert_eq!(webhooks::purge(&system, now() - days(1)).await?, 0);
        assert_eq!(webhooks::purge(&system, now() + days(1)).await?, 1_100);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_stranger_has_none_of_it() {
    on_both(|store| async move {
        let (ours, stranger) = (store.tenant("ours"), store.tenant("stranger"));
        let gone = NewEvent { deleted: true, vendor_id: Some("1".into()), ..event("a") };
        webhooks::accept(&ours, "crm", &[gone], run(), now()).await?;
        let run_id = Uuid::now_v7();
        assert_eq!(webhooks::count_open(&stranger, "crm", 9).await?, 0);
        assert_eq!(webhooks::take(&stranger, "crm", run_id).await?.events, 0);
        assert_eq!(webhooks::take(&ours, "crm", run_id).await?.events, 1);
        assert!(webhooks::gone(&stranger, run_id, None, 9).await?.is_empty());
        assert_eq!(webhooks::settle(&stranger, run_id, "done", None, now()).await?, 0);
        assert!(webhooks::by_event_id(&stranger, "crm", "a").await?.is_none());
        assert!(webhooks::last_received(&stranger).await?.is_empty());
        assert!(webhooks::count_by_state(&stranger, "crm").await?.is_empty());
        assert_eq!(webhooks::last_received(&ours).await?["crm"], store::micros(now()));
        webhooks::subscribed(&ours, "crm", "https://a.example/webhooks/crm", now()).await?;
        webhooks::subscribed(&ours, "crm", "https://b.example/webhooks/crm", now() + days(1)).await?;
        let until = async |tenant, address| webhooks::subscribed_until(tenant, "crm", address).await;
        assert_eq!(until(&ours, "https://b.example/webhooks/crm").await?, Some(store::micros(now() + days(1))));
        assert_eq!(until(&ours, "https://a.example/webhooks/crm").await?, None, "it goes to another address now");
        assert_eq!(until(&stranger, "https://b.example/webhooks/crm").await?, None);
        connections::change(&ours, "crm", "live:another", Before::MarkDeleted, now()).await?;
        assert_eq!(until(&ours, "https://b.example/webhooks/crm").await?, None, "another account has to be asked too");
        // What the stranger is told is an event of its own.
        assert_eq!(webhooks::accept(&stranger, "crm", &[event("a")], run(), now()).await?, accepted(1, 0));
        Ok(())
    })
    .await;
}
