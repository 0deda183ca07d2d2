use std::collections::VecDeque;

use sea_orm::prelude::Uuid;
use sea_orm::{ConnectionTrait, DbErr, QueryResult};
use serde::Serialize;

use super::{ApiCall, Canonical, Event, Execution, Hash, Link, Record};
use crate::audit::{self, Position};
use crate::{Result, System};

/// What verification found in the whole audit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    pub writers: u64,
    pub records: u64,
    /// The first findings; there may be more than are kept here.
    pub findings: Vec<Finding>,
    pub findings_total: u64,
}

/// One way in which the audit is not what was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Finding {
    /// The record's content, or its place in the chain, is not what was hashed.
    Changed { writer: Uuid, seq: i64, id: Uuid },
    /// Records that must have existed are gone.
    Removed { writer: Uuid, from: i64, to: i64 },
    /// A record stands where there must be none: twice the same place, or after the end of the chain.
    Inserted { writer: Uuid, seq: i64, id: Uuid },
    /// The end of the chain is not the one that was committed with it.
    WrongEnd { writer: Uuid, seq: i64 },
    /// Records of a writer that is not listed.
    UnknownWriter { writer: Uuid },
    /// What was noted outside of the database is not in it: chain and end were cut together, or written anew.
    NotAsNoted { writer: Uuid, seq: i64 },
}

const KEPT_FINDINGS: usize = 100;
const PAGE: i64 = 1_000;

impl Report {
    /// Whether the audit is what was written.
    pub fn is_sound(&self) -> bool {
        self.findings_total == 0
    }

    pub fn add(&mut self, finding: Finding) {
        self.findings_total += 1;
        if self.findings.len() < KEPT_FINDINGS {
            self.findings.push(finding);
        }
    }
}

/// Reads every chain from its first record to its last. Memory stays the same whatever the size.
pub async fn verify(system: &System) -> Result<Report> {
    verify_from(system, &[]).await
}

/// The same where old records were let go: a chain begins at the place that is trusted, if there is one for its writer.
pub async fn verify_from(system: &System, trusted: &[Link]) -> Result<Report> {
    let mut report = Report::default();
    for position in audit::writers(system).await? {
        let start = trusted.iter().find(|link| link.writer == position.writer);
        verify_chain(system, &position, start, &mut report).await?;
    }
    for writer in audit::unlisted_writers(system).await? {
        report.add(Finding::UnknownWriter { writer });
    }
    Ok(report)
}

/// Verifies one writer's chain up to the end that `position` names; records that were committed after it was read are
/// left for the next time.
pub async fn verify_writer(system: &System, position: &Position, report: &mut Report) -> Result<()> {
    verify_chain(system, position, None, report).await
}

/// Whether a writer's records after `start` lead to this place, each where it has to be.
pub async fn is_sound_until(system: &System, writer: Uuid, start: Option<&Link>, end: &Link) -> Result<bool> {
    let mut records = Records::new(system, writer);
    let mut link = start.cloned().unwrap_or_else(|| Link::start(writer));
    while let Some(found) = records.next().await?.filter(|found| found.seq <= end.seq) {
        link = match link.next(&found.record) {
            next if next.seq == found.seq && next.hash == found.hash => next,
            _ => return Ok(false),
        };
    }
    Ok(link == *end)
}

async fn verify_chain(system: &System, position: &Position, start: Option<&Link>, report: &mut Report) -> Result<()> {
    report.writers += 1;
    let writer = position.writer;
    let mut records = Records::new(system, writer);
    let mut link = start.cloned().unwrap_or_else(|| Link::start(writer));
    let mut after_gap = false;
    while let Some(found) = records.next().await? {
        report.records += 1;
        if found.seq > position.last_seq && !records.is_beyond_committed(found.seq).await? {
            report.add(Finding::Inserted { writer, seq: found.seq, id: found.record.id() });
            continue;
        }
        if found.seq > position.last_seq {
            break;
        }
        if found.seq <= link.seq {
            report.add(Finding::Inserted { writer, seq: found.seq, id: found.record.id() });
            continue;
        }
        if found.seq > link.seq + 1 {
            report.add(Finding::Removed { writer, from: link.seq + 1, to: found.seq - 1 });
            after_gap = true;
        }
        // After a gap the hash before this record is unknown, so only its successors can be checked against it.
        if !after_gap && link.next(&found.record).hash != found.hash {
            report.add(Finding::Changed { writer, seq: found.seq, id: found.record.id() });
        }
        after_gap = false;
        link = Link { writer, seq: found.seq, hash: found.hash };
    }
    if link.seq < position.last_seq {
        report.add(Finding::Removed { writer, from: link.seq + 1, to: position.last_seq });
    } else if link.hash != position.head_hash {
        report.add(Finding::WrongEnd { writer, seq: link.seq });
    }
    Ok(())
}

struct Found {
    seq: i64,
    hash: Hash,
    record: Record,
}

/// One writer's records of all three tables in the order of the chain, read page by page.
struct Records<'a> {
    system: &'a System,
    writer: Uuid,
    tables: [Pages; 3],
    committed: Option<i64>,
}

struct Pages {
    sql: &'static str,
    read: fn(&QueryResult) -> Result<Record, DbErr>,
    page: VecDeque<Found>,
    after: i64,
    done: bool,
}

impl Pages {
    fn of(sql: &'static str, read: fn(&QueryResult) -> Result<Record, DbErr>) -> Self {
        Self { sql, read, page: VecDeque::new(), after: i64::MIN, done: false }
    }
}

impl<'a> Records<'a> {
    fn new(system: &'a System, writer: Uuid) -> Self {
        let tables = [
            Pages::of(
                "SELECT *, CAST(params AS TEXT) AS params_text, CAST(response AS TEXT) AS response_text, \
                 CAST(user_context AS TEXT) AS user_context_text FROM tool_executions",
                execution,
            ),
            Pages::of(
                "SELECT *, CAST(actor AS TEXT) AS actor_text, CAST(detail AS TEXT) AS detail_text FROM audit_events",
                event,
            ),
            Pages::of("SELECT * FROM api_calls", api_call),
        ];
        Self { system, writer, tables, committed: None }
    }

    async fn next(&mut self) -> Result<Option<Found>> {
        for pages in &mut self.tables {
            if pages.page.is_empty() && !pages.done {
                fill(self.system, self.writer, pages).await?;
            }
        }
        let first = self.tables.iter_mut().filter(|pages| !pages.page.is_empty());
        let first = first.min_by_key(|pages| pages.page.front().map(|found| found.seq));
        Ok(first.and_then(|pages| pages.page.pop_front()))
    }

    /// Whether a record after the known end belongs there, because the writer has gone on since.
    async fn is_beyond_committed(&mut self, seq: i64) -> Result<bool> {
        if self.committed.is_none_or(|committed| committed < seq) {
            let position = audit::writer(self.system, self.writer).await?;
            self.committed = position.map(|position| position.last_seq);
        }
        Ok(self.committed.is_some_and(|committed| seq <= committed))
    }
}

async fn fill(system: &System, writer: Uuid, pages: &mut Pages) -> Result<()> {
    let mut sql = system.sql(pages.sql);
    sql.push(" WHERE writer = ").bind(writer).push(" AND seq > ").bind(pages.after);
    sql.push(" ORDER BY seq").limit(PAGE);
    let rows = system.read().query_all_raw(sql.statement()).await?;
    pages.done = (rows.len() as i64) < PAGE;
    for row in &rows {
        let seq: i64 = row.try_get("", "seq")?;
        let hash: Vec<u8> = row.try_get("", "hash")?;
        // A hash of another length is no hash; all zeros never fit.
        let hash = hash.try_into().unwrap_or([0; 32]);
        pages.page.push_back(Found { seq, hash, record: (pages.read)(row)? });
        pages.after = seq;
    }
    Ok(())
}

fn json(row: &QueryResult, column: &str) -> Result<Canonical, DbErr> {
    Ok(Canonical::from_stored(&row.try_get::<String>("", column)?))
}

fn execution(row: &QueryResult) -> Result<Record, DbErr> {
    let response: Option<String> = row.try_get("", "response_text")?;
    Ok(Record::Execution(Execution {
        id: row.try_get("", "id")?,
        tenant_id: row.try_get("", "tenant_id")?,
        timestamp: row.try_get("", "timestamp")?,
        tool_name: row.try_get("", "tool_name")?,
        params: json(row, "params_text")?,
        response: response.as_deref().map(Canonical::from_stored),
        duration_ms: row.try_get("", "duration_ms")?,
        status: row.try_get("", "status")?,
        error_message: row.try_get("", "error_message")?,
        source: row.try_get("", "source")?,
        user_context: json(row, "user_context_text")?,
        effect: row.try_get("", "effect")?,
        approval_id: row.try_get("", "approval_id")?,
    }))
}

fn event(row: &QueryResult) -> Result<Record, DbErr> {
    Ok(Record::Event(Event {
        id: row.try_get("", "id")?,
        tenant_id: row.try_get("", "tenant_id")?,
        timestamp: row.try_get("", "timestamp")?,
        event: row.try_get("", "event")?,
        execution_id: row.try_get("", "execution_id")?,
        actor: json(row, "actor_text")?,
        detail: json(row, "detail_text")?,
    }))
}

fn api_call(row: &QueryResult) -> Result<Record, DbErr> {
    Ok(Record::ApiCall(ApiCall {
        id: row.try_get("", "id")?,
        tenant_id: row.try_get("", "tenant_id")?,
        execution_id: row.try_get("", "execution_id")?,
        timestamp: row.try_get("", "timestamp")?,
        ecosystem: row.try_get("", "ecosystem")?,
        endpoint: row.try_get("", "endpoint")?,
        method: row.try_get("", "method")?,
        status_code: row.try_get("", "status_code")?,
        latency_ms: row.try_get("", "latency_ms")?,
        request_size_bytes: row.try_get("", "request_size_bytes")?,
        response_size_bytes: row.try_get("", "response_size_bytes")?,
        error: row.try_get("", "error")?,
        rate_limited: row.try_get("", "rate_limited")?,
        attempt: row.try_get("", "attempt")?,
    }))
}
