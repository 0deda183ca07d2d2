//! The outbound pipeline against a server that misbehaves on purpose, over real HTTP.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops where it is")]

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use sdk::http::{Attempt, Call, Connection, Http, Quota, Settings, Vendor};
use sdk::{Credentials, Error, Kind, Limits};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::Instant;

/// What the server does with the next request.
#[derive(Clone)]
enum Next {
    Answer(u16, &'static [(&'static str, &'static str)], &'static str),
    Stall(Duration),
}

#[derive(Clone, Default)]
struct Vendors(Arc<Mutex<(VecDeque<Next>, usize)>>);

impl Vendors {
    fn will(&self, next: impl IntoIterator<Item = Next>) {
        self.0.lock().unwrap().0.extend(next);
    }

    fn requests(&self) -> usize {
        self.0.lock().unwrap().1
    }
}

async fn serve() -> (Vendors, String) {
    let vendors = Vendors::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().fallback(answer).with_state(vendors.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (vendors, url)
}

async fn answer(State(vendors): State<Vendors>) -> Response {
    let next = {
        let mut vendors = vendors.0.lock().unwrap();
        vendors.1 += 1;
        vendors.0.pop_front()
    };
    match next {
        None => (StatusCode::OK, "{\"ok\":true}").into_response(),
        Some(Next::Answer(status, headers, body)) => {
            let mut response = (StatusCode::from_u16(status).unwrap(), body).into_response();
            for (name, value) in headers {
                response.headers_mut().insert(*name, value.parse().unwrap());
            }
            response
        }
        Some(Next::Stall(time)) => {
            tokio::time::sleep(time).await;
            StatusCode::OK.into_response()
        }
    }
}

fn settings() -> Settings {
    Settings {
        timeout: Duration::from_millis(500),
        first_wait: Duration::from_millis(5),
        longest_wait: Duration::from_millis(20),
        breaker_pause: Duration::from_millis(400),
        ..Settings::default()
    }
}

type Seen = Arc<Mutex<Vec<Attempt>>>;

#[expect(clippy::disallowed_methods, reason = "a test has no app that owns the client")]
fn connection(settings: Settings, limits: Limits) -> (Arc<Connection>, Seen) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let seen = Seen::default();
    let observer = seen.clone();
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let observer = Arc::new(move |attempt| observer.lock().unwrap().push(attempt));
    (Arc::new(Connection::new("vendor", client, limits, settings, observer)), seen)
}

fn unlimited() -> Limits {
    Limits::new(10_000, Duration::from_nanos(1))
}

fn http(connection: &Arc<Connection>, patience: Duration) -> Http {
    let call = Call { execution: None, key: "key".into(), deadline: Instant::now() + patience };
    let vendor = Vendor {
        error: |response| Error::new(sdk::http::kind_of(response.status), String::from_utf8_lossy(&response.body)),
        quota: |headers: &HeaderMap| {
            let left = headers.get("x-left").and_then(|left| left.to_str().ok());
            match left {
                Some("0") => Quota { pause: Some(Duration::from_millis(300)), exhausted: false },
                Some("none today") => Quota { pause: Some(Duration::from_secs(3600)), exhausted: true },
                _ => Quota::default(),
            }
        },
    };
    Http::new(connection.clone(), call).for_vendor(vendor, &Credentials::new().with("token", "s3cret-canary"))
}

const PATIENT: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_read_is_repeated_until_it_works_and_every_attempt_is_seen() {
    let (vendors, url) = serve().await;
    vendors.will([Next::Answer(503, &[], "busy"), Next::Answer(429, &[], "slow down")]);
    let (connection, seen) = connection(settings(), unlimited());
    let answer =
        http(&connection, PATIENT).get("/things/{id}", format!("{url}/things/7?secret=1")).send().await.unwrap();
    assert_eq!(answer.body, b"{\"ok\":true}");
    let seen = seen.lock().unwrap();
    let statuses: Vec<_> = seen.iter().map(|attempt| (attempt.number, attempt.status.unwrap().as_u16())).collect();
    assert_eq!(statuses, [(1, 503), (2, 429), (3, 200)]);
    assert!(seen.iter().all(|attempt| attempt.endpoint == "/things/{id}"), "no id and no query is kept");
    assert_eq!(seen[2].error, None);
}

#[tokio::test]
async fn the_wait_that_the_vendor_asks_for_is_honoured() {
    let (vendors, url) = serve().await;
    vendors.will([Next::Answer(429, &[("retry-after", "1")], "slow down")]);
    let (connection, _) = connection(settings(), unlimited());
    let started = Instant::now();
    http(&connection, PATIENT).get("/", url.clone()).send().await.unwrap();
    assert!(started.elapsed() >= Duration::from_secs(1));
    // A wait beyond the deadline is not begun; the caller learns how long it would be.
    vendors.will([Next::Answer(429, &[("retry-after", "3600")], "slow down")]);
    let error = http(&connection, PATIENT).get("/", url).send().await.unwrap_err();
    assert_eq!((error.kind, error.retry_after), (Kind::RateLimited, Some(Duration::from_secs(3600))));
}

#[tokio::test]
async fn a_refusal_is_not_repeated() {
    let (vendors, url) = serve().await;
    let (connection, _) = connection(settings(), unlimited());
    for (status, kind) in [
        (400, Kind::InvalidInput),
        (401, Kind::Unauthenticated),
        (403, Kind::Forbidden),
        (404, Kind::NotFound),
        (409, Kind::Conflict),
    ] {
        let before = vendors.requests();
        vendors.will([Next::Answer(status, &[], "no")]);
        let error = http(&connection, PATIENT).get("/", url.clone()).send().await.unwrap_err();
        assert_eq!((error.kind, vendors.requests() - before), (kind, 1), "{status}");
    }
}

#[tokio::test]
async fn a_write_without_an_answer_is_never_repeated_and_its_outcome_is_unknown() {
    let (vendors, url) = serve().await;
    let (connection, _) = connection(settings(), unlimited());
    for next in [Next::Answer(503, &[], "gateway"), Next::Stall(Duration::from_secs(5))] {
        let before = vendors.requests();
        vendors.will([next]);
        let error = http(&connection, PATIENT).post("/", url.clone()).json(&1).send().await.unwrap_err();
        assert!(error.outcome_unknown, "{error}");
        assert_eq!(vendors.requests() - before, 1);
    }
    // The vendor says that it did not look at it: that may be repeated.
    let before = vendors.requests();
    vendors.will([Next::Answer(429, &[], "slow down")]);
    http(&connection, PATIENT).post("/", url.clone()).json(&1).send().await.unwrap();
    assert_eq!(vendors.requests() - before, 2);
    // One that the vendor carries out once however often it arrives may be repeated too.
    let before = vendors.requests();
    vendors.will([Next::Answer(503, &[], "gateway")]);
    http(&connection, PATIENT).post("/", url).json(&1).repeatable().send().await.unwrap();
    assert_eq!(vendors.requests() - before, 2);
}

#[tokio::test]
async fn a_connection_that_breaks_off_after_the_request_is_an_unknown_write() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 1024];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"half\":").await;
        }
    });
    let (connection, seen) = connection(settings(), unlimited());
    let error = http(&connection, PATIENT).post("/", url.clone()).json(&1).send().await.unwrap_err();
    assert_eq!((error.kind, error.outcome_unknown), (Kind::Unavailable, true));
    assert_eq!(seen.lock().unwrap().len(), 1);
    let error = http(&connection, PATIENT).get("/", url).send().await.unwrap_err();
    assert_eq!((error.kind, error.outcome_unknown), (Kind::Unavailable, false));
    assert_eq!(seen.lock().unwrap().len(), 4, "a read was tried three times");
}

#[tokio::test]
async fn a_vendor_that_cannot_be_reached_is_tried_again_even_for_a_write() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let (connection, seen) = connection(settings(), unlimited());
    let error = http(&connection, PATIENT).post("/", url).json(&1).send().await.unwrap_err();
    assert_eq!((error.kind, error.outcome_unknown), (Kind::Unavailable, false), "nothing was ever sent");
    assert_eq!(seen.lock().unwrap().len(), 3);
}

#[tokio::test]
async fn five_failures_in_a_row_open_the_breaker_and_one_success_closes_it() {
    let (vendors, url) = serve().await;
    let (connection, _) = connection(Settings { attempts: 1, ..settings() }, unlimited());
    let get = || http(&connection, PATIENT).get("/", url.clone()).send();
    vendors.will([Next::Answer(503, &[], ""), Next::Answer(503, &[], ""), Next::Answer(200, &[], "{}")]);
    vendors.will(vec![Next::Answer(503, &[], ""); 5]);
    for _ in 0..8 {
        let _ = get().await;
    }
    assert_eq!(vendors.requests(), 8, "two failures, a success, five failures: only the last open it");
    let error = get().await.unwrap_err();
    assert!(error.message.contains("5 times in a row") && error.retry_after.is_some(), "{error}");
    assert_eq!(vendors.requests(), 8, "nothing is sent while it is open");
    tokio::time::sleep(Duration::from_millis(500)).await;
    get().await.unwrap();
    get().await.unwrap();
    assert_eq!(vendors.requests(), 10);
}

/// Also when nothing was sent before; and after the pause one tries, not all.
#[tokio::test]
async fn the_first_five_failures_open_the_breaker_and_one_request_tries_again() {
    let (vendors, url) = serve().await;
    let (connection, _) = connection(Settings { attempts: 1, ..settings() }, unlimited());
    let get = || http(&connection, PATIENT).get("/", url.clone()).send();
    vendors.will(vec![Next::Answer(503, &[], ""); 6]);
    for _ in 0..8 {
        let _ = get().await;
    }
    assert_eq!(vendors.requests(), 5);
    tokio::time::sleep(Duration::from_millis(500)).await;
    let all = futures::future::join_all((0..4).map(|_| get())).await;
    assert!(all.iter().all(Result::is_err));
    assert_eq!(vendors.requests(), 6, "one tried, and it failed");
    get().await.unwrap_err();
    assert_eq!(vendors.requests(), 6, "the pause began anew");
}

/// While it is open nobody queues for a permission that could not be used, and none is used up.
#[tokio::test]
async fn nobody_waits_to_send_what_would_not_be_sent() {
    let (vendors, url) = serve().await;
    let slow = Limits::new(5, Duration::from_secs(60));
    let settings = Settings { attempts: 1, breaker_pause: Duration::from_secs(60), ..settings() };
    let (connection, _) = connection(settings, slow);
    vendors.will(vec![Next::Answer(503, &[], ""); 5]);
    for _ in 0..5 {
        http(&connection, PATIENT).get("/", url.clone()).send().await.unwrap_err();
    }
    let error = http(&connection, PATIENT).get("/", url).send().await.unwrap_err();
    assert!(error.kind == Kind::Unavailable && error.message.contains("5 times in a row"), "{error}");
}

#[tokio::test]
async fn refusals_do_not_open_the_breaker() {
    let (vendors, url) = serve().await;
    vendors.will(vec![Next::Answer(404, &[], ""); 10]);
    let (connection, _) = connection(settings(), unlimited());
    for _ in 0..10 {
        let _ = http(&connection, PATIENT).get("/", url.clone()).send().await;
    }
    http(&connection, PATIENT).get("/", url).send().await.unwrap();
}

#[tokio::test]
async fn the_bucket_holds_back_and_never_waits_beyond_the_deadline() {
    let (vendors, url) = serve().await;
    let limits = Limits::new(5, Duration::from_millis(50));
    let (connection, _) = connection(settings(), limits);
    let started = Instant::now();
    for _ in 0..10 {
        http(&connection, PATIENT).get("/", url.clone()).send().await.unwrap();
    }
    assert!(started.elapsed() >= Duration::from_millis(5 * 50), "five at once, then one each 50 ms");
    let slow = Limits::new(1, Duration::from_secs(60));
    let (connection, _) = self::connection(settings(), slow);
    http(&connection, PATIENT).get("/", url.clone()).send().await.unwrap();
    let before = vendors.requests();
    let error = http(&connection, Duration::from_millis(200)).get("/", url).send().await.unwrap_err();
    assert_eq!((error.kind, vendors.requests()), (Kind::RateLimited, before));
    assert!(error.retry_after.unwrap() > Duration::from_secs(30));
}

/// Of many that are sent at once only so many are under way, and the others follow as answers come.
#[tokio::test]
async fn no_more_are_under_way_than_the_vendor_takes() {
    let (vendors, url) = serve().await;
    let (connection, _) = connection(settings(), unlimited().at_once(2));
    vendors.will((0..6).map(|_| Next::Stall(Duration::from_millis(60))));
    let sent = (0..6).map(|_| http(&connection, PATIENT).get("/", url.clone()).send());
    let started = Instant::now();
    let answers = futures::future::join_all(sent).await;
    assert!(answers.iter().all(Result::is_ok) && started.elapsed() >= Duration::from_millis(3 * 60));
    vendors.will((0..2).map(|_| Next::Stall(Duration::from_millis(400))));
    let sent = (0..2).map(|_| http(&connection, PATIENT).get("/", url.clone()).send());
    let late = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        http(&connection, Duration::from_millis(100)).get("/", url.clone()).send().await
    };
    let (_, late) = tokio::join!(futures::future::join_all(sent), late);
    assert_eq!(late.unwrap_err().kind, Kind::RateLimited, "the third got no place in time");
}

/// An operation that takes one at a time is asked again when it has answered, and nothing else waits for it.
#[tokio::test]
async fn an_operation_holds_what_is_under_way_by_itself() {
    let (vendors, url) = serve().await;
    let (connection, _) = connection(settings(), unlimited());
    let one = unlimited().at_once(1);
    vendors.will((0..3).map(|_| Next::Stall(Duration::from_millis(60))));
    let send = || http(&connection, PATIENT).get("/", url.clone()).paced(one).send();
    let started = Instant::now();
    let others = async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        http(&connection, PATIENT).get("/other", url.clone()).send().await
    };
    let (first, second, other) = tokio::join!(send(), send(), others);
    assert!(first.is_ok() && second.is_ok() && other.is_ok());
    assert!(started.elapsed() >= Duration::from_millis(2 * 60), "the second waited for the answer to the first");
    vendors.will([Next::Stall(Duration::from_millis(1500))]);
    let late = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let late = http(&connection, Duration::from_millis(100)).get("/", url.clone()).paced(one).send().await;
        (late, http(&connection, Duration::from_secs(1)).get("/other", url.clone()).send().await)
    };
    let (_, (late, other)) = tokio::join!(send(), late);
    assert_eq!(late.unwrap_err().kind, Kind::RateLimited, "the operation was busy until the deadline");
    assert!(other.is_ok(), "the others were not");
}

#[tokio::test]
async fn limits_never_allow_more_than_the_vendor_in_any_window() {
    for (max, seconds) in [(100_u32, 10_u64), (500, 60), (10, 1), (1, 1)] {
        let limits = Limits::window(max, Duration::from_secs(seconds));
        let earned = Duration::from_secs(seconds).as_secs_f64() / limits.replenish.as_secs_f64();
        assert!(f64::from(limits.burst.get()) + earned.floor() <= f64::from(max.max(2)) + 1e-6, "{max} in {seconds} s");
    }
}

#[tokio::test]
async fn what_the_headers_say_is_learned() {
    let (vendors, url) = serve().await;
    let (connection, _) = connection(settings(), unlimited());
    vendors.will([Next::Answer(200, &[("x-left", "0")], "{}")]);
    http(&connection, PATIENT).get("/", url.clone()).send().await.unwrap();
    let started = Instant::now();
    http(&connection, PATIENT).get("/", url.clone()).send().await.unwrap();
    assert!(started.elapsed() >= Duration::from_millis(250), "the window had to pass first");
    vendors.will([Next::Answer(429, &[("x-left", "none today")], "{}")]);
    let before = vendors.requests();
    let error = http(&connection, PATIENT).get("/", url.clone()).send().await.unwrap_err();
    assert_eq!((error.kind, vendors.requests() - before), (Kind::RateLimited, 1), "waiting does not help today");
    http(&connection, PATIENT).get("/", url).send().await.unwrap_err();
    assert_eq!(vendors.requests() - before, 1, "nothing more is sent");
}

/// Requests a second, as a header tells them.
fn told(headers: &HeaderMap) -> Option<Duration> {
    let rate: f64 = headers.get("x-rate")?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs_f64(1.0 / rate))
}

#[tokio::test]
async fn the_pace_that_a_vendor_tells_is_kept_and_what_was_used_stays_used() {
    let (vendors, url) = serve().await;
    let (connection, _) = connection(settings(), unlimited());
    let three = Limits::new(3, Duration::from_secs(3600));
    let send = |patience| http(&connection, patience).get("/", url.clone()).paced(three).paced_as_told(told).send();
    vendors.will([Next::Answer(200, &[("x-rate", "0.01")], "{}")]);
    send(PATIENT).await.unwrap();
    send(PATIENT).await.unwrap();
    send(PATIENT).await.unwrap();
    let error = send(Duration::from_millis(200)).await.unwrap_err();
    let wait = error.retry_after.unwrap().as_secs();
    assert!((90..=100).contains(&wait), "one request in 100 s was told, the wait is {wait} s");
    assert_eq!(vendors.requests(), 3);
}

#[tokio::test]
async fn secrets_are_scrubbed_and_redirects_are_not_followed() {
    let (vendors, url) = serve().await;
    let (connection, seen) = connection(settings(), unlimited());
    vendors.will([Next::Answer(401, &[], "bad token s3cret-canary")]);
    let request = http(&connection, PATIENT).get("/", url.clone()).bearer("s3cret-canary");
    let error = request.send().await.unwrap_err();
    assert_eq!(error.message, "bad token [redacted]");
    vendors.will([Next::Answer(302, &[("location", "http://127.0.0.1:1/steal")], "")]);
    http(&connection, PATIENT).get("/", url).bearer("s3cret-canary").send().await.unwrap_err();
    assert!(!format!("{:?}", seen.lock().unwrap()).contains("canary"));
}

#[tokio::test]
async fn an_answer_that_is_not_json_or_too_large_is_the_vendors_fault() {
    let (vendors, url) = serve().await;
    let (connection, _) = connection(Settings { largest_body: 1000, ..settings() }, unlimited());
    vendors.will([Next::Answer(200, &[("content-type", "text/html")], "<html>maintenance</html>")]);
    let answer = http(&connection, PATIENT).post("/", url.clone()).json(&1).send().await.unwrap();
    let error = answer.json::<serde_json::Value>().unwrap_err();
    assert_eq!((error.kind, error.outcome_unknown), (Kind::Upstream, true), "the write may have happened");
    let long: &'static str = Box::leak("x".repeat(5000).into_boxed_str());
    vendors.will([Next::Answer(200, &[], long)]);
    let error = http(&connection, PATIENT).get("/", url).send().await.unwrap_err();
    assert_eq!(error.kind, Kind::Upstream);
}
