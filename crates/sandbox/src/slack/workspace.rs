//! Channels, messages and tokens of the workspace.

use std::collections::{HashMap, HashSet, VecDeque};

use serde_json::Value;

use crate::{
    business::{Business, Kind, random},
    clock::{HOUR, MINUTE, Millis, SECOND},
};

/// With token rotation an access token lives twelve hours.
const ACCESS: Millis = 12 * HOUR;
const CODE: Millis = 10 * MINUTE;
/// Random streams of this sandbox's kind of secrets begin here.
const STREAM: u64 = 51_000;

pub(crate) struct Workspace {
    seed: u64,
    issued: u64,
    pub team: String,
    pub team_name: String,
    pub bot: String,
    pub bot_token: String,
    pub client_id: String,
    pub client_secret: String,
    pub first_access: String,
    pub first_refresh: String,
    pub channels: Vec<Channel>,
    /// Access tokens that expire, and when.
    access: HashMap<String, Millis>,
    refresh: HashSet<String>,
    codes: HashMap<String, Millis>,
    revoked: HashSet<String>,
    usage: HashMap<(String, String), VecDeque<Millis>>,
}

pub(crate) struct Channel {
    pub id: String,
    pub name: String,
    pub topic: String,
    pub private: bool,
    pub archived: bool,
    /// Whether the bot is in it.
    pub member: bool,
    pub people: usize,
    pub created: Millis,
    /// Oldest first.
    pub messages: Vec<Message>,
}

#[derive(Clone)]
pub(crate) struct Message {
    pub ts: String,
    pub user: String,
    pub text: String,
    pub thread: Option<String>,
    pub client_msg_id: Option<String>,
    pub metadata: Option<Value>,
    pub bot: bool,
}

/// Name, topic, private, archived, whether the bot is in it.
const CHANNELS: &[(&str, &str, bool, bool, bool)] = &[
    ("general", "Company-wide announcements and work-based matters", false, false, true),
    ("random", "Non-work banter", false, false, false),
    ("sales", "Leads, quotes and what was won", false, false, true),
    ("orders", "Every new order, and what is late", false, false, true),
    ("support", "Questions from customers", false, false, true),
    ("warehouse", "Stock and shipping", false, false, false),
    ("finance", "Invoices and payments", true, false, true),
    ("leadership", "", true, false, false),
    ("expo-2024", "The booth in spring", false, true, true),
];

/// How many customers have a channel of their own.
const CUSTOMERS: usize = 40;

impl Workspace {
    pub(crate) fn new(seed: u64, business: &Business, now: Millis) -> Workspace {
        let code = |n, length| letters(seed, STREAM + n, length);
        let mut workspace = Workspace {
            seed,
            issued: 100,
            team: format!("T0{}", code(0, 9)),
            team_name: "MedTainer".into(),
            bot: format!("U0{}", code(1, 9)),
            bot_token: format!("xoxb-{}-{}-{}", digits(seed, 2), digits(seed, 3), code(4, 24).to_lowercase()),
            client_id: format!("{}.{}", digits(seed, 5), digits(seed, 6)),
            client_secret: code(7, 32).to_lowercase(),
            first_access: String::new(),
            first_refresh: String::new(),
            channels: channels(seed, business, now),
            access: HashMap::new(),
            refresh: HashSet::new(),
            codes: HashMap::new(),
            revoked: HashSet::new(),
            usage: HashMap::new(),
        };
        (workspace.first_access, workspace.first_refresh) = workspace.issue(now);
        workspace
    }

    /// Whether this token opens the workspace.
    pub(crate) fn admit(&self, token: &str, now: Millis) -> Result<(), &'static str> {
        if self.revoked.contains(token) {
            return Err("token_revoked");
        }
        match self.access.get(token) {
            Some(expires) if *expires > now => Ok(()),
            Some(_) => Err("token_expired"),
            None if token == self.bot_token => Ok(()),
            None => Err("invalid_auth"),
        }
    }

    pub(crate) fn revoke(&mut self, token: &str) {
        self.revoked.insert(token.to_owned());
    }

    /// A pair of an access and a refresh token.
    pub(crate) fn issue(&mut self, now: Millis) -> (String, String) {
        let access = format!("xoxe.xoxb-1-{}", self.secret(64));
        let refresh = format!("xoxe-1-{}", self.secret(64));
        self.access.insert(access.clone(), now + ACCESS);
        self.refresh.insert(refresh.clone());
        (access, refresh)
    }

    pub(crate) fn lifetime(&self) -> i64 {
        ACCESS / SECOND
    }

    /// A refresh token works once.
    pub(crate) fn rotate(&mut self, refresh: &str) -> bool {
        self.refresh.remove(refresh)
    }

    pub(crate) fn code(&mut self, now: Millis) -> String {
        let code = self.secret(40);
        self.codes.insert(code.clone(), now + CODE);
        code
    }

    pub(crate) fn redeem(&mut self, code: &str, now: Millis) -> bool {
        self.codes.remove(code).is_some_and(|expires| expires > now)
    }

    /// Counts a request; gives the seconds to wait when it is one too many.
    pub(crate) fn take(&mut self, method: &str, whose: &str, now: Millis) -> Option<i64> {
        let (most, window) = limit(method);
        let recent = self.usage.entry((method.to_owned(), whose.to_owned())).or_default();
        while recent.front().is_some_and(|at| *at + window <= now) {
            recent.pop_front();
        }
        if recent.len() < most {
            recent.push_back(now);
            return None;
        }
        let free = recent.front().map_or(window, |at| at + window - now);
        Some((free + SECOND - 1) / SECOND)
    }

    pub(crate) fn channel(&mut self, id: &str) -> Option<&mut Channel> {
        self.channels.iter_mut().find(|channel| channel.id == id).filter(|channel| channel.member || !channel.private)
    }

    fn secret(&mut self, length: usize) -> String {
        self.issued += 1;
        letters(self.seed, STREAM + self.issued, length).to_lowercase()
    }
}

impl Channel {
    /// A timestamp that is later than every other of the channel.
    pub(crate) fn next_ts(&self, now: Millis) -> String {
        let mut micros = now * 1_000;
        if let Some(last) = self.messages.last().and_then(|message| micros_of(&message.ts)) {
            micros = micros.max(last + 1);
        }
        format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000)
    }
}

pub(crate) fn micros_of(ts: &str) -> Option<i64> {
    let (seconds, micros) = ts.split_once('.')?;
    Some(seconds.parse::<i64>().ok()? * 1_000_000 + micros.parse::<i64>().ok()?)
}

/// The documented tiers: so many in so long. Messages are one a second and channel, with short bursts.
fn limit(method: &str) -> (usize, Millis) {
    match method {
        "chat.postMessage" => (3, 3 * SECOND),
        "conversations.list" => (20, MINUTE),
        "conversations.history" | "conversations.replies" | "conversations.info" | "users.conversations" => {
            (50, MINUTE)
        }
        _ => (100, MINUTE),
    }
}

fn channels(seed: u64, business: &Business, now: Millis) -> Vec<Channel> {
    let created = now - 700 * 24 * HOUR;
    let fixed = CHANNELS.iter().map(|(name, topic, private, archived, member)| {
        ((*name).to_owned(), (*topic).to_owned(), *private, *archived, *member)
    });
    let own = companies(business).into_iter().enumerate().map(|(n, company)| {
        (format!("cust-{}", slug(&company)), format!("Everything about {company}"), false, false, n % 2 == 0)
    });
    let all = fixed.chain(own).enumerate();
    all.map(|(n, (name, topic, private, archived, member))| {
        let n = n as u64;
        let mut channel = Channel {
            id: format!("C0{}", letters(seed, STREAM + 1_000 + n, 9)),
            name,
            topic,
            private,
            archived,
            member,
            people: random(seed, Kind::Secret, STREAM + 2_000 + n).usize(3..24),
            created: created + i64::try_from(n).unwrap_or(0) * 24 * HOUR,
            messages: Vec::new(),
        };
        talk(&mut channel, seed, n, business, now);
        channel
    })
    .collect()
}

/// A few things that the people said before the sandbox started.
fn talk(channel: &mut Channel, seed: u64, n: u64, business: &Business, now: Millis) {
    let mut random = random(seed, Kind::Secret, STREAM + 3_000 + n);
    for past in (1..=random.i64(2..12)).rev() {
        let Some(contact) = business.contacts.iter().nth(random.usize(..business.contacts.len().max(1))) else {
            return;
        };
        let text = match random.u8(..3) {
            0 => format!("{} called and asks for a quote.", contact.name()),
            1 => format!("The order of {} left the warehouse.", contact.name()),
            _ => format!("Who takes {}?", contact.name()),
        };
        let ts = channel.next_ts(now - past * 5 * HOUR);
        let user = format!("U0{}", letters(seed, STREAM + 4_000 + random.u64(..5), 9));
        channel.messages.push(Message {
            ts,
            user,
            text,
            thread: None,
            client_msg_id: None,
            metadata: None,
            bot: false,
        });
    }
}

/// The first companies among the contacts, each once.
fn companies(business: &Business) -> Vec<String> {
    let mut seen = HashSet::new();
    let named = business.contacts.iter().filter_map(|contact| contact.company.as_deref());
    named.filter(|company| seen.insert(slug(company))).take(CUSTOMERS).map(str::to_owned).collect()
}

/// Channel names are lower case, without spaces, at most 80 characters.
fn slug(name: &str) -> String {
    let words = name.to_lowercase();
    let words = words.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("-").chars().take(70).collect()
}

fn letters(seed: u64, index: u64, length: usize) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWXYZ0123456789";
    let mut random = random(seed, Kind::Secret, index);
    (0..length).map(|_| char::from(ALPHABET[random.usize(..ALPHABET.len())])).collect()
}

fn digits(seed: u64, index: u64) -> u64 {
    random(seed, Kind::Secret, STREAM + index).u64(1_000_000_000_000..9_999_999_999_999)
}
