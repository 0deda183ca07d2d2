//! GoHighLevel's operations beyond the tools.

use sdk::Result;
use sdk::http::Request;

use super::GoHighLevel;
use crate::operations::{LongTail, Operation};

impl LongTail for GoHighLevel {
    const OPERATIONS: &'static str = include_str!("operations.txt");
    const KNOWN: &'static [&'static str] = &["locationId", "location_id", "altId", "altType"];

    /// Everything belongs to the location; invoices call it `altId` of the `altType` location.
    async fn known(&self, name: &str) -> Result<Option<String>> {
        if name == "altType" {
            return Ok(Some("location".into()));
        }
        Ok(Some(self.location()?.to_owned()))
    }

    fn begin(&self, operation: &Operation, ids: &[&str]) -> Result<Request> {
        self.request(operation.method()?, operation.path, ids)
    }
}
