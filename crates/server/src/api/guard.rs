//! What every request passes before a route sees it.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::{Problem, cookie};
use crate::actor::{Actor, Door, Scope};
use crate::app::App;
use crate::config::Server;
use crate::decisions;
use crate::identity::oauth::{self, Granted, OAuth};
use crate::identity::{keys, sessions};

/// The names that this server answers to, against DNS rebinding and foreign pages.
#[derive(Clone, Debug)]
pub struct Trusted {
    pub hosts: Vec<String>,
    pub origins: Vec<String>,
}

impl Trusted {
    /// Loopback names, the public URL, and what the configuration adds.
    pub fn new(server: &Server) -> Trusted {
        let mut hosts: Vec<String> = ["localhost", "127.0.0.1", "[::1]", "::1"].map(String::from).into();
        let mut origins: Vec<String> =
            ["localhost", "127.0.0.1", "[::1]"].map(|host| format!("http://{host}:*")).into();
        if let Some(url) = server.public_url.as_deref().and_then(|url| url::Url::parse(url).ok()) {
            hosts.extend(url.host_str().map(str::to_owned));
            let port = url.port_or_known_default().unwrap_or(443);
            origins.extend(url.host_str().map(|host| format!("{}://{host}:{port}", url.scheme())));
        }
        hosts.extend(server.allowed_hosts.iter().cloned());
        origins.extend(server.allowed_origins.iter().cloned());
        Trusted { hosts, origins }
    }

    fn knows_host(&self, sent: &str) -> bool {
        let name = without_port(sent);
        self.hosts.iter().any(|host| host.eq_ignore_ascii_case(sent) || host.eq_ignore_ascii_case(name))
    }

    fn knows_origin(&self, sent: &str) -> bool {
        let Ok(url) = url::Url::parse(sent) else { return false };
        let Some(host) = url.host_str() else { return false };
        let with = |port: &str| format!("{}://{host}:{port}", url.scheme());
        let exact = url.port_or_known_default().map(|port| with(&port.to_string()));
        self.origins.iter().any(|origin| origin == sent || Some(origin) == exact.as_ref() || *origin == with("*"))
    }
}

fn without_port(host: &str) -> &str {
    match host.rfind(':') {
        Some(colon) if !host.ends_with(']') && host.matches(':').count() == 1 => &host[..colon],
        Some(colon) if host.contains("]:") => &host[..colon],
        _ => host,
    }
}

/// Refuses requests that were sent to another name or from a foreign page.
pub async fn check_host(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let host = request.uri().authority().map(|authority| authority.as_str());
    let host = host.or_else(|| text(request.headers(), header::HOST)).unwrap_or_default();
    if !app.trusted.knows_host(host) {
        let detail = format!("This server does not answer to the host `{host}`; set TUNNEL_URL or ALLOWED_HOSTS.");
        return Problem::new(StatusCode::FORBIDDEN, "host_not_allowed", detail).into_response();
    }
    match text(request.headers(), header::ORIGIN) {
        Some(origin) if !app.trusted.knows_origin(origin) => {
            let detail = format!("Pages of `{origin}` may not call this server; set ALLOWED_ORIGINS.");
            Problem::new(StatusCode::FORBIDDEN, "origin_not_allowed", detail).into_response()
        }
        _ => next.run(request).await,
    }
}

/// Refuses what says itself that it is too large, before any of it is read.
pub async fn refuse_large(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let most = app.config.server.max_body_bytes;
    let length = text(request.headers(), header::CONTENT_LENGTH).and_then(|length| length.parse::<usize>().ok());
    match length {
        Some(length) if length > most => {
            let detail = format!("The body is larger than {most} bytes.");
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", detail).into_response()
        }
        _ => next.run(request).await,
    }
}

/// Finds the caller by key, before anything else looks at the request.
pub async fn authenticate(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    if names_a_key(request.uri().query()) {
        return unauthenticated(
            "A key in the address ends up in logs; send it as `Authorization: Bearer …` or `X-API-Key`.",
        );
    }
    let path = request.uri().path();
    let opens = is_of_mcp(path) && request.extensions().get::<KeyOnly>().is_none();
    let oauth = match letting_in(&app, opens).await {
        Ok(oauth) => oauth,
        Err(problem) => return problem.into_response(),
    };
    let Some(key) = presented(request.headers()) else {
        return match cookie::read(&app, request.headers()).map(str::to_owned) {
            Some(value) if takes_cookies(path) => signed_in(&app, &value, request, next).await,
            _ => challenge(oauth, None, "Send an API key as `Authorization: Bearer …` or `X-API-Key`."),
        };
    };
    let door = if path.starts_with("/mcp/run/") || path.starts_with("/api/") { Door::Rest } else { Door::Mcp };
    let client = text(request.headers(), header::USER_AGENT).map(|client| client.chars().take(200).collect());
    let correlation = correlation(request.headers());
    match prove(&app, oauth, key).await {
        Ok(Some((actor, granted))) => {
            request.extensions_mut().insert(Actor { door, client, correlation, ..actor });
            if let Some(granted) = granted {
                request.extensions_mut().insert(granted);
            }
            next.run(request).await
        }
        Ok(None) => {
            metrics::counter!("authentication_failures_total").increment(1);
            challenge(oauth, Some("invalid_token"), "The API key is not known, expired or revoked.")
        }
        Err(e) => Problem::from(&e).into_response(),
    }
}

/// What the client says that the request belongs to.
fn correlation(headers: &HeaderMap) -> Option<String> {
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
    decisions::sent(header("traceparent"), header("x-correlation-id"))
}

/// The listener takes API keys alone.
#[derive(Clone, Copy)]
struct KeyOnly;

/// Marks what comes to that listener. A cookie does not get past it: nobody is signed in there.
pub async fn keys_alone(mut request: Request, next: Next) -> Response {
    request.headers_mut().remove(header::COOKIE);
    request.extensions_mut().insert(KeyOnly);
    next.run(request).await
}

/// The authorization server, for what its tokens open: `/mcp` and what is below it.
async fn letting_in(app: &App, opens: bool) -> Result<Option<&OAuth>, Problem> {
    if !opens {
        return Ok(None);
    }
    oauth::open(app).await.map_err(Problem::from)
}

/// Plain HTTP, that is. An agent is no person: MCP takes no cookie.
fn takes_cookies(path: &str) -> bool {
    path.starts_with("/api/") || path.starts_with("/mcp/run/") || path == "/mcp/tools"
}

fn is_of_mcp(path: &str) -> bool {
    path == "/mcp" || path.starts_with("/mcp/")
}

/// Whom a key or an access token stands for.
async fn prove(app: &Arc<App>, oauth: Option<&OAuth>, shown: &str) -> sdk::Result<Option<(Actor, Option<Granted>)>> {
    if let Some(oauth) = oauth.filter(|_| oauth::looks_like_token(shown))
        && let Some(granted) = oauth::verify(app, oauth, shown).await?
    {
        let actor = verified(app, Ok(Some(granted.actor.clone()))).await?;
        return Ok(actor.map(|actor| (actor, Some(granted))));
    }
    Ok(verified(app, keys::verify(app, shown).await).await?.map(|actor| (actor, None)))
}

/// 401, with where a client can have itself let in.
fn challenge(oauth: Option<&OAuth>, error: Option<&str>, detail: &str) -> Response {
    let mut response = unauthenticated(detail);
    let scopes = oauth::SCOPES.map(|(name, _)| name);
    if let Some(value) = oauth.and_then(|oauth| HeaderValue::from_str(&oauth.challenge(error, &scopes)).ok()) {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, value);
    }
    response
}

/// The person behind a cookie. What changes something has to send the session's token as well, which a foreign page does
/// not know.
async fn signed_in(app: &Arc<App>, value: &str, mut request: Request, next: Next) -> Response {
    let changes = !request.method().is_safe();
    let csrf = request.headers().get("x-csrf-token").and_then(|sent| sent.to_str().ok());
    match verified(app, sessions::verify(app, value, changes, csrf).await).await {
        Ok(Some(actor)) => {
            request.extensions_mut().insert(actor);
            next.run(request).await
        }
        Ok(None) => unauthenticated("The session has ended; sign in again."),
        Err(e) => Problem::from(&e).into_response(),
    }
}

/// A caller whose business answers. One that is disabled answers nobody.
async fn verified(app: &App, found: sdk::Result<Option<Actor>>) -> sdk::Result<Option<Actor>> {
    let found = found?;
    if let Some(actor) = &found {
        app.tenants.refuse_disabled(app, &actor.tenant).await?;
    }
    Ok(found)
}

/// The caller by the key in the headers, for routes that are open to some without one.
pub async fn caller(app: &Arc<App>, headers: &HeaderMap) -> Option<Actor> {
    verified(app, keys::verify(app, presented(headers)?).await).await.ok().flatten()
}

/// Finds out who calls, by key or session, where strangers are welcome too.
pub async fn recognise(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let headers = request.headers();
    let known = match (presented(headers), cookie::read(&app, headers)) {
        (None, Some(value)) => verified(&app, sessions::verify(&app, value, false, None).await).await.ok().flatten(),
        _ => caller(&app, headers).await,
    };
    if let Some(actor) = known {
        request.extensions_mut().insert(actor);
    }
    next.run(request).await
}

/// What only those who manage the business may do, whatever it is.
pub async fn refuse_others(request: Request, next: Next) -> Response {
    if request.extensions().get::<Actor>().is_some_and(|actor| actor.may(Scope::Manage)) {
        return next.run(request).await;
    }
    let detail = "Only owners and admins who have signed in do this.";
    Problem::new(StatusCode::FORBIDDEN, "denied", detail).into_response()
}

/// At most so many calls a minute of a caller, and of a business.
pub async fn limit_rate(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let Some(actor) = request.extensions().get::<Actor>() else { return next.run(request).await };
    let whose = |business: &str, most: u32| format!("More than {most} calls a minute{business};");
    let checked = app.limiter.check(&actor.id).map_err(|wait| (wait, whose("", app.config.server.calls_per_minute)));
    let checked = checked.and_then(|()| {
        let most = app.config.tenants.calls_per_minute;
        app.tenant_limiter.check(&actor.tenant).map_err(|wait| (wait, whose(" of your business", most)))
    });
    match checked {
        Ok(()) => next.run(request).await,
        Err((wait, why)) => {
            let seconds = wait.as_secs() + 1;
            let detail = format!("{why} wait {seconds} s.");
            Problem::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", detail).retry_after(seconds).into_response()
        }
    }
}

/// `curl` and older clients send `Accept: */*` or only JSON; the transport wants both types named. One that named only
/// JSON is marked, so that nothing goes before its answer: that would make the answer a stream of events.
pub async fn accept_both(mut request: Request, next: Next) -> Response {
    let accept = text(request.headers(), header::ACCEPT).unwrap_or("*/*");
    let json = accept.contains("application/json") || accept.contains("application/*");
    let events = accept.contains("text/event-stream");
    let (everything, both) = (accept.contains("*/*"), json && events);
    if !both && (everything || json) {
        let value = HeaderValue::from_static("application/json, text/event-stream");
        request.headers_mut().insert(header::ACCEPT, value);
        if !everything && !events {
            request.extensions_mut().insert(JsonOnly);
        }
    }
    next.run(request).await
}

/// The caller reads JSON and no stream of events.
#[derive(Clone, Copy)]
pub struct JsonOnly;

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

fn presented(headers: &HeaderMap) -> Option<&str> {
    let bearer = text(headers, header::AUTHORIZATION).and_then(|value| {
        let (scheme, key) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
    });
    bearer.or_else(|| headers.get("x-api-key")?.to_str().ok()).filter(|key| !key.is_empty())
}

fn names_a_key(query: Option<&str>) -> bool {
    let names = ["api_key", "apikey", "key", "token", "access_token"];
    url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()).any(|(name, _)| names.contains(&name.as_ref()))
}

fn unauthenticated(detail: &str) -> Response {
    let mut response = Problem::new(StatusCode::UNAUTHORIZED, "unauthenticated", detail).into_response();
    response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_hosts_and_origins_pass() {
        let server = Server { public_url: Some("https://mcp.example.com".into()), ..Server::default() };
        let trusted = Trusted::new(&server);
        for host in ["localhost:8000", "127.0.0.1", "[::1]:8000", "mcp.example.com", "MCP.example.com:443"] {
            assert!(trusted.knows_host(host), "{host}");
        }
        for host in ["evil.example", "localhost.evil.example", "mcp.example.com.evil.example", ""] {
            assert!(!trusted.knows_host(host), "{host}");
        }
        for origin in ["http://localhost:5173", "https://mcp.example.com"] {
            assert!(trusted.knows_origin(origin), "{origin}");
        }
        for origin in ["https://evil.example", "null", "http://mcp.example.com", "https://mcp.example.com:8443"] {
            assert!(!trusted.knows_origin(origin), "{origin}");
        }
    }

    #[test]
    fn keys_in_the_address_are_seen() {
        assert!(names_a_key(Some("api_key=x")));
        assert!(names_a_key(Some("a=1&access_token=x")));
        assert!(!names_a_key(Some("limit=10&monkey=1")));
    }
}
