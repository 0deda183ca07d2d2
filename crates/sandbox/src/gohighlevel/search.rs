//! `POST /contacts/search`, the deprecated `GET /contacts/` and what they page by.

use std::{cmp::Ordering, collections::HashMap, sync::Arc};

use axum::extract::{OriginalUri, Query, State};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{
    filter::{Condition, matches},
    gate::{Body, Call},
    reply::{Refusal, Reply, ok},
    rows::{self, Deal},
};
use crate::{
    business::{Business, Contact, Id},
    clock::Millis,
    world::World,
};

const FIELDS: &[&str] = &["locationId", "page", "pageLimit", "searchAfter", "filters", "sort", "query"];
/// Pages reach this far; beyond it the vendor wants `searchAfter`.
const WINDOW: usize = 10_000;

/// A checked search.
struct Search {
    limit: usize,
    skip: usize,
    after: Option<Vec<Key>>,
    condition: Condition,
    query: String,
    sort: Vec<Sort>,
}

#[derive(Clone, PartialEq)]
struct Sort {
    field: String,
    descending: bool,
}

/// What contacts are ordered by. Missing values stand last, ascending.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Key {
    Number(i64),
    Text(String),
    Missing,
}

pub(crate) async fn search(State(world): State<Arc<World>>, call: Call, Body(body): Body) -> Reply {
    let search = read(&call, &body)?;
    let business = world.business();
    let lag = Millis::try_from(world.options.search_lag.as_millis()).unwrap_or(0);
    let (found, total) = find(&business, &search, call.now, lag);
    let mut contacts = Vec::with_capacity(found.len());
    for contact in found {
        let deals = business.opportunities.of(contact.id).map(Deal::of).collect();
        let mut row = rows::search_row(contact, call.location, call.v3(), deals);
        row.search_after = cursor(contact, &search.sort);
        contacts.push(row);
    }
    ok(&Found { contacts, total, trace_id: &call.trace })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Found<'a> {
    contacts: Vec<rows::SearchRow<'a>>,
    total: usize,
    trace_id: &'a str,
}

fn read(call: &Call, body: &Map<String, Value>) -> Result<Search, Refusal> {
    let mut wrong: Vec<String> = body
        .keys()
        .filter(|key| !FIELDS.contains(&key.as_str()))
        .map(|key| format!("property {key} should not exist"))
        .collect();
    if body.get("locationId").and_then(Value::as_str).is_none_or(str::is_empty) {
        wrong.extend(["locationId should not be empty".into(), "locationId must be a string".into()]);
    }
    let limit = body.get("pageLimit").and_then(Value::as_u64).unwrap_or(0);
    match limit {
        0 => wrong.push("pageLimit must be a number conforming to the specified constraints".into()),
        1..=500 => {}
        _ => wrong.push("pageLimit must not be greater than 500".into()),
    }
    let query = body.get("query").and_then(Value::as_str).unwrap_or_default();
    if query.chars().count() > 75 {
        wrong.push("query must be shorter than or equal to 75 characters".into());
    }
    let after = body.get("searchAfter").and_then(Value::as_array).filter(|after| !after.is_empty());
    let page = body.get("page").and_then(Value::as_u64);
    if after.is_some() && page.is_some() {
        wrong.push("page and searchAfter cannot be used together".into());
    }
    let sort = sort(body.get("sort"), &mut wrong);
    let condition = Condition::read(body.get("filters"), &mut wrong);
    if !wrong.is_empty() {
        return Err(Refusal::invalid(wrong));
    }
    call.body_at(body)?;
    let limit = usize::try_from(limit).unwrap_or(1);
    let skip = usize::try_from(page.unwrap_or(1).max(1) - 1).unwrap_or(usize::MAX).saturating_mul(limit);
    if skip.saturating_add(limit) > WINDOW && after.is_none() {
        return Err(Refusal::bad_request("Pagination is limited to the first 10000 records. Use searchAfter instead."));
    }
    let after = after.map(|after| after.iter().map(key).collect());
    Ok(Search { limit, skip, after, condition, query: query.to_lowercase(), sort })
}

fn sort(sort: Option<&Value>, wrong: &mut Vec<String>) -> Vec<Sort> {
    let fields: Vec<Sort> = sort
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|item| {
            let field = item.get("field")?.as_str()?.to_owned();
            let descending = item.get("direction").and_then(Value::as_str) == Some("desc");
            Some(Sort { field, descending })
        })
        .collect();
    if fields.len() > 2 {
        wrong.push("sort must contain no more than 2 elements".into());
    }
    let known = |sort: &&Sort| sort_key(None, &sort.field).is_none();
    wrong.extend(fields.iter().filter(known).map(|sort| format!("sort field {} is not supported", sort.field)));
    if fields.is_empty() { vec![Sort { field: "dateAdded".into(), descending: true }] } else { fields }
}

fn find<'a>(business: &'a Business, search: &Search, now: Millis, lag: Millis) -> (Vec<&'a Contact>, usize) {
    let plain = lag == 0 && search.condition.is_empty() && search.query.is_empty();
    if let Some(found) = plain.then(|| walk(business, search)).flatten() {
        return (found, business.contacts.len());
    }
    let all = if lag == 0 { business.contacts.iter().collect() } else { business.contacts.indexed(now, lag) };
    let mut fitting: Vec<&Contact> = all
        .into_iter()
        .filter(|contact| matches(contact, &search.condition) && mentions(contact, &search.query))
        .collect();
    let total = fitting.len();
    if let Some(after) = &search.after {
        fitting.retain(|contact| compare_keys(&keys(contact, &search.sort), after, &search.sort) == Ordering::Greater);
    }
    (page(fitting, search), total)
}

/// The rows of the page: selects them before it sorts them, as pages are small and tables are not.
fn page<'a>(mut rows: Vec<&'a Contact>, search: &Search) -> Vec<&'a Contact> {
    let end = search.skip.saturating_add(search.limit);
    let order = |a: &&Contact, b: &&Contact| compare(a, b, &search.sort);
    if rows.len() > end {
        rows.select_nth_unstable_by(end, order);
        rows.truncate(end);
    }
    rows.sort_unstable_by(order);
    rows.split_off(search.skip.min(rows.len()))
}

/// Walks an index that is kept in order, when the search wants nothing but that order.
fn walk<'a>(business: &'a Business, search: &Search) -> Option<Vec<&'a Contact>> {
    let [sort] = &search.sort[..] else { return None };
    let index = match sort.field.as_str() {
        "dateAdded" => business.contacts.by_added(),
        "dateUpdated" => business.contacts.by_updated(),
        _ => return None,
    };
    let start = match search.after.as_deref() {
        None => None,
        Some([Key::Number(at), Key::Text(id)]) => Some((*at, id.parse::<Id>().ok()?)),
        Some(_) => return None,
    };
    use std::ops::Bound::{Excluded, Unbounded};
    let rows: Vec<Id> = match (start, sort.descending) {
        (None, true) => index.iter().rev().skip(search.skip).take(search.limit).map(|(_, id)| *id).collect(),
        (None, false) => index.iter().skip(search.skip).take(search.limit).map(|(_, id)| *id).collect(),
        (Some(start), true) => index.range(..start).rev().take(search.limit).map(|(_, id)| *id).collect(),
        (Some(start), false) => {
            index.range((Excluded(start), Unbounded)).take(search.limit).map(|(_, id)| *id).collect()
        }
    };
    Some(rows.into_iter().filter_map(|id| business.contacts.get(id)).collect())
}

fn compare(a: &Contact, b: &Contact, sort: &[Sort]) -> Ordering {
    for by in sort {
        let order = sort_key(Some(a), &by.field).cmp(&sort_key(Some(b), &by.field));
        let order = if by.descending { order.reverse() } else { order };
        if order != Ordering::Equal {
            return order;
        }
    }
    // Equals are told apart by id, in the direction of the first field.
    if sort.first().is_some_and(|by| by.descending) { b.id.cmp(&a.id) } else { a.id.cmp(&b.id) }
}

fn compare_keys(a: &[Key], b: &[Key], sort: &[Sort]) -> Ordering {
    for (n, (a, b)) in a.iter().zip(b).enumerate() {
        let descending = sort.get(n).or(sort.first()).is_some_and(|by| by.descending);
        let order = if descending { b.cmp(a) } else { a.cmp(b) };
        if order != Ordering::Equal {
            return order;
        }
    }
    Ordering::Equal
}

fn keys(contact: &Contact, sort: &[Sort]) -> Vec<Key> {
    let mut keys: Vec<Key> = sort.iter().filter_map(|by| sort_key(Some(contact), &by.field)).collect();
    keys.push(Key::Text(contact.id.to_string()));
    keys
}

fn cursor(contact: &Contact, sort: &[Sort]) -> Vec<Value> {
    let value = |key| match key {
        Key::Number(number) => json!(number),
        Key::Text(text) => json!(text),
        Key::Missing => Value::Null,
    };
    keys(contact, sort).into_iter().map(value).collect()
}

fn key(value: &Value) -> Key {
    match value {
        Value::Number(number) => number.as_i64().map_or(Key::Missing, Key::Number),
        Value::String(text) => Key::Text(text.clone()),
        _ => Key::Missing,
    }
}

/// The value to order by; `None` for a field that cannot be sorted by.
fn sort_key(contact: Option<&Contact>, field: &str) -> Option<Key> {
    let lower = |text: Option<&str>| text.map_or(Key::Missing, |text| Key::Text(text.to_lowercase()));
    let read: fn(&Contact) -> Option<&str> = match field {
        "dateAdded" => return Some(contact.map_or(Key::Missing, |contact| Key::Number(contact.added))),
        "dateUpdated" => return Some(contact.map_or(Key::Missing, |contact| Key::Number(contact.updated))),
        "contactName" => return Some(contact.map_or(Key::Missing, |contact| Key::Text(contact.name().to_lowercase()))),
        "firstNameLowerCase" => |contact| contact.first_name.as_deref(),
        "lastNameLowerCase" => |contact| contact.last_name.as_deref(),
        "email" => |contact| contact.email.as_deref(),
        "phone" => |contact| contact.phone.as_deref(),
        "companyName" | "businessName" => |contact| contact.company.as_deref(),
        "city" => |contact| contact.city.as_deref(),
        "state" => |contact| contact.state.as_deref(),
        "country" => |contact| Some(&contact.country),
        "source" => |contact| contact.source.as_deref(),
        "type" => |contact| Some(&contact.kind),
        _ => return None,
    };
    Some(lower(contact.and_then(read)))
}

/// Free text over what the vendor searches by default: names, company, e-mail, phone, tags.
fn mentions(contact: &Contact, query: &str) -> bool {
    if query.is_empty() {
        return true;
    }
    let holds = |text: Option<&str>| text.is_some_and(|text| text.to_lowercase().contains(query));
    let digits: String = query.chars().filter(char::is_ascii_digit).collect();
    contact.name().to_lowercase().contains(query)
        || holds(contact.company.as_deref())
        || holds(contact.email.as_deref())
        || (digits.len() >= 4 && holds(contact.phone.as_deref().filter(|phone| phone.contains(&digits)).map(|_| query)))
        || contact.tags.iter().any(|tag| tag.contains(query))
}

/// `GET /contacts/`, deprecated: newest first, by `startAfter` and `startAfterId`.
pub(crate) async fn list(
    State(world): State<Arc<World>>,
    call: Call,
    OriginalUri(uri): OriginalUri,
    Query(query): Query<HashMap<String, String>>,
) -> Reply {
    if call.v3() {
        return Err(Refusal::removed(uri.path()));
    }
    call.at(query.get("locationId").map(String::as_str))?;
    let limit = query.get("limit").map_or(Ok(20), |limit| limit.parse::<usize>());
    let Some(limit) = limit.ok().filter(|limit| (1..=100).contains(limit)) else {
        return Err(Refusal::invalid(["limit must not be greater than 100", "limit must be a number"]));
    };
    let business = world.business();
    let listing = older(&business, &query, limit);
    let rows: Vec<Value> = listing.rows.iter().map(|contact| rows::listed(contact, call.location)).collect();
    let base = format!("http://services.leadconnectorhq.com/contacts/?locationId={}", call.location);
    let meta = meta(&listing, limit, &base);
    ok(&json!({"contacts": rows, "count": listing.total, "meta": meta, "traceId": call.trace}))
}

/// One page of a newest-first list, as V1 and the deprecated V2 list page.
pub(crate) struct Listing<'a> {
    pub rows: Vec<&'a Contact>,
    pub total: usize,
    more: bool,
}

pub(crate) fn older<'a>(business: &'a Business, query: &HashMap<String, String>, limit: usize) -> Listing<'a> {
    let text = query.get("query").map(|query| query.to_lowercase()).unwrap_or_default();
    let after = query.get("startAfter").and_then(|at| at.parse::<Millis>().ok());
    let after_id = query.get("startAfterId").and_then(|id| id.parse::<Id>().ok());
    // With only the time, rows of the same millisecond would repeat; the vendor wants both.
    let start = after.map(|after| (after, after_id));
    let index = business.contacts.by_added();
    let fits = |contact: &&Contact| mentions(contact, &text);
    let total = if text.is_empty() { index.len() } else { business.contacts.iter().filter(fits).count() };
    let before = |(at, id): &&(Millis, Id)| match start {
        None => true,
        Some((after, None)) => *at < after,
        Some((after, Some(after_id))) => (*at, *id) < (after, after_id),
    };
    let bound = start.map_or((Millis::MAX, None), |start| start).0.saturating_add(1);
    let lowest = business.location; // Any id does: the bound is one millisecond above.
    let walk = index.range(..(bound, lowest)).rev().filter(before);
    let mut rows: Vec<&Contact> =
        walk.filter_map(|(_, id)| business.contacts.get(*id)).filter(fits).take(limit + 1).collect();
    let more = rows.len() > limit;
    rows.truncate(limit);
    Listing { rows, total, more }
}

/// `meta` of a listing. `nextPageUrl` is plain http, as the vendor sends it.
pub(crate) fn meta(listing: &Listing<'_>, limit: usize, base: &str) -> Value {
    let last = listing.rows.last();
    let next = last.filter(|_| listing.more).map(|last| {
        let joint = if base.contains('?') { '&' } else { '?' };
        format!("{base}{joint}limit={limit}&startAfter={}&startAfterId={}", last.added, last.id)
    });
    json!({
        "total": listing.total,
        "nextPageUrl": next,
        "startAfterId": last.map(|last| last.id),
        "startAfter": last.map(|last| last.added),
        "currentPage": 1,
        "nextPage": listing.more.then_some(2),
        "prevPage": null,
    })
}
