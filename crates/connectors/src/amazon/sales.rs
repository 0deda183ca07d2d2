//! Sales over time, added up by Amazon.

use chrono::{DateTime, Duration, NaiveDate, NaiveTime, Utc};
use schemars::JsonSchema;
use sdk::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::order::{cents, money};
use super::orders::Fulfiller;
use super::{Amazon, marketplaces, operations, stamp};
use crate::json;

/// Amazon sales over time: orders, units and sales by day, week or month (UTC), with the sum. Use it for trends, up to
/// two years back, also of one SKU. Answers `intervals`, `total`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SalesMetrics {
    /// First day; 30 days ago unless given.
    from: Option<NaiveDate>,
    /// Last day, included; today unless given.
    to: Option<NaiveDate>,
    /// Length of the intervals; week unless given. Hour reaches 30 days back.
    granularity: Option<Granularity>,
    /// Only this seller SKU.
    #[schemars(length(min = 1, max = 60))]
    sku: Option<String>,
    /// Who ships; amazon is FBA.
    fulfilled_by: Option<Fulfiller>,
    /// Who bought.
    buyers: Option<Buyers>,
    /// Another configured marketplace than the first.
    #[schemars(length(max = 20))]
    marketplace_id: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Granularity {
    Hour,
    Day,
    Week,
    Month,
    Year,
    Total,
}

#[derive(Clone, Copy, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Buyers {
    Business,
    Consumer,
}

/// Sales over time.
#[derive(Serialize, JsonSchema)]
pub struct Metrics {
    marketplace: String,
    total: Sum,
    /// Oldest first.
    intervals: Vec<Interval>,
    /// Said when the first intervals are left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

/// What was sold.
#[derive(Clone, Default, Serialize, JsonSchema)]
struct Sum {
    orders: u64,
    units: u64,
    /// Ordered products, in `currency`.
    sales: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    currency: Option<String>,
}

/// What was sold in a while.
#[derive(Serialize, JsonSchema)]
struct Interval {
    /// When it begins.
    from: String,
    orders: u64,
    units: u64,
    sales: f64,
}

/// More intervals than this are no answer but a table.
const SHOWN: usize = 62;

pub async fn metrics(api: &Amazon, args: SalesMetrics) -> Result<Metrics> {
    let marketplace = api.marketplace(args.marketplace_id.as_deref())?;
    let granularity = args.granularity.unwrap_or(Granularity::Week);
    let (from, to) = window(&args, granularity, api.http.now())?;
    let long = !matches!(granularity, Granularity::Hour);
    let request = api.get(&operations::ORDER_METRICS, &[])?.query(&[
        ("marketplaceIds", Some(marketplace.clone())),
        ("interval", Some(format!("{}--{}", stamp(from), stamp(to)))),
        ("granularity", Some(granularity.as_str().into())),
        ("granularityTimeZone", long.then(|| "UTC".into())),
        ("buyerType", args.buyers.map(|buyers| buyers.as_str().into())),
        ("fulfillmentNetwork", args.fulfilled_by.map(|who| network(who).into())),
        ("sku", args.sku),
    ]);
    let answer = api.read(request).await?;
    let rows = json::list(&answer, "payload");
    let skipped = rows.len().saturating_sub(SHOWN);
    Ok(Metrics {
        marketplace: marketplaces::country(&marketplace).to_owned(),
        total: Sum::of(rows),
        intervals: rows.iter().skip(skipped).map(Interval::of).collect(),
        note: (skipped > 0).then(|| format!("the last {SHOWN} intervals; the total holds {skipped} earlier ones too")),
    })
}

/// Amazon takes the end of the interval out.
fn window(args: &SalesMetrics, granularity: Granularity, now: DateTime<Utc>) -> Result<(DateTime<Utc>, DateTime<Utc>)> {
    let midnight = |day: NaiveDate| day.and_time(NaiveTime::MIN).and_utc();
    let to = args.to.and_then(|day| day.succ_opt()).map_or(now, midnight).min(now);
    let days = if granularity == Granularity::Hour { 1 } else { 30 };
    let from = args.from.map_or_else(|| midnight((to - Duration::days(days)).date_naive()), midnight);
    if from >= to {
        return Err(Error::invalid_input("from: it must be before to, and not in the future"));
    }
    let (reach, words) = match granularity {
        Granularity::Hour => (30, "30 days"),
        _ => (730, "two years"),
    };
    if from < now - Duration::days(reach) {
        return Err(Error::invalid_input(format!("from: Amazon has these numbers for the last {words} only")));
    }
    Ok((from, to))
}

impl Sum {
    fn of(rows: &[Value]) -> Sum {
        let mut sum = Sum::default();
        for row in rows {
            sum.orders += json::count(row, "orderCount").unwrap_or(0);
            sum.units += json::count(row, "unitCount").unwrap_or(0);
            let Some((amount, currency)) = money(&row["totalSales"]) else { continue };
            sum.sales = cents(sum.sales + amount);
            sum.currency = currency.or(sum.currency);
        }
        sum
    }
}

impl Interval {
    fn of(row: &Value) -> Interval {
        let text = json::text(row, "interval").unwrap_or_default();
        Interval {
            from: text.split("--").next().unwrap_or_default().to_owned(),
            orders: json::count(row, "orderCount").unwrap_or(0),
            units: json::count(row, "unitCount").unwrap_or(0),
            sales: money(&row["totalSales"]).map_or(0.0, |(amount, _)| amount),
        }
    }
}

fn network(who: Fulfiller) -> &'static str {
    match who {
        Fulfiller::Amazon => "AFN",
        Fulfiller::Merchant => "MFN",
    }
}

impl Granularity {
    fn as_str(self) -> &'static str {
        match self {
            Granularity::Hour => "Hour",
            Granularity::Day => "Day",
            Granularity::Week => "Week",
            Granularity::Month => "Month",
            Granularity::Year => "Year",
            Granularity::Total => "Total",
        }
    }
}

impl Buyers {
    fn as_str(self) -> &'static str {
        match self {
            Buyers::Business => "B2B",
            Buyers::Consumer => "B2C",
        }
    }
}
