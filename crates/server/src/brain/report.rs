//! What the whole business says: insights and recommendations from one walk over all contacts.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use sdk::Result;
use serde::{Deserialize, Serialize};
use store::contacts as rows;
use store::{Tenant, opportunities, outcomes};

use super::contacts::utc;
use super::insights::{Insight, Survey};
use super::person::{Deal, Person};
use super::recommend::{Recommendation, SETTLED, recommend};
use super::reference::HOME;
use super::rescore::PAGE;
use super::scoring::importance;
use super::stats::freshness;
use super::tools::DEALS;
use super::view::{AnalyzeContact, analyze};
use crate::unavailable;

/// What the contacts say about the business: who needs attention, open deals on cold relationships, hot leads,
/// relationship health, leads without e-mail, who is new. Use it for "get actionable insights". Each of `insights`
/// names its reason, its contacts and a recommended tool call.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GetInsights {}

/// What is worth knowing.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Insights {
    pub insights: Vec<Insight>,
    /// How many contacts were looked at.
    pub contacts: u64,
    /// When they were last synced, with what was said and what is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_of: Option<DateTime<Utc>>,
}

/// What to do next, for one contact or for the whole business, most pressing first, each with its reason and a tool
/// call that does it. Use it for "what should I do today". Afterwards tell `contacts.record_outcome` what came of it.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GetRecommendations {
    /// The contact's id, or a name that only one contact has; everybody unless given.
    #[schemars(length(min = 1, max = 200))]
    pub contact: Option<String>,
    /// How many recommendations, 10 unless given.
    #[schemars(range(min = 1, max = 50))]
    pub limit: Option<u32>,
}

/// What to do next.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Recommendations {
    pub recommendations: Vec<Recommendation>,
    /// How many contacts were looked at.
    pub contacts: u64,
}

/// Looks at every contact once.
pub async fn insights(tenant: &Tenant, now: DateTime<Utc>) -> Result<Insights> {
    let mut survey = Survey::new(open_deals(tenant).await?, now, utc());
    let mut contacts = 0;
    each(tenant, |_, person| {
        survey.see(&person);
        contacts += 1;
    })
    .await?;
    Ok(Insights { insights: survey.finish(), contacts, as_of: freshness(tenant, DEALS).await? })
}

/// The next actions for a contact, or the most pressing of each of all contacts.
pub async fn recommendations(tenant: &Tenant, now: DateTime<Utc>, args: GetRecommendations) -> Result<Recommendations> {
    let limit = args.limit.unwrap_or(10).clamp(1, 50) as usize;
    if let Some(contact) = args.contact {
        let mut found = analyze(tenant, now, AnalyzeContact { contact }).await?.recommendations;
        found.truncate(limit);
        return Ok(Recommendations { recommendations: found, contacts: 1 });
    }
    let deals = open_deals(tenant).await?;
    let settled = settled(tenant, now).await?;
    let (mut best, mut contacts) = (Best { limit, rows: Vec::new() }, 0);
    each(tenant, |id, person| {
        contacts += 1;
        let deals = deals.get(&person.id).map(Vec::as_slice).unwrap_or_default();
        let open = |one: &Recommendation| !settled.contains(&(id, one.id.clone()));
        if let Some(first) = recommend(&person, deals, now).into_iter().find(open) {
            best.see(&person, deals, first, now);
        }
    })
    .await?;
    Ok(Recommendations { recommendations: best.rows.into_iter().map(|(_, row)| row).collect(), contacts })
}

/// The most pressing few of many.
struct Best {
    limit: usize,
    rows: Vec<(Rank, Recommendation)>,
}

/// Priority, importance, value of open deals, silence; smaller comes first.
type Rank = (u8, i16, i64, i64);

impl Best {
    fn see(&mut self, person: &Person, deals: &[Deal], found: Recommendation, now: DateTime<Utc>) {
        let important = i16::from(importance(&person.facts(), now).value);
        let value: f64 = deals.iter().map(|deal| deal.value).sum();
        let silent = person.last_contact.map_or(i64::MIN, |at| at.timestamp());
        let rank = (found.priority, -important, -whole(value), silent);
        let at = self.rows.partition_point(|(other, _)| *other <= rank);
        if at < self.limit {
            self.rows.insert(at, (rank, found));
            self.rows.truncate(self.limit);
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a rank only; a value too large for it is the largest")]
fn whole(value: f64) -> i64 {
    value as i64
}

/// Shows every contact once, with the brain's id.
async fn each(tenant: &Tenant, mut see: impl FnMut(i64, Person)) -> Result<()> {
    let mut after = 0;
    loop {
        let page = rows::walk(tenant, after, PAGE).await.map_err(unavailable)?;
        let full = page.len() as u64 == PAGE;
        for row in page {
            after = row.id;
            see(row.id, Person::from(row));
        }
        if !full {
            return Ok(());
        }
        // A large business must not keep the thread from other calls.
        tokio::task::yield_now().await;
    }
}

/// The open opportunities by the vendor's id of their contact, as one sum each.
async fn open_deals(tenant: &Tenant) -> Result<HashMap<String, Vec<Deal>>> {
    let sums = opportunities::aggregates(tenant, HOME).await.map_err(unavailable)?;
    let open = sums.into_iter().filter(|sum| sum.status.as_deref().is_some_and(|status| status == "open"));
    Ok(open
        .map(|sum| {
            let name = match sum.opportunities {
                1 => "an open opportunity".into(),
                count => format!("{count} open opportunities"),
            };
            (sum.contact_vendor_id, vec![Deal { name: Some(name), value: sum.value, ..Deal::default() }])
        })
        .collect())
}

/// Recommendations whose outcome was recorded of late.
async fn settled(tenant: &Tenant, now: DateTime<Utc>) -> Result<HashSet<(i64, String)>> {
    let all = outcomes::list(tenant, None, 1_000).await.map_err(unavailable)?;
    let recent = all.into_iter().filter(|outcome| now - outcome.at <= SETTLED);
    Ok(recent.map(|outcome| (outcome.contact_id, outcome.recommendation)).collect())
}
