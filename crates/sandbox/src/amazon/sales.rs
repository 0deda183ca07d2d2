//! Sales: what the orders add up to in intervals of time.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Query, State},
};
use chrono::{DateTime, Datelike, Duration, FixedOffset, NaiveDate, NaiveDateTime, Timelike};
use serde_json::{Value, json};

use super::{
    Asked, Pairs, US,
    orders::money,
    reply::{Refusal, Reply},
    trade::{self, Line, Sale, Status},
};
use crate::{
    clock::{DAY, Millis},
    world::World,
};

const GRANULARITIES: &[&str] = &["Hour", "Day", "Week", "Month", "Year", "Total"];

pub(super) async fn metrics(State(world): State<Arc<World>>, Query(pairs): Pairs) -> Reply {
    let asked = Asked::of(pairs);
    let now = world.now();
    let [marketplace] = asked.marketplaces()?[..] else {
        return Err(Refusal::invalid("Exactly one marketplaceId must be provided"));
    };
    let granularity = asked.among("granularity", GRANULARITIES)?.first().copied();
    let granularity = granularity.ok_or_else(|| Refusal::invalid("granularity is required"))?;
    let (from, to) = interval(&asked, granularity, now)?;
    asked.among("buyerType", &["B2B", "B2C", "All"])?;
    asked.among("fulfillmentNetwork", &["MFN", "AFN"])?;
    if asked.text("asin").is_some() && asked.text("sku").is_some() {
        return Err(Refusal::invalid("Only one of asin and sku may be provided"));
    }
    let sales = trade::sales(&world);
    let counted: Vec<&Sale> = sales.iter().filter(|sale| marketplace == US && counts(sale, &asked, now)).collect();
    let rows: Vec<Value> = cut(from, to, granularity, asked.text("firstDayOfWeek") == Some("Sunday"))
        .into_iter()
        .map(|(from, to)| row(from, to, &counted, &asked))
        .collect();
    Ok(Json(json!({"payload": rows})))
}

type Moment = DateTime<FixedOffset>;

fn interval(asked: &Asked, granularity: &str, now: Millis) -> Result<(Moment, Moment), Refusal> {
    let text = asked.text("interval").ok_or_else(|| Refusal::invalid("interval is required"))?;
    let ends = text.split_once("--").map(|(from, to)| (moment(from), moment(to)));
    let Some((Some(from), Some(to))) = ends else {
        return Err(Refusal::invalid("interval must be two dates in ISO 8601 with two hyphens between them"));
    };
    if from >= to {
        return Err(Refusal::invalid("interval must not be empty"));
    }
    let reach = if granularity == "Hour" { 30 } else { 731 };
    if from.timestamp_millis() < now - reach * DAY {
        return Err(Refusal::invalid("interval reaches back too far for the granularity"));
    }
    let zone = asked.text("granularityTimeZone");
    if zone.is_none() && granularity != "Hour" {
        return Err(Refusal::invalid("granularityTimeZone is required for this granularity"));
    }
    if from.offset().local_minus_utc() == 0 && zone.is_some_and(|zone| zone != "UTC") {
        return Err(Refusal::invalid("granularityTimeZone must align with the offset of the interval"));
    }
    Ok((from, to))
}

/// A plus sign that nobody encoded arrives as a blank.
fn moment(text: &str) -> Option<Moment> {
    DateTime::parse_from_rfc3339(&text.replace(' ', "+")).ok()
}

fn counts(sale: &Sale, asked: &Asked, now: Millis) -> bool {
    let placed = sale.state(now).is_some_and(|(status, _)| status != Status::Cancelled);
    let business = sale.buyer.company.is_some();
    let buyer = match asked.text("buyerType") {
        Some("B2B") => business,
        Some("B2C") => !business,
        _ => true,
    };
    let network = asked.text("fulfillmentNetwork").is_none_or(|network| (network == "AFN") == sale.fba);
    placed && buyer && network && sale.lines.iter().any(|line| fits(line, asked))
}

fn fits(line: &Line, asked: &Asked) -> bool {
    asked.text("sku").is_none_or(|sku| sku == line.good.sku)
        && asked.text("asin").is_none_or(|asin| asin == line.good.asin)
}

/// The intervals; the first and the last may be cut short.
fn cut(from: Moment, to: Moment, granularity: &str, sunday: bool) -> Vec<(Moment, Moment)> {
    let mut pieces = Vec::new();
    let mut begin = from;
    while begin < to && pieces.len() < 10_000 {
        let end = next(begin.naive_local(), granularity, sunday);
        let end = end.and_then(|end| end.and_local_timezone(*from.offset()).single()).unwrap_or(to).min(to);
        pieces.push((begin, end));
        begin = end;
    }
    pieces
}

/// Where the interval around this moment ends.
fn next(at: NaiveDateTime, granularity: &str, sunday: bool) -> Option<NaiveDateTime> {
    let day = at.date();
    let weekday = if sunday { day.weekday().num_days_from_sunday() } else { day.weekday().num_days_from_monday() };
    let first = match granularity {
        "Hour" => return Some(day.and_hms_opt(at.hour(), 0, 0)? + Duration::hours(1)),
        "Day" => day.succ_opt()?,
        "Week" => day + Duration::days(7 - i64::from(weekday)),
        "Month" if day.month() == 12 => NaiveDate::from_ymd_opt(day.year() + 1, 1, 1)?,
        "Month" => NaiveDate::from_ymd_opt(day.year(), day.month() + 1, 1)?,
        "Year" => NaiveDate::from_ymd_opt(day.year() + 1, 1, 1)?,
        _ => return None,
    };
    first.and_hms_opt(0, 0, 0)
}

fn row(from: Moment, to: Moment, sales: &[&Sale], asked: &Asked) -> Value {
    let span = from.timestamp_millis()..to.timestamp_millis();
    let here: Vec<&&Sale> = sales.iter().filter(|sale| span.contains(&sale.created)).collect();
    let lines: Vec<&Line> = here.iter().flat_map(|sale| &sale.lines).filter(|line| fits(line, asked)).collect();
    let units: i64 = lines.iter().map(|line| line.quantity).sum();
    let total: i64 = lines.iter().map(|line| line.good.price * line.quantity).sum();
    let text = |at: Moment| match at.offset().local_minus_utc() {
        0 => at.format("%Y-%m-%dT%H:%MZ").to_string(),
        _ => at.format("%Y-%m-%dT%H:%M%:z").to_string(),
    };
    json!({
        "interval": format!("{}--{}", text(from), text(to)),
        "unitCount": units,
        "orderItemCount": lines.len(),
        "orderCount": here.len(),
        "averageUnitPrice": money(if units == 0 { 0 } else { total / units }),
        "totalSales": money(total),
    })
}
