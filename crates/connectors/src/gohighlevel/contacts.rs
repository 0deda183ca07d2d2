//! Contacts: reading them.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use sdk::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Generation, GoHighLevel, opportunities, v1, wire};
use crate::{cursor, json};

/// The newest contacts of GoHighLevel, read live, the last added first. Use it for "show me my latest contacts" or
/// with `query` to look somebody up by name, e-mail, phone or company. Answers `contacts`, `total`, and
/// `next_cursor` when there are more.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReadContacts {
    /// Words to search for in name, e-mail, phone or company.
    #[schemars(length(min = 1, max = 75))]
    query: Option<String>,
    /// How many contacts, 20 unless given.
    #[schemars(range(min = 1, max = 100))]
    limit: Option<u32>,
    /// `next_cursor` of the previous answer.
    #[schemars(length(max = 2000))]
    cursor: Option<String>,
    /// Adds address, source, dates and custom fields.
    #[serde(default)]
    detailed: bool,
}

/// One contact of GoHighLevel by its id, with address, source, dates, owner and custom fields. Use it after
/// `read_contacts` or a search gave the id. Answers `contact`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GetContact {
    /// The contact's id.
    #[schemars(length(min = 1, max = 128))]
    contact_id: String,
}

/// Contacts, the newest first.
#[derive(Serialize, JsonSchema)]
pub struct Contacts {
    contacts: Vec<Contact>,
    /// How many contacts match in all.
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<u64>,
    /// Give it as `cursor` for the next page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// One contact.
#[derive(Serialize, JsonSchema)]
pub struct OneContact {
    contact: Contact,
}

/// A contact as answers show it.
#[derive(Serialize, JsonSchema)]
pub struct Contact {
    pub id: String,
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub company: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    /// `lead`, `customer`, …
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    pub tags: Vec<String>,
    /// The stage of the contact's open opportunity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stage: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_activity: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub details: Option<Details>,
}

/// What a contact has besides.
#[derive(Serialize, JsonSchema)]
pub struct Details {
    #[serde(skip_serializing_if = "Option::is_none")]
    first_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    country: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    website: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timezone: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<String>,
    /// The id of the user who owns the contact.
    #[serde(skip_serializing_if = "Option::is_none")]
    assigned_to: Option<String>,
    /// The contact does not want to be written to.
    #[serde(skip_serializing_if = "Option::is_none")]
    do_not_disturb: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_at: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    updated_at: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    custom_fields: Vec<CustomField>,
}

/// A field that the business made itself.
#[derive(Serialize, JsonSchema)]
pub struct CustomField {
    id: String,
    value: String,
}

pub async fn read(api: &GoHighLevel, args: ReadContacts) -> Result<Contacts> {
    let limit = args.limit.unwrap_or(20).clamp(1, 100);
    let at = cursor::decode_option(args.cursor.as_deref())?;
    let search = Search { query: args.query.as_deref(), sort: "dateAdded", limit, at: at.as_ref() };
    let found = find(api, &search).await?;
    let full = found.rows.len() >= limit as usize;
    Ok(Contacts {
        contacts: shown(api, &found.rows, args.detailed).await,
        total: found.total,
        next_cursor: found.next.filter(|_| full).as_ref().map(cursor::encode),
    })
}

pub async fn get(api: &GoHighLevel, args: GetContact) -> Result<OneContact> {
    let request = match api.generation {
        Generation::V1 => v1::get(api, "/v1/contacts/{contact_id}", &[&args.contact_id])?,
        Generation::V2 => api.get("/contacts/{contact_id}", &[&args.contact_id])?,
    };
    let answer: Value = request.send().await?.json()?;
    let row = answer.get("contact").filter(|row| row.is_object()).unwrap_or(&answer);
    let mut contact = shown(api, std::slice::from_ref(row), true).await.remove(0);
    if contact.id.is_empty() {
        contact.id = args.contact_id;
    }
    Ok(OneContact { contact })
}

/// The rows as answers show them. Where rows have opportunities, the names of the stages cost one
/// request; if that fails, the answer is the same without them.
async fn shown(api: &GoHighLevel, rows: &[Value], detailed: bool) -> Vec<Contact> {
    let staged = rows.iter().any(|row| opportunity(row).is_some());
    let pipelines = if staged { opportunities::pipelines(api).await.unwrap_or_default() } else { &[] };
    let stage = |row| opportunity(row).and_then(|opportunity| opportunities::place(opportunity, pipelines).1);
    rows.iter().map(|row| Contact { stage: stage(row), ..Contact::of(row, detailed) }).collect()
}

/// The open opportunity that a row of the search shows, or else the first.
fn opportunity(row: &Value) -> Option<&Value> {
    let all = json::list(row, "opportunities");
    all.iter().find(|one| json::text(one, "status").as_deref() == Some("open")).or(all.first())
}

/// The newest contacts as the vendor gives them.
pub async fn newest(api: &GoHighLevel, limit: u32) -> Result<Found> {
    find(api, &Search { query: None, sort: "dateAdded", limit, at: None }).await
}

/// One page of a search.
pub struct Search<'a> {
    pub query: Option<&'a str>,
    /// The field that is sorted by, the largest first.
    pub sort: &'a str,
    pub limit: u32,
    /// [`Found::next`] of the previous page.
    pub at: Option<&'a Value>,
}

/// What a page of a search brought.
pub struct Found {
    pub rows: Vec<Value>,
    pub total: Option<u64>,
    pub next: Option<Value>,
    /// The vendor's clock.
    pub date: Option<DateTime<Utc>>,
}

impl Found {
    pub fn foreign_cursor() -> Error {
        Error::invalid_input("cursor: it belongs to another list; start again without a cursor")
    }
}

/// Where a page of a search begins.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum At {
    /// The sort values of the last row; reaches every row.
    After(Vec<Value>),
    /// Only where the vendor gave no sort values; reaches the first 10,000 rows.
    Page(u32),
}

/// Searches contacts with either API.
pub async fn find(api: &GoHighLevel, search: &Search<'_>) -> Result<Found> {
    if api.generation == Generation::V1 {
        return v1::list(api, search).await;
    }
    let at: Option<At> = search.at.map(|at| At::deserialize(at).map_err(|_| Found::foreign_cursor())).transpose()?;
    let mut body = json!({
        "locationId": api.location()?,
        "pageLimit": search.limit,
        "sort": [{"field": search.sort, "direction": "desc"}],
    });
    if let Some(query) = search.query {
        body["query"] = json!(query);
    }
    match &at {
        Some(At::After(values)) => body["searchAfter"] = json!(values),
        Some(At::Page(page)) => body["page"] = json!(page),
        None => {}
    }
    let response = api.post("/contacts/search", &[])?.repeatable().json(&body).send().await?;
    let answer: Value = response.json()?;
    let rows = json::list(&answer, "contacts").to_vec();
    let next = next(&answer, &rows, at.as_ref()).filter(|next| Some(next) != search.at);
    Ok(Found { total: json::count(&answer, "total"), rows, next, date: wire::date(&response.headers) })
}

fn next(answer: &Value, rows: &[Value], at: Option<&At>) -> Option<Value> {
    let last = rows.last()?;
    let values = [last, answer].into_iter().map(|place| json::list(place, "searchAfter")).find(|list| !list.is_empty());
    let next = match (values, at) {
        (Some(values), _) => At::After(values.to_vec()),
        (None, Some(At::Page(page))) => At::Page(page + 1),
        (None, _) => At::Page(2),
    };
    serde_json::to_value(next).ok()
}

impl Contact {
    /// Reads a row of any of the APIs.
    pub fn of(row: &Value, detailed: bool) -> Contact {
        Contact {
            id: json::text(row, "id").unwrap_or_default(),
            name: name(row),
            company: company(row),
            email: json::text(row, "email"),
            phone: json::text(row, "phone"),
            kind: json::text(row, "type"),
            tags: json::texts(row, "tags"),
            stage: None,
            last_activity: last_activity(row),
            details: detailed.then(|| Details::of(row)),
        }
    }
}

impl Details {
    fn of(row: &Value) -> Details {
        // A row of the search has `address` where a single contact has `address1`.
        let street = json::first_text(row, &["address1", "address"]);
        let parts = [street, json::text(row, "city"), json::text(row, "state"), json::text(row, "postalCode")];
        let address = parts.into_iter().flatten().collect::<Vec<_>>().join(", ");
        Details {
            first_name: first_name(row),
            last_name: json::first_text(row, &["lastNameRaw", "lastName"]),
            address: Some(address).filter(|address| !address.is_empty()),
            country: json::text(row, "country"),
            website: json::text(row, "website"),
            timezone: json::text(row, "timezone"),
            source: json::text(row, "source"),
            assigned_to: json::text(row, "assignedTo"),
            do_not_disturb: json::flag(row, "dnd"),
            created_at: json::time(row, "dateAdded"),
            updated_at: json::time(row, "dateUpdated"),
            custom_fields: custom_fields(row),
        }
    }
}

/// The name of a contact: one field, or two, or what else a person would recognise it by.
pub fn name(row: &Value) -> String {
    let parts = |first, last| {
        let parts = [json::text(row, first), json::text(row, last)];
        Some(parts.into_iter().flatten().collect::<Vec<_>>().join(" ")).filter(|name| !name.is_empty())
    };
    parts("firstNameRaw", "lastNameRaw")
        .or_else(|| json::text(row, "name"))
        .or_else(|| parts("firstName", "lastName"))
        .or_else(|| json::first_text(row, &["contactName", "fullNameLowerCase"]))
        .or_else(|| company(row))
        .or_else(|| json::first_text(row, &["email", "phone"]))
        .unwrap_or_else(|| "(no name)".into())
}

pub fn first_name(row: &Value) -> Option<String> {
    json::first_text(row, &["firstNameRaw", "firstName", "firstNameLowerCase"])
}

pub fn company(row: &Value) -> Option<String> {
    json::first_text(row, &["companyName", "businessName"])
}

/// The vendor's last activity, or the last change where it has none.
pub fn last_activity(row: &Value) -> Option<DateTime<Utc>> {
    json::time(row, "lastActivity").or_else(|| json::time(row, "dateUpdated"))
}

/// V2 has `customFields`, V1 `customField`.
fn custom_fields(row: &Value) -> Vec<CustomField> {
    let fields = json::list(row, "customFields").iter().chain(json::list(row, "customField"));
    fields.filter_map(custom_field).collect()
}

fn custom_field(field: &Value) -> Option<CustomField> {
    let value = match field.get("value").or_else(|| field.get("field_value"))? {
        Value::Null => return None,
        Value::String(text) => sdk::text::cut(text, 500),
        Value::Array(items) => items
            .iter()
            .map(|item| item.as_str().map_or_else(|| item.to_string(), str::to_owned))
            .collect::<Vec<_>>()
            .join(", "),
        other => other.to_string(),
    };
    Some(CustomField { id: json::text(field, "id")?, value: sdk::text::cut(&value, 500) })
}
