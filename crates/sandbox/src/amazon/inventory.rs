//! FBA inventory: summaries whose next page must be fetched within thirty seconds.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Query, State},
};
use serde_json::{Value, json};

use super::{
    Asked, Pairs, US,
    goods::{Good, goods},
    page,
    reply::{Refusal, Reply},
    trade::{self, Sale, Status},
};
use crate::{
    business::{Kind, random},
    clock::{DAY, HOUR, Millis, SECOND, iso},
    world::World,
};

const PAGE: usize = 50;
const TOKEN_LIFE: Millis = 30 * SECOND;

pub(super) async fn summaries(State(world): State<Arc<World>>, Query(pairs): Pairs) -> Reply {
    let asked = Asked::of(pairs);
    let now = world.now();
    if asked.text("granularityType") != Some("Marketplace") {
        return Err(Refusal::invalid("granularityType must be Marketplace"));
    }
    let marketplaces = asked.marketplaces()?;
    let [marketplace] = marketplaces[..] else {
        return Err(Refusal::invalid("Exactly one marketplaceId must be provided"));
    };
    if asked.text("granularityId") != Some(marketplace) {
        return Err(Refusal::invalid("granularityId must be the marketplaceId"));
    }
    let since = asked.time("startDateTime")?;
    if since.is_some_and(|since| since < now - 548 * DAY) {
        return Err(Refusal::invalid("startDateTime must not be earlier than 18 months ago"));
    }
    let skus: Vec<&str> = asked.list("sellerSkus").into_iter().chain(asked.text("sellerSku")).collect();
    if skus.len() > 50 {
        return Err(Refusal::invalid("At most 50 sellerSkus may be provided"));
    }
    let question = asked.fingerprint(&["nextToken"]);
    let begin = match asked.text("nextToken") {
        None => 0,
        Some(token) => page::place(token, &question, now, TOKEN_LIFE)
            .and_then(|place| usize::try_from(place.as_u64()?).ok())
            .ok_or_else(|| Refusal::invalid("The nextToken is invalid or has expired"))?,
    };
    let sales = trade::sales(&world);
    let goods = if marketplace == US { goods(world.options.seed) } else { Vec::new() };
    let rows = (0u64..).zip(&goods).map(|(n, good)| stock(&world, n, good, &sales, now));
    let rows: Vec<Stock> = rows
        .filter(|row| since.is_none_or(|since| row.updated >= since))
        .filter(|row| skus.is_empty() || skus.contains(&row.good.sku.as_str()))
        .collect();
    let detailed = asked.text("details") == Some("true");
    let shown: Vec<Value> = rows.iter().skip(begin).take(PAGE).map(|row| row.shown(detailed)).collect();
    let mut answer = json!({"payload": {
        "granularity": {"granularityType": "Marketplace", "granularityId": marketplace},
        "inventorySummaries": shown,
    }});
    if rows.len() > begin + PAGE {
        answer["pagination"] = json!({"nextToken": page::token(&json!(begin + PAGE), &question, now)});
    }
    Ok(Json(answer))
}

/// What there is of one product.
struct Stock<'a> {
    good: &'a Good,
    available: i64,
    reserved: i64,
    inbound: [i64; 3],
    damaged: i64,
    updated: Millis,
}

/// Begins with what the seed says and goes down with what Amazon ships from then on.
fn stock<'a>(world: &World, n: u64, good: &'a Good, sales: &[Sale], now: Millis) -> Stock<'a> {
    let start = world.options.now.timestamp_millis();
    let mut random = random(world.options.seed, Kind::Stock, n);
    let had = [0, random.i64(1..10), random.i64(10..80), random.i64(80..600)][random.usize(..4)];
    let mut stock = Stock {
        good,
        available: had,
        reserved: random.i64(0..6),
        inbound: [0, random.i64(0..3) * 48, random.i64(0..2) * 24],
        damaged: random.i64(0..3),
        updated: start / SECOND * SECOND - random.i64(HOUR..40 * DAY) / SECOND * SECOND,
    };
    for sale in sales.iter().filter(|sale| sale.fba && sale.created > start && sale.created <= now) {
        if sale.state(now).is_some_and(|(status, _)| status == Status::Cancelled) {
            continue;
        }
        for line in sale.lines.iter().filter(|line| line.good.sku == good.sku) {
            stock.available = (stock.available - line.quantity).max(0);
            stock.updated = stock.updated.max(sale.created);
        }
    }
    stock
}

impl Stock<'_> {
    fn shown(&self, detailed: bool) -> Value {
        let total = self.available + self.reserved + self.damaged + self.inbound.iter().sum::<i64>();
        let mut row = json!({
            "asin": self.good.asin, "fnSku": self.good.fnsku, "sellerSku": self.good.sku, "condition": "NewItem",
            "lastUpdatedTime": iso(self.updated), "productName": self.good.title, "totalQuantity": total, "stores": [],
        });
        if detailed {
            row["inventoryDetails"] = self.details();
        }
        row
    }

    fn details(&self) -> Value {
        json!({
            "fulfillableQuantity": self.available,
            "inboundWorkingQuantity": self.inbound[0],
            "inboundShippedQuantity": self.inbound[1],
            "inboundReceivingQuantity": self.inbound[2],
            "reservedQuantity": {"totalReservedQuantity": self.reserved, "pendingCustomerOrderQuantity": self.reserved,
                "pendingTransshipmentQuantity": 0, "fcProcessingQuantity": 0},
            "researchingQuantity": {"totalResearchingQuantity": 0, "researchingQuantityBreakdown": []},
            "unfulfillableQuantity": {"totalUnfulfillableQuantity": self.damaged, "customerDamagedQuantity": self.damaged,
                "warehouseDamagedQuantity": 0, "distributorDamagedQuantity": 0, "carrierDamagedQuantity": 0,
                "defectiveQuantity": 0, "expiredQuantity": 0},
        })
    }
}
