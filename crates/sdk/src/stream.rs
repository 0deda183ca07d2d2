//! A stream: how the brain copies one kind of record from a vendor, page by page.

use std::sync::Arc;

use chrono::{DateTime, Utc};
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

/// One kind of record that a connector can copy.
pub struct Stream<S> {
    /// `contacts`, `opportunities`, `interactions`.
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
