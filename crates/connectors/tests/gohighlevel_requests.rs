//! What every tool sends, and what it makes of the answer.
#![expect(clippy::unwrap_used, reason = "a test ends where it fails, also in its helpers")]

mod support;

use serde_json::{Value, json};
use support::{Reply, TOKEN, V1_KEY, Vendor, cases, run};

#[tokio::test]
async fn every_tool_sends_what_the_vendor_documents() {
    for case in cases::all() {
        let vendor = case.vendor().await;
        let answer = vendor.run(case.tool, case.arguments.clone()).await;
        let answer = answer.unwrap_or_else(|error| panic!("{}: {error:?}", case.tool));
        let sent = vendor.sent();
        assert_eq!(sent.len(), case.requests.len(), "{} sent {sent:#?}", case.tool);
        for ((line, query, body), sent) in case.requests.iter().zip(&sent) {
            assert_eq!(sent.line(), *line, "{}", case.tool);
            assert_eq!(json!(sent.query), *query, "query of {} {line}", case.tool);
            assert_eq!(sent.body, *body, "body of {} {line}", case.tool);
            assert_eq!(sent.header("authorization"), Some(format!("Bearer {TOKEN}").as_str()));
            let dated = line.contains("/conversations") || line.contains("/calendars");
            let version = if dated { "2021-04-15" } else { "2021-07-28" };
            assert_eq!(sent.header("version"), Some(version), "{} {line}", case.tool);
        }
        assert!(holds(&answer, &case.answer), "{} answered {answer:#}", case.tool);
    }
}

#[test]
fn every_tool_has_a_case() {
    let cases = cases::all();
    for tool in support::connector().tools.iter().filter(|tool| !support::is_long_tail(tool)) {
        assert!(cases.iter().any(|case| case.tool == tool.spec.name), "{} has no request test", tool.spec.name);
        assert_eq!(tool.spec.dry_run, tool.spec.effect.is_outward(), "{}", tool.spec.name);
    }
}

#[tokio::test]
async fn the_next_page_begins_where_the_last_ended() {
    let vendor = Vendor::start(|_, _| json!({"contacts": [cases::contact_row()], "total": 7}).into()).await;
    let first = vendor.run("read_contacts", json!({"limit": 1})).await.unwrap();
    let cursor = first["next_cursor"].as_str().unwrap();
    vendor.run("read_contacts", json!({"limit": 1, "cursor": cursor})).await.unwrap();
    let sent = vendor.sent();
    let pages: Vec<_> = sent.iter().filter(|sent| sent.path == "/contacts/search").collect();
    assert_eq!(pages[1].body["searchAfter"], json!([1_793_527_200_000_u64, "C1"]));
    assert_eq!(pages[1].body.get("page"), None);
}

#[tokio::test]
async fn conversations_messages_and_opportunities_page_too() {
    let vendor = Vendor::start(|sent, _| {
        Reply::from(match sent.path.as_str() {
            "/conversations/search" => {
                json!({"conversations": [{"id": "V1", "lastMessageDate": "2026-11-20T10:00:00Z"}], "total": 2})
            }
            "/opportunities/search" => json!({"opportunities": [cases::opportunity_row()],
                "meta": {"total": 2, "startAfter": 1_625_203_104_328_u64, "startAfterId": "O1", "nextPage": 2}}),
            "/opportunities/pipelines" => cases::pipelines(),
            _ => json!({"lastMessageId": "M9", "nextPage": true, "messages": [{"id": "M9", "type": 2,
                "messageType": "TYPE_ACTIVITY_CONTACT"}]}),
        })
    })
    .await;
    for (tool, arguments, path, expected) in [
        ("read_conversations", json!({"limit": 1}), "/conversations/search", ("startAfterDate", "1795168800000")),
        ("list_opportunities", json!({"limit": 1}), "/opportunities/search", ("startAfterId", "O1")),
        (
            "read_conversations",
            json!({"conversation_id": "V1", "limit": 1}),
            "/conversations/V1/messages",
            ("lastMessageId", "M9"),
        ),
    ] {
        let first = vendor.run(tool, arguments.clone()).await.unwrap();
        let mut next = arguments;
        next["cursor"] = first["next_cursor"].clone();
        vendor.run(tool, next).await.unwrap();
        let last = vendor.sent().into_iter().rfind(|sent| sent.path == path).unwrap();
        assert_eq!(last.query.get(expected.0).map(String::as_str), Some(expected.1), "{tool}");
    }
}

#[tokio::test]
async fn v3_has_its_own_field_names() {
    let vendor = Vendor::start(|sent, _| {
        Reply::from(match sent.path.as_str() {
            "/opportunities/search" => json!({"opportunities": []}),
            "/opportunities/pipelines" => cases::pipelines(),
            _ => json!({"succeeded": true, "contact": cases::contact_row(), "calendars": []}),
        })
    })
    .await;
    let opening = || {
        let mut config = vendor.config();
        config["version"] = json!("v3");
        support::opening(config, TOKEN)
    };
    let custom = json!({"contact_id": "C1", "custom_fields": [{"id": "CF1", "value": "x"}]});
    run(opening(), "update_contact", custom).await.unwrap();
    run(opening(), "list_opportunities", json!({"pipeline_id": "P1"})).await.unwrap();
    run(opening(), "list_appointments", json!({})).await.unwrap();
    let sent = vendor.sent();
    assert!(sent.iter().all(|sent| sent.header("version") == Some("v3")));
    assert_eq!(sent[0].body["customFields"], json!([{"id": "CF1", "fieldValue": "x"}]));
    let search = sent.iter().find(|sent| sent.path == "/opportunities/search").unwrap();
    assert_eq!(search.query["locationId"], "LOC1");
    assert_eq!(search.query["pipelineId"], "P1");
}

#[tokio::test]
async fn a_v1_key_reads_contacts_and_pipelines_and_says_what_it_cannot_do() {
    let row = json!({"id": "C1", "contactName": "ada byron", "firstName": null, "customField": [{"id": "F", "value": 3}],
        "lastActivity": 1_751_475_015_874_u64, "tags": null});
    let meta = json!({"total": 2, "nextPageUrl": "http://rest.gohighlevel.com/v1/contacts/?startAfterId=C1",
        "startAfterId": "C1", "startAfter": 1_630_086_370_256_u64, "currentPage": 1, "nextPage": 2});
    let vendor = Vendor::start(move |sent, _| {
        Reply::from(match sent.path.as_str() {
            "/v1/pipelines/" => cases::pipelines(),
            "/v1/contacts/" => json!({"contacts": [row], "meta": meta}),
            _ => json!({"contact": row}),
        })
    })
    .await;
    let first = run(vendor.v1(), "read_contacts", json!({"limit": 1, "query": "ada"})).await.unwrap();
    assert_eq!(first["contacts"][0]["name"], "ada byron");
    let cursor = &first["next_cursor"];
    run(vendor.v1(), "read_contacts", json!({"limit": 1, "cursor": cursor})).await.unwrap();
    let one = run(vendor.v1(), "get_contact", json!({"contact_id": "C1"})).await.unwrap();
    assert_eq!(one["contact"]["details"]["custom_fields"], json!([{"id": "F", "value": "3"}]));
    run(vendor.v1(), "list_pipelines", json!({})).await.unwrap();

    let sent = vendor.sent();
    assert_eq!(json!(sent[0].query), json!({"limit": "1", "query": "ada"}));
    assert_eq!(json!(sent[1].query), json!({"limit": "1", "startAfter": "1630086370256", "startAfterId": "C1"}));
    assert_eq!(sent[2].line(), "GET /v1/contacts/C1");
    assert_eq!(sent[3].line(), "GET /v1/pipelines/");
    for sent in &sent {
        assert_eq!(sent.header("authorization"), Some(format!("Bearer {V1_KEY}").as_str()));
        assert_eq!(sent.header("version"), None);
    }

    let reads = ["read_contacts", "get_contact", "list_pipelines"];
    for case in cases::all().into_iter().filter(|case| !reads.contains(&case.tool)) {
        let error = run(vendor.v1(), case.tool, case.arguments).await.unwrap_err();
        assert_eq!(error.kind, sdk::Kind::Forbidden, "{}: {error}", case.tool);
        assert!(error.message.contains("Private Integrations"), "{}: {error}", case.tool);
    }
    assert_eq!(vendor.sent().len(), 4, "a refused tool sent nothing");
}

#[tokio::test]
async fn an_id_cannot_lead_to_another_path() {
    let vendor = Vendor::start(|_, _| json!({"contact": {}}).into()).await;
    vendor.run("get_contact", json!({"contact_id": "a b?x=1#y"})).await.unwrap();
    assert_eq!(vendor.sent()[0].path, "/contacts/a%20b%3Fx%3D1%23y");
    for id in ["../users", "..", "a/b"] {
        let error = support::fails(&vendor, "get_contact", json!({"contact_id": id})).await;
        assert_eq!(error.kind, sdk::Kind::InvalidInput);
        assert!(error.message.starts_with("contact_id"), "{error}");
    }
    assert_eq!(vendor.sent().len(), 1);
}

#[tokio::test]
async fn what_is_missing_is_said_before_anything_is_sent() {
    let vendor = Vendor::start(|_, _| json!({}).into()).await;
    for (tool, arguments, word) in [
        ("create_contact", json!({"company": "Acme"}), "email"),
        ("update_contact", json!({"contact_id": "C1"}), "nothing to change"),
        ("update_opportunity", json!({"opportunity_id": "O1"}), "nothing to change"),
        ("update_opportunity", json!({"opportunity_id": "O1", "pipeline_id": "P2"}), "stage_id"),
        ("read_contacts", json!({"cursor": "made up"}), "cursor"),
        (
            "book_appointment",
            json!({"calendar_id": "K", "contact_id": "C", "start": "2026-11-24T10:00:00Z", "end": "2026-11-24T09:00:00Z"}),
            "end",
        ),
        ("pipeline_digest", json!({"month": "2026-11", "pipeline_id": "P9"}), "pipeline_id"),
    ] {
        let error = support::fails(&vendor, tool, arguments).await;
        assert!(error.message.contains(word), "{tool}: {error}");
    }
    let writes = vendor.sent().into_iter().filter(|sent| sent.method != "GET").count();
    assert_eq!(writes, 0);
    let mut config = vendor.config();
    config["location_id"] = json!("");
    let error = run(support::opening(config, TOKEN), "read_contacts", json!({})).await.unwrap_err();
    assert!(error.message.contains("GHL_LOCATION_ID"), "{error}");
}

#[tokio::test]
async fn an_unknown_key_of_the_configuration_is_an_error() {
    let vendor = Vendor::start(|_, _| json!({}).into()).await;
    for (key, value) in [("locationid", json!("x")), ("api", json!("v9")), ("base_url", json!("ftp://x"))] {
        let mut config = vendor.config();
        config[key] = value;
        let error = run(support::opening(config, TOKEN), "read_contacts", json!({})).await.unwrap_err();
        assert!(error.message.contains("configuration of gohighlevel"), "{error}");
    }
}

#[tokio::test]
async fn rows_are_read_whatever_they_lack() {
    let rows = json!([
        {"id": "C1", "firstName": null, "lastName": null, "email": null, "companyName": "Acme", "tags": null},
        {"id": 5, "name": "Ada\u{202e}\u{0}", "tags": ["a", null], "unknown": {"x": []}, "lastActivity": "1751475015874"},
        {},
    ]);
    let vendor = Vendor::start(move |_, _| json!({"contacts": rows, "total": "3"}).into()).await;
    let answer = vendor.run("read_contacts", json!({"detailed": true})).await.unwrap();
    assert_eq!(answer["total"], 3);
    assert_eq!(answer["contacts"][0]["name"], "Acme");
    assert_eq!(answer["contacts"][1]["id"], "5");
    assert_eq!(answer["contacts"][1]["name"], "Ada");
    assert_eq!(answer["contacts"][2]["name"], "(no name)");
    assert_eq!(answer["contacts"][0].get("email"), None);
}

#[tokio::test]
async fn a_taken_slot_is_a_conflict_that_names_free_ones() {
    let slots = json!({"2026-11-24": {"slots": ["2026-11-24T17:00:00Z", "2026-11-24T18:00:00Z"]}});
    let vendor = Vendor::start(move |_, _| slots.clone().into()).await;
    let arguments = json!({"calendar_id": "K1", "contact_id": "C1", "start": "2026-11-24T10:00:00-06:00"});
    let error = support::fails(&vendor, "book_appointment", arguments).await;
    assert_eq!(error.kind, sdk::Kind::Conflict);
    assert!(error.message.contains("2026-11-24T11:00:00-06:00"), "{error}");
    assert_eq!(vendor.sent().len(), 1);
}

#[tokio::test]
async fn the_digest_counts_by_stage_and_month_and_says_when_it_is_not_all() {
    let row = |id: &str, status: &str, stage: &str, changed: &str, value: u32| {
        json!({"id": id, "name": id, "pipelineId": "P1", "pipelineStageId": stage, "status": status,
            "monetaryValue": value, "lastStatusChangeAt": changed, "createdAt": changed})
    };
    let rows = json!([
        row("1", "open", "S1", "2026-09-01T00:00:00Z", 10),
        row("2", "open", "S1", "2026-08-01T00:00:00Z", 20),
        row("3", "won", "S2", "2026-11-03T00:00:00Z", 40),
        row("4", "won", "S2", "2026-10-03T00:00:00Z", 80),
        row("5", "lost", "S2", "2026-11-09T00:00:00Z", 5),
        row("6", "abandoned", "S2", "2026-11-09T00:00:00Z", 7),
    ]);
    let vendor = Vendor::start(move |sent, _| {
        Reply::from(match sent.path.as_str() {
            "/opportunities/search" => json!({"opportunities": rows, "meta": {"total": 9, "nextPage": null}}),
            _ => cases::pipelines(),
        })
    })
    .await;
    let answer = vendor.run("pipeline_digest", json!({})).await.unwrap();
    let pipeline = &answer["pipelines"][0];
    assert_eq!(pipeline["open"], json!({"count": 2, "value": 30.0}));
    assert_eq!(pipeline["won_this_month"], json!({"count": 1, "value": 40.0}));
    assert_eq!(pipeline["lost_this_month"], json!({"count": 1, "value": 5.0}));
    assert_eq!(pipeline["stages"][0]["oldest"]["id"], "2");
    assert_eq!(answer["complete"], false);
    assert!(answer["note"].as_str().unwrap().contains("6 of 9"));
}

#[tokio::test]
async fn the_check_proves_the_key_and_names_the_location() {
    let vendor = Vendor::start(|_, _| json!({"location": {"id": "LOC1", "name": "Acme Supply"}}).into()).await;
    let account = support::connector().check(vendor.opening()).await.unwrap();
    assert_eq!((account.id.as_str(), account.name.as_str()), ("LOC1", "Acme Supply"));

    let no_scope = Vendor::start(|sent, _| match sent.path.as_str() {
        "/locations/LOC1" => Reply::Json(401, json!({"message": "The token is not authorized for this scope."})),
        _ => Reply::from(json!({"contacts": [], "total": 0})),
    })
    .await;
    assert_eq!(support::connector().check(no_scope.opening()).await.unwrap().id, "LOC1");

    let v1 = Vendor::start(|_, _| json!({"contacts": [], "meta": {}}).into()).await;
    assert_eq!(support::connector().check(v1.v1()).await.unwrap().id, "LOC1");
}

/// Whether `part` is within `whole`: objects may have more members.
fn holds(whole: &Value, part: &Value) -> bool {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => {
            part.iter().all(|(key, part)| whole.get(key).is_some_and(|whole| holds(whole, part)))
        }
        (Value::Array(whole), Value::Array(part)) => {
            whole.len() >= part.len() && whole.iter().zip(part).all(|(whole, part)| holds(whole, part))
        }
        _ => whole == part,
    }
}
