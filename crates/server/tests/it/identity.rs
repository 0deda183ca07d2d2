//! People sign in, are told apart by role, and cannot be imitated by a page, a guesser or a link that was used.

use reqwest::{Method, StatusCode, header};
use sdk::Kind;
use serde_json::{Value, json};
use server::actor::{Actor, Role};
use server::config::Config;
use server::identity::people::{self, Filled};
use server::policy::{self, Rule};
use store::guesses::Place;
use totp_rs::{Builder, Secret};

use crate::support::{TestServer, on_both};

pub const PASSWORD: &str = "correct horse battery";

/// Somebody who has signed in.
pub struct Browser<'a> {
    server: &'a TestServer,
    pub cookie: String,
    pub csrf: String,
    pub id: String,
}

impl Browser<'_> {
    pub async fn send(&self, method: Method, path: &str, body: Value) -> (u16, Value) {
        let request = self.server.http.request(method, self.server.url(path)).header(header::COOKIE, &self.cookie);
        let answer = request.header("x-csrf-token", &self.csrf).json(&body).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap_or_default())
    }

    async fn run(&self, tool: &str, arguments: Value) -> (u16, Value) {
        self.send(Method::POST, &format!("/mcp/run/{tool}"), arguments).await
    }
}

async fn sign_in(server: &TestServer, email: &str, password: &str, code: Option<&str>) -> reqwest::Response {
    let body = json!({"email": email, "password": password, "code": code});
    server.http.post(server.url("/api/v1/session")).json(&body).send().await.unwrap()
}

async fn browser<'a>(server: &'a TestServer, email: &str) -> Browser<'a> {
    let answer = sign_in(server, email, PASSWORD, None).await;
    assert_eq!(answer.status(), StatusCode::OK);
    let set = answer.headers()[header::SET_COOKIE].to_str().unwrap().to_owned();
    assert!(set.contains("HttpOnly") && set.contains("SameSite=Strict") && set.contains("Path=/"), "{set}");
    let body: Value = answer.json().await.unwrap();
    assert!(!body.to_string().contains("argon2"), "{body}");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let cookie = set.split(';').next().unwrap().to_owned();
    Browser { server, cookie, csrf: text(&body["csrf"]), id: text(&body["person"]["id"]) }
}

pub async fn owner(server: &TestServer) -> Browser<'_> {
    let link = people::setup_link(server.app(), "default").await.unwrap().unwrap();
    let form = [("email", "Owner@Shop.example"), ("name", "Owner"), ("password", PASSWORD)];
    let page = server.http.post(server.url(&link)).form(&form).send().await.unwrap();
    assert_eq!(page.status(), StatusCode::OK, "{}", page.text().await.unwrap());
    browser(server, "owner@shop.example").await
}

pub async fn person<'a>(server: &'a TestServer, email: &str, role: Role) -> Browser<'a> {
    let by = Actor::terminal();
    let (_, link) = people::invite(server.app(), &by, email, "Somebody", role).await.unwrap();
    let filled = Filled { password: PASSWORD.into(), ..Filled::default() };
    people::use_link(server.app(), link.rsplit('/').next().unwrap(), filled).await.unwrap();
    browser(server, email).await
}

/// The link is looked at as often as one likes, makes one owner, and is gone then; so is every other.
#[tokio::test]
async fn the_first_owner_comes_by_a_link_that_is_good_once() {
    on_both(
        |_| {},
        |server| async move {
            let link = people::setup_link(server.app(), "default").await.unwrap().unwrap();
            for _ in 0..2 {
                let page = server.http.get(server.url(&link)).send().await.unwrap();
                assert_eq!(page.status(), StatusCode::OK);
                assert_eq!(page.headers()[header::REFERRER_POLICY], "same-origin");
            }
            let weak = [("email", "a@shop.example"), ("name", "A"), ("password", "aaaaaaaaaaaaaa")];
            let page = server.http.post(server.url(&link)).form(&weak).send().await.unwrap();
            assert_eq!(page.status(), StatusCode::UNPROCESSABLE_ENTITY, "a weak password does not use it up");

            let many = (0..20).map(|n| {
                let (email, server, link) = (format!("owner{n}@shop.example"), &server, &link);
                async move {
                    let form = [("email", email.as_str()), ("name", "Owner"), ("password", PASSWORD)];
                    server.http.post(server.url(link)).form(&form).send().await.unwrap().status()
                }
            });
            let answers = futures::future::join_all(many).await;
            assert_eq!(answers.iter().filter(|status| **status == StatusCode::OK).count(), 1, "{answers:?}");
            assert_eq!(people::list(server.app(), &Actor::terminal()).await.unwrap().len(), 1);
            assert_eq!(people::setup_link(server.app(), "default").await.unwrap(), None);
            assert_eq!(server.http.get(server.url(&link)).send().await.unwrap().status(), StatusCode::NOT_FOUND);
        },
    )
    .await;
}

#[tokio::test]
async fn what_a_person_may_do_follows_from_the_role() {
    on_both(
        |_| {},
        |server| async move {
            let owner = owner(&server).await;
            let admin = person(&server, "admin@shop.example", Role::Admin).await;
            let operator = person(&server, "operator@shop.example", Role::Operator).await;
            let viewer = person(&server, "viewer@shop.example", Role::Viewer).await;
            let contacts = server.data("gohighlevel.read_contacts", json!({"limit": 1})).await;
            let tag = json!({"contact_id": contacts["contacts"][0]["id"], "tags": ["by hand"]});

            // A person in the dashboard writes without asking; who only looks does not write at all.
            for (who, status) in [(&owner, 200), (&operator, 200), (&viewer, 403)] {
                assert_eq!(who.run("gohighlevel.add_tags", tag.clone()).await.0, status);
                assert_eq!(who.run("contacts.search", json!({"query": "acme"})).await.0, 200);
            }
            let invitation =
                |role: &str| json!({"email": format!("{role}2@shop.example"), "name": "New", "role": role});
            for (who, role, status) in [
                (&owner, "owner", 201),
                (&admin, "admin", 201),
                (&admin, "owner", 403),
                (&operator, "viewer", 403),
                (&viewer, "viewer", 403),
            ] {
                assert_eq!(who.send(Method::POST, "/api/v1/people", invitation(role)).await.0, status, "{role}");
            }
            assert_eq!(operator.send(Method::GET, "/api/v1/policy/rules", json!({})).await.0, 403);
            let rule = json!({"rule": {"tools": ["gohighlevel.*"], "decision": "deny"}});
            assert_eq!(admin.send(Method::PUT, "/api/v1/policy/rules/none", rule).await.0, 204);
            let tried = json!({"tool": "gohighlevel.add_tags", "arguments": tag, "agent": "claude"});
            let (_, said) = admin.send(Method::POST, "/api/v1/policy/test", tried).await;
            assert_eq!((&said["decision"], &said["rules"][0]["fits"]), (&json!("deny"), &json!(true)), "{said}");
            assert_eq!(admin.send(Method::DELETE, "/api/v1/policy/rules/none", json!({})).await.0, 204);

            // An admin may not touch an owner, and nobody the last one.
            let path = format!("/api/v1/people/{}", owner.id);
            assert_eq!(admin.send(Method::PATCH, &path, json!({"role": "viewer"})).await.0, 403);
            assert_eq!(owner.send(Method::PATCH, &path, json!({"role": "viewer"})).await.0, 409);
            assert_eq!(owner.send(Method::PATCH, &path, json!({"disabled": true})).await.0, 409);

            // Who is let in no more is out at once.
            let path = format!("/api/v1/people/{}", operator.id);
            assert_eq!(admin.send(Method::PATCH, &path, json!({"disabled": true})).await.0, 200);
            assert_eq!(operator.run("contacts.search", json!({"query": "acme"})).await.0, 401);
            assert_eq!(sign_in(&server, "operator@shop.example", PASSWORD, None).await.status(), 401);
        },
    )
    .await;
}

/// Of two owners who leave at the same moment one stays.
#[tokio::test]
async fn the_last_owner_stays_whoever_leaves_first() {
    on_both(
        |_| {},
        |server| async move {
            let first = owner(&server).await;
            for round in 0..5 {
                let second = person(&server, &format!("second{round}@shop.example"), Role::Owner).await;
                let leave = |id: &str| (format!("/api/v1/people/{id}"), json!({"role": "admin"}));
                let ((one, body), (two, same)) = (leave(&first.id), leave(&second.id));
                let (left, right) =
                    tokio::join!(first.send(Method::PATCH, &one, body), second.send(Method::PATCH, &two, same));
                let left_role = |status: u16| status == 200;
                assert!(left_role(left.0) != left_role(right.0), "{left:?} {right:?}");
                // Both are owners again for the next round.
                let by = Actor::terminal();
                for id in [&first.id, &second.id] {
                    let change = store::people::Change { role: Some("owner".into()), ..Default::default() };
                    people::change(server.app(), &by, id.parse().unwrap(), change).await.unwrap();
                }
                let gone = store::people::Change { role: Some("viewer".into()), ..Default::default() };
                people::change(server.app(), &by, second.id.parse().unwrap(), gone).await.unwrap();
            }
        },
    )
    .await;
}

/// Guessing locks, tells nothing, and does not go faster in a crowd.
#[tokio::test]
async fn a_guesser_learns_nothing_and_is_locked_out() {
    on_both(
        |_| {},
        |server| async move {
            owner(&server).await;
            let mut said = Vec::new();
            for (email, password) in [("owner@shop.example", "wrong horse battery"), ("nobody@shop.example", PASSWORD)]
            {
                let answer = sign_in(&server, email, password, None).await;
                assert_eq!(answer.status(), 401);
                said.push(answer.text().await.unwrap());
            }
            assert_eq!(said[0], said[1], "who is known here is not told");
            let guesses = (0..12).map(|n| sign_in_as(&server, format!("guess number {n} of many")));
            futures::future::join_all(guesses).await;
            assert_eq!(sign_in(&server, "owner@shop.example", PASSWORD, None).await.status(), 401, "locked");
            let row = &people::list(server.app(), &Actor::terminal()).await.unwrap()[0];
            let (tenant, place) =
                (server.app().store.tenant("default"), Place { person: row.id, address: "127.0.0.1" });
            let tried = store::guesses::tried(&tenant, place).await.unwrap();
            assert!(tried.locked_until.is_some() && tried.failures == 5, "{tried:?}");
            // The address has had enough as well.
            let mut last = 0;
            for _ in 0..20 {
                last = sign_in(&server, "owner@shop.example", PASSWORD, None).await.status().as_u16();
            }
            assert_eq!(last, 429);
        },
    )
    .await;
}

async fn sign_in_as(server: &TestServer, password: String) {
    sign_in(server, "owner@shop.example", &password, None).await;
}

/// A foreign page has the cookie sent along and no token; MCP takes no cookie; a session ends for good.
#[tokio::test]
async fn a_session_cannot_be_ridden() {
    on_both(
        |_| {},
        |server| async move {
            let owner = owner(&server).await;
            let with = |csrf: &str| {
                let request =
                    server.http.post(server.url("/mcp/run/contacts.search")).header(header::COOKIE, &owner.cookie);
                request.header("x-csrf-token", csrf.to_owned()).json(&json!({"query": "acme"})).send()
            };
            assert_eq!(with("").await.unwrap().status(), 403);
            assert_eq!(with("guess").await.unwrap().status(), 403);
            assert_eq!(with(&owner.csrf).await.unwrap().status(), 200);
            let foreign =
                server.http.post(server.url("/api/v1/session")).header(header::ORIGIN, "https://evil.example");
            assert_eq!(foreign.json(&json!({})).send().await.unwrap().status(), 403);
            for (path, refused) in
                [("/mcp", 401), ("/mcp/", 401), ("/mcp/x", 404), ("/mcp/tools/x", 404), ("//mcp", 404)]
            {
                let list = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"});
                assert_eq!(owner.send(Method::POST, path, list).await.0, refused, "{path}");
            }

            assert_eq!(owner.send(Method::GET, "/api/v1/session", json!({})).await.1["csrf"], json!(owner.csrf));
            assert_eq!(owner.send(Method::DELETE, "/api/v1/session", json!({})).await.0, 204);
            assert_eq!(owner.send(Method::GET, "/api/v1/session", json!({})).await.0, 401);

            // A new password ends the other sessions.
            let (one, other) =
                (browser(&server, "owner@shop.example").await, browser(&server, "owner@shop.example").await);
            let new = json!({"old": PASSWORD, "new": "another horse battery"});
            assert_eq!(one.send(Method::POST, "/api/v1/session/password", new).await.0, 204);
            assert_eq!(other.send(Method::GET, "/api/v1/session", json!({})).await.0, 401);
            assert_eq!(sign_in(&server, "owner@shop.example", PASSWORD, None).await.status(), 401);
        },
    )
    .await;
}

/// A code is asked for once there is a second factor, is good once, and may be wanted for a decision.
#[tokio::test]
async fn a_second_factor_is_asked_for_and_each_code_is_good_once() {
    on_both(
        |_| {},
        |server| async move {
            let owner = owner(&server).await;
            let code = authenticator(&server, &owner).await;
            let confirm = "/api/v1/session/second-factor/confirm";
            assert_eq!(owner.send(Method::POST, confirm, json!({"code": "000000"})).await.0, 403);
            assert_eq!(sign_in(&server, "owner@shop.example", PASSWORD, None).await.status(), 200, "not in force yet");
            assert_eq!(owner.send(Method::POST, confirm, json!({"code": code(-1)})).await.0, 204);

            let needed = sign_in(&server, "owner@shop.example", PASSWORD, None).await;
            assert_eq!(needed.status(), 403);
            assert!(needed.text().await.unwrap().contains("second_factor_needed"));
            assert_eq!(sign_in(&server, "owner@shop.example", PASSWORD, Some(&code(-1))).await.status(), 401, "used");
            assert_eq!(sign_in(&server, "owner@shop.example", PASSWORD, Some(&code(0))).await.status(), 200);

            let rule: Rule =
                serde_json::from_value(json!({"tools": ["gohighlevel.add_tags"], "asks": {"second_factor": true}}))
                    .unwrap();
            policy::put(server.app(), &Actor::terminal(), "factor", rule, None, true).await.unwrap();
            let contacts = server.data("gohighlevel.read_contacts", json!({"limit": 1})).await;
            let tag = json!({"contact_id": contacts["contacts"][0]["id"], "tags": ["factor"]});
            let (_, asked) = server.run("gohighlevel.add_tags", tag).await;
            let path = format!("/api/v1/approvals/{}/decision", asked["data"]["approval_id"].as_str().unwrap());
            let decide =
                |code: Option<String>| owner.send(Method::POST, &path, json!({"decision": "approve", "code": code}));
            assert_eq!(decide(None).await.0, 403);
            assert_eq!(decide(Some(code(0))).await.0, 403, "used to sign in");
            assert_eq!(decide(Some(code(1))).await.0, 200);
        },
    )
    .await;
}

/// Begins a second factor and gives its codes. Those of the step before, of this one and of the next are taken, each once
/// and in their order.
pub async fn authenticator(server: &TestServer, person: &Browser<'_>) -> impl Fn(i64) -> String {
    let password = json!({"password": PASSWORD});
    let (_, begun) = person.send(Method::POST, "/api/v1/session/second-factor", password).await;
    let address = url::Url::parse(begun["otpauth"].as_str().unwrap()).unwrap();
    let secret = address.query_pairs().find(|(name, _)| name == "secret").unwrap().1.into_owned();
    let totp = Builder::new().with_secret(Secret::try_from_base32(&secret).unwrap()).build().unwrap();
    let now = u64::try_from(server.app().clock.now().timestamp()).unwrap();
    move |steps: i64| totp.generate(now.saturating_add_signed(steps * 30)).to_string()
}

/// The same, in force.
async fn second_factor(server: &TestServer, person: &Browser<'_>) -> impl Fn(i64) -> String {
    let code = authenticator(server, person).await;
    let confirmed = person.send(Method::POST, "/api/v1/session/second-factor/confirm", json!({"code": code(0)})).await;
    assert_eq!(confirmed.0, 204, "{confirmed:?}");
    code
}

/// Who has somebody's session, at a computer that was left or by a stolen cookie, has neither the password nor the phone.
#[tokio::test]
async fn a_session_alone_changes_nothing_of_how_its_person_signs_in() {
    on_both(
        |_| {},
        |server| async move {
            let owner = owner(&server).await;
            let begin = "/api/v1/session/second-factor";
            assert_eq!(owner.send(Method::POST, begin, json!({})).await.0, 422);
            assert_eq!(owner.send(Method::POST, begin, json!({"password": "wrong horse battery"})).await.0, 401);
            let code = second_factor(&server, &owner).await;
            let own = format!("/api/v1/people/{}/second-factor", owner.id);
            for wrong in [json!({}), json!({"code": "000000"}), json!({"code": code(0)})] {
                assert_eq!(owner.send(Method::DELETE, &own, wrong.clone()).await.0, 403, "{wrong}");
            }
            assert_eq!(sign_in(&server, "owner@shop.example", PASSWORD, None).await.status(), 403, "it is in force");
            let link = format!("/api/v1/people/{}/link", owner.id);
            assert_eq!(owner.send(Method::POST, &link, json!({})).await.0, 403, "a new password without the old one");

            assert_eq!(owner.send(Method::DELETE, &own, json!({"code": code(1)})).await.0, 204);
            assert_eq!(sign_in(&server, "owner@shop.example", PASSWORD, None).await.status(), 200);

            // Nor is the password guessed where a session asks for it.
            for _ in 0..5 {
                assert_eq!(owner.send(Method::POST, begin, json!({"password": "wrong horse battery"})).await.0, 401);
            }
            let new = json!({"old": PASSWORD, "new": "another horse battery"});
            assert_eq!(owner.send(Method::POST, "/api/v1/session/password", new).await.0, 401, "locked");
        },
    )
    .await;
}

/// Wrong codes lock wherever they are tried, and a crowd of them has no more tries.
#[tokio::test]
async fn a_code_is_guessed_no_faster_at_a_decision_than_at_the_door() {
    on_both(
        |_| {},
        |server| async move {
            let owner = owner(&server).await;
            let code = second_factor(&server, &owner).await;
            let contacts = server.data("gohighlevel.read_contacts", json!({"limit": 1})).await;
            let tag = json!({"contact_id": contacts["contacts"][0]["id"], "tags": ["guessed"]});
            let (_, asked) = server.run("gohighlevel.add_tags", tag).await;
            let id = asked["data"]["approval_id"].as_str().unwrap();
            let path = format!("/api/v1/approvals/{id}/decision");
            let decide = |code: &str| owner.send(Method::POST, &path, json!({"decision": "approve", "code": code}));
            let form =
                [("csrf", owner.csrf.as_str()), ("arguments_hash", ""), ("decision", "approve"), ("code", "000000")];
            let page = server.http.post(server.url(&format!("/approvals/{id}"))).header(header::COOKIE, &owner.cookie);
            assert_eq!(page.form(&form).send().await.unwrap().status(), 403);
            let row = async || people::list(server.app(), &Actor::terminal()).await.unwrap().swap_remove(0);
            assert_eq!(row().await.failures, 1, "the page counts too");

            let guesses = futures::future::join_all((0..12).map(|_| decide("000000"))).await;
            assert!(guesses.iter().all(|(status, _)| *status == 403), "{guesses:?}");
            let locked = row().await;
            assert!(locked.failures == 5 && locked.locked_until.is_some(), "{locked:?}");
            assert_eq!(decide(&code(1)).await.0, 403, "locked");
            assert_eq!(
                sign_in(&server, "owner@shop.example", PASSWORD, Some(&code(1))).await.status(),
                401,
                "here too"
            );
            let locks = store::audit::events(&server.app().store.tenant("default"), Some("locked_out"), 9, None).await;
            assert_eq!(locks.unwrap().rows.len(), 1);

            store::people::forget_failures(&server.app().store.tenant("default"), locked.id).await.unwrap();
            assert_eq!(decide(&code(1)).await.0, 200);
            assert_eq!(row().await.failures, 0);
        },
    )
    .await;
}

/// Behind a proxy everybody has its address. Each client has limits of its own there, whatever it writes into the list,
/// and who guesses at one person keeps nobody else at the same address from signing in.
#[tokio::test]
async fn who_guesses_behind_a_proxy_stops_nobody_else() {
    let moving = crate::letting_in::start(None, behind_a_proxy).await;
    let server = &moving.server;
    owner(server).await;
    let post = async |from: &str, path: &str, body: Value| {
        let request = server.http.post(server.url(path)).header("x-forwarded-for", from);
        request.json(&body).send().await.unwrap().status().as_u16()
    };
    let guess = |email: &str| json!({"email": email, "password": PASSWORD});
    let (session, mut last) = ("/api/v1/session", 0);
    for n in 0..25 {
        last = post(&format!("198.51.100.{n}, 203.0.113.1"), session, guess("nobody@shop.example")).await;
    }
    assert_eq!(last, 429);
    assert_eq!(post("203.0.113.1", session, guess("owner@shop.example")).await, 200, "another person there");
    for (path, most) in [(session, 110), ("/register", 30), ("/token", 310)] {
        for _ in 0..most {
            last = post("203.0.113.1", path, json!([])).await;
        }
        assert_eq!(last, 429, "{path}");
        let elsewhere = post("203.0.113.2", path, json!([])).await;
        assert!((400..429).contains(&elsewhere), "{path}: {elsewhere}");
    }
    moving.server.stop().await;
}

/// Wrong passwords lock the place that they come from. A crowd of places has no more tries than a limit for all of them, and
/// keeps the person out of none where the person was before.
#[tokio::test]
async fn who_guesses_locks_itself_out_and_not_the_person() {
    on_both(behind_a_proxy, |server| async move {
        let link = people::setup_link(server.app(), "default").await.unwrap().unwrap();
        let form = [("email", "owner@shop.example"), ("name", "Owner"), ("password", PASSWORD)];
        assert_eq!(server.http.post(server.url(&link)).form(&form).send().await.unwrap().status(), 200);
        let sign_in = async |from: &str, password: &str| {
            let body = json!({"email": "owner@shop.example", "password": password});
            let request = server.http.post(server.url("/api/v1/session")).header("x-forwarded-for", from);
            request.json(&body).send().await.unwrap().status().as_u16()
        };
        assert_eq!(sign_in("203.0.113.1", PASSWORD).await, 200);
        for guesser in 1..=20 {
            let from = format!("198.51.100.{guesser}");
            for _ in 0..5 {
                assert_eq!(sign_in(&from, "wrong horse battery").await, 401);
            }
            if guesser == 1 {
                assert_eq!(sign_in(&from, PASSWORD).await, 401, "locked there");
                assert_eq!(sign_in("203.0.113.2", PASSWORD).await, 200, "and nowhere else");
            }
        }
        assert_eq!(sign_in("203.0.113.3", PASSWORD).await, 401, "there were a hundred");
        for known in ["203.0.113.1", "203.0.113.2"] {
            assert_eq!(sign_in(known, PASSWORD).await, 200, "{known}");
        }
    })
    .await;
}

fn behind_a_proxy(config: &mut Config) {
    config.server.trusted_proxies = Some(vec!["127.0.0.0/8".to_owned().try_into().unwrap()]);
}

#[tokio::test]
async fn people_are_told_what_is_wrong_with_what_they_typed() {
    let server = TestServer::sqlite().await;
    let (app, by) = (server.app(), Actor::terminal());
    for (email, name) in [("no address", "A"), ("a@b", "A"), ("a@shop.example", ""), ("a b@shop.example", "A")] {
        let refused = people::invite(app, &by, email, name, Role::Viewer).await.unwrap_err();
        assert_eq!(refused.kind, Kind::InvalidInput, "{email} {name}");
    }
    people::invite(app, &by, "a@shop.example", "A", Role::Viewer).await.unwrap();
    let again = people::invite(app, &by, "A@shop.example", "A", Role::Viewer).await.unwrap_err();
    assert_eq!(again.kind, Kind::Conflict, "{again}");
    server.stop().await;
}
