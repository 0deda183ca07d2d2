//! Amazon's tools and streams against whatever side a test gives them.
#![expect(dead_code, reason = "every test file uses a part of it")]

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use connectors::amazon::Amazon;
use sdk::connector::{ErasedStream, Opening};
use sdk::http::{Call, Connection, Settings};
use sdk::{Batch, Connector, Credentials, ErasedConnector, Error, Http, Page, Record, Result};
use serde_json::{Value, json};

use super::support::{self, Vendor};

pub const TOKEN: &str = "Atza|access-token-of-a-test";

pub fn connector() -> ErasedConnector {
    ErasedConnector::of::<Amazon>()
}

/// The present of the tests.
pub fn now() -> DateTime<Utc> {
    "2026-11-21T20:00:00Z".parse().unwrap()
}

pub fn config(vendor: &Vendor) -> Value {
    json!({"base_url": vendor.url, "seller_id": "A1SELLER"})
}

pub fn opening(vendor: &Vendor) -> Opening {
    open(config(vendor), TOKEN, now)
}

/// A pipeline that does not wait between attempts, with the vendor's real limits.
pub fn open(config: Value, token: &str, clock: impl Fn() -> DateTime<Utc> + Send + Sync + 'static) -> Opening {
    let wait = Duration::from_millis(1);
    let settings = Settings { first_wait: wait, longest_wait: wait, ..Settings::default() };
    let connection = connection(settings, clock);
    Opening { config, credentials: Credentials::new().with("access_token", token), http: http(&connection) }
}

pub fn connection(settings: Settings, clock: impl Fn() -> DateTime<Utc> + Send + Sync + 'static) -> Arc<Connection> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    #[expect(clippy::disallowed_methods, reason = "a test is its own process and owns its client")]
    let client = reqwest::Client::new();
    let connection = Connection::new("amazon", client, Amazon::limits(), settings, Arc::new(|_| {}));
    Arc::new(connection.with_clock(Arc::new(clock)))
}

pub fn http(connection: &Arc<Connection>) -> Http {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
    Http::new(connection.clone(), Call { execution: None, key: "key".into(), deadline })
}

/// Runs a tool as the runtime does: the arguments and the answer must satisfy the tool's schemas.
pub async fn run(opening: Opening, name: &str, arguments: Value) -> Result<Value> {
    let tool = connector().tools.into_iter().find(|tool| tool.spec.name == name).unwrap();
    support::satisfies(&json!(*tool.spec.input), &arguments, &format!("arguments of {name}"));
    let answer = tool.run(opening, arguments).await?;
    support::satisfies(&tool.spec.output_schema().into(), &answer, &format!("answer of {name}"));
    Ok(answer)
}

pub async fn fails(vendor: &Vendor, tool: &str, arguments: Value) -> Error {
    match run(opening(vendor), tool, arguments).await {
        Ok(answer) => panic!("{tool} answered {answer}"),
        Err(error) => error,
    }
}

pub fn stream(name: &str) -> ErasedStream {
    connector().streams.into_iter().find(|stream| stream.name == name).unwrap()
}

/// Walks a stream to its end.
pub async fn walk(opening: Opening, name: &str, since: Option<DateTime<Utc>>) -> Result<(Vec<Record>, Vec<Batch>)> {
    let stream = stream(name);
    let opened = stream.open(opening)?;
    support::walk_from(&stream, &opened, Page { since, ..Page::default() }).await
}

pub fn order_row() -> Value {
    json!({
        "orderId": "113-1234567-7654321", "createdTime": "2026-11-20T10:00:00Z",
        "lastUpdatedTime": "2026-11-20T11:00:00Z", "programs": ["AMAZON_BUSINESS"],
        "salesChannel": {"channelName": "AMAZON", "marketplaceId": "ATVPDKIKX0DER", "marketplaceName": "Amazon.com"},
        "buyer": {"buyerName": "Ada Byron", "buyerEmail": "Abc@marketplace.amazon.com", "buyerCompanyName": "Acme"},
        "recipient": {"deliveryAddress": {"name": "Ada Byron", "addressLine1": "1 Main St", "city": "Oakland",
            "stateOrRegion": "CA", "postalCode": "94601", "countryCode": "US", "phone": "+15105550100"}},
        "proceeds": {"grandTotal": {"amount": "45.10", "currencyCode": "USD"}},
        "fulfillment": {"fulfillmentStatus": "UNSHIPPED", "fulfilledBy": "MERCHANT",
            "fulfillmentServiceLevel": "STANDARD",
            "shipByWindow": {"earliestDateTime": "2026-11-20T10:00:00Z", "latestDateTime": "2026-11-21T10:00:00Z"}},
        "orderItems": [
            {"orderItemId": "1", "quantityOrdered": 2, "product": {"asin": "B0AAAAAAAA", "title": "Jar, black",
                "sellerSku": "JAR-B", "price": {"unitPrice": {"amount": "20.05", "currencyCode": "USD"}}},
                "proceeds": {"proceedsTotal": {"amount": "40.10", "currencyCode": "USD"}},
                "fulfillment": {"quantityFulfilled": 0, "quantityUnfulfilled": 2}},
            {"orderItemId": "2", "quantityOrdered": 1, "product": {"sellerSku": "LID"}}
        ],
        "packages": [{"packageReferenceId": "1", "packageStatus": {"status": "IN_TRANSIT"}, "carrier": "UPS",
            "trackingNumber": "1Z1", "shipTime": "2026-11-20T12:00:00Z"}]
    })
}

pub fn stock_row() -> Value {
    json!({
        "asin": "B0AAAAAAAA", "fnSku": "X001", "sellerSku": "JAR-B", "condition": "NewItem",
        "lastUpdatedTime": "2026-11-20T10:00:00Z", "productName": "Jar, black", "totalQuantity": 60,
        "inventoryDetails": {"fulfillableQuantity": 5, "inboundWorkingQuantity": 1, "inboundShippedQuantity": 48,
            "inboundReceivingQuantity": 2, "reservedQuantity": {"totalReservedQuantity": 3},
            "unfulfillableQuantity": {"totalUnfulfillableQuantity": 1}}
    })
}
