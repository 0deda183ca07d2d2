//! The cookie of a session.

use axum::http::{HeaderMap, HeaderValue, header};

use crate::app::App;

/// Behind HTTPS the name binds the cookie to this very host (`__Host-`, RFC 6265bis §4.1.3.2); browsers take that only
/// with `Secure`, which plain loopback cannot have.
pub fn name(app: &App) -> &'static str {
    if is_secure(app) { "__Host-emcp" } else { "emcp" }
}

fn is_secure(app: &App) -> bool {
    app.config.public_url().starts_with("https://")
}

/// The value that the browser sent.
pub fn read<'a>(app: &App, headers: &'a HeaderMap) -> Option<&'a str> {
    let sent = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = sent.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(key, _)| *key == name(app)).map(|(_, value)| value).filter(|value| !value.is_empty())
}

/// `Set-Cookie` for a new session, or for the end of one.
pub fn set(app: &App, value: Option<&str>) -> Option<HeaderValue> {
    let age = if value.is_some() { 7 * 24 * 3600 } else { 0 };
    let secure = if is_secure(app) { "; Secure" } else { "" };
    let text = format!(
        "{}={}; Path=/; Max-Age={age}; HttpOnly; SameSite=Strict{secure}",
        name(app),
        value.unwrap_or_default()
    );
    HeaderValue::from_str(&text).ok()
}
