//! What every tool of GoDaddy sends over either API, what it makes of the answer, and what it says to a refusal.
#![expect(clippy::unwrap_used, reason = "a test ends where it fails, also in its helpers")]

mod dns;
mod support;

use connectors::godaddy::GoDaddy;
use dns::{holds, opening};
use sdk::connector::Opening;
use sdk::{ErasedConnector, Kind, Result};
use serde_json::{Value, json};
use support::{Reply, Sent, Vendor};

const TOKEN: &str = "gd_pat_0123456789";
const PAIR: [(&str, &str); 2] = [("key", "dKD_1234567890"), ("secret", "abcdefgh")];

fn v3(vendor: &Vendor) -> Opening {
    opening(json!({"base_url": vendor.url}), &[("token", TOKEN), PAIR[0], PAIR[1]])
}

fn v1(vendor: &Vendor) -> Opening {
    opening(json!({"base_url": vendor.url}), &PAIR)
}

async fn run(open: Opening, tool: &str, arguments: Value) -> Result<Value> {
    dns::run::<GoDaddy>(open, tool, arguments).await
}

fn domain_v3() -> Value {
    json!({"domain": "example.com", "status": "ACTIVE", "autoRenew": true, "privacy": false, "transferLock": true,
        "nameServers": ["NS01.domaincontrol.com", "ns02.domaincontrol.com"], "expiresAt": "2027-06-12T10:02:10Z"})
}

fn domain_v1() -> Value {
    let owner = json!({"nameFirst": "Ada", "nameLast": "Byron", "email": "ada@example.com", "phone": "+1.3105550123",
        "addressMailing": {"address1": "1 Main St", "city": "Dolomite", "country": "US"}});
    json!({"domain": "example.com", "domainId": 1, "status": "ACTIVE", "renewAuto": true, "locked": true,
        "privacy": false, "expires": "2027-06-12T10:02:10Z", "nameServers": null, "authCode": "secret-code",
        "contactRegistrant": owner, "contactAdmin": owner, "contactTech": null})
}

fn rows(v3: bool) -> Vec<Value> {
    let mut rows = vec![
        json!({"type": "A", "name": "@", "data": "203.0.113.1", "ttl": 3600}),
        json!({"type": "A", "name": "www", "data": "203.0.113.1", "ttl": 600}),
        json!({"type": "MX", "name": "@", "data": "smtp.google.com", "ttl": 3600, "priority": 1}),
        json!({"type": "TXT", "name": "@", "data": "v=spf1 -all", "ttl": 3600}),
        json!({"type": "NS", "name": "@", "data": "ns01.domaincontrol.com", "ttl": 3600}),
        json!({"type": "SRV", "name": "@", "data": "sip.example.net", "ttl": 3600, "service": "_sip",
            "protocol": "_tls", "port": 443, "weight": 1, "priority": 100}),
    ];
    for (nth, row) in rows.iter_mut().enumerate().filter(|_| v3) {
        row["recordId"] = json!(format!("R{nth}"));
    }
    rows
}

/// Answers as GoDaddy would where nothing goes wrong.
fn plain(sent: &Sent) -> Reply {
    let of = |v3: bool, kind: Option<&str>, name: Option<&str>| -> Vec<Value> {
        let fits =
            |row: &&Value| kind.is_none_or(|kind| row["type"] == kind) && name.is_none_or(|name| row["name"] == name);
        rows(v3).iter().filter(fits).cloned().collect()
    };
    let query = |key: &str| sent.query.get(key).map(String::as_str);
    let path = sent.path.replace("%40", "@");
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    Reply::from(match (sent.method.as_str(), parts.as_slice()) {
        ("GET", ["v3", "domains", "domain-names"]) => json!({"items": [domain_v3()], "links": [
            {"rel": "next", "href": "/v3/domains/domain-names?pageSize=1&pageToken=T%2B2"}]}),
        ("GET", ["v3", "domains", "domain-names", _]) => domain_v3(),
        ("GET", ["v3", "domains", "zones", _, "dns-records"]) => {
            let items = of(true, query("type"), query("name"));
            json!({"totalItems": items.len().max(1), "items": items, "links": null})
        }
        ("POST", ["v3", "domains", "zones", _, "dns-records"]) => return Reply::Json(201, sent.body.clone()),
        ("DELETE", ["v3", ..]) => return Reply::Text(204, String::new()),
        ("GET", ["v1", "domains"]) => json!([domain_v1()]),
        ("POST", ["v1", "domains", "available"]) => json!({"domains": [
            {"domain": "free.example", "available": true, "definitive": true, "price": 12_990_000, "currency": "USD", "period": 1}],
            "errors": [{"code": "INVALID_TLD", "domain": "odd.example", "message": "Invalid tld", "path": "domains[1]", "status": 422}]}),
        ("GET", ["v1", "domains", _]) => domain_v1(),
        ("GET", ["v1", "domains", _, "records", rest @ ..]) => {
            json!(of(false, rest.first().copied(), rest.get(1).copied()))
        }
        ("PUT" | "DELETE", ["v1", ..]) => return Reply::Text(200, String::new()),
        _ => return Reply::Json(404, json!({"code": "NOT_FOUND", "name": "NOT_FOUND", "message": sent.path})),
    })
}

type Request = (&'static str, Value, Value);

struct Case {
    tool: &'static str,
    arguments: Value,
    v3: Vec<Request>,
    v1: Vec<Request>,
    answer: Value,
}

fn cases() -> Vec<Case> {
    let zone = |extra: Value| {
        let mut query = json!({"page": "1", "pageSize": "100", "totalRequired": "true"});
        query.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        ("GET /v3/domains/zones/example.com/dns-records", query, Value::Null)
    };
    let old = |line: &'static str, limit: &str| (line, json!({"offset": "0", "limit": limit}), Value::Null);
    let read = |line: &'static str| (line, json!({}), Value::Null);
    let wanted = json!({"domain": "Example.com.", "records": [{"type": "a", "name": "shop.example.com", "data": "203.0.113.9"}]});
    vec![
        Case {
            tool: "list_domains",
            arguments: json!({"limit": 1, "status": "active"}),
            v3: vec![("GET /v3/domains/domain-names", json!({"pageSize": "1", "statuses": "ACTIVE"}), Value::Null)],
            v1: vec![(
                "GET /v1/domains",
                json!({"limit": "1", "statuses": "ACTIVE", "includes": "nameServers"}),
                Value::Null,
            )],
            answer: json!({"domains": [{"domain": "example.com", "status": "ACTIVE", "auto_renew": true, "locked": true,
                "expires": "2027-06-12T10:02:10Z"}]}),
        },
        Case {
            tool: "get_domain",
            arguments: json!({"domain": "Example.com."}),
            v3: vec![read("GET /v3/domains/domain-names/example.com")],
            v1: vec![read("GET /v1/domains/example.com")],
            answer: json!({"domain": {"domain": "example.com", "privacy": false}}),
        },
        Case {
            tool: "list_dns",
            arguments: json!({"domain": "example.com", "type": "a", "name": "www.example.com", "limit": 5}),
            v3: vec![(
                "GET /v3/domains/zones/example.com/dns-records",
                json!({"type": "A", "name": "www", "page": "1", "pageSize": "5", "totalRequired": "true"}),
                Value::Null,
            )],
            v1: vec![old("GET /v1/domains/example.com/records/A/www", "5")],
            answer: json!({"records": [{"type": "A", "name": "www", "data": "203.0.113.1", "ttl": 600}]}),
        },
        Case {
            tool: "dns_plan",
            arguments: wanted.clone(),
            v3: vec![zone(json!({}))],
            v1: vec![old("GET /v1/domains/example.com/records", "500")],
            answer: json!({"added": [{"type": "A", "name": "shop", "data": "203.0.113.9", "ttl": 3600}], "changed": [],
                "removed": [], "unchanged": 0}),
        },
        Case {
            tool: "check_availability",
            arguments: json!({"domains": ["free.example", "odd.example"]}),
            v3: vec![(
                "POST /v1/domains/available",
                json!({"checkType": "FAST"}),
                json!(["free.example", "odd.example"]),
            )],
            v1: vec![(
                "POST /v1/domains/available",
                json!({"checkType": "FAST"}),
                json!(["free.example", "odd.example"]),
            )],
            answer: json!({"domains": [{"domain": "free.example", "available": true, "price": 12.99, "currency": "USD"},
                {"domain": "odd.example", "note": "Invalid tld"}]}),
        },
        Case {
            tool: "domain_contacts",
            arguments: json!({"domain": "example.com"}),
            v3: vec![read("GET /v1/domains/example.com")],
            v1: vec![read("GET /v1/domains/example.com")],
            answer: json!({"contacts": [{"roles": ["registrant", "admin"], "name": "Ada Byron",
                "email": "ada@example.com", "address": "1 Main St, Dolomite, US"}]}),
        },
        Case {
            tool: "mx_records",
            arguments: json!({"domain": "example.com"}),
            v3: vec![
                zone(json!({"type": "MX"})),
                zone(json!({"type": "TXT", "name": "@"})),
                zone(json!({"type": "TXT", "name": "_dmarc"})),
            ],
            v1: vec![
                old("GET /v1/domains/example.com/records/MX", "500"),
                old("GET /v1/domains/example.com/records/TXT/@", "500"),
                old("GET /v1/domains/example.com/records/TXT/_dmarc", "500"),
            ],
            answer: json!({"mx": [{"priority": 1, "server": "smtp.google.com"}], "provider": "Google Workspace",
                "spf": "v=spf1 -all"}),
        },
        Case {
            tool: "subdomains",
            arguments: json!({"domain": "example.com"}),
            v3: vec![zone(json!({}))],
            v1: vec![old("GET /v1/domains/example.com/records", "500")],
            answer: json!({"total": 1, "subdomains": [{"name": "www.example.com", "leads_to": ["A 203.0.113.1"]}]}),
        },
    ]
}

#[tokio::test]
async fn every_tool_sends_what_the_vendor_documents_over_either_api() {
    for case in cases() {
        for (old, requests) in [(false, &case.v3), (true, &case.v1)] {
            let vendor = Vendor::start(|sent, _| plain(sent)).await;
            let open = if old { v1(&vendor) } else { v3(&vendor) };
            let answer = run(open, case.tool, case.arguments.clone()).await;
            let answer = answer.unwrap_or_else(|error| panic!("{} {old}: {error:?}", case.tool));
            let mut sent = vendor.sent();
            assert_eq!(sent.len(), requests.len(), "{} sent {sent:#?}", case.tool);
            for (line, query, body) in requests {
                // `@` may be written as it is, or encoded; what is asked at once comes in any order.
                let fits = |sent: &Sent| sent.line().replace("%40", "@") == *line && json!(sent.query) == *query;
                let place = sent
                    .iter()
                    .position(fits)
                    .unwrap_or_else(|| panic!("{} sent no {line} {query}: {sent:#?}", case.tool));
                let sent = sent.remove(place);
                assert_eq!(sent.body, *body, "{} {line}", case.tool);
                let expected = match sent.path.starts_with("/v3/") {
                    true => format!("Bearer {TOKEN}"),
                    false => format!("sso-key {}:{}", PAIR[0].1, PAIR[1].1),
                };
                assert_eq!(sent.header("authorization"), Some(expected.as_str()));
            }
            assert!(holds(&answer, &case.answer), "{} answered {answer:#}", case.tool);
            assert!(!answer.to_string().contains("secret-code"), "the code for a transfer stays here");
        }
    }
}

#[test]
fn every_tool_has_a_case_and_costs_little() {
    let cases = cases();
    for tool in ErasedConnector::of::<GoDaddy>().tools.iter().filter(|tool| !support::is_long_tail(tool)) {
        let covered = cases.iter().any(|case| case.tool == tool.spec.name) || tool.spec.name == "apply_dns_plan";
        assert!(covered, "{} has no request test", tool.spec.name);
    }
    dns::within_budget::<GoDaddy>();
}

/// Makes a plan and carries it out, and gives the writes that were sent.
async fn carried_out(vendor: &Vendor, open: Opening, mut wish: Value) -> Vec<Sent> {
    let planned = run(open.clone(), "dns_plan", wish.clone()).await.unwrap();
    wish["plan"] = planned["plan"].clone();
    let mut asked = wish.clone();
    asked["dry_run"] = json!(true);
    let told = run(open.clone(), "apply_dns_plan", asked).await.unwrap();
    let count = |key: &str| planned[key].as_array().unwrap().len();
    assert_eq!(told["plan"]["changes"].as_array().unwrap().len(), count("added") + count("changed") + count("removed"));
    assert!(vendor.sent().iter().all(|sent| sent.method == "GET"), "neither a plan nor a dry run changes anything");
    run(open, "apply_dns_plan", wish).await.unwrap();
    vendor.sent().into_iter().filter(|sent| sent.method != "GET").collect()
}

#[tokio::test]
async fn a_plan_is_carried_out_record_by_record_or_set_by_set() {
    let wish = json!({"domain": "example.com", "records": [
        {"type": "A", "name": "shop", "data": "203.0.113.9"}, {"type": "A", "name": "www", "data": "203.0.113.2"},
        {"type": "SRV", "name": "_xmpp._tcp", "data": "5 0 5222 chat.example.net"}],
        "remove": ["TXT @"]});
    let vendor = Vendor::start(|sent, _| plain(sent)).await;
    let sent = carried_out(&vendor, v3(&vendor), wish.clone()).await;
    let lines: Vec<String> = sent.iter().map(Sent::line).collect();
    let records = "/v3/domains/zones/example.com/dns-records";
    let expected = [
        format!("DELETE {records}/R3"),
        format!("POST {records}"),
        format!("POST {records}"),
        format!("DELETE {records}/R1"),
        format!("POST {records}"),
    ];
    assert_eq!(lines, expected);
    assert_eq!(sent[1].body, json!({"type": "A", "name": "shop", "data": "203.0.113.9", "ttl": 3600}));
    assert_eq!(sent[2].body["service"], "_xmpp");

    let vendor = Vendor::start(|sent, _| plain(sent)).await;
    let sent = carried_out(&vendor, v1(&vendor), wish).await;
    let records = "/v1/domains/example.com/records";
    let lines: Vec<String> = sent.iter().map(|sent| sent.line().replace("%40", "@")).collect();
    let expected = [
        format!("DELETE {records}/TXT/@"),
        format!("PUT {records}/A/shop"),
        format!("PUT {records}/A/www"),
        format!("PUT {records}/SRV/@"),
    ];
    assert_eq!(lines, expected);
    assert_eq!(sent[1].body, json!([{"data": "203.0.113.9", "ttl": 3600}]));
    let services: Vec<&Value> = sent[3].body.as_array().unwrap().iter().map(|row| &row["service"]).collect();
    assert_eq!(services, ["_sip", "_xmpp"], "the service that nobody asked about stays");
}

#[tokio::test]
async fn a_plan_is_void_when_anything_has_changed() {
    let wish = json!({"domain": "example.com", "records": [{"type": "A", "name": "shop", "data": "203.0.113.9"}]});
    for old in [false, true] {
        // After the first look somebody adds a record elsewhere in the domain.
        let vendor = Vendor::start(move |sent, before| {
            let (reply, changed) = (plain(sent), before > 0);
            match reply {
                Reply::Json(status, mut body) if changed && sent.method == "GET" => {
                    let list = if body.is_array() { &mut body } else { &mut body["items"] };
                    let row = json!({"type": "TXT", "name": "new", "data": "x", "ttl": 600, "recordId": "N"});
                    list.as_array_mut().unwrap().push(row);
                    Reply::Json(status, body)
                }
                other => other,
            }
        })
        .await;
        let open = if old { v1(&vendor) } else { v3(&vendor) };
        let planned = run(open.clone(), "dns_plan", wish.clone()).await.unwrap();
        for dry in [true, false] {
            let mut arguments = wish.clone();
            arguments["plan"] = planned["plan"].clone();
            arguments["dry_run"] = json!(dry);
            let error = run(open.clone(), "apply_dns_plan", arguments).await.unwrap_err();
            assert_eq!(error.kind, Kind::Conflict, "{error}");
            assert!(error.message.contains("nothing was changed"), "{error}");
        }
        assert!(vendor.sent().iter().all(|sent| sent.method == "GET"));
    }
    let vendor = Vendor::start(|sent, _| plain(sent)).await;
    let planned = run(v3(&vendor), "dns_plan", wish.clone()).await.unwrap();
    let other = json!({"domain": "example.com", "plan": planned["plan"],
        "records": [{"type": "A", "name": "shop", "data": "203.0.113.66"}]});
    assert_eq!(
        run(v3(&vendor), "apply_dns_plan", other).await.unwrap_err().kind,
        Kind::Conflict,
        "another wish is another plan"
    );
}

#[tokio::test]
async fn what_is_wrong_is_said_before_anything_is_asked() {
    let vendor = Vendor::start(|sent, _| plain(sent)).await;
    let plan = |record: Value| json!({"domain": "example.com", "records": [record]});
    let both = json!({"domain": "example.com", "records": [{"type": "A", "name": "x", "data": "1.1.1.1"}],
        "remove": ["A x"]});
    for (tool, arguments, word) in [
        ("dns_plan", plan(json!({"type": "NS", "name": "@", "data": "ns1.example.net"})), "whole domain"),
        ("dns_plan", plan(json!({"type": "SOA", "name": "@", "data": "x"})), "whole domain"),
        ("dns_plan", json!({"domain": "example.com", "remove": ["NS @"]}), "whole domain"),
        ("dns_plan", plan(json!({"type": "CAA", "name": "@", "data": "x"})), "one of"),
        ("dns_plan", plan(json!({"type": "SRV", "name": "x", "data": "443 y"})), "SRV"),
        ("dns_plan", json!({"domain": "example.com"}), "records"),
        ("dns_plan", both, "both wanted and to be removed"),
        ("get_domain", json!({"domain": "not a domain"}), "domain"),
        ("list_domains", json!({"cursor": "made up"}), "cursor"),
    ] {
        let error = run(v3(&vendor), tool, arguments).await.unwrap_err();
        assert!(error.message.contains(word), "{tool}: {error}");
    }
    assert_eq!(vendor.sent().len(), 0);
}

#[tokio::test]
async fn every_refusal_has_its_kind_the_vendors_words_and_the_cure() {
    let denied = "Authenticated user is not allowed access";
    for (status, body, kind, word) in [
        (403, json!({"code": "ACCESS_DENIED", "message": denied}), Kind::Forbidden, "too small"),
        (403, json!({"name": "ACCESS_DENIED", "message": denied}), Kind::Forbidden, "another key does not"),
        (403, json!({"name": "INSUFFICIENT_SCOPE", "message": "lacks a scope"}), Kind::Forbidden, "domains.dns:update"),
        (401, json!({"code": "UNABLE_TO_AUTHENTICATE", "message": "no"}), Kind::Unauthenticated, "GODADDY_API_KEY"),
        (404, json!({"code": "NOT_FOUND", "message": "Resource not found"}), Kind::NotFound, "Resource not found"),
        (409, json!({"name": "dns_record_not_mutable", "message": "no"}), Kind::Conflict, "NS and SOA"),
        (422, json!({"code": "DUPLICATE_RECORD", "message": "exists"}), Kind::Conflict, "exists"),
        (
            422,
            json!({"code": "INVALID_BODY", "message": "Bad.", "fields": [{"path": "records[0].ttl", "code": "C",
            "message": "too low"}]}),
            Kind::InvalidInput,
            "records[0].ttl: too low",
        ),
        (
            422,
            json!({"name": "X", "message": "Bad", "details": [{"field": "ttl", "issue": "low", "description": null}]}),
            Kind::InvalidInput,
            "ttl: low",
        ),
        (400, json!({"name": null, "message": null, "details": null}), Kind::InvalidInput, "400"),
    ] {
        let (sent_body, shown) = (body.clone(), body);
        let vendor = Vendor::start(move |_, _| Reply::Json(status, sent_body.clone())).await;
        let error = run(v1(&vendor), "get_domain", json!({"domain": "example.com"})).await.unwrap_err();
        assert_eq!(error.kind, kind, "{status} {shown}: {error}");
        assert!(error.message.contains(word), "{status} {shown}: {error}");
        assert!(!error.message.contains(PAIR[1].1), "{error}");
    }
}

#[tokio::test]
async fn nonsense_is_named_nulls_are_read_and_waiting_is_told() {
    let page = Vendor::start(|_, _| Reply::Text(200, "<html>Welcome</html>".into())).await;
    assert_eq!(run(v3(&page), "list_domains", json!({})).await.unwrap_err().kind, Kind::Upstream);
    let gateway = Vendor::start(|_, _| Reply::Text(504, "<html>".into())).await;
    let error = run(v3(&gateway), "list_domains", json!({})).await.unwrap_err();
    assert_eq!((error.kind, error.message.contains("without JSON")), (Kind::Unavailable, true), "{error}");
    assert_eq!(gateway.sent().len(), 3, "a read is tried again");
    for body in [json!({}), json!({"items": null, "links": null})] {
        let empty = Vendor::start(move |_, _| body.clone().into()).await;
        assert_eq!(run(v3(&empty), "list_domains", json!({})).await.unwrap(), json!({"domains": []}));
    }
    let odd = Vendor::start(|_, _| {
        json!([{"domain": "X.example", "status": "BRAND_NEW", "expires": null, "new": 1}, null]).into()
    })
    .await;
    let domains = run(v1(&odd), "list_domains", json!({})).await.unwrap();
    assert_eq!(domains, json!({"domains": [{"domain": "x.example", "status": "BRAND_NEW"}]}));

    let limited =
        Vendor::start(|_, _| Reply::Json(429, json!({"code": "TOO_MANY_REQUESTS", "retryAfterSec": 45}))).await;
    let error = run(v1(&limited), "list_domains", json!({})).await.unwrap_err();
    assert_eq!((error.kind, error.retry_after.unwrap().as_secs()), (Kind::RateLimited, 45));
    assert_eq!(limited.sent().len(), 1, "the deadline is nearer than that");
}

#[tokio::test]
async fn credentials_decide_the_api_and_what_is_missing_is_said() {
    let vendor = Vendor::start(|sent, _| plain(sent)).await;
    let token_only = || opening(json!({"base_url": vendor.url}), &[("token", TOKEN)]);
    run(token_only(), "list_domains", json!({})).await.unwrap();
    let error = run(token_only(), "domain_contacts", json!({"domain": "example.com"})).await.unwrap_err();
    assert!(error.message.contains("GODADDY_API_KEY"), "{error}");
    let error = run(opening(json!({"base_url": vendor.url}), &[]), "list_domains", json!({})).await.unwrap_err();
    assert_eq!(error.kind, Kind::Unauthenticated);
    let chosen = json!({"base_url": vendor.url, "api": "v1", "shopper_id": "42"});
    run(opening(chosen, &[("token", TOKEN), PAIR[0], PAIR[1]]), "list_domains", json!({})).await.unwrap();
    let last = vendor.sent().pop().unwrap();
    assert_eq!((last.path.as_str(), last.header("x-shopper-id")), ("/v1/domains", Some("42")));
    let unknown = opening(json!({"base_url": vendor.url, "apis": "v1"}), &PAIR);
    assert!(run(unknown, "list_domains", json!({})).await.unwrap_err().message.contains("configuration of godaddy"));
    assert_eq!(vendor.sent().len(), 2);
    let next = run(v3(&vendor), "list_domains", json!({"limit": 1})).await.unwrap();
    run(v3(&vendor), "list_domains", json!({"limit": 1, "cursor": next["next_cursor"]})).await.unwrap();
    assert_eq!(vendor.sent().pop().unwrap().query["pageToken"], "T+2");
}

#[tokio::test]
async fn a_refused_change_puts_the_old_record_back() {
    let wish = json!({"domain": "example.com", "records": [{"type": "A", "name": "www", "data": "203.0.113.2"}]});
    let vendor = Vendor::start(|sent, _| match sent.body["data"].as_str() {
        Some("203.0.113.2") => Reply::Json(422, json!({"name": "VALIDATION_FAILED", "message": "no such address"})),
        _ => plain(sent),
    })
    .await;
    let planned = run(v3(&vendor), "dns_plan", wish.clone()).await.unwrap();
    let mut arguments = wish;
    arguments["plan"] = planned["plan"].clone();
    let error = run(v3(&vendor), "apply_dns_plan", arguments).await.unwrap_err();
    assert!(error.message.contains("put back") && !error.message.contains("GONE"), "{error}");
    let last = vendor.sent().pop().unwrap();
    assert_eq!(
        (last.method.as_str(), &last.body["data"], &last.body["ttl"]),
        ("POST", &json!("203.0.113.1"), &json!(600))
    );
}
