//! Amazon's operations that are used, with the limits of each: a token bucket for every application and selling
//! partner. <https://developer-docs.amazon.com/sp-api/docs/usage-plans-and-rate-limits-in-the-sp-api>

use std::time::Duration;

use sdk::Limits;

use super::long_tail;

/// An operation's documented path and its default usage plan.
pub struct Operation {
    pub path: &'static str,
    /// Requests that are earned in a second.
    rate: f64,
    burst: u32,
}

pub const SEARCH_ORDERS: Operation = Operation::new("/orders/2026-01-01/orders", 0.0056, 20);
pub const ORDER: Operation = Operation::new("/orders/2026-01-01/orders/{orderId}", 0.5, 30);
pub const INVENTORY: Operation = Operation::new("/fba/inventory/v1/summaries", 2.0, 2);
pub const ORDER_METRICS: Operation = Operation::new("/sales/v1/orderMetrics", 0.5, 15);
pub const REPORTS: Operation = Operation::new("/reports/2021-06-30/reports", 0.0222, 10);
pub const MARKETPLACES: Operation = Operation::new("/sellers/v1/marketplaceParticipations", 0.016, 15);

const ALL: [&Operation; 6] = [&SEARCH_ORDERS, &ORDER, &INVENTORY, &ORDER_METRICS, &REPORTS, &MARKETPLACES];

/// In which time this operation earns one request, where nothing else is told.
pub fn pace(path: &str) -> Option<Duration> {
    let named = ALL.into_iter().find(|operation| operation.path == path);
    named.map(|operation| operation.limits().replenish).or_else(|| long_tail::pace(path))
}

/// The time for one request. A tenth longer than Amazon says, so that what bunched up on the way is made good again.
pub fn earned_in(rate: f64) -> Duration {
    Duration::from_secs_f64(1.1 / rate)
}

impl Operation {
    pub const fn new(path: &'static str, rate: f64, burst: u32) -> Operation {
        Operation { path, rate, burst }
    }

    /// One request less than Amazon's burst: requests do not arrive as evenly as they leave. Of a burst of two that leaves
    /// no room for one that is held up and meets the next, so there each waits for the answer to the one before.
    pub fn limits(&self) -> Limits {
        let limits = Limits::new(self.burst.saturating_sub(1), earned_in(self.rate));
        if self.burst > 2 { limits } else { limits.at_once(1) }
    }
}
