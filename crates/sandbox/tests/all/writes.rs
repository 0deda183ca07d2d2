use reqwest::Method;
use serde_json::{Value, json};

use super::client::{Client, options, start};

async fn contact(client: &Client, email: &str) -> String {
    let body = json!({"locationId": client.location(), "firstName": "Test", "email": email, "phone": "+12135559999"});
    let made = client.post("/contacts/", body).await;
    assert_eq!(made.status, 201, "{}", made.body);
    made.body["contact"]["id"].as_str().unwrap().to_owned()
}

fn kinds(sandbox: &sandbox::Sandbox) -> Vec<String> {
    sandbox.business().effects().into_iter().map(|effect| effect.kind).collect()
}

#[tokio::test]
async fn duplicates_are_refused_and_upserts_update() {
    let (sandbox, client) = start(options()).await;
    let id = contact(&client, "one@example.com").await;
    let body = json!({"locationId": client.location(), "firstName": "Twin", "email": "ONE@example.com"});
    let refused = client.post("/contacts/", body.clone()).await;
    assert_eq!(refused.status, 400);
    assert_eq!(refused.body["message"], "This location does not allow duplicated contacts.");
    assert_eq!(refused.body["meta"]["contactId"], json!(id));
    assert_eq!(refused.body["meta"]["matchingField"], "email");
    let upserted = client.post("/contacts/upsert", body).await;
    assert_eq!((&upserted.body["new"], &upserted.body["contact"]["id"]), (&json!(false), &json!(id)));
    let fresh = json!({"locationId": client.location(), "email": "two@example.com"});
    assert_eq!(client.post("/contacts/upsert", fresh).await.body["new"], true);
    let query = format!("/contacts/search/duplicate?locationId={}&number=%2B12135559999", client.location());
    assert_eq!(client.get(&query).await.body["contact"]["id"], json!(id));
    assert_eq!(kinds(&sandbox), ["ContactCreate", "ContactUpdate", "ContactCreate"]);
}

#[tokio::test]
async fn tags_add_remove_and_replace() {
    let (sandbox, client) = start(options()).await;
    let id = contact(&client, "tags@example.com").await;
    let path = format!("/contacts/{id}/tags");
    let added = client.post(&path, json!({"tags": ["VIP", "new"]})).await;
    assert_eq!((added.status.as_u16(), &added.body["tags"]), (201, &json!(["vip", "new"])));
    let removed = client.send(Method::DELETE, &path, json!({"tags": ["vip"]})).await;
    assert_eq!((removed.status.as_u16(), &removed.body["tags"]), (200, &json!(["new"])));
    let replaced = client.send(Method::PUT, &format!("/contacts/{id}"), json!({"tags": ["other"]})).await;
    assert_eq!(replaced.body["contact"]["tags"], json!(["other"]));
    let bulk = json!({"contacts": [id, "nobody"], "tags": ["bulk"], "locationId": client.location()});
    let bulk = client.post("/contacts/bulk/tags/update/add", bulk).await;
    assert_eq!((bulk.status.as_u16(), &bulk.body["errorCount"]), (201, &json!(1)));
    // A tag that is already there is no write.
    client.post(&path, json!({"tags": ["bulk"]})).await;
    assert_eq!(kinds(&sandbox).len(), 5);
    let tags = client.get(&format!("/locations/{}/tags", client.location())).await;
    assert!(tags.list("tags").iter().any(|tag| tag["name"] == "bulk"));
}

#[tokio::test]
async fn notes_and_tasks_live_with_their_contact() {
    let (sandbox, client) = start(options()).await;
    let id = contact(&client, "notes@example.com").await;
    let notes = format!("/contacts/{id}/notes");
    assert_eq!(client.post(&notes, json!({})).await.status, 422);
    let note = client.post(&notes, json!({"body": "first"})).await;
    let note = format!("{notes}/{}", note.body["note"]["id"].as_str().unwrap());
    client.send(Method::PUT, &note, json!({"body": "second"})).await;
    assert_eq!(client.get(&notes).await.list("notes")[0]["body"], "second");
    assert_eq!(client.send(Method::DELETE, &note, json!({})).await.body["succeded"], true);
    assert_eq!(client.get(&note).await.status, 404);

    let tasks = format!("/contacts/{id}/tasks");
    assert_eq!(client.post(&tasks, json!({"title": "call"})).await.status, 422);
    let body = json!({"title": "call", "dueDate": "2026-11-25T10:00:00Z", "completed": false});
    let task = client.post(&tasks, body).await;
    let task = format!("{tasks}/{}", task.body["task"]["id"].as_str().unwrap());
    let done = client.send(Method::PUT, &format!("{task}/completed"), json!({"completed": true})).await;
    assert_eq!(done.body["task"]["completed"], true);
    let search = json!({"contactId": [id], "completed": true});
    let found = client.post(&format!("/locations/{}/tasks/search", client.location()), search).await;
    assert_eq!(found.list("tasks").len(), 1);
    let wanted = ["ContactCreate", "NoteCreate", "NoteUpdate", "NoteDelete", "TaskCreate", "TaskComplete"];
    assert_eq!(kinds(&sandbox), wanted);
    client.send(Method::DELETE, &format!("/contacts/{id}"), json!({})).await;
    assert_eq!(client.get(&tasks).await.status, 404);
}

#[tokio::test]
async fn opportunities_move_through_their_pipeline() {
    let (sandbox, client) = start(options()).await;
    let id = contact(&client, "deal@example.com").await;
    let pipelines = client.get(&format!("/opportunities/pipelines?locationId={}", client.location())).await;
    let pipeline = &pipelines.list("pipelines")[0];
    let body = json!({"locationId": client.location(), "pipelineId": pipeline["id"], "name": "Vials", "status": "open",
        "contactId": id, "monetaryValue": 1200});
    assert_eq!(client.post("/opportunities/", json!({"name": "x"})).await.status, 422);
    let made = client.post("/opportunities/", body).await;
    assert_eq!(made.status, 201);
    let path = format!("/opportunities/{}", made.body["opportunity"]["id"].as_str().unwrap());
    let stage = &pipeline["stages"][2]["id"];
    let moved = client.send(Method::PUT, &path, json!({"pipelineStageId": stage, "monetaryValue": 1500})).await;
    assert_eq!(moved.body["opportunity"]["pipelineStageId"], *stage);
    assert_eq!(client.send(Method::PUT, &path, json!({"pipelineStageId": "nope"})).await.status, 400);
    let won = client.send(Method::PUT, &format!("{path}/status"), json!({"status": "won"})).await;
    assert_eq!(won.body["succeded"], true);
    let upsert =
        json!({"locationId": client.location(), "pipelineId": pipeline["id"], "contactId": id, "name": "More"});
    assert_eq!(client.post("/opportunities/upsert", upsert.clone()).await.body["new"], true);
    assert_eq!(client.post("/opportunities/upsert", upsert).await.body["new"], false);
    assert_eq!(client.send(Method::DELETE, &path, json!({})).await.status, 200);
    assert_eq!(client.get(&path).await.status, 404);
    assert_eq!(kinds(&sandbox).iter().filter(|kind| kind.starts_with("Opportunity")).count(), 6);
}

#[tokio::test]
async fn messages_join_the_thread() {
    let (sandbox, client) = start(options()).await;
    let id = contact(&client, "talk@example.com").await;
    let sms = client.post("/conversations/messages", json!({"type": "SMS", "contactId": id, "message": "hi"})).await;
    assert_eq!(sms.status, 200);
    let email = json!({"type": "Email", "contactId": id, "subject": "Quote", "html": "<p>hi</p>"});
    let email = client.post("/conversations/messages", email).await;
    assert_eq!(email.body["conversationId"], sms.body["conversationId"]);
    let source =
        client.get(&format!("/conversations/messages/email/{}", email.body["emailMessageId"].as_str().unwrap())).await;
    assert_eq!((&source.body["subject"], &source.body["to"]), (&json!("Quote"), &json!(["talk@example.com"])));
    let path = format!("/conversations/{}/messages", sms.body["conversationId"].as_str().unwrap());
    let thread = client.get(&path).await;
    let bodies: Vec<&Value> =
        thread.body["messages"]["messages"].as_array().unwrap().iter().map(|row| &row["body"]).collect();
    assert_eq!(bodies, ["<p>hi</p>", "hi"]);
    for (body, status) in [
        (json!({"type": "SMS", "contactId": id}), 400),
        (json!({"type": "Carrier pigeon", "contactId": id, "message": "x"}), 422),
        (json!({"type": "SMS", "message": "x"}), 422),
        (json!({"type": "SMS", "contactId": "x", "message": "x"}), 404),
    ] {
        assert_eq!(client.post("/conversations/messages", body).await.status, status);
    }
    assert_eq!(kinds(&sandbox), ["ContactCreate", "OutboundMessage", "OutboundMessage"]);
}

#[tokio::test]
async fn appointments_take_free_slots() {
    let (sandbox, client) = start(options()).await;
    let id = contact(&client, "meet@example.com").await;
    let calendars = client.get(&format!("/calendars/?locationId={}", client.location())).await;
    let calendar = calendars.list("calendars")[0]["id"].as_str().unwrap();
    let (start, end) = (1_795_262_400_000_i64, 1_795_262_400_000_i64 + 10 * 86_400_000);
    let path = format!("/calendars/{calendar}/free-slots?startDate={start}&endDate={end}");
    let slots = client.get(&path).await;
    let day = slots.body.as_object().unwrap().values().next().unwrap();
    let slot = day["slots"][0].as_str().unwrap();
    let body = json!({"calendarId": calendar, "locationId": client.location(), "contactId": id, "startTime": slot});
    let booked = client.post("/calendars/events/appointments", body.clone()).await;
    assert_eq!((booked.status.as_u16(), &booked.body["appointmentStatus"]), (200, &json!("confirmed")));
    assert_eq!(client.post("/calendars/events/appointments", body).await.status, 400, "the slot is taken");
    assert!(!client.get(&path).await.body.to_string().contains(slot));
    let event = booked.body["id"].as_str().unwrap();
    let listed = client.get(&format!("/contacts/{id}/appointments")).await;
    assert_eq!(listed.list("events")[0]["id"], json!(event));
    let change = json!({"appointmentStatus": "cancelled"});
    client.send(Method::PUT, &format!("/calendars/events/appointments/{event}"), change).await;
    assert!(client.get(&path).await.body.to_string().contains(slot));
    assert_eq!(client.send(Method::DELETE, &format!("/calendars/events/{event}"), json!({})).await.status, 201);
    assert_eq!(kinds(&sandbox), ["ContactCreate", "AppointmentCreate", "AppointmentUpdate", "AppointmentDelete"]);
}
