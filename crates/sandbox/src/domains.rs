//! The names that the business owns: all registered at GoDaddy, some of them hosted at Cloudflare.

use crate::{
    business::Business,
    clock::{DAY, Millis},
};

/// Who answers DNS questions for a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Host {
    Cloudflare,
    GoDaddy,
}

/// A name that the business registered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Name {
    pub name: &'static str,
    pub host: Host,
    /// Days since it was registered, and until the registration ends.
    pub age: Millis,
    pub left: Millis,
    pub auto_renew: bool,
}

/// The shop, its wholesale side, and what a careful owner registers beside them.
pub(crate) const NAMES: &[Name] = &[
    name("medtainer.example", Host::Cloudflare, 3_900, 640, true),
    name("medtainer-wholesale.example", Host::Cloudflare, 1_400, 210, true),
    name("medtainer-labs.example", Host::Cloudflare, 90, 275, false),
    name("medtainershop.example", Host::GoDaddy, 2_100, 38, true),
    name("medtainer-events.example", Host::GoDaddy, 700, 12, false),
    name("med-tainer.example", Host::GoDaddy, 3_000, 410, true),
    name("medtainers.example", Host::GoDaddy, 2_600, 118, true),
    name("mymedtainer.example", Host::GoDaddy, 800, 300, false),
    name("getmedtainer.example", Host::GoDaddy, 500, 230, true),
    name("medtainer-care.example", Host::GoDaddy, 410, 320, true),
    name("smellproofcontainer.example", Host::GoDaddy, 365, 365, true),
];

const fn name(name: &'static str, host: Host, age: Millis, left: Millis, auto_renew: bool) -> Name {
    Name { name, host, age, left, auto_renew }
}

impl Name {
    pub(crate) fn registered(&self, now: Millis) -> Millis {
        now - self.age * DAY
    }

    pub(crate) fn expires(&self, now: Millis) -> Millis {
        now + self.left * DAY
    }
}

/// Cloudflare's name servers for the account.
pub(crate) const CLOUDFLARE_SERVERS: [&str; 2] = ["ada.ns.cloudflare.com", "bob.ns.cloudflare.com"];
/// GoDaddy's own.
pub(crate) const GODADDY_SERVERS: [&str; 2] = ["ns05.domaincontrol.com", "ns06.domaincontrol.com"];

/// The companies of the first contacts as labels of a name, each once: the business gives its customers portals.
pub(crate) fn customers(business: &Business, most: usize) -> Vec<String> {
    let mut labels: Vec<String> = Vec::new();
    for company in business.contacts.iter().filter_map(|contact| contact.company.as_deref()) {
        let label: String =
            company.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_lowercase()).collect();
        if !label.is_empty() && !labels.contains(&label) {
            labels.push(label);
        }
        if labels.len() == most {
            break;
        }
    }
    labels
}
