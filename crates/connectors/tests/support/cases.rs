//! One call of every tool that sends something: its arguments, what the vendor answers, and what
//! must have been sent. The request tests and the contract tests both use it.

use serde_json::{Value, json};

use super::{Reply, Vendor};

pub struct Case {
    pub tool: &'static str,
    pub arguments: Value,
    /// `POST /contacts/search` and its answer.
    pub answers: Vec<(&'static str, Value)>,
    /// Method and path, query, body; in the order of sending.
    pub requests: Vec<(&'static str, Value, Value)>,
    /// A part of the answer, as it must be.
    pub answer: Value,
}

impl Case {
    pub async fn vendor(&self) -> Vendor {
        let answers: Vec<(String, Value)> =
            self.answers.iter().map(|(line, body)| ((*line).to_owned(), body.clone())).collect();
        Vendor::start(move |sent, _| {
            let found = answers.iter().find(|(line, _)| *line == sent.line());
            found.map_or(Reply::Json(404, json!({"message": "no such path"})), |(_, body)| Reply::from(body.clone()))
        })
        .await
    }
}

pub fn contact_row() -> Value {
    json!({
        "id": "C1", "locationId": "LOC1", "firstName": "Ada", "lastName": "Byron", "contactName": "ada byron",
        "companyName": "Acme Supply", "email": "ada@example.com", "phone": "+13105550123", "type": "lead",
        "tags": ["vip"], "dateAdded": "2026-11-01T10:00:00.000Z", "dateUpdated": "2026-11-20T10:00:00.000Z",
        "customFields": [{"id": "CF1", "value": "gold"}], "searchAfter": [1_793_527_200_000_u64, "C1"],
        "opportunities": [{"id": "O1", "pipelineId": "P1", "pipelineStageId": "S1", "status": "open"}]
    })
}

pub fn pipelines() -> Value {
    json!({"pipelines": [{"id": "P1", "name": "Sales", "locationId": "LOC1", "stages": [
        {"id": "S1", "name": "New", "position": 0}, {"id": "S2", "name": "Proposal", "position": 1}]}]})
}

pub fn opportunity_row() -> Value {
    json!({
        "id": "O1", "name": "Big deal", "monetaryValue": "1500.5", "pipelineId": "P1", "pipelineStageId": "S1",
        "status": "open", "contactId": "C1", "contact": {"id": "C1", "name": "Ada Byron"},
        "createdAt": "2026-10-01T10:00:00Z", "updatedAt": "2026-11-02T10:00:00Z",
        "lastStageChangeAt": "2026-10-02T10:00:00Z", "lastStatusChangeAt": "2026-10-01T10:00:00Z"
    })
}

fn found(rows: Value) -> Value {
    json!({"opportunities": rows, "meta": {"total": 1, "nextPage": null}})
}

const PIPELINES: &str = "GET /opportunities/pipelines";

pub fn all() -> Vec<Case> {
    [contacts(), contact_writes(), opportunities(), conversations(), calendars()].into_iter().flatten().collect()
}

fn contacts() -> Vec<Case> {
    vec![
        Case {
            tool: "read_contacts",
            arguments: json!({"query": "ada", "limit": 1}),
            answers: vec![
                ("POST /contacts/search", json!({"contacts": [contact_row()], "total": 7})),
                (PIPELINES, pipelines()),
            ],
            requests: vec![
                (
                    "POST /contacts/search",
                    json!({}),
                    json!({"locationId": "LOC1", "pageLimit": 1, "query": "ada",
                        "sort": [{"field": "dateAdded", "direction": "desc"}]}),
                ),
                (PIPELINES, json!({"locationId": "LOC1"}), Value::Null),
            ],
            answer: json!({"total": 7, "contacts": [{"id": "C1", "name": "Ada Byron", "company": "Acme Supply",
                "email": "ada@example.com", "phone": "+13105550123", "type": "lead", "tags": ["vip"], "stage": "New",
                "last_activity": "2026-11-20T10:00:00Z"}]}),
        },
        Case {
            tool: "get_contact",
            arguments: json!({"contact_id": "C1"}),
            answers: vec![(
                "GET /contacts/C1",
                json!({"contact": {"id": "C1", "firstName": "Ada", "lastActivity": 1_763_640_000_000_u64,
                    "address1": "1 Main St", "city": "Dolomite", "customFields": [{"id": "CF1", "value": ["a", "b"]}]}}),
            )],
            requests: vec![("GET /contacts/C1", json!({}), Value::Null)],
            answer: json!({"contact": {"id": "C1", "name": "Ada", "last_activity": "2025-11-20T12:00:00Z",
                "details": {"address": "1 Main St, Dolomite", "custom_fields": [{"id": "CF1", "value": "a, b"}]}}}),
        },
    ]
}

fn contact_writes() -> Vec<Case> {
    vec![
        Case {
            tool: "create_contact",
            arguments: json!({"first_name": "Ada", "email": "ada@example.com", "company": "Acme Supply",
                "tags": ["lead"], "custom_fields": [{"id": "CF1", "value": "gold"}]}),
            answers: vec![
                ("POST /contacts/upsert", json!({"new": true, "contact": contact_row(), "traceId": "t"})),
                ("POST /contacts/C1/tags", json!({"tags": ["vip", "lead"]})),
            ],
            requests: vec![
                (
                    "POST /contacts/upsert",
                    json!({}),
                    json!({"locationId": "LOC1", "createNewIfDuplicateAllowed": false, "firstName": "Ada",
                        "email": "ada@example.com", "companyName": "Acme Supply",
                        "customFields": [{"id": "CF1", "field_value": "gold"}]}),
                ),
                ("POST /contacts/C1/tags", json!({}), json!({"tags": ["lead"]})),
            ],
            answer: json!({"new": true, "contact": {"id": "C1", "tags": ["vip", "lead"]}}),
        },
        Case {
            tool: "update_contact",
            arguments: json!({"contact_id": "C1", "company": "New Co", "city": "Dolomite"}),
            answers: vec![("PUT /contacts/C1", json!({"succeded": true, "contact": contact_row()}))],
            requests: vec![("PUT /contacts/C1", json!({}), json!({"companyName": "New Co", "city": "Dolomite"}))],
            answer: json!({"contact": {"id": "C1"}}),
        },
        Case {
            tool: "add_tags",
            arguments: json!({"contact_id": "C1", "tags": ["a"]}),
            answers: vec![("POST /contacts/C1/tags", json!({"tags": ["vip", "a"], "tagsAdded": ["a"]}))],
            requests: vec![("POST /contacts/C1/tags", json!({}), json!({"tags": ["a"]}))],
            answer: json!({"contact_id": "C1", "tags": ["vip", "a"]}),
        },
        Case {
            tool: "remove_tags",
            arguments: json!({"contact_id": "C1", "tags": ["a"]}),
            answers: vec![("DELETE /contacts/C1/tags", json!({"tags": ["vip"]}))],
            requests: vec![("DELETE /contacts/C1/tags", json!({}), json!({"tags": ["a"]}))],
            answer: json!({"tags": ["vip"]}),
        },
        Case {
            tool: "add_note",
            arguments: json!({"contact_id": "C1", "body": "Called, wants a quote", "title": "Call"}),
            answers: vec![(
                "POST /contacts/C1/notes",
                json!({"note": {"id": "N1", "body": "Called", "dateAdded": "2026-11-21T20:00:00Z"}}),
            )],
            requests: vec![(
                "POST /contacts/C1/notes",
                json!({}),
                json!({"body": "Called, wants a quote", "title": "Call"}),
            )],
            answer: json!({"note": {"id": "N1", "contact_id": "C1", "created_at": "2026-11-21T20:00:00Z"}}),
        },
        Case {
            tool: "create_task",
            arguments: json!({"contact_id": "C1", "title": "Call back", "due": "2026-12-01T15:00:00Z"}),
            answers: vec![(
                "POST /contacts/C1/tasks",
                json!({"task": {"id": "T1", "title": "Call back", "dueDate": "2026-12-01T15:00:00.000Z"}}),
            )],
            requests: vec![(
                "POST /contacts/C1/tasks",
                json!({}),
                json!({"title": "Call back", "dueDate": "2026-12-01T15:00:00Z", "completed": false}),
            )],
            answer: json!({"task": {"id": "T1", "due": "2026-12-01T15:00:00Z", "completed": false}}),
        },
    ]
}

fn opportunities() -> Vec<Case> {
    let search = "GET /opportunities/search";
    vec![
        Case {
            tool: "list_pipelines",
            arguments: json!({}),
            answers: vec![(PIPELINES, pipelines())],
            requests: vec![(PIPELINES, json!({"locationId": "LOC1"}), Value::Null)],
            answer: json!({"pipelines": [{"id": "P1", "name": "Sales",
                "stages": [{"id": "S1", "name": "New"}, {"id": "S2", "name": "Proposal"}]}]}),
        },
        Case {
            tool: "list_opportunities",
            arguments: json!({"pipeline_id": "P1", "stage_id": "S1", "contact_id": "C1", "status": "open",
                "query": "big", "detailed": true}),
            answers: vec![(search, found(json!([opportunity_row()]))), (PIPELINES, pipelines())],
            requests: vec![
                (
                    search,
                    json!({"location_id": "LOC1", "pipeline_id": "P1", "pipeline_stage_id": "S1", "contact_id": "C1",
                        "status": "open", "q": "big", "limit": "20"}),
                    Value::Null,
                ),
                (PIPELINES, json!({"locationId": "LOC1"}), Value::Null),
            ],
            answer: json!({"total": 1, "opportunities": [{"id": "O1", "name": "Big deal", "contact": "Ada Byron",
                "pipeline": "Sales", "stage": "New", "status": "open", "value": 1500.5,
                "details": {"stage_id": "S1", "in_stage_since": "2026-10-02T10:00:00Z"}}]}),
        },
        Case {
            tool: "pipeline_digest",
            arguments: json!({}),
            answers: vec![(search, found(json!([opportunity_row()]))), (PIPELINES, pipelines())],
            requests: vec![
                (PIPELINES, json!({"locationId": "LOC1"}), Value::Null),
                (search, json!({"location_id": "LOC1", "status": "all", "limit": "100"}), Value::Null),
            ],
            answer: json!({"month": "2026-11", "complete": true, "opportunities_read": 1, "pipelines": [{"id": "P1",
                "open": {"count": 1, "value": 1500.5}, "won_this_month": {"count": 0, "value": 0.0},
                "stages": [{"id": "S1", "count": 1, "oldest": {"id": "O1", "since": "2026-10-02T10:00:00Z"}}]}]}),
        },
        Case {
            tool: "update_opportunity",
            arguments: json!({"opportunity_id": "O1", "status": "won", "value": 2000, "stage_id": "S2"}),
            answers: vec![
                ("PUT /opportunities/O1", json!({"opportunity": opportunity_row()})),
                (PIPELINES, pipelines()),
            ],
            requests: vec![
                (
                    "PUT /opportunities/O1",
                    json!({}),
                    json!({"status": "won", "monetaryValue": 2000.0, "pipelineStageId": "S2"}),
                ),
                (PIPELINES, json!({"locationId": "LOC1"}), Value::Null),
            ],
            answer: json!({"opportunity": {"id": "O1", "stage": "New"}}),
        },
    ]
}

fn conversations() -> Vec<Case> {
    vec![
        Case {
            tool: "send_sms",
            arguments: json!({"contact_id": "C1", "message": "Hello"}),
            answers: vec![(
                "POST /conversations/messages",
                json!({"conversationId": "V1", "messageId": "M1", "msg": "Message queued successfully."}),
            )],
            requests: vec![(
                "POST /conversations/messages",
                json!({}),
                json!({"type": "SMS", "contactId": "C1", "message": "Hello"}),
            )],
            answer: json!({"message_id": "M1", "conversation_id": "V1"}),
        },
        Case {
            tool: "send_email",
            arguments: json!({"contact_id": "C1", "subject": "Offer", "body": "a < b\nBye", "cc": ["b@example.com"],
                "from": "me@example.com", "reply_to": "M0"}),
            answers: vec![("POST /conversations/messages", json!({"conversationId": "V1", "emailMessageId": "E1"}))],
            requests: vec![(
                "POST /conversations/messages",
                json!({}),
                json!({"type": "Email", "contactId": "C1", "subject": "Offer", "html": "<p>a &lt; b<br>Bye</p>",
                    "message": "a < b\nBye", "emailCc": ["b@example.com"], "emailFrom": "me@example.com",
                    "replyMessageId": "M0"}),
            )],
            answer: json!({"message_id": "E1"}),
        },
        Case {
            tool: "read_conversations",
            arguments: json!({"limit": 1, "unread": true}),
            answers: vec![(
                "GET /conversations/search",
                json!({"conversations": [{"id": "V1", "contactId": "C1", "fullName": "Ada Byron", "unreadCount": 2,
                    "lastMessageBody": "Hi\u{200b}!", "lastMessageDate": 1_763_640_000_000_u64, "sort": [1_763_640_000_000_u64]}],
                    "total": 3}),
            )],
            requests: vec![(
                "GET /conversations/search",
                json!({"locationId": "LOC1", "status": "unread", "sort": "desc", "sortBy": "last_message_date",
                    "limit": "1"}),
                Value::Null,
            )],
            answer: json!({"total": 3, "conversations": [{"id": "V1", "contact": "Ada Byron", "last_message": "Hi!",
                "last_message_at": "2025-11-20T12:00:00Z", "unread": 2}]}),
        },
        Case {
            tool: "read_conversations",
            arguments: json!({"contact_id": "C1", "limit": 2}),
            answers: vec![
                ("GET /conversations/search", json!({"conversations": [{"id": "V1", "contactId": "C1"}], "total": 1})),
                (
                    "GET /conversations/V1/messages",
                    json!({"messages": {"lastMessageId": "M1", "nextPage": true, "messages": [{"id": "M1",
                        "messageType": "TYPE_SMS", "direction": "inbound", "body": "Hi",
                        "dateAdded": "2026-11-20T10:00:00Z"}]}}),
                ),
            ],
            requests: vec![
                (
                    "GET /conversations/search",
                    json!({"locationId": "LOC1", "contactId": "C1", "sort": "desc", "sortBy": "last_message_date",
                        "limit": "1"}),
                    Value::Null,
                ),
                ("GET /conversations/V1/messages", json!({"limit": "2"}), Value::Null),
            ],
            answer: json!({"conversation_id": "V1", "messages": [{"id": "M1", "type": "sms", "direction": "inbound",
                "body": "Hi", "at": "2026-11-20T10:00:00Z"}]}),
        },
    ]
}

fn calendars() -> Vec<Case> {
    vec![
        Case {
            tool: "list_appointments",
            arguments: json!({"from": "2026-11-23T00:00:00Z", "to": "2026-11-24T00:00:00Z"}),
            answers: vec![
                (
                    "GET /calendars/",
                    json!({"calendars": [{"id": "K1", "name": "Calls", "slotDuration": 1, "slotDurationUnit": "hours"}]}),
                ),
                (
                    "GET /calendars/events",
                    json!({"events": [{"id": "A1", "title": "Demo", "calendarId": "K1", "contactId": "C1",
                        "startTime": "2026-11-23T10:00:00-06:00", "endTime": "2026-11-23T10:30:00-06:00",
                        "appointmentStatus": "confirmed"}]}),
                ),
            ],
            requests: vec![
                ("GET /calendars/", json!({"locationId": "LOC1"}), Value::Null),
                (
                    "GET /calendars/events",
                    json!({"locationId": "LOC1", "calendarId": "K1", "startTime": "1795392000000",
                        "endTime": "1795478400000"}),
                    Value::Null,
                ),
            ],
            answer: json!({"calendars": [{"id": "K1", "minutes": 60}], "appointments": [{"id": "A1", "calendar": "Calls",
                "start": "2026-11-23T16:00:00Z", "status": "confirmed"}]}),
        },
        Case {
            tool: "book_appointment",
            arguments: json!({"calendar_id": "K1", "contact_id": "C1", "start": "2026-11-24T10:00:00-06:00",
                "title": "Demo"}),
            answers: vec![
                (
                    "GET /calendars/K1/free-slots",
                    json!({"2026-11-24": {"slots": ["2026-11-24T16:00:00Z"]}, "traceId": "t"}),
                ),
                (
                    "POST /calendars/events/appointments",
                    json!({"id": "A1", "calendarId": "K1", "contactId": "C1", "title": "Demo",
                        "startTime": "2026-11-24T10:00:00-06:00", "appointmentStatus": "confirmed"}),
                ),
            ],
            requests: vec![
                (
                    "GET /calendars/K1/free-slots",
                    json!({"startDate": "1795449600000", "endDate": "1795795200000"}),
                    Value::Null,
                ),
                (
                    "POST /calendars/events/appointments",
                    json!({}),
                    json!({"calendarId": "K1", "locationId": "LOC1", "contactId": "C1",
                        "startTime": "2026-11-24T10:00:00-06:00", "title": "Demo"}),
                ),
            ],
            answer: json!({"appointment": {"id": "A1", "start": "2026-11-24T16:00:00Z", "status": "confirmed"}}),
        },
    ]
}
