//! The note that a client carries between the rounds of a call: whatever it is, it opens nothing.
#![no_main]

use axum::body::Body;
use axum::http::Request;
use enterprise_mcp_fuzz::{KEY, send};
use libfuzzer_sys::fuzz_target;
use serde_json::json;

fuzz_target!(|data: &[u8]| {
    let state = String::from_utf8_lossy(data);
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {"elicitation": {"url": {}}},
    });
    let params = json!({"name": "gohighlevel_add_tags", "arguments": {"contact_id": "x", "tags": ["y"]},
        "requestState": state, "inputResponses": {"approval": {"action": "accept"}}, "_meta": meta});
    let frame = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params});
    let request = Request::post("/mcp")
        .header("host", "localhost")
        .header("authorization", format!("Bearer {KEY}"))
        .header("accept", "application/json, text/event-stream")
        .header("content-type", "application/json")
        .header("mcp-protocol-version", "2026-07-28")
        .header("mcp-method", "tools/call")
        .header("mcp-name", "gohighlevel_add_tags");
    if let Ok(request) = request.body(Body::from(frame.to_string())) {
        let (_, answer) = send(request);
        let answer: serde_json::Value = serde_json::from_slice(&answer).unwrap_or_default();
        assert!(answer["error"]["code"] == -32602, "{answer}");
    }
});
