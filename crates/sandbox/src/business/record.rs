//! The records of the simulated business, as compact as they can be while staying editable.

use std::{borrow::Cow, fmt, str::FromStr};

use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use crate::clock::Millis;

/// Most words come from fixed lists, so that a hundred thousand contacts stay small.
pub(crate) type Text = Cow<'static, str>;

const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// The vendor's record id: twenty letters and digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Id([u8; 20]);

impl Id {
    /// The id of the `index`th record of a kind; the same for the same seed, on every machine.
    pub(crate) fn derive(seed: u64, kind: Kind, index: u64) -> Id {
        let mut random = random(seed, kind, index);
        Id(std::array::from_fn(|_| ALPHABET[random.usize(..ALPHABET.len())]))
    }

    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Id {
    type Err = ();

    fn from_str(text: &str) -> Result<Id, ()> {
        let bytes: [u8; 20] = text.as_bytes().try_into().map_err(|_| ())?;
        if !bytes.iter().all(u8::is_ascii_alphanumeric) {
            return Err(());
        }
        Ok(Id(bytes))
    }
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// What a derived id or a random stream is for; two kinds never share either.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Location = 1,
    Company,
    User,
    Contact,
    Pipeline,
    Stage,
    Opportunity,
    Conversation,
    Message,
    Note,
    Task,
    Calendar,
    Appointment,
    CustomField,
    Tag,
    Secret,
    Trace,
    Webhook,
    Group,
    /// Orders of a marketplace.
    Sale = 41,
    /// What lies in its warehouses.
    Stock = 42,
}

/// A random stream that depends on nothing but the seed, the kind and the index.
pub(crate) fn random(seed: u64, kind: Kind, index: u64) -> fastrand::Rng {
    let mut mixed = seed ^ (kind as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ index.wrapping_mul(0xD1B5_4A32_D192_ED03)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed ^= mixed >> 29;
    fastrand::Rng::with_seed(mixed.wrapping_mul(0x94D0_49BB_1331_11EB))
}

/// A UUID-shaped text from a random stream.
pub(crate) fn uuid(random: &mut fastrand::Rng) -> String {
    uuid::Builder::from_random_bytes(random.u128(..).to_be_bytes()).into_uuid().to_string()
}

#[derive(Clone, Debug)]
pub(crate) struct Contact {
    pub id: Id,
    pub first_name: Option<Text>,
    pub last_name: Option<Text>,
    pub company: Option<Text>,
    pub email: Option<Text>,
    pub phone: Option<Text>,
    /// `lead` or `customer`.
    pub kind: Text,
    pub source: Option<Text>,
    pub tags: Vec<Text>,
    pub address: Option<Text>,
    pub city: Option<Text>,
    pub state: Option<Text>,
    pub postal_code: Option<Text>,
    pub country: Text,
    pub website: Option<Text>,
    pub timezone: Option<Text>,
    pub assigned_to: Option<Id>,
    pub dnd: bool,
    /// By channel as the dated API spells it: `Call`, `Email`, `SMS`, `WhatsApp`, `GMB`, `FB`.
    pub dnd_settings: Option<Box<Map<String, Value>>>,
    pub date_of_birth: Option<Text>,
    pub custom_fields: Vec<(Id, Value)>,
    pub additional_emails: Vec<Text>,
    pub added: Millis,
    pub updated: Millis,
    pub last_activity: Millis,
}

impl Contact {
    /// First and last name, else company, else e-mail; the vendor's display name.
    pub(crate) fn name(&self) -> String {
        let name = [self.first_name.as_deref(), self.last_name.as_deref()];
        let name = name.into_iter().flatten().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ");
        if !name.is_empty() {
            return name;
        }
        self.company.as_deref().or(self.email.as_deref()).unwrap_or_default().to_owned()
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Note {
    pub id: Id,
    pub contact: Id,
    pub user: Option<Id>,
    pub title: Option<String>,
    pub color: Option<String>,
    pub pinned: bool,
    pub body: Text,
    pub added: Millis,
}

#[derive(Clone, Debug)]
pub(crate) struct Task {
    pub id: Id,
    pub contact: Id,
    pub title: Text,
    pub body: Option<Text>,
    pub assigned_to: Option<Id>,
    pub due: Millis,
    pub completed: bool,
    pub added: Millis,
}

#[derive(Clone, Debug)]
pub(crate) struct Opportunity {
    pub id: Id,
    pub name: String,
    pub contact: Id,
    pub pipeline: Id,
    pub stage: String,
    /// `open`, `won`, `lost` or `abandoned`.
    pub status: Text,
    pub value: f64,
    pub assigned_to: Option<Id>,
    pub source: Option<Text>,
    pub lost_reason: Option<String>,
    pub custom_fields: Vec<(Id, Value)>,
    pub followers: Vec<String>,
    pub added: Millis,
    pub updated: Millis,
    pub status_changed: Millis,
    pub stage_changed: Millis,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Channel {
    Sms,
    Email,
    Call,
}

impl Channel {
    pub(crate) fn message_type(self) -> &'static str {
        match self {
            Channel::Sms => "TYPE_SMS",
            Channel::Email => "TYPE_EMAIL",
            Channel::Call => "TYPE_CALL",
        }
    }

    /// The vendor's number for the message type.
    pub(crate) fn number(self) -> u32 {
        match self {
            Channel::Call => 1,
            Channel::Sms => 2,
            Channel::Email => 3,
        }
    }

    /// The name that webhooks use.
    pub(crate) fn short(self) -> &'static str {
        match self {
            Channel::Sms => "SMS",
            Channel::Email => "Email",
            Channel::Call => "CALL",
        }
    }
}

/// A thread with one contact. What was said before the sandbox started is derived from
/// `index` when somebody asks; only what is said later is stored.
#[derive(Clone, Debug)]
pub(crate) struct Conversation {
    pub id: Id,
    pub contact: Id,
    pub index: u64,
    /// How many messages the past holds.
    pub past: u8,
    pub first: Millis,
    pub past_end: Millis,
    pub later: Vec<Message>,
    pub unread: u32,
    pub starred: bool,
    pub assigned_to: Option<Id>,
    pub added: Millis,
    pub updated: Millis,
}

impl Conversation {
    /// When the last message was exchanged.
    pub(crate) fn last(&self) -> Millis {
        self.later.iter().map(|message| message.at).max().unwrap_or(self.past_end)
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub id: Id,
    pub at: Millis,
    pub channel: Channel,
    pub inbound: bool,
    pub subject: Option<String>,
    pub body: String,
    pub status: Text,
    pub user: Option<Id>,
    pub call_seconds: Option<u32>,
    pub attachments: Vec<String>,
    /// `app` for people and the past, `api` for what came over the wire.
    pub source: &'static str,
}

#[derive(Clone, Debug)]
pub(crate) struct Pipeline {
    pub id: Id,
    pub name: &'static str,
    /// Id and name, in order.
    pub stages: Vec<(String, &'static str)>,
}

#[derive(Clone, Debug)]
pub(crate) struct Calendar {
    pub id: Id,
    pub name: &'static str,
    pub description: &'static str,
    pub minutes: i64,
    pub user: Id,
}

#[derive(Clone, Debug)]
pub(crate) struct Appointment {
    pub id: Id,
    pub calendar: Id,
    pub contact: Id,
    pub user: Id,
    pub title: String,
    pub status: Text,
    pub notes: Option<Text>,
    pub address: Option<Text>,
    pub start: Millis,
    pub end: Millis,
    pub added: Millis,
    pub updated: Millis,
}

#[derive(Clone, Debug)]
pub(crate) struct User {
    pub id: Id,
    pub first_name: &'static str,
    pub last_name: &'static str,
    pub email: &'static str,
    pub phone: &'static str,
    pub role: &'static str,
}

#[derive(Clone, Debug)]
pub(crate) struct CustomField {
    pub id: Id,
    pub name: String,
    pub key: String,
    pub data_type: String,
    pub options: Vec<String>,
    /// `contact` or `opportunity`.
    pub model: String,
}
