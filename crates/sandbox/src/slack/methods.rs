//! The Web API's methods, as far as they are simulated.

use serde_json::{Map, Value, json};

use super::{
    Arguments, Workspace,
    workspace::{Channel, Message, micros_of},
};
use crate::{
    clock::{Millis, SECOND},
    world::World,
};

type Answer = Result<Map<String, Value>, &'static str>;

pub(super) fn answer(world: &World, method: &str, arguments: &Arguments, now: Millis) -> Answer {
    match method {
        "auth.test" => Ok(who(&world.slack())),
        "conversations.list" => list(&world.slack(), arguments, false),
        "users.conversations" => list(&world.slack(), arguments, true),
        "conversations.info" => info(&mut world.slack(), arguments),
        "conversations.history" => history(&mut world.slack(), arguments, None),
        "conversations.replies" => {
            let thread = arguments.text("ts").ok_or("invalid_arguments")?;
            history(&mut world.slack(), arguments, Some(thread))
        }
        "chat.postMessage" => post(world, arguments, now),
        "conversations.setTopic" => set_topic(world, arguments, now),
        _ => Err("unknown_method"),
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        _ => Map::new(),
    }
}

fn who(workspace: &Workspace) -> Map<String, Value> {
    object(json!({"url": "https://medtainer.slack.com/", "team": workspace.team_name, "user": "assistant",
        "team_id": workspace.team, "user_id": workspace.bot, "bot_id": format!("B{}", &workspace.bot[1..]),
        "is_enterprise_install": false}))
}

/// Pages of at most 1,000; the cursor is base64 with padding, so that it has to be encoded in a query.
fn list(workspace: &Workspace, arguments: &Arguments, joined: bool) -> Answer {
    let types = arguments.text("types").unwrap_or("public_channel");
    if types.split(',').any(|kind| !["public_channel", "private_channel", "mpim", "im"].contains(&kind.trim())) {
        return Err("invalid_types");
    }
    let wanted = |kind: &str| types.split(',').any(|given| given.trim() == kind);
    let limit = arguments.number("limit").unwrap_or(100);
    if !(1..=1_000).contains(&limit) {
        return Err("invalid_limit");
    }
    let fitting: Vec<&Channel> =
        workspace
            .channels
            .iter()
            .filter(|channel| !(arguments.flag("exclude_archived") && channel.archived))
            .filter(|channel| {
                if channel.private { channel.member && wanted("private_channel") } else { wanted("public_channel") }
            })
            .filter(|channel| channel.member || !joined)
            .collect();
    let first = match arguments.text("cursor") {
        None => 0,
        Some(cursor) => place(&fitting, cursor).ok_or("invalid_cursor")?,
    };
    let page: Vec<Value> =
        fitting.iter().skip(first).take(limit).map(|channel| show(channel, &workspace.bot)).collect();
    let next = fitting.get(first + limit).map_or(String::new(), |channel| cursor(channel));
    Ok(object(json!({"channels": page, "response_metadata": {"next_cursor": next}})))
}

fn cursor(channel: &Channel) -> String {
    use base64::{Engine, engine::general_purpose::STANDARD};
    STANDARD.encode(format!("channel:{}", channel.id))
}

fn place(channels: &[&Channel], given: &str) -> Option<usize> {
    channels.iter().position(|channel| cursor(channel) == given)
}

fn show(channel: &Channel, bot: &str) -> Value {
    let set_by = |text: &str| json!({"value": text, "creator": bot, "last_set": channel.created / SECOND});
    json!({"id": channel.id, "name": channel.name, "name_normalized": channel.name, "is_channel": !channel.private,
        "is_group": channel.private, "is_im": false, "is_mpim": false, "is_private": channel.private,
        "is_archived": channel.archived, "is_general": channel.name == "general", "is_member": channel.member,
        "is_shared": false, "is_org_shared": false, "is_ext_shared": false, "created": channel.created / SECOND,
        "creator": bot, "unlinked": 0, "topic": set_by(&channel.topic), "purpose": set_by(""), "previous_names": [],
        "num_members": channel.people})
}

fn info(workspace: &mut Workspace, arguments: &Arguments) -> Answer {
    let bot = workspace.bot.clone();
    let channel = workspace.channel(arguments.text("channel").unwrap_or_default()).ok_or("channel_not_found")?;
    let mut shown = show(channel, &bot);
    if !arguments.flag("include_num_members")
        && let Value::Object(shown) = &mut shown
    {
        shown.remove("num_members");
    }
    Ok(object(json!({ "channel": shown })))
}

/// The newest first; of a thread the oldest first, as at Slack.
fn history(workspace: &mut Workspace, arguments: &Arguments, thread: Option<&str>) -> Answer {
    let team = workspace.team.clone();
    let channel = workspace.channel(arguments.text("channel").unwrap_or_default()).ok_or("channel_not_found")?;
    if !channel.member {
        return Err("not_in_channel");
    }
    let oldest = arguments.text("oldest").and_then(bound);
    let limit = arguments.number("limit").unwrap_or(100).clamp(1, 999);
    let mut found: Vec<&Message> = channel
        .messages
        .iter()
        .filter(|message| match thread {
            None => message.thread.is_none(),
            Some(thread) => message.ts == thread || message.thread.as_deref() == Some(thread),
        })
        .filter(|message| oldest.is_none_or(|oldest| micros_of(&message.ts).is_some_and(|at| at > oldest)))
        .collect();
    if thread.is_some() && found.is_empty() {
        return Err("thread_not_found");
    }
    if thread.is_none() {
        found.reverse();
    }
    let more = found.len() > limit;
    let metadata = arguments.flag("include_all_metadata");
    let shown: Vec<Value> =
        found.into_iter().take(limit).map(|message| show_message(message, &team, metadata)).collect();
    Ok(object(json!({"messages": shown, "has_more": more})))
}

/// `oldest` may be whole seconds.
fn bound(ts: &str) -> Option<i64> {
    micros_of(ts).or_else(|| Some(ts.parse::<i64>().ok()? * 1_000_000))
}

fn show_message(message: &Message, team: &str, metadata: bool) -> Value {
    let mut shown =
        json!({"type": "message", "user": message.user, "text": message.text, "ts": message.ts, "team": team});
    let mut set = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            shown[name] = value;
        }
    };
    set("thread_ts", message.thread.clone().map(Value::from));
    set("client_msg_id", message.client_msg_id.clone().map(Value::from));
    set("bot_id", message.bot.then(|| format!("B{}", &message.user[1..]).into()));
    // Without `include_all_metadata` only the type of the event is shown.
    let kind = |metadata: &Value| json!({"event_type": metadata["event_type"]});
    set("metadata", message.metadata.as_ref().map(|all| if metadata { all.clone() } else { kind(all) }));
    shown
}

/// Posts; what is said of a message's own id is that the vendor keeps it, not that it knows a repetition by it.
fn set_topic(world: &World, arguments: &Arguments, now: Millis) -> Answer {
    let mut workspace = world.slack();
    let bot = workspace.bot.clone();
    let channel = workspace.channel(arguments.text("channel").unwrap_or_default()).ok_or("channel_not_found")?;
    if channel.archived {
        return Err("is_archived");
    }
    if !channel.member {
        return Err("not_in_channel");
    }
    let topic = arguments.text("topic").unwrap_or_default();
    if topic.chars().count() > 250 {
        return Err("too_long");
    }
    channel.topic = topic.to_owned();
    let (id, shown) = (channel.id.clone(), show(channel, &bot));
    drop(workspace);
    world.business().record(now, "slack.topic", &id, "api", shown.clone());
    Ok(object(json!({"channel": shown})))
}

fn post(world: &World, arguments: &Arguments, now: Millis) -> Answer {
    let mut workspace = world.slack();
    let (bot, team) = (workspace.bot.clone(), workspace.team.clone());
    let wanted = arguments.text("channel").unwrap_or_default().trim_start_matches('#').to_owned();
    let by_name = workspace.channels.iter().find(|channel| !channel.private && channel.name == wanted);
    let id = by_name.map_or(wanted, |channel| channel.id.clone());
    let channel = workspace.channel(&id).ok_or("channel_not_found")?;
    if channel.archived {
        return Err("is_archived");
    }
    if !channel.member {
        return Err("not_in_channel");
    }
    let text = arguments.text("text").ok_or("no_text")?.to_owned();
    if text.chars().count() > 40_000 {
        return Err("msg_too_long");
    }
    let metadata = arguments.object("metadata");
    if metadata
        .as_ref()
        .is_some_and(|metadata| !metadata["event_type"].is_string() || !metadata["event_payload"].is_object())
    {
        return Err("metadata_must_be_sent_as_object");
    }
    let thread = arguments.text("thread_ts").map(str::to_owned);
    let client_msg_id = arguments.text("client_msg_id").map(str::to_owned);
    let message = Message { ts: channel.next_ts(now), user: bot, text, thread, client_msg_id, metadata, bot: true };
    channel.messages.push(message.clone());
    drop(workspace);
    let payload = json!({"channel": id, "message": show_message(&message, &team, true)});
    world.business().record(now, "slack.message", &message.ts, "api", payload);
    let mut event = show_message(&message, &team, true);
    event["channel"] = id.clone().into();
    world.webhooks.slack(&team, &event, now);
    Ok(object(json!({"channel": id, "ts": message.ts, "message": show_message(&message, &team, true)})))
}
