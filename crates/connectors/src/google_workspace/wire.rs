//! How Google says no, in the two shapes that its APIs have, and how its lists go on.

use std::time::Duration;

use sdk::http::{HeaderMap, Quota, Request, Response, kind_of};
use sdk::{Error, Kind, Result};
use serde_json::Value;

use crate::json;

/// Longer than any call may take, so that what is used up for the day is not tried again.
const TOMORROW: Duration = Duration::from_secs(6 * 3600);

/// The error for an unsuccessful answer: its kind, Google's words, and the cure.
pub fn error(response: &Response) -> Error {
    let Ok(body) = serde_json::from_slice::<Value>(&response.body) else { return no_json(response) };
    let reason = reason(&body).unwrap_or_default();
    let kind = kind(kind_of(response.status), &reason);
    let said = words(&body);
    let message = match (said.is_empty(), cure(kind, &reason)) {
        (true, None) => format!("Google answered {}", response.status),
        (true, Some(cure)) => format!("Google answered {}: {cure}", response.status.as_u16()),
        (false, None) => format!("Google says: {said}"),
        (false, Some(cure)) => format!("Google says \"{said}\": {cure}"),
    };
    let error = Error::new(kind, message);
    if used_up(&reason) { error.with_retry_after(TOMORROW) } else { error }
}

/// Google has no headers about the requests that are left; `Retry-After` is read by the pipeline.
pub fn quota(_: &HeaderMap) -> Quota {
    Quota::default()
}

/// Says that nobody knows the outcome of a write, and where to look.
pub fn unknown(mut error: Error, look: &str) -> Error {
    if error.outcome_unknown {
        error.message =
            format!("{}. It is unknown whether Google carried it out: {look} before trying again", error.message);
    }
    error
}

/// A page of a list that has rows, unless the list has no more.
pub struct Listing {
    pub rows: Vec<Value>,
    pub next: Option<String>,
    /// The whole answer, for what stands beside the rows.
    pub answer: Value,
}

/// A page without rows may still have a next one; so many in a row are read before it is left to the caller.
const EMPTY_PAGES: usize = 8;

/// Asks for a page, and for the next while pages are empty.
pub async fn listing(
    key: &str,
    mut token: Option<String>,
    ask: impl Fn(Option<String>) -> Result<Request>,
) -> Result<Listing> {
    for _ in 1..EMPTY_PAGES {
        let page = page(key, ask(token.clone())?).await?;
        // A token that repeats would lead around in a circle.
        if !page.rows.is_empty() || page.next.is_none() || page.next == token {
            return Ok(page);
        }
        token = page.next;
    }
    page(key, ask(token)?).await
}

/// One page, also without rows.
pub async fn page(key: &str, request: Request) -> Result<Listing> {
    let mut answer: Value = request.send().await?.json()?;
    let rows = match answer.get_mut(key).map(Value::take) {
        Some(Value::Array(rows)) => rows,
        _ => Vec::new(),
    };
    Ok(Listing { rows, next: json::text(&answer, "nextPageToken"), answer })
}

/// `errors[0].reason` of the older APIs, `details[].reason` or `status` of the newer.
pub fn reason(body: &Value) -> Option<String> {
    let error = body.get("error")?;
    let of = |key| json::list(error, key).iter().find_map(|item| json::text(item, "reason"));
    of("errors").or_else(|| of("details")).or_else(|| json::text(error, "status"))
}

fn kind(kind: Kind, reason: &str) -> Kind {
    match reason {
        "rateLimitExceeded" | "userRateLimitExceeded" | "RATE_LIMIT_EXCEEDED" | "RESOURCE_EXHAUSTED" => {
            Kind::RateLimited
        }
        _ if used_up(reason) => Kind::RateLimited,
        "exportSizeLimitExceeded" | "fileNotExportable" | "fileNotDownloadable" => Kind::InvalidInput,
        "duplicate" | "ALREADY_EXISTS" => Kind::Conflict,
        _ => kind,
    }
}

fn used_up(reason: &str) -> bool {
    matches!(reason, "dailyLimitExceeded" | "quotaExceeded")
}

fn cure(kind: Kind, reason: &str) -> Option<&'static str> {
    let cure = match reason {
        "insufficientPermissions" | "ACCESS_TOKEN_SCOPE_INSUFFICIENT" | "insufficientScopes" => {
            "the connection was not granted the scope for this. Connect Google Workspace again and leave every box \
             of the consent page ticked"
        }
        "accessNotConfigured" | "SERVICE_DISABLED" => {
            "this API is switched off in the Google Cloud project of the client id. Switch it on under APIs & \
             Services > Library"
        }
        "domainPolicy" | "ADMIN_POLICY_ENFORCED" => {
            "the Workspace administrator does not allow this. Ask for it under Security > API controls"
        }
        "storageQuotaExceeded" | "teamDriveFileLimitExceeded" => {
            "there is no room in that Drive. A service account has none of its own: use a shared drive, or set \
             `subject`"
        }
        "dailyLimitExceeded" | "quotaExceeded" => "the quota of this day is used up; it works again tomorrow",
        "exportSizeLimitExceeded" => "the document is larger than Google exports (10 MB)",
        "fileNotDownloadable" | "fileNotExportable" => "this kind of file has no text that can be read",
        "failedPrecondition" | "FAILED_PRECONDITION" => {
            "the account does not have this service; a service account needs `subject` for mail and calendar"
        }
        _ => return general_cure(kind),
    };
    Some(cure)
}

fn general_cure(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::Unauthenticated => Some("the access was withdrawn or has ended. Connect Google Workspace again"),
        Kind::Forbidden => Some("the connected account may not do this; ask the owner to share it"),
        Kind::NotFound => Some("it does not exist, or it is not shared with the connected account"),
        Kind::RateLimited => Some("too many requests in a minute; it works again in a moment"),
        _ => None,
    }
}

fn no_json(response: &Response) -> Error {
    let kind = kind_of(response.status);
    let cure = general_cure(kind)
        .unwrap_or("a proxy or an error page answered, or the configured URL is wrong; nothing can be read from it");
    Error::new(kind, format!("Google answered {} without JSON: {cure}", response.status.as_u16()))
}

/// Google's words; the token endpoint has its own shape.
fn words(body: &Value) -> String {
    let places = [body.pointer("/error/message"), body.get("error_description"), body.get("error")];
    let said = places.into_iter().flatten().find_map(Value::as_str).unwrap_or_default();
    sdk::text::cut(said.trim_end_matches('.'), 300)
}
