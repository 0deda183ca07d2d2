//! What writing costs: a sync's pages and the audit's commits.
//!
//!     cargo run --release -p enterprise-mcp-store --example write_bench -- sqlite:///tmp/write.db

use std::time::Instant;

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use store::audit::Writer;
use store::chain::{Canonical, Execution, Record};
use store::contacts::{self, NewContact};
use store::{OpenOptions, Store};
use uuid::Uuid;

const CONTACTS: usize = 1_206;
const PAGE: usize = 100;

#[tokio::main]
async fn main() -> Result<()> {
    let url = std::env::args().nth(1).context("usage: write_bench URL")?;
    let begun = Instant::now();
    let store = Store::open(&url, OpenOptions::default()).await?;
    println!("{:<44} {:>8.1} ms", "open", begun.elapsed().as_secs_f64() * 1_000.0);
    // A tenant of its own each time, so that a second run measures the same.
    let tenant = store.tenant(&Uuid::new_v4().to_string());
    let contacts: Vec<NewContact> = (0..CONTACTS).map(contact).collect();
    for what in ["a first sync of 1,206 contacts", "the same again, unchanged"] {
        let begun = Instant::now();
        for page in contacts.chunks(PAGE) {
            contacts::upsert_batch(&tenant, "bench", Uuid::new_v4(), page, now()).await?;
        }
        println!("{what:<44} {:>8.1} ms", begun.elapsed().as_secs_f64() * 1_000.0);
    }
    let mut writer = Writer::open(&store, now()).await?;
    for (batch, commits) in [(1, 1_000), (4, 500), (16, 250), (64, 60)] {
        let batches: Vec<Vec<Record>> =
            (0..commits).map(|_| (0..batch).map(|_| record(tenant.id())).collect()).collect();
        let (begun, cpu) = (Instant::now(), cpu_micros());
        for batch in batches {
            writer.append(batch, now()).await?;
        }
        let records = f64::from(batch * commits);
        println!(
            "{:<44} {:>8.1} µs a record, {:.1} µs CPU of this process",
            format!("audit, {batch} records a commit"),
            begun.elapsed().as_secs_f64() * 1e6 / records,
            (cpu_micros() - cpu) / records,
        );
    }
    writer.close(now()).await?;
    Ok(store.close().await?)
}

/// User and system time so far; a tick is 10 ms.
fn cpu_micros() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    fields.iter().skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() * 10_000.0
}

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_790_000_000, 0).unwrap_or_default()
}

fn record(tenant: &str) -> Record {
    let row = json!({ "id": "abcdefghijklmnop", "name": "Catherine Fitzgerald", "company": "Acme Supply",
        "email": "catherine@acme.example", "phone": "+15551234567", "type": "lead", "tags": ["new", "vip"] });
    let response = Value::from(vec![row; 10]);
    Record::Execution(Execution {
        id: Uuid::now_v7(),
        tenant_id: tenant.to_owned(),
        timestamp: now(),
        tool_name: "gohighlevel.read_contacts".into(),
        params: Canonical::from(&json!({ "limit": 10 })),
        response: Some(Canonical::from(&json!({ "contacts": response }))),
        duration_ms: 12,
        status: "success".into(),
        error_message: None,
        source: Some("live".into()),
        user_context: Canonical::from(&json!({ "actor": "key", "via": "mcp" })),
        effect: "read".into(),
        approval_id: None,
    })
}

fn contact(number: usize) -> NewContact {
    let name = format!("Person{number} Lastname{number}");
    let data = json!({
        "id": format!("contact-{number}"), "locationId": "loc", "contactName": name, "firstName": format!("Person{number}"),
        "lastName": format!("Lastname{number}"), "companyName": "Acme Supply", "email": format!("p{number}@acme.example"),
        "phone": "+15551234567", "type": "lead", "source": "web", "tags": ["new", "vip"], "country": "US",
        "dateAdded": "2026-01-01T00:00:00.000Z", "dateUpdated": "2026-02-01T00:00:00.000Z",
        "customFields": [{ "id": "a", "value": "b" }, { "id": "c", "value": "d" }], "dnd": false, "assignedTo": "user-1",
    });
    NewContact {
        vendor_id: format!("contact-{number}"),
        data,
        name: Some(name),
        first_name: Some(format!("Person{number}")),
        company: Some("Acme Supply".into()),
        email: Some(format!("p{number}@acme.example")),
        phone: Some("+15551234567".into()),
        kind: Some("lead".into()),
        tags: vec!["new".into(), "vip".into()],
        source: Some("web".into()),
        created_at: Some(now()),
        last_activity: Some(now()),
        importance: 7,
        ..Default::default()
    }
}
