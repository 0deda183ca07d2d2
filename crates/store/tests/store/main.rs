//! Every test runs on SQLite and on PostgreSQL (`TEST_POSTGRES_URL`, see scripts/postgres.sh).

mod approvals;
mod audit;
mod contacts;
mod open;
mod outages;
mod readers;
mod runs;
mod search;
mod tables;
mod tenants;
mod webhooks;

use chrono::{DateTime, Duration, Utc};
use serde_json::json;
use store::contacts::NewContact;

/// A fixed time with more digits than PostgreSQL keeps.
fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_790_000_000, 123_456_789).expect("a valid time")
}

fn days(days: i64) -> Duration {
    Duration::days(days)
}

fn contact(vendor_id: &str, name: &str, company: &str) -> NewContact {
    let first_name = name.split(' ').next().map(str::to_owned);
    NewContact {
        vendor_id: vendor_id.to_owned(),
        data: json!({ "id": vendor_id, "contactName": name, "companyName": company }),
        name: Some(name.to_owned()),
        first_name,
        company: Some(company.to_owned()),
        email: Some(format!("{}@example.com", vendor_id)),
        phone: Some("+1 (555) 123-4567".to_owned()),
        kind: Some("lead".to_owned()),
        tags: vec!["New".to_owned()],
        importance: 5,
        ..Default::default()
    }
}
