//! Sessions for older clients, where the configuration allows them: each belongs to the caller who
//! opened it, and there are never more than a thousand. rmcp knows neither rule.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::time::Instant;

use crate::actor::Actor;
use crate::api::Problem;

/// Each costs some tens of kilobytes.
const MOST: usize = 1_000;
/// After this time without a request the transport has given a session up.
const IDLE: Duration = Duration::from_secs(300);
const HEADER: &str = "mcp-session-id";

/// Who opened which session, and when it was last used.
#[derive(Default)]
pub(super) struct Owners(Mutex<HashMap<String, (String, Instant)>>);

impl Owners {
    fn all(&self) -> MutexGuard<'_, HashMap<String, (String, Instant)>> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn note(&self, session: &str, caller: &str, now: Instant) {
        self.all().insert(session.to_owned(), (caller.to_owned(), now));
    }

    /// Whether this caller may use the session; if so, it is in use from now on.
    fn admit(&self, session: &str, caller: &str, now: Instant) -> bool {
        let mut all = self.all();
        let Some((_, seen)) = all.get_mut(session).filter(|(owner, _)| owner == caller) else { return false };
        *seen = now;
        true
    }

    fn is_full(&self, now: Instant) -> bool {
        let mut all = self.all();
        if all.len() >= MOST {
            all.retain(|_, (_, seen)| now.duration_since(*seen) < IDLE);
        }
        all.len() >= MOST
    }
}

/// Stands before the transport and behind authentication.
pub(super) async fn keep(State(owners): State<Arc<Owners>>, request: Request, next: Next) -> Response {
    let Some(caller) = request.extensions().get::<Actor>().map(|actor| actor.id.clone()) else {
        return next.run(request).await;
    };
    let (sent, now) = (session(request.headers()), Instant::now());
    match &sent {
        // The same answer as for a session that never was.
        Some(session) if !owners.admit(session, &caller, now) => {
            return Problem::new(StatusCode::NOT_FOUND, "no_such_session", "Open a new session with `initialize`.")
                .into_response();
        }
        // Requests of 2026-07-28 name their method in a header and need no session.
        None if !request.headers().contains_key("mcp-method") && owners.is_full(now) => {
            return Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too_many_sessions", "Too many sessions are open.")
                .retry_after(IDLE.as_secs())
                .into_response();
        }
        _ => {}
    }
    let ends = request.method() == Method::DELETE;
    let response = next.run(request).await;
    match sent {
        Some(session) if ends || response.status() == StatusCode::NOT_FOUND => drop(owners.all().remove(&session)),
        Some(_) => {}
        None => session(response.headers()).iter().for_each(|session| owners.note(session, &caller, now)),
    }
    response
}

fn session(headers: &HeaderMap) -> Option<String> {
    headers.get(HEADER)?.to_str().ok().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_house_makes_room_by_what_is_idle() {
        let (owners, begin) = (Owners::default(), Instant::now());
        (0..MOST).for_each(|n| owners.note(&n.to_string(), "a", begin));
        assert!(owners.is_full(begin));
        let later = begin + IDLE - Duration::from_secs(1);
        assert!(owners.admit("7", "a", later));
        assert!(!owners.admit("7", "b", later), "it belongs to another");
        let late = later + Duration::from_secs(2);
        assert!(!owners.is_full(late));
        assert!(owners.admit("7", "a", late), "what is in use stays");
        assert!(!owners.admit("8", "a", late));
    }
}
