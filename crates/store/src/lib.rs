//! The database: entities, migrations and queries, the same on SQLite and on PostgreSQL.
//!
//! [`Store::open`] gives a [`Store`]; [`Store::tenant`] gives the handle that every query of a tenant's rows takes
//! first. The few questions that concern all tenants at once (which run is due, who owns this key) take a [`System`].

mod open;
mod gate;
pub mod wall;
mod error;
mod sql;
mod text;
mod account;
mod migrations;
mod postgres;
mod sqlite;
pub mod entities;
pub mod contacts;
pub mod interactions;
pub mod mails;
pub mod opportunities;
pub mod vendor_rows;
pub mod customers;
pub mod audit;
pub mod pages;
pub mod chain;
pub mod approvals;
pub mod api_keys;
pub mod runs;
pub mod schedules;
pub mod sync_runs;
pub mod connections;
pub mod decisions;
pub mod exposures;
pub mod outcomes;
pub mod rate;
pub mod locks;
pub mod vault;
pub mod webhooks;
pub mod policy_rules;
pub mod budgets;
pub mod people;
pub mod guesses;
pub mod tenants;
pub mod sessions;
pub mod oauth;
#[cfg(feature = "testing")]
pub mod testing;

pub use account::{Account, DEFAULT as DEFAULT_CONNECTION};
pub use error::StoreError;
pub use open::{Backend, OpenOptions, Store, System, Tenant, Tx};
pub use sea_orm::Value as Bound;
pub use text::{clean_option as clean, nicknames};
pub use wall::Wall;

/// The result of everything here.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;

use chrono::{DateTime, SubsecRound, Utc};

/// `now` as both back ends keep it. PostgreSQL stores microseconds; SQLite would keep nanoseconds, and then the same
/// row would compare unequal after a move.
pub fn micros(now: DateTime<Utc>) -> DateTime<Utc> {
    now.trunc_subsecs(6)
}
