//! Contacts: create, read, update, delete, upsert, duplicates, tags.

use std::{collections::HashMap, sync::Arc};

use axum::extract::{Path, Query, State};
use serde_json::{Map, Value, json};

use super::{
    gate::{Body, Call},
    reply::{Refusal, Reply, created, ok},
    rows,
};
use crate::{
    business::{Business, Contact, Id, Kind, Text},
    clock::Millis,
    world::World,
};

/// What create, update and upsert accept; anything else is a 422.
const FIELDS: &[&str] = &[
    "firstName",
    "lastName",
    "name",
    "email",
    "locationId",
    "gender",
    "phone",
    "address1",
    "city",
    "state",
    "postalCode",
    "website",
    "timezone",
    "dnd",
    "dndSettings",
    "inboundDndSettings",
    "tags",
    "customFields",
    "source",
    "dateOfBirth",
    "country",
    "companyName",
    "assignedTo",
];

pub(crate) async fn get(State(world): State<Arc<World>>, call: Call, Path(id): Path<String>) -> Reply {
    let business = world.business();
    let contact = find(&business, &id)?;
    ok(&json!({"contact": rows::detail(contact, call.location, call.v3()), "traceId": call.trace}))
}

pub(crate) async fn create(State(world): State<Arc<World>>, call: Call, Body(body): Body) -> Reply {
    check(&body, &[])?;
    call.body_at(&body)?;
    let mut business = world.business();
    refuse_duplicate(&business, &body, None)?;
    let contact = add(&world, &mut business, &call, &body)?;
    created(&json!({"contact": contact, "traceId": call.trace}))
}

pub(crate) async fn update(
    State(world): State<Arc<World>>,
    call: Call,
    Path(id): Path<String>,
    Body(body): Body,
) -> Reply {
    check(&body, &[])?;
    let mut business = world.business();
    let id = find(&business, &id)?.id;
    refuse_duplicate(&business, &body, Some(id))?;
    let contact = change(&world, &mut business, &call, id, &body)?;
    ok(&succeeded(&call, json!({"contact": contact})))
}

pub(crate) async fn delete(State(world): State<Arc<World>>, call: Call, Path(id): Path<String>) -> Reply {
    let mut business = world.business();
    let id = find(&business, &id)?.id;
    if let Some(removed) = business.remove_contact(id) {
        let payload = rows::event(&removed, call.location);
        world.committed(&mut business, "api", "ContactDelete", id.as_str(), payload);
    }
    ok(&succeeded(&call, json!({})))
}

/// Updates the contact that has this e-mail or, failing that, this phone; else creates one.
pub(crate) async fn upsert(State(world): State<Arc<World>>, call: Call, Body(body): Body) -> Reply {
    check(&body, &["createNewIfDuplicateAllowed"])?;
    call.body_at(&body)?;
    let mut business = world.business();
    let known = business.contacts.duplicate(text(&body, "email"), text(&body, "phone")).map(|(contact, _)| contact.id);
    let contact = match known {
        Some(id) => change(&world, &mut business, &call, id, &body)?,
        None => add(&world, &mut business, &call, &body)?,
    };
    ok(&succeeded(&call, json!({"new": known.is_none(), "contact": contact})))
}

/// `GET /contacts/search/duplicate`: the contact or null.
pub(crate) async fn duplicate(
    State(world): State<Arc<World>>,
    call: Call,
    Query(query): Query<HashMap<String, String>>,
) -> Reply {
    call.at(query.get("locationId").map(String::as_str))?;
    let (email, number) = (query.get("email").map(String::as_str), query.get("number").map(String::as_str));
    if email.is_none() && number.is_none() {
        return Err(Refusal::bad_request("Please pass either email or number"));
    }
    let business = world.business();
    let found = business.contacts.duplicate(email, number);
    let contact = found.map(|(contact, _)| rows::detail(contact, call.location, call.v3()));
    ok(&json!({"contact": contact, "traceId": call.trace}))
}

pub(crate) async fn add_tags(
    State(world): State<Arc<World>>,
    call: Call,
    Path(id): Path<String>,
    Body(body): Body,
) -> Reply {
    let tags = tags(&body)?;
    let mut business = world.business();
    let id = find(&business, &id)?.id;
    let fresh = tag(&world, &mut business, &call, id, &tags, true);
    let all = business.contacts.get(id).map(|contact| contact.tags.clone());
    created(&json!({"tags": all, "tagsAdded": fresh, "traceId": call.trace}))
}

pub(crate) async fn remove_tags(
    State(world): State<Arc<World>>,
    call: Call,
    Path(id): Path<String>,
    Body(body): Body,
) -> Reply {
    let tags = tags(&body)?;
    let mut business = world.business();
    let id = find(&business, &id)?.id;
    let gone = tag(&world, &mut business, &call, id, &tags, false);
    let all = business.contacts.get(id).map(|contact| contact.tags.clone());
    ok(&json!({"tags": all, "tagsRemoved": gone, "traceId": call.trace}))
}

/// `POST /contacts/bulk/tags/update/{add|remove}`.
pub(crate) async fn bulk_tags(
    State(world): State<Arc<World>>,
    call: Call,
    Path(kind): Path<String>,
    Body(body): Body,
) -> Reply {
    call.body_at(&body)?;
    let add = match kind.as_str() {
        "add" => true,
        "remove" => false,
        _ => return Err(Refusal::invalid(["type must be one of the following values: add, remove"])),
    };
    let mut tags = tags(&body)?;
    let everything = body.get("removeAllTags").and_then(Value::as_bool).unwrap_or(false);
    let mut business = world.business();
    let (mut done, mut failed) = (Vec::new(), 0);
    for id in strings(&body, "contacts") {
        let Ok(contact) = find(&business, &id) else {
            failed += 1;
            continue;
        };
        if everything && !add {
            tags.clone_from(&contact.tags);
        }
        let contact = contact.id;
        tag(&world, &mut business, &call, contact, &tags, add);
        done.push(id);
    }
    created(&succeeded(&call, json!({"errorCount": failed, "responses": done})))
}

/// Adds or removes tags; says which ones made a difference. One effect, however many tags.
fn tag(world: &World, business: &mut Business, call: &Call, id: Id, tags: &[Text], add: bool) -> Vec<Text> {
    let Some(contact) = business.contacts.get(id) else { return Vec::new() };
    let changed: Vec<Text> = tags.iter().filter(|tag| contact.tags.contains(tag) != add).cloned().collect();
    if changed.is_empty() {
        return changed;
    }
    business.contacts.edit(id, call.now, |contact| {
        if add {
            contact.tags.extend(changed.iter().cloned());
        } else {
            contact.tags.retain(|tag| !changed.contains(tag));
        }
    });
    if add {
        business.learn_tags(&changed);
    }
    publish(world, business, call, "ContactTagUpdate", id);
    changed
}

fn publish(world: &World, business: &mut Business, call: &Call, kind: &str, id: Id) {
    if let Some(payload) = business.contacts.get(id).map(|contact| rows::event(contact, call.location)) {
        world.committed(business, "api", kind, id.as_str(), payload);
    }
}

pub(crate) fn find<'a>(business: &'a Business, id: &str) -> Result<&'a Contact, Refusal> {
    let found = id.parse().ok().and_then(|id: Id| business.contacts.get(id));
    found.ok_or_else(|| Refusal::not_found(format!("Contact with id {id} not found")))
}

fn add(world: &World, business: &mut Business, call: &Call, body: &Map<String, Value>) -> Result<Value, Refusal> {
    let id = business.new_id(Kind::Contact);
    let mut contact = blank(id, call.now);
    fill(&mut contact, body, business)?;
    if contact.name().is_empty() && contact.phone.is_none() {
        return Err(Refusal::bad_request("Contact must have a name, an email or a phone"));
    }
    business.learn_tags(&contact.tags);
    let shown = rows::detail(&contact, call.location, call.v3());
    business.contacts.insert(contact, call.now);
    publish(world, business, call, "ContactCreate", id);
    Ok(shown)
}

fn change(
    world: &World,
    business: &mut Business,
    call: &Call,
    id: Id,
    body: &Map<String, Value>,
) -> Result<Value, Refusal> {
    let Some(before) = business.contacts.get(id).cloned() else {
        return Err(Refusal::not_found(format!("Contact with id {id} not found")));
    };
    let mut after = before.clone();
    fill(&mut after, body, business)?;
    business.learn_tags(&after.tags);
    let (tags, dnd) = (after.tags != before.tags, after.dnd != before.dnd || after.dnd_settings != before.dnd_settings);
    business.contacts.edit(id, call.now, |contact| *contact = after);
    publish(world, business, call, "ContactUpdate", id);
    let Some(contact) = business.contacts.get(id) else { return Ok(Value::Null) };
    let event = rows::event(contact, call.location);
    for (kind, _) in [("ContactTagUpdate", tags), ("ContactDndUpdate", dnd)].into_iter().filter(|(_, changed)| *changed)
    {
        world.announce(kind, &event);
    }
    Ok(rows::detail(contact, call.location, call.v3()))
}

pub(crate) fn blank(id: Id, now: Millis) -> Contact {
    Contact {
        id,
        first_name: None,
        last_name: None,
        company: None,
        email: None,
        phone: None,
        kind: "lead".into(),
        source: None,
        tags: Vec::new(),
        address: None,
        city: None,
        state: None,
        postal_code: None,
        country: "US".into(),
        website: None,
        timezone: None,
        assigned_to: None,
        dnd: false,
        dnd_settings: None,
        date_of_birth: None,
        custom_fields: Vec::new(),
        additional_emails: Vec::new(),
        added: now,
        updated: now,
        last_activity: now,
    }
}

/// Writes what the body holds; null clears a field.
pub(crate) fn fill(contact: &mut Contact, body: &Map<String, Value>, business: &Business) -> Result<(), Refusal> {
    if let Some(name) = text(body, "name") {
        let (first, last) = name.split_once(' ').unwrap_or((name, ""));
        contact.first_name = filled(first);
        contact.last_name = filled(last);
    }
    let fields = [
        ("firstName", &mut contact.first_name),
        ("lastName", &mut contact.last_name),
        ("companyName", &mut contact.company),
        ("phone", &mut contact.phone),
        ("source", &mut contact.source),
        ("address1", &mut contact.address),
        ("city", &mut contact.city),
        ("state", &mut contact.state),
        ("postalCode", &mut contact.postal_code),
        ("website", &mut contact.website),
        ("timezone", &mut contact.timezone),
        ("dateOfBirth", &mut contact.date_of_birth),
    ];
    for (key, field) in fields {
        if let Some(value) = body.get(key) {
            *field = value.as_str().and_then(filled);
        }
    }
    if let Some(value) = body.get("email") {
        contact.email = value.as_str().and_then(|email| filled(&email.to_lowercase()));
    }
    if let Some(country) = text(body, "country") {
        contact.country = country.to_owned().into();
    }
    fill_rest(contact, body, business)
}

fn fill_rest(contact: &mut Contact, body: &Map<String, Value>, business: &Business) -> Result<(), Refusal> {
    if body.contains_key("tags") {
        contact.tags = tags(body)?;
    }
    if let Some(dnd) = body.get("dnd").and_then(Value::as_bool) {
        contact.dnd = dnd;
    }
    if let Some(Value::Object(settings)) = body.get("dndSettings") {
        let settings = settings.iter().map(|(key, value)| (channel(key).to_owned(), value.clone())).collect();
        contact.dnd_settings = Some(Box::new(settings));
    }
    if let Some(user) = body.get("assignedTo") {
        contact.assigned_to = known_user(user, business)?;
    }
    if let Some(answers) = body.get("customFields") {
        merge(&mut contact.custom_fields, answers, business)?;
    }
    Ok(())
}

/// Null unassigns; an unknown user is refused.
pub(crate) fn known_user(user: &Value, business: &Business) -> Result<Option<Id>, Refusal> {
    let Some(user) = user.as_str().filter(|user| !user.is_empty()) else { return Ok(None) };
    let known = user.parse().ok().filter(|id| business.user(*id).is_some());
    known.map(Some).ok_or_else(|| Refusal::bad_request(format!("User with id {user} not found")))
}

/// Custom fields by id or key, with the value under any of the names that the versions use.
pub(crate) fn merge(stored: &mut Vec<(Id, Value)>, answers: &Value, business: &Business) -> Result<(), Refusal> {
    let Some(answers) = answers.as_array() else {
        return Err(Refusal::invalid(["customFields must be an array"]));
    };
    for answer in answers {
        let by = |key: &str| answer.get(key).and_then(Value::as_str);
        let field = business.custom_fields.iter().find(|field| {
            by("id") == Some(field.id.as_str())
                || by("key").is_some_and(|key| field.key == key || field.key.ends_with(&format!(".{key}")))
        });
        let value = ["fieldValue", "field_value", "value"].iter().find_map(|key| answer.get(*key));
        let (Some(field), Some(value)) = (field, value) else { continue };
        stored.retain(|(id, _)| *id != field.id);
        if !value.is_null() {
            stored.push((field.id, value.clone()));
        }
    }
    Ok(())
}

/// The dated spelling of a channel.
fn channel(key: &str) -> &str {
    match key.to_ascii_lowercase().as_str() {
        "call" => "Call",
        "email" => "Email",
        "sms" => "SMS",
        "whatsapp" => "WhatsApp",
        "gmb" => "GMB",
        "fb" => "FB",
        _ => key,
    }
}

fn check(body: &Map<String, Value>, also: &[&str]) -> Result<(), Refusal> {
    let unknown = body.keys().filter(|key| !FIELDS.contains(&key.as_str()) && !also.contains(&key.as_str()));
    let mut messages: Vec<String> = unknown.map(|key| format!("property {key} should not exist")).collect();
    let email = body.get("email").filter(|email| !email.is_null());
    if email.is_some_and(|email| !email.as_str().is_some_and(|email| email.is_empty() || is_email(email))) {
        messages.push("email must be an email".to_owned());
    }
    for key in ["firstName", "lastName", "name", "phone", "companyName", "city", "state", "postalCode", "source"] {
        if body.get(key).is_some_and(|value| !value.is_null() && !value.is_string()) {
            messages.push(format!("{key} must be a string"));
        }
    }
    if messages.is_empty() { Ok(()) } else { Err(Refusal::invalid(messages)) }
}

fn is_email(text: &str) -> bool {
    let Some((name, host)) = text.split_once('@') else { return false };
    !name.is_empty() && host.contains('.') && !host.ends_with('.') && !text.contains(char::is_whitespace)
}

fn refuse_duplicate(business: &Business, body: &Map<String, Value>, own: Option<Id>) -> Result<(), Refusal> {
    let found = business.contacts.duplicate(text(body, "email"), text(body, "phone"));
    let Some((contact, field)) = found.filter(|(contact, _)| Some(contact.id) != own) else { return Ok(()) };
    let mut refusal = Refusal::bad_request("This location does not allow duplicated contacts.");
    if let Some(body) = refusal.body.as_object_mut() {
        body.remove("error");
        let meta = json!({"contactId": contact.id, "contactName": contact.name(), "matchingField": field});
        body.insert("meta".into(), meta);
    }
    Err(refusal)
}

/// The success flag as the version spells it, and the trace.
pub(crate) fn succeeded(call: &Call, mut body: Value) -> Value {
    if let Some(body) = body.as_object_mut() {
        body.insert("succeded".into(), true.into());
        if call.v3() {
            body.insert("succeeded".into(), true.into());
        }
        body.insert("traceId".into(), call.trace.clone().into());
    }
    body
}

fn tags(body: &Map<String, Value>) -> Result<Vec<Text>, Refusal> {
    let Some(Value::Array(_)) = body.get("tags") else {
        return Err(Refusal::invalid(["each value in tags must be a string", "tags must be an array"]));
    };
    let mut tags: Vec<Text> = Vec::new();
    for tag in strings(body, "tags") {
        // The vendor keeps tags in lower case.
        let tag: Text = tag.trim().to_lowercase().into();
        if !tag.is_empty() && !tags.contains(&tag) {
            tags.push(tag);
        }
    }
    Ok(tags)
}

pub(crate) fn strings(body: &Map<String, Value>, key: &str) -> Vec<String> {
    let list = body.get(key).and_then(Value::as_array);
    list.into_iter().flatten().filter_map(|value| value.as_str().map(str::to_owned)).collect()
}

pub(crate) fn text<'a>(body: &'a Map<String, Value>, key: &str) -> Option<&'a str> {
    body.get(key).and_then(Value::as_str).filter(|text| !text.is_empty())
}

fn filled(text: &str) -> Option<Text> {
    (!text.trim().is_empty()).then(|| text.trim().to_owned().into())
}
