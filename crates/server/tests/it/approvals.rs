//! What an agent asks for happens once, exactly as asked, after a person said yes; or never.

use std::time::Duration;

use serde_json::{Value, json};
use server::actor::{Actor, Scope};
use server::approvals::{self, Verdict};
use server::identity::keys;
use uuid::Uuid;

use crate::support::{TestServer, on_both};

/// Asks for a tag and gives the approval's id.
async fn ask(server: &TestServer, tag: &str) -> (String, Uuid) {
    let contacts = server.data("gohighlevel.read_contacts", json!({"limit": 1})).await;
    let contact = contacts["contacts"][0]["id"].as_str().unwrap().to_owned();
    let (status, body) = server.run("gohighlevel.add_tags", json!({"contact_id": contact, "tags": [tag]})).await;
    assert_eq!((status, &body["status"]), (202, &json!("pending_approval")), "{body}");
    let id = body["data"]["approval_id"].as_str().unwrap().parse().unwrap();
    (contact, id)
}

/// The approval when nothing will change any more.
pub async fn settled(server: &TestServer, id: Uuid) -> Value {
    for _ in 0..100 {
        let view = server.data("system.wait_for_approval", json!({"approval_id": id, "seconds": 5})).await;
        if !["pending", "approved", "executing"].contains(&view["state"].as_str().unwrap()) {
            return view;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the approval {id} never settled");
}

/// The contact as the vendor has it now, with its tags.
async fn tags(server: &TestServer, contact: &str) -> Value {
    let contact = server.data("gohighlevel.get_contact", json!({"contact_id": contact})).await;
    assert!(contact.to_string().contains("tags"), "{contact}");
    contact
}

#[tokio::test]
async fn an_approved_call_is_carried_out_once() {
    on_both(
        |_| {},
        |server| async move {
            let (contact, id) = ask(&server, "approved-by-a-person").await;
            assert!(
                !tags(&server, &contact).await.to_string().contains("approved-by-a-person"),
                "nothing happens before"
            );
            approvals::decide(server.app(), &Actor::terminal(), id, Verdict::Approve, None).await.unwrap();
            let view = settled(&server, id).await;
            assert_eq!(view["state"], "executed", "{view}");
            assert!(tags(&server, &contact).await.to_string().contains("approved-by-a-person"));
            let again = approvals::decide(server.app(), &Actor::terminal(), id, Verdict::Approve, None).await;
            assert_eq!(again.unwrap_err().kind, sdk::Kind::Conflict);
        },
    )
    .await;
}

#[tokio::test]
async fn a_rejected_call_never_happens() {
    let server = TestServer::sqlite().await;
    let (contact, id) = ask(&server, "rejected").await;
    approvals::decide(server.app(), &Actor::terminal(), id, Verdict::Reject, Some("not now".into())).await.unwrap();
    let view = settled(&server, id).await;
    assert_eq!((&view["state"], &view["note"]), (&json!("rejected"), &json!("not now")));
    assert!(!tags(&server, &contact).await.to_string().contains("rejected"));
    server.stop().await;
}

#[tokio::test]
async fn of_many_who_decide_one_wins() {
    on_both(
        |_| {},
        |server| async move {
            let (_, id) = ask(&server, "race").await;
            let decisions = (0..20).map(|i| {
                let app = server.app().clone();
                let verdict = if i % 2 == 0 { Verdict::Approve } else { Verdict::Reject };
                tokio::spawn(
                    async move { approvals::decide(&app, &Actor::terminal(), id, verdict, None).await.is_ok() },
                )
            });
            let won =
                futures::future::join_all(decisions).await.into_iter().filter(|won| *won.as_ref().unwrap()).count();
            assert_eq!(won, 1);
            settled(&server, id).await;
            assert!(server.app().sandbox.business().effects().len() <= 1, "at most one call reached the vendor");
        },
    )
    .await;
}

#[tokio::test]
async fn silence_is_not_consent() {
    let server = TestServer::sqlite_with(|config| config.policy.approval_minutes = Some(0)).await;
    let (_, id) = ask(&server, "late").await;
    let late = approvals::decide(server.app(), &Actor::terminal(), id, Verdict::Approve, None).await;
    assert_eq!(late.unwrap_err().kind, sdk::Kind::Conflict);
    assert_eq!(settled(&server, id).await["state"], "expired");
    server.stop().await;
}

#[tokio::test]
async fn only_a_key_for_it_may_decide() {
    let server = TestServer::sqlite().await;
    let (_, id) = ask(&server, "by-key").await;
    let decide = |key: String| {
        let request = server.http.post(server.url(&format!("/api/v1/approvals/{id}/decision"))).bearer_auth(key);
        request.json(&json!({"decision": "approve"})).send()
    };
    assert_eq!(decide(crate::support::KEY.into()).await.unwrap().status(), 403, "an agent's key");
    let (_, key) = keys::create(server.app(), &Actor::terminal(), "owner", &[Scope::Approve], None).await.unwrap();
    // A GET never decides: mail scanners follow links.
    let get = server.http.get(server.url(&format!("/api/v1/approvals/{id}/decision"))).bearer_auth(&key);
    assert_eq!(get.send().await.unwrap().status(), 405);
    assert_eq!(decide(key).await.unwrap().status(), 200);
    assert_eq!(settled(&server, id).await["state"], "executed");
    server.stop().await;
}

#[tokio::test]
async fn a_key_without_write_is_denied_before_anybody_is_asked() {
    let server = TestServer::sqlite().await;
    let (_, key) = keys::create(server.app(), &Actor::terminal(), "reader", &[Scope::Read], None).await.unwrap();
    let request = server.http.post(server.url("/mcp/run/gohighlevel.add_tags")).bearer_auth(&key);
    let response = request.json(&json!({"contact_id": "x", "tags": ["y"]})).send().await.unwrap();
    assert_eq!(response.status(), 403);
    let approvals = server.data("system.list_approvals", json!({})).await;
    assert_eq!(approvals["approvals"], json!([]));
    server.stop().await;
}

#[tokio::test]
async fn the_same_call_asked_twice_is_one_approval() {
    let server = TestServer::sqlite().await;
    let (_, first) = ask(&server, "twice").await;
    let (_, second) = ask(&server, "twice").await;
    let (_, other) = ask(&server, "another").await;
    assert_eq!(first, second);
    assert_ne!(first, other);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_who_ask_for_the_same_one_approval_is_made() {
    on_both(
        |_| {},
        |server| async move {
            let contacts = server.data("gohighlevel.read_contacts", json!({"limit": 1})).await;
            let same = json!({"contact_id": contacts["contacts"][0]["id"], "tags": ["vip"]});
            let asking = (0..50).map(|_| {
                let (server, same) = (server.clone(), same.clone());
                async move { server.run("gohighlevel.add_tags", same).await }
            });
            let answers = futures::future::join_all(asking).await;
            let ids: std::collections::HashSet<String> =
                answers.iter().map(|(_, body)| body["data"]["approval_id"].to_string()).collect();
            assert!(answers.iter().all(|(status, _)| *status == 202), "{answers:?}");
            assert_eq!(ids.len(), 1);
            let listed = server.data("system.list_approvals", json!({})).await;
            assert_eq!(listed["approvals"].as_array().unwrap().len(), 1);
        },
    )
    .await;
}

#[tokio::test]
async fn what_was_denied_since_stays_denied() {
    let folder = tempfile::tempdir().unwrap();
    let mut id = None;
    for deny in [vec![], vec!["gohighlevel.add_*".to_owned()]] {
        let mut config = crate::support::config(&[]);
        config.server.data_dir = folder.path().to_owned();
        config.policy.deny = deny;
        let app = crate::support::app(config).await.unwrap();
        let server = server::serve::Server::start(app).await.unwrap();
        let (http, place) = (server::app::client().unwrap(), tempfile::tempdir().unwrap());
        let server = TestServer { server, http, folder: place, database: None };
        match id {
            None => id = Some(ask(&server, "denied-later").await.1),
            Some(id) => {
                approvals::decide(server.app(), &Actor::terminal(), id, Verdict::Approve, None).await.unwrap();
                let view = settled(&server, id).await;
                assert_eq!(view["state"], "failed", "{view}");
                assert!(view["result"].to_string().contains("denied because"), "{view}");
            }
        }
        server.stop().await;
    }
}

/// Also where the rule is about who asked, and no longer about the run that would carry it out.
#[tokio::test]
async fn what_was_denied_to_who_asked_since_stays_undone() {
    on_both(
        |_| {},
        |server| async move {
            let (_, id) = ask(&server, "denied-to-it").await;
            let (app, by) = (server.app(), Actor::terminal());
            let rule = json!({"callers": ["agent"], "tools": ["gohighlevel.add_*"], "decision": "deny"});
            let rule: server::policy::Rule = serde_json::from_value(rule).unwrap();
            server::policy::put(app, &by, "agents add nothing", rule, None, true).await.unwrap();
            approvals::decide(app, &by, id, Verdict::Approve, None).await.unwrap();
            let view = settled(&server, id).await;
            assert_eq!(view["state"], "failed", "{view}");
            assert!(view["result"].to_string().contains("agents add nothing"), "{view}");
        },
    )
    .await;
}

/// A kill between taking the call and writing down what came of it: the record of the call decides.
#[tokio::test]
async fn an_execution_that_was_cut_off_is_settled_from_its_record() {
    on_both(
        |_| {},
        |server| async move {
            let (_, id) = ask(&server, "cut-off").await;
            let (app, now) = (server.app(), server.app().clock.now());
            let tenant = app.store.tenant("default");
            let by = json!({"name": "test"});
            let long_ago = now - chrono::Duration::minutes(30);
            store::approvals::decide(&tenant, id, store::approvals::Decision::Approve, &by, None, long_ago)
                .await
                .unwrap();
            store::approvals::take(&tenant, id, now).await.unwrap().expect("taken");
            approvals::tidy(app, &app.store.tenant("default")).await.unwrap();
            assert_eq!(settled(&server, id).await["state"], "unknown");
        },
    )
    .await;
}

/// A kill after the call and before its end is written down: what was answered is told all the same.
#[tokio::test]
async fn what_was_answered_before_a_cut_off_is_told() {
    on_both(
        |_| {},
        |server| async move {
            let (_, id) = ask(&server, "answered").await;
            let app = server.app();
            approvals::decide(app, &Actor::terminal(), id, Verdict::Approve, None).await.unwrap();
            let answered = settled(&server, id).await["result"].clone();
            assert!(answered.is_object(), "{answered}");
            let undo = "UPDATE approvals SET state = 'executing', result = NULL, result_execution_id = NULL";
            store::testing::tamper(&app.store, undo).await.unwrap();
            approvals::tidy(app, &app.store.tenant("default")).await.unwrap();
            let view = settled(&server, id).await;
            assert_eq!((&view["state"], &view["result"]), (&json!("executed"), &answered), "{view}");
        },
    )
    .await;
}

/// The first changes what the customer owes, and the second is still what a person said yes to.
#[tokio::test]
async fn two_invoices_of_one_customer_are_both_made() {
    let server = TestServer::sqlite().await;
    let customers = server.data("quickbooks.list_customers", json!({"limit": 1})).await;
    let mut asked = Vec::new();
    for price in [10, 20] {
        let line = json!({"description": "Work", "unit_price": price, "quantity": 1});
        let invoice = json!({"customer_id": customers["customers"][0]["id"], "lines": [line]});
        let (status, body) = server.run("quickbooks.create_draft_invoice", invoice).await;
        assert_eq!(status, 202, "{body}");
        asked.push(body["data"]["approval_id"].as_str().unwrap().parse::<Uuid>().unwrap());
    }
    for id in asked {
        approvals::decide(server.app(), &Actor::terminal(), id, Verdict::Approve, None).await.unwrap();
        let view = settled(&server, id).await;
        assert_eq!(view["state"], "executed", "{view}");
    }
    server.stop().await;
}

/// A newer version wrote more than this one understands: nobody says yes to it here, and anybody says no.
#[tokio::test]
async fn who_may_say_yes_is_known_or_nobody_does() {
    let server = TestServer::sqlite().await;
    let (_, id) = ask(&server, "asked-by-a-newer-version").await;
    let app = server.app();
    store::testing::tamper(&app.store, "UPDATE approvals SET asks = '{\"of_another_kind\": true}'").await.unwrap();
    let approved = approvals::decide(app, &Actor::terminal(), id, Verdict::Approve, None).await;
    assert!(approved.unwrap_err().to_string().contains("cannot be read"));
    let arguments = json!({"contact_id": "x", "tags": ["y"]});
    assert!(approvals::modify(app, &Actor::terminal(), id, arguments, None).await.is_err());
    approvals::decide(app, &Actor::terminal(), id, Verdict::Reject, None).await.unwrap();
    server.stop().await;
}

/// Of what nobody waits for any more an agent's decision has an end as well.
#[tokio::test]
async fn what_was_withdrawn_or_expired_ends_the_decision() {
    on_both(
        |_| {},
        |server| async move {
            let (_, taken_back) = ask(&server, "taken-back").await;
            let (_, late) = ask(&server, "late").await;
            let row = store::approvals::get(&server.app().store.tenant("default"), taken_back).await.unwrap().unwrap();
            let agent = Actor::of_record(&row.requester, "default").unwrap();
            approvals::withdraw(server.app(), &agent, taken_back, "another way was found").await.unwrap();
            let decision = async || server.data("system.list_decisions", json!({})).await["decisions"][0].clone();
            assert_eq!(decision().await["outcome"], Value::Null, "one waits still");
            let over = "UPDATE approvals SET expires_at = created_at WHERE state = 'pending'";
            store::testing::tamper(&server.app().store, over).await.unwrap();
            assert_eq!(settled(&server, late).await["state"], "expired");
            assert_eq!(decision().await["outcome"], "failure", "{}", decision().await);
        },
    )
    .await;
}
