//! Streams: how the brain copies domains and records page by page.

use sdk::stream::{self, Fields};
use sdk::{Batch, Error, Kind, Page, Record, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::GoDaddy;
use super::domains::{self, Domain, Filter};
use super::record::{self, Present};
use super::records;
use crate::json;

/// Domains a page.
const DOMAINS: u32 = 100;

/// All domains; with `since` those that changed after it.
pub async fn domains(api: &GoDaddy, page: Page) -> Result<Batch> {
    let from = page.cursor.as_ref().and_then(|cursor| cursor["from"].as_str()).map(str::to_owned);
    let filter = Filter { changed_after: page.since, ..Filter::default() };
    let found = domains::page(api, &filter, from.clone(), DOMAINS).await?;
    let next = found.next.filter(|next| Some(next) != from.as_ref()).map(|next| json!({"from": next}));
    Ok(Batch { records: found.rows.into_iter().map(domain).collect(), next, ..Batch::default() })
}

fn domain(domain: Domain) -> Record {
    let updated_at = json::time(&domain.row, "updatedAt");
    let mut data = domain.row;
    // What proves ownership to another registrar is nobody's business here.
    if let Some(row) = data.as_object_mut() {
        row.remove("authCode");
    }
    let fields = stream::Domain {
        name: domain.domain.clone(),
        status: domain.status.map(|status| status.to_lowercase()),
        expires_at: domain.expires,
        auto_renew: domain.auto_renew,
        name_servers: domain.name_servers,
    };
    Record { id: domain.domain, updated_at, data, fields: Fields::Domain(fields) }
}

/// Where a walk over the records is: domains that are still to be read, the first of them from this page on, and where
/// the domains after those begin.
#[derive(Default, Serialize, Deserialize)]
struct Walk {
    domains: Vec<String>,
    page: u64,
    from: Option<String>,
    begun: bool,
}

/// The records of all domains, one page of one domain at a time. The vendor does not tell when a record changed, so
/// every walk reads all.
pub async fn dns_records(api: &GoDaddy, page: Page) -> Result<Batch> {
    let mut walk: Walk = match page.cursor {
        None => Walk::default(),
        Some(cursor) => serde_json::from_value(cursor)
            .map_err(|e| Error::invalid_input("the cursor is of another stream").with_source(e))?,
    };
    if walk.domains.is_empty() {
        walk.refill(api).await?;
    }
    let Some(name) = walk.domains.first().cloned() else { return Ok(Batch::default()) };
    let number = walk.page.max(1);
    let found = match records::page(api, &name, &records::Filter::default(), number, records::PAGE).await {
        Ok(found) => found,
        // Somebody else answers for it, so there is no zone here.
        Err(error) if error.kind == Kind::NotFound => {
            return Ok(Batch { next: walk.after_domain()?, ..Batch::default() });
        }
        Err(error) => return Err(error),
    };
    let records = found.rows.iter().map(|present| entry(present, &name)).collect();
    let next = if found.more { Some(walk.at(number + 1)?) } else { walk.after_domain()? };
    Ok(Batch { records, next, ..Batch::default() })
}

impl Walk {
    async fn refill(&mut self, api: &GoDaddy) -> Result<()> {
        if self.begun && self.from.is_none() {
            return Ok(());
        }
        let from = self.from.take();
        let found = domains::page(api, &Filter::default(), from.clone(), DOMAINS).await?;
        self.from = found.next.filter(|next| Some(next) != from.as_ref());
        self.domains = found.rows.into_iter().map(|domain| domain.domain).collect();
        (self.page, self.begun) = (1, true);
        Ok(())
    }

    fn at(mut self, page: u64) -> Result<Value> {
        self.page = page;
        serde_json::to_value(&self).map_err(|e| Error::internal("a cursor could not be written").with_source(e))
    }

    /// The walk with its first domain done; nothing when there is no other.
    fn after_domain(mut self) -> Result<Option<Value>> {
        self.domains.remove(0);
        if self.domains.is_empty() && self.from.is_none() {
            return Ok(None);
        }
        self.at(1).map(Some)
    }
}

fn entry(present: &Present, domain: &str) -> Record {
    let record = &present.record;
    let fields = stream::DnsRecord {
        domain: domain.to_owned(),
        name: record::full(&record.name, domain),
        kind: record.kind.clone(),
        content: sdk::text::cut(&record.data, 4_000),
        ttl: i64::try_from(record.ttl).ok(),
        priority: record.priority.and_then(|priority| i32::try_from(priority).ok()),
    };
    Record { id: id(domain, record), updated_at: None, data: present.row.clone(), fields: Fields::DnsRecord(fields) }
}

/// v1 has no ids and v3 promises nothing about its own, so a record is what it says.
fn id(domain: &str, record: &record::Record) -> String {
    let text = format!("{domain} {} {} {} {:?}", record.kind, record.name, record.data, record.priority);
    hex::encode(&Sha256::digest(text.as_bytes())[..16])
}
