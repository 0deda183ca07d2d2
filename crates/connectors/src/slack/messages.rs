//! Posting messages, once.

use schemars::JsonSchema;
use sdk::{Error, Plan, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::channels::{self, Channel};
use super::{Slack, wire};
use crate::json;

/// Posts a message in a Slack channel, where people read it. Answers where it stands. Messages that call everybody
/// (@channel, @here, @everyone) are refused unless `broadcast` is true. Posted once, also when a reply is lost.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PostMessage {
    /// Id of the channel, or #name of a public one.
    #[schemars(length(min = 1, max = 90))]
    channel: String,
    /// The text, in Slack's mrkdwn.
    #[schemars(length(min = 1, max = 4000))]
    text: String,
    /// `ts` of the message that this answers.
    #[schemars(regex(pattern = r"^\d{6,12}\.\d{1,9}$"))]
    thread_ts: Option<String>,
    /// The person asked explicitly to notify everybody in the channel.
    #[serde(default)]
    broadcast: bool,
}

/// A message that stands in a channel.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Posted {
    channel: String,
    /// Its id in the channel; give it as `thread_ts` to answer it.
    ts: String,
    /// The reply was lost, and the message was found in the channel.
    #[serde(skip_serializing_if = "Option::is_none")]
    found_again: Option<bool>,
}

pub async fn post(api: &Slack, args: PostMessage) -> Result<Posted> {
    let text = checked(&args)?;
    let channel = channels::id_of(api, &args.channel).await?;
    let mark = mark(api.http.idempotency_key());
    let message = message(&channel, &text, args.thread_ts.as_deref(), &mark);
    let mut error = match send(api, &message).await {
        Err(error) if error.outcome_unknown => error,
        known => return known,
    };
    // Looked up, and only what is not there is sent again, once.
    for last in [false, true] {
        match look(api, &channel, args.thread_ts.as_deref(), &mark).await {
            Ok(Some(ts)) => return Ok(Posted { channel, ts, found_again: Some(true) }),
            Ok(None) if last => break,
            Ok(None) => match send(api, &message).await {
                Err(again) if again.outcome_unknown => error = again,
                known => return known,
            },
            Err(_) => break,
        }
    }
    error.message = format!(
        "{}. It is unknown whether the message stands in the channel: look there before posting again",
        error.message
    );
    Err(error)
}

pub async fn plan(api: &Slack, args: PostMessage) -> Result<Plan> {
    let text = checked(&args)?;
    let channel = channels::find(api, &args.channel).await?;
    let mut after = json!({"channel": channel.id, "text": text});
    if let Some(thread) = &args.thread_ts {
        after["thread_ts"] = json!(thread);
    }
    let plan = Plan::new(would(&channel)).adds("message", after);
    let notes = [
        (channel.archived, "The channel is archived, so Slack will refuse."),
        (
            !channel.member && !channel.archived,
            "The app is not in the channel; /invite it first, or Slack will refuse.",
        ),
        (args.broadcast && calls_everybody(&text), "Everybody in the channel gets a notification."),
    ];
    Ok(notes.into_iter().filter(|(true_here, _)| *true_here).fold(plan, |plan, (_, note)| plan.note(note)))
}

fn would(channel: &Channel) -> String {
    match channel.people {
        Some(people) => format!("Post a message in #{}, which {people} people read.", channel.name),
        None => format!("Post a message in #{}.", channel.name),
    }
}

async fn send(api: &Slack, message: &Value) -> Result<Posted> {
    let answer = wire::read(&api.post("chat.postMessage").json(message).send().await?, true)?;
    let channel = json::text(&answer, "channel").or_else(|| json::text(message, "channel")).unwrap_or_default();
    let ts = json::text(&answer, "ts").ok_or_else(|| {
        Error::upstream("Slack says that the message was posted, but not where").with_unknown_outcome()
    })?;
    Ok(Posted { channel, ts, found_again: None })
}

/// What makes this very message recognisable: two forms of the call's key, which is nobody's to read.
struct Mark {
    uuid: String,
    event: Value,
}

const EVENT: &str = "enterprise_mcp_message";

fn mark(key: &str) -> Mark {
    let digest = hex::encode(Sha256::digest(key.as_bytes()));
    let part = |from: usize, to: usize| &digest[from..to];
    let uuid = format!("{}-{}-4{}-8{}-{}", part(0, 8), part(8, 12), part(13, 16), part(17, 20), part(20, 32));
    Mark { event: json!({"event_type": EVENT, "event_payload": {"key": digest}}), uuid }
}

fn message(channel: &str, text: &str, thread: Option<&str>, mark: &Mark) -> Value {
    let mut message = json!({"channel": channel, "text": text, "client_msg_id": mark.uuid, "metadata": mark.event,
        "unfurl_links": false, "unfurl_media": false});
    if let Some(thread) = thread {
        message["thread_ts"] = json!(thread);
    }
    message
}

/// The latest messages of the channel, or all of the thread, which Slack shows from its beginning: one may be ours.
async fn look(api: &Slack, channel: &str, thread: Option<&str>, mark: &Mark) -> Result<Option<String>> {
    let (method, limit) =
        if thread.is_some() { ("conversations.replies", "999") } else { ("conversations.history", "100") };
    let request = api.get(method).query(&[
        ("channel", Some(channel.to_owned())),
        ("ts", thread.map(str::to_owned)),
        ("limit", Some(limit.to_owned())),
        ("include_all_metadata", Some("true".to_owned())),
    ]);
    let answer = wire::read(&request.send().await?, false)?;
    let ours = json::list(&answer, "messages").iter().find(|row| {
        row.pointer("/metadata/event_payload/key") == mark.event.pointer("/event_payload/key")
            || json::text(row, "client_msg_id").as_deref() == Some(&mark.uuid)
    });
    if ours.is_none() && !shows_the_latest(&answer, thread) {
        return Err(Error::upstream("Slack did not show the latest messages"));
    }
    Ok(ours.and_then(|row| json::text(row, "ts")))
}

fn shows_the_latest(answer: &Value, thread: Option<&str>) -> bool {
    let cut = thread.is_some() && json::flag(answer, "has_more").unwrap_or_default();
    answer.get("messages").is_some_and(Value::is_array) && !cut
}

/// The text to post. One that calls everybody is refused unless a person wanted that.
fn checked(args: &PostMessage) -> Result<String> {
    let text = sdk::text::clean(&args.text);
    if text.is_empty() {
        return Err(Error::invalid_input("text: it is empty"));
    }
    if calls_everybody(&text) && !args.broadcast {
        return Err(Error::invalid_input(
            "text: it notifies everybody in the channel (@channel, @here or @everyone). Leave that out, or set \
             `broadcast` if the person asked for it explicitly",
        ));
    }
    Ok(if args.broadcast { with_calls(&text) } else { text })
}

const CALLS: [&str; 3] = ["channel", "here", "everyone"];

/// `<!channel>` as Slack writes it, `@channel` as people do, and groups of people.
pub fn calls_everybody(text: &str) -> bool {
    let text = text.to_lowercase();
    let written = CALLS.iter().any(|call| text.contains(&format!("<!{call}")));
    written || text.contains("<!subteam") || CALLS.iter().any(|call| !spoken(&text, call).is_empty())
}

/// Where `@channel` stands as a word of its own, not as a part of an address.
fn spoken(text: &str, call: &str) -> Vec<usize> {
    let mention = format!("@{call}");
    let word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '-' | '+');
    let found = text.match_indices(&mention).filter(|(at, _)| {
        let before = text[..*at].chars().next_back();
        let mut after = text[at + mention.len()..].chars();
        let next = after.next();
        // `@here.` ends a sentence, `@here.example` is an address.
        let goes_on = match next {
            Some('.' | '-') => after.next().is_some_and(char::is_alphanumeric),
            Some(c) => c.is_alphanumeric() || c == '_',
            None => false,
        };
        !before.is_some_and(word) && !goes_on
    });
    found.map(|(at, _)| at).collect()
}

/// `@channel` calls nobody unless it is written as `<!channel>`.
fn with_calls(text: &str) -> String {
    CALLS.iter().fold(text.to_owned(), |text, call| {
        let places = spoken(&text, call);
        places.into_iter().rev().fold(text, |mut text, at| {
            text.replace_range(at..at + call.len() + 1, &format!("<!{call}>"));
            text
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_to_everybody_are_seen_in_every_spelling() {
        for text in
            ["@channel hi", "hi @here", "Hi (@everyone)!", "<!channel> x", "<!here|here>", "@Channel", "ok @here."]
        {
            assert!(calls_everybody(text), "{text}");
        }
        assert!(calls_everybody("<!subteam^S012345|@sales>"));
        for text in ["ada@channel.example", "@channels", "@here.example", "channel here everyone", "<@U012AB3CD> hi"] {
            assert!(!calls_everybody(text), "{text}");
        }
        assert_eq!(with_calls("@here and @channel, not a@here.example"), "<!here> and <!channel>, not a@here.example");
    }

    #[test]
    fn hidden_characters_do_not_hide_a_call() {
        let args = PostMessage {
            channel: "#general".into(),
            text: "@chan\u{200b}nel".into(),
            thread_ts: None,
            broadcast: false,
        };
        assert!(checked(&args).is_err());
    }

    #[test]
    fn a_key_has_one_mark_that_does_not_tell_it() {
        let (one, two) = (mark("run:step"), mark("run:other"));
        assert_eq!(one.uuid, mark("run:step").uuid);
        assert_ne!(one.uuid, two.uuid);
        assert_eq!(one.uuid.len(), 36);
        assert!(!one.event.to_string().contains("run:step"));
    }
}
