//! The state of the pipelines in numbers.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike, NaiveDate, Utc};
use schemars::JsonSchema;
use sdk::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::GoHighLevel;
use super::opportunities::{self, Filter, LARGEST_PAGE, Pipeline};
use crate::json;

/// Pages that are read at most: 5,000 opportunities.
const MOST_PAGES: usize = 50;

/// The sales pipelines of GoHighLevel in numbers: open deals, their value and the oldest one per stage, and what was
/// won and lost in a month. Use it for "how is my pipeline" or a report. Answers `pipelines`; `complete` is false when
/// there were too many deals to read.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PipelineDigest {
    /// Only this pipeline, by id.
    #[schemars(length(min = 1, max = 128))]
    pipeline_id: Option<String>,
    /// The month of won and lost, `2026-11`; the current month (UTC) unless given.
    #[schemars(regex(pattern = r"^\d{4}-(0[1-9]|1[0-2])$"))]
    month: Option<String>,
}

/// The digest.
#[derive(Serialize, JsonSchema)]
pub struct Digest {
    /// The month of `won` and `lost`.
    month: String,
    pipelines: Vec<PipelineNumbers>,
    /// Opportunities that were counted.
    opportunities_read: u64,
    /// False when not all opportunities could be read, so that the numbers are too small.
    complete: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

/// One pipeline in numbers.
#[derive(Serialize, JsonSchema)]
pub struct PipelineNumbers {
    id: String,
    name: String,
    open: Sum,
    won_this_month: Sum,
    lost_this_month: Sum,
    stages: Vec<StageNumbers>,
}

/// Open deals of one stage.
#[derive(Serialize, JsonSchema)]
pub struct StageNumbers {
    id: String,
    name: String,
    count: u64,
    value: f64,
    /// The deal that has been in the stage longest.
    #[serde(skip_serializing_if = "Option::is_none")]
    oldest: Option<Oldest>,
}

/// A deal and since when it has been where it is.
#[derive(Clone, Serialize, JsonSchema)]
pub struct Oldest {
    id: String,
    name: String,
    since: DateTime<Utc>,
}

/// How many deals, and their value in the account's currency.
#[derive(Clone, Default, Serialize, JsonSchema)]
pub struct Sum {
    count: u64,
    value: f64,
}

pub async fn digest(api: &GoHighLevel, args: PipelineDigest) -> Result<Digest> {
    api.location()?;
    let month = args.month.as_deref().map(first_of_month).transpose()?;
    let pipelines = opportunities::pipelines(api).await?;
    let chosen: Vec<&Pipeline> =
        pipelines.iter().filter(|pipeline| args.pipeline_id.as_ref().is_none_or(|id| *id == pipeline.id)).collect();
    if chosen.is_empty() && args.pipeline_id.is_some() {
        return Err(Error::not_found("pipeline_id: there is no such pipeline; list_pipelines has the ids"));
    }
    let rows = read_all(api, args.pipeline_id).await?;
    let month = match month {
        Some(month) => month,
        None => this_month(rows.date)?,
    };
    let mut numbers = Numbers::default();
    rows.rows.iter().for_each(|row| numbers.add(row, month));
    Ok(Digest {
        month: month.format("%Y-%m").to_string(),
        pipelines: chosen.into_iter().map(|pipeline| numbers.of(pipeline)).collect(),
        opportunities_read: rows.rows.len() as u64,
        complete: rows.complete,
        note: (!rows.complete).then(|| {
            let total = rows.total.map_or_else(String::new, |total| format!(" of {total}"));
            format!("only {}{total} opportunities were read; give pipeline_id for exact numbers", rows.rows.len())
        }),
    })
}

struct Rows {
    rows: Vec<Value>,
    total: Option<u64>,
    complete: bool,
    /// The vendor's clock.
    date: Option<DateTime<Utc>>,
}

async fn read_all(api: &GoHighLevel, pipeline: Option<String>) -> Result<Rows> {
    let filter = Filter { pipeline, ..Filter::default() };
    let mut read = Rows { rows: Vec::new(), total: None, complete: false, date: None };
    let mut at = None;
    for _ in 0..MOST_PAGES {
        let found = opportunities::find(api, &filter, LARGEST_PAGE, at.as_ref()).await?;
        read.rows.extend(found.rows);
        read.total = found.total.or(read.total);
        read.date = found.date.or(read.date);
        let all_seen = found.total.is_some_and(|total| read.rows.len() as u64 >= total);
        if all_seen || found.next.is_none() {
            read.complete = read.total.is_none_or(|total| read.rows.len() as u64 >= total);
            return Ok(read);
        }
        at = found.next;
    }
    Ok(read)
}

/// Sums by pipeline and by stage.
#[derive(Default)]
struct Numbers {
    open: BTreeMap<String, Sum>,
    won: BTreeMap<String, Sum>,
    lost: BTreeMap<String, Sum>,
    stages: BTreeMap<String, (Sum, Option<Oldest>)>,
}

impl Numbers {
    fn add(&mut self, row: &Value, month: NaiveDate) {
        let pipeline = json::text(row, "pipelineId").unwrap_or_default();
        let value = json::number(row, "monetaryValue").unwrap_or_default();
        let decided = json::time(row, "lastStatusChangeAt").or_else(|| json::time(row, "updatedAt"));
        let in_month = decided.is_some_and(|at| (at.year(), at.month()) == (month.year(), month.month()));
        match json::text(row, "status").as_deref() {
            Some("won") if in_month => self.won.entry(pipeline).or_default().add(value),
            Some("lost") if in_month => self.lost.entry(pipeline).or_default().add(value),
            Some("open") => {
                self.open.entry(pipeline).or_default().add(value);
                self.add_to_stage(row, value);
            }
            _ => {}
        }
    }

    fn add_to_stage(&mut self, row: &Value, value: f64) {
        let (sum, oldest) = self.stages.entry(json::text(row, "pipelineStageId").unwrap_or_default()).or_default();
        sum.add(value);
        let since = json::time(row, "lastStageChangeAt").or_else(|| json::time(row, "createdAt"));
        let Some(since) = since.filter(|since| oldest.as_ref().is_none_or(|oldest| *since < oldest.since)) else {
            return;
        };
        *oldest = Some(Oldest { id: json::text(row, "id").unwrap_or_default(), name: opportunities::name(row), since });
    }

    fn of(&self, pipeline: &Pipeline) -> PipelineNumbers {
        let sum = |sums: &BTreeMap<String, Sum>| sums.get(&pipeline.id).cloned().unwrap_or_default();
        let stages = pipeline.stages.iter().map(|stage| {
            let (sum, oldest) = self.stages.get(&stage.id).cloned().unwrap_or_default();
            StageNumbers { id: stage.id.clone(), name: stage.name.clone(), count: sum.count, value: sum.value, oldest }
        });
        PipelineNumbers {
            id: pipeline.id.clone(),
            name: pipeline.name.clone(),
            open: sum(&self.open),
            won_this_month: sum(&self.won),
            lost_this_month: sum(&self.lost),
            stages: stages.collect(),
        }
    }
}

impl Sum {
    fn add(&mut self, value: f64) {
        self.count += 1;
        self.value += value;
    }
}

fn first_of_month(month: &str) -> Result<NaiveDate> {
    NaiveDate::parse_from_str(&format!("{month}-01"), "%Y-%m-%d")
        .map_err(|_| Error::invalid_input("month: give a year and a month, 2026-11"))
}

/// The connector has no clock; the vendor's answer carries the time.
fn this_month(date: Option<DateTime<Utc>>) -> Result<NaiveDate> {
    let today =
        date.ok_or_else(|| Error::invalid_input("month: GoHighLevel did not say what time it is; give a month"))?;
    first_of_month(&today.format("%Y-%m").to_string())
}
