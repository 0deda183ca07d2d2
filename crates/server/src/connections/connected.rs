//! One account as it is connected now.

use std::sync::Arc;

use sdk::auth::ACCESS_TOKEN;
use sdk::connector::Opening;
use sdk::http::{Call, Connection, Http};
use sdk::{Auth, Credentials, ErasedConnector, Error, Result};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use sha2::{Digest, Sha256};
use store::Tenant;
use store::vault::Credential;
use uuid::Uuid;

use super::NEEDS_ATTENTION;
use super::accounts::Generic;
use super::tokens::Tokens;
use crate::calls::Source;

/// One account of an ecosystem as it is connected now.
pub struct Connected {
    pub connector: Arc<ErasedConnector>,
    /// The connection's name, unique within its ecosystem.
    pub name: String,
    pub source: Source,
    pub(super) config: Value,
    pub(super) credentials: Credentials,
    pub(super) auth: Option<Auth>,
    pub(super) http: Arc<Connection>,
    pub(super) tokens: Option<Tokens>,
    /// The row of the vault that it was made from.
    pub(super) row: Option<Credential>,
    /// What deliveries of the vendor's webhooks are proven with.
    pub(super) webhook_secret: Option<SecretString>,
    /// Why it cannot be opened, although it is connected.
    pub(super) trouble: Option<String>,
    pub(super) generic: Generic,
}

impl Connected {
    /// Whose account it is, where that is known.
    pub fn account(&self) -> Option<&str> {
        let row = self.row.as_ref()?;
        row.account_name.as_deref().or(row.account_id.as_deref())
    }

    /// The vendor's id of the account, where it is known.
    pub fn account_id(&self) -> Option<&str> {
        self.row.as_ref()?.account_id.as_deref()
    }

    /// Where its rows are kept.
    pub fn place(&self) -> store::Account<'_> {
        (self.connector.id, self.name.as_str()).into()
    }

    /// What the vendor refused when it was asked last; a person has to look.
    pub(super) fn attention(&self) -> Option<&str> {
        let row = self.row.as_ref().filter(|row| row.state == NEEDS_ATTENTION)?;
        Some(row.reason.as_deref().unwrap_or_default())
    }

    pub(super) fn credential(&self) -> Option<Uuid> {
        self.row.as_ref().map(|row| row.id)
    }

    /// Whether it was made from this row of the vault, as it is now.
    pub(super) fn is_of(&self, row: &Credential) -> bool {
        self.credential() == Some(row.id) && self.attention().is_some() == (row.state == NEEDS_ATTENTION)
    }

    /// What a call needs, with a fresh token.
    pub async fn open(&self, call: Call) -> Result<Opening> {
        if let Some(trouble) = &self.trouble {
            return Err(Error::unauthenticated(trouble.clone()));
        }
        let mut credentials = self.credentials.clone();
        if let Some(tokens) = &self.tokens {
            let token = tokens.fresh(&call).await?;
            credentials = credentials.with(ACCESS_TOKEN, token.expose_secret());
        }
        Ok(Opening { config: self.config.clone(), credentials, http: Http::new(self.http.clone(), call) })
    }

    /// What webhooks of this account are proven with; `None`: none are expected. Nobody tells of the sample business.
    pub fn webhook_secret(&self) -> Option<&str> {
        let live = self.source == Source::Live;
        self.webhook_secret.as_ref().filter(|_| live).map(ExposeSecret::expose_secret)
    }

    /// A text of the connector's configuration.
    pub fn setting(&self, key: &str) -> Option<&str> {
        self.config[key].as_str().map(str::trim).filter(|text| !text.is_empty())
    }

    /// The vendor refused a token that should have been good. True: another may be had.
    pub async fn forget_token(&self, opened: &Credentials) -> bool {
        let (Some(tokens), Ok(refused)) = (&self.tokens, opened.get(ACCESS_TOKEN)) else { return false };
        tokens.forget(refused).await;
        true
    }

    /// Which account this is, so that a change of account is noticed. It holds no secret.
    pub fn origin(&self) -> String {
        let text = |key: &&str| self.config[*key].as_str().filter(|text| !text.is_empty());
        let id = self.connector.account.last().and_then(text).filter(|id| !id.contains("://"));
        if self.source == Source::Sample {
            // The built-in business listens on another port every time.
            return format!("sample:{}", id.unwrap_or_default());
        }
        let mut known: Vec<String> = self.connector.account.iter().filter_map(text).map(str::to_owned).collect();
        match (id, self.account()) {
            (Some(_), _) => {}
            (None, Some(account)) => known.push(account.to_owned()),
            // A key that names its account itself, and only itself.
            (None, None) => {
                let keys = self.credentials.secrets().fold(Sha256::new(), |hash, secret| hash.chain_update(secret));
                known.push(hex::encode(&keys.finalize()[..8]));
            }
        }
        format!("live:{}", known.join(" "))
    }

    /// Another process may have connected another account since this one started; then nothing of
    /// the old account may be written any more.
    pub async fn refuse_if_changed(&self, tenant: &Tenant) -> Result<()> {
        let known = store::connections::origin(tenant, self.connector.id).await.map_err(crate::unavailable)?;
        match known {
            Some(known) if known != self.origin() => Err(Error::conflict(format!(
                "{} was connected to another account meanwhile; restart this server",
                self.connector.title
            ))),
            _ => Ok(()),
        }
    }
}
