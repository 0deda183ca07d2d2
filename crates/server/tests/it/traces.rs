//! What ARCHITECTURE.md says that one approved call leaves in the tables.

use serde_json::{Value, json};
use server::actor::Actor;
use server::approvals::{self, Verdict};
use store::audit::{self, ExecutionFilter};
use uuid::Uuid;

use crate::approvals::settled;
use crate::support::on_both;

#[tokio::test]
async fn one_approved_invoice_leaves_what_the_trace_says() {
    on_both(
        |_| {},
        |server| async move {
            let customers = server.data("quickbooks.list_customers", json!({"limit": 1})).await;
            let lines = json!([{"description": "Work", "unit_price": 900}]);
            let arguments = json!({"customer_id": customers["customers"][0]["id"], "lines": lines});
            let (status, asked) = server.run("quickbooks.create_draft_invoice", arguments).await;
            assert_eq!(status, 202, "{asked}");
            let first: Uuid = of(&asked["metadata"]["execution_id"]);
            let id: Uuid = of(&asked["data"]["approval_id"]);
            approvals::decide(server.app(), &Actor::terminal(), id, Verdict::Approve, None).await.unwrap();
            let view = settled(&server, id).await;
            assert_eq!(view["state"], "executed", "{view}");

            let tenant = server.app().store.tenant("default");
            let filter = ExecutionFilter { approval_id: Some(id), ..ExecutionFilter::default() };
            let tool = |row: &&store::entities::tool_executions::Model| row.tool_name.starts_with("quickbooks.");
            let rows = audit::list(&tenant, &filter, 10, None).await.unwrap().rows;
            let rows: Vec<_> = rows.iter().filter(tool).collect();
            let said = |row: &store::entities::tool_executions::Model| {
                (row.status.clone(), row.user_context["kind"].as_str().unwrap().to_owned())
            };
            assert_eq!(rows.len(), 2, "{rows:?}");
            assert_eq!(said(rows[1]), ("pending_approval".into(), "agent".into()));
            assert_eq!(said(rows[0]), ("success".into(), "system".into()));
            assert_eq!((rows[1].id, rows[0].user_context["name"].as_str()), (first, Some("run")));
            let second = rows[0].id;

            let mut events = audit::events(&tenant, None, 100, None).await.unwrap().rows;
            events.retain(|event| event.detail["approval_id"] == json!(id));
            events.sort_by_key(|event| event.seq);
            let told: Vec<_> = events.iter().map(|event| event.event.as_str()).collect();
            assert_eq!(told[0], "approval_verdict", "{told:?}");
            assert_eq!(told.iter().filter(|event| **event == "approval_decided").count(), 1, "{told:?}");
            let intent = events.iter().find(|event| event.event == "intent").unwrap();
            assert_eq!((intent.execution_id, told.len()), (Some(second), 3), "{told:?}");
            assert_eq!(intent.actor["name"], "run");

            let asked = audit::api_calls_of(&tenant, first).await.unwrap();
            assert!(!asked.is_empty() && asked.iter().all(|call| call.method == "GET"), "{asked:?}");
            let made = audit::api_calls_of(&tenant, second).await.unwrap();
            let writes = made.iter().filter(|call| call.method == "POST").count();
            assert!(writes == 1 && made.len() > asked.len(), "{made:?}");

            let approval = store::approvals::get(&tenant, id).await.unwrap().unwrap();
            assert_eq!((approval.execution_id, approval.result_execution_id), (Some(first), Some(second)));
            let left = store::testing::rows_of(&server.app().store, "default").await.unwrap();
            let named = |table: &str| left[table].iter().filter(|row| names(row, id)).count();
            assert_eq!((named("approval_votes"), named("runs")), (1, 1));
        },
    )
    .await;
}

fn of(id: &Value) -> Uuid {
    id.as_str().unwrap().parse().unwrap()
}

/// SQLite shows an id as letters or as bytes.
fn names(row: &str, id: Uuid) -> bool {
    row.contains(&id.to_string()) || row.to_lowercase().contains(&id.simple().to_string())
}
