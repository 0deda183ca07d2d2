//! The vocabulary of a connector.
//!
//! A connector translates a tool call into a vendor's HTTP and nothing else. This crate holds the
//! words that it needs for that: [`Error`], [`Tool`], [`Connector`], [`Stream`], [`Http`] and
//! [`Credentials`]. It knows no database, no web server, no MCP and no vendor.

pub mod error;
pub mod tool;
pub mod plan;
pub mod schema;
pub mod connector;
pub mod stream;
pub mod auth;
pub mod http;
pub mod webhook;
pub mod text;

pub use auth::{Auth, Credentials};
pub use connector::{Account, Connector, ErasedConnector, Limits};
pub use error::{Error, Kind, Result};
pub use http::Http;
pub use plan::{Change, Plan};
pub use stream::{Batch, Page, Record, Stream};
pub use tool::{Effect, Spec, Tool};
pub use webhook::Webhook;
