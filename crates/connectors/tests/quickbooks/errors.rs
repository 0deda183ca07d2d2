//! What callers are told when QuickBooks says no, says nothing, or says nonsense.

use sdk::Kind;
use serde_json::{Value, json};

use crate::harness::{Account, TOKEN, vendor};
use crate::requests::{all, invoice_row};
use crate::support::{Reply, Vendor};

async fn refusal(status: u16, body: Value) -> sdk::Error {
    let vendor = Vendor::start(move |_, _| Reply::Json(status, body.clone())).await;
    Account::of(&vendor).fails("get_invoice", json!({"invoice_id": "1"})).await
}

fn fault(code: &str, detail: &str, kind: &str) -> Value {
    json!({"Fault": {"Error": [{"Message": "Short", "Detail": detail, "code": code}], "type": kind}, "time": "x"})
}

#[tokio::test]
async fn every_refusal_has_its_kind_the_vendors_words_and_the_cure() {
    let gateway = |code: &str, message: &str, kind: &str| {
        json!({"warnings": null, "fault": {"error": [{"message": message, "detail": null, "code": code, "element": null}],
            "type": kind}, "queryResponse": null, "time": 1_421_784_469_432_u64})
    };
    let throttled = gateway("003001", "message=ThrottleExceeded; errorCode=003001; statusCode=429", "SERVICE");
    let cases = [
        (
            401,
            gateway("3200", "message=AuthenticationFailed", "AUTHENTICATION"),
            Kind::Unauthenticated,
            "Connect QuickBooks again",
        ),
        (
            403,
            gateway("3100", "message=ApplicationAuthorizationFailed", "AUTHORIZATION"),
            Kind::Forbidden,
            "sandbox-quickbooks",
        ),
        (403, fault("120", "Authorization Failure", "AuthorizationFault"), Kind::Forbidden, "as an administrator"),
        (403, json!({}), Kind::Forbidden, "403 without a reason"),
        (404, json!({}), Kind::NotFound, "404"),
        (429, throttled, Kind::RateLimited, "Builder tier"),
        (400, fault("610", "Object Not Found", "ValidationFault"), Kind::NotFound, "Object Not Found"),
        (400, fault("5010", "Stale Object Error", "ValidationFault"), Kind::Conflict, "changed it meanwhile"),
        (400, fault("6140", "DocNumber=1 is taken", "ValidationFault"), Kind::Conflict, "numbers by itself"),
        (400, fault("6190", "Subscription period has ended", "ValidationFault"), Kind::Forbidden, "lapsed"),
        (400, fault("6210", "Account Period Closed", "ValidationFault"), Kind::Forbidden, "books are closed"),
        (400, fault("2020", "CustomerRef is missing", "ValidationFault"), Kind::InvalidInput, "CustomerRef is missing"),
        (400, fault("99999", "Something new", "NewFault"), Kind::InvalidInput, "Something new"),
        (500, fault("10000", "System Failure", "SystemFault"), Kind::Unavailable, "System Failure"),
        (503, json!({}), Kind::Unavailable, "503"),
        // The status says that all is well.
        (200, fault("500", "Unsupported operation", "Validation"), Kind::InvalidInput, "Unsupported operation"),
        (200, fault("610", "Object Not Found", "ValidationFault"), Kind::NotFound, "Object Not Found"),
        (200, fault("3200", "Token expired", "AuthenticationFault"), Kind::Unauthenticated, "Token expired"),
        (200, json!({}), Kind::Upstream, "without the invoice"),
        (200, json!([]), Kind::Upstream, "documented JSON"),
    ];
    for (status, body, kind, words) in cases {
        let error = refusal(status, body.clone()).await;
        assert_eq!(error.kind, kind, "{status} {body}: {error}");
        assert!(error.message.contains(words), "{status} {body}: {error}");
        assert!(!error.outcome_unknown);
    }
}

#[tokio::test]
async fn a_fault_within_a_query_is_one() {
    let body = json!({"QueryResponse": {"startPosition": 1, "totalCount": 1, "Customer": [{"Id": "1"}],
        "Fault": {"Error": [{"Message": "Unsupported operation requested", "code": "500"}], "type": "Validation"}}});
    let vendor = vendor(vec![("GET /query", body)]).await;
    let error = Account::of(&vendor).fails("list_customers", json!({})).await;
    assert_eq!(error.kind, Kind::InvalidInput);
    assert!(error.message.contains("Unsupported operation requested"), "{error}");
}

#[tokio::test]
async fn an_empty_answer_is_an_empty_list() {
    let account = |vendor: &Vendor| Account::of(vendor);
    for body in [json!({"QueryResponse": {}, "time": "2026-11-23T12:00:00.000-08:00"}), json!({"QueryResponse": null})]
    {
        let vendor = vendor(vec![("GET /query", body)]).await;
        for (tool, list) in
            [("list_invoices", "invoices"), ("list_customers", "customers"), ("list_payments", "payments")]
        {
            let answer = account(&vendor).run(tool, json!({})).await.unwrap();
            assert_eq!(answer[list], json!([]), "{tool}");
            assert!(answer.get("next_cursor").is_none(), "{tool}");
        }
        let ledger = account(&vendor).run("ledger_summary", json!({})).await.unwrap();
        assert_eq!(ledger["open"], json!({"count": 0, "total": 0.0}));
        let error = account(&vendor).fails("list_invoices", json!({"customer": "Nobody"})).await;
        assert_eq!(error.kind, Kind::NotFound, "{error}");
    }
}

#[tokio::test]
async fn rows_with_nulls_and_news_are_read_as_far_as_they_go() {
    let rows = json!([
        {"Id": 7, "TotalAmt": "12.50", "Balance": null, "CustomerRef": null, "Line": null, "DueDate": "soon", "EmailStatus": "Teleported"},
        {"Id": "8", "CurrencyRef": {"value": null}, "MetaData": null, "CustomerRef": {"value": 5}, "Balance": 3}
    ]);
    let vendor = vendor(vec![("GET /query", json!({"QueryResponse": {"Invoice": rows}}))]).await;
    let answer = Account::of(&vendor).run("list_invoices", json!({})).await.unwrap();
    let found = &answer["invoices"];
    assert_eq!((&found[0]["id"], &found[0]["total"], &found[0]["sent"]), (&json!("7"), &json!(12.5), &json!(false)));
    assert_eq!((&found[1]["customer_id"], &found[1]["status"]), (&json!("5"), &json!("open")));
}

#[tokio::test]
async fn a_page_instead_of_json_is_named() {
    let page = "<html>Bad gateway</html>";
    let vendor = Vendor::start(move |_, _| Reply::Text(502, page.into())).await;
    let error = Account::of(&vendor).fails("get_invoice", json!({"invoice_id": "1"})).await;
    assert_eq!(error.kind, Kind::Unavailable);
    assert!(error.message.contains("502 without JSON") && !error.message.contains("html>"), "{error}");
    assert_eq!(vendor.sent().len(), 3, "a read is tried again");

    let xml = "<?xml version=\"1.0\"?><IntuitResponse><Fault type=\"AUTHENTICATION\"/></IntuitResponse>";
    let vendor = Vendor::start(move |_, _| Reply::Text(401, xml.into())).await;
    let error = Account::of(&vendor).fails("get_invoice", json!({"invoice_id": "1"})).await;
    assert_eq!(error.kind, Kind::Unauthenticated);
    assert!(error.message.contains("Connect QuickBooks again"), "{error}");

    let fine = Vendor::start(|_, _| Reply::Text(200, "<html>Welcome</html>".into())).await;
    assert_eq!(Account::of(&fine).fails("get_invoice", json!({"invoice_id": "1"})).await.kind, Kind::Upstream);
}

#[tokio::test]
async fn a_write_that_answers_with_a_page_is_asked_for_again_and_then_called_unknown() {
    let create = || all().into_iter().find(|case| case.tool == "create_customer").unwrap();
    let page = Vendor::start(|_, _| Reply::Text(200, "<html>Welcome</html>".into())).await;
    let error = Account::of(&page).fails("create_customer", create().arguments).await;
    assert!(error.outcome_unknown && error.message.contains("unknown whether"), "{error}");
    let sent = page.sent();
    assert_eq!(sent.len(), 2);
    assert_eq!(sent[0].query["requestid"], sent[1].query["requestid"]);

    let answers = create().answers[0].1.clone();
    let once = Vendor::start(move |_, before| match before {
        0 => Reply::Text(200, "{\"Customer\": {".into()),
        _ => Reply::from(answers.clone()),
    })
    .await;
    assert_eq!(Account::of(&once).run("create_customer", create().arguments).await.unwrap()["customer"]["id"], "58");
}

#[tokio::test]
async fn a_refused_write_is_not_called_unknown() {
    for status in [200, 400] {
        let body = fault("6240", "The name supplied already exists.", "ValidationFault");
        let vendor = Vendor::start(move |_, _| Reply::Json(status, body.clone())).await;
        let error = Account::of(&vendor).fails("create_customer", json!({"name": "Acme"})).await;
        assert_eq!(error.kind, Kind::Conflict, "{error}");
        assert!(!error.outcome_unknown && !error.message.contains("unknown"), "{error}");
        assert_eq!(vendor.sent().len(), 1);
    }
}

#[tokio::test]
async fn the_trace_is_for_the_log_and_the_token_for_nobody() {
    let body = fault("2010", &format!("bad token {TOKEN}"), "ValidationFault");
    let vendor = Vendor::start(move |_, _| Reply::With(400, body.clone(), vec![("intuit_tid", "1-tid".into())])).await;
    let error = Account::of(&vendor).fails("get_invoice", json!({"invoice_id": "1"})).await;
    assert!(!error.message.contains("1-tid"), "{error}");
    assert!(std::error::Error::source(&error).unwrap().to_string().contains("1-tid"));
    assert!(!format!("{error} {error:?}").contains(TOKEN), "{error:?}");
}

#[tokio::test]
async fn what_is_not_configured_is_named() {
    let vendor = vendor(vec![("GET /invoice/1", json!({"Invoice": invoice_row()}))]).await;
    let account = Account::of(&vendor).with("realm_id", json!(" "));
    let error = account.fails("get_invoice", json!({"invoice_id": "1"})).await;
    assert!(error.message.contains("QBO_REALM_ID"), "{error}");
    let account = Account::of(&vendor).with("base_url", json!("quickbooks"));
    assert!(account.fails("get_invoice", json!({"invoice_id": "1"})).await.message.contains("base_url"));
    for id in ["../1", "", "a/b"] {
        if !id.is_empty() {
            assert_eq!(
                Account::of(&vendor).fails("get_invoice", json!({"invoice_id": id})).await.kind,
                Kind::InvalidInput
            );
        }
    }
    assert!(vendor.sent().is_empty());
}
