//! Where an ecosystem's credentials come from: the vault, then the environment, then the sample business.

use std::sync::Arc;
use std::time::Duration;

use sdk::http::Connection;
use sdk::{Auth, Credentials, ErasedConnector, Error, Limits, Result};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};
use store::vault::Credential;
use uuid::Uuid;

use super::service_account::KeyFile;
use super::tokens::{Client, Grant, Held, Kept, Tokens};
use super::{Connections, FASTEST, NEEDS_ATTENTION};
use crate::calls::Source;
use crate::config::Config;

/// What an ecosystem is opened with.
pub(super) struct Account {
    pub(super) source: Source,
    /// The connector's own configuration.
    pub(super) config: Value,
    pub(super) generic: Generic,
    pub(super) credentials: Credentials,
    pub(super) auth: Option<Auth>,
    pub(super) credential: Option<Uuid>,
    pub(super) trouble: Option<String>,
    pub(super) attention: Option<String>,
    pub(super) name: Option<String>,
    pub(super) webhook_secret: Option<SecretString>,
}

/// What every section may have, whatever the connector.
#[derive(Clone, Default)]
pub(super) struct Generic {
    pub(super) pace: Option<Limits>,
    pub(super) token_url: Option<String>,
    pub(super) authorize_url: Option<String>,
    pub(super) revoke_url: Option<String>,
    pub(super) redirect_uri: Option<String>,
}

impl Connections {
    pub(super) async fn account(&self, connector: &ErasedConnector) -> Result<Account> {
        let (mut config, generic) = section(connector, &self.config)?;
        if let Some(row) = self.row(connector).await? {
            return Ok(self.of_vault(connector, config, generic, row).await);
        }
        if let Some((auth, credentials)) = configured(connector, &self.config) {
            let config = Value::Object(config);
            let webhook_secret = webhook_secret(connector, &self.config, &credentials);
            let auth = Some(auth);
            return Ok(Account {
                source: Source::Live,
                config,
                generic,
                credentials,
                auth,
                credential: None,
                trouble: None,
                attention: None,
                name: None,
                webhook_secret,
            });
        }
        let missing = || Error::internal(format!("the sample business has no {}", connector.id));
        let sample = self.sandbox.get(connector.id).cloned().ok_or_else(missing)?;
        config = sample.config.as_object().cloned().unwrap_or_default();
        let generic = generic_of(connector.id, &mut config)?;
        let credentials = sample.credentials.into_iter();
        let credentials = credentials.fold(Credentials::new(), |all, (name, secret)| all.with(&name, secret));
        let auth = connector.auth.iter().find(|auth| is_complete(auth, &credentials)).cloned();
        let config = Value::Object(config);
        Ok(Account {
            source: Source::Sample,
            config,
            generic,
            credentials,
            auth,
            credential: None,
            trouble: None,
            attention: None,
            name: None,
            webhook_secret: None,
        })
    }

    async fn row(&self, connector: &ErasedConnector) -> Result<Option<Credential>> {
        store::vault::get(&self.outside.tenant, connector.id).await.map_err(crate::unavailable)
    }

    /// A row that cannot be opened is trouble of this connection alone; the others work.
    async fn of_vault(
        &self,
        connector: &ErasedConnector,
        mut config: Map<String, Value>,
        mut generic: Generic,
        row: Credential,
    ) -> Account {
        let opened = self.opened(&row).await;
        config.extend(row.config.as_object().cloned().unwrap_or_default());
        if let Ok(kept) = generic_of(connector.id, &mut config) {
            generic = kept.or(generic);
        }
        let trouble = opened.as_ref().err().map(|e| e.message.clone());
        let attention = (row.state == NEEDS_ATTENTION).then(|| row.reason.clone().unwrap_or_default());
        let auth = connector.auth.iter().find(|auth| name_of(auth) == row.auth).cloned();
        let credentials = opened.unwrap_or_default();
        Account {
            source: Source::Live,
            config: Value::Object(config),
            generic,
            webhook_secret: webhook_secret(connector, &self.config, &credentials),
            credentials,
            auth,
            credential: Some(row.id),
            trouble,
            attention,
            name: row.account_name.or(row.account_id),
        }
    }

    async fn opened(&self, row: &Credential) -> Result<Credentials> {
        let key = self.outside.vault.key(&self.outside.tenant, &row.key_id).await?;
        let plain = key.open(&row.sealed, &place(self.outside.tenant.id(), &row.ecosystem, row.id))?;
        let secrets: std::collections::BTreeMap<String, String> = serde_json::from_slice(&plain)
            .map_err(|e| Error::internal("the credentials in the vault cannot be read").with_source(e))?;
        Ok(secrets.into_iter().fold(Credentials::new(), |all, (name, secret)| all.with(&name, secret)))
    }

    pub(super) async fn tokens(&self, connector: &ErasedConnector, account: &Account) -> Result<Option<Tokens>> {
        if account.trouble.is_some() {
            return Ok(None);
        }
        let credentials = &account.credentials;
        let (grant, url) = match &account.auth {
            Some(Auth::OAuth2(oauth)) => {
                let client = Client {
                    id: credentials.get(oauth.client_id.name)?.into(),
                    secret: credentials.get(oauth.client_secret.name)?.into(),
                    auth: oauth.client,
                };
                (Grant::Refresh { client }, oauth.token_url.to_owned())
            }
            Some(Auth::ServiceAccount(service)) => {
                let subject = account.config[service.subject].as_str().map(str::to_owned);
                let key = KeyFile::read(credentials.get(service.key.name)?, service.scopes, subject)?;
                let url = key.token_uri.clone();
                (Grant::ServiceAccount(Box::new(key)), url.unwrap_or_default())
            }
            _ => return Ok(None),
        };
        let url = account.generic.token_url.clone().unwrap_or(url);
        Ok(Some(self.tokens_with(connector, account, grant, url).await?))
    }

    pub(super) async fn tokens_with(
        &self,
        connector: &ErasedConnector,
        account: &Account,
        grant: Grant,
        token_url: String,
    ) -> Result<Tokens> {
        let outside = &self.outside;
        // The authorization server has limits and troubles of its own.
        let limits =
            Limits::window(if account.source == Source::Sample { FASTEST } else { 60 }, Duration::from_secs(60));
        let (client, settings, observer) = (outside.client.clone(), outside.settings.clone(), outside.observer.clone());
        let http = Arc::new(Connection::new(connector.id, client, limits, settings, observer));
        let kept = (account.source == Source::Live)
            .then(|| Kept { tenant: outside.tenant.clone(), vault: outside.vault.clone() });
        let seed: Option<SecretString> = account.credentials.get(REFRESH_TOKEN).ok().map(Into::into);
        let dead = account.attention.clone();
        let held = Held { refresh: seed.clone().filter(|_| kept.is_none()), dead, ..Held::default() };
        Ok(Tokens {
            grant,
            token_url,
            http,
            ecosystem: connector.id,
            title: connector.title,
            clock: outside.clock.clone(),
            kept,
            seed,
            held: tokio::sync::Mutex::new(held),
        })
    }
}

/// The credential that holds a refresh token that was given by hand.
pub(super) const REFRESH_TOKEN: &str = "refresh_token";

/// What credentials are sealed for.
pub(super) fn place(tenant: &str, ecosystem: &str, id: Uuid) -> String {
    format!("{tenant}|{ecosystem}|credentials|{id}")
}

/// The word for a way to authenticate in the vault.
pub(super) fn name_of(auth: &Auth) -> &'static str {
    match auth {
        Auth::Keys(_) => "keys",
        Auth::OAuth2(_) => "oauth2",
        Auth::ServiceAccount(_) => "service_account",
    }
}

/// The connector's section of the configuration, and what every section may have.
pub(super) fn section(connector: &ErasedConnector, config: &Config) -> Result<(Map<String, Value>, Generic)> {
    let section = config.connectors.get(connector.id).cloned().unwrap_or_default();
    let section = serde_json::to_value(section)
        .map_err(|e| Error::invalid_input(format!("[connectors.{}] cannot be read", connector.id)).with_source(e))?;
    let mut section = section.as_object().cloned().unwrap_or_default();
    let generic = generic_of(connector.id, &mut section)?;
    Ok((section, generic))
}

fn generic_of(ecosystem: &str, section: &mut Map<String, Value>) -> Result<Generic> {
    let pace = section.remove(PACE).map(|set| pace(ecosystem, &set)).transpose()?;
    let mut text = |key: &str| section.remove(key).and_then(|value| value.as_str().map(str::to_owned));
    Ok(Generic {
        pace,
        token_url: text("token_url"),
        authorize_url: text("authorize_url"),
        revoke_url: text("revoke_url"),
        redirect_uri: text("redirect_uri"),
    })
}

impl Generic {
    fn or(self, other: Generic) -> Generic {
        Generic {
            pace: self.pace.or(other.pace),
            token_url: self.token_url.or(other.token_url),
            authorize_url: self.authorize_url.or(other.authorize_url),
            revoke_url: self.revoke_url.or(other.revoke_url),
            redirect_uri: self.redirect_uri.or(other.redirect_uri),
        }
    }
}

/// A pace for an address that does not have the vendor's limits.
const PACE: &str = "requests_per_second";

/// How fast requests may follow each other.
fn pace(ecosystem: &str, set: &Value) -> Result<Limits> {
    let most = set.as_u64().and_then(|most| u32::try_from(most).ok()).filter(|most| (1..=FASTEST).contains(most));
    let wrong = || format!("[connectors.{ecosystem}]: {PACE} must be a whole number from 1 to 1000000");
    Ok(Limits::window(most.ok_or_else(|| Error::invalid_input(wrong()))?, Duration::from_secs(1)))
}

/// The first way to authenticate that the environment has all secrets of.
fn configured(connector: &ErasedConnector, config: &Config) -> Option<(Auth, Credentials)> {
    connector.auth.iter().find_map(|auth| {
        let keys = match auth {
            Auth::Keys(keys) => keys.to_vec(),
            Auth::ServiceAccount(service) => vec![service.key],
            Auth::OAuth2(oauth) => vec![oauth.client_id, oauth.client_secret, oauth.refresh_token?],
        };
        let all = keys.iter().try_fold(Credentials::new(), |credentials, key| {
            let secret = config.secrets.get(key.env)?;
            Some(credentials.with(key.name, secret.expose_secret()))
        });
        Some((auth.clone(), all?))
    })
}

/// The secret of the connection, of the environment, or the one that the vendor has published.
fn webhook_secret(connector: &ErasedConnector, config: &Config, own: &Credentials) -> Option<SecretString> {
    let webhook = connector.webhook?;
    let own = own.get(webhook.secret.name).ok().map(SecretString::from);
    let configured = || config.secrets.get(webhook.secret.env).cloned();
    own.or_else(configured).or_else(|| webhook.default.map(SecretString::from))
}

fn is_complete(auth: &Auth, credentials: &Credentials) -> bool {
    let has = |name: &str| credentials.get(name).is_ok();
    match auth {
        Auth::Keys(keys) => keys.iter().all(|key| has(key.name)),
        Auth::ServiceAccount(service) => has(service.key.name),
        Auth::OAuth2(oauth) => has(oauth.client_id.name) && has(oauth.client_secret.name) && has(REFRESH_TOKEN),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_pace_than_the_vendors_can_be_set() {
        let set = pace("crm", &500.into()).unwrap();
        assert!(set.burst.get() >= 200 && set.replenish < Duration::from_millis(5), "{set:?}");
        for wrong in [0.into(), (-1).into(), 2_000_000.into(), "fast".into()] {
            let error = pace("crm", &wrong).unwrap_err().to_string();
            assert!(error.contains("requests_per_second"), "{error}");
        }
    }
}
