//! The server from outside: real HTTP, a real database of each kind, the simulated vendors.

mod architecture;
mod support;
mod rest;
mod mcp;
mod sessions;
mod audit;
mod approvals;
mod sync;
mod honesty;
mod startup;
mod secrets;
mod kill;
