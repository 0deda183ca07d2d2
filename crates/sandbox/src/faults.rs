//! Faults on demand: what the vendor's side does wrong, when and how often.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde::{Deserialize, Serialize};

/// One way to misbehave. On the admin wire: `{"status": 503}`, `{"stall": 2000}`, `"dropReply"`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Fault {
    /// Answers with this status and the vendor's body for it, before anything happens.
    Status(u16),
    /// 429 with `X-RateLimit-Daily-Remaining: 0`.
    DailyLimit,
    /// 401, and an OAuth bearer is dead from now on.
    ExpiredToken,
    /// Waits before the work starts; a client that hangs up prevents it.
    #[serde(with = "millis")]
    Stall(Duration),
    /// Does the work, then waits before the answer leaves.
    #[serde(with = "millis")]
    StallReply(Duration),
    /// Closes the connection before the work.
    Drop,
    /// Does the work, then closes the connection without a byte of answer.
    DropReply,
    /// Does the work, then answers with bytes that are not JSON, labelled as JSON.
    Malformed,
    /// Does the work, then answers 200 with a page of HTML.
    Html,
    /// Does the work, then closes the connection in the middle of the body.
    Truncated,
}

/// Where and how often a fault strikes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Rule {
    /// The path must start with this; empty is every path.
    #[serde(default)]
    pub path: String,
    /// Only this method; none is every method.
    #[serde(default)]
    pub method: Option<String>,
    /// How often it still strikes; none is always.
    #[serde(default)]
    pub times: Option<u32>,
    pub fault: Fault,
}

/// The faults of one sandbox, set while it runs. The oldest rule that fits a request strikes.
#[derive(Default)]
pub struct Faults {
    rules: Mutex<Vec<Rule>>,
}

impl Faults {
    /// The next `times` requests get this fault.
    pub fn next(&self, times: u32, fault: Fault) {
        self.add(Rule { path: String::new(), method: None, times: Some(times), fault });
    }

    /// The next `times` requests whose path starts with `path` get this fault.
    pub fn next_on(&self, path: &str, times: u32, fault: Fault) {
        self.add(Rule { path: path.to_owned(), method: None, times: Some(times), fault });
    }

    /// The next `times` requests that create something below `path` get this fault.
    pub fn next_post_on(&self, path: &str, times: u32, fault: Fault) {
        self.add(Rule { path: path.to_owned(), method: Some("POST".into()), times: Some(times), fault });
    }

    /// Every request whose path starts with `path` gets this fault until [`Faults::clear`].
    pub fn always(&self, path: &str, fault: Fault) {
        self.add(Rule { path: path.to_owned(), method: None, times: None, fault });
    }

    /// Good behaviour again.
    pub fn clear(&self) {
        self.rules().clear();
    }

    pub(crate) fn add(&self, rule: Rule) {
        self.rules().push(rule);
    }

    pub(crate) fn all(&self) -> Vec<Rule> {
        self.rules().clone()
    }

    /// The fault for this request, counted.
    pub(crate) fn take(&self, method: &str, path: &str) -> Option<Fault> {
        let mut rules = self.rules();
        let found = rules.iter().position(|rule| {
            path.starts_with(&rule.path) && rule.method.as_deref().is_none_or(|only| only.eq_ignore_ascii_case(method))
        })?;
        let rule = &mut rules[found];
        let fault = rule.fault.clone();
        if let Some(times) = &mut rule.times {
            *times = times.saturating_sub(1);
            if *times == 0 {
                rules.remove(found);
            }
        }
        Some(fault)
    }

    fn rules(&self) -> MutexGuard<'_, Vec<Rule>> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

mod millis {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_millis)
    }
}
