//! The connector against the simulated business: real paging, real limits, real faults.
#![expect(clippy::unwrap_used, reason = "a test ends where it fails, also in its helpers")]

mod support;

use std::collections::BTreeSet;

use chrono::{DateTime, Duration, Utc};
use sandbox::{Fault, Options, Sandbox};
use sdk::connector::Opening;
use sdk::stream::Fields;
use sdk::{Kind, Page};
use serde_json::{Value, json};
use support::{run, walk};

const HOUR: std::time::Duration = std::time::Duration::from_secs(3600);

fn now() -> DateTime<Utc> {
    "2026-11-23T20:00:00Z".parse().unwrap()
}

async fn start() -> Sandbox {
    let options = Options { enforce_limits: false, ..Options::new(now()) };
    sandbox::start(options, "127.0.0.1:0".parse().unwrap()).await.unwrap()
}

fn config(sandbox: &Sandbox) -> Value {
    json!({"base_url": sandbox.url(), "v1_base_url": format!("{}/v1", sandbox.url()),
        "location_id": sandbox.gohighlevel().location_id})
}

fn v2(sandbox: &Sandbox) -> Opening {
    support::opening(config(sandbox), &sandbox.gohighlevel().private_token)
}

fn v1(sandbox: &Sandbox) -> Opening {
    support::opening(config(sandbox), &sandbox.gohighlevel().v1_key)
}

fn effects(sandbox: &Sandbox, kind: &str) -> usize {
    sandbox.business().effects().iter().filter(|effect| effect.kind == kind && effect.origin == "api").count()
}

#[tokio::test]
async fn a_full_walk_sees_all_1206_contacts_once_over_either_api() {
    let sandbox = start().await;
    let all: BTreeSet<String> = sandbox.business().contact_ids().into_iter().collect();
    assert_eq!(all.len(), 1206);
    for opening in [v2(&sandbox), v1(&sandbox)] {
        let before = sandbox.business().requests();
        let (records, batches) = walk(opening, "contacts", None).await.unwrap();
        let seen: BTreeSet<String> = records.iter().map(|record| record.id.clone()).collect();
        assert_eq!(records.len(), 1206);
        assert_eq!(seen, all);
        assert_eq!(batches.len(), 13);
        assert_eq!(sandbox.business().requests() - before, 13, "one request a page");
        assert!(batches.iter().all(|batch| batch.total == Some(1206)));
    }
}

#[tokio::test]
async fn an_incremental_walk_brings_what_changed_with_one_request() {
    let sandbox = start().await;
    let since = now() + Duration::minutes(30);
    sandbox.skip(HOUR);
    let changed = sandbox.business().update_contact(600, json!({"city": "Dolomite"})).unwrap();
    let before = sandbox.business().requests();
    let (records, _) = walk(v2(&sandbox), "contacts", Some(&since.to_rfc3339())).await.unwrap();
    assert_eq!(records.len(), 1, "{records:#?}");
    assert_eq!(records[0].id, changed["id"].as_str().unwrap());
    assert_eq!(sandbox.business().requests() - before, 1);
    let (over_v1, _) = walk(v1(&sandbox), "contacts", Some(&since.to_rfc3339())).await.unwrap();
    assert_eq!(over_v1.len(), 1);
}

#[tokio::test]
async fn a_walk_that_was_interrupted_goes_on_where_it_was() {
    let sandbox = start().await;
    let stream = support::stream("contacts");
    let opened = stream.open(v2(&sandbox)).unwrap();
    let mut page = Page::default();
    let mut seen = BTreeSet::new();
    for _ in 0..5 {
        let batch = stream.fetch(&opened, page.clone()).await.unwrap();
        seen.extend(batch.records.into_iter().map(|record| record.id));
        page.cursor = batch.next;
    }
    // While nobody looked, one contact came.
    sandbox.business().create_contact(json!({"firstName": "Late"})).unwrap();
    let opened = stream.open(v2(&sandbox)).unwrap();
    let (rest, _) = support::walk_from(&stream, &opened, page).await.unwrap();
    assert_eq!(rest.len(), 706);
    seen.extend(rest.into_iter().map(|record| record.id));
    assert_eq!(seen.len(), 1206);
}

#[tokio::test]
async fn the_other_streams_are_walked_to_their_end() {
    let sandbox = start().await;
    let (deals, _) = walk(v2(&sandbox), "opportunities", None).await.unwrap();
    let ids: BTreeSet<_> = deals.iter().map(|deal| deal.id.clone()).collect();
    assert!(deals.len() > 100 && ids.len() == deals.len(), "{} of {}", ids.len(), deals.len());
    let named = deals.iter().all(|deal| matches!(&deal.fields, Fields::Opportunity(deal) if deal.stage.is_some()));
    assert!(named);

    let mut config = config(&sandbox);
    config["page_size"] = json!(500);
    let opening = support::opening(config, &sandbox.gohighlevel().private_token);
    let since = (now() - Duration::days(30)).to_rfc3339();
    let (said, _) = walk(opening, "interactions", Some(&since)).await.unwrap();
    let kinds: BTreeSet<_> = said
        .iter()
        .filter_map(|record| match &record.fields {
            Fields::Interaction(interaction) => Some(interaction.kind.clone()),
            // An appointment that was called off.
            Fields::Deleted => None,
            other => panic!("{other:?} is not an interaction"),
        })
        .collect();
    assert!(["sms", "email", "appointment"].iter().all(|kind| kinds.contains(*kind)), "{kinds:?}");
    assert!(said.iter().all(|record| record.updated_at <= Some(now())), "what is booked has not happened yet");
}

#[tokio::test]
async fn every_tool_works_against_the_business() {
    let sandbox = start().await;
    for version in ["2021-07-28", "v3"] {
        let mut config = config(&sandbox);
        config["version"] = json!(version);
        let opening = support::opening(config, &sandbox.gohighlevel().private_token);
        use_every_tool(&opening, version).await;
    }
}

async fn use_every_tool(opening: &Opening, version: &str) {
    let call = async |tool: &str, arguments: Value| -> Value {
        let answer = run(opening.clone(), tool, arguments).await;
        answer.unwrap_or_else(|error| panic!("{version} {tool}: {error:?}"))
    };
    let newest = call("read_contacts", json!({"limit": 3, "detailed": true})).await;
    assert_eq!(newest["contacts"].as_array().unwrap().len(), 3);
    let next = call("read_contacts", json!({"limit": 3, "cursor": newest["next_cursor"]})).await;
    assert_ne!(newest["contacts"][0]["id"], next["contacts"][0]["id"]);

    let email = format!("ada.{version}@example.com");
    let phone = if version == "v3" { "+13105550188" } else { "+13105550199" };
    let created = call(
        "create_contact",
        json!({"first_name": "Ada", "last_name": "Byron", "email": email,
        "phone": phone, "company": "Acme Supply", "tags": ["new"]}),
    )
    .await;
    assert_eq!(created.get("warning"), None);
    assert_eq!(created["contact"]["tags"], json!(["new"]));
    let id = &created["contact"]["id"];
    let updated = call("update_contact", json!({"contact_id": id, "city": "Dolomite", "company": "New Co"})).await;
    assert_eq!(updated["contact"]["id"], *id);
    assert_eq!(call("add_tags", json!({"contact_id": id, "tags": ["vip"]})).await["tags"], json!(["new", "vip"]));
    assert_eq!(call("remove_tags", json!({"contact_id": id, "tags": ["new"]})).await["tags"], json!(["vip"]));
    let one = call("get_contact", json!({"contact_id": id})).await;
    assert_eq!(one["contact"]["company"], "New Co");
    assert_eq!(one["contact"]["tags"], json!(["vip"]), "an update leaves the tags alone");

    assert!(call("add_note", json!({"contact_id": id, "body": "Called"})).await["note"]["id"].is_string());
    let task = json!({"contact_id": id, "title": "Call back", "due": "2026-12-01T15:00:00Z"});
    assert_eq!(call("create_task", task).await["task"]["due"], "2026-12-01T15:00:00Z");
    assert!(call("send_sms", json!({"contact_id": id, "message": "Hello"})).await["message_id"].is_string());
    let mail = json!({"contact_id": id, "subject": "Offer", "body": "Dear Ada"});
    assert!(call("send_email", mail).await["message_id"].is_string());
    let said = call("read_conversations", json!({"contact_id": id})).await;
    let bodies: Vec<_> = said["messages"].as_array().unwrap().iter().map(|message| &message["type"]).collect();
    assert_eq!(bodies, ["email", "sms"], "{said:#}");
    let talks = call("read_conversations", json!({"limit": 2})).await;
    assert_eq!(talks["conversations"][0]["contact_id"], *id, "{talks:#}");
    let more = call("read_conversations", json!({"limit": 2, "cursor": talks["next_cursor"]})).await;
    assert_ne!(more["conversations"][0]["id"], talks["conversations"][0]["id"]);
    assert_ne!(more["conversations"][0]["id"], talks["conversations"][1]["id"]);

    let pipelines = call("list_pipelines", json!({})).await;
    let stage = &pipelines["pipelines"][0]["stages"][1];
    let deals = call(
        "list_opportunities",
        json!({"status": "open", "limit": 2, "detailed": true,
        "pipeline_id": pipelines["pipelines"][0]["id"]}),
    )
    .await;
    let deal = &deals["opportunities"][0]["id"];
    let moved =
        call("update_opportunity", json!({"opportunity_id": deal, "stage_id": stage["id"], "value": 4321})).await;
    assert_eq!(moved["opportunity"]["stage"], stage["name"]);
    assert_eq!(moved["opportunity"]["value"], 4321.0);
    let digest = call("pipeline_digest", json!({"month": "2026-11"})).await;
    assert_eq!(digest["complete"], true);
    assert!(digest["pipelines"][0]["open"]["count"].as_u64().unwrap() > 0);

    let week = json!({"from": "2026-11-23T00:00:00Z", "to": "2026-11-30T00:00:00Z"});
    let booked = call("list_appointments", week.clone()).await;
    let calendar = &booked["calendars"][0]["id"];
    let at_night = json!({"calendar_id": calendar, "contact_id": id, "start": "2026-11-25T03:00:00Z"});
    let conflict = run(opening.clone(), "book_appointment", at_night).await.unwrap_err();
    assert_eq!(conflict.kind, Kind::Conflict);
    let free = conflict.message.rsplit("free near it: ").next().unwrap().split(", ").next().unwrap().to_owned();
    let booking = json!({"calendar_id": calendar, "contact_id": id, "start": free, "title": "Demo"});
    let appointment = call("book_appointment", booking.clone()).await;
    assert_eq!(appointment["appointment"]["contact_id"], *id);
    let again = run(opening.clone(), "book_appointment", booking).await.unwrap_err();
    assert_eq!(again.kind, Kind::Conflict, "the slot is taken now");
    let after = call("list_appointments", week).await;
    let (count, before) =
        (after["appointments"].as_array().unwrap().len(), booked["appointments"].as_array().unwrap().len());
    assert_eq!(count, before + 1);
}

#[tokio::test]
async fn a_v1_key_reads_the_business() {
    let sandbox = start().await;
    let page = run(v1(&sandbox), "read_contacts", json!({"limit": 2})).await.unwrap();
    assert_eq!(page["contacts"].as_array().unwrap().len(), 2);
    let id = &page["contacts"][0]["id"];
    let one = run(v1(&sandbox), "get_contact", json!({"contact_id": id})).await.unwrap();
    assert_eq!(one["contact"]["id"], *id);
    let pipelines = run(v1(&sandbox), "list_pipelines", json!({})).await.unwrap();
    assert!(!pipelines["pipelines"].as_array().unwrap().is_empty());
    let account = support::connector().check(v1(&sandbox)).await.unwrap();
    assert_eq!(account.id, sandbox.gohighlevel().location_id);
}

#[tokio::test]
async fn a_lost_reply_to_create_contact_leaves_one_contact() {
    let sandbox = start().await;
    sandbox.faults().next_on("/contacts/upsert", 1, Fault::DropReply);
    let arguments = json!({"first_name": "Ada", "email": "lost@example.com"});
    let answer = run(v2(&sandbox), "create_contact", arguments).await.unwrap();
    assert_eq!(answer["contact"]["email"], "lost@example.com");
    assert_eq!(sandbox.business().contacts(), 1207);
    assert_eq!(effects(&sandbox, "ContactCreate"), 1);
}

#[tokio::test]
async fn notes_and_messages_are_not_repeated_after_a_lost_reply() {
    let sandbox = start().await;
    let phone = |row: &Value| row["phone"].is_string() && row["dnd"] != true;
    let contact = (0..1206).filter_map(|n| sandbox.business().contact(n)).find(phone).unwrap();
    for (tool, arguments, path, effect) in [
        (
            "add_note",
            json!({"body": "Called"}),
            format!("/contacts/{}/notes", contact["id"].as_str().unwrap()),
            "NoteCreate",
        ),
        ("send_sms", json!({"message": "Hello"}), "/conversations/messages".to_owned(), "OutboundMessage"),
    ] {
        for fault in [Fault::DropReply, Fault::Truncated, Fault::Html] {
            let before = effects(&sandbox, effect);
            sandbox.faults().next_on(&path, 1, fault.clone());
            let mut arguments = arguments.clone();
            arguments["contact_id"] = contact["id"].clone();
            let error = run(v2(&sandbox), tool, arguments).await.unwrap_err();
            assert!(error.outcome_unknown, "{tool} {fault:?}: {error}");
            assert!(error.message.contains("unknown whether"), "{tool} {fault:?}: {error}");
            assert_eq!(effects(&sandbox, effect), before + 1, "{tool} {fault:?}");
        }
    }
}

#[tokio::test]
async fn a_walk_survives_a_vendor_that_stumbles() {
    let sandbox = start().await;
    for fault in [Fault::Status(503), Fault::Drop, Fault::DropReply, Fault::Truncated] {
        sandbox.faults().next_on("/contacts/search", 1, fault.clone());
        let (records, _) = walk(v2(&sandbox), "contacts", None).await.unwrap_or_else(|e| panic!("{fault:?}: {e}"));
        assert_eq!(records.len(), 1206, "{fault:?}");
    }
}

#[tokio::test]
async fn a_wrong_key_and_a_wrong_location_are_told_apart() {
    let sandbox = start().await;
    let error = run(support::opening(config(&sandbox), "pit-wrong"), "read_contacts", json!({})).await.unwrap_err();
    assert_eq!(error.kind, Kind::Unauthenticated);
    assert!(error.message.contains("Private Integrations"), "{error}");
    let mut elsewhere = config(&sandbox);
    elsewhere["location_id"] = json!("somewhere-else");
    let opening = support::opening(elsewhere, &sandbox.gohighlevel().private_token);
    let error = run(opening, "read_contacts", json!({})).await.unwrap_err();
    assert_eq!(error.kind, Kind::Forbidden);
    assert!(error.message.contains("GHL_LOCATION_ID"), "{error}");
    let missing = json!({"contact_id": "nobody0000000000000a"});
    let error = run(v2(&sandbox), "get_contact", missing).await.unwrap_err();
    assert_eq!(error.kind, Kind::NotFound, "{error}");
}

/// Every write tells what it would do; nothing happens, and what is so already is no change.
#[tokio::test]
async fn dry_runs_tell_the_difference_and_change_nothing() {
    let sandbox = start().await;
    let ids = sandbox.business().contact_ids();
    sandbox.business().update_contact(3, json!({"city": "Dolomite", "tags": ["vip"]})).unwrap();
    let contact = sandbox.business().contact(3).unwrap();
    assert!(ids.contains(&contact["id"].as_str().unwrap().to_owned()));
    let id = &contact["id"];
    let deals = run(v2(&sandbox), "list_opportunities", json!({"limit": 1})).await.unwrap();
    let deal = &deals["opportunities"][0];
    let before = sandbox.business().effects().len();
    let plan = async |tool: &str, mut arguments: Value| {
        arguments["dry_run"] = json!(true);
        let answer = run(v2(&sandbox), tool, arguments).await.unwrap_or_else(|error| panic!("{tool}: {error}"));
        assert!(answer["plan"]["would"].as_str().unwrap().ends_with('.'), "{tool}: {answer}");
        answer["plan"].clone()
    };
    let update = plan("update_contact", json!({"contact_id": id, "city": "Rome", "source": "fair"})).await;
    let city = json!({"what": "city", "before": "Dolomite", "after": "Rome"});
    assert!(update["changes"].as_array().unwrap().contains(&city), "{update}");
    let same = plan("update_contact", json!({"contact_id": id, "city": "Dolomite"})).await;
    assert_eq!(same["changes"], json!([]));
    let added = plan("add_tags", json!({"contact_id": id, "tags": ["vip", "new-tag"]})).await;
    assert_eq!(added["changes"], json!([{"what": "tag", "after": "new-tag"}]));
    let removed = plan("remove_tags", json!({"contact_id": id, "tags": ["vip", "never"]})).await;
    assert_eq!(removed["changes"], json!([{"what": "tag", "before": "vip"}]));
    let found = plan("create_contact", json!({"first_name": "New", "email": contact["email"], "tags": ["a"]})).await;
    assert!(found["would"].as_str().unwrap().starts_with("Update "), "{found}");
    let made = plan("create_contact", json!({"first_name": "New", "email": "nobody@example.com"})).await;
    assert_eq!(made["would"], "Create a contact.");
    assert_eq!(made["changes"].as_array().unwrap().len(), 2, "{made}");
    let note = plan("add_note", json!({"contact_id": id, "body": "Called"})).await;
    assert_eq!(note["changes"], json!([{"what": "note", "after": {"body": "Called"}}]));
    let task = plan("create_task", json!({"contact_id": id, "title": "Call", "due": "2026-12-01T15:00:00Z"})).await;
    assert_eq!(task["changes"][0]["after"]["dueDate"], "2026-12-01T15:00:00Z");
    let sms = plan("send_sms", json!({"contact_id": id, "message": "Hello"})).await;
    assert_eq!(sms["changes"][0], json!({"what": "to", "after": contact["phone"]}), "{sms}");
    let mail = plan("send_email", json!({"contact_id": id, "subject": "Hi", "body": "Hello"})).await;
    assert!(mail.to_string().contains(contact["email"].as_str().unwrap()), "{mail}");
    let sold =
        plan("update_opportunity", json!({"opportunity_id": deal["id"], "name": "Another", "value": deal["value"]}))
            .await;
    assert_eq!(sold["changes"], json!([{"what": "name", "before": deal["name"], "after": "Another"}]));
    let booked = run(v2(&sandbox), "list_appointments", json!({})).await.unwrap();
    let calendar = &booked["calendars"][0]["id"];
    let taken = json!({"calendar_id": calendar, "contact_id": id, "start": "2026-11-29T03:00:00Z", "dry_run": true});
    let error = run(v2(&sandbox), "book_appointment", taken).await.unwrap_err();
    let free = error.message.split("free near it: ").nth(1).unwrap().split(", ").next().unwrap().to_owned();
    let booking = plan("book_appointment", json!({"calendar_id": calendar, "contact_id": id, "start": free})).await;
    assert_eq!(booking["changes"][0]["what"], "appointment");
    let gone = run(v2(&sandbox), "add_tags", json!({"contact_id": "nobody", "tags": ["a"], "dry_run": true})).await;
    assert!(gone.is_err());
    assert_eq!(sandbox.business().effects().len(), before, "nothing happened");
}
