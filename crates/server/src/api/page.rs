//! Pages without scripts, for what a browser must be able to do before there is a dashboard.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};

use crate::app::App;

/// A page that is kept nowhere and framed by nobody. `form_action`: where its forms may lead beside here, as browsers
/// judge what a form is redirected to as well.
pub(super) fn page(app: &App, status: StatusCode, body: &str, form_action: &str) -> Response {
    let brand = escape(&app.config.server.brand);
    let html = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>{brand}</title><body><main><h1>{brand}</h1>{body}</main></body></html>"
    );
    let mut response = (status, Html(html)).into_response();
    let policy =
        format!("default-src 'none'; form-action 'self'{form_action}; base-uri 'none'; frame-ancestors 'none'");
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CACHE_CONTROL, "no-store"),
        // The address may hold a secret. With `no-referrer` browsers would not say either that a form is ours.
        (header::REFERRER_POLICY, "same-origin"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if let Ok(value) = HeaderValue::from_str(&policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, value);
    }
    response
}

pub(super) fn paragraph(text: &str) -> String {
    format!("<p>{}</p>", escape(text))
}

/// Text as HTML. What could hide in it or turn its order round is shown by its number.
pub(super) fn escape(text: &str) -> String {
    let text = sdk::text::revealed(text);
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    text.replace('"', "&quot;").replace('\'', "&#39;")
}

/// Leads the browser on by GET, whatever it came with.
pub(super) fn see(location: &str) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    match HeaderValue::from_str(location) {
        Ok(value) => {
            response.headers_mut().insert(header::LOCATION, value);
            response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
            response
        }
        Err(_) => StatusCode::BAD_REQUEST.into_response(),
    }
}
