//! What the orders of a while add up to.

use std::collections::BTreeMap;

use chrono::{DateTime, Duration, Utc};
use schemars::JsonSchema;
use sdk::{Kind, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::order::{self, cents};
use super::orders::{LARGEST_PAGE, Search};
use super::{Amazon, operations};

/// Amazon orders of the last days in numbers: by state, sales, what is late or due to ship, best products. Use it
/// for an overview; for sales over months use `sales_metrics`. Says when it is not complete.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OrderDigest {
    /// How many days back, 30 unless given.
    #[schemars(range(min = 1, max = 90))]
    days: Option<u32>,
}

/// Orders in numbers.
#[derive(Serialize, JsonSchema)]
pub struct Digest {
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    orders: usize,
    units: u32,
    /// Without cancelled orders; pending orders have no price yet.
    sales: Vec<Sales>,
    by_status: BTreeMap<String, usize>,
    by_fulfiller: BTreeMap<String, usize>,
    to_ship: ToShip,
    /// The most sold, by units.
    top_products: Vec<Product>,
    /// False when Amazon's quota or the cap ended the reading early.
    complete: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

/// Sales in one currency.
#[derive(Serialize, JsonSchema)]
struct Sales {
    currency: String,
    total: f64,
    orders: usize,
}

/// What the merchant has to ship.
#[derive(Default, Serialize, JsonSchema)]
struct ToShip {
    orders: usize,
    /// Past the promised time.
    late: usize,
    due_in_24_hours: usize,
    /// Those with the nearest or longest past promise.
    first: Vec<Waiting>,
}

/// An order that waits.
#[derive(Serialize, JsonSchema)]
struct Waiting {
    id: String,
    ship_by: DateTime<Utc>,
    units: u32,
}

/// A product.
#[derive(Serialize, JsonSchema)]
struct Product {
    sku: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    units: u32,
}

/// Each page is one of the twenty searches that Amazon allows at once.
const MOST_PAGES: usize = 4;
const SHOWN: usize = 5;

pub async fn digest(api: &Amazon, args: OrderDigest) -> Result<Digest> {
    let now = api.http.now();
    let from = now - Duration::days(i64::from(args.days.unwrap_or(30).clamp(1, 90)));
    let (rows, why) = read(api, from).await?;
    let count = rows.len();
    let note = why.map(|why| format!("{count} orders were read and there are more: {why}. Ask for fewer days"));
    let living = || rows.iter().filter(|row| order::status(row) != "cancelled");
    Ok(Digest {
        from,
        to: now,
        orders: count,
        units: living().map(order::units).fold(0, u32::saturating_add),
        sales: sales(living()),
        by_status: counted(rows.iter().map(order::status)),
        by_fulfiller: counted(rows.iter().map(|row| order::fulfilled_by(row).unwrap_or_else(|| "unknown".into()))),
        to_ship: to_ship(rows.iter(), now),
        top_products: top(living()),
        complete: note.is_none(),
        note,
    })
}

/// The orders, and why they are not all.
async fn read(api: &Amazon, from: DateTime<Utc>) -> Result<(Vec<Value>, Option<String>)> {
    let first = Search { created_after: Some(from), limit: LARGEST_PAGE, ..Search::default() };
    let (mut rows, mut search) = (Vec::new(), first);
    for page in 0..MOST_PAGES {
        let found = match search.run(api).await {
            Err(error) if page > 0 && error.kind == Kind::RateLimited => return Ok((rows, Some(error.message))),
            outcome => outcome?,
        };
        rows.extend(found.rows);
        let Some(next) = found.next else { return Ok((rows, None)) };
        search = next;
    }
    Ok((rows, Some(format!("{} has a small quota", operations::SEARCH_ORDERS.path))))
}

fn counted(words: impl Iterator<Item = String>) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    words.for_each(|word| *counts.entry(word).or_default() += 1);
    counts
}

fn sales<'a>(rows: impl Iterator<Item = &'a Value>) -> Vec<Sales> {
    let mut sums: BTreeMap<String, (f64, usize)> = BTreeMap::new();
    for (amount, currency) in rows.filter_map(order::total) {
        let sum = sums.entry(currency.unwrap_or_else(|| "unknown".into())).or_default();
        *sum = (sum.0 + amount, sum.1 + 1);
    }
    sums.into_iter().map(|(currency, (sum, orders))| Sales { currency, total: cents(sum), orders }).collect()
}

/// What Amazon ships is not the merchant's to watch.
fn to_ship<'a>(rows: impl Iterator<Item = &'a Value>, now: DateTime<Utc>) -> ToShip {
    let own = |row: &&Value| order::is_to_ship(row) && order::fulfilled_by(row).as_deref() != Some("amazon");
    let waiting: Vec<&Value> = rows.filter(own).collect();
    let mut first: Vec<Waiting> = waiting.iter().filter_map(|row| Waiting::of(row)).collect();
    first.sort_by_key(|order| order.ship_by);
    let until = |moment: DateTime<Utc>| first.iter().filter(|order| order.ship_by < moment).count();
    let (late, soon) = (until(now), until(now + Duration::hours(24)));
    first.truncate(SHOWN);
    ToShip { orders: waiting.len(), late, due_in_24_hours: soon - late, first }
}

impl Waiting {
    fn of(row: &Value) -> Option<Waiting> {
        let id = crate::json::text(row, "orderId")?;
        Some(Waiting { id, ship_by: order::ship_by(row)?, units: order::units(row) })
    }
}

fn top<'a>(rows: impl Iterator<Item = &'a Value>) -> Vec<Product> {
    let mut products: BTreeMap<String, Product> = BTreeMap::new();
    for item in rows.flat_map(order::items) {
        let Some(sku) = item.sku else { continue };
        let product = products.entry(sku.clone()).or_insert(Product { sku, title: None, units: 0 });
        product.units = product.units.saturating_add(item.ordered);
        product.title = item.title.or(product.title.take());
    }
    let mut products: Vec<Product> = products.into_values().collect();
    products.sort_by_key(|product| std::cmp::Reverse(product.units));
    products.truncate(SHOWN);
    products
}
