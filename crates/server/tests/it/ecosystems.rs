//! All ecosystems of the sample business together: every one answers, is copied, and one customer is seen across them.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};
use store::Bound;
use store::vendor_rows::{self, CUSTOMERS, INVOICES, NewRow, ORDERS, Table};

use crate::support::{TestServer, on_both};

/// One read of each ecosystem that has any, and the list that it answers.
const READS: [(&str, &str); 6] = [
    ("quickbooks.list_invoices", "invoices"),
    ("google_workspace.list_assets", "documents"),
    ("amazon.list_orders", "orders"),
    ("cloudflare.list_zones", "zones"),
    ("godaddy.list_domains", "domains"),
    ("slack.list_channels", "channels"),
];

#[tokio::test]
async fn each_ecosystem_answers_before_anything_is_connected() {
    let server = TestServer::sqlite().await;
    for (tool, list) in READS {
        let (status, body) = server.run(tool, json!({})).await;
        assert_eq!(status, 200, "{tool}: {body}");
        assert_eq!(body["metadata"]["source"], "sample", "{tool}: {body}");
        assert!(body["data"][list].as_array().is_some_and(|rows| !rows.is_empty()), "{tool}: {body}");
    }
    server.stop().await;
}

/// Everything is copied at once, nothing is copied twice, and a contact's invoices and orders are found from it.
#[tokio::test]
async fn one_customer_is_seen_across_all_systems() {
    on_both(|config| config.sandbox.contacts = 200, |server: Arc<TestServer>| async move {
        mails_find_their_contacts(&server).await;
        let first = server.data("system.sync", json!({})).await;
        let syncs = first["syncs"].as_array().unwrap();
        let copied: BTreeSet<&str> = syncs.iter().filter_map(|sync| sync["ecosystem"].as_str()).collect();
        let expected = ["amazon", "cloudflare", "godaddy", "gohighlevel", "google_workspace", "quickbooks"];
        assert_eq!(copied, BTreeSet::from(expected), "{first}");
        for sync in syncs {
            assert_eq!((&sync["state"], &sync["errors"]), (&json!("done"), &json!(0)), "{sync}");
            for stream in sync["streams"].as_array().unwrap() {
                assert!(stream["fetched"].as_u64() > Some(0), "{}: {stream}", sync["ecosystem"]);
            }
        }
        let again = server.data("system.sync", json!({})).await;
        for sync in again["syncs"].as_array().unwrap() {
            for stream in sync["streams"].as_array().unwrap() {
                assert_eq!(stream["created"], 0, "{}: {stream}", sync["ecosystem"]);
                assert_eq!(stream["deleted"], 0, "{}: {stream}", sync["ecosystem"]);
            }
        }
        let view = invoiced(&server).await;
        let link = &view["customers"][0];
        assert!(link["score"].as_f64().unwrap() >= 0.7 && link["reason"].as_str().unwrap().starts_with("same"), "{view}");
        assert_eq!(view["invoices"]["origin"]["source"], "quickbooks", "{view}");
        let (count, words) = (view["invoices"]["count"].as_u64().unwrap(), &view["invoices"]["in_words"]);
        assert!(words.as_str().unwrap().starts_with(&format!("{count} invoice")), "{words}");

        // A person says that they are not the same, and takes it back.
        let contact = view["contact"]["id"].clone();
        let said = |same: Value| json!({"contact": contact, "ecosystem": "quickbooks", "customer_id": link["id"], "same": same});
        server.data("contacts.link", said(json!(false))).await;
        let without = server.data("contacts.view_360", json!({"contact": contact})).await;
        assert!(without["customers"].as_array().unwrap().iter().all(|one| one["id"] != link["id"]), "{without}");
        server.data("contacts.link", said(Value::Null)).await;
        let with = server.data("contacts.view_360", json!({"contact": contact})).await;
        assert_eq!(with["customers"][0]["id"], link["id"]);
    })
    .await;
}

/// Mails that were copied before the people who wrote them belong to these as soon as they are there.
async fn mails_find_their_contacts(server: &TestServer) {
    let mails = server.data("system.sync", json!({"ecosystem": "google_workspace", "streams": ["messages"]})).await;
    assert!(mails["syncs"][0]["streams"][0]["created"].as_u64() > Some(0), "{mails}");
    server.data("gohighlevel.sync_all_contacts", json!({})).await;
    let tenant = server.app().store.tenant("default");
    let mut written = 0;
    for contact in store::contacts::walk(&tenant, 0, 500).await.unwrap() {
        let rows = store::interactions::of_contact(&tenant, contact.id, 200).await.unwrap();
        written += rows.iter().filter(|row| row.ecosystem == "google_workspace").count();
    }
    assert!(written > 0, "no mail belongs to any of the contacts");
}

/// One customer in dollars and one in euros, and both are the same contact: their money is shown beside each other.
#[tokio::test]
async fn money_of_two_currencies_is_not_added() {
    on_both(
        |config| config.sandbox.contacts = 60,
        |server: Arc<TestServer>| async move {
            server.data("gohighlevel.sync_all_contacts", json!({})).await;
            let tenant = server.app().store.tenant("default");
            let people = store::contacts::walk(&tenant, 0, 500).await.unwrap();
            let (id, email) =
                people.iter().find_map(|one| Some((&one.vendor_id, one.email.as_ref()?.to_lowercase()))).unwrap();
            for (customer, currency, total, open) in [("c-1", "USD", 1000.0, 200.0), ("c-2", "EUR", 900.0, 0.0)] {
                let row = vec![text("Buyer"), Bound::from(None::<String>), text(&email), text("none"), text("none")];
                put(&tenant, CUSTOMERS, "quickbooks", customer, row).await;
                let (day, money) = (Bound::from(None::<chrono::NaiveDate>), [Bound::from(total), Bound::from(open)]);
                let row =
                    [vec![text(customer), text(customer), text("Buyer"), text(&email), day.clone(), day], money.into()];
                let row = row.concat().into_iter().chain([text(currency), text("open")]).collect();
                put(&tenant, INVOICES, "quickbooks", customer, row).await;
                let (at, items) = (Bound::from(None::<chrono::DateTime<chrono::Utc>>), Bound::from(1_i64));
                let row = vec![text("Buyer"), text(&email), at.clone(), text("shipped"), Bound::from(total)];
                let row = row.into_iter().chain([text(currency), items, text("shop"), at]).collect();
                put(&tenant, ORDERS, "amazon", customer, row).await;
            }

            let view = server.data("contacts.view_360", json!({"contact": id})).await;
            let invoices = &view["invoices"];
            assert_eq!(invoices["count"], 2, "{view}");
            assert_eq!(of(&invoices["sums"], "USD"), json!({"currency": "USD", "total": 1000.0, "balance": 200.0}));
            assert_eq!(of(&invoices["sums"], "EUR"), json!({"currency": "EUR", "total": 900.0, "balance": 0.0}));
            let words = invoices["in_words"].as_str().unwrap();
            assert!(
                words.contains("$1,000.00, $200.00 open") && words.contains("EUR 900.00, EUR 0.00 open"),
                "{words}"
            );
            assert_eq!(of(&invoices["last"], "EUR")["total"], 900.0, "each line says its currency");
            assert_eq!(of(&view["orders"]["sums"], "USD"), json!({"currency": "USD", "total": 1000.0}), "{view}");
            assert_eq!(of(&view["orders"]["sums"], "EUR"), json!({"currency": "EUR", "total": 900.0}), "{view}");
            assert_eq!(of(&view["orders"]["last"], "EUR")["total"], 900.0);
        },
    )
    .await;
}

fn text(text: &str) -> Bound {
    text.to_owned().into()
}

/// The one of these that is in a currency.
fn of(all: &Value, currency: &str) -> Value {
    all.as_array().unwrap().iter().find(|one| one["currency"] == currency).cloned().unwrap_or_default()
}

/// A row as a walk would write it; its values are those of the table's columns.
async fn put(tenant: &store::Tenant, table: Table, ecosystem: &str, id: &str, values: Vec<Bound>) {
    let row = NewRow { vendor_id: id.into(), data: json!({"id": id}), values };
    let now = server::clock::Clock::system().now();
    vendor_rows::upsert_batch(tenant, table, ecosystem, uuid::Uuid::now_v7(), &[row], now).await.unwrap();
}

/// The view of a contact who has invoices.
async fn invoiced(server: &TestServer) -> Value {
    let invoices = server.data("quickbooks.list_invoices", json!({"limit": 20})).await;
    for invoice in invoices["invoices"].as_array().unwrap() {
        let Some(name) = invoice["customer"].as_str().or(invoice["customer_name"].as_str()) else { continue };
        let (status, body) = server.run("contacts.view_360", json!({"contact": name})).await;
        if status == 200 && body["data"]["invoices"].is_object() {
            return body["data"].clone();
        }
    }
    panic!("none of the invoices belongs to a contact: {invoices}");
}
