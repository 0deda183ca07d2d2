//! Orders, version 2026-01-01: a search with many filters and few requests, and one order by its id.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, Query, State},
};
use serde_json::{Map, Value, json};

use super::{
    Asked, Pairs, US, page,
    reply::{Refusal, Reply},
    trade::{self, Line, Sale, Status},
};
use crate::{
    clock::{DAY, HOUR, MINUTE, Millis, iso},
    world::World,
};

const STATUSES: &[&str] =
    &["PENDING_AVAILABILITY", "PENDING", "UNSHIPPED", "PARTIALLY_SHIPPED", "SHIPPED", "CANCELLED", "UNFULFILLABLE"];
const DATA: &[&str] = &[
    "BUYER",
    "RECIPIENT",
    "PROCEEDS",
    "EXPENSE",
    "PROMOTION",
    "CANCELLATION",
    "FULFILLMENT",
    "PACKAGES",
    "TAX",
    "PAYMENT",
    "FULFILLMENT_ORDERS",
];
/// Amazon shows what happened with this delay, and takes no end that is nearer.
const LAG: Millis = 2 * MINUTE;

pub(super) async fn search(State(world): State<Arc<World>>, Query(pairs): Pairs) -> Reply {
    let asked = Asked::of(pairs);
    let now = world.now();
    let span = Span::of(&asked, now)?;
    let limit = asked.number("maxResultsPerPage", 1, 100, 100)?;
    let statuses = asked.among("fulfillmentStatuses", STATUSES)?;
    let ships = asked.among("fulfilledBy", &["MERCHANT", "AMAZON"])?;
    let data = asked.among("includedData", DATA)?;
    let marketplaces = asked.marketplaces()?;
    let question = asked.fingerprint(&["paginationToken"]);
    let Start { behind, until } = start(&asked, &question, span.until, now)?;
    let here = marketplaces.is_empty() || marketplaces.contains(&US);
    let sales = trade::sales(&world);
    let mut found: Vec<((Millis, &str), &Sale, Status)> = Vec::new();
    for sale in sales.iter().filter(|_| here) {
        let Some((status, since)) = sale.state(now) else { continue };
        let key = (if span.by_update { since } else { sale.created }, sale.id.as_str());
        let in_time = (span.from..=until).contains(&key.0) && sale.created > now - 730 * DAY;
        let wanted = (statuses.is_empty() || statuses.contains(&status.as_str()))
            && (ships.is_empty() || ships.contains(&shipper(sale)))
            && behind.as_ref().is_none_or(|(at, id)| key > (*at, id.as_str()));
        if in_time && wanted {
            found.push((key, sale, status));
        }
    }
    found.sort_by_key(|(key, ..)| *key);
    let rows: Vec<Value> = found.iter().take(limit).map(|(_, sale, _)| shown(sale, now, &data)).collect();
    let end = if span.by_update { "lastUpdatedBefore" } else { "createdBefore" };
    let mut answer = json!({"orders": rows, end: iso(until)});
    if found.len() > limit {
        let last = &found[limit - 1].0;
        let token = page::token(&json!([last.0, last.1, until]), &question, now);
        answer["pagination"] = json!({"nextToken": token});
    }
    Ok(Json(answer))
}

/// What the two pairs of dates say.
struct Span {
    by_update: bool,
    from: Millis,
    until: Millis,
}

impl Span {
    fn of(asked: &Asked, now: Millis) -> Result<Span, Refusal> {
        let created = (asked.time("createdAfter")?, asked.time("createdBefore")?);
        let updated = (asked.time("lastUpdatedAfter")?, asked.time("lastUpdatedBefore")?);
        let (by_update, from, before) = match (created, updated) {
            ((Some(from), before), (None, None)) => (false, from, before),
            ((None, None), (Some(from), before)) => (true, from, before),
            _ => {
                let message = "Exactly one of createdAfter and lastUpdatedAfter must be provided";
                return Err(Refusal::invalid(message));
            }
        };
        let until = before.unwrap_or(now - LAG);
        if until > now - LAG {
            return Err(Refusal::invalid("The end date must be at least two minutes before the time of the request"));
        }
        if from > until {
            return Err(Refusal::invalid("The start date must be before the end date"));
        }
        Ok(Span { by_update, from, until })
    }
}

/// Behind which order a page begins, and where the walk ends.
struct Start {
    behind: Option<(Millis, String)>,
    until: Millis,
}

fn start(asked: &Asked, question: &str, until: Millis, now: Millis) -> Result<Start, Refusal> {
    let Some(token) = asked.text("paginationToken") else { return Ok(Start { behind: None, until }) };
    let place = page::place(token, question, now, 24 * HOUR).and_then(|place| serde_json::from_value(place).ok());
    let Some((at, id, until)) = place else {
        return Err(Refusal::invalid("The paginationToken is invalid or has expired"));
    };
    Ok(Start { behind: Some((at, id)), until })
}

pub(super) async fn get(State(world): State<Arc<World>>, Path(id): Path<String>, Query(pairs): Pairs) -> Reply {
    let asked = Asked::of(pairs);
    let data = asked.among("includedData", DATA)?;
    let parts: Vec<usize> = id.split('-').map(str::len).collect();
    if parts != [3, 7, 7] || !id.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-') {
        return Err(Refusal::invalid("Invalid orderId"));
    }
    let (now, sales) = (world.now(), trade::sales(&world));
    let sale = sales.iter().find(|sale| sale.id == id && sale.state(now).is_some());
    let sale = sale.ok_or_else(|| Refusal::not_found("The requested order was not found"))?;
    Ok(Json(json!({"order": shown(sale, now, &data)})))
}

fn shipper(sale: &Sale) -> &'static str {
    if sale.fba { "AMAZON" } else { "MERCHANT" }
}

/// An order with the data sets that were asked for.
fn shown(sale: &Sale, now: Millis, data: &[&str]) -> Value {
    let (status, since) = sale.state(now).unwrap_or((Status::Pending, sale.created));
    let items: Vec<Value> = sale.lines.iter().map(|line| item(line, sale, status, data)).collect();
    let mut row = Map::new();
    let mut put = |key: &str, value: Value| row.insert(key.to_owned(), value);
    put("orderId", json!(sale.id));
    put("createdTime", json!(iso(sale.created)));
    put("lastUpdatedTime", json!(iso(since)));
    put("salesChannel", json!({"channelName": "AMAZON", "marketplaceId": US, "marketplaceName": "Amazon.com"}));
    put("orderItems", json!(items));
    put("programs", if sale.buyer.company.is_some() { json!(["AMAZON_BUSINESS"]) } else { json!([]) });
    let wants = |set: &str| data.contains(&set);
    // A pending order has neither price nor person yet.
    if wants("BUYER") && status != Status::Pending {
        put("buyer", buyer(sale));
    }
    if wants("RECIPIENT") && status != Status::Pending {
        put("recipient", recipient(sale));
    }
    if wants("PROCEEDS") && status != Status::Pending {
        let total = if status == Status::Cancelled { 0 } else { sale.total() };
        put("proceeds", json!({"grandTotal": money(total)}));
    }
    if wants("FULFILLMENT") {
        put("fulfillment", fulfillment(sale, status));
    }
    if wants("PACKAGES") && !sale.fba && matches!(status, Status::Shipped | Status::PartiallyShipped) {
        put("packages", packages(sale, now));
    }
    Value::Object(row)
}

fn item(line: &Line, sale: &Sale, status: Status, data: &[&str]) -> Value {
    let mut item = json!({
        "orderItemId": line.id,
        "quantityOrdered": line.quantity,
        "product": {"asin": line.good.asin, "title": line.good.title, "sellerSku": line.good.sku,
            "condition": {"conditionType": "NEW", "conditionSubtype": "NEW"},
            "price": {"unitPrice": money(line.good.price)}},
    });
    let first = sale.lines.first().is_some_and(|first| first.id == line.id);
    let done = status == Status::Shipped || (status == Status::PartiallyShipped && first);
    if data.contains(&"PROCEEDS") && !matches!(status, Status::Pending | Status::Cancelled) {
        let total = money(line.good.price * line.quantity);
        item["proceeds"] = json!({"proceedsTotal": total, "breakdowns": [{"type": "ITEM", "subtotal": total}]});
    }
    if data.contains(&"FULFILLMENT") {
        let fulfilled = if done { line.quantity } else { 0 };
        let open = if status == Status::Cancelled { 0 } else { line.quantity - fulfilled };
        item["fulfillment"] = json!({"quantityFulfilled": fulfilled, "quantityUnfulfilled": open});
    }
    if data.contains(&"CANCELLATION") && status == Status::Cancelled {
        item["cancellation"] =
            json!({"cancellationExecution": {"cancelledBy": "BUYER", "cancelReason": "BUYER_CANCELED"}});
    }
    item
}

/// The relay address is given for what the merchant ships.
fn buyer(sale: &Sale) -> Value {
    let mut buyer = json!({"buyerName": sale.buyer.name});
    if !sale.fba {
        buyer["buyerEmail"] = json!(sale.buyer.relay);
    }
    if let Some(company) = &sale.buyer.company {
        buyer["buyerCompanyName"] = json!(company);
    }
    if let Some(number) = &sale.buyer.purchase_order {
        buyer["buyerPurchaseOrderNumber"] = json!(number);
    }
    buyer
}

/// Of what Amazon ships only the region is told.
fn recipient(sale: &Sale) -> Value {
    let buyer = &sale.buyer;
    let mut address = json!({"city": buyer.city, "stateOrRegion": buyer.state, "postalCode": buyer.postal_code,
        "countryCode": "US"});
    if !sale.fba {
        address["name"] = json!(buyer.name);
        address["addressLine1"] = json!(buyer.street);
        address["phone"] = json!(buyer.phone);
        address["addressType"] = json!(if buyer.company.is_some() { "COMMERCIAL" } else { "RESIDENTIAL" });
    }
    json!({"deliveryAddress": address})
}

fn fulfillment(sale: &Sale, status: Status) -> Value {
    json!({
        "fulfillmentStatus": status.as_str(),
        "fulfilledBy": shipper(sale),
        "fulfillmentServiceLevel": sale.service,
        "shipByWindow": {"earliestDateTime": iso(sale.created), "latestDateTime": iso(sale.ship_by)},
        "deliverByWindow": {"earliestDateTime": iso(sale.ship_by + DAY), "latestDateTime": iso(sale.ship_by + 4 * DAY)},
    })
}

fn packages(sale: &Sale, now: Millis) -> Value {
    let at = sale.partly.unwrap_or(sale.shipped);
    let arrived = now - sale.shipped > 3 * DAY;
    let items: Vec<Value> =
        sale.lines.iter().map(|line| json!({"orderItemId": line.id, "quantity": line.quantity})).collect();
    json!([{
        "packageReferenceId": "1",
        "createdTime": iso(at - HOUR),
        "packageStatus": {"status": if arrived { "DELIVERED" } else { "IN_TRANSIT" }},
        "carrier": "UPS",
        "shipTime": iso(at),
        "shippingService": "UPS Ground",
        "trackingNumber": format!("1Z999AA1{}", &sale.lines[0].id[..10]),
        "packageItems": items,
    }])
}

/// Cents as Amazon writes them.
pub(super) fn money(cents: i64) -> Value {
    json!({"amount": format!("{}.{:02}", cents / 100, cents % 100), "currencyCode": "USD"})
}
