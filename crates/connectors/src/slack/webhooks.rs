//! Slack's Events API: <https://docs.slack.dev/apis/events-api>, signed as
//! <https://docs.slack.dev/authentication/verifying-requests-from-slack>.

use chrono::{DateTime, Duration};
use ring::hmac;
use sdk::auth::Key;
use sdk::webhook::{Delivery, Event, Received, Refusal, Webhook};
use serde_json::Value;

use crate::json;

pub const WEBHOOK: Webhook = Webhook {
    secret: Key {
        name: "signing_secret",
        env: "SLACK_SIGNING_SECRET",
        help: "api.slack.com/apps > your app > Basic Information > App Credentials > Signing Secret",
    },
    default: None,
    account: None,
    // Anything but 2xx within 3 s is delivered again three times: at once, after a minute, after five.
    again: 503,
    setup: "api.slack.com/apps > your app > Event Subscriptions > Request URL",
    subscribed: false,
    open,
};

/// An older request may be a repetition by somebody else.
const OLDEST: Duration = Duration::minutes(5);

/// `X-Slack-Signature` is `v0=` and the hexadecimal HMAC-SHA256 of `v0:timestamp:body` with the signing secret.
pub fn open(delivery: &Delivery<'_>, secret: &str) -> Result<Received, Refusal> {
    let header = |name| delivery.header(name).ok_or(Refusal::Unproven("a header of Slack's signature is missing"));
    let (stamp, signature) = (header("x-slack-request-timestamp")?, header("x-slack-signature")?);
    let signature = signature.strip_prefix("v0=").and_then(|hex| hex::decode(hex).ok());
    let signature = signature.ok_or(Refusal::Unproven("X-Slack-Signature is not of version v0"))?;
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.trim().as_bytes());
    let signed = [b"v0:", stamp.as_bytes(), b":", delivery.body].concat();
    hmac::verify(&key, &signed, &signature).map_err(|_| Refusal::Unproven("the signature does not fit the body"))?;
    let sent = stamp.parse().ok().and_then(|seconds| DateTime::from_timestamp(seconds, 0));
    delivery.must_be_of_now(sent.ok_or(Refusal::Unproven("X-Slack-Request-Timestamp is no time"))?, OLDEST)?;
    read(delivery.body)
}

fn read(body: &[u8]) -> Result<Received, Refusal> {
    let body: Value =
        serde_json::from_slice(body).map_err(|e| Refusal::Unreadable(format!("the body is not JSON: {e}")))?;
    let nameless = || Refusal::Unreadable("the event has no type".into());
    let outer = json::text(&body, "type").ok_or_else(nameless)?;
    if outer == "url_verification" {
        let challenge = json::text(&body, "challenge").ok_or_else(|| Refusal::Unreadable("no challenge".into()))?;
        return Ok(Received::Challenge(challenge));
    }
    let inner = body.get("event").and_then(|event| json::text(event, "type"));
    let seconds = body.get("event_time").and_then(Value::as_i64);
    Ok(Received::Events(vec![Event {
        id: json::text(&body, "event_id"),
        occurred_at: seconds.and_then(|seconds| DateTime::from_timestamp(seconds, 0)),
        account: json::text(&body, "team_id"),
        kind: inner.unwrap_or(outer),
        // Nothing of Slack is copied.
        streams: &[],
        vendor_id: body.get("event").and_then(|event| json::first_text(event, &["ts", "channel"])),
        deleted: false,
    }]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderMap;

    /// The example of Slack's page on verifying requests.
    const SECRET: &str = "8f742231b10e8888abcd99yyyzzz85a5";
    const STAMP: &str = "1531420618";
    const BODY: &str = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&\
        channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&\
        response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&\
        trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
    const SIGNATURE: &str = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503";

    fn tried(body: &str, stamp: &str, signature: &str, age: i64) -> Result<Received, Refusal> {
        let mut headers = HeaderMap::new();
        headers.insert("x-slack-request-timestamp", stamp.parse().unwrap());
        headers.insert("x-slack-signature", signature.parse().unwrap());
        let now = DateTime::from_timestamp(stamp.parse::<i64>().unwrap() + age, 0).unwrap();
        open(&Delivery { headers: &headers, body: body.as_bytes(), now }, SECRET)
    }

    fn signed(body: &str, age: i64) -> Result<Received, Refusal> {
        let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
        let signature = hmac::sign(&key, format!("v0:{STAMP}:{body}").as_bytes());
        tried(body, STAMP, &format!("v0={}", hex::encode(signature)), age)
    }

    #[test]
    fn slacks_own_example_is_proven() {
        // A slash command is no event: proven, and not readable as one.
        assert!(matches!(tried(BODY, STAMP, SIGNATURE, 1), Err(Refusal::Unreadable(_))));
        assert!(matches!(tried(&BODY.replace("foobar", "foobaz"), STAMP, SIGNATURE, 1), Err(Refusal::Unproven(_))));
        assert!(matches!(tried(BODY, "1531420619", SIGNATURE, 1), Err(Refusal::Unproven(_))));
        assert!(matches!(tried(BODY, STAMP, &SIGNATURE.replace("v0=", "v1="), 1), Err(Refusal::Unproven(_))));
    }

    #[test]
    fn another_time_is_refused() {
        let body = r#"{"type":"event_callback","event_id":"Ev1","event":{"type":"message"}}"#;
        assert!(signed(body, 299).is_ok());
        assert_eq!(signed(body, 301), Err(Refusal::Stale));
        assert_eq!(signed(body, -301), Err(Refusal::Stale));
    }

    #[test]
    fn a_challenge_goes_back_and_an_event_is_read() {
        let challenge = r#"{"type":"url_verification","token":"x","challenge":"3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P"}"#;
        let expected = "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P".to_owned();
        assert_eq!(signed(challenge, 0), Ok(Received::Challenge(expected)));
        let event = r#"{"type":"event_callback","team_id":"T1","event_id":"Ev1","event_time":1531420600,
            "event":{"type":"message","channel":"C1","ts":"1531420600.000100"}}"#;
        let Ok(Received::Events(events)) = signed(event, 0) else { panic!("refused") };
        assert_eq!((events[0].id.as_deref(), events[0].kind.as_str()), (Some("Ev1"), "message"));
        assert_eq!(events[0].account.as_deref(), Some("T1"));
    }
}
