//! Whether the token works, and for what.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use sdk::{Account, Error, Kind, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Cloudflare, wire, zones};
use crate::json;

/// Checks the Cloudflare API token: is it valid, whose is it, when does it end, how many zones does it see. Use it when
/// Cloudflare refuses calls or before a token expires.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VerifyToken {}

/// What is known of the token.
#[derive(Serialize, JsonSchema)]
pub struct Verified {
    /// `active`, `disabled` or `expired`.
    status: String,
    /// `user` for a person's token, `account` for one of the account.
    owner: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    zones_visible: Option<u64>,
    /// What it cannot do.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

pub async fn verify(api: &Cloudflare, _: VerifyToken) -> Result<Verified> {
    let seen = zones::fetch(api, None, 1, 5).await;
    let account = seen.as_ref().ok().and_then(|answer| first_account(&answer.result));
    let (owner, answer) = ask(api, account.as_ref().map(|account| account.id.as_str())).await?;
    Ok(Verified {
        status: json::text(&answer, "status").unwrap_or_else(|| "unknown".into()),
        owner: owner.to_owned(),
        token_id: json::text(&answer, "id"),
        expires: json::time(&answer, "expires_on"),
        account: account.map(|account| account.name),
        zones_visible: seen.as_ref().ok().and_then(|answer| json::count(&answer.info, "total_count")),
        problem: seen.err().map(|error| format!("it cannot list zones: {}", error.message)),
    })
}

/// A person's token and an account's are each unknown to the other's endpoint, so both are asked.
async fn ask(api: &Cloudflare, account: Option<&str>) -> Result<(&'static str, Value)> {
    let error = match wire::send(api.get("/user/tokens/verify", &[])?).await {
        Ok(answer) => return Ok(("user", answer.result)),
        Err(error) => error,
    };
    let refused = matches!(error.kind, Kind::Unauthenticated | Kind::Forbidden | Kind::InvalidInput | Kind::NotFound);
    let Some(account) = api.config.account_id.as_deref().or(account).filter(|_| refused) else { return Err(error) };
    match wire::send(api.get("/accounts/{account_id}/tokens/verify", &[account])?).await {
        Ok(answer) => Ok(("account", answer.result)),
        Err(_) => Err(error),
    }
}

/// The account that the token opens, and when the token ends if it does.
pub async fn account(api: &Cloudflare) -> Result<Account> {
    let mut account = opened(api).await?;
    // That it cannot be told does not make the token a bad one.
    if let Ok((_, answer)) = ask(api, Some(&account.id)).await {
        account.ends = json::time(&answer, "expires_on");
    }
    Ok(account)
}

/// Zones prove the token and name the account; one that sees none is verified by itself.
async fn opened(api: &Cloudflare) -> Result<Account> {
    match zones::fetch(api, None, 1, 5).await {
        Ok(answer) => match first_account(&answer.result) {
            Some(account) => Ok(account),
            None => verified(api).await,
        },
        Err(error) if error.kind == Kind::Forbidden && !error.message.contains("from location") => verified(api).await,
        Err(error) => Err(error),
    }
}

async fn verified(api: &Cloudflare) -> Result<Account> {
    let (_, answer) = ask(api, None).await?;
    let status = json::text(&answer, "status").unwrap_or_default();
    if !status.is_empty() && status != "active" {
        return Err(Error::unauthenticated(format!(
            "the Cloudflare token is {status}. Make a new one under My Profile > API Tokens and set it as CF_API_TOKEN"
        )));
    }
    let id = json::text(&answer, "id").unwrap_or_else(|| "unknown".into());
    let name = format!("Cloudflare token {id}");
    Ok(Account::new(id, name))
}

/// The account of the first zone.
pub fn first_account(zones: &Value) -> Option<Account> {
    let account = zones.get(0)?.get("account")?;
    let id = json::text(account, "id")?;
    let name = json::text(account, "name").unwrap_or_else(|| id.clone());
    Some(Account::new(id, name))
}
