//! The QuickBooks connector: what it sends, what it makes of answers, and how it stands up to the simulated vendor.
#![expect(clippy::unwrap_used, reason = "a test ends where it fails, also in its helpers")]

#[path = "../support/mod.rs"]
mod support;

mod contract;
mod errors;
mod harness;
mod requests;
mod streams;
mod tokens;
mod tools;
mod writes;
