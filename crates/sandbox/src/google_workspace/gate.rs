//! What stands before every operation: the access token, its scopes, the quota of the person.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use axum::{
    extract::{Request, State},
    http::Method,
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{google, reply::Refusal};
use crate::{
    clock::{MINUTE, Millis},
    gohighlevel::gate::bearer,
    world::World,
};

/// One of Google's APIs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Service {
    Drive,
    Docs,
    Sheets,
    Gmail,
    Calendar,
}

pub(super) async fn admit(
    State((world, service)): State<(Arc<World>, Service)>,
    request: Request,
    next: Next,
) -> Response {
    match check(&world, service, &request) {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    }
}

fn check(world: &World, service: Service, request: &Request) -> Result<(), Refusal> {
    let now = world.now();
    let bearer = bearer(request.headers()).ok_or_else(Refusal::no_credentials)?;
    let mut google = google(world);
    let scopes = google.grants.scopes(bearer, now).ok_or_else(Refusal::no_credentials)?;
    let (method, path) = (request.method(), request.uri().path());
    if !service.allows(&scopes, method, path) {
        return Err(service.no_scope());
    }
    let (meter, units, most) = service.price(method, path);
    if world.options.enforce_limits && !google.meters.take(meter, units, most, now) {
        world.breach("google_workspace");
        return Err(service.too_many(meter));
    }
    Ok(())
}

impl Service {
    fn allows(self, scopes: &str, method: &Method, path: &str) -> bool {
        // A channel only tells of what may be read.
        let listens = path.ends_with("/watch") || path.ends_with("/channels/stop");
        let reads = *method == Method::GET || listens;
        let sends = path.contains("/drafts") || path.ends_with("/send");
        let names: &[&str] = match self {
            Service::Drive | Service::Docs if reads => &["drive", "drive.readonly", "documents", "documents.readonly"],
            Service::Drive | Service::Docs => &["drive"],
            Service::Sheets if reads => &["spreadsheets", "spreadsheets.readonly", "drive", "drive.readonly"],
            Service::Sheets => &["spreadsheets", "drive"],
            Service::Gmail if sends => &["gmail.compose", "gmail.modify"],
            Service::Gmail if reads => &["gmail.readonly", "gmail.modify"],
            Service::Gmail => &["gmail.modify"],
            Service::Calendar if reads => {
                &["calendar", "calendar.readonly", "calendar.events", "calendar.events.readonly"]
            }
            Service::Calendar => &["calendar", "calendar.events"],
        };
        let granted = scopes.split(' ').filter_map(|scope| scope.rsplit_once("/auth/")).map(|(_, name)| name);
        granted.into_iter().any(|name| names.contains(&name))
    }

    /// What an operation costs: the meter, the units, and how many of them a minute has.
    fn price(self, method: &Method, path: &str) -> (&'static str, u32, u32) {
        let reads = *method == Method::GET;
        match self {
            Service::Drive => ("drive", 1, 12_000),
            Service::Docs => ("docs", 1, 300),
            Service::Sheets if reads => ("Read requests", 1, 60),
            Service::Sheets => ("Write requests", 1, 60),
            Service::Gmail if path.ends_with("/profile") => ("gmail", 1, 6_000),
            Service::Gmail if path.ends_with("/history") => ("gmail", 2, 6_000),
            Service::Gmail if path.ends_with("/send") => ("gmail", 100, 6_000),
            Service::Gmail if !reads => ("gmail", 10, 6_000),
            Service::Gmail => ("gmail", 5, 6_000),
            Service::Calendar => ("calendar", 1, 600),
        }
    }

    fn no_scope(self) -> Refusal {
        let message = "Request had insufficient authentication scopes.";
        match self {
            Service::Sheets | Service::Docs => Refusal::detailed(
                403,
                "PERMISSION_DENIED",
                message,
                "ACCESS_TOKEN_SCOPE_INSUFFICIENT",
                "sheets.googleapis.com",
            ),
            _ => Refusal::old(403, "insufficientPermissions", message),
        }
    }

    fn too_many(self, meter: &str) -> Refusal {
        match self {
            Service::Sheets | Service::Docs => {
                let message = format!(
                    "Quota exceeded for quota metric '{meter}' and limit '{meter} per minute per user' of service \
                     'sheets.googleapis.com' for consumer 'project_number:0'."
                );
                let reason = "RATE_LIMIT_EXCEEDED";
                Refusal::detailed(429, "RESOURCE_EXHAUSTED", &message, reason, "sheets.googleapis.com")
            }
            Service::Gmail => Refusal::old(429, "rateLimitExceeded", "User-rate limit exceeded."),
            _ => Refusal::old(403, "userRateLimitExceeded", "User Rate Limit Exceeded"),
        }
    }
}

/// Units that were used in the last minute.
#[derive(Default)]
pub(crate) struct Meters(HashMap<&'static str, VecDeque<(Millis, u32)>>);

impl Meters {
    fn take(&mut self, meter: &'static str, units: u32, most: u32, now: Millis) -> bool {
        let used = self.0.entry(meter).or_default();
        while used.front().is_some_and(|(at, _)| at + MINUTE <= now) {
            used.pop_front();
        }
        let sum: u32 = used.iter().map(|(_, units)| units).sum();
        if sum + units > most {
            return false;
        }
        used.push_back((now, units));
        true
    }
}
