//! The brain's answer to a read that the vendor fails: the same shape, from the copy.

use chrono::{DateTime, Utc};
use sdk::Result;
use serde_json::{Value, json};
use store::contacts::{self as rows, Filter};
use store::opportunities::{self, Opportunity};
use store::{Tenant, sync_runs};

use super::contacts::Contact;
use super::reference::HOME;
use super::stats::freshness;
use crate::unavailable;

/// The answer of `gohighlevel.read_contacts`, `get_contact` or `list_opportunities` from the copy, and when that was
/// true. `None` when there is no copy, or the copy cannot answer this question.
pub async fn stand_in(
    tenant: &Tenant,
    tool: &str,
    arguments: &Value,
    now: DateTime<Utc>,
) -> Result<Option<(Value, Option<DateTime<Utc>>)>> {
    // The vendor's cursor says nothing about our rows.
    if !text(arguments, "cursor").is_empty() {
        return Ok(None);
    }
    match tool {
        "gohighlevel.read_contacts" => contacts(tenant, arguments, now).await,
        "gohighlevel.get_contact" => contact(tenant, arguments, now).await,
        "gohighlevel.list_opportunities" => deals(tenant, arguments).await,
        _ => Ok(None),
    }
}

type Found = Option<(Value, Option<DateTime<Utc>>)>;

async fn contacts(tenant: &Tenant, arguments: &Value, now: DateTime<Utc>) -> Result<Found> {
    let Some(as_of) = freshness(tenant, &[]).await? else { return Ok(None) };
    let query = text(arguments, "query");
    let filter = Filter {
        text: (!query.is_empty()).then(|| query.into()),
        ecosystem: Some(HOME.into()),
        order: rows::Order::Added,
        ..Filter::default()
    };
    let page = rows::find(tenant, &filter, limit(arguments), None).await.map_err(unavailable)?;
    let total = match page.next {
        None => Some(page.rows.len() as u64),
        Some(_) if query.is_empty() => Some(rows::count(tenant, &filter).await.map_err(unavailable)?),
        Some(_) => None,
    };
    let contacts: Vec<Contact> = page.rows.into_iter().map(|row| Contact::of(row, now)).collect();
    let mut answer = json!({"contacts": contacts});
    if let Some(total) = total {
        answer["total"] = json!(total);
    }
    Ok(Some((answer, Some(as_of))))
}

async fn contact(tenant: &Tenant, arguments: &Value, now: DateTime<Utc>) -> Result<Found> {
    let id = text(arguments, "contact_id");
    let Some(model) = rows::by_vendor_id(tenant, HOME, id).await.map_err(unavailable)? else { return Ok(None) };
    let row = rows::rows(tenant, &[model.id]).await.map_err(unavailable)?.pop();
    // A contact that was deleted at the vendor is no answer.
    let Some(row) = row.filter(|_| model.deleted_at.is_none()) else { return Ok(None) };
    let as_of = row.last_synced;
    Ok(Some((json!({"contact": Contact::of(row, now)}), Some(as_of))))
}

async fn deals(tenant: &Tenant, arguments: &Value) -> Result<Found> {
    let synced = sync_runs::cursor(tenant, HOME, "opportunities").await.map_err(unavailable)?;
    let Some(as_of) = synced.map(|cursor| cursor.updated_at) else { return Ok(None) };
    // The copy keeps the names of pipelines and stages, not their ids.
    if !text(arguments, "pipeline_id").is_empty() || !text(arguments, "stage_id").is_empty() {
        return Ok(None);
    }
    let given = |name: &str| Some(text(arguments, name)).filter(|text| !text.is_empty()).map(str::to_owned);
    let filter =
        opportunities::Filter { contact_vendor_id: given("contact_id"), status: given("status"), name: given("query") };
    let found = opportunities::list(tenant, HOME, &filter, limit(arguments)).await.map_err(unavailable)?;
    let rows: Vec<Value> = found.iter().map(deal).collect();
    Ok(Some((json!({"opportunities": rows}), Some(as_of))))
}

fn deal(row: &Opportunity) -> Value {
    let mut deal = json!({"id": row.vendor_id, "name": row.name.as_deref().unwrap_or_default()});
    let texts = [
        ("contact_id", &row.contact_vendor_id),
        ("pipeline", &row.pipeline),
        ("stage", &row.stage),
        ("status", &row.status),
    ];
    for (name, text) in texts {
        if let Some(text) = text {
            deal[name] = json!(text);
        }
    }
    if let Some(value) = row.value {
        deal["value"] = json!(value);
    }
    deal
}

fn text<'a>(arguments: &'a Value, name: &str) -> &'a str {
    arguments.get(name).and_then(Value::as_str).map(str::trim).unwrap_or_default()
}

fn limit(arguments: &Value) -> u64 {
    arguments.get("limit").and_then(Value::as_u64).unwrap_or(20).clamp(1, 100)
}
