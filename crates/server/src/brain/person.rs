//! A contact and a deal as the scores and insights see them.

use chrono::{DateTime, TimeDelta, Utc};

use store::contacts::{Brief, ContactRow};

use super::insights::Named;
use super::scoring::Facts;
use super::times::ago;

/// One contact, with what we know about speaking to it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Person {
    /// The vendor's id.
    pub id: String,
    pub name: Option<String>,
    pub company: Option<String>,
    pub email: Option<String>,
    pub phone: Option<String>,
    pub kind: Option<String>,
    pub tags: Vec<String>,
    pub created_at: Option<DateTime<Utc>>,
    pub last_activity: Option<DateTime<Utc>>,
    pub last_contact: Option<DateTime<Utc>>,
    pub interactions: u64,
}

/// An open opportunity.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Deal {
    pub id: String,
    pub name: Option<String>,
    pub stage: Option<String>,
    pub value: f64,
}

impl Person {
    pub fn facts(&self) -> Facts<'_> {
        Facts {
            has_tags: !self.tags.is_empty(),
            kind: self.kind.as_deref(),
            last_activity: self.last_activity,
            last_contact: self.last_contact,
            interactions: self.interactions,
        }
    }

    pub fn is_lead(&self) -> bool {
        self.kind.as_deref().is_some_and(|kind| kind.eq_ignore_ascii_case("lead"))
    }

    /// The name, or whatever else there is to call it by.
    pub fn title(&self) -> &str {
        let names = [&self.name, &self.company, &self.email, &self.phone];
        names.into_iter().flatten().map(String::as_str).find(|name| !name.trim().is_empty()).unwrap_or(&self.id)
    }

    /// "last contact 23 days ago", "never contacted".
    pub fn silence(&self, now: DateTime<Utc>) -> String {
        match self.last_contact {
            None => "never contacted".into(),
            Some(at) if at - now > TimeDelta::hours(1) => format!("next contact planned for {}", at.format("%Y-%m-%d")),
            Some(at) => format!("last contact {}", ago(now - at)),
        }
    }

    pub fn named(&self, why: String) -> Named {
        Named { id: self.id.clone(), name: self.title().into(), company: self.company.clone(), why }
    }
}

impl From<&ContactRow> for Person {
    fn from(row: &ContactRow) -> Person {
        let own = row.custom_tags.iter().filter(|tag| !row.tags.contains(tag));
        Person {
            id: row.vendor_id.clone(),
            name: row.name.clone(),
            company: row.company.clone(),
            email: text(&row.email),
            phone: text(&row.phone),
            kind: row.kind.clone(),
            tags: row.tags.iter().chain(own).cloned().collect(),
            created_at: row.created_at,
            last_activity: row.last_activity,
            last_contact: row.last_interaction,
            interactions: u64::try_from(row.interaction_count).unwrap_or_default(),
        }
    }
}

impl From<Brief> for Person {
    fn from(row: Brief) -> Person {
        Person {
            email: text(&row.email),
            phone: text(&row.phone),
            id: row.vendor_id,
            name: row.name,
            company: row.company,
            kind: row.kind,
            tags: row.tags,
            created_at: row.created_at,
            last_activity: row.last_activity,
            last_contact: row.last_interaction,
            interactions: u64::try_from(row.interaction_count).unwrap_or_default(),
        }
    }
}

/// Vendors write an empty text where there is none.
fn text(field: &Option<String>) -> Option<String> {
    field.as_deref().filter(|text| !text.trim().is_empty()).map(str::to_owned)
}

impl Deal {
    pub fn title(&self) -> &str {
        self.name.as_deref().unwrap_or("opportunity")
    }
}
