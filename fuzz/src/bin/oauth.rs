//! The authorization server's ends: what anybody may send to them is answered, and gives nobody anything.
#![no_main]

use axum::body::Body;
use axum::http::{Request, StatusCode};
use enterprise_mcp_fuzz::send;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((which, rest)) = data.split_first() else { return };
    let text = String::from_utf8_lossy(rest);
    let form = "application/x-www-form-urlencoded";
    let request = match which % 5 {
        0 => Request::get(format!("/authorize?{text}")).body(Body::empty()),
        1 => Request::post("/token").header("content-type", form).body(Body::from(rest.to_vec())),
        2 => Request::post("/register").header("content-type", "application/json").body(Body::from(rest.to_vec())),
        3 => Request::post("/revoke").header("content-type", form).body(Body::from(rest.to_vec())),
        _ => Request::post("/authorize").header("content-type", form).body(Body::from(rest.to_vec())),
    };
    let Ok(mut request) = request else { return };
    request.headers_mut().insert("host", axum::http::HeaderValue::from_static("localhost"));
    let (status, body) = send(request);
    let answer = String::from_utf8_lossy(&body);
    assert!(status != StatusCode::OK || !answer.contains("access_token"), "a token for nothing: {answer}");
});
