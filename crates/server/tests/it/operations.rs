//! The vendors' other operations, called by an agent: reads at once, writes after a person said yes, and what is
//! refused never. Over real HTTP against the sample business.

use serde_json::{Value, json};
use server::actor::Actor;
use server::approvals::{self, Verdict};

use crate::approvals::settled;
use crate::support::{TestServer, on_both};

/// Reads of every vendor, and a part of the path to something in the answer.
fn reads() -> Vec<(&'static str, Value, &'static str)> {
    vec![
        ("gohighlevel", json!({"operation": "list_users"}), "/users/0/id"),
        ("gohighlevel", json!({"operation": "list_tags"}), "/tags/0/name"),
        (
            "quickbooks",
            json!({"operation": "query", "query": {"query": "SELECT * FROM Customer MAXRESULTS 2"}}),
            "/QueryResponse/Customer/1/Id",
        ),
        ("quickbooks", json!({"operation": "get_company_info"}), "/CompanyInfo/CompanyName"),
        ("google_workspace", json!({"operation": "gmail.getProfile"}), "/emailAddress"),
        ("google_workspace", json!({"operation": "calendar.calendarList.list"}), "/items/0/id"),
        ("amazon", json!({"operation": "get_marketplace_participations"}), "/payload/0/marketplace/id"),
        (
            "amazon",
            json!({"operation": "get_reports", "query": {"reportTypes": ["GET_MERCHANT_LISTINGS_ALL_DATA"]}}),
            "/reports/0/reportId",
        ),
        ("cloudflare", json!({"operation": "list_zones", "query": {"per_page": 5}}), "/result/0/id"),
        ("cloudflare", json!({"operation": "get_account"}), "/result/id"),
        ("godaddy", json!({"operation": "list_domains_v1", "query": {"limit": 2}}), "/0/domain"),
        ("godaddy", json!({"operation": "get_available", "query": {"domain": "example-shelves.com"}}), "/domain"),
        ("slack", json!({"operation": "conversations.list", "query": {"limit": 2}}), "/channels/0/id"),
        ("slack", json!({"operation": "auth.test"}), "/team"),
    ]
}

async fn call(server: &TestServer, ecosystem: &str, arguments: &Value) -> (u16, Value) {
    server.run(&format!("{ecosystem}.call_operation"), arguments.clone()).await
}

#[tokio::test]
async fn every_vendor_answers_reads_at_once() {
    let server = TestServer::sqlite().await;
    for (ecosystem, arguments, found) in reads() {
        let (status, body) = call(&server, ecosystem, &arguments).await;
        assert_eq!(status, 200, "{ecosystem} {arguments}: {body}");
        assert!(body["data"]["answer"].pointer(found).is_some(), "{ecosystem} {arguments}: {body}");
        let search = server.data(&format!("{ecosystem}.search_operations"), json!({"query": "list"})).await;
        assert!(search["operations"].as_array().is_some_and(|rows| !rows.is_empty()), "{search}");
    }
    // The code that moves a domain elsewhere stays where it is.
    let (_, domains) = call(&server, "godaddy", &json!({"operation": "list_domains_v1", "query": {"limit": 1}})).await;
    let domain = &domains["data"]["answer"][0]["domain"];
    let (_, shown) = call(&server, "godaddy", &json!({"operation": "get_domain_v1", "path": {"domain": domain}})).await;
    assert_eq!(shown["data"]["answer"]["authCode"], "[hidden]", "{shown}");
    server.stop().await;
}

/// A write of every vendor, and the kind under which its side counts it.
async fn writes(server: &TestServer) -> Vec<(&'static str, Value, &'static str)> {
    let first = |ecosystem, arguments: Value, place| async move {
        let (_, body) = call(server, ecosystem, &arguments).await;
        body["data"]["answer"].pointer(place).unwrap_or_else(|| panic!("{body}")).clone()
    };
    let event = first(
        "google_workspace",
        json!({"operation": "calendar.events.list", "path": {"calendarId": "primary"}, "query": {"maxResults": 1}}),
        "/items/0/id",
    )
    .await;
    let domain = first("godaddy", json!({"operation": "list_domains_v1"}), "/0/domain").await;
    let channels = json!({"operation": "users.conversations", "query": {"exclude_archived": true}});
    let channel = first("slack", channels, "/channels/0/id").await;
    vec![
        ("gohighlevel", json!({"operation": "create_tag", "body": {"name": "long-tail"}}), ""),
        ("quickbooks", json!({"operation": "create_customer", "body": {"DisplayName": "Long Tail Ltd"}}), ""),
        (
            "google_workspace",
            json!({"operation": "calendar.events.patch", "path": {"calendarId": "primary", "eventId": event}, "body": {"summary": "Long tail"}}),
            "",
        ),
        (
            "amazon",
            json!({"operation": "create_report", "body": {"reportType": "GET_MERCHANT_LISTINGS_ALL_DATA", "marketplaceIds": ["ATVPDKIKX0DER"]}}),
            "amazon.report",
        ),
        (
            "cloudflare",
            json!({"operation": "purge_cache", "body": {"purge_everything": true}}),
            "cloudflare.cache.purge",
        ),
        (
            "godaddy",
            json!({"operation": "update_domain", "path": {"domain": domain}, "body": {"renewAuto": false}}),
            "godaddy.domain.update",
        ),
        (
            "slack",
            json!({"operation": "conversations.setTopic", "body": {"channel": channel, "topic": "Long tail"}}),
            "slack.topic",
        ),
    ]
}

#[tokio::test]
async fn an_agents_writes_wait_for_a_person_and_happen_once() {
    on_both(
        |config| config.sandbox.contacts = 50,
        |server| async move {
            for (ecosystem, arguments, kind) in writes(&server).await {
                let place = format!("{ecosystem} {arguments}");
                let effects = || server.app().sandbox.business().effects();
                let before = effects().len();
                let (status, body) = call(&server, ecosystem, &arguments).await;
                assert_eq!((status, &body["status"]), (202, &json!("pending_approval")), "{place}: {body}");
                // What it would change may be asked without a person.
                let mut dry = arguments.clone();
                dry["dry_run"] = json!(true);
                let (status, planned) = call(&server, ecosystem, &dry).await;
                assert!(status == 200 && planned["data"]["plan"]["would"].is_string(), "{place}: {planned}");
                assert_eq!(effects().len(), before, "{place}: nothing happens before");

                let id = body["data"]["approval_id"].as_str().unwrap().parse().unwrap();
                let expected = if ecosystem == "cloudflare" { "destructive" } else { "write" };
                let asked = store::approvals::get(&server.app().store.tenant("default"), id).await.unwrap().unwrap();
                assert_eq!(asked.effect, expected, "{place}");
                approvals::decide(server.app(), &Actor::terminal(), id, Verdict::Approve, None).await.unwrap();
                let view = settled(&server, id).await;
                assert_eq!(view["state"], "executed", "{place}: {view}");
                let made: Vec<_> = effects().split_off(before);
                assert_eq!(made.len(), 1, "{place}: {made:?}");
                assert!(kind.is_empty() || made[0].kind == kind, "{place}: {made:?}");
            }
        },
    )
    .await;
}

#[tokio::test]
async fn what_cannot_be_done_never_reaches_a_person_or_the_vendor() {
    let server = TestServer::sqlite().await;
    let before = server.app().sandbox.business().effects().len();
    for (ecosystem, arguments, status) in [
        ("cloudflare", json!({"operation": "delete_zone"}), 403),
        ("cloudflare", json!({"operation": "import_dns_records"}), 403),
        ("godaddy", json!({"operation": "replace_all_records", "path": {"domain": "example.com"}}), 403),
        ("godaddy", json!({"operation": "replace_nameservers", "path": {"domain-name": "example.com"}}), 403),
        ("cloudflare", json!({"operation": "purge_cash"}), 422),
        (
            "cloudflare",
            json!({"operation": "edit_setting", "path": {"setting_id": "../dns_records"}, "body": {"value": 1}}),
            422,
        ),
        ("slack", json!({"operation": "conversations.setTopic", "query": {"channel": "C"}}), 422),
    ] {
        let (got, body) = call(&server, ecosystem, &arguments).await;
        assert_eq!(got, status, "{arguments}: {body}");
    }
    let waiting = server.data("system.list_approvals", json!({})).await;
    assert_eq!(waiting["approvals"].as_array().map(Vec::len), Some(0), "{waiting}");
    assert_eq!(server.app().sandbox.business().effects().len(), before);
    server.stop().await;
}

/// A read-only address shows the tool, lets it read, and refuses the rest; so does a rule that asks for everything.
#[tokio::test]
async fn a_read_only_address_reads_and_a_rule_may_ask_for_all() {
    let server = TestServer::sqlite_with(|config| config.policy.ask = vec!["godaddy.call_operation".into()]).await;
    let ask = |arguments: Value| {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call",
            "params": {"name": "cloudflare_call_operation", "arguments": arguments}});
        let url = server.url("/mcp?read_only=true&toolsets=cloudflare");
        let request = server.http.post(url).bearer_auth(crate::support::KEY).json(&body);
        async {
            request.header("mcp-protocol-version", "2025-11-25").send().await.unwrap().json::<Value>().await.unwrap()
        }
    };
    let read = ask(json!({"operation": "list_zones"})).await;
    assert_eq!(read["result"]["isError"], false, "{read}");
    for refused in
        [json!({"operation": "purge_cache", "body": {"purge_everything": true}}), json!({"operation": "no_such"})]
    {
        let refused = ask(refused).await;
        assert!(refused["error"]["message"].as_str().unwrap().contains("read-only"), "{refused}");
    }
    let (status, body) = call(&server, "godaddy", &json!({"operation": "list_domains_v1"})).await;
    assert_eq!(status, 202, "the rule asks for reads too: {body}");
    server.stop().await;
}

#[tokio::test]
async fn a_star_does_not_allow_what_stands_for_everything() {
    let server = TestServer::sqlite_with(|config| {
        config.policy.allow =
            ["slack.*", "gohighlevel.call_operation", "cloudflare.call_operation"].map(Into::into).into();
    })
    .await;
    let tag = json!({"operation": "create_tag", "body": {"name": "allowed"}});
    for (ecosystem, arguments, status) in [
        ("slack", json!({"operation": "conversations.setTopic", "body": {"channel": "C", "topic": "x"}}), 202),
        ("gohighlevel", tag, 200),
        // Not even a full name lets what is destructive through.
        ("cloudflare", json!({"operation": "purge_cache", "body": {"purge_everything": true}}), 202),
    ] {
        let (got, body) = call(&server, ecosystem, &arguments).await;
        assert_eq!(got, status, "{arguments}: {body}");
    }
    server.stop().await;
}
