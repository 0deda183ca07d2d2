//! How Slack says no: nearly always with HTTP 200, `ok: false` and a word.

use std::time::Duration;

use sdk::http::{HeaderMap, Quota, Response, kind_of};
use sdk::{Error, Kind, Result};
use serde_json::Value;

use crate::json;

/// The answer, if Slack says that it worked. `changes` is whether the method may have had an effect.
pub fn read(response: &Response, changes: bool) -> Result<Value> {
    let answer: Value = response.json()?;
    match json::flag(&answer, "ok") {
        Some(true) => Ok(answer),
        Some(false) => Err(said(&answer, &response.headers, changes)),
        None => {
            let error = Error::upstream("Slack answered without `ok`, so nobody can tell whether it worked");
            Err(if changes { error.with_unknown_outcome() } else { error })
        }
    }
}

/// The error for an answer that has a status of its own.
pub fn error(response: &Response) -> Error {
    let body: Option<Value> = serde_json::from_slice(&response.body).ok();
    if let Some(body) = body.filter(|body| json::text(body, "error").is_some()) {
        let mut error = said(&body, &response.headers, false);
        // A status is as good a reason as an unknown word.
        if error.kind == Kind::Upstream {
            error.kind = kind_of(response.status);
        }
        return error;
    }
    let kind = kind_of(response.status);
    let status = response.status.as_u16();
    let message = match kind {
        Kind::RateLimited => "Slack asks to slow down; it works again in a moment".to_owned(),
        _ => format!("Slack answered {status} without JSON: an outage, a proxy, or `base_url` is wrong"),
    };
    Error::new(kind, message)
}

/// `Retry-After` stops everything only when the answer was a refusal; the pipeline waits for that itself.
pub fn quota(_: &HeaderMap) -> Quota {
    Quota::default()
}

/// What Slack's word means, and what to do about it.
fn said(answer: &Value, headers: &HeaderMap, changes: bool) -> Error {
    let word = json::text(answer, "error").map(|word| sdk::text::cut(&word, 80)).unwrap_or_else(|| "no reason".into());
    let (kind, cure) = meaning(&word, answer);
    let error = Error::new(kind, format!("Slack says {word}: {cure}"));
    let error = match retry_after(headers) {
        Some(wait) if kind == Kind::RateLimited => error.with_retry_after(wait),
        _ => error,
    };
    // Of these Slack's documentation says that a part may have succeeded.
    let unclear = matches!(
        word.as_str(),
        "fatal_error" | "internal_error" | "request_timeout" | "service_unavailable" | "duplicate_message_not_found"
    );
    if unclear && changes { error.with_unknown_outcome() } else { error }
}

fn meaning(word: &str, answer: &Value) -> (Kind, String) {
    let told = |kind, cure: &str| (kind, cure.to_owned());
    match word {
        "not_authed" | "invalid_auth" => told(
            Kind::Unauthenticated,
            "the token is not valid. Copy the Bot User OAuth Token (xoxb-…) of api.slack.com/apps > OAuth & Permissions \
             to SLACK_BOT_TOKEN",
        ),
        "token_revoked" | "account_inactive" => told(
            Kind::Unauthenticated,
            "the app was removed from the workspace or its token was revoked. Install it again at api.slack.com/apps > \
             Install App and set the new token",
        ),
        "token_expired" => told(
            Kind::Unauthenticated,
            "the token has expired: this app rotates its tokens. Connect it with OAuth, so that it is renewed",
        ),
        "missing_scope" => (Kind::Forbidden, missing_scope(answer)),
        "not_allowed_token_type" => {
            told(Kind::Forbidden, "this needs a bot token (xoxb-…), and another kind was given")
        }
        "channel_not_found" => told(
            Kind::NotFound,
            "there is no such channel, or it is private and the app is not in it. Take an `id` of list_channels, or \
             invite the app with /invite in the channel",
        ),
        "not_in_channel" => told(
            Kind::Forbidden,
            "the app is not a member of this channel. A member types /invite @<app name> in it, or the app gets the \
             scope chat:write.public",
        ),
        "is_archived" => told(Kind::Conflict, "the channel is archived. Unarchive it or choose another"),
        "restricted_action" | "restricted_action_read_only_channel" | "ekm_access_denied" => {
            told(Kind::Forbidden, "the workspace's administrators do not let apps post here")
        }
        "access_denied" | "accesslimited" | "org_login_required" | "team_access_not_granted" => {
            told(Kind::Forbidden, "the workspace does not admit this app; its administrators can")
        }
        "thread_not_found" | "message_not_found" => {
            told(Kind::NotFound, "there is no message with this `thread_ts` in the channel")
        }
        "msg_too_long" => told(Kind::InvalidInput, "the text is too long; send it in parts"),
        "no_text" => told(Kind::InvalidInput, "the text is empty"),
        "invalid_cursor" => told(Kind::InvalidInput, "give `next_cursor` of the previous answer as it came"),
        "ratelimited" | "rate_limited" | "message_limit_exceeded" => {
            told(Kind::RateLimited, "too many requests; it works again in a moment")
        }
        "internal_error" | "fatal_error" | "request_timeout" | "service_unavailable" => {
            told(Kind::Unavailable, "Slack has trouble; try again later")
        }
        _ if word.starts_with("invalid_") || word.starts_with("missing_") => {
            told(Kind::InvalidInput, "Slack does not take these arguments")
        }
        _ => told(Kind::Upstream, "Slack refuses, and does not say more"),
    }
}

fn missing_scope(answer: &Value) -> String {
    let needed = json::text(answer, "needed").unwrap_or_else(|| "one that it does not name".into());
    let has = json::text(answer, "provided").map(|has| format!(" (it has {has})")).unwrap_or_default();
    format!(
        "the token lacks the scope {needed}{has}. Add it under api.slack.com/apps > OAuth & Permissions > Scopes and \
         install the app again"
    )
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds: u64 = headers.get(http::header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds.min(3_600)))
}
