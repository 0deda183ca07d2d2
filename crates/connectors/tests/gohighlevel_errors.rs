//! What callers are told when GoHighLevel says no, says nothing, or says nonsense.
#![expect(clippy::unwrap_used, reason = "a test ends where it fails, also in its helpers")]

mod support;

use sdk::Kind;
use serde_json::{Value, json};
use support::{Reply, Vendor, cases, fails};

/// The error that a vendor with this answer causes.
async fn refusal(status: u16, body: Value) -> sdk::Error {
    let vendor = Vendor::start(move |_, _| Reply::Json(status, body.clone())).await;
    fails(&vendor, "get_contact", json!({"contact_id": "C1"})).await
}

#[tokio::test]
async fn every_refusal_has_its_kind_the_vendors_words_and_the_cure() {
    let location = "The token does not have access to this location.";
    let aip = json!({"error": {"code": "RESOURCE_NOT_FOUND", "message": "The requested App was not found."}});
    let cases = [
        (401, json!({"statusCode": 401, "message": "Invalid JWT"}), Kind::Unauthenticated, "Private Integrations"),
        (401, json!({"msg": "Api key is invalid."}), Kind::Unauthenticated, "Api key is invalid"),
        (401, json!({"message": "version header is invalid"}), Kind::Unauthenticated, "`version`"),
        (401, json!({"message": "The token is not authorized for this scope."}), Kind::Forbidden, "Add it under"),
        (403, json!({"statusCode": 403, "message": location}), Kind::Forbidden, "GHL_LOCATION_ID"),
        (400, json!({"message": "Contact not found", "statusCode": 400}), Kind::NotFound, "Contact not found"),
        (404, aip, Kind::NotFound, "The requested App was not found"),
        (404, json!({}), Kind::NotFound, "404"),
        (400, json!({"message": "This location does not allow duplicated contacts."}), Kind::Conflict, "duplicated"),
        (422, json!({"message": ["a is wrong", "b is missing"]}), Kind::InvalidInput, "a is wrong; b is missing"),
        (409, json!({"message": null, "error": "Conflict"}), Kind::Conflict, "Conflict"),
    ];
    for (status, body, kind, words) in cases {
        let error = refusal(status, body.clone()).await;
        assert_eq!(error.kind, kind, "{status} {body}: {error}");
        assert!(error.message.contains(words), "{status} {body}: {error}");
        assert!(!error.outcome_unknown);
    }
}

#[tokio::test]
async fn the_trace_is_for_the_log_and_the_key_for_nobody() {
    let said = format!("bad token {}", support::TOKEN);
    let error = refusal(401, json!({"message": said, "traceId": "trace-1"})).await;
    assert!(!error.message.contains("trace-1"), "{error}");
    assert!(std::error::Error::source(&error).unwrap().to_string().contains("trace-1"));
    assert!(!format!("{error} {error:?}").contains(support::TOKEN), "{error:?}");
}

#[tokio::test]
async fn a_page_instead_of_json_is_named() {
    let vendor = Vendor::start(|_, _| Reply::Text(502, "<html>Bad gateway</html>".into())).await;
    let error = fails(&vendor, "get_contact", json!({"contact_id": "C1"})).await;
    assert_eq!(error.kind, Kind::Unavailable);
    assert!(error.message.contains("502 without JSON"), "{error}");
    assert!(!error.message.contains("html>"), "{error}");
    assert_eq!(vendor.sent().len(), 3, "a read is tried again");

    let fine = Vendor::start(|_, _| Reply::Text(200, "<html>Welcome</html>".into())).await;
    assert_eq!(fails(&fine, "get_contact", json!({"contact_id": "C1"})).await.kind, Kind::Upstream);
}

#[tokio::test]
async fn too_many_requests_wait_and_a_used_up_day_does_not() {
    let busy = Vendor::start(|_, before| match before {
        0 => Reply::Json(429, json!({"message": "Too Many Requests"})),
        _ => Reply::from(json!({"contact": cases::contact_row()})),
    })
    .await;
    busy.run("get_contact", json!({"contact_id": "C1"})).await.unwrap();
    assert_eq!(busy.sent().iter().filter(|sent| sent.path == "/contacts/C1").count(), 2);

    let headers = || vec![("x-ratelimit-daily-remaining", "0".to_owned())];
    let used_up = Vendor::start(move |_, _| Reply::With(429, json!({"message": "Too Many Requests"}), headers())).await;
    let opening = used_up.opening();
    for _ in 0..2 {
        let error = support::run(opening.clone(), "get_contact", json!({"contact_id": "C1"})).await.unwrap_err();
        assert_eq!(error.kind, Kind::RateLimited);
    }
    assert_eq!(used_up.sent().len(), 1, "a used-up day is not asked again");
}

#[tokio::test]
async fn effects_that_cannot_be_recognised_are_never_repeated_and_called_unknown() {
    let once = ["add_note", "create_task", "send_sms", "send_email", "book_appointment"];
    for case in cases::all().into_iter().filter(|case| once.contains(&case.tool)) {
        for status in [0, 503] {
            let slots = case.answers[0].1.clone();
            let vendor = Vendor::start(move |sent, _| match (sent.method.as_str(), status) {
                ("GET", _) => Reply::from(slots.clone()),
                (_, 0) => Reply::Lost,
                _ => Reply::Json(status, json!({"message": "Service Unavailable"})),
            })
            .await;
            let error = fails(&vendor, case.tool, case.arguments.clone()).await;
            let writes = vendor.sent().iter().filter(|sent| sent.method == "POST").count();
            assert_eq!(writes, 1, "{} was repeated", case.tool);
            assert!(error.outcome_unknown, "{}: {error}", case.tool);
            assert!(error.message.contains("unknown whether"), "{}: {error}", case.tool);
            assert!(error.message.contains("before trying again"), "{}: {error}", case.tool);
        }
    }
}

#[tokio::test]
async fn an_effect_whose_answer_is_nonsense_is_called_unknown() {
    let vendor = Vendor::start(|_, _| Reply::Text(200, "<html>".into())).await;
    let error = fails(&vendor, "send_sms", json!({"contact_id": "C1", "message": "Hi"})).await;
    assert!(error.outcome_unknown && error.kind == Kind::Upstream, "{error:?}");
}

#[tokio::test]
async fn a_refused_effect_is_not_called_unknown() {
    let vendor = Vendor::start(|_, _| Reply::Json(422, json!({"message": ["phone is missing"]}))).await;
    let error = fails(&vendor, "send_sms", json!({"contact_id": "C1", "message": "Hi"})).await;
    assert!(!error.outcome_unknown, "{error}");
    assert!(!error.message.contains("unknown whether"), "{error}");
}

#[tokio::test]
async fn a_contact_without_mail_and_phone_is_created_once() {
    let vendor = Vendor::start(|_, _| Reply::Lost).await;
    let error = fails(&vendor, "create_contact", json!({"first_name": "Ada"})).await;
    assert!(error.outcome_unknown, "{error}");
    assert_eq!(vendor.sent().len(), 1);
}

#[tokio::test]
async fn a_contact_with_mail_is_sent_again_after_a_lost_reply() {
    let vendor = Vendor::start(|_, before| match before {
        0 => Reply::Lost,
        _ => Reply::from(json!({"new": false, "contact": cases::contact_row()})),
    })
    .await;
    let answer = vendor.run("create_contact", json!({"email": "ada@example.com"})).await.unwrap();
    assert_eq!(answer["new"], false);
    assert_eq!(vendor.sent().len(), 2);
}

#[tokio::test]
async fn tags_that_fail_do_not_hide_the_contact_that_was_made() {
    let vendor = Vendor::start(|sent, _| match sent.path.as_str() {
        "/contacts/upsert" => Reply::from(json!({"new": true, "contact": cases::contact_row()})),
        _ => Reply::Json(422, json!({"message": ["tags must be an array"]})),
    })
    .await;
    let answer = vendor.run("create_contact", json!({"email": "a@example.com", "tags": ["x"]})).await.unwrap();
    assert_eq!(answer["contact"]["id"], "C1");
    assert!(answer["warning"].as_str().unwrap().contains("tags must be an array"));
    let upsert = &vendor.sent()[0];
    assert_eq!(upsert.body.get("tags"), None, "tags in an upsert would replace those that are there");
}
