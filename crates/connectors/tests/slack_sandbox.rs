//! Slack against the simulated workspace, over real HTTP.
#![expect(clippy::unwrap_used, reason = "a test ends where it fails, also in its helpers")]

mod talk;

use std::time::Duration;

use chrono::{DateTime, Utc};
use connectors::slack::Slack;
use sandbox::{Fault, Options, Sandbox};
use sdk::{Kind, auth::ACCESS_TOKEN};
use serde_json::{Value, json};
use talk::Talk;

async fn start() -> Sandbox {
    let now: DateTime<Utc> = "2026-11-23T20:00:00Z".parse().unwrap();
    let options = Options { contacts: 300, ..Options::new(now) };
    sandbox::start(options, "127.0.0.1:0".parse().unwrap()).await.unwrap()
}

/// The messages that came over the wire.
fn posted(sandbox: &Sandbox) -> Vec<Value> {
    let effects = sandbox.business().effects().into_iter().filter(|effect| effect.kind == "slack.message");
    effects.map(|effect| effect.payload).collect()
}

async fn channel(talk: &Talk, name: &str) -> Value {
    let all = talk.run("list_channels", json!({"limit": 200, "private": true, "archived": true})).await.unwrap();
    all["channels"].as_array().unwrap().iter().find(|channel| channel["name"] == name).unwrap().clone()
}

#[tokio::test]
async fn the_check_names_the_workspace_with_either_credential() {
    let sandbox = start().await;
    let account = sandbox.account("slack").unwrap();
    for credential in ["token", ACCESS_TOKEN] {
        let talk = Talk::new::<Slack>(account.config.clone(), &[(credential, &account.credentials[credential])]);
        let found = talk.check().await.unwrap();
        assert_eq!(found.name, "MedTainer");
        assert!(found.id.starts_with("T0"));
        assert_eq!(talk.attempts(), ["GET auth.test 200"]);
    }
}

#[tokio::test]
async fn channels_are_paged_to_the_end() {
    let sandbox = start().await;
    let talk = Talk::to::<Slack>(&sandbox);
    let mut names = Vec::new();
    let mut cursor = None;
    for _ in 0..20 {
        let mut arguments = json!({"limit": 10});
        if let Some(cursor) = &cursor {
            arguments["cursor"] = json!(cursor);
        }
        let page = talk.run("list_channels", arguments).await.unwrap();
        names.extend(page["channels"].as_array().unwrap().iter().map(|channel| channel["name"].to_string()));
        cursor = page["next_cursor"].as_str().map(str::to_owned);
        if cursor.is_none() {
            break;
        }
    }
    let listed = names.len();
    names.sort();
    names.dedup();
    assert_eq!((listed, names.len()), (46, 46), "6 of the company and 40 of customers, each once");

    let joined = talk.run("list_channels", json!({"joined": true, "private": true, "limit": 200})).await.unwrap();
    let joined = joined["channels"].as_array().unwrap();
    assert!(joined.iter().all(|channel| channel["member"] == true));
    assert!(joined.iter().any(|channel| channel["name"] == "finance" && channel["private"] == true));
    assert!(
        !joined.iter().any(|channel| channel["name"] == "leadership"),
        "the app is not in it, so it does not exist"
    );
    let odd = talk.fails("list_channels", json!({"cursor": "page two"})).await;
    assert_eq!(odd.kind, Kind::InvalidInput);
}

#[tokio::test]
async fn a_message_stands_where_it_was_posted() {
    let sandbox = start().await;
    let talk = Talk::to::<Slack>(&sandbox);
    let by_name = talk.run("post_message", json!({"channel": "#general", "text": "Hello *all*"})).await.unwrap();
    let id = channel(&talk, "general").await["id"].clone();
    assert_eq!(by_name["channel"], id);
    let answer = json!({"channel": id, "text": "An answer", "thread_ts": by_name["ts"]});
    talk.run("post_message", answer).await.unwrap();
    let posted = posted(&sandbox);
    assert_eq!(posted.len(), 2);
    assert_eq!(posted[0]["message"]["text"], "Hello *all*");
    assert_eq!(posted[1]["message"]["thread_ts"], by_name["ts"]);
    assert_eq!(talk.attempts().last().unwrap(), "POST chat.postMessage 200");
}

#[tokio::test]
async fn a_dry_run_names_the_channel_and_posts_nothing() {
    let sandbox = start().await;
    let talk = Talk::to::<Slack>(&sandbox);
    let plan =
        |channel: &str, text: &str| json!({"channel": channel, "text": text, "dry_run": true, "broadcast": true});
    let answer = talk.run("post_message", plan("#general", "Hi")).await.unwrap();
    assert!(answer["plan"]["would"].as_str().unwrap().starts_with("Post a message in #general"), "{answer}");
    assert_eq!(answer["plan"]["changes"][0]["after"]["text"], "Hi");
    assert_eq!(answer["plan"].get("notes"), None);
    let answer = talk.run("post_message", plan("#random", "@here Hi")).await.unwrap();
    assert_eq!(answer["plan"]["notes"].as_array().unwrap().len(), 2, "{answer}");
    let archived = talk.run("post_message", plan("#expo-2024", "Hi")).await.unwrap();
    assert!(archived["plan"]["notes"][0].as_str().unwrap().contains("archived"));
    assert!(posted(&sandbox).is_empty());
}

#[tokio::test]
async fn everybody_is_called_only_when_that_was_wanted() {
    let sandbox = start().await;
    let talk = Talk::to::<Slack>(&sandbox);
    for text in ["@channel hi", "hi @here!", "<!everyone> hi", "ping <!subteam^S0123>"] {
        let error = talk.fails("post_message", json!({"channel": "#general", "text": text})).await;
        assert_eq!(error.kind, Kind::InvalidInput);
        assert!(error.message.contains("broadcast"), "{error}");
    }
    assert!(talk.attempts().is_empty());
    talk.run("post_message", json!({"channel": "#general", "text": "hi @here!", "broadcast": true})).await.unwrap();
    assert_eq!(posted(&sandbox)[0]["message"]["text"], "hi <!here>!");
}

#[tokio::test]
async fn refusals_name_the_cause_and_the_cure() {
    let sandbox = start().await;
    let talk = Talk::to::<Slack>(&sandbox);
    let random = channel(&talk, "random").await["id"].clone();
    let archived = channel(&talk, "expo-2024").await["id"].clone();
    for (channel, kind, says) in [
        (random, Kind::Forbidden, "/invite"),
        (archived, Kind::Conflict, "archived"),
        (json!("C0NOSUCHONE"), Kind::NotFound, "list_channels"),
        (json!("#no-such-channel"), Kind::NotFound, "no public channel #no-such-channel"),
    ] {
        let error = talk.fails("post_message", json!({"channel": channel, "text": "Hi"})).await;
        assert_eq!(error.kind, kind, "{error}");
        assert!(error.message.contains(says) && !error.outcome_unknown, "{error}");
    }
    sandbox.faults().next_on("/slack/api/chat.postMessage", 1, Fault::Status(403));
    let error = talk.fails("post_message", json!({"channel": "#general", "text": "Hi"})).await;
    assert_eq!(error.kind, Kind::Forbidden);
    assert!(error.message.contains("lacks the scope chat:write") && error.message.contains("channels:read"), "{error}");
    sandbox.faults().next_on("/slack/api/auth.test", 1, Fault::ExpiredToken);
    assert_eq!(talk.check().await.unwrap_err().kind, Kind::Unauthenticated);
    let error = talk.check().await.unwrap_err();
    assert!(error.message.contains("token_revoked") && error.message.contains("Install it again"), "{error}");
    assert!(posted(&sandbox).is_empty());
}

#[tokio::test]
async fn a_token_that_rotates_expires_and_is_renewed_once() {
    let sandbox = start().await;
    let account = sandbox.account("slack").unwrap();
    let talk = Talk::new::<Slack>(account.config.clone(), &[(ACCESS_TOKEN, &account.credentials[ACCESS_TOKEN])]);
    talk.check().await.unwrap();
    sandbox.skip(Duration::from_secs(12 * 3_600 + 1));
    let error = talk.check().await.unwrap_err();
    assert_eq!(error.kind, Kind::Unauthenticated);
    assert!(error.message.contains("token_expired"), "{error}");
    let renew = || renew(&account);
    let renewed = renew().await;
    assert_eq!((renewed["ok"].clone(), renewed["expires_in"].clone()), (json!(true), json!(43_200)), "{renewed}");
    let again = renew().await;
    assert_eq!(again, json!({"ok": false, "error": "invalid_refresh_token"}), "a refresh token works once");
    let talk = Talk::new::<Slack>(account.config.clone(), &[(ACCESS_TOKEN, renewed["access_token"].as_str().unwrap())]);
    talk.check().await.unwrap();
}

async fn renew(account: &sandbox::Account) -> Value {
    #[expect(clippy::disallowed_methods, reason = "a test is its own process and owns its client")]
    let request = reqwest::Client::new().post(account.config["token_url"].as_str().unwrap());
    let request = request.basic_auth(&account.credentials["client_id"], Some(&account.credentials["client_secret"]));
    let form = [("grant_type", "refresh_token"), ("refresh_token", &account.credentials["refresh_token"])];
    let answer = request.form(&form).send().await.unwrap();
    serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
}

#[tokio::test]
async fn a_limit_is_waited_out_as_the_vendor_says() {
    let sandbox = start().await;
    let talk = Talk::to::<Slack>(&sandbox);
    sandbox.faults().next_on("/slack/api/chat.postMessage", 1, Fault::Status(429));
    let started = std::time::Instant::now();
    talk.run("post_message", json!({"channel": "#general", "text": "Hi"})).await.unwrap();
    assert!(started.elapsed() >= Duration::from_secs(1), "Retry-After was 1");
    let attempts = talk.attempts();
    let of_messages: Vec<_> = attempts.iter().filter(|attempt| attempt.contains("chat.postMessage")).collect();
    assert_eq!(of_messages, ["POST chat.postMessage 429", "POST chat.postMessage 200"]);
    assert_eq!(posted(&sandbox).len(), 1);
}

#[tokio::test]
async fn its_own_pace_keeps_below_the_limits() {
    let sandbox = start().await;
    let talk = Talk::to::<Slack>(&sandbox);
    let general = channel(&talk, "general").await["id"].clone();
    let one = |n: usize| (n, json!({"channel": general, "text": format!("{n}")}));
    let calls = (0..5).map(one).map(|(n, arguments)| {
        let talk = &talk;
        async move { talk.run_as(&format!("key {n}"), "post_message", arguments).await }
    });
    for outcome in futures::future::join_all(calls).await {
        outcome.unwrap();
    }
    assert!(talk.attempts().iter().all(|attempt| attempt.ends_with("200")), "{:?}", talk.attempts());
    assert_eq!(posted(&sandbox).len(), 5);
}

#[tokio::test]
async fn a_lost_reply_is_looked_up_and_makes_no_duplicate() {
    let sandbox = start().await;
    let talk = Talk::to::<Slack>(&sandbox);
    let general = channel(&talk, "general").await["id"].clone();
    let thread = talk.run("post_message", json!({"channel": general, "text": "Thread"})).await.unwrap()["ts"].clone();
    for (n, fault) in [Fault::DropReply, Fault::Malformed, Fault::Html, Fault::Truncated].into_iter().enumerate() {
        for thread in [None, Some(&thread)] {
            let before = posted(&sandbox).len();
            sandbox.faults().next_on("/slack/api/chat.postMessage", 1, fault.clone());
            let mut arguments = json!({"channel": general, "text": format!("Message {n}")});
            if let Some(thread) = thread {
                arguments["thread_ts"] = thread.clone();
            }
            let answer =
                talk.run("post_message", arguments).await.unwrap_or_else(|error| panic!("{fault:?}: {error:?}"));
            assert_eq!(answer["found_again"], true, "{fault:?} {answer}");
            let posted = posted(&sandbox);
            assert_eq!(posted.len() - before, 1, "{fault:?}");
            assert_eq!(posted.last().unwrap()["message"]["ts"], answer["ts"], "{fault:?}");
        }
    }
}

#[tokio::test]
async fn what_was_never_posted_is_posted_then() {
    let sandbox = start().await;
    let talk = Talk::to::<Slack>(&sandbox);
    let general = channel(&talk, "general").await["id"].clone();
    for fault in [Fault::Drop, Fault::Status(503)] {
        let before = posted(&sandbox).len();
        sandbox.faults().next_on("/slack/api/chat.postMessage", 1, fault.clone());
        let answer = talk.run("post_message", json!({"channel": general, "text": "Hi"})).await.unwrap();
        assert_eq!(answer.get("found_again"), None);
        assert_eq!(posted(&sandbox).len() - before, 1, "{fault:?}");
    }
    // The second try is lost as well: it is there, and found.
    sandbox.faults().next_on("/slack/api/chat.postMessage", 1, Fault::Drop);
    sandbox.faults().next_on("/slack/api/chat.postMessage", 1, Fault::DropReply);
    let before = posted(&sandbox).len();
    let answer = talk.run("post_message", json!({"channel": general, "text": "Hi"})).await.unwrap();
    assert_eq!((answer["found_again"].clone(), posted(&sandbox).len() - before), (json!(true), 1));
}

#[tokio::test]
async fn what_cannot_be_looked_up_is_unknown_and_not_repeated() {
    let sandbox = start().await;
    let talk = Talk::to::<Slack>(&sandbox);
    let general = channel(&talk, "general").await["id"].clone();
    sandbox.faults().always("/slack/api/conversations.history", Fault::Status(403));
    sandbox.faults().next_on("/slack/api/chat.postMessage", 1, Fault::DropReply);
    let error = talk.fails("post_message", json!({"channel": general, "text": "Hi"})).await;
    assert!(error.outcome_unknown && error.message.contains("unknown whether the message stands"), "{error}");
    assert_eq!(posted(&sandbox).len(), 1);
}
