//! Finding one of very many contacts by two words, one of them mistyped.

use std::time::{Duration, Instant};

use anyhow::Result;
use fastrand::Rng;
use store::contacts::{self, Filter};
use store::{OpenOptions, Store, Tenant};

use crate::bench::Bench;
use crate::load::within;
use crate::people::{fill, person};
use crate::place;
use crate::table::Table;

pub async fn measure(bench: &mut Bench) -> Result<()> {
    let mut sizes = vec![(if bench.quick { 20_000 } else { 100_000 }, 30.0)];
    if bench.large {
        sizes.push((1_000_000, 200.0));
    }
    let mut table = Table::new(
        "Search by first and last name, a typo in one of them",
        &["database", "contacts", "typo in", "queries", "p50 ms", "p95 ms", "p99 ms", "right first", "stored a second"],
    );
    for kind in bench.kinds() {
        on(bench, kind, &sizes, &mut table).await?;
    }
    table.print();
    Ok(())
}

async fn on(bench: &mut Bench, kind: place::Kind, sizes: &[(u64, f64)], table: &mut Table) -> Result<()> {
    let place = bench.place(kind).await?;
    let store = Store::open(&place.url, OpenOptions::default()).await?;
    let tenant = store.tenant("default");
    let mut there = 0;
    for (size, limit) in sizes {
        let begun = Instant::now();
        fill(&tenant, there..*size).await?;
        let speed = (size - there) as f64 / begun.elapsed().as_secs_f64();
        there = *size;
        for (word, name) in ["the first", "the last"].into_iter().enumerate() {
            let (times, right) = ask(&tenant, *size, word, if bench.quick { 100 } else { 300 }).await?;
            let share = right as f64 / times.len() as f64;
            table.row([
                kind.to_string(),
                size.to_string(),
                name.into(),
                times.len().to_string(),
                format!("{:.2}", within(&times, 0.5)),
                format!("{:.2}", within(&times, 0.95)),
                format!("{:.2}", within(&times, 0.99)),
                format!("{:.1} %", share * 100.0),
                format!("{speed:.0}"),
            ]);
            bench.limit(
                format!("{kind}: search over {size}, typo in {name}, p95"),
                within(&times, 0.95),
                *limit,
                " ms",
            );
            let what = format!("{kind}: search over {size}, typo in {name}, another contact first");
            bench.limit(what, (1.0 - share) * 100.0, 2.0, " %");
        }
    }
    store.close().await?;
    place.remove().await
}

/// How long each query took, and how often the one who was meant came first.
async fn ask(tenant: &Tenant, contacts: u64, word: usize, queries: usize) -> Result<(Vec<Duration>, usize)> {
    let mut random = Rng::with_seed(11);
    let (mut times, mut right) = (Vec::new(), 0);
    for query in 0..queries + 20 {
        let meant = person(random.u64(0..contacts)).name.unwrap_or_default();
        let typed: Vec<String> =
            meant.split(' ').enumerate().map(|(at, text)| typed(&mut random, text, at == word)).collect();
        let filter = Filter { text: Some(typed.join(" ")), ..Filter::default() };
        let begun = Instant::now();
        let page = contacts::find(tenant, &filter, 10, None).await?;
        // The first ones warm up.
        if query >= 20 {
            times.push(begun.elapsed());
            right += usize::from(page.rows.first().and_then(|row| row.name.as_ref()) == Some(&meant));
        }
    }
    Ok((times, right))
}

/// The word in small letters; mistyped, a letter of it is left out, exchanged, doubled or swapped with the next.
fn typed(random: &mut Rng, word: &str, mistyped: bool) -> String {
    let mut letters: Vec<char> = word.to_lowercase().chars().collect();
    let at = random.usize(0..letters.len() - 1);
    match (mistyped, random.u8(0..4)) {
        (false, _) => {}
        (true, 0) => drop(letters.remove(at)),
        (true, 1) => letters[at] = random.lowercase(),
        (true, 2) => letters.insert(at, letters[at]),
        (true, _) => letters.swap(at, at + 1),
    }
    letters.into_iter().collect()
}
