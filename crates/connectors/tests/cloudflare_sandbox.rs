//! The connector against the simulated Cloudflare: real paging, real limits, real faults.
#![expect(clippy::unwrap_used, reason = "a test ends where it fails, also in its helpers")]

mod dns;
mod support;

use std::collections::BTreeSet;

use chrono::Duration;
use connectors::cloudflare::Cloudflare;
use dns::{effects, limited, now, opening, start};
use sandbox::{Fault, Sandbox};
use sdk::connector::Opening;
use sdk::stream::Fields;
use sdk::{ErasedConnector, Kind, Result};
use serde_json::{Value, json};
use support::contracts;

const CREATED: &str = "cloudflare.record.create";

fn with(sandbox: &Sandbox, credential: &str) -> Opening {
    let account = sandbox.account("cloudflare").unwrap();
    opening(account.config.clone(), &[("token", &account.credentials[credential])])
}

fn open(sandbox: &Sandbox) -> Opening {
    with(sandbox, "token")
}

async fn run(sandbox: &Sandbox, tool: &str, arguments: Value) -> Result<Value> {
    dns::run::<Cloudflare>(open(sandbox), tool, arguments).await
}

#[tokio::test]
async fn every_tool_works_against_the_account() {
    let sandbox = start().await;
    let call = async |tool: &str, arguments: Value| -> Value {
        run(&sandbox, tool, arguments).await.unwrap_or_else(|error| panic!("{tool}: {error:?}"))
    };
    let zones = call("list_zones", json!({})).await;
    assert_eq!((&zones["total"], &zones["zones"][0]["status"]), (&json!(3), &json!("active")), "{zones:#}");
    let some = call("list_zones", json!({"name": "wholesale"})).await;
    assert_eq!(some["zones"].as_array().unwrap().len(), 1);

    let first = call("list_dns", json!({"zone": "medtainer-wholesale.example", "limit": 30})).await;
    let second =
        call("list_dns", json!({"zone": "medtainer-wholesale.example", "limit": 30, "cursor": first["next_cursor"]}))
            .await;
    assert_ne!(first["records"][0]["id"], second["records"][0]["id"]);
    assert_eq!(call("list_dns", json!({"type": "MX"})).await["records"][0]["priority"], 10);

    let wanted = json!({"type": "TXT", "name": "_dmarc", "content": "v=DMARC1; p=none", "comment": "watch first"});
    let planned = call("create_dns_record", with_dry_run(&wanted)).await;
    assert_eq!(planned["plan"]["changes"][0]["what"], "TXT _dmarc.medtainer.example");
    assert_eq!(effects(&sandbox, CREATED), 0);
    let created = call("create_dns_record", wanted.clone()).await;
    assert_eq!(created["record"]["content"], "v=DMARC1; p=none");
    let again = call("create_dns_record", wanted).await;
    assert_eq!((&again["created"], &again["record"]["id"]), (&json!(false), &created["record"]["id"]));
    assert_eq!(effects(&sandbox, CREATED), 1);

    let id = &created["record"]["id"];
    let updated =
        call("update_dns_record", json!({"record_id": id, "content": "v=DMARC1; p=reject", "ttl": 600})).await;
    assert_eq!(updated["record"]["content"], "v=DMARC1; p=reject");
    assert_eq!(updated["record"]["comment"], "watch first", "a change leaves the rest alone");
    let kept = call("list_dns", json!({"name": "_dmarc"})).await;
    assert_eq!(kept["records"][0]["ttl"], 600);
    assert_eq!(call("delete_dns_record", json!({"record_id": id})).await["deleted"]["id"], *id);
    assert_eq!(call("list_dns", json!({"name": "_dmarc"})).await["records"], json!([]));
    let gone = run(&sandbox, "delete_dns_record", json!({"record_id": id})).await.unwrap_err();
    assert_eq!(gone.kind, Kind::NotFound);

    for (kind, name, content) in [
        ("CAA", "@", "0 issue \"letsencrypt.org\""),
        ("SRV", "_sip._tls", "5 10 443 sip.example.net"),
        ("AAAA", "v6", "2001:db8::9"),
    ] {
        let arguments = json!({"type": kind, "name": name, "content": content});
        let made = call("create_dns_record", arguments.clone()).await;
        let twice = call("create_dns_record", arguments).await;
        assert_eq!((&made["created"], &twice["created"]), (&json!(true), &json!(false)), "{kind}");
    }
    let log = call("audit_log", json!({"limit": 3})).await;
    assert_eq!(log["entries"][0]["via"], "enterprise", "{log:#}");
    let older = call("audit_log", json!({"limit": 3, "cursor": log["next_cursor"]})).await;
    assert_ne!(log["entries"][0], older["entries"][0]);
    assert_eq!(call("verify_token", json!({})).await["zones_visible"], 3);
}

fn with_dry_run(arguments: &Value) -> Value {
    let mut arguments = arguments.clone();
    arguments["dry_run"] = json!(true);
    arguments
}

#[tokio::test]
async fn the_audit_finds_what_is_wrong_and_its_calls_mend_it() {
    let sandbox = start().await;
    let audited = run(&sandbox, "dns_audit", json!({"limit": 15})).await.unwrap();
    let findings = audited["findings"].as_array().unwrap();
    let checks: BTreeSet<&str> = findings.iter().map(|finding| finding["check"].as_str().unwrap()).collect();
    for check in
        ["spf_duplicate", "cname_dangling", "dmarc_missing", "origin_exposed", "private_address", "cname_takeover"]
    {
        assert!(checks.contains(check), "{check} in {checks:?}");
    }
    assert_eq!(audited["zones"].as_array().unwrap().len(), 3);
    assert!(audited.get("incomplete").is_none());
    let severe = |findings: &[Value]| findings.iter().filter(|finding| finding["severity"] == "high").count();
    for finding in findings {
        let tool = finding["recommended"]["tool"].as_str().unwrap().strip_prefix("cloudflare.").unwrap();
        let outcome = run(&sandbox, tool, finding["recommended"]["arguments"].clone()).await;
        outcome.unwrap_or_else(|error| panic!("{finding:#}: {error:?}"));
    }
    let after = run(&sandbox, "dns_audit", json!({"limit": 15})).await.unwrap();
    let left = after["findings"].as_array().unwrap();
    // Of two SPF records the first was merged; the second is named in the reason and still there.
    assert_eq!(severe(left), 1, "{after:#}");
    assert!(left.len() < findings.len());
}

#[tokio::test]
async fn the_streams_see_every_zone_and_record_once() {
    let sandbox = start().await;
    let (zones, batches) = dns::walk::<Cloudflare>(open(&sandbox), "domains", None).await.unwrap();
    assert_eq!((zones.len(), batches[0].total), (3, Some(3)));
    assert!(matches!(&zones[0].fields, Fields::Domain(domain) if domain.name_servers.len() == 2));
    let account = sandbox.account("cloudflare").unwrap();
    let mut config = account.config.clone();
    config["page_size"] = json!(50);
    let small = opening(config, &[("token", &account.credentials["token"])]);
    let (records, batches) = dns::walk::<Cloudflare>(small, "dns_records", None).await.unwrap();
    let ids: BTreeSet<&String> = records.iter().map(|record| &record.id).collect();
    assert_eq!(ids.len(), records.len());
    assert!(records.len() > 120 && batches.len() == 5, "{} records in {} pages", records.len(), batches.len());
    let domains: BTreeSet<String> = records
        .iter()
        .map(|record| match &record.fields {
            Fields::DnsRecord(record) => record.domain.clone(),
            other => panic!("{other:?} is no record"),
        })
        .collect();
    assert_eq!(domains.len(), 3);
}

#[tokio::test]
async fn an_incremental_walk_brings_what_changed_and_a_full_one_shows_what_went() {
    let sandbox = start().await;
    let (before, _) = dns::walk::<Cloudflare>(open(&sandbox), "dns_records", None).await.unwrap();
    sandbox.skip(std::time::Duration::from_secs(3600));
    let created = run(&sandbox, "create_dns_record", json!({"type": "A", "name": "new", "content": "203.0.113.99"}))
        .await
        .unwrap();
    let since = Some(now() + Duration::minutes(30));
    let (changed, _) = dns::walk::<Cloudflare>(open(&sandbox), "dns_records", since).await.unwrap();
    assert_eq!(changed.len(), 1);
    assert_eq!(changed[0].id, created["record"]["id"]);
    run(&sandbox, "delete_dns_record", json!({"record_id": before[0].id, "zone": domain_of(&before[0])}))
        .await
        .unwrap();
    let (after, _) = dns::walk::<Cloudflare>(open(&sandbox), "dns_records", None).await.unwrap();
    assert_eq!(after.len(), before.len());
    assert!(after.iter().all(|record| record.id != before[0].id));
}

fn domain_of(record: &sdk::Record) -> String {
    match &record.fields {
        Fields::DnsRecord(record) => record.domain.clone(),
        other => panic!("{other:?} is no record"),
    }
}

#[tokio::test]
async fn a_reply_that_is_lost_after_the_commit_never_makes_a_duplicate() {
    let sandbox = start().await;
    let zone = sandbox.account("cloudflare").unwrap().config["zone_id"].as_str().unwrap().to_owned();
    let path = format!("/cloudflare/client/v4/zones/{zone}/dns_records");
    for n in 0..25 {
        let fault = [Fault::DropReply, Fault::Malformed, Fault::Html, Fault::Truncated][n % 4].clone();
        // The lookup of the zone is another path, so the first request here is the POST.
        sandbox.faults().next_on(&path, 1, fault);
        let arguments = json!({"type": "TXT", "name": format!("lost{n}"), "content": format!("value {n}")});
        let answer = run(&sandbox, "create_dns_record", arguments).await.unwrap();
        assert_eq!(answer["created"], true);
    }
    assert_eq!(effects(&sandbox, CREATED), 25);
    let deleted = run(&sandbox, "list_dns", json!({"name": "lost3"})).await.unwrap();
    let id = deleted["records"][0]["id"].as_str().unwrap();
    sandbox.faults().next_on(&format!("{path}/{id}"), 1, Fault::Stall(std::time::Duration::ZERO));
    sandbox.faults().next_on(&format!("{path}/{id}"), 1, Fault::DropReply);
    run(&sandbox, "delete_dns_record", json!({"record_id": id})).await.unwrap();
    assert_eq!(effects(&sandbox, "cloudflare.record.delete"), 1);
}

#[tokio::test]
async fn tokens_are_told_apart() {
    let sandbox = start().await;
    let owned = dns::run::<Cloudflare>(with(&sandbox, "account_token"), "verify_token", json!({})).await.unwrap();
    assert_eq!(owned["owner"], "account");
    let arguments = json!({"type": "A", "name": "x", "content": "203.0.113.5"});
    let error = dns::run::<Cloudflare>(with(&sandbox, "read_token"), "create_dns_record", arguments).await.unwrap_err();
    assert_eq!(error.kind, Kind::Forbidden, "{error}");
    let account = ErasedConnector::of::<Cloudflare>().check(open(&sandbox)).await.unwrap();
    assert_eq!(account.name, "MedTainer");
    sandbox.faults().next(1, Fault::ExpiredToken);
    let error = run(&sandbox, "list_zones", json!({})).await.unwrap_err();
    assert_eq!(error.kind, Kind::Unauthenticated);
    let error = ErasedConnector::of::<Cloudflare>().check(open(&sandbox)).await.unwrap_err();
    assert_eq!(error.kind, Kind::Unauthenticated, "a dead token stays dead: {error}");
}

#[tokio::test]
async fn too_many_requests_block_everything_for_five_minutes() {
    let sandbox = limited(true).await;
    let open = open(&sandbox);
    let mut error = None;
    for _ in 0..1_210 {
        if let Err(refused) = dns::run::<Cloudflare>(open.clone(), "list_zones", json!({})).await {
            error = Some(refused);
            break;
        }
    }
    let error = error.unwrap();
    assert_eq!(error.kind, Kind::RateLimited, "{error}");
    let counted = sandbox.business().requests();
    assert!((1_199..=1_202).contains(&counted), "{counted}");
    dns::run::<Cloudflare>(open.clone(), "list_zones", json!({})).await.unwrap_err();
    assert_eq!(sandbox.business().requests(), counted, "nothing more is sent");
}

/// What the sandbox answers, held against the vendor's document where it is present.
#[tokio::test]
async fn the_sandbox_answers_as_the_vendor_documents() {
    let Some(folder) = contracts::folder("cloudflare") else { return };
    let text = std::fs::read_to_string(folder.join("sdk-responses.schema.json")).unwrap();
    let schema: Value = serde_json::from_str(&text).unwrap();
    let sandbox = start().await;
    let account = sandbox.account("cloudflare").unwrap();
    let base = account.config["base_url"].as_str().unwrap().to_owned();
    let zone = account.config["zone_id"].as_str().unwrap().to_owned();
    #[expect(clippy::disallowed_methods, reason = "a test is its own process and owns its client")]
    let client = reqwest::Client::new();
    let get = async |path: String| -> Value {
        let request = client.get(format!("{base}{path}")).bearer_auth(&account.credentials["token"]);
        serde_json::from_slice(&request.send().await.unwrap().bytes().await.unwrap()).unwrap()
    };
    let zones = get("/zones?per_page=50".into()).await;
    let id = zones["result"][0]["account"]["id"].as_str().unwrap().to_owned();
    let mut checked = 0;
    for (kind, answer) in [
        ("ZoneResult", zones),
        ("RecordResponse", get(format!("/zones/{zone}/dns_records?per_page=1000")).await),
        ("AccountResult", get("/accounts".into()).await),
        ("AuditListResponse", get(format!("/accounts/{id}/logs/audit?since=2026-01-01&before=2027-01-01")).await),
        ("UserTokenVerifyResponse", get("/user/tokens/verify".into()).await),
    ] {
        assert_eq!((&answer["success"], &answer["errors"]), (&json!(true), &json!([])), "{kind}");
        let declared = json!({"$defs": schema["$defs"], "$ref": format!("#/$defs/{kind}")});
        let rows = answer["result"].as_array().cloned().unwrap_or_else(|| vec![answer["result"].clone()]);
        rows.iter().for_each(|row| support::satisfies(&declared, row, kind));
        checked += rows.len();
    }
    let past = get(format!("/zones/{zone}/dns_records?page=999")).await;
    assert_eq!(past["result"], json!([]), "a page past the end is empty");
    println!("{checked} rows checked");
}
