//! One folder an ecosystem: typed tools and sync streams over the vendors' HTTP APIs.

mod address;
mod cursor;
mod json;
mod operations;
mod path;
#[cfg(test)]
#[path = "../tests/support/contracts.rs"]
mod contracts;
pub mod amazon;
pub mod cloudflare;
pub mod godaddy;
pub mod gohighlevel;
pub mod quickbooks;
pub mod google_workspace;
pub mod slack;
pub mod email;

use sdk::ErasedConnector;

/// Every ecosystem that this build knows.
pub fn all() -> Vec<ErasedConnector> {
    vec![
        ErasedConnector::of::<gohighlevel::GoHighLevel>(),
        ErasedConnector::of::<quickbooks::QuickBooks>(),
        ErasedConnector::of::<google_workspace::GoogleWorkspace>(),
        ErasedConnector::of::<amazon::Amazon>(),
        ErasedConnector::of::<slack::Slack>(),
        ErasedConnector::of::<email::Email>(),
        ErasedConnector::of::<cloudflare::Cloudflare>(),
        ErasedConnector::of::<godaddy::GoDaddy>(),
    ]
}
