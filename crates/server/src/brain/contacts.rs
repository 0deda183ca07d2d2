//! Finding contacts in the brain.

use chrono::{DateTime, FixedOffset, Offset, TimeDelta, Utc};
use schemars::JsonSchema;
use sdk::Result;
use serde::{Deserialize, Serialize};
use store::Tenant;
use store::contacts::{self as rows, ContactRow, Filter, Patience};

use super::grammar::{self, Order, Question};
use super::person::Person;
use super::scoring::importance;
use crate::unavailable;

/// Finds contacts in the local copy by plain words, typos welcome: a name, nickname or company, "NAME from COMPANY",
/// "leads without email", "added this week", "not contacted in 30 days", "tagged vip", "latest", "most important".
/// Answers `contacts` and `understood`: how the words were read.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Search {
    /// The question; without one the contacts that were added last.
    #[schemars(length(max = 500))]
    pub query: Option<String>,
    /// How many contacts, 20 unless given.
    #[schemars(range(min = 1, max = 100))]
    pub limit: Option<u32>,
    /// `next_cursor` of the previous answer to the same question.
    #[schemars(length(max = 200))]
    pub cursor: Option<String>,
}

/// Contacts, and how the question was read.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Found {
    pub contacts: Vec<Contact>,
    /// The filters that the question was read as; empty means everybody.
    pub understood: Vec<String>,
    /// How many contacts fit in all, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    /// Give it as `cursor` for the next page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
    /// Where no contact fits: customers of other systems who do.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub customers: Vec<Customer>,
}

/// A customer of another system, who is no contact.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Customer {
    /// The system, such as `quickbooks`.
    pub source: String,
    pub id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub company: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
}

/// A contact as lists show it.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Contact {
    /// The vendor's id.
    pub id: String,
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
    #[serde(skip_serializing_if = "Option::is_none")]
    pub added: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_activity: Option<DateTime<Utc>>,
    /// The last message, call, note, appointment or meeting.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_contact: Option<DateTime<Utc>>,
    /// 1–10.
    pub importance: u8,
}

/// Important contacts that nobody has spoken to for too long, the most important and longest silent first. Use it for
/// "what needs my attention" or "who should I call". Answers `contacts`, each with the reason, and how many there are.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NeedsFollowUp {
    /// How many contacts, 10 unless given.
    #[schemars(range(min = 1, max = 100))]
    pub limit: Option<u32>,
}

/// Contacts that wait.
#[derive(Debug, Serialize, JsonSchema)]
pub struct FollowUps {
    pub contacts: Vec<FollowUp>,
    /// How many wait in all.
    pub total: u64,
    /// The rule that they meet.
    pub rule: String,
}

/// A contact that waits.
#[derive(Debug, Serialize, JsonSchema)]
pub struct FollowUp {
    #[serde(flatten)]
    pub contact: Contact,
    pub reason: String,
}

/// The rule for attention, in words.
pub const RULE: &str = "importance at least 8 and more than 14 days without contact, or at least 9 and more than 7 days; never contacted counts";

/// Most pages are asked for without a number.
const USUAL: u32 = 20;
/// Counting stops here, so that it costs the same in a large business.
const COUNTED: u64 = 10_000;
/// How many matches a question with words has at most.
const MATCHES: u64 = 50;

/// Answers a question about contacts.
pub async fn search(tenant: &Tenant, now: DateTime<Utc>, args: Search) -> Result<Found> {
    let zone = utc();
    let question = grammar::parse(args.query.as_deref().unwrap_or_default(), now, zone);
    let limit = limit(args.limit, &question);
    let filter = filter(&question);
    let page = match question.order.filter(|_| question.has_words()) {
        Some(order) => sorted(tenant, &filter, order, limit).await?,
        None => rows::find(tenant, &filter, limit, args.cursor.as_deref()).await.map_err(unavailable)?,
    };
    let total = match (&args.cursor, &page.next) {
        (None, None) => Some(page.rows.len() as u64),
        // The number of all contacts costs more than the first of them, so it is counted only when asked for.
        (None, Some(_)) if !question.has_words() && (question.counts || !question.is_open()) => {
            let counted = rows::count_to(tenant, &filter, COUNTED + 1).await.map_err(unavailable)?;
            (counted <= COUNTED).then_some(counted)
        }
        _ => None,
    };
    let customers = if page.rows.is_empty() { customers(tenant, &question, limit).await? } else { Vec::new() };
    let contacts = page.rows.into_iter().map(|row| Contact::of(row, now)).collect();
    Ok(Found { contacts, understood: question.understood(zone), total, next_cursor: page.next, customers })
}

/// Customers of other systems by the words of a question.
async fn customers(tenant: &Tenant, question: &Question, limit: u64) -> Result<Vec<Customer>> {
    let texts = [&question.text, &question.name, &question.company];
    let words = texts.into_iter().flatten().flat_map(|text| text.split_whitespace()).map(str::to_owned);
    let words: Vec<String> = words.collect();
    if words.is_empty() {
        return Ok(Vec::new());
    }
    let found = store::customers::named(tenant, &words, limit).await.map_err(unavailable)?;
    let customer = |row: store::customers::Customer| Customer {
        source: row.ecosystem,
        id: row.vendor_id,
        name: row.name,
        company: row.company,
        email: row.email,
    };
    Ok(found.into_iter().map(customer).collect())
}

/// Who has waited too long.
pub async fn needs_follow_up(tenant: &Tenant, now: DateTime<Utc>, args: NeedsFollowUp) -> Result<FollowUps> {
    let limit = u64::from(args.limit.unwrap_or(10).clamp(1, 100));
    let (found, total) = rows::waiting(tenant, &patience(now), limit).await.map_err(unavailable)?;
    let contacts = found
        .into_iter()
        .map(|row| {
            let person = Person::from(&row);
            let important = importance(&person.facts(), now).value;
            let reason = format!("importance {important}, {}", person.silence(now));
            FollowUp { contact: Contact::of(row, now), reason }
        })
        .collect();
    Ok(FollowUps { contacts, total, rule: RULE.into() })
}

/// The time zone in which days begin.
pub fn utc() -> FixedOffset {
    Utc.fix()
}

/// The rule for attention, for the database.
pub fn patience(now: DateTime<Utc>) -> [Patience; 2] {
    [(9, 7), (8, 14)].map(|(importance_min, days)| Patience { importance_min, since: now - TimeDelta::days(days) })
}

/// What a question asks of the database.
pub fn filter(question: &Question) -> Filter {
    let never = question.never_contacted.then_some(DateTime::UNIX_EPOCH);
    Filter {
        text: question.text.clone(),
        name: question.name.clone(),
        company: question.company.clone(),
        ecosystem: None,
        kind: question.kind.map(str::to_owned),
        tags: question.tags.clone(),
        has_email: question.has_email,
        has_phone: question.has_phone,
        added_since: question.added_since,
        added_before: question.added_before,
        contacted_since: question.contacted_since,
        contacted_before: never.or(question.not_contacted_since),
        active_since: question.active_since,
        active_before: question.inactive_since,
        industry_text: question.industry.clone(),
        importance_min: question.importance_min.map(i16::from),
        ids: None,
        order: match question.order {
            Some(Order::Importance) => rows::Order::Important,
            Some(Order::Latest) => rows::Order::Added,
            None if question.is_open() => rows::Order::Added,
            None => rows::Order::Active,
        },
    }
}

fn limit(asked: Option<u32>, question: &Question) -> u64 {
    let limit = match (asked, question.limit) {
        (Some(one), Some(two)) => one.min(two),
        (one, two) => one.or(two).unwrap_or(USUAL),
    };
    u64::from(limit.clamp(1, 100))
}

/// Words bring the best matches first; where another order was asked for, the matches are put in it.
async fn sorted(tenant: &Tenant, filter: &Filter, order: Order, limit: u64) -> Result<store::pages::Page<ContactRow>> {
    let mut page = rows::find(tenant, filter, MATCHES, None).await.map_err(unavailable)?;
    match order {
        Order::Latest => page.rows.sort_by_key(|row| std::cmp::Reverse(row.created_at)),
        Order::Importance => page.rows.sort_by_key(|row| std::cmp::Reverse(row.importance)),
    }
    page.rows.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    page.next = None;
    Ok(page)
}

impl Contact {
    pub fn of(row: ContactRow, now: DateTime<Utc>) -> Contact {
        let person = Person::from(&row);
        Contact {
            importance: importance(&person.facts(), now).value,
            name: person.title().into(),
            id: row.vendor_id,
            company: row.company,
            email: row.email,
            phone: row.phone,
            kind: row.kind,
            tags: person.tags,
            added: row.created_at,
            last_activity: row.last_activity,
            last_contact: row.last_interaction,
        }
    }
}
