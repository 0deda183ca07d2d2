//! A connection as people see it: how it fares, what it may do, and when it ends.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use sdk::auth::OAuth2;
use sdk::{Auth, Result};
use serde::Serialize;
use store::DEFAULT_CONNECTION;
use store::vault::TokenFacts;

use super::{Connected, Connections, NEEDS_ATTENTION, command};
use crate::calls::Source;
use crate::webhooks;

/// A connection as people see it.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct Description {
    pub ecosystem: String,
    /// Its name, where it has one of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connection: Option<String>,
    pub title: String,
    /// `live` when credentials are configured, `sample` when the built-in business answers.
    pub source: String,
    /// `connected`, `expiring`, `needs_attention` or `not_connected`.
    pub state: String,
    /// Whose account it is, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// What is wrong, and what helps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Whether the local brain copies it; of several connections it copies the default.
    pub copied: bool,
    /// When the consent or the keys end, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<DateTime<Utc>>,
    /// Scopes that were asked for and not granted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub missing_scopes: Vec<String>,
    /// The tools that the vendor refuses for lack of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub refused_tools: Vec<String>,
    /// What to do to connect it.
    pub to_connect: Vec<String>,
    /// Where its webhooks are expected, once they can be proven.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhooks: Option<webhooks::Expected>,
}

/// An end that is known, of what, and what to do about it.
struct End {
    at: DateTime<Utc>,
    what: &'static str,
    cure: String,
}

impl Connections {
    /// Every connection as it is now; what another process has changed is read anew.
    pub async fn descriptions(&self) -> Result<Vec<Description>> {
        self.look_again().await?;
        let facts = store::vault::token_facts(&self.outside.tenant).await.map_err(crate::unavailable)?;
        Ok(self.iter().map(|connected| self.describe(&connected, &facts)).collect())
    }

    fn describe(&self, connected: &Connected, facts: &[TokenFacts]) -> Description {
        let facts = facts.iter().find(|facts| {
            facts.ecosystem == connected.connector.id
                && facts.account == connected.name
                && connected.credential().is_some()
        });
        let end = connected.end(facts);
        let soon = self.outside.clock.now() + chrono::Duration::days(i64::from(self.config.connections.warn_days));
        let trouble = connected.trouble.as_deref().or(connected.attention());
        let missing = connected.missing_scopes(facts);
        let (state, reason) = match (connected.source, trouble, &end) {
            (Source::Sample, ..) => ("not_connected", None),
            (_, Some(trouble), _) => (NEEDS_ATTENTION, Some(trouble.to_owned())),
            (_, None, Some(end)) if end.at <= soon => (EXPIRING, Some(end.in_words(self.outside.clock.now()))),
            _ => ("connected", None),
        };
        let connector = &connected.connector;
        Description {
            ecosystem: connector.id.into(),
            connection: (connected.name != DEFAULT_CONNECTION).then(|| connected.name.clone()),
            title: connector.title.into(),
            source: connected.source.as_str().into(),
            state: state.into(),
            account: connected.account().map(str::to_owned),
            reason,
            copied: self.is_copied(connected),
            expires_at: end.map(|end| end.at),
            refused_tools: connected.refused_tools(&missing),
            missing_scopes: missing,
            webhooks: None,
            to_connect: if connected.source == Source::Sample { connected.ways_to_connect() } else { Vec::new() },
        }
    }
}

/// The state of a connection that ends soon.
pub const EXPIRING: &str = "expiring";

impl End {
    fn in_words(&self, now: DateTime<Utc>) -> String {
        let days = (self.at - now).num_days();
        let (what, cure, day) = (self.what, &self.cure, self.at.format("%-d %B %Y"));
        match days {
            _ if self.at <= now => format!("{what} ended on {day}; {cure}"),
            0 => format!("{what} ends within a day; {cure}"),
            1 => format!("{what} ends tomorrow; {cure}"),
            _ => format!("{what} ends in {days} days, on {day}; {cure}"),
        }
    }
}

impl Connected {
    /// The end that comes first of those that are known.
    fn end(&self, facts: Option<&TokenFacts>) -> Option<End> {
        let again = format!("connect it again: {}", command("connect", self.place()));
        let consent = facts.and_then(|facts| facts.refresh_expires_at);
        let consent = consent.map(|at| End { at, what: "the consent", cure: again.clone() });
        let keys = self.row.as_ref().and_then(|row| row.expires_at).or(self.generic.expires_on);
        let keys =
            keys.map(|at| End { at, what: "the key", cure: format!("make a new one at the vendor and {again}") });
        [consent, keys, self.client_secret_end(&again)].into_iter().flatten().min_by_key(|end| end.at)
    }

    /// At the latest: nobody tells when the client secret was made, only when it was given to us.
    fn client_secret_end(&self, again: &str) -> Option<End> {
        let days = self.oauth()?.lifetimes.client_secret_days?;
        let at = self.row.as_ref()?.created_at + chrono::Duration::days(i64::from(days));
        Some(End { at, what: "the client secret", cure: format!("make a new one at the vendor and {again}") })
    }

    fn oauth(&self) -> Option<&OAuth2> {
        if let Some(Auth::OAuth2(oauth)) = &self.auth { Some(oauth) } else { None }
    }

    fn missing_scopes(&self, facts: Option<&TokenFacts>) -> Vec<String> {
        let granted = facts.and_then(|facts| facts.scope.as_deref());
        let granted = granted.or_else(|| self.row.as_ref().and_then(|row| row.scopes.as_deref()));
        self.oauth().map(|oauth| missing(oauth.scopes, granted)).unwrap_or_default()
    }

    fn refused_tools(&self, missing: &[String]) -> Vec<String> {
        let unlocks = self.oauth().map(|oauth| oauth.unlocks).unwrap_or_default();
        refused_tools(self.connector.id, unlocks, missing)
    }

    /// What a person can do to connect it.
    pub fn ways_to_connect(&self) -> Vec<String> {
        let mut ways = vec![format!("run enterprise-mcp connect {}", self.connector.id)];
        ways.extend(self.connector.auth.iter().flat_map(|auth| match auth {
            Auth::Keys(keys) => keys.iter().map(|key| format!("or set {} ({})", key.env, key.help)).collect(),
            Auth::ServiceAccount(account) => vec![format!("or set {} ({})", account.key.env, account.key.help)],
            Auth::OAuth2(oauth) => match &oauth.refresh_token {
                Some(token) => {
                    vec![format!("or set {}, {} and {}", oauth.client_id.env, oauth.client_secret.env, token.env)]
                }
                None => Vec::new(),
            },
        }));
        ways
    }
}

/// What was asked for and not granted; a vendor that does not say has granted all.
pub(super) fn missing(asked: &[&str], granted: Option<&str>) -> Vec<String> {
    let Some(granted) = granted else { return Vec::new() };
    let granted: Vec<&str> = granted.split([' ', ',']).collect();
    asked.iter().filter(|scope| !granted.contains(scope)).map(|scope| (*scope).to_owned()).collect()
}

/// The ids of the tools that need a scope that is missing.
pub(super) fn refused_tools(ecosystem: &str, unlocks: &[(&str, &[&str])], missing: &[String]) -> Vec<String> {
    let locked = unlocks.iter().filter(|(scope, _)| missing.iter().any(|missing| missing == scope));
    let ids: BTreeSet<String> =
        locked.flat_map(|(_, tools)| tools.iter().map(|tool| format!("{ecosystem}.{tool}"))).collect();
    ids.into_iter().collect()
}
