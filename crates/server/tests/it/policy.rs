//! Rules that people write are in force at once, on record, and never weaker than they read.

use reqwest::Method;
use serde_json::{Value, json};
use server::actor::{Actor, Role, Scope};
use server::approvals::{self, Verdict};
use server::identity::keys;
use server::policy::{self, Rule};
use uuid::Uuid;

use crate::identity::{owner, person};
use crate::letting_in::{program, rpc, start};
use crate::support::{KEY, TestServer, on_both};

async fn set(server: &TestServer, name: &str, rule: Value) {
    let rule: Rule = serde_json::from_value(rule).unwrap();
    policy::put(server.app(), &Actor::terminal(), name, rule, None, true).await.unwrap();
}

/// What an agent gets who wants to tag somebody.
async fn tag(server: &TestServer, tag: &str) -> (u16, Value) {
    let contacts = server.data("gohighlevel.read_contacts", json!({"limit": 1})).await;
    let contact = &contacts["contacts"][0]["id"];
    server.run("gohighlevel.add_tags", json!({"contact_id": contact, "tags": [tag]})).await
}

#[tokio::test]
async fn a_rule_is_in_force_from_the_next_call_and_gone_when_it_is_removed() {
    on_both(
        |_| {},
        |server| async move {
            let tools = json!(["gohighlevel.add_*"]);
            assert_eq!(tag(&server, "a").await.0, 202);
            let vip = "args.tags.exists(tag, tag == 'vip')";
            set(&server, "vip", json!({"tools": tools, "when": vip, "decision": "deny"})).await;
            set(&server, "tags", json!({"tools": tools, "decision": "allow"})).await;
            assert_eq!(tag(&server, "b").await.0, 200);
            let (status, body) = tag(&server, "vip").await;
            assert_eq!(status, 403, "{body}");
            assert!(body["detail"].as_str().unwrap().contains("rule 1, `vip`"), "{body}");

            let app = server.app();
            assert!(policy::remove(app, &Actor::terminal(), "tags").await.unwrap());
            assert_eq!(tag(&server, "c").await.0, 202);
            let refused = serde_json::from_value(json!({"tools": ["gohighlevel_add_tags"]})).unwrap();
            let refused = policy::put(app, &Actor::terminal(), "typo", refused, None, true).await.unwrap_err();
            assert!(refused.message.contains("fits no tool"), "{refused}");
            let events = store::audit::events(&app.store.tenant("default"), Some("policy_changed"), 10, None).await;
            assert_eq!(events.unwrap().rows.len(), 3, "two were set and one was removed");
        },
    )
    .await;
}

/// Two have to say yes, and who asked is none of them; one no is enough.
#[tokio::test]
async fn a_rule_may_want_two_people_and_not_the_one_who_asked() {
    on_both(
        |_| {},
        |server| async move {
            let asks = json!({"people": 2, "own": false, "minutes": 5});
            set(&server, "two", json!({"tools": ["gohighlevel.add_tags"], "asks": asks})).await;
            let (_, body) = tag(&server, "two-people").await;
            let id: Uuid = body["data"]["approval_id"].as_str().unwrap().parse().unwrap();
            let app = server.app();
            let row = store::approvals::get(&app.store.tenant("default"), id).await.unwrap().unwrap();
            let minutes = (row.expires_at - row.created_at).num_minutes();
            assert_eq!(minutes, 5);

            let mut requester = Actor::terminal();
            requester.id = row.requester["id"].as_str().unwrap().to_owned();
            let own = approvals::decide(app, &requester, id, Verdict::Approve, None).await.unwrap_err();
            assert_eq!(own.kind, sdk::Kind::Forbidden, "{own}");

            let first = approvals::decide(app, &Actor::terminal(), id, Verdict::Approve, None).await.unwrap();
            assert_eq!(first.state, "pending");
            let again = approvals::decide(app, &Actor::terminal(), id, Verdict::Approve, None).await.unwrap();
            assert_eq!(again.state, "pending", "one person is one, however often");
            let (_, key) = keys::create(app, &Actor::terminal(), "second", &[Scope::Approve], None).await.unwrap();
            let by_key = keys::verify(app, &key).await.unwrap().unwrap();
            let refused = approvals::decide(app, &by_key, id, Verdict::Approve, None).await.unwrap_err();
            assert_eq!(refused.kind, sdk::Kind::Forbidden, "a key is no second person: {refused}");
            let mut second = Actor::terminal();
            (second.id, second.name) = (Uuid::now_v7().to_string(), "second".into());
            let done = approvals::decide(app, &second, id, Verdict::Approve, None).await.unwrap();
            assert!(["approved", "executing", "executed"].contains(&done.state.as_str()), "{done:?}");
        },
    )
    .await;
}

/// What one key asks for, no key of the same hand says yes to.
#[tokio::test]
async fn an_agent_never_approves_what_it_asked_for() {
    let server = TestServer::sqlite().await;
    let app = server.app();
    for both in [[Scope::Write, Scope::Approve], [Scope::Approve, Scope::Destroy]] {
        let refused = keys::create(app, &Actor::terminal(), "both", &both, None).await.unwrap_err();
        assert_eq!(refused.kind, sdk::Kind::InvalidInput, "{refused}");
    }
    // A key that was made before there was this rule.
    let mut agent = keys::verify(app, KEY).await.unwrap().unwrap();
    agent.scopes.push(Scope::Approve);
    let (_, asked) = tag(&server, "its own").await;
    let id = asked["data"]["approval_id"].as_str().unwrap().parse().unwrap();
    let own = approvals::decide(app, &agent, id, Verdict::Approve, None).await.unwrap_err();
    assert_eq!(own.kind, sdk::Kind::Forbidden, "{own}");
    let (_, key) = keys::create(app, &Actor::terminal(), "other", &[Scope::Approve], None).await.unwrap();
    let other = keys::verify(app, &key).await.unwrap().unwrap();
    approvals::decide(app, &other, id, Verdict::Approve, None).await.unwrap();
    server.stop().await;
}

/// An AI client asks for whom it was let in by: where a rule wants somebody else, that person is nobody else.
#[tokio::test]
async fn whom_a_client_acts_for_is_who_asked() {
    let moving = start(None, |_| {}).await;
    let server = &moving.server;
    let owner = owner(server).await;
    let admin = person(server, "admin@shop.example", Role::Admin).await;
    set(server, "other", json!({"tools": ["gohighlevel.add_tags"], "asks": {"own": false}})).await;
    let tokens = program(server).await.let_in(server, &owner, true).await;
    let contacts = server.data("gohighlevel.read_contacts", json!({"limit": 1})).await;
    let arguments = json!({"contact_id": contacts["contacts"][0]["id"], "tags": ["for the owner"]});
    let call = json!({"name": "gohighlevel_add_tags", "arguments": arguments});
    let asked = rpc(server, tokens["access_token"].as_str().unwrap(), "tools/call", call).await;
    assert_eq!(asked.status(), 200);
    let (_, list) = owner.send(Method::GET, "/api/v1/approvals", json!({})).await;
    let path = format!("/api/v1/approvals/{}/decision", list["approvals"][0]["approval_id"].as_str().unwrap());
    for (who, status) in [(&owner, 403), (&admin, 200)] {
        let (decided, body) = who.send(Method::POST, &path, json!({"decision": "approve"})).await;
        assert_eq!(decided, status, "{body}");
    }
    moving.server.stop().await;
}
