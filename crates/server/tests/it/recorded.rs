//! A change is on record before it is in force: where the record cannot be written, nothing has changed.

use reqwest::{Method, StatusCode};
use serde_json::json;
use server::actor::{Actor, Role};
use server::connections::{disconnect, test};
use server::identity::people;

use crate::approvals::settled;
use crate::identity::{self, PASSWORD, owner, person};
use crate::oauth::{beside, connected, vendor};
use crate::support::{TestServer, on_both};

/// How many records of this kind there are.
async fn records(server: &TestServer, event: &str) -> usize {
    store::audit::events(&server.app().store.tenant("default"), Some(event), 99, None).await.unwrap().rows.len()
}

#[tokio::test]
async fn a_key_is_neither_made_nor_ended_without_a_record() {
    on_both(
        |_| {},
        |server| async move {
            let owner = owner(&server).await;
            let new = json!({"name": "books", "scopes": ["read"]});
            let (_, made) = owner.send(Method::POST, "/api/v1/keys", new.clone()).await;
            let path = format!("/api/v1/keys/{}", made["id"].as_str().unwrap());
            let (_, before) = owner.send(Method::GET, "/api/v1/keys", json!({})).await;
            server.app().audit.close().await;
            assert_eq!(owner.send(Method::POST, "/api/v1/keys", new).await.0, 503);
            assert_eq!(owner.send(Method::DELETE, &path, json!({})).await.0, 503);
            assert_eq!(owner.send(Method::GET, "/api/v1/keys", json!({})).await.1, before);
        },
    )
    .await;
}

#[tokio::test]
async fn what_there_is_not_to_end_leaves_no_record() {
    let server = TestServer::sqlite().await;
    let owner = owner(&server).await;
    let (_, made) = owner.send(Method::POST, "/api/v1/keys", json!({"name": "books", "scopes": ["read"]})).await;
    let path = format!("/api/v1/keys/{}", made["id"].as_str().unwrap());
    for status in [204, 404] {
        assert_eq!(owner.send(Method::DELETE, &path, json!({})).await.0, status);
        assert_eq!(records(&server, "key_revoked").await, 1);
    }
    server.stop().await;
}

#[tokio::test]
async fn a_link_is_used_with_a_record_alone() {
    on_both(
        |_| {},
        |server| async move {
            let first = people::setup_link(server.app(), "default").await.unwrap().unwrap();
            server.app().audit.close().await;
            let form = [("email", "a@shop.example"), ("name", "A"), ("password", PASSWORD)];
            let page = server.http.post(server.url(&first)).form(&form).send().await.unwrap();
            assert_eq!(page.status(), StatusCode::SERVICE_UNAVAILABLE);
            assert!(people::list(server.app(), &Actor::terminal()).await.unwrap().is_empty());
            assert_eq!(server.http.get(server.url(&first)).send().await.unwrap().status(), 200, "it is still good");
        },
    )
    .await;
}

#[tokio::test]
async fn a_password_is_set_with_a_record_alone() {
    let server = TestServer::sqlite().await;
    let by = Actor::terminal();
    let (_, link) = people::invite(server.app(), &by, "a@shop.example", "A", Role::Viewer).await.unwrap();
    server.app().audit.close().await;
    let page = server.http.post(server.url(&link)).form(&[("password", PASSWORD)]).send().await.unwrap();
    assert_eq!(page.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(people::list(server.app(), &by).await.unwrap()[0].password_hash.is_none());
    server.stop().await;
}

/// Whoever has become an owner otherwise meanwhile: the link makes nobody, and nothing says that it did.
#[tokio::test]
async fn a_first_link_that_comes_late_leaves_no_record() {
    let server = TestServer::sqlite().await;
    let first = people::setup_link(server.app(), "default").await.unwrap().unwrap();
    person(&server, "owner@shop.example", Role::Owner).await;
    let form = [("email", "a@shop.example"), ("name", "A"), ("password", PASSWORD)];
    let page = server.http.post(server.url(&first)).form(&form).send().await.unwrap();
    assert_eq!(page.status(), StatusCode::NOT_FOUND);
    assert_eq!((records(&server, "first_owner_made").await, records(&server, "password_set").await), (0, 1));
    server.stop().await;
}

/// The vendor is not told to forget the tokens either.
#[tokio::test]
async fn an_account_is_disconnected_with_a_record_alone() {
    let vendor = vendor().await;
    let (server, account) = beside(&vendor, None, |_| {}).await;
    connected(&server, &account).await;
    let app = server.app();
    app.audit.close().await;
    disconnect(app, &Actor::terminal(), "quickbooks").await.unwrap_err();
    test(app, app.connections.own(), "quickbooks").await.unwrap();
    server.stop().await;
}

#[tokio::test]
async fn a_second_factor_begins_and_is_in_force_on_record() {
    on_both(
        |_| {},
        |server| async move {
            let (begin, confirm) = ("/api/v1/session/second-factor", "/api/v1/session/second-factor/confirm");
            let owner = owner(&server).await;
            let code = identity::authenticator(&server, &owner).await;
            assert_eq!(records(&server, "second_factor_begun").await, 1);
            assert_eq!(owner.send(Method::POST, confirm, json!({"code": "000000"})).await.0, 403);
            assert_eq!(records(&server, "second_factor_confirmed").await, 0);
            for step in [-1, 0] {
                assert_eq!(owner.send(Method::POST, confirm, json!({"code": code(step)})).await.0, 204);
                assert_eq!(records(&server, "second_factor_confirmed").await, 1, "the second changes nothing");
            }

            let other = person(&server, "other@shop.example", Role::Viewer).await;
            let code = identity::authenticator(&server, &other).await;
            server.app().audit.close().await;
            assert_eq!(other.send(Method::POST, confirm, json!({"code": code(0)})).await.0, 503);
            assert_eq!(other.send(Method::POST, begin, json!({"password": PASSWORD})).await.0, 503);
            let people = people::list(server.app(), &Actor::terminal()).await.unwrap();
            let other = people.iter().find(|one| one.email == "other@shop.example").unwrap();
            assert!(other.totp_since.is_none(), "it is not in force");
        },
    )
    .await;
}

/// The verdict is on record and the call is carried out; who decided is not told that nothing was done.
#[tokio::test]
async fn a_decision_that_was_taken_is_answered_as_taken() {
    let server = TestServer::sqlite().await;
    let contacts = server.data("gohighlevel.read_contacts", json!({"limit": 1})).await;
    let tags = json!({"contact_id": contacts["contacts"][0]["id"], "tags": ["vip"]});
    let (_, asked) = server.run("gohighlevel.add_tags", tags).await;
    let id = asked["data"]["approval_id"].as_str().unwrap();
    let refusal = "CREATE TRIGGER refusal BEFORE INSERT ON audit_events WHEN NEW.event = 'approval_decided' \
                   BEGIN SELECT RAISE(ABORT, 'not this one'); END";
    store::testing::tamper(&server.app().store, refusal).await.unwrap();
    let owner = owner(&server).await;
    let path = format!("/api/v1/approvals/{id}/decision");
    let (status, decided) = owner.send(Method::POST, &path, json!({"decision": "approve"})).await;
    assert_eq!(status, 200, "{decided}");
    assert_eq!((records(&server, "approval_verdict").await, records(&server, "approval_decided").await), (1, 0));
    assert_eq!(settled(&server, id.parse().unwrap()).await["state"], "executed");
    server.stop().await;
}
