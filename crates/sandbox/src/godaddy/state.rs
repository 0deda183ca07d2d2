//! What GoDaddy knows of the account.

use std::collections::{HashMap, HashSet, VecDeque};

use serde_json::{Map, Value, json};

use super::seed;
use crate::{
    business::{Business, Kind, random, uuid},
    clock::{MINUTE, Millis, SECOND, iso},
    domains::{CLOUDFLARE_SERVERS, GODADDY_SERVERS, Host, Name},
};

pub(crate) struct State {
    pub keys: Keys,
    pub domains: Vec<Domain>,
    pub windows: Windows,
    /// The owner, as registrant of everything.
    pub contact: Value,
    seed: u64,
    made: u64,
}

pub(crate) struct Keys {
    pub token: String,
    pub key: String,
    pub secret: String,
    pub small_token: String,
    pub small_key: String,
    pub small_secret: String,
    pub read_token: String,
    pub dead: HashSet<String>,
}

pub(crate) struct Domain {
    pub name: &'static Name,
    pub id: u64,
    pub registered: Millis,
    pub expires: Millis,
    pub modified: Millis,
    /// Whether it cannot be moved away.
    pub locked: bool,
    pub renews: bool,
    pub servers: Vec<String>,
    pub records: Vec<Record>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Record {
    pub id: String,
    pub kind: String,
    /// Relative to the domain, `@` for itself.
    pub name: String,
    pub data: String,
    pub ttl: u64,
    pub priority: Option<u64>,
    /// Of SRV: service, protocol, port, weight; of CAA: tag.
    pub more: Map<String, Value>,
}

/// 60 requests a minute for each endpoint of v1; 600 in 20 minutes for a token of v3.
#[derive(Default)]
pub(crate) struct Windows(HashMap<String, VecDeque<Millis>>);

impl Windows {
    /// Counts a request, or gives the seconds until there may be one.
    pub(crate) fn take(&mut self, key: String, most: usize, span: Millis, now: Millis) -> Result<(), i64> {
        let recent = self.0.entry(key).or_default();
        while recent.front().is_some_and(|at| at + span <= now) {
            recent.pop_front();
        }
        match recent.front() {
            Some(first) if recent.len() >= most => Err((first + span - now).div_euclid(SECOND) + 1),
            _ => {
                recent.push_back(now);
                Ok(())
            }
        }
    }
}

pub(crate) const V1: (usize, Millis) = (60, MINUTE);
pub(crate) const V3: (usize, Millis) = (600, 20 * MINUTE);

/// Far from what other vendors derive from the seed.
const SECRETS: u64 = 0x60DA_0000_0000;

impl State {
    pub(crate) fn new(seed: u64, business: &Business, now: Millis) -> State {
        let secret = |n: u64| uuid(&mut random(seed, Kind::Secret, SECRETS + n)).replace('-', "");
        let token = |n: u64| format!("gd_pat_{}{}", secret(n), secret(n + 100));
        let mut state = State {
            keys: Keys {
                token: token(1),
                key: format!("dKD{}_{}", &secret(2)[..10], &secret(3)[..18]),
                secret: secret(4)[..22].to_owned(),
                small_token: token(5),
                small_key: format!("dKS{}_{}", &secret(6)[..10], &secret(7)[..18]),
                small_secret: secret(8)[..22].to_owned(),
                read_token: token(9),
                dead: HashSet::new(),
            },
            domains: Vec::new(),
            windows: Windows::default(),
            contact: contact(business),
            seed,
            made: 0,
        };
        seed::fill(&mut state, business, now);
        state
    }

    pub(crate) fn new_id(&mut self) -> String {
        self.made += 1;
        let id = uuid(&mut random(self.seed, Kind::Secret, SECRETS + 1_000 + self.made)).replace('-', "");
        format!("Aa{id}_{}", &id[..8])
    }

    pub(crate) fn domain(&self, name: &str) -> Option<usize> {
        let name = name.to_lowercase();
        self.domains.iter().position(|domain| domain.name.name == name)
    }
}

fn contact(business: &Business) -> Value {
    let owner = &business.users[0];
    let phone = owner.phone.strip_prefix("+1").unwrap_or(owner.phone);
    json!({"nameFirst": owner.first_name, "nameLast": owner.last_name, "email": owner.email,
        "phone": format!("+1.{phone}"), "organization": "MedTainer",
        "addressMailing": {"address1": "2100 Vernon Ave", "city": "Los Angeles", "state": "California",
            "postalCode": "90058", "country": "US"}})
}

impl Domain {
    pub(crate) fn new(name: &'static Name, id: u64, now: Millis) -> Domain {
        let servers = if name.host == Host::Cloudflare { CLOUDFLARE_SERVERS } else { GODADDY_SERVERS };
        Domain {
            name,
            id,
            registered: name.registered(now),
            expires: name.expires(now),
            modified: name.registered(now),
            locked: true,
            renews: name.auto_renew,
            servers: servers.map(str::to_owned).to_vec(),
            records: Vec::new(),
        }
    }

    /// Whether GoDaddy answers for it.
    pub(crate) fn is_hosted(&self) -> bool {
        self.name.host == Host::GoDaddy
    }

    pub(crate) fn v3(&self) -> Value {
        json!({"domain": self.name.name, "status": "ACTIVE", "autoRenew": self.renews, "privacy": true,
            "transferLock": self.locked, "nameServers": self.servers, "createdAt": iso(self.registered),
            "updatedAt": iso(self.modified), "expiresAt": iso(self.expires), "renewBy": iso(self.expires),
            "links": [{"href": format!("/v3/domains/domain-names/{}", self.name.name), "rel": "self"}]})
    }

    /// A row of the list; the list has null for the name servers that nobody asked for.
    pub(crate) fn v1(&self, contact: &Value, detailed: bool) -> Value {
        let mut row = json!({"domainId": self.id, "domain": self.name.name, "status": "ACTIVE",
            "expires": iso(self.expires), "expirationProtected": false, "holdRegistrar": false, "locked": self.locked,
            "privacy": true, "exposeWhois": false, "renewAuto": self.renews, "renewable": true,
            "renewDeadline": iso(self.expires), "transferProtected": false, "createdAt": iso(self.registered),
            "contactRegistrant": contact, "nameServers": null});
        if detailed {
            row["nameServers"] = json!(self.servers);
            row["authCode"] = json!(format!("AUTH-{:06}", self.id % 1_000_000));
            for role in ["contactAdmin", "contactTech", "contactBilling"] {
                row[role] = contact.clone();
            }
        }
        row
    }
}

impl Record {
    /// The fields of v1, which has no ids.
    pub(crate) fn shown(&self) -> Value {
        let mut row = json!({"type": self.kind, "name": self.name, "data": self.data, "ttl": self.ttl});
        if let Some(priority) = self.priority {
            row["priority"] = priority.into();
        }
        for (key, value) in &self.more {
            row[key] = value.clone();
        }
        row
    }

    pub(crate) fn v3(&self) -> Value {
        let mut row = self.shown();
        row["recordId"] = self.id.as_str().into();
        row
    }

    /// Type, name, data and what else makes it another record.
    pub(crate) fn same(&self, other: &Record) -> bool {
        let key = |record: &Record| (record.kind.clone(), record.name.to_lowercase(), record.data.clone());
        key(self) == key(other) && self.priority == other.priority && self.more == other.more
    }
}
