//! The `system.*` tools: the server about itself.

use std::time::Duration;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use sdk::{Result, Tool};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::approvals::{self, View};
use crate::calls::Scope;
use crate::connections::Description;
use crate::health::{self, Report};
use crate::tools::Entry;
use crate::webhooks;

pub fn tools() -> Vec<(&'static str, Tool<Scope>)> {
    let tools = vec![
        Tool::read("health", show_health),
        Tool::read("tools", list_tools),
        Tool::read("search_audit", search_audit).by_strangers(),
        Tool::read("list_approvals", list_approvals),
        Tool::read("get_approval", get_approval),
        Tool::read("wait_for_approval", wait_for_approval),
        Tool::read("list_connections", list_connections),
    ];
    tools.into_iter().map(|tool| ("system", tool)).collect()
}

/// Tells whether the server works: database, audit, how fresh the synced data is, and which
/// ecosystems are connected. Use it when answers look old or wrong.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Health {}

async fn show_health(scope: &Scope, _: Health) -> Result<Report> {
    Ok(health::report(&scope.app, &scope.connections).await)
}

/// Lists the tools of this server, or those of one ecosystem, with what each does and whether it
/// changes anything. Use it to find a tool by a word.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Tools {
    /// Only tools of this ecosystem, such as `gohighlevel`.
    #[serde(default)]
    #[schemars(length(max = 50))]
    ecosystem: Option<String>,
    /// Only tools whose name or description holds this word.
    #[serde(default)]
    #[schemars(length(max = 100))]
    word: Option<String>,
}

#[derive(Serialize, JsonSchema)]
struct ToolList {
    tools: Vec<ToolLine>,
}

#[derive(Serialize, JsonSchema)]
struct ToolLine {
    name: String,
    effect: String,
    description: String,
}

async fn list_tools(scope: &Scope, arguments: Tools) -> Result<ToolList> {
    let word = arguments.word.unwrap_or_default().to_lowercase();
    let wanted = |entry: &&std::sync::Arc<Entry>| {
        entry.is_for(&scope.actor)
            && arguments.ecosystem.as_ref().is_none_or(|ecosystem| ecosystem == entry.ecosystem)
            && (entry.id.contains(&word) || entry.spec.description.to_lowercase().contains(&word))
    };
    let line = |entry: &std::sync::Arc<Entry>| ToolLine {
        name: entry.mcp_name.clone(),
        effect: entry.spec.effect.as_str().into(),
        description: entry.spec.description.clone(),
    };
    Ok(ToolList { tools: scope.app.tools.iter().filter(wanted).map(line).collect() })
}

/// Searches the record of all calls, newest first: which tool was called, by whom, how it ended and
/// how long it took. Use it for "what did you change yesterday" or to explain an execution id.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct SearchAudit {
    /// Only calls of this tool, `gohighlevel.read_contacts`.
    #[serde(default)]
    #[schemars(length(max = 100))]
    tool: Option<String>,
    /// Only calls that ended so: `success`, `error`, `timeout`, `denied` or `pending_approval`.
    #[serde(default)]
    #[schemars(length(max = 30))]
    status: Option<String>,
    /// Only calls at or after this moment (RFC 3339).
    #[serde(default)]
    since: Option<DateTime<Utc>>,
    /// How many.
    #[serde(default = "twenty")]
    #[schemars(range(min = 1, max = 100))]
    limit: u64,
    /// Where the previous page ended.
    #[serde(default)]
    #[schemars(length(max = 200))]
    cursor: Option<String>,
}

fn twenty() -> u64 {
    20
}

#[derive(Serialize, JsonSchema)]
struct AuditPage {
    executions: Vec<AuditLine>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

#[derive(Serialize, JsonSchema)]
struct AuditLine {
    id: Uuid,
    timestamp: DateTime<Utc>,
    tool: String,
    status: String,
    duration_ms: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    caller: String,
    #[schemars(with = "serde_json::Map<String, serde_json::Value>")]
    arguments: serde_json::Value,
}

async fn search_audit(scope: &Scope, arguments: SearchAudit) -> Result<AuditPage> {
    let filter = store::audit::ExecutionFilter {
        tool: arguments.tool,
        status: arguments.status,
        since: arguments.since,
        ecosystems: scope.actor.toolsets.as_deref().map(|toolsets| toolsets.iter().cloned().collect()),
        ..Default::default()
    };
    let page = store::audit::list(&scope.tenant, &filter, arguments.limit, arguments.cursor.as_deref()).await;
    let page = page.map_err(crate::unavailable)?;
    Ok(AuditPage { executions: page.rows.into_iter().map(line).collect(), next_cursor: page.next })
}

fn line(row: store::entities::tool_executions::Model) -> AuditLine {
    AuditLine {
        id: row.id,
        timestamp: row.timestamp,
        tool: row.tool_name,
        status: row.status,
        duration_ms: row.duration_ms,
        source: row.source,
        error: row.error_message,
        caller: row.user_context["name"].as_str().unwrap_or_default().to_owned(),
        arguments: row.params,
    }
}

/// Lists what waits for a person's decision and what was decided lately. You cannot decide yourself.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ListApprovals {}

#[derive(Serialize, JsonSchema)]
struct ApprovalList {
    approvals: Vec<View>,
}

async fn list_approvals(scope: &Scope, _: ListApprovals) -> Result<ApprovalList> {
    Ok(ApprovalList { approvals: approvals::list(&scope.app, &scope.actor).await? })
}

/// Shows one approval: what was asked, its state, and the result once it was carried out.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct GetApproval {
    /// The `approval_id` of a pending answer.
    approval_id: Uuid,
}

async fn get_approval(scope: &Scope, arguments: GetApproval) -> Result<View> {
    approvals::get(&scope.app, &scope.actor, arguments.approval_id).await
}

/// Waits until a person has decided and the call was carried out, at most `seconds`; then shows the
/// approval as it is. Call it again while the state is `pending`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct WaitForApproval {
    /// The `approval_id` of a pending answer.
    approval_id: Uuid,
    /// How long to wait at most.
    #[serde(default = "thirty")]
    #[schemars(range(min = 1, max = 45))]
    seconds: u64,
}

fn thirty() -> u64 {
    30
}

async fn wait_for_approval(scope: &Scope, arguments: WaitForApproval) -> Result<View> {
    let end = tokio::time::Instant::now() + Duration::from_secs(arguments.seconds);
    loop {
        let approval = approvals::get(&scope.app, &scope.actor, arguments.approval_id).await?;
        if approval.is_settled() || tokio::time::Instant::now() >= end || scope.cancel.is_cancelled() {
            return Ok(approval);
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// Lists the ecosystems, whether each is connected or answered by sample data, and what to set to
/// connect it.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ListConnections {}

#[derive(Serialize, JsonSchema)]
struct ConnectionList {
    connections: Vec<Description>,
}

async fn list_connections(scope: &Scope, _: ListConnections) -> Result<ConnectionList> {
    // One that was connected or has ended since, here or in another process, is shown as it is.
    let mut connections = scope.connections.descriptions().await?;
    for (ecosystem, expected) in webhooks::expectations(&scope.app, &scope.connections).await? {
        // Those of the default connection, which comes first.
        let described = connections.iter_mut().find(|described| described.ecosystem == ecosystem);
        described.into_iter().for_each(|described| described.webhooks = Some(expected.clone()));
    }
    Ok(ConnectionList { connections })
}
