//! An agent that has read what strangers wrote sends nothing unasked; what agents decide is kept with what came of it;
//! and a client that can open a page gets the approval within its call.

use serde_json::{Value, json};
use server::actor::Actor;
use server::approvals::{self, Verdict};
use uuid::Uuid;

use crate::approvals::settled;
use crate::support::{KEY, TestServer, on_both};

/// Another key's calls, with headers.
async fn call(server: &TestServer, key: &str, tool: &str, arguments: Value, headers: &[(&str, &str)]) -> (u16, Value) {
    let mut request = server.http.post(server.url(&format!("/mcp/run/{tool}"))).bearer_auth(key).json(&arguments);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

fn may_send(config: &mut server::config::Config) {
    config.policy.allow = vec!["slack.post_message".into(), "gohighlevel.add_tags".into()];
}

#[tokio::test]
async fn who_has_read_what_strangers_wrote_sends_nothing_unasked() {
    on_both(may_send, |server| async move {
        let scopes = [server::actor::Scope::Read, server::actor::Scope::Write];
        let (_, other) =
            server::identity::keys::create(server.app(), &Actor::terminal(), "other", &scopes, None).await.unwrap();
        let channels = server.data("slack.list_channels", json!({})).await;
        let post = json!({"channel": channels["channels"][0]["id"], "text": "Good morning"});
        let (status, body) = server.run("slack.post_message", post.clone()).await;
        assert_eq!(status, 200, "allowed before: {body}");

        let mails = server.run("google_workspace.list_messages", json!({"limit": 2})).await.1;
        assert_eq!(mails["metadata"]["untrusted_text"], true, "{mails}");
        let (status, body) = server.run("slack.post_message", post.clone()).await;
        assert_eq!(status, 202, "{body}");
        let reason = body["data"]["reason"].as_str().unwrap();
        assert!(reason.contains("google_workspace.list_messages") && reason.contains("sends"), "{reason}");
        // A question about it, and what stays in the house, go on as before; so does who has read nothing.
        let mut plan = post.clone();
        plan["dry_run"] = json!(true);
        assert_eq!(server.run("slack.post_message", plan).await.0, 200);
        let contacts = server.run("gohighlevel.read_contacts", json!({"limit": 1})).await.1;
        assert_eq!(contacts["metadata"].get("untrusted_text"), None, "{contacts}");
        let tags = json!({"contact_id": contacts["data"]["contacts"][0]["id"], "tags": ["vip"]});
        assert_eq!(server.run("gohighlevel.add_tags", tags).await.0, 200);
        assert_eq!(call(&server, &other, "slack.post_message", post.clone(), &[]).await.0, 200);
        // A person who approves it has read it.
        let id: Uuid = body["data"]["approval_id"].as_str().unwrap().parse().unwrap();
        approvals::decide(server.app(), &Actor::terminal(), id, Verdict::Approve, None).await.unwrap();
        assert_eq!(settled(&server, id).await["state"], "executed");
    })
    .await;
}

/// What a person let it read is read all the same, by whichever way it gets the answer.
#[tokio::test]
async fn an_approved_read_counts_as_one() {
    let careful = |config: &mut server::config::Config| {
        may_send(config);
        config.policy.ask = vec!["google_workspace.list_messages".into()];
    };
    on_both(careful, |server| async move {
        let channels = server.data("slack.list_channels", json!({})).await;
        let post = json!({"channel": channels["channels"][0]["id"], "text": "Good morning"});
        let (status, asked) = server.run("google_workspace.list_messages", json!({"limit": 2})).await;
        assert_eq!(status, 202, "{asked}");
        let id: Uuid = asked["data"]["approval_id"].as_str().unwrap().parse().unwrap();
        approvals::decide(server.app(), &Actor::terminal(), id, Verdict::Approve, None).await.unwrap();
        assert_eq!(server.run("slack.post_message", post.clone()).await.0, 200, "it has read nothing yet");
        let view = settled(&server, id).await;
        assert_eq!((&view["state"], &view["untrusted_text"]), (&json!("executed"), &json!(true)), "{view}");
        let (status, body) = server.run("slack.post_message", post).await;
        assert_eq!(status, 202, "{body}");
    })
    .await;
}

#[tokio::test]
async fn containment_can_be_switched_off() {
    let server = TestServer::sqlite_with(|config| {
        may_send(config);
        config.policy.containment_minutes = 0;
    })
    .await;
    server.data("google_workspace.list_messages", json!({"limit": 2})).await;
    let channels = server.data("slack.list_channels", json!({})).await;
    server.data("slack.post_message", json!({"channel": channels["channels"][0]["id"], "text": "Hello"})).await;
    server.stop().await;
}

#[tokio::test]
async fn what_agents_decide_is_kept_with_what_came_of_it() {
    on_both(may_send, |server| async move {
        let trace = ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
        let agent = ("user-agent", "Test Agent/1.0");
        let contacts = server.data("gohighlevel.read_contacts", json!({"limit": 1})).await;
        let contact = contacts["contacts"][0]["id"].clone();
        let tags = json!({"contact_id": contact, "tags": ["vip"]});
        assert_eq!(call(&server, KEY, "gohighlevel.add_tags", tags, &[trace, agent]).await.0, 200);
        let name = json!({"contact_id": contact, "first_name": "Wilma"});
        let (_, asked) = call(&server, KEY, "gohighlevel.update_contact", name, &[trace, agent]).await;
        let said =
            json!({"decision": "Make her a VIP", "rationale": "She asked twice", "context": {"asked": "who is loyal"}});
        assert_eq!(call(&server, KEY, "system.record_decision", said, &[trace, agent]).await.0, 200);
        // What belongs to nothing that was said stands by itself.
        let alone = json!({"contact_id": contact, "tags": ["other"]});
        assert_eq!(call(&server, KEY, "gohighlevel.add_tags", alone, &[agent]).await.0, 200);

        let listed = server.data("system.list_decisions", json!({})).await["decisions"].clone();
        assert_eq!(listed.as_array().unwrap().len(), 2, "{listed}");
        let of = |listed: &Value| {
            let mut rows = listed.as_array().unwrap().iter();
            rows.find(|row| row["correlation_id"] == "4bf92f3577b34da6a3ce929d0e0e4736").unwrap().clone()
        };
        let before = of(&listed);
        assert_eq!((&before["agent"], &before["decision"]), (&json!("Test Agent/1.0"), &json!("Make her a VIP")));
        assert_eq!((before["steps"][1]["status"].as_str(), before.get("outcome")), (Some("waiting"), None), "{before}");

        let id: Uuid = asked["data"]["approval_id"].as_str().unwrap().parse().unwrap();
        approvals::decide(server.app(), &Actor::terminal(), id, Verdict::Reject, None).await.unwrap();
        let after = of(&server.data("system.list_decisions", json!({})).await["decisions"]);
        assert_eq!(
            (&after["outcome"], &after["steps"][1]["status"]),
            (&json!("partial"), &json!("rejected")),
            "{after}"
        );

        // The record of the call and the approval carry the same id.
        let tenant = server.app().store.tenant("default");
        let execution: Uuid = after["steps"][0]["execution_id"].as_str().unwrap().parse().unwrap();
        let row = store::audit::get(&tenant, execution).await.unwrap().unwrap();
        assert_eq!(row.user_context["correlation"], after["correlation_id"]);
        let approval = store::approvals::get(&tenant, id).await.unwrap().unwrap();
        assert_eq!(approval.requester["correlation"], after["correlation_id"]);

        // People say what they think of it; agents do not.
        let decision: Uuid = after["decision_id"].as_str().unwrap().parse().unwrap();
        let place = server.url(&format!("/api/v1/decisions/{decision}/feedback"));
        let feedback = json!({"feedback": "Ask me first"});
        assert_eq!(server.http.post(&place).bearer_auth(KEY).json(&feedback).send().await.unwrap().status(), 403);
        let owner = Actor::terminal();
        server::decisions::feedback(server.app(), &owner, decision, None, Some("Ask me first")).await.unwrap();
        let told = of(&server.data("system.list_decisions", json!({})).await["decisions"]);
        assert_eq!(told["feedback"], "Ask me first");
    })
    .await;
}

/// `tools/call` of the 2026-07-28 era by a client that can open pages.
async fn modern(server: &TestServer, key: &str, name: &str, arguments: &Value, more: Value) -> Value {
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "pages", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {"elicitation": {"form": {}, "url": {}}},
    });
    let mut params = json!({"name": name, "arguments": arguments, "_meta": meta});
    params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params});
    let request = server.http.post(server.url("/mcp")).bearer_auth(key).header("mcp-protocol-version", "2026-07-28");
    let request = request.header("mcp-method", "tools/call").header("mcp-name", name);
    request
        .header("accept", "application/json, text/event-stream")
        .json(&body)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap()
}

#[tokio::test]
async fn a_client_that_opens_pages_gets_the_approval_within_its_call() {
    on_both(|_| {}, |server| async move {
        let contacts = server.data("gohighlevel.read_contacts", json!({"limit": 1})).await;
        let arguments = json!({"contact_id": contacts["contacts"][0]["id"], "tags": ["in-rounds"]});
        let tool = "gohighlevel_add_tags";
        let first = modern(&server, KEY, tool, &arguments, json!({})).await["result"].clone();
        assert_eq!(first["resultType"], "input_required", "{first}");
        let asked = &first["inputRequests"]["approval"]["params"];
        let url = asked["url"].as_str().unwrap();
        let id: Uuid = url.rsplit('/').next().unwrap().parse().unwrap();
        let again = |state: &Value, action: &str| {
            json!({"requestState": state, "inputResponses": {"approval": {"action": action}}})
        };

        // A note that was changed, or that belongs to another call or caller, is refused and on record.
        let state = first["requestState"].as_str().unwrap();
        let changed = format!("{}{}", &state[..state.len() - 1], if state.ends_with('A') { 'B' } else { 'A' });
        let other = json!({"contact_id": arguments["contact_id"], "tags": ["other"]});
        let scopes = [server::actor::Scope::Read, server::actor::Scope::Write];
        let (_, key) =
            server::identity::keys::create(server.app(), &Actor::terminal(), "other", &scopes, None).await.unwrap();
        for (key, arguments, state) in [
            (KEY, &arguments, json!(changed)),
            (KEY, &arguments, json!("nonsense")),
            (KEY, &other, json!(state)),
            (key.as_str(), &arguments, json!(state)),
        ] {
            let refused = modern(&server, key, tool, arguments, again(&state, "accept")).await;
            assert_eq!(refused["error"]["code"], -32602, "{refused}");
        }
        let tenant = server.app().store.tenant("default");
        let recorded = store::audit::events(&tenant, Some("request_state_refused"), 10, None).await.unwrap();
        assert_eq!(recorded.rows.len(), 4);

        approvals::decide(server.app(), &Actor::terminal(), id, Verdict::Approve, None).await.unwrap();
        let done = modern(&server, KEY, tool, &arguments, again(&json!(state), "accept")).await["result"].clone();
        assert_ne!(done["isError"], true, "{done}");
        assert!(done["structuredContent"].to_string().contains("in-rounds"), "{done}");
        // A replay answers the same, and does nothing.
        let effects = server.app().sandbox.business().effects().len();
        let replayed = modern(&server, KEY, tool, &arguments, again(&json!(state), "accept")).await["result"].clone();
        assert!(replayed["structuredContent"].to_string().contains("in-rounds"), "{replayed}");
        assert_eq!(server.app().sandbox.business().effects().len(), effects);

        // Who declines takes the question back.
        let second = modern(&server, KEY, tool, &other, json!({})).await["result"].clone();
        let declined = modern(&server, KEY, tool, &other, again(&second["requestState"], "decline")).await;
        assert_eq!(declined["result"]["isError"], true, "{declined}");
        let waiting = server.data("system.list_approvals", json!({})).await;
        assert!(!waiting.to_string().contains("\"pending\""), "{waiting}");
    })
    .await;
}
