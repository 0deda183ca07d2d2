//! The page that a person sees who opens the address in a browser.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Html;

use super::document::{Operation, get};
use super::page::escape;
use crate::app::App;

pub fn described() -> Vec<Operation> {
    vec![get("/", "showHome", "A page for who opens the address in a browser.").open().pages(&[200])]
}

pub async fn show(State(app): State<Arc<App>>) -> Html<String> {
    let url = app.config.public_url();
    let brand = escape(&app.config.server.brand);
    let state = if app.connections.own().is_sample() {
        "Nothing is connected yet: every answer comes from the built-in sample business."
    } else {
        "Connected."
    };
    Html(format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>{brand}</title><body><main><h1>{brand}</h1><p>{state}</p>\
         <p>MCP endpoint for AI clients: <code>{url}/mcp</code></p>\
         <p>Plain HTTP: <code>POST {url}/mcp/run/{{tool}}</code>, tools at <a href=\"/mcp/tools\">/mcp/tools</a> (with a key)</p>\
         <p><a href=\"/health\">Health</a> · <a href=\"/metrics\">Metrics</a></p></main></body></html>"
    ))
}
