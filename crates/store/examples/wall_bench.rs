//! What the second wall costs, measured beside the same without it in one run:
//!
//!     cargo run --release -p enterprise-mcp-store --example wall_bench -- postgres://user@host/database 20000
//!
//! The two take turns on the same rows, so that what else the machine does falls on both. Times are of one caller, which
//! is where trips count most; `cpu` is that of the database's process, where PostgreSQL runs on this machine.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use serde_json::json;
use store::contacts::{self, Filter, NewContact};
use store::{OpenOptions, Store, Tenant, Wall, runs};
use uuid::Uuid;

const ROUNDS: usize = 40;
const EACH: usize = 10;

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().context("usage: wall_bench URL CONTACTS")?;
    let wanted: usize = arguments.next().context("usage: wall_bench URL CONTACTS")?.parse()?;
    let options = |wall| OpenOptions { wall, pool_size: 2, exclusive: false, ..OpenOptions::default() };
    let open = Store::open(&url, options(Wall::Off)).await?;
    fill(&open.tenant("bench"), wanted).await?;
    println!("{:<34} {:>12} {:>12} {:>7}", "one caller, median", "without µs", "with µs", "ratio");
    for kind in [
        "a contact by its id",
        "the ten newest contacts",
        "a search, two words",
        "a search, a typo",
        "a run enqueued",
        "a page of 100 contacts",
    ] {
        let mut times = [Vec::new(), Vec::new()];
        for round in 0..ROUNDS {
            for (index, wall) in [Wall::Off, Wall::On].into_iter().enumerate() {
                // Raised and lowered each time: both ask the same rows.
                let store = Store::open(&url, options(wall)).await?;
                let tenant = store.tenant("bench");
                once(&tenant, kind, round, wanted).await?;
                for turn in 0..EACH {
                    let begun = Instant::now();
                    once(&tenant, kind, round * EACH + turn, wanted).await?;
                    times[index].push(begun.elapsed());
                }
                store.close().await?;
            }
        }
        let [without, with] = times.map(median);
        println!("{kind:<34} {without:>12.0} {with:>12.0} {:>7.2}", with / without);
    }
    Ok(open.close().await?)
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort();
    times[times.len() / 2].as_secs_f64() * 1e6
}

async fn once(tenant: &Tenant, kind: &str, number: usize, wanted: usize) -> Result<()> {
    let name = person(number * 37 % wanted).name.unwrap_or_default().to_lowercase();
    match kind {
        "a contact by its id" => drop(contacts::by_vendor_id(tenant, "bench", &(number % wanted).to_string()).await?),
        "the ten newest contacts" => drop(contacts::recent(tenant, 10, None).await?),
        "a search, two words" => {
            drop(contacts::find(tenant, &Filter { text: Some(name), ..Filter::default() }, 10, None).await?);
        }
        "a search, a typo" => {
            let text = Some(name.replacen('e', "a", 1));
            drop(contacts::find(tenant, &Filter { text, ..Filter::default() }, 10, None).await?);
        }
        "a run enqueued" => {
            let mut run = runs::NewRun::of("bench", json!({}));
            run.due_at = Some(time() + chrono::Duration::days(3650));
            runs::enqueue(tenant, run, time()).await?;
        }
        _ => {
            let page: Vec<NewContact> = (0..100).map(|offset| person((number * 100 + offset) % wanted)).collect();
            contacts::upsert_batch(tenant, "bench", Uuid::new_v4(), &page, time()).await?;
        }
    }
    Ok(())
}

async fn fill(tenant: &Tenant, wanted: usize) -> Result<()> {
    let there = contacts::count(tenant, &Filter::default()).await? as usize;
    let numbers: Vec<usize> = (there..wanted).collect();
    for page in numbers.chunks(1_000) {
        let page: Vec<NewContact> = page.iter().map(|number| person(*number)).collect();
        contacts::upsert_batch(tenant, "bench", Uuid::new_v4(), &page, time()).await?;
    }
    Ok(contacts::settle_search(tenant).await?)
}

fn time() -> DateTime<Utc> {
    DateTime::from_timestamp(1_790_000_000, 0).unwrap_or_default()
}

fn person(number: usize) -> NewContact {
    let mut random = fastrand::Rng::with_seed(number as u64);
    let mut word = |parts: usize| -> String {
        let syllables = [
            "ba", "cer", "dan", "el", "fri", "gos", "hem", "il", "jor", "ket", "lum", "mav", "nor", "op", "pel", "quin",
        ];
        let text: String = (0..parts).map(|_| syllables[random.usize(0..syllables.len())]).collect();
        text[..1].to_uppercase() + &text[1..]
    };
    let (first, last, company) = (word(2), word(3), word(4));
    NewContact {
        vendor_id: number.to_string(),
        data: json!({"id": number.to_string(), "contactName": format!("{first} {last}")}),
        name: Some(format!("{first} {last}")),
        first_name: Some(first),
        company: Some(company),
        email: Some(format!("{number}@example.com")),
        importance: 5,
        ..NewContact::default()
    }
}
