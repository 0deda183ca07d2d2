//! Who did what in the account.

use chrono::{DateTime, Duration, SecondsFormat, Utc};
use schemars::JsonSchema;
use sdk::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Cloudflare, token, wire, zones};
use crate::{cursor, json};

/// Lists who changed what in the Cloudflare account (audit log), newest first. Use it to find out who changed a DNS
/// record or when. The last 7 days if no time is given. Answers `entries`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AuditLog {
    /// From this moment on.
    since: Option<DateTime<Utc>>,
    /// Up to this moment.
    before: Option<DateTime<Utc>>,
    /// Only what this person did.
    #[schemars(length(min = 3, max = 254))]
    actor_email: Option<String>,
    /// Only this domain.
    #[schemars(length(min = 1, max = 253))]
    zone_name: Option<String>,
    /// How many, 10 if left out.
    #[schemars(range(min = 1, max = 100))]
    limit: Option<u32>,
    /// `next_cursor` of the previous answer.
    #[schemars(length(min = 1, max = 2000))]
    cursor: Option<String>,
}

/// Some entries of the log.
#[derive(Serialize, JsonSchema)]
pub struct Entries {
    since: DateTime<Utc>,
    before: DateTime<Utc>,
    entries: Vec<Entry>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// Something that somebody did.
#[derive(Serialize, JsonSchema)]
pub struct Entry {
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<DateTime<Utc>>,
    /// `create`, `update`, `delete`, …
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    actor: Option<String>,
    /// The token that was used, or `dash`.
    #[serde(skip_serializing_if = "Option::is_none")]
    via: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ip: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    product: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    zone: Option<String>,
    /// Left out when it succeeded.
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<String>,
}

/// Where the next page begins. The vendor wants the same times with its cursor.
#[derive(Serialize, Deserialize)]
struct Position {
    after: String,
    account: String,
    since: DateTime<Utc>,
    before: DateTime<Utc>,
}

pub async fn list(api: &Cloudflare, args: AuditLog) -> Result<Entries> {
    let position: Option<Position> = match cursor::decode_option(args.cursor.as_deref())? {
        Some(cursor) => serde_json::from_value(cursor).map_err(|_| Error::invalid_input("cursor: of another list"))?,
        None => None,
    };
    let (account, since, before) = match &position {
        Some(position) => (position.account.clone(), position.since, position.before),
        None => span(api, &args).await?,
    };
    let limit = args.limit.unwrap_or(10);
    let query = [
        ("since", Some(moment(since))),
        ("before", Some(moment(before))),
        ("direction", Some("desc".into())),
        ("limit", Some(limit.to_string())),
        ("actor_email", args.actor_email.clone()),
        ("zone_name", args.zone_name.as_ref().map(|name| name.trim().to_lowercase())),
        ("cursor", position.map(|position| position.after)),
    ];
    let request = api.get("/accounts/{account_id}/logs/audit", &[&account])?.query(&query);
    let answer = wire::send(request).await?;
    let entries: Vec<Entry> = answer.result.as_array().into_iter().flatten().map(entry).collect();
    let after = after(&answer.info).filter(|_| !entries.is_empty());
    let next_cursor = after
        .map(|after| cursor::encode(&json!({"after": after, "account": account, "since": since, "before": before})));
    Ok(Entries { since, before, entries, next_cursor })
}

fn moment(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// The account, and the time that is asked for. A question without an end ends at the vendor's present.
async fn span(api: &Cloudflare, args: &AuditLog) -> Result<(String, DateTime<Utc>, DateTime<Utc>)> {
    let mut account = api.config.account_id.clone();
    let mut before = args.before;
    if account.is_none() || before.is_none() {
        let zones = zones::fetch(api, None, 1, 5).await?;
        account = account.or_else(|| token::first_account(&zones.result).map(|account| account.id));
        before = before.or_else(|| zones.date.map(|date| date + Duration::minutes(1)));
    }
    let account = account.ok_or_else(|| {
        Error::invalid_input("the account is not known, because the token sees no zone: configure `account_id`")
    })?;
    let before = before.ok_or_else(|| Error::invalid_input("before: Cloudflare did not tell the time; give one"))?;
    let since = args.since.unwrap_or(before - Duration::days(7));
    if since >= before {
        return Err(Error::invalid_input("since: must be earlier than before"));
    }
    Ok((account, since, before))
}

fn after(info: &Value) -> Option<String> {
    info.get("cursors").and_then(|cursors| json::text(cursors, "after")).or_else(|| json::text(info, "cursor"))
}

fn entry(row: &Value) -> Entry {
    let none = Value::Null;
    let of = |key: &str| row.get(key).unwrap_or(&none);
    let (action, actor, resource) = (of("action"), of("actor"), of("resource"));
    Entry {
        at: json::time(action, "time"),
        action: json::text(action, "type"),
        actor: json::first_text(actor, &["email", "type"]),
        via: json::first_text(actor, &["token_name", "context"]),
        ip: json::text(actor, "ip_address"),
        product: json::first_text(resource, &["product", "type"]),
        resource_id: json::text(resource, "id"),
        zone: json::text(of("zone"), "name"),
        result: json::text(action, "result").filter(|result| result != "success"),
    }
}
