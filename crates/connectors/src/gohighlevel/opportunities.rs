//! Pipelines and opportunities.

use std::sync::OnceLock;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use sdk::http::Method;
use sdk::{Error, Plan, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::contacts::Found;
use super::{Generation, GoHighLevel, plans, v1, wire};
use crate::{cursor, json};

/// The most rows that the search gives in a page.
pub const LARGEST_PAGE: u32 = 100;

/// The sales pipelines of GoHighLevel and their stages with ids. Use it to learn the ids that `list_opportunities` and
/// `update_opportunity` take. Answers `pipelines`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListPipelines {}

/// Opportunities (deals) of GoHighLevel, filtered by pipeline, stage, contact, status or words. Use it to see the
/// deals themselves; for counts and sums use `pipeline_digest`. Answers `opportunities`, `total`, and `next_cursor`
/// when there are more.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListOpportunities {
    /// Words to search for in the deal's or the contact's name.
    #[schemars(length(min = 1, max = 75))]
    query: Option<String>,
    /// Only this pipeline, by id.
    #[schemars(length(min = 1, max = 128))]
    pipeline_id: Option<String>,
    /// Only this stage, by id.
    #[schemars(length(min = 1, max = 128))]
    stage_id: Option<String>,
    /// Only this contact's, by id.
    #[schemars(length(min = 1, max = 128))]
    contact_id: Option<String>,
    /// Only this status; all unless given.
    status: Option<Status>,
    /// How many, 20 unless given.
    #[schemars(range(min = 1, max = 100))]
    limit: Option<u32>,
    /// `next_cursor` of the previous answer.
    #[schemars(length(max = 2000))]
    cursor: Option<String>,
    /// Adds ids of pipeline and stage, owner, source and dates.
    #[serde(default)]
    detailed: bool,
}

/// Moves an opportunity (deal) of GoHighLevel to another stage, or changes its status (won, lost), value, name or
/// owner. Fields that are not given stay. Answers the changed `opportunity`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateOpportunity {
    /// The opportunity's id.
    #[schemars(length(min = 1, max = 128))]
    opportunity_id: String,
    /// The new status.
    status: Option<Status>,
    /// The new stage, by id (`list_pipelines`).
    #[schemars(length(min = 1, max = 128))]
    stage_id: Option<String>,
    /// The new pipeline, by id; give a stage of it as well.
    #[schemars(length(min = 1, max = 128))]
    pipeline_id: Option<String>,
    /// The new value in the account's currency.
    #[schemars(range(min = 0.0, max = 1_000_000_000.0))]
    value: Option<f64>,
    /// The new name.
    #[schemars(length(min = 1, max = 200))]
    name: Option<String>,
    /// The id of the user who is to own it.
    #[schemars(length(min = 1, max = 128))]
    assigned_to: Option<String>,
}

#[derive(Clone, Copy, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    Open,
    Won,
    Lost,
    Abandoned,
}

/// All pipelines.
#[derive(Serialize, JsonSchema)]
pub struct Pipelines {
    pipelines: Vec<Pipeline>,
}

/// A pipeline with its stages in order.
#[derive(Clone, Serialize, JsonSchema)]
pub struct Pipeline {
    pub id: String,
    pub name: String,
    pub stages: Vec<Stage>,
}

/// A stage of a pipeline.
#[derive(Clone, Serialize, JsonSchema)]
pub struct Stage {
    pub id: String,
    pub name: String,
}

/// Opportunities.
#[derive(Serialize, JsonSchema)]
pub struct Opportunities {
    opportunities: Vec<Opportunity>,
    /// How many match in all.
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<u64>,
    /// Give it as `cursor` for the next page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// One opportunity that was changed.
#[derive(Serialize, JsonSchema)]
pub struct UpdatedOpportunity {
    opportunity: Opportunity,
}

/// A deal.
#[derive(Serialize, JsonSchema)]
pub struct Opportunity {
    id: String,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    contact_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    contact: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pipeline: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stage: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<String>,
    /// In the account's currency.
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    updated_at: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<Details>,
}

/// What a deal has besides.
#[derive(Serialize, JsonSchema)]
pub struct Details {
    #[serde(skip_serializing_if = "Option::is_none")]
    pipeline_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stage_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    assigned_to: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_at: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    in_stage_since: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_since: Option<DateTime<Utc>>,
}

pub async fn list_pipelines(api: &GoHighLevel, _: ListPipelines) -> Result<Pipelines> {
    Ok(Pipelines { pipelines: pipelines(api).await?.to_vec() })
}

pub async fn list(api: &GoHighLevel, args: ListOpportunities) -> Result<Opportunities> {
    let limit = args.limit.unwrap_or(20).clamp(1, LARGEST_PAGE);
    let at = cursor::decode_option(args.cursor.as_deref())?;
    let filter = Filter {
        query: args.query,
        pipeline: args.pipeline_id,
        stage: args.stage_id,
        contact: args.contact_id,
        status: args.status,
    };
    let (found, pipelines) = futures::try_join!(find(api, &filter, limit, at.as_ref()), pipelines(api))?;
    let full = found.rows.len() >= limit as usize;
    Ok(Opportunities {
        opportunities: found.rows.iter().map(|row| Opportunity::of(row, pipelines, args.detailed)).collect(),
        total: found.total,
        next_cursor: found.next.filter(|_| full).as_ref().map(cursor::encode),
    })
}

pub async fn update(api: &GoHighLevel, args: UpdateOpportunity) -> Result<UpdatedOpportunity> {
    let body = args.changes()?;
    let request = api.request(Method::PUT, "/opportunities/{opportunity_id}", &[&args.opportunity_id])?;
    let answer: Value = request.json(&body).send().await?.json()?;
    let row = answer.get("opportunity").unwrap_or(&answer);
    // The change is made; names of stages are a convenience that may fail.
    let pipelines = pipelines(api).await.unwrap_or_default();
    let mut opportunity = Opportunity::of(row, pipelines, true);
    if opportunity.id.is_empty() {
        opportunity.id = args.opportunity_id;
    }
    Ok(UpdatedOpportunity { opportunity })
}

pub async fn plan_update(api: &GoHighLevel, args: UpdateOpportunity) -> Result<Plan> {
    let changes = args.changes()?;
    let request = api.get("/opportunities/{opportunity_id}", &[&args.opportunity_id])?;
    let answer: Value = request.send().await?.json()?;
    let row = answer.get("opportunity").unwrap_or(&answer);
    Ok(plans::fields(Plan::new(format!("Change the opportunity {}.", name(row))), row, &changes))
}

impl UpdateOpportunity {
    /// What is to change, which must be something.
    fn changes(&self) -> Result<Map<String, Value>> {
        if self.pipeline_id.is_some() && self.stage_id.is_none() {
            return Err(Error::invalid_input("stage_id: a new pipeline needs one of its stages (list_pipelines)"));
        }
        let changes = [
            ("status", self.status.map(|status| json!(status))),
            ("pipelineId", self.pipeline_id.as_ref().map(|id| json!(id))),
            ("pipelineStageId", self.stage_id.as_ref().map(|id| json!(id))),
            ("monetaryValue", self.value.map(|value| json!(value))),
            ("name", self.name.as_ref().map(|name| json!(name))),
            ("assignedTo", self.assigned_to.as_ref().map(|id| json!(id))),
        ];
        let changes: Map<String, Value> =
            changes.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect();
        if changes.is_empty() {
            return Err(Error::invalid_input("nothing to change: give at least one field besides opportunity_id"));
        }
        Ok(changes)
    }
}

/// Pipelines of this call or walk, asked for once.
pub type Known = OnceLock<Vec<Pipeline>>;

/// All pipelines.
pub async fn pipelines(api: &GoHighLevel) -> Result<&[Pipeline]> {
    if let Some(pipelines) = api.pipelines.get() {
        return Ok(pipelines);
    }
    let request = match api.generation {
        Generation::V1 => v1::get(api, "/v1/pipelines/", &[])?,
        Generation::V2 => {
            let location = Some(api.location()?.to_owned());
            api.get("/opportunities/pipelines", &[])?.query(&[("locationId", location)])
        }
    };
    let answer: Value = request.send().await?.json()?;
    Ok(api.pipelines.get_or_init(|| json::list(&answer, "pipelines").iter().filter_map(Pipeline::of).collect()))
}

/// What opportunities to look for.
#[derive(Default)]
pub struct Filter {
    pub query: Option<String>,
    pub pipeline: Option<String>,
    pub stage: Option<String>,
    pub contact: Option<String>,
    /// `None` is all.
    pub status: Option<Status>,
}

/// Where a page begins.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct At {
    start_after: String,
    start_after_id: String,
}

/// One page of opportunities.
pub async fn find(api: &GoHighLevel, filter: &Filter, limit: u32, at: Option<&Value>) -> Result<Found> {
    let start: Option<At> = at.map(|at| At::deserialize(at).map_err(|_| Found::foreign_cursor())).transpose()?;
    let name = |old: &'static str, v3: &'static str| if api.is_v3() { v3 } else { old };
    let status = filter.status.map_or("all", Status::as_str);
    let request = api.get("/opportunities/search", &[])?.query(&[
        (name("location_id", "locationId"), Some(api.location()?.to_owned())),
        ("q", filter.query.clone()),
        (name("pipeline_id", "pipelineId"), filter.pipeline.clone()),
        (name("pipeline_stage_id", "pipelineStageId"), filter.stage.clone()),
        (name("contact_id", "contactId"), filter.contact.clone()),
        ("status", Some(status.to_owned())),
        ("limit", Some(limit.clamp(1, LARGEST_PAGE).to_string())),
        ("startAfter", start.as_ref().map(|at| at.start_after.clone())),
        ("startAfterId", start.as_ref().map(|at| at.start_after_id.clone())),
    ]);
    let response = request.send().await?;
    let answer: Value = response.json()?;
    let rows = json::list(&answer, "opportunities").to_vec();
    let meta = answer.get("meta").unwrap_or(&Value::Null);
    let next = next(meta).filter(|next| !rows.is_empty() && Some(next) != at);
    Ok(Found { total: json::count(meta, "total"), rows, next, date: wire::date(&response.headers) })
}

fn next(meta: &Value) -> Option<Value> {
    let over = meta.get("nextPage").is_some_and(Value::is_null);
    let at = At { start_after: json::text(meta, "startAfter")?, start_after_id: json::text(meta, "startAfterId")? };
    serde_json::to_value(at).ok().filter(|_| !over)
}

impl Status {
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Open => "open",
            Status::Won => "won",
            Status::Lost => "lost",
            Status::Abandoned => "abandoned",
        }
    }
}

impl Pipeline {
    fn of(row: &Value) -> Option<Pipeline> {
        let stage = |row: &Value| Some(Stage { id: json::text(row, "id")?, name: json::text(row, "name")? });
        Some(Pipeline {
            id: json::text(row, "id")?,
            name: json::text(row, "name").unwrap_or_else(|| "(no name)".into()),
            stages: json::list(row, "stages").iter().filter_map(stage).collect(),
        })
    }
}

/// The names of a row's pipeline and stage; the ids where the names are not known.
pub fn place(row: &Value, pipelines: &[Pipeline]) -> (Option<String>, Option<String>) {
    let (pipeline_id, stage_id) = (json::text(row, "pipelineId"), json::text(row, "pipelineStageId"));
    let stages = pipelines.iter().flat_map(|pipeline| &pipeline.stages);
    let pipeline = pipelines.iter().find(|pipeline| Some(&pipeline.id) == pipeline_id.as_ref());
    let stage = stages.into_iter().find(|stage| Some(&stage.id) == stage_id.as_ref());
    (pipeline.map(|p| p.name.clone()).or(pipeline_id), stage.map(|s| s.name.clone()).or(stage_id))
}

impl Opportunity {
    fn of(row: &Value, pipelines: &[Pipeline], detailed: bool) -> Opportunity {
        let contact = row.get("contact").unwrap_or(&Value::Null);
        let (pipeline, stage) = place(row, pipelines);
        Opportunity {
            id: json::text(row, "id").unwrap_or_default(),
            name: name(row),
            contact_id: contact_id(row),
            contact: json::first_text(contact, &["name", "companyName", "email"]),
            pipeline,
            stage,
            status: json::text(row, "status"),
            value: json::number(row, "monetaryValue"),
            updated_at: json::time(row, "updatedAt"),
            details: detailed.then(|| Details::of(row)),
        }
    }
}

impl Details {
    fn of(row: &Value) -> Details {
        Details {
            pipeline_id: json::text(row, "pipelineId"),
            stage_id: json::text(row, "pipelineStageId"),
            assigned_to: json::text(row, "assignedTo"),
            source: json::text(row, "source"),
            created_at: json::time(row, "createdAt"),
            in_stage_since: json::time(row, "lastStageChangeAt"),
            status_since: json::time(row, "lastStatusChangeAt"),
        }
    }
}

pub fn name(row: &Value) -> String {
    json::text(row, "name").unwrap_or_else(|| "(no name)".into())
}

pub fn contact_id(row: &Value) -> Option<String> {
    json::text(row, "contactId").or_else(|| json::text(row.get("contact")?, "id"))
}
