//! One call that answers ten contacts from the brain, beside the least that it could cost.

use anyhow::{Result, ensure};
use serde_json::json;

use crate::bare::Kind;
use crate::bench::Bench;
use crate::load::{Measured, Shot, fire};
use crate::place::{self, Place};
use crate::process::Running;
use crate::sync::Vendor;
use crate::table::Table;

const CONNECTIONS: [usize; 3] = [1, 16, 64];
/// The rows of the table take turns, so that a disturbance from outside meets all of them.
const ROUNDS: usize = 4;
/// Every whole answer has it.
const TEN: &str = "next_cursor";

/// A server and what is asked of it.
struct Row {
    name: &'static str,
    server: usize,
    shot: Shot,
}

const OURS: &str = "this server, MCP";
const REST: &str = "this server, REST";
const GROUPED: &str = "bare rmcp, shared commits";
const SINGLE: &str = "bare rmcp, a commit a call";
const FIXED: &str = "bare axum, fixed answer";

pub async fn measure(bench: &mut Bench) -> Result<()> {
    for kind in bench.kinds() {
        on(bench, kind).await?;
    }
    Ok(())
}

async fn on(bench: &mut Bench, kind: place::Kind) -> Result<()> {
    let (first, vendor) = filled(bench, kind).await?;
    let (grouped, single) = (bench.copy(&first).await?, bench.copy(&first).await?);
    let ours = Running::server(bench, &first, &vendor.settings())?;
    let question = json!({"query": "latest contacts", "limit": 10});
    let (mcp, rest) =
        (Shot::mcp(&ours, "contacts_search", &question, TEN), Shot::rest(&ours, "contacts.search", &question, TEN));
    let answer = mcp.send(&bench.http).await?;
    ensure!(answer.matches("last_activity").count() >= 10, "the answer holds fewer than ten contacts: {answer}");
    let file = bench.folder().join("answer.json");
    std::fs::write(&file, &answer)?;
    let servers = [
        ours,
        Running::bare(&[Kind::Grouped.name(), "--database", &grouped.url])?,
        Running::bare(&[Kind::Single.name(), "--database", &single.url])?,
        Running::bare(&[Kind::Fixed.name(), "--answer", &file.display().to_string()])?,
    ];
    let asked = |server: usize| Shot::mcp(&servers[server], "contacts_search", &question, TEN);
    let rows = [
        Row { name: OURS, server: 0, shot: mcp },
        Row { name: REST, server: 0, shot: rest },
        Row { name: GROUPED, server: 1, shot: asked(1) },
        Row { name: SINGLE, server: 2, shot: asked(2) },
        Row { name: FIXED, server: 3, shot: asked(3) },
    ];
    let mut table = Table::new(
        format!("A call that answers ten contacts from the brain, on {kind}"),
        &["server", "connections", "CPU ms a call", "× bare rmcp", "calls/s", "p50 ms", "p99 ms", "p99/p50"],
    );
    for connections in CONNECTIONS {
        let measured = in_turns(bench, &servers, &rows, connections).await?;
        report(&mut table, &rows, &measured, connections);
        limits(bench, kind, &rows, &measured, connections);
    }
    table.print();
    drop(servers);
    for place in [first, grouped, single] {
        place.remove().await?;
    }
    Ok(())
}

/// A database with 1,206 contacts, and the account that they came from: of another account they would be put away.
async fn filled(bench: &mut Bench, kind: place::Kind) -> Result<(Place, Vendor)> {
    let place = bench.place(kind).await?;
    let vendor = Vendor::start(1_206, 0).await?;
    let server = Running::server(bench, &place, &vendor.settings())?;
    Shot::rest(&server, "gohighlevel.sync_all_contacts", &json!({}), "\"done\"").send(&bench.http).await?;
    Ok((place, vendor))
}

async fn in_turns(bench: &Bench, servers: &[Running], rows: &[Row], connections: usize) -> Result<Vec<Measured>> {
    let calls = match (connections, bench.quick) {
        (1, true) => 100,
        (1, false) => 400,
        (_, true) => 320,
        (_, false) => 1_280,
    };
    let mut measured = vec![Measured::default(); rows.len()];
    for round in 0..=ROUNDS {
        for (row, sum) in rows.iter().zip(&mut measured) {
            let part = fire(&bench.http, &servers[row.server], &row.shot, connections, calls).await?;
            // The first round warms up connections, statements and caches.
            if round > 0 {
                sum.add(part);
            }
        }
    }
    Ok(measured)
}

fn report(table: &mut Table, rows: &[Row], measured: &[Measured], connections: usize) {
    let bare = named(rows, measured, GROUPED).cpu_ms();
    for (row, measured) in rows.iter().zip(measured) {
        let (p50, p99) = (measured.within(0.5), measured.within(0.99));
        table.row([
            row.name.to_owned(),
            connections.to_string(),
            format!("{:.3}", measured.cpu_ms()),
            format!("{:.2}", measured.cpu_ms() / bare),
            format!("{:.0}", measured.per_second()),
            format!("{p50:.2}"),
            format!("{p99:.2}"),
            format!("{:.1}", p99 / p50),
        ]);
    }
}

fn limits(bench: &mut Bench, kind: place::Kind, rows: &[Row], measured: &[Measured], connections: usize) {
    let of = |name| named(rows, measured, name);
    let (ours, bare, single) = (of(OURS), of(GROUPED), of(SINGLE));
    bench.limit(
        format!("{kind}, {connections} connections: CPU of a call beside bare rmcp"),
        ours.cpu_ms() / bare.cpu_ms(),
        2.0,
        "×",
    );
    if connections == 16 {
        bench.limit(format!("{kind}, 16 connections: p99 beside p50"), ours.within(0.99) / ours.within(0.5), 10.0, "×");
    }
    if connections == 1 {
        let what = format!("{kind}, 1 connection: shared commits beside a commit a call, p50");
        bench.limit(what, bare.within(0.5) / single.within(0.5), 1.2, "×");
        let what = format!("{kind}, 1 connection: this server beside a commit a call, p50");
        bench.limit(what, ours.within(0.5) / single.within(0.5), 2.0, "×");
    }
}

fn named<'a>(rows: &[Row], measured: &'a [Measured], name: &str) -> &'a Measured {
    let at = rows.iter().position(|row| row.name == name).unwrap_or_default();
    &measured[at]
}
