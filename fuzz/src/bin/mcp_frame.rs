//! A JSON-RPC frame in every era, as anybody with a key can send it.
#![no_main]

use axum::body::Body;
use axum::http::Request;
use enterprise_mcp_fuzz::{KEY, send};
use libfuzzer_sys::fuzz_target;

const ERAS: [&str; 4] = ["2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28"];

fuzz_target!(|data: &[u8]| {
    let Some((first, frame)) = data.split_first() else { return };
    let request = Request::post("/mcp")
        .header("host", "localhost")
        .header("authorization", format!("Bearer {KEY}"))
        .header("accept", "application/json, text/event-stream")
        .header("content-type", "application/json")
        .header("mcp-protocol-version", ERAS[usize::from(*first) % ERAS.len()]);
    if let Ok(request) = request.body(Body::from(frame.to_vec())) {
        send(request);
    }
});
