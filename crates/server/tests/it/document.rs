//! The OpenAPI document describes every route and nothing else, and what is answered is what it says.

use std::collections::BTreeSet;

use reqwest::{Method, Response, header};
use serde_json::{Value, json};
use server::actor::Role;
use uuid::Uuid;

use crate::foreign::routes;
use crate::identity::{self, Browser};
use crate::support::{KEY, TestServer};

async fn document(server: &TestServer) -> Value {
    let answer = server.http.get(server.url("/api/v1/openapi.json")).send().await.unwrap();
    assert_eq!(answer.status(), 200, "it is open");
    answer.json().await.unwrap()
}

/// Method, path and description of each operation.
fn operations(document: &Value) -> Vec<(String, &str, &Value)> {
    let mut all = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        let methods = methods.as_object().unwrap().iter();
        all.extend(methods.map(|(method, described)| (method.to_uppercase(), path.as_str(), described)));
    }
    all
}

#[tokio::test]
async fn every_route_is_described_and_nothing_else() {
    let server = TestServer::sqlite().await;
    let document = document(&server).await;
    let described = operations(&document);
    let names: BTreeSet<_> = described.iter().map(|(method, path, _)| format!("{method} {path}")).collect();
    let there: BTreeSet<_> = routes().into_iter().map(|(method, path)| format!("{method} {path}")).collect();
    assert_eq!(names, there);
    let ids: BTreeSet<_> = described.iter().map(|(_, _, one)| one["operationId"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), described.len(), "each operation has a name of its own");
    server.stop().await;
}

#[tokio::test]
async fn what_is_read_is_answered_as_described() {
    let server = TestServer::sqlite().await;
    let document = document(&server).await;
    let owner = identity::owner(&server).await;
    fill(&server, &owner).await;
    let mut shown = 0;
    for (method, path, described) in operations(&document) {
        if method != "GET" || path.contains('{') {
            continue;
        }
        let request = || server.http.get(server.url(path));
        for request in [request().header(header::COOKIE, &owner.cookie), request().bearer_auth(KEY), request()] {
            let answer = request.send().await.unwrap();
            shown += usize::from(answer.status().is_success());
            fits(&document, path, described, answer).await;
        }
    }
    assert!(shown > 20, "{shown} answers");
    server.stop().await;
}

/// Who has no key is told so on every route that is not open; and what owners and admins do is refused to all others,
/// whatever they send.
#[tokio::test]
async fn routes_are_open_to_those_alone_whom_they_are_for() {
    let server = TestServer::sqlite().await;
    let document = document(&server).await;
    identity::owner(&server).await;
    let operator = identity::person(&server, "operator@shop.example", Role::Operator).await;
    let (mut closed, mut managed) = (0, 0);
    for (method, path, described) in operations(&document) {
        let at =
            path.replace("{id}", &Uuid::nil().to_string()).replace("{name}", "x").replace("{tool}", "system.health");
        let request = || server.http.request(method.parse().unwrap(), server.url(&at)).json(&json!({}));
        if described["security"].as_array().is_none_or(Vec::is_empty) {
            continue;
        }
        closed += 1;
        assert_eq!(request().send().await.unwrap().status(), 401, "{method} {path}");
        assert_eq!(request().bearer_auth("guess").send().await.unwrap().status(), 401, "{method} {path}");
        let of_managers = ["people", "tenants", "policy", "keys"].map(|part| format!("/api/v1/{part}"));
        let own = path.ends_with("/second-factor");
        if own || !of_managers.iter().any(|start| path.starts_with(start)) {
            continue;
        }
        managed += 1;
        assert_eq!(request().bearer_auth(KEY).send().await.unwrap().status(), 403, "{method} {path} by an agent");
        let method = method.parse().unwrap();
        assert_eq!(operator.send(method, &at, json!({})).await.0, 403, "{path} by an operator");
    }
    assert!(closed > 30 && managed > 14, "{closed} {managed}");
    server.stop().await;
}

/// So that no list is empty.
async fn fill(server: &TestServer, owner: &Browser<'_>) {
    let (status, _) = server.run("gohighlevel.create_contact", json!({"first_name": "Ada"})).await;
    assert_eq!(status, 202);
    let asks = json!({"roles": ["owner"], "people": 2});
    let rule = json!({"callers": ["agent"], "effects": ["write"], "decision": "ask", "asks": asks});
    let key = json!({"name": "k", "scopes": ["read"], "toolsets": ["system"], "expires_at": "2099-01-01T00:00:00Z"});
    let made = [
        ("POST", "/api/v1/people", json!({"email": "a@shop.example", "name": "A", "role": "viewer"})),
        ("POST", "/api/v1/keys", key),
        ("PUT", "/api/v1/policy/rules/office", json!({"rule": rule})),
        ("PUT", "/api/v1/policy/budgets/few", json!({"callers": ["agent"], "calls": 5})),
        ("POST", "/api/v1/tenants", json!({"id": "second", "name": "Second"})),
    ];
    for (method, path, body) in made {
        let (status, text) = owner.send(method.parse::<Method>().unwrap(), path, body).await;
        assert!((200..300).contains(&status), "{path}: {status} {text}");
    }
}

async fn fits(document: &Value, path: &str, described: &Value, answer: Response) {
    let status = answer.status().as_u16();
    let media = answer.headers()[header::CONTENT_TYPE].to_str().unwrap().split(';').next().unwrap().to_owned();
    let mut schema = described["responses"][status.to_string()]["content"][&media]["schema"].clone();
    assert!(schema.is_object(), "{path}: {status} as {media} is not described");
    let text = answer.text().await.unwrap();
    let body = if media.ends_with("json") { serde_json::from_str(&text).unwrap() } else { json!(text) };
    schema["components"] = document["components"].clone();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let faults: Vec<String> = validator.iter_errors(&body).map(|fault| fault.to_string()).collect();
    assert!(faults.is_empty(), "{path}: {faults:?} in {body}");
}
