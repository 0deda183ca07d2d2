//! One order: how a row is read, and the tool that shows all of it.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use sdk::{Kind, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Amazon, listed, marketplaces, operations, orders};
use crate::json;

/// One Amazon order by its id (such as 113-1234567-1234567): items, total, buyer, address, deadlines, parcels with
/// tracking. Use it after `list_orders` or when a person names an order. Answers `order`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GetOrder {
    /// The order's id.
    #[schemars(length(min = 1, max = 64))]
    order_id: String,
}

/// One order.
#[derive(Serialize, JsonSchema)]
pub struct Shown {
    order: Detailed,
    /// Said when Amazon withholds the buyer.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

/// An order in a list.
#[derive(Serialize, JsonSchema)]
pub struct Order {
    pub id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub placed_at: Option<DateTime<Utc>>,
    /// `unshipped`, `shipped`, `cancelled`, …
    pub status: String,
    /// `amazon` or `merchant`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fulfilled_by: Option<String>,
    /// In `currency`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    pub units: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub buyer: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub company: Option<String>,
    /// Only while something is to be shipped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ship_by: Option<DateTime<Utc>>,
}

/// An order with everything.
#[derive(Serialize, JsonSchema)]
struct Detailed {
    #[serde(flatten)]
    order: Order,
    #[serde(skip_serializing_if = "Option::is_none")]
    updated_at: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    marketplace: Option<String>,
    /// Amazon's relay address: mail to it reaches the buyer.
    #[serde(skip_serializing_if = "Option::is_none")]
    buyer_email: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    purchase_order: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ship_to: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    phone: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deliver_by: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service: Option<String>,
    items: Vec<Item>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    packages: Vec<Package>,
}

/// An article of an order.
#[derive(Serialize, JsonSchema)]
pub struct Item {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sku: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    asin: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    pub ordered: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    shipped: Option<u32>,
    /// Of one, in the order's currency.
    #[serde(skip_serializing_if = "Option::is_none")]
    unit_price: Option<f64>,
    /// In the order's currency.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cancel_reason: Option<String>,
}

/// A parcel of the merchant.
#[derive(Serialize, JsonSchema)]
struct Package {
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    carrier: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tracking: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    shipped_at: Option<DateTime<Utc>>,
}

const EVERYTHING: [&str; 6] = ["BUYER", "RECIPIENT", "PROCEEDS", "CANCELLATION", "FULFILLMENT", "PACKAGES"];

pub async fn get(api: &Amazon, args: GetOrder) -> Result<Shown> {
    let without = &EVERYTHING[2..];
    let first = if api.config.buyer_data { &EVERYTHING[..] } else { without };
    let (answer, refused) = match ask(api, &args.order_id, first).await {
        Err(error) if api.config.buyer_data && error.kind == Kind::Forbidden => {
            (ask(api, &args.order_id, without).await?, true)
        }
        outcome => (outcome?, false),
    };
    let row = answer.get("order").unwrap_or(&answer);
    let order = Detailed::of(row, &args.order_id);
    let note = orders::withheld(api, refused, usize::from(order.order.buyer.is_none()), 1);
    Ok(Shown { order, note })
}

async fn ask(api: &Amazon, id: &str, data: &[&str]) -> Result<Value> {
    api.read(api.get(&operations::ORDER, &[id])?.query(&[("includedData", listed(data))])).await
}

impl Order {
    pub fn of(row: &Value) -> Order {
        let (total, currency) = total(row).unzip();
        Order {
            id: json::text(row, "orderId").unwrap_or_default(),
            placed_at: json::time(row, "createdTime"),
            status: status(row),
            fulfilled_by: fulfilled_by(row),
            total,
            currency: currency.flatten(),
            units: units(row),
            buyer: buyer_name(row),
            company: json::text(&row["buyer"], "buyerCompanyName"),
            ship_by: is_to_ship(row).then(|| ship_by(row)).flatten(),
        }
    }
}

impl Detailed {
    fn of(row: &Value, id: &str) -> Detailed {
        let mut order = Order::of(row);
        if order.id.is_empty() {
            order.id = id.to_owned();
        }
        let address = &row["recipient"]["deliveryAddress"];
        let channel = &row["salesChannel"];
        Detailed {
            updated_at: json::time(row, "lastUpdatedTime"),
            marketplace: json::text(channel, "marketplaceId").map(|id| marketplaces::country(&id).to_owned()),
            buyer_email: buyer_email(row),
            purchase_order: json::text(&row["buyer"], "buyerPurchaseOrderNumber"),
            ship_to: in_one_line(address),
            phone: json::text(address, "phone"),
            deliver_by: json::time(&row["fulfillment"]["deliverByWindow"], "latestDateTime"),
            service: json::text(&row["fulfillment"], "fulfillmentServiceLevel").map(|word| word.to_lowercase()),
            items: items(row).take(MOST_ITEMS).collect(),
            packages: json::list(row, "packages").iter().take(MOST_PACKAGES).map(Package::of).collect(),
            order,
        }
    }
}

/// Business orders can be long; what a person asks about stands at the top.
const MOST_ITEMS: usize = 30;
const MOST_PACKAGES: usize = 10;

/// The articles of an order.
pub fn items(row: &Value) -> impl Iterator<Item = Item> + '_ {
    json::list(row, "orderItems").iter().map(Item::of)
}

impl Item {
    fn of(row: &Value) -> Item {
        let product = &row["product"];
        let cancelled = [&row["cancellation"]["cancellationExecution"], &row["cancellation"]["cancellationRequest"]];
        Item {
            sku: json::text(product, "sellerSku"),
            asin: json::text(product, "asin"),
            title: json::text(product, "title").map(|title| sdk::text::cut(&title, 80)),
            ordered: quantity(row, "quantityOrdered").unwrap_or_default(),
            shipped: quantity(&row["fulfillment"], "quantityFulfilled"),
            unit_price: money(&product["price"]["unitPrice"]).map(|(amount, _)| amount),
            total: money(&row["proceeds"]["proceedsTotal"]).map(|(amount, _)| amount),
            cancel_reason: cancelled.into_iter().find_map(|reason| json::text(reason, "cancelReason")),
        }
    }
}

impl Package {
    fn of(row: &Value) -> Package {
        Package {
            status: json::text(&row["packageStatus"], "status").map(|status| status.to_lowercase()),
            carrier: json::text(row, "carrier"),
            tracking: json::text(row, "trackingNumber"),
            shipped_at: json::time(row, "shipTime"),
        }
    }
}

/// Lower case; `unknown` where Amazon says none.
pub fn status(row: &Value) -> String {
    json::text(&row["fulfillment"], "fulfillmentStatus").map_or_else(|| "unknown".into(), |word| word.to_lowercase())
}

pub fn fulfilled_by(row: &Value) -> Option<String> {
    json::text(&row["fulfillment"], "fulfilledBy").map(|word| word.to_lowercase())
}

/// Amount and currency of the whole order; a pending order has none.
pub fn total(row: &Value) -> Option<(f64, Option<String>)> {
    money(&row["proceeds"]["grandTotal"])
}

pub fn units(row: &Value) -> u32 {
    let each = json::list(row, "orderItems").iter().filter_map(|item| quantity(item, "quantityOrdered"));
    each.fold(0, u32::saturating_add)
}

pub fn ship_by(row: &Value) -> Option<DateTime<Utc>> {
    json::time(&row["fulfillment"]["shipByWindow"], "latestDateTime")
}

/// The merchant still has to ship something.
pub fn is_to_ship(row: &Value) -> bool {
    matches!(status(row).as_str(), "unshipped" | "partially_shipped")
}

pub fn buyer_name(row: &Value) -> Option<String> {
    json::text(&row["buyer"], "buyerName").or_else(|| json::text(&row["recipient"]["deliveryAddress"], "name"))
}

pub fn buyer_email(row: &Value) -> Option<String> {
    json::text(&row["buyer"], "buyerEmail").map(|email| email.to_lowercase())
}

/// Amazon writes amounts as text.
pub fn money(value: &Value) -> Option<(f64, Option<String>)> {
    Some((cents(json::number(value, "amount")?), json::text(value, "currencyCode")))
}

/// Rounded to cents.
pub fn cents(amount: f64) -> f64 {
    (amount * 100.0).round() / 100.0
}

fn quantity(row: &Value, key: &str) -> Option<u32> {
    json::count(row, key).map(|count| u32::try_from(count).unwrap_or(u32::MAX))
}

fn in_one_line(address: &Value) -> Option<String> {
    let keys = [
        "name",
        "companyName",
        "addressLine1",
        "addressLine2",
        "addressLine3",
        "city",
        "stateOrRegion",
        "postalCode",
        "countryCode",
    ];
    let parts: Vec<String> = keys.into_iter().filter_map(|key| json::text(address, key)).collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}
