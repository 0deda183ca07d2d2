//! Carrying out a plan, exactly that one.
//!
//! Neither API has an idempotency key for records. v1 sets the records of a type and name to what they are to be, which
//! can be repeated. v3 can only create and delete: after a lost reply the records are read before anything else happens.

use schemars::JsonSchema;
use sdk::http::Method;
use sdk::{Error, Kind, Plan, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::diff::{Changed, Diff};
use super::record::{Present, Record};
use super::records::{self, Filter};
use super::{Api, GoDaddy, domain_name, plan};

/// Carries out a plan of dns_plan at GoDaddy: give its `plan` with the same `domain`, `records` and `remove`. Refused when
/// the domain's DNS has changed since. Never replaces a whole zone. Answers what was done.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ApplyDnsPlan {
    /// `example.com`
    #[schemars(length(min = 3, max = 253))]
    domain: String,
    /// `plan` of dns_plan.
    #[schemars(length(min = 32, max = 32))]
    plan: String,
    /// As in dns_plan.
    #[serde(default)]
    #[schemars(length(max = 50))]
    records: Vec<Record>,
    /// As in dns_plan.
    #[serde(default)]
    #[schemars(length(max = 50))]
    remove: Vec<String>,
}

/// What was done.
#[derive(Serialize, JsonSchema)]
pub struct Applied {
    domain: String,
    added: usize,
    changed: usize,
    removed: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<&'static str>,
}

pub async fn apply(api: &GoDaddy, args: ApplyDnsPlan) -> Result<Applied> {
    let domain = domain_name(&args.domain)?;
    let (present, diff) = plan::compare(api, &domain, &args.records, &args.remove).await?;
    if diff.is_empty() {
        let note = Some("Everything was as wanted already.");
        return Ok(Applied { domain, added: 0, changed: 0, removed: 0, note });
    }
    bound(&args.plan, &diff, &domain, &present)?;
    match api.api() {
        Api::V1 => by_sets(api, &domain, &diff, &present).await?,
        Api::V3 => by_records(api, &domain, &diff, &present).await?,
    }
    let (added, changed, removed) = (diff.added.len(), diff.changed.len(), diff.removed.len());
    Ok(Applied { domain, added, changed, removed, note: None })
}

fn bound(plan: &str, diff: &Diff, domain: &str, present: &[Present]) -> Result<()> {
    if plan.trim() == diff.fingerprint(domain, present) {
        return Ok(());
    }
    Err(Error::new(
        Kind::Conflict,
        format!(
            "the DNS of {domain} is not as it was when the plan was made, or `records` and `remove` are not those of the \
             plan; nothing was changed. Make a new one with dns_plan"
        ),
    ))
}

/// v1: each touched type and name gets its records at once, which can be repeated.
async fn by_sets(api: &GoDaddy, domain: &str, diff: &Diff, present: &[Present]) -> Result<()> {
    const SET: &str = "/v1/domains/{domain}/records/{type}/{name}";
    let mut sets: Vec<(String, String, Vec<Record>)> = sets(diff, present);
    // What goes makes room for what comes.
    sets.sort_by_key(|(.., records)| !records.is_empty());
    for (done, (kind, name, records)) in sets.iter().enumerate() {
        let outcome = if records.is_empty() {
            let sent = api.request(Method::DELETE, SET, &[domain, kind, name])?.send().await;
            // An attempt whose reply was lost has removed them.
            sent.map(|_| ()).or_else(|error| if error.kind == Kind::NotFound { Ok(()) } else { Err(error) })
        } else {
            let body = records.iter().map(v1_body).collect::<Result<Vec<Value>>>()?;
            api.request(Method::PUT, SET, &[domain, kind, name])?.json(&body).send().await.map(|_| ())
        };
        outcome.map_err(|error| midway(error, done))?;
    }
    Ok(())
}

/// The touched sets as v1 knows them, with all that they are to hold. All services of a host are one set there, so that
/// those that nobody asked about have to be among them.
fn sets(diff: &Diff, present: &[Present]) -> Vec<(String, String, Vec<Record>)> {
    let mut sets: Vec<(String, String, Vec<Record>)> = Vec::new();
    for ((kind, name), _) in diff.after.iter().filter(|((kind, name), _)| diff.touches(kind, name)) {
        let path = v1_name(kind, name);
        if sets.iter().any(|(other, at, _)| other == kind && *at == path) {
            continue;
        }
        let here = |record: &&Record| record.kind == *kind && v1_name(kind, &record.name) == path;
        let planned = |record: &&Record| diff.after.iter().any(|(set, _)| *set == record.set());
        let others = present.iter().map(|present| &present.record).filter(|record| here(record) && !planned(record));
        let wanted = diff.after.iter().flat_map(|(_, records)| records).filter(here);
        sets.push((kind.clone(), path.clone(), others.chain(wanted).cloned().collect()));
    }
    sets
}

/// SRV stands at the host's name, its service and protocol apart from it.
fn v1_name(kind: &str, name: &str) -> String {
    if kind != "SRV" {
        return name.to_owned();
    }
    name.splitn(3, '.').nth(2).unwrap_or("@").to_owned()
}

/// A record of a set: type and name stand in the path.
fn v1_body(record: &Record) -> Result<Value> {
    let mut body = record.body()?;
    if let Some(body) = body.as_object_mut() {
        body.remove("type");
        body.remove("name");
    }
    Ok(body)
}

/// v3: what goes is deleted, what comes is created, record by record.
async fn by_records(api: &GoDaddy, domain: &str, diff: &Diff, present: &[Present]) -> Result<()> {
    let mut done = 0;
    for record in &diff.removed {
        delete(api, domain, record, present).await.map_err(|error| midway(error, done))?;
        done += 1;
    }
    for record in &diff.added {
        create(api, domain, record).await.map_err(|error| midway(error, done))?;
        done += 1;
    }
    for change in &diff.changed {
        replace(api, domain, change, present).await.map_err(|error| midway(error, done))?;
        done += 1;
    }
    Ok(())
}

/// There is no update. The old record goes first, because the new one may not stand beside it; if the new one is refused
/// the old one is put back.
async fn replace(api: &GoDaddy, domain: &str, change: &Changed, present: &[Present]) -> Result<()> {
    delete(api, domain, &change.before, present).await?;
    let Err(error) = create(api, domain, &change.after).await else { return Ok(()) };
    if error.outcome_unknown {
        return Err(error);
    }
    let back = create(api, domain, &change.before).await;
    let what = format!("{} {}", change.before.kind, change.before.name);
    let now =
        if back.is_ok() { "the old record was put back" } else { "THE OLD RECORD IS GONE and could not be put back" };
    Err(Error::new(error.kind, format!("{}; {what}: {now}", error.message)))
}

async fn delete(api: &GoDaddy, domain: &str, record: &Record, present: &[Present]) -> Result<()> {
    // The vendor may hold the same record twice.
    let ids: Vec<&str> = present
        .iter()
        .filter(|present| present.record.equals(record))
        .filter_map(|present| present.id.as_deref())
        .collect();
    if ids.is_empty() {
        return Err(Error::upstream("GoDaddy listed a record without an id, so it cannot be removed"));
    }
    for id in ids {
        let request = api.request(Method::DELETE, "/v3/domains/zones/{zone}/dns-records/{recordId}", &[domain, id])?;
        match request.send().await {
            Ok(_) => {}
            // It was there a moment ago: an attempt whose reply was lost has removed it.
            Err(error) if error.kind == Kind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

async fn create(api: &GoDaddy, domain: &str, record: &Record) -> Result<()> {
    let request = api.request(Method::POST, "/v3/domains/zones/{zone}/dns-records", &[domain])?;
    let error = match request.json(&record.body()?).send().await {
        Ok(_) => return Ok(()),
        Err(error) if error.outcome_unknown => error,
        Err(error) => return Err(error),
    };
    // The vendor may keep a record twice, so it is never sent again: either it is there, or nobody knows.
    let filter = Filter { kind: Some(record.kind.clone()), name: Some(v1_name(&record.kind, &record.name)) };
    let there = records::all(api, domain, &filter).await.unwrap_or_default();
    if there.iter().any(|present| present.record.equals(record)) {
        return Ok(());
    }
    let message = format!(
        "{}. It is unknown whether GoDaddy created {} {}: make a new plan with dns_plan, which shows what is there",
        error.message, record.kind, record.name
    );
    Err(Error::new(error.kind, message).with_unknown_outcome())
}

/// What fails after something was done says so; the rest of the plan was not begun.
fn midway(mut error: Error, done: usize) -> Error {
    if done > 0 {
        error.message =
            format!("{}. {done} step(s) of the plan were done before; dns_plan shows what is left", error.message);
    }
    error
}

impl Diff {
    fn touches(&self, kind: &str, name: &str) -> bool {
        let changed = self.changed.iter().map(|change| &change.after);
        let all = self.added.iter().chain(&self.removed).chain(changed);
        all.into_iter().any(|record| record.kind == kind && record.name == name)
    }
}

pub async fn dry_run(api: &GoDaddy, args: ApplyDnsPlan) -> Result<Plan> {
    let domain = domain_name(&args.domain)?;
    let (present, diff) = plan::compare(api, &domain, &args.records, &args.remove).await?;
    if diff.is_empty() {
        return Ok(Plan::new(format!("Nothing: the records of {domain} are as wanted already.")));
    }
    bound(&args.plan, &diff, &domain, &present)?;
    let mut told = Plan::new(format!("Change the DNS of {domain} at GoDaddy; all other records stay."));
    for record in &diff.added {
        told = told.adds(title(record), value(record));
    }
    for change in &diff.changed {
        told = told.sets(title(&change.before), value(&change.before), value(&change.after));
    }
    for record in &diff.removed {
        told = told.removes(title(record), value(record));
    }
    if !diff.changed.is_empty() && api.api() == Api::V3 {
        told = told.note("GoDaddy cannot change a record: it is deleted and created anew, and missing for a moment.");
    }
    Ok(told)
}

fn title(record: &Record) -> String {
    format!("{} {}", record.kind, record.name)
}

fn value(record: &Record) -> Value {
    json!({"data": record.data, "ttl": record.ttl, "priority": record.priority})
}
