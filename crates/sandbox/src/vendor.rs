//! What every simulated vendor is to the sandbox. GoHighLevel stands at the root, each other one under its own name.

use std::{collections::BTreeMap, sync::Arc};

use axum::{Router, http::StatusCode, response::Response};
use serde::Serialize;
use serde_json::Value;

use crate::{cloudflare, email, godaddy, slack, world::World};

/// A simulated vendor.
#[derive(Clone, Copy)]
pub(crate) struct Vendor {
    /// The ecosystem, and the first segment of its paths: `/quickbooks/v3/company/…`.
    pub name: &'static str,
    /// Paths are as at the vendor, without the name in front.
    pub router: fn(&Arc<World>) -> Router<Arc<World>>,
    /// The vendor's body for a status that a fault asks for.
    pub refuse: fn(StatusCode) -> Response,
    /// A bearer is dead from now on.
    pub expire: fn(&World, &str),
    pub account: fn(&World, &str) -> Account,
    /// How many requests it takes at once, and below which path they are counted.
    pub at_once: Option<(&'static str, usize)>,
}

/// Every vendor beside GoHighLevel.
pub(crate) const VENDORS: &[Vendor] = &[
    crate::quickbooks::VENDOR,
    crate::google_workspace::VENDOR,
    crate::amazon::VENDOR,
    Vendor {
        name: "cloudflare",
        router: cloudflare::router,
        refuse: cloudflare::refuse,
        expire: cloudflare::expire,
        account: cloudflare::account,
        at_once: None,
    },
    Vendor {
        name: "godaddy",
        router: godaddy::router,
        refuse: godaddy::refuse,
        expire: godaddy::expire,
        account: godaddy::account,
        at_once: None,
    },
    Vendor {
        name: "slack",
        router: slack::router,
        refuse: slack::refuse,
        expire: slack::expire,
        account: slack::account,
        at_once: None,
    },
    Vendor {
        name: "email",
        router: email::router,
        refuse: email::refuse,
        expire: email::expire,
        account: email::account,
        at_once: None,
    },
];

/// What a client needs to connect. Derived from the seed, worth nothing elsewhere.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Account {
    /// The connector's section of the configuration: addresses, account ids.
    pub config: Value,
    /// Secrets by the connector's names for them.
    pub credentials: BTreeMap<String, String>,
}

impl Account {
    /// An account without secrets yet.
    pub fn new(config: Value) -> Account {
        Account { config, credentials: BTreeMap::new() }
    }

    /// Adds a secret.
    pub fn with(mut self, name: &str, secret: impl Into<String>) -> Account {
        self.credentials.insert(name.to_owned(), secret.into());
        self
    }
}

/// What a token endpoint was asked, counted on the vendor's side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TokenRequests {
    pub granted: u64,
    pub refused: u64,
    /// Refused ones that came with a refresh token that had been exchanged before.
    pub reused: u64,
}

impl TokenRequests {
    pub(crate) fn count(&mut self, granted: bool, spent: bool) {
        self.granted += u64::from(granted);
        self.refused += u64::from(!granted);
        self.reused += u64::from(!granted && spent);
    }
}
