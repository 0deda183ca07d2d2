//! Notes and tasks of a contact. The vendor has no idempotency key for them, so they are sent once.

use chrono::{DateTime, SecondsFormat, Utc};
use schemars::JsonSchema;
use sdk::{Plan, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{GoHighLevel, plans, wire};
use crate::json;

/// Writes a note on a GoHighLevel contact, visible to the whole team. Use it to keep what was said or agreed. Answers
/// the `note` with its id. It is sent once: if the connection breaks, the outcome is unknown.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AddNote {
    /// The contact's id.
    #[schemars(length(min = 1, max = 128))]
    contact_id: String,
    /// The note's text.
    #[schemars(length(min = 1, max = 5000))]
    body: String,
    /// A heading.
    #[schemars(length(min = 1, max = 200))]
    title: Option<String>,
}

/// Creates a task for a GoHighLevel contact with a due date, for example a call to make. Answers the `task` with its
/// id. It is sent once: if the connection breaks, the outcome is unknown.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateTask {
    /// The contact's id.
    #[schemars(length(min = 1, max = 128))]
    contact_id: String,
    /// What is to be done.
    #[schemars(length(min = 1, max = 200))]
    title: String,
    /// When it is due, `2026-12-01T15:00:00Z`.
    due: DateTime<Utc>,
    /// More about it.
    #[schemars(length(min = 1, max = 5000))]
    body: Option<String>,
    /// The id of the user who is to do it.
    #[schemars(length(min = 1, max = 128))]
    assigned_to: Option<String>,
}

/// A note that was written.
#[derive(Serialize, JsonSchema)]
pub struct WrittenNote {
    note: Note,
}

/// A note.
#[derive(Serialize, JsonSchema)]
pub struct Note {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    contact_id: String,
    body: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_at: Option<DateTime<Utc>>,
}

/// A task that was created.
#[derive(Serialize, JsonSchema)]
pub struct CreatedTask {
    task: Task,
}

/// A task.
#[derive(Serialize, JsonSchema)]
pub struct Task {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    contact_id: String,
    title: String,
    due: DateTime<Utc>,
    completed: bool,
}

pub async fn add(api: &GoHighLevel, args: AddNote) -> Result<WrittenNote> {
    let body = args.body();
    let sent = api.post("/contacts/{contact_id}/notes", &[&args.contact_id])?.json(&body).send().await;
    let answer: Value =
        sent.and_then(|r| r.json()).map_err(|e| wire::unknown(e, "look at the contact's notes in GoHighLevel"))?;
    let note = answer.get("note").unwrap_or(&answer);
    Ok(WrittenNote {
        note: Note {
            id: json::text(note, "id"),
            contact_id: args.contact_id,
            body: sdk::text::cut(&args.body, 500),
            created_at: json::time(note, "dateAdded"),
        },
    })
}

pub async fn plan_note(api: &GoHighLevel, args: AddNote) -> Result<Plan> {
    let row = plans::contact(api, &args.contact_id).await?;
    Ok(Plan::new(format!("Write a note on {}.", plans::name(&row))).adds("note", args.body()))
}

pub async fn create_task(api: &GoHighLevel, args: CreateTask) -> Result<CreatedTask> {
    let body = args.body();
    let sent = api.post("/contacts/{contact_id}/tasks", &[&args.contact_id])?.json(&body).send().await;
    let answer: Value =
        sent.and_then(|r| r.json()).map_err(|e| wire::unknown(e, "look at the contact's tasks in GoHighLevel"))?;
    let task = answer.get("task").unwrap_or(&answer);
    Ok(CreatedTask {
        task: Task {
            id: json::text(task, "id"),
            contact_id: args.contact_id,
            title: args.title,
            due: json::time(task, "dueDate").unwrap_or(args.due),
            completed: json::flag(task, "completed").unwrap_or(false),
        },
    })
}

pub async fn plan_task(api: &GoHighLevel, args: CreateTask) -> Result<Plan> {
    let row = plans::contact(api, &args.contact_id).await?;
    Ok(Plan::new(format!("Create a task for {}.", plans::name(&row))).adds("task", args.body()))
}

impl AddNote {
    fn body(&self) -> Value {
        let mut body = json!({"body": self.body});
        if let Some(title) = &self.title {
            body["title"] = json!(title);
        }
        body
    }
}

impl CreateTask {
    fn body(&self) -> Value {
        let due = self.due.to_rfc3339_opts(SecondsFormat::Secs, true);
        let mut body = json!({"title": self.title, "dueDate": due, "completed": false});
        for (name, text) in [("body", &self.body), ("assignedTo", &self.assigned_to)] {
            if let Some(text) = text {
                body[name] = json!(text);
            }
        }
        body
    }
}
