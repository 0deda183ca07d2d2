//! Times in words, and where the week begins.

use chrono::{DateTime, Datelike, Days, FixedOffset, TimeDelta, Utc};

/// Monday's midnight in the time zone.
pub fn monday(now: DateTime<Utc>, zone: FixedOffset) -> DateTime<Utc> {
    let today = now.with_timezone(&zone).date_naive();
    let monday = today - Days::new(today.weekday().num_days_from_monday().into());
    monday.and_time(chrono::NaiveTime::MIN).and_local_timezone(zone).single().map_or(now, |at| at.with_timezone(&Utc))
}

/// "3 days ago", "2 hours ago"; for what is to come "in 3 days".
pub fn ago(span: TimeDelta) -> String {
    let ahead = span < TimeDelta::minutes(-1);
    let counted = |count: i64, unit: &str| {
        let plural = if count == 1 { "" } else { "s" };
        if ahead { format!("in {count} {unit}{plural}") } else { format!("{count} {unit}{plural} ago") }
    };
    let span = span.abs();
    match (span.num_days(), span.num_hours(), span.num_minutes()) {
        (days @ 1.., _, _) => counted(days, "day"),
        (_, hours @ 1.., _) => counted(hours, "hour"),
        (_, _, minutes @ 1..) => counted(minutes, "minute"),
        _ => "just now".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_week_begins_on_monday_of_the_zone() {
        let now: DateTime<Utc> = "2026-11-23T03:00:00Z".parse().unwrap();
        let [utc, west] = [0, -8].map(|hours| FixedOffset::east_opt(hours * 3600).unwrap());
        assert_eq!(monday(now, utc), "2026-11-23T00:00:00Z".parse::<DateTime<Utc>>().unwrap());
        assert_eq!(monday(now, west), "2026-11-16T08:00:00Z".parse::<DateTime<Utc>>().unwrap());
    }

    #[test]
    fn times_ago_in_words() {
        assert_eq!(ago(TimeDelta::hours(25)), "1 day ago");
        assert_eq!(ago(TimeDelta::minutes(125)), "2 hours ago");
        assert_eq!(ago(TimeDelta::seconds(-5)), "just now");
        assert_eq!(ago(TimeDelta::days(-3)), "in 3 days");
    }
}
