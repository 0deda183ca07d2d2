//! QuickBooks' operations beyond the tools.

use sdk::http::{Request, Response};
use sdk::{Effect, Error, Result};
use serde_json::Value;

use super::{Asking, QuickBooks, wire};
use crate::operations::{Body, LongTail, Operation};

impl LongTail for QuickBooks {
    const OPERATIONS: &'static str = include_str!("operations.txt");
    const KNOWN: &'static [&'static str] = &["realmId"];

    async fn known(&self, _: &str) -> Result<Option<String>> {
        Ok(Some(self.realm()?.to_owned()))
    }

    /// The same path creates and changes: an id makes the difference, and a change that is not sparse takes away every
    /// field that it does not name.
    fn shape(operation: &Operation, body: &mut Body) -> Result<()> {
        let has = |wanted: &str| body.keys().any(|name| name.eq_ignore_ascii_case(wanted));
        if operation.name.starts_with("create_") {
            let changes = has("Id") || has("SyncToken") || has("sparse");
            let why = || Error::invalid_input("body: with Id it is a change; use the operation that updates");
            return if changes { Err(why()) } else { Ok(()) };
        }
        if !body.contains_key("Id") || !body.contains_key("SyncToken") {
            return Err(Error::invalid_input("body: give Id and SyncToken, as the object has them now"));
        }
        if operation.name.starts_with("update_") {
            body.retain(|name, _| !name.eq_ignore_ascii_case("sparse"));
            body.insert("sparse".into(), true.into());
        }
        Ok(())
    }

    fn begin(&self, operation: &Operation, ids: &[&str]) -> Result<Request> {
        // The company is filled in by `ask`.
        let Asking(request) = self.ask(operation.method()?, operation.path, ids.get(1..).unwrap_or_default())?;
        if operation.effect == Some(Effect::Read) {
            return Ok(request);
        }
        let request = request.query(&[("requestid", Some(wire::request_id(self.http.idempotency_key())))]);
        Ok(if sends(operation) { request.body(Vec::new(), "application/octet-stream") } else { request })
    }

    /// By `requestid`. For mail nothing is promised.
    fn knows_repeats(operation: &Operation) -> bool {
        !sends(operation)
    }

    fn refusal(response: &Response, body: &Value, _: bool) -> Result<()> {
        wire::refusal(response, body)
    }
}

fn sends(operation: &Operation) -> bool {
    operation.path.ends_with("/send")
}
