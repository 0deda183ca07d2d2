//! One call of every tool: what is sent, and what becomes of the answer.

use serde_json::{Value, json};

use crate::harness::{Account, TOKEN, connector, line, vendor};
use crate::support::is_long_tail;

pub struct Case {
    pub tool: &'static str,
    pub arguments: Value,
    pub answers: Vec<(&'static str, Value)>,
    /// Method and path, query without the minor version, body.
    pub requests: Vec<(&'static str, Value, Value)>,
    pub answer: Value,
}

pub fn invoice_row() -> Value {
    json!({
        "Id": "20246", "SyncToken": "3", "domain": "QBO", "sparse": false, "DocNumber": "4020",
        "MetaData": {"CreateTime": "2026-08-10T11:33:46-07:00", "LastUpdatedTime": "2026-08-10T16:30:47-07:00"},
        "TxnDate": "2026-08-10", "DueDate": "2026-09-09", "CurrencyRef": {"value": "USD", "name": "United States Dollar"},
        "Line": [
            {"Id": "1", "LineNum": 1, "Description": "Vials", "Amount": 100.5, "DetailType": "SalesItemLineDetail",
                "SalesItemLineDetail": {"ItemRef": {"value": "1", "name": "Services"}, "Qty": 2, "UnitPrice": 50.25}},
            {"Amount": 100.5, "DetailType": "SubTotalLineDetail", "SubTotalLineDetail": {}}
        ],
        "CustomerRef": {"value": "58", "name": "Acme Supply"}, "LinkedTxn": [{"TxnId": "77", "TxnType": "Payment"}],
        "TotalAmt": 100.5, "Balance": 40.5, "EmailStatus": "NotSet", "PrintStatus": "NotSet",
        "BillEmail": {"Address": "ada@acme.example"}, "PrivateNote": "mind the dock", "CustomerMemo": {"value": "Thanks"},
        "AnythingNew": {"that": ["nobody", "knows"]}
    })
}

pub fn customer_row() -> Value {
    json!({"Id": "58", "SyncToken": "0", "DisplayName": "Acme Supply", "CompanyName": "Acme Supply", "GivenName": "Ada",
        "FamilyName": "Byron", "PrimaryEmailAddr": {"Address": "ada@acme.example"}, "Active": true,
        "PrimaryPhone": {"FreeFormNumber": "(310) 555-0123"}, "Balance": 40.5, "CurrencyRef": {"value": "USD"}})
}

fn payment_row() -> Value {
    json!({"Id": "77", "TxnDate": "2026-08-20", "TotalAmt": 60, "UnappliedAmt": 0, "CurrencyRef": {"value": "USD"},
        "CustomerRef": {"value": "58", "name": "Acme Supply"}, "PaymentMethodRef": {"value": "1", "name": "Check"},
        "Line": [{"Amount": 60, "LinkedTxn": [{"TxnId": "20246", "TxnType": "Invoice"}]}]})
}

fn found(entity: &str, row: Value) -> Value {
    json!({"QueryResponse": {entity: [row], "startPosition": 1, "maxResults": 1}, "time": "2026-11-23T12:00:00.000-08:00"})
}

fn query(statement: &str) -> Value {
    json!({ "query": statement })
}

pub fn all() -> Vec<Case> {
    [lists(), writes(), reports()].into_iter().flatten().collect()
}

fn lists() -> Vec<Case> {
    vec![
        Case {
            tool: "list_invoices",
            arguments: json!({"status": "open", "customer": "58", "from": "2026-01-01", "limit": 5}),
            answers: vec![("GET /query", found("Invoice", invoice_row()))],
            requests: vec![(
                "GET /query",
                query(
                    "SELECT * FROM Invoice WHERE TxnDate >= '2026-01-01' AND CustomerRef IN ('58') AND Balance > '0' \
                     ORDERBY TxnDate DESC STARTPOSITION 1 MAXRESULTS 6",
                ),
                Value::Null,
            )],
            answer: json!({"invoices": [{"id": "20246", "number": "4020", "customer_id": "58", "customer": "Acme Supply",
                "issued": "2026-08-10", "due": "2026-09-09", "total": 100.5, "balance": 40.5, "currency": "USD",
                "status": "overdue", "sent": false}], "sum": {"count": 1, "total": 100.5, "balance": 40.5}}),
        },
        Case {
            tool: "get_invoice",
            arguments: json!({"invoice_id": "20246"}),
            answers: vec![(
                "GET /invoice/20246",
                json!({"Invoice": invoice_row(), "time": "2026-08-12T11:08:01.753-07:00"}),
            )],
            requests: vec![("GET /invoice/20246", json!({}), Value::Null)],
            answer: json!({"invoice": {"id": "20246", "status": "open"}, "email": "ada@acme.example", "memo": "Thanks",
                "private_note": "mind the dock", "payments": ["77"], "sync_token": "3",
                "lines": [{"description": "Vials", "item": "Services", "quantity": 2.0, "unit_price": 50.25, "amount": 100.5}]}),
        },
        Case {
            tool: "list_customers",
            arguments: json!({"search": "O'Neil\\", "owing": true, "inactive": true}),
            answers: vec![("GET /query", found("Customer", customer_row()))],
            requests: vec![(
                "GET /query",
                query(
                    "SELECT * FROM Customer WHERE DisplayName LIKE '%O\\'Neil\\\\%' AND Balance > '0' AND \
                     Active IN (true, false) ORDERBY DisplayName STARTPOSITION 1 MAXRESULTS 21",
                ),
                Value::Null,
            )],
            answer: json!({"customers": [{"id": "58", "name": "Acme Supply", "contact": "Ada Byron", "balance": 40.5,
                "email": "ada@acme.example", "phone": "(310) 555-0123", "currency": "USD"}]}),
        },
        Case {
            tool: "list_payments",
            arguments: json!({"to": "2026-12-31"}),
            answers: vec![("GET /query", found("Payment", payment_row()))],
            requests: vec![(
                "GET /query",
                query(
                    "SELECT * FROM Payment WHERE TxnDate <= '2026-12-31' ORDERBY TxnDate DESC STARTPOSITION 1 MAXRESULTS 21",
                ),
                Value::Null,
            )],
            answer: json!({"payments": [{"id": "77", "customer_id": "58", "date": "2026-08-20", "amount": 60.0,
                "currency": "USD", "method": "Check", "invoices": ["20246"]}]}),
        },
        Case {
            tool: "ledger_summary",
            arguments: json!({"days": 10}),
            answers: vec![("GET /query", found("Invoice", invoice_row()))],
            requests: vec![
                (
                    "GET /query",
                    query("SELECT * FROM Invoice WHERE Balance > '0' ORDERBY Id STARTPOSITION 1 MAXRESULTS 1000"),
                    Value::Null,
                ),
                (
                    "GET /query",
                    query(
                        "SELECT * FROM Invoice WHERE TxnDate >= '2026-11-14' AND TxnDate <= '2026-11-23' ORDERBY Id STARTPOSITION 1 MAXRESULTS 1000",
                    ),
                    Value::Null,
                ),
                (
                    "GET /query",
                    query(
                        "SELECT * FROM Payment WHERE TxnDate >= '2026-11-14' AND TxnDate <= '2026-11-23' ORDERBY Id STARTPOSITION 1 MAXRESULTS 1000",
                    ),
                    Value::Null,
                ),
            ],
            answer: json!({"as_of": "2026-11-23", "currency": "USD", "days": 10, "open": {"count": 1, "total": 40.5},
                "overdue": {"count": 1, "total": 40.5}, "not_sent": {"count": 1, "total": 40.5},
                "billed": {"count": 1, "total": 100.5}, "received": {"count": 0, "total": 0.0},
                "top_debtors": [{"customer_id": "58", "customer": "Acme Supply", "balance": 40.5, "overdue": 40.5}]}),
        },
    ]
}

fn writes() -> Vec<Case> {
    let mut sent = invoice_row();
    sent["EmailStatus"] = json!("EmailSent");
    sent["DeliveryInfo"] = json!({"DeliveryType": "Email", "DeliveryTime": "2026-11-23T12:00:00-08:00"});
    let mut void = invoice_row();
    void["TotalAmt"] = json!(0);
    void["Balance"] = json!(0);
    void["PrivateNote"] = json!("Voided");
    vec![
        Case {
            tool: "create_draft_invoice",
            arguments: json!({"customer_id": "58", "issued": "2026-08-10", "memo": "Thanks",
                "lines": [{"description": "Vials", "quantity": 2, "unit_price": 50.25}, {"item": "Pop-top jar", "unit_price": 3}]}),
            answers: vec![
                ("GET /query", found("Item", json!({"Id": "9", "Name": "Pop-Top Jar"}))),
                ("GET /customer/58", json!({"Customer": customer_row()})),
                ("POST /invoice", json!({"Invoice": invoice_row()})),
            ],
            requests: vec![
                (
                    "GET /query",
                    query(
                        "SELECT * FROM Item WHERE Name IN ('Pop-top jar') ORDERBY Name STARTPOSITION 1 MAXRESULTS 1000",
                    ),
                    Value::Null,
                ),
                (
                    "GET /query",
                    query("SELECT * FROM Item WHERE Type = 'Service' ORDERBY Id STARTPOSITION 1 MAXRESULTS 1"),
                    Value::Null,
                ),
                ("GET /customer/58", json!({}), Value::Null),
                (
                    "POST /invoice",
                    json!({"requestid": "key"}),
                    json!({"CustomerRef": {"value": "58"}, "TxnDate": "2026-08-10", "CustomerMemo": {"value": "Thanks"},
                        "BillEmail": {"Address": "ada@acme.example"}, "EmailStatus": "NotSet", "PrintStatus": "NotSet",
                        "Line": [
                            {"Description": "Vials", "Amount": 100.5, "DetailType": "SalesItemLineDetail",
                                "SalesItemLineDetail": {"ItemRef": {"value": "9"}, "Qty": 2.0, "UnitPrice": 50.25}},
                            {"Amount": 3.0, "DetailType": "SalesItemLineDetail",
                                "SalesItemLineDetail": {"ItemRef": {"value": "9"}, "Qty": 1.0, "UnitPrice": 3.0}}]}),
                ),
            ],
            answer: json!({"invoice": {"id": "20246", "number": "4020", "total": 100.5, "sent": false}}),
        },
        Case {
            tool: "send_invoice",
            arguments: json!({"invoice_id": "20246", "email": "bob@acme.example", "sync_token": "3"}),
            answers: vec![
                ("GET /invoice/20246", json!({"Invoice": invoice_row()})),
                ("POST /invoice/20246/send", json!({"Invoice": sent})),
            ],
            requests: vec![
                ("GET /invoice/20246", json!({}), Value::Null),
                ("POST /invoice/20246/send", json!({"requestid": "key", "sendTo": "bob@acme.example"}), Value::Null),
            ],
            answer: json!({"already_sent": false, "sent_at": "2026-11-23T12:00:00-08:00", "invoice": {"sent": true}}),
        },
        Case {
            tool: "void_invoice",
            arguments: json!({"invoice_id": "20246"}),
            answers: vec![
                ("GET /invoice/20246", json!({"Invoice": invoice_row()})),
                ("POST /invoice", json!({"Invoice": void})),
            ],
            requests: vec![
                ("GET /invoice/20246", json!({}), Value::Null),
                (
                    "POST /invoice",
                    json!({"requestid": "key", "operation": "void"}),
                    json!({"Id": "20246", "SyncToken": "3"}),
                ),
            ],
            answer: json!({"already_voided": false, "invoice": {"id": "20246", "status": "voided", "total": 0.0}}),
        },
        Case {
            tool: "create_customer",
            arguments: json!({"name": "Acme Supply", "first_name": "Ada", "email": "ada@acme.example", "city": "Dolomite"}),
            answers: vec![("POST /customer", json!({"Customer": customer_row()}))],
            requests: vec![(
                "POST /customer",
                json!({"requestid": "key"}),
                json!({"DisplayName": "Acme Supply", "GivenName": "Ada", "PrimaryEmailAddr": {"Address": "ada@acme.example"},
                    "BillAddr": {"City": "Dolomite"}}),
            )],
            answer: json!({"customer": {"id": "58", "name": "Acme Supply"}}),
        },
    ]
}

fn header(name: &str) -> Value {
    json!({"ReportName": name, "ReportBasis": "Accrual", "StartPeriod": "2026-01-01", "EndPeriod": "2026-11-23",
        "Currency": "USD", "Option": [{"Name": "NoReportData", "Value": "false"}]})
}

fn columns() -> Value {
    json!({"Column": [{"ColTitle": "", "ColType": "Account"}, {"ColTitle": "% of income", "ColType": "Percent"},
        {"ColTitle": "Total", "ColType": "Money"}]})
}

fn section(group: &str, title: &str, rows: Value, total: &str) -> Value {
    json!({"Header": {"ColData": [{"value": title}, {"value": ""}, {"value": ""}]}, "Rows": {"Row": rows}, "type": "Section",
        "Summary": {"ColData": [{"value": format!("Total {title}")}, {"value": "1"}, {"value": total}]}, "group": group})
}

fn account(name: &str, amount: &str) -> Value {
    json!({"ColData": [{"value": name, "id": "5"}, {"value": "9.9"}, {"value": amount}], "type": "Data"})
}

fn reports() -> Vec<Case> {
    let inner = json!({"Header": {"ColData": [{"value": "Sales"}, {"value": ""}, {"value": ""}]},
        "Rows": {"Row": [account("Vials", "900.00"), account("Jars", "")]}, "type": "Section"});
    let profit = json!([section("Income", "Income", json!([inner]), "900.00"),
        section("Expenses", "Expenses", json!([account("Rent", "120.50")]), "120.50"),
        {"Summary": {"ColData": [{"value": "Net Income"}, {"value": ""}, {"value": "779.50"}]}, "type": "Section", "group": "NetIncome"}]);
    let assets = section("TotalAssets", "ASSETS", json!([account("Checking", "50.00")]), "50.00");
    let debts = section("Liabilities", "Liabilities", json!([account("Card", "20.00")]), "20.00");
    let equity = section("Equity", "Equity", json!([account("Retained", "30.00")]), "30.00");
    let balance = json!([
        assets,
        section("TotalLiabilitiesAndEquity", "LIABILITIES AND EQUITY", json!([debts, equity]), "50.00")
    ]);
    let ages = json!({"Column": [{"ColTitle": "", "ColType": "Customer"}, {"ColTitle": "Current", "ColType": "Money"},
        {"ColTitle": "1 - 30", "ColType": "Money"}, {"ColTitle": "Total", "ColType": "Money"}]});
    let cells = |name: &str, current: &str, late: &str, total: &str| json!([{"value": name, "id": "58"}, {"value": current}, {"value": late}, {"value": total}]);
    let owed = json!([{"ColData": cells("Beta", "1.00", "", "1.00"), "type": "Data"},
        {"ColData": cells("Acme", "", "40.50", "40.50"), "type": "Data"},
        {"Summary": {"ColData": cells("TOTAL", "1.00", "40.50", "41.50")}, "type": "Section", "group": "GrandTotal"}]);
    vec![
        Case {
            tool: "profit_and_loss",
            arguments: json!({"period": "last_month", "method": "cash"}),
            answers: vec![(
                "GET /reports/ProfitAndLoss",
                json!({"Header": header("ProfitAndLoss"), "Columns": columns(), "Rows": {"Row": profit}}),
            )],
            requests: vec![(
                "GET /reports/ProfitAndLoss",
                json!({"date_macro": "Last Month", "accounting_method": "Cash"}),
                Value::Null,
            )],
            answer: json!({"income": 900.0, "expenses": 120.5, "net_income": 779.5, "basis": "Accrual", "currency": "USD",
                "from": "2026-01-01", "accounts": [{"section": "Sales", "account": "Vials", "amount": 900.0},
                {"section": "Expenses", "account": "Rent", "amount": 120.5}]}),
        },
        Case {
            tool: "balance_sheet",
            arguments: json!({"date": "2026-06-30"}),
            answers: vec![(
                "GET /reports/BalanceSheet",
                json!({"Header": header("BalanceSheet"), "Columns": columns(), "Rows": {"Row": balance}}),
            )],
            requests: vec![(
                "GET /reports/BalanceSheet",
                json!({"start_date": "2026-06-30", "end_date": "2026-06-30"}),
                Value::Null,
            )],
            answer: json!({"assets": 50.0, "liabilities": 20.0, "equity": 30.0,
                "accounts": [{"account": "Checking"}, {"section": "Liabilities", "account": "Card"}, {"account": "Retained"}]}),
        },
        Case {
            tool: "aged_receivables",
            arguments: json!({"limit": 1}),
            answers: vec![(
                "GET /reports/AgedReceivables",
                json!({"Header": header("AgedReceivables"), "Columns": ages, "Rows": {"Row": owed}}),
            )],
            requests: vec![("GET /reports/AgedReceivables", json!({}), Value::Null)],
            answer: json!({"total": 41.5, "ages": {"Current": 1.0, "1 - 30": 40.5}, "customers_left_out": 1,
                "customers": [{"customer_id": "58", "customer": "Acme", "total": 40.5, "ages": {"1 - 30": 40.5}}]}),
        },
    ]
}

#[tokio::test]
async fn every_tool_sends_what_the_vendor_documents() {
    for case in all() {
        let vendor = vendor(case.answers.clone()).await;
        let answer = Account::of(&vendor).run(case.tool, case.arguments.clone()).await;
        let answer = answer.unwrap_or_else(|error| panic!("{}: {error:?}", case.tool));
        let sent = vendor.sent();
        assert_eq!(sent.len(), case.requests.len(), "{} sent {sent:#?}", case.tool);
        for ((expected, query, body), sent) in case.requests.iter().zip(&sent) {
            assert_eq!(line(sent), *expected, "{}", case.tool);
            let mut given = sent.query.clone();
            assert_eq!(given.remove("minorversion").as_deref(), Some("75"), "{}", case.tool);
            assert_eq!(json!(given), *query, "query of {} {expected}", case.tool);
            assert_eq!(sent.body, *body, "body of {} {expected}", case.tool);
            assert_eq!(sent.header("authorization"), Some(format!("Bearer {TOKEN}").as_str()));
            assert_eq!(sent.header("accept"), Some("application/json"));
        }
        assert!(holds(&answer, &case.answer), "{} answered {answer:#}", case.tool);
    }
}

#[test]
fn every_tool_has_a_case() {
    let cases = all();
    for tool in connector().tools.iter().filter(|tool| !is_long_tail(tool)) {
        assert!(cases.iter().any(|case| case.tool == tool.spec.name), "{} has no request test", tool.spec.name);
    }
}

#[test]
fn every_write_can_be_tried_dry() {
    for tool in connector().tools {
        assert_eq!(tool.spec.dry_run, tool.spec.effect.is_outward(), "{}", tool.spec.name);
    }
}

/// What a model pays for the catalogue, at about four characters a token.
#[test]
fn the_catalogue_is_small() {
    for tool in connector().tools {
        let size = (tool.spec.description.len() + json!(*tool.spec.input).to_string().len()) / 4;
        println!("{:24} {size}", tool.spec.name);
        assert!(size <= 480, "{} costs {size} tokens", tool.spec.name);
    }
}

/// Whether `part` is within `whole`: objects by their members, lists by position.
pub fn holds(whole: &Value, part: &Value) -> bool {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => {
            part.iter().all(|(name, part)| whole.get(name).is_some_and(|whole| holds(whole, part)))
        }
        (Value::Array(whole), Value::Array(part)) => {
            whole.len() == part.len() && whole.iter().zip(part).all(|(whole, part)| holds(whole, part))
        }
        _ => whole == part,
    }
}
