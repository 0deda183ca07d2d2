//! How clients become known: by registering, and by a document at their id. Both are open to strangers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::extract::{Path, State};
use axum::response::IntoResponse;
use reqwest::StatusCode;
use serde_json::json;
use server::identity::oauth;

use crate::identity::owner;
use crate::letting_in::{Moving, Program, decide, location, opens, parameter, program, register, start, visit};
use crate::support::TestServer;

/// What clients register passes; what a browser would carry out, or send a code over the open network, does not.
#[tokio::test]
async fn addresses_that_are_not_safe_are_not_registered() {
    let moving = start(None, |config| config.server.calls_per_minute = 1_000_000).await;
    let server = &moving.server;
    owner(server).await;
    for redirect in [
        "https://claude.ai/api/mcp/auth_callback",
        "cursor://anysphere.cursor-mcp/oauth/callback",
        "http://localhost:7777/oauth/callback",
        "http://127.0.0.1/",
    ] {
        let metadata = json!({"redirect_uris": [redirect], "token_endpoint_auth_method": "none", "scope": "openid mcp:read", "application_type": "native"});
        let (status, body) = register(server, metadata).await;
        assert_eq!((status, &body["scope"]), (StatusCode::CREATED, &json!("mcp:read mcp:write")), "{redirect}: {body}");
        assert!(body.get("client_secret").is_none() && body.get("registration_access_token").is_none());
    }
    for redirect in [
        "javascript:alert(1)",
        "data:text/html,x",
        "file:///etc/passwd",
        "http://shop.example/cb",
        "https://a@b.example/",
        "https://b.example/#x",
        "x",
    ] {
        let (status, body) = register(server, json!({"redirect_uris": [redirect]})).await;
        assert_eq!((status, &body["error"]), (StatusCode::BAD_REQUEST, &json!("invalid_redirect_uri")), "{redirect}");
    }
    for metadata in [json!({}), json!([]), json!({"redirect_uris": "x"}), json!({"redirect_uris": []})] {
        assert_eq!(register(server, metadata).await.0, StatusCode::BAD_REQUEST);
    }
    moving.server.stop().await;
}

/// A client with a secret shows it, in either way; a wrong one gets nothing.
#[tokio::test]
async fn a_client_with_a_secret_has_to_show_it() {
    let moving = start(None, |_| {}).await;
    let server = &moving.server;
    let owner = owner(server).await;
    let redirect = "https://agent.example/callback";
    let metadata = json!({"client_name": "Hosted", "redirect_uris": [redirect], "token_endpoint_auth_method": "client_secret_post"});
    let (_, body) = register(server, metadata).await;
    let secret = body["client_secret"].as_str().unwrap().to_owned();
    let agent = Program { id: body["client_id"].as_str().unwrap().into(), redirect: redirect.into() };
    for (secret, status) in
        [("", StatusCode::BAD_REQUEST), ("wrong", StatusCode::BAD_REQUEST), (secret.as_str(), StatusCode::OK)]
    {
        let code = agent.code(server, &owner, true).await;
        let form = [
            ("grant_type", "authorization_code"),
            ("client_id", &agent.id),
            ("client_secret", secret),
            ("redirect_uri", redirect),
            ("code_verifier", crate::letting_in::VERIFIER),
            ("code", &code),
        ];
        let form: Vec<_> = form.into_iter().filter(|(_, value)| !value.is_empty()).collect();
        let (answered, body) = crate::letting_in::exchange(server, &form).await;
        assert_eq!(answered, status, "{secret}: {body}");
    }
    // Registered for codes and refresh tokens, whatever else it tries.
    let form =
        [("grant_type", "client_credentials"), ("client_id", agent.id.as_str()), ("client_secret", secret.as_str())];
    assert_eq!(crate::letting_in::exchange(server, &form).await.1["error"], "unauthorized_client");
    moving.server.stop().await;
}

/// Registering costs nothing, so it is bounded: in a minute, in number, and in time.
#[tokio::test]
async fn a_flood_of_registrations_leaves_nothing_behind() {
    let moving = start(None, |_| {}).await;
    let server = &moving.server;
    let owner = owner(server).await;
    let system = server.app().store.system();
    let kept = program(server).await;
    kept.let_in(server, &owner, false).await;
    for number in 0..1010 {
        let now = server.app().clock.now();
        store::oauth::put_client(&system, &format!("flood-{number:04}"), "{}", false, now).await.unwrap();
    }
    let newest = program(server).await;
    assert!(store::oauth::client(&system, "flood-0000").await.unwrap().is_none(), "the oldest went");
    assert!(store::oauth::client(&system, "flood-1009").await.unwrap().is_some());
    assert!(store::oauth::client(&system, &newest.id).await.unwrap().is_some());

    let mut limited = 0;
    for _ in 0..30 {
        let (status, _) = register(server, json!({"redirect_uris": ["http://127.0.0.1/"]})).await;
        limited += usize::from(status == StatusCode::TOO_MANY_REQUESTS);
    }
    assert!(limited > 0);
    moving.skip(25 * 3600);
    oauth::tidy(server.app()).await.unwrap();
    assert!(store::oauth::client(&system, &newest.id).await.unwrap().is_none(), "nobody let it in for a day");
    assert!(store::oauth::client(&system, &kept.id).await.unwrap().is_some());
    moving.server.stop().await;
}

/// Documents as their makers serve them, and how often they were asked for.
struct Makers {
    address: String,
    asked: Arc<AtomicUsize>,
}

async fn makers() -> Makers {
    let asked = Arc::new(AtomicUsize::new(0));
    let routes = Router::new().route("/{host}/{document}", axum::routing::get(document)).with_state(asked.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, routes).await });
    Makers { address, asked }
}

async fn document(
    State(asked): State<Arc<AtomicUsize>>,
    Path((host, document)): Path<(String, String)>,
) -> impl IntoResponse {
    asked.fetch_add(1, Ordering::SeqCst);
    let mut body = json!({
        "client_id": format!("https://{host}/{document}"),
        "client_name": "Described Agent",
        "redirect_uris": ["http://localhost/callback", format!("https://{host}/callback")],
        "token_endpoint_auth_method": "none",
    });
    match document.as_str() {
        "stolen.json" => body["client_id"] = json!("https://other.example/client.json"),
        "secret.json" => body["client_secret"] = json!("x"),
        "dangerous.json" => body["redirect_uris"] = json!(["javascript:alert(1)"]),
        "large.json" => body["padding"] = json!("x".repeat(6000)),
        "moved.json" => return (StatusCode::FOUND, [("location", "http://169.254.169.254/")], String::new()),
        "slow.json" => tokio::time::sleep(std::time::Duration::from_secs(20)).await,
        _ => {}
    }
    (StatusCode::OK, [("location", "")], body.to_string())
}

async fn with_makers() -> (Moving, Makers) {
    let makers = makers().await;
    let address = makers.address.clone();
    (start(None, |config| config.oauth.documents_from = Some(address)).await, makers)
}

#[tokio::test]
async fn a_client_is_known_by_the_document_at_its_id() {
    let (moving, makers) = with_makers().await;
    let server = &moving.server;
    let owner = owner(server).await;
    let agent =
        Program { id: "https://maker.example/client.json".into(), redirect: "http://localhost:9999/callback".into() };

    // Nothing is fetched for somebody who has not signed in.
    let page =
        server.http.get(server.url(&format!("/authorize/continue?{}", agent.asks(server, &[])))).send().await.unwrap();
    assert!(page.text().await.unwrap().contains("Sign in"));
    assert_eq!(makers.asked.load(Ordering::SeqCst), 0);

    let page = visit(server, Some(&owner.cookie), &agent.asks(server, &[])).await.text().await.unwrap();
    assert!(page.contains("Described Agent") && page.contains("maker.example/client.json"), "{page}");
    let back = location(&decide(server, &owner, &page, "allow", true).await);
    let (_, tokens) = agent.redeem(server, &parameter(&back, "code").unwrap()).await;
    assert!(opens(server, &tokens).await, "{tokens}");
    assert_eq!(makers.asked.load(Ordering::SeqCst), 1, "it is kept for an hour");
    moving.skip(3601);
    visit(server, Some(&owner.cookie), &agent.asks(server, &[])).await;
    assert_eq!(makers.asked.load(Ordering::SeqCst), 2);
    assert_eq!(agent.refresh(server, &tokens).await.0, StatusCode::OK);
    moving.server.stop().await;
}

#[tokio::test]
async fn documents_that_are_not_in_order_are_not_taken() {
    let (moving, _makers) = with_makers().await;
    let server = &moving.server;
    let owner = owner(server).await;
    for document in ["stolen", "secret", "dangerous", "large", "moved", "slow"] {
        let id = format!("https://{document}.example/{document}.json");
        refused(server, &owner.cookie, &id).await;
    }
    // A redirect that the document does not name.
    let agent =
        Program { id: "https://maker.example/client.json".into(), redirect: "https://evil.example/callback".into() };
    assert_eq!(visit(server, Some(&owner.cookie), &agent.asks(server, &[])).await.status(), StatusCode::BAD_REQUEST);
    moving.server.stop().await;
}

/// Addresses inside are refused before anything is sent, whichever way they are written.
#[tokio::test]
async fn a_document_is_never_fetched_from_inside() {
    let moving = start(None, |_| {}).await;
    let server = &moving.server;
    let owner = owner(server).await;
    for id in [
        "https://localhost/client.json",
        "https://127.0.0.1/client.json",
        "https://2130706433/client.json",
        "https://0x7f000001/client.json",
        "https://[::1]/client.json",
        "https://[::ffff:7f00:1]/client.json",
        "https://169.254.169.254/latest/meta-data",
        "https://10.0.0.1/client.json",
        "https://192.168.1.1/client.json",
        "https://100.64.0.1/client.json",
        "https://[fd00:ec2::254]/client.json",
        "https://maker.example:8443/client.json",
        "https://user@maker.example/client.json",
        "https://maker.example/../client.json",
    ] {
        refused(server, &owner.cookie, id).await;
    }
    moving.server.stop().await;
}

async fn refused(server: &TestServer, cookie: &str, id: &str) {
    let agent = Program { id: id.into(), redirect: "http://localhost/callback".into() };
    let answer = visit(server, Some(cookie), &agent.asks(server, &[])).await;
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{id}");
    assert!(answer.text().await.unwrap().contains("document is not taken"), "{id}");
    assert!(store::oauth::client(&server.app().store.system(), id).await.unwrap().is_none(), "{id}");
}

/// Where documents are served from for tests is refused where the server is public.
#[tokio::test]
async fn the_address_of_tests_is_for_tests() {
    let load = |variables: &[(&str, &str)]| {
        let environment = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        server::config::Config::load(&server::config::Sources { environment, ..Default::default() })
    };
    let from = ("OAUTH_DOCUMENTS_FROM", "http://127.0.0.1:9");
    assert!(load(&[from]).is_ok());
    assert!(load(&[from, ("TUNNEL_URL", "https://shop.example")]).is_err());
    assert!(load(&[("OAUTH_DOCUMENTS_FROM", "http://maker.example")]).is_err());
}
