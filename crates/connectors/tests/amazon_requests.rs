//! What each of Amazon's tools sends, what it makes of the answer, and what it says when Amazon says no.
#![expect(clippy::unwrap_used, reason = "a test ends where it fails, also in its helpers")]

mod amazon;
mod support;

use std::collections::BTreeMap;

use amazon::{connector, fails, opening, order_row, run, stock_row};
use sdk::Kind;
use serde_json::{Value, json};
use support::{Reply, Vendor};

const SEARCH: &str = "/orders/2026-01-01/orders";

fn query(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

async fn answering(body: Value) -> Vendor {
    Vendor::start(move |_, _| body.clone().into()).await
}

#[tokio::test]
async fn orders_are_listed_with_their_filters_and_paged_with_the_same() {
    let page = |token: &str| json!({"orders": [order_row()], "pagination": {"nextToken": token}});
    let vendor = Vendor::start(move |sent, _| match sent.query.get("paginationToken") {
        None => page("T1").into(),
        Some(_) => json!({"orders": [], "createdBefore": "2026-11-21T19:58:00Z"}).into(),
    })
    .await;
    let arguments = json!({"statuses": ["unshipped", "partially_shipped"], "fulfilled_by": "merchant", "limit": 1});
    let answer = run(opening(&vendor), "list_orders", arguments).await.unwrap();
    assert_eq!(
        answer["orders"],
        json!([{"id": "113-1234567-7654321", "placed_at": "2026-11-20T10:00:00Z", "status": "unshipped",
            "fulfilled_by": "merchant", "total": 45.1, "currency": "USD", "units": 3, "buyer": "Ada Byron",
            "company": "Acme", "ship_by": "2026-11-21T10:00:00Z"}])
    );
    assert_eq!(answer.get("note"), None);
    let next = run(opening(&vendor), "list_orders", json!({"cursor": answer["next_cursor"]})).await.unwrap();
    assert_eq!((next["orders"].clone(), next.get("next_cursor")), (json!([]), None));
    let sent = vendor.sent();
    let mut expected = query(&[
        ("createdAfter", "2026-10-22T20:00:00Z"),
        ("marketplaceIds", "ATVPDKIKX0DER"),
        ("fulfillmentStatuses", "UNSHIPPED,PARTIALLY_SHIPPED"),
        ("fulfilledBy", "MERCHANT"),
        ("maxResultsPerPage", "1"),
        ("includedData", "BUYER,PROCEEDS,FULFILLMENT"),
    ]);
    assert_eq!((sent[0].line(), &sent[0].query), (format!("GET {SEARCH}"), &expected));
    assert_eq!(sent[0].header("x-amz-access-token"), Some(amazon::TOKEN));
    assert_eq!(sent[0].header("authorization"), None);
    expected.insert("paginationToken".into(), "T1".into());
    assert_eq!(sent[1].query, expected);
}

#[tokio::test]
async fn the_end_is_left_to_amazon_when_it_is_nearer_than_two_minutes() {
    let vendor = answering(json!({"orders": []})).await;
    for (to, sent) in [("2026-11-21T19:59:00Z", None), ("2026-11-20T00:00:00Z", Some("2026-11-20T00:00:00Z"))] {
        run(opening(&vendor), "list_orders", json!({"to": to})).await.unwrap();
        assert_eq!(vendor.sent().last().unwrap().query.get("createdBefore").map(String::as_str), sent);
    }
    for wrong in [
        json!({"from": "2026-11-20T00:00:00Z", "to": "2026-11-19T00:00:00Z"}),
        json!({"from": "2027-01-01T00:00:00Z"}),
        json!({"cursor": "made-up"}),
    ] {
        assert_eq!(fails(&vendor, "list_orders", wrong).await.kind, Kind::InvalidInput);
    }
    assert_eq!(vendor.sent().len(), 2, "what cannot succeed is not sent: searches are few");
}

#[tokio::test]
async fn an_order_is_shown_with_items_address_and_parcels() {
    let vendor = answering(json!({"order": order_row()})).await;
    let answer = run(opening(&vendor), "get_order", json!({"order_id": "113-1234567-7654321"})).await.unwrap();
    let order = &answer["order"];
    assert_eq!(order["ship_to"], "Ada Byron, 1 Main St, Oakland, CA, 94601, US");
    assert_eq!(order["buyer_email"], "abc@marketplace.amazon.com");
    assert_eq!(order["marketplace"], "US");
    let jar = json!({"sku": "JAR-B", "asin": "B0AAAAAAAA", "title": "Jar, black", "ordered": 2, "shipped": 0,
        "unit_price": 20.05, "total": 40.1});
    assert_eq!(order["items"], json!([jar, {"sku": "LID", "ordered": 1}]));
    let parcel =
        json!({"status": "in_transit", "carrier": "UPS", "tracking": "1Z1", "shipped_at": "2026-11-20T12:00:00Z"});
    assert_eq!(order["packages"], json!([parcel]));
    let sent = &vendor.sent()[0];
    assert_eq!(sent.line(), format!("GET {SEARCH}/113-1234567-7654321"));
    let data = "BUYER,RECIPIENT,PROCEEDS,CANCELLATION,FULFILLMENT,PACKAGES";
    assert_eq!(sent.query, query(&[("includedData", data)]));
}

#[tokio::test]
async fn what_an_application_may_not_see_is_left_out_and_said() {
    let vendor = Vendor::start(|sent, _| {
        if sent.query["includedData"].contains("BUYER") {
            let denied =
                json!({"code": "Unauthorized", "message": "Access to requested resource is denied.", "details": ""});
            return Reply::Json(403, json!({"errors": [denied]}));
        }
        let mut row = order_row();
        row.as_object_mut().unwrap().retain(|key, _| key != "buyer" && key != "recipient");
        json!({"orders": [row.clone()], "order": row}).into()
    })
    .await;
    for (tool, arguments) in [("list_orders", json!({})), ("get_order", json!({"order_id": "113-1234567-7654321"}))] {
        let answer = run(opening(&vendor), tool, arguments).await.unwrap();
        let note = answer["note"].as_str().unwrap();
        assert!(note.contains("masked") && note.contains("role"), "{note}");
    }
    let mut config = amazon::config(&vendor);
    config["buyer_data"] = json!(false);
    let before = vendor.sent().len();
    let answer = run(amazon::open(config, amazon::TOKEN, amazon::now), "list_orders", json!({})).await.unwrap();
    assert!(answer["note"].as_str().unwrap().contains("buyer_data is off"));
    assert_eq!(vendor.sent().len() - before, 1, "buyers are not asked for");
}

#[tokio::test]
async fn a_masked_buyer_is_said() {
    let mut row = order_row();
    row["buyer"] = Value::Null;
    row["recipient"] = Value::Null;
    let vendor = answering(json!({"orders": [row, order_row()]})).await;
    let answer = run(opening(&vendor), "list_orders", json!({})).await.unwrap();
    assert!(answer["note"].as_str().unwrap().starts_with("1 of 2 without buyer"), "{answer}");
}

#[tokio::test]
async fn the_digest_adds_up_what_it_read_and_says_when_that_is_not_all() {
    let variant = |n: u32, status: &str, ship_by: &str, fulfilled_by: &str| {
        let mut row = order_row();
        row["orderId"] = json!(format!("113-0000000-{n:07}"));
        row["fulfillment"]["fulfillmentStatus"] = json!(status);
        row["fulfillment"]["fulfilledBy"] = json!(fulfilled_by);
        row["fulfillment"]["shipByWindow"]["latestDateTime"] = json!(ship_by);
        row
    };
    let rows = vec![
        variant(1, "UNSHIPPED", "2026-11-21T10:00:00Z", "MERCHANT"),
        variant(2, "UNSHIPPED", "2026-11-22T10:00:00Z", "MERCHANT"),
        variant(3, "UNSHIPPED", "2026-11-24T10:00:00Z", "MERCHANT"),
        variant(4, "UNSHIPPED", "2026-11-21T10:00:00Z", "AMAZON"),
        variant(5, "CANCELLED", "2026-11-21T10:00:00Z", "MERCHANT"),
        variant(6, "SOMETHING_NEW", "2026-11-21T10:00:00Z", "MERCHANT"),
    ];
    let all = rows.clone();
    let vendor = Vendor::start(move |_, _| json!({"orders": all}).into()).await;
    let answer = run(opening(&vendor), "order_digest", json!({"days": 7})).await.unwrap();
    assert_eq!((&answer["orders"], &answer["complete"]), (&json!(6), &json!(true)));
    assert_eq!(answer["sales"], json!([{"currency": "USD", "total": 225.5, "orders": 5}]));
    assert_eq!(answer["by_status"], json!({"cancelled": 1, "something_new": 1, "unshipped": 4}));
    assert_eq!(answer["to_ship"]["orders"], 3);
    assert_eq!((&answer["to_ship"]["late"], &answer["to_ship"]["due_in_24_hours"]), (&json!(1), &json!(1)));
    assert_eq!(answer["top_products"][0], json!({"sku": "JAR-B", "title": "Jar, black", "units": 10}));
    let sent = &vendor.sent()[0];
    assert_eq!(sent.query["createdAfter"], "2026-11-14T20:00:00Z");
    assert_eq!(sent.query["includedData"], "PROCEEDS,FULFILLMENT", "a digest needs no persons");

    let endless =
        Vendor::start(move |_, n| json!({"orders": rows, "pagination": {"nextToken": format!("T{n}")}}).into()).await;
    let answer = run(opening(&endless), "order_digest", json!({})).await.unwrap();
    assert_eq!((&answer["orders"], &answer["complete"]), (&json!(24), &json!(false)));
    assert!(answer["note"].as_str().unwrap().contains("24 orders were read"), "{answer}");
    assert_eq!(endless.sent().len(), 4);
}

#[tokio::test]
async fn the_stock_is_read_to_its_end_and_shown_from_the_scarcest() {
    let row = |n: i64| {
        let mut row = stock_row();
        row["sellerSku"] = json!(format!("SKU-{n}"));
        row["inventoryDetails"]["fulfillableQuantity"] = json!(n);
        row
    };
    let page = move |rows: Vec<Value>| json!({"granularity": {}, "inventorySummaries": rows});
    let vendor = Vendor::start(move |sent, _| match sent.query.get("nextToken").map(String::as_str) {
        None => json!({"payload": page(vec![row(9), row(4)]), "pagination": {"nextToken": "T1"}}).into(),
        Some(_) => json!({"payload": page(vec![row(0)])}).into(),
    })
    .await;
    let answer = run(opening(&vendor), "inventory_snapshot", json!({"limit": 2})).await.unwrap();
    let skus: Vec<&str> =
        answer["items"].as_array().unwrap().iter().map(|item| item["sku"].as_str().unwrap()).collect();
    assert_eq!(skus, ["SKU-0", "SKU-4"]);
    assert_eq!(
        answer["totals"],
        json!({"skus": 3, "out_of_stock": 1, "available": 13, "reserved": 9, "inbound": 153, "unsellable": 3})
    );
    assert_eq!(answer["note"], "the 2 scarcest of 3 SKUs");
    let mut expected = query(&[
        ("details", "true"),
        ("granularityType", "Marketplace"),
        ("granularityId", "ATVPDKIKX0DER"),
        ("marketplaceIds", "ATVPDKIKX0DER"),
    ]);
    assert_eq!(vendor.sent()[0].query, expected);
    expected.insert("nextToken".into(), "T1".into());
    assert_eq!(vendor.sent()[1].query, expected);

    let arguments = json!({"skus": ["A,B & Ä"], "available_below": 5});
    let answer = run(opening(&vendor), "inventory_snapshot", arguments).await.unwrap();
    assert_eq!(answer["totals"]["skus"], 2);
    assert_eq!(vendor.sent().last().unwrap().query["sellerSku"], "A,B & Ä");
}

#[tokio::test]
async fn sales_are_amazons_sums_with_the_total() {
    let interval = |from: &str, orders: u32, amount: &str| {
        json!({"interval": format!("{from}--x"), "unitCount": orders * 2, "orderItemCount": orders, "orderCount": orders,
            "averageUnitPrice": {"amount": "1", "currencyCode": "USD"},
            "totalSales": {"amount": amount, "currencyCode": "USD"}})
    };
    let rows = json!([interval("2026-11-01T00:00Z", 2, "10.10"), interval("2026-11-08T00:00Z", 3, "20.20")]);
    let vendor = answering(json!({"payload": rows})).await;
    let arguments = json!({"from": "2026-11-01", "to": "2026-11-14", "sku": "JAR-B", "fulfilled_by": "amazon",
        "buyers": "business"});
    let answer = run(opening(&vendor), "sales_metrics", arguments).await.unwrap();
    assert_eq!(answer["total"], json!({"orders": 5, "units": 10, "sales": 30.3, "currency": "USD"}));
    assert_eq!(answer["intervals"][1], json!({"from": "2026-11-08T00:00Z", "orders": 3, "units": 6, "sales": 20.2}));
    let expected = query(&[
        ("marketplaceIds", "ATVPDKIKX0DER"),
        ("interval", "2026-11-01T00:00:00Z--2026-11-15T00:00:00Z"),
        ("granularity", "Week"),
        ("granularityTimeZone", "UTC"),
        ("buyerType", "B2B"),
        ("fulfillmentNetwork", "AFN"),
        ("sku", "JAR-B"),
    ]);
    assert_eq!(
        (vendor.sent()[0].line(), vendor.sent()[0].query.clone()),
        ("GET /sales/v1/orderMetrics".into(), expected)
    );
    for wrong in [
        json!({"from": "2026-12-01"}),
        json!({"from": "2024-11-01"}),
        json!({"from": "2026-09-01", "granularity": "hour"}),
        json!({"marketplace_id": "A1PA6795UKMFR9"}),
    ] {
        assert_eq!(fails(&vendor, "sales_metrics", wrong).await.kind, Kind::InvalidInput);
    }
    assert_eq!(vendor.sent().len(), 1);
}

#[tokio::test]
async fn reports_are_listed_and_a_token_travels_alone() {
    let report = json!({"reportId": "7", "reportType": "GET_X", "processingStatus": "DONE",
        "createdTime": "2026-11-20T10:00:00Z", "reportDocumentId": "D7"});
    let vendor = answering(json!({"reports": [report], "nextToken": "T1"})).await;
    let arguments = json!({"types": ["GET_X", "GET_Y"], "statuses": ["done", "in_progress"], "limit": 1});
    let answer = run(opening(&vendor), "list_reports", arguments).await.unwrap();
    let expected = json!([{"id": "7", "type": "GET_X", "status": "done", "created_at": "2026-11-20T10:00:00Z",
        "document_id": "D7"}]);
    assert_eq!(answer["reports"], expected);
    let first = query(&[
        ("reportTypes", "GET_X,GET_Y"),
        ("processingStatuses", "DONE,IN_PROGRESS"),
        ("marketplaceIds", "ATVPDKIKX0DER"),
        ("pageSize", "1"),
    ]);
    assert_eq!(vendor.sent()[0].query, first);
    let again = run(opening(&vendor), "list_reports", json!({"cursor": answer["next_cursor"]})).await.unwrap();
    assert_eq!(vendor.sent()[1].query, query(&[("nextToken", "T1")]));
    assert_eq!(again.get("next_cursor"), None, "the same token again would be a circle");
    run(opening(&vendor), "list_reports", json!({})).await.unwrap();
    assert_eq!(vendor.sent()[2].query["reportTypes"].split(',').count(), 10, "Amazon wants types");
}

#[tokio::test]
async fn the_check_names_the_store_and_refuses_a_marketplace_where_nothing_is_sold() {
    let shop = json!({"marketplace": {"id": "ATVPDKIKX0DER"}, "participation": {}, "storeName": "Acme Supply"});
    let vendor = answering(json!({"payload": [shop]})).await;
    let account = connector().check(opening(&vendor)).await.unwrap();
    assert_eq!((account.id.as_str(), account.name.as_str()), ("A1SELLER", "Acme Supply"));
    let mut config = amazon::config(&vendor);
    config["marketplace_ids"] = json!(["A1AM78C64UM0Y8"]);
    let error = connector().check(amazon::open(config, amazon::TOKEN, amazon::now)).await.unwrap_err();
    assert!(error.message.contains("ATVPDKIKX0DER") && error.message.contains("marketplace_ids"), "{error}");
    let german = json!({"marketplace_ids": ["A1PA6795UKMFR9"]});
    let error = connector().check(amazon::open(german, amazon::TOKEN, amazon::now)).await.unwrap_err();
    assert!(error.message.contains("set base_url to https://sellingpartnerapi-eu.amazon.com"), "{error}");
}

#[tokio::test]
async fn every_refusal_has_its_kind_amazons_words_and_the_cure() {
    let said = |code: &str, message: &str, details: &str| json!({"errors": [{"code": code, "message": message, "details": details}]});
    let denied = "Access to requested resource is denied.";
    let cases = [
        (
            403,
            said("Unauthorized", denied, "The access token you provided has expired."),
            Kind::Unauthenticated,
            "refresh token",
        ),
        (
            403,
            said("Unauthorized", denied, "Access token is missing in the request header."),
            Kind::Unauthenticated,
            "refresh token",
        ),
        (401, said("Unauthorized", denied, ""), Kind::Unauthenticated, "Develop Apps"),
        (403, said("Unauthorized", denied, ""), Kind::Forbidden, "role"),
        (404, said("NotFound", "The requested order was not found", ""), Kind::NotFound, "order was not found"),
        (
            400,
            said("InvalidInput", "Invalid Input", "Invalid Input"),
            Kind::InvalidInput,
            "InvalidInput: Invalid Input",
        ),
        (400, said("InvalidInput", "Marketplace ID X is invalid", ""), Kind::InvalidInput, "marketplace_ids"),
        (400, json!({}), Kind::InvalidInput, "400"),
        (400, json!({"errors": [{"code": "X", "message": null}]}), Kind::InvalidInput, "X"),
        (
            400,
            json!({"error": "invalid_request", "error_description": "no such thing"}),
            Kind::InvalidInput,
            "no such thing",
        ),
        (413, said("RequestTooLarge", "Too large", ""), Kind::InvalidInput, "Too large"),
    ];
    for (status, body, kind, words) in cases {
        let (code, kept) = (status, body.clone());
        let vendor = Vendor::start(move |_, _| Reply::Json(code, kept.clone())).await;
        let error = fails(&vendor, "inventory_snapshot", json!({})).await;
        assert_eq!(error.kind, kind, "{status} {body}: {error}");
        assert!(error.message.contains(words), "{status} {body}: {error}");
        assert!(!error.outcome_unknown);
    }
}

#[tokio::test]
async fn a_full_bucket_says_when_it_works_again() {
    let refused =
        || json!({"errors": [{"code": "QuotaExceeded", "message": "You exceeded your quota.", "details": ""}]});
    let vendor = Vendor::start(move |_, _| Reply::Json(429, refused())).await;
    let error = fails(&vendor, "order_digest", json!({})).await;
    assert_eq!(error.kind, Kind::RateLimited);
    assert_eq!(error.retry_after.unwrap().as_secs(), 196, "the documented pace, where the header is absent");
    assert_eq!(vendor.sent().len(), 1, "three minutes are longer than anybody waits");

    let vendor =
        Vendor::start(move |_, _| Reply::With(429, refused(), vec![("x-amzn-ratelimit-limit", "0.01".into())])).await;
    let error = fails(&vendor, "sales_metrics", json!({})).await;
    assert_eq!(error.retry_after.unwrap().as_secs(), 110, "the header counts");
}

#[tokio::test]
async fn pages_instead_of_json_errors_in_a_success_and_empty_answers_are_named() {
    let page = Vendor::start(|_, _| Reply::Text(503, "<html>Maintenance</html>".into())).await;
    let error = fails(&page, "list_orders", json!({})).await;
    assert_eq!(error.kind, Kind::Unavailable);
    assert!(error.message.contains("503 without JSON") && !error.message.contains("html>"), "{error}");
    assert_eq!(page.sent().len(), 3, "a read is tried again");

    let welcome = Vendor::start(|_, _| Reply::Text(200, "<html>Welcome</html>".into())).await;
    assert_eq!(fails(&welcome, "get_order", json!({"order_id": "1"})).await.kind, Kind::Upstream);

    let hidden = json!({"errors": [{"code": "InternalFailure", "message": "No luck"}], "payload": null});
    let hidden = answering(hidden).await;
    for tool in ["inventory_snapshot", "sales_metrics"] {
        let error = fails(&hidden, tool, json!({})).await;
        assert!(error.kind == Kind::Upstream && error.message.contains("No luck"), "{error}");
    }

    let empty = answering(json!({})).await;
    for tool in ["order_digest", "list_orders", "inventory_snapshot", "sales_metrics", "list_reports"] {
        run(opening(&empty), tool, json!({})).await.unwrap();
    }
    let nulls = answering(json!({"orders": [{"orderId": "1", "buyer": null, "orderItems": null, "fulfillment": null,
        "proceeds": {"grandTotal": null}, "createdTime": null, "odd": {"new": 1}}], "pagination": null}))
    .await;
    let answer = run(opening(&nulls), "list_orders", json!({})).await.unwrap();
    assert_eq!(answer["orders"][0], json!({"id": "1", "status": "unknown", "units": 0}));
}

#[tokio::test]
async fn no_message_repeats_the_token_and_the_request_id_is_for_the_log() {
    let vendor = Vendor::start(|_, _| {
        let body = json!({"errors": [{"code": "InvalidInput", "message": format!("bad {}", amazon::TOKEN)}]});
        Reply::With(400, body, vec![("x-amzn-requestid", "R-1".into())])
    })
    .await;
    let error = fails(&vendor, "list_reports", json!({})).await;
    assert!(!format!("{error} {error:?}").contains(amazon::TOKEN), "{error:?}");
    assert!(!error.message.contains("R-1"));
    assert!(std::error::Error::source(&error).unwrap().to_string().contains("R-1"));
}

#[tokio::test]
async fn default_answers_are_small() {
    let long = "A".repeat(300);
    let many: Vec<Value> = (0..100)
        .map(|n| {
            let mut row = order_row();
            row["orderId"] = json!(format!("113-0000000-{n:07}"));
            row["buyer"]["buyerCompanyName"] = json!("Green Harbor Wellness Center");
            row["orderItems"][0]["product"]["title"] = json!(long);
            row["orderItems"][0]["product"]["sellerSku"] = json!(format!("SKU-{n}"));
            row
        })
        .collect();
    let stock: Vec<Value> = (0..100)
        .map(|n| {
            let mut row = stock_row();
            row["sellerSku"] = json!(format!("SKU-{n}"));
            row["productName"] = json!(long);
            row
        })
        .collect();
    let report = json!({"reportId": "7123456789", "reportType": "GET_V2_SETTLEMENT_REPORT_DATA_FLAT_FILE_V2",
        "processingStatus": "DONE", "createdTime": "2026-11-20T10:00:00Z", "dataStartTime": "2026-11-20T10:00:00Z",
        "dataEndTime": "2026-11-20T10:00:00Z", "reportDocumentId": "amzn1.spdoc.1.4.na.7123456789.1234"});
    let vendor = Vendor::start(move |sent, _| {
        let limit = |name: &str| sent.query.get(name).map_or(100, |limit| limit.parse().unwrap());
        match sent.path.as_str() {
            SEARCH => json!({"orders": many[..limit("maxResultsPerPage")]}).into(),
            "/reports/2021-06-30/reports" => json!({"reports": vec![report.clone(); limit("pageSize")]}).into(),
            _ => json!({"payload": {"inventorySummaries": stock}}).into(),
        }
    })
    .await;
    for tool in ["order_digest", "list_orders", "inventory_snapshot", "list_reports"] {
        let answer = run(opening(&vendor), tool, json!({})).await.unwrap().to_string();
        assert!(answer.len() < 6_500, "{tool} answers with {} characters", answer.len());
    }
}

#[test]
fn the_catalogue_entries_are_small() {
    for tool in connector().tools {
        let entry = format!("{}{}", tool.spec.description, json!(*tool.spec.input));
        assert!(entry.len() < 1_150, "{} takes {} characters", tool.spec.name, entry.len());
        let reads = tool.spec.effect == sdk::Effect::Read && !tool.spec.dry_run;
        assert!(reads || tool.spec.name == "call_operation");
    }
}
