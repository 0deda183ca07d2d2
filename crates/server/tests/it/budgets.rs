//! A budget of calls or money lets exactly so much pass, however many ask at once, and says when it starts anew.

use futures::future::join_all;
use serde_json::{Value, json};
use server::actor::{Actor, Scope};
use server::approvals::{self, Verdict};
use server::identity::keys;
use server::policy::{Budget, Rule, budgets};
use uuid::Uuid;

use crate::support::{TestServer, on_both};

async fn set(server: &TestServer, name: &str, budget: Value) {
    let budget: Budget = serde_json::from_value(budget).unwrap();
    budgets::put(server.app(), &Actor::terminal(), name, budget).await.unwrap();
}

async fn allow(server: &TestServer, tool: &str) {
    let rule: Rule = serde_json::from_value(json!({"tools": [tool], "decision": "allow"})).unwrap();
    server::policy::put(server.app(), &Actor::terminal(), tool, rule, None, true).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_hundred_at_once_exactly_as_many_pass_as_there_are() {
    on_both(
        |_| {},
        |server| async move {
            set(&server, "tools", json!({"tools": ["system.tools"], "calls": 37})).await;
            let call = || server.run("system.tools", json!({"word": "nothing"}));
            let answers = join_all((0..200).map(|_| call())).await;
            let passed = answers.iter().filter(|(status, _)| *status == 200).count();
            assert_eq!(passed, 37);
            let (_, refused) = answers.iter().find(|(status, _)| *status == 403).unwrap();
            let detail = refused["detail"].as_str().unwrap();
            assert!(detail.contains("`tools`") && detail.contains("37 calls a day"), "{detail}");
            assert!(detail.contains("00:00 UTC"), "it says when it starts anew: {detail}");
            // It is on record.
            let tenant = server.app().store.tenant("default");
            let filter = store::audit::ExecutionFilter { status: Some("denied".into()), ..Default::default() };
            let denied = store::audit::list(&tenant, &filter, 200, None).await.unwrap().rows;
            assert_eq!(denied.len(), 163);
            // Nothing else is limited by it.
            assert_eq!(server.run("system.list_approvals", json!({})).await.0, 200);
            let shown = budgets::list(server.app(), &Actor::terminal()).await.unwrap();
            assert_eq!((shown.len(), shown[0].used), (1, 37.0));
            assert!(budgets::remove(server.app(), &Actor::terminal(), "tools").await.unwrap());
            assert_eq!(call().await.0, 200);
        },
    )
    .await;
}

#[tokio::test]
async fn each_agent_may_have_one_of_its_own() {
    on_both(
        |_| {},
        |server| async move {
            set(&server, "each", json!({"tools": ["system.tools"], "callers": ["agent"], "calls": 2, "each": true}))
                .await;
            let by = Actor::terminal();
            let (_, second) = keys::create(server.app(), &by, "second", &[Scope::Read], None).await.unwrap();
            let mut statuses = Vec::new();
            for _ in 0..3 {
                statuses.push(server.run("system.tools", json!({"word": "nothing"})).await.0);
            }
            for _ in 0..3 {
                let request = server.http.post(server.url("/mcp/run/system.tools")).bearer_auth(&second);
                statuses.push(request.json(&json!({"word": "nothing"})).send().await.unwrap().status().as_u16());
            }
            assert_eq!(statuses, [200, 200, 403, 200, 200, 403]);
            // A person is no agent.
            let request = server::calls::Request::new("system.tools", json!({"word": "nothing"}));
            let reply = server::calls::call(server.app(), &by, request).await.unwrap();
            assert!(matches!(reply.outcome, server::calls::Outcome::Done(_)));
        },
    )
    .await;
}

fn invoice(customer: &Value, amount: f64) -> Value {
    json!({"customer_id": customer, "lines": [{"description": "Work", "unit_price": amount / 2.0, "quantity": 2}]})
}

/// The amounts of what agents write, also of what a person has approved; what cannot be told does not pass.
#[tokio::test]
async fn money_is_counted_from_the_arguments() {
    on_both(
        |_| {},
        |server| async move {
            let tool = "quickbooks.create_draft_invoice";
            let customers = server.data("quickbooks.list_customers", json!({"limit": 1})).await;
            let customer = &customers["customers"][0]["id"];
            let arguments = |amount: f64| invoice(customer, amount);
            allow(&server, tool).await;
            let paths = json!(["lines[].unit_price*quantity"]);
            set(&server, "money", json!({"tools": ["quickbooks.create_*"], "amount": 100, "paths": paths})).await;

            let (status, body) = server.run(tool, arguments(60.0)).await;
            assert_eq!(status, 200, "{body}");
            let (status, body) = server.run(tool, arguments(40.01)).await;
            assert_eq!(status, 403, "{body}");
            assert!(body["detail"].as_str().unwrap().contains("100 a day"), "{body}");
            let mut dry = arguments(500.0);
            dry["dry_run"] = json!(true);
            assert_eq!(server.run(tool, dry).await.0, 200, "a dry run moves nothing");
            assert_eq!(server.run(tool, arguments(40.0)).await.0, 200, "to the cent");
            assert_eq!(server.run(tool, arguments(0.01)).await.0, 403);

            // Who asks and is approved is charged as who asked.
            server::policy::remove(server.app(), &Actor::terminal(), tool).await.unwrap();
            let (_, body) = server.run(tool, arguments(7.0)).await;
            let id: Uuid = body["data"]["approval_id"].as_str().unwrap().parse().unwrap();
            approvals::decide(server.app(), &Actor::terminal(), id, Verdict::Approve, None).await.unwrap();
            let settled = server.data("system.wait_for_approval", json!({"approval_id": id, "seconds": 30})).await;
            assert_eq!(settled["state"], "failed", "{settled}");
            assert!(settled["result"]["error"].as_str().unwrap().contains("`money`"), "{settled}");
        },
    )
    .await;
}
