//! What people teach the brain: nicknames, notes, tags, and whether advice was any good.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use sdk::{Error, Result};
use serde::{Deserialize, Serialize};
use store::contacts::{self as rows, ContextChange};
use store::{Tenant, outcomes};

use super::person::Person;
use super::reference::resolve;
use super::scoring::importance;
use crate::unavailable;

/// Remembers what is known of a contact beyond the CRM: nicknames that it is then found by, notes, own tags. Stays in
/// the local copy; the vendor does not see it. Fields that are not given stay; an empty note removes the note.
/// Answers the `context` as it is now.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SaveContext {
    /// The contact's id, or a name that only one contact has.
    #[schemars(length(min = 1, max = 200))]
    pub contact: String,
    /// Names to find the contact by.
    #[serde(default)]
    #[schemars(length(max = 20), inner(length(min = 1, max = 100)))]
    pub add_nicknames: Vec<String>,
    /// Nicknames to forget; the generated ones stay.
    #[serde(default)]
    #[schemars(length(max = 20), inner(length(min = 1, max = 100)))]
    pub remove_nicknames: Vec<String>,
    /// About the person; replaces the note.
    #[schemars(length(max = 5000))]
    pub personal_notes: Option<String>,
    /// About the company; replaces the note.
    #[schemars(length(max = 5000))]
    pub company_info: Option<String>,
    /// About the relationship; replaces the note.
    #[schemars(length(max = 5000))]
    pub relationship_notes: Option<String>,
    /// Own tags, beside the vendor's.
    #[serde(default)]
    #[schemars(length(max = 20), inner(length(min = 1, max = 100)))]
    pub add_tags: Vec<String>,
    /// Own tags to remove; the vendor's stay.
    #[serde(default)]
    #[schemars(length(max = 20), inner(length(min = 1, max = 100)))]
    pub remove_tags: Vec<String>,
}

/// The context after the change.
#[derive(Debug, Serialize, JsonSchema)]
pub struct SavedContext {
    pub contact_id: String,
    pub contact_name: String,
    pub context: Context,
}

/// What people know of a contact.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Context {
    /// Generated ones and people's own.
    pub nicknames: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub personal_notes: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub company_info: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub relationship_notes: Option<String>,
    /// People's own tags, beside the vendor's.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub own_tags: Vec<String>,
}

/// Records whether a recommendation for a contact was acted on and what came of it. Call it after a recommendation of
/// `gohighlevel.get_recommendations` was carried out or refused; it is then not repeated for 14 days.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RecordOutcome {
    /// The contact's id, or a name that only one contact has.
    #[schemars(length(min = 1, max = 200))]
    pub contact: String,
    /// The recommendation's `id`, for example `contact_now`.
    #[schemars(length(min = 1, max = 100))]
    pub recommendation: String,
    /// Whether it was carried out.
    pub acted: bool,
    /// What came of it, in a sentence.
    #[schemars(length(max = 2000))]
    pub outcome: Option<String>,
}

/// The outcome as it was kept.
#[derive(Debug, Serialize, JsonSchema)]
pub struct RecordedOutcome {
    /// The outcome's id.
    pub id: String,
    pub contact_id: String,
    pub recommendation: String,
    pub at: DateTime<Utc>,
}

/// Writes what a person knows of a contact.
pub async fn save_context(tenant: &Tenant, now: DateTime<Utc>, args: SaveContext) -> Result<SavedContext> {
    let row = resolve(tenant, now, &args.contact).await?;
    let change = ContextChange {
        add_nicknames: args.add_nicknames,
        remove_nicknames: args.remove_nicknames,
        personal_notes: args.personal_notes,
        company_info: args.company_info,
        relationship_notes: args.relationship_notes,
        add_tags: args.add_tags,
        remove_tags: args.remove_tags,
    };
    if change == ContextChange::default() {
        return Err(Error::invalid_input("nothing to remember: give at least one field besides contact"));
    }
    if !rows::save_context(tenant, row.id, change, now).await.map_err(unavailable)? {
        return Err(gone(&args.contact));
    }
    let row = rows::rows(tenant, &[row.id]).await.map_err(unavailable)?.pop().ok_or_else(|| gone(&args.contact))?;
    let person = Person::from(&row);
    // A first tag of its own makes a contact more important at once.
    let score = i16::from(importance(&person.facts(), now).value);
    if score != row.importance {
        rows::set_importance(tenant, &[(row.id, score)]).await.map_err(unavailable)?;
    }
    Ok(SavedContext { contact_id: person.id.clone(), contact_name: person.title().into(), context: Context::from(row) })
}

/// Keeps what came of a recommendation.
pub async fn record_outcome(tenant: &Tenant, now: DateTime<Utc>, args: RecordOutcome) -> Result<RecordedOutcome> {
    let row = resolve(tenant, now, &args.contact).await?;
    let RecordOutcome { recommendation, acted, outcome, .. } = args;
    let kept = outcomes::record(tenant, row.id, &recommendation, acted, outcome.as_deref(), now).await;
    let id = kept.map_err(unavailable)?.ok_or_else(|| gone(&args.contact))?;
    Ok(RecordedOutcome { id: id.to_string(), contact_id: row.vendor_id, recommendation, at: now })
}

fn gone(contact: &str) -> Error {
    Error::conflict(format!("contact: {contact} was removed meanwhile"))
}

impl From<rows::ContactRow> for Context {
    fn from(row: rows::ContactRow) -> Context {
        let note = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
        Context {
            nicknames: row.nicknames,
            personal_notes: note(row.personal_notes),
            company_info: note(row.company_info),
            relationship_notes: note(row.relationship_notes),
            own_tags: row.custom_tags,
        }
    }
}
