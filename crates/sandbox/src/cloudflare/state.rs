//! What Cloudflare knows of the account.

use std::collections::{HashSet, VecDeque};

use serde_json::{Value, json};

use super::seed;
use crate::{
    business::{Business, Kind, random, uuid},
    clock::{Millis, SECOND, iso},
};

pub(crate) struct State {
    pub account: String,
    pub account_name: &'static str,
    pub owner: &'static str,
    pub tokens: Tokens,
    pub zones: Vec<Zone>,
    /// The audit log, the oldest entry first.
    pub entries: Vec<Entry>,
    pub window: Window,
    seed: u64,
    made: u64,
}

/// The three tokens of the account, and those that are valid no more.
pub(crate) struct Tokens {
    pub user: String,
    pub account: String,
    pub reader: String,
    pub dead: HashSet<String>,
}

#[derive(Clone, Debug)]
pub(crate) struct Zone {
    pub id: String,
    pub name: String,
    /// `active`, or `pending` while the registrar names other servers.
    pub status: &'static str,
    pub created: Millis,
    pub modified: Millis,
    pub records: Vec<Record>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Record {
    pub id: String,
    pub kind: String,
    /// In full, lower case.
    pub name: String,
    pub content: String,
    /// Seconds; 1 is automatic.
    pub ttl: u64,
    pub proxied: bool,
    pub priority: Option<u64>,
    /// The parts of CAA, SRV and their like.
    pub data: Option<Value>,
    pub comment: Option<String>,
    pub tags: Vec<String>,
    pub created: Millis,
    pub modified: Millis,
}

/// A line of the audit log.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub id: String,
    pub at: Millis,
    /// `create`, `update`, `delete`, `view`.
    pub action: &'static str,
    pub actor: &'static str,
    pub token_name: Option<&'static str>,
    pub method: &'static str,
    pub uri: String,
    pub product: &'static str,
    pub resource: String,
    /// The zone's id and name.
    pub zone: Option<(String, String)>,
}

/// 1,200 requests in five minutes; more block every call for five minutes.
#[derive(Default)]
pub(crate) struct Window {
    recent: VecDeque<Millis>,
    blocked_until: Millis,
}

pub(crate) const MOST: usize = 1_200;
pub(crate) const SPAN: Millis = 300 * SECOND;

/// What the headers of one answer say.
#[derive(Clone, Copy)]
pub(crate) struct Allowance {
    pub allowed: bool,
    pub remaining: usize,
    /// Seconds until more are allowed.
    pub reset: i64,
}

impl Window {
    pub(crate) fn take(&mut self, now: Millis, enforce: bool) -> Allowance {
        if !enforce {
            return Allowance { allowed: true, remaining: MOST, reset: 300 };
        }
        while self.recent.front().is_some_and(|at| at + SPAN <= now) {
            self.recent.pop_front();
        }
        if self.recent.len() >= MOST && self.blocked_until <= now {
            self.blocked_until = now + SPAN;
        }
        let allowed = self.blocked_until <= now;
        if allowed {
            self.recent.push_back(now);
        }
        let until = if allowed { self.recent.front().map_or(now, |at| at + SPAN) } else { self.blocked_until };
        let remaining = if allowed { MOST - self.recent.len() } else { 0 };
        Allowance { allowed, remaining, reset: (until - now).max(0).div_euclid(SECOND) + 1 }
    }
}

impl State {
    pub(crate) fn new(seed: u64, business: &Business, now: Millis) -> State {
        let secret = |n: u64| uuid(&mut random(seed, Kind::Secret, SECRETS + n)).replace('-', "");
        let mut state = State {
            account: secret(0),
            account_name: "MedTainer",
            owner: "rosalind@medtainer.example",
            tokens: Tokens {
                user: format!("{}cfu{}", secret(1), &secret(2)[..5]),
                account: format!("cfat_{}", secret(3)),
                reader: format!("{}cfr{}", secret(4), &secret(5)[..5]),
                dead: HashSet::new(),
            },
            zones: Vec::new(),
            entries: Vec::new(),
            window: Window::default(),
            seed,
            made: 0,
        };
        seed::fill(&mut state, business, now);
        state
    }

    /// 32 hexadecimal digits that nothing else has.
    pub(crate) fn new_id(&mut self) -> String {
        self.made += 1;
        uuid(&mut random(self.seed, Kind::Secret, SECRETS + 1_000 + self.made)).replace('-', "")
    }

    pub(crate) fn zone(&self, id: &str) -> Option<usize> {
        self.zones.iter().position(|zone| zone.id == id)
    }

    pub(crate) fn log(&mut self, entry: Entry) {
        self.entries.push(entry);
    }
}

/// Far from what other vendors derive from the seed.
const SECRETS: u64 = 0xCF00_0000_0000;

impl Zone {
    pub(crate) fn shown(&self, state: &State) -> Value {
        let active = self.status == "active";
        json!({
            "id": self.id, "name": self.name, "status": self.status, "paused": false, "type": "full",
            "development_mode": 0,
            "name_servers": crate::domains::CLOUDFLARE_SERVERS,
            "original_name_servers": crate::domains::GODADDY_SERVERS,
            "original_registrar": "godaddy.com, llc (id: 146)", "original_dnshost": null,
            "created_on": iso(self.created), "modified_on": iso(self.modified),
            "activated_on": active.then(|| iso(self.created)),
            "meta": {"step": if active { 2 } else { 4 }, "custom_certificate_quota": 0, "page_rule_quota": 3,
                "phishing_detected": false},
            "owner": {"id": null, "type": "user", "email": null},
            "account": {"id": state.account, "name": state.account_name},
            "tenant": {"id": null, "name": null}, "tenant_unit": {"id": null},
            "permissions": ["#dns_records:edit", "#dns_records:read", "#zone:read"],
            "plan": {"id": "0feeeeeeeeeeeeeeeeeeeeeeeeeeeeee", "name": "Free Website", "price": 0, "currency": "USD",
                "frequency": "", "is_subscribed": false, "can_subscribe": false, "legacy_id": "free",
                "legacy_discount": false, "externally_managed": false},
        })
    }
}

impl Record {
    pub(crate) fn proxiable(&self) -> bool {
        matches!(self.kind.as_str(), "A" | "AAAA" | "CNAME")
    }

    pub(crate) fn shown(&self) -> Value {
        let mut row = json!({
            "id": self.id, "name": self.name, "type": self.kind, "content": self.content,
            "proxiable": self.proxiable(), "proxied": self.proxied, "ttl": self.ttl,
            "settings": {}, "meta": {}, "comment": self.comment, "tags": self.tags,
            "created_on": iso(self.created), "modified_on": iso(self.modified),
        });
        if let Some(priority) = self.priority {
            row["priority"] = priority.into();
        }
        if let Some(data) = &self.data {
            row["data"] = data.clone();
        }
        row
    }
}

impl Entry {
    pub(crate) fn shown(&self, state: &State) -> Value {
        let zone = self.zone.as_ref().map(|(id, name)| json!({"id": id, "name": name}));
        let mut row = json!({
            "id": self.id,
            "account": {"id": state.account, "name": state.account_name},
            "action": {"time": iso(self.at), "type": self.action, "result": "success", "description": ""},
            "actor": {"id": "f5c0d2a4b8e64a1c9d3e7f6a5b4c3d2e", "email": self.actor, "type": "user",
                "context": if self.token_name.is_some() { "api_token" } else { "dash" },
                "ip_address": "203.0.113.77"},
            "raw": {"method": self.method, "uri": self.uri, "status_code": 200, "cf_ray_id": &self.id[..16],
                "user_agent": "Mozilla/5.0"},
            "resource": {"id": self.resource, "product": self.product, "type": self.product, "request": {},
                "response": {}, "scope": if zone.is_some() { "zones" } else { "accounts" }},
        });
        if let Some(name) = self.token_name {
            row["actor"]["token_name"] = name.into();
        }
        if let Some(zone) = zone {
            row["zone"] = zone;
        }
        row
    }
}
