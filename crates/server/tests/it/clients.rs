//! AI clients are let in by people, for what the people may do, and cut off again.

use oauth_as::storage_conformance::StorageConformance;
use reqwest::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, COOKIE, LOCATION, ORIGIN, SET_COOKIE, WWW_AUTHENTICATE,
};
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use server::actor::{Actor, Role};
use server::clock::Clock;
use server::identity::oauth::Kept;
use server::identity::people;
use store::people::Change;
use store::testing::TestStore;

use crate::identity::{PASSWORD, owner, person};
use crate::letting_in::{
    Program, REDIRECT, decide, hidden, location, on_both, opens, parameter, program, recorded, register, rpc, start,
    visit,
};
use crate::support::{KEY, TestServer};

/// The library's own judgement of a store, with its racers on a runtime of several threads.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_library_finds_no_fault_with_where_its_records_are() {
    let mut kinds = vec![false];
    kinds.extend(TestStore::postgres().await.unwrap().map(|_| true));
    for postgres in kinds {
        // SQLite has a new file for each check at no cost; PostgreSQL would take minutes, so there the tables are emptied.
        let one = if postgres { TestStore::postgres().await.unwrap() } else { None };
        let files = std::sync::Mutex::new(Vec::new());
        let fresh = async || match &one {
            Some(one) => {
                let empty = "DELETE FROM oauth_clients; DELETE FROM oauth_records; DELETE FROM oauth_revocations";
                store::testing::tamper(&one.store, empty).await.unwrap();
                Kept::new(&one.store, &Clock::system())
            }
            None => {
                let made = TestStore::sqlite().await.unwrap();
                let kept = Kept::new(&made.store, &Clock::system());
                files.lock().unwrap().push(made);
                kept
            }
        };
        let harness = StorageConformance::new(fresh).with_spawn(|task| drop(tokio::spawn(task)));
        let violations = harness.run().await;
        assert!(violations.is_empty(), "PostgreSQL {postgres}: {violations:#?}");
        for store in files.into_inner().unwrap().into_iter().chain(one) {
            store.remove().await.unwrap();
        }
    }
}

/// From the first refusal to the last refresh, as a client goes that knows nothing but the address.
#[tokio::test]
async fn a_client_is_let_in_and_works_until_it_is_cut_off() {
    on_both(|moving| async move {
        let server = &moving.server;
        let owner = owner(server).await;
        let issuer = server.app().config.public_url();

        let refused = server.http.post(server.url("/mcp")).json(&json!({})).send().await.unwrap();
        assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
        let challenge = refused.headers()[WWW_AUTHENTICATE].to_str().unwrap().to_owned();
        let metadata = format!("resource_metadata=\"{issuer}/.well-known/oauth-protected-resource/mcp\"");
        assert!(challenge.contains(&metadata) && challenge.contains("scope=\"mcp:read mcp:write\""), "{challenge}");
        for path in ["/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource/mcp"] {
            let resource = json_of(server, path).await;
            assert_eq!(resource["resource"], json!(format!("{issuer}/mcp")));
            assert_eq!(resource["authorization_servers"], json!([issuer]));
        }
        let metadata = json_of(server, "/.well-known/oauth-authorization-server").await;
        assert_eq!(metadata["issuer"], json!(issuer));
        assert_eq!(metadata["code_challenge_methods_supported"], json!(["S256"]));
        assert_eq!(metadata["client_id_metadata_document_supported"], true);
        assert_eq!(metadata["authorization_response_iss_parameter_supported"], true);
        assert_eq!(metadata["grant_types_supported"], json!(["authorization_code", "refresh_token"]));
        assert_eq!(metadata["registration_endpoint"], json!(format!("{issuer}/register")));
        assert!(metadata.get("device_authorization_endpoint").is_none(), "{metadata}");

        let agent = program(server).await;
        let query = agent.asks(server, &[]);
        let landing = visit(server, None, &query).await.text().await.unwrap();
        assert!(landing.contains("/authorize/continue?"), "{landing}");
        let sign_in = server.http.get(server.url(&format!("/authorize/continue?{query}"))).send().await.unwrap();
        let page = sign_in.text().await.unwrap();
        let form =
            [("next", hidden(&page, "next")), ("email", "owner@shop.example".into()), ("password", PASSWORD.into())];
        let signed_in = server.http.post(server.url("/sign-in")).form(&form).send().await.unwrap();
        assert_eq!(signed_in.status(), StatusCode::SEE_OTHER);
        assert_eq!(signed_in.headers()[LOCATION].to_str().unwrap(), format!("/authorize/continue?{query}"));

        let consent = visit(server, Some(&owner.cookie), &query).await;
        for (name, value) in [("cache-control", "no-store"), ("x-frame-options", "DENY")] {
            assert_eq!(consent.headers()[name], value);
        }
        let policy = consent.headers()["content-security-policy"].to_str().unwrap().to_owned();
        assert!(
            policy.contains("frame-ancestors 'none'") && policy.contains("form-action 'self' http://127.0.0.1:33418;"),
            "{policy}"
        );
        let page = consent.text().await.unwrap();
        assert!(page.contains("Test Agent") && page.contains("localhost") && !page.contains("<script"), "{page}");
        let back = location(&decide(server, &owner, &page, "allow", true).await);
        assert!(back.as_str().starts_with(REDIRECT), "{back}");
        assert_eq!((parameter(&back, "state").as_deref(), parameter(&back, "iss")), (Some("st&te"), Some(issuer)));

        let (status, tokens) = agent.redeem(server, &parameter(&back, "code").unwrap()).await;
        assert_eq!(status, StatusCode::OK, "{tokens}");
        assert_eq!((&tokens["scope"], &tokens["expires_in"]), (&json!("mcp:read mcp:write"), &json!(3600)));
        let arguments = json!({"name": "contacts_search", "arguments": {"query": "acme"}});
        let answer = rpc(server, tokens["access_token"].as_str().unwrap(), "tools/call", arguments).await;
        let answer: Value = answer.json().await.unwrap();
        assert!(answer["result"]["structuredContent"]["contacts"].is_array(), "{answer}");

        let (_, body) = owner.send(Method::GET, "/api/v1/clients", json!({})).await;
        let client = &body["clients"][0];
        assert_eq!((&client["name"], &client["redirects"]), (&json!("Test Agent"), &json!(["this computer"])));
        assert!(client["last_used_at"].is_string() && client["person"] == "Owner", "{client}");
        let execution = server.data("system.search_audit", json!({"limit": 1, "tool": "contacts.search"})).await;
        assert!(execution.to_string().contains("Test Agent for Owner"), "{execution}");

        let (_, renewed) = agent.refresh(server, &tokens).await;
        assert!(opens(server, &renewed).await);
        let path = format!("/api/v1/clients/{}", client["id"].as_str().unwrap());
        assert_eq!(owner.send(Method::DELETE, &path, json!({})).await.0, 204);
        assert!(!opens(server, &renewed).await && !opens(server, &tokens).await);
        assert_eq!(agent.refresh(server, &renewed).await.0, StatusCode::BAD_REQUEST);
        assert_eq!(owner.send(Method::DELETE, &path, json!({})).await.0, 404);
        assert_eq!((recorded(server, "client_let_in").await, recorded(server, "client_cut_off").await), (1, 1));
        // Nothing that opens anything is in the database.
        let known = agent.let_in(server, &owner, true).await;
        assert!(opens(server, &known).await, "the person may let it in again");
    })
    .await;
}

/// Whatever is wrong with what a client asks for, it gets no code, and the browser goes nowhere that was not registered.
#[tokio::test]
async fn wrong_requests_lead_nowhere() {
    let moving = start(None, |_| {}).await;
    let server = &moving.server;
    let owner = owner(server).await;
    let agent = program(server).await;
    let visit = async |other: &[(&str, &str)]| visit(server, Some(&owner.cookie), &agent.asks(server, other)).await;

    for (wrong, error) in [
        (("code_challenge_method", "plain"), "invalid_request"),
        (("code_challenge_method", ""), "invalid_request"),
        (("code_challenge", ""), "invalid_request"),
        (("code_challenge", "short"), "invalid_request"),
        (("response_type", "token"), "unsupported_response_type"),
        (("resource", "https://elsewhere.example/mcp"), "invalid_target"),
    ] {
        let back = location(&visit(&[wrong]).await);
        assert!(back.as_str().starts_with(REDIRECT), "{back}");
        assert_eq!(parameter(&back, "error").as_deref(), Some(error), "{wrong:?}");
        assert_eq!(parameter(&back, "state").as_deref(), Some("st&te"));
        assert!(parameter(&back, "iss").is_some() && parameter(&back, "code").is_none());
    }
    for redirect in [
        "https://evil.example/callback",
        "http://127.0.0.1:33418/callback/other",
        "http://127.0.0.1:33418/callback?x=1",
        "http://127.0.0.1@evil.example:33418/callback",
        "http://127.0.0.1.evil.example:33418/callback",
        "//evil.example/callback",
        "javascript:alert(1)",
        "http://localhost:33418/callback",
        "https://127.0.0.1:33418/callback",
    ] {
        let answer = visit(&[("redirect_uri", redirect)]).await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{redirect}");
        assert!(answer.headers().get(LOCATION).is_none());
    }
    assert_eq!(visit(&[("client_id", "nobody")]).await.status(), StatusCode::BAD_REQUEST);
    assert_eq!(visit(&[("client_id", "nobody\0")]).await.status(), StatusCode::BAD_REQUEST);
    let twice = format!("{}&redirect_uri=https%3A%2F%2Fevil.example", agent.asks(server, &[]));
    let twice = crate::letting_in::visit(server, Some(&owner.cookie), &twice).await;
    assert_eq!(twice.status(), StatusCode::BAD_REQUEST);
    // The port of a program on the person's machine is its own affair (RFC 8252 §7.3).
    assert_eq!(visit(&[("redirect_uri", "http://127.0.0.1:5000/callback")]).await.status(), StatusCode::OK);
    // What a client calls itself is text.
    let metadata = json!({"client_name": "<script>alert(1)</script>", "redirect_uris": [REDIRECT], "token_endpoint_auth_method": "none"});
    let (_, body) = register(server, metadata).await;
    let named = Program { id: body["client_id"].as_str().unwrap().into(), redirect: REDIRECT.into() };
    let page = crate::letting_in::visit(server, Some(&owner.cookie), &named.asks(server, &[])).await;
    assert!(!page.text().await.unwrap().contains("<script"));
    moving.server.stop().await;
}

/// A decision comes from our page, from the person whose session it is.
#[tokio::test]
async fn no_foreign_page_decides() {
    let moving = start(None, |_| {}).await;
    let server = &moving.server;
    let owner = owner(server).await;
    let viewer = person(server, "viewer@shop.example", Role::Viewer).await;
    let agent = program(server).await;
    let page = visit(server, Some(&owner.cookie), &agent.asks(server, &[])).await.text().await.unwrap();
    let request = hidden(&page, "request");
    let post = async |cookie: Option<&str>, csrf: &str, origin: Option<&str>| -> Response {
        let form = [("request", request.as_str()), ("csrf", csrf), ("decision", "allow")];
        let mut sent = server.http.post(server.url("/authorize")).form(&form);
        for (name, value) in [("cookie", cookie), ("origin", origin)] {
            if let Some(value) = value {
                sent = sent.header(name, value);
            }
        }
        sent.send().await.unwrap()
    };
    let csrf = hidden(&page, "csrf");
    for (cookie, csrf, origin, status) in [
        (Some(&owner.cookie), "", None, StatusCode::FORBIDDEN),
        (Some(&owner.cookie), viewer.csrf.as_str(), None, StatusCode::FORBIDDEN),
        (None, csrf.as_str(), None, StatusCode::UNAUTHORIZED),
        (Some(&owner.cookie), csrf.as_str(), Some("https://evil.example"), StatusCode::FORBIDDEN),
        (Some(&owner.cookie), csrf.as_str(), Some("null"), StatusCode::FORBIDDEN),
    ] {
        let answer = post(cookie.map(String::as_str), csrf, origin).await;
        assert_eq!(answer.status(), status);
        assert!(answer.headers().get(LOCATION).is_none());
    }
    let denied = location(&decide(server, &owner, &page, "deny", false).await);
    assert_eq!(parameter(&denied, "error").as_deref(), Some("access_denied"));
    let page =
        server.http.get(server.url("/authorize/continue")).header(ORIGIN, "https://evil.example").send().await.unwrap();
    assert_eq!(page.status(), StatusCode::FORBIDDEN);
    assert!(page.headers().get(ACCESS_CONTROL_ALLOW_ORIGIN).is_none());
    assert_eq!(recorded(server, "client_let_in").await, 0);
    let own = page_of(server, &viewer.cookie).await;
    assert_eq!(own, StatusCode::BAD_REQUEST, "an empty request is none");
    moving.server.stop().await;
}

async fn page_of(server: &TestServer, cookie: &str) -> StatusCode {
    visit(server, Some(cookie), "").await.status()
}

/// What a client may do follows the person at once: role, and being there at all.
#[tokio::test]
async fn a_client_may_no_more_than_its_person() {
    on_both(|moving| async move {
        let server = &moving.server;
        let _owner = owner(server).await;
        let operator = person(server, "operator@shop.example", Role::Operator).await;
        let agent = program(server).await;
        let tokens = agent.let_in(server, &operator, true).await;
        let token = tokens["access_token"].as_str().unwrap();
        let contacts = server.data("gohighlevel.read_contacts", json!({"limit": 1})).await;
        let tag = json!({"contact_id": contacts["contacts"][0]["id"], "tags": ["by agent"]});
        let write = json!({"name": "gohighlevel_add_tags", "arguments": tag});
        let answer: Value = rpc(server, token, "tools/call", write.clone()).await.json().await.unwrap();
        let asked = &answer["result"]["structuredContent"]["pending_approval"];
        assert!(asked.is_object(), "an agent asks, whoever let it in: {answer}");

        // It is no person: it decides nothing and manages nothing, and its token is for /mcp alone.
        for path in ["/api/v1/approvals", "/api/v1/people", "/api/v1/clients", "/api/v1/session"] {
            let answer = server.http.get(server.url(path)).bearer_auth(token).send().await.unwrap();
            assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{path}");
        }
        let run = server.http.post(server.url("/mcp/run/contacts.search")).bearer_auth(token);
        assert_eq!(run.json(&json!({"query": "acme"})).send().await.unwrap().status(), StatusCode::OK);
        let address = server.http.get(server.url(&format!("/mcp/tools?access_token={token}"))).send().await.unwrap();
        assert_eq!(address.status(), StatusCode::UNAUTHORIZED);

        let (id, by) = (operator.id.parse().unwrap(), Actor::terminal());
        let change = async |change: Change| people::change(server.app(), &by, id, change).await.unwrap();
        change(Change { role: Some("viewer".into()), ..Change::default() }).await;
        let answer = rpc(server, token, "tools/call", write).await;
        assert_eq!(answer.status(), StatusCode::OK, "nobody could let it in for more");
        let answer: Value = answer.json().await.unwrap();
        assert!(answer["result"]["isError"] == true && answer.to_string().contains("Denied"), "{answer}");
        change(Change { disabled: Some(true), ..Change::default() }).await;
        assert!(!opens(server, &tokens).await);
        change(Change { disabled: Some(false), ..Change::default() }).await;
        assert!(!opens(server, &tokens).await, "whoever comes back lets clients in anew");
        assert_eq!(agent.refresh(server, &tokens).await.0, StatusCode::BAD_REQUEST);
    })
    .await;
}

/// People see and cut off their own clients; those who manage, everybody's.
#[tokio::test]
async fn everybody_cuts_off_the_own_clients() {
    let moving = start(None, |_| {}).await;
    let server = &moving.server;
    let owner = owner(server).await;
    let (one, two) = (
        person(server, "one@shop.example", Role::Viewer).await,
        person(server, "two@shop.example", Role::Operator).await,
    );
    let agent = program(server).await;
    let (first, second) = (agent.let_in(server, &one, true).await, agent.let_in(server, &two, true).await);
    assert_eq!(
        (&first["scope"], &second["scope"]),
        (&json!("mcp:read"), &json!("mcp:read mcp:write")),
        "a viewer gives less"
    );
    let list = async |who: &crate::identity::Browser<'_>| {
        who.send(Method::GET, "/api/v1/clients", json!({})).await.1["clients"].as_array().unwrap().clone()
    };
    assert_eq!((list(&owner).await.len(), list(&one).await.len(), list(&two).await.len()), (2, 1, 1));
    let path = format!("/api/v1/clients/{}", list(&one).await[0]["id"].as_str().unwrap());
    assert_eq!(two.send(Method::DELETE, &path, json!({})).await.0, 404);
    assert!(opens(server, &first).await);
    assert_eq!(owner.send(Method::DELETE, &path, json!({})).await.0, 204);
    assert!(!opens(server, &first).await && opens(server, &second).await);
    let key = server.http.get(server.url("/api/v1/clients")).bearer_auth(KEY).send().await.unwrap();
    assert_eq!(key.status(), StatusCode::FORBIDDEN);
    moving.server.stop().await;
}

/// A client that was let in to read learns at its first write where to ask for more.
#[tokio::test]
async fn a_reader_is_told_where_to_ask_for_more() {
    let moving = start(None, |_| {}).await;
    let server = &moving.server;
    let owner = owner(server).await;
    let agent = program(server).await;
    let tokens = agent.let_in(server, &owner, false).await;
    assert_eq!(tokens["scope"], "mcp:read");
    let token = tokens["access_token"].as_str().unwrap();
    let list: Value = rpc(server, token, "tools/list", json!({})).await.json().await.unwrap();
    assert!(list.to_string().contains("gohighlevel_add_tags"), "it has to see what it could do");
    let write = |dry: bool| json!({"name": "gohighlevel_add_tags", "arguments": {"contact_id": "c", "tags": ["x"], "dry_run": dry}});
    let refused = rpc(server, token, "tools/call", write(false)).await;
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    let challenge = refused.headers()[WWW_AUTHENTICATE].to_str().unwrap().to_owned();
    for part in ["error=\"insufficient_scope\"", "scope=\"mcp:read mcp:write\"", "resource_metadata="] {
        assert!(challenge.contains(part), "{challenge}");
    }
    assert_eq!(rpc(server, token, "tools/call", write(true)).await.status(), StatusCode::OK, "looking is reading");
    let more = agent.let_in(server, &owner, true).await;
    let answer = rpc(server, more["access_token"].as_str().unwrap(), "tools/call", write(false)).await;
    assert_eq!(answer.status(), StatusCode::OK);
    moving.server.stop().await;
}

/// What another process ends is felt here within five seconds, for which an answer may be remembered.
#[tokio::test]
async fn what_another_process_ends_is_felt_within_seconds() {
    let moving = start(None, |_| {}).await;
    let server = &moving.server;
    let owner = owner(server).await;
    let tokens = program(server).await.let_in(server, &owner, true).await;
    assert!(opens(server, &tokens).await);
    let (store, now) = (&server.app().store, server.app().clock.now().timestamp_nanos_opt().unwrap());
    let consent = store::oauth::consents(&store.tenant("default")).await.unwrap().remove(0);
    let window = store::oauth::Window { recorded: now, until: now };
    store::oauth::revoke_consent(&store.system(), &consent.id, window).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(5_100)).await;
    assert!(!opens(server, &tokens).await);
    moving.server.stop().await;
}

/// What is no token of ours is a 401, however it looks.
#[tokio::test]
async fn garbage_and_foreign_tokens_open_nothing() {
    let moving = start(None, |_| {}).await;
    let server = &moving.server;
    let owner = owner(server).await;
    let tokens = program(server).await.let_in(server, &owner, true).await;
    let refresh = tokens["refresh_token"].as_str().unwrap();
    let foreign = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJvd25lciIsImF1ZCI6Imh0dHA6Ly8xMjcuMC4wLjEvbWNwIn0.";
    let hash = hex::encode(<sha2::Sha256 as sha2::Digest>::digest(tokens["access_token"].as_str().unwrap()));
    for token in [foreign, &"0".repeat(64), refresh, &hash, "Bearer", "' OR 1=1 --"] {
        let answer = rpc(server, token, "tools/list", json!({})).await;
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{token}");
        let challenge = answer.headers()[WWW_AUTHENTICATE].to_str().unwrap().to_owned();
        assert!(challenge.contains("error=\"invalid_token\""), "{challenge}");
    }
    moving.server.stop().await;
}

async fn json_of(server: &TestServer, path: &str) -> Value {
    let answer = server.http.get(server.url(path)).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK, "{path}");
    answer.json().await.unwrap()
}

/// Without an address that tokens can be sent to, or anybody to ask, there is no log-in to discover; keys work.
#[tokio::test]
async fn there_is_no_log_in_where_nobody_could_use_one() {
    let unsafe_address = start(None, |config| config.server.public_url = Some("http://shop.example".into())).await;
    let off = start(None, |config| config.oauth.enabled = false).await;
    let nobody = start(None, |_| {}).await;
    for (moving, somebody) in [(unsafe_address, true), (off, true), (nobody, false)] {
        let server = &moving.server;
        if somebody {
            owner(server).await;
        }
        without_log_in(server, &server.server.url()).await;
        moving.server.stop().await;
    }
}

/// The second listener takes keys alone, and a client that looks for a log-in there finds none.
#[tokio::test]
async fn the_second_listener_takes_keys_alone() {
    let moving = start(None, |config| config.server.key_listen = Some("127.0.0.1:0".parse().unwrap())).await;
    let server = &moving.server;
    let owner = owner(server).await;
    let tokens = program(server).await.let_in(server, &owner, true).await;
    let keys = format!("http://{}", server.server.key_address.unwrap());
    without_log_in(server, &keys).await;
    let token = tokens["access_token"].as_str().unwrap();
    let answer = server.http.get(format!("{keys}/mcp/tools")).bearer_auth(token).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    assert!(opens(server, &tokens).await, "the first listener takes both");

    // Nor is anybody signed in there, or can sign in.
    let session = format!("{keys}/api/v1/session");
    let person = json!({"email": "owner@shop.example", "password": PASSWORD});
    let answer = server.http.post(&session).json(&person).send().await.unwrap();
    assert!(answer.status().is_client_error() && answer.headers().get(SET_COOKIE).is_none(), "{answer:?}");
    for path in ["/api/v1/session", "/mcp/tools"] {
        let answer = server.http.get(format!("{keys}{path}")).header(COOKIE, &owner.cookie).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{path}");
    }
    let answer = server.http.get(&session).header(COOKIE, &owner.cookie).bearer_auth(KEY).send().await.unwrap();
    let shown: Value = answer.json().await.unwrap();
    assert!(shown["caller"]["kind"] == "agent" && shown["csrf"].is_null(), "{shown}");
    let link = people::reset_link(server.app(), &Actor::terminal(), owner.id.parse().unwrap()).await.unwrap();
    for (url, status) in [(keys.clone(), StatusCode::NOT_FOUND), (server.server.url(), StatusCode::OK)] {
        assert_eq!(server.http.get(format!("{url}{link}")).send().await.unwrap().status(), status, "{url}");
    }
    moving.server.stop().await;
}

async fn without_log_in(server: &TestServer, url: &str) {
    for path in [
        "/.well-known/oauth-authorization-server",
        "/.well-known/oauth-protected-resource",
        "/.well-known/oauth-protected-resource/mcp",
        "/authorize?client_id=x",
    ] {
        let answer = server.http.get(format!("{url}{path}")).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{path}");
    }
    for path in ["/token", "/register", "/revoke"] {
        let answer = server.http.post(format!("{url}{path}")).json(&json!({})).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{path}");
    }
    let refused = server.http.post(format!("{url}/mcp")).json(&json!({})).send().await.unwrap();
    assert_eq!(
        (refused.status(), &refused.headers()[WWW_AUTHENTICATE]),
        (StatusCode::UNAUTHORIZED, &"Bearer".parse().unwrap())
    );
    let tools = server.http.get(format!("{url}/mcp/tools")).bearer_auth(KEY).send().await.unwrap();
    assert_eq!(tools.status(), StatusCode::OK);
    assert!(tools.headers().get(CACHE_CONTROL).is_none_or(|value| value != "public"));
}
