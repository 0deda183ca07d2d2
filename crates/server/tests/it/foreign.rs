//! What belongs to another business is found by no route and by no tool, and nothing of it changes.
//!
//! The routes are read from the one place that lists them, the tools from the catalogue; a new route without a case fails.

use reqwest::Method;
use serde_json::{Map, Value, json};
use server::actor::{Actor, Role, Scope};
use server::identity::{keys, people};
use server::policy::{self, Budget, Rule, budgets};
use store::contacts::NewContact;
use store::interactions::NewInteraction;
use store::testing::{rows_of, tables_with, tamper};
use store::vault::NewCredential;
use uuid::Uuid;

use crate::support::{TestServer, on_both};
use crate::tenants::{Business, walled};

/// In the rows of the other business; it is never sent.
const CANARY: &str = "plugh-canary";
/// Names of the other business that are sent.
const NAME: &str = "their-rule";
const EMAIL: &str = "somebody@theirs.example";

/// The ids of another business's rows.
struct Ids {
    contact: i64,
    vendor: String,
    approval: String,
    execution: String,
    person: String,
    cursor: String,
    key: String,
    decision: String,
    /// Of the approval's arguments.
    hash: String,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_of_another_business_is_found_or_changed() {
    on_both(walled, |server| async move {
        let ours = Business::found(&server, "ours", "owner@ours.example").await;
        let theirs = Business::found(&server, "theirs", "owner@theirs.example").await;
        let ids = plant(&server, &theirs).await;
        let before = rows_of(&server.app().store, "theirs").await.unwrap();
        assert!(before.values().flatten().filter(|row| row.contains(CANARY)).count() > 100, "the canaries are there");

        every_route(&server, &ours, &ids).await;
        every_tool(&server, &ours, &ids).await;
        every_page(&server, &ours, &ids).await;

        let after = rows_of(&server.app().store, "theirs").await.unwrap();
        for (table, rows) in &before {
            assert_eq!(rows, &after[table], "{table} of the other business has changed");
        }
        assert_eq!(before.len(), after.len());
    })
    .await;
}

/// Fills every kind of row that a business has.
async fn plant(server: &TestServer, theirs: &Business) -> Ids {
    let (app, by) = (server.app(), Actor::terminal().of(&theirs.id));
    let (tenant, now) = (app.store.tenant(&theirs.id), app.clock.now());
    let (status, body) = theirs.run(server, "system.sync", json!({"mode": "full"})).await;
    assert_eq!(status, 200, "{body}");
    for table in tables_with(&app.store, "vendor_id").await.unwrap() {
        let sql = format!("UPDATE {table} SET vendor_id = '{CANARY}-' || vendor_id WHERE tenant_id = 'theirs'");
        tamper(&app.store, &sql).await.unwrap();
    }
    for column in ["name", "company", "email"] {
        let sql = format!("UPDATE contacts SET {column} = '{CANARY} ' || {column} WHERE tenant_id = 'theirs'");
        tamper(&app.store, &sql).await.unwrap();
    }
    let vendor = "foreign-contact".to_owned();
    let contact = NewContact {
        vendor_id: vendor.clone(),
        data: json!({"secret": CANARY}),
        name: Some(format!("Foreigner {CANARY}")),
        company: Some(CANARY.into()),
        email: Some(EMAIL.into()),
        phone: Some("+15550001234".into()),
        last_activity: Some(now),
        importance: 10,
        ..NewContact::default()
    };
    store::contacts::upsert_batch(&tenant, "gohighlevel", Uuid::new_v4(), &[contact], now).await.unwrap();
    let contact = store::contacts::by_vendor_id(&tenant, "gohighlevel", &vendor).await.unwrap().unwrap().id;
    let note = NewInteraction {
        contact_id: contact,
        timestamp: now,
        interaction_type: "note".into(),
        direction: None,
        description: Some(CANARY.into()),
        extra_data: None,
        ecosystem: "gohighlevel".into(),
        vendor_id: "note".into(),
    };
    store::interactions::upsert_batch(&tenant, &[note]).await.unwrap();

    let new = json!({"first_name": CANARY, "last_name": CANARY});
    let (status, asked) = theirs.run(server, "gohighlevel.create_contact", new).await;
    assert_eq!(status, 202, "{asked}");
    let (key, _) = keys::create(app, &by, CANARY, &[Scope::Read], None).await.unwrap();
    let (person, _) = people::invite(app, &by, EMAIL, CANARY, Role::Operator).await.unwrap();
    let rule: Rule = serde_json::from_value(json!({"callers": [CANARY], "decision": "deny"})).unwrap();
    policy::put(app, &by, NAME, rule, None, true).await.unwrap();
    let budget: Budget = serde_json::from_value(json!({"callers": [CANARY], "calls": 5})).unwrap();
    budgets::put(app, &by, NAME, budget).await.unwrap();
    let mut run = store::runs::NewRun::of("later", json!({"canary": CANARY}));
    run.due_at = Some(now + chrono::Duration::days(300));
    store::runs::enqueue(&tenant, run, now).await.unwrap();
    let said = store::decisions::Said {
        decision: CANARY.into(),
        rationale: Some(CANARY.into()),
        context: None,
        outcome: None,
    };
    let of = store::decisions::Of { caller: "x", correlation: "y", agent: CANARY };
    let decision = store::decisions::say(&tenant, of, said, now).await.unwrap();
    let filter = store::audit::ExecutionFilter::default();
    let calls = store::audit::list(&tenant, &filter, 1, None).await.unwrap();
    let credential = NewCredential {
        id: Uuid::now_v7(),
        ecosystem: "quickbooks".into(),
        name: CANARY.into(),
        auth: "oauth2".into(),
        account_id: Some(CANARY.into()),
        account_name: Some(CANARY.into()),
        config: json!({"realm_id": CANARY}),
        key_id: "none".into(),
        sealed: CANARY.as_bytes().to_vec(),
        scopes: None,
        expires_at: None,
    };
    store::vault::put(&tenant, credential, None, now).await.unwrap();
    Ids {
        contact,
        vendor,
        hash: server::approvals::get(app, &by, asked["data"]["approval_id"].as_str().unwrap().parse().unwrap())
            .await
            .unwrap()
            .arguments_hash,
        approval: asked["data"]["approval_id"].as_str().unwrap().to_owned(),
        execution: calls.rows[0].id.to_string(),
        person: person.to_string(),
        cursor: calls.next.unwrap(),
        key: key.to_string(),
        decision: decision.to_string(),
    }
}

/// Where, with what, and what an owner of another business may be told.
type Case = (String, Value, &'static [u16]);

/// What is sent to a route. None: the route is new, and nobody has said yet what of another business it may show.
fn case(method: &Method, path: &str, ids: &Ids) -> Option<Case> {
    let at = |path: &str| path.to_owned();
    let none = Value::Null;
    Some(match (method.as_str(), path) {
        ("GET", "/" | "/health" | "/metrics" | "/mcp/tools" | "/api/v1/session" | "/api/v1/openapi.json") => {
            (at(path), none, &[200])
        }
        ("GET", "/api/v1/approvals" | "/api/v1/people" | "/api/v1/policy/rules" | "/api/v1/policy/budgets") => {
            (at(path), none, &[200])
        }
        ("POST", "/webhooks/{ecosystem}") => (at("/webhooks/quickbooks"), json!({"realmId": NAME}), &[404]),
        ("GET", "/welcome/{token}") => (at("/welcome/none"), none, &[404]),
        ("POST", "/welcome/{token}") => (at("/welcome/none"), none, &[404, 415]),
        ("POST", "/api/v1/session") => {
            // Whose address it is would count the failure, as for anybody on the network.
            (at(path), json!({"email": "nobody@theirs.example", "password": "a guess", "business": "theirs"}), &[401])
        }
        ("POST", "/mcp/run/{tool}") => {
            (at("/mcp/run/system.get_approval"), json!({"approval_id": ids.approval}), &[404])
        }
        ("GET", "/api/v1/approvals/{id}") => (format!("/api/v1/approvals/{}", ids.approval), none, &[404]),
        ("POST", "/api/v1/approvals/{id}/decision") => {
            (format!("/api/v1/approvals/{}/decision", ids.approval), json!({"decision": "approve"}), &[404])
        }
        ("POST", "/api/v1/session/password") => {
            (at(path), json!({"old": "not the right one", "new": "whatever it may be"}), &[401])
        }
        ("POST", "/api/v1/session/second-factor") => (at(path), json!({"password": "not the right one"}), &[401]),
        ("POST", "/api/v1/session/second-factor/confirm") => (at(path), json!({"code": "000000"}), &[403, 422]),
        // The same address elsewhere is no conflict, because nobody here may know of it.
        ("POST", "/api/v1/people") => (at(path), json!({"email": EMAIL, "name": "Ours", "role": "viewer"}), &[201]),
        ("PATCH", "/api/v1/people/{id}") => (format!("/api/v1/people/{}", ids.person), json!({"name": "x"}), &[404]),
        ("POST", "/api/v1/people/{id}/link") => (format!("/api/v1/people/{}/link", ids.person), none, &[404]),
        ("DELETE", "/api/v1/people/{id}/second-factor") => {
            (format!("/api/v1/people/{}/second-factor", ids.person), json!({}), &[404])
        }
        ("GET", "/api/v1/keys" | "/api/v1/clients" | "/api/v1/decisions") => (at(path), none, &[200]),
        ("POST", "/api/v1/keys") => (at(path), json!({"name": "ours", "scopes": ["read"]}), &[201]),
        ("DELETE", "/api/v1/keys/{id}") => (format!("/api/v1/keys/{}", ids.key), none, &[404]),
        ("DELETE", "/api/v1/clients/{id}") => (at("/api/v1/clients/theirs"), none, &[404]),
        ("POST", "/api/v1/decisions/{id}/feedback") => {
            (format!("/api/v1/decisions/{}/feedback", ids.decision), json!({"outcome": "failure"}), &[404])
        }
        // Who lets a client in is told apart by the session, as everywhere; without a request there is nothing to see.
        ("GET", "/.well-known/oauth-authorization-server") => (at(path), none, &[200, 404]),
        ("GET", "/.well-known/oauth-protected-resource" | "/.well-known/oauth-protected-resource/mcp") => {
            (at(path), none, &[200, 404])
        }
        ("GET", "/approvals/{id}") => (format!("/approvals/{}", ids.approval), none, &[404]),
        ("GET", "/approvals/{id}/look") => (format!("/approvals/{}/look", ids.approval), none, &[404]),
        ("POST", "/approvals/{id}") => {
            (format!("/approvals/{}", ids.approval), json!({"decision": "approve", "arguments_hash": ids.hash}), &[404])
        }
        ("GET", "/authorize" | "/authorize/continue") => (at(path), none, &[200, 303, 400, 404]),
        ("POST", "/authorize" | "/sign-in" | "/token" | "/revoke" | "/register") => {
            (at(path), json!({}), &[400, 401, 403, 404, 415, 422])
        }
        ("GET", "/api/v1/tenants") => (at(path), none, &[403]),
        ("POST", "/api/v1/tenants") => (at(path), json!({"id": "theirs", "name": "x"}), &[403]),
        ("PATCH", "/api/v1/tenants/{id}") => (at("/api/v1/tenants/theirs"), json!({"disabled": true}), &[403]),
        ("DELETE", "/api/v1/policy/rules/{name}") => (format!("/api/v1/policy/rules/{NAME}"), none, &[404]),
        ("PUT", "/api/v1/policy/rules/{name}") => {
            let rule = json!({"rule": {"callers": ["nobody"], "decision": "allow"}});
            (format!("/api/v1/policy/rules/{NAME}-too"), rule, &[204])
        }
        ("POST", "/api/v1/policy/test") => (at(path), json!({"tool": "system.health", "agent": "a"}), &[200]),
        ("DELETE", "/api/v1/policy/budgets/{name}") => (format!("/api/v1/policy/budgets/{NAME}"), none, &[404]),
        ("PUT", "/api/v1/policy/budgets/{name}") => {
            (format!("/api/v1/policy/budgets/{NAME}-too"), json!({"callers": ["nobody"], "calls": 1}), &[204])
        }
        _ => return None,
    })
}

/// Routes whose only effect is on the caller's own session.
const OWN: &[(&str, &str)] = &[("DELETE", "/api/v1/session")];

async fn every_route(server: &TestServer, ours: &Business, ids: &Ids) {
    let routes = routes();
    assert!(routes.len() > 25, "{routes:?}");
    for (method, path) in routes {
        if OWN.contains(&(method.as_str(), &path)) {
            continue;
        }
        let (at, body, expected) = case(&method, &path, ids).unwrap_or_else(|| panic!("{method} {path} has no case"));
        let (status, text) = match path.as_str() {
            "/approvals/{id}" if method == Method::POST => {
                let mut form = body.clone();
                form["csrf"] = json!(ours.owner.csrf);
                ours.owner.post_form(server, &at, &form).await
            }
            _ => ours.owner.send(server, method.clone(), &at, body.clone()).await,
        };
        assert!(expected.contains(&status), "{method} {at}: {status} {text}");
        clean(&format!("{method} {at}"), &text);
        let request = server.http.request(method.clone(), server.url(&at)).bearer_auth(&ours.key).json(&body);
        clean(&format!("{method} {at} by an agent"), &request.send().await.unwrap().text().await.unwrap());
    }
}

/// Every method and path of the server, as `api.rs` lists them: each stands there as a literal after `.route(`. What a part
/// adds by itself is not seen; `/mcp` is, which is looked at by [`every_tool`].
pub fn routes() -> Vec<(Method, String)> {
    let source = include_str!("../../src/api.rs");
    let mut routes = Vec::new();
    for piece in source.split(".route(\"").skip(1) {
        let (path, handlers) = piece.split_once('"').unwrap();
        let handlers = handlers.split(".route(").next().unwrap().split(".merge(").next().unwrap();
        for method in ["get", "post", "put", "patch", "delete"] {
            let named = |before: char| handlers.contains(&format!("{before}{method}("));
            if named(' ') || named('.') {
                routes.push((method.to_uppercase().parse().unwrap(), path.to_owned()));
            }
        }
    }
    routes
}

async fn every_tool(server: &TestServer, ours: &Business, ids: &Ids) {
    let mut understood = 0;
    let tools: Vec<_> = server.app().tools.iter().cloned().collect();
    for tool in &tools {
        let schema = Value::Object((*tool.spec.input).clone());
        let mut answered = false;
        for given in [ids.vendor.clone(), ids.contact.to_string(), format!("Foreigner {EMAIL}"), ids.execution.clone()]
        {
            for all in [true, false] {
                let arguments = filled(&schema, &schema, "", &given, ids, all);
                let (status, body) = ours.run(server, &tool.id, arguments).await;
                answered |= status != 422;
                clean(&format!("{} with {given}", tool.id), &body.to_string());
            }
        }
        understood += usize::from(answered);
    }
    assert!(understood * 10 > tools.len() * 8, "{understood} of {} tools took arguments of ours", tools.len());
}

/// Arguments of this shape, made of the ids of another business.
fn filled(root: &Value, schema: &Value, name: &str, given: &str, ids: &Ids, all: bool) -> Value {
    if let Some(reference) = schema["$ref"].as_str() {
        return filled(root, root.pointer(&reference[1..]).unwrap_or(&Value::Null), name, given, ids, all);
    }
    if let Some(first) = schema["enum"].as_array().and_then(|values| values.first()).or(schema.get("const")) {
        return first.clone();
    }
    for of in ["anyOf", "oneOf", "allOf"] {
        if let Some(first) = schema[of].as_array().and_then(|schemas| schemas.first()) {
            return filled(root, first, name, given, ids, all);
        }
    }
    let kind = schema["type"].as_str().or_else(|| schema["type"][0].as_str()).unwrap_or("object");
    match kind {
        "string" => json!(text(schema, name, given, ids)),
        "integer" if name.contains("id") => json!(ids.contact),
        "integer" | "number" => schema.get("minimum").cloned().unwrap_or(json!(1)),
        "boolean" => json!(false),
        "array" => json!([filled(root, &schema["items"], name, given, ids, all)]),
        _ => {
            let wanted = |name: &String| all || schema["required"].as_array().is_some_and(|r| r.contains(&json!(name)));
            let properties = schema["properties"].as_object().cloned().unwrap_or_default();
            let filled = properties
                .iter()
                .filter(|(name, _)| wanted(name) && *name != "connection")
                .map(|(name, schema)| (name.clone(), filled(root, schema, name, given, ids, all)));
            Value::Object(filled.collect::<Map<_, _>>())
        }
    }
}

fn text(schema: &Value, name: &str, given: &str, ids: &Ids) -> String {
    let text = match (schema["format"].as_str(), name) {
        (Some("uuid"), _) => ids.approval.clone(),
        (Some("date"), _) => "2026-01-31".into(),
        (Some("date-time"), _) => "2020-01-31T00:00:00Z".into(),
        (_, "cursor") => ids.cursor.clone(),
        (_, "email") => EMAIL.into(),
        _ => given.to_owned(),
    };
    let most = schema["maxLength"].as_u64().unwrap_or(1_000) as usize;
    text.chars().take(most).collect()
}

/// What MCP attaches to a conversation, and its prompts.
async fn every_page(server: &TestServer, ours: &Business, ids: &Ids) {
    let rpc = async |method: &str, params: Value| {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let request = server.http.post(server.url("/mcp")).bearer_auth(&ours.key).json(&body);
        let answer = request.header("mcp-protocol-version", "2025-11-25").send().await.unwrap();
        let text = answer.text().await.unwrap();
        clean(&format!("{method} {body}"), &text);
        serde_json::from_str::<Value>(&text).unwrap()
    };
    rpc("tools/list", json!({})).await;
    let resources = rpc("resources/list", json!({})).await;
    for resource in resources["result"]["resources"].as_array().unwrap() {
        rpc("resources/read", json!({"uri": resource["uri"]})).await;
    }
    let prompts = rpc("prompts/list", json!({})).await;
    for prompt in prompts["result"]["prompts"].as_array().unwrap() {
        let arguments = prompt["arguments"].as_array().cloned().unwrap_or_default();
        let arguments = arguments.iter().map(|one| (one["name"].as_str().unwrap().to_owned(), json!(ids.vendor)));
        rpc("prompts/get", json!({"name": prompt["name"], "arguments": arguments.collect::<Map<_, _>>()})).await;
    }
}

fn clean(what: &str, text: &str) {
    assert!(!text.contains(CANARY), "{what} shows a row of another business: {text}");
}
