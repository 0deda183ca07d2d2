//! What to do next with one contact: ordered, each with its reason and a call that does it.

use chrono::{DateTime, Days, NaiveTime, SecondsFormat, TimeDelta, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;
use store::outcomes::RecommendationOutcome;

use super::insights::{ToolCall, is_urgent};
use super::person::{Deal, Person};
use super::scoring::{Warmth, importance, warmth};
use super::times::ago;

/// One next action.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Recommendation {
    /// The name under which `contacts.record_outcome` keeps what came of it.
    pub id: String,
    /// The vendor's id of the contact.
    pub contact_id: String,
    pub contact_name: String,
    /// What to do, in a sentence.
    pub action: String,
    /// Why, from the facts.
    pub reason: String,
    /// 1 is most pressing, 5 can wait.
    pub priority: u8,
    pub recommended: ToolCall,
}

/// The next actions for a contact, most pressing first; empty when nothing is due.
pub fn recommend(person: &Person, deals: &[Deal], now: DateTime<Utc>) -> Vec<Recommendation> {
    let mut all: Vec<Recommendation> =
        [urgent(person, now), deal(person, deals, now), hot(person, deals, now), introduce(person, now)]
            .into_iter()
            .flatten()
            .chain(
                [reconnect(person, now), find_email(person, now), find_any(person, now), segment(person)]
                    .into_iter()
                    .flatten(),
            )
            .collect();
    all.sort_by_key(|found| found.priority);
    all
}

/// For how long a recommendation is not repeated after its outcome was recorded.
pub const SETTLED: TimeDelta = TimeDelta::days(14);

impl Recommendation {
    /// Whether its outcome was recorded of late.
    pub fn is_done(&self, outcomes: &[RecommendationOutcome], now: DateTime<Utc>) -> bool {
        outcomes.iter().any(|outcome| outcome.recommendation == self.id && now - outcome.at <= SETTLED)
    }
}

fn urgent(person: &Person, now: DateTime<Utc>) -> Option<Recommendation> {
    let important = importance(&person.facts(), now).value;
    is_urgent(important, person.last_contact, now).then(|| {
        let limit = if important >= 9 { "9 or more, limit 7 days" } else { "8, limit 14 days" };
        let reason = format!("importance {important} and {} ({limit})", person.silence(now));
        task(person, "contact_now", 1, format!("{} {}", reach(person), person.title()), reason, now)
    })
}

fn deal(person: &Person, deals: &[Deal], now: DateTime<Utc>) -> Option<Recommendation> {
    let label = warmth(person.last_contact, now);
    let best = deals.iter().max_by(|one, two| one.value.total_cmp(&two.value)).filter(|deal| deal.value > 0.0)?;
    if matches!(label, Warmth::Warm) {
        return None;
    }
    let stage = best.stage.as_ref().map(|stage| format!(" in stage {stage}")).unwrap_or_default();
    let reason =
        format!("{} worth {:.2}{stage}, {} ({})", best.title(), best.value, person.silence(now), label.as_str());
    Some(task(person, "follow_up_opportunity", 2, format!("Follow up on {}", best.title()), reason, now))
}

fn hot(person: &Person, deals: &[Deal], now: DateTime<Utc>) -> Option<Recommendation> {
    let at = person.last_activity.filter(|at| now - *at <= TimeDelta::days(7))?;
    (person.is_lead() && deals.is_empty()).then(|| {
        let reason = format!("lead, active {}, without an open opportunity", ago(now - at));
        task(person, "offer_appointment", 2, format!("Offer {} an appointment", person.title()), reason, now)
    })
}

fn introduce(person: &Person, now: DateTime<Utc>) -> Option<Recommendation> {
    let urgent = is_urgent(importance(&person.facts(), now).value, person.last_contact, now);
    (person.last_contact.is_none() && !urgent).then(|| {
        let reason = "no message, call, note or appointment is on record".to_string();
        task(person, "introduce", 3, format!("Introduce yourself to {}", person.title()), reason, now)
    })
}

fn reconnect(person: &Person, now: DateTime<Utc>) -> Option<Recommendation> {
    person.last_contact?;
    let urgent = is_urgent(importance(&person.facts(), now).value, person.last_contact, now);
    let label = warmth(person.last_contact, now);
    let cooling = matches!(label, Warmth::Cooling | Warmth::Cold) && !urgent;
    cooling.then(|| {
        let reason = format!("{} ({})", person.silence(now), label.as_str());
        task(person, "reconnect", 3, format!("Reconnect with {}", person.title()), reason, now)
    })
}

fn find_email(person: &Person, now: DateTime<Utc>) -> Option<Recommendation> {
    let phone = person.phone.as_ref().filter(|_| person.email.is_none())?;
    let reason = format!("no e-mail address; phone {phone} is known");
    Some(task(person, "ask_for_email", 4, format!("Ask {} for an e-mail address", person.title()), reason, now))
}

fn find_any(person: &Person, now: DateTime<Utc>) -> Option<Recommendation> {
    (person.email.is_none() && person.phone.is_none()).then(|| {
        let reason = "neither e-mail nor phone is known".to_string();
        task(person, "find_contact_details", 4, format!("Find a way to reach {}", person.title()), reason, now)
    })
}

fn segment(person: &Person) -> Option<Recommendation> {
    person.tags.is_empty().then(|| Recommendation {
        recommended: ToolCall::new("gohighlevel.get_contact", json!({"contact_id": person.id})),
        ..plain(person, "add_tags", 5, format!("Tag {}", person.title()), "no tag says who this is".into())
    })
}

fn task(person: &Person, id: &str, priority: u8, action: String, reason: String, now: DateTime<Utc>) -> Recommendation {
    let title: String = action.chars().take(200).collect();
    let arguments = json!({"contact_id": person.id, "title": title, "due": tomorrow(now)});
    Recommendation {
        recommended: ToolCall::new("gohighlevel.create_task", arguments),
        ..plain(person, id, priority, action, reason)
    }
}

fn plain(person: &Person, id: &str, priority: u8, action: String, reason: String) -> Recommendation {
    Recommendation {
        id: id.into(),
        contact_id: person.id.clone(),
        contact_name: person.title().into(),
        action,
        reason,
        priority,
        recommended: ToolCall::new("contacts.view_360", json!({"contact": person.id})),
    }
}

fn reach(person: &Person) -> &'static str {
    match (&person.phone, &person.email) {
        (Some(_), _) => "Call",
        (None, Some(_)) => "Write to",
        (None, None) => "Reach",
    }
}

/// Tomorrow at 15:00 UTC.
fn tomorrow(now: DateTime<Utc>) -> String {
    let day = now.date_naive() + Days::new(1);
    let at = day.and_time(NaiveTime::from_hms_opt(15, 0, 0).unwrap_or_default()).and_utc();
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> DateTime<Utc> {
        "2026-11-21T12:00:00Z".parse().unwrap()
    }

    fn person() -> Person {
        Person {
            id: "c1".into(),
            name: Some("Dana Fitzgerald".into()),
            email: Some("dana@acme.example".into()),
            phone: Some("+15550100".into()),
            tags: vec!["vip".into()],
            last_contact: Some(now() - TimeDelta::days(2)),
            ..Person::default()
        }
    }

    fn ids(person: &Person, deals: &[Deal]) -> Vec<String> {
        recommend(person, deals, now()).into_iter().map(|found| found.id).collect()
    }

    #[test]
    fn nothing_is_due_for_a_warm_contact() {
        assert!(ids(&person(), &[]).is_empty());
    }

    #[test]
    fn an_important_silent_lead_comes_before_everything() {
        let lead = Person {
            kind: Some("lead".into()),
            last_contact: Some(now() - TimeDelta::days(40)),
            last_activity: Some(now() - TimeDelta::days(3)),
            ..person()
        };
        let deal =
            Deal { id: "d".into(), name: Some("Display cases".into()), stage: Some("Offer".into()), value: 900.0 };
        assert_eq!(ids(&lead, std::slice::from_ref(&deal)), ["contact_now", "follow_up_opportunity"]);
        let all = recommend(&lead, &[deal], now());
        assert_eq!(all[0].reason, "importance 10 and last contact 40 days ago (9 or more, limit 7 days)");
        assert_eq!(all[0].recommended.arguments["due"], "2026-11-22T15:00:00Z");
        assert_eq!(ids(&lead, &[]), ["contact_now", "offer_appointment"]);
    }

    #[test]
    fn what_is_missing_is_asked_for() {
        let silent = Person { email: None, tags: Vec::new(), last_contact: None, ..person() };
        assert_eq!(ids(&silent, &[]), ["introduce", "ask_for_email", "add_tags"]);
        let unknown = Person { phone: None, ..silent };
        assert_eq!(ids(&unknown, &[]), ["introduce", "find_contact_details", "add_tags"]);
        let cold = Person { last_contact: Some(now() - TimeDelta::days(61)), ..person() };
        assert_eq!(ids(&cold, &[]), ["reconnect"]);
    }
}
