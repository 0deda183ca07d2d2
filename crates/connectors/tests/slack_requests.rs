//! What the Slack tools send, and what they make of every kind of answer.
#![expect(clippy::unwrap_used, reason = "a test ends where it fails, also in its helpers")]

mod support;
#[expect(dead_code, reason = "other tests use the rest of it")]
mod talk;

use connectors::slack::Slack;
use sdk::Kind;
use serde_json::{Value, json};
use support::{Reply, Sent, Vendor};
use talk::Talk;

const TOKEN: &str = "xoxb-canary";

fn talk(vendor: &Vendor) -> Talk {
    Talk::new::<Slack>(json!({"base_url": format!("{}/api/", vendor.url)}), &[("token", TOKEN)])
}

async fn always(reply: fn() -> Reply) -> (Vendor, Talk) {
    let vendor = Vendor::start(move |_, _| reply()).await;
    let talk = talk(&vendor);
    (vendor, talk)
}

fn hello() -> Value {
    json!({"channel": "C0GENERAL1", "text": "Hello"})
}

#[tokio::test]
async fn a_message_is_sent_as_documented() {
    let (vendor, talk) =
        always(|| json!({"ok": true, "channel": "C0GENERAL1", "ts": "1795464000.000100"}).into()).await;
    let mut arguments = hello();
    arguments["thread_ts"] = json!("1795460000.000200");
    let answer = talk.run_as("run:step", "post_message", arguments).await.unwrap();
    assert_eq!(answer, json!({"channel": "C0GENERAL1", "ts": "1795464000.000100"}));
    let sent = vendor.sent();
    assert_eq!(sent.len(), 1, "an id costs no look-up");
    assert_eq!(sent[0].line(), "POST /api/chat.postMessage");
    assert_eq!(sent[0].header("authorization"), Some("Bearer xoxb-canary"));
    assert!(sent[0].header("content-type").unwrap().starts_with("application/json"));
    let body = &sent[0].body;
    for (name, value) in [("channel", "C0GENERAL1"), ("text", "Hello"), ("thread_ts", "1795460000.000200")] {
        assert_eq!(body[name], value);
    }
    assert_eq!(body["metadata"]["event_type"], "enterprise_mcp_message");
    assert_eq!(body["metadata"]["event_payload"]["key"].as_str().unwrap().len(), 64);
    assert!(!body.to_string().contains("run:step"), "the key itself is nobody's to read");

    talk.run_as("run:step", "post_message", hello()).await.unwrap();
    talk.run_as("run:other", "post_message", hello()).await.unwrap();
    let marks: Vec<Value> = vendor.sent().iter().map(|sent| sent.body["metadata"].clone()).collect();
    assert!(marks[0] == marks[1] && marks[1] != marks[2], "{marks:?}");
}

#[tokio::test]
async fn channels_are_asked_for_as_documented_and_read_with_all_their_oddities() {
    fn page() -> Reply {
        json!({"ok": true, "channels": [
            {"id": "C1", "name": "general", "is_member": true, "num_members": 7, "is_private": false, "is_archived": false,
             "topic": {"value": "All\u{200b} of us"}, "purpose": {"value": "x"}, "later_field": {"a": 1}},
            {"id": "C2", "name": "bare", "is_member": false, "topic": null, "purpose": {"value": "Only a purpose"}},
            {"id": "C3", "name": null, "name_normalized": "normal", "is_archived": true, "num_members": null,
             "is_private": true}],
            "response_metadata": {"next_cursor": "dGVhbTpD=="}})
        .into()
    }
    let (vendor, talk) = always(page).await;
    let answer = talk.run("list_channels", json!({"limit": 3, "private": true, "cursor": "abc="})).await.unwrap();
    assert_eq!(
        answer,
        json!({"channels": [
            {"id": "C1", "name": "general", "topic": "All of us", "people": 7, "member": true},
            {"id": "C2", "name": "bare", "topic": "Only a purpose", "member": false},
            {"id": "C3", "name": "normal", "member": true, "private": true, "archived": true}],
            "next_cursor": "dGVhbTpD=="})
    );
    talk.run("list_channels", json!({"joined": true, "archived": true})).await.unwrap();
    let sent = vendor.sent();
    assert_eq!(sent[0].line(), "GET /api/conversations.list");
    let query =
        json!({"types": "public_channel,private_channel", "exclude_archived": "true", "limit": "3", "cursor": "abc="});
    assert_eq!(json!(sent[0].query), query);
    assert_eq!(sent[1].line(), "GET /api/users.conversations");
    assert_eq!(json!(sent[1].query), json!({"types": "public_channel", "exclude_archived": "false", "limit": "20"}));
    assert_eq!(talk.attempts(), ["GET conversations.list 200", "GET users.conversations 200"]);
}

#[tokio::test]
async fn an_empty_workspace_is_no_error_and_a_cursor_that_stands_still_ends_it() {
    let (_vendor, talk) =
        always(|| json!({"ok": true, "channels": [], "response_metadata": {"next_cursor": ""}}).into()).await;
    assert_eq!(talk.run("list_channels", json!({})).await.unwrap(), json!({"channels": []}));
    let (_vendor, talk) =
        always(|| json!({"ok": true, "channels": null, "response_metadata": {"next_cursor": "x"}}).into()).await;
    assert_eq!(talk.run("list_channels", json!({"cursor": "x"})).await.unwrap(), json!({"channels": []}));
}

#[tokio::test]
async fn a_refusal_in_http_200_has_its_kind_and_plain_words() {
    for (word, kind, says) in [
        ("not_authed", Kind::Unauthenticated, "SLACK_BOT_TOKEN"),
        ("invalid_auth", Kind::Unauthenticated, "SLACK_BOT_TOKEN"),
        ("token_revoked", Kind::Unauthenticated, "Install it again"),
        ("account_inactive", Kind::Unauthenticated, "Install it again"),
        ("token_expired", Kind::Unauthenticated, "OAuth"),
        ("channel_not_found", Kind::NotFound, "list_channels"),
        ("not_in_channel", Kind::Forbidden, "/invite"),
        ("is_archived", Kind::Conflict, "archived"),
        ("restricted_action", Kind::Forbidden, "administrators"),
        ("msg_too_long", Kind::InvalidInput, "too long"),
        ("invalid_arguments", Kind::InvalidInput, "arguments"),
        ("thread_not_found", Kind::NotFound, "thread_ts"),
        ("a_word_of_next_year", Kind::Upstream, "a_word_of_next_year"),
    ] {
        let vendor = Vendor::start(move |_, _| json!({"ok": false, "error": word}).into()).await;
        let talk = talk(&vendor);
        let error = talk.fails("post_message", hello()).await;
        assert_eq!(error.kind, kind, "{word}: {error}");
        assert!(error.message.contains(says) && error.message.contains(word), "{word}: {error}");
        assert!(!error.outcome_unknown && vendor.sent().len() == 1, "{word}");
        assert!(!format!("{error:?}").contains("canary"));
    }
}

#[tokio::test]
async fn a_missing_scope_is_named_with_what_there_is() {
    fn reply() -> Reply {
        json!({"ok": false, "error": "missing_scope", "needed": "groups:read", "provided": "chat:write,channels:read"})
            .into()
    }
    let (_vendor, talk) = always(reply).await;
    let error = talk.fails("list_channels", json!({"private": true})).await;
    assert_eq!(error.kind, Kind::Forbidden);
    assert!(error.message.contains("lacks the scope groups:read (it has chat:write,channels:read)"), "{error}");
}

#[tokio::test]
async fn a_limit_is_told_with_its_wait_in_either_form() {
    fn in_200() -> Reply {
        Reply::With(200, json!({"ok": false, "error": "ratelimited"}), vec![("retry-after", "30".into())])
    }
    fn in_429() -> Reply {
        Reply::With(429, json!({"ok": false, "error": "ratelimited"}), vec![("retry-after", "3600".into())])
    }
    for (reply, seconds) in [(in_200 as fn() -> Reply, 30), (in_429, 3_600)] {
        let (vendor, talk) = always(reply).await;
        let error = talk.fails("post_message", hello()).await;
        assert_eq!(error.kind, Kind::RateLimited);
        assert_eq!(error.retry_after.map(|wait| wait.as_secs()), Some(seconds));
        assert!(!error.outcome_unknown && vendor.sent().len() == 1, "longer than the deadline is not waited for");
    }
}

#[tokio::test]
async fn outages_and_nonsense_are_the_vendors_fault() {
    fn html() -> Reply {
        Reply::Text(503, "<html>We'll be right back</html>".into())
    }
    fn page() -> Reply {
        Reply::Text(200, "<html>a proxy</html>".into())
    }
    fn empty() -> Reply {
        json!({}).into()
    }
    fn forbidden() -> Reply {
        Reply::Text(403, "blocked".into())
    }
    for (reply, kind) in [
        (html as fn() -> Reply, Kind::Unavailable),
        (page, Kind::Upstream),
        (empty, Kind::Upstream),
        (forbidden, Kind::Forbidden),
    ] {
        let (_vendor, talk) = always(reply).await;
        let error = talk.fails("list_channels", json!({})).await;
        assert_eq!((error.kind, error.outcome_unknown), (kind, false), "{error}");
        let error = talk.check().await.unwrap_err();
        assert_eq!(error.kind, kind, "{error}");
    }
}

/// Posts are answered by `post`; the look into the channel by `history`.
async fn after_a_lost_reply(post: fn(usize) -> Reply, history: fn() -> Value) -> (Vec<Sent>, sdk::Result<Value>) {
    let posts = std::sync::atomic::AtomicUsize::new(0);
    let vendor = Vendor::start(move |sent, _| match sent.path.as_str() {
        "/api/chat.postMessage" => post(posts.fetch_add(1, std::sync::atomic::Ordering::Relaxed)),
        _ => history().into(),
    })
    .await;
    let outcome = talk(&vendor).run_as("run:step", "post_message", hello()).await;
    (vendor.sent(), outcome)
}

#[tokio::test]
async fn words_that_leave_it_open_are_looked_up_like_a_lost_reply() {
    fn unsure(_: usize) -> Reply {
        json!({"ok": false, "error": "internal_error"}).into()
    }
    fn others() -> Value {
        json!({"ok": true, "messages": [{"ts": "1.000001", "text": "Hello", "metadata": {"event_type": "enterprise_mcp_message",
            "event_payload": {"key": "of another call"}}}, {"ts": "1.000000", "text": "Hello"}]})
    }
    let (sent, outcome) = after_a_lost_reply(unsure, others).await;
    let error = outcome.unwrap_err();
    assert!(error.outcome_unknown && error.message.contains("look there before posting again"), "{error}");
    let paths: Vec<_> = sent.iter().map(|sent| sent.path.trim_start_matches("/api/")).collect();
    let expected = ["chat.postMessage", "conversations.history", "chat.postMessage", "conversations.history"];
    assert_eq!(paths, expected, "posted again once, after a look; a message with the same words is not ours");
    let query = json!({"channel": "C0GENERAL1", "limit": "100", "include_all_metadata": "true"});
    assert_eq!(json!(sent[1].query), query);
}

#[tokio::test]
async fn a_channel_that_cannot_be_seen_stops_the_second_try() {
    fn lost(_: usize) -> Reply {
        Reply::Lost
    }
    fn no_scope() -> Value {
        json!({"ok": false, "error": "missing_scope", "needed": "channels:history"})
    }
    fn nothing() -> Value {
        json!({"ok": true})
    }
    for history in [no_scope as fn() -> Value, nothing] {
        let (sent, outcome) = after_a_lost_reply(lost, history).await;
        assert!(outcome.unwrap_err().outcome_unknown);
        assert_eq!(sent.iter().filter(|sent| sent.path.ends_with("chat.postMessage")).count(), 1);
    }
}

#[tokio::test]
async fn a_second_try_that_is_refused_says_so() {
    fn lost_then_refused(n: usize) -> Reply {
        if n == 0 { Reply::Lost } else { json!({"ok": false, "error": "is_archived"}).into() }
    }
    fn empty() -> Value {
        json!({"ok": true, "messages": []})
    }
    let (_, outcome) = after_a_lost_reply(lost_then_refused, empty).await;
    let error = outcome.unwrap_err();
    assert_eq!((error.kind, error.outcome_unknown), (Kind::Conflict, false), "{error}");
}

#[tokio::test]
async fn what_is_missing_is_said_before_anything_is_sent() {
    let config = json!({"base_url": "http://127.0.0.1:9"});
    for credentials in [&[][..], &[("token", "  ")], &[("client_id", "x")]] {
        let error = Talk::new::<Slack>(config.clone(), credentials).check().await.unwrap_err();
        assert_eq!(error.kind, Kind::Unauthenticated);
        assert!(error.message.contains("SLACK_BOT_TOKEN"), "{error}");
    }
    let error = Talk::new::<Slack>(json!({"base_url": "slack"}), &[("token", TOKEN)]).check().await.unwrap_err();
    assert!(error.message.contains("base_url"), "{error}");
}
