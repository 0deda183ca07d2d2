//! Slack's methods beyond the tools.

use std::time::Duration;

use sdk::http::{Request, Response};
use sdk::{Error, Limits, Result};
use serde_json::Value;

use super::{Slack, messages, wire};
use crate::operations::{Body, LongTail, Operation};

impl LongTail for Slack {
    const OPERATIONS: &'static str = include_str!("operations.txt");
    const JOINS_LISTS: bool = true;

    /// Nobody is called by accident.
    fn shape(_: &Operation, body: &mut Body) -> Result<()> {
        if messages::calls_everybody(&Value::Object(body.clone()).to_string()) {
            return Err(Error::invalid_input("body: a text that calls everybody is posted with post_message alone"));
        }
        Ok(())
    }

    fn begin(&self, operation: &Operation, _: &[&str]) -> Result<Request> {
        let method = operation.path.trim_start_matches('/');
        let request = self.http.request(operation.method()?, method, self.url(method)).bearer(&self.token);
        // A tenth below what Slack allows.
        let most = operation.limit.parse::<u32>().unwrap_or(1);
        Ok(request.paced(Limits::window((most * 9 / 10).max(1), Duration::from_secs(60))))
    }

    fn refusal(response: &Response, _: &Value, changes: bool) -> Result<()> {
        wire::read(response, changes).map(drop)
    }
}
