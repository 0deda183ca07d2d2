//! Amazon's tools and streams against the simulated seller: real paging, real limits, tokens that end.
#![expect(clippy::unwrap_used, reason = "a test ends where it fails, also in its helpers")]

mod amazon;
mod support;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use amazon::{run, walk};
use chrono::{DateTime, TimeDelta, Utc};
use sandbox::{Fault, Options, Sandbox};
use sdk::connector::Opening;
use sdk::http::Settings;
use sdk::stream::Fields;
use sdk::{Credentials, Kind, Page};
use serde_json::{Value, json};

const HOUR: Duration = Duration::from_secs(3600);

fn now() -> DateTime<Utc> {
    "2026-11-23T20:00:00Z".parse().unwrap()
}

/// A seller, and a clock that goes with the sandbox's.
struct Seller {
    sandbox: Sandbox,
    skipped: Arc<AtomicI64>,
    config: Value,
    token: String,
}

impl Seller {
    async fn start(enforce_limits: bool) -> Seller {
        let options = Options { enforce_limits, ..Options::new(now()) };
        let sandbox = sandbox::start(options, "127.0.0.1:0".parse().unwrap()).await.unwrap();
        let account = sandbox.account("amazon").unwrap();
        let mut config = account.config;
        for server in ["token_url", "authorize_url"] {
            config.as_object_mut().unwrap().remove(server).unwrap();
        }
        Seller { sandbox, skipped: Arc::default(), config, token: account.credentials["access_token"].clone() }
    }

    fn clock(&self) -> impl Fn() -> DateTime<Utc> + Send + Sync + use<> {
        let (skipped, began) = (self.skipped.clone(), std::time::Instant::now());
        move || {
            let gone = TimeDelta::from_std(began.elapsed()).unwrap();
            now() + gone + TimeDelta::seconds(skipped.load(Ordering::Relaxed))
        }
    }

    /// With a fresh token, as the server keeps them.
    fn opening(&self) -> Opening {
        let account = self.sandbox.account("amazon").unwrap();
        self.opening_with(&account.credentials["access_token"])
    }

    fn opening_with(&self, token: &str) -> Opening {
        amazon::open(self.config.clone(), token, self.clock())
    }

    fn skip(&self, time: Duration) {
        self.sandbox.skip(time);
        self.skipped.fetch_add(i64::try_from(time.as_secs()).unwrap(), Ordering::Relaxed);
    }

    /// A request as any client makes it.
    async fn get(&self, path: &str, token: &str) -> (u16, Value, reqwest::header::HeaderMap) {
        let _ = rustls::crypto::ring::default_provider().install_default();
        #[expect(clippy::disallowed_methods, reason = "a test is its own process and owns its client")]
        let client = reqwest::Client::new();
        let url = format!("{}/amazon{path}", self.sandbox.url());
        let answer = client.get(url).header("x-amz-access-token", token).send().await.unwrap();
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        (status, answer.json().await.unwrap(), headers)
    }

    async fn token(&self, form: &[(&str, &str)]) -> (u16, Value) {
        #[expect(clippy::disallowed_methods, reason = "a test is its own process and owns its client")]
        let client = reqwest::Client::new();
        let url = format!("{}/amazon/auth/o2/token", self.sandbox.url());
        let answer = client.post(url).form(form).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }
}

#[tokio::test]
async fn a_full_walk_over_the_orders_sees_a_year_and_then_only_what_changed() {
    let seller = Seller::start(false).await;
    let (records, batches) = walk(seller.opening(), "orders", None).await.unwrap();
    let ids: BTreeSet<&String> = records.iter().map(|record| &record.id).collect();
    assert!(records.len() > 450 && ids.len() == records.len(), "{} of {}", ids.len(), records.len());
    assert_eq!(batches.len(), records.len().div_ceil(100));
    let oldest = records.iter().filter_map(|record| record.updated_at).min().unwrap();
    assert!(oldest > now() - TimeDelta::days(366) && oldest < now() - TimeDelta::days(355), "{oldest}");

    let since = now() + TimeDelta::seconds(1);
    seller.skip(120 * HOUR);
    let before = seller.sandbox.business().requests();
    let (changed, _) = walk(seller.opening(), "orders", Some(since)).await.unwrap();
    assert!(!changed.is_empty() && changed.len() < 40, "{}", changed.len());
    assert_eq!(seller.sandbox.business().requests() - before, 1);
    assert!(changed.iter().all(|record| record.updated_at.unwrap() > since - TimeDelta::minutes(6)));
    let placed =
        |record: &&sdk::Record| matches!(&record.fields, Fields::Order(order) if order.placed_at > Some(since));
    assert!(changed.iter().find(placed).is_some(), "the business goes on");
}

#[tokio::test]
async fn some_buyers_are_the_contacts_of_the_business() {
    let seller = Seller::start(false).await;
    let (records, _) = walk(seller.opening(), "orders", None).await.unwrap();
    let companies: BTreeSet<String> = (0..seller.sandbox.business().contacts())
        .filter_map(|n| seller.sandbox.business().contact(n)?["companyName"].as_str().map(str::to_lowercase))
        .collect();
    let bought: Vec<String> = records
        .iter()
        .filter_map(|record| record.data["buyer"]["buyerCompanyName"].as_str().map(str::to_lowercase))
        .collect();
    assert!(bought.len() > 100, "{}", bought.len());
    assert!(bought.iter().all(|company| companies.contains(company)));
    let orders = || {
        records.iter().filter_map(|record| match &record.fields {
            Fields::Order(order) => Some(order),
            _ => None,
        })
    };
    let relay =
        |order: &sdk::stream::Order| order.buyer_email.as_ref().is_some_and(|mail| mail.ends_with("amazon.com"));
    assert!(orders().any(relay) && orders().any(|order| order.buyer_email.is_none()));
    let states: BTreeSet<&str> = orders().map(|order| order.status.as_str()).collect();
    assert!(states.is_superset(&BTreeSet::from(["unshipped", "shipped", "cancelled"])), "{states:?}");
}

#[tokio::test]
async fn the_stock_is_walked_with_tokens_that_live_thirty_seconds() {
    let seller = Seller::start(false).await;
    let (records, batches) = walk(seller.opening(), "inventory", None).await.unwrap();
    assert_eq!((records.len(), batches.len()), (60, 2));

    let stream = amazon::stream("inventory");
    assert!(stream.complete && !amazon::stream("orders").complete);
    let opened = stream.open(seller.opening()).unwrap();
    let first = stream.fetch(&opened, Page::default()).await.unwrap();
    seller.skip(Duration::from_secs(31));
    let late = Page { cursor: first.next, ..Page::default() };
    let (again, batches) = support::walk_from(&stream, &opened, late).await.unwrap();
    assert_eq!((again.len(), batches.len()), (60, 3), "a dead token begins the walk again");

    let since = now() + TimeDelta::minutes(30);
    seller.skip(240 * HOUR);
    let (changed, _) = walk(seller.opening(), "inventory", Some(since)).await.unwrap();
    assert!(!changed.is_empty() && changed.len() < 60, "{}", changed.len());
}

#[tokio::test]
async fn a_walk_that_never_is_in_time_ends() {
    let seller = Seller::start(false).await;
    let stream = amazon::stream("inventory");
    let opened = stream.open(seller.opening()).unwrap();
    let mut page = Page::default();
    for _ in 0..20 {
        match stream.fetch(&opened, page.clone()).await {
            Ok(batch) => page.cursor = Some(batch.next.unwrap()),
            Err(error) => return assert_eq!(error.kind, Kind::InvalidInput, "{error}"),
        }
        seller.skip(Duration::from_secs(31));
    }
    panic!("it goes on for ever");
}

#[tokio::test]
async fn orders_pages_die_after_a_day_and_the_walk_begins_again() {
    let seller = Seller::start(false).await;
    let stream = amazon::stream("orders");
    let opened = stream.open(seller.opening()).unwrap();
    let first = stream.fetch(&opened, Page::default()).await.unwrap();
    seller.skip(23 * HOUR);
    let opened = stream.open(seller.opening()).unwrap();
    let second = stream.fetch(&opened, Page { cursor: first.next.clone(), ..Page::default() }).await.unwrap();
    assert_eq!(second.records.len(), 100);
    seller.skip(2 * HOUR);
    let opened = stream.open(seller.opening()).unwrap();
    let dead = stream.fetch(&opened, Page { cursor: first.next, ..Page::default() }).await.unwrap();
    assert!(dead.records.is_empty());
    let restarted = stream.fetch(&opened, Page { cursor: dead.next, ..Page::default() }).await.unwrap();
    assert_eq!(restarted.records.len(), 100);
}

#[tokio::test]
async fn the_tools_agree_with_each_other() {
    let seller = Seller::start(false).await;
    let listed = run(seller.opening(), "list_orders", json!({"limit": 100})).await.unwrap();
    let orders = listed["orders"].as_array().unwrap();
    let digest = run(seller.opening(), "order_digest", json!({"days": 30})).await.unwrap();
    assert_eq!(digest["orders"], orders.len());
    assert_eq!(digest["complete"], true);
    let late = run(seller.opening(), "list_orders", json!({"statuses": ["unshipped"], "limit": 100})).await.unwrap();
    assert!(late["orders"].as_array().unwrap().iter().all(|order| order["status"] == "unshipped"));

    let id = &orders.iter().find(|order| order["status"] == "shipped").unwrap()["id"];
    let order = run(seller.opening(), "get_order", json!({"order_id": id})).await.unwrap();
    assert_eq!(order["order"]["id"], *id);
    assert!(!order["order"]["items"].as_array().unwrap().is_empty());

    let metrics = run(seller.opening(), "sales_metrics", json!({"granularity": "month"})).await.unwrap();
    let sold = orders.iter().filter(|order| order["status"] != "cancelled").count();
    let counted = metrics["total"]["orders"].as_u64().unwrap();
    assert!(counted.abs_diff(sold as u64) <= 3, "{counted} and {sold}: the days differ a little");

    let stock = run(seller.opening(), "inventory_snapshot", json!({})).await.unwrap();
    assert_eq!(stock["totals"]["skus"], 60);
    assert_eq!(stock["items"].as_array().unwrap().len(), 20);
    let reports = run(seller.opening(), "list_reports", json!({})).await.unwrap();
    assert_eq!(reports["reports"].as_array().unwrap().len(), 10);
    let next = run(seller.opening(), "list_reports", json!({"cursor": reports["next_cursor"]})).await.unwrap();
    assert_ne!(next["reports"][0], reports["reports"][0]);
    let account = amazon::connector().check(seller.opening()).await.unwrap();
    assert_eq!(account.name, "MedTainer");
}

#[tokio::test]
async fn an_unknown_order_and_a_wrong_one_are_told_apart() {
    let seller = Seller::start(false).await;
    let unknown = run(seller.opening(), "get_order", json!({"order_id": "113-0000000-0000000"})).await.unwrap_err();
    assert_eq!(unknown.kind, Kind::NotFound, "{unknown}");
    let wrong = run(seller.opening(), "get_order", json!({"order_id": "TEST_CASE_400"})).await.unwrap_err();
    assert_eq!(wrong.kind, Kind::InvalidInput, "{wrong}");
    let path = "/orders/2026-01-01/orders/113-0000000-0000000";
    let (status, body, headers) = seller.get(path, &seller.token).await;
    assert_eq!((status, &body["errors"][0]["code"]), (404, &json!("NotFound")));
    assert!(headers.contains_key("x-amzn-requestid"));
    let (status, body, _) = seller.get("/orders/2026-01-01/orders?createdAfter=TEST_CASE_400", &seller.token).await;
    assert_eq!((status, &body["errors"][0]["code"]), (400, &json!("InvalidInput")));
    let both = "/orders/2026-01-01/orders?createdAfter=2026-11-01T00:00:00Z&lastUpdatedAfter=2026-11-01T00:00:00Z";
    assert_eq!(seller.get(both, &seller.token).await.0, 400);
    assert_eq!(seller.get("/orders/2026-01-01/orders", &seller.token).await.0, 400);
}

#[tokio::test]
async fn access_tokens_live_an_hour_and_refresh_tokens_stay() {
    let seller = Seller::start(true).await;
    let account = seller.sandbox.account("amazon").unwrap();
    let secret = |name: &str| account.credentials[name].clone();
    let (client, key, refresh) = (secret("client_id"), secret("client_secret"), secret("refresh_token"));
    seller.skip(HOUR);
    let error = run(seller.opening_with(&seller.token), "inventory_snapshot", json!({})).await.unwrap_err();
    assert_eq!(error.kind, Kind::Unauthenticated, "{error}");
    let form = |refresh: &str| {
        [("grant_type", "refresh_token"), ("refresh_token", refresh), ("client_id", &client), ("client_secret", &key)]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
    };
    let ask = async |pairs: &[(String, String)]| {
        let pairs: Vec<(&str, &str)> = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        seller.token(&pairs).await
    };
    for _ in 0..2 {
        let (status, answer) = ask(&form(&refresh)).await;
        assert_eq!((status, &answer["expires_in"], &answer["token_type"]), (200, &json!(3600), &json!("bearer")));
        assert_eq!(answer["refresh_token"], *refresh);
        let path = "/sellers/v1/marketplaceParticipations";
        assert_eq!(seller.get(path, answer["access_token"].as_str().unwrap()).await.0, 200);
    }
    let (status, answer) = ask(&form("Atzr|nonsense")).await;
    assert_eq!((status, &answer["error"]), (400, &json!("invalid_grant")));
    let mut stranger = form(&refresh);
    stranger[3].1 = "wrong".into();
    assert_eq!(ask(&stranger).await.1["error"], "invalid_client");
    assert_eq!(ask(&form(&refresh)[1..]).await.1["error"], "invalid_request");
    let (status, body, _) = seller.get("/sellers/v1/marketplaceParticipations", "Atza|made-up").await;
    assert_eq!((status, &body["errors"][0]["code"]), (403, &json!("Unauthorized")));
}

#[tokio::test]
async fn every_operation_has_a_bucket_of_its_own_with_amazons_headers() {
    let seller = Seller::start(true).await;
    let search = "/orders/2026-01-01/orders?createdAfter=2026-11-01T00:00:00Z&maxResultsPerPage=1";
    for _ in 0..20 {
        let (status, _, headers) = seller.get(search, &seller.token).await;
        assert_eq!((status, headers["x-amzn-ratelimit-limit"].to_str().unwrap()), (200, "0.0056"));
    }
    let (status, body, headers) = seller.get(search, &seller.token).await;
    assert_eq!((status, &body["errors"][0]["code"]), (429, &json!("QuotaExceeded")));
    assert!(!headers.contains_key("retry-after"));
    assert_eq!(seller.get("/sellers/v1/marketplaceParticipations", &seller.token).await.0, 200);
    seller.skip(Duration::from_secs(179));
    assert_eq!(seller.get(search, &seller.token).await.0, 200);
    assert_eq!(seller.get(search, &seller.token).await.0, 429);
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_agents_at_once_never_exceed_a_quota() {
    let seller = Seller::start(true).await;
    let breaches = Arc::new(AtomicI64::new(0));
    let seen = breaches.clone();
    let _ = rustls::crypto::ring::default_provider().install_default();
    #[expect(clippy::disallowed_methods, reason = "a test is its own process and owns its client")]
    let client = reqwest::Client::new();
    let count = move |attempt: sdk::http::Attempt| {
        let refused = attempt.status.is_some_and(|status| status.as_u16() == 429);
        seen.fetch_add(i64::from(refused), Ordering::Relaxed);
    };
    let limits = <connectors::amazon::Amazon as sdk::Connector>::limits();
    let connection = sdk::http::Connection::new("amazon", client, limits, Settings::default(), Arc::new(count));
    let connection = Arc::new(connection.with_clock(Arc::new(seller.clock())));
    let opening = || Opening {
        config: seller.config.clone(),
        credentials: Credentials::new().with("access_token", seller.token.clone()),
        http: sdk::Http::new(
            connection.clone(),
            sdk::http::Call {
                execution: None,
                key: "key".into(),
                deadline: tokio::time::Instant::now() + Duration::from_secs(6),
            },
        ),
    };
    let calls = (0..20).flat_map(|_| ["list_orders", "inventory_snapshot", "sales_metrics", "list_reports"]);
    let answers = futures::future::join_all(calls.map(|tool| run(opening(), tool, json!({})))).await;
    let refused: Vec<&sdk::Error> = answers.iter().filter_map(|answer| answer.as_ref().err()).collect();
    assert!(refused.iter().all(|error| error.kind == Kind::RateLimited), "{refused:?}");
    assert!(refused.iter().all(|error| error.retry_after.is_some()));
    assert!(answers.len() - refused.len() >= 40, "{} of {} were refused", refused.len(), answers.len());
    assert_eq!(breaches.load(Ordering::Relaxed), 0, "Amazon never had to say no");
}

#[tokio::test]
async fn what_goes_wrong_on_the_way_is_tried_again_or_named() {
    let seller = Seller::start(false).await;
    let faults = seller.sandbox.faults();
    for fault in [Fault::Status(503), Fault::Status(500), Fault::Drop, Fault::DropReply, Fault::Truncated] {
        faults.next_on("/amazon/sales", 2, fault.clone());
        run(seller.opening(), "sales_metrics", json!({})).await.unwrap_or_else(|error| panic!("{fault:?}: {error}"));
        faults.clear();
    }
    for (fault, kind) in [
        (Fault::Malformed, Kind::Upstream),
        (Fault::Html, Kind::Upstream),
        (Fault::Status(503), Kind::Unavailable),
        (Fault::Status(403), Kind::Forbidden),
    ] {
        faults.always("/amazon/sales", fault.clone());
        let error = run(seller.opening(), "sales_metrics", json!({})).await.unwrap_err();
        assert_eq!(error.kind, kind, "{fault:?}: {error}");
        faults.clear();
    }
    faults.next_on("/amazon/sales", 1, Fault::ExpiredToken);
    for _ in 0..2 {
        let error = run(seller.opening_with(&seller.token), "sales_metrics", json!({})).await.unwrap_err();
        assert_eq!(error.kind, Kind::Unauthenticated, "the token is dead from then on: {error}");
    }
}

#[tokio::test]
async fn the_same_seed_is_the_same_seller() {
    let (one, two) = (Seller::start(false).await, Seller::start(false).await);
    let path = "/orders/2026-01-01/orders?createdAfter=2026-10-01T00:00:00Z&includedData=BUYER,PROCEEDS,FULFILLMENT";
    assert_eq!(one.get(path, &one.token).await.1["orders"], two.get(path, &two.token).await.1["orders"]);
    assert_eq!(one.token, two.token);
}
