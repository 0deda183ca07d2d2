//! What the protocol's conformance suite calls, beside the real tools and behind the real stack.
//!
//! The suite wants tools, resources and prompts with certain names. They stand here, in front of
//! [`Mcp`], which answers everything else; routes, middleware and transport are the server's own.

#![expect(deprecated, reason = "older clients still know sampling and log messages, and the suite looks for them")]

mod tools;
mod asks;
mod rounds;
mod pages;

use std::sync::Arc;

use axum::extract::Request;
use axum::http::{HeaderValue, header};
use axum::middleware::from_fn;
use rmcp::ServerHandler;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, CompleteRequestParams, CompleteResult, ErrorData,
    GetPromptRequestParams, GetPromptResponse, ListPromptsResult, ListResourceTemplatesResult, ListResourcesResult,
    ListToolsResult, PaginatedRequestParams, ReadResourceRequestParams, ReadResourceResponse, ServerCapabilities,
    ServerConfig, SetLevelRequestParams, SubscribeRequestParams, SubscriptionFilter, Tool, UnsubscribeRequestParams,
};
use rmcp::service::{RequestContext, RoleServer, SubscriptionContext};
use sdk::{Error, Result};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::broadcast;

use super::{Mcp, routes};
use crate::actor::{Actor, Scope};
use crate::api;
use crate::app::App;
use crate::identity::keys;
use crate::serve::Server;
use rounds::Seal;

/// The handler that the suite talks to.
#[derive(Clone)]
pub struct Fixtures {
    real: Mcp,
    seal: Arc<Seal>,
    changes: broadcast::Sender<Change>,
}

/// What subscribers hear of.
#[derive(Clone, Copy)]
enum Change {
    Tools,
    Prompts,
}

impl Fixtures {
    /// Starts the server with the fixtures in it. A request without a key gets one here, because
    /// the suite cannot send any.
    pub async fn serve(app: Arc<App>) -> Result<Server> {
        let (_, key) = keys::create(&app, &Actor::terminal(), "conformance suite", &[Scope::Read], None).await?;
        let key = HeaderValue::try_from(format!("Bearer {key}"))
            .map_err(|e| Error::internal("the key does not fit into a header").with_source(e))?;
        let router = api::around(&app, routes(&app, Fixtures::new(&app).await?));
        let router = router.layer(from_fn(move |mut request: Request, next: axum::middleware::Next| {
            request.headers_mut().entry(header::AUTHORIZATION).or_insert_with(|| key.clone());
            next.run(request)
        }));
        Server::start_with(app, router).await
    }

    async fn new(app: &Arc<App>) -> Result<Fixtures> {
        let (changes, _) = broadcast::channel(16);
        Ok(Fixtures { real: Mcp::new(app.clone(), None), seal: Arc::new(Seal::new(app).await?), changes })
    }
}

type Context = RequestContext<RoleServer>;

impl ServerHandler for Fixtures {
    fn get_info(&self) -> ServerConfig {
        let mut info = self.real.get_info();
        info.capabilities = ServerCapabilities::builder()
            .enable_logging()
            .enable_completions()
            .enable_tools()
            .enable_tool_list_changed()
            .enable_resources()
            .enable_resources_subscribe()
            .enable_prompts()
            .enable_prompts_list_changed()
            .build();
        info
    }

    async fn list_tools(
        &self,
        page: Option<PaginatedRequestParams>,
        context: Context,
    ) -> Result<ListToolsResult, ErrorData> {
        let mut list = self.real.list_tools(page, context).await?;
        list.tools.extend(tools::list());
        Ok(list)
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        self.real.get_tool(name).or_else(|| tools::list().into_iter().find(|tool| tool.name == name))
    }

    async fn call_tool(&self, request: CallToolRequestParams, context: Context) -> Result<CallToolResponse, ErrorData> {
        if let Some(script) = rounds::of_tool(&request.name) {
            return rounds::play(&self.seal, &script, request, &context);
        }
        if let Some(content) = tools::content(&request.name) {
            return typed::<CallToolResult>(content).map(Into::into);
        }
        match request.name.as_ref() {
            "test_tool_with_logging" | "test_logging_tool" => tools::log(&context).await,
            "test_tool_with_progress" => tools::progress(&context).await,
            "test_missing_capability" => tools::needs_sampling(&context),
            "test_custom_header" => Ok(tools::text("The header agrees with the argument.")),
            "test_trigger_tool_change" => Ok(self.announce(Change::Tools)),
            "test_trigger_prompt_change" => Ok(self.announce(Change::Prompts)),
            "json_schema_2020_12_tool" => Ok(tools::text("The arguments are as they should be.")),
            "test_sampling" => asks::sample(&request, &context).await,
            name if name.starts_with("test_elicitation") => asks::elicit(&request, &context).await,
            _ => self.real.call_tool(request, context).await,
        }
    }

    async fn list_resources(
        &self,
        page: Option<PaginatedRequestParams>,
        context: Context,
    ) -> Result<ListResourcesResult, ErrorData> {
        let mut list = self.real.list_resources(page, context).await?;
        list.resources.extend(pages::resources());
        Ok(list)
    }

    async fn list_resource_templates(
        &self,
        page: Option<PaginatedRequestParams>,
        context: Context,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        let mut list = self.real.list_resource_templates(page, context).await?;
        list.resource_templates.push(pages::template());
        Ok(list)
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        context: Context,
    ) -> Result<ReadResourceResponse, ErrorData> {
        match pages::read(&request.uri) {
            Some(page) => Ok(page.into()),
            None => self.real.read_resource(request, context).await,
        }
    }

    async fn list_prompts(
        &self,
        page: Option<PaginatedRequestParams>,
        context: Context,
    ) -> Result<ListPromptsResult, ErrorData> {
        let mut list = self.real.list_prompts(page, context).await?;
        list.prompts.extend(pages::prompts());
        Ok(list)
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        context: Context,
    ) -> Result<GetPromptResponse, ErrorData> {
        if request.name == rounds::PROMPT {
            return rounds::prompt(&request);
        }
        match pages::prompt(&request) {
            Some(prompt) => typed::<rmcp::model::GetPromptResult>(prompt).map(Into::into),
            None => self.real.get_prompt(request, context).await,
        }
    }

    async fn complete(&self, _request: CompleteRequestParams, _context: Context) -> Result<CompleteResult, ErrorData> {
        Ok(CompleteResult::default())
    }

    async fn set_level(&self, _request: SetLevelRequestParams, _context: Context) -> Result<(), ErrorData> {
        Ok(())
    }

    async fn subscribe(&self, _request: SubscribeRequestParams, _context: Context) -> Result<(), ErrorData> {
        Ok(())
    }

    async fn unsubscribe(&self, _request: UnsubscribeRequestParams, _context: Context) -> Result<(), ErrorData> {
        Ok(())
    }

    fn accepted_subscription_filter(&self, requested: &SubscriptionFilter) -> Option<SubscriptionFilter> {
        Some(requested.clone())
    }

    async fn listen(&self, subscription: SubscriptionContext) -> Result<(), ErrorData> {
        let mut changes = self.changes.subscribe();
        loop {
            let change = tokio::select! {
                () = subscription.cancelled() => return Ok(()),
                change = changes.recv() => change,
            };
            // A change that this client did not ask for is refused by the sink, which is as it should be.
            let sent = match change {
                Ok(Change::Tools) => subscription.sink().notify_tool_list_changed().await,
                Ok(Change::Prompts) => subscription.sink().notify_prompt_list_changed().await,
                Err(_) => return Ok(()),
            };
            drop(sent);
        }
    }
}

impl Fixtures {
    fn announce(&self, change: Change) -> CallToolResponse {
        drop(self.changes.send(change));
        tools::text("The list has changed.")
    }
}

/// What the suite describes as JSON, as rmcp's type for it.
fn typed<T: DeserializeOwned>(value: Value) -> Result<T, ErrorData> {
    serde_json::from_value(value).map_err(|e| ErrorData::internal_error(format!("the fixture is not valid: {e}"), None))
}
