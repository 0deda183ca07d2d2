//! Streams: how the brain copies QuickBooks.
//!
//! All rows come by queries, changes by change data capture, which alone tells what was deleted. Reads are metered, so
//! that an incremental run of a stream is one request.

use chrono::{DateTime, Duration, NaiveDate, SecondsFormat, Utc};
use sdk::stream::{self, Fields};
use sdk::{Batch, Error, Kind, Page, Record, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::select::Select;
use super::wire;
use super::{QuickBooks, customers as people, invoices as bills, payments as money};
use crate::json;

/// The vendor answers change data capture with this many rows at most, and cannot be asked for the rest.
const MOST_CHANGES: usize = 1000;
/// It looks back 30 days; a little less, because clocks differ.
const LOOK_BACK_DAYS: i64 = 29;

/// Where a walk by queries is.
#[derive(Serialize, Deserialize)]
struct Walk {
    /// The position of the next row, from 1.
    at: u64,
    total: Option<u64>,
}

/// What a stream is made of.
struct Source {
    entity: &'static str,
    fields: fn(&Value, Option<NaiveDate>) -> Fields,
}

const CUSTOMERS: Source = Source { entity: "Customer", fields: customer };
const INVOICES: Source = Source { entity: "Invoice", fields: invoice };
const PAYMENTS: Source = Source { entity: "Payment", fields: payment };

pub async fn customers(api: &QuickBooks, page: Page) -> Result<Batch> {
    CUSTOMERS.fetch(api, page).await
}

pub async fn invoices(api: &QuickBooks, page: Page) -> Result<Batch> {
    INVOICES.fetch(api, page).await
}

pub async fn payments(api: &QuickBooks, page: Page) -> Result<Batch> {
    PAYMENTS.fetch(api, page).await
}

impl Source {
    async fn fetch(&self, api: &QuickBooks, page: Page) -> Result<Batch> {
        match (page.cursor, page.since) {
            (None, Some(since)) => self.changes(api, since).await,
            (cursor, since) => self.page(api, cursor, since).await,
        }
    }

    /// What changed since a moment, in one request. Where the vendor cannot tell everything, its deletions are kept and
    /// the rows come by queries.
    async fn changes(&self, api: &QuickBooks, since: DateTime<Utc>) -> Result<Batch> {
        let asking = api.get("/v3/company/{realmId}/cdc", &[])?;
        let moment = since.to_rfc3339_opts(SecondsFormat::Secs, true);
        let answer =
            asking.with(&[("entities", Some(self.entity.into())), ("changedSince", Some(moment))]).read().await;
        let answer = match answer {
            Ok(answer) => answer,
            // Refused because it is too long ago.
            Err(error) if error.kind == Kind::InvalidInput => return self.page(api, None, Some(since)).await,
            Err(error) => return Err(error),
        };
        let rows = changed(&answer.body, self.entity);
        let too_old = answer.now.is_none_or(|now| now - since > Duration::days(LOOK_BACK_DAYS));
        let records: Vec<Record> = rows.iter().filter_map(|row| self.record(row, answer.today)).collect();
        if rows.len() < MOST_CHANGES && !too_old {
            return Ok(Batch { records, next: None, ..Batch::default() });
        }
        let gone: Vec<Record> = records.into_iter().filter(|record| record.fields == Fields::Deleted).collect();
        let mut batch = self.page(api, None, Some(since)).await?;
        batch.records.extend(gone);
        Ok(batch)
    }

    async fn page(&self, api: &QuickBooks, cursor: Option<Value>, since: Option<DateTime<Utc>>) -> Result<Batch> {
        let query = self.query(since);
        let walk = match cursor {
            Some(cursor) => resume(cursor)?,
            None => Walk { at: 1, total: query.count(api).await? },
        };
        let most = api.config.page_size.clamp(1, 1000);
        let answer = query.page(api, walk.at, most).await?;
        let rows = answer.rows(self.entity);
        let at = walk.at + rows.len() as u64;
        // A page that is not full is the last only if it reaches the count: the vendor may give less than was asked.
        let over = rows.is_empty() || (rows.len() < most as usize && walk.total.is_none_or(|total| at > total));
        let records = rows.iter().filter_map(|row| self.record(row, answer.today)).collect();
        let next = if over { None } else { Some(save(&Walk { at, total: walk.total })?) };
        Ok(Batch { records, next, total: walk.total, ..Batch::default() })
    }

    fn query(&self, since: Option<DateTime<Utc>>) -> Select {
        let Some(since) = since else { return Select::from(self.entity, "Id") };
        let moment = since.to_rfc3339_opts(SecondsFormat::Secs, true);
        let query = Select::from(self.entity, "MetaData.LastUpdatedTime");
        let query = query.and("MetaData.LastUpdatedTime", ">=", Some(moment));
        // Names cannot be deleted, only made inactive.
        if self.entity == "Customer" { query.and_inactive() } else { query }
    }

    fn record(&self, row: &Value, today: Option<NaiveDate>) -> Option<Record> {
        let id = json::text(row, "Id")?;
        let gone = json::text(row, "status").is_some_and(|status| status == "Deleted")
            || json::flag(row, "Active") == Some(false);
        let fields = if gone { Fields::Deleted } else { (self.fields)(row, today) };
        Some(Record { id, updated_at: wire::updated_at(row), data: row.clone(), fields })
    }
}

/// The rows of one entity in an answer of change data capture.
fn changed<'a>(body: &'a Value, entity: &str) -> &'a [Value] {
    let responses = json::list(body, "CDCResponse").iter().flat_map(|response| json::list(response, "QueryResponse"));
    responses.map(|response| json::list(response, entity)).find(|rows| !rows.is_empty()).unwrap_or_default()
}

fn customer(row: &Value, _: Option<NaiveDate>) -> Fields {
    Fields::Contact(stream::Contact {
        name: people::name(row),
        first_name: json::text(row, "GivenName"),
        company: json::text(row, "CompanyName"),
        email: people::email(row),
        phone: people::phone(row),
        kind: Some("customer".into()),
        tags: Vec::new(),
        source: None,
        created_at: row.pointer("/MetaData/CreateTime").and_then(json::moment),
        last_activity: None,
    })
}

fn invoice(row: &Value, today: Option<NaiveDate>) -> Fields {
    Fields::Invoice(stream::Invoice {
        number: json::text(row, "DocNumber"),
        customer: wire::reference(row, "CustomerRef"),
        customer_name: wire::reference_name(row, "CustomerRef"),
        customer_email: row.get("BillEmail").and_then(|email| json::text(email, "Address")),
        issued: wire::day(row, "TxnDate"),
        due: wire::day(row, "DueDate"),
        total: wire::money(row, "TotalAmt"),
        balance: wire::money(row, "Balance"),
        currency: wire::reference(row, "CurrencyRef"),
        status: bills::status(row, today).to_owned(),
    })
}

fn payment(row: &Value, _: Option<NaiveDate>) -> Fields {
    Fields::Payment(stream::Payment {
        customer: wire::reference(row, "CustomerRef"),
        customer_name: wire::reference_name(row, "CustomerRef"),
        paid_on: wire::day(row, "TxnDate"),
        amount: wire::money(row, "TotalAmt"),
        currency: wire::reference(row, "CurrencyRef"),
        method: wire::reference_name(row, "PaymentMethodRef"),
        invoices: money::invoices(row),
    })
}

fn resume(cursor: Value) -> Result<Walk> {
    serde_json::from_value(cursor)
        .map_err(|e| Error::invalid_input("the cursor of this walk cannot be read").with_source(e))
}

fn save(walk: &Walk) -> Result<Value> {
    serde_json::to_value(walk).map_err(|e| Error::internal("the cursor of this walk cannot be written").with_source(e))
}
