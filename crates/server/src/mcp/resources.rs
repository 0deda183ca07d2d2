//! MCP resources: pages of the brain that a client can attach to a conversation.

use std::sync::Arc;

use rmcp::model::{CacheScope, ErrorData, ReadResourceResult, Resource, ResourceContents};
use serde_json::{Value, json};

use crate::actor::Actor;
use crate::app::App;
use crate::calls::{self, Outcome, Request, Source};

/// uri, name, title, description
const RESOURCES: &[(&str, &str, &str, &str)] = &[
    (
        "business://dashboard",
        "dashboard",
        "Business dashboard",
        "Contacts, pipeline, relationship health and the age of the data",
    ),
    ("business://urgent-today", "urgent_today", "Urgent today", "Who has to hear from the business today, and why"),
    ("business://recent-changes", "recent_changes", "Recent changes", "What is new or changed since the last days"),
];

pub(super) fn list() -> Vec<Resource> {
    let resource = |(uri, name, title, description): &(&str, &str, &str, &str)| {
        Resource::new(*uri, *name).with_title(*title).with_description(*description).with_mime_type("text/markdown")
    };
    RESOURCES.iter().map(resource).collect()
}

pub(super) async fn read(app: &Arc<App>, actor: &Actor, uri: &str) -> Result<ReadResourceResult, ErrorData> {
    let known = RESOURCES.iter().find(|(known, ..)| *known == uri);
    let Some((_, name, ..)) = known else {
        return Err(ErrorData::invalid_params(format!("there is no resource `{uri}`"), Some(json!({"uri": uri}))));
    };
    let text = page(app, actor, json!({"page": name})).await?;
    let contents = ResourceContents::text(text, uri).with_mime_type("text/markdown");
    Ok(ReadResourceResult::new(vec![contents]).with_ttl_ms(30_000).with_cache_scope(CacheScope::Private))
}

/// A page of the brain. It is a call like any other: decided, and on record.
pub(super) async fn page(app: &Arc<App>, actor: &Actor, arguments: Value) -> Result<String, ErrorData> {
    let reply = calls::call(app, actor, Request::new("contacts.page", arguments)).await;
    let refused = |message: String| ErrorData::invalid_params(message, None);
    let done = match reply.map_err(|unknown| refused(unknown.message))?.outcome {
        Outcome::Done(done) => done,
        Outcome::Denied(reason) => return Err(refused(format!("Denied: {reason}."))),
        Outcome::Failed(e) => return Err(refused(calls::explain(&e))),
        Outcome::Pending(_) => {
            return Err(refused("the policy wants a person to decide; use the tool contacts_page".into()));
        }
    };
    let text = done.data["text"].as_str().unwrap_or_default();
    let notice = if done.source == Source::Sample { SAMPLE } else { "" };
    Ok(format!("{notice}{text}"))
}

/// Stands above every page that was made from invented data.
const SAMPLE: &str =
    "> **Sample data.** No ecosystem is connected; this is the built-in sample business, not a real one.\n\n";
