//! Walks the streams of an ecosystem.

use std::sync::Arc;

use chrono::{DateTime, Duration, Utc};
use sdk::connector::{ErasedStream, Opened};
use sdk::http::Call;
use sdk::{Batch, Error, Kind, Page, Result};
use serde_json::Value;
use store::Tenant;
use store::sync_runs::{self as rows, Progress as Row, SyncRun};
use tokio::time::Instant;
use uuid::Uuid;

use super::{Mode, Report, StreamReport, write};
use crate::app::App;
use crate::calls::Progress;
use crate::connections::Connections;

/// A page that was changed while a walk looked at another is seen by the next incremental walk,
/// because that begins a little before this one.
const OVERLAP: Duration = Duration::minutes(5);
/// A walk that was cut off longer ago begins anew.
const RESUMABLE: Duration = Duration::hours(6);

/// How often a page that came too early is asked for again, and the longest wait for it.
const PATIENCE: usize = 5;
const LONGEST_WAIT: std::time::Duration = std::time::Duration::from_secs(300);

/// One sync.
pub struct Work {
    pub app: Arc<App>,
    pub tenant: Tenant,
    /// Those of the tenant.
    pub connections: Arc<Connections>,
    pub ecosystem: &'static str,
    pub mode: Mode,
    /// Only these; empty is all.
    pub streams: Vec<String>,
    pub execution: Uuid,
    pub progress: Progress,
    pub end: DateTime<Utc>,
}

/// Walks every stream. One that fails does not stop the others, but without the first there is no sync.
pub async fn all(work: &Work) -> Result<Report> {
    let started = Instant::now();
    let connected = work.connections.get(work.ecosystem)?;
    let mut report = Report::of(work.ecosystem, work.mode, "done", "");
    for stream in &connected.connector.streams {
        if !work.wants(stream.name) {
            continue;
        }
        match stream_of(work, stream).await {
            Ok(done) => report.add(done),
            // Without its first stream nothing else has anything to belong to.
            Err(e) if report.streams.is_empty() => return Err(e),
            // A V1 key, or a token without the scope: what it may not see is left out and said.
            Err(e) if e.kind == Kind::Forbidden => {
                report.add(StreamReport {
                    stream: stream.name.into(),
                    skipped: Some(e.to_string()),
                    ..StreamReport::default()
                });
            }
            Err(e) => report.add(StreamReport {
                stream: stream.name.into(),
                error: Some(e.to_string()),
                ..StreamReport::default()
            }),
        }
    }
    if report.streams.is_empty() {
        return Err(Error::invalid_input(format!("streams: {} has none of them", connected.connector.title)));
    }
    report.duration_ms = started.elapsed().as_millis() as u64;
    report.message = report.in_words();
    Ok(report)
}

impl Work {
    fn wants(&self, stream: &str) -> bool {
        self.streams.is_empty() || self.streams.iter().any(|wanted| wanted == stream)
    }
}

/// Walks one stream from where the last walk was cut off, or from its beginning.
async fn stream_of(work: &Work, stream: &ErasedStream) -> Result<StreamReport> {
    let mut walk = Walk::begin(work, stream).await?;
    let outcome = tokio::select! {
        outcome = walk.pages() => outcome,
        // The row stays as it is: the walk goes on from there after the next start.
        () = work.app.shutdown.cancelled() => return Err(Error::unavailable("the server is stopping; the sync goes on after its start")),
    };
    let finished = walk.finish(outcome.as_ref().err()).await;
    outcome?;
    finished
}

/// A walk in progress: what was done so far stands in its row, so that a kill costs one page.
struct Walk<'a> {
    work: &'a Work,
    stream: &'a ErasedStream,
    opened: Opened,
    /// The ecosystem's first stream.
    is_first: bool,
    run: Uuid,
    started_at: DateTime<Utc>,
    since: Option<DateTime<Utc>>,
    /// Where the walk before ended, and where this one did.
    bookmark: Option<String>,
    reached: Option<String>,
    /// What was done so far, and where the next page begins.
    row: Row,
    /// What the vendor says there is.
    total: Option<u64>,
}

impl<'a> Walk<'a> {
    async fn begin(work: &'a Work, stream: &'a ErasedStream) -> Result<Walk<'a>> {
        let now = work.app.clock.now();
        let left = (work.end - now).to_std().unwrap_or_default();
        let connected = work.connections.present(work.ecosystem).await?;
        connected.refuse_if_changed(&work.tenant).await?;
        let call =
            Call { execution: Some(work.execution), key: work.execution.to_string(), deadline: Instant::now() + left };
        let opened = stream.open(connected.open(call).await?)?;
        let cursor = rows::cursor(&work.tenant, work.ecosystem, stream.name).await.map_err(crate::unavailable)?;
        let (high_water, bookmark) = cursor.map_or((None, None), |cursor| (cursor.high_water, cursor.bookmark));
        let since = if work.mode == Mode::Incremental { high_water.map(|at| at - OVERLAP) } else { None };
        let mode = if since.is_some() { Mode::Incremental } else { Mode::Full };
        let streams = (work.ecosystem, stream.name);
        let cut_off = cut_off(work, stream.name, mode, now).await?;
        let run = cut_off.as_ref().map_or_else(Uuid::now_v7, |row| row.id);
        rows::start(&work.tenant, run, streams, mode.as_str(), since, now).await.map_err(crate::unavailable)?;
        let (started_at, since) = cut_off.as_ref().map_or((now, since), |row| (row.started_at, row.since));
        let row = cut_off.map(resumed).unwrap_or_default();
        let bookmark = bookmark.filter(|_| since.is_some());
        let is_first = connected.connector.streams.first().is_some_and(|first| first.name == stream.name);
        let (reached, total) = (None, None);
        Ok(Walk { work, stream, opened, is_first, run, started_at, since, bookmark, reached, row, total })
    }

    /// Fetches and writes; the next page is on its way while one is written.
    async fn pages(&mut self) -> Result<()> {
        let mut page = self.fetch(self.row.cursor.clone()).await?;
        loop {
            self.total = self.total.or(page.total);
            self.reached = page.bookmark.take();
            let next = page.next.take();
            if next.is_some() && next == self.row.cursor {
                return Err(Error::upstream(format!("{} gave the same page twice", self.stream.name)));
            }
            let ahead = async {
                match &next {
                    Some(cursor) => self.fetch(Some(cursor.clone())).await.map(Some),
                    None => Ok(None),
                }
            };
            let fetched = page.records.len();
            let (ahead, written) =
                tokio::join!(ahead, write::records(self.work, self.stream.name, self.run, page.records));
            self.count(fetched, written?, next).await?;
            match ahead? {
                Some(ahead) => page = ahead,
                None => return Ok(()),
            }
        }
    }

    /// Fetches a page. A vendor that says when to come back is asked again then: a walk has more time than a call.
    async fn fetch(&self, cursor: Option<Value>) -> Result<Batch> {
        let mut asked = 0;
        loop {
            let page = Page { cursor: cursor.clone(), since: self.since, bookmark: self.bookmark.clone() };
            let error = match self.stream.fetch(&self.opened, page).await {
                Err(e) if e.kind == Kind::RateLimited && asked < PATIENCE => e,
                fetched => return fetched,
            };
            let Some(wait) = error.retry_after else { return Err(error) };
            let left = (self.work.end - self.work.app.clock.now()).to_std().unwrap_or_default();
            if wait > LONGEST_WAIT.min(left) {
                return Err(error);
            }
            asked += 1;
            tokio::time::sleep(wait).await;
        }
    }

    async fn count(&mut self, fetched: usize, written: write::Written, next: Option<Value>) -> Result<()> {
        let counts = written.counts;
        self.row.deleted += written.deleted as i64;
        self.row.fetched += fetched as i64;
        self.row.created += counts.created as i64;
        self.row.updated += counts.updated as i64;
        self.row.unchanged += counts.unchanged as i64;
        self.row.cursor = next;
        self.work.progress.report(self.row.fetched as f64, self.total.map(|total| total as f64), self.stream.name);
        rows::progress(&self.work.tenant, self.run, &self.row).await.map_err(crate::unavailable)?;
        Ok(())
    }

    /// Closes the row; after a whole walk, what it did not see was deleted.
    async fn finish(&mut self, failure: Option<&Error>) -> Result<StreamReport> {
        let now = self.work.app.clock.now();
        let mut message = failure.map(ToString::to_string);
        let whole = failure.is_none() && self.since.is_none() && self.stream.complete;
        let short = whole && self.total.is_some_and(|total| (self.row.fetched as u64) < total);
        if short {
            let total = self.total.unwrap_or_default();
            message = Some(format!(
                "only {} of {total} were seen, so no deletion was believed; the next sync tries again",
                self.row.fetched
            ));
        }
        // An empty answer, or one that does not say how many there are, proves nothing.
        if whole && !short && self.total.is_some() && self.row.fetched > 0 {
            self.row.deleted +=
                write::deletions(self.work, self.stream.name, self.run, self.started_at, now).await? as i64;
        }
        let state = failure.map_or("done", |error| self.failed(error));
        self.row.errors += i64::from(state == "failed");
        if failure.is_none() {
            self.row.cursor = None;
        }
        let ended = rows::finish(&self.work.tenant, self.run, state, message.as_deref(), &self.row, now);
        ended.await.map_err(crate::unavailable)?;
        if failure.is_none() && !short {
            let full_at = self.since.is_none().then_some(self.started_at);
            let streams = (self.work.ecosystem, self.stream.name);
            // First, because a walk that begins where nothing was missed is better than one that begins too late.
            if let Some(bookmark) = &self.reached {
                let kept = rows::put_bookmark(&self.work.tenant, streams, bookmark, now);
                kept.await.map_err(crate::unavailable)?;
            }
            let moved = rows::put_cursor(&self.work.tenant, streams, Some(self.started_at), full_at, now);
            moved.await.map_err(crate::unavailable)?;
        }
        let labels = [("ecosystem", self.work.ecosystem), ("stream", self.stream.name), ("state", state)];
        metrics::counter!("sync_runs_total", &labels).increment(1);
        let mut report = report(self.stream.name, &self.row);
        report.error = message;
        Ok(report)
    }

    /// How a walk with this error ended. What the account may not see is left out, but for what all else belongs to.
    fn failed(&self, error: &Error) -> &'static str {
        if error.kind == Kind::Forbidden && !self.is_first { "skipped" } else { "failed" }
    }
}

/// The walk of the same kind that a kill cut off, if it is young enough to go on; an older one is
/// closed.
async fn cut_off(work: &Work, stream: &str, mode: Mode, now: DateTime<Utc>) -> Result<Option<SyncRun>> {
    let newest = rows::list(&work.tenant, Some(work.ecosystem), Some(stream), 1).await.map_err(crate::unavailable)?;
    let Some(row) = newest.into_iter().next().filter(|row| row.state == "running") else { return Ok(None) };
    if row.mode == mode.as_str() && row.started_at > now - RESUMABLE {
        return Ok(Some(row));
    }
    let (id, row) = (row.id, resumed(row));
    let closed = rows::finish(&work.tenant, id, "cancelled", Some("cut off, and not resumed"), &row, now);
    closed.await.map_err(crate::unavailable)?;
    Ok(None)
}

fn resumed(row: SyncRun) -> Row {
    Row {
        fetched: row.fetched,
        created: row.created,
        updated: row.updated,
        unchanged: row.unchanged,
        deleted: row.deleted,
        errors: row.errors,
        cursor: row.cursor,
    }
}

fn report(stream: &str, row: &Row) -> StreamReport {
    let count = |value: i64| u64::try_from(value).unwrap_or_default();
    StreamReport {
        stream: stream.into(),
        fetched: count(row.fetched),
        created: count(row.created),
        updated: count(row.updated),
        unchanged: count(row.unchanged),
        deleted: count(row.deleted),
        error: None,
        skipped: None,
    }
}
