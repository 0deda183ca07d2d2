//! Enterprise MCP Server: tool calls between AI agents and the systems that a business runs on.
//!
//! Everything that touches the outside world or the brain is a tool call, and every tool call goes
//! through [`calls::call`]. Front doors ([`mcp`], [`api`]) translate into it; connectors translate
//! out of it.

pub mod calls;
pub mod tools;
pub mod policy;
pub mod containment;
pub mod approvals;
pub mod decisions;
pub mod audit;
pub mod actor;
pub mod identity;
pub mod mcp;
pub mod api;
pub mod connections;
pub mod vault;
pub mod brain;
pub mod sync;
pub mod runs;
pub mod tenants;
pub mod webhooks;
pub mod system;
pub mod health;
pub mod housekeeping;
pub mod app;
pub mod config;
pub mod clock;
pub mod random;
pub mod serve;
pub mod telemetry;

/// A failure of our own database, as a tool tells it.
pub fn unavailable(error: store::StoreError) -> sdk::Error {
    match error {
        store::StoreError::Cursor(_) => sdk::Error::invalid_input("cursor: it is not one that an answer gave"),
        other => sdk::Error::unavailable("the database cannot answer right now").with_source(other),
    }
}
