//! What a kill left open is settled, however old it is, for every business, and one that ails keeps no other waiting.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use server::actor::Actor;
use server::app::App;
use server::runs::{New, RunOutcome};
use server::tenants;
use store::audit::{ExecutionFilter, Writer};
use store::chain::{Canonical, Event, Record};
use store::entities::runs::RunState;
use store::entities::tool_executions;
use store::runs::RunFilter;
use store::vault::NewCredential;
use uuid::Uuid;

use crate::support::on_both;
use crate::tenants::walled;

const TIDY: &str = "housekeeping";

#[tokio::test]
async fn an_interrupted_effect_gets_its_record_whoever_ails_or_is_disabled() {
    on_both(walled, |server| async move {
        let app = server.app();
        first_time(app).await;
        let long_ago = app.clock.now() - TimeDelta::days(30);
        for id in ["ailing", "shop", "closed"] {
            intend(app, id, long_ago).await;
        }
        for id in ["ailing", "shop", "closed"] {
            tenants::create(app, &Actor::terminal(), id, id).await.unwrap();
        }
        ail(app, "ailing").await;
        tenants::set_disabled(app, &Actor::terminal(), "closed", true).await.unwrap();
        assert!(app.connections.of(app, "ailing").await.is_err(), "its connections cannot be made");

        tidied(app).await;
        for id in ["ailing", "shop", "closed"] {
            let records = records(app, id).await;
            assert_eq!(records.len(), 1, "{id}");
            let (status, error) = (records[0].status.as_str(), records[0].error_message.as_deref().unwrap());
            assert!(status == "error" && error.starts_with("outcome unknown"), "{id}: {status} {error}");
        }
        // What has come since is found as well, and nothing gets a second record.
        intend(app, "shop", app.clock.now() - TimeDelta::minutes(3)).await;
        tidied(app).await;
        assert_eq!((records(app, "shop").await.len(), records(app, "closed").await.len()), (2, 1));
    })
    .await;
}

/// An effect that was announced and of which nothing was heard since.
async fn intend(app: &App, tenant: &str, at: DateTime<Utc>) {
    let intent = Event {
        id: Uuid::now_v7(),
        tenant_id: tenant.into(),
        timestamp: at,
        event: "intent".into(),
        execution_id: Some(Uuid::now_v7()),
        actor: Canonical::from(&json!({"name": "agent"})),
        detail: Canonical::from(&json!({"tool": "gohighlevel.add_tags", "effect": "write", "arguments": {}})),
    };
    let mut writer = Writer::open(&app.store, at).await.unwrap();
    writer.append(vec![Record::Event(intent)], at).await.unwrap();
    writer.close(at).await.unwrap();
}

/// An account without the client that it was connected with: nothing can be made of it.
async fn ail(app: &App, tenant: &str) {
    let (of, id) = (app.store.tenant(tenant), Uuid::now_v7());
    let key = app.vault.current(&of).await.unwrap();
    let sealed = key.seal(b"{}", &format!("{tenant}|quickbooks|credentials|{id}")).unwrap();
    let broken = NewCredential {
        id,
        ecosystem: "quickbooks".into(),
        name: store::DEFAULT_CONNECTION.into(),
        auth: "oauth2".into(),
        account_id: None,
        account_name: None,
        config: json!({}),
        key_id: sealed.key_id,
        sealed: sealed.bytes,
        scopes: None,
        expires_at: None,
    };
    store::vault::put(&of, broken, None, app.clock.now()).await.unwrap();
}

/// Waits for the time after the start.
async fn first_time(app: &App) {
    for _ in 0..200 {
        let runs = app.runs.list(&app.store.tenant("default"), &RunFilter::default(), 50, None).await.unwrap();
        if runs.rows.iter().any(|run| run.kind == TIDY && run.state == RunState::Done) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the housekeeping never ran");
}

async fn tidied(app: &App) {
    let own = app.store.tenant("default");
    let run = app.runs.enqueue(&own, New::job(TIDY, json!({}))).await.unwrap();
    let end = app.runs.wait(&own, run, Duration::from_secs(30)).await.unwrap();
    assert!(matches!(end, Some(RunOutcome::Done(_))), "{end:?}");
}

async fn records(app: &App, tenant: &str) -> Vec<tool_executions::Model> {
    let filter = ExecutionFilter { tool: Some("gohighlevel.add_tags".into()), ..ExecutionFilter::default() };
    store::audit::list(&app.store.tenant(tenant), &filter, 10, None).await.unwrap().rows
}
