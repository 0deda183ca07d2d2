//! What `call_operation` sends, what it never sends, and how often.
#![expect(clippy::unwrap_used, reason = "a test ends where it fails, also in its helpers")]

mod support;

use sdk::connector::{ErasedTool, Opening};
use sdk::{Credentials, Effect, Kind, Result};
use serde_json::{Value, json};
use support::{Reply, Vendor, satisfies};

fn tool(ecosystem: &str, name: &str) -> ErasedTool {
    let connector = connectors::all().into_iter().find(|connector| connector.id == ecosystem).unwrap();
    connector.tools.into_iter().find(|tool| tool.spec.name == name).unwrap()
}

/// Every way in at once: each connector takes what it knows.
fn opening(config: Value) -> Opening {
    let names = ["token", "access_token", "key", "secret"];
    let credentials = names.iter().fold(Credentials::new(), |all, name| all.with(name, format!("{name}-1")));
    support::opening_with(config, credentials)
}

/// Calls an operation as the runtime does: what the schema and the check refuse is not run.
async fn call(ecosystem: &str, config: Value, arguments: Value) -> Result<Value> {
    let tool = tool(ecosystem, "call_operation");
    satisfies(&json!(*tool.spec.input), &arguments, "arguments");
    tool.spec.check(&arguments)?;
    let answer = tool.run(opening(config), arguments).await?;
    satisfies(&tool.spec.output_schema().into(), &answer, "answer");
    Ok(answer)
}

fn at(vendor: &Vendor) -> Value {
    json!({ "base_url": vendor.url })
}

async fn answering(body: Value) -> Vendor {
    Vendor::start(move |_, _| Reply::from(body.clone())).await
}

#[tokio::test]
async fn a_read_goes_where_its_line_says_with_what_the_configuration_knows() {
    let vendor = answering(json!({"groups": [{"id": "G1", "name": "a\u{200b}b", "nothing": null}]})).await;
    let config = json!({"base_url": vendor.url, "location_id": "LOC1"});
    let answer = call("gohighlevel", config.clone(), json!({"operation": "list_calendar_groups"})).await.unwrap();
    assert_eq!(answer, json!({"status": 200, "answer": {"groups": [{"id": "G1", "name": "ab"}]}}));
    let body = json!({"operation": "search_tasks", "body": {"completed": false}});
    call("gohighlevel", config, body).await.unwrap();
    let sent = vendor.sent();
    assert_eq!((sent[0].line(), json!(sent[0].query)), ("GET /calendars/groups".into(), json!({"locationId": "LOC1"})));
    assert_eq!(
        (sent[0].header("version"), sent[0].header("authorization")),
        (Some("2021-04-15"), Some("Bearer access_token-1"))
    );
    assert_eq!(sent[1].line(), "POST /locations/LOC1/tasks/search");
    assert_eq!(sent[1].body, json!({"completed": false}));
}

#[tokio::test]
async fn lists_and_ids_are_written_as_each_vendor_wants_them() {
    let vendor = answering(json!({"valueRanges": []})).await;
    let config = json!({"sheets_url": vendor.url});
    let ranges = json!({"operation": "sheets.values.batchGet", "path": {"spreadsheetId": "S 1"},
        "query": {"ranges": ["'My Tab'!A1:B2", "C3"], "valueRenderOption": "FORMULA"}});
    call("google_workspace", config.clone(), ranges).await.unwrap();
    let range = json!({"operation": "sheets.values.clear",
        "path": {"spreadsheetId": "S1", "range": "'My Tab'!A1:B2"}, "dry_run": false});
    call("google_workspace", config, range).await.unwrap();
    let sent = vendor.sent();
    assert_eq!(sent[0].line(), "GET /spreadsheets/S%201/values:batchGet");
    assert_eq!(sent[1].line(), "POST /spreadsheets/S1/values/%27My%20Tab%27%21A1%3AB2:clear");

    let vendor = answering(json!({"items": []})).await;
    let keywords =
        json!({"operation": "search_catalog_items", "query": {"keywords": ["blue", "shelf"], "pageSize": 5}});
    call("amazon", at(&vendor), keywords).await.unwrap();
    let query = json!(vendor.sent()[0].query);
    assert_eq!(query, json!({"keywords": "blue,shelf", "pageSize": "5", "marketplaceIds": "ATVPDKIKX0DER"}));
}

/// Nobody promises what a second time does, so a lost reply is the end of it; where the vendor recognises a
/// repetition it is asked again.
#[tokio::test]
async fn a_write_is_sent_once_unless_the_vendor_knows_it_again() {
    let lost = || Vendor::start(|_, _| Reply::Lost);
    let writes = [
        ("gohighlevel", json!({"operation": "create_tag", "body": {"name": "x"}}), 1),
        ("gohighlevel", json!({"operation": "update_tag", "path": {"tagId": "T"}, "body": {"name": "x"}}), 1),
        ("gohighlevel", json!({"operation": "delete_tag", "path": {"tagId": "T"}}), 1),
        ("slack", json!({"operation": "conversations.create", "body": {"name": "x"}}), 1),
        ("quickbooks", json!({"operation": "send_estimate", "path": {"id": "7"}}), 1),
        ("quickbooks", json!({"operation": "create_term", "body": {"Name": "Net 7"}}), 3),
        // A read is asked again.
        ("gohighlevel", json!({"operation": "list_tags"}), 3),
        ("gohighlevel", json!({"operation": "search_tasks", "body": {}}), 3),
    ];
    for (ecosystem, arguments, times) in writes {
        let vendor = lost().await;
        let mut config = at(&vendor);
        match ecosystem {
            "gohighlevel" => config["location_id"] = json!("LOC1"),
            "quickbooks" => config["realm_id"] = json!("9"),
            _ => {}
        }
        let error = call(ecosystem, config, arguments.clone()).await.unwrap_err();
        assert_eq!(vendor.sent().len(), times, "{arguments}");
        let reads = tool(ecosystem, "call_operation").spec.effect_of(&arguments) == Effect::Read;
        assert!(error.outcome_unknown || reads, "{arguments}: {error}");
    }
}

#[tokio::test]
async fn quickbooks_gets_its_request_id_and_never_loses_fields() {
    let vendor = answering(json!({"Bill": {"Id": "7", "SyncToken": "1"}})).await;
    let config = json!({"base_url": vendor.url, "realm_id": "9"});
    let body = json!({"Id": "7", "SyncToken": "0", "PrivateNote": "n", "sparse": false});
    call("quickbooks", config.clone(), json!({"operation": "update_bill", "body": body})).await.unwrap();
    let body = json!({"Id": "7", "SyncToken": "1"});
    call("quickbooks", config.clone(), json!({"operation": "delete_bill", "body": body})).await.unwrap();
    let sent = vendor.sent();
    assert_eq!(sent[0].line(), "POST /v3/company/9/bill");
    assert_eq!(sent[0].body, json!({"Id": "7", "SyncToken": "0", "PrivateNote": "n", "sparse": true}));
    assert_eq!(json!(sent[0].query), json!({"minorversion": "75", "requestid": "key"}));
    assert_eq!(json!(sent[1].query), json!({"minorversion": "75", "requestid": "key", "operation": "delete"}));

    let vendor = Vendor::start(|sent, _| match sent.method.as_str() {
        "GET" => json!({"Bill": {"Id": "7", "SyncToken": "1", "PrivateNote": "old"}, "time": "now"}).into(),
        _ => Reply::Lost,
    })
    .await;
    let config = json!({"base_url": vendor.url, "realm_id": "9"});
    let bill = |operation: &str, note: Option<&str>| {
        let mut body = json!({"Id": "7", "SyncToken": "1"});
        if let Some(note) = note {
            body["PrivateNote"] = json!(note);
        }
        json!({"operation": operation, "body": body, "dry_run": true})
    };
    let plan = call("quickbooks", config.clone(), bill("update_bill", Some("new"))).await.unwrap();
    assert_eq!(plan["plan"]["changes"], json!([{"what": "PrivateNote", "before": "old", "after": "new"}]));
    let plan = call("quickbooks", config.clone(), bill("delete_bill", None)).await.unwrap();
    assert_eq!(plan["plan"]["changes"][0]["before"]["Bill"]["PrivateNote"], "old", "{plan}");
    assert!(vendor.sent().iter().all(|sent| sent.line() == "GET /v3/company/9/bill/7"), "{:?}", vendor.sent());

    let fault = json!({"Fault": {"Error": [{"Message": "Stale", "code": "5010"}], "type": "ValidationFault"}});
    let vendor = answering(fault).await;
    let config = json!({"base_url": vendor.url, "realm_id": "9"});
    let error = call("quickbooks", config, json!({"operation": "get_company_info"})).await.unwrap_err();
    assert_eq!(error.kind, Kind::Conflict, "a fault is one whatever the status");
}

#[tokio::test]
async fn refusals_are_told_as_the_connectors_other_tools_do() {
    let said = json!({"ok": false, "error": "missing_scope", "needed": "users:read"});
    let vendor = answering(said).await;
    let error = call("slack", at(&vendor), json!({"operation": "users.list"})).await.unwrap_err();
    assert!(error.kind == Kind::Forbidden && error.message.contains("users:read"), "{error}");

    let vendor = Vendor::start(|_, _| {
        Reply::Json(403, json!({"success": false, "errors": [{"code": 10000, "message": "Authentication error"}]}))
    })
    .await;
    let error = call("cloudflare", at(&vendor), json!({"operation": "list_accounts"})).await.unwrap_err();
    assert!(error.kind == Kind::Forbidden && error.message.contains("permission"), "{error}");

    let vendor = Vendor::start(|_, _| Reply::Text(200, "<html>maintenance</html>".into())).await;
    let error = call("godaddy", at(&vendor), json!({"operation": "list_tlds"})).await.unwrap_err();
    assert_eq!(error.kind, Kind::Upstream, "{error}");
}

/// Zone replacement, name servers and zone deletion do not exist, whatever a caller writes.
#[tokio::test]
async fn what_is_refused_reaches_nobody() {
    let vendor = answering(json!({})).await;
    let attempts = [
        ("godaddy", json!({"operation": "replace_all_records", "path": {"domain": "example.com"}, "body": {"a": 1}})),
        ("godaddy", json!({"operation": "replace_nameservers", "path": {"domain-name": "example.com"}})),
        ("godaddy", json!({"operation": "update_domain", "path": {"domain": "example.com/records"}, "body": {}})),
        (
            "godaddy",
            json!({"operation": "update_domain", "path": {"domain": "example.com"}, "body": {"nameServers": []}}),
        ),
        ("godaddy", json!({"operation": "cancel_domain", "path": {"domain": "example.com"}})),
        ("cloudflare", json!({"operation": "delete_zone", "path": {"zone_id": "z"}})),
        ("cloudflare", json!({"operation": "batch_dns_records", "body": {"deletes": []}})),
        (
            "cloudflare",
            json!({"operation": "delete_page_rule", "path": {"zone_id": "z", "pagerule_id": "../dns_records/r"}}),
        ),
        ("cloudflare", json!({"operation": "edit_setting", "path": {"zone_id": "z", "setting_id": ".."}, "body": {}})),
        ("google_workspace", json!({"operation": "drive.files.delete", "path": {"fileId": "trash"}})),
        ("google_workspace", json!({"operation": "gmail.settings.delegates.create", "body": {}})),
        ("amazon", json!({"operation": "create_restricted_data_token"})),
        ("amazon", json!({"operation": "get_order", "path": {"orderId": "1"}, "query": {"includedData": "BUYER"}})),
        ("slack", json!({"operation": "chat.postMessage", "body": {"channel": "C1", "text": "x"}})),
        ("gohighlevel", json!({"operation": "delete_user", "path": {"userId": "U1"}})),
    ];
    for (ecosystem, arguments) in attempts {
        // Also past the check that stands before the policy, and as a dry run.
        let tool = tool(ecosystem, "call_operation");
        let mut config = at(&vendor);
        if ecosystem == "google_workspace" {
            config = json!({"drive_url": vendor.url, "gmail_url": vendor.url});
        }
        for dry_run in [false, true] {
            let mut arguments = arguments.clone();
            arguments["dry_run"] = json!(dry_run);
            assert!(tool.spec.check(&arguments).is_err(), "{arguments}");
            let error = tool.run(opening(config.clone()), arguments.clone()).await.unwrap_err();
            assert!(matches!(error.kind, Kind::Forbidden | Kind::InvalidInput), "{arguments}: {error:?}");
        }
    }
    assert!(vendor.sent().is_empty(), "{:?}", vendor.sent());
}

#[tokio::test]
async fn a_dry_run_reads_the_present_and_tells_the_difference() {
    let vendor = Vendor::start(|sent, _| match sent.line().as_str() {
        "GET /businesses/B1" => json!({"business": {"id": "B1", "name": "Old", "city": "Rome"}}).into(),
        _ => Reply::Json(404, json!({"message": "not found"})),
    })
    .await;
    let config = json!({"base_url": vendor.url, "location_id": "LOC1"});
    let business = |operation: &str| json!({"operation": operation, "path": {"businessId": "B1"}, "dry_run": true});
    let mut update = business("update_business");
    update["body"] = json!({"name": "New", "city": "Rome", "phone": "1"});
    let plan = call("gohighlevel", config.clone(), update).await.unwrap()["plan"].clone();
    assert_eq!(plan["would"], "Changes a business (PUT /businesses/B1)");
    let changes = json!([{"what": "name", "before": "Old", "after": "New"}, {"what": "phone", "after": "1"}]);
    assert_eq!(plan["changes"], changes);
    let plan = call("gohighlevel", config.clone(), business("delete_business")).await.unwrap()["plan"].clone();
    assert_eq!(plan["changes"][0]["before"]["business"]["name"], "Old", "{plan}");
    assert!(vendor.sent().iter().all(|sent| sent.method == "GET"), "nothing was changed");
    let mut gone = business("delete_business");
    gone["path"]["businessId"] = json!("B2");
    let error = call("gohighlevel", config.clone(), gone).await.unwrap_err();
    assert_eq!(error.kind, Kind::NotFound);
    let made = json!({"operation": "create_tag", "body": {"name": "vip"}, "dry_run": true});
    let plan = call("gohighlevel", config, made).await.unwrap()["plan"].clone();
    assert_eq!(plan["changes"], json!([{"what": "name", "after": "vip"}]));
    assert_eq!(vendor.sent().len(), 3);
}

#[tokio::test]
async fn operations_are_found_by_words_and_shown_with_what_they_need() {
    let vendor = answering(json!({})).await;
    let config = json!({"base_url": vendor.url, "location_id": "LOC1"});
    let search = tool("gohighlevel", "search_operations");
    let found = search.run(opening(config.clone()), json!({"query": "calender groups", "limit": 3})).await.unwrap();
    satisfies(&search.spec.output_schema().into(), &found, "answer");
    let first = &found["operations"][0];
    assert_eq!((&first["name"], &first["effect"]), (&json!("list_calendar_groups"), &json!("read")));
    assert!(first.get("query").is_none(), "the location is known: {first}");
    assert!(found["total"].as_u64().unwrap() >= 3 && found["operations"].as_array().unwrap().len() == 3);
    assert!(found.to_string().len() < 2_000, "an answer costs little");
    for (vendor, query, expected) in [
        ("quickbooks", "delete a bill", "delete_bill"),
        ("google_workspace", "create a label", "gmail.labels.create"),
        ("amazon", "fees for a product", "get_fees_estimate_for_asin"),
        ("cloudflare", "empty the cache", "purge_cache"),
        ("godaddy", "renew domain", "renew_domain"),
        ("slack", "add a reaction", "reactions.add"),
    ] {
        let config = if vendor == "quickbooks" { json!({"realm_id": "9"}) } else { json!({}) };
        let answer = tool(vendor, "search_operations").run(opening(config), json!({"query": query})).await.unwrap();
        let names: Vec<&str> =
            answer["operations"].as_array().unwrap().iter().filter_map(|row| row["name"].as_str()).collect();
        assert!(names.iter().take(3).any(|name| *name == expected), "{query}: {names:?}");
    }
    assert!(vendor.sent().is_empty(), "searching asks nobody");
}
