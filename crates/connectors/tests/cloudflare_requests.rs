//! What every tool of Cloudflare sends, what it makes of the answer, and what it says when Cloudflare says no.
#![expect(clippy::unwrap_used, reason = "a test ends where it fails, also in its helpers")]

mod dns;
mod support;

use connectors::cloudflare::Cloudflare;
use dns::{holds, opening};
use sdk::connector::Opening;
use sdk::{ErasedConnector, Kind, Result};
use serde_json::{Value, json};
use support::{Reply, Sent, Vendor};

const TOKEN: &str = "cf-0123456789-0123456789-0123456789-0123";
const ZONE: &str = "023e105f4ecef8ad9ca31a8372d0c353";
const RECORD: &str = "372e67954025e0ba6aaa6d586b9e0b59";

fn open(vendor: &Vendor) -> Opening {
    opening(json!({"base_url": vendor.url, "zone_id": ZONE}), &[("token", TOKEN)])
}

async fn run(vendor: &Vendor, tool: &str, arguments: Value) -> Result<Value> {
    dns::run::<Cloudflare>(open(vendor), tool, arguments).await
}

fn enveloped(result: Value) -> Value {
    let count = result.as_array().map_or(1, Vec::len);
    json!({"success": true, "errors": [], "messages": [], "result": result,
        "result_info": {"page": 1, "per_page": 20, "count": count, "total_count": count}})
}

fn refused(code: u32, message: &str) -> Value {
    json!({"success": false, "errors": [{"code": code, "message": message}], "messages": [], "result": null})
}

fn zone() -> Value {
    json!({"id": ZONE, "name": "example.com", "status": "active", "paused": false, "plan": {"name": "Free Website"},
        "name_servers": ["ada.ns.cloudflare.com"], "modified_on": "2026-11-01T00:00:00Z",
        "account": {"id": "01a7362d577a6c3019a474fd6f485823", "name": "Example"}, "unknown": {"a": []}})
}

fn record(kind: &str, content: &str) -> Value {
    json!({"id": RECORD, "name": "www.example.com", "type": kind, "content": content, "proxiable": true,
        "proxied": false, "ttl": 3600, "comment": null, "tags": [], "modified_on": "2026-11-01T00:00:00Z"})
}

/// Answers as Cloudflare would where nothing goes wrong.
fn plain(sent: &Sent) -> Reply {
    let records = format!("/zones/{ZONE}/dns_records");
    let one = format!("{records}/{RECORD}");
    Reply::from(match (sent.method.as_str(), sent.path.as_str()) {
        ("GET", "/zones") => enveloped(json!([zone()])),
        ("GET", path) if path == format!("/zones/{ZONE}") => enveloped(zone()),
        ("GET", path) if path == records => enveloped(json!([record("A", "203.0.113.1")])),
        ("GET" | "PATCH", path) if path == one => enveloped(record("A", "203.0.113.1")),
        ("POST", path) if path == records => enveloped(record("A", "203.0.113.1")),
        ("DELETE", path) if path == one => json!({"result": {"id": RECORD}}),
        ("GET", "/user/tokens/verify") => enveloped(json!({"id": "t1", "status": "active"})),
        ("GET", "/accounts/01a7362d577a6c3019a474fd6f485823/logs/audit") => json!({"success": true, "errors": [],
            "result": [{"id": "e1", "action": {"time": "2026-11-20T00:00:00Z", "type": "update", "result": "success"},
                "actor": {"email": "a@example.com", "context": "dash"}, "resource": {"product": "dns_records", "id": RECORD},
                "zone": {"name": "example.com"}}],
            "result_info": {"count": "1", "cursors": {"after": "e1"}}}),
        (method, path) => return Reply::Json(404, refused(7003, &format!("Could not route to {method} {path}"))),
    })
}

struct Case {
    tool: &'static str,
    arguments: Value,
    /// Method and path, query, body; the zone is looked up before, unless it is said here.
    requests: Vec<(String, Value, Value)>,
    answer: Value,
}

fn cases() -> Vec<Case> {
    let zone_line = format!("GET /zones/{ZONE}");
    let records = format!("/zones/{ZONE}/dns_records");
    let read = |line: &str| (line.to_owned(), json!({}), Value::Null);
    let paged = |page: &str| json!({"page": "1", "per_page": page, "order": "name", "direction": "asc"});
    vec![
        Case {
            tool: "list_zones",
            arguments: json!({"name": "Exam", "limit": 5}),
            requests: vec![(
                "GET /zones".into(),
                json!({"name": "contains:exam", "page": "1", "per_page": "5", "order": "name", "direction": "asc"}),
                Value::Null,
            )],
            answer: json!({"total": 1, "zones": [{"id": ZONE, "name": "example.com", "status": "active",
                "plan": "Free Website", "name_servers": ["ada.ns.cloudflare.com"]}]}),
        },
        Case {
            tool: "list_dns",
            arguments: json!({"type": "a", "name": "www", "search": "203"}),
            requests: vec![
                read(&zone_line),
                (
                    format!("GET {records}"),
                    json!({"type": "A", "name.exact": "www.example.com", "search": "203", "page": "1",
                        "per_page": "20", "order": "name", "direction": "asc"}),
                    Value::Null,
                ),
            ],
            answer: json!({"zone": "example.com", "total": 1, "records": [{"id": RECORD, "type": "A",
                "name": "www.example.com", "content": "203.0.113.1", "ttl": 3600, "proxied": false}]}),
        },
        Case {
            tool: "create_dns_record",
            arguments: json!({"type": "a", "name": "www", "content": "203.0.113.1", "ttl": 3600, "comment": "web"}),
            requests: vec![
                read(&zone_line),
                (
                    format!("POST {records}"),
                    json!({}),
                    json!({"type": "A", "name": "www.example.com", "content": "203.0.113.1", "ttl": 3600,
                        "proxied": false, "comment": "web"}),
                ),
            ],
            answer: json!({"created": true, "record": {"id": RECORD, "type": "A"}}),
        },
        Case {
            tool: "update_dns_record",
            arguments: json!({"record_id": RECORD, "content": "203.0.113.9", "proxied": true}),
            requests: vec![
                read(&zone_line),
                read(&format!("GET {records}/{RECORD}")),
                (format!("PATCH {records}/{RECORD}"), json!({}), json!({"content": "203.0.113.9", "proxied": true})),
            ],
            answer: json!({"record": {"id": RECORD}}),
        },
        Case {
            tool: "delete_dns_record",
            arguments: json!({"record_id": RECORD}),
            requests: vec![
                read(&zone_line),
                read(&format!("GET {records}/{RECORD}")),
                read(&format!("DELETE {records}/{RECORD}")),
            ],
            answer: json!({"deleted": {"id": RECORD, "content": "203.0.113.1"}}),
        },
        Case {
            tool: "dns_audit",
            arguments: json!({}),
            requests: vec![
                ("GET /zones".into(), paged("10"), Value::Null),
                (format!("GET {records}"), paged("500"), Value::Null),
            ],
            answer: json!({"zones": ["example.com"], "records_read": 1, "counts": {"medium": 2, "low": 2},
                "findings": [{"check": "spf_missing", "severity": "medium",
                    "recommended": {"tool": "cloudflare.create_dns_record",
                        "arguments": {"zone": "example.com", "type": "TXT", "name": "@", "content": "v=spf1 -all"}}}]}),
        },
        Case {
            tool: "audit_log",
            arguments: json!({"before": "2026-11-21T00:00:00Z", "actor_email": "a@example.com", "limit": 1}),
            requests: vec![
                ("GET /zones".into(), paged("5"), Value::Null),
                (
                    "GET /accounts/01a7362d577a6c3019a474fd6f485823/logs/audit".into(),
                    json!({"since": "2026-11-14T00:00:00Z", "before": "2026-11-21T00:00:00Z", "direction": "desc",
                        "limit": "1", "actor_email": "a@example.com"}),
                    Value::Null,
                ),
            ],
            answer: json!({"entries": [{"at": "2026-11-20T00:00:00Z", "action": "update", "actor": "a@example.com",
                "via": "dash", "product": "dns_records", "zone": "example.com"}]}),
        },
        Case {
            tool: "verify_token",
            arguments: json!({}),
            requests: vec![("GET /zones".into(), paged("5"), Value::Null), read("GET /user/tokens/verify")],
            answer: json!({"status": "active", "owner": "user", "token_id": "t1", "account": "Example",
                "zones_visible": 1}),
        },
    ]
}

#[tokio::test]
async fn every_tool_sends_what_the_vendor_documents() {
    for case in cases() {
        let vendor = Vendor::start(|sent, _| plain(sent)).await;
        let answer = run(&vendor, case.tool, case.arguments).await.unwrap_or_else(|e| panic!("{}: {e:?}", case.tool));
        let sent = vendor.sent();
        assert_eq!(sent.len(), case.requests.len(), "{} sent {sent:#?}", case.tool);
        for ((line, query, body), sent) in case.requests.iter().zip(&sent) {
            assert_eq!(sent.line(), *line, "{}", case.tool);
            assert_eq!(json!(sent.query), *query, "query of {} {line}", case.tool);
            assert_eq!(sent.body, *body, "body of {} {line}", case.tool);
            assert_eq!(sent.header("authorization"), Some(format!("Bearer {TOKEN}").as_str()));
        }
        assert!(holds(&answer, &case.answer), "{} answered {answer:#}", case.tool);
    }
}

#[test]
fn every_tool_has_a_case_and_costs_little() {
    let cases = cases();
    for tool in ErasedConnector::of::<Cloudflare>().tools.iter().filter(|tool| !support::is_long_tail(tool)) {
        assert!(cases.iter().any(|case| case.tool == tool.spec.name), "{} has no request test", tool.spec.name);
    }
    dns::within_budget::<Cloudflare>();
}

#[tokio::test]
async fn parts_of_a_record_go_where_the_vendor_wants_them() {
    for (kind, content, extra, expected) in [
        (
            "CAA",
            "0 issue \"ca.example\"",
            json!({}),
            json!({"data": {"flags": 0, "tag": "issue", "value": "ca.example"}}),
        ),
        ("MX", "mail.example.net", json!({}), json!({"content": "mail.example.net", "priority": 10})),
        ("MX", "mail.example.net", json!({"priority": 5}), json!({"priority": 5})),
        ("TXT", "v=spf1 -all", json!({}), json!({"content": "\"v=spf1 -all\""})),
        (
            "SRV",
            "1 2 443 a.example",
            json!({}),
            json!({"data": {"priority": 1, "weight": 2, "port": 443, "target": "a.example"}}),
        ),
        ("CNAME", "a.example", json!({"proxied": true, "ttl": 600}), json!({"proxied": true, "ttl": 1})),
    ] {
        let vendor = Vendor::start(|sent, _| plain(sent)).await;
        let mut arguments = json!({"type": kind, "name": "x", "content": content});
        arguments.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        run(&vendor, "create_dns_record", arguments).await.unwrap();
        let body = vendor.sent().pop().unwrap().body;
        assert!(holds(&body, &expected), "{kind}: {body}");
    }
}

#[tokio::test]
async fn what_is_wrong_is_said_before_anything_changes() {
    let vendor = Vendor::start(|sent, _| plain(sent)).await;
    let record = |kind: &str, more: Value| {
        let mut arguments = json!({"type": kind, "name": "x", "content": "1"});
        arguments.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        arguments
    };
    for (tool, arguments, word) in [
        ("create_dns_record", record("NS", json!({})), "whole domain"),
        ("create_dns_record", record("soa", json!({})), "whole domain"),
        ("create_dns_record", record("LOC", json!({})), "one of"),
        ("create_dns_record", record("TXT", json!({"proxied": true})), "proxied"),
        ("create_dns_record", record("TXT", json!({"ttl": 5})), "ttl"),
        ("create_dns_record", record("CAA", json!({})), "0 issue"),
        ("update_dns_record", json!({"record_id": RECORD}), "nothing to change"),
        ("update_dns_record", json!({"record_id": "../x", "ttl": 300}), "dns_record_id"),
        ("list_zones", json!({"cursor": "made up"}), "cursor"),
        ("audit_log", json!({"since": "2026-11-21T00:00:00Z", "before": "2026-11-20T00:00:00Z"}), "since"),
    ] {
        let error = run(&vendor, tool, arguments).await.unwrap_err();
        assert!(error.message.contains(word), "{tool}: {error}");
    }
    assert!(vendor.sent().iter().all(|sent| sent.method == "GET"));
}

#[tokio::test]
async fn name_servers_are_neither_changed_nor_deleted() {
    let vendor = Vendor::start(|sent, _| match sent.path.ends_with(RECORD) {
        true => Reply::from(enveloped(record("NS", "ns1.example.net"))),
        false => plain(sent),
    })
    .await;
    let calls = [
        ("update_dns_record", json!({"record_id": RECORD, "content": "ns2.example.net"})),
        ("delete_dns_record", json!({"record_id": RECORD})),
    ];
    for (tool, arguments) in calls {
        let error = run(&vendor, tool, arguments).await.unwrap_err();
        assert_eq!(error.kind, Kind::Forbidden, "{error}");
    }
    assert!(vendor.sent().iter().all(|sent| sent.method == "GET"));
}

#[tokio::test]
async fn every_refusal_has_its_kind_the_vendors_words_and_the_cure() {
    let location = "Cannot use the access token from location: 198.51.100.7";
    for (status, code, message, kind, word) in [
        (401, 1000, "Invalid API Token", Kind::Unauthenticated, "CF_API_TOKEN"),
        (403, 9109, "Invalid access token", Kind::Unauthenticated, "CF_API_TOKEN"),
        (403, 9109, location, Kind::Forbidden, "Client IP Address Filtering"),
        (403, 9109, "Unauthorized to access requested resource", Kind::NotFound, "does not cover"),
        (403, 10000, "Authentication error", Kind::Forbidden, "permission"),
        (401, 10000, "Authentication error", Kind::Unauthenticated, "CF_API_TOKEN"),
        (400, 6003, "Invalid request headers", Kind::Unauthenticated, "CF_API_TOKEN"),
        (404, 7003, "Could not route to /zones/x", Kind::NotFound, "CF_ZONE_ID"),
        (400, 7003, "Could not route to /zones/x", Kind::NotFound, "CF_ZONE_ID"),
        (404, 81044, "Record does not exist.", Kind::NotFound, "list_dns"),
        (400, 81053, "An A, AAAA, or CNAME record with that host already exists.", Kind::Conflict, "81053"),
        (400, 9005, "Content for A record must be a valid IPv4 address.", Kind::InvalidInput, "IPv4"),
        (200, 10000, "Authentication error", Kind::Forbidden, "permission"),
    ] {
        let vendor = Vendor::start(move |_, _| Reply::Json(status, refused(code, message))).await;
        let error = run(&vendor, "list_dns", json!({})).await.unwrap_err();
        assert_eq!(error.kind, kind, "{status} {code} {message}: {error}");
        assert!(error.message.contains(word), "{status} {code} {message}: {error}");
        assert!(!error.message.contains(TOKEN), "{error}");
    }
}

#[tokio::test]
async fn nonsense_is_named_and_nulls_are_read() {
    let page = Vendor::start(|_, _| Reply::Text(200, "<html>Welcome</html>".into())).await;
    assert_eq!(run(&page, "list_zones", json!({})).await.unwrap_err().kind, Kind::Upstream);
    let gateway = Vendor::start(|_, _| Reply::Text(502, "<html>Bad gateway</html>".into())).await;
    let error = run(&gateway, "list_zones", json!({})).await.unwrap_err();
    assert_eq!((error.kind, error.message.contains("without JSON")), (Kind::Unavailable, true), "{error}");
    assert_eq!(gateway.sent().len(), 3, "a read is tried again");
    let empty = Vendor::start(|_, _| json!({}).into()).await;
    assert_eq!(run(&empty, "list_zones", json!({})).await.unwrap_err().kind, Kind::Upstream);
    let null = Vendor::start(|_, _| json!({"success": true, "result": null, "result_info": null}).into()).await;
    assert_eq!(run(&null, "list_zones", json!({})).await.unwrap(), json!({"zones": []}));
    let odd = Vendor::start(|_, _| {
        enveloped(json!([{"id": ZONE, "name": "x.example", "status": "brand_new", "plan": null, "name_servers": null,
            "paused": null}, {"name": "no id"}, null]))
        .into()
    })
    .await;
    let zones = run(&odd, "list_zones", json!({})).await.unwrap();
    assert_eq!(zones["zones"], json!([{"id": ZONE, "name": "x.example", "status": "brand_new"}]));
}

#[tokio::test]
async fn a_block_is_waited_for_or_told() {
    let vendor = Vendor::start(|sent, before| match before {
        0 => Reply::With(429, refused(10429, "More than 1200 requests"), vec![("retry-after", "0".into())]),
        _ => plain(sent),
    })
    .await;
    run(&vendor, "list_zones", json!({})).await.unwrap();
    assert_eq!(vendor.sent().len(), 2);
    let blocked = Vendor::start(|_, _| {
        Reply::With(429, refused(10429, "More than 1200 requests"), vec![("retry-after", "300".into())])
    })
    .await;
    let open = open(&blocked);
    for _ in 0..2 {
        let error = dns::run::<Cloudflare>(open.clone(), "list_zones", json!({})).await.unwrap_err();
        assert_eq!(error.kind, Kind::RateLimited);
        assert!(error.retry_after.unwrap().as_secs() > 200, "{error:?}");
    }
    assert_eq!(blocked.sent().len(), 1, "nothing is sent while Cloudflare blocks");
}

#[tokio::test]
async fn a_lost_create_is_read_back_before_it_is_sent_again() {
    let found = Vendor::start(|sent, _| if sent.method == "POST" { Reply::Lost } else { plain(sent) }).await;
    let arguments = json!({"type": "A", "name": "www", "content": "203.0.113.1"});
    let answer = run(&found, "create_dns_record", arguments.clone()).await.unwrap();
    assert_eq!(answer["record"]["id"], RECORD);
    assert_eq!(found.sent().iter().filter(|sent| sent.method == "POST").count(), 1);

    let nowhere = Vendor::start(|sent, _| match (sent.method.as_str(), sent.path.ends_with("dns_records")) {
        ("POST", _) => Reply::Lost,
        ("GET", true) => enveloped(json!([])).into(),
        _ => plain(sent),
    })
    .await;
    let error = run(&nowhere, "create_dns_record", arguments.clone()).await.unwrap_err();
    assert!(error.outcome_unknown && error.message.contains("list_dns"), "{error:?}");
    assert_eq!(nowhere.sent().iter().filter(|sent| sent.method == "POST").count(), 2);

    let dark = Vendor::start(|sent, _| match (sent.method.as_str(), sent.path.ends_with("dns_records")) {
        ("POST", _) => Reply::Json(503, json!({})),
        ("GET", true) => Reply::Json(503, json!({})),
        _ => plain(sent),
    })
    .await;
    let error = run(&dark, "create_dns_record", arguments).await.unwrap_err();
    assert!(error.outcome_unknown, "{error:?}");
    assert_eq!(dark.sent().iter().filter(|sent| sent.method == "POST").count(), 1, "it cannot be read back");
}

#[tokio::test]
async fn an_equal_record_is_as_good_as_created_and_a_different_one_is_a_conflict() {
    let refusing = |code: u32, there: Value| {
        Vendor::start(move |sent, _| match (sent.method.as_str(), sent.path.ends_with("dns_records")) {
            ("POST", _) => Reply::Json(400, refused(code, "An identical record already exists.")),
            ("GET", true) => enveloped(json!([there])).into(),
            _ => plain(sent),
        })
    };
    let arguments = json!({"type": "A", "name": "www", "content": "203.0.113.1", "ttl": 3600});
    let same = refusing(81058, record("A", "203.0.113.1")).await;
    let answer = run(&same, "create_dns_record", arguments.clone()).await.unwrap();
    assert_eq!((&answer["created"], &answer["record"]["id"]), (&json!(false), &json!(RECORD)));
    let mut other = record("A", "203.0.113.1");
    other["ttl"] = json!(60);
    let differs = refusing(81057, other).await;
    let error = run(&differs, "create_dns_record", arguments).await.unwrap_err();
    assert_eq!(error.kind, Kind::Conflict);
    assert!(error.message.contains(RECORD) && error.message.contains("update_dns_record"), "{error}");
}

#[tokio::test]
async fn a_dry_run_tells_the_difference_and_sends_no_write() {
    let vendor = Vendor::start(|sent, _| plain(sent)).await;
    let cases = [
        (
            "create_dns_record",
            json!({"type": "A", "name": "www", "content": "203.0.113.7", "dry_run": true}),
            json!({"changes": [{"what": "A www.example.com", "after": {"content": "203.0.113.7"}}],
                "notes": ["www.example.com has another A record already: 203.0.113.1"]}),
        ),
        (
            "create_dns_record",
            json!({"type": "A", "name": "www", "content": "203.0.113.1", "dry_run": true}),
            json!({"would": "Nothing: A www.example.com is there already.", "changes": []}),
        ),
        (
            "update_dns_record",
            json!({"record_id": RECORD, "content": "203.0.113.9", "ttl": 3600, "dry_run": true}),
            json!({"changes": [{"what": "content", "before": "203.0.113.1", "after": "203.0.113.9"}]}),
        ),
        (
            "delete_dns_record",
            json!({"record_id": RECORD, "dry_run": true}),
            json!({"changes": [{"what": "A www.example.com", "before": {"id": RECORD}}]}),
        ),
    ];
    for (tool, arguments, expected) in cases {
        let answer = run(&vendor, tool, arguments).await.unwrap();
        assert!(holds(&answer["plan"], &expected), "{tool}: {answer:#}");
    }
    assert!(vendor.sent().iter().all(|sent| sent.method == "GET"));
}

#[tokio::test]
async fn a_zone_is_found_by_name_by_configuration_or_because_it_is_the_only_one() {
    let vendor = Vendor::start(|sent, _| plain(sent)).await;
    run(&vendor, "list_dns", json!({"zone": "Example.com."})).await.unwrap();
    assert_eq!(vendor.sent()[0].query["name"], "example.com");
    let without = || opening(json!({"base_url": vendor.url}), &[("token", TOKEN)]);
    dns::run::<Cloudflare>(without(), "list_dns", json!({})).await.unwrap();

    let two = Vendor::start(|_, _| {
        let mut other = zone();
        other["name"] = json!("other.example");
        enveloped(json!([zone(), other])).into()
    })
    .await;
    let open = opening(json!({"base_url": two.url}), &[("token", TOKEN)]);
    let error = dns::run::<Cloudflare>(open, "list_dns", json!({})).await.unwrap_err();
    assert!(error.message.contains("example.com, other.example"), "{error}");
}

#[tokio::test]
async fn a_token_of_the_account_is_verified_there() {
    let vendor = Vendor::start(|sent, _| match sent.path.as_str() {
        "/user/tokens/verify" => Reply::Json(401, refused(1000, "Invalid API Token")),
        "/accounts/01a7362d577a6c3019a474fd6f485823/tokens/verify" => {
            enveloped(json!({"id": "t2", "status": "active", "expires_on": "2027-01-01T00:00:00Z"})).into()
        }
        _ => plain(sent),
    })
    .await;
    let answer = run(&vendor, "verify_token", json!({})).await.unwrap();
    assert!(
        holds(&answer, &json!({"owner": "account", "token_id": "t2", "expires": "2027-01-01T00:00:00Z"})),
        "{answer}"
    );
}

#[tokio::test]
async fn an_unknown_key_of_the_configuration_is_an_error() {
    for (key, value) in [("zone", json!("x")), ("base_url", json!("ftp://x"))] {
        let mut config = json!({"base_url": "http://127.0.0.1:1"});
        config[key] = value;
        let error = dns::run::<Cloudflare>(opening(config, &[("token", TOKEN)]), "list_zones", json!({})).await;
        assert!(error.unwrap_err().message.contains("configuration of cloudflare"));
    }
}
