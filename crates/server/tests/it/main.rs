//! The server from outside: real HTTP, a real database of each kind, the simulated vendors.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops where it is")]

mod architecture;
mod support;
mod binary;
mod vendors;
mod rest;
mod document;
mod mcp;
mod sessions;
mod audit;
mod approvals;
mod decisions;
mod containment;
mod sync;
mod honesty;
mod startup;
mod secrets;
mod kill;
mod outages;
mod unwritable;
mod vault;
mod consents;
mod several;
mod storm;
mod ecosystems;
mod operations;
mod oauth;
mod accounts;
mod quotas;
mod lost;
mod webhooks;
mod policy;
mod examples;
mod tenants;
mod foreign;
mod budgets;
mod identity;
mod letting_in;
mod clients;
mod tokens;
mod registrations;
mod keys;
mod independence;
mod faults;
mod probes;
