//! Pipelines and opportunities.

use std::{cmp::Reverse, collections::HashMap, sync::Arc};

use axum::extract::{Path, Query, State};
use serde_json::{Map, Value, json};

use super::{
    contacts::{known_user, merge, strings, succeeded, text},
    gate::{Body, Call},
    reply::{Refusal, Reply, created, ok},
};
use crate::{
    business::{Business, Id, Kind, Opportunity, Pipeline},
    clock::{Millis, iso, parse},
    world::World,
};

const STATUSES: &[&str] = &["open", "won", "lost", "abandoned"];

pub(crate) async fn pipelines(
    State(world): State<Arc<World>>,
    call: Call,
    Query(query): Query<HashMap<String, String>>,
) -> Reply {
    call.at(query.get("locationId").map(String::as_str))?;
    let business = world.business();
    let pipelines: Vec<Value> = business.pipelines.iter().map(|pipeline| pipeline_shown(pipeline, &call)).collect();
    ok(&json!({"pipelines": pipelines, "traceId": call.trace}))
}

fn pipeline_shown(pipeline: &Pipeline, call: &Call) -> Value {
    let stage = |(position, (id, name)): (usize, &(String, &str))| json!({"id": id, "name": name, "position": position, "showInFunnel": true, "showInPieChart": true});
    let stages: Vec<Value> = pipeline.stages.iter().enumerate().map(stage).collect();
    json!({"id": pipeline.id, "name": pipeline.name, "stages": stages, "showInFunnel": true, "showInPieChart": true,
        "locationId": call.location})
}

/// `GET /opportunities/search`: snake case in the dated versions, camel case in v3.
pub(crate) async fn search(
    State(world): State<Arc<World>>,
    call: Call,
    Query(query): Query<HashMap<String, String>>,
) -> Reply {
    let get = |dated: &str, v3: &str| query.get(if call.v3() { v3 } else { dated }).map(String::as_str);
    let location = get("location_id", "locationId");
    if location.is_none() {
        let name = if call.v3() { "locationId" } else { "location_id" };
        return Err(Refusal::invalid([format!("{name} should not be empty"), format!("{name} must be a string")]));
    }
    call.at(location)?;
    let limit =
        query.get("limit").map_or(Some(20), |limit| limit.parse().ok()).filter(|limit| (1..=100).contains(limit));
    let Some(limit) = limit else {
        return Err(Refusal::invalid(["limit must not be greater than 100"]));
    };
    let wanted = Wanted {
        pipeline: get("pipeline_id", "pipelineId"),
        stage: get("pipeline_stage_id", "pipelineStageId"),
        contact: get("contact_id", "contactId"),
        user: get("assigned_to", "assignedTo"),
        status: query.get("status").map(String::as_str).filter(|status| *status != "all"),
        id: query.get("id").map(String::as_str),
        query: query.get("q").map(|text| text.to_lowercase()).unwrap_or_default(),
        since: query.get("date").and_then(|date| day(date)),
        until: query.get("endDate").and_then(|date| day(date)),
    };
    let page: usize = query.get("page").and_then(|page| page.parse().ok()).unwrap_or(1).max(1);
    let after = query.get("startAfter").and_then(|at| at.parse().ok());
    let after_id = query.get("startAfterId").and_then(|id| id.parse().ok());
    let business = world.business();
    let rows = wanted.rows(&business);
    let total = rows.len();
    let start = match (after, after_id) {
        (Some(at), Some(id)) => {
            rows.partition_point(|row| (Reverse(row.added), Reverse(row.id)) <= (Reverse(at), Reverse(id)))
        }
        _ => (page - 1).saturating_mul(limit).min(total),
    };
    let rows = &rows[start..total.min(start + limit)];
    let shown: Vec<Value> = rows.iter().map(|row| opportunity_shown(&business, row, &call)).collect();
    let meta = meta(rows.last(), total, page, limit, start + rows.len() < total, &call);
    ok(&json!({"opportunities": shown, "meta": meta, "aggregations": {}, "traceId": call.trace}))
}

/// The dated API takes `mm-dd-yyyy`.
fn day(text: &str) -> Option<Millis> {
    let date = chrono::NaiveDate::parse_from_str(text, "%m-%d-%Y").ok();
    date.and_then(|date| Some(date.and_hms_opt(0, 0, 0)?.and_utc().timestamp_millis())).or_else(|| parse(text))
}

fn meta(last: Option<&&Opportunity>, total: usize, page: usize, limit: usize, more: bool, call: &Call) -> Value {
    let location = if call.v3() { "locationId" } else { "location_id" };
    let mut meta = json!({"total": total, "currentPage": page});
    let Some(fields) = meta.as_object_mut() else { return meta };
    if let Some(last) = last {
        fields.insert("startAfterId".into(), last.id.as_str().into());
        fields.insert("startAfter".into(), last.added.into());
        if more {
            let url = format!(
                "http://services.leadconnectorhq.com/opportunities/search?{location}={}&limit={limit}&startAfter={}&startAfterId={}",
                call.location, last.added, last.id
            );
            fields.insert("nextPageUrl".into(), url.into());
            fields.insert("nextPage".into(), (page + 1).into());
        }
    }
    if page > 1 {
        fields.insert("prevPage".into(), (page - 1).into());
    }
    meta
}

#[derive(Default)]
struct Wanted<'a> {
    pipeline: Option<&'a str>,
    stage: Option<&'a str>,
    contact: Option<&'a str>,
    user: Option<&'a str>,
    status: Option<&'a str>,
    id: Option<&'a str>,
    query: String,
    since: Option<Millis>,
    until: Option<Millis>,
}

impl Wanted<'_> {
    /// Newest first.
    fn rows<'b>(&self, business: &'b Business) -> Vec<&'b Opportunity> {
        let mut rows: Vec<&Opportunity> =
            business.opportunities.iter().filter(|row| self.fits(row) && self.mentioned(business, row)).collect();
        rows.sort_unstable_by_key(|row| (Reverse(row.added), Reverse(row.id)));
        rows
    }

    fn fits(&self, row: &Opportunity) -> bool {
        let same = |wanted: Option<&str>, own: &str| wanted.is_none_or(|wanted| wanted == own);
        same(self.pipeline, row.pipeline.as_str())
            && same(self.stage, &row.stage)
            && same(self.contact, row.contact.as_str())
            && same(self.status, &row.status)
            && same(self.id, row.id.as_str())
            && same(self.user, row.assigned_to.as_ref().map(Id::as_str).unwrap_or_default())
            && self.since.is_none_or(|since| row.added >= since)
            && self.until.is_none_or(|until| row.added <= until)
    }

    fn mentioned(&self, business: &Business, row: &Opportunity) -> bool {
        if self.query.is_empty() || row.name.to_lowercase().contains(&self.query) {
            return true;
        }
        let Some(contact) = business.contacts.get(row.contact) else { return false };
        let email = contact.email.as_deref().unwrap_or_default();
        contact.name().to_lowercase().contains(&self.query) || email.contains(&self.query)
    }
}

/// `POST /opportunities/search`.
pub(crate) async fn search_body(State(world): State<Arc<World>>, call: Call, Body(body): Body) -> Reply {
    call.body_at(&body)?;
    let number = |key: &str, default| body.get(key).and_then(Value::as_u64).unwrap_or(default);
    let limit = number("limit", 20);
    if !(1..=500).contains(&limit) {
        return Err(Refusal::invalid(["limit must not be greater than 500"]));
    }
    let (limit, page) = (limit as usize, number("page", 1).max(1) as usize);
    let wanted = Wanted { query: text(&body, "query").unwrap_or_default().to_lowercase(), ..Wanted::default() };
    let after = body.get("searchAfter").and_then(Value::as_array).filter(|after| after.len() == 2);
    let after = after.and_then(|after| {
        let at = after[0].as_i64().or_else(|| after[0].as_str()?.parse().ok())?;
        Some((at, after[1].as_str()?.parse::<Id>().ok()?))
    });
    let business = world.business();
    let rows = wanted.rows(&business);
    let total = rows.len();
    let start = match after {
        Some((at, id)) => {
            rows.partition_point(|row| (Reverse(row.added), Reverse(row.id)) <= (Reverse(at), Reverse(id)))
        }
        None => (page - 1).saturating_mul(limit).min(total),
    };
    let rows = &rows[start..total.min(start + limit)];
    let shown = rows.iter().map(|row| {
        let mut shown = opportunity_shown(&business, row, &call);
        shown["searchAfter"] = json!([row.added.to_string(), row.id]);
        shown
    });
    let shown: Vec<Value> = shown.collect();
    ok(&json!({"opportunities": shown, "total": total, "aggregations": {}, "traceId": call.trace}))
}

pub(crate) async fn get(State(world): State<Arc<World>>, call: Call, Path(id): Path<String>) -> Reply {
    let business = world.business();
    let position = position(&business, &id)?;
    let shown = opportunity_shown(&business, &business.opportunities[position], &call);
    ok(&json!({"opportunity": shown, "traceId": call.trace}))
}

pub(crate) async fn create(State(world): State<Arc<World>>, call: Call, Body(body): Body) -> Reply {
    let needed = ["pipelineId", "locationId", "name", "status", "contactId"];
    let missing: Vec<String> = needed
        .iter()
        .filter(|key| text(&body, key).is_none())
        .map(|key| format!("{key} should not be empty"))
        .collect();
    if !missing.is_empty() {
        return Err(Refusal::invalid(missing));
    }
    call.body_at(&body)?;
    let mut business = world.business();
    let opportunity = new(&mut business, &call, &body)?;
    let shown = add(&world, &mut business, &call, opportunity);
    created(&json!({"opportunity": shown, "traceId": call.trace}))
}

fn new(business: &mut Business, call: &Call, body: &Map<String, Value>) -> Result<Opportunity, Refusal> {
    let contact = text(body, "contactId").unwrap_or_default();
    let contact = super::contacts::find(business, contact)
        .map_err(|_| Refusal::bad_request(format!("The contact id {contact} is invalid.")))?;
    let (contact, name) = (contact.id, contact.name());
    let pipeline = pipeline(business, text(body, "pipelineId").unwrap_or_default())?;
    let (pipeline, stage) = (pipeline.id, pipeline.stages[0].0.clone());
    let mut opportunity = Opportunity {
        id: business.new_id(Kind::Opportunity),
        name,
        contact,
        pipeline,
        stage,
        status: "open".into(),
        value: 0.0,
        assigned_to: None,
        source: Some("public api".into()),
        lost_reason: None,
        custom_fields: Vec::new(),
        followers: Vec::new(),
        added: call.now,
        updated: call.now,
        status_changed: call.now,
        stage_changed: call.now,
    };
    fill(&mut opportunity, body, business, call)?;
    Ok(opportunity)
}

fn add(world: &World, business: &mut Business, call: &Call, opportunity: Opportunity) -> Value {
    let shown = opportunity_shown(business, &opportunity, call);
    let event = event(&opportunity, call);
    let id = opportunity.id;
    business.opportunities.push(opportunity);
    world.committed(business, "api", "OpportunityCreate", id.as_str(), event);
    shown
}

pub(crate) async fn update(
    State(world): State<Arc<World>>,
    call: Call,
    Path(id): Path<String>,
    Body(body): Body,
) -> Reply {
    let mut business = world.business();
    let position = position(&business, &id)?;
    let shown = change(&world, &mut business, &call, position, &body)?;
    let mut answer = json!({"opportunity": shown, "traceId": call.trace});
    if call.v3() {
        answer["success"] = true.into();
    }
    ok(&answer)
}

pub(crate) async fn set_status(
    State(world): State<Arc<World>>,
    call: Call,
    Path(id): Path<String>,
    Body(body): Body,
) -> Reply {
    if text(&body, "status").is_none() {
        return Err(Refusal::invalid(["status should not be empty"]));
    }
    let mut business = world.business();
    let position = position(&business, &id)?;
    change(&world, &mut business, &call, position, &body)?;
    ok(&done(&call))
}

pub(crate) async fn delete(State(world): State<Arc<World>>, call: Call, Path(id): Path<String>) -> Reply {
    let mut business = world.business();
    let position = position(&business, &id)?;
    let removed = business.opportunities.remove(position);
    let event = event(&removed, &call);
    world.committed(&mut business, "api", "OpportunityDelete", removed.id.as_str(), event);
    ok(&done(&call))
}

fn done(call: &Call) -> Value {
    let mut answer = succeeded(call, json!({}));
    if call.v3() {
        answer["success"] = true.into();
    }
    answer
}

/// Updates by id, else the open one of this contact in this pipeline, else creates.
pub(crate) async fn upsert(State(world): State<Arc<World>>, call: Call, Body(body): Body) -> Reply {
    call.body_at(&body)?;
    let mut business = world.business();
    let pipeline = pipeline(&business, text(&body, "pipelineId").unwrap_or_default())?.id;
    let (id, contact) = (text(&body, "id"), text(&body, "contactId"));
    let known = business.opportunities.iter().position(|row| match id {
        Some(id) => row.id.as_str() == id,
        None => row.pipeline == pipeline && Some(row.contact.as_str()) == contact && row.status == "open",
    });
    let shown = match known {
        Some(position) => change(&world, &mut business, &call, position, &body)?,
        None => {
            let opportunity = new(&mut business, &call, &body)?;
            add(&world, &mut business, &call, opportunity)
        }
    };
    ok(&json!({"opportunity": shown, "new": known.is_none(), "traceId": call.trace}))
}

/// One effect; the event of each kind of change goes out with it.
fn change(
    world: &World,
    business: &mut Business,
    call: &Call,
    position: usize,
    body: &Map<String, Value>,
) -> Result<Value, Refusal> {
    let before = business.opportunities[position].clone();
    let mut after = before.clone();
    fill(&mut after, body, business, call)?;
    after.updated = call.now;
    let event = event(&after, call);
    let changes = [
        ("OpportunityStageUpdate", after.stage != before.stage),
        ("OpportunityStatusUpdate", after.status != before.status),
        ("OpportunityMonetaryValueUpdate", after.value.total_cmp(&before.value).is_ne()),
        ("OpportunityAssignedToUpdate", after.assigned_to != before.assigned_to),
    ];
    let shown = opportunity_shown(business, &after, call);
    business.opportunities.replace(position, after);
    world.committed(business, "api", "OpportunityUpdate", before.id.as_str(), event.clone());
    for (kind, _) in changes.into_iter().filter(|(_, changed)| *changed) {
        world.announce(kind, &event);
    }
    Ok(shown)
}

fn fill(row: &mut Opportunity, body: &Map<String, Value>, business: &Business, call: &Call) -> Result<(), Refusal> {
    if let Some(name) = text(body, "name") {
        name.clone_into(&mut row.name);
    }
    if let Some(id) = text(body, "pipelineId") {
        let pipeline = pipeline(business, id)?;
        if pipeline.id != row.pipeline {
            row.pipeline = pipeline.id;
            row.stage.clone_from(&pipeline.stages[0].0);
            row.stage_changed = call.now;
        }
    }
    if let Some(stage) = text(body, "pipelineStageId") {
        let pipeline = pipeline(business, row.pipeline.as_str())?;
        if !pipeline.stages.iter().any(|(id, _)| id == stage) {
            return Err(Refusal::bad_request(format!("The pipeline stage id {stage} is invalid.")));
        }
        stage.clone_into(&mut row.stage);
        row.stage_changed = call.now;
    }
    if let Some(status) = text(body, "status") {
        if !STATUSES.contains(&status) {
            let known = STATUSES.join(", ");
            return Err(Refusal::invalid([format!("status must be one of the following values: {known}")]));
        }
        row.status = status.to_owned().into();
        row.status_changed = call.now;
    }
    if let Some(value) = body.get("monetaryValue").filter(|value| !value.is_null()) {
        let number = value.as_f64().or_else(|| value.as_str()?.parse().ok());
        row.value = number.ok_or_else(|| Refusal::invalid(["monetaryValue must be a number"]))?;
    }
    fill_rest(row, body, business)
}

fn fill_rest(row: &mut Opportunity, body: &Map<String, Value>, business: &Business) -> Result<(), Refusal> {
    if let Some(user) = body.get("assignedTo") {
        row.assigned_to = known_user(user, business)?;
    }
    if let Some(reason) = text(body, "lostReasonId") {
        row.lost_reason = Some(reason.to_owned());
    }
    if let Some(answers) = body.get("customFields") {
        merge(&mut row.custom_fields, answers, business)?;
    }
    if body.contains_key("followers") {
        row.followers = strings(body, "followers");
    }
    Ok(())
}

fn pipeline<'a>(business: &'a Business, id: &str) -> Result<&'a Pipeline, Refusal> {
    let found = business.pipelines.iter().find(|pipeline| pipeline.id.as_str() == id);
    found.ok_or_else(|| Refusal::bad_request(format!("The pipeline id {id} is invalid.")))
}

fn position(business: &Business, id: &str) -> Result<usize, Refusal> {
    let found = business.opportunities.iter().position(|row| row.id.as_str() == id);
    found.ok_or_else(|| Refusal::not_found(format!("Opportunity with id {id} not found")))
}

fn event(row: &Opportunity, call: &Call) -> Value {
    let mut event = json!({"locationId": call.location, "id": row.id, "contactId": row.contact,
        "monetaryValue": row.value, "name": row.name, "pipelineId": row.pipeline, "pipelineStageId": row.stage,
        "status": row.status, "dateAdded": iso(row.added)});
    if let Some(fields) = event.as_object_mut() {
        row.assigned_to.map(|user| fields.insert("assignedTo".into(), user.as_str().into()));
        row.source.as_ref().map(|source| fields.insert("source".into(), source.as_ref().into()));
    }
    event
}

fn opportunity_shown(business: &Business, row: &Opportunity, call: &Call) -> Value {
    let answers = row.custom_fields.iter().map(|(id, value)| json!({"id": id, "fieldValue": value}));
    let mut shown = json!({"id": row.id, "name": row.name, "monetaryValue": row.value, "pipelineId": row.pipeline,
        "pipelineStageId": row.stage, "status": row.status, "lastStatusChangeAt": iso(row.status_changed),
        "lastStageChangeAt": iso(row.stage_changed), "lastActionDate": iso(row.updated), "indexVersion": "1",
        "createdAt": iso(row.added), "updatedAt": iso(row.updated), "contactId": row.contact,
        "locationId": call.location, "notes": [], "tasks": [], "calendarEvents": [],
        "customFields": answers.collect::<Vec<_>>(), "followers": row.followers});
    let Some(fields) = shown.as_object_mut() else { return shown };
    row.assigned_to.map(|user| fields.insert("assignedTo".into(), user.as_str().into()));
    row.source.as_ref().map(|source| fields.insert("source".into(), source.as_ref().into()));
    row.lost_reason.as_ref().map(|reason| fields.insert("lostReasonId".into(), reason.as_str().into()));
    if let Some(contact) = business.contacts.get(row.contact) {
        let mut who = json!({"id": contact.id, "name": contact.name(), "tags": contact.tags});
        let texts = [("companyName", &contact.company), ("email", &contact.email), ("phone", &contact.phone)];
        for (key, value) in texts {
            if let Some(value) = value {
                who[key] = value.as_ref().into();
            }
        }
        fields.insert("contact".into(), who);
    }
    shown
}
