//! Several accounts of one ecosystem: each call means one, and the record says which.

use std::sync::Arc;

use sandbox::Sandbox;
use serde_json::{Value, json};
use server::actor::Actor;
use server::connections::{Which, disconnect};

use crate::consents::{begin, finish, says_yes, vendor};
use crate::support::{TestServer, on_both};

const SECOND: &str = "second shop";

fn second() -> Which {
    Which::new("quickbooks", Some(SECOND.into()))
}

async fn connect(
    server: &TestServer,
    vendor: &Sandbox,
    which: Which,
) -> sdk::Result<server::connections::NewConnection> {
    let consent = begin(server, vendor, which, &[]);
    let query = says_yes(server, &consent.url).await;
    finish(server, consent, &query).await
}

/// The arguments of a tool that models are shown.
async fn arguments(server: &TestServer, tool: &str) -> Value {
    let list = server.rpc("tools/list", json!({})).await;
    let tools = list["result"]["tools"].as_array().unwrap();
    tools.iter().find(|one| one["name"] == tool).unwrap()["inputSchema"]["properties"].clone()
}

async fn first_invoice(server: &TestServer, connection: Option<&str>) -> Value {
    let mut arguments = json!({"limit": 1});
    if let Some(connection) = connection {
        arguments["connection"] = connection.into();
    }
    let (status, body) = server.run("quickbooks.list_invoices", arguments).await;
    assert_eq!((status, &body["metadata"]["source"]), (200, &json!("live")), "{body}");
    body
}

#[tokio::test]
async fn a_call_means_one_of_several_companies() {
    on_both(
        |_| {},
        |server: Arc<TestServer>| async move {
            let (one, two) = (vendor(91).await, vendor(92).await);
            connect(&server, &one, "quickbooks".into()).await.unwrap();
            assert!(arguments(&server, "quickbooks_list_invoices").await.get("connection").is_none());
            let before = server.rpc("tools/list", json!({})).await.to_string().len();

            let again = connect(&server, &one, second()).await.unwrap_err();
            assert_eq!(again.kind, sdk::Kind::Conflict, "one company under two names: {again}");
            connect(&server, &two, second()).await.unwrap();
            let shown = arguments(&server, "quickbooks_list_invoices").await;
            assert_eq!(shown["connection"]["enum"], json!(["default", SECOND]), "{shown}");
            assert!(arguments(&server, "cloudflare_list_zones").await.get("connection").is_none());
            assert!(arguments(&server, "quickbooks_list_invoices").await.get("limit").is_some());
            assert!(server.rpc("tools/list", json!({})).await.to_string().len() > before);

            let (first, other) = (first_invoice(&server, None).await, first_invoice(&server, Some(SECOND)).await);
            assert_ne!(first["data"], other["data"], "two companies have different invoices");
            assert_eq!(first["data"], first_invoice(&server, Some("default")).await["data"]);
            let tenant = server.app().store.tenant("default");
            for (answer, name) in [(&first, "default"), (&other, SECOND)] {
                let id = answer["metadata"]["execution_id"].as_str().unwrap().parse().unwrap();
                let row = store::audit::get(&tenant, id).await.unwrap().unwrap();
                assert_eq!(row.params["connection"], name, "the record says which account it was");
            }
            let (status, body) = server.run("quickbooks.list_invoices", json!({"connection": "third"})).await;
            let detail = body["detail"].as_str().unwrap();
            assert!((400..=422).contains(&status) && detail.contains(SECOND) && detail.contains("default"), "{body}");

            // Only the default is copied, and an outage of the other is not answered from that copy.
            let synced = server.data("system.sync", json!({})).await;
            assert_eq!(synced["syncs"].as_array().map(Vec::len), Some(1), "{synced}");
            let list = server.data("system.list_connections", json!({})).await;
            let ours = |name: &Value| {
                let rows = list["connections"].as_array().unwrap().iter();
                rows.filter(|row| row["ecosystem"] == "quickbooks")
                    .find(|row| row["connection"] == *name)
                    .unwrap()
                    .clone()
            };
            assert_eq!((&ours(&Value::Null)["copied"], &ours(&json!(SECOND))["copied"]), (&json!(true), &json!(false)));

            writes_reach_the_one_that_was_meant(&server, &one, &two).await;

            disconnect(server.app(), &Actor::terminal(), second()).await.unwrap();
            assert!(arguments(&server, "quickbooks_list_invoices").await.get("connection").is_none());
            assert_eq!(first_invoice(&server, None).await["metadata"]["source"], "live", "the other stays");
            assert_eq!(store::vault::list(&tenant).await.unwrap().len(), 1);
        },
    )
    .await;
}

/// An approval is for one account, whatever becomes the default meanwhile.
async fn writes_reach_the_one_that_was_meant(server: &TestServer, one: &Sandbox, two: &Sandbox) {
    let counts = || (one.business().effects().len(), two.business().effects().len());
    let before = counts();
    for (number, connection) in [(1, None), (2, Some(SECOND))] {
        let mut arguments =
            json!({"name": format!("Several {number}"), "email": format!("several{number}@example.com")});
        if let Some(connection) = connection {
            arguments["connection"] = connection.into();
        }
        let (_, body) = server.run("quickbooks.create_customer", arguments).await;
        let id =
            body["data"]["approval_id"].as_str().or(body["approval_id"].as_str()).unwrap_or_else(|| panic!("{body}"));
        let id: uuid::Uuid = id.parse().unwrap();
        let view = server::approvals::get(server.app(), &Actor::terminal(), id).await.unwrap();
        assert_eq!(
            view.arguments["connection"],
            connection.unwrap_or("default"),
            "a person sees which account is meant"
        );
        let person = Actor::terminal();
        let verdict = server::approvals::Verdict::Approve;
        server::approvals::decide(server.app(), &person, id, verdict, None).await.unwrap();
        for _ in 0..400 {
            if server::approvals::get(server.app(), &Actor::terminal(), id).await.unwrap().is_settled() {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        let view = server::approvals::get(server.app(), &Actor::terminal(), id).await.unwrap();
        assert_eq!(view.state, "executed", "{:?}", view.result);
    }
    assert_eq!(counts(), (before.0 + 1, before.1 + 1), "one customer at each company");
}
