//! Every served operation against the vendor's published response schemas.

use std::{collections::BTreeSet, path::PathBuf};

use reqwest::Method;
use serde_json::{Map, Value, json};

use super::client::{Answer, Client, start, unlimited};

fn specs() -> Option<PathBuf> {
    super::contracts::folder("gohighlevel")
}

/// The vendor's OpenAPI documents and what was checked against them.
struct Contract {
    folder: PathBuf,
    checked: BTreeSet<String>,
    failures: Vec<String>,
}

impl Contract {
    fn read(&self, path: &str) -> Value {
        serde_json::from_slice(&std::fs::read(self.folder.join(path)).unwrap()).unwrap()
    }

    /// Checks an answer against the schema of `method template` in the version's document.
    fn check(&mut self, app: &str, v3: bool, method: &str, template: &str, answer: &Answer) {
        self.check_at(app, v3, method, template, answer, &answer.body);
    }

    fn check_at(&mut self, app: &str, v3: bool, method: &str, template: &str, answer: &Answer, body: &Value) {
        let file = if v3 { format!("apps/v3/{app}-v3.json") } else { format!("apps/{app}.json") };
        let document = self.read(&file);
        let name = format!("{file} {method} {template} {}", answer.status.as_u16());
        let operation = &document["paths"][template][method.to_lowercase()];
        let response = &operation["responses"][answer.status.as_str()];
        if response.is_null() {
            self.failures.push(format!("{name}: the contract knows no such answer: {}", answer.body));
            return;
        }
        self.checked.insert(name.clone());
        let schema = &response["content"]["application/json"]["schema"];
        if schema.is_null() {
            return;
        }
        let schema = self.resolve(schema, &document);
        let validator = jsonschema::validator_for(&schema).unwrap_or_else(|error| panic!("{name}: {error}"));
        let wrong = validator.iter_errors(body).map(|error| format!("{name} at {}: {error}", error.instance_path()));
        self.failures.extend(wrong);
    }

    /// One JSON Schema with all components beside it.
    fn resolve(&self, schema: &Value, document: &Value) -> Value {
        let mut definitions = Map::new();
        let common = self.read("apps/common/common-schemas.json");
        let old = self.read("common/common-schemas.json");
        for source in [&common, &old, document] {
            for (name, component) in source["components"]["schemas"].as_object().unwrap() {
                definitions.insert(name.clone(), json_schema(component));
            }
        }
        let mut root = json_schema(schema);
        root["$defs"] = Value::Object(definitions);
        root
    }
}

/// OpenAPI 3.0 to JSON Schema, with the two known defects of these documents repaired: lists of
/// objects that are declared as lists of lists, and moments that are declared as objects.
fn json_schema(schema: &Value) -> Value {
    let Value::Object(fields) = schema else { return schema.clone() };
    if let Some(reference) = fields.get("$ref").and_then(Value::as_str) {
        return json!({"$ref": format!("#/$defs/{}", reference.rsplit('/').next().unwrap())});
    }
    let mut out = Map::new();
    for (key, value) in fields {
        match key.as_str() {
            "properties" => {
                let properties = value.as_object().unwrap();
                let properties = properties.iter().map(|(name, schema)| (name.clone(), json_schema(schema)));
                out.insert(key.clone(), Value::Object(properties.collect()));
            }
            "items" if *value == json!({"type": "array"}) => {}
            "items" | "additionalProperties" => {
                out.insert(key.clone(), json_schema(value));
            }
            "allOf" | "oneOf" | "anyOf" => {
                out.insert(key.clone(), value.as_array().unwrap().iter().map(json_schema).collect());
            }
            "type" if value == "object" && fields.get("example").is_some_and(Value::is_string) => {}
            "required" if !value.is_array() => {}
            "type" | "required" | "enum" => {
                out.insert(key.clone(), value.clone());
            }
            _ => {}
        }
    }
    if fields.get("nullable") == Some(&json!(true)) {
        return json!({"anyOf": [out, {"type": "null"}]});
    }
    Value::Object(out)
}

/// Ids that the requests need.
struct Ids {
    contact: String,
    pipeline: String,
    user: String,
    calendar: String,
}

async fn ids(client: &Client) -> Ids {
    let location = client.location();
    let reachable = json!([{"field": "phone", "operator": "exists"}, {"field": "email", "operator": "exists"},
        {"field": "dnd", "operator": "eq", "value": false}]);
    let search = json!({"locationId": location, "pageLimit": 1, "filters": reachable});
    let text = |value: &Value| value["id"].as_str().unwrap().to_owned();
    Ids {
        contact: text(&client.post("/contacts/search", search).await.list("contacts")[0]),
        pipeline: text(
            &client.get(&format!("/opportunities/pipelines?locationId={location}")).await.list("pipelines")[0],
        ),
        user: text(&client.get(&format!("/users/?locationId={location}")).await.list("users")[1]),
        calendar: text(&client.get(&format!("/calendars/?locationId={location}")).await.list("calendars")[0]),
    }
}

#[tokio::test]
async fn answers_satisfy_the_published_schemas() {
    let Some(folder) = specs() else { return };
    let (sandbox, client) = start(unlimited()).await;
    let ids = ids(&client).await;
    let mut contract = Contract { folder, checked: BTreeSet::new(), failures: Vec::new() };
    // The checker itself: a number where the contract has text must be seen.
    let good = client.get(&format!("/contacts/{}", ids.contact)).await;
    let bad = json!({"contact": {"email": 5}});
    contract.check_at("contacts", false, "GET", "/contacts/{contactId}", &good, &bad);
    assert_eq!(contract.failures.len(), 1, "{:?}", contract.failures);
    contract.failures.clear();
    for v3 in [false, true] {
        let client = client.speaking(if v3 { "v3" } else { "2021-07-28" });
        contacts(&mut contract, &client, v3, &ids).await;
        notes_and_tasks(&mut contract, &client, v3, &ids).await;
        opportunities(&mut contract, &client, v3, &ids).await;
        conversations(&mut contract, &client, v3, &ids).await;
        calendars(&mut contract, &client, v3, &ids).await;
        places(&mut contract, &client, v3, &ids).await;
        tokens(&mut contract, &client, v3, &sandbox).await;
    }
    assert!(contract.failures.is_empty(), "{:#?}", contract.failures);
    println!("{} answers checked", contract.checked.len());
    assert!(contract.checked.len() >= 115, "{:#?}", contract.checked);
}

async fn contacts(contract: &mut Contract, client: &Client, v3: bool, ids: &Ids) {
    let location = client.location();
    let mut check =
        |method: &str, template: &str, answer: &Answer| contract.check("contacts", v3, method, template, answer);
    let email = format!("contract{v3}@example.com");
    let body = json!({"locationId": location, "firstName": "Con", "lastName": "Tract", "email": email,
        "companyName": "Contract Ltd", "tags": ["a"], "dndSettings": {"SMS": {"status": "active"}}});
    let made = client.post("/contacts/", body).await;
    check("POST", "/contacts/", &made);
    let id = made.body["contact"]["id"].as_str().unwrap_or_default().to_owned();
    let path = format!("/contacts/{id}");
    check("GET", "/contacts/{contactId}", &client.get(&path).await);
    check("GET", "/contacts/{contactId}", &client.get(&format!("/contacts/{}", ids.contact)).await);
    check("PUT", "/contacts/{contactId}", &client.send(Method::PUT, &path, json!({"city": "Reno"})).await);
    let upsert = json!({"locationId": location, "email": email, "firstName": "Con2"});
    check("POST", "/contacts/upsert", &client.post("/contacts/upsert", upsert).await);
    let search = client.post("/contacts/search", json!({"locationId": location, "pageLimit": 500})).await;
    check("POST", "/contacts/search", &search);
    let duplicate = client.get(&format!("/contacts/search/duplicate?locationId={location}&email={email}")).await;
    check("GET", "/contacts/search/duplicate", &duplicate);
    let tags = format!("{path}/tags");
    check("POST", "/contacts/{contactId}/tags", &client.post(&tags, json!({"tags": ["b"]})).await);
    let removed = client.send(Method::DELETE, &tags, json!({"tags": ["b"]})).await;
    check("DELETE", "/contacts/{contactId}/tags", &removed);
    let bulk = json!({"contacts": [id], "tags": ["c"], "locationId": location});
    let bulk = client.post("/contacts/bulk/tags/update/add", bulk).await;
    check("POST", "/contacts/bulk/tags/update/{type}", &bulk);
    check("DELETE", "/contacts/{contactId}", &client.send(Method::DELETE, &path, json!({})).await);
    let stranger = client.bearing("nonsense");
    check("GET", "/contacts/{contactId}", &stranger.get(&path).await);
    check("POST", "/contacts/", &client.post("/contacts/", json!({})).await);
    if !v3 {
        let list = client.get(&format!("/contacts/?locationId={location}&limit=100")).await;
        check("GET", "/contacts/", &list);
    }
}

async fn notes_and_tasks(contract: &mut Contract, client: &Client, v3: bool, ids: &Ids) {
    let mut check =
        |method: &str, template: &str, answer: &Answer| contract.check("contacts", v3, method, template, answer);
    let (notes, tasks) = (format!("/contacts/{}/notes", ids.contact), format!("/contacts/{}/tasks", ids.contact));
    let made = client.post(&notes, json!({"body": "a note", "userId": ids.user, "title": "t", "pinned": true})).await;
    check("POST", "/contacts/{contactId}/notes", &made);
    let note = format!("{notes}/{}", made.body["note"]["id"].as_str().unwrap_or_default());
    check("GET", "/contacts/{contactId}/notes", &client.get(&notes).await);
    check("GET", "/contacts/{contactId}/notes/{id}", &client.get(&note).await);
    let changed = client.send(Method::PUT, &note, json!({"body": "other"})).await;
    check("PUT", "/contacts/{contactId}/notes/{id}", &changed);
    check("DELETE", "/contacts/{contactId}/notes/{id}", &client.send(Method::DELETE, &note, json!({})).await);

    let task = json!({"title": "t", "body": "b", "dueDate": "2026-12-01T10:00:00Z", "completed": false,
        "assignedTo": ids.user});
    let made = client.post(&tasks, task).await;
    check("POST", "/contacts/{contactId}/tasks", &made);
    let task = format!("{tasks}/{}", made.body["task"]["id"].as_str().unwrap_or_default());
    check("GET", "/contacts/{contactId}/tasks", &client.get(&tasks).await);
    check("GET", "/contacts/{contactId}/tasks/{taskId}", &client.get(&task).await);
    let changed = client.send(Method::PUT, &task, json!({"title": "u"})).await;
    check("PUT", "/contacts/{contactId}/tasks/{taskId}", &changed);
    let done = client.send(Method::PUT, &format!("{task}/completed"), json!({"completed": true})).await;
    check("PUT", "/contacts/{contactId}/tasks/{taskId}/completed", &done);
    check("DELETE", "/contacts/{contactId}/tasks/{taskId}", &client.send(Method::DELETE, &task, json!({})).await);
}

async fn opportunities(contract: &mut Contract, client: &Client, v3: bool, ids: &Ids) {
    let location = client.location();
    let mut check =
        |method: &str, template: &str, answer: &Answer| contract.check("opportunities", v3, method, template, answer);
    let pipelines = client.get(&format!("/opportunities/pipelines?locationId={location}")).await;
    check("GET", "/opportunities/pipelines", &pipelines);
    let name = if v3 { "locationId" } else { "location_id" };
    for page in 1..=5 {
        let found = client.get(&format!("/opportunities/search?{name}={location}&limit=100&page={page}")).await;
        check("GET", "/opportunities/search", &found);
    }
    let found = client.post("/opportunities/search", json!({"locationId": location, "limit": 100, "page": 1})).await;
    check("POST", "/opportunities/search", &found);
    let body = json!({"locationId": location, "pipelineId": ids.pipeline, "name": "Deal", "status": "open",
        "contactId": ids.contact, "monetaryValue": 10, "assignedTo": ids.user});
    let made = client.post("/opportunities/", body).await;
    check("POST", "/opportunities/", &made);
    let path = format!("/opportunities/{}", made.body["opportunity"]["id"].as_str().unwrap_or_default());
    check("GET", "/opportunities/{id}", &client.get(&path).await);
    check("PUT", "/opportunities/{id}", &client.send(Method::PUT, &path, json!({"name": "Deal 2"})).await);
    let won = client.send(Method::PUT, &format!("{path}/status"), json!({"status": "won"})).await;
    check("PUT", "/opportunities/{id}/status", &won);
    let upsert = json!({"locationId": location, "pipelineId": ids.pipeline, "contactId": ids.contact});
    check("POST", "/opportunities/upsert", &client.post("/opportunities/upsert", upsert).await);
    check("DELETE", "/opportunities/{id}", &client.send(Method::DELETE, &path, json!({})).await);
    check("POST", "/opportunities/", &client.post("/opportunities/", json!({})).await);
}

async fn conversations(contract: &mut Contract, client: &Client, v3: bool, ids: &Ids) {
    let location = client.location();
    let mut check =
        |method: &str, template: &str, answer: &Answer| contract.check("conversations", v3, method, template, answer);
    let found = client.get(&format!("/conversations/search?locationId={location}&limit=100")).await;
    check("GET", "/conversations/search", &found);
    let sms = json!({"type": "SMS", "contactId": ids.contact, "message": "hello"});
    let sms = client.post("/conversations/messages", sms).await;
    check("POST", "/conversations/messages", &sms);
    let email = json!({"type": "Email", "contactId": ids.contact, "subject": "s", "html": "<p>hello</p>"});
    let email = client.post("/conversations/messages", email).await;
    check("POST", "/conversations/messages", &email);
    let text = |answer: &Answer, key: &str| answer.body[key].as_str().unwrap_or_default().to_owned();
    let path = format!("/conversations/{}", text(&sms, "conversationId"));
    check("GET", "/conversations/{conversationId}", &client.get(&path).await);
    let read = client.send(Method::PUT, &path, json!({"locationId": location, "unreadCount": 0})).await;
    check("PUT", "/conversations/{conversationId}", &read);
    let message = client.get(&format!("/conversations/messages/{}", text(&sms, "messageId"))).await;
    check("GET", "/conversations/messages/{id}", &message);
    let source = client.get(&format!("/conversations/messages/email/{}", text(&email, "emailMessageId"))).await;
    check("GET", "/conversations/messages/email/{id}", &source);
    let all = client.get(&format!("/conversations/messages/export?locationId={location}&limit=500")).await;
    check("GET", "/conversations/messages/export", &all);
    let later =
        json!({"type": "SMS", "contactId": ids.contact, "message": "later", "scheduledTimestamp": 1_800_000_000});
    let later = client.post("/conversations/messages", later).await;
    let cancel = format!("/conversations/messages/{}/schedule", text(&later, "messageId"));
    let cancelled = client.send(Method::DELETE, &cancel, json!({})).await;
    check("DELETE", "/conversations/messages/{messageId}/schedule", &cancelled);
    let fresh = json!({"locationId": location, "email": format!("thread{v3}@example.com")});
    let fresh = client.post("/contacts/", fresh).await;
    let thread = json!({"locationId": location, "contactId": fresh.body["contact"]["id"]});
    check("POST", "/conversations/", &client.post("/conversations/", thread).await);
    // Live, the page is nested one deeper than the schema says.
    let page = client.get(&format!("{path}/messages")).await;
    let template = "/conversations/{conversationId}/messages";
    contract.check_at("conversations", v3, "GET", template, &page, &page.body["messages"]);
}

async fn calendars(contract: &mut Contract, client: &Client, v3: bool, ids: &Ids) {
    let location = client.location();
    let mut check =
        |method: &str, template: &str, answer: &Answer| contract.check("calendars", v3, method, template, answer);
    check("GET", "/calendars/", &client.get(&format!("/calendars/?locationId={location}")).await);
    check("GET", "/calendars/{calendarId}", &client.get(&format!("/calendars/{}", ids.calendar)).await);
    let (start, end) = (1_790_000_000_000_i64, 1_800_000_000_000_i64);
    let span = format!("startTime={start}&endTime={end}");
    let path = format!("/calendars/events?locationId={location}&calendarId={}&{span}", ids.calendar);
    let events = client.get(&path).await;
    assert!(events.list("events").len() > 10);
    check("GET", "/calendars/events", &events);
    let span = format!("startDate={}&endDate={}", 1_795_262_400_000_i64, 1_795_862_400_000_i64);
    let slots = client.get(&format!("/calendars/{}/free-slots?{span}", ids.calendar)).await;
    check("GET", "/calendars/{calendarId}/free-slots", &slots);
    let days = slots.body.as_object().cloned().unwrap_or_default();
    let slot = days.values().next().map(|day| day["slots"][0].clone()).unwrap_or_default();
    let body = json!({"calendarId": ids.calendar, "locationId": location, "contactId": ids.contact, "startTime": slot});
    let booked = client.post("/calendars/events/appointments", body).await;
    check("POST", "/calendars/events/appointments", &booked);
    let id = booked.body["id"].as_str().unwrap_or_default();
    let path = format!("/calendars/events/appointments/{id}");
    check("GET", "/calendars/events/appointments/{eventId}", &client.get(&path).await);
    let changed = client.send(Method::PUT, &path, json!({"title": "New title"})).await;
    check("PUT", "/calendars/events/appointments/{eventId}", &changed);
    let listed = client.get(&format!("/contacts/{}/appointments", ids.contact)).await;
    check(
        "DELETE",
        "/calendars/events/{eventId}",
        &client.send(Method::DELETE, &format!("/calendars/events/{id}"), json!({})).await,
    );
    assert!(!listed.list("events").is_empty());
    contract.check("contacts", v3, "GET", "/contacts/{contactId}/appointments", &listed);
}

async fn places(contract: &mut Contract, client: &Client, v3: bool, ids: &Ids) {
    let location = format!("/locations/{}", client.location());
    let mut check =
        |method: &str, template: &str, answer: &Answer| contract.check("locations", v3, method, template, answer);
    check("GET", "/locations/{locationId}", &client.get(&location).await);
    let fields = client.get(&format!("{location}/customFields?model=all")).await;
    check("GET", "/locations/{locationId}/customFields", &fields);
    let field = fields.list("customFields")[0]["id"].as_str().unwrap_or_default();
    let field = client.get(&format!("{location}/customFields/{field}")).await;
    check("GET", "/locations/{locationId}/customFields/{id}", &field);
    check("GET", "/locations/{locationId}/customValues", &client.get(&format!("{location}/customValues")).await);
    check("GET", "/locations/{locationId}/tags", &client.get(&format!("{location}/tags")).await);
    let tag = client.post(&format!("{location}/tags"), json!({"name": format!("contract {v3}")})).await;
    check("POST", "/locations/{locationId}/tags", &tag);
    let tasks = client.post(&format!("{location}/tasks/search"), json!({"limit": 100, "completed": false})).await;
    assert!(tasks.list("tasks").len() > 20);
    check("POST", "/locations/{locationId}/tasks/search", &tasks);
    if !v3 {
        let users = client.get(&format!("/users/?locationId={}", client.location())).await;
        contract.check("users", v3, "GET", "/users/", &users);
    }
    let users = client.get(&format!("/users/search?companyId={}", client.account.company_id)).await;
    contract.check("users", v3, "GET", "/users/search", &users);
    contract.check("users", v3, "GET", "/users/{userId}", &client.get(&format!("/users/{}", ids.user)).await);
}

async fn tokens(contract: &mut Contract, client: &Client, v3: bool, sandbox: &sandbox::Sandbox) {
    let account = &client.account;
    let code = sandbox.authorization_code(true);
    let names =
        if v3 { ["clientId", "clientSecret", "grantType"] } else { ["client_id", "client_secret", "grant_type"] };
    let fields = [
        (names[0], account.client_id.as_str()),
        (names[1], &account.client_secret),
        (names[2], "authorization_code"),
        ("code", &code),
    ];
    let tokens = client.form("/oauth/token", &fields).await;
    contract.check("oauth", v3, "POST", "/oauth/token", &tokens);
    let access = tokens.body[if v3 { "accessToken" } else { "access_token" }].as_str().unwrap_or_default();
    let agency = client.bearing(access);
    let path = if v3 { "/oauth/location-token" } else { "/oauth/locationToken" };
    let fields = [("companyId", account.company_id.as_str()), ("locationId", client.location())];
    contract.check("oauth", v3, "POST", path, &agency.form(path, &fields).await);
    let path = if v3 { "/oauth/installed-locations" } else { "/oauth/installedLocations" };
    let app = account.client_id.split('-').next().unwrap_or_default();
    let listed = agency.get(&format!("{path}?companyId={}&appId={app}", account.company_id)).await;
    contract.check("oauth", v3, "GET", path, &listed);
}

/// Search rows have no schema; these keys were seen on the wire or in the official description.
#[tokio::test]
async fn search_rows_carry_what_the_vendors_rows_carry() {
    let (_sandbox, client) = start(unlimited()).await;
    let answer = client.post("/contacts/search", json!({"locationId": client.location(), "pageLimit": 1})).await;
    let row = answer.list("contacts")[0].as_object().unwrap();
    for key in [
        "id",
        "locationId",
        "contactName",
        "firstName",
        "lastName",
        "firstNameLowerCase",
        "lastNameLowerCase",
        "email",
        "phone",
        "phoneLabel",
        "companyName",
        "businessName",
        "businessId",
        "additionalEmails",
        "additionalPhones",
        "type",
        "source",
        "assignedTo",
        "address",
        "city",
        "state",
        "country",
        "postalCode",
        "website",
        "timezone",
        "dnd",
        "dndSettings",
        "tags",
        "customFields",
        "dateOfBirth",
        "dateAdded",
        "dateUpdated",
        "followers",
        "validEmail",
        "opportunities",
        "searchAfter",
    ] {
        assert!(row.contains_key(key), "{key} is missing");
    }
    assert_eq!(row["id"].as_str().unwrap().len(), 20);
    assert!(answer.body["traceId"].is_string());
}
