//! The location itself: its settings, custom fields, tags, and its users.

use std::{collections::HashMap, sync::Arc};

use axum::extract::{OriginalUri, Path, Query, State};
use serde_json::{Value, json};

use super::{
    contacts::text,
    gate::{Body, Call},
    reply::{Refusal, Reply, ok},
};
use crate::{
    business::{CustomField, Id, Kind, User},
    world::World,
};

pub(crate) async fn get(State(world): State<Arc<World>>, call: Call, Path(id): Path<String>) -> Reply {
    call.at(Some(&id))?;
    let company = world.business().company;
    let place = json!({"name": "MedTainer", "address": "2100 Industrial Blvd", "city": "Los Angeles", "state": "CA",
        "country": "US", "postalCode": "90021", "website": "https://medtainer.example",
        "timezone": "America/Los_Angeles"});
    let mut location = place.clone();
    let rest = json!({"id": call.location, "companyId": company, "firstName": "Rosalind", "lastName": "Ferrer",
        "email": "hello@medtainer.example", "phone": "+12135550100", "business": place, "social": {},
        "settings": {"allowDuplicateContact": false, "allowDuplicateOpportunity": false,
            "allowFacebookNameMerge": false, "disableContactTimezone": false,
            "contactUniqueIdentifiers": ["email", "phone"]}});
    if let (Some(location), Value::Object(rest)) = (location.as_object_mut(), rest) {
        location.extend(rest);
    }
    ok(&json!({"location": location, "traceId": call.trace}))
}

pub(crate) async fn custom_fields(
    State(world): State<Arc<World>>,
    call: Call,
    Path(id): Path<String>,
    Query(query): Query<HashMap<String, String>>,
) -> Reply {
    call.at(Some(&id))?;
    // Without `model` the vendor lists the contact's fields.
    let model = query.get("model").map_or("contact", String::as_str);
    let business = world.business();
    let rows = business.custom_fields.iter().enumerate();
    let rows = rows.filter(|(_, field)| model == "all" || field.model == model);
    let rows: Vec<Value> = rows.map(|(position, field)| field_shown(field, position, call.location)).collect();
    ok(&json!({"customFields": rows, "traceId": call.trace}))
}

pub(crate) async fn custom_field(
    State(world): State<Arc<World>>,
    call: Call,
    Path((location, id)): Path<(String, String)>,
) -> Reply {
    call.at(Some(&location))?;
    let business = world.business();
    let found = business.custom_fields.iter().position(|field| field.id.as_str() == id);
    let position = found.ok_or_else(|| Refusal::not_found(format!("Custom field with id {id} not found")))?;
    let field = field_shown(&business.custom_fields[position], position, call.location);
    ok(&json!({"customField": field, "traceId": call.trace}))
}

fn field_shown(field: &CustomField, position: usize, location: Id) -> Value {
    json!({"id": field.id, "name": field.name, "fieldKey": field.key, "placeholder": "", "dataType": field.data_type,
        "position": position * 50, "picklistOptions": field.options, "isAllowedCustomOption": false,
        "isMultiFileAllowed": false, "maxFileLimit": 1, "locationId": location, "model": field.model})
}

pub(crate) async fn custom_values(call: Call, Path(id): Path<String>) -> Reply {
    call.at(Some(&id))?;
    ok(&json!({"customValues": [], "traceId": call.trace}))
}

pub(crate) async fn tags(State(world): State<Arc<World>>, call: Call, Path(id): Path<String>) -> Reply {
    call.at(Some(&id))?;
    let business = world.business();
    let tags: Vec<Value> =
        business.tags.iter().map(|(id, name)| json!({"id": id, "name": name, "locationId": call.location})).collect();
    ok(&json!({"tags": tags, "traceId": call.trace}))
}

pub(crate) async fn create_tag(
    State(world): State<Arc<World>>,
    call: Call,
    Path(id): Path<String>,
    Body(body): Body,
) -> Reply {
    call.at(Some(&id))?;
    let Some(name) = text(&body, "name").map(str::to_lowercase) else {
        return Err(Refusal::invalid(["name should not be empty"]));
    };
    let mut business = world.business();
    if business.tags.iter().any(|(_, known)| *known == name) {
        return Err(Refusal::bad_request("The tag name is already exist."));
    }
    let id = business.new_id(Kind::Tag);
    business.tags.push((id, name.clone()));
    let tag = json!({"id": id, "name": name, "locationId": call.location});
    business.record(call.now, "LocationTagCreate", id.as_str(), "api", tag.clone());
    ok(&json!({"tag": tag, "traceId": call.trace}))
}

/// `GET /users/`, gone in v3.
pub(crate) async fn users(
    State(world): State<Arc<World>>,
    call: Call,
    OriginalUri(uri): OriginalUri,
    Query(query): Query<HashMap<String, String>>,
) -> Reply {
    if call.v3() {
        return Err(Refusal::removed(uri.path()));
    }
    call.at(query.get("locationId").map(String::as_str))?;
    let business = world.business();
    let users: Vec<Value> = business.users.iter().map(|user| user_shown(user, call.location)).collect();
    ok(&json!({"users": users, "traceId": call.trace}))
}

/// `GET /users/search`, in every version.
pub(crate) async fn search_users(
    State(world): State<Arc<World>>,
    call: Call,
    Query(query): Query<HashMap<String, String>>,
) -> Reply {
    let business = world.business();
    if query.get("companyId").map(String::as_str) != Some(business.company.as_str()) {
        return Err(Refusal::invalid(["companyId should not be empty", "companyId must be a string"]));
    }
    if let Some(location) = query.get("locationId") {
        call.at(Some(location))?;
    }
    let words = query.get("query").map(|words| words.to_lowercase()).unwrap_or_default();
    let named =
        |user: &&User| format!("{} {} {}", user.first_name, user.last_name, user.email).to_lowercase().contains(&words);
    let users: Vec<Value> = business.users.iter().filter(named).map(|user| user_shown(user, call.location)).collect();
    ok(&json!({"users": users, "count": users.len(), "traceId": call.trace}))
}

pub(crate) async fn user(State(world): State<Arc<World>>, call: Call, Path(id): Path<String>) -> Reply {
    let business = world.business();
    let user = id.parse().ok().and_then(|id| business.user(id));
    let user = user.ok_or_else(|| Refusal::not_found(format!("User with id {id} not found")))?;
    ok(&user_shown(user, call.location))
}

fn user_shown(user: &User, location: Id) -> Value {
    json!({"id": user.id, "name": format!("{} {}", user.first_name, user.last_name), "firstName": user.first_name,
        "lastName": user.last_name, "email": user.email, "phone": user.phone, "extension": "",
        "permissions": {"contactsEnabled": true, "opportunitiesEnabled": true, "conversationsEnabled": true,
            "appointmentsEnabled": true, "assignedDataOnly": false, "settingsEnabled": user.role == "admin"},
        "roles": {"type": "account", "role": user.role, "locationIds": [location]}, "deleted": false})
}
