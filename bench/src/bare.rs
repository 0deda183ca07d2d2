//! The servers to compare with: what the least is that the same work can cost.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result};
use axum::Router;
use axum::body::Bytes;
use axum::http::header::CONTENT_TYPE;
use chrono::{DateTime, Utc};
use clap::ValueEnum;
use rmcp::ServerHandler;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ErrorData, ListToolsResult, PaginatedRequestParams,
    ServerCapabilities, ServerConfig, Tool,
};
use rmcp::service::{RequestContext, RoleServer};
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use serde::Serialize;
use serde_json::{Value, json};
use server::clock::Clock;
use store::audit::Writer;
use store::chain::{Canonical, Execution, Record};
use store::contacts::ContactRow;
use store::{OpenOptions, Store, Tenant};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

/// Which of them.
#[derive(clap::Args)]
pub struct Options {
    kind: Kind,
    /// The database that the tool reads and that the records go to
    #[arg(long)]
    database: Option<String>,
    /// What the fixed server answers
    #[arg(long)]
    answer: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
pub enum Kind {
    /// axum alone with an answer that is always the same
    Fixed,
    /// axum and rmcp: the read, and a record whose commit is shared with whoever queues
    Grouped,
    /// The same with a commit for each record
    Single,
}

impl Kind {
    /// How the command line names it.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Fixed => "fixed",
            Kind::Grouped => "grouped",
            Kind::Single => "single",
        }
    }

    /// Records in one commit at most; the first number is that of the real server.
    fn largest_batch(self) -> usize {
        if self == Kind::Grouped { 512 } else { 1 }
    }
}

/// Serves until it is killed.
pub async fn serve(options: Options) -> Result<()> {
    let router = match options.kind {
        Kind::Fixed => fixed(&options)?,
        kind => with_tool(kind, options.database.as_deref().context("--database is missing")?).await?,
    };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    println!("URL http://{}", listener.local_addr()?);
    Ok(axum::serve(listener, router).await?)
}

fn fixed(options: &Options) -> Result<Router> {
    let answer = Bytes::from(std::fs::read(options.answer.as_ref().context("--answer is missing")?)?);
    let handler = move |_: Bytes| async move { ([(CONTENT_TYPE, "application/json")], answer) };
    Ok(Router::new().fallback(axum::routing::post(handler)))
}

async fn with_tool(kind: Kind, database: &str) -> Result<Router> {
    let store = Store::open(database, OpenOptions::default()).await?;
    let clock = Clock::system();
    let writer = Writer::open(&store, clock.now()).await?;
    let (queue, records) = mpsc::unbounded_channel();
    tokio::spawn(write(writer, clock.clone(), records, kind.largest_batch()));
    let bare = Bare { tenant: store.tenant("default"), clock, queue, tool: tool()? };
    let config = StreamableHttpServerConfig::default().with_json_response(true).with_legacy_session_mode(false);
    let service =
        StreamableHttpService::new(move || Ok(bare.clone()), Arc::new(NeverSessionManager::default()), config);
    Ok(Router::new().nest_service("/mcp", service))
}

type Waiting = (Record, oneshot::Sender<()>);

/// Commits what queued while the last commit ran, as the real server does.
async fn write(
    mut writer: Writer,
    clock: Clock,
    mut queue: mpsc::UnboundedReceiver<Waiting>,
    largest: usize,
) -> store::Result<()> {
    let mut batch = Vec::with_capacity(largest);
    while queue.recv_many(&mut batch, largest).await > 0 {
        let (records, waiting): (Vec<Record>, Vec<oneshot::Sender<()>>) = batch.drain(..).unzip();
        writer.append(records, clock.now()).await?;
        for done in waiting {
            // A caller that is gone needs no word.
            let _ = done.send(());
        }
    }
    Ok(())
}

/// One hand-written tool.
#[derive(Clone)]
struct Bare {
    tenant: Tenant,
    clock: Clock,
    queue: mpsc::UnboundedSender<Waiting>,
    tool: Tool,
}

impl ServerHandler for Bare {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }

    async fn list_tools(
        &self,
        _page: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(vec![self.tool.clone()]))
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        (name == self.tool.name).then(|| self.tool.clone())
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let (started, at) = (Instant::now(), self.clock.now());
        let arguments = Value::Object(request.arguments.unwrap_or_default());
        let limit = arguments["limit"].as_u64().unwrap_or(20);
        let page = store::contacts::recent(&self.tenant, limit, None).await.map_err(failed)?;
        let contacts: Vec<Shown> = page.rows.into_iter().map(Shown::from).collect();
        let data = json!({"contacts": contacts, "next_cursor": page.next});
        let (done, recorded) = oneshot::channel();
        let record = record(at, &arguments, &data, started.elapsed().as_millis() as i64);
        self.queue.send((record, done)).map_err(failed)?;
        recorded.await.map_err(failed)?;
        Ok(CallToolResult::structured(data).into())
    }
}

fn failed(error: impl std::fmt::Display) -> ErrorData {
    ErrorData::internal_error(error.to_string(), None)
}

fn tool() -> Result<Tool> {
    let input = json!({"type": "object", "properties": {"query": {"type": "string"}, "limit": {"type": "integer"}}});
    let input = input.as_object().cloned().context("a schema is an object")?;
    Ok(Tool::new("contacts_search", "Finds contacts.", Arc::new(input)))
}

/// A contact with the fields that the real server shows.
#[derive(Serialize)]
struct Shown {
    id: String,
    name: Option<String>,
    company: Option<String>,
    email: Option<String>,
    phone: Option<String>,
    r#type: Option<String>,
    tags: Vec<String>,
    added: Option<DateTime<Utc>>,
    last_activity: Option<DateTime<Utc>>,
    last_contact: Option<DateTime<Utc>>,
    importance: i16,
}

impl From<ContactRow> for Shown {
    fn from(row: ContactRow) -> Shown {
        Shown {
            id: row.vendor_id,
            name: row.name,
            company: row.company,
            email: row.email,
            phone: row.phone,
            r#type: row.kind,
            tags: row.tags,
            added: row.created_at,
            last_activity: row.last_activity,
            last_contact: row.last_interaction,
            importance: row.importance,
        }
    }
}

fn record(at: DateTime<Utc>, arguments: &Value, data: &Value, duration_ms: i64) -> Record {
    let caller = json!({"kind": "agent", "id": "019ab000-0000-7000-8000-000000000000", "name": "bare", "door": "mcp"});
    Record::Execution(Execution {
        id: Uuid::now_v7(),
        tenant_id: "default".into(),
        timestamp: at,
        tool_name: "contacts.search".into(),
        params: Canonical::from(arguments),
        response: Some(Canonical::from(data)),
        duration_ms,
        status: "success".into(),
        error_message: None,
        source: Some("cached".into()),
        user_context: Canonical::from(&caller),
        effect: "read".into(),
        approval_id: None,
    })
}
