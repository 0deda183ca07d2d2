//! What every exchange with a vendor goes through, whatever it speaks: bucket, breaker, retry, record.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use tokio::time::Instant;

use super::{Attempt, Http, Method};
use crate::{Error, Kind, Limits, Result};

/// A failed attempt: the error, and whether sending again can do no harm.
pub(super) struct Failure {
    pub error: Error,
    pub repeat: bool,
}

impl Http {
    /// Runs an exchange, which gets the attempt's number, until it works or may not be repeated.
    pub(super) async fn through<T, F, Fut>(&self, pace: Option<(&'static str, Limits)>, exchange: F) -> Result<T>
    where
        F: Fn(usize) -> Fut,
        Fut: Future<Output = Result<T, Failure>>,
    {
        let settings = &self.connection.settings;
        let deadline = self.call.deadline;
        let waits = ExponentialBuilder::default()
            .with_min_delay(settings.first_wait)
            .with_max_delay(settings.longest_wait)
            .with_max_times(settings.attempts.saturating_sub(1))
            .with_jitter();
        let number = AtomicUsize::new(0);
        let attempt = || self.guarded(pace, exchange(number.fetch_add(1, Ordering::Relaxed) + 1));
        let outcome = attempt
            .retry(waits)
            .when(|failure| failure.repeat)
            .adjust(|failure, wait| fitting(wait, failure.error.retry_after, deadline))
            .notify(|_, _| {
                metrics::counter!("outbound_retries_total", "ecosystem" => self.connection.ecosystem).increment(1)
            })
            .await;
        outcome.map_err(|failure| failure.error)
    }

    /// One attempt behind bucket and breaker.
    async fn guarded<T>(
        &self,
        pace: Option<(&'static str, Limits)>,
        exchange: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        // Nobody waits for permission to send what would not be sent.
        if self.connection.breaker.is_open() {
            return Err(Failure { error: self.paused(), repeat: false });
        }
        let permission = self.connection.permission(pace, self.call.deadline).await;
        let _place = permission.map_err(|error| Failure { error, repeat: false })?;
        let Some(pass) = self.connection.breaker.pass() else {
            return Err(Failure { error: self.paused(), repeat: false });
        };
        let outcome = exchange.await;
        let ill = |failure: &Failure| matches!(failure.error.kind, Kind::Unavailable | Kind::Upstream);
        if outcome.as_ref().err().is_some_and(ill) {
            pass.failed()
        } else {
            pass.worked()
        }
        outcome
    }

    fn paused(&self) -> Error {
        let pause = self.connection.settings.breaker_pause;
        Error::unavailable(format!(
            "{} failed {} times in a row and is left alone for {} s",
            self.connection.ecosystem,
            self.connection.settings.breaker_failures,
            pause.as_secs()
        ))
        .with_retry_after(pause)
    }
}

/// The wait before the next attempt: at least what the vendor asked for, never beyond the deadline.
fn fitting(wait: Option<Duration>, asked: Option<Duration>, deadline: Instant) -> Option<Duration> {
    let wait = wait?.max(asked.unwrap_or_default());
    (Instant::now() + wait < deadline).then_some(wait)
}

/// Tells the observer of the attempt when it ends, however it ends.
pub(super) struct Record<'a> {
    http: &'a Http,
    started: Instant,
    pub attempt: Attempt,
}

impl<'a> Record<'a> {
    pub(super) fn start(http: &'a Http, method: Method, endpoint: &'static str, number: usize) -> Record<'a> {
        let attempt = Attempt {
            ecosystem: http.connection.ecosystem,
            execution: http.call.execution,
            endpoint,
            method,
            status: None,
            latency: Duration::ZERO,
            request_bytes: 0,
            response_bytes: 0,
            error: Some("cancelled".into()),
            number,
        };
        Record { http, started: Instant::now(), attempt }
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
        (self.http.connection.observer)(self.attempt.clone());
    }
}
