//! The hours in which a rule holds.

use chrono::{DateTime, Datelike, NaiveTime, Utc};
use serde::{Deserialize, Serialize};

/// Days and hours, in UTC. From a later to an earlier hour is over midnight, and belongs to the day on which it begins.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Window {
    /// `mon` to `sun`; empty is every day.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub days: Vec<String>,
    /// `08:00`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// `18:00`, which is not in it any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// It holds at all other times instead.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub outside: bool,
}

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

impl Window {
    pub fn check(&self) -> Result<(), String> {
        if let Some(day) = self.days.iter().find(|day| !DAYS.contains(&day.as_str())) {
            return Err(format!("there is no day `{day}`; there are {}", DAYS.join(", ")));
        }
        let wrong = |text: &String| format!("`{text}` is no time of the day; write 08:00");
        for text in [&self.from, &self.to].into_iter().flatten() {
            time(text).ok_or_else(|| wrong(text))?;
        }
        Ok(())
    }

    pub fn holds(&self, now: DateTime<Utc>) -> bool {
        self.inside(now) != self.outside
    }

    fn inside(&self, now: DateTime<Utc>) -> bool {
        let from = self.from.as_deref().and_then(time).unwrap_or(NaiveTime::MIN);
        let to = self.to.as_deref().and_then(time);
        let (clock, today) = (now.time(), now.weekday().num_days_from_monday() as usize);
        match to {
            Some(to) if to <= from => {
                (clock >= from && self.is_on(today)) || (clock < to && self.is_on((today + 6) % 7))
            }
            _ => self.is_on(today) && clock >= from && to.is_none_or(|to| clock < to),
        }
    }

    fn is_on(&self, day: usize) -> bool {
        self.days.is_empty() || self.days.iter().any(|name| name == DAYS[day])
    }
}

fn time(text: &str) -> Option<NaiveTime> {
    NaiveTime::parse_from_str(text, "%H:%M").ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-20 is a Friday.
    fn at(day: u32, hour: u32) -> DateTime<Utc> {
        format!("2026-11-{day:02}T{hour:02}:30:00Z").parse().unwrap()
    }

    fn window(text: &str) -> Window {
        let window: Window = serde_json::from_str(text).unwrap();
        window.check().unwrap();
        window
    }

    #[test]
    fn office_hours_and_what_is_outside_of_them() {
        let office = window(r#"{"days": ["mon", "tue", "wed", "thu", "fri"], "from": "08:00", "to": "18:00"}"#);
        let outside = Window { outside: true, ..office.clone() };
        for (day, hour, inside) in [(20, 8, true), (20, 17, true), (20, 18, false), (20, 7, false), (21, 12, false)] {
            assert_eq!(office.holds(at(day, hour)), inside, "{day} {hour}");
            assert_eq!(outside.holds(at(day, hour)), !inside, "{day} {hour}");
        }
    }

    #[test]
    fn a_night_belongs_to_the_day_on_which_it_begins() {
        let night = window(r#"{"days": ["fri"], "from": "22:00", "to": "06:00"}"#);
        for (day, hour, inside) in
            [(20, 21, false), (20, 23, true), (21, 5, true), (21, 6, false), (20, 5, false), (21, 23, false)]
        {
            assert_eq!(night.holds(at(day, hour)), inside, "{day} {hour}");
        }
    }

    #[test]
    fn what_is_no_day_or_time_is_named() {
        let wrong: Window = serde_json::from_str(r#"{"days": ["friday"]}"#).unwrap();
        assert!(wrong.check().unwrap_err().contains("friday"));
        let wrong: Window = serde_json::from_str(r#"{"from": "25:00"}"#).unwrap();
        assert!(wrong.check().unwrap_err().contains("25:00"));
    }
}
