//! What is not HTTP goes the same way: bucket, breaker, retries, time-out, and a record of every attempt.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops where it is")]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sdk::http::{Attempt, Call, Connection, Http, Settings};
use sdk::{Credentials, Error, Kind, Limits, Result};
use tokio::time::Instant;

type Seen = Arc<Mutex<Vec<Attempt>>>;

#[expect(clippy::disallowed_methods, reason = "a test has no app that owns the client")]
fn http(limits: Limits, patience: Duration) -> (Http, Seen) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let seen = Seen::default();
    let kept = seen.clone();
    let settings = Settings {
        timeout: Duration::from_millis(200),
        first_wait: Duration::from_millis(2),
        longest_wait: Duration::from_millis(5),
        ..Settings::default()
    };
    let observer = Arc::new(move |attempt| kept.lock().unwrap().push(attempt));
    let connection = Connection::new("email", reqwest::Client::new(), limits, settings, observer);
    let call = Call { execution: None, key: "key".into(), deadline: Instant::now() + patience };
    let http = Http::new(Arc::new(connection), call);
    let vendor = sdk::http::Vendor { error: |_| Error::internal("no HTTP here"), quota: |_| Default::default() };
    (http.for_vendor(vendor, &Credentials::new().with("password", "s3cret-canary")), seen)
}

fn unlimited() -> Limits {
    Limits::new(10_000, Duration::from_nanos(1))
}

const PATIENT: Duration = Duration::from_secs(20);

#[tokio::test]
async fn it_is_recorded_with_what_it_told() {
    let (http, seen) = http(unlimited(), PATIENT);
    let answer = http
        .attempt("SMTP", "send", |exchange| async move {
            exchange.sent(10);
            exchange.sent(32);
            exchange.received(7);
            exchange.status(250);
            Ok("done")
        })
        .await;
    assert_eq!(answer.unwrap(), "done");
    let seen = seen.lock().unwrap();
    assert_eq!(seen.len(), 1);
    let attempt = &seen[0];
    assert_eq!((attempt.ecosystem, attempt.endpoint, attempt.method.as_str()), ("email", "send", "SMTP"));
    assert_eq!(attempt.status.unwrap().as_u16(), 250);
    assert_eq!((attempt.request_bytes, attempt.response_bytes, attempt.number), (42, 7, 1));
    assert_eq!(attempt.error, None);
}

#[tokio::test]
async fn a_temporary_error_is_tried_again_and_a_refusal_or_an_unknown_outcome_is_not() {
    let (http, seen) = http(unlimited(), PATIENT);
    let tries = AtomicUsize::new(0);
    let second_time_lucky = || match tries.fetch_add(1, Ordering::Relaxed) {
        0 => Err(Error::unavailable("the server is busy")),
        _ => Ok(()),
    };
    http.attempt("SMTP", "send", |_| async { second_time_lucky() }).await.unwrap();
    assert_eq!(tries.load(Ordering::Relaxed), 2);

    for refusal in [
        || Error::forbidden("s3cret-canary is not allowed"),
        || Error::unavailable("lost after the last byte").with_unknown_outcome(),
    ] {
        let before = seen.lock().unwrap().len();
        let error = http.attempt("SMTP", "send", |_| async { Err::<(), _>(refusal()) }).await.unwrap_err();
        assert!(!error.message.contains("canary"), "{error}");
        assert_eq!(seen.lock().unwrap().len() - before, 1, "{error}");
        assert_eq!(seen.lock().unwrap().last().unwrap().error.as_deref(), Some(error.message.as_str()));
    }
}

#[tokio::test]
async fn the_end_of_its_time_is_an_unknown_outcome_only_after_the_point_of_no_return() {
    let (http, seen) = http(unlimited(), PATIENT);
    let stuck = http.attempt("SMTP", "send", |_| std::future::pending::<Result<()>>());
    let error = stuck.await.unwrap_err();
    assert_eq!((error.kind, error.outcome_unknown), (Kind::Unavailable, false));
    assert_eq!(seen.lock().unwrap().len(), 3, "nothing was sent, so it was tried again");

    let stuck = http.attempt("SMTP", "send", |exchange| async move {
        exchange.committing();
        std::future::pending::<Result<()>>().await
    });
    let error = stuck.await.unwrap_err();
    assert_eq!((error.kind, error.outcome_unknown), (Kind::Unavailable, true));
    assert_eq!(seen.lock().unwrap().len(), 4);
}

#[tokio::test]
async fn one_that_is_cancelled_is_recorded_too() {
    let (http, seen) = http(unlimited(), PATIENT);
    let stuck = http.attempt("SMTP", "send", |exchange| async move {
        exchange.sent(5);
        std::future::pending::<Result<()>>().await
    });
    let _ = tokio::time::timeout(Duration::from_millis(50), stuck).await.unwrap_err();
    let seen = seen.lock().unwrap();
    assert_eq!((seen.len(), seen[0].error.as_deref(), seen[0].request_bytes), (1, Some("cancelled"), 5));
}

#[tokio::test]
async fn bucket_breaker_and_deadline_hold_for_it() {
    let slow = Limits::new(1, Duration::from_secs(60));
    let (http, seen) = self::http(slow, Duration::from_millis(100));
    http.attempt("SMTP", "send", |_| async { Ok(()) }).await.unwrap();
    let error = http.attempt("SMTP", "send", |_| async { Ok(()) }).await.unwrap_err();
    assert_eq!((error.kind, seen.lock().unwrap().len()), (Kind::RateLimited, 1), "it was not begun");

    let (http, seen) = self::http(unlimited(), PATIENT);
    let lost = || Error::unavailable("lost").with_unknown_outcome();
    // The breaker counts the last five of at least six.
    http.attempt("SMTP", "send", |_| async { Ok(()) }).await.unwrap();
    for _ in 0..5 {
        http.attempt("SMTP", "send", |_| async { Err::<(), _>(lost()) }).await.unwrap_err();
    }
    let error = http.attempt("SMTP", "send", |_| async { Ok(()) }).await.unwrap_err();
    assert!(error.message.contains("5 times in a row"), "{error}");
    assert_eq!(seen.lock().unwrap().len(), 6);
}
