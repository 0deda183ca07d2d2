//! Reports that somebody asked Amazon for.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use sdk::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Amazon, listed, operations, stamp, wire};
use crate::{cursor, json};

/// Reports that were requested from Amazon in the last 90 days (settlements, returns, listings, traffic, …) with
/// their state. Use it to see whether a report is done. Asks for none. Answers `reports` and `next_cursor`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListReports {
    /// Amazon's report types, such as GET_V2_SETTLEMENT_REPORT_DATA_FLAT_FILE_V2; the usual ten unless given.
    #[schemars(length(min = 1, max = 10), inner(length(min = 1, max = 100)))]
    types: Option<Vec<String>>,
    /// Only these states.
    #[schemars(length(min = 1, max = 5))]
    statuses: Option<Vec<Status>>,
    /// Requested at or after; 90 days ago unless given.
    from: Option<DateTime<Utc>>,
    /// How many, 10 unless given.
    #[schemars(range(min = 1, max = 100))]
    limit: Option<u32>,
    /// `next_cursor` of the previous answer; alone.
    #[schemars(length(max = 4000))]
    cursor: Option<String>,
}

#[derive(Clone, Copy, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Status {
    InQueue,
    InProgress,
    Done,
    Cancelled,
    Fatal,
}

/// Reports.
#[derive(Serialize, JsonSchema)]
pub struct Reports {
    reports: Vec<Report>,
    /// Give it as `cursor` for the next page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// A report.
#[derive(Serialize, JsonSchema)]
struct Report {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    /// `in_queue`, `in_progress`, `done`, `cancelled` (also: no data), `fatal`.
    status: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_at: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data_from: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data_to: Option<DateTime<Utc>>,
    /// There is something to download.
    #[serde(skip_serializing_if = "Option::is_none")]
    document_id: Option<String>,
}

/// Amazon wants types; these are the ones that sellers use.
const USUAL: [&str; 10] = [
    "GET_V2_SETTLEMENT_REPORT_DATA_FLAT_FILE_V2",
    "GET_FLAT_FILE_ALL_ORDERS_DATA_BY_LAST_UPDATE_GENERAL",
    "GET_MERCHANT_LISTINGS_ALL_DATA",
    "GET_SALES_AND_TRAFFIC_REPORT",
    "GET_FBA_MYI_UNSUPPRESSED_INVENTORY_DATA",
    "GET_FBA_FULFILLMENT_CUSTOMER_RETURNS_DATA",
    "GET_FBA_REIMBURSEMENTS_DATA",
    "GET_LEDGER_SUMMARY_VIEW_DATA",
    "GET_DATE_RANGE_FINANCIAL_TRANSACTION_DATA",
    "GET_FBA_INVENTORY_PLANNING_DATA",
];

pub async fn list(api: &Amazon, args: ListReports) -> Result<Reports> {
    let token = match cursor::decode_option(args.cursor.as_deref())? {
        Some(Value::String(token)) => Some(token),
        Some(_) => return Err(Error::invalid_input("cursor: it belongs to another list")),
        None => None,
    };
    let request = api.get(&operations::REPORTS, &[])?;
    // A token is the only parameter, or Amazon refuses it.
    let request = match &token {
        Some(token) => request.query(&[("nextToken", Some(token.clone()))]),
        None => request.query(&filters(api, &args)),
    };
    let answer = api.read(request).await.map_err(|error| expired(error, token.is_some()))?;
    let next = json::text(&answer, "nextToken").filter(|next| Some(next) != token.as_ref());
    Ok(Reports {
        reports: json::list(&answer, "reports").iter().map(Report::of).collect(),
        next_cursor: next.map(|next| cursor::encode(&Value::String(next))),
    })
}

fn filters(api: &Amazon, args: &ListReports) -> [(&'static str, Option<String>); 5] {
    let types: Vec<&str> = match &args.types {
        Some(types) => types.iter().map(String::as_str).collect(),
        None => USUAL.to_vec(),
    };
    let statuses: Vec<&str> = args.statuses.iter().flatten().map(|status| status.as_str()).collect();
    let marketplaces: Vec<&str> = api.config.marketplace_ids.iter().take(10).map(String::as_str).collect();
    [
        ("reportTypes", listed(&types)),
        ("processingStatuses", listed(&statuses)),
        ("marketplaceIds", listed(&marketplaces)),
        ("createdSince", args.from.map(stamp)),
        ("pageSize", Some(args.limit.unwrap_or(10).clamp(1, 100).to_string())),
    ]
}

fn expired(error: Error, paging: bool) -> Error {
    if !paging || !wire::is_dead_token(&error) {
        return error;
    }
    Error::invalid_input("cursor: Amazon no longer knows it; start again without it").with_source(error)
}

impl Report {
    fn of(row: &Value) -> Report {
        Report {
            id: json::text(row, "reportId").unwrap_or_default(),
            kind: json::text(row, "reportType").unwrap_or_else(|| "unknown".into()),
            status: json::text(row, "processingStatus").map_or_else(|| "unknown".into(), |word| word.to_lowercase()),
            created_at: json::time(row, "createdTime"),
            data_from: json::time(row, "dataStartTime"),
            data_to: json::time(row, "dataEndTime"),
            document_id: json::text(row, "reportDocumentId"),
        }
    }
}

impl Status {
    fn as_str(self) -> &'static str {
        match self {
            Status::InQueue => "IN_QUEUE",
            Status::InProgress => "IN_PROGRESS",
            Status::Done => "DONE",
            Status::Cancelled => "CANCELLED",
            Status::Fatal => "FATAL",
        }
    }
}
