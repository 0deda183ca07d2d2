//! One budget as people write it: how many calls, or how much money, a day or a month.

use chrono::{DateTime, Datelike, Days, Months, NaiveTime, TimeZone, Utc};
use sdk::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Question;
use super::rule::{Fit, Ready, Rule, Says};

/// A budget: the calls that it is about, and what they may come to. What is left out is everything.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Budget {
    /// Tool ids in which `*` stands for any letters.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<String>,
    /// `read`, `internal`, `write`, `destructive`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub effects: Vec<String>,
    /// `agent`, `person`, `system`, or the id or name of one caller, as in a rule.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub callers: Vec<String>,
    /// So many calls.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calls: Option<u32>,
    /// So much money, as the arguments at `paths` add up to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount: Option<f64>,
    /// Where amounts stand in the arguments: `value`, or `lines[].unit_price*quantity` for each entry of a list.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<String>,
    pub per: Period,
    /// Each caller has a budget of his own.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub each: bool,
}

/// How long a budget lasts, in UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Period {
    #[default]
    Day,
    Month,
}

impl Period {
    /// When the period of this moment began.
    pub fn begin(self, now: DateTime<Utc>) -> DateTime<Utc> {
        let day = now.date_naive();
        let first = match self {
            Period::Day => day,
            Period::Month => day.with_day(1).unwrap_or(day),
        };
        Utc.from_utc_datetime(&first.and_time(NaiveTime::MIN))
    }

    /// When it ends and the budget starts anew.
    pub fn end(self, now: DateTime<Utc>) -> DateTime<Utc> {
        let begin = self.begin(now);
        let end = match self {
            Period::Day => begin.checked_add_days(Days::new(1)),
            Period::Month => begin.checked_add_months(Months::new(1)),
        };
        end.unwrap_or(begin)
    }

    fn as_str(self) -> &'static str {
        match self {
            Period::Day => "day",
            Period::Month => "month",
        }
    }
}

/// A budget that was read and can be asked.
pub struct Limit {
    pub name: String,
    pub budget: Budget,
    about: Ready,
}

/// Money is counted in millionths, so that sums are exact.
const MILLIONTHS: f64 = 1e6;
/// The most that a budget of money can hold.
const LARGEST: f64 = 1e12;

impl Limit {
    /// Reads a budget; the error says what is wrong with it.
    pub fn read(name: &str, budget: Budget) -> Result<Limit> {
        let wrong = |why: &str| Error::invalid_input(format!("the budget `{name}`: {why}"));
        match (budget.calls, budget.amount) {
            (Some(_), None) if !budget.paths.is_empty() => return Err(wrong("`paths` belong to an `amount`")),
            (Some(_), None) => {}
            (None, Some(amount)) if !(0.0..=LARGEST).contains(&amount) => {
                return Err(wrong("`amount` is from 0 to 10^12"));
            }
            (None, Some(_)) if budget.paths.iter().all(|path| path.is_empty()) => {
                return Err(wrong(
                    "`paths` say where amounts stand in the arguments, such as lines[].unit_price*quantity",
                ));
            }
            (None, Some(_)) => {}
            _ => return Err(wrong("it has either `calls` or an `amount`")),
        }
        let Budget { tools, effects, callers, .. } = budget.clone();
        // A dry run moves nothing, so a rule that would deny is not asked here.
        let about = Ready::read(name, Rule { tools, effects, callers, decision: Says::Allow, ..Rule::default() });
        let about = about.map_err(|e| Error::invalid_input(e.message.replacen("the rule", "the budget", 1)))?;
        Ok(Limit { name: name.to_owned(), budget, about })
    }

    pub fn idle_pattern<'a>(&self, tools: impl Iterator<Item = &'a str> + Clone) -> Option<&str> {
        self.about.idle_pattern(tools)
    }

    /// Whether this call is taken from it. Money is moved by what has an effect outside.
    pub fn is_about(&self, question: &Question<'_>) -> bool {
        let moves = self.budget.amount.is_none() || question.effect.is_outward();
        moves && self.about.fits(question) == Fit::Yes
    }

    /// What a call costs, and the most that there is, in the same unit. An amount that cannot be told is an error.
    pub fn cost(&self, arguments: &Value) -> Result<(i64, i64), String> {
        let Some(most) = self.budget.amount else { return Ok((1, i64::from(self.budget.calls.unwrap_or_default()))) };
        let mut amounts = Vec::new();
        for path in &self.budget.paths {
            gather(arguments, path, &mut amounts)?;
        }
        if amounts.is_empty() {
            return Err(format!("there is no amount at {}", self.budget.paths.join(" or ")));
        }
        let sum: f64 = amounts.iter().map(|amount| amount.abs()).sum();
        if !sum.is_finite() || sum > LARGEST {
            return Err("the amount is too large".into());
        }
        Ok(((sum * MILLIONTHS).round() as i64, (most * MILLIONTHS).round() as i64))
    }

    /// The budget in words, as a refusal says it.
    pub fn in_words(&self) -> String {
        let of = if self.budget.each { " of each caller" } else { "" };
        let per = self.budget.per.as_str();
        match (self.budget.amount, self.budget.calls) {
            (Some(amount), _) => format!("{amount} a {per}{of}"),
            (None, calls) => format!("{} calls a {per}{of}", calls.unwrap_or_default()),
        }
    }

    /// What was used, in the unit that people wrote.
    pub fn shown(&self, used: i64) -> f64 {
        if self.budget.amount.is_some() { used as f64 / MILLIONTHS } else { used as f64 }
    }
}

/// A number, or text that is one: vendors write money so.
fn number(value: &Value) -> Result<f64, String> {
    let number = value.as_f64().or_else(|| value.as_str()?.trim().parse().ok());
    number.filter(|number| number.is_finite()).ok_or_else(|| "an amount is not a number".to_owned())
}

/// The numbers at a path of keys, where `[]` stands for every entry of a list and the last key may be a product: of
/// `unit_price*quantity` the first has to be there, and what else is missing is one.
fn gather(value: &Value, path: &str, amounts: &mut Vec<f64>) -> Result<(), String> {
    if path.is_empty() {
        amounts.push(number(value)?);
        return Ok(());
    }
    if let Some((first, further)) = path.split_once('*').filter(|_| !path.contains('.')) {
        let Some(price) = value.get(first) else { return Ok(()) };
        let factors = further.split('*').filter_map(|name| value.get(name));
        amounts.push(factors.map(number).try_fold(number(price)?, |product, factor| factor.map(|one| product * one))?);
        return Ok(());
    }
    let (key, rest) = path.split_once('.').unwrap_or((path, ""));
    let (name, is_list) = key.strip_suffix("[]").map_or((key, false), |name| (name, true));
    let found = if name.is_empty() { value } else { value.get(name).unwrap_or(&Value::Null) };
    match (found, is_list) {
        (Value::Null, _) => Ok(()),
        (Value::Array(items), true) => items.iter().try_for_each(|item| gather(item, rest, amounts)),
        (_, true) => Err(format!("`{name}` is not a list")),
        (found, false) => gather(found, rest, amounts),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn money(paths: &[&str]) -> Limit {
        let paths = paths.iter().map(|path| (*path).to_owned()).collect();
        Limit::read("b", Budget { amount: Some(100.0), paths, ..Budget::default() }).unwrap()
    }

    #[test]
    fn amounts_add_up_to_the_cent() {
        let limit = money(&["amount", "line_items[].amount"]);
        let cost = |arguments: Value| limit.cost(&arguments).map(|(cost, _)| cost);
        assert_eq!(cost(json!({"amount": 12.3})), Ok(12_300_000));
        assert_eq!(cost(json!({"line_items": [{"amount": 0.1}, {"amount": "0.2"}]})), Ok(300_000));
        // What is taken away moves money as well.
        assert_eq!(cost(json!({"amount": -5, "line_items": [{"amount": 5}]})), Ok(10_000_000));
        assert_eq!(limit.cost(&json!({"amount": 1})).unwrap().1, 100_000_000);
        let lines = json!({"lines": [{"unit_price": 2.5, "quantity": 3}, {"unit_price": "1"}, {"quantity": 7}]});
        assert_eq!(money(&["lines[].unit_price*quantity"]).cost(&lines).unwrap().0, 8_500_000);
    }

    #[test]
    fn an_amount_that_cannot_be_told_is_none() {
        let limit = money(&["line_items[].amount"]);
        for arguments in [json!({}), json!({"line_items": []}), json!({"line_items": [{"price": 3}]})] {
            assert!(limit.cost(&arguments).unwrap_err().contains("no amount"), "{arguments}");
        }
        for arguments in [
            json!({"line_items": 7}),
            json!({"line_items": [{"amount": "much"}]}),
            json!({"line_items": [{"amount": 1e300}]}),
        ] {
            assert!(limit.cost(&arguments).is_err(), "{arguments}");
        }
    }

    #[test]
    fn periods_begin_and_end_in_utc() {
        let at: DateTime<Utc> = "2026-12-31T23:59:59Z".parse().unwrap();
        let text = |at: DateTime<Utc>| at.to_rfc3339();
        assert_eq!(text(Period::Day.begin(at)), "2026-12-31T00:00:00+00:00");
        assert_eq!(text(Period::Day.end(at)), "2027-01-01T00:00:00+00:00");
        assert_eq!(text(Period::Month.begin(at)), "2026-12-01T00:00:00+00:00");
        assert_eq!(text(Period::Month.end(at)), "2027-01-01T00:00:00+00:00");
    }

    #[test]
    fn nonsense_is_refused_with_its_name() {
        let refused = |budget: Budget| Limit::read("b", budget).err().map(|e| e.message).unwrap_or_default();
        assert!(refused(Budget::default()).contains("`b`"));
        assert!(refused(Budget { calls: Some(1), amount: Some(1.0), ..Budget::default() }).contains("either"));
        assert!(refused(Budget { amount: Some(1.0), ..Budget::default() }).contains("paths"));
        assert!(refused(Budget { calls: Some(1), effects: vec!["big".into()], ..Budget::default() }).contains("big"));
    }
}
