//! The simulated business: what it holds and how it changes. It knows no wire.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;

use crate::clock::{Millis, moment};
pub(crate) use deals::Deals;
pub(crate) use record::{
    Appointment, Calendar, Channel, Contact, Conversation, CustomField, Id, Kind, Message, Note, Opportunity, Pipeline,
    Task, Text, User, random, uuid,
};

mod deals;
mod generate;
mod record;
mod talk;
mod ties;
mod words;

/// A write that the business committed, in the order in which it happened.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Effect {
    /// 1, 2, 3, …
    pub sequence: u64,
    /// Simulated time.
    pub at: DateTime<Utc>,
    /// The vendor's event: `ContactCreate`, `OutboundMessage`, `OpportunityStatusUpdate`, …
    pub kind: String,
    /// The record that changed.
    pub id: String,
    /// `api` when a client asked for it, `business` when the simulated people did it.
    pub origin: &'static str,
    /// The vendor's event payload, flat, without `webhookId` and `timestamp`.
    pub payload: Value,
}

/// Everything that the simulated business knows.
pub(crate) struct Business {
    pub seed: u64,
    pub location: Id,
    pub company: Id,
    pub users: Vec<User>,
    pub pipelines: Vec<Pipeline>,
    pub calendars: Vec<Calendar>,
    pub calendar_group: Id,
    pub custom_fields: Vec<CustomField>,
    /// Names of the location's tags, lower case.
    pub tags: Vec<(Id, String)>,
    pub contacts: Contacts,
    pub opportunities: Deals,
    pub conversations: Vec<Conversation>,
    pub notes: Vec<Note>,
    pub tasks: Vec<Task>,
    pub appointments: Vec<Appointment>,
    pub effects: Vec<Effect>,
    created: u64,
}

impl Business {
    pub(crate) fn generate(seed: u64, contacts: usize, now: Millis) -> Business {
        generate::business(seed, contacts, now)
    }

    /// An id that no generated record has.
    pub(crate) fn new_id(&mut self, kind: Kind) -> Id {
        self.created += 1;
        Id::derive(self.seed, kind, (1 << 48) | self.created)
    }

    pub(crate) fn record(&mut self, now: Millis, kind: &str, id: &str, origin: &'static str, payload: Value) {
        let sequence = self.effects.len() as u64 + 1;
        let (kind, id) = (kind.to_owned(), id.to_owned());
        self.effects.push(Effect { sequence, at: moment(now), kind, id, origin, payload });
    }

    /// All messages of a conversation, oldest first.
    pub(crate) fn messages(&self, conversation: &Conversation) -> Vec<Message> {
        let users: Vec<Id> = self.users.iter().map(|user| user.id).collect();
        let mut messages = talk::past(self.seed, conversation, &users);
        messages.extend(conversation.later.iter().cloned());
        messages
    }

    pub(crate) fn conversation_of(&mut self, contact: Id, now: Millis) -> &mut Conversation {
        let found = self.conversations.iter().position(|conversation| conversation.contact == contact);
        let position = found.unwrap_or_else(|| self.open_conversation(contact, now));
        &mut self.conversations[position]
    }

    fn open_conversation(&mut self, contact: Id, now: Millis) -> usize {
        let id = self.new_id(Kind::Conversation);
        let assigned_to = self.contacts.get(contact).and_then(|contact| contact.assigned_to);
        self.conversations.push(Conversation {
            id,
            contact,
            index: 0,
            past: 0,
            first: now,
            past_end: now,
            later: Vec::new(),
            unread: 0,
            starred: false,
            assigned_to,
            added: now,
            updated: now,
        });
        self.conversations.len() - 1
    }

    /// Adds a message and marks the contact as active.
    pub(crate) fn say(&mut self, contact: Id, message: Message) -> Id {
        let at = message.at;
        let inbound = message.inbound;
        let conversation = self.conversation_of(contact, at);
        conversation.unread = if inbound { conversation.unread + 1 } else { 0 };
        conversation.updated = at;
        conversation.later.push(message);
        let id = conversation.id;
        self.contacts.edit(contact, at, |contact| contact.last_activity = at);
        id
    }

    /// Removes the contact and what hangs on it, as the vendor does.
    pub(crate) fn remove_contact(&mut self, id: Id) -> Option<Contact> {
        let removed = self.contacts.remove(id)?;
        self.opportunities.remove_of(id);
        self.conversations.retain(|conversation| conversation.contact != id);
        self.notes.retain(|note| note.contact != id);
        self.tasks.retain(|task| task.contact != id);
        self.appointments.retain(|appointment| appointment.contact != id);
        Some(removed)
    }

    pub(crate) fn learn_tags(&mut self, tags: &[Text]) {
        for tag in tags {
            if self.tags.iter().any(|(_, name)| name == tag) {
                continue;
            }
            let id = self.new_id(Kind::Tag);
            self.tags.push((id, tag.to_string()));
        }
    }

    pub(crate) fn user(&self, id: Id) -> Option<&User> {
        self.users.iter().find(|user| user.id == id)
    }
}

/// The contacts, in the order in which they were made, with the orders that paging needs.
#[derive(Default)]
pub(crate) struct Contacts {
    slots: Vec<Option<Contact>>,
    by_id: HashMap<Id, u32>,
    by_added: BTreeSet<(Millis, Id)>,
    by_updated: BTreeSet<(Millis, Id)>,
    /// What the search index still believes about contacts that changed lately:
    /// when it changed, and how it was before (`None`: it did not exist).
    stale: HashMap<Id, (Millis, Option<Box<Contact>>)>,
    /// Whether the search index lags, that is, whether `stale` is kept.
    pub lagging: bool,
}

impl Contacts {
    pub(crate) fn len(&self) -> usize {
        self.by_id.len()
    }

    pub(crate) fn get(&self, id: Id) -> Option<&Contact> {
        self.slots.get(*self.by_id.get(&id)? as usize)?.as_ref()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Contact> {
        self.slots.iter().flatten()
    }

    /// What a search sees now when the index is `lag` behind.
    pub(crate) fn indexed(&self, now: Millis, lag: Millis) -> Vec<&Contact> {
        self.iter().filter_map(|contact| self.seen(contact, now, lag)).collect()
    }

    fn seen<'a>(&'a self, contact: &'a Contact, now: Millis, lag: Millis) -> Option<&'a Contact> {
        match self.stale.get(&contact.id) {
            Some((changed, before)) if changed + lag > now => before.as_deref(),
            _ => Some(contact),
        }
    }

    pub(crate) fn by_added(&self) -> &BTreeSet<(Millis, Id)> {
        &self.by_added
    }

    pub(crate) fn by_updated(&self) -> &BTreeSet<(Millis, Id)> {
        &self.by_updated
    }

    pub(crate) fn insert(&mut self, contact: Contact, now: Millis) {
        if self.lagging {
            self.stale.insert(contact.id, (now, None));
        }
        self.push(contact);
    }

    fn push(&mut self, contact: Contact) {
        let slot = u32::try_from(self.slots.len()).unwrap_or(u32::MAX);
        self.by_id.insert(contact.id, slot);
        self.by_added.insert((contact.added, contact.id));
        self.by_updated.insert((contact.updated, contact.id));
        self.slots.push(Some(contact));
    }

    /// Many at once: the orders are built in one go, which is faster and packs them tight.
    fn bulk(contacts: Vec<Contact>) -> Contacts {
        Contacts {
            by_id: (0u32..).zip(&contacts).map(|(slot, contact)| (contact.id, slot)).collect(),
            by_added: contacts.iter().map(|contact| (contact.added, contact.id)).collect(),
            by_updated: contacts.iter().map(|contact| (contact.updated, contact.id)).collect(),
            slots: contacts.into_iter().map(Some).collect(),
            ..Contacts::default()
        }
    }

    /// Changes a contact and stamps it as updated `now`.
    pub(crate) fn edit(&mut self, id: Id, now: Millis, change: impl FnOnce(&mut Contact)) -> Option<&Contact> {
        let slot = *self.by_id.get(&id)? as usize;
        let contact = self.slots.get_mut(slot)?.as_mut()?;
        if self.lagging {
            self.stale.insert(id, (now, Some(Box::new(contact.clone()))));
        }
        self.by_updated.remove(&(contact.updated, id));
        change(contact);
        // Two changes in one millisecond still move the record, as a cursor would expect.
        contact.updated = now.max(contact.updated + 1);
        self.by_updated.insert((contact.updated, id));
        Some(contact)
    }

    pub(crate) fn remove(&mut self, id: Id) -> Option<Contact> {
        let slot = self.by_id.remove(&id)? as usize;
        let contact = self.slots.get_mut(slot)?.take()?;
        self.by_added.remove(&(contact.added, id));
        self.by_updated.remove(&(contact.updated, id));
        self.stale.remove(&id);
        Some(contact)
    }

    /// The first contact with this e-mail or phone, e-mail first, as the location's settings say.
    pub(crate) fn duplicate(&self, email: Option<&str>, phone: Option<&str>) -> Option<(&Contact, &'static str)> {
        let by_email = email.and_then(|email| self.iter().find(|contact| same_email(contact, email)));
        if let Some(contact) = by_email {
            return Some((contact, "email"));
        }
        let phone = digits(phone?);
        if phone.is_empty() {
            return None;
        }
        let found = self.iter().find(|contact| contact.phone.as_deref().is_some_and(|other| digits(other) == phone))?;
        Some((found, "phone"))
    }
}

fn same_email(contact: &Contact, email: &str) -> bool {
    contact.email.as_deref().is_some_and(|other| other.eq_ignore_ascii_case(email))
}

fn digits(phone: &str) -> String {
    phone.chars().filter(char::is_ascii_digit).collect()
}
