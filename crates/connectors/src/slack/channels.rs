//! Finding channels.

use schemars::JsonSchema;
use sdk::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Slack, wire};
use crate::json;

/// Lists Slack channels by name with their ids: where can a message be posted? Answers `channels` (member: the app may
/// post there) and `next_cursor`. Use it before post_message.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListChannels {
    /// Only channels that the app is in.
    #[serde(default)]
    joined: bool,
    /// Also private channels that the app is in.
    #[serde(default)]
    private: bool,
    /// Also archived ones.
    #[serde(default)]
    archived: bool,
    /// How many, 20 unless given.
    #[schemars(range(min = 1, max = 200))]
    limit: Option<u32>,
    /// `next_cursor` of the previous answer.
    #[schemars(length(max = 500))]
    cursor: Option<String>,
}

/// Channels of the workspace.
#[derive(Serialize, JsonSchema)]
pub struct Channels {
    channels: Vec<Channel>,
    /// Give it as `cursor`, with the same arguments, for the next page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// A channel.
#[derive(Clone, Serialize, JsonSchema)]
pub struct Channel {
    pub id: String,
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    topic: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub people: Option<u64>,
    /// The app is in it.
    pub member: bool,
    #[serde(skip_serializing_if = "is_false")]
    pub private: bool,
    #[serde(skip_serializing_if = "is_false")]
    pub archived: bool,
}

pub async fn list(api: &Slack, args: ListChannels) -> Result<Channels> {
    let method = if args.joined { "users.conversations" } else { "conversations.list" };
    let types = if args.private { "public_channel,private_channel" } else { "public_channel" };
    let query = Query { types, archived: args.archived, limit: args.limit.unwrap_or(20), cursor: args.cursor };
    page(api, method, query).await
}

/// The id that is meant by an id or by `#name`; an id costs no request.
pub async fn id_of(api: &Slack, given: &str) -> Result<String> {
    match given.trim() {
        id if is_id(id) => Ok(id.to_owned()),
        name => Ok(find(api, name).await?.id),
    }
}

/// The channel that is meant by an id or by `#name`.
pub async fn find(api: &Slack, given: &str) -> Result<Channel> {
    let given = given.trim();
    if is_id(given) {
        return info(api, given).await;
    }
    let name = given.trim_start_matches('#').to_lowercase();
    let mut cursor = None;
    // Pages of 999: a workspace with more than ten thousand channels needs the id.
    for _ in 0..10 {
        let query = Query { types: "public_channel", archived: true, limit: 999, cursor };
        let page = page(api, "conversations.list", query).await?;
        if let Some(found) = page.channels.into_iter().find(|channel| channel.name == name) {
            return Ok(found);
        }
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    Err(Error::not_found(format!(
        "channel: there is no public channel #{name}. Take an `id` of list_channels (private channels only by id)"
    )))
}

/// `C012AB3CD`; names are lower case.
fn is_id(given: &str) -> bool {
    given.len() >= 8
        && given.starts_with(['C', 'G', 'D'])
        && given.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit())
}

async fn info(api: &Slack, id: &str) -> Result<Channel> {
    let asked = [("channel", Some(id.to_owned())), ("include_num_members", Some("true".to_owned()))];
    let answer = wire::read(&api.get("conversations.info").query(&asked).send().await?, false)?;
    Ok(Channel::of(&answer["channel"]))
}

struct Query {
    types: &'static str,
    archived: bool,
    limit: u32,
    cursor: Option<String>,
}

async fn page(api: &Slack, method: &'static str, query: Query) -> Result<Channels> {
    let request = api.get(method).query(&[
        ("types", Some(query.types.to_owned())),
        ("exclude_archived", Some((!query.archived).to_string())),
        ("limit", Some(query.limit.to_string())),
        ("cursor", query.cursor.clone()),
    ]);
    let answer = wire::read(&request.send().await?, false)?;
    let next = answer.get("response_metadata").and_then(|metadata| json::text(metadata, "next_cursor"));
    Ok(Channels {
        channels: json::list(&answer, "channels").iter().map(Channel::of).collect(),
        next_cursor: next.filter(|next| Some(next) != query.cursor.as_ref()),
    })
}

impl Channel {
    fn of(row: &Value) -> Channel {
        let about = |key: &str| row.get(key).and_then(|about| json::text(about, "value"));
        Channel {
            id: json::text(row, "id").unwrap_or_default(),
            name: json::first_text(row, &["name", "name_normalized"]).unwrap_or_default(),
            topic: about("topic").or_else(|| about("purpose")).map(|topic| sdk::text::cut(&topic, 120)),
            people: json::count(row, "num_members"),
            member: json::flag(row, "is_member").unwrap_or(true),
            private: json::flag(row, "is_private").unwrap_or_default(),
            archived: json::flag(row, "is_archived").unwrap_or_default(),
        }
    }
}

fn is_false(flag: &bool) -> bool {
    !flag
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_told_from_a_name() {
        assert!(is_id("C012AB3CD") && is_id("G0123456789"));
        for name in ["#general", "general", "c012ab3cd", "CEO", "C-LEVEL-TALK"] {
            assert!(!is_id(name), "{name}");
        }
    }
}
