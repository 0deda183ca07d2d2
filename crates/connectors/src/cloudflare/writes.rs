//! Creating, changing and deleting DNS records.
//!
//! The vendor has no idempotency key, but refuses a record with the name, type and content of another. So a create
//! whose reply was lost reads back first, and can then be sent again without harm.

use schemars::JsonSchema;
use sdk::http::Method;
use sdk::{Error, Kind, Plan, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::record::{self, AUTOMATIC, Record};
use super::zones::{self, Place};
use super::{Cloudflare, dns, wire};

/// Creates one DNS record in a Cloudflare zone. A record with the same name, type and content is never made twice:
/// then `created` is false. NS and SOA are refused. Answers the `record`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateRecord {
    /// Domain or zone id; the configured zone if left out.
    #[schemars(length(min = 1, max = 253))]
    zone: Option<String>,
    /// A, AAAA, CNAME, MX, TXT, CAA, SRV or PTR.
    #[serde(rename = "type")]
    #[schemars(length(min = 1, max = 10))]
    kind: String,
    /// `www`, `@` for the domain itself, or in full.
    #[schemars(length(min = 1, max = 253))]
    name: String,
    /// Address, host or text; CAA as `0 issue "letsencrypt.org"`, SRV as `priority weight port target`.
    #[schemars(length(min = 1, max = 2048))]
    content: String,
    /// Seconds, 60 to 86400; automatic if left out.
    #[schemars(range(min = 1, max = 86400))]
    ttl: Option<u64>,
    /// Through Cloudflare's proxy; only A, AAAA, CNAME.
    proxied: Option<bool>,
    /// Of MX; 10 if left out.
    #[schemars(range(min = 0, max = 65535))]
    priority: Option<u64>,
    /// Why it is there.
    #[schemars(length(max = 100))]
    comment: Option<String>,
}

/// Changes fields of one DNS record in Cloudflare; what is not given stays. NS and SOA are refused. Answers the changed
/// `record`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateRecord {
    /// Domain or zone id; the configured zone if left out.
    #[schemars(length(min = 1, max = 253))]
    zone: Option<String>,
    /// The record's id, from list_dns.
    #[schemars(length(min = 1, max = 64))]
    record_id: String,
    /// A new name.
    #[schemars(length(min = 1, max = 253))]
    name: Option<String>,
    /// A new address, host or text.
    #[schemars(length(min = 1, max = 2048))]
    content: Option<String>,
    /// Seconds, 60 to 86400; 1 is automatic.
    #[schemars(range(min = 1, max = 86400))]
    ttl: Option<u64>,
    /// Through Cloudflare's proxy.
    proxied: Option<bool>,
    /// Of MX.
    #[schemars(range(min = 0, max = 65535))]
    priority: Option<u64>,
    /// A new comment; empty removes it.
    #[schemars(length(max = 100))]
    comment: Option<String>,
}

/// Deletes one DNS record from Cloudflare, for good. NS and SOA are refused. Answers the record as it was, so that it
/// can be created again.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeleteRecord {
    /// Domain or zone id; the configured zone if left out.
    #[schemars(length(min = 1, max = 253))]
    zone: Option<String>,
    /// The record's id, from list_dns.
    #[schemars(length(min = 1, max = 64))]
    record_id: String,
}

/// A record that was created.
#[derive(Serialize, JsonSchema)]
pub struct Created {
    created: bool,
    record: Record,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

/// A record that was changed.
#[derive(Serialize, JsonSchema)]
pub struct Updated {
    record: Record,
}

/// A record that was deleted.
#[derive(Serialize, JsonSchema)]
pub struct Deleted {
    deleted: Record,
}

const RECORDS: &str = "/zones/{zone_id}/dns_records";
const RECORD: &str = "/zones/{zone_id}/dns_records/{dns_record_id}";

pub async fn create(api: &Cloudflare, args: CreateRecord) -> Result<Created> {
    let (zone, wanted) = wanted(api, &args).await?;
    let first = match send(api, &zone, &wanted).await {
        Err(error) if error.outcome_unknown => error,
        answered => return settle(api, &zone, &wanted, answered).await,
    };
    if let Some(record) = twin(api, &zone, &wanted).await.map_err(|_| unknown(first, &wanted))? {
        return Ok(Created { created: true, record, note: Some("The reply was lost; the record was found.".into()) });
    }
    let second = send(api, &zone, &wanted).await.map_err(|error| unknown(error, &wanted));
    settle(api, &zone, &wanted, second).await
}

/// A record to be written, complete.
struct Wanted {
    kind: String,
    name: String,
    content: String,
    ttl: u64,
    proxied: bool,
    body: Map<String, Value>,
}

async fn wanted(api: &Cloudflare, args: &CreateRecord) -> Result<(Place, Wanted)> {
    let kind = record::writable(&args.kind)?;
    let mut members = record::content_members(&kind, &args.content, args.priority)?;
    let proxied = args.proxied.unwrap_or(false);
    check(&kind, args.ttl, proxied)?;
    let zone = zones::find(api, args.zone.as_deref()).await?;
    let name = record::full_name(&args.name, &zone.name);
    let ttl = if proxied { AUTOMATIC } else { args.ttl.unwrap_or(AUTOMATIC) };
    members.extend([("type", json!(kind)), ("name", json!(name)), ("ttl", json!(ttl))]);
    if matches!(kind.as_str(), "A" | "AAAA" | "CNAME") {
        members.push(("proxied", json!(proxied)));
    }
    members.extend(args.comment.as_deref().filter(|text| !text.is_empty()).map(|text| ("comment", json!(text))));
    let body = members.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    Ok((zone, Wanted { kind, name, content: args.content.clone(), ttl, proxied, body }))
}

fn check(kind: &str, ttl: Option<u64>, proxied: bool) -> Result<()> {
    if ttl.is_some_and(|ttl| ttl != AUTOMATIC && !(30..=86_400).contains(&ttl)) {
        return Err(Error::invalid_input("ttl: 60 to 86400 seconds, or 1 for automatic"));
    }
    if proxied && !matches!(kind, "A" | "AAAA" | "CNAME") {
        return Err(Error::invalid_input("proxied: only A, AAAA and CNAME can go through Cloudflare's proxy"));
    }
    Ok(())
}

async fn send(api: &Cloudflare, zone: &Place, wanted: &Wanted) -> Result<Record> {
    let request = api.request(Method::POST, RECORDS, &[&zone.id])?.json(&wanted.body);
    // An answer that cannot be used says nothing about what was done.
    let unclear = |error: Error| if error.kind == Kind::Upstream { error.with_unknown_outcome() } else { error };
    let answer = wire::send(request).await.map_err(unclear)?;
    record::read(&answer.result).ok_or_else(|| unclear(Error::upstream("Cloudflare answered a record without an id")))
}

/// A record that exists already is as good as created when it is just as wanted.
async fn settle(api: &Cloudflare, zone: &Place, wanted: &Wanted, answered: Result<Record>) -> Result<Created> {
    let error = match answered {
        Ok(record) => return Ok(Created { created: true, record, note: None }),
        Err(error) if wire::is_duplicate(&error) => error,
        Err(error) => return Err(error),
    };
    let Some(record) = twin(api, zone, wanted).await? else { return Err(error) };
    let same = record.ttl.unwrap_or(AUTOMATIC) == wanted.ttl && record.proxied.unwrap_or(false) == wanted.proxied;
    if !same {
        let message =
            format!("{}; it has the id {} and other settings: use update_dns_record", error.message, record.id);
        return Err(Error::new(Kind::Conflict, message));
    }
    Ok(Created { created: false, record, note: Some("The same record was there already.".into()) })
}

/// The record with this name, type and content.
async fn twin(api: &Cloudflare, zone: &Place, wanted: &Wanted) -> Result<Option<Record>> {
    let named = dns::named(api, zone, Some(&wanted.kind), &wanted.name).await?;
    Ok(named.into_iter().find(|record| same(record, wanted)))
}

fn same(record: &Record, wanted: &Wanted) -> bool {
    // The vendor spells SRV without its priority.
    let content = match wanted.kind.as_str() {
        "SRV" => wanted.content.split_whitespace().skip(1).collect::<Vec<_>>().join(" "),
        _ => wanted.content.clone(),
    };
    record::same_content(&wanted.kind, &record.content, &content)
        || record::same_content(&wanted.kind, &record.content, &wanted.content)
}

fn unknown(mut error: Error, wanted: &Wanted) -> Error {
    if error.outcome_unknown {
        error.message = format!(
            "{}. It is unknown whether Cloudflare created {} {}: look with list_dns before trying again",
            error.message, wanted.kind, wanted.name
        );
    }
    error
}

pub async fn plan_create(api: &Cloudflare, args: CreateRecord) -> Result<Plan> {
    let (zone, wanted) = wanted(api, &args).await?;
    let named = dns::named(api, &zone, None, &wanted.name).await?;
    if let Some(twin) = named.iter().find(|record| record.kind == wanted.kind && same(record, &wanted)) {
        return Ok(Plan::new(format!("Nothing: {} {} is there already.", twin.kind, twin.name)));
    }
    let what = format!("{} {}", wanted.kind, wanted.name);
    let mut plan = Plan::new(format!("Create {what} in {}.", zone.name)).adds(what, Value::Object(wanted.body.clone()));
    for other in named {
        let alias = other.kind == "CNAME" || wanted.kind == "CNAME";
        let note = if alias && matches!(other.kind.as_str(), "A" | "AAAA" | "CNAME") {
            format!("Cloudflare will refuse it: {} has a {} record ({})", other.name, other.kind, other.content)
        } else if other.kind == wanted.kind {
            format!("{} has another {} record already: {}", other.name, other.kind, other.content)
        } else {
            continue;
        };
        plan = plan.note(note);
    }
    Ok(plan)
}

pub async fn update(api: &Cloudflare, args: UpdateRecord) -> Result<Updated> {
    let (zone, before) = present(api, args.zone.as_deref(), &args.record_id).await?;
    let body = changes(&args, &zone, &before)?;
    // Fields get absolute values, so that doing it twice is doing it once.
    let request = api.request(Method::PATCH, RECORD, &[&zone.id, &before.id])?.json(&body).repeatable();
    let answer = wire::send(request).await?;
    let record = record::read(&answer.result)
        .ok_or_else(|| Error::upstream("Cloudflare answered a record without an id").with_unknown_outcome())?;
    Ok(Updated { record })
}

/// The record as it is; NS and SOA are left alone.
async fn present(api: &Cloudflare, zone: Option<&str>, id: &str) -> Result<(Place, Record)> {
    let zone = zones::find(api, zone).await?;
    let answer = wire::send(api.get(RECORD, &[&zone.id, id])?).await?;
    let record =
        record::read(&answer.result).ok_or_else(|| Error::upstream("Cloudflare answered a record without an id"))?;
    if matches!(record.kind.as_str(), "NS" | "SOA") {
        record::writable(&record.kind)?;
    }
    Ok((zone, record))
}

fn changes(args: &UpdateRecord, zone: &Place, before: &Record) -> Result<Map<String, Value>> {
    check(&before.kind, args.ttl, args.proxied.unwrap_or(false))?;
    let mut body: Vec<(&str, Value)> = Vec::new();
    body.extend(args.name.as_deref().map(|name| ("name", json!(record::full_name(name, &zone.name)))));
    if let Some(content) = &args.content {
        let priority = args.priority.or(before.priority);
        body.extend(record::content_members(&before.kind, content, priority)?);
    } else {
        body.extend(args.priority.map(|priority| ("priority", json!(priority))));
    }
    body.extend(args.ttl.map(|ttl| ("ttl", json!(ttl))));
    body.extend(args.proxied.map(|proxied| ("proxied", json!(proxied))));
    body.extend(args.comment.as_ref().map(|comment| ("comment", json!(comment))));
    if body.is_empty() {
        return Err(Error::invalid_input("nothing to change: give name, content, ttl, proxied, priority or comment"));
    }
    Ok(body.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

pub async fn plan_update(api: &Cloudflare, args: UpdateRecord) -> Result<Plan> {
    let (zone, before) = present(api, args.zone.as_deref(), &args.record_id).await?;
    changes(&args, &zone, &before)?;
    let what = format!("{} {}", before.kind, before.name);
    let mut plan = Plan::new(format!("Change {what} in {}.", zone.name));
    if let Some(name) = &args.name {
        plan = plan.sets("name", before.name.clone(), record::full_name(name, &zone.name));
    }
    if let Some(content) = &args.content
        && !record::same_content(&before.kind, &before.content, content)
    {
        plan = plan.sets("content", before.content.clone(), content.clone());
    }
    if let Some(ttl) = args.ttl {
        plan = plan.sets("ttl", before.ttl.unwrap_or(AUTOMATIC), ttl);
    }
    if let Some(proxied) = args.proxied {
        plan = plan.sets("proxied", before.proxied.unwrap_or(false), proxied);
    }
    if let Some(priority) = args.priority {
        plan = plan.sets("priority", json!(before.priority), priority);
    }
    if let Some(comment) = &args.comment {
        plan = plan.sets("comment", before.comment.clone().unwrap_or_default(), comment.clone());
    }
    Ok(plan)
}

pub async fn delete(api: &Cloudflare, args: DeleteRecord) -> Result<Deleted> {
    let (zone, before) = present(api, args.zone.as_deref(), &args.record_id).await?;
    let outcome = api.request(Method::DELETE, RECORD, &[&zone.id, &before.id])?.send().await;
    match outcome {
        Ok(_) => Ok(Deleted { deleted: before }),
        // It was there a moment ago: an earlier attempt whose reply was lost has deleted it.
        Err(error) if error.kind == Kind::NotFound => Ok(Deleted { deleted: before }),
        Err(error) => Err(error),
    }
}

pub async fn plan_delete(api: &Cloudflare, args: DeleteRecord) -> Result<Plan> {
    let (zone, before) = present(api, args.zone.as_deref(), &args.record_id).await?;
    let what = format!("{} {}", before.kind, before.name);
    let plan = Plan::new(format!("Delete {what} from {}.", zone.name));
    let row = serde_json::to_value(&before).map_err(|e| Error::internal("a record is not JSON").with_source(e))?;
    Ok(plan.removes(what, row))
}
