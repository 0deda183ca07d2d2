//! A key sees and calls what it was made for, and nothing else, through every door.

use chrono::Duration;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use server::actor::{Actor, Role, Scope};
use server::identity::keys::{self, NewKey};

use crate::identity::{owner, person};
use crate::letting_in::rpc;
use crate::support::{KEY, TestServer, on_both};

async fn key(server: &TestServer, toolsets: &[&str], scopes: &[Scope]) -> String {
    let toolsets = Some(toolsets.iter().map(|name| (*name).to_owned()).collect());
    let new = NewKey { name: "limited".into(), scopes: scopes.to_vec(), toolsets, expires_at: None };
    keys::make(server.app(), &Actor::terminal(), &new).await.unwrap().1
}

async fn run(server: &TestServer, key: &str, tool: &str, arguments: Value) -> (StatusCode, Value) {
    let request = server.http.post(server.url(&format!("/mcp/run/{tool}"))).bearer_auth(key).json(&arguments);
    let answer = request.send().await.unwrap();
    (answer.status(), answer.json().await.unwrap())
}

#[tokio::test]
async fn a_key_for_some_toolsets_sees_and_calls_those_alone() {
    on_both(
        |_| {},
        |server| async move {
            let key = key(&server, &["quickbooks", "system"], &keys::all_effects()).await;
            let answer: Value = rpc(&server, &key, "tools/list", json!({})).await.json().await.unwrap();
            let names = |list: &Value| -> Vec<String> {
                list.as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect()
            };
            let on_mcp = names(&answer["result"]["tools"]);
            assert!(on_mcp.iter().any(|name| name == "quickbooks_list_invoices"));
            assert!(
                on_mcp.iter().all(|name| name.starts_with("quickbooks_") || name.starts_with("system_")),
                "{on_mcp:?}"
            );
            let list = server.http.get(server.url("/mcp/tools")).bearer_auth(&key).send().await.unwrap();
            let list: Value = list.json().await.unwrap();
            assert_eq!(names(&list["tools"]).len(), on_mcp.len());
            let (_, found) = run(&server, &key, "system.tools", json!({"word": "contact"})).await;
            assert!(!found.to_string().contains("gohighlevel"), "{found}");

            assert_eq!(run(&server, &key, "quickbooks.list_invoices", json!({})).await.0, StatusCode::OK);
            for (tool, arguments) in [
                ("gohighlevel.read_contacts", json!({})),
                ("contacts.search", json!({"query": "acme"})),
                ("gohighlevel.search_operations", json!({"query": "campaign"})),
                ("gohighlevel.call_operation", json!({"operation": "list_relations", "path": {"recordId": "r"}})),
            ] {
                let (status, body) = run(&server, &key, tool, arguments.clone()).await;
                assert_eq!(status, StatusCode::FORBIDDEN, "{tool}: {body}");
                let call = json!({"name": tool.replace('.', "_"), "arguments": arguments});
                let answer: Value = rpc(&server, &key, "tools/call", call).await.json().await.unwrap();
                assert!(answer.to_string().contains("is not for the tools of"), "{tool}: {answer}");
            }
            let page: Value = rpc(&server, &key, "resources/read", json!({"uri": "business://dashboard"}))
                .await
                .json()
                .await
                .unwrap();
            assert!(page["error"].is_object(), "pages are of the brain: {page}");
        },
    )
    .await;
}

/// A key for some toolsets learns what became of what it asked for, and nothing of what is done with other tools.
#[tokio::test]
async fn a_key_for_some_toolsets_reads_of_those_alone() {
    on_both(
        |config| config.policy.ask = vec!["quickbooks.list_invoices".into()],
        |server| async move {
            let contacts = server.data("gohighlevel.read_contacts", json!({"limit": 1})).await;
            let tags = json!({"contact_id": contacts["contacts"][0]["id"], "tags": ["vip"]});
            assert_eq!(server.run("gohighlevel.add_tags", tags).await.0, StatusCode::ACCEPTED);
            let books = key(&server, &["quickbooks"], &keys::all_effects()).await;
            let (status, asked) = run(&server, &books, "quickbooks.list_invoices", json!({})).await;
            assert_eq!(status, StatusCode::ACCEPTED, "{asked}");
            let id = json!({"approval_id": asked["data"]["approval_id"]});
            for tool in ["system.get_approval", "system.wait_for_approval"] {
                let mut arguments = id.clone();
                if tool.ends_with("wait_for_approval") {
                    arguments["seconds"] = json!(1);
                }
                let (status, seen) = run(&server, &books, tool, arguments).await;
                assert_eq!((status, &seen["data"]["state"]), (StatusCode::OK, &json!("pending")), "{seen}");
            }
            assert_eq!(run(&server, &books, "system.search_audit", json!({})).await.0, StatusCode::FORBIDDEN);

            let both = key(&server, &["quickbooks", "system"], &keys::all_effects()).await;
            for (tool, rows, there) in [
                ("list_approvals", "approvals", true),
                ("search_audit", "executions", true),
                ("list_decisions", "decisions", false),
            ] {
                let (status, seen) = run(&server, &both, &format!("system.{tool}"), json!({})).await;
                assert_eq!(status, StatusCode::OK, "{seen}");
                assert_eq!(!seen["data"][rows].as_array().unwrap().is_empty(), there, "{tool}: {seen}");
                assert!(!seen.to_string().contains("gohighlevel"), "{tool}: {seen}");
            }
            assert!(server.data("system.list_decisions", json!({})).await.to_string().contains("gohighlevel"));
            let all = server.data("system.list_approvals", json!({})).await;
            let foreign = all["approvals"].as_array().unwrap().iter().find(|a| a["tool"] == "gohighlevel.add_tags");
            let foreign = json!({"approval_id": foreign.unwrap()["approval_id"]});
            assert_eq!(run(&server, &both, "system.get_approval", foreign).await.0, StatusCode::NOT_FOUND);
        },
    )
    .await;
}

/// What destroys has a scope of its own, and a key without it is not even asked for an approval.
#[tokio::test]
async fn a_key_may_write_and_not_destroy() {
    let server = TestServer::sqlite().await;
    let writer = key(&server, &["godaddy", "cloudflare", "gohighlevel"], &[Scope::Read, Scope::Write]).await;
    let destroyer = key(&server, &["cloudflare"], &keys::all_effects()).await;
    let reader = key(&server, &["cloudflare"], &[Scope::Read]).await;
    let (_, zones) = run(&server, &reader, "cloudflare.list_zones", json!({})).await;
    let zone = zones["data"]["zones"][0]["id"].as_str().unwrap().to_owned();
    let (_, records) = run(&server, &reader, "cloudflare.list_dns", json!({"zone": zone})).await;
    let record = records["data"]["records"][0]["id"].clone();
    let gone = json!({"zone": zone, "record_id": record});
    for (key, status) in
        [(&reader, StatusCode::FORBIDDEN), (&writer, StatusCode::FORBIDDEN), (&destroyer, StatusCode::ACCEPTED)]
    {
        let (answered, body) = run(&server, key, "cloudflare.delete_dns_record", gone.clone()).await;
        assert_eq!(answered, status, "{body}");
    }
    let approvals = server.data("system.list_approvals", json!({})).await;
    assert_eq!(approvals["approvals"].as_array().unwrap().len(), 1, "{approvals}");

    // Nor does a key see or decide what waits for other tools.
    let elsewhere = key(&server, &["quickbooks"], &[Scope::Read, Scope::Approve]).await;
    let there = key(&server, &["cloudflare"], &[Scope::Read, Scope::Approve]).await;
    let id = approvals["approvals"][0]["approval_id"].as_str().unwrap();
    for (key, count, status) in [(&elsewhere, 0, StatusCode::NOT_FOUND), (&there, 1, StatusCode::OK)] {
        let get = async |path: &str| server.http.get(server.url(path)).bearer_auth(key).send().await.unwrap();
        let list: Value = get("/api/v1/approvals").await.json().await.unwrap();
        assert_eq!(list["approvals"].as_array().unwrap().len(), count, "{list}");
        assert_eq!(get(&format!("/api/v1/approvals/{id}")).await.status(), status);
        let decision = server.http.post(server.url(&format!("/api/v1/approvals/{id}/decision"))).bearer_auth(key);
        assert_eq!(decision.json(&json!({"decision": "reject"})).send().await.unwrap().status(), status);
    }
    server.stop().await;
}

/// Those who manage make and end keys over HTTP; a key is shown once.
#[tokio::test]
async fn keys_are_made_and_ended_by_those_who_manage() {
    on_both(
        |_| {},
        |server| async move {
            let owner = owner(&server).await;
            let operator = person(&server, "operator@shop.example", Role::Operator).await;
            let new = json!({"name": "books", "scopes": ["read"], "toolsets": ["quickbooks"]});
            assert_eq!(operator.send(Method::POST, "/api/v1/keys", new.clone()).await.0, 403);
            assert_eq!(operator.send(Method::GET, "/api/v1/keys", json!({})).await.0, 403);
            let (status, made) = owner.send(Method::POST, "/api/v1/keys", new).await;
            assert_eq!(status, 201, "{made}");
            let key = made["key"].as_str().unwrap();
            assert_eq!(run(&server, key, "quickbooks.list_invoices", json!({})).await.0, StatusCode::OK);
            let (_, list) = owner.send(Method::GET, "/api/v1/keys", json!({})).await;
            assert!(!list.to_string().contains(key) && !list.to_string().contains("hash"), "{list}");
            let shown = list["keys"].as_array().unwrap().iter().find(|key| key["name"] == "books").unwrap();
            assert_eq!((&shown["toolsets"], &shown["scopes"]), (&json!(["quickbooks"]), &json!(["read"])));
            for wrong in [
                json!({"name": "", "scopes": ["read"]}),
                json!({"name": " first key ", "scopes": ["read"]}),
                json!({"name": "x", "scopes": []}),
                json!({"name": "x", "scopes": ["manage"]}),
                json!({"name": "x", "scopes": ["everything"]}),
                json!({"name": "x", "toolsets": ["quickboks"]}),
                json!({"name": "x", "toolsets": []}),
                json!({"name": "x", "expires_at": server.app().clock.now() - Duration::hours(1)}),
            ] {
                assert_eq!(owner.send(Method::POST, "/api/v1/keys", wrong.clone()).await.0, 422, "{wrong}");
            }
            let path = format!("/api/v1/keys/{}", made["id"].as_str().unwrap());
            assert_eq!(operator.send(Method::DELETE, &path, json!({})).await.0, 403);
            assert_eq!(owner.send(Method::DELETE, &path, json!({})).await.0, 204);
            assert_eq!(owner.send(Method::DELETE, &path, json!({})).await.0, 404);
            assert_eq!(run(&server, key, "quickbooks.list_invoices", json!({})).await.0, StatusCode::UNAUTHORIZED);
        },
    )
    .await;
}

/// What the server does by itself stands in nobody's name, such as the first key and its end when another takes its place.
#[tokio::test]
async fn nobody_is_on_record_for_what_the_server_does_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    started(folder.path(), KEY).await.stop().await;
    let changed = started(folder.path(), OTHER).await;
    let tenant = changed.app().store.tenant("default");
    for (event, count) in [("key_created", 2), ("key_revoked", 1)] {
        let found = store::audit::events(&tenant, Some(event), 9, None).await.unwrap().rows;
        assert_eq!(found.len(), count, "{event}");
        assert!(found.iter().all(|row| row.actor["kind"] == "system" && row.actor["role"].is_null()), "{found:?}");
    }
    changed.stop().await;
}

const OTHER: &str = "another-key-0123456789abcdef";

/// A server on the database in this folder, with this `MCP_API_KEY`.
async fn started(folder: &std::path::Path, key: &str) -> TestServer {
    TestServer::start(None, |config| {
        config.server.data_dir = folder.to_owned();
        config.secrets.insert("MCP_API_KEY".into(), key.to_owned().into());
    })
    .await
}

async fn opens(server: &TestServer, key: &str) -> StatusCode {
    server.http.get(server.url("/mcp/tools")).bearer_auth(key).send().await.unwrap().status()
}

/// Also where it goes back to one that was there before.
#[tokio::test]
async fn the_key_that_is_configured_is_good_and_the_one_before_is_not() {
    let folder = tempfile::tempdir().unwrap();
    for (named, before) in [(KEY, OTHER), (OTHER, KEY), (KEY, OTHER), (KEY, OTHER), (OTHER, KEY)] {
        let server = started(folder.path(), named).await;
        assert_eq!(opens(&server, named).await, StatusCode::OK, "{named}");
        assert_eq!(opens(&server, before).await, StatusCode::UNAUTHORIZED, "{before}");
        server.stop().await;
    }
    let server = started(folder.path(), OTHER).await;
    let tenant = server.app().store.tenant("default");
    for (event, count) in [("key_created", 2), ("key_revoked", 3), ("key_restored", 2)] {
        assert_eq!(store::audit::events(&tenant, Some(event), 9, None).await.unwrap().rows.len(), count, "{event}");
    }
    server.stop().await;
}

/// What a person has ended does not come back with a start, also not by way of another key.
#[tokio::test]
async fn a_first_key_that_a_person_ended_stays_ended() {
    let folder = tempfile::tempdir().unwrap();
    let server = started(folder.path(), KEY).await;
    let owner = owner(&server).await;
    let (_, list) = owner.send(Method::GET, "/api/v1/keys", json!({})).await;
    let path = format!("/api/v1/keys/{}", list["keys"][0]["id"].as_str().unwrap());
    assert_eq!(owner.send(Method::DELETE, &path, json!({})).await.0, 204);
    server.stop().await;
    for (named, status) in [(KEY, 401), (OTHER, 200), (KEY, 401)] {
        let server = started(folder.path(), named).await;
        assert_eq!(opens(&server, named).await, status, "{named}");
        assert_eq!(opens(&server, KEY).await, StatusCode::UNAUTHORIZED);
        server.stop().await;
    }
}
