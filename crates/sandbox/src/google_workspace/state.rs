//! What Google keeps of the simulated business: files, sheets, mails, events.

use serde_json::Value;

use super::{gate::Meters, oauth::Grants, seed};
use crate::{
    business::{Kind, random, uuid},
    clock::Millis,
    world::World,
};

/// One person's side of Google.
#[derive(Default)]
pub(crate) struct State {
    filled: bool,
    seed: u64,
    made: u64,
    pub(super) grants: Grants,
    pub(super) meters: Meters,
    /// The connected person.
    pub(super) me: (String, String),
    pub(super) files: Vec<File>,
    /// Every change of a file, in order; a token is a position.
    pub(super) changes: Vec<(String, Millis)>,
    pub(super) mails: Vec<Mail>,
    pub(super) drafts: Vec<Draft>,
    pub(super) events: Vec<Event>,
}

/// A file of Drive.
#[derive(Clone, Debug, Default)]
pub(super) struct File {
    pub id: String,
    pub name: String,
    pub mime: String,
    pub parent: String,
    /// Name and address.
    pub owner: (String, String),
    pub created: Millis,
    pub modified: Millis,
    pub trashed: bool,
    /// What can be read of it.
    pub text: String,
    pub tabs: Vec<Tab>,
    /// Developer metadata of a spreadsheet: id, and the whole.
    pub marks: Vec<(i64, Value)>,
}

/// A tab of a spreadsheet.
#[derive(Clone, Debug, Default)]
pub(super) struct Tab {
    pub id: i64,
    pub name: String,
    pub rows: usize,
    pub columns: usize,
    /// Ragged; null is an empty cell.
    pub cells: Vec<Vec<Value>>,
}

/// A mail of Gmail.
#[derive(Clone, Debug, Default)]
pub(super) struct Mail {
    pub id: String,
    pub thread: String,
    pub at: Millis,
    pub labels: Vec<&'static str>,
    /// In order, as they were written.
    pub headers: Vec<(String, String)>,
    pub text: String,
    /// Comes beside the text, or instead of it when that is empty.
    pub html: Option<String>,
    /// Names of what is attached.
    pub attachments: Vec<String>,
    /// What a client wrote, as it came.
    pub raw: Option<String>,
}

/// A mail that was not sent.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    pub id: String,
    pub mail: Mail,
}

/// An event of the calendar.
#[derive(Clone, Debug)]
pub(super) struct Event {
    pub id: String,
    pub start: Millis,
    pub end: Millis,
    pub updated: Millis,
    /// As the wire has it.
    pub row: Value,
}

impl State {
    /// Makes everything from the business when it is first needed.
    pub(super) fn fill(&mut self, world: &World) {
        if self.filled {
            return;
        }
        self.filled = true;
        self.seed = world.options.seed;
        self.grants = Grants::new(world.options.seed);
        seed::fill(self, &world.business(), world.options.now.timestamp_millis());
    }

    /// A new id of hexadecimal digits.
    pub(super) fn new_id(&mut self) -> String {
        self.made += 1;
        uuid(&mut random(self.seed, Kind::Secret, (8 << 32) | self.made)).replace('-', "")
    }

    pub(super) fn file(&self, id: &str) -> Option<&File> {
        self.files.iter().find(|file| file.id == id)
    }

    /// Changes a file and puts it on the list of changes.
    pub(super) fn touch(&mut self, id: &str, now: Millis, change: impl FnOnce(&mut File)) {
        if let Some(file) = self.files.iter_mut().find(|file| file.id == id) {
            change(file);
            file.modified = now;
            self.changes.push((id.to_owned(), now));
        }
    }
}

impl Mail {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub(super) fn has(&self, label: &str) -> bool {
        self.labels.contains(&label)
    }
}
