//! How important a contact is and how the relationship stands, with the formula in words.
//!
//! Both scores are sums of named parts, so that every answer can show how its number came about.

use chrono::{DateTime, TimeDelta, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use store::nicknames;

/// What the scores are computed from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts<'a> {
    pub has_tags: bool,
    /// The contact's type as the vendor says it, `lead` or `customer`.
    pub kind: Option<&'a str>,
    pub last_activity: Option<DateTime<Utc>>,
    /// The last message, call, note, appointment or meeting; never our own sync or a view.
    pub last_contact: Option<DateTime<Utc>>,
    /// How many of those there were.
    pub interactions: u64,
}

/// A number and the parts that add up to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Score {
    pub value: u8,
    /// The points of all parts add up to `value`.
    pub parts: Vec<Part>,
}

/// One reason and what it adds or takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Part {
    pub reason: String,
    pub points: i32,
}

/// How a relationship stands, by the time since the last contact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Warmth {
    Warm,
    Stable,
    Cooling,
    Cold,
}

impl Warmth {
    pub fn as_str(self) -> &'static str {
        match self {
            Warmth::Warm => "warm",
            Warmth::Stable => "stable",
            Warmth::Cooling => "cooling",
            Warmth::Cold => "cold",
        }
    }
}

/// The health of a relationship, 0–100.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Health {
    pub value: u8,
    pub label: Warmth,
    /// The points of all parts add up to `value`.
    pub parts: Vec<Part>,
}

/// Importance 1–10: base 5; has tags +1; lead +2; active in the last 7 days +2, else in the last
/// 30 days +1; at most 10.
pub fn importance(facts: &Facts, now: DateTime<Utc>) -> Score {
    let mut parts = vec![part("base", 5)];
    if facts.has_tags {
        parts.push(part("has tags", 1));
    }
    if facts.kind.is_some_and(|kind| kind.trim().eq_ignore_ascii_case("lead")) {
        parts.push(part("is a lead", 2));
    }
    match facts.last_activity.map(|at| now - at) {
        Some(quiet) if quiet <= TimeDelta::days(7) => parts.push(part("active in the last 7 days", 2)),
        Some(quiet) if quiet <= TimeDelta::days(30) => parts.push(part("active in the last 30 days", 1)),
        _ => {}
    }
    let value = total(&mut parts, 1, 10);
    Score { value, parts }
}

/// Relationship health 0–100: 100, less the silence, plus or minus 5 for each point of importance
/// above or below 5, plus 10 for more than 10 interactions or 5 for more than 5.
///
/// Someone who was never contacted counts as silent for more than 60 days.
pub fn health(facts: &Facts, now: DateTime<Utc>) -> Health {
    let importance = i32::from(importance(facts, now).value);
    let label = warmth(facts.last_contact, now);
    let mut parts = vec![part("base", 100)];
    parts.extend(silence(label, facts.last_contact.is_none()));
    if importance != 5 {
        parts.push(part(format!("importance {importance}, 5 for each point above 5"), (importance - 5) * 5));
    }
    match facts.interactions {
        11.. => parts.push(part("more than 10 interactions", 10)),
        6.. => parts.push(part("more than 5 interactions", 5)),
        _ => {}
    }
    let value = total(&mut parts, 0, 100);
    Health { value, label, parts }
}

/// Cold after 60 days without contact, cooling after 30, stable after 14, else warm.
pub fn warmth(last_contact: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Warmth {
    match last_contact.map(|at| now - at) {
        None => Warmth::Cold,
        Some(silent) if silent > TimeDelta::days(60) => Warmth::Cold,
        Some(silent) if silent > TimeDelta::days(30) => Warmth::Cooling,
        Some(silent) if silent > TimeDelta::days(14) => Warmth::Stable,
        Some(_) => Warmth::Warm,
    }
}

impl Score {
    /// `5 (base) + 1 (has tags) + 2 (is a lead) = 8`.
    pub fn formula(&self) -> String {
        formula(&self.parts, self.value)
    }
}

impl Health {
    /// `100 (base) - 50 (no contact for more than 60 days: cold) = 50`.
    pub fn formula(&self) -> String {
        formula(&self.parts, self.value)
    }
}

fn silence(label: Warmth, never: bool) -> Option<Part> {
    match label {
        Warmth::Cold if never => Some(part("never contacted, counts as more than 60 days: cold", -50)),
        Warmth::Cold => Some(part("no contact for more than 60 days: cold", -50)),
        Warmth::Cooling => Some(part("no contact for more than 30 days: cooling", -30)),
        Warmth::Stable => Some(part("no contact for more than 14 days: stable", -15)),
        Warmth::Warm => None,
    }
}

fn part(reason: impl Into<String>, points: i32) -> Part {
    Part { reason: reason.into(), points }
}

/// The sum within its limits; what the limit took stands as a part of its own.
fn total(parts: &mut Vec<Part>, least: i32, most: i32) -> u8 {
    let sum: i32 = parts.iter().map(|part| part.points).sum();
    let value = sum.clamp(least, most);
    if value < sum {
        parts.push(part(format!("at most {most}"), value - sum));
    }
    if value > sum {
        parts.push(part(format!("at least {least}"), value - sum));
    }
    u8::try_from(value).unwrap_or(u8::MAX)
}

fn formula(parts: &[Part], value: u8) -> String {
    let mut text = String::new();
    for (at, part) in parts.iter().enumerate() {
        let sign = match (at, part.points < 0) {
            (0, _) => "",
            (_, true) => " - ",
            (_, false) => " + ",
        };
        text.push_str(&format!("{sign}{} ({})", part.points.abs(), part.reason));
    }
    format!("{text} = {value}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> DateTime<Utc> {
        "2026-11-21T12:00:00Z".parse().unwrap()
    }

    fn ago(days: i64) -> Option<DateTime<Utc>> {
        Some(now() - TimeDelta::days(days))
    }

    /// The points that PRODUCT's formula gives, written a second time as plain arithmetic.
    #[test]
    fn importance_follows_the_formula() {
        let cases = [
            (Facts::default(), 5),
            (Facts { has_tags: true, ..Facts::default() }, 6),
            (Facts { kind: Some("Lead"), ..Facts::default() }, 7),
            (Facts { kind: Some("customer"), last_activity: ago(3), ..Facts::default() }, 7),
            (Facts { last_activity: ago(7), ..Facts::default() }, 7),
            (Facts { last_activity: ago(8), ..Facts::default() }, 6),
            (Facts { last_activity: ago(30), ..Facts::default() }, 6),
            (Facts { last_activity: ago(31), ..Facts::default() }, 5),
            (Facts { has_tags: true, kind: Some("lead"), last_activity: ago(20), ..Facts::default() }, 9),
            (Facts { has_tags: true, kind: Some("lead"), last_activity: ago(0), ..Facts::default() }, 10),
        ];
        for (facts, expected) in cases {
            assert_eq!(importance(&facts, now()).value, expected, "{facts:?}");
        }
    }

    #[test]
    fn silence_decides_the_label_at_its_exact_limits() {
        let cases = [
            (0, Warmth::Warm, 100),
            (14, Warmth::Warm, 100),
            (15, Warmth::Stable, 85),
            (30, Warmth::Stable, 85),
            (31, Warmth::Cooling, 70),
            (60, Warmth::Cooling, 70),
            (61, Warmth::Cold, 50),
        ];
        for (days, label, value) in cases {
            let found = health(&Facts { last_contact: ago(days), ..Facts::default() }, now());
            assert_eq!((found.label, found.value), (label, value), "{days} days");
        }
        let second_more = Some(now() - TimeDelta::days(60) - TimeDelta::seconds(1));
        assert_eq!(warmth(second_more, now()), Warmth::Cold);
    }

    #[test]
    fn importance_and_interactions_move_the_health() {
        let lead = Facts { kind: Some("lead"), last_contact: ago(90), interactions: 11, ..Facts::default() };
        assert_eq!(health(&lead, now()).value, 100 - 50 + 10 + 10);
        let six = Facts { last_contact: ago(40), interactions: 6, ..Facts::default() };
        assert_eq!(health(&six, now()).value, 100 - 30 + 5);
        let five = Facts { interactions: 5, ..six };
        assert_eq!(health(&five, now()).value, 70);
    }

    #[test]
    fn someone_never_contacted_is_cold_and_the_formula_says_so() {
        let found = health(&Facts::default(), now());
        assert_eq!((found.value, found.label), (50, Warmth::Cold));
        assert_eq!(found.formula(), "100 (base) - 50 (never contacted, counts as more than 60 days: cold) = 50");
    }

    #[test]
    fn health_stays_within_its_limits_and_says_what_the_limit_took() {
        let facts =
            Facts { has_tags: true, kind: Some("lead"), last_activity: ago(1), last_contact: ago(1), interactions: 40 };
        let found = health(&facts, now());
        assert_eq!(found.value, 100);
        assert_eq!(found.parts.last().map(|part| (part.reason.as_str(), part.points)), Some(("at most 100", -35)));
    }

    #[test]
    fn parts_always_add_up() {
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..5_000 {
            let day =
                |random: &mut fastrand::Rng| random.bool().then(|| now() - TimeDelta::hours(random.i64(-48..2_400)));
            let facts = Facts {
                has_tags: random.bool(),
                kind: [None, Some("lead"), Some("customer")][random.usize(..3)],
                last_activity: day(&mut random),
                last_contact: day(&mut random),
                interactions: random.u64(..20),
            };
            let (first, second) = (importance(&facts, now()), health(&facts, now()));
            assert_eq!(first.parts.iter().map(|part| part.points).sum::<i32>(), i32::from(first.value));
            assert_eq!(second.parts.iter().map(|part| part.points).sum::<i32>(), i32::from(second.value));
            assert!((1..=10).contains(&first.value) && second.value <= 100);
        }
    }
}
