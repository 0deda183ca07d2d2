//! Google's operations beyond the tools.

use sdk::Result;
use sdk::http::Request;

use super::GoogleWorkspace;
use crate::operations::{LongTail, Operation};

impl LongTail for GoogleWorkspace {
    const OPERATIONS: &'static str = include_str!("operations.txt");

    fn begin(&self, operation: &Operation, ids: &[&str]) -> Result<Request> {
        self.request(operation.method()?, operation.path, ids)
    }
}
