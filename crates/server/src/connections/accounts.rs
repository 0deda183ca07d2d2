//! Where an ecosystem's credentials come from: the vault, then the environment, then the sample business.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use sdk::auth::{Key, OAuth2};
use sdk::http::Connection;
use sdk::{Auth, Credentials, ErasedConnector, Error, Limits, Result};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};
use store::DEFAULT_CONNECTION;
use store::vault::Credential;

use super::endpoint::{Client, Endpoint};
use super::kept::Kept;
use super::service_account::KeyFile;
use super::tokens::{Grant, Held, Tokens};
use super::{Connections, FASTEST, NEEDS_ATTENTION};
use crate::calls::Source;
use crate::config::Config;

/// What an ecosystem is opened with.
pub(super) struct Account {
    /// The connection's name.
    pub(super) connection: String,
    pub(super) source: Source,
    /// The connector's own configuration.
    pub(super) config: Value,
    pub(super) generic: Generic,
    pub(super) credentials: Credentials,
    pub(super) auth: Option<Auth>,
    /// The row of the vault that it was made from.
    pub(super) row: Option<Credential>,
    pub(super) trouble: Option<String>,
}

impl Account {
    pub(super) fn live(
        connection: &str,
        config: Map<String, Value>,
        generic: Generic,
        auth: Auth,
        credentials: Credentials,
    ) -> Account {
        let (connection, config, auth) = (connection.to_owned(), Value::Object(config), Some(auth));
        let source = Source::Live;
        Account { connection, source, config, generic, credentials, auth, row: None, trouble: None }
    }

    fn attention(&self) -> Option<String> {
        let row = self.row.as_ref().filter(|row| row.state == NEEDS_ATTENTION)?;
        Some(row.reason.clone().unwrap_or_default())
    }
}

/// What every section may have, whatever the connector.
#[derive(Clone, Default)]
pub(super) struct Generic {
    pub(super) pace: Option<Limits>,
    pub(super) token_url: Option<String>,
    pub(super) authorize_url: Option<String>,
    pub(super) revoke_url: Option<String>,
    pub(super) redirect_uri: Option<String>,
    /// When the keys end, where a person knows it and the vendor does not tell.
    pub(super) expires_on: Option<DateTime<Utc>>,
}

impl Connections {
    /// Every account of an ecosystem, the one first that is meant without a name: those of the vault, beside them the one
    /// of the environment unless the vault has taken its place; and where there is none, the sample business.
    pub(super) async fn accounts(&self, connector: &ErasedConnector, rows: Vec<Credential>) -> Result<Vec<Account>> {
        let mut accounts = Vec::new();
        if rows.iter().all(|row| row.name != DEFAULT_CONNECTION)
            && let Some((auth, credentials)) = configured(connector, &self.config)
        {
            let (config, generic) = section(connector, &self.config, DEFAULT_CONNECTION)?;
            accounts.push(Account::live(DEFAULT_CONNECTION, config, generic, auth, credentials));
        }
        for row in rows {
            accounts.push(self.of_vault(connector, row).await?);
        }
        if accounts.is_empty() {
            accounts.push(self.sample(connector)?);
        }
        Ok(accounts)
    }

    fn sample(&self, connector: &ErasedConnector) -> Result<Account> {
        let missing = || Error::internal(format!("the sample business has no {}", connector.id));
        let sample = self.sandbox.get(connector.id).cloned().ok_or_else(missing)?;
        let mut config = sample.config.as_object().cloned().unwrap_or_default();
        let generic = generic_of(connector.id, &mut config)?;
        let credentials = sample.credentials.into_iter();
        let credentials = credentials.fold(Credentials::new(), |all, (name, secret)| all.with(&name, secret));
        let auth = connector.auth.iter().find(|auth| is_complete(auth, &credentials)).cloned();
        Ok(Account {
            connection: DEFAULT_CONNECTION.into(),
            source: Source::Sample,
            config: Value::Object(config),
            generic,
            credentials,
            auth,
            row: None,
            trouble: None,
        })
    }

    /// A row that cannot be opened is trouble of this connection alone; the others work.
    async fn of_vault(&self, connector: &ErasedConnector, row: Credential) -> Result<Account> {
        let (mut config, mut generic) = section(connector, &self.config, &row.name)?;
        let opened = self.opened(&row).await;
        config.extend(row.config.as_object().cloned().unwrap_or_default());
        if let Ok(kept) = generic_of(connector.id, &mut config) {
            generic = kept.or(generic);
        }
        Ok(Account {
            connection: row.name.clone(),
            source: Source::Live,
            config: Value::Object(config),
            generic,
            trouble: opened.as_ref().err().map(|e| e.message.clone()),
            credentials: opened.unwrap_or_default(),
            auth: connector.auth.iter().find(|auth| name_of(auth) == row.auth).cloned(),
            row: Some(row),
        })
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
                let account = oauth.reconnect.and_then(|reconnect| account.config[reconnect.account.1].as_str());
                let grant = Grant::Refresh { client: client(oauth, credentials)?, account: account.map(str::to_owned) };
                (grant, oauth.token_url.to_owned())
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
        Ok(Some(self.tokens_with(connector, account, grant, url)))
    }

    pub(super) fn tokens_with(
        &self,
        connector: &ErasedConnector,
        account: &Account,
        grant: Grant,
        token_url: String,
    ) -> Tokens {
        let outside = &self.outside;
        // The authorization server has limits and troubles of its own.
        let limits =
            Limits::window(if account.source == Source::Sample { FASTEST } else { 60 }, Duration::from_secs(60));
        let (client, settings, observer) = (outside.client.clone(), outside.settings.clone(), outside.observer.clone());
        let http = Arc::new(Connection::new(connector.id, client, limits, settings, observer));
        let kept = (account.source == Source::Live)
            .then(|| Kept { tenant: outside.tenant.clone(), vault: outside.vault.clone() });
        let seed: Option<SecretString> = account.credentials.get(REFRESH_TOKEN).ok().map(Into::into);
        let dead = account.attention();
        let held = Held { refresh: seed.clone().filter(|_| kept.is_none()), dead, ..Held::default() };
        Tokens {
            grant,
            endpoint: Endpoint { url: token_url, http },
            ecosystem: connector.id,
            name: account.connection.clone(),
            title: connector.title,
            clock: outside.clock.clone(),
            kept,
            seed,
            held: tokio::sync::Mutex::new(held),
        }
    }
}

/// This installation's client, with its secrets.
pub(super) fn client(oauth: &'static OAuth2, credentials: &Credentials) -> Result<Client> {
    let secret = |key: &Key| credentials.get(key.name).map(SecretString::from);
    Ok(Client { id: secret(&oauth.client_id)?, secret: secret(&oauth.client_secret)?, oauth })
}

/// The credential that holds a refresh token that was given by hand.
pub(super) const REFRESH_TOKEN: &str = "refresh_token";

/// What credentials are sealed for.
pub(super) fn place(tenant: &str, ecosystem: &str, id: uuid::Uuid) -> String {
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

/// The connector's section of the configuration, and what every section may have. A connection with a name of its own
/// does not take over which account the section is about.
pub(super) fn section(
    connector: &ErasedConnector,
    config: &Config,
    connection: &str,
) -> Result<(Map<String, Value>, Generic)> {
    let section = config.connectors.get(connector.id).cloned().unwrap_or_default();
    let section = serde_json::to_value(section)
        .map_err(|e| Error::invalid_input(format!("[connectors.{}] cannot be read", connector.id)).with_source(e))?;
    let mut section = section.as_object().cloned().unwrap_or_default();
    let generic = generic_of(connector.id, &mut section)?;
    if connection != DEFAULT_CONNECTION {
        let address = |value: &Value| value.as_str().is_some_and(|text| text.contains("://"));
        section.retain(|key, value| !names_account(connector, key) || address(value));
    }
    Ok((section, generic))
}

pub(super) fn names_account(connector: &ErasedConnector, key: &str) -> bool {
    let granted = |auth: &Auth| match auth {
        Auth::OAuth2(oauth) => oauth.from_callback.iter().chain(oauth.from_token).any(|(_, kept)| *kept == key),
        _ => false,
    };
    connector.account.contains(&key) || connector.auth.iter().any(granted)
}

pub(super) fn generic_of(ecosystem: &str, section: &mut Map<String, Value>) -> Result<Generic> {
    let pace = section.remove(PACE).map(|set| pace(ecosystem, &set)).transpose()?;
    let expires_on = section.remove(EXPIRES_ON).map(|day| expiry(ecosystem, &day)).transpose()?;
    let mut text = |key: &str| section.remove(key).and_then(|value| value.as_str().map(str::to_owned));
    Ok(Generic {
        pace,
        token_url: text("token_url"),
        authorize_url: text("authorize_url"),
        revoke_url: text("revoke_url"),
        redirect_uri: text("redirect_uri"),
        expires_on,
    })
}

impl Generic {
    pub(super) fn or(self, other: Generic) -> Generic {
        Generic {
            pace: self.pace.or(other.pace),
            token_url: self.token_url.or(other.token_url),
            authorize_url: self.authorize_url.or(other.authorize_url),
            revoke_url: self.revoke_url.or(other.revoke_url),
            redirect_uri: self.redirect_uri.or(other.redirect_uri),
            expires_on: self.expires_on.or(other.expires_on),
        }
    }
}

/// A pace for an address that does not have the vendor's limits.
const PACE: &str = "requests_per_second";

/// The day on which the keys end.
const EXPIRES_ON: &str = "expires_on";

fn expiry(ecosystem: &str, day: &Value) -> Result<DateTime<Utc>> {
    let read = day.as_str().and_then(|day| day.parse::<NaiveDate>().ok());
    let wrong = || Error::invalid_input(format!("[connectors.{ecosystem}]: {EXPIRES_ON} is a day such as 2027-01-31"));
    Ok(read.ok_or_else(wrong)?.and_time(NaiveTime::MIN).and_utc())
}

/// How fast requests may follow each other.
fn pace(ecosystem: &str, set: &Value) -> Result<Limits> {
    let most = set.as_u64().and_then(|most| u32::try_from(most).ok()).filter(|most| (1..=FASTEST).contains(most));
    let wrong = || format!("[connectors.{ecosystem}]: {PACE} must be a whole number from 1 to 1000000");
    Ok(Limits::window(most.ok_or_else(|| Error::invalid_input(wrong()))?, Duration::from_secs(1)))
}

/// The first way to authenticate that the environment has all secrets of. Keys do not exclude each other, so that those
/// of every further way with keys are added.
fn configured(connector: &ErasedConnector, config: &Config) -> Option<(Auth, Credentials)> {
    let first = connector.auth.iter().find(|auth| is_set(auth, config))?;
    let keys = |auth: &&Auth| matches!(auth, Auth::Keys(_)) && is_set(auth, config);
    let further = connector.auth.iter().filter(keys).filter(|_| matches!(first, Auth::Keys(_)));
    let all = std::iter::once(first).chain(further).flat_map(keys_of).flatten();
    let secrets = all.filter_map(|key| Some((key.name, config.secrets.get(key.env)?)));
    let credentials = secrets.fold(Credentials::new(), |all, (name, secret)| all.with(name, secret.expose_secret()));
    Some((first.clone(), credentials))
}

fn is_set(auth: &Auth, config: &Config) -> bool {
    keys_of(auth).is_some_and(|keys| keys.iter().all(|key| config.secrets.contains_key(key.env)))
}

/// What the environment has to hold for a way; `None` where it alone never does.
fn keys_of(auth: &Auth) -> Option<Vec<Key>> {
    match auth {
        Auth::Keys(keys) => Some(keys.to_vec()),
        Auth::ServiceAccount(service) => Some(vec![service.key]),
        Auth::OAuth2(oauth) => Some(vec![oauth.client_id, oauth.client_secret, oauth.refresh_token?]),
    }
}

/// The secret of the connection, of the environment, or the one that the vendor has published.
pub(super) fn webhook_secret(connector: &ErasedConnector, config: &Config, own: &Credentials) -> Option<SecretString> {
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

    #[test]
    fn the_keys_of_every_way_are_taken_together() {
        let godaddy = connectors::all().into_iter().find(|connector| connector.id == "godaddy").unwrap();
        let names = |set: &[&str]| {
            let secrets = set.iter().map(|name| ((*name).to_owned(), "secret".into())).collect();
            let config = Config { secrets, ..Config::default() };
            configured(&godaddy, &config).map(|(_, credentials)| format!("{credentials:?}"))
        };
        let all = names(&["GODADDY_API_KEY", "GODADDY_API_SECRET", "GODADDY_TOKEN"]);
        assert_eq!(all.as_deref(), Some(r#"{"key", "secret", "token"}"#));
        assert_eq!(names(&["GODADDY_API_KEY", "GODADDY_TOKEN"]).as_deref(), Some(r#"{"token"}"#), "half a way is none");
        assert_eq!(names(&["GODADDY_API_KEY"]), None);
    }
}
