//! GoDaddy's operations beyond the tools. v3 takes the token, v1 and v2 the key.

use sdk::Result;
use sdk::http::Request;

use super::GoDaddy;
use crate::operations::{LongTail, Operation};

impl LongTail for GoDaddy {
    const OPERATIONS: &'static str = include_str!("operations.txt");
    const JOINS_LISTS: bool = true;

    fn begin(&self, operation: &Operation, ids: &[&str]) -> Result<Request> {
        self.request(operation.method()?, operation.path, ids)
    }
}
