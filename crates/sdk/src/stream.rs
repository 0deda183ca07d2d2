//! A stream: how the brain copies one kind of record from a vendor, page by page.

use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};
use futures::future::BoxFuture;
use serde_json::Value;

use crate::{Result, tool::Function};

/// Which page to fetch.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page {
    /// Where the previous page ended ([`Batch::next`]); `None` is the first page.
    pub cursor: Option<Value>,
    /// Only what changed at or after this moment; `None` is everything.
    pub since: Option<DateTime<Utc>>,
    /// Where the walk before ended, in the vendor's own terms ([`Batch::bookmark`]). It comes with `since`, which counts
    /// where the vendor no longer knows the bookmark.
    pub bookmark: Option<String>,
}

/// One page of a stream.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    pub records: Vec<Record>,
    /// The next page's cursor; `None` ends the stream.
    pub next: Option<Value>,
    /// How many records the vendor says there are in all, for the progress bar and the check
    /// that a full walk saw everything before deletions are believed.
    pub total: Option<u64>,
    /// With the last page: where changes after this walk begin (a change token, a history id). It is kept when the walk
    /// has come to its end, and the next one that asks for changes gets it.
    pub bookmark: Option<String>,
}

/// One record: the vendor's JSON and the few columns that the brain reads.
#[derive(Clone, Debug)]
pub struct Record {
    /// The vendor's id.
    pub id: String,
    /// When the vendor says that it changed.
    pub updated_at: Option<DateTime<Utc>>,
    /// The vendor's JSON, kept as it came.
    pub data: Value,
    pub fields: Fields,
}

/// The typed columns of a record, by the table that it goes to.
#[derive(Clone, Debug, PartialEq)]
pub enum Fields {
    Contact(Contact),
    Opportunity(Opportunity),
    Interaction(Interaction),
    Message(Message),
    Invoice(Invoice),
    Payment(Payment),
    Order(Order),
    InventoryItem(InventoryItem),
    Document(Document),
    Domain(Domain),
    DnsRecord(DnsRecord),
    /// It is gone at the vendor; the table is the stream's.
    Deleted,
}

/// What the brain knows of a person or company, whatever the ecosystem calls them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Contact {
    pub name: String,
    pub first_name: Option<String>,
    pub company: Option<String>,
    pub email: Option<String>,
    pub phone: Option<String>,
    /// `lead`, `customer`, …
    pub kind: Option<String>,
    pub tags: Vec<String>,
    pub source: Option<String>,
    pub created_at: Option<DateTime<Utc>>,
    /// The vendor's own idea of the last activity.
    pub last_activity: Option<DateTime<Utc>>,
}

/// A deal in a pipeline.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Opportunity {
    pub name: String,
    /// The vendor's id of the contact.
    pub contact: Option<String>,
    pub pipeline: Option<String>,
    pub stage: Option<String>,
    /// `open`, `won`, `lost`, `abandoned`.
    pub status: Option<String>,
    /// In the account's currency.
    pub value: Option<f64>,
}

/// A real interaction with a contact: a message, call, note, appointment or meeting.
#[derive(Clone, Debug, PartialEq)]
pub struct Interaction {
    /// The vendor's id of the contact.
    pub contact: String,
    pub at: DateTime<Utc>,
    /// `sms`, `email`, `call`, `note`, `appointment`, `message`.
    pub kind: String,
    /// `inbound` or `outbound`, where known.
    pub direction: Option<String>,
    pub description: String,
}

/// The envelope of a mail; the brain links it to contacts by address.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// Address alone, lower case.
    pub from: String,
    /// Addresses of `To` and `Cc`, lower case.
    pub to: Vec<String>,
    pub subject: String,
    pub at: DateTime<Utc>,
    /// The account itself sent it.
    pub outbound: bool,
    pub thread: Option<String>,
}

/// An invoice to a customer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Invoice {
    /// The number that the customer sees.
    pub number: Option<String>,
    /// The vendor's id of the customer, a record of the stream `customers`.
    pub customer: Option<String>,
    pub customer_name: Option<String>,
    pub customer_email: Option<String>,
    pub issued: Option<NaiveDate>,
    pub due: Option<NaiveDate>,
    /// In `currency`.
    pub total: f64,
    /// What is still to be paid, in `currency`.
    pub balance: f64,
    /// ISO 4217.
    pub currency: Option<String>,
    /// `open`, `overdue`, `paid`, `voided`.
    pub status: String,
}

/// Money that a customer paid.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Payment {
    pub customer: Option<String>,
    pub customer_name: Option<String>,
    pub paid_on: Option<NaiveDate>,
    /// In `currency`.
    pub amount: f64,
    /// ISO 4217.
    pub currency: Option<String>,
    pub method: Option<String>,
    /// The vendor's ids of the invoices that it pays.
    pub invoices: Vec<String>,
}

/// An order of a marketplace or shop.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Order {
    pub buyer_name: Option<String>,
    /// Often the marketplace's own relay address.
    pub buyer_email: Option<String>,
    pub placed_at: Option<DateTime<Utc>>,
    /// The vendor's word, lower case: `unshipped`, `shipped`, `cancelled`, …
    pub status: String,
    /// In `currency`.
    pub total: Option<f64>,
    /// ISO 4217.
    pub currency: Option<String>,
    pub items: u32,
    /// `amazon` or `merchant`: who ships it.
    pub fulfilled_by: Option<String>,
    pub ship_by: Option<DateTime<Utc>>,
}

/// What there is of one article.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct InventoryItem {
    pub sku: String,
    pub name: Option<String>,
    pub available: i64,
    pub reserved: i64,
    pub inbound: i64,
}

/// A file; its content stays at the vendor.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Document {
    pub name: String,
    pub mime_type: Option<String>,
    pub owner_email: Option<String>,
    pub modified_at: Option<DateTime<Utc>>,
    /// Where a person opens it.
    pub link: Option<String>,
    /// Bytes.
    pub size: Option<i64>,
}

/// A registered name, or a zone of a DNS host.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Domain {
    /// Lower case, without a dot at the end.
    pub name: String,
    pub status: Option<String>,
    pub expires_at: Option<DateTime<Utc>>,
    pub auto_renew: Option<bool>,
    pub name_servers: Vec<String>,
}

/// A record of a zone.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DnsRecord {
    /// The zone's name, lower case.
    pub domain: String,
    /// The full name, lower case, without a dot at the end.
    pub name: String,
    /// `A`, `MX`, …
    pub kind: String,
    pub content: String,
    /// Seconds; `None` is the host's default.
    pub ttl: Option<i64>,
    pub priority: Option<i32>,
}

/// One kind of record that a connector can copy.
pub struct Stream<S> {
    /// `contacts`, `customers`, `opportunities`, `interactions`, `messages`, `invoices`, `payments`, `orders`,
    /// `inventory`, `documents`, `domains`, `dns_records`.
    pub name: &'static str,
    /// A walk without `since` sees every record, so that what it does not see was deleted.
    pub complete: bool,
    fetch: Fetch<S>,
}

type Fetch<S> = Arc<dyn for<'a> Fn(&'a S, Page) -> BoxFuture<'a, Result<Batch>> + Send + Sync>;

impl<S: Send + Sync + 'static> Stream<S> {
    pub fn new<F>(name: &'static str, fetch: F) -> Stream<S>
    where
        F: for<'a> Function<'a, S, Page, Output = Batch>,
    {
        let fetch = Arc::new(fetch);
        Stream {
            name,
            complete: true,
            fetch: Arc::new(move |state, page| {
                let fetch = fetch.clone();
                Box::pin(async move { fetch.call(state, page).await })
            }),
        }
    }

    /// Marks a stream whose full walk may leave old records out, so that absence proves nothing.
    pub fn partial(mut self) -> Stream<S> {
        self.complete = false;
        self
    }

    pub async fn fetch(&self, state: &S, page: Page) -> Result<Batch> {
        (self.fetch)(state, page).await
    }
}
