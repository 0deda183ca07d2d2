//! What lies in Amazon's warehouses (FBA).

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use sdk::Result;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Amazon, marketplaces, operations, stamp};
use crate::json;

/// Stock in Amazon's warehouses (FBA): available, reserved, on its way, unsellable; the scarcest first. Use it for
/// "what runs low" or for the stock of some SKUs. What the merchant stores is not in it. Answers `items`, `totals`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InventorySnapshot {
    /// Only these seller SKUs; all unless given.
    #[schemars(length(min = 1, max = 50), inner(length(min = 1, max = 60)))]
    skus: Option<Vec<String>>,
    /// Only items of which fewer than this are available.
    #[schemars(range(min = 1, max = 1_000_000))]
    available_below: Option<i64>,
    /// How many items, 20 unless given.
    #[schemars(range(min = 1, max = 200))]
    limit: Option<usize>,
    /// Another configured marketplace than the first.
    #[schemars(length(max = 20))]
    marketplace_id: Option<String>,
}

/// The stock.
#[derive(Serialize, JsonSchema)]
pub struct Snapshot {
    marketplace: String,
    items: Vec<Item>,
    /// Over everything that matches, also what is not shown.
    totals: Totals,
    /// Said when not everything was read or shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

/// Sums.
#[derive(Default, Serialize, JsonSchema)]
struct Totals {
    skus: usize,
    out_of_stock: usize,
    available: i64,
    reserved: i64,
    inbound: i64,
    unsellable: i64,
}

/// One SKU.
#[derive(Serialize, JsonSchema)]
pub struct Item {
    pub sku: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    asin: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    pub available: i64,
    pub reserved: i64,
    /// Announced, on its way, or being received.
    pub inbound: i64,
    unsellable: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    updated_at: Option<DateTime<Utc>>,
}

/// A token lives 30 seconds, so that a list cannot be handed out page by page: it is read to its end at once.
const MOST_PAGES: usize = 40;

pub async fn snapshot(api: &Amazon, args: InventorySnapshot) -> Result<Snapshot> {
    let query = Query { marketplace: api.marketplace(args.marketplace_id.as_deref())?, skus: args.skus, since: None };
    let (rows, complete) = read(api, &query).await?;
    let mut items: Vec<Item> = rows.iter().filter_map(Item::of).collect();
    items.retain(|item| args.available_below.is_none_or(|limit| item.available < limit));
    items.sort_by_key(|item| item.available);
    let totals = Totals::of(&items);
    let limit = args.limit.unwrap_or(20).clamp(1, 200);
    let note = note(items.len(), limit, complete);
    items.truncate(limit);
    Ok(Snapshot { marketplace: marketplaces::country(&query.marketplace).to_owned(), items, totals, note })
}

fn note(found: usize, limit: usize, complete: bool) -> Option<String> {
    if !complete {
        return Some(format!("only the first {found} SKUs were read; the totals are theirs. Name the skus you need"));
    }
    (found > limit).then(|| format!("the {limit} scarcest of {found} SKUs"))
}

/// Every page, one right after the other, and whether that was all.
async fn read(api: &Amazon, query: &Query) -> Result<(Vec<Value>, bool)> {
    let (mut rows, mut token) = (Vec::new(), None);
    for _ in 0..MOST_PAGES {
        let page = query.page(api, token.as_deref()).await?;
        rows.extend(page.rows);
        if page.next.is_none() {
            return Ok((rows, true));
        }
        token = page.next;
    }
    Ok((rows, false))
}

/// Which summaries.
pub struct Query {
    pub marketplace: String,
    pub skus: Option<Vec<String>>,
    pub since: Option<DateTime<Utc>>,
}

/// One page of summaries.
pub struct Page {
    pub rows: Vec<Value>,
    pub next: Option<String>,
}

impl Query {
    /// One page. The token stands beside the payload, and the start goes with it.
    pub async fn page(&self, api: &Amazon, token: Option<&str>) -> Result<Page> {
        let request = api.get(&operations::INVENTORY, &[])?.query(&[
            ("details", Some("true".into())),
            ("granularityType", Some("Marketplace".into())),
            ("granularityId", Some(self.marketplace.clone())),
            ("marketplaceIds", Some(self.marketplace.clone())),
            ("startDateTime", self.since.map(stamp)),
            ("sellerSkus", self.skus.as_ref().filter(|skus| skus.len() > 1).map(|skus| skus.join(","))),
            // Alone it may hold a comma.
            (
                "sellerSku",
                self.skus.as_deref().and_then(|skus| if let [sku] = skus { Some(sku.clone()) } else { None }),
            ),
            ("nextToken", token.map(str::to_owned)),
        ]);
        let answer = api.read(request).await?;
        let place = answer.get("pagination").unwrap_or(&Value::Null);
        let next = json::text(place, "nextToken").filter(|next| Some(next.as_str()) != token);
        let rows = answer.get("payload").map(|payload| json::list(payload, "inventorySummaries").to_vec());
        Ok(Page { rows: rows.unwrap_or_default(), next })
    }
}

impl Item {
    /// A row without a SKU says nothing.
    pub fn of(row: &Value) -> Option<Item> {
        let details = &row["inventoryDetails"];
        let inbound = ["inboundWorkingQuantity", "inboundShippedQuantity", "inboundReceivingQuantity"];
        Some(Item {
            sku: json::text(row, "sellerSku")?,
            asin: json::text(row, "asin"),
            name: json::text(row, "productName").map(|name| sdk::text::cut(&name, 80)),
            available: units(details, "fulfillableQuantity").or_else(|| units(row, "totalQuantity")).unwrap_or(0),
            reserved: units(&details["reservedQuantity"], "totalReservedQuantity").unwrap_or(0),
            inbound: inbound.into_iter().filter_map(|key| units(details, key)).sum(),
            unsellable: units(&details["unfulfillableQuantity"], "totalUnfulfillableQuantity").unwrap_or(0),
            updated_at: json::time(row, "lastUpdatedTime"),
        })
    }
}

impl Totals {
    fn of(items: &[Item]) -> Totals {
        let sum = |of: fn(&Item) -> i64| items.iter().map(of).sum();
        Totals {
            skus: items.len(),
            out_of_stock: items.iter().filter(|item| item.available <= 0).count(),
            available: sum(|item| item.available),
            reserved: sum(|item| item.reserved),
            inbound: sum(|item| item.inbound),
            unsellable: sum(|item| item.unsellable),
        }
    }
}

fn units(row: &Value, key: &str) -> Option<i64> {
    i64::try_from(json::count(row, key)?).ok()
}
