//! Every request to a company: who asks, within which limits, for what.

use std::{collections::HashMap, sync::Arc};

use axum::{
    body::Bytes,
    extract::{Extension, Path, Query, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use super::{
    State as QuickBooks,
    books::{self, Entity},
    changes, dates,
    fault::{Fault, respond},
    invoices, query, realm, reports, state, writes,
};
use crate::{
    clock::Millis,
    gohighlevel::gate::{Trace, bearer, content_type},
    world::World,
};

/// An admitted request.
pub(super) struct Asked<'a> {
    pub world: &'a World,
    pub now: Millis,
    pub query: &'a HashMap<String, String>,
}

impl Asked<'_> {
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }
}

type Parts = (State<Arc<World>>, Extension<Trace>, Method, Path<(String, String)>, Query<HashMap<String, String>>);

pub(super) async fn answer(
    (State(world), Extension(trace), method, Path((company, rest)), Query(query)): Parts,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let now = world.now();
    let batch = rest == "batch";
    let mut state = state(&world);
    let admitted = admit(&world, &mut state, &headers, &company, now, batch);
    let asked = Asked { world: &world, now, query: &query };
    let outcome = admitted.and_then(|()| route(&mut state, &asked, &method, &rest, &headers, &body));
    drop(state);
    let (status, mut body) = match outcome {
        Ok(answer) => answer,
        Err(fault) => (fault.status, fault.body()),
    };
    if body.get("fault").is_some() {
        body["time"] = json!(now);
    } else {
        body["time"] = json!(dates::time(now));
    }
    let mut response = respond(status, &body).into_response();
    if let Ok(tid) = HeaderValue::from_str(&format!("1-{}", trace.0)) {
        response.headers_mut().insert("intuit_tid", tid);
    }
    response
}

fn admit(
    world: &World,
    state: &mut QuickBooks,
    headers: &HeaderMap,
    company: &str,
    now: Millis,
    batch: bool,
) -> Result<(), Fault> {
    let known = bearer(headers).is_some_and(|bearer| state.grants.admits(bearer, now));
    if !known {
        return Err(Fault::unauthenticated());
    }
    if company != realm(world.options.seed) {
        return Err(Fault::foreign_company());
    }
    if world.options.enforce_limits && !state.limits.take(now, batch) {
        world.breach("quickbooks");
        return Err(Fault::throttled());
    }
    Ok(())
}

type Answer = Result<(StatusCode, Value), Fault>;

fn route(
    state: &mut QuickBooks,
    asked: &Asked<'_>,
    method: &Method,
    rest: &str,
    headers: &HeaderMap,
    body: &Bytes,
) -> Answer {
    let segments: Vec<&str> = rest.split('/').collect();
    let fine = |value: Value| Ok((StatusCode::OK, value));
    let books = state.books(asked.world);
    match (method.as_str(), segments.as_slice()) {
        ("GET", ["companyinfo", _]) => {
            fine(json!({"CompanyInfo": books.rows("CompanyInfo").next().cloned().unwrap_or_default()}))
        }
        ("GET", ["query"]) => fine(query::answer(books, asked.parameter("query").unwrap_or_default())?),
        ("POST", ["query"]) => fine(query::answer(books, &statement(headers, body)?)?),
        ("GET", ["cdc"]) => fine(changes::answer(books, asked)?),
        ("GET", ["reports", name]) => fine(reports::answer(books, asked, name)?),
        ("POST", ["batch"]) => once(state, asked, |state| batch(state, asked, &object(body)?)),
        // Sending mails each time: the vendor promises nothing about a repeated send.
        ("POST", [name, id, "send"]) => {
            let row = invoices::send(books, asked, entity(name)?, id)?;
            fine(json!({ entity(name)?.name: row }))
        }
        ("GET", [name, id]) => {
            let entity = entity(name)?;
            fine(json!({ entity.name: books.find(entity, id)? }))
        }
        ("POST", [name]) => {
            let (entity, body) = (entity(name)?, object(body)?);
            let operation = asked.parameter("operation").unwrap_or_default().to_owned();
            once(state, asked, |state| {
                let row = writes::write(state.books(asked.world), asked, entity, &body, &operation)?;
                Ok((StatusCode::OK, json!({ entity.name: row })))
            })
        }
        _ => Err(Fault::unsupported(format!("Operation {rest} is not supported."))),
    }
}

/// Carries out what has this `requestid` once; whoever asks again gets the first answer, whatever was sent.
fn once(state: &mut QuickBooks, asked: &Asked<'_>, work: impl FnOnce(&mut QuickBooks) -> Answer) -> Answer {
    let Some(id) = asked.parameter("requestid") else { return work(state) };
    if id.chars().count() > 50 {
        return Err(Fault::validation("2030", "Invalid ID", "requestid is longer than 50 characters"));
    }
    if let Some(answered) = state.books(asked.world).answered.get(id) {
        return Ok(answered.clone());
    }
    let answer = work(state)?;
    state.books(asked.world).answered.insert(id.to_owned(), answer.clone());
    Ok(answer)
}

/// Up to 30 items; each has its own fault, and the status is 200 whatever they say.
fn batch(state: &mut QuickBooks, asked: &Asked<'_>, body: &Value) -> Answer {
    let items = body["BatchItemRequest"].as_array().ok_or_else(|| Fault::missing("BatchItemRequest"))?;
    if items.len() > 30 {
        return Err(Fault::validation("1040", "Batch Size Exceeded", "A batch may have 30 items at most"));
    }
    let books = state.books(asked.world);
    let mut answers = Vec::with_capacity(items.len());
    for item in items {
        let mut answer = match batch_item(books, asked, item) {
            Ok(answer) => answer,
            Err(fault) => json!({"Fault": fault.inner()}),
        };
        answer["bId"] = item["bId"].clone();
        answers.push(answer);
    }
    Ok((StatusCode::OK, json!({"BatchItemResponse": answers})))
}

fn batch_item(books: &mut books::Books, asked: &Asked<'_>, item: &Value) -> Result<Value, Fault> {
    if let Some(statement) = item["Query"].as_str() {
        return query::answer(books, statement);
    }
    let members = item.as_object().into_iter().flatten();
    let found = members.filter_map(|(name, body)| Some((books::entity(name)?, body))).next();
    let (entity, body) = found.ok_or_else(|| Fault::unsupported("The batch item names no entity"))?;
    let operation = item["operation"].as_str().unwrap_or_default();
    let row = writes::write(books, asked, entity, body, operation)?;
    Ok(json!({ entity.name: row }))
}

fn entity(name: &str) -> Result<&'static Entity, Fault> {
    books::entity(name).ok_or_else(|| Fault::unsupported(format!("Operation {name} is not supported.")))
}

fn object(body: &Bytes) -> Result<Value, Fault> {
    let read = serde_json::from_slice::<Value>(body).ok().filter(Value::is_object);
    read.ok_or_else(|| {
        Fault::validation("2010", "Request has invalid or unsupported property", "The body is no JSON object")
    })
}

/// The statement of a query that was posted: as text, or as a form of one client.
fn statement(headers: &HeaderMap, body: &Bytes) -> Result<String, Fault> {
    if content_type(headers).contains("json") {
        return Err(Fault::unsupported("A query is text"));
    }
    Ok(String::from_utf8_lossy(body).into_owned())
}
