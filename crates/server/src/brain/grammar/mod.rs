//! Contact search in plain words: what was asked, as filters, and what was understood, in words.
//!
//! Reading never fails and takes time linear in the words; what is not understood becomes the text
//! to search for.

mod tokens;
mod periods;
mod rules;
mod reader;

use chrono::{DateTime, FixedOffset, Utc};

/// A question about contacts. All filters hold together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Question {
    /// Words that name or describe somebody; matched with tolerance for typing errors.
    pub text: Option<String>,
    /// The NAME of "NAME from COMPANY".
    pub name: Option<String>,
    pub company: Option<String>,
    /// `lead` or `customer`.
    pub kind: Option<&'static str>,
    /// The contact has all of these tags.
    pub tags: Vec<String>,
    pub industry: Option<String>,
    pub has_email: Option<bool>,
    pub has_phone: Option<bool>,
    pub added_since: Option<DateTime<Utc>>,
    pub added_before: Option<DateTime<Utc>>,
    pub contacted_since: Option<DateTime<Utc>>,
    /// No contact since then; never contacted counts.
    pub not_contacted_since: Option<DateTime<Utc>>,
    pub never_contacted: bool,
    pub active_since: Option<DateTime<Utc>>,
    pub inactive_since: Option<DateTime<Utc>>,
    pub importance_min: Option<u8>,
    pub order: Option<Order>,
    pub limit: Option<u32>,
    /// "how many": the number is asked for, not only the contacts.
    pub counts: bool,
}

/// The order that was asked for; without one the best match comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Added last, first.
    Latest,
    /// Most important first.
    Importance,
}

/// Reads a question. Days begin at midnight of the time zone; the week starts on Monday.
pub fn parse(text: &str, now: DateTime<Utc>, zone: FixedOffset) -> Question {
    let words = tokens::tokens(text);
    reader::Reader::new(&words, periods::Clock { now, zone }).read()
}

impl Question {
    /// The filters in words, for the answer: "leads", "without e-mail", "added since 2026-11-16".
    pub fn understood(&self, zone: FixedOffset) -> Vec<String> {
        let day = |at: DateTime<Utc>| moment(at, zone);
        let mut words = Vec::new();
        let mut say = |text: Option<String>| words.extend(text);
        say(self.kind.map(|kind| format!("{kind}s")));
        say(self.name.as_ref().map(|name| format!("named “{name}”")));
        say(self.company.as_ref().map(|company| format!("at “{company}”")));
        say(self.industry.as_ref().map(|industry| format!("in the “{industry}” industry")));
        self.tags.iter().for_each(|tag| say(Some(format!("tagged “{tag}”"))));
        say(self.has_email.map(|has| format!("{} e-mail", with(has))));
        say(self.has_phone.map(|has| format!("{} phone", with(has))));
        say(self.added_since.map(|at| format!("added since {}", day(at))));
        say(self.added_before.map(|at| format!("added before {}", day(at))));
        say(self.contacted_since.map(|at| format!("contacted since {}", day(at))));
        say(self.not_contacted_since.map(|at| format!("not contacted since {}", day(at))));
        say(self.never_contacted.then(|| "never contacted".into()));
        say(self.active_since.map(|at| format!("active since {}", day(at))));
        say(self.inactive_since.map(|at| format!("no activity since {}", day(at))));
        say(self.importance_min.map(|least| format!("importance at least {least}")));
        say(self.text.as_ref().map(|text| format!("matching “{text}”")));
        say(self.order.map(|order| order.words().into()));
        say(self.limit.map(|limit| format!("at most {limit}")));
        words
    }

    /// Somebody or something is named, so that the best match comes first.
    pub fn has_words(&self) -> bool {
        self.text.is_some() || self.name.is_some() || self.company.is_some()
    }

    /// Nothing narrows the contacts: everybody is asked for.
    pub fn is_open(&self) -> bool {
        Question { order: None, limit: None, counts: false, ..self.clone() } == Question::default()
    }
}

impl Order {
    fn words(self) -> &'static str {
        match self {
            Order::Latest => "latest first",
            Order::Importance => "most important first",
        }
    }
}

fn with(has: bool) -> &'static str {
    if has { "with" } else { "without" }
}

/// A day, with the time where it is not midnight.
fn moment(at: DateTime<Utc>, zone: FixedOffset) -> String {
    let local = at.with_timezone(&zone);
    let midnight = local.time() == chrono::NaiveTime::MIN;
    local.format(if midnight { "%Y-%m-%d" } else { "%Y-%m-%d %H:%M" }).to_string()
}

#[cfg(test)]
mod tests;
