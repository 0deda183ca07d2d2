//! The tools that read, against the simulated business: they agree with each other and stay small.

use std::collections::BTreeSet;
use std::sync::Arc;

use sandbox::{Fault, Options};
use sdk::connector::Opening;
use sdk::http::{Call, Connection, Settings};
use sdk::{Connector, Credentials, Http, Kind};
use serde_json::{Value, json};

use crate::harness::{Account, connector, options, sandbox};

#[tokio::test]
async fn the_check_names_the_company() {
    let sandbox = sandbox().await;
    let account = connector().check(Account::simulated(&sandbox).opening("check")).await.unwrap();
    assert_eq!(account.name, "MedTainer");
    assert_eq!(account.id, sandbox.account("quickbooks").unwrap().config["realm_id"]);
}

#[tokio::test]
async fn lists_page_to_their_end_without_a_row_twice() {
    let sandbox = sandbox().await;
    let account = Account::simulated(&sandbox);
    for (tool, list) in [("list_invoices", "invoices"), ("list_customers", "customers"), ("list_payments", "payments")]
    {
        let (mut seen, mut rows, mut cursor) = (BTreeSet::new(), 0, None::<String>);
        loop {
            let mut arguments = json!({"limit": 50});
            if let Some(cursor) = &cursor {
                arguments["cursor"] = json!(cursor);
            }
            let page = account.run(tool, arguments).await.unwrap();
            for row in page[list].as_array().unwrap() {
                seen.insert(row["id"].as_str().unwrap().to_owned());
                rows += 1;
            }
            cursor = page["next_cursor"].as_str().map(str::to_owned);
            if cursor.is_none() || rows > 10_000 {
                break;
            }
        }
        let (records, _) = account.walk(list, None).await.unwrap();
        assert_eq!((rows, seen.len()), (records.len(), records.len()), "{tool}");
    }
}

#[tokio::test]
async fn the_summary_the_lists_and_the_aging_agree() {
    let sandbox = sandbox().await;
    let account = Account::simulated(&sandbox);
    let ledger = account.run("ledger_summary", json!({"days": 90})).await.unwrap();
    let aging = account.run("aged_receivables", json!({})).await.unwrap();
    assert!(ledger["open"]["count"].as_u64().unwrap() > 10, "{ledger:#}");
    assert_eq!(ledger["open"]["total"], aging["total"]);
    let late: f64 =
        ["1 - 30", "31 - 60", "61 - 90", "91 and over"].iter().filter_map(|age| aging["ages"][age].as_f64()).sum();
    assert!((ledger["overdue"]["total"].as_f64().unwrap() - late).abs() < 0.01);
    assert_eq!(ledger["top_debtors"][0]["customer_id"], aging["customers"][0]["customer_id"]);
    let mut overdue = 0;
    let mut arguments = json!({"status": "overdue", "limit": 50});
    for _ in 0..50 {
        let page = account.run("list_invoices", arguments.clone()).await.unwrap();
        overdue += page["invoices"].as_array().unwrap().len();
        assert!(page["invoices"].as_array().unwrap().iter().all(|invoice| invoice["status"] == "overdue"));
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        arguments["cursor"] = json!(cursor);
    }
    assert_eq!(json!(overdue), ledger["overdue"]["count"]);
}

#[tokio::test]
async fn a_customers_invoices_are_found_by_name_mail_and_id() {
    let sandbox = sandbox().await;
    let account = Account::simulated(&sandbox);
    let listed = account.run("list_invoices", json!({"limit": 50})).await.unwrap();
    let customers = account.run("list_customers", json!({"limit": 50})).await.unwrap();
    let billed: Vec<&str> =
        listed["invoices"].as_array().unwrap().iter().filter_map(|row| row["customer_id"].as_str()).collect();
    let found = customers["customers"].as_array().unwrap().iter();
    let mut known =
        found.filter(|customer| customer["email"].is_string() && billed.contains(&customer["id"].as_str().unwrap()));
    let customer = known.next_back().expect("one of the customers was billed lately");
    let by_id = account.run("list_invoices", json!({"customer": customer["id"]})).await.unwrap();
    assert!(!by_id["invoices"].as_array().unwrap().is_empty());
    assert_eq!(by_id, account.run("list_invoices", json!({"customer": customer["email"]})).await.unwrap());
    let by_name = account.run("list_invoices", json!({"customer": customer["name"]})).await.unwrap();
    assert!(by_name["sum"]["count"].as_u64() >= by_id["sum"]["count"].as_u64());
    let number = by_id["invoices"][0]["number"].as_str().unwrap();
    let invoice = account.run("get_invoice", json!({"number": number})).await.unwrap();
    assert_eq!(invoice["invoice"], by_id["invoices"][0]);
}

#[tokio::test]
async fn customers_are_the_contacts_who_buy() {
    let sandbox = sandbox().await;
    let account = Account::simulated(&sandbox);
    let business = sandbox.business();
    let contact = (0..1206)
        .filter_map(|number| business.contact(number))
        .find(|contact| contact["type"] == "customer" && contact["email"].is_string());
    let contact = contact.unwrap();
    let found = account.run("list_customers", json!({"search": contact["email"]})).await.unwrap();
    assert_eq!(found["customers"][0]["email"], contact["email"]);
    assert_eq!(found["customers"][0]["phone"], contact["phone"]);
}

#[tokio::test]
async fn reports_add_up() {
    let sandbox = sandbox().await;
    let account = Account::simulated(&sandbox);
    let profit = account.run("profit_and_loss", json!({"period": "last_quarter"})).await.unwrap();
    let sum = |key: &str| profit[key].as_f64().unwrap();
    assert_eq!((profit["from"].as_str(), profit["to"].as_str()), (Some("2026-07-01"), Some("2026-09-30")));
    assert!(sum("income") > 0.0);
    assert!(
        (sum("income") - sum("cost_of_goods_sold") - sum("expenses") - sum("net_income")).abs() < 0.02,
        "{profit:#}"
    );
    let own = account.run("profit_and_loss", json!({"from": "2026-07-01", "to": "2026-09-30"})).await.unwrap();
    assert_eq!(own, profit);
    let sheet = account.run("balance_sheet", json!({})).await.unwrap();
    let sum = |key: &str| sheet[key].as_f64().unwrap();
    assert!((sum("assets") - sum("liabilities") - sum("equity")).abs() < 0.02, "{sheet:#}");
    let error = account.fails("profit_and_loss", json!({"from": "2026-09-30", "to": "2026-07-01"})).await;
    assert_eq!(error.kind, Kind::InvalidInput);
}

/// At about four characters a token.
#[tokio::test]
async fn default_answers_are_small() {
    let sandbox = sandbox().await;
    let account = Account::simulated(&sandbox);
    let listed = account.run("list_invoices", json!({})).await.unwrap();
    let first = json!({"invoice_id": listed["invoices"][0]["id"]});
    for tool in connector().tools.iter().filter(|tool| !tool.spec.effect.is_outward()) {
        let arguments = if tool.spec.name == "get_invoice" { first.clone() } else { json!({}) };
        let answer = account.run(tool.spec.name, arguments).await.unwrap();
        let tokens = answer.to_string().len() / 4;
        println!("{:20} {tokens}", tool.spec.name);
        assert!(tokens <= 2_000, "{} answers {tokens} tokens", tool.spec.name);
    }
}

#[tokio::test]
async fn a_dead_token_and_a_foreign_company_are_told_apart() {
    let sandbox = sandbox().await;
    let account = Account::simulated(&sandbox);
    let foreign = Account::simulated(&sandbox).with("realm_id", json!("123"));
    let error = foreign.fails("list_customers", json!({})).await;
    assert_eq!(error.kind, Kind::Forbidden);
    assert!(error.message.contains("not authorized for this company"), "{error}");
    sandbox.faults().next(1, Fault::ExpiredToken);
    for _ in 0..2 {
        assert_eq!(account.fails("list_customers", json!({})).await.kind, Kind::Unauthenticated);
    }
    // The sandbox hands out a good one again.
    Account::simulated(&sandbox).run("list_customers", json!({})).await.unwrap();
}

#[tokio::test]
async fn too_many_requests_are_waited_for_and_then_named() {
    let sandbox = sandbox().await;
    let account = Account::simulated(&sandbox);
    sandbox.faults().next(1, Fault::Status(429));
    account.run("list_customers", json!({})).await.unwrap();
    sandbox.faults().next(3, Fault::Status(429));
    let error = account.fails("list_customers", json!({})).await;
    assert_eq!(error.kind, Kind::RateLimited);
    assert!(error.message.contains("ThrottleExceeded") && error.message.contains("Builder tier"), "{error}");
}

/// Our own pace keeps the vendor's limits, so that none of twenty agents at once is refused.
#[tokio::test]
async fn the_pace_keeps_the_limits() {
    let limited = Options { enforce_limits: true, ..options() };
    let sandbox = sandbox::start(limited, "127.0.0.1:0".parse().unwrap()).await.unwrap();
    let simulated = Account::simulated(&sandbox).opening("x");
    let account = sandbox.account("quickbooks").unwrap();
    #[expect(clippy::disallowed_methods, reason = "a test is its own process and owns its client")]
    let client = reqwest::Client::new();
    // The books are made at the first request, which would hold up those behind it.
    Account::simulated(&sandbox).run("list_customers", json!({"limit": 1})).await.unwrap();
    let refused = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let seen = refused.clone();
    let observer = Arc::new(move |attempt: sdk::http::Attempt| {
        let many = attempt.status.is_some_and(|status| status.as_u16() == 429);
        seen.fetch_add(usize::from(many), std::sync::atomic::Ordering::Relaxed);
    });
    let limits = connectors::quickbooks::QuickBooks::limits();
    let connection = Arc::new(Connection::new("quickbooks", client, limits, Settings::default(), observer));
    let calls = (0..40).map(|number| {
        let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(50);
        let call = Call { execution: None, key: number.to_string(), deadline };
        let opening = Opening {
            config: simulated.config.clone(),
            credentials: Credentials::new().with("access_token", account.credentials["access_token"].as_str()),
            http: Http::new(connection.clone(), call),
        };
        let tool = connector().tools.into_iter().find(|tool| tool.spec.name == "list_customers").unwrap();
        async move { tool.run(opening, json!({"limit": 1})).await }
    });
    for answer in futures::future::join_all(calls).await {
        answer.unwrap();
    }
    assert_eq!(refused.load(std::sync::atomic::Ordering::Relaxed), 0);
}

#[test]
fn the_way_to_connect_is_complete() {
    let Some(sdk::Auth::OAuth2(oauth)) = connector().auth.into_iter().next() else { panic!("no OAuth") };
    assert_eq!(oauth.from_callback, &[("realmId", "realm_id")]);
    let properties: &Value = &connector().config_schema["properties"];
    assert!(properties["realm_id"].is_object() && properties["base_url"].is_object());
}
