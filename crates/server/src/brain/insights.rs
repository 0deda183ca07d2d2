//! What the rows of a business say: who needs attention, where money is at risk, what is missing.
//!
//! A [`Survey`] sees every contact once and keeps only counts and the best few of each kind, so
//! that it costs the same memory for a thousand contacts as for a million.

use std::collections::HashMap;

use chrono::{DateTime, FixedOffset, TimeDelta, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::person::{Deal, Person};
use super::scoring::{Warmth, health, importance};
use super::times::{ago, monday};

/// How many rows an insight names; its count says how many there are.
const NAMED: usize = 10;
/// From how many contacts on a company is a cluster.
const CLUSTER: u64 = 3;

/// One thing worth knowing.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Insight {
    pub kind: Kind,
    pub title: String,
    /// The rule that the rows meet, or how the number was computed.
    pub reason: String,
    /// How many rows meet it.
    pub count: u64,
    /// The sum of the open opportunities that it concerns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// The first of these rows, most pressing first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub contacts: Vec<Named>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<Group>,
    pub recommended: ToolCall,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    UrgentAttention,
    OpportunityAtRisk,
    HotLeads,
    RelationshipHealth,
    CompanyClusters,
    ImportanceDistribution,
    LeadsWithoutEmail,
    NewThisWeek,
}

/// A contact that an insight rests on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Named {
    /// The vendor's id.
    pub id: String,
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub company: Option<String>,
    /// Why this row is here: "importance 9, last contact 23 days ago".
    pub why: String,
}

/// A number of contacts under one heading.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Group {
    pub name: String,
    pub count: u64,
}

/// A call that the reader can make next.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct ToolCall {
    pub tool: String,
    #[schemars(with = "Map<String, Value>")]
    pub arguments: Value,
}

impl ToolCall {
    pub fn new(tool: &str, arguments: Value) -> ToolCall {
        ToolCall { tool: tool.into(), arguments }
    }
}

/// Sees contacts one after another.
pub struct Survey {
    now: DateTime<Utc>,
    week: DateTime<Utc>,
    /// The open opportunities by the vendor's id of their contact.
    deals: HashMap<String, Vec<Deal>>,
    seen: u64,
    health: u64,
    warmth: [u64; 4],
    importance: [u64; 10],
    urgent: Best,
    at_risk: Best,
    hot: Best,
    without_email: Best,
    new: Best,
    companies: HashMap<String, (String, u64)>,
}

/// Rows that meet a rule: all are counted, the first by rank are named.
#[derive(Default)]
struct Best {
    count: u64,
    value: f64,
    rows: Vec<(Rank, Named)>,
}

/// Smaller comes first.
type Rank = (i64, i64);

impl Survey {
    pub fn new(deals: HashMap<String, Vec<Deal>>, now: DateTime<Utc>, zone: FixedOffset) -> Survey {
        Survey {
            now,
            week: monday(now, zone),
            deals,
            seen: 0,
            health: 0,
            warmth: [0; 4],
            importance: [0; 10],
            urgent: Best::default(),
            at_risk: Best::default(),
            hot: Best::default(),
            without_email: Best::default(),
            new: Best::default(),
            companies: HashMap::new(),
        }
    }

    pub fn see(&mut self, person: &Person) {
        let important = importance(&person.facts(), self.now).value;
        let health = health(&person.facts(), self.now);
        self.seen += 1;
        self.health += u64::from(health.value);
        self.warmth[health.label as usize] += 1;
        self.importance[usize::from(important.clamp(1, 10)) - 1] += 1;
        self.see_urgent(person, important);
        self.see_deals(person, health.label);
        self.see_lead(person, important);
        self.see_new(person);
        self.see_company(person);
    }

    fn see_urgent(&mut self, person: &Person, important: u8) {
        if !is_urgent(important, person.last_contact, self.now) {
            return;
        }
        let rank = (-i64::from(important), since(person.last_contact));
        let why = format!("importance {important}, {}", person.silence(self.now));
        self.urgent.see(rank, 0.0, || person.named(why));
    }

    fn see_deals(&mut self, person: &Person, label: Warmth) {
        if !matches!(label, Warmth::Cooling | Warmth::Cold) {
            return;
        }
        let Some(deals) = self.deals.get(&person.id) else { return };
        let value: f64 = deals.iter().map(|deal| deal.value).sum();
        if value <= 0.0 {
            return;
        }
        let name = deals.first().map(Deal::title).unwrap_or_default();
        let why = format!("{name} worth {value:.2}, {} ({})", person.silence(self.now), label.as_str());
        self.at_risk.see((-cents(value), 0), value, || person.named(why));
    }

    fn see_lead(&mut self, person: &Person, important: u8) {
        if !person.is_lead() {
            return;
        }
        if person.email.is_none() {
            let why = person.phone.as_ref().map_or("no phone either".into(), |phone| format!("phone {phone}"));
            self.without_email.see((-i64::from(important), -since(person.last_activity)), 0.0, || person.named(why));
        }
        let active = person.last_activity.filter(|at| self.now - *at <= TimeDelta::days(7));
        if let Some(at) = active.filter(|_| important >= 8) {
            let why = format!("importance {important}, active {}", ago(self.now - at));
            self.hot.see((-i64::from(important), -since(Some(at))), 0.0, || person.named(why));
        }
    }

    fn see_new(&mut self, person: &Person) {
        let Some(at) = person.created_at.filter(|at| *at >= self.week) else { return };
        let why = format!("added {}", ago(self.now - at));
        self.new.see((-since(Some(at)), 0), 0.0, || person.named(why));
    }

    fn see_company(&mut self, person: &Person) {
        let Some(company) = person.company.as_deref().map(str::trim).filter(|name| !name.is_empty()) else { return };
        let entry = self.companies.entry(company.to_lowercase()).or_insert_with(|| (company.into(), 0));
        entry.1 += 1;
    }

    /// All insights, most pressing first; a rule that nobody meets is left out.
    pub fn finish(self) -> Vec<Insight> {
        let fixed = [self.relationship_health(), self.distribution()];
        let clusters = self.clusters();
        let mut all: Vec<Insight> = [
            self.urgent.insight(
                Kind::UrgentAttention,
                "Important contacts that nobody has spoken to",
                "importance at least 8 and more than 14 days without contact, or at least 9 and more than 7 days",
                |_| ToolCall::new("contacts.needs_follow_up", json!({})),
            ),
            self.at_risk.insight(
                Kind::OpportunityAtRisk,
                "Open opportunities on relationships that go cold",
                "an open opportunity with a value, and more than 30 days without contact",
                |first| ToolCall::new("contacts.view_360", json!({"contact": first.id})),
            ),
            self.hot.insight(
                Kind::HotLeads,
                "Hot leads, active just now",
                "leads with importance at least 8 and activity in the last 7 days",
                |_| search("leads with importance at least 8 active in the last 7 days"),
            ),
            self.without_email.insight(
                Kind::LeadsWithoutEmail,
                "Leads that cannot be reached by e-mail",
                "type lead and no e-mail address",
                |_| search("leads without email"),
            ),
            self.new.insight(Kind::NewThisWeek, "New this week", "added since Monday", |_| search("added this week")),
        ]
        .into_iter()
        .flatten()
        .collect();
        all.extend(fixed.into_iter().flatten());
        all.extend(clusters);
        all
    }

    fn relationship_health(&self) -> Option<Insight> {
        let average = self.health.checked_div(self.seen)?;
        let names = [Warmth::Warm, Warmth::Stable, Warmth::Cooling, Warmth::Cold];
        let groups = names.iter().zip(self.warmth).map(|(name, count)| Group { name: name.as_str().into(), count });
        Some(Insight {
            kind: Kind::RelationshipHealth,
            title: format!("Relationship health is {average} of 100 on average"),
            reason: "warm up to 14 days without contact, stable up to 30, cooling up to 60, cold after that or never"
                .into(),
            count: self.seen,
            value: None,
            contacts: Vec::new(),
            groups: groups.collect(),
            recommended: search("customers not contacted in 30 days"),
        })
    }

    fn distribution(&self) -> Option<Insight> {
        let groups: Vec<Group> = (1u8..=10)
            .zip(self.importance)
            .rev()
            .filter(|(_, count)| *count > 0)
            .map(|(value, count)| Group { name: value.to_string(), count })
            .collect();
        let high: u64 = self.importance[7..].iter().sum();
        (!groups.is_empty()).then(|| Insight {
            kind: Kind::ImportanceDistribution,
            title: format!("{high} of {} contacts have importance 8 or more", self.seen),
            reason:
                "base 5; has tags +1; lead +2; active in the last 7 days +2, else in the last 30 days +1; at most 10"
                    .into(),
            count: self.seen,
            value: None,
            contacts: Vec::new(),
            groups,
            recommended: search("most important contacts"),
        })
    }

    fn clusters(&self) -> Option<Insight> {
        let mut found: Vec<&(String, u64)> = self.companies.values().filter(|(_, count)| *count >= CLUSTER).collect();
        found.sort_by(|one, two| two.1.cmp(&one.1).then_with(|| one.0.cmp(&two.0)));
        let (biggest, most) = found.first()?;
        Some(Insight {
            kind: Kind::CompanyClusters,
            title: format!("{} companies with {CLUSTER} or more contacts; {biggest} has {most}", found.len()),
            reason: format!("{CLUSTER} or more contacts name the same company"),
            count: u64::try_from(found.len()).unwrap_or(u64::MAX),
            value: None,
            contacts: Vec::new(),
            recommended: search(&format!("contacts at \"{}\"", biggest.replace('"', " "))),
            groups: found.iter().take(NAMED).map(|(name, count)| Group { name: name.clone(), count: *count }).collect(),
        })
    }
}

/// Importance at least 8 and more than 14 days without contact, or at least 9 and more than 7 days. Never contacted
/// counts as longer than both.
pub fn is_urgent(importance: u8, last_contact: Option<DateTime<Utc>>, now: DateTime<Utc>) -> bool {
    let silent = |days: i64| last_contact.is_none_or(|at| now - at > TimeDelta::days(days));
    (importance >= 9 && silent(7)) || (importance >= 8 && silent(14))
}

impl Best {
    fn see(&mut self, rank: Rank, value: f64, row: impl FnOnce() -> Named) {
        self.count += 1;
        self.value += value;
        let full = self.rows.len() == NAMED;
        if full && self.rows.last().is_some_and(|(last, _)| *last <= rank) {
            return;
        }
        let at = self.rows.partition_point(|(other, _)| *other <= rank);
        self.rows.insert(at, (rank, row()));
        self.rows.truncate(NAMED);
    }

    fn insight(
        &self,
        kind: Kind,
        title: &str,
        reason: &str,
        recommended: impl FnOnce(&Named) -> ToolCall,
    ) -> Option<Insight> {
        let (_, first) = self.rows.first()?;
        Some(Insight {
            kind,
            title: title.into(),
            reason: reason.into(),
            count: self.count,
            value: (self.value > 0.0).then_some(self.value),
            contacts: self.rows.iter().map(|(_, row)| row.clone()).collect(),
            groups: Vec::new(),
            recommended: recommended(first),
        })
    }
}

fn search(query: &str) -> ToolCall {
    ToolCall::new("contacts.search", json!({"query": query}))
}

/// Seconds, with "never" before every time.
fn since(at: Option<DateTime<Utc>>) -> i64 {
    at.map_or(i64::MIN + 1, |at| at.timestamp())
}

#[expect(clippy::cast_possible_truncation, reason = "a rank only; a value too large for it is the largest")]
fn cents(value: f64) -> i64 {
    (value * 100.0) as i64
}

#[cfg(test)]
mod tests {
    use super::super::grammar;
    use super::*;

    fn now() -> DateTime<Utc> {
        "2026-11-21T12:00:00Z".parse().unwrap()
    }

    fn utc() -> FixedOffset {
        FixedOffset::east_opt(0).unwrap()
    }

    fn days(count: i64) -> Option<DateTime<Utc>> {
        Some(now() - TimeDelta::days(count))
    }

    fn person(id: &str) -> Person {
        Person {
            id: id.into(),
            name: Some(format!("Name {id}")),
            email: Some("a@b.example".into()),
            ..Person::default()
        }
    }

    fn survey(people: &[Person], deals: HashMap<String, Vec<Deal>>) -> Vec<Insight> {
        let mut survey = Survey::new(deals, now(), utc());
        people.iter().for_each(|person| survey.see(person));
        survey.finish()
    }

    fn ids(all: &[Insight], kind: Kind) -> Vec<&str> {
        let found = all.iter().find(|insight| insight.kind == kind);
        found.map(|insight| insight.contacts.iter().map(|row| row.id.as_str()).collect()).unwrap_or_default()
    }

    #[test]
    fn urgency_has_two_limits() {
        let cases = [(8, 15, true), (8, 14, false), (9, 8, true), (9, 7, false), (10, 8, true), (7, 400, false)];
        for (importance, silent, urgent) in cases {
            assert_eq!(is_urgent(importance, days(silent), now()), urgent, "{importance} {silent}");
        }
        assert!(is_urgent(8, None, now()) && !is_urgent(7, None, now()));
    }

    #[test]
    fn the_most_important_and_longest_silent_come_first() {
        let lead = |id: &str, tags: bool, contact| Person {
            kind: Some("lead".into()),
            tags: if tags { vec!["vip".into()] } else { Vec::new() },
            last_contact: contact,
            ..person(id)
        };
        let people =
            [lead("a", true, days(20)), lead("b", true, None), lead("c", true, days(90)), lead("d", false, None)];
        let all = survey(&people, HashMap::new());
        assert_eq!(ids(&all, Kind::UrgentAttention), ["b", "c", "a"]);
    }

    #[test]
    fn money_on_cooling_relationships_is_named_with_its_sum() {
        let deal = |value| Deal { id: "d".into(), name: Some("Display cases".into()), value, ..Deal::default() };
        let people = [
            Person { last_contact: days(40), ..person("cooling") },
            Person { last_contact: days(3), ..person("warm") },
            Person { last_contact: days(90), ..person("cold") },
            Person { last_contact: days(90), ..person("worthless") },
        ];
        let deals = HashMap::from([
            ("cooling".to_string(), vec![deal(100.0)]),
            ("warm".to_string(), vec![deal(9_000.0)]),
            ("cold".to_string(), vec![deal(250.0), deal(50.0)]),
            ("worthless".to_string(), vec![deal(0.0)]),
        ]);
        let all = survey(&people, deals);
        assert_eq!(ids(&all, Kind::OpportunityAtRisk), ["cold", "cooling"]);
        let insight = all.iter().find(|insight| insight.kind == Kind::OpportunityAtRisk).unwrap();
        assert_eq!((insight.count, insight.value), (2, Some(400.0)));
        assert_eq!(insight.recommended, ToolCall::new("contacts.view_360", json!({"contact": "cold"})));
    }

    #[test]
    fn leads_new_ones_and_companies_are_found() {
        let people = [
            Person { kind: Some("lead".into()), email: None, last_activity: days(2), ..person("hot") },
            Person { kind: Some("customer".into()), email: None, ..person("customer") },
            Person { created_at: days(1), company: Some("Acme".into()), ..person("new") },
            Person { created_at: days(6), company: Some(" acme".into()), ..person("last week") },
            Person { company: Some("ACME ".into()), ..person("third") },
        ];
        let all = survey(&people, HashMap::new());
        assert_eq!(ids(&all, Kind::HotLeads), ["hot"]);
        assert_eq!(ids(&all, Kind::LeadsWithoutEmail), ["hot"]);
        assert_eq!(ids(&all, Kind::NewThisWeek), ["new"]);
        let cluster = all.iter().find(|insight| insight.kind == Kind::CompanyClusters).unwrap();
        assert_eq!(cluster.groups, [Group { name: "Acme".into(), count: 3 }]);
        let health = all.iter().find(|insight| insight.kind == Kind::RelationshipHealth).unwrap();
        assert_eq!(health.groups.iter().map(|group| group.count).sum::<u64>(), 5);
    }

    #[test]
    fn all_are_counted_and_ten_are_named() {
        let people: Vec<Person> =
            (0..200).map(|n| Person { kind: Some("lead".into()), email: None, ..person(&n.to_string()) }).collect();
        let all = survey(&people, HashMap::new());
        let insight = all.iter().find(|insight| insight.kind == Kind::LeadsWithoutEmail).unwrap();
        assert_eq!((insight.count, insight.contacts.len()), (200, NAMED));
    }

    #[test]
    fn nobody_gives_no_insight() {
        assert!(survey(&[], HashMap::new()).is_empty());
    }

    /// A recommended search must mean to the grammar what the insight says.
    #[test]
    fn recommended_searches_are_understood() {
        let understood = |query: &str| grammar::parse(query, now(), utc()).understood(utc()).join(" · ");
        assert_eq!(
            understood("leads with importance at least 8 active in the last 7 days"),
            "leads · active since 2026-11-14 12:00 · importance at least 8"
        );
        assert_eq!(
            understood("customers not contacted in 30 days"),
            "customers · not contacted since 2026-10-22 12:00"
        );
        assert_eq!(understood("contacts at \"New This Week Inc\""), "at “New This Week Inc”");
    }
}
