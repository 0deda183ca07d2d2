//! What every Google tool sends, what it makes of the answer, and what callers are told when Google says no.
#![expect(clippy::unwrap_used, reason = "a test ends where it fails, also in its helpers")]

mod google;
mod support;

use google::{cases, connector, fails, holds, of, run};
use sdk::Kind;
use serde_json::{Value, json};
use support::{Reply, Vendor};

#[tokio::test]
async fn every_tool_sends_what_google_documents() {
    for case in cases::all() {
        let vendor = case.vendor().await;
        let answer = run(of(&vendor), case.tool, case.arguments.clone()).await;
        let answer = answer.unwrap_or_else(|error| panic!("{}: {error:?}", case.tool));
        let sent = vendor.sent();
        assert_eq!(sent.len(), case.requests.len(), "{} sent {sent:#?}", case.tool);
        for ((line, query, body), sent) in case.requests.iter().zip(&sent) {
            assert_eq!(sent.line(), *line, "{}", case.tool);
            assert!(holds(&json!(sent.query), query), "query of {} {line}: {:#?}", case.tool, sent.query);
            assert!(*body == "any" || sent.body == *body, "body of {} {line}: {:#}", case.tool, sent.body);
            assert_eq!(sent.header("authorization"), Some("Bearer ya29.test"));
        }
        assert!(holds(&answer, &case.answer), "{} answered {answer:#}", case.tool);
        assert!(answer.to_string().len() < 8_000, "{} answers too much", case.tool);
    }
}

#[test]
fn every_tool_has_a_case_and_every_write_a_dry_run() {
    let cases = cases::all();
    for tool in connector().tools.iter().filter(|tool| !support::is_long_tail(tool)) {
        assert!(cases.iter().any(|case| case.tool == tool.spec.name), "{} has no request test", tool.spec.name);
        assert_eq!(tool.spec.effect.is_outward(), tool.spec.dry_run, "{}", tool.spec.name);
        let length = tool.spec.description.chars().count();
        assert!((40..=300).contains(&length), "the description of {} has {length} characters", tool.spec.name);
    }
}

#[tokio::test]
async fn answers_with_nothing_in_them_are_no_failure() {
    for case in cases::all() {
        for empty in
            [json!({}), json!({"files": null, "messages": null, "items": null, "sheets": null, "payload": null})]
        {
            let vendor = Vendor::start(move |_, _| empty.clone().into()).await;
            match run(of(&vendor), case.tool, case.arguments.clone()).await {
                Ok(_) => {}
                Err(error) => assert!(
                    matches!(error.kind, Kind::Upstream | Kind::NotFound | Kind::InvalidInput),
                    "{}: {error:?}",
                    case.tool
                ),
            }
        }
    }
}

/// The error that an answer of Google's causes.
async fn refusal(status: u16, body: Value) -> sdk::Error {
    let vendor = Vendor::start(move |_, _| Reply::Json(status, body.clone())).await;
    fails(of(&vendor), "list_assets", json!({})).await
}

fn old(reason: &str) -> Value {
    json!({"error": {"errors": [{"domain": "global", "reason": reason, "message": "Google's words."}], "code": 403,
        "message": "Google's words."}})
}

#[tokio::test]
async fn every_refusal_has_its_kind_googles_words_and_the_cure() {
    let new = |status: &str, reason: &str| json!({"error": {"message": "Google's words.", "status": status, "details": [{"@type": "x"}, {"reason": reason}]}});
    let cases = [
        (401, old("authError"), Kind::Unauthenticated, "Connect Google Workspace again"),
        (403, old("insufficientPermissions"), Kind::Forbidden, "scope"),
        (403, new("PERMISSION_DENIED", "ACCESS_TOKEN_SCOPE_INSUFFICIENT"), Kind::Forbidden, "scope"),
        (403, old("accessNotConfigured"), Kind::Forbidden, "switched off"),
        (403, new("PERMISSION_DENIED", "SERVICE_DISABLED"), Kind::Forbidden, "switched off"),
        (403, old("domainPolicy"), Kind::Forbidden, "administrator"),
        (403, old("storageQuotaExceeded"), Kind::Forbidden, "no room"),
        (403, old("dailyLimitExceeded"), Kind::RateLimited, "tomorrow"),
        (403, old("somethingNew"), Kind::Forbidden, "share"),
        (404, old("notFound"), Kind::NotFound, "not shared"),
        (
            400,
            json!({"error": {"status": "FAILED_PRECONDITION", "message": "Precondition"}}),
            Kind::InvalidInput,
            "subject",
        ),
        (409, old("duplicate"), Kind::Conflict, "Google's words"),
        (404, json!({"error": "invalid_request", "error_description": "Odd"}), Kind::NotFound, "Odd"),
        (404, json!({}), Kind::NotFound, "404"),
    ];
    for (status, body, kind, words) in cases {
        let error = refusal(status, body.clone()).await;
        assert_eq!(error.kind, kind, "{status} {body}: {error}");
        assert!(error.message.contains(words), "{status} {body}: {error}");
    }
}

#[tokio::test]
async fn a_403_is_tried_again_only_when_it_is_about_the_rate() {
    let times = async |status: u16, body: Value| {
        let vendor = Vendor::start(move |_, _| Reply::Json(status, body.clone())).await;
        fails(of(&vendor), "list_assets", json!({})).await;
        vendor.sent().len()
    };
    assert_eq!(times(403, old("rateLimitExceeded")).await, 3);
    assert_eq!(times(403, old("userRateLimitExceeded")).await, 3);
    assert_eq!(times(403, old("insufficientPermissions")).await, 1);
    assert_eq!(times(403, old("dailyLimitExceeded")).await, 1);
    assert_eq!(times(403, old("storageQuotaExceeded")).await, 1);
    assert_eq!(times(429, json!({"error": {"status": "RESOURCE_EXHAUSTED", "message": "Quota"}})).await, 3);
    assert_eq!(times(401, json!({})).await, 1);
    assert_eq!(times(503, json!({})).await, 3);
}

#[tokio::test]
async fn a_page_instead_of_json_is_named() {
    let vendor = Vendor::start(|_, _| Reply::Text(502, "<html>Bad gateway</html>".into())).await;
    let error = fails(of(&vendor), "list_assets", json!({})).await;
    assert_eq!(error.kind, Kind::Unavailable);
    assert!(error.message.contains("502 without JSON") && !error.message.contains("html>"), "{error}");
    let fine = Vendor::start(|_, _| Reply::Text(200, "<html>Welcome</html>".into())).await;
    assert_eq!(fails(of(&fine), "list_assets", json!({})).await.kind, Kind::Upstream);
}

#[tokio::test]
async fn empty_pages_do_not_go_on_for_ever() {
    let vendor = Vendor::start(|_, before| json!({"files": [], "nextPageToken": format!("t{before}")}).into()).await;
    let answer = run(of(&vendor), "list_assets", json!({})).await.unwrap();
    assert!(answer["next_cursor"].is_string(), "the caller may go on");
    assert_eq!(vendor.sent().len(), 8);
    let circle = Vendor::start(|_, _| json!({"files": [], "nextPageToken": "same"}).into()).await;
    run(of(&circle), "list_assets", json!({})).await.unwrap();
    assert_eq!(circle.sent().len(), 2);
}

#[tokio::test]
async fn what_would_be_a_header_of_its_own_is_refused_before_anything_is_sent() {
    for (field, value) in [
        ("to", json!(["a@example.com\r\nBcc: x@example.com"])),
        ("cc", json!(["a@example.com, x@example.com"])),
        ("bcc", json!(["nobody"])),
        ("subject", json!("Hi\r\nBcc: x@example.com")),
    ] {
        for tool in ["create_draft", "send_email"] {
            let vendor = Vendor::start(|_, _| json!({}).into()).await;
            let mut mail = json!({"to": ["a@example.com"], "subject": "Hi", "body": "Hello"});
            mail[field] = value.clone();
            let error = fails(of(&vendor), tool, mail).await;
            assert_eq!(error.kind, Kind::InvalidInput, "{tool} {field}: {error}");
            assert!(error.message.starts_with(field), "{error}");
            assert!(vendor.sent().iter().all(|sent| sent.method == "GET"), "{tool} {field}");
        }
    }
}

#[tokio::test]
async fn a_range_that_is_too_small_is_refused() {
    let book = json!({"sheets": [{"properties": {"title": "T", "gridProperties": {"rowCount": 9, "columnCount": 9}}}]});
    let vendor = Vendor::start(move |_, _| book.clone().into()).await;
    let error =
        fails(of(&vendor), "sync_sheet", json!({"spreadsheet_id": "S", "range": "T!A1:B1", "rows": [[1], [2]]})).await;
    assert!(error.kind == Kind::InvalidInput && error.message.contains("do not fit"), "{error}");
    let error = fails(of(&vendor), "sync_sheet", json!({"spreadsheet_id": "S", "range": "X!A1", "rows": [[1]]})).await;
    assert!(error.kind == Kind::NotFound && error.message.contains("'T'"), "{error}");
    assert!(vendor.sent().iter().all(|sent| sent.method == "GET"));
}

#[tokio::test]
async fn a_document_that_is_too_large_to_export_is_read_another_way() {
    let vendor = Vendor::start(|sent, _| match sent.path.as_str() {
        "/drive/v3/files/F1" => cases::file_row().into(),
        "/drive/v3/files/F1/export" => Reply::Json(403, old("exportSizeLimitExceeded")),
        "/docs/v1/documents/F1" => {
            json!({"body": {"content": [{"paragraph": {"elements": [{"textRun": {"content": "Long\n"}}]}}]}}).into()
        }
        _ => Reply::Json(404, json!({})),
    })
    .await;
    let answer = run(of(&vendor), "read_document", json!({"document_id": "F1"})).await.unwrap();
    assert_eq!(answer["text"], "Long");
}

#[test]
fn the_catalogue_costs_a_model_little() {
    let mut sum = 0;
    for tool in connector().tools {
        let seen =
            json!({"name": tool.spec.name, "description": tool.spec.description, "inputSchema": *tool.spec.input});
        let tokens = seen.to_string().len() / 4;
        assert!(tokens <= 450, "{} costs {tokens} tokens", tool.spec.name);
        sum += tokens;
    }
    println!("{sum} tokens");
    assert!(sum <= 14 * 280, "the tools cost {sum} tokens");
}
