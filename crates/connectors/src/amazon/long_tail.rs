//! Amazon's operations beyond the tools. Each has a quota of its own.

use std::time::Duration;

use sdk::Result;
use sdk::http::{Method, Request, Response};
use serde_json::Value;

use super::{Amazon, operations, wire};
use crate::operations::{LongTail, Operation, table};

impl LongTail for Amazon {
    const OPERATIONS: &'static str = include_str!("operations.txt");
    const KNOWN: &'static [&'static str] =
        &["marketplaceIds", "MarketplaceIds", "MarketplaceId", "marketplaceId", "sellerId"];
    const JOINS_LISTS: bool = true;

    async fn known(&self, name: &str) -> Result<Option<String>> {
        Ok(match name {
            "sellerId" => self.config.seller_id.clone(),
            "marketplaceIds" | "MarketplaceIds" => Some(self.config.marketplace_ids.join(",")),
            _ => Some(self.marketplace(None)?),
        })
    }

    fn begin(&self, operation: &Operation, ids: &[&str]) -> Result<Request> {
        let method = operation.method()?;
        let (plan, reads) = (planned(operation), method == Method::GET);
        let request = self.request(method, &plan, ids)?;
        // A write has another quota than the read of the same path.
        Ok(if reads { request } else { request.paced_with(operation.name, plan.limits()) })
    }

    fn refusal(_: &Response, body: &Value, _: bool) -> Result<()> {
        wire::no_hidden_error(body)
    }
}

/// The usage plan of an operation; Amazon's smallest where the table has none.
fn planned(operation: &Operation) -> operations::Operation {
    let parts = operation.limit.split_once('/');
    let (rate, burst) =
        parts.and_then(|(rate, burst)| Some((rate.parse().ok()?, burst.parse().ok()?))).unwrap_or((0.0056, 1));
    operations::Operation::new(operation.path, rate, burst)
}

/// In which time the operation of a path earns one request.
pub fn pace(path: &str) -> Option<Duration> {
    let operation = table::all(Amazon::OPERATIONS).find(|operation| operation.path == path)?;
    Some(planned(&operation).limits().replenish)
}
