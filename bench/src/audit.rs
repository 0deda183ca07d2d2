//! What a call and a look at the newest records cost when the audit has grown.

use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, SqliteConnection};

use crate::bench::Bench;
use crate::load::{Measured, Shot, fire, within};
use crate::place::{self, Kind, Place};
use crate::process::Running;
use crate::table::Table;

const SMALL: u64 = 10_000;

/// What was measured with one number of records.
struct Grown {
    calls: Measured,
    page: f64,
}

pub async fn measure(bench: &mut Bench) -> Result<()> {
    let large = match (bench.quick, bench.large) {
        (_, true) => 10_000_000,
        (true, false) => 200_000,
        (false, false) => 1_000_000,
    };
    let mut table = Table::new(
        "Calls and the newest page with a grown audit",
        &["database", "records", "CPU ms a call", "call p50 ms", "call p99 ms", "newest 50, p50 ms", "start ms"],
    );
    for kind in bench.kinds() {
        let place = bench.place(kind).await?;
        drop(Running::server(bench, &place, &settings())?);
        let small = grown(bench, &place, 0..SMALL, &mut table).await?;
        let grown = grown(bench, &place, SMALL..large, &mut table).await?;
        let beside = format!("{large} beside {SMALL} records");
        bench.limit(format!("{kind}: CPU of a call, {beside}"), grown.calls.cpu_ms() / small.calls.cpu_ms(), 1.25, "×");
        bench.limit(format!("{kind}: the newest page, {beside}"), grown.page / small.page, 1.5, "×");
        place.remove().await?;
    }
    table.print();
    Ok(())
}

fn settings() -> [(&'static str, String); 1] {
    [("SYNC_ENABLED", "false".into())]
}

/// Adds the records, then asks.
async fn grown(bench: &Bench, place: &Place, records: std::ops::Range<u64>, table: &mut Table) -> Result<Grown> {
    let count = records.end;
    load(place, records).await?;
    let begun = Instant::now();
    let server = Running::server(bench, place, &settings())?;
    let start = begun.elapsed();
    let call = Shot::mcp(&server, "contacts_search", &json!({"query": "latest contacts", "limit": 10}), "understood");
    let calls = if bench.quick { 400 } else { 1_500 };
    fire(&bench.http, &server, &call, 1, calls / 5).await?;
    let calls = fire(&bench.http, &server, &call, 4, calls).await?;
    let page = Shot::mcp(&server, "system_search_audit", &json!({"limit": 50}), "duration_ms");
    fire(&bench.http, &server, &page, 1, 20).await?;
    let mut times = Vec::new();
    for _ in 0..100 {
        let begun = Instant::now();
        page.send(&bench.http).await?;
        times.push(begun.elapsed());
    }
    report(place.kind, count, &calls, &times, start, table);
    Ok(Grown { calls, page: within(&times, 0.5) })
}

fn report(kind: place::Kind, count: u64, calls: &Measured, pages: &[Duration], start: Duration, table: &mut Table) {
    table.row([
        kind.to_string(),
        count.to_string(),
        format!("{:.3}", calls.cpu_ms()),
        format!("{:.2}", calls.within(0.5)),
        format!("{:.2}", calls.within(0.99)),
        format!("{:.2}", within(pages, 0.5)),
        format!("{:.0}", start.as_secs_f64() * 1000.0),
    ]);
}

/// Records of calls in the past, a second apart. Their hashes are no hashes; nobody verifies them here.
async fn load(place: &Place, records: std::ops::Range<u64>) -> Result<()> {
    let from = records.start + 1;
    match place.kind {
        Kind::Sqlite => {
            let mut connection = SqliteConnection::connect(&place.url).await?;
            connection.execute(AssertSqlSafe(sqlite(from, records.end))).await?;
            Ok(connection.close().await?)
        }
        Kind::Postgres => {
            let mut connection = PgConnection::connect(&place.url).await?;
            connection.execute(AssertSqlSafe(postgres(from, records.end))).await?;
            // As PostgreSQL does by itself some time after so many rows.
            connection.execute("ANALYZE tool_executions").await?;
            Ok(connection.close().await?)
        }
    }
}

const COLUMNS: &str = "INSERT INTO tool_executions (id, tenant_id, timestamp, tool_name, params, response, duration_ms, \
    status, error_message, source, user_context, effect, approval_id, writer, seq, hash)";
const PARAMS: &str = r#"{"limit":10,"query":"latest contacts"}"#;
const RESPONSE: &str =
    r#"{"contacts":[{"company":"Hartford Labels","email":"clara@mail.example","id":"p1","name":"Clara Linden"}]}"#;
const CALLER: &str = r#"{"door":"mcp","id":"bench","kind":"agent","name":"bench"}"#;

/// The form in which the store writes times is that of the text here, so that they sort among its own.
fn sqlite(from: u64, to: u64) -> String {
    format!(
        "PRAGMA synchronous = OFF; WITH RECURSIVE n (i) AS (SELECT {from} UNION ALL SELECT i + 1 FROM n WHERE i < {to}) \
         {COLUMNS} SELECT unhex(printf('%032x', i)), 'default', \
         strftime('%Y-%m-%dT%H:%M:%S', 1500000000 + i, 'unixepoch') || '.000000+00:00', 'contacts.search', '{PARAMS}', \
         '{RESPONSE}', 3, 'success', NULL, 'cached', '{CALLER}', 'read', NULL, zeroblob(16), i, zeroblob(32) FROM n"
    )
}

fn postgres(from: u64, to: u64) -> String {
    format!(
        "{COLUMNS} SELECT lpad(to_hex(i), 32, '0')::uuid, 'default', to_timestamp(1500000000 + i), 'contacts.search', \
         '{PARAMS}'::jsonb, '{RESPONSE}'::jsonb, 3, 'success', NULL, 'cached', '{CALLER}'::jsonb, 'read', NULL, \
         '00000000-0000-0000-0000-000000000000'::uuid, i, decode(repeat('00', 32), 'hex') \
         FROM generate_series({from}::bigint, {to}) AS i"
    )
}
