//! One request and its way through the pipeline.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use http::header::{HeaderName, HeaderValue};
use serde::{Serialize, de::DeserializeOwned};
use tokio::time::Instant;

use super::{Attempt, HeaderMap, Http, Method, StatusCode};
use crate::{Error, Kind, Limits, Result};

/// A request that is being built.
pub struct Request {
    http: Http,
    endpoint: &'static str,
    repeatable: bool,
    pace: Option<Limits>,
    request: Result<reqwest::Request>,
}

/// A vendor's answer, read to its end.
#[derive(Debug)]
pub struct Response {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
    endpoint: &'static str,
    changed: bool,
}

impl Response {
    /// The body as text; what is not UTF-8 in it is replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as `T`. An answer that cannot be read is [`Kind::Upstream`]; after a write its
    /// outcome is unknown.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_slice(&self.body).map_err(|e| {
            let message = format!("{} answered with something that is not the documented JSON", self.endpoint);
            let error = Error::upstream(message).with_source(e);
            if self.changed { error.with_unknown_outcome() } else { error }
        })
    }
}

/// A failed attempt: the error, and whether sending again can do no harm.
struct Failure {
    error: Error,
    repeat: bool,
}

impl Request {
    pub(super) fn new(http: Http, method: Method, endpoint: &'static str, url: String) -> Request {
        let repeatable = matches!(method, Method::GET | Method::HEAD | Method::PUT | Method::DELETE);
        let request = url::Url::parse(&url)
            .map(|url| reqwest::Request::new(method, url))
            .map_err(|e| Error::internal(format!("the URL of {endpoint} is not valid")).with_source(e));
        Request { http, endpoint, repeatable, pace: None, request }
    }

    /// The vendor carries out this request once, however often it arrives.
    pub fn repeatable(mut self) -> Request {
        self.repeatable = true;
        self
    }

    /// `Authorization: Bearer …`
    pub fn bearer(self, token: &str) -> Request {
        self.header(http::header::AUTHORIZATION, &format!("Bearer {token}"))
    }

    pub fn header(self, name: HeaderName, value: &str) -> Request {
        self.change(|request| {
            let mut value = HeaderValue::from_str(value).map_err(|_| {
                Error::invalid_input(format!(
                    "the value for the header {name} has characters that a header cannot carry"
                ))
            })?;
            value.set_sensitive(name == http::header::AUTHORIZATION);
            request.headers_mut().insert(name, value);
            Ok(())
        })
    }

    /// Adds query parameters; values that are `None` are left out.
    pub fn query(self, pairs: &[(&str, Option<String>)]) -> Request {
        self.change(|request| {
            let given = pairs.iter().filter_map(|(name, value)| value.as_ref().map(|value| (name, value)));
            request.url_mut().query_pairs_mut().extend_pairs(given);
            Ok(())
        })
    }

    pub fn json(self, body: &impl Serialize) -> Request {
        self.change(|request| {
            let body = serde_json::to_vec(body)
                .map_err(|e| Error::internal("the request could not be written").with_source(e))?;
            request.headers_mut().insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
            *request.body_mut() = Some(body.into());
            Ok(())
        })
    }

    /// A body of `application/x-www-form-urlencoded`.
    pub fn form(self, pairs: &[(&str, &str)]) -> Request {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        self.body(body.into_bytes(), "application/x-www-form-urlencoded")
    }

    /// A body as it is.
    pub fn body(self, body: Vec<u8>, content_type: &str) -> Request {
        self.header(http::header::CONTENT_TYPE, content_type).change(|request| {
            *request.body_mut() = Some(body.into());
            Ok(())
        })
    }

    /// Keeps this operation's own limit of the vendor beside that of the connection: requests with the same endpoint
    /// share it.
    pub fn paced(mut self, limits: Limits) -> Request {
        self.pace = Some(limits);
        self
    }

    /// Sends through the pipeline and returns a successful answer, or the vendor's error.
    pub async fn send(self) -> Result<Response> {
        let Request { http, endpoint, repeatable, pace, request } = self;
        let mut request = request?;
        request.headers_mut().entry(http::header::ACCEPT).or_insert(HeaderValue::from_static("application/json"));
        let sending = Sending { http, endpoint, repeatable, pace, request };
        sending.with_retries().await
    }

    fn change(mut self, change: impl FnOnce(&mut reqwest::Request) -> Result<()>) -> Request {
        if let Ok(request) = &mut self.request
            && let Err(e) = change(request)
        {
            self.request = Err(e);
        }
        self
    }
}

/// A request that is complete.
struct Sending {
    http: Http,
    endpoint: &'static str,
    repeatable: bool,
    pace: Option<Limits>,
    request: reqwest::Request,
}

impl Sending {
    async fn with_retries(&self) -> Result<Response> {
        let settings = &self.http.connection.settings;
        let deadline = self.http.call.deadline;
        let waits = ExponentialBuilder::default()
            .with_min_delay(settings.first_wait)
            .with_max_delay(settings.longest_wait)
            .with_max_times(settings.attempts.saturating_sub(1))
            .with_jitter();
        let number = AtomicUsize::new(0);
        let attempt = || self.attempt(number.fetch_add(1, Ordering::Relaxed) + 1);
        let outcome = attempt
            .retry(waits)
            .when(|failure| failure.repeat)
            .adjust(|failure, wait| fitting(wait, failure.error.retry_after, deadline))
            .notify(|_, _| {
                metrics::counter!("outbound_retries_total", "ecosystem" => self.http.connection.ecosystem).increment(1)
            })
            .await;
        outcome.map_err(|failure| failure.error)
    }

    /// One attempt behind bucket and breaker.
    async fn attempt(&self, number: usize) -> Result<Response, Failure> {
        let connection = &self.http.connection;
        let pace = self.pace.map(|limits| (self.endpoint, limits));
        connection.permission(pace, self.http.call.deadline).await.map_err(|error| Failure { error, repeat: false })?;
        let ill = |failure: &Failure| matches!(failure.error.kind, Kind::Unavailable | Kind::Upstream);
        match connection.breaker.call_with(ill, self.exchange(number)).await {
            Ok(response) => Ok(response),
            Err(recloser::Error::Inner(failure)) => Err(failure),
            Err(recloser::Error::Rejected) => Err(Failure { error: self.paused(), repeat: false }),
        }
    }

    async fn exchange(&self, number: usize) -> Result<Response, Failure> {
        let mut record = Record::start(self, number);
        let outcome = self.roundtrip(&mut record).await;
        record.attempt.error = outcome.as_ref().err().map(|failure| failure.error.message.clone());
        outcome
    }

    async fn roundtrip(&self, record: &mut Record<'_>) -> Result<Response, Failure> {
        let settings = &self.http.connection.settings;
        let left = self.http.call.deadline.saturating_duration_since(Instant::now());
        let Some(request) = self.request.try_clone() else {
            return Err(Failure { error: Error::internal("the request cannot be sent twice"), repeat: false });
        };
        let exchange = self.receive(request, record);
        let response = match tokio::time::timeout(settings.timeout.min(left), exchange).await {
            Ok(received) => received?,
            Err(_) => return Err(self.lost(Error::unavailable(format!("{} did not answer in time", self.name())))),
        };
        self.http.connection.learn((self.http.vendor.quota)(&response.headers));
        if response.status.is_success() { Ok(response) } else { Err(self.refused(&response)) }
    }

    async fn receive(&self, request: reqwest::Request, record: &mut Record<'_>) -> Result<Response, Failure> {
        let mut answer = self.http.connection.client.execute(request).await.map_err(|e| self.broken(e))?;
        record.attempt.status = Some(answer.status());
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|e| self.broken(e))? {
            body.extend_from_slice(&chunk);
            record.attempt.response_bytes = body.len();
            if body.len() > self.http.connection.settings.largest_body {
                let error = Error::upstream(format!("{} answered with more data than is accepted", self.name()));
                return Err(self.lost(error));
            }
        }
        Ok(Response {
            status: answer.status(),
            headers: answer.headers().clone(),
            body,
            endpoint: self.endpoint,
            changed: !self.repeatable,
        })
    }

    /// The vendor said no.
    fn refused(&self, response: &Response) -> Failure {
        let mut error = (self.http.vendor.error)(response);
        error.message = self.http.scrub(&error.message);
        error.retry_after = error.retry_after.or_else(|| retry_after(&response.headers));
        // A gateway's 5xx says nothing about what the vendor did behind it; a 429 was not carried out.
        if response.status.is_server_error() {
            return self.lost(error);
        }
        let quota = (self.http.vendor.quota)(&response.headers);
        Failure { repeat: error.is_temporary() && !quota.exhausted, error }
    }

    /// The transport failed.
    fn broken(&self, cause: reqwest::Error) -> Failure {
        let never_sent = cause.is_connect();
        let message = if never_sent { "cannot be reached" } else { "broke off the connection" };
        let error = Error::unavailable(format!("{} {message}", self.name())).with_source(cause.without_url());
        if never_sent { Failure { error, repeat: true } } else { self.lost(error) }
    }

    /// No answer that tells what happened. What may be repeated is; a write that never got an answer
    /// has an unknown outcome.
    fn lost(&self, error: Error) -> Failure {
        let repeat = self.repeatable && error.is_temporary();
        let reads = matches!(*self.request.method(), Method::GET | Method::HEAD);
        Failure { error: if reads { error } else { error.with_unknown_outcome() }, repeat }
    }

    fn paused(&self) -> Error {
        let pause = self.http.connection.settings.breaker_pause;
        Error::unavailable(format!(
            "{} failed {} times in a row and is left alone for {} s",
            self.http.connection.ecosystem,
            self.http.connection.settings.breaker_failures,
            pause.as_secs()
        ))
        .with_retry_after(pause)
    }

    fn name(&self) -> String {
        format!("{} ({} {})", self.http.connection.ecosystem, self.request.method(), self.endpoint)
    }
}

/// A vendor that asks for more than this has mistaken the unit.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 3600);

/// The wait before the next attempt: at least what the vendor asked for, never beyond the deadline.
fn fitting(wait: Option<Duration>, asked: Option<Duration>, deadline: Instant) -> Option<Duration> {
    let wait = wait?.max(asked.unwrap_or_default());
    (Instant::now() + wait < deadline).then_some(wait)
}

/// `Retry-After` in seconds (RFC 9110 §10.2.3). The form with a date is read against the `Date`
/// header of the same answer, so that no clock of ours is needed.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(http::header::RETRY_AFTER)?.to_str().ok()?;
    if let Ok(seconds) = text.trim().parse() {
        return Some(Duration::from_secs(seconds).min(LONGEST_WAIT));
    }
    let now = httpdate::parse_http_date(headers.get(http::header::DATE)?.to_str().ok()?).ok()?;
    Some(httpdate::parse_http_date(text).ok()?.duration_since(now).ok()?.min(LONGEST_WAIT))
}

/// Tells the observer of the attempt when it ends, however it ends.
struct Record<'a> {
    sending: &'a Sending,
    started: Instant,
    attempt: Attempt,
}

impl<'a> Record<'a> {
    fn start(sending: &'a Sending, number: usize) -> Record<'a> {
        let body = sending.request.body().and_then(|body| body.as_bytes());
        let attempt = Attempt {
            ecosystem: sending.http.connection.ecosystem,
            execution: sending.http.call.execution,
            endpoint: sending.endpoint,
            method: sending.request.method().clone(),
            status: None,
            latency: Duration::ZERO,
            request_bytes: body.map_or(0, <[u8]>::len),
            response_bytes: 0,
            error: Some("cancelled".into()),
            number,
        };
        Record { sending, started: Instant::now(), attempt }
    }
}

impl Drop for Record<'_> {
    fn drop(&mut self) {
        self.attempt.latency = self.started.elapsed();
        let status = self.attempt.status.map_or_else(|| "none".to_owned(), |status| status.as_str().to_owned());
        let ecosystem = self.attempt.ecosystem;
        metrics::counter!("outbound_requests_total", "ecosystem" => ecosystem, "endpoint" => self.attempt.endpoint, "status" => status)
            .increment(1);
        metrics::histogram!("outbound_request_duration_seconds", "ecosystem" => ecosystem).record(self.attempt.latency);
        (self.sending.http.connection.observer)(self.attempt.clone());
    }
}
