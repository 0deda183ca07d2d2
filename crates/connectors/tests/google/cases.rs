//! One call of every tool: its arguments, what Google answers, and what must have been sent.

use serde_json::{Value, json};

use crate::support::{Reply, Vendor};

pub struct Case {
    pub tool: &'static str,
    pub arguments: Value,
    /// Method and path, and the answers to it, the last of them for ever.
    pub answers: Vec<(&'static str, Vec<Value>)>,
    /// Method and path, some of the query, body; in the order of sending.
    pub requests: Vec<(&'static str, Value, Value)>,
    /// A part of the answer, as it must be.
    pub answer: Value,
}

impl Case {
    pub async fn vendor(&self) -> Vendor {
        let answers: Vec<(String, Vec<Value>)> =
            self.answers.iter().map(|(line, bodies)| ((*line).to_owned(), bodies.clone())).collect();
        let counts = std::sync::Mutex::new(std::collections::HashMap::<String, usize>::new());
        Vendor::start(move |sent, _| {
            let line = sent.line();
            let Some((_, bodies)) = answers.iter().find(|(own, _)| *own == line) else {
                return Reply::Json(404, json!({"error": {"code": 404, "message": "no such path"}}));
            };
            let mut counts = counts.lock().unwrap();
            let count = counts.entry(line).or_default();
            *count += 1;
            match &bodies[(*count - 1).min(bodies.len() - 1)] {
                Value::String(text) => Reply::Text(200, text.clone()),
                body => Reply::from(body.clone()),
            }
        })
        .await
    }
}

pub fn file_row() -> Value {
    json!({"id": "F1", "name": "Quote\u{200b} - Acme", "mimeType": "application/vnd.google-apps.document",
        "modifiedTime": "2026-11-20T10:00:00.000Z", "webViewLink": "https://docs.google.com/document/d/F1/edit",
        "owners": [{"displayName": "Rosalind", "emailAddress": "Rosalind@example.com"}], "new": {"unknown": 1}, "size": null})
}

pub fn mail_row() -> Value {
    json!({"id": "M1", "threadId": "T1", "labelIds": ["INBOX", "UNREAD", "NEW_LABEL"], "snippet": "Hi &amp; bye",
        "internalDate": "1795168800000", "payload": {"mimeType": "text/plain", "headers": [
            {"name": "from", "value": "\"Byron, Ada\" <Ada@example.com>"}, {"name": "To", "value": "me@example.com"},
            {"name": "Subject", "value": "Quote"}, {"name": "Message-ID", "value": "<m1@example.com>"},
            {"name": "References", "value": "<m0@example.com>"}]}})
}

pub fn event_row() -> Value {
    json!({"id": "E1", "summary": "Demo", "status": "confirmed", "start": {"dateTime": "2026-11-24T10:00:00Z"},
        "end": {"dateTime": "2026-11-24T11:00:00Z"}, "attendees": [{"email": "ada@example.com", "responseStatus": "accepted"}]})
}

fn book() -> Value {
    json!({"properties": {"title": "Prices"}, "sheets": [
        {"properties": {"title": "My tab", "gridProperties": {"rowCount": 100, "columnCount": 5}}},
        {"properties": {"sheetId": 7, "title": "Chart"}}]})
}

pub fn all() -> Vec<Case> {
    [drive(), sheets(), mails(), events()].into_iter().flatten().collect()
}

const FIELDS: &str = "nextPageToken,incompleteSearch,files(id,name,mimeType,modifiedTime,createdTime,size,webViewLink,\
                      trashed,parents,owners(displayName,emailAddress))";

fn drive() -> Vec<Case> {
    let document = json!({"id": "F1", "name": "Quote - Acme", "kind": "document", "modified": "2026-11-20T10:00:00Z",
        "owner": "Rosalind", "link": "https://docs.google.com/document/d/F1/edit"});
    vec![
        Case {
            tool: "list_assets",
            arguments: json!({"kind": "document", "name": "O'Hara", "folder_id": "P1", "limit": 2,
                "modified_after": "2026-11-01T00:00:00Z"}),
            answers: vec![(
                "GET /drive/v3/files",
                vec![json!({"files": [file_row(), {"name": "no id"}], "nextPageToken": "n"})],
            )],
            requests: vec![(
                "GET /drive/v3/files",
                json!({"q": "trashed = false and mimeType = 'application/vnd.google-apps.document' and name contains \
                    'O\\'Hara' and 'P1' in parents and modifiedTime > '2026-11-01T00:00:00.000Z'", "pageSize": "2",
                    "orderBy": "modifiedTime desc", "fields": FIELDS, "supportsAllDrives": "true",
                    "includeItemsFromAllDrives": "true"}),
                Value::Null,
            )],
            answer: json!({"documents": [document], "next_cursor": "Im4i"}),
        },
        Case {
            tool: "search_documents",
            arguments: json!({"query": "x' or trashed = true or name contains '"}),
            answers: vec![(
                "GET /drive/v3/files",
                vec![
                    json!({"files": [], "nextPageToken": "a"}),
                    json!({"files": [file_row()], "incompleteSearch": true}),
                ],
            )],
            requests: vec![
                (
                    "GET /drive/v3/files",
                    json!({"q": "fullText contains 'x\\' or trashed = true or name contains \\'' and trashed = false",
                        "pageSize": "10"}),
                    Value::Null,
                ),
                ("GET /drive/v3/files", json!({"pageToken": "a"}), Value::Null),
            ],
            answer: json!({"documents": [{"id": "F1"}], "note": "Google did not look through every shared drive, so \
                something may be missing"}),
        },
        Case {
            tool: "read_document",
            arguments: json!({"document_id": "https://docs.google.com/document/d/F1/edit", "length": 100}),
            answers: vec![
                ("GET /drive/v3/files/F1", vec![file_row()]),
                (
                    "GET /drive/v3/files/F1/export",
                    vec![json!("\u{feff}Hello\u{202e}\r\n".to_owned() + &"a".repeat(200))],
                ),
            ],
            requests: vec![
                ("GET /drive/v3/files/F1", json!({"supportsAllDrives": "true"}), Value::Null),
                ("GET /drive/v3/files/F1/export", json!({"mimeType": "text/plain"}), Value::Null),
            ],
            answer: json!({"document": {"id": "F1"}, "text": "Hello\n".to_owned() + &"a".repeat(94), "characters": 206,
                "next_start": 100}),
        },
    ]
}

fn sheets() -> Vec<Case> {
    let (open, get) = ("GET /sheets/v4/spreadsheets/S1", "GET /sheets/v4/spreadsheets/S1/values:batchGet");
    let present =
        json!({"valueRanges": [{"range": "'My tab'!A1:E100", "values": [["a", 1, true], ["b"], [], ["old", "x"]]}]});
    vec![
        Case {
            tool: "read_sheet",
            arguments: json!({"spreadsheet_id": "S1", "range": "my tab!A:C", "limit": 4}),
            answers: vec![(open, vec![book()]), (get, vec![present.clone()])],
            requests: vec![
                (open, json!({}), Value::Null),
                (get, json!({"ranges": "'My tab'!A1:C4", "valueRenderOption": "UNFORMATTED_VALUE"}), Value::Null),
            ],
            answer: json!({"title": "Prices", "tabs": [{"name": "My tab", "rows": 100, "columns": 5}], "first_row": 1,
                "rows": [["a", 1, true], ["b"], [], ["old", "x"]], "next_row": 5}),
        },
        Case {
            tool: "sync_sheet",
            arguments: json!({"spreadsheet_id": "S1", "range": "My tab", "rows": [["a", 1.0, false], ["=1+1", null, "c"]]}),
            answers: vec![
                (open, vec![book()]),
                (get, vec![present]),
                ("POST /sheets/v4/spreadsheets/S1/values:batchUpdate", vec![json!({"totalUpdatedCells": 5})]),
            ],
            requests: vec![
                (open, json!({}), Value::Null),
                (get, json!({"ranges": "'My tab'!A1:E100"}), Value::Null),
                (
                    "POST /sheets/v4/spreadsheets/S1/values:batchUpdate",
                    json!({}),
                    json!({"valueInputOption": "RAW", "data": [
                        {"range": "'My tab'!C1:C1", "majorDimension": "ROWS", "values": [[false]]},
                        {"range": "'My tab'!A2:C2", "majorDimension": "ROWS", "values": [["=1+1", null, "c"]]},
                        {"range": "'My tab'!A4:B4", "majorDimension": "ROWS", "values": [["", ""]]}]}),
                ),
            ],
            answer: json!({"range": "My tab", "cells_changed": 5, "rows": 2}),
        },
        Case {
            tool: "append_rows",
            arguments: json!({"spreadsheet_id": "S1", "rows": [["=HYPERLINK(\"x\")", 2, true, null]]}),
            answers: vec![
                (open, vec![book()]),
                ("POST /sheets/v4/spreadsheets/S1:batchUpdate", vec![json!({"replies": [{}, {}]})]),
            ],
            requests: vec![
                (open, json!({}), Value::Null),
                // The mark's own request is looked at against the sandbox.
                ("POST /sheets/v4/spreadsheets/S1:batchUpdate", json!({}), json!("any")),
            ],
            answer: json!({"tab": "My tab", "rows_added": 1}),
        },
    ]
}

fn mails() -> Vec<Case> {
    let (list, one) = ("GET /gmail/v1/users/me/messages", "GET /gmail/v1/users/me/messages/M1");
    let (drafts, write) = ("GET /gmail/v1/users/me/drafts", "POST /gmail/v1/users/me/drafts");
    let send = "POST /gmail/v1/users/me/drafts/send";
    let mut full = mail_row();
    full["payload"]["body"] = json!({"size": 2, "data": "SGkg8J-Zgg"});
    full["payload"]["filename"] = json!("");
    let draft = json!({"id": "r1", "message": {"id": "M9", "threadId": "T1"}});
    let none = json!({"resultSizeEstimate": 0});
    vec![
        Case {
            tool: "list_messages",
            arguments: json!({"query": "from:ada@example.com", "limit": 1}),
            answers: vec![
                (list, vec![json!({"messages": [{"id": "M1"}, {"id": "gone"}], "nextPageToken": "n"})]),
                (one, vec![mail_row()]),
            ],
            requests: vec![
                (list, json!({"q": "from:ada@example.com", "maxResults": "1"}), Value::Null),
                (one, json!({"format": "metadata"}), Value::Null),
                ("GET /gmail/v1/users/me/messages/gone", json!({"format": "metadata"}), Value::Null),
            ],
            answer: json!({"messages": [{"id": "M1", "thread_id": "T1", "from": "\"Byron, Ada\" <Ada@example.com>",
                "subject": "Quote", "date": "2026-11-20T10:00:00Z", "snippet": "Hi & bye", "unread": true}], "next_cursor": "Im4i"}),
        },
        Case {
            tool: "read_message",
            arguments: json!({"message_id": "M1"}),
            answers: vec![(one, vec![full])],
            requests: vec![(one, json!({"format": "full"}), Value::Null)],
            answer: json!({"message": {"id": "M1"}, "text": "Hi 🙂"}),
        },
        Case {
            tool: "create_draft",
            arguments: json!({"reply_to": "M1", "body": "Thanks"}),
            answers: vec![(one, vec![mail_row()]), (drafts, vec![none.clone()]), (write, vec![draft.clone()])],
            requests: vec![
                (one, json!({"format": "metadata"}), Value::Null),
                (drafts, json!({"maxResults": "5"}), Value::Null),
                (write, json!({}), json!("any")),
            ],
            answer: json!({"draft": {"id": "r1", "message_id": "M9", "thread_id": "T1", "to": ["ada@example.com"],
                "subject": "Re: Quote"}}),
        },
        Case {
            tool: "send_email",
            arguments: json!({"to": ["Ada <ada@example.com>"], "subject": "Hi", "body": "Hello"}),
            answers: vec![
                (list, vec![none.clone()]),
                (drafts, vec![none]),
                (write, vec![draft]),
                (send, vec![json!({"id": "M10", "threadId": "T1", "labelIds": ["SENT"]})]),
            ],
            requests: vec![
                (list, json!({"q": "in:sent newer_than:7d to:ada@example.com"}), Value::Null),
                (drafts, json!({}), Value::Null),
                (write, json!({}), json!("any")),
                (send, json!({}), json!({"id": "r1"})),
            ],
            answer: json!({"message": {"id": "M10", "thread_id": "T1", "subject": "Hi"}}),
        },
    ]
}

fn events() -> Vec<Case> {
    let list = "GET /calendar/v3/calendars/primary/events";
    let other = "POST /calendar/v3/calendars/team%40example.com/events";
    vec![
        Case {
            tool: "list_events",
            arguments: json!({"limit": 1}),
            answers: vec![(
                list,
                vec![json!({"items": [], "nextPageToken": "a"}), json!({"items": [event_row()], "timeZone": "UTC"})],
            )],
            requests: vec![
                (
                    list,
                    json!({"timeMin": "2026-11-23T20:00:00Z", "timeMax": "2026-11-30T20:00:00Z", "singleEvents": "true",
                        "orderBy": "startTime", "maxResults": "1"}),
                    Value::Null,
                ),
                (list, json!({"pageToken": "a", "timeMin": "2026-11-23T20:00:00Z"}), Value::Null),
            ],
            answer: json!({"events": [{"id": "E1", "title": "Demo", "start": "2026-11-24T10:00:00Z",
                "attendees": ["ada@example.com (accepted)"]}], "time_zone": "UTC"}),
        },
        Case {
            tool: "create_event",
            arguments: json!({"title": "Demo", "start": "2026-11-24T10:00:00-06:00", "attendees": ["ada@example.com"],
                "calendar_id": "team@example.com", "notify": true}),
            answers: vec![(other, vec![event_row()])],
            requests: vec![(other, json!({"sendUpdates": "all"}), json!("any"))],
            answer: json!({"event": {"id": "E1", "title": "Demo"}}),
        },
    ]
}
