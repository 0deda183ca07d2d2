//! Cloudflare's operations beyond the tools.

use sdk::http::{Request, Response};
use sdk::{Error, Result};
use serde_json::Value;

use super::{Cloudflare, token, wire, zones};
use crate::operations::{LongTail, Operation};

impl LongTail for Cloudflare {
    const OPERATIONS: &'static str = include_str!("operations.txt");
    const KNOWN: &'static [&'static str] = &["zone_id", "account_id"];
    const JOINS_LISTS: bool = true;

    async fn known(&self, name: &str) -> Result<Option<String>> {
        if name == "zone_id" {
            if let Some(id) = self.config.zone_id.as_ref().filter(|id| zones::is_id(id)) {
                return Ok(Some(id.clone()));
            }
            return Ok(Some(zones::find(self, None).await?.id));
        }
        if let Some(account) = &self.config.account_id {
            return Ok(Some(account.clone()));
        }
        let seen = zones::fetch(self, None, 1, 5).await?;
        let account = token::first_account(&seen.result);
        let unknown =
            || Error::invalid_input("path.account_id: the token shows no account; give it, or set CF_ACCOUNT_ID");
        Ok(Some(account.ok_or_else(unknown)?.id))
    }

    fn begin(&self, operation: &Operation, ids: &[&str]) -> Result<Request> {
        self.request(operation.method()?, operation.path, ids)
    }

    fn refusal(response: &Response, body: &Value, _: bool) -> Result<()> {
        if body["success"] == Value::Bool(false) { Err(wire::error(response)) } else { Ok(()) }
    }
}
