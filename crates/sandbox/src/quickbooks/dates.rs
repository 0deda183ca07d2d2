//! Moments and days as QuickBooks writes them: in the company's time zone, here eight hours west of Greenwich.

use chrono::{DateTime, Datelike, Days, FixedOffset, NaiveDate, SecondsFormat};

use crate::clock::{HOUR, Millis, moment};

const ZONE_SECONDS: i32 = 8 * 3600;

/// `2026-11-21T04:00:00-08:00`
pub(super) fn stamp(at: Millis) -> String {
    local(at).to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// `2026-11-21T04:00:00.000-08:00`, the `time` of an answer.
pub(super) fn time(at: Millis) -> String {
    local(at).to_rfc3339_opts(SecondsFormat::Millis, true)
}

pub(super) fn day(at: Millis) -> NaiveDate {
    local(at).date_naive()
}

/// Noon of a day.
pub(super) fn noon(day: NaiveDate) -> Millis {
    let midnight = day.and_hms_opt(0, 0, 0).unwrap_or_default().and_utc().timestamp_millis();
    midnight + 20 * HOUR
}

pub(super) fn parse_day(text: &str) -> Option<NaiveDate> {
    NaiveDate::parse_from_str(text.get(..10)?, "%Y-%m-%d").ok()
}

/// Reads a moment; a day alone is its first moment in the company's zone.
pub(super) fn parse(text: &str) -> Option<Millis> {
    // A plus sign that nobody encoded arrives as a space.
    if let Ok(at) = DateTime::parse_from_rfc3339(&text.replace(' ', "+")) {
        return Some(at.timestamp_millis());
    }
    parse_day(text).filter(|_| text.len() == 10).map(|day| noon(day) - 12 * HOUR)
}

pub(super) fn plus_days(day: NaiveDate, days: u64) -> NaiveDate {
    day.checked_add_days(Days::new(days)).unwrap_or(day)
}

pub(super) fn minus_days(day: NaiveDate, days: u64) -> NaiveDate {
    day.checked_sub_days(Days::new(days)).unwrap_or(day)
}

/// First and last day that a `date_macro` of a report names; the fiscal year is the calendar's.
pub(super) fn of_macro(name: &str, today: NaiveDate) -> Option<(NaiveDate, NaiveDate)> {
    let name = name.to_ascii_lowercase().replace("calendar ", "").replace("fiscal ", "");
    let (year, month) = (today.year(), today.month());
    let quarter = (month - 1) / 3 * 3 + 1;
    let first = |year, month| NaiveDate::from_ymd_opt(year, month, 1);
    Some(match name.as_str() {
        "today" => (today, today),
        "this month" => (first(year, month)?, before(next_month(first(year, month)?))),
        "this month-to-date" => (first(year, month)?, today),
        "last month" => (first_of_month(before(first(year, month)?)), before(first(year, month)?)),
        "this quarter" => (first(year, quarter)?, before(months_on(first(year, quarter)?, 3))),
        "this quarter-to-date" => (first(year, quarter)?, today),
        "last quarter" => {
            let last = before(first(year, quarter)?);
            (first(last.year(), last.month() - 2)?, last)
        }
        "this year" => (first(year, 1)?, before(first(year + 1, 1)?)),
        "this year-to-date" => (first(year, 1)?, today),
        "last year" => (first(year - 1, 1)?, before(first(year, 1)?)),
        _ => return None,
    })
}

fn first_of_month(day: NaiveDate) -> NaiveDate {
    day.with_day(1).unwrap_or(day)
}

fn next_month(day: NaiveDate) -> NaiveDate {
    months_on(day, 1)
}

fn months_on(day: NaiveDate, months: u32) -> NaiveDate {
    day.checked_add_months(chrono::Months::new(months)).unwrap_or(day)
}

fn before(day: NaiveDate) -> NaiveDate {
    minus_days(day, 1)
}

fn local(at: Millis) -> DateTime<FixedOffset> {
    match FixedOffset::west_opt(ZONE_SECONDS) {
        Some(zone) => moment(at).with_timezone(&zone),
        None => moment(at).fixed_offset(),
    }
}
