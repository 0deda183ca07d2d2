//! Where tokens survive this process: sealed, and refreshed by one process at a time.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use sdk::{Error, Result};
use secrecy::{ExposeSecret, SecretString};
use store::vault::{self as rows, Token};
use store::{Account, DEFAULT_CONNECTION, Tenant};
use uuid::Uuid;

use super::tokens::Held;
use crate::vault::Vault;

/// How long one replica waits for another that refreshes.
const PATIENCE: u32 = 100;
const LOOK_AGAIN: Duration = Duration::from_millis(150);

/// The tokens of a tenant's accounts.
pub(super) struct Kept {
    pub(super) tenant: Tenant,
    pub(super) vault: Arc<Vault>,
}

impl Kept {
    /// Keeps everybody else, in this process and in others, from refreshing.
    pub(super) async fn alone(&self, account: Account<'_>) -> Result<store::locks::Guard> {
        let ecosystem = account.ecosystem;
        let mut name = format!("tokens of {ecosystem} for {}", self.tenant.id());
        if account.connection != DEFAULT_CONNECTION {
            name.push_str(&format!(", {}", account.connection));
        }
        for _ in 0..PATIENCE {
            let guard = store::locks::try_lock(self.tenant.store(), &name).await.map_err(crate::unavailable)?;
            if let Some(guard) = guard {
                return Ok(guard);
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        Err(Error::unavailable(format!("another process refreshes the access to {ecosystem} and does not end")))
    }

    pub(super) async fn load(&self, account: Account<'_>) -> Result<Held> {
        let Some(token) = rows::token(&self.tenant, account).await.map_err(crate::unavailable)? else {
            return Ok(Held::default());
        };
        let key = self.vault.key(&self.tenant, &token.key_id).await?;
        let place = self.place(account.ecosystem, token.id);
        let opened = |sealed: Option<Vec<u8>>| -> Result<Option<SecretString>> {
            let Some(sealed) = sealed else { return Ok(None) };
            let text = String::from_utf8(key.open(&sealed, &place)?);
            Ok(Some(text.map_err(|e| Error::internal("a token in the vault is no text").with_source(e))?.into()))
        };
        let (access, refresh) = (opened(token.access_token)?, opened(token.refresh_token)?);
        let (issued, ends) = (Some(token.updated_at), token.expires_at);
        Ok(Held { access, refresh, issued, ends, refresh_ends: token.refresh_expires_at, dead: None })
    }

    /// Durable when it returns.
    pub(super) async fn save(
        &self,
        account: Account<'_>,
        held: &Held,
        scope: Option<String>,
        now: DateTime<Utc>,
    ) -> Result<()> {
        let token = self.sealed(account.ecosystem, held, scope).await?;
        rows::put_token(&self.tenant, account, token, now).await.map_err(crate::unavailable)
    }

    pub(super) async fn sealed(&self, ecosystem: &str, held: &Held, scope: Option<String>) -> Result<Token> {
        let (key, id) = (self.vault.current(&self.tenant).await?, Uuid::now_v7());
        let place = self.place(ecosystem, id);
        let seal = |secret: &Option<SecretString>| {
            let sealed = secret.as_ref().map(|secret| key.seal(secret.expose_secret().as_bytes(), &place));
            Ok::<_, Error>(sealed.transpose()?.map(|sealed| sealed.bytes))
        };
        Ok(Token {
            id,
            key_id: key.id().to_owned(),
            access_token: seal(&held.access)?,
            refresh_token: seal(&held.refresh)?,
            scope,
            expires_at: held.ends,
            refresh_expires_at: held.refresh_ends,
            updated_at: held.issued.unwrap_or_default(),
        })
    }

    fn place(&self, ecosystem: &str, id: Uuid) -> String {
        format!("{}|{ecosystem}|oauth_tokens|{id}", self.tenant.id())
    }
}
