//! The search over orders, and the tool that lists them.

use chrono::{DateTime, Duration, Utc};
use schemars::JsonSchema;
use sdk::{Error, Kind, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::order::Order;
use super::{Amazon, listed, operations, stamp, wire};
use crate::{cursor, json};

/// The most rows that the search gives in a page.
pub const LARGEST_PAGE: u32 = 100;

/// Amazon orders by date, status and shipper, with buyer and total. Use it to see the orders themselves, say those not
/// shipped; for counts use `order_digest`. Amazon allows few searches. Answers `orders`, `next_cursor`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListOrders {
    /// Only these states; all unless given.
    #[schemars(length(min = 1, max = 7))]
    statuses: Option<Vec<Status>>,
    /// Who ships; amazon is FBA.
    fulfilled_by: Option<Fulfiller>,
    /// Placed at or after; 30 days ago unless given.
    from: Option<DateTime<Utc>>,
    /// Placed at or before; now unless given.
    to: Option<DateTime<Utc>>,
    /// How many, 15 unless given.
    #[schemars(range(min = 1, max = 100))]
    limit: Option<u32>,
    /// `next_cursor` of the previous answer; alone.
    #[schemars(length(max = 4000))]
    cursor: Option<String>,
}

/// How far an order is.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    PendingAvailability,
    Pending,
    Unshipped,
    PartiallyShipped,
    Shipped,
    Cancelled,
    Unfulfillable,
}

/// Who ships.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Fulfiller {
    Amazon,
    Merchant,
}

/// Orders in Amazon's sequence.
#[derive(Serialize, JsonSchema)]
pub struct Orders {
    orders: Vec<Order>,
    /// Give it as `cursor` for the next page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
    /// Said when Amazon withholds buyers.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

pub async fn list(api: &Amazon, args: ListOrders) -> Result<Orders> {
    let search = match cursor::decode_option(args.cursor.as_deref())? {
        Some(cursor) => serde_json::from_value(cursor)
            .map_err(|e| Error::invalid_input("cursor: it belongs to another list").with_source(e))?,
        None => Search::placed(api, &args)?,
    };
    let found = search.run(api).await.map_err(|error| expired(error, &search))?;
    let orders: Vec<Order> = found.rows.iter().map(Order::of).collect();
    let without = orders.iter().filter(|order| order.buyer.is_none()).count();
    let next = found.next.map(serde_json::to_value).transpose();
    let next = next.map_err(|e| Error::internal("a cursor could not be written").with_source(e))?;
    Ok(Orders {
        note: withheld(api, found.buyers_refused, without, orders.len()),
        next_cursor: next.as_ref().map(cursor::encode),
        orders,
    })
}

/// What to look for. It is also the cursor: Amazon wants the same filters with a page's token.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Search {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_after: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_before: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated_after: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub statuses: Vec<Status>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fulfilled_by: Option<Fulfiller>,
    pub limit: u32,
    /// Ask for buyers.
    pub buyers: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}

/// One page.
pub struct Found {
    pub rows: Vec<Value>,
    pub next: Option<Search>,
    /// Amazon would not give the buyers, so that this page came without them.
    pub buyers_refused: bool,
}

impl Search {
    fn placed(api: &Amazon, args: &ListOrders) -> Result<Search> {
        let now = api.http.now();
        let from = args.from.unwrap_or_else(|| args.to.unwrap_or(now) - Duration::days(30));
        if args.to.is_some_and(|to| to < from) {
            return Err(Error::invalid_input("to: it must not be before from"));
        }
        if from > now {
            return Err(Error::invalid_input("from: it lies in the future"));
        }
        Ok(Search {
            created_after: Some(from),
            // Amazon wants the end to be two minutes ago, and takes that when none is given.
            created_before: args.to.filter(|to| *to < now - Duration::minutes(2)),
            statuses: args.statuses.clone().unwrap_or_default(),
            fulfilled_by: args.fulfilled_by,
            limit: args.limit.unwrap_or(15).clamp(1, LARGEST_PAGE),
            buyers: api.config.buyer_data,
            ..Search::default()
        })
    }

    /// One page; without buyers where the application may not see them.
    pub async fn run(&self, api: &Amazon) -> Result<Found> {
        match self.page(api).await {
            Err(error) if self.buyers && error.kind == Kind::Forbidden => {
                let found = Search { buyers: false, ..self.clone() }.page(api).await?;
                Ok(Found { buyers_refused: true, ..found })
            }
            outcome => outcome,
        }
    }

    async fn page(&self, api: &Amazon) -> Result<Found> {
        let marketplaces: Vec<&str> = api.config.marketplace_ids.iter().map(String::as_str).collect();
        let statuses: Vec<&str> = self.statuses.iter().map(|status| status.as_str()).collect();
        let request = api.get(&operations::SEARCH_ORDERS, &[])?.query(&[
            ("createdAfter", self.created_after.map(stamp)),
            ("createdBefore", self.created_before.map(stamp)),
            ("lastUpdatedAfter", self.updated_after.map(stamp)),
            ("marketplaceIds", listed(&marketplaces)),
            ("fulfillmentStatuses", listed(&statuses)),
            ("fulfilledBy", self.fulfilled_by.map(|who| who.as_str().to_owned())),
            ("maxResultsPerPage", Some(self.limit.clamp(1, LARGEST_PAGE).to_string())),
            ("includedData", listed(if self.buyers { &["BUYER", "PROCEEDS", "FULFILLMENT"] } else { &WITHOUT_BUYERS })),
            ("paginationToken", self.token.clone()),
        ]);
        let answer = api.read(request).await?;
        let pagination = answer.get("pagination").unwrap_or(&Value::Null);
        // The token that was sent, come back, would be a circle.
        let token = json::text(pagination, "nextToken").filter(|token| Some(token) != self.token.as_ref());
        let next = token.map(|token| Search { token: Some(token), ..self.clone() });
        Ok(Found { rows: json::list(&answer, "orders").to_vec(), next, buyers_refused: false })
    }
}

pub const WITHOUT_BUYERS: [&str; 2] = ["PROCEEDS", "FULFILLMENT"];

/// What is said about buyers that are not there.
pub fn withheld(api: &Amazon, refused: bool, without: usize, all: usize) -> Option<String> {
    if !api.config.buyer_data {
        return Some("buyers are masked: the connection does not ask for them (buyer_data is off)".into());
    }
    if refused {
        return Some(
            "buyers are masked: Amazon refuses them to this application. Give it a role for personal data under \
             Develop Apps > Edit App and authorize it again"
                .into(),
        );
    }
    (without > 0).then(|| {
        format!("{without} of {all} without buyer: Amazon masks it while an order is pending, and for what it ships")
    })
}

fn expired(error: Error, search: &Search) -> Error {
    if search.token.is_none() || !wire::is_dead_token(&error) {
        return error;
    }
    Error::invalid_input("cursor: Amazon no longer knows it (they live 24 hours); start again without it")
        .with_source(error)
}

impl Status {
    pub fn as_str(self) -> &'static str {
        match self {
            Status::PendingAvailability => "PENDING_AVAILABILITY",
            Status::Pending => "PENDING",
            Status::Unshipped => "UNSHIPPED",
            Status::PartiallyShipped => "PARTIALLY_SHIPPED",
            Status::Shipped => "SHIPPED",
            Status::Cancelled => "CANCELLED",
            Status::Unfulfillable => "UNFULFILLABLE",
        }
    }
}

impl Fulfiller {
    pub fn as_str(self) -> &'static str {
        match self {
            Fulfiller::Amazon => "AMAZON",
            Fulfiller::Merchant => "MERCHANT",
        }
    }
}
