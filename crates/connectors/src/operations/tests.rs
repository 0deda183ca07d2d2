//! What holds for every table, and what no call of any of them can do.

use std::collections::BTreeSet;

use sdk::{Effect, Kind};
use serde_json::{Value, json};

use super::table::{self, Operation};
use super::{LongTail, check, effect};
use crate::amazon::Amazon;
use crate::cloudflare::Cloudflare;
use crate::godaddy::GoDaddy;
use crate::gohighlevel::GoHighLevel;
use crate::google_workspace::GoogleWorkspace;
use crate::quickbooks::QuickBooks;
use crate::slack::Slack;

fn tables() -> [(&'static str, &'static str); 7] {
    [
        ("gohighlevel", GoHighLevel::OPERATIONS),
        ("quickbooks", QuickBooks::OPERATIONS),
        ("google_workspace", GoogleWorkspace::OPERATIONS),
        ("amazon", Amazon::OPERATIONS),
        ("cloudflare", Cloudflare::OPERATIONS),
        ("godaddy", GoDaddy::OPERATIONS),
        ("slack", Slack::OPERATIONS),
    ]
}

fn callable(table: &'static str) -> impl Iterator<Item = Operation> {
    table::all(table).filter(|operation| operation.effect.is_some())
}

fn changing(table: &'static str) -> impl Iterator<Item = Operation> {
    callable(table).filter(|operation| operation.effect != Some(Effect::Read))
}

#[test]
fn every_line_is_an_operation_and_none_is_there_twice() {
    for (vendor, text) in tables() {
        for line in table::lines(text) {
            assert!(table::read(line).is_some(), "{vendor}: {line}");
        }
        let all: Vec<Operation> = table::all(text).collect();
        assert!((60..=300).contains(&all.len()), "{vendor} has {}", all.len());
        let names: BTreeSet<_> = all.iter().map(|operation| operation.name).collect();
        assert_eq!(names.len(), all.len(), "{vendor}: a name is there twice");
        // At QuickBooks one path creates and changes; the body makes the difference.
        let places: BTreeSet<_> = all.iter().map(|one| (one.method_name(), one.path, one.fixed)).collect();
        assert!(places.len() == all.len() || vendor == "quickbooks", "{vendor}: a path is there twice");
    }
}

#[test]
fn names_are_plain_and_texts_short() {
    for (vendor, text) in tables() {
        for operation in table::all(text) {
            let place = format!("{vendor}.{}", operation.name);
            assert!(operation.name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.'), "{place}");
            assert!(operation.name.len() <= 60 && operation.about.ends_with('.'), "{place}");
            assert!((10..=170).contains(&operation.about.chars().count()), "{place}: {}", operation.about);
            assert!(operation.method().is_ok() && !operation.path.contains(".."), "{place}");
            assert_eq!(operation.path.matches('{').count(), operation.ids().count(), "{place}");
        }
    }
}

/// What reads is a GET, or one of these, of which the vendors say that they only answer.
const READS_BY_POST: [&str; 17] = [
    "search_tasks",
    "search_opportunities_by_body",
    "search_object_records",
    "sheets.spreadsheets.getByDataFilter",
    "sheets.developerMetadata.search",
    "sheets.values.batchGetByDataFilter",
    "calendar.freebusy.query",
    "get_featured_offer_expected_price_batch",
    "get_competitive_summary",
    "get_fees_estimate_for_asin",
    "get_fees_estimate_for_sku",
    "validate_purchase",
    "validate_contacts",
    "chat.scheduledMessages.list",
    "bookmarks.list",
    "canvases.sections.lookup",
    "slackLists.items.list",
];

#[test]
fn only_what_reads_is_called_a_read() {
    for (vendor, text) in tables() {
        for operation in callable(text) {
            let place = format!("{vendor}.{}", operation.name);
            match (operation.method_name(), operation.effect) {
                ("GET", effect) => assert_eq!(effect, Some(Effect::Read), "{place}"),
                ("POST", Some(Effect::Read)) => assert!(READS_BY_POST.contains(&operation.name), "{place}"),
                (_, Some(Effect::Read)) => panic!("{place} reads by {}", operation.method_name()),
                ("DELETE", effect) => assert_eq!(effect, Some(Effect::Destructive), "{place}"),
                _ => {}
            }
            let says = ["costs money", "for good", "Deletes"].iter().any(|word| operation.about.contains(word));
            let read = operation.effect == Some(Effect::Read);
            assert!(!says || read || operation.effect == Some(Effect::Destructive), "{place} always asks");
        }
    }
}

/// Whole zones, NS and SOA are the plan tools' matter, which refuse them.
#[test]
fn no_operation_writes_dns_records_or_name_servers() {
    let words =
        ["/records", "dns_records", "dns-records", "nameserver", "dns_settings", "dnssecrecord", "zone_transfer"];
    for text in [Cloudflare::OPERATIONS, GoDaddy::OPERATIONS] {
        for operation in changing(text) {
            let path = operation.path.to_lowercase();
            assert!(!words.iter().any(|word| path.contains(word)), "{} {}", operation.name, operation.path);
            let members: Vec<&str> = operation.body().map(|(name, _)| name).collect();
            let touches = |name: &&str| {
                let name = name.to_lowercase().replace('_', "");
                ["nameserver", "soa", "zonemode", "vanity"].iter().any(|word| name.contains(word))
            };
            assert!(!members.iter().any(touches), "{}: {members:?}", operation.name);
        }
    }
    // A body that takes anything could hold name servers.
    for operation in changing(GoDaddy::OPERATIONS).filter(Operation::takes_body) {
        assert!(operation.is_closed(), "{}", operation.name);
    }
    let zone = table::all(Cloudflare::OPERATIONS).filter(|one| one.path == "/zones/{zone_id}" || one.path == "/zones");
    for operation in zone.filter(|one| one.takes_body() && one.effect.is_some()) {
        assert!(operation.is_closed(), "{}", operation.name);
    }
}

#[test]
fn nobody_is_deleted_and_no_key_is_made() {
    let ends = [
        "/zones/{zone_id}",
        "/accounts/{account_id}",
        "/members/{member_id}",
        "/users/{userId}",
        "/locations/{locationId}",
        "/shoppers/{shopperId}",
        "/drives/{driveId}",
        "/calendars/{calendarId}",
        "/v1/domains/{domain}",
        "/subscriptions/{subscriptionId}",
        "/files/trash",
    ];
    for (vendor, text) in tables() {
        for operation in changing(text) {
            let place = format!("{vendor}.{} {}", operation.name, operation.path);
            let own_list = operation.path.contains("calendarList");
            let ends = ends.iter().any(|end| operation.path.ends_with(end));
            assert!(operation.method_name() != "DELETE" || !ends || own_list, "{place}");
            let keys = ["tokens", "apikeys", "oauth", "delegates", "forwardingaddresses", "sendas", "admin."];
            assert!(!keys.iter().any(|word| operation.path.to_lowercase().contains(word)), "{place}");
            assert!(operation.fixed != "operation=delete" || operation.effect == Some(Effect::Destructive), "{place}");
        }
    }
}

#[test]
fn amazon_shows_nobody_who_bought() {
    for operation in callable(Amazon::OPERATIONS) {
        let path = operation.path.to_lowercase();
        let words = ["restricteddatatoken", "buyerinfo", "/address", "regulatedinfo", "shippinglabel"];
        assert!(!words.iter().any(|word| path.contains(word)), "{path}");
        let asks = operation.query().any(|(name, _)| name == "includedData");
        assert!(!asks || !path.contains("/orders/"), "{path}");
        assert!(operation.limit.split_once('/').is_some(), "{} has no usage plan", operation.name);
    }
}

#[test]
fn the_effect_is_that_of_the_operation_and_the_worst_where_nobody_knows() {
    let of = |name: &str| effect::<Cloudflare>(&json!({ "operation": name }));
    assert_eq!(of("list_zones"), Effect::Read);
    assert_eq!(of(" create_page_rule "), Effect::Write);
    assert_eq!(of("purge_cache"), Effect::Destructive);
    for unknown in ["", "delete_zone", "LIST_ZONES", "list_zones\n| read", "*"] {
        assert_eq!(of(unknown), Effect::Destructive, "{unknown:?}");
    }
    for broken in [json!({}), json!({"operation": 3}), json!([]), Value::Null] {
        assert_eq!(effect::<Cloudflare>(&broken), Effect::Destructive, "{broken}");
    }
}

fn refused<C: LongTail>(arguments: Value) -> (Kind, String) {
    let error = check::<C>(&arguments).expect_err(&arguments.to_string());
    (error.kind, error.message)
}

#[test]
fn what_is_refused_on_principle_is_refused_whatever_is_given() {
    let godaddy = ["replace_all_records", "add_records", "replace_records", "replace_nameservers", "cancel_domain"];
    for name in godaddy {
        let (kind, why) = refused::<GoDaddy>(json!({"operation": name, "path": {"domain": "example.com"}}));
        assert!(kind == Kind::Forbidden && why.contains(name), "{why}");
    }
    for name in ["delete_zone", "import_dns_records", "batch_dns_records", "update_dns_settings", "remove_member"] {
        assert_eq!(refused::<Cloudflare>(json!({"operation": name, "dry_run": true})).0, Kind::Forbidden);
    }
    assert_eq!(refused::<Amazon>(json!({"operation": "create_restricted_data_token"})).0, Kind::Forbidden);
    let servers =
        json!({"operation": "update_domain", "path": {"domain": "example.com"}, "body": {"nameServers": ["a.b"]}});
    assert!(refused::<GoDaddy>(servers).1.starts_with("body.nameServers: "));
    let plan = json!({"operation": "edit_zone", "body": {"vanity_name_servers": ["a.b"]}});
    assert!(refused::<Cloudflare>(plan).1.starts_with("body.vanity_name_servers: "));
}

#[test]
fn arguments_stay_in_their_place() {
    let at = |domain: &str| json!({"operation": "get_domain_v1", "path": {"domain": domain}});
    check::<GoDaddy>(&at("example.com")).unwrap();
    for way_out in ["example.com/records", "..", "", "a\\b", "available", "suggest"] {
        let (kind, why) = refused::<GoDaddy>(at(way_out));
        assert!(kind == Kind::InvalidInput && why.starts_with("path.domain: "), "{way_out:?}: {why}");
    }
    let (_, why) = refused::<GoDaddy>(json!({"operation": "get_domain_v1"}));
    assert!(why.starts_with("path.domain: "), "{why}");
    let (_, why) = refused::<GoDaddy>(json!({"operation": "list_tlds", "path": {"domain": "x"}}));
    assert_eq!(why, "path.domain: /v1/domains/tlds does not take it; it takes none");
    let (_, why) = refused::<GoDaddy>(json!({"operation": "list_tlds", "body": {"a": 1}}));
    assert_eq!(why, "body: list_tlds takes none");
    // What would turn a creation into a deletion.
    let (_, why) = refused::<QuickBooks>(
        json!({"operation": "create_bill", "query": {"operation": "delete"}, "body": {"VendorRef": {"value": "1"}}}),
    );
    assert!(why.starts_with("query.operation: "), "{why}");
    let (_, why) = refused::<QuickBooks>(json!({"operation": "create_bill", "body": {"id": "1", "Line": []}}));
    assert!(why.contains("updates"), "{why}");
    assert!(refused::<QuickBooks>(json!({"operation": "update_bill", "body": {"Id": "1"}})).1.contains("SyncToken"));
    let (_, why) = refused::<Slack>(
        json!({"operation": "chat.scheduleMessage", "body": {"channel": "C1", "post_at": 1, "text": "<!channel> hi"}}),
    );
    assert!(why.contains("calls everybody"), "{why}");
}

#[test]
fn an_unknown_operation_names_those_like_it() {
    let (kind, why) = refused::<GoHighLevel>(json!({"operation": "list_calendar"}));
    assert!(kind == Kind::InvalidInput && why.contains("list_calendars"), "{why}");
}
