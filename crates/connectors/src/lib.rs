//! One folder an ecosystem: typed tools and sync streams over the vendors' HTTP APIs.

mod cursor;
mod json;
mod path;
pub mod gohighlevel;

use sdk::ErasedConnector;

/// Every ecosystem that this build knows.
pub fn all() -> Vec<ErasedConnector> {
    vec![ErasedConnector::of::<gohighlevel::GoHighLevel>()]
}
