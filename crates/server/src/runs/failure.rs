use std::time::Duration;

use chrono::{DateTime, Utc};
use store::StoreError;

/// Why an attempt did not end with a result, by what is to be done about it.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Failure {
    /// Tried again after a back-off, or later if `retry_after` is longer; a dead letter when the attempts are used up.
    #[error("{message}")]
    Temporary { message: String, retry_after: Option<Duration> },
    /// Trying again would not help.
    #[error("{0}")]
    Permanent(String),
    /// Nobody can make sense of it; kept for a person to look at.
    #[error("{0}")]
    Dead(String),
    /// Not a failure: the run rests until then, or until the signal arrives. Resting costs no attempt and no memory.
    #[error("waiting until {until}")]
    Parked { until: DateTime<Utc>, signal: Option<String> },
    /// The run is no longer ours, or we shut down: it goes on elsewhere.
    #[error("interrupted")]
    Interrupted,
}

impl Failure {
    /// Worth another try.
    pub fn retry(message: impl Into<String>) -> Failure {
        Failure::Temporary { message: message.into(), retry_after: None }
    }

    /// Not worth another try.
    pub fn permanent(message: impl Into<String>) -> Failure {
        Failure::Permanent(message.into())
    }

    /// For a person to look at.
    pub fn dead(message: impl Into<String>) -> Failure {
        Failure::Dead(message.into())
    }

    pub(super) fn undecodable(error: &serde_json::Error) -> Failure {
        Failure::Dead(format!("the input is not understood: {error}"))
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Failure {
        Failure::retry(error.to_string())
    }
}

impl From<sdk::Error> for Failure {
    fn from(error: sdk::Error) -> Failure {
        // A write of which nobody knows whether it happened is for a person to look at, not for a second try.
        match error.is_temporary() && !error.outcome_unknown {
            true => Failure::Temporary { message: error.message, retry_after: error.retry_after },
            false => Failure::Permanent(error.message),
        }
    }
}
