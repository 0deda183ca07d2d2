//! The rows of each table, as both back ends return them.

pub mod contacts;
pub mod contact_context;
pub mod interaction_history;
pub mod opportunities;
pub mod tool_executions;
pub mod audit_events;
pub mod api_calls;
pub mod audit_writers;
pub mod approvals;
pub mod api_keys;
pub mod credentials;
pub mod runs;
pub mod run_steps;
pub mod run_signals;
pub mod schedules;
pub mod sync_runs;
pub mod sync_cursors;
pub mod agent_decisions;
pub mod recommendation_outcomes;
pub mod webhook_events;
pub mod policy_rules;
pub mod people;

pub use approvals::ApprovalState;
pub use runs::RunState;
