//! The sandbox over real HTTP.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

mod business;
mod client;
mod contract;
#[path = "../../../connectors/tests/support/contracts.rs"]
mod contracts;
mod errors;
mod faults;
mod oauth;
mod paging;
mod versions;
mod webhooks;
mod writes;
