//! From the start of the program to its first answer, and what it holds when nothing happens.

use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::json;

use crate::bench::Bench;
use crate::load::{Shot, within};
use crate::place;
use crate::process::Running;
use crate::table::Table;

pub async fn measure(bench: &mut Bench) -> Result<()> {
    let mut table = Table::new(
        "Start with a migrated database to the first answered call, ten times; memory five seconds later",
        &["database", "ms in the middle", "fastest", "slowest", "MB idle"],
    );
    for kind in bench.kinds() {
        on(bench, kind, &mut table).await?;
    }
    table.print();
    Ok(())
}

async fn on(bench: &mut Bench, kind: place::Kind, table: &mut Table) -> Result<()> {
    let place = bench.place(kind).await?;
    // Migrates, and copies the built-in business.
    drop(first_answer(bench, &place).await?);
    tokio::time::sleep(Duration::from_secs(2)).await;
    let mut times = Vec::new();
    for _ in 0..10 {
        times.push(first_answer(bench, &place).await?.1);
    }
    let (server, _) = first_answer(bench, &place).await?;
    tokio::time::sleep(Duration::from_secs(5)).await;
    let idle = server.memory("VmRSS")?;
    drop(server);
    table.row([
        kind.to_string(),
        format!("{:.0}", within(&times, 0.5)),
        format!("{:.0}", within(&times, 0.0)),
        format!("{:.0}", within(&times, 1.0)),
        format!("{idle:.1}"),
    ]);
    bench.limit(format!("{kind}: start to the first answer"), within(&times, 0.5), 150.0, " ms");
    bench.limit(format!("{kind}: idle memory"), idle, 40.0, " MB");
    place.remove().await
}

/// A server as a newcomer starts it, with the built-in business.
async fn first_answer(bench: &Bench, place: &place::Place) -> Result<(Running, Duration)> {
    let begun = Instant::now();
    let server = Running::server(bench, place, &[])?;
    Shot::rest(&server, "contacts.search", &json!({}), "\"ok\"").send(&bench.http).await?;
    Ok((server, begun.elapsed()))
}
