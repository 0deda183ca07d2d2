//! Google's push channels: an empty request that says that something changed, not what.
//!
//! <https://developers.google.com/workspace/drive/api/guides/push>. They have no signature: whoever opens a channel gives
//! it a token, which every notification carries. A channel ends after a week at most and has to be opened anew.

use chrono::{DateTime, Duration, Utc};
use sdk::auth::Key;
use sdk::webhook::{Delivery, Event, Received, Refusal, Subscription, Webhook};
use sdk::{Error, Result};
use serde_json::{Value, json};
use subtle::ConstantTimeEq;

use super::{GoogleWorkspace, drive, streams};
use crate::json;

pub const WEBHOOK: Webhook = Webhook {
    secret: Key {
        name: "channel_token",
        env: "GOOGLE_CHANNEL_TOKEN",
        help: "a secret of your own, 16 characters or more, that Google sends back with every notification",
    },
    default: None,
    account: None,
    // 500, 502, 503 and 504 are delivered again, every other status is final.
    again: 503,
    setup: "nothing to do: the channel is opened by this server once TUNNEL_URL is its public https address",
    subscribed: true,
    open,
};

/// The longest that Drive lets a channel for changes live.
const LONGEST: Duration = Duration::days(7);

/// Opens a channel for all changes of Drive from now on.
pub async fn subscribe(api: &GoogleWorkspace, to: Subscription) -> Result<DateTime<Utc>> {
    let from = streams::start(api).await?;
    let wanted = api.http.now() + LONGEST;
    let channel = json!({"id": to.id, "type": "web_hook", "address": to.address, "token": to.secret,
        "expiration": wanted.timestamp_millis().to_string()});
    let request = api.post("/drive/v3/changes/watch", &[])?.query(&[("pageToken", Some(from))]).json(&channel);
    let opened: Value = drive::shared(api, request).send().await?.json()?;
    json::time(&opened, "expiration").ok_or_else(|| Error::upstream("Drive did not say when its channel ends"))
}

/// A token that can be guessed proves nothing.
const SHORTEST_TOKEN: usize = 16;

/// The token is compared in constant time; the body is empty and stays unread.
pub fn open(delivery: &Delivery<'_>, token: &str) -> Result<Received, Refusal> {
    let token = token.trim();
    if token.len() < SHORTEST_TOKEN {
        return Err(Refusal::Secret("GOOGLE_CHANNEL_TOKEN is shorter than 16 characters"));
    }
    let sent = delivery.header("x-goog-channel-token").ok_or(Refusal::Unproven("X-Goog-Channel-Token is missing"))?;
    if !bool::from(sent.as_bytes().ct_eq(token.as_bytes())) {
        return Err(Refusal::Unproven("X-Goog-Channel-Token is not ours"));
    }
    let header = |name| delivery.header(name).map(str::to_owned);
    let named = |name, label: &str| header(name).ok_or_else(|| Refusal::Unreadable(format!("{label} is missing")));
    let channel = named("x-goog-channel-id", "X-Goog-Channel-ID")?;
    let number = named("x-goog-message-number", "X-Goog-Message-Number")?;
    let state = named("x-goog-resource-state", "X-Goog-Resource-State")?;
    let resource = resource(delivery.header("x-goog-resource-uri").unwrap_or_default());
    // The first message of a channel only says that it is open.
    let streams: &[&str] = if resource == "drive" && state != "sync" { &["documents"] } else { &[] };
    Ok(Received::Events(vec![Event {
        // Numbers grow within a channel, with gaps.
        id: Some(format!("{channel} {number}")),
        kind: format!("{resource}.{state}"),
        streams,
        vendor_id: header("x-goog-resource-id"),
        ..Event::default()
    }]))
}

/// `drive`, `calendar`, or whatever API the watched address is of.
fn resource(uri: &str) -> String {
    let Ok(url) = url::Url::parse(uri) else { return "unknown".into() };
    let mut segments = url.path_segments().into_iter().flatten();
    let api = segments.find(|segment| !segment.is_empty()).unwrap_or("unknown");
    sdk::text::cut(api, 30)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderMap, HeaderName};

    const TOKEN: &str = "a long secret of our own";
    const DRIVE: &str = "https://www.googleapis.com/drive/v3/changes?alt=json&pageToken=7";

    fn tried(headers: &[(&'static str, &str)], token: &str) -> Result<Received, Refusal> {
        let headers: HeaderMap =
            headers.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect();
        open(&Delivery { headers: &headers, body: b"", now: Default::default() }, token)
    }

    fn told(uri: &str, state: &str) -> Event {
        let headers = [
            ("x-goog-channel-token", TOKEN),
            ("x-goog-channel-id", "channel-1"),
            ("x-goog-message-number", "42"),
            ("x-goog-resource-state", state),
            ("x-goog-resource-uri", uri),
        ];
        match tried(&headers, TOKEN) {
            Ok(Received::Events(mut events)) => events.remove(0),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_change_of_drive_names_the_documents() {
        let event = told(DRIVE, "change");
        assert_eq!((event.kind.as_str(), event.streams), ("drive.change", &["documents"][..]));
        assert_eq!(event.id.as_deref(), Some("channel-1 42"));
        assert!(told(DRIVE, "sync").streams.is_empty(), "the channel's first word");
        let calendar = told("https://www.googleapis.com/calendar/v3/calendars/primary/events", "exists");
        assert_eq!((calendar.kind.as_str(), calendar.streams.len()), ("calendar.exists", 0));
        assert_eq!(told("nonsense", "change").kind, "unknown.change");
    }

    #[test]
    fn another_token_is_refused() {
        assert!(matches!(tried(&[], TOKEN), Err(Refusal::Unproven(_))));
        for token in ["another secret of ours..", "a long secret", ""] {
            assert!(matches!(tried(&[("x-goog-channel-token", token)], TOKEN), Err(Refusal::Unproven(_))), "{token}");
        }
        assert!(matches!(tried(&[("x-goog-channel-token", TOKEN)], TOKEN), Err(Refusal::Unreadable(_))));
        assert!(matches!(tried(&[("x-goog-channel-token", "short")], "short"), Err(Refusal::Secret(_))));
    }
}
