//! One request and its way through the pipeline.

use std::time::Duration;

use http::header::{HeaderName, HeaderValue};
use serde::{Serialize, de::DeserializeOwned};
use tokio::time::Instant;

use super::pipeline::{Failure, Record};
use super::{HeaderMap, Http, Method, StatusCode};
use crate::{Error, Limits, Result};

/// A request that is being built.
pub struct Request {
    http: Http,
    endpoint: &'static str,
    repeatable: bool,
    pace: Option<(&'static str, Limits)>,
    told: Option<Told>,
    request: Result<reqwest::Request>,
}

/// Reads out of an answer's headers in which time the vendor lets this operation earn one request.
type Told = fn(&HeaderMap) -> Option<Duration>;

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
    /// The path as the vendor documents it, for vendors whose limits belong to operations.
    pub fn endpoint(&self) -> &'static str {
        self.endpoint
    }

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

impl Request {
    pub(super) fn new(http: Http, method: Method, endpoint: &'static str, url: String) -> Request {
        let repeatable = matches!(method, Method::GET | Method::HEAD | Method::PUT | Method::DELETE);
        let request = url::Url::parse(&url)
            .map(|url| reqwest::Request::new(method, url))
            .map_err(|e| Error::internal(format!("the URL of {endpoint} is not valid")).with_source(e));
        Request { http, endpoint, repeatable, pace: None, told: None, request }
    }

    /// The vendor carries out this request once, however often it arrives.
    pub fn repeatable(mut self) -> Request {
        self.repeatable = true;
        self
    }

    /// Nobody promises that a second time has no second effect, whatever the method.
    pub fn once(mut self) -> Request {
        self.repeatable = false;
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
    pub fn paced(self, limits: Limits) -> Request {
        let endpoint = self.endpoint;
        self.paced_with(endpoint, limits)
    }

    /// [`Request::paced`] for a limit that several operations share: all that name this group.
    pub fn paced_with(mut self, group: &'static str, limits: Limits) -> Request {
        self.pace = Some((group, limits));
        self
    }

    /// Keeps the pace that the vendor's answers tell instead of the one of [`Request::paced`].
    pub fn paced_as_told(mut self, told: fn(&HeaderMap) -> Option<Duration>) -> Request {
        self.told = Some(told);
        self
    }

    /// Sends through the pipeline and returns a successful answer, or the vendor's error.
    pub async fn send(self) -> Result<Response> {
        let Request { http, endpoint, repeatable, pace, told, request } = self;
        let mut request = request?;
        request.headers_mut().entry(http::header::ACCEPT).or_insert(HeaderValue::from_static("application/json"));
        let told = told.zip(pace).map(|(told, (group, _))| (group, told));
        let sending = &Sending { http, endpoint, repeatable, told, request };
        sending.http.through(pace, |number| sending.exchange(number)).await
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
    /// The group whose pace the answers tell.
    told: Option<(&'static str, Told)>,
    request: reqwest::Request,
}

impl Sending {
    async fn exchange(&self, number: usize) -> Result<Response, Failure> {
        let body = self.request.body().and_then(|body| body.as_bytes()).map_or(0, <[u8]>::len);
        let mut record = Record::start(&self.http, self.request.method().clone(), self.endpoint, number);
        record.attempt.request_bytes = body;
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
        if let Some((group, told)) = self.told
            && let Some(replenish) = told(&response.headers)
        {
            self.http.connection.adopt(group, replenish);
        }
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

    fn name(&self) -> String {
        format!("{} ({} {})", self.http.connection.ecosystem, self.request.method(), self.endpoint)
    }
}

/// A vendor that asks for more than this has mistaken the unit.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 3600);

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
