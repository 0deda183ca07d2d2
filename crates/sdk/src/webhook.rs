//! Webhooks: what a vendor tells by itself when something changes.
//!
//! A connector says how a delivery is proven and read with one pure function over headers, body and secret, so that it
//! can be tested with a vendor's vectors and fed with anything. What becomes of the events is the server's business.

use std::fmt;

use chrono::{DateTime, Duration, Utc};
use http::HeaderMap;

use crate::auth::Key;

/// How a vendor's webhooks are proven and read.
#[derive(Clone, Copy, Debug)]
pub struct Webhook {
    /// What deliveries are verified with.
    pub secret: Key,
    /// The secret where nobody has set one: a public key that the vendor has published.
    pub default: Option<&'static str>,
    /// The configuration's key with the account that events must be of; `None` where the secret belongs to one account.
    pub account: Option<&'static str>,
    /// The status after which the vendor delivers again, for what cannot be taken now.
    pub again: u16,
    /// Where a person registers the address at the vendor.
    pub setup: &'static str,
    /// The vendor wants to be asked for deliveries by a request, again and again: [`crate::Connector::subscribe`] does it.
    pub subscribed: bool,
    /// Proves a delivery with the secret and reads it. It waits for nothing and panics at nothing.
    pub open: fn(&Delivery<'_>, &str) -> Result<Received, Refusal>,
}

/// What the vendor is asked for where nobody can register an address by hand.
#[derive(Clone, Debug)]
pub struct Subscription {
    /// A new one each time.
    pub id: String,
    /// Where deliveries are to go.
    pub address: String,
    /// What deliveries will be proven with.
    pub secret: String,
}

/// One request of the vendor, as it came.
#[derive(Clone, Copy, Debug)]
pub struct Delivery<'a> {
    pub headers: &'a HeaderMap,
    /// The raw body; signatures cover its very bytes.
    pub body: &'a [u8],
    pub now: DateTime<Utc>,
}

/// What a proven delivery says.
#[derive(Clone, Debug, PartialEq)]
pub enum Received {
    Events(Vec<Event>),
    /// The vendor wants this text back at once, to see that the address is ours.
    Challenge(String),
}

/// One thing that happened at the vendor.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Event {
    /// The same in every delivery of this event; `None` where the vendor gives none, then the body stands for it.
    pub id: Option<String>,
    /// The vendor's name for what happened.
    pub kind: String,
    pub occurred_at: Option<DateTime<Utc>>,
    /// The vendor's id of the account.
    pub account: Option<String>,
    /// The streams that show what changed: first the record's own. None: the brain copies nothing of it.
    pub streams: &'static [&'static str],
    /// The vendor's id of the record.
    pub vendor_id: Option<String>,
    /// The record is gone.
    pub deleted: bool,
}

/// Why a delivery is not taken.
#[derive(Clone, Debug, PartialEq)]
pub enum Refusal {
    /// Not from the vendor, or changed on the way.
    Unproven(&'static str),
    /// Proven, and from another time: somebody may be repeating it.
    Stale,
    /// Proven, and not understood.
    Unreadable(String),
    /// The secret that is configured cannot be used.
    Secret(&'static str),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Unproven(why) | Refusal::Secret(why) => f.write_str(why),
            Refusal::Stale => f.write_str("the delivery is from another time"),
            Refusal::Unreadable(why) => f.write_str(why),
        }
    }
}

impl Delivery<'_> {
    /// A header as text; one that is empty or not text is none.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok().map(str::trim).filter(|text| !text.is_empty())
    }

    /// Refuses a delivery that is older than `oldest`, or further ahead than clocks differ.
    pub fn must_be_of_now(&self, sent: DateTime<Utc>, oldest: Duration) -> Result<(), Refusal> {
        let age = self.now.signed_duration_since(sent);
        if age > oldest || age < -CLOCKS_DIFFER { Err(Refusal::Stale) } else { Ok(()) }
    }
}

/// How far a vendor's clock may be ahead of ours.
const CLOCKS_DIFFER: Duration = Duration::minutes(5);
