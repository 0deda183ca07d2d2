//! `/health`, `/mcp/tools`, `/mcp/run/{tool}`: what callers of plain HTTP see, good input and bad.

use reqwest::Method;
use reqwest::header::HeaderValue;
use serde_json::{Value, json};
use server::actor::{Actor, Scope};
use server::identity::keys::{self, NewKey};

use crate::identity::owner;
use crate::support::{KEY, TestServer, on_both};

const PROBLEM: HeaderValue = HeaderValue::from_static("application/problem+json");

#[tokio::test]
async fn a_call_answers_and_leaves_its_row() {
    on_both(
        |_| {},
        |server| async move {
            let (status, body) = server.run("gohighlevel.read_contacts", json!({"limit": 5})).await;
            assert_eq!(status, 200, "{body}");
            assert_eq!(body["status"], "ok");
            assert_eq!(body["metadata"]["source"], "sample");
            let contacts = body["data"]["contacts"].as_array().unwrap();
            assert_eq!(contacts.len(), 5);
            assert!(contacts.iter().all(|contact| contact["id"].is_string() && contact["name"].is_string()));

            let id = body["metadata"]["execution_id"].as_str().unwrap().parse().unwrap();
            let tenant = server.app().store.tenant("default");
            let row = store::audit::get(&tenant, id).await.unwrap().expect("the row of the call");
            assert_eq!((row.tool_name.as_str(), row.status.as_str()), ("gohighlevel.read_contacts", "success"));
            assert_eq!(row.params, json!({"limit": 5}));
            assert_eq!(row.response, Some(body["data"].clone()));
            assert_eq!(row.source.as_deref(), Some("sample"));
            assert_eq!(row.user_context["name"], "first key");
            let requests = store::audit::api_calls_of(&tenant, id).await.unwrap();
            assert!(!requests.is_empty(), "the requests to the vendor belong to the call");
            assert_eq!((requests[0].endpoint.as_str(), requests[0].status_code), ("/contacts/search", Some(200)));
        },
    )
    .await;
}

#[tokio::test]
async fn a_name_may_have_a_dot_or_an_underscore() {
    let server = TestServer::sqlite().await;
    for name in ["gohighlevel.read_contacts", "gohighlevel_read_contacts"] {
        let (status, body) = server.run(name, json!({"limit": 1})).await;
        assert_eq!(status, 200, "{body}");
    }
    server.stop().await;
}

#[tokio::test]
async fn bad_input_gets_a_clear_error() {
    let server = TestServer::sqlite().await;
    let cases: &[(&str, Value, u16, &str)] = &[
        ("gohighlevel.read_contact", json!({}), 404, "did you mean gohighlevel.read_contacts?"),
        ("no.such_tool_at_all", json!({}), 404, "there is no tool"),
        ("gohighlevel.get_contact", json!({}), 422, "contact_id"),
        ("gohighlevel.read_contacts", json!({"limit": "many"}), 422, "limit"),
        ("gohighlevel.read_contacts", json!({"limit": 100_000}), 422, "limit"),
        ("gohighlevel.read_contacts", json!({"limti": 5}), 422, "limti"),
        ("contacts.search", json!({"query": "x".repeat(5000)}), 422, "query"),
        ("gohighlevel.read_contacts", json!([1, 2]), 422, "JSON object"),
    ];
    for (tool, arguments, expected, says) in cases {
        let (status, body) = server.run(tool, arguments.clone()).await;
        assert_eq!(status, *expected, "{tool} {body}");
        assert!(body["detail"].as_str().unwrap().contains(says), "{tool}: {body}");
        assert_eq!(body["status"], *expected);
    }
    server.stop().await;
}

#[tokio::test]
async fn a_body_that_is_not_one_is_named() {
    let server = TestServer::sqlite().await;
    let cases: &[(&str, &str, u16, &str)] = &[
        ("application/json", "{\"limit\": 5", 400, "not JSON"),
        ("application/json", "\u{feff}nonsense", 400, "not JSON"),
        ("text/plain", "{}", 415, "application/json"),
        ("multipart/form-data; boundary=x", "--x", 415, "application/json"),
    ];
    for (media, body, expected, says) in cases {
        let request = server.http.post(server.url("/mcp/run/gohighlevel.read_contacts")).bearer_auth(KEY);
        let response = request.header("content-type", *media).body(*body).send().await.unwrap();
        assert_eq!(response.status().as_u16(), *expected);
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        let problem: Value = response.json().await.unwrap();
        assert!(problem["detail"].as_str().unwrap().contains(says), "{problem}");
    }
    let huge = vec![b' '; 3 << 20];
    for path in ["/mcp/run/gohighlevel.read_contacts", "/mcp"] {
        let request = server.http.post(server.url(path)).bearer_auth(KEY).header("content-type", "application/json");
        let response = request.body(huge.clone()).send().await.unwrap();
        assert_eq!(response.status(), 413, "{path}");
    }
    server.stop().await;
}

/// Whatever a route refuses, and whoever refuses it: the route, an extractor, or the protocol's own transport.
#[tokio::test]
async fn every_refusal_is_a_problem_document() {
    let server = TestServer::sqlite().await;
    let (_, key) =
        keys::create(server.app(), &Actor::terminal(), "all", &[Scope::Read, Scope::Approve], None).await.unwrap();
    let huge = " ".repeat(3 << 20);
    let id = uuid::Uuid::now_v7();
    let decision = format!("/api/v1/approvals/{id}/decision");
    let json = "application/json";
    let cases: &[(Method, &str, &str, &str, u16)] = &[
        (Method::GET, "/nothing/here", "", json, 404),
        (Method::POST, "/health", "", json, 405),
        (Method::POST, "/metrics", "", json, 405),
        (Method::POST, "/", "", json, 405),
        (Method::POST, "/mcp/tools", "", json, 405),
        (Method::GET, "/mcp/run/system.health", "", json, 405),
        (Method::POST, "/mcp/run/no.such", "{}", json, 404),
        (Method::POST, "/mcp/run/%ff", "{}", json, 400),
        (Method::POST, "/mcp/run/system.health", "{", json, 400),
        (Method::POST, "/mcp/run/system.health", "[]", json, 422),
        (Method::POST, "/mcp/run/system.health", "x", "text/plain", 415),
        (Method::POST, "/mcp/run/system.health", &huge, json, 413),
        (Method::POST, "/api/v1/approvals", "{}", json, 405),
        (Method::GET, "/api/v1/approvals/not-a-uuid", "", json, 400),
        (Method::GET, "/api/v1/approvals/%ff", "", json, 400),
        (Method::GET, &format!("/api/v1/approvals/{id}"), "", json, 404),
        (Method::POST, "/api/v1/approvals/not-a-uuid/decision", "{\"decision\": \"approve\"}", json, 400),
        (Method::POST, &decision, "{\"decision\": \"approve\"}", json, 404),
        (Method::POST, &decision, "{\"decision\": \"perhaps\"}", json, 422),
        (Method::POST, &decision, "{\"verdict\": \"approve\"}", json, 422),
        (Method::POST, &decision, "{", json, 400),
        (Method::POST, &decision, "x", "text/plain", 415),
        (Method::POST, &decision, &huge, json, 413),
        (Method::GET, &decision, "", json, 405),
        (Method::PUT, "/mcp", "", json, 405),
        (Method::POST, "/mcp", "x", "text/plain", 415),
        (Method::POST, "/mcp", &huge, json, 413),
    ];
    for (method, path, body, media, expected) in cases {
        let request = server.http.request(method.clone(), server.url(path)).bearer_auth(&key);
        let response = request.header("content-type", *media).body((*body).to_owned()).send().await.unwrap();
        let what = format!("{method} {path} {media} {}", &body[..body.len().min(40)]);
        assert_eq!(response.status(), *expected, "{what}");
        assert_eq!(response.headers()["content-type"], "application/problem+json", "{what}");
        let problem: Value = response.json().await.unwrap();
        assert_eq!(problem["status"], *expected, "{what}: {problem}");
        assert!(problem["type"].as_str().unwrap().starts_with("urn:enterprise-mcp:problem:"), "{what}: {problem}");
        assert!(!problem["detail"].as_str().unwrap().is_empty(), "{what}: {problem}");
    }
    // A body whose size nobody said beforehand.
    let parts = futures::stream::iter((0..40).map(|_| Ok::<_, std::io::Error>(vec![b' '; 1 << 16])));
    let request = server.http.post(server.url(&decision)).bearer_auth(&key).header("content-type", json);
    let response = request.body(reqwest::Body::wrap_stream(parts)).send().await.unwrap();
    assert_eq!((response.status().as_u16(), &response.headers()["content-type"]), (413, &PROBLEM));
    server.stop().await;
}

#[tokio::test]
async fn without_a_key_nothing_is_told() {
    let server = TestServer::sqlite().await;
    let get = |path: &str| server.http.get(server.url(path));
    for path in ["/mcp/tools", "/mcp", "/api/v1/approvals"] {
        let response = get(path).send().await.unwrap();
        assert_eq!(response.status(), 401, "{path}");
        assert_eq!(response.headers()["www-authenticate"], "Bearer");
        assert_eq!(get(path).bearer_auth("wrong").send().await.unwrap().status(), 401, "{path}");
    }
    // A key in the address is refused even if it is right, because addresses end up in logs.
    let response = get(&format!("/mcp/tools?api_key={KEY}")).bearer_auth(KEY).send().await.unwrap();
    assert_eq!(response.status(), 401);
    assert_eq!(get("/mcp/tools").header("x-api-key", KEY).send().await.unwrap().status(), 200);
    assert_eq!(get("/health").send().await.unwrap().status(), 200);
    server.stop().await;
}

#[tokio::test]
async fn foreign_hosts_and_pages_are_refused() {
    let server = TestServer::sqlite().await;
    let get = || server.http.get(server.url("/health"));
    assert_eq!(get().header("host", "evil.example").send().await.unwrap().status(), 403);
    assert_eq!(get().header("origin", "https://evil.example").send().await.unwrap().status(), 403);
    assert_eq!(get().header("origin", "null").send().await.unwrap().status(), 403);
    assert_eq!(get().header("origin", "http://localhost:5173").send().await.unwrap().status(), 200);
    server.stop().await;
}

#[tokio::test]
async fn a_caller_who_asks_too_often_is_told_when_to_come_back() {
    let server = TestServer::sqlite_with(|config| config.server.calls_per_minute = 3).await;
    let mut statuses = Vec::new();
    for _ in 0..5 {
        let response = server.http.get(server.url("/mcp/tools")).bearer_auth(KEY).send().await.unwrap();
        statuses.push((response.status().as_u16(), response.headers().contains_key("retry-after")));
    }
    assert_eq!(statuses[..3], [(200, false); 3]);
    assert_eq!(statuses[3..], [(429, true); 2]);
    server.stop().await;
}

#[tokio::test]
async fn health_says_what_works_and_metrics_count_the_calls() {
    let server = TestServer::sqlite().await;
    let health = server.http.get(server.url("/health")).bearer_auth(KEY).send().await.unwrap();
    let health: Value = health.json().await.unwrap();
    assert_eq!((&health["status"], &health["ready"]), (&json!("ok"), &json!(true)));
    assert_eq!(health["connections"][0]["source"], "sample");
    let metrics = server.http.get(server.url("/metrics")).send().await.unwrap();
    assert_eq!(metrics.status(), 200);
    let elsewhere =
        server.http.get(server.url("/metrics")).header("x-forwarded-for", "192.0.2.1").send().await.unwrap();
    assert_eq!(elsewhere.status(), 401);
    server.stop().await;
}

/// Whose accounts they are, where the database is and what is wrong is for those who may ask the tool.
#[tokio::test]
async fn a_stranger_learns_of_health_whether_and_not_what() {
    on_both(
        |_| {},
        |server| async move {
            let owner = owner(&server).await;
            let some = |toolset: &str| NewKey {
                name: "some".into(),
                scopes: vec![Scope::Approve],
                toolsets: Some(vec![toolset.to_owned()]),
                expires_at: None,
            };
            let by = Actor::terminal();
            let (_, watching) = keys::make(server.app(), &by, &some("system")).await.unwrap();
            let (_, elsewhere) = keys::make(server.app(), &by, &some("quickbooks")).await.unwrap();
            let get = || server.http.get(server.url("/health"));
            let read = async |request: reqwest::RequestBuilder| -> Value {
                let answer = request.send().await.unwrap();
                assert_eq!(answer.status(), 200);
                answer.json().await.unwrap()
            };
            let cookie = |value: &str| get().header("cookie", value);
            for known in [get().bearer_auth(KEY), get().header("x-api-key", &watching), cookie(&owner.cookie)] {
                let told = read(known).await;
                assert_eq!(told["database"]["detail"], server.app().store.place(), "{told}");
                assert!(told["connections"].to_string().contains("GoHighLevel"), "{told}");
            }
            let local = read(get()).await;
            assert!(local["connections"].to_string().contains("GoHighLevel"), "the machine itself: {local}");
            let nobody = owner.cookie.replace('=', "=x");
            let passed_on = |request: reqwest::RequestBuilder| request.header("x-forwarded-for", "192.0.2.1");
            for stranger in [get(), get().bearer_auth("wrong"), get().bearer_auth(&elsewhere), cookie(&nobody)] {
                let stranger = passed_on(stranger);
                let told = read(stranger).await;
                assert_eq!(told, json!({"status": "ok", "ready": true, "version": env!("CARGO_PKG_VERSION")}));
            }
        },
    )
    .await;
}
