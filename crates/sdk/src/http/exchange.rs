//! An exchange that is not HTTP (a mail over SMTP), on the same way as every request.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use super::pipeline::{Failure, Record};
use super::{Http, Method, StatusCode};
use crate::{Error, Result};

/// What an exchange tells of itself while it runs; the audit's record of the attempt keeps it.
#[derive(Clone, Default)]
pub struct Exchange(Arc<Mutex<Told>>);

#[derive(Clone, Copy, Default)]
struct Told {
    status: Option<StatusCode>,
    sent: usize,
    received: usize,
    committing: bool,
}

impl Exchange {
    /// The other side's last reply code; one outside 100 to 999 is left out.
    pub fn status(&self, code: u16) {
        self.told().status = StatusCode::from_u16(code).ok();
    }

    /// Adds bytes that were sent.
    pub fn sent(&self, bytes: usize) {
        self.told().sent += bytes;
    }

    /// Adds bytes that were received.
    pub fn received(&self, bytes: usize) {
        self.told().received += bytes;
    }

    /// From here on the other side may carry it out. If the time ends now, the outcome is unknown and nothing is sent
    /// again.
    pub fn committing(&self) {
        self.told().committing = true;
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Http {
    /// Runs an exchange that is not HTTP through the connection's bucket, breaker, retries, time-out, metrics and
    /// observer. `method` is the protocol's name (`SMTP`) and stands in the audit where an HTTP method does.
    ///
    /// A temporary error is tried again with a new exchange, unless its outcome is unknown: so an error after
    /// [`Exchange::committing`] that does not say whether it was carried out needs `with_unknown_outcome`. Secrets in
    /// error messages are replaced.
    pub async fn attempt<T, F, Fut>(&self, method: &'static str, endpoint: &'static str, work: F) -> Result<T>
    where
        F: Fn(Exchange) -> Fut,
        Fut: Future<Output = Result<T>>,
    {
        let method = Method::from_bytes(method.as_bytes())
            .map_err(|e| Error::internal(format!("{method} cannot be the name of a protocol")).with_source(e))?;
        let (method, work) = (&method, &work);
        self.through(None, |number| async move {
            let mut record = Record::start(self, method.clone(), endpoint, number);
            self.observed(&mut record, work).await
        })
        .await
    }

    async fn observed<T, F, Fut>(&self, record: &mut Record<'_>, work: &F) -> Result<T, Failure>
    where
        F: Fn(Exchange) -> Fut,
        Fut: Future<Output = Result<T>>,
    {
        let telling = Telling { record, exchange: Exchange::default() };
        let exchange = telling.exchange.clone();
        let left = self.call.deadline.saturating_duration_since(Instant::now());
        let time = self.connection.settings.timeout.min(left);
        let outcome = tokio::time::timeout(time, work(exchange.clone())).await;
        let outcome = outcome.unwrap_or_else(|_| Err(self.too_late(telling.record.attempt.endpoint, &exchange)));
        let outcome = outcome.map_err(|mut error| {
            error.message = self.scrub(&error.message);
            error
        });
        telling.record.attempt.error = outcome.as_ref().err().map(|error| error.message.clone());
        outcome.map_err(|error| Failure { repeat: error.is_temporary() && !error.outcome_unknown, error })
    }

    fn too_late(&self, endpoint: &str, exchange: &Exchange) -> Error {
        let error = Error::unavailable(format!("{} ({endpoint}) did not answer in time", self.connection.ecosystem));
        if exchange.told().committing { error.with_unknown_outcome() } else { error }
    }
}

/// Hands what the exchange told to the record, also when it is cancelled.
struct Telling<'a, 'b> {
    record: &'a mut Record<'b>,
    exchange: Exchange,
}

impl Drop for Telling<'_, '_> {
    fn drop(&mut self) {
        let told = *self.exchange.told();
        self.record.attempt.status = told.status;
        self.record.attempt.request_bytes = told.sent;
        self.record.attempt.response_bytes = told.received;
    }
}
