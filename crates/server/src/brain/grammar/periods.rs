//! Times as people say them: "this week", "last 3 days", "since 2026-10-01", "in march".

use chrono::{DateTime, Datelike, Days, FixedOffset, Months, NaiveDate, TimeDelta, Utc, Weekday};

use super::tokens::Token;

/// From (inclusive) until (exclusive); an open end is the present or the beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Period {
    pub from: Option<DateTime<Utc>>,
    pub until: Option<DateTime<Utc>>,
    /// The words name a stretch that ends now ("30 days"), not a place in the calendar.
    pub elapsed: Option<TimeDelta>,
}

/// The present, in the time zone of the one who asks.
#[derive(Clone, Copy)]
pub(super) struct Clock {
    pub now: DateTime<Utc>,
    pub zone: FixedOffset,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Unit {
    Hour,
    Day,
    Week,
    Month,
    Quarter,
    Year,
}

/// The longest "last N" that is believed, in days: a hundred years.
const LONGEST: i64 = 36_500;

impl Clock {
    /// The period that starts at the first word, and how many words it takes.
    pub fn period(&self, words: &[Token]) -> Option<(Period, usize)> {
        self.bounded(words).or_else(|| self.named(words)).or_else(|| self.stretch(words))
    }

    /// "since X", "after X", "before X", "until X", "on X", "between X and Y", "in march".
    fn bounded(&self, words: &[Token]) -> Option<(Period, usize)> {
        let word = plain(words, 0)?;
        let rest = words.get(1..)?;
        if matches!(word, "between" | "from") {
            let (first, used) = self.moment(rest)?;
            plain(rest, used).filter(|word| matches!(*word, "and" | "to" | "until" | "till"))?;
            let (second, more) = self.moment(rest.get(used + 1..)?)?;
            let period = Period { from: first.from, until: second.until, elapsed: None };
            return Some((period, used + more + 2));
        }
        let (found, used) = match word {
            "in" | "during" => self.month(rest)?,
            "since" | "after" | "before" | "until" | "till" | "on" => self.moment(rest)?,
            _ => return None,
        };
        let period = match word {
            "since" => Period { from: found.from, ..Period::default() },
            "after" => Period { from: found.until.or(found.from), ..Period::default() },
            "before" => Period { until: found.from, ..Period::default() },
            "until" | "till" => Period { until: found.until, ..Period::default() },
            _ => found,
        };
        Some((period, used + 1))
    }

    /// A day or a longer named stretch, as the object of "since" and the like.
    pub fn moment(&self, words: &[Token]) -> Option<(Period, usize)> {
        let word = plain(words, 0)?;
        if matches!(word, "the" | "last") {
            let (found, used) = self.weekday(words, 1).or_else(|| self.moment_named(words, word))?;
            return Some((found, used));
        }
        self.date(words)
            .or_else(|| self.named(words))
            .or_else(|| self.weekday(words, 0))
            .or_else(|| self.month(words))
            .or_else(|| self.ago(words))
    }

    fn moment_named(&self, words: &[Token], word: &str) -> Option<(Period, usize)> {
        if word == "last" {
            return self.named(words).or_else(|| self.month(words.get(1..)?).map(|(found, used)| (found, used + 1)));
        }
        self.date(words.get(1..)?).map(|(found, used)| (found, used + 1))
    }

    /// "today", "yesterday", "this week", "last month", "past week".
    fn named(&self, words: &[Token]) -> Option<(Period, usize)> {
        let today = self.today();
        match plain(words, 0)? {
            "today" => return Some((self.days(today, today + Days::new(1)), 1)),
            "yesterday" => return Some((self.days(today - Days::new(1), today), 1)),
            "this" | "last" | "previous" | "current" => {}
            _ => return None,
        }
        let unit = unit(plain(words, 1)?)?;
        let start = start_of(unit, today)?;
        let current = matches!(plain(words, 0)?, "this" | "current");
        let period = match current {
            true => self.days(start, forward(unit, start)?),
            false => self.days(start_of(unit, start.pred_opt()?)?, start),
        };
        Some((period, 2))
    }

    /// "in the last 3 days", "past week", "30 days", "2 weeks ago", "over a month".
    fn stretch(&self, words: &[Token]) -> Option<(Period, usize)> {
        let fill = |word: &&Token| {
            !word.quoted
                && matches!(
                    word.plain.as_str(),
                    "in" | "within" | "for" | "over" | "during" | "the" | "more" | "than" | "at" | "least" | "about"
                )
        };
        let skipped = words.iter().take(4).take_while(fill).count();
        let marked = plain(words, skipped).is_some_and(|word| matches!(word, "last" | "past" | "previous"));
        let at = skipped + usize::from(marked);
        let (span, used) = self.span(words.get(at..)?, marked)?;
        let ago = plain(words, at + used) == Some("ago");
        Some((self.lately(span), at + used + usize::from(ago)))
    }

    /// "3 days ago" as a moment.
    fn ago(&self, words: &[Token]) -> Option<(Period, usize)> {
        let (span, used) = self.span(words, false)?;
        let ago = plain(words, used) == Some("ago");
        Some((self.lately(span), used + usize::from(ago)))
    }

    /// "3 days", "a couple of weeks", "90d"; with `bare` also "week" alone ("past week").
    fn span(&self, words: &[Token], bare: bool) -> Option<(TimeDelta, usize)> {
        if plain(words, 0) == Some("a") && matches!(plain(words, 1), Some("couple" | "few")) {
            return self.span(words.get(1..)?, bare).map(|(span, used)| (span, used + 1));
        }
        let first = plain(words, 0)?;
        if let Some(span) = short(first) {
            return Some((span, 1));
        }
        if let Some(unit) = unit(first).filter(|_| bare) {
            return Some((length(unit, 1)?, 1));
        }
        let count = number(first)?;
        let filler = if plain(words, 1) == Some("of") { 2 } else { 1 };
        Some((length(unit(plain(words, filler)?)?, count)?, filler + 1))
    }

    fn lately(&self, span: TimeDelta) -> Period {
        Period { from: self.now.checked_sub_signed(span), until: None, elapsed: Some(span) }
    }

    /// "2026-10-01", "10/1/2026", "october 1", "1 oct 2026", "2026-10".
    fn date(&self, words: &[Token]) -> Option<(Period, usize)> {
        let first = plain(words, 0)?;
        if let Some(day) = numeric(first) {
            return Some((self.days(day, day.succ_opt()?), 1));
        }
        if let Some(start) =
            NaiveDate::parse_from_str(&format!("{first}-01"), "%Y-%m-%d").ok().filter(|_| first.len() == 7)
        {
            return Some((self.days(start, start.checked_add_months(Months::new(1))?), 1));
        }
        let second = plain(words, 1)?;
        let (month, day) = month(first).zip(ordinal(second)).or_else(|| month(second).zip(ordinal(first)))?;
        let year = plain(words, 2).and_then(year);
        let found = self.past(year, |year| NaiveDate::from_ymd_opt(year, month, day))?;
        Some((self.days(found, found.succ_opt()?), 2 + usize::from(year.is_some())))
    }

    /// "march", "march 2026", "2026".
    fn month(&self, words: &[Token]) -> Option<(Period, usize)> {
        let first = plain(words, 0)?;
        if let Some(year) = year(first) {
            let start = NaiveDate::from_ymd_opt(year, 1, 1)?;
            return Some((self.days(start, NaiveDate::from_ymd_opt(year + 1, 1, 1)?), 1));
        }
        let month = month(first)?;
        let year = plain(words, 1).and_then(year);
        let start = self.past(year, |year| NaiveDate::from_ymd_opt(year, month, 1))?;
        Some((self.days(start, start.checked_add_months(Months::new(1))?), 1 + usize::from(year.is_some())))
    }

    /// The latest such weekday that is not in the future.
    fn weekday(&self, words: &[Token], skip: usize) -> Option<(Period, usize)> {
        let wanted: Weekday = plain(words, skip).filter(|word| word.len() > 2)?.parse().ok()?;
        let today = self.today();
        let back = (today.weekday().num_days_from_monday() + 7 - wanted.num_days_from_monday()) % 7;
        let day = today - Days::new(back.into());
        Some((self.days(day, day.succ_opt()?), skip + 1))
    }

    /// The year that was said, else the latest one in which the day is not in the future.
    fn past(&self, year: Option<i32>, day: impl Fn(i32) -> Option<NaiveDate>) -> Option<NaiveDate> {
        let today = self.today();
        match year {
            Some(year) => day(year),
            None => day(today.year()).filter(|day| *day <= today).or_else(|| day(today.year() - 1)),
        }
    }

    fn today(&self) -> NaiveDate {
        self.now.with_timezone(&self.zone).date_naive()
    }

    fn days(&self, from: NaiveDate, until: NaiveDate) -> Period {
        Period { from: self.midnight(from), until: self.midnight(until), elapsed: None }
    }

    fn midnight(&self, day: NaiveDate) -> Option<DateTime<Utc>> {
        let local = day.and_hms_opt(0, 0, 0)?.and_local_timezone(self.zone).single()?;
        Some(local.with_timezone(&Utc))
    }
}

fn plain(words: &[Token], at: usize) -> Option<&str> {
    words.get(at).filter(|word| !word.quoted).map(|word| word.plain.as_str())
}

fn unit(word: &str) -> Option<Unit> {
    Some(match word {
        "hour" | "hours" | "hrs" => Unit::Hour,
        "day" | "days" => Unit::Day,
        "week" | "weeks" | "wk" | "wks" => Unit::Week,
        "month" | "months" => Unit::Month,
        "quarter" | "quarters" => Unit::Quarter,
        "year" | "years" => Unit::Year,
        _ => return None,
    })
}

/// "30d", "2w", "30days".
fn short(word: &str) -> Option<TimeDelta> {
    let split = word.find(|c: char| !c.is_ascii_digit()).filter(|at| *at > 0)?;
    let (count, letters) = word.split_at(split);
    let unit = match letters {
        "h" => Unit::Hour,
        "d" => Unit::Day,
        "w" => Unit::Week,
        "mo" => Unit::Month,
        "y" => Unit::Year,
        longer => unit(longer)?,
    };
    length(unit, count.parse().ok()?)
}

fn number(word: &str) -> Option<i64> {
    let words =
        ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"];
    match word {
        "a" | "an" => Some(1),
        "couple" => Some(2),
        "few" => Some(3),
        _ => words
            .iter()
            .position(|name| *name == word)
            .and_then(|at| i64::try_from(at).ok())
            .or_else(|| word.parse().ok().filter(|count| (0..=LONGEST).contains(count))),
    }
}

/// A month counts 30 days here, a quarter 90 and a year 365.
fn length(unit: Unit, count: i64) -> Option<TimeDelta> {
    let days = match unit {
        Unit::Hour => return TimeDelta::try_hours(count).filter(|span| span.num_days() <= LONGEST),
        Unit::Day => 1,
        Unit::Week => 7,
        Unit::Month => 30,
        Unit::Quarter => 90,
        Unit::Year => 365,
    };
    let days = count.checked_mul(days).filter(|days| *days <= LONGEST)?;
    TimeDelta::try_days(days)
}

/// The week starts on Monday.
fn start_of(unit: Unit, day: NaiveDate) -> Option<NaiveDate> {
    match unit {
        Unit::Hour => None,
        Unit::Day => Some(day),
        Unit::Week => Some(day - Days::new(day.weekday().num_days_from_monday().into())),
        Unit::Month => day.with_day(1),
        Unit::Quarter => NaiveDate::from_ymd_opt(day.year(), day.month0() / 3 * 3 + 1, 1),
        Unit::Year => NaiveDate::from_ymd_opt(day.year(), 1, 1),
    }
}

fn forward(unit: Unit, start: NaiveDate) -> Option<NaiveDate> {
    match unit {
        Unit::Hour => None,
        Unit::Day => start.succ_opt(),
        Unit::Week => start.checked_add_days(Days::new(7)),
        Unit::Month => start.checked_add_months(Months::new(1)),
        Unit::Quarter => start.checked_add_months(Months::new(3)),
        Unit::Year => start.checked_add_months(Months::new(12)),
    }
}

fn numeric(word: &str) -> Option<NaiveDate> {
    let date = word.split_once('t').map_or(word, |(date, _)| date);
    ["%Y-%m-%d", "%Y/%m/%d", "%m/%d/%Y", "%d.%m.%Y"]
        .iter()
        .find_map(|format| NaiveDate::parse_from_str(date, format).ok())
        .filter(|day| (1900..=2200).contains(&day.year()))
}

fn month(word: &str) -> Option<u32> {
    let month: chrono::Month = word.parse().ok().filter(|_| word.len() > 2)?;
    Some(month.number_from_month())
}

/// "1", "1st", "22nd".
fn ordinal(word: &str) -> Option<u32> {
    let digits = ["st", "nd", "rd", "th"].iter().find_map(|end| word.strip_suffix(end)).unwrap_or(word);
    digits.parse().ok().filter(|day| (1..=31).contains(day))
}

fn year(word: &str) -> Option<i32> {
    word.parse().ok().filter(|year| word.len() == 4 && (1990..=2100).contains(year))
}

#[cfg(test)]
mod tests {
    use super::super::tokens::tokens;
    use super::*;

    /// A Saturday.
    fn clock() -> Clock {
        Clock { now: "2026-11-21T12:00:00Z".parse().unwrap(), zone: FixedOffset::east_opt(0).unwrap() }
    }

    fn period(text: &str) -> (String, String) {
        let words = tokens(text);
        let (found, used) = clock().period(&words).unwrap_or_else(|| panic!("{text} is no period"));
        assert_eq!(used, words.len(), "{text}");
        let show = |at: Option<DateTime<Utc>>| at.map_or("-".into(), |at| at.format("%Y-%m-%d %H").to_string());
        (show(found.from), show(found.until))
    }

    #[test]
    fn what_people_say() {
        let cases = [
            ("today", "2026-11-21 00", "2026-11-22 00"),
            ("yesterday", "2026-11-20 00", "2026-11-21 00"),
            ("this week", "2026-11-16 00", "2026-11-23 00"),
            ("last week", "2026-11-09 00", "2026-11-16 00"),
            ("this month", "2026-11-01 00", "2026-12-01 00"),
            ("last month", "2026-10-01 00", "2026-11-01 00"),
            ("this quarter", "2026-10-01 00", "2027-01-01 00"),
            ("last year", "2025-01-01 00", "2026-01-01 00"),
            ("last 3 days", "2026-11-18 12", "-"),
            ("in the last two weeks", "2026-11-07 12", "-"),
            ("past week", "2026-11-14 12", "-"),
            ("in 30 days", "2026-10-22 12", "-"),
            ("for over a month", "2026-10-22 12", "-"),
            ("90d", "2026-08-23 12", "-"),
            ("a couple of days ago", "2026-11-19 12", "-"),
            ("since 2026-10-01", "2026-10-01 00", "-"),
            ("since monday", "2026-11-16 00", "-"),
            ("since saturday", "2026-11-21 00", "-"),
            ("since last friday", "2026-11-20 00", "-"),
            ("since last week", "2026-11-09 00", "-"),
            ("since october 1", "2026-10-01 00", "-"),
            ("since 3rd dec", "2025-12-03 00", "-"),
            ("since march 2025", "2025-03-01 00", "-"),
            ("since 2 weeks ago", "2026-11-07 12", "-"),
            ("after 10/1/2026", "2026-10-02 00", "-"),
            ("before 2026-10-01", "-", "2026-10-01 00"),
            ("until 2026-10-01", "-", "2026-10-02 00"),
            ("on 2026-10-01", "2026-10-01 00", "2026-10-02 00"),
            ("in december", "2025-12-01 00", "2026-01-01 00"),
            ("in 2025", "2025-01-01 00", "2026-01-01 00"),
            ("between 2026-10-01 and october 5", "2026-10-01 00", "2026-10-06 00"),
            ("from 2026-10-01 to today", "2026-10-01 00", "2026-11-22 00"),
        ];
        for (text, from, until) in cases {
            assert_eq!(period(text), (from.into(), until.into()), "{text}");
        }
    }

    #[test]
    fn days_begin_at_midnight_of_the_zone() {
        let zone = FixedOffset::west_opt(8 * 3600).unwrap();
        let clock = Clock { now: "2026-11-21T03:00:00Z".parse().unwrap(), zone };
        let (found, _) = clock.period(&tokens("today")).unwrap();
        assert_eq!(found.from, Some("2026-11-20T08:00:00Z".parse().unwrap()));
    }

    #[test]
    fn what_is_no_period() {
        for text in [
            "last mile",
            "since",
            "since acme",
            "in the",
            "from acme",
            "99999999999 days",
            "30",
            "may",
            "",
            "\"today\"",
        ] {
            assert!(clock().period(&tokens(text)).is_none(), "{text}");
        }
    }
}
