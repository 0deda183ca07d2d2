//! Who may not any more gets nothing done that waited for a person: a key that was revoked, a client that was cut off, a
//! person who was sent away or may only look now.

use axum::http::Method;
use serde_json::{Value, json};
use server::actor::{Actor, Role, Scope};
use server::approvals::{self, Verdict};
use server::calls::{self, Outcome, Request};
use server::identity::keys;
use uuid::Uuid;

use crate::approvals::settled;
use crate::identity::{owner, person};
use crate::support::{TestServer, on_both};

/// Somebody says yes, and nothing is done.
async fn refused(server: &TestServer, id: Uuid, because: &str) {
    let before = server.app().sandbox.business().effects().len();
    approvals::decide(server.app(), &Actor::terminal(), id, Verdict::Approve, None).await.unwrap();
    let view = settled(server, id).await;
    assert_eq!(view["state"], "failed", "{view}");
    assert!(view["result"].to_string().contains(because), "{view}");
    assert_eq!(server.app().sandbox.business().effects().len(), before, "nothing has reached the vendor");
}

async fn tag(server: &TestServer) -> Value {
    let contacts = server.data("gohighlevel.read_contacts", json!({"limit": 1})).await;
    json!({"contact_id": contacts["contacts"][0]["id"], "tags": ["standing"]})
}

#[tokio::test]
async fn what_a_revoked_key_asked_for_is_not_done() {
    on_both(
        |_| {},
        |server| async move {
            let (app, scopes) = (server.app(), [Scope::Read, Scope::Write]);
            let (id, key) = keys::create(app, &Actor::terminal(), "leaked", &scopes, None).await.unwrap();
            let place = server.url("/mcp/run/gohighlevel.add_tags");
            let sent = server.http.post(place).bearer_auth(&key).json(&tag(&server).await).send().await.unwrap();
            let asked: Value = sent.json().await.unwrap();
            let approval = asked["data"]["approval_id"].as_str().unwrap().parse().unwrap();
            keys::revoke(app, &Actor::terminal(), id).await.unwrap();
            refused(&server, approval, "revoked").await;
        },
    )
    .await;
}

#[tokio::test]
async fn what_people_and_their_clients_asked_for_falls_with_them() {
    on_both(
        |_| {},
        |server| async move {
            let app = server.app();
            let owner = owner(&server).await;
            let ask = json!({"tools": ["gohighlevel.add_tags"], "decision": "ask"});
            let rule: server::policy::Rule = serde_json::from_value(ask).unwrap();
            server::policy::put(app, &Actor::terminal(), "ask everybody", rule, None, true).await.unwrap();
            for (change, because) in
                [(json!({"role": "viewer"}), "may not any more"), (json!({"disabled": true}), "may not")]
            {
                let name = if change["disabled"] == true { "sent-away" } else { "looks-only" };
                let operator = person(&server, &format!("{name}@example.com"), Role::Operator).await;
                let (status, asked) =
                    operator.send(Method::POST, "/mcp/run/gohighlevel.add_tags", tag(&server).await).await;
                assert_eq!(status, 202, "{asked}");
                let path = format!("/api/v1/people/{}", operator.id);
                let (status, changed) = owner.send(Method::PATCH, &path, change).await;
                assert_eq!(status, 200, "{changed}");
                refused(&server, asked["data"]["approval_id"].as_str().unwrap().parse().unwrap(), because).await;
            }
            // A client whose consent is gone, and callers of whom nothing is known.
            let of_client = json!({"kind": "agent", "id": "oauth:gone", "name": "a client", "door": "mcp",
                "behalf_of": Uuid::now_v7()});
            let of_nobody = |kind: &str| json!({"kind": kind, "id": "nobody", "name": "nobody", "door": "rest"});
            for (caller, because) in
                [(of_client, "cut off"), (of_nobody("agent"), "revoked"), (of_nobody("person"), "may not any more")]
            {
                let caller = Actor::of_record(&caller, "default").unwrap();
                let request = Request::new("gohighlevel.add_tags", tag(&server).await);
                let Outcome::Pending(pending) = calls::call(app, &caller, request).await.unwrap().outcome else {
                    panic!("it was not asked about")
                };
                refused(&server, pending.id, because).await;
            }
        },
    )
    .await;
}
