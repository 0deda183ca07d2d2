//! What a person decides is what happens: other arguments, another state of the business, another person, another time,
//! and many hands at once make no difference to that.

use std::sync::Arc;

use sdk::Kind;
use serde_json::{Value, json};
use server::actor::{Actor, Role, Scope};
use server::approvals::{self, Verdict, decide_as_seen, modify};
use server::calls::{self, Outcome, Request};
use server::identity::keys;
use uuid::Uuid;

use crate::approvals::settled;
use crate::identity::{owner, person};
use crate::letting_in::hidden;
use crate::storm::rounds;
use crate::support::{TestServer, on_both};

async fn contact(server: &TestServer) -> String {
    let contacts = server.data("gohighlevel.read_contacts", json!({"limit": 1})).await;
    contacts["contacts"][0]["id"].as_str().unwrap().to_owned()
}

/// Asks to name a contact so, and gives the approval.
async fn ask(server: &TestServer, contact: &str, name: &str) -> Value {
    let arguments = json!({"contact_id": contact, "first_name": name});
    let (status, body) = server.run("gohighlevel.update_contact", arguments).await;
    assert_eq!(status, 202, "{body}");
    server.data("system.get_approval", json!({"approval_id": body["data"]["approval_id"]})).await
}

fn id(approval: &Value) -> Uuid {
    approval["approval_id"].as_str().unwrap().parse().unwrap()
}

async fn first_name(server: &TestServer, contact: &str) -> String {
    let contact = server.data("gohighlevel.get_contact", json!({"contact_id": contact})).await;
    contact["contact"]["name"].as_str().unwrap().split(' ').next().unwrap().to_owned()
}

/// The machine's owner changes a contact at once.
async fn rename(server: &TestServer, contact: &str, name: &str) {
    let arguments = json!({"contact_id": contact, "first_name": name});
    let reply =
        calls::call(server.app(), &Actor::terminal(), Request::new("gohighlevel.update_contact", arguments)).await;
    assert!(matches!(reply.unwrap().outcome, Outcome::Done(_)));
}

fn changes(server: &TestServer) -> usize {
    server.app().sandbox.business().effects().len()
}

#[tokio::test]
async fn a_person_sees_what_would_change_and_it_has_to_be_still_so() {
    on_both(
        |_| {},
        |server| async move {
            let contact = contact(&server).await;
            let asked = ask(&server, &contact, "Wilhelmina").await;
            let change = &asked["plan"]["changes"][0];
            assert_eq!(change["after"], "Wilhelmina", "{asked}");
            assert_eq!(change["before"], first_name(&server, &contact).await, "{asked}");

            rename(&server, &contact, "Somebody").await;
            let before = changes(&server);
            approvals::decide(server.app(), &Actor::terminal(), id(&asked), Verdict::Approve, None).await.unwrap();
            let view = settled(&server, id(&asked)).await;
            assert_eq!(view["state"], "failed", "{view}");
            assert!(view["result"].to_string().contains("has changed since it was approved"), "{view}");
            assert_eq!((changes(&server), first_name(&server, &contact).await.as_str()), (before, "Somebody"));

            // Nothing stands in the way of asking again.
            let again = ask(&server, &contact, "Wilhelmina").await;
            approvals::decide(server.app(), &Actor::terminal(), id(&again), Verdict::Approve, None).await.unwrap();
            assert_eq!(settled(&server, id(&again)).await["state"], "executed");
        },
    )
    .await;
}

#[tokio::test]
async fn what_cannot_succeed_is_not_put_before_a_person() {
    let server = TestServer::sqlite().await;
    let arguments = json!({"contact_id": "nobody", "first_name": "Ada"});
    let (status, body) = server.run("gohighlevel.update_contact", arguments).await;
    assert_eq!(status, 404, "{body}");
    assert_eq!(server.data("system.list_approvals", json!({})).await["approvals"], json!([]));
    server.stop().await;
}

#[tokio::test]
async fn a_person_may_change_what_is_asked_for() {
    on_both(
        |_| {},
        |server| async move {
            let contact = contact(&server).await;
            let asked = ask(&server, &contact, "Wilhelmina").await;
            let (owner, app) = (Actor::terminal(), server.app());
            let other = json!({"contact_id": contact, "first_name": "Wilma"});

            for wrong in [
                json!({"contact_id": contact, "first_nam": "x"}),
                json!({"contact_id": "nobody", "tags": []}),
                asked["arguments"].clone(),
            ] {
                let refused = modify(app, &owner, id(&asked), wrong.clone(), None).await;
                assert!(matches!(refused.unwrap_err().kind, Kind::InvalidInput | Kind::NotFound), "{wrong}");
            }
            let agent =
                Actor::of_record(&json!({"kind": "agent", "id": "a", "name": "a", "door": "mcp"}), "default").unwrap();
            assert_eq!(modify(app, &agent, id(&asked), other.clone(), None).await.unwrap_err().kind, Kind::Forbidden);

            let changed = modify(app, &owner, id(&asked), other.clone(), None).await.unwrap();
            assert_eq!((changed.state.as_str(), &changed.arguments), ("pending", &other));
            assert_eq!(Value::from(changed.asked_arguments.unwrap()), asked["arguments"]);
            assert_eq!(changed.plan.unwrap()["changes"][0]["after"], "Wilma");

            // Who looked at what was asked first has decided about something else.
            let seen = asked["arguments_hash"].as_str();
            let late = decide_as_seen(app, &owner, (id(&asked), seen), Verdict::Approve, None).await;
            assert_eq!(late.unwrap_err().kind, Kind::Conflict);
            let seen = Some(changed.arguments_hash.as_str());
            decide_as_seen(app, &owner, (id(&asked), seen), Verdict::Approve, None).await.unwrap();
            let view = settled(&server, id(&asked)).await;
            assert_eq!(
                (&view["state"], first_name(&server, &contact).await.as_str()),
                (&json!("executed"), "Wilma"),
                "{view}"
            );
            assert_eq!(modify(app, &owner, id(&asked), json!({}), None).await.unwrap_err().kind, Kind::Conflict);

            let events =
                store::audit::events(&app.store.tenant("default"), Some("approval_modified"), 10, None).await.unwrap();
            let recorded = events.rows.first().expect("on record");
            assert_eq!(recorded.detail["before"]["arguments"], asked["arguments"]);
            assert_eq!(recorded.detail["after"]["arguments"], other);
        },
    )
    .await;
}

/// A change that falls under a stricter rule brings that rule's people with it, and votes for other arguments are void.
#[tokio::test]
async fn a_change_is_judged_as_if_it_had_been_asked_for() {
    on_both(
        |_| {},
        |server| async move {
            let app = server.app();
            let rule = |when: &str, says: Value| {
                let mut rule = json!({"tools": ["gohighlevel.update_contact"], "when": when});
                rule.as_object_mut().unwrap().extend(says.as_object().unwrap().clone());
                serde_json::from_value(rule).unwrap()
            };
            let (two, deny) = (json!({"decision": "ask", "asks": {"people": 2}}), json!({"decision": "deny"}));
            let owner = Actor::terminal();
            server::policy::put(app, &owner, "never", rule("args.first_name == 'Root'", deny), Some(1), true)
                .await
                .unwrap();
            server::policy::put(app, &owner, "two", rule("args.first_name.startsWith('W')", two), Some(2), true)
                .await
                .unwrap();
            let contact = contact(&server).await;
            let asked = ask(&server, &contact, "Wilhelmina").await;
            let vote = approvals::decide(app, &owner, id(&asked), Verdict::Approve, None).await.unwrap();
            assert_eq!(vote.state, "pending", "one of two");
            let named = |name: &str| json!({"contact_id": contact, "first_name": name});
            assert_eq!(modify(app, &owner, id(&asked), named("Root"), None).await.unwrap_err().kind, Kind::Forbidden);
            modify(app, &owner, id(&asked), named("Wanda"), None).await.unwrap();
            let second = Actor { id: "second".into(), ..Actor::terminal() };
            let vote = approvals::decide(app, &second, id(&asked), Verdict::Approve, None).await.unwrap();
            assert_eq!(vote.state, "pending", "the first yes was to another name");
            modify(app, &owner, id(&asked), named("Ada"), None).await.unwrap();
            let done = approvals::decide(app, &second, id(&asked), Verdict::Approve, None).await.unwrap();
            assert_ne!(done.state, "pending", "for this name one is enough");
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_hundred_hands_on_one_request_one_decides() {
    on_both(
        |_| {},
        |server| async move {
            let contact = contact(&server).await;
            for round in 0..rounds(4) {
                let asked = ask(&server, &contact, &format!("Round{round}")).await;
                race(&server, &contact, &asked).await;
            }
            let report = store::chain::verify(&server.app().store.system()).await.unwrap();
            assert!(report.findings.is_empty(), "{report:?}");
        },
    )
    .await;
}

async fn race(server: &Arc<TestServer>, contact: &str, asked: &Value) {
    let (id, before) = (id(asked), changes(server));
    let hands = (0..200).map(|hand| {
        let (app, contact) = (server.app().clone(), contact.to_owned());
        tokio::spawn(async move {
            let by = Actor { id: format!("person {hand}"), ..Actor::terminal() };
            match hand % 4 {
                0 => approvals::decide(&app, &by, id, Verdict::Approve, None).await.is_ok(),
                1 => approvals::decide(&app, &by, id, Verdict::Reject, None).await.is_ok(),
                2 => {
                    let arguments = json!({"contact_id": contact, "first_name": format!("Hand{hand}")});
                    drop(modify(&app, &by, id, arguments, None).await);
                    false
                }
                _ => {
                    let late = app.clock.now() + chrono::Duration::days(400);
                    let expired = store::approvals::expire_due(&app.store.system(), late).await.unwrap();
                    expired.iter().any(|row| row.id == id)
                }
            }
        })
    });
    let settled_by = futures::future::join_all(hands).await.into_iter().filter(|won| *won.as_ref().unwrap()).count();
    let view = settled(server, id).await;
    let state = view["state"].as_str().unwrap();
    assert!(["executed", "failed", "rejected", "expired"].contains(&state), "{view}");
    // An approval that nobody has taken up yet may still run out.
    assert!(settled_by == 1 || (settled_by == 2 && state == "expired"), "{settled_by} decided: {view}");
    let made = changes(server) - before;
    assert_eq!(made, usize::from(state == "executed"), "{view}");
    if made == 1 {
        assert_eq!(view["arguments"]["first_name"], first_name(server, contact).await, "{view}");
    }
}

/// Each of these tries to have something done that nobody said yes to.
#[tokio::test]
async fn forgeries_are_refused_and_on_record() {
    on_both(
        |_| {},
        |server| async move {
            let app = server.app();
            let contact = contact(&server).await;
            let owner = Actor::terminal();
            let approve = |id| approvals::decide(app, &owner, id, Verdict::Approve, None);
            let before = changes(&server);

            // The arguments, or the tool, are others when it is carried out than when it was approved.
            for (column, value) in
                [("arguments", "'{\"contact_id\": \"x\", \"first_name\": \"Mallory\"}'"), ("tool_version", "'other'")]
            {
                let asked = ask(&server, &contact, &format!("Forged-{column}")).await;
                let sql = format!("UPDATE approvals SET {column} = {value} WHERE state = 'pending'");
                assert_eq!(store::testing::tamper(&app.store, &sql).await.unwrap(), 1);
                approve(id(&asked)).await.unwrap();
                assert_eq!(settled(&server, id(&asked)).await["state"], "failed", "{column}");
            }
            // Another business knows nothing of it.
            let asked = ask(&server, &contact, "Foreign").await;
            let foreign = Actor { tenant: "another".into(), ..Actor::terminal() };
            let refused = approvals::decide(app, &foreign, id(&asked), Verdict::Approve, None).await;
            assert_eq!(refused.unwrap_err().kind, Kind::NotFound);
            // The agent itself, a viewer, and a key without the scope.
            let agent =
                Actor::of_record(&json!({"kind": "agent", "id": "a", "name": "a", "door": "mcp"}), "default").unwrap();
            let viewer = Actor { scopes: Role::Viewer.scopes(), role: Some(Role::Viewer), ..Actor::terminal() };
            for who in [agent, viewer] {
                let refused = approvals::decide(app, &who, id(&asked), Verdict::Approve, None).await;
                assert_eq!(refused.unwrap_err().kind, Kind::Forbidden);
            }
            let (_, key) =
                keys::create(app, &Actor::terminal(), "writer", &[Scope::Read, Scope::Write], None).await.unwrap();
            let place = server.url(&format!("/api/v1/approvals/{}/decision", id(&asked)));
            let body = json!({"decision": "approve"});
            assert_eq!(server.http.post(&place).bearer_auth(&key).json(&body).send().await.unwrap().status(), 403);
            assert_eq!(server.http.get(&place).bearer_auth(&key).send().await.unwrap().status(), 405, "a mail scanner");
            assert_eq!(server.http.post(&place).json(&body).send().await.unwrap().status(), 401, "nobody");
            // A second time, and too late.
            approvals::decide(app, &Actor::terminal(), id(&asked), Verdict::Reject, None).await.unwrap();
            assert_eq!(approve(id(&asked)).await.unwrap_err().kind, Kind::Conflict);
            let late = ask(&server, &contact, "Late").await;
            let after = app.clock.now() + chrono::Duration::days(400);
            store::approvals::expire_due(&app.store.system(), after).await.unwrap();
            assert_eq!(approve(id(&late)).await.unwrap_err().kind, Kind::Conflict);
            // No tool approves, whatever it is called with.
            for tool in app.tools.iter().filter(|tool| tool.id.contains("approv")) {
                assert!(!tool.spec.effect.is_outward(), "{} changes something", tool.id);
            }
            assert_eq!(changes(&server), before, "nothing has reached the vendor");
        },
    )
    .await;
}

/// A place of the operator's is told once, signed, without what was asked for.
#[tokio::test]
async fn people_are_told_that_a_call_waits() {
    let (told, mut heard) = tokio::sync::mpsc::unbounded_channel();
    let app = axum::Router::new().fallback(move |headers: axum::http::HeaderMap, body: String| {
        let told = told.clone();
        async move { drop(told.send((headers, body))) }
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let place = format!("http://{}/notices", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    let server = TestServer::start(None, |config| {
        config.notifications.url = Some(place);
        config.secrets.insert("NOTIFY_SECRET".into(), "a secret of the operator".to_owned().into());
    })
    .await;
    let contact = contact(&server).await;
    let asked = ask(&server, &contact, "Canary").await;
    ask(&server, &contact, "Canary").await;
    let (headers, body) = heard.recv().await.unwrap();
    let message: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(
        (&message["type"], &message["data"]["approval_id"]),
        (&json!("approval.requested"), &asked["approval_id"])
    );
    assert!(!body.contains("Canary"), "what was asked for stays here: {body}");
    let text = |name: &str| headers[name].to_str().unwrap().to_owned();
    let signed = format!("{}.{}.{body}", text("webhook-id"), text("webhook-timestamp"));
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, b"a secret of the operator");
    let signature =
        base64::Engine::decode(&base64::prelude::BASE64_STANDARD, text("webhook-signature").trim_start_matches("v1,"))
            .unwrap();
    ring::hmac::verify(&key, signed.as_bytes(), &signature).unwrap();
    assert!(heard.try_recv().is_err(), "once for one question");
    server.stop().await;
}

/// A person follows the link in the agent's answer, signs in on the way, sees what would change, and decides there.
#[tokio::test]
async fn a_person_decides_on_a_page() {
    on_both(
        |_| {},
        |server| async move {
            let owner = owner(&server).await;
            let viewer = person(&server, "viewer@shop.example", Role::Viewer).await;
            let contact = contact(&server).await;
            let asked = ask(&server, &contact, "<b>Wilma</b>\u{202e}").await;
            let place = format!("/approvals/{}", id(&asked));
            let get = async |path: &str, cookie: Option<&str>| {
                let mut request = server.http.get(server.url(path));
                if let Some(cookie) = cookie {
                    request = request.header("cookie", cookie);
                }
                let answer = request.send().await.unwrap();
                (answer.status().as_u16(), answer.text().await.unwrap())
            };
            let post = async |cookie: Option<&str>, form: &[(&str, &str)]| {
                let mut request = server.http.post(server.url(&place)).form(form);
                if let Some(cookie) = cookie {
                    request = request.header("cookie", cookie);
                }
                let answer = request.send().await.unwrap();
                (answer.status().as_u16(), answer.text().await.unwrap())
            };
            assert!(get(&place, None).await.1.contains(&format!("{place}/look")), "it leads on first");
            let sign_in = get(&format!("{place}/look"), None).await.1;
            assert!(!sign_in.contains("Wilma"), "nothing is told to strangers: {sign_in}");
            assert_eq!(hidden(&sign_in, "next"), format!("{place}/look"));
            let elsewhere = [("next", "https://evil.example/"), ("email", "owner@shop.example"), ("password", "x")];
            let led = server.http.post(server.url("/sign-in")).form(&elsewhere).send().await.unwrap();
            assert_eq!(led.status(), 400, "it leads nowhere else");

            let (status, page) = get(&place, Some(&owner.cookie)).await;
            assert_eq!(status, 200, "{page}");
            assert!(page.contains("&lt;b&gt;Wilma") && !page.contains("<b>Wilma"), "{page}");
            assert!(page.contains("\\u202e") && !page.contains('\u{202e}'), "what would hide is shown: {page}");
            let (csrf, hash) = (hidden(&page, "csrf"), hidden(&page, "arguments_hash"));
            let looking = get(&place, Some(&viewer.cookie)).await.1;
            assert!(looking.contains("only look") && !looking.contains("Approve"), "{looking}");

            let yes = |csrf| [("csrf", csrf), ("arguments_hash", hash.as_str()), ("decision", "approve")];
            assert_eq!(post(Some(&owner.cookie), &yes("made-up")).await.0, 403, "a foreign page");
            assert_eq!(post(Some(&viewer.cookie), &yes(&viewer.csrf)).await.0, 403, "a viewer");
            assert!(post(None, &yes(&csrf)).await.1.contains("Sign in"), "nobody");
            let arguments = json!({"contact_id": contact, "first_name": "Wilma"}).to_string();
            let change =
                [("csrf", csrf.as_str()), ("arguments_hash", &hash), ("decision", "modify"), ("arguments", &arguments)];
            let (status, changed) = post(Some(&owner.cookie), &change).await;
            assert_eq!(status, 200, "{changed}");
            assert_eq!(post(Some(&owner.cookie), &yes(&csrf)).await.0, 409, "what was looked at has been changed");
            let hash = hidden(&changed, "arguments_hash");
            let yes = [("csrf", csrf.as_str()), ("arguments_hash", &hash), ("decision", "approve")];
            assert_eq!(post(Some(&owner.cookie), &yes).await.0, 200);
            assert_eq!(settled(&server, id(&asked)).await["state"], "executed");
            assert_eq!(first_name(&server, &contact).await, "Wilma");
        },
    )
    .await;
}
