//! MCP resources: pages of the brain that a client can attach to a conversation.

use std::sync::Arc;

use rmcp::model::{CacheScope, ErrorData, ReadResourceResult, Resource, ResourceContents};
use serde_json::json;

use crate::actor::{Actor, Scope};
use crate::app::App;
use crate::brain;
use crate::calls;

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
    if !actor.may(Scope::Read) {
        return Err(ErrorData::invalid_params("this key may not read", None));
    }
    let (tenant, now) = (app.store.tenant(&actor.tenant), app.clock.now());
    let page = match uri {
        "business://dashboard" => brain::pages::dashboard(&tenant, now).await,
        "business://urgent-today" => brain::pages::urgent_today(&tenant, now).await,
        "business://recent-changes" => brain::pages::recent_changes(&tenant, now).await,
        _ => return Err(ErrorData::invalid_params(format!("there is no resource `{uri}`"), Some(json!({"uri": uri})))),
    };
    let text = page.map_err(|e| ErrorData::internal_error(calls::explain(&e), None))?;
    let text = format!("{}{text}", if app.connections.is_sample() { SAMPLE } else { "" });
    let contents = ResourceContents::text(text, uri).with_mime_type("text/markdown");
    Ok(ReadResourceResult::new(vec![contents]).with_ttl_ms(30_000).with_cache_scope(CacheScope::Private))
}

/// Stands above every page that was made from invented data.
pub(super) const SAMPLE: &str =
    "> **Sample data.** No ecosystem is connected; this is the built-in sample business, not a real one.\n\n";
