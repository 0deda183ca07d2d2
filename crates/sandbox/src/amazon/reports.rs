//! Reports that somebody at the business asked for.

use std::sync::Arc;

use axum::{
    Json,
    body::Bytes,
    extract::{Path, Query, State},
    http::StatusCode,
};
use serde_json::{Value, json};

use super::{
    Asked, Pairs, US, page,
    reply::{Refusal, Reply},
};
use crate::{
    business::{Kind, random},
    clock::{DAY, HOUR, MINUTE, Millis, SECOND, iso},
    world::World,
};

const STATUSES: &[&str] = &["CANCELLED", "DONE", "FATAL", "IN_PROGRESS", "IN_QUEUE"];

/// Type and days between two.
const TYPES: &[(&str, i64)] = &[
    ("GET_V2_SETTLEMENT_REPORT_DATA_FLAT_FILE_V2", 14),
    ("GET_FBA_FULFILLMENT_CUSTOMER_RETURNS_DATA", 7),
    ("GET_FLAT_FILE_ALL_ORDERS_DATA_BY_LAST_UPDATE_GENERAL", 7),
    ("GET_MERCHANT_LISTINGS_ALL_DATA", 30),
    ("GET_SALES_AND_TRAFFIC_REPORT", 30),
];

pub(super) async fn list(State(world): State<Arc<World>>, Query(pairs): Pairs) -> Reply {
    let asked = Asked::of(pairs);
    let now = world.now();
    let (asked, begin) = match asked.text("nextToken") {
        None => (asked, 0),
        Some(_) if asked.0.len() > 1 => {
            return Err(Refusal::invalid("nextToken must be the only parameter"));
        }
        Some(token) => again(token, now)?,
    };
    let types = asked.list("reportTypes");
    if types.is_empty() || types.len() > 10 {
        return Err(Refusal::invalid("Either 1 to 10 reportTypes or nextToken must be provided"));
    }
    let statuses = asked.among("processingStatuses", STATUSES)?;
    let marketplaces = asked.marketplaces()?;
    let since = asked.time("createdSince")?.unwrap_or(now - 90 * DAY);
    let until = asked.time("createdUntil")?.unwrap_or(now);
    let size = asked.number("pageSize", 1, 100, 10)?;
    let fits = |report: &&(Millis, Value)| {
        (since..=until).contains(&report.0)
            && types.iter().any(|kind| report.1["reportType"] == *kind)
            && (statuses.is_empty() || statuses.iter().any(|status| report.1["processingStatus"] == *status))
            && (marketplaces.is_empty() || marketplaces.contains(&US))
    };
    let all = reports(&world, now);
    let found: Vec<Value> = all.iter().filter(fits).map(|(_, report)| report.clone()).collect();
    let mut answer = json!({"reports": found.iter().skip(begin).take(size).collect::<Vec<_>>()});
    if found.len() > begin + size {
        // The token must do without the filters, so it carries them.
        let place = json!([begin + size, asked.0]);
        answer["nextToken"] = json!(page::token(&place, "", now));
    }
    Ok(Json(answer))
}

fn again(token: &str, now: Millis) -> Result<(Asked, usize), Refusal> {
    let place = page::place(token, "", now, HOUR).and_then(|place| serde_json::from_value(place).ok());
    let (begin, asked) = place.ok_or_else(|| Refusal::invalid("The nextToken is invalid or has expired"))?;
    Ok((Asked(asked), begin))
}

pub(super) async fn get(State(world): State<Arc<World>>, Path(id): Path<String>) -> Reply {
    let all = reports(&world, world.now());
    let found = all.into_iter().find(|(_, report)| report["reportId"] == id);
    found.map(|(_, report)| Json(report)).ok_or_else(|| Refusal::not_found("The requested report was not found"))
}

/// Has a report made.
pub(super) async fn create(State(world): State<Arc<World>>, body: Bytes) -> Result<(StatusCode, Json<Value>), Refusal> {
    let wanted: Value = serde_json::from_slice(&body).map_err(|_| Refusal::invalid("The request body is malformed"))?;
    let kind = wanted["reportType"].as_str().unwrap_or_default();
    if !TYPES.iter().any(|(known, _)| *known == kind) {
        return Err(Refusal::invalid("reportType is not valid"));
    }
    if wanted["marketplaceIds"].as_array().is_none_or(Vec::is_empty) {
        return Err(Refusal::invalid("marketplaceIds must have 1 to 25 entries"));
    }
    let now = world.now();
    let id = {
        let mut shop = world.amazon();
        let id = format!("{}", 50_000_000_000 + shop.asked_for.len());
        shop.asked_for.push((id.clone(), kind.to_owned(), now));
        id
    };
    world.business().record(now, "amazon.report", &id, "api", wanted);
    Ok((StatusCode::ACCEPTED, Json(json!({ "reportId": id }))))
}

/// The newest first. The last of each type may still be in work.
fn reports(world: &World, now: Millis) -> Vec<(Millis, Value)> {
    let start = world.options.now.timestamp_millis() / SECOND * SECOND;
    let mut reports = Vec::new();
    for (kind, (name, days)) in (0i64..).zip(TYPES) {
        for n in -90 / days..=60 / days {
            let number = u64::try_from(kind * 1_000 + n + 500).unwrap_or_default();
            let mut random = random(world.options.seed, Kind::Stock, (1 << 41) | number);
            let created = start + n * days * DAY - random.i64(MINUTE..20 * HOUR) / SECOND * SECOND;
            if created <= now && created > now - 90 * DAY {
                reports.push((created, report(&mut random, name, *days, created, now)));
            }
        }
    }
    for (id, kind, created) in &world.amazon().asked_for {
        let mut made = report(&mut random(world.options.seed, Kind::Stock, 1 << 42), kind, 1, *created, now);
        made["reportId"] = json!(id);
        reports.push((*created, made));
    }
    reports.sort_by_key(|(created, _)| -created);
    reports
}

fn report(random: &mut fastrand::Rng, kind: &str, days: i64, created: Millis, now: Millis) -> Value {
    let id = format!("{}", random.u64(100_000_000_000..999_999_999_999));
    let ready = created + 12 * MINUTE;
    let status = match random.u8(..20) {
        _ if now < created + MINUTE => "IN_QUEUE",
        _ if now < ready => "IN_PROGRESS",
        0 => "FATAL",
        // Amazon cancels a report for which there is nothing to say.
        1 => "CANCELLED",
        _ => "DONE",
    };
    let mut report = json!({
        "reportId": id, "reportType": kind, "marketplaceIds": [US], "createdTime": iso(created),
        "dataStartTime": iso(created - days * DAY), "dataEndTime": iso(created), "processingStatus": status,
    });
    if status != "IN_QUEUE" {
        report["processingStartTime"] = json!(iso(created + MINUTE));
    }
    if now >= ready {
        report["processingEndTime"] = json!(iso(ready));
    }
    if status == "DONE" {
        report["reportDocumentId"] = json!(format!("amzn1.spdoc.1.4.na.{id}.1234"));
    }
    report
}
