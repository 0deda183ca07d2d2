//! The consent of a person in the browser (RFC 6749 §4.1): single use, and bound to who began it.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sdk::auth::{ACCESS_TOKEN, AuthorizationRequest, OAuth2};
use sdk::{Auth, ErasedConnector, Error, Result};
use secrecy::ExposeSecret;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use url::Url;

use super::accounts::{self, Account, Generic};
use super::connect::{self, Connection, Stored};
use super::tokens::{Grant, Held};
use super::{Connections, Which, describe};
use crate::actor::Actor;
use crate::app::App;
use crate::random;

/// A consent that a person is asked for: single use, and good for the browser that begins it.
pub struct Consent {
    /// Where the person says yes.
    pub url: String,
    connector: Arc<ErasedConnector>,
    which: Which,
    oauth: &'static OAuth2,
    secrets: BTreeMap<String, String>,
    settings: BTreeMap<String, String>,
    config: Map<String, Value>,
    generic: Generic,
    redirect: String,
    state: String,
    verifier: Option<String>,
}

impl Connections {
    /// Begins an authorization-code flow with this installation's client at the vendor. The vendor must know `redirect`.
    pub fn begin_consent(
        &self,
        which: impl Into<Which>,
        secrets: BTreeMap<String, String>,
        settings: BTreeMap<String, String>,
        redirect: Option<String>,
        callback: &str,
    ) -> Result<Consent> {
        let which = which.into().checked()?;
        let connector = self.get(&which.ecosystem)?.connector.clone();
        let (config, generic) = self.configured(&connector, &which, &settings)?;
        let oauth =
            connector.auth.iter().find_map(|auth| if let Auth::OAuth2(oauth) = auth { Some(*oauth) } else { None });
        let missing = || Error::invalid_input(format!("{} is not connected by consent", connector.title));
        let oauth = oauth.ok_or_else(missing)?;
        let redirect = redirect.or_else(|| generic.redirect_uri.clone()).unwrap_or_else(|| callback.to_owned());
        let (state, verifier) = (secret()?, oauth.pkce.then(secret).transpose()?);
        let address = generic.authorize_url.clone().unwrap_or_else(|| page(oauth, &config).to_owned());
        let mut url =
            Url::parse(&address).map_err(|e| Error::invalid_input("authorize_url is no web address").with_source(e))?;
        for (name, value) in request(oauth, &secrets, &config)? {
            url.query_pairs_mut().append_pair(name, &value);
        }
        {
            let mut query = url.query_pairs_mut();
            query.append_pair("redirect_uri", &redirect).append_pair("state", &state);
            query.extend_pairs(oauth.authorize_with);
            if let Some(verifier) = &verifier {
                let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier));
                query.append_pair("code_challenge", &challenge).append_pair("code_challenge_method", "S256");
            }
        }
        let url = url.into();
        Ok(Consent { url, connector, which, oauth, secrets, settings, config, generic, redirect, state, verifier })
    }

    /// Ends it with the query that the vendor sent the browser back with.
    pub async fn finish_consent(&self, app: &App, by: &Actor, consent: Consent, query: &str) -> Result<Connection> {
        let said = consent.answered(query)?;
        let code = said.get(consent.oauth.code);
        let code = code.ok_or_else(|| Error::invalid_input("the answer holds no code; begin again"))?;
        let mut form = vec![("grant_type", "authorization_code"), ("code", code.as_str())];
        form.push(("redirect_uri", &consent.redirect));
        form.extend(consent.verifier.as_deref().map(|verifier| ("code_verifier", verifier)));

        let (oauth, connector, call) = (consent.oauth, &consent.connector, connect::call());
        let mut config = consent.config.clone();
        keep_fields(&mut config, oauth.from_callback, |parameter| said.get(parameter).cloned());
        let credentials = connect::collected(&consent.secrets);
        let token_url = consent.generic.token_url.clone().unwrap_or_else(|| oauth.token_url.to_owned());
        let client = accounts::client(oauth, &credentials)?;
        let name = consent.which.account().connection;
        let (auth, generic) = (Auth::OAuth2(oauth), consent.generic.clone());
        let mut account = Account::live(name, config.clone(), generic, auth, credentials.clone());
        let tokens = self.tokens_with(connector, &account, Grant::Refresh { client, account: None }, token_url);
        let granted = tokens.exchange(&form, &call).await?;
        let (granted, chosen) = tokens.narrowed(granted, &config, &call).await?;
        config.extend(chosen.map(|(key, id)| (key.to_owned(), json!(id))));
        keep_fields(&mut config, oauth.from_token, |field| granted.text(field).map(str::to_owned));
        account.config = Value::Object(config.clone());

        let opened = credentials.with(ACCESS_TOKEN, granted.access_token.expose_secret());
        let proven = self.prove(connector, &account, opened).await?;
        let missing_scopes = describe::missing(oauth.scopes, granted.scope.as_deref());
        let refused_tools = describe::refused_tools(connector.id, oauth.unlocks, &missing_scopes);
        let now = app.clock.now();
        let held = Held {
            refresh_ends: granted.refresh_ends(oauth, now),
            access: Some(granted.access_token),
            refresh: granted.refresh_token,
            issued: Some(now),
            ends: granted.expires_in.map(|seconds| now + chrono::Duration::seconds(seconds)),
            dead: None,
        };
        let held = Some((held, granted.scope));
        let expires_at = account.generic.expires_on;
        let settings = consent.settings.clone();
        let stored = Stored { secrets: &consent.secrets, config, settings, held, auth: "oauth2", expires_at };
        self.keep(app, by, connector, &consent.which, &proven, stored).await?;
        Ok(Connection { account: proven, missing_scopes, refused_tools })
    }
}

impl Consent {
    /// Where the vendor sends the browser back to.
    pub fn redirect(&self) -> &str {
        &self.redirect
    }

    /// What the vendor said, if it was said to this consent and was a yes.
    fn answered(&self, query: &str) -> Result<BTreeMap<String, String>> {
        let said: BTreeMap<String, String> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let state = said.get("state").map(String::as_str).unwrap_or_default();
        if !bool::from(state.as_bytes().ct_eq(self.state.as_bytes())) {
            return Err(Error::forbidden("the answer does not belong to this consent; begin again"));
        }
        let Some(error) = said.get("error") else { return Ok(said) };
        let words = sdk::text::cut(said.get("error_description").unwrap_or(error), 200);
        Err(Error::forbidden(format!("{} said no: {words}", self.connector.title)))
    }
}

/// The authorization page of the region that is configured.
fn page(oauth: &OAuth2, config: &Map<String, Value>) -> &'static str {
    let Some(regions) = oauth.regions else { return oauth.authorize_url };
    let value = config.get(regions.key).map(|value| value.get(0).unwrap_or(value)).and_then(Value::as_str);
    let found = regions.urls.iter().find(|(region, _)| Some(*region) == value);
    found.map_or(oauth.authorize_url, |(_, url)| url)
}

/// What the request says of who asks for what.
fn request(
    oauth: &OAuth2,
    secrets: &BTreeMap<String, String>,
    config: &Map<String, Value>,
) -> Result<Vec<(&'static str, String)>> {
    let keys = match oauth.request {
        AuthorizationRequest::Standard => {
            let id = secrets.get(oauth.client_id.name).cloned().unwrap_or_default();
            let scope = oauth.scopes.join(oauth.scope_separator);
            return Ok(vec![("response_type", "code".to_owned()), ("client_id", id), ("scope", scope)]);
        }
        AuthorizationRequest::FromConfiguration(keys) => keys,
    };
    let mut request = Vec::new();
    for (index, (parameter, key)) in keys.iter().enumerate() {
        match config.get(*key).and_then(Value::as_str).filter(|value| !value.is_empty()) {
            Some(value) => request.push((*parameter, value.to_owned())),
            None if index == 0 => return Err(Error::invalid_input(format!("{key} is missing: give --set {key}=…"))),
            None => {}
        }
    }
    Ok(request)
}

fn keep_fields(config: &mut Map<String, Value>, kept: &[(&str, &str)], said: impl Fn(&str) -> Option<String>) {
    config.extend(kept.iter().filter_map(|(field, key)| Some(((*key).to_owned(), json!(said(field)?)))));
}

/// 256 bits that nobody guesses.
fn secret() -> Result<String> {
    Ok(URL_SAFE_NO_PAD.encode(random::bytes::<32>()?))
}
