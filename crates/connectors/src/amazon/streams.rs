//! Streams: how the brain copies Amazon page by page.

use chrono::{DateTime, Duration, Utc};
use sdk::stream::{self, Fields};
use sdk::{Batch, Error, Page, Record, Result};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::inventory::{Item, Query};
use super::orders::{LARGEST_PAGE, Search};
use super::{Amazon, order, wire};
use crate::json;

/// Amazon shows a change two minutes late, so that each walk begins somewhat before the last one ended.
const OVERLAP: Duration = Duration::minutes(5);

/// Orders by their last change, a hundred a page: `since`, or the configured number of days.
pub async fn orders(api: &Amazon, page: Page) -> Result<Batch> {
    let search = match page.cursor {
        Some(cursor) => resume(cursor)?,
        None => Search {
            updated_after: Some(beginning(api, page.since)),
            limit: LARGEST_PAGE,
            buyers: api.config.buyer_data,
            ..Search::default()
        },
    };
    let found = match search.run(api).await {
        // A token lives a day; a walk that was interrupted for longer begins again.
        Err(error) if search.token.is_some() && wire::is_dead_token(&error) => {
            let again = Search { token: None, ..search };
            return Ok(Batch { next: Some(save(&again)?), ..Batch::default() });
        }
        outcome => outcome?,
    };
    // What was refused once is not asked for again on every page: searches are too few.
    let next = found.next.map(|next| Search { buyers: next.buyers && !found.buyers_refused, ..next });
    let next = next.map(|next| save(&next)).transpose()?;
    Ok(Batch { records: found.rows.into_iter().filter_map(ordered).collect(), next, ..Batch::default() })
}

fn beginning(api: &Amazon, since: Option<DateTime<Utc>>) -> DateTime<Utc> {
    let now = api.http.now();
    let oldest = now - Duration::days(i64::from(api.config.order_history_days));
    since.map_or(oldest, |since| (since - OVERLAP).clamp(oldest, now - OVERLAP))
}

/// A row without an id cannot be kept.
fn ordered(row: Value) -> Option<Record> {
    let (total, currency) = order::total(&row).unzip();
    let fields = stream::Order {
        buyer_name: order::buyer_name(&row),
        buyer_email: order::buyer_email(&row),
        placed_at: json::time(&row, "createdTime"),
        status: order::status(&row),
        total,
        currency: currency.flatten(),
        items: order::units(&row),
        fulfilled_by: order::fulfilled_by(&row),
        ship_by: order::ship_by(&row),
    };
    let updated_at = json::time(&row, "lastUpdatedTime");
    Some(Record { id: json::text(&row, "orderId")?, updated_at, data: row, fields: Fields::Order(fields) })
}

/// Where a walk over the stock is.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Walk {
    /// Which of the configured marketplaces.
    marketplace: usize,
    token: Option<String>,
    /// How often a token had died before it was used.
    restarts: u32,
}

/// A walk that cannot use a token within its 30 seconds three times will not the fourth time.
const MOST_RESTARTS: u32 = 3;

/// The stock of every configured marketplace; with `since` what changed there. Amazon does not count a change of what
/// is on its way, which the next full walk brings.
pub async fn inventory(api: &Amazon, page: Page) -> Result<Batch> {
    let walk: Walk = page.cursor.map(resume).transpose()?.unwrap_or_default();
    let Some(marketplace) = api.config.marketplace_ids.get(walk.marketplace) else { return Ok(Batch::default()) };
    let query = Query { marketplace: marketplace.clone(), skus: None, since: within_reach(api, page.since) };
    let found = match query.page(api, walk.token.as_deref()).await {
        Err(error) if walk.token.is_some() && wire::is_dead_token(&error) => return walk.again(error),
        outcome => outcome?,
    };
    let next = match found.next {
        Some(token) => Some(Walk { token: Some(token), ..walk }),
        None => walk.in_next_marketplace(api),
    };
    let records = found.rows.into_iter().filter_map(|row| stocked(row, marketplace)).collect();
    Ok(Batch { records, next: next.as_ref().map(save).transpose()?, ..Batch::default() })
}

impl Walk {
    fn again(self, error: Error) -> Result<Batch> {
        if self.restarts >= MOST_RESTARTS {
            return Err(error);
        }
        let walk = Walk { token: None, restarts: self.restarts + 1, ..self };
        Ok(Batch { next: Some(save(&walk)?), ..Batch::default() })
    }

    fn in_next_marketplace(&self, api: &Amazon) -> Option<Walk> {
        let marketplace = self.marketplace + 1;
        (marketplace < api.config.marketplace_ids.len()).then(|| Walk { marketplace, ..Walk::default() })
    }
}

/// Amazon looks 18 months back; what is older is everything.
fn within_reach(api: &Amazon, since: Option<DateTime<Utc>>) -> Option<DateTime<Utc>> {
    let now = api.http.now();
    since.map(|since| since - OVERLAP).filter(|since| *since > now - Duration::days(540))
}

/// The same SKU may lie in several marketplaces.
fn stocked(row: Value, marketplace: &str) -> Option<Record> {
    let item = Item::of(&row)?;
    Some(Record {
        id: format!("{marketplace}:{}", item.sku),
        updated_at: json::time(&row, "lastUpdatedTime"),
        data: row,
        fields: Fields::InventoryItem(stream::InventoryItem {
            sku: item.sku,
            name: item.name,
            available: item.available,
            reserved: item.reserved,
            inbound: item.inbound,
        }),
    })
}

fn resume<T: DeserializeOwned>(cursor: Value) -> Result<T> {
    serde_json::from_value(cursor).map_err(|e| Error::invalid_input("the cursor is of another stream").with_source(e))
}

fn save(cursor: &impl Serialize) -> Result<Value> {
    serde_json::to_value(cursor).map_err(|e| Error::internal("a cursor could not be written").with_source(e))
}
