//! Copying: everything, what changed, what is gone.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use sdk::stream::Fields;
use sdk::{Kind, Page};
use serde_json::{Value, json};

use crate::harness::{Account, a_customer, sandbox, stream};
use crate::support::{Reply, Vendor, walk_from};

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn a_full_walk_sees_every_row_once_and_belongs_together() {
    let sandbox = sandbox().await;
    let account = Account::simulated(&sandbox).with("page_size", json!(100));
    let (customers, batches) = account.walk("customers", None).await.unwrap();
    assert!(customers.len() > 400, "{}", customers.len());
    assert!(batches.iter().all(|batch| batch.total == Some(customers.len() as u64)));
    let names: BTreeMap<&str, &str> = customers
        .iter()
        .map(|customer| match &customer.fields {
            Fields::Contact(contact) => {
                assert_eq!(contact.kind.as_deref(), Some("customer"));
                (customer.id.as_str(), contact.name.as_str())
            }
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(names.len(), customers.len());

    let (invoices, _) = account.walk("invoices", None).await.unwrap();
    let mut states = BTreeMap::new();
    for record in &invoices {
        let Fields::Invoice(invoice) = &record.fields else { panic!("{record:?}") };
        assert_eq!(names[invoice.customer.as_deref().unwrap()], invoice.customer_name.as_deref().unwrap());
        assert!(record.updated_at.is_some() && invoice.due >= invoice.issued && invoice.balance <= invoice.total);
        *states.entry(invoice.status.clone()).or_insert(0) += 1;
    }
    assert_eq!(states.keys().map(String::as_str).collect::<Vec<_>>(), ["open", "overdue", "paid", "voided"]);

    let ids: BTreeSet<&str> = invoices.iter().map(|invoice| invoice.id.as_str()).collect();
    let (payments, _) = account.walk("payments", None).await.unwrap();
    assert!(payments.len() > 100);
    for record in &payments {
        let Fields::Payment(payment) = &record.fields else { panic!("{record:?}") };
        assert!(payment.invoices.iter().all(|invoice| ids.contains(invoice.as_str())) && payment.amount > 0.0);
    }
}

#[tokio::test]
async fn an_incremental_walk_is_one_request_and_brings_changes_and_deletions() {
    let sandbox = sandbox().await;
    let account = Account::simulated(&sandbox);
    let customer = a_customer(&account).await;
    let draft = json!({"customer_id": customer, "lines": [{"item": "1", "unit_price": 12.5}]});
    let made = account.run_as("old", "create_draft_invoice", draft.clone()).await.unwrap();
    sandbox.skip(HOUR * 2);
    // The access token has ended meanwhile.
    let account = Account::simulated(&sandbox);
    let since = "2026-11-23T21:00:00Z";
    let before = sandbox.business().requests();
    for name in ["customers", "invoices", "payments"] {
        assert_eq!(account.walk(name, Some(since)).await.unwrap().0.len(), 0, "{name}");
    }
    assert_eq!(sandbox.business().requests() - before, 3, "one metered read each");

    let fresh = account.run_as("new", "create_draft_invoice", draft).await.unwrap();
    let (changed, _) = account.walk("invoices", Some(since)).await.unwrap();
    assert_eq!(changed.len(), 1);
    assert_eq!(changed[0].id, fresh["invoice"]["id"].as_str().unwrap());

    // A person deletes the old invoice and retires the customer in QuickBooks.
    let id = made["invoice"]["id"].as_str().unwrap();
    post(&sandbox, "/invoice?operation=delete", json!({"Id": id, "SyncToken": "0"})).await;
    post(&sandbox, "/customer", json!({"Id": customer, "SyncToken": "0", "sparse": true, "Active": false})).await;
    let (changed, _) = account.walk("invoices", Some(since)).await.unwrap();
    let gone: Vec<&str> =
        changed.iter().filter(|record| record.fields == Fields::Deleted).map(|record| record.id.as_str()).collect();
    assert_eq!((changed.len(), gone), (2, vec![id]));
    let (changed, _) = account.walk("customers", Some(since)).await.unwrap();
    assert_eq!((changed.len(), &changed[0].fields), (1, &Fields::Deleted));
    let (all, _) = account.walk("customers", None).await.unwrap();
    assert!(all.iter().all(|record| record.id != customer), "who is inactive is not there in a full walk either");
}

#[tokio::test]
async fn a_month_ago_is_walked_by_queries() {
    let sandbox = sandbox().await;
    let account = Account::simulated(&sandbox).with("page_size", json!(20));
    let (changed, batches) = account.walk("invoices", Some("2026-09-01T00:00:00Z")).await.unwrap();
    assert!(batches.len() > 1 && changed.len() > 20, "{}", changed.len());
    let ids: BTreeSet<_> = changed.iter().map(|record| record.id.clone()).collect();
    assert_eq!(ids.len(), changed.len());
    let first: chrono::DateTime<chrono::Utc> = "2026-09-01T00:00:00Z".parse().unwrap();
    assert!(changed.iter().all(|record| record.updated_at.unwrap() >= first));
}

#[tokio::test]
async fn a_thousand_changes_are_not_taken_for_all() {
    let vendor = Vendor::start(|sent, _| {
        if sent.path.ends_with("/cdc") {
            let mut rows: Vec<Value> = (0..999).map(|id| json!({"Id": id.to_string(), "TotalAmt": 1})).collect();
            rows.push(json!({"Id": "5000", "status": "Deleted", "domain": "QBO"}));
            let response = json!({"CDCResponse": [{"QueryResponse": [{"Invoice": rows}]}], "time": "2026-11-23T12:00:00.000-08:00"});
            return response.into();
        }
        match sent.query["query"].as_str() {
            counts if counts.contains("count(*)") => json!({"QueryResponse": {"totalCount": 2}}).into(),
            first if first.contains("STARTPOSITION 1 ") => json!({"QueryResponse": {"Invoice": [{"Id": "1"}, {"Id": "2"}]}}).into(),
            _ => Reply::from(json!({"QueryResponse": {}})),
        }
    })
    .await;
    let (records, _) = Account::of(&vendor).walk("invoices", Some("2026-11-22T00:00:00Z")).await.unwrap();
    let ids: Vec<&str> = records.iter().map(|record| record.id.as_str()).collect();
    assert_eq!(ids, ["1", "2", "5000"]);
    let statement = &vendor.sent()[2].query["query"];
    assert_eq!(
        statement,
        "SELECT * FROM Invoice WHERE MetaData.LastUpdatedTime >= '2026-11-22T00:00:00Z' ORDERBY MetaData.LastUpdatedTime \
         STARTPOSITION 1 MAXRESULTS 1000"
    );
}

#[tokio::test]
async fn a_walk_that_was_interrupted_goes_on_where_it_was() {
    let sandbox = sandbox().await;
    let account = Account::simulated(&sandbox).with("page_size", json!(100));
    let stream = stream("customers");
    let opened = stream.open(account.opening("walk")).unwrap();
    let first = stream.fetch(&opened, Page::default()).await.unwrap();
    let opened = stream.open(account.opening("later")).unwrap();
    let (rest, _) = walk_from(&stream, &opened, Page { cursor: first.next.clone(), ..Page::default() }).await.unwrap();
    assert_eq!(Some((first.records.len() + rest.len()) as u64), first.total);
    let odd = stream.fetch(&opened, Page { cursor: Some(json!("page two")), ..Page::default() }).await.unwrap_err();
    assert_eq!(odd.kind, Kind::InvalidInput);
}

#[tokio::test]
async fn a_token_revoked_in_the_middle_ends_the_walk_with_its_reason() {
    let sandbox = sandbox().await;
    let account = Account::simulated(&sandbox).with("page_size", json!(100));
    let stream = stream("invoices");
    let opened = stream.open(account.opening("walk")).unwrap();
    let first = stream.fetch(&opened, Page::default()).await.unwrap();
    sandbox.faults().next(1, sandbox::Fault::ExpiredToken);
    let page = Page { cursor: first.next, ..Page::default() };
    let error = stream.fetch(&opened, page).await.unwrap_err();
    assert_eq!(error.kind, Kind::Unauthenticated);
    assert!(error.message.contains("Connect QuickBooks again"), "{error}");
}

async fn post(sandbox: &sandbox::Sandbox, path: &str, body: Value) {
    let account = sandbox.account("quickbooks").unwrap();
    let url = format!(
        "{}/v3/company/{}{path}",
        account.config["base_url"].as_str().unwrap(),
        account.config["realm_id"].as_str().unwrap()
    );
    #[expect(clippy::disallowed_methods, reason = "a test is its own process and owns its client")]
    let request = reqwest::Client::new().post(url).bearer_auth(&account.credentials["access_token"]).json(&body);
    let response = request.send().await.unwrap();
    assert!(response.status().is_success(), "{}", response.text().await.unwrap());
}
