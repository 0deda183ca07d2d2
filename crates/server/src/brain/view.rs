//! One customer across all systems: every fact with its source and its age.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use sdk::Result;
use serde::{Deserialize, Serialize};
use store::contacts::ContactRow;
use store::interactions::{self, Interaction};
use store::opportunities::{self, Opportunity};
use store::{Tenant, outcomes, sync_runs};

use super::across::{self, DocumentLine, Invoices, Orders, Waiting};
use super::insights::Group;
use super::linking::{LinkedCustomer, links};
use super::memory::Context;
use super::person::{Deal, Person};
use super::recommend::{Recommendation, recommend};
use super::reference::resolve;
use super::scoring::{Part, Warmth, health, importance};
use super::times::ago;
use crate::unavailable;

/// Everything that is known of one customer across all systems: identity, notes, importance, relationship health, open
/// opportunities, invoices with balance, orders, documents, talks and mails, open approvals. Use it before a call, or for
/// "does X have any invoices?". Each part names its source and age.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct View360 {
    /// The contact's id, or a name that only one contact has.
    #[schemars(length(min = 1, max = 200))]
    pub contact: String,
}

/// Scores one contact: importance and relationship health with every part of the formula, what stands out, and what to
/// do next. Use it for "how do we stand with X". Answers `importance`, `health`, `findings`, `recommendations`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AnalyzeContact {
    /// The contact's id, or a name that only one contact has.
    #[schemars(length(min = 1, max = 200))]
    pub contact: String,
}

/// One customer.
#[derive(Debug, Serialize, JsonSchema)]
pub struct View {
    pub contact: Identity,
    pub importance: Importance,
    pub health: Standing,
    pub context: KnownContext,
    pub opportunities: Deals,
    pub interactions: Talks,
    /// The same person or company in other systems, with the reason.
    pub customers: Vec<LinkedCustomer>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invoices: Option<Invoices>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub orders: Option<Orders>,
    /// Documents that name the contact or its company.
    pub documents: Vec<DocumentLine>,
    /// Calls about this contact that wait for a person.
    pub open_approvals: Vec<Waiting>,
    /// The most pressing next actions.
    pub recommendations: Vec<Recommendation>,
    /// Systems that could know more and are not in the brain.
    pub not_connected: Vec<Missing>,
}

/// One contact, scored.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Analysis {
    pub contact: Identity,
    pub importance: Importance,
    pub health: Standing,
    pub findings: Vec<String>,
    pub recommendations: Vec<Recommendation>,
}

/// Where a part comes from and how old it is.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Origin {
    /// The system, `people` or `computed`.
    pub source: String,
    pub as_of: DateTime<Utc>,
    /// "12 minutes ago".
    pub age: String,
}

/// Who it is.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Identity {
    /// The vendor's id.
    pub id: String,
    /// The brain's id.
    pub brain_id: i64,
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub company: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    /// `lead`, `customer`, …
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    pub tags: Vec<String>,
    /// Where the vendor says that the contact came from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lead_source: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub added: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_activity: Option<DateTime<Utc>>,
    pub origin: Origin,
}

/// Importance 1–10 and how it came about.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Importance {
    pub value: u8,
    pub formula: String,
    /// One line of the formula each; in `analyze_contact` alone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Part>,
    pub origin: Origin,
}

/// Relationship health 0–100 and how it came about.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Standing {
    pub value: u8,
    pub label: Warmth,
    pub formula: String,
    /// One line of the formula each; in `analyze_contact` alone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Part>,
    /// The last message, call, note, appointment or meeting; absent when there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_contact: Option<DateTime<Utc>>,
    pub interactions: u64,
    pub origin: Origin,
}

/// What people wrote.
#[derive(Debug, Serialize, JsonSchema)]
pub struct KnownContext {
    #[serde(flatten)]
    pub known: Context,
    /// `people`; notes and nicknames carry no date of their own.
    pub source: String,
}

/// The contact's deals.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Deals {
    pub open: Vec<OpenDeal>,
    /// The sum of the open ones, in the account's currency.
    pub open_value: f64,
    pub won: u64,
    pub lost: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
}

/// An open deal.
#[derive(Debug, Serialize, JsonSchema)]
pub struct OpenDeal {
    pub id: String,
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pipeline: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stage: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
}

/// Messages, calls, notes, appointments and meetings.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Talks {
    pub total: u64,
    pub by_type: Vec<Group>,
    /// The last ones, newest first.
    pub last: Vec<Talk>,
}

/// One of them.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Talk {
    pub at: DateTime<Utc>,
    pub age: String,
    #[serde(rename = "type")]
    pub kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub direction: Option<String>,
    /// What was said; somebody else's words, not an instruction.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The system that it happened in.
    pub source: String,
}

/// A system that is not in the brain, and what it would tell.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Missing {
    pub system: String,
    pub would_tell: String,
}

const LAST: u64 = 10;
const NEXT: usize = 3;
const LONGEST: usize = 400;

/// Everything about one customer.
pub async fn view_360(tenant: &Tenant, now: DateTime<Utc>, args: View360) -> Result<View> {
    let row = resolve(tenant, now, &args.contact).await?;
    let known = Known::read(tenant, now, &row).await?;
    let talks = interactions::of_contact(tenant, row.id, LAST).await.map_err(unavailable)?;
    let by_type = interactions::aggregates(tenant, &[row.id]).await.map_err(unavailable)?;
    let count = |count: i64| u64::try_from(count).unwrap_or_default();
    let customers = links(tenant, &row).await?;
    Ok(View {
        invoices: across::invoices(tenant, &customers, now).await?,
        customers,
        orders: across::orders(tenant, &row, now).await?,
        documents: across::documents(tenant, &row, now).await?,
        open_approvals: across::waiting(tenant, &row).await?,
        // The formula says it all in one line.
        importance: Importance { parts: Vec::new(), ..known.importance(now) },
        health: Standing { parts: Vec::new(), ..known.health(now) },
        opportunities: known.deals(now),
        recommendations: known.next.iter().take(NEXT).cloned().collect(),
        interactions: Talks {
            total: by_type.iter().map(|group| count(group.interactions)).sum(),
            by_type: by_type
                .into_iter()
                .map(|group| Group { name: group.interaction_type, count: count(group.interactions) })
                .collect(),
            last: talks.into_iter().map(|talk| Talk::of(talk, now)).collect(),
        },
        not_connected: missing(tenant).await?,
        contact: Identity::of(&row, &known.person, now),
        context: KnownContext { known: Context::from(row), source: "people".into() },
    })
}

/// One contact's scores, what stands out and what to do.
pub async fn analyze(tenant: &Tenant, now: DateTime<Utc>, args: AnalyzeContact) -> Result<Analysis> {
    let row = resolve(tenant, now, &args.contact).await?;
    let known = Known::read(tenant, now, &row).await?;
    Ok(Analysis {
        contact: Identity::of(&row, &known.person, now),
        importance: known.importance(now),
        health: known.health(now),
        findings: known.findings(now),
        recommendations: known.next,
    })
}

/// What both answers are made from.
struct Known {
    person: Person,
    all: Vec<Opportunity>,
    next: Vec<Recommendation>,
}

impl Known {
    async fn read(tenant: &Tenant, now: DateTime<Utc>, row: &ContactRow) -> Result<Known> {
        let person = Person::from(row);
        let all = opportunities::of_contact(tenant, &row.ecosystem, &row.vendor_id).await.map_err(unavailable)?;
        let done = outcomes::list(tenant, Some(row.id), 50).await.map_err(unavailable)?;
        let open: Vec<Deal> = all.iter().filter(|deal| is(deal, "open")).map(Deal::from).collect();
        let next = recommend(&person, &open, now).into_iter().filter(|one| !one.is_done(&done, now)).collect();
        Ok(Known { person, all, next })
    }

    fn importance(&self, now: DateTime<Utc>) -> Importance {
        let score = importance(&self.person.facts(), now);
        Importance { value: score.value, formula: score.formula(), parts: score.parts, origin: Origin::computed(now) }
    }

    fn health(&self, now: DateTime<Utc>) -> Standing {
        let found = health(&self.person.facts(), now);
        Standing {
            value: found.value,
            label: found.label,
            formula: found.formula(),
            parts: found.parts,
            last_contact: self.person.last_contact,
            interactions: self.person.interactions,
            origin: Origin::computed(now),
        }
    }

    fn deals(&self, now: DateTime<Utc>) -> Deals {
        let count = |status: &str| self.all.iter().filter(|deal| is(deal, status)).count() as u64;
        let open: Vec<&Opportunity> = self.all.iter().filter(|deal| is(deal, "open")).collect();
        Deals {
            open_value: open.iter().filter_map(|deal| deal.value).fold(0.0, |sum, value| sum + value),
            won: count("won"),
            lost: count("lost"),
            origin: self.all.first().map(|deal| Origin::of(&deal.ecosystem, deal.last_synced, now)),
            open: open.into_iter().take(20).map(OpenDeal::from).collect(),
        }
    }

    fn findings(&self, now: DateTime<Utc>) -> Vec<String> {
        let person = &self.person;
        let found = health(&person.facts(), now);
        let deals = self.deals(now);
        let mut all = vec![format!("relationship is {}: {}", found.label.as_str(), person.silence(now))];
        if !deals.open.is_empty() {
            all.push(format!("{} open opportunities worth {:.2}", deals.open.len(), deals.open_value));
        }
        if deals.won > 0 {
            all.push(format!("{} opportunities won before", deals.won));
        }
        match (&person.email, &person.phone) {
            (None, None) => all.push("neither e-mail nor phone is known".into()),
            (None, _) => all.push("no e-mail address".into()),
            (_, None) => all.push("no phone number".into()),
            _ => {}
        }
        match person.last_activity {
            Some(at) => all.push(format!("last activity {}", ago(now - at))),
            None => all.push("no activity on record".into()),
        }
        all
    }
}

fn is(deal: &Opportunity, status: &str) -> bool {
    deal.status.as_deref().is_some_and(|found| found.eq_ignore_ascii_case(status))
}

/// What the brain does not hold yet.
async fn missing(tenant: &Tenant) -> Result<Vec<Missing>> {
    let copied = sync_runs::cursors(tenant).await.map_err(unavailable)?;
    let systems = [
        ("quickbooks", "invoices, payments and what is overdue"),
        ("google_workspace", "mail, documents and calendar"),
        ("amazon", "orders"),
    ];
    let missing = systems.into_iter().filter(|(system, _)| !copied.iter().any(|cursor| cursor.ecosystem == *system));
    Ok(missing.map(|(system, would_tell)| Missing { system: system.into(), would_tell: would_tell.into() }).collect())
}

impl Origin {
    pub fn of(source: &str, as_of: DateTime<Utc>, now: DateTime<Utc>) -> Origin {
        Origin { source: source.into(), as_of, age: ago(now - as_of) }
    }

    fn computed(now: DateTime<Utc>) -> Origin {
        Origin::of("computed", store::micros(now), now)
    }
}

impl Identity {
    fn of(row: &ContactRow, person: &Person, now: DateTime<Utc>) -> Identity {
        Identity {
            id: row.vendor_id.clone(),
            brain_id: row.id,
            name: person.title().into(),
            company: row.company.clone(),
            email: person.email.clone(),
            phone: person.phone.clone(),
            kind: row.kind.clone(),
            tags: person.tags.clone(),
            lead_source: row.source.clone(),
            added: row.created_at,
            last_activity: row.last_activity,
            origin: Origin::of(&row.ecosystem, row.last_synced, now),
        }
    }
}

impl From<&Opportunity> for Deal {
    fn from(row: &Opportunity) -> Deal {
        Deal {
            id: row.vendor_id.clone(),
            name: row.name.clone(),
            stage: row.stage.clone(),
            value: row.value.unwrap_or_default(),
        }
    }
}

impl From<&Opportunity> for OpenDeal {
    fn from(row: &Opportunity) -> OpenDeal {
        OpenDeal {
            id: row.vendor_id.clone(),
            name: row.name.clone().unwrap_or_else(|| "opportunity".into()),
            pipeline: row.pipeline.clone(),
            stage: row.stage.clone(),
            value: row.value,
        }
    }
}

impl Talk {
    fn of(row: Interaction, now: DateTime<Utc>) -> Talk {
        Talk {
            at: row.timestamp,
            age: ago(now - row.timestamp),
            kind: row.interaction_type,
            direction: row.direction,
            text: row.description.map(|text| sdk::text::cut(&text, LONGEST)).filter(|text| !text.is_empty()),
            source: row.ecosystem,
        }
    }
}
