//! The connector against the simulated GoDaddy, over both of its APIs: real paging, real limits, real faults.
#![expect(clippy::unwrap_used, reason = "a test ends where it fails, also in its helpers")]

mod dns;
mod support;

use std::collections::BTreeSet;

use connectors::godaddy::GoDaddy;
use dns::{limited, now, opening, start};
use sandbox::{Fault, Sandbox};
use sdk::connector::Opening;
use sdk::stream::Fields;
use sdk::{ErasedConnector, Kind, Result};
use serde_json::{Value, json};
use support::contracts;

const SHOP: &str = "medtainershop.example";

/// With the token v3 is used, without it v1.
fn open(sandbox: &Sandbox, names: &[(&str, &str)]) -> Opening {
    let account = sandbox.account("godaddy").unwrap();
    let secrets: Vec<(&str, &str)> =
        names.iter().map(|(name, credential)| (*name, account.credentials[*credential].as_str())).collect();
    opening(account.config.clone(), &secrets)
}

fn v3(sandbox: &Sandbox) -> Opening {
    open(sandbox, &[("token", "token"), ("key", "key"), ("secret", "secret")])
}

fn v1(sandbox: &Sandbox) -> Opening {
    open(sandbox, &[("key", "key"), ("secret", "secret")])
}

async fn run(open: Opening, tool: &str, arguments: Value) -> Result<Value> {
    dns::run::<GoDaddy>(open, tool, arguments).await
}

fn api_effects(sandbox: &Sandbox) -> usize {
    sandbox.business().effects().iter().filter(|effect| effect.kind.starts_with("godaddy.")).count()
}

#[tokio::test]
async fn every_tool_works_over_either_api() {
    for old in [false, true] {
        let sandbox = start().await;
        let with = || if old { v1(&sandbox) } else { v3(&sandbox) };
        let call = async |tool: &str, arguments: Value| -> Value {
            run(with(), tool, arguments).await.unwrap_or_else(|error| panic!("{tool} {old}: {error:?}"))
        };
        let first = call("list_domains", json!({"limit": 6})).await;
        let second = call("list_domains", json!({"limit": 6, "cursor": first["next_cursor"]})).await;
        let count = |answer: &Value| answer["domains"].as_array().unwrap().len();
        assert_eq!((count(&first), count(&second)), (6, 5));
        let soon = call("list_domains", json!({"expires_before": "2026-12-15T00:00:00Z"})).await;
        assert_eq!(soon["domains"][0]["domain"], "medtainer-events.example");
        assert_eq!(soon["domains"][0]["auto_renew"], false);
        let moved = call("get_domain", json!({"domain": "medtainer.example"})).await;
        assert_eq!(moved["dns_host"], "cloudflare");
        assert_eq!(call("get_domain", json!({"domain": SHOP})).await["dns_host"], "godaddy");

        let records = call("list_dns", json!({"domain": SHOP})).await;
        let more = call("list_dns", json!({"domain": SHOP, "cursor": records["next_cursor"]})).await;
        assert_ne!(records["records"][0], more["records"][0]);
        let mail = call("mx_records", json!({"domain": SHOP})).await;
        assert_eq!((&mail["provider"], &mail["mx"][0]["priority"]), (&json!("GoDaddy mail"), &json!(0)));
        assert!(mail["dmarc"].is_string() && mail["spf"].is_string());
        assert!(call("subdomains", json!({"domain": SHOP})).await["total"].as_u64().unwrap() > 40);
        let offers =
            call("check_availability", json!({"domains": ["medtainer.example", "a.example", "b.example"]})).await;
        let free = offers["domains"].as_array().unwrap().iter().filter(|offer| offer["available"] == true).count();
        assert_eq!(free, 1);
        let people = call("domain_contacts", json!({"domain": SHOP})).await;
        assert_eq!(people["contacts"][0]["email"], "rosalind@medtainer.example");
        change(&sandbox, &with, old).await;
    }
}

async fn change(sandbox: &Sandbox, with: &impl Fn() -> Opening, old: bool) {
    let mut wish = json!({"domain": SHOP, "records": [
        {"type": "A", "name": "pos", "data": "203.0.113.99", "ttl": 600},
        {"type": "TXT", "name": "_verify", "data": "token=1"},
        {"type": "MX", "name": "@", "data": "smtp.google.com", "priority": 1},
        {"type": "SRV", "name": "_xmpp._tcp", "data": "5 0 5222 chat.example.net"}],
        "remove": ["CNAME shop"]});
    let planned = run(with(), "dns_plan", wish.clone()).await.unwrap();
    let counts = ["added", "changed", "removed"].map(|key| planned[key].as_array().unwrap().len());
    assert_eq!(counts, [3, 1, 3], "{planned:#}");
    assert_eq!(api_effects(sandbox), 0, "a plan changes nothing");
    wish["plan"] = planned["plan"].clone();
    let applied = run(with(), "apply_dns_plan", wish.clone()).await.unwrap();
    assert_eq!((&applied["added"], &applied["removed"]), (&json!(3), &json!(3)));
    assert_eq!(api_effects(sandbox), if old { 5 } else { 8 });
    let again = run(with(), "apply_dns_plan", wish.clone()).await.unwrap();
    assert!(again["note"].is_string(), "doing it again does nothing: {again}");
    assert_eq!(api_effects(sandbox), if old { 5 } else { 8 });
    let of = async |kind: &str| {
        run(with(), "list_dns", json!({"domain": SHOP, "type": kind})).await.unwrap()["records"].clone()
    };
    assert_eq!(of("MX").await.as_array().unwrap().len(), 1);
    assert_eq!(of("SRV").await.as_array().unwrap().len(), 2, "the other service stays");
    assert_eq!(of("NS").await.as_array().unwrap().len(), 2);
    let left = run(with(), "dns_plan", json!({"domain": SHOP, "records": wish["records"]})).await.unwrap();
    assert_eq!(left["unchanged"], 4);

    // The domain has changed since the plan was made.
    wish["records"][0]["data"] = json!("203.0.113.1");
    let error = run(with(), "apply_dns_plan", wish).await.unwrap_err();
    assert_eq!(error.kind, Kind::Conflict);
}

#[tokio::test]
async fn a_reply_that_is_lost_after_the_commit_never_makes_a_duplicate() {
    for old in [false, true] {
        let sandbox = start().await;
        let with = || if old { v1(&sandbox) } else { v3(&sandbox) };
        let path =
            if old { "/godaddy/v1/domains/medtainershop.example/records/TXT/" } else { "/godaddy/v3/domains/zones" };
        for n in 0..12 {
            let fault = [Fault::DropReply, Fault::Truncated][n % 2].clone();
            let mut wish =
                json!({"domain": SHOP, "records": [{"type": "TXT", "name": format!("lost{n}"), "data": "x"}]});
            wish["plan"] = run(with(), "dns_plan", wish.clone()).await.unwrap()["plan"].clone();
            if !old {
                // The first request of an execution reads the records.
                sandbox.faults().next_on(path, 1, Fault::Stall(std::time::Duration::ZERO));
            }
            sandbox.faults().next_on(path, 1, fault);
            let applied = run(with(), "apply_dns_plan", wish).await.unwrap();
            assert_eq!(applied["added"], 1);
        }
        let (records, _) = dns::walk::<GoDaddy>(with(), "dns_records", None).await.unwrap();
        let lost = records
            .iter()
            .filter(|record| matches!(&record.fields, Fields::DnsRecord(r) if r.name.starts_with("lost")));
        assert_eq!(lost.count(), 12);
        if !old {
            assert_eq!(dns::effects(&sandbox, "godaddy.record.create"), 12);
        }
    }
}

#[tokio::test]
async fn a_create_that_never_arrived_is_called_unknown_and_not_sent_again() {
    let sandbox = start().await;
    let mut wish = json!({"domain": SHOP, "records": [{"type": "TXT", "name": "never", "data": "x"}]});
    wish["plan"] = run(v3(&sandbox), "dns_plan", wish.clone()).await.unwrap()["plan"].clone();
    let path = "/godaddy/v3/domains/zones";
    sandbox.faults().next_on(path, 1, Fault::Stall(std::time::Duration::ZERO));
    sandbox.faults().next_on(path, 1, Fault::Drop);
    let error = run(v3(&sandbox), "apply_dns_plan", wish.clone()).await.unwrap_err();
    assert!(error.outcome_unknown && error.message.contains("dns_plan"), "{error:?}");
    assert_eq!(api_effects(&sandbox), 0);
    run(v3(&sandbox), "apply_dns_plan", wish).await.unwrap();
    assert_eq!(api_effects(&sandbox), 1, "the plan still holds, because nothing has changed");
}

#[tokio::test]
async fn an_account_that_is_too_small_is_told_apart_from_a_bad_key() {
    let sandbox = start().await;
    let small = [
        open(&sandbox, &[("token", "small_token")]),
        open(&sandbox, &[("key", "small_key"), ("secret", "small_secret")]),
    ];
    for open in small {
        let error = run(open.clone(), "list_domains", json!({})).await.unwrap_err();
        assert_eq!(error.kind, Kind::Forbidden);
        assert!(error.message.contains("too small") && error.message.contains("key is good"), "{error}");
        let error = ErasedConnector::of::<GoDaddy>().check(open).await.unwrap_err();
        assert_eq!(error.kind, Kind::Forbidden);
    }
    let wrong = open(&sandbox, &[("key", "key"), ("secret", "small_secret")]);
    let error = run(wrong, "list_domains", json!({})).await.unwrap_err();
    assert_eq!(error.kind, Kind::Unauthenticated);
    let mut wish = json!({"domain": SHOP, "records": [{"type": "A", "name": "x", "data": "203.0.113.1"}]});
    let reader = open(&sandbox, &[("token", "read_token")]);
    wish["plan"] = run(reader.clone(), "dns_plan", wish.clone()).await.unwrap()["plan"].clone();
    let error = run(reader, "apply_dns_plan", wish).await.unwrap_err();
    assert!(error.message.contains("domains.dns:update"), "{error}");
    let account = ErasedConnector::of::<GoDaddy>().check(v3(&sandbox)).await.unwrap();
    assert!(account.name.contains("medtainer"), "{account:?}");
}

#[tokio::test]
async fn the_streams_see_every_domain_and_record_once_over_either_api() {
    let sandbox = start().await;
    let mut seen = Vec::new();
    for open in [v3(&sandbox), v1(&sandbox)] {
        let (domains, _) = dns::walk::<GoDaddy>(open.clone(), "domains", None).await.unwrap();
        assert_eq!(domains.len(), 11);
        let whole = domains.iter().all(|record| {
            matches!(&record.fields, Fields::Domain(domain) if domain.expires_at.is_some() && domain.name_servers.len() == 2)
        });
        assert!(whole);
        assert!(domains.iter().all(|record| record.data.get("authCode").is_none()));
        let (records, _) = dns::walk::<GoDaddy>(open.clone(), "dns_records", None).await.unwrap();
        let ids: BTreeSet<String> = records.iter().map(|record| record.id.clone()).collect();
        assert_eq!(ids.len(), records.len());
        assert!(records.len() > 90, "{}", records.len());
        seen.push(ids);
        let since = Some(now() - chrono::Duration::days(1));
        let (changed, _) = dns::walk::<GoDaddy>(open, "domains", since).await.unwrap();
        assert_eq!(changed.len(), 0);
    }
    assert_eq!(seen[0], seen[1], "a record is the same over both APIs");
    let mut wish = json!({"domain": SHOP, "remove": ["A pos"]});
    wish["plan"] = run(v3(&sandbox), "dns_plan", wish.clone()).await.unwrap()["plan"].clone();
    run(v3(&sandbox), "apply_dns_plan", wish).await.unwrap();
    let (after, _) = dns::walk::<GoDaddy>(v3(&sandbox), "dns_records", None).await.unwrap();
    assert_eq!(after.len(), seen[0].len() - 1);
    let since = Some(now() - chrono::Duration::days(1));
    let (changed, _) = dns::walk::<GoDaddy>(v3(&sandbox), "domains", since).await.unwrap();
    assert_eq!(changed.len(), 1);
}

#[tokio::test]
async fn the_limit_a_minute_is_that_of_one_endpoint() {
    let sandbox = limited(true).await;
    let account = sandbox.account("godaddy").unwrap();
    let (base, keys) = (account.config["base_url"].as_str().unwrap().to_owned(), account.credentials.clone());
    let _ = rustls::crypto::ring::default_provider().install_default();
    #[expect(clippy::disallowed_methods, reason = "a test is its own process and owns its client")]
    let client = reqwest::Client::new();
    let get = async |path: &str| {
        let pair = format!("sso-key {}:{}", keys["key"], keys["secret"]);
        client.get(format!("{base}{path}")).header("authorization", pair).send().await.unwrap()
    };
    for _ in 0..60 {
        assert_eq!(get("/v1/domains?limit=1").await.status(), 200);
    }
    let refused = get("/v1/domains?limit=1").await;
    assert_eq!(refused.status(), 429);
    let body: Value = serde_json::from_slice(&refused.bytes().await.unwrap()).unwrap();
    assert!(body["retryAfterSec"].as_u64().is_some_and(|seconds| (1..=60).contains(&seconds)), "{body}");
    assert_eq!(get("/v1/domains/medtainer.example").await.status(), 200);
    sandbox.skip(std::time::Duration::from_secs(61));
    assert_eq!(get("/v1/domains?limit=1").await.status(), 200);
}

/// What is sent and answered, held against the vendor's documents where they are present.
#[tokio::test]
async fn requests_and_answers_are_as_the_vendor_documents() {
    let Some(folder) = contracts::folder("godaddy") else { return };
    let new = std::fs::read_to_string(folder.join("domains-v3.condensed.json")).unwrap();
    let old = std::fs::read_to_string(folder.join("domains-v1.swagger.trimmed.json")).unwrap();
    let (new, old): (Value, Value) =
        (nullable(serde_json::from_str(&new).unwrap()), serde_json::from_str(&old).unwrap());
    let of_new = |name: &str| json!({"components": new["components"], "$ref": format!("#/components/schemas/{name}")});
    let of_old = |name: &str| json!({"definitions": old["definitions"], "$ref": format!("#/definitions/{name}")});
    let sandbox = start().await;
    let account = sandbox.account("godaddy").unwrap();
    let (base, keys) = (account.config["base_url"].as_str().unwrap().to_owned(), account.credentials.clone());
    let _ = rustls::crypto::ring::default_provider().install_default();
    #[expect(clippy::disallowed_methods, reason = "a test is its own process and owns its client")]
    let client = reqwest::Client::new();
    let get = async |path: &str, token: &str| -> Value {
        let authorization = match path.starts_with("/v3") {
            true => format!("Bearer {}", keys[token]),
            false => format!("sso-key {}:{}", keys["key"], keys["secret"]),
        };
        let request = client.get(format!("{base}{path}")).header("authorization", authorization);
        serde_json::from_slice(&request.send().await.unwrap().bytes().await.unwrap()).unwrap()
    };
    for (name, path, token) in [
        ("DomainCollection", "/v3/domains/domain-names?pageSize=3", "token"),
        ("Domain", "/v3/domains/domain-names/medtainer.example", "token"),
        ("DNSRecords", "/v3/domains/zones/medtainershop.example/dns-records?pageSize=100&totalRequired=true", "token"),
        ("DNSRecords", "/v3/domains/zones/medtainershop.example/dns-records?page=99", "token"),
        ("error", "/v3/domains/zones/medtainer.example/dns-records", "token"),
        ("error", "/v3/domains/domain-names", "small_token"),
    ] {
        support::satisfies(&of_new(name), &get(path, token).await, path);
    }
    for (name, path) in [
        ("DNSRecord", "/v1/domains/medtainershop.example/records"),
        ("Error", "/v1/domains/nobody.example"),
        ("DomainAvailableResponse", "/v1/domains/available?domain=a.example"),
    ] {
        let answer = get(path, "key").await;
        let rows = answer.as_array().cloned().unwrap_or_else(|| vec![answer]);
        rows.iter().for_each(|row| support::satisfies(&of_old(name), row, path));
    }
    let mut detail = get("/v1/domains/medtainershop.example", "key").await;
    support::satisfies(&of_old("DomainDetail"), &detail, "a domain of v1");
    detail["status"] = json!(7);
    assert!(!jsonschema::validator_for(&of_old("DomainDetail")).unwrap().is_valid(&detail), "the schema does check");
    sent(&of_new("DNSRecord"), &of_old("DNSRecordCreateTypeName")).await;
}

/// The bodies of an execution over either API.
async fn sent(new: &Value, old: &Value) {
    let mut wish = json!({"domain": "example.com", "records": [{"type": "MX", "name": "@", "data": "m.example.net"},
        {"type": "SRV", "name": "_sip._tls", "data": "1 2 443 s.example.net"}]});
    for (credentials, schema) in [(vec![("token", "t")], new), (vec![("key", "k"), ("secret", "s")], old)] {
        let vendor = support::Vendor::start(|sent, _| match (sent.method.as_str(), sent.path.starts_with("/v3")) {
            ("GET", true) => json!({"items": null}).into(),
            ("GET", false) => json!([]).into(),
            _ => support::Reply::Json(201, sent.body.clone()),
        })
        .await;
        let open = || opening(json!({"base_url": vendor.url}), &credentials);
        wish["plan"] = Value::Null;
        let ask = json!({"domain": wish["domain"], "records": wish["records"]});
        wish["plan"] = run(open(), "dns_plan", ask).await.unwrap()["plan"].clone();
        run(open(), "apply_dns_plan", wish.clone()).await.unwrap();
        let bodies = vendor.sent().into_iter().filter(|sent| sent.method != "GET").map(|sent| sent.body);
        let rows: Vec<Value> = bodies.flat_map(|body| body.as_array().cloned().unwrap_or_else(|| vec![body])).collect();
        assert_eq!(rows.len(), 2);
        rows.iter().for_each(|row| support::satisfies(schema, row, "a record that is sent"));
    }
}

/// OpenAPI 3.0 says `nullable` where JSON Schema has a second type.
fn nullable(mut value: Value) -> Value {
    match &mut value {
        Value::Object(object) => {
            let kind = object.get("type").cloned().filter(|_| object.get("nullable") == Some(&json!(true)));
            if let Some(kind) = kind {
                object.insert("type".into(), json!([kind, "null"]));
            }
            object.values_mut().for_each(|inner| *inner = nullable(inner.take()));
        }
        Value::Array(items) => items.iter_mut().for_each(|inner| *inner = nullable(inner.take())),
        _ => {}
    }
    value
}
