//! Writes against the simulated vendor: nothing happens twice, nothing is overwritten unseen, a dry run changes nothing.

use std::collections::BTreeSet;
use std::time::Duration;

use sandbox::Fault;
use sdk::Kind;
use serde_json::{Value, json};

use crate::harness::{Account, a_customer, effects, lose_replies, sandbox};

fn draft(customer: &str, price: f64) -> Value {
    json!({"customer_id": customer, "lines": [{"description": "Vials", "item": "20 dram vial, case", "quantity": 3, "unit_price": price}]})
}

#[tokio::test]
async fn a_hundred_invoices_with_lost_replies_are_a_hundred_invoices() {
    let sandbox = sandbox().await;
    let account = Account::simulated(&sandbox);
    let customer = a_customer(&account).await;
    let mut ids = BTreeSet::new();
    for number in 0..100 {
        // The first reply of every invoice gets lost, of every fifth also the second.
        lose_replies(&sandbox, "/invoice", if number % 5 == 0 { 2 } else { 1 });
        let answer =
            account.run_as(&format!("run-7:step-{number}"), "create_draft_invoice", draft(&customer, 10.0)).await;
        let answer = answer.unwrap();
        assert_eq!(answer["invoice"]["total"], 30.0);
        assert_eq!(answer["invoice"]["sent"], false);
        ids.insert(answer["invoice"]["id"].as_str().unwrap().to_owned());
    }
    assert_eq!(ids.len(), 100);
    assert_eq!(effects(&sandbox, "qbo.invoice.created.v1"), 100);
    assert_eq!(effects(&sandbox, "qbo.invoice.emailed.v1"), 0);
}

#[tokio::test]
async fn an_invoice_whose_outcome_is_unknown_is_found_when_it_is_asked_for_again() {
    let sandbox = sandbox().await;
    let account = Account::simulated(&sandbox);
    let customer = a_customer(&account).await;
    lose_replies(&sandbox, "/invoice", 3);
    let error = account.run_as("approval-1", "create_draft_invoice", draft(&customer, 10.0)).await.unwrap_err();
    assert!(error.outcome_unknown && error.message.contains("list_invoices"), "{error}");
    assert_eq!(effects(&sandbox, "qbo.invoice.created.v1"), 1);
    let answer = account.run_as("approval-1", "create_draft_invoice", draft(&customer, 10.0)).await.unwrap();
    assert_eq!(answer["invoice"]["total"], 30.0);
    assert_eq!(effects(&sandbox, "qbo.invoice.created.v1"), 1);
    account.run_as("approval-2", "create_draft_invoice", draft(&customer, 10.0)).await.unwrap();
    assert_eq!(effects(&sandbox, "qbo.invoice.created.v1"), 2);
}

#[tokio::test]
async fn answers_that_break_in_the_middle_make_no_duplicate_either() {
    let sandbox = sandbox().await;
    let account = Account::simulated(&sandbox);
    let customer = a_customer(&account).await;
    let realm = sandbox.account("quickbooks").unwrap().config["realm_id"].as_str().unwrap().to_owned();
    let path = format!("/quickbooks/v3/company/{realm}/invoice");
    for (number, fault) in [Fault::Malformed, Fault::Html, Fault::Truncated, Fault::DropReply].into_iter().enumerate() {
        sandbox.faults().next_on(&path, 1, fault.clone());
        let answer = account.run_as(&format!("k{number}"), "create_draft_invoice", draft(&customer, 1.0)).await;
        assert!(answer.is_ok(), "{fault:?}: {answer:?}");
        assert_eq!(effects(&sandbox, "qbo.invoice.created.v1"), number + 1, "{fault:?}");
    }
}

#[tokio::test]
async fn customers_are_created_once_and_names_are_their_own() {
    let sandbox = sandbox().await;
    let account = Account::simulated(&sandbox);
    let arguments = json!({"name": "Zebra Glass", "email": "zoe@zebra.example", "first_name": "Zoë"});
    let plan = account.run("create_customer", dry(&arguments)).await.unwrap();
    assert_eq!(plan["plan"]["changes"][0]["after"]["DisplayName"], "Zebra Glass");
    lose_replies(&sandbox, "/customer", 2);
    let answer = account.run_as("a", "create_customer", arguments.clone()).await.unwrap();
    assert_eq!(effects(&sandbox, "qbo.customer.created.v1"), 1);
    let error = account.run_as("b", "create_customer", arguments.clone()).await.unwrap_err();
    assert_eq!(error.kind, Kind::Conflict);
    assert!(!error.outcome_unknown && error.message.contains("list_customers"), "{error}");
    let error = account.fails("create_customer", dry(&arguments)).await;
    assert!(error.message.contains(answer["customer"]["id"].as_str().unwrap()), "{error}");
    let namesake = json!({"name": "Zebra Two", "email": "zoe@zebra.example"});
    let plan = account.run("create_customer", dry(&namesake)).await.unwrap();
    assert!(plan["plan"]["notes"][0].as_str().unwrap().contains("Zebra Glass"), "{plan}");
    assert_eq!(account.fails("create_customer", json!({"name": "A:B"})).await.kind, Kind::InvalidInput);
    assert_eq!(effects(&sandbox, "qbo.customer.created.v1"), 1);
}

#[tokio::test]
async fn an_invoice_is_mailed_once_although_the_reply_is_lost() {
    let sandbox = sandbox().await;
    let account = Account::simulated(&sandbox);
    let customer = a_customer(&account).await;
    let made = account.run("create_draft_invoice", draft(&customer, 10.0)).await.unwrap();
    let id = made["invoice"]["id"].as_str().unwrap();
    let plan = account.run("send_invoice", dry(&json!({"invoice_id": id}))).await.unwrap();
    assert!(plan["plan"]["would"].as_str().unwrap().starts_with("E-mail invoice"), "{plan}");
    assert_eq!(effects(&sandbox, "qbo.invoice.emailed.v1"), 0);

    lose_replies(&sandbox, &format!("/invoice/{id}/send"), 1);
    let sent = account.run_as("s1", "send_invoice", json!({"invoice_id": id})).await.unwrap();
    assert_eq!((&sent["already_sent"], &sent["invoice"]["sent"]), (&json!(false), &json!(true)));
    assert!(sent["sent_to"].as_str().unwrap().contains('@'));
    assert_eq!(effects(&sandbox, "qbo.invoice.emailed.v1"), 1);

    let again = account.run_as("s2", "send_invoice", json!({"invoice_id": id})).await.unwrap();
    assert_eq!(again["already_sent"], true);
    assert_eq!(effects(&sandbox, "qbo.invoice.emailed.v1"), 1);

    sandbox.skip(Duration::from_secs(60));
    lose_replies(&sandbox, &format!("/invoice/{id}/send"), 1);
    let arguments = json!({"invoice_id": id, "again": true, "email": "boss@example.com"});
    let more = account.run_as("s3", "send_invoice", arguments).await.unwrap();
    assert_eq!(more["sent_to"], "boss@example.com");
    assert_eq!(effects(&sandbox, "qbo.invoice.emailed.v1"), 2);
}

#[tokio::test]
async fn a_send_that_never_arrived_stays_unknown_and_is_not_repeated() {
    let sandbox = sandbox().await;
    let account = Account::simulated(&sandbox);
    let customer = a_customer(&account).await;
    let made = account.run("create_draft_invoice", draft(&customer, 10.0)).await.unwrap();
    let id = made["invoice"]["id"].as_str().unwrap();
    let realm = sandbox.account("quickbooks").unwrap().config["realm_id"].as_str().unwrap().to_owned();
    sandbox.faults().next_on(&format!("/quickbooks/v3/company/{realm}/invoice/{id}/send"), 1, Fault::Drop);
    let error = account.fails("send_invoice", json!({"invoice_id": id})).await;
    assert!(error.outcome_unknown && error.message.contains("sent_at"), "{error}");
    assert_eq!(effects(&sandbox, "qbo.invoice.emailed.v1"), 0);
}

#[tokio::test]
async fn an_invoice_that_changed_since_is_neither_sent_nor_voided() {
    let sandbox = sandbox().await;
    let account = Account::simulated(&sandbox);
    let customer = a_customer(&account).await;
    let made = account.run("create_draft_invoice", draft(&customer, 10.0)).await.unwrap();
    let id = made["invoice"]["id"].as_str().unwrap();
    let seen = account.run("get_invoice", json!({"invoice_id": id})).await.unwrap();
    account.run("send_invoice", json!({"invoice_id": id})).await.unwrap();
    let stale = json!({"invoice_id": id, "sync_token": seen["sync_token"]});
    for arguments in [stale.clone(), dry(&stale)] {
        let error = account.fails("void_invoice", arguments).await;
        assert_eq!(error.kind, Kind::Conflict);
        assert!(error.message.contains("changed since") && !error.outcome_unknown, "{error}");
    }
    assert_eq!(account.fails("send_invoice", stale).await.kind, Kind::Conflict);
    assert_eq!(effects(&sandbox, "qbo.invoice.voided.v1"), 0);
}

#[tokio::test]
async fn an_invoice_is_voided_once() {
    let sandbox = sandbox().await;
    let account = Account::simulated(&sandbox);
    let customer = a_customer(&account).await;
    let before = account.run("list_customers", json!({"limit": 50})).await.unwrap();
    let made = account.run("create_draft_invoice", draft(&customer, 10.0)).await.unwrap();
    let id = made["invoice"]["id"].as_str().unwrap();
    let plan = account.run("void_invoice", dry(&json!({"invoice_id": id}))).await.unwrap();
    let total = json!({"what": "total", "before": 30.0, "after": 0.0});
    assert!(plan["plan"]["changes"].as_array().unwrap().contains(&total), "{plan}");
    lose_replies(&sandbox, "/invoice", 0);
    let realm = sandbox.account("quickbooks").unwrap().config["realm_id"].as_str().unwrap().to_owned();
    // The first request below /invoice is the one that reads; the fault is for the write.
    sandbox.faults().clear();
    let path = format!("/quickbooks/v3/company/{realm}/invoice");
    sandbox.faults().next_on(&path, 1, Fault::Stall(Duration::from_millis(1)));
    sandbox.faults().next_on(&path, 2, Fault::DropReply);
    let voided = account.run_as("v1", "void_invoice", json!({"invoice_id": id})).await.unwrap();
    assert_eq!((&voided["invoice"]["status"], &voided["already_voided"]), (&json!("voided"), &json!(false)));
    assert_eq!(effects(&sandbox, "qbo.invoice.voided.v1"), 1);
    let again = account.run_as("v2", "void_invoice", json!({"invoice_id": id})).await.unwrap();
    assert_eq!(again["already_voided"], true);
    assert_eq!(effects(&sandbox, "qbo.invoice.voided.v1"), 1);
    assert_eq!(account.run("list_customers", json!({"limit": 50})).await.unwrap(), before, "nothing is owed any more");
    assert_eq!(account.fails("send_invoice", json!({"invoice_id": id})).await.kind, Kind::Conflict);
}

#[tokio::test]
async fn a_dry_run_tells_the_difference_and_changes_nothing() {
    let sandbox = sandbox().await;
    let account = Account::simulated(&sandbox);
    let customer = a_customer(&account).await;
    let plan = account.run("create_draft_invoice", dry(&draft(&customer, 10.0))).await.unwrap();
    let plan = &plan["plan"];
    assert!(plan["would"].as_str().unwrap().contains("invoice of 30.00 USD"), "{plan}");
    assert_eq!(plan["changes"][0]["what"], "invoice");
    assert_eq!(plan["changes"][0]["after"]["Line"][0]["Amount"], 30.0);
    assert_eq!(plan["changes"].as_array().unwrap().len(), 1, "what else changes it would undo the approval: {plan}");
    let owes = plan["notes"][0].as_str().unwrap();
    let amounts: Vec<f64> = owes.split(' ').filter_map(|word| word.parse().ok()).collect();
    assert!(amounts.len() == 2 && (amounts[1] - amounts[0] - 30.0).abs() < 0.001, "{owes}");
    let writes = sandbox.business().effects().iter().filter(|effect| effect.kind.starts_with("qbo.")).count();
    assert_eq!(writes, 0);
}

#[tokio::test]
async fn what_cannot_be_billed_is_said_before_anything_is_sent() {
    let sandbox = sandbox().await;
    let account = Account::simulated(&sandbox);
    let customer = a_customer(&account).await;
    let line = |line: Value| json!({"customer_id": customer, "lines": [line]});
    let cases = [
        (line(json!({"unit_price": 5})), Kind::InvalidInput, "description or an item"),
        (line(json!({"description": "x", "unit_price": -5})), Kind::InvalidInput, "less than nothing"),
        (line(json!({"item": "20 dram bottle", "unit_price": 5})), Kind::NotFound, "20 dram vial, case"),
        (line(json!({"item": "999", "unit_price": 5})), Kind::InvalidInput, "Invalid Reference Id"),
        (
            json!({"customer_id": "999999", "lines": [{"description": "x", "unit_price": 5}]}),
            Kind::NotFound,
            "Object Not Found",
        ),
        (
            json!({"customer_id": customer, "issued": "2026-11-23", "due": "2026-11-22", "lines": [{"item": "1", "unit_price": 5}]}),
            Kind::InvalidInput,
            "due",
        ),
    ];
    for (arguments, kind, words) in cases {
        let error = account.fails("create_draft_invoice", arguments.clone()).await;
        assert_eq!(error.kind, kind, "{arguments}: {error}");
        assert!(error.message.contains(words), "{arguments}: {error}");
        assert!(!error.outcome_unknown);
    }
    assert_eq!(effects(&sandbox, "qbo.invoice.created.v1"), 0);
}

fn dry(arguments: &Value) -> Value {
    let mut arguments = arguments.clone();
    arguments["dry_run"] = json!(true);
    arguments
}
