//! Several businesses in one installation: each has its own, is told apart at the door, and is silent when disabled.

use std::sync::Arc;

use reqwest::{Method, StatusCode, header};
use sdk::Kind;
use serde_json::{Value, json};
use server::actor::{Actor, Role, Scope};
use server::app::App;
use server::config::{Config, Wall};
use server::connections::Which;
use server::identity::people::{self, Filled};
use server::identity::{keys, sessions};
use server::tenants;
use store::guesses::Place;

use crate::support::{TestServer, on_both};

pub const PASSWORD: &str = "correct horse battery";

/// With the second wall where the database can have one, and a small sample business.
pub fn walled(config: &mut Config) {
    config.tenants.wall = Wall::On;
    config.sandbox.contacts = 40;
}

/// A business with an owner and an agent's key.
pub struct Business {
    pub id: String,
    pub key: String,
    pub owner: Member,
}

/// Somebody who has signed in.
pub struct Member {
    pub id: String,
    cookie: String,
    pub csrf: String,
}

impl Member {
    pub async fn send(&self, server: &TestServer, method: Method, path: &str, body: Value) -> (u16, String) {
        let request = server.http.request(method, server.url(path)).header(header::COOKIE, &self.cookie);
        let answer = request.header("x-csrf-token", &self.csrf).json(&body).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// As a page of ours sends it.
    pub async fn post_form(&self, server: &TestServer, path: &str, form: &Value) -> (u16, String) {
        let request = server.http.post(server.url(path)).header(header::COOKIE, &self.cookie);
        let answer = request.form(form).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }
}

impl Business {
    pub async fn found(server: &TestServer, id: &str, email: &str) -> Business {
        let link = tenants::create(server.app(), &Actor::terminal(), id, &format!("{id} Ltd")).await.unwrap();
        let filled = Filled { email: email.into(), name: format!("Owner of {id}"), password: PASSWORD.into() };
        people::use_link(server.app(), link.rsplit('/').next().unwrap(), filled).await.unwrap();
        let by = Actor::terminal().of(id);
        let scopes = [Scope::Read, Scope::Write];
        let (_, key) = keys::create(server.app(), &by, "agent", &scopes, None).await.unwrap();
        Business { id: id.into(), key, owner: sign_in(server, email, Some(id)).await.unwrap() }
    }

    /// `POST /mcp/run/{tool}` with the agent's key.
    pub async fn run(&self, server: &TestServer, tool: &str, arguments: Value) -> (u16, Value) {
        let request = server.http.post(server.url(&format!("/mcp/run/{tool}"))).bearer_auth(&self.key);
        let answer = request.json(&arguments).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }
}

/// Signs in; otherwise the status and what was said.
pub async fn sign_in(server: &TestServer, email: &str, business: Option<&str>) -> Result<Member, (StatusCode, Value)> {
    let body = json!({"email": email, "password": PASSWORD, "business": business});
    let answer = server.http.post(server.url("/api/v1/session")).json(&body).send().await.unwrap();
    let status = answer.status();
    let cookie = answer.headers().get(header::SET_COOKIE).map(|set| set.to_str().unwrap().to_owned());
    let body: Value = answer.json().await.unwrap();
    let Some(cookie) = cookie else { return Err((status, body)) };
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let cookie = cookie.split(';').next().unwrap().to_owned();
    Ok(Member { id: text(&body["person"]["id"]), cookie, csrf: text(&body["csrf"]) })
}

async fn contacts(server: &TestServer, business: &Business) -> Value {
    let (status, body) = business.run(server, "gohighlevel.read_contacts", json!({"limit": 5})).await;
    assert_eq!(status, 200, "{body}");
    body
}

/// Connects GoHighLevel for a business.
async fn connect(app: &Arc<App>, business: &str, vendor: &sandbox::Sandbox) {
    let account = vendor.account("gohighlevel").unwrap();
    let settings = account.config.as_object().unwrap().iter();
    let settings = settings.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect();
    let secrets = account.credentials.clone().into_iter().collect();
    let connections = app.connections.of(app, business).await.unwrap();
    let by = Actor::terminal().of(business);
    connections.connect_with_keys(app, &by, "gohighlevel", secrets, settings).await.unwrap();
}

async fn vendor(seed: u64) -> sandbox::Sandbox {
    let mut options = sandbox::Options::new(server::clock::Clock::system().now());
    (options.seed, options.contacts, options.enforce_limits) = (seed, 60, false);
    sandbox::start(options, ([127, 0, 0, 1], 0).into()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_has_its_own_accounts_brain_and_record() {
    on_both(walled, |server| async move {
        let (one, two) = tokio::join!(
            Business::found(&server, "one", "owner@one.example"),
            Business::found(&server, "two", "owner@two.example")
        );
        let vendor = vendor(77).await;
        connect(server.app(), "one", &vendor).await;
        assert_eq!(contacts(&server, &one).await["metadata"]["source"], "live");
        assert_eq!(contacts(&server, &two).await["metadata"]["source"], "sample", "who has connected nothing");
        let (_, own) = server.run("gohighlevel.read_contacts", json!({"limit": 5})).await;
        assert_eq!(own["metadata"]["source"], "sample", "the installation's own business");

        let (status, body) = one.run(&server, "system.sync", json!({"ecosystem": "gohighlevel"})).await;
        assert_eq!((status, &body["data"]["syncs"][0]["contacts_fetched"]), (200, &json!(60)), "{body}");
        for (business, expected) in [("one", 60), ("two", 0), ("default", 0)] {
            let tenant = server.app().store.tenant(business);
            assert_eq!(store::contacts::stats(&tenant, None).await.unwrap().contacts, expected, "{business}");
        }
        // What was changed in one business's sample is in no other's.
        let new = json!({"first_name": "Zora", "last_name": "Quillfeather", "email": "zora@two.example"});
        let reply = server::calls::Request::new("gohighlevel.create_contact", new);
        let reply = server::calls::call(server.app(), &Actor::terminal().of("two"), reply).await.unwrap();
        assert!(matches!(reply.outcome, server::calls::Outcome::Done(_)));
        let (_, found) = server.run("gohighlevel.read_contacts", json!({"query": "quillfeather"})).await;
        assert!(!found.to_string().contains("Quillfeather"), "{found}");

        let (_, audit) = two.run(&server, "system.search_audit", json!({"limit": 100})).await;
        let records = audit["data"]["executions"].as_array().unwrap();
        assert!(!records.is_empty() && records.iter().all(|record| record["tool"] != "system.sync"), "{audit}");
    })
    .await;
}

#[tokio::test]
async fn one_that_is_disabled_answers_nobody() {
    on_both(walled, |server| async move {
        let shop = Business::found(&server, "shop", "owner@shop.example").await;
        let (app, by) = (server.app(), Actor::terminal());
        let (_, link) =
            people::invite(app, &by.clone().of("shop"), "new@shop.example", "New", Role::Viewer).await.unwrap();
        assert_eq!(shop.run(&server, "system.health", json!({})).await.0, 200);
        tenants::set_disabled(app, &by, "shop", true).await.unwrap();

        assert_eq!(shop.run(&server, "system.health", json!({})).await.0, 403);
        assert_eq!(shop.owner.send(&server, Method::GET, "/api/v1/people", Value::Null).await.0, 403);
        assert_eq!(sign_in(&server, "owner@shop.example", None).await.err().unwrap().0, StatusCode::UNAUTHORIZED);
        assert_eq!(server.http.get(server.url(&link)).send().await.unwrap().status(), StatusCode::NOT_FOUND);
        let request = server::calls::Request::new("system.health", json!({}));
        let reply = server::calls::call(app, &Actor::run("shop", uuid::Uuid::now_v7()), request).await.unwrap();
        assert!(matches!(reply.outcome, server::calls::Outcome::Failed(e) if e.kind == Kind::Forbidden));
        // The others go on.
        assert_eq!(server.run("system.health", json!({})).await.0, 200);

        tenants::set_disabled(app, &by, "shop", false).await.unwrap();
        assert_eq!(shop.run(&server, "system.health", json!({})).await.0, 200);
        // One that another process has added answers at once.
        store::tenants::add(&app.store.system(), "late", "Late", app.clock.now()).await.unwrap();
        let (_, key) = keys::create(app, &by.clone().of("late"), "agent", &[Scope::Read], None).await.unwrap();
        let request = server.http.post(server.url("/mcp/run/system.health")).bearer_auth(&key).json(&json!({}));
        assert_eq!(request.send().await.unwrap().status(), StatusCode::OK);
        let own = tenants::set_disabled(app, &by, "default", true).await.unwrap_err();
        assert_eq!(own.kind, Kind::Conflict, "nobody could enable it again");
    })
    .await;
}

/// A guess at an address in two businesses is one at each; the one that is locked is not guessed at any more.
#[tokio::test]
async fn who_guesses_at_two_businesses_is_locked_out_of_both() {
    on_both(walled, |server| async move {
        let one = Business::found(&server, "one", "both@example.com").await;
        let two = Business::found(&server, "two", "both@example.com").await;
        let wrong = json!({"email": "both@example.com", "password": "something else entirely"});
        for _ in 0..5 {
            let answer = server.http.post(server.url("/api/v1/session")).json(&wrong).send().await.unwrap();
            assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
        }
        for business in ["one", "two"] {
            let refused = sign_in(&server, "both@example.com", Some(business)).await.err();
            assert_eq!(refused.unwrap().0, StatusCode::UNAUTHORIZED, "{business} is locked");
        }
        let tenant = server.app().store.tenant("two");
        let place = Place { person: two.owner.id.parse().unwrap(), address: "127.0.0.1" };
        store::guesses::note_login(&tenant, place, server.app().clock.now()).await.unwrap();
        let member = sign_in(&server, "both@example.com", None).await.ok().unwrap();
        assert!(member.id == two.owner.id && member.id != one.owner.id, "the locked one is not asked");
    })
    .await;
}

/// One address in two businesses: who knows the password is asked which, and nobody else hears of them.
#[tokio::test]
async fn an_address_may_belong_to_two_businesses() {
    on_both(walled, |server| async move {
        let one = Business::found(&server, "one", "both@example.com").await;
        let two = Business::found(&server, "two", "both@example.com").await;
        assert_ne!(one.owner.id, two.owner.id);
        let (status, body) = sign_in(&server, "both@example.com", None).await.err().unwrap();
        assert_eq!(status, StatusCode::FORBIDDEN, "{body}");
        assert!(body["type"].as_str().unwrap().ends_with("business_needed"), "{body}");
        let ids: Vec<&str> = body["businesses"].as_array().unwrap().iter().filter_map(|b| b["id"].as_str()).collect();
        assert_eq!(ids, ["one", "two"]);
        for (business, id) in [("one", &one.owner.id), ("two", &two.owner.id)] {
            assert_eq!(sign_in(&server, "both@example.com", Some(business)).await.ok().unwrap().id, *id);
        }
        assert_eq!(sign_in(&server, "both@example.com", Some("default")).await.err().unwrap().0, 401);
        let wrong = json!({"email": "both@example.com", "password": "something else entirely"});
        let answer = server.http.post(server.url("/api/v1/session")).json(&wrong).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
        assert!(!answer.text().await.unwrap().contains("businesses"));

        // Different passwords tell by themselves.
        let person =
            people::get(server.app(), &Actor::terminal().of("two"), two.owner.id.parse().unwrap()).await.unwrap();
        sessions::change_password(
            server.app(),
            &Actor::terminal().of("two"),
            &person,
            PASSWORD,
            "another horse battery",
        )
        .await
        .unwrap();
        assert_eq!(sign_in(&server, "both@example.com", None).await.ok().unwrap().id, one.owner.id);
    })
    .await;
}

#[tokio::test]
async fn only_the_installations_own_owners_manage_businesses() {
    on_both(walled, |server| async move {
        let shop = Business::found(&server, "shop", "owner@shop.example").await;
        let new = json!({"id": "third", "name": "Third"});
        for (method, path, body) in [
            (Method::GET, "/api/v1/tenants", Value::Null),
            (Method::POST, "/api/v1/tenants", new.clone()),
            (Method::PATCH, "/api/v1/tenants/shop", json!({"disabled": true})),
        ] {
            let (status, text) = shop.owner.send(&server, method, path, body).await;
            assert_eq!(status, 403, "{path}: {text}");
            assert!(!text.contains("Ltd"), "{text}");
        }
        let link = people::setup_link(server.app(), "default").await.unwrap().unwrap();
        let filled = Filled { email: "own@example.com".into(), name: "Own".into(), password: PASSWORD.into() };
        people::use_link(server.app(), link.rsplit('/').next().unwrap(), filled).await.unwrap();
        let own = sign_in(&server, "own@example.com", None).await.ok().unwrap();
        let (status, text) = own.send(&server, Method::POST, "/api/v1/tenants", new.clone()).await;
        assert!(status == 201 && text.contains("/welcome/"), "{status} {text}");
        assert_eq!(own.send(&server, Method::POST, "/api/v1/tenants", new).await.0, 409);
        let wrong = json!({"id": "Über uns", "name": "x"});
        assert_eq!(own.send(&server, Method::POST, "/api/v1/tenants", wrong).await.0, 422);
        let (_, text) = own.send(&server, Method::GET, "/api/v1/tenants", Value::Null).await;
        let list: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(list["tenants"].as_array().unwrap().len(), 3, "{text}");
        let disabled = own.send(&server, Method::PATCH, "/api/v1/tenants/third", json!({"disabled": true})).await;
        assert_eq!(disabled.0, 204, "{}", disabled.1);
    })
    .await;
}

/// The callers of one business together have a limit that leaves the others alone.
#[tokio::test]
async fn a_business_has_a_limit_of_its_own() {
    let server = TestServer::start(None, |config| config.tenants.calls_per_minute = 5).await;
    let shop = Business::found(&server, "shop", "owner@shop.example").await;
    let mut statuses = Vec::new();
    for _ in 0..7 {
        statuses.push(shop.run(&server, "system.tools", json!({"word": "nothing"})).await.0);
    }
    assert_eq!(statuses, [200, 200, 200, 200, 200, 429, 429]);
    assert_eq!(server.run("system.tools", json!({"word": "nothing"})).await.0, 200);
    server.stop().await;
}

/// One address takes the deliveries of all businesses; the account says whose they are.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_finds_the_business_of_its_account() {
    on_both(walled, |server| async move {
        for id in ["one", "two"] {
            Business::found(&server, id, &format!("owner@{id}.example")).await;
        }
        let (first, second) = (vendor(1).await, vendor(2).await);
        let secret = first.webhook_secret("gohighlevel");
        assert_ne!(first.gohighlevel().location_id, second.gohighlevel().location_id, "two accounts");
        for (business, vendor) in [("one", &first), ("two", &second)] {
            connect_with_webhooks(server.app(), business, vendor, &secret).await;
        }
        for (vendor, id) in [(&first, "event-1"), (&second, "event-2")] {
            let at = server::clock::Clock::system().now().to_rfc3339();
            let location = vendor.gohighlevel().location_id;
            let body =
                json!({"type": "ContactUpdate", "locationId": location, "id": "x", "webhookId": id, "timestamp": at});
            let body = body.to_string();
            let mut request = server.http.post(server.url("/webhooks/gohighlevel")).body(body.clone());
            for (name, value) in first.signed("gohighlevel", body.as_bytes()) {
                request = request.header(name, value);
            }
            let answer = request.send().await.unwrap();
            assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap());
        }
        for (business, event) in [("one", "event-1"), ("two", "event-2"), ("default", "")] {
            let tenant = server.app().store.tenant(business);
            let states = store::webhooks::count_by_state(&tenant, "gohighlevel").await.unwrap();
            assert_eq!(states.values().sum::<i64>(), i64::from(!event.is_empty()), "{business}: {states:?}");
            assert!(!states.contains_key("ignored"), "{business}: {states:?}");
        }
    })
    .await;
}

async fn connect_with_webhooks(app: &Arc<App>, business: &str, vendor: &sandbox::Sandbox, secret: &str) {
    let account = vendor.account("gohighlevel").unwrap();
    let settings = account.config.as_object().unwrap().iter();
    let settings = settings.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect();
    let connections = app.connections.of(app, business).await.unwrap();
    let webhook = connections.get("gohighlevel").unwrap().connector.webhook.unwrap();
    let mut secrets: std::collections::BTreeMap<String, String> = account.credentials.clone().into_iter().collect();
    secrets.insert(webhook.secret.name.into(), secret.into());
    let which = Which::new("gohighlevel", None);
    let by = Actor::terminal().of(business);
    connections.connect_with_keys(app, &by, which, secrets, settings).await.unwrap();
}
