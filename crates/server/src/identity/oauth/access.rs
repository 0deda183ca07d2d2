//! What an access token opens: the tools, as far as the person who let the client in may use them.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use oauth_as::consent::ConsentRecord;
use oauth_as::store::Storage;
use oauth_as::token::IssuedToken;
use sdk::Result;
use store::people::Person;
use uuid::Uuid;

use super::{OAuth, SCOPES, unreachable};
use crate::actor::{Actor, ActorKind, Door, OAUTH, Scope};
use crate::app::App;
use crate::identity::people::role_of;
use crate::identity::tokens::digest;

/// Who an access token stands for.
#[derive(Clone, Debug)]
pub struct Granted {
    pub actor: Actor,
    /// The person could let the client do more than it may now.
    pub could_write: bool,
    expires_at: DateTime<Utc>,
}

/// Whether it could be an access token of ours: 64 hexadecimal digits.
pub fn looks_like_token(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// The caller that a token stands for, unless it is unknown, expired, for something else, or ended: by the client, by a
/// person, or with the person.
pub async fn verify(app: &Arc<App>, oauth: &OAuth, token: &str) -> Result<Option<Granted>> {
    let (hash, now) = (digest(token), app.clock.now());
    if let Some(granted) = oauth.access.get(&hash) {
        return Ok(Some(granted).filter(|granted| granted.expires_at > now));
    }
    let found = oauth.server.store().get_token(token).await.map_err(unreachable)?;
    let is_ours = |found: &Arc<IssuedToken>| found.resource.contains(&oauth.resource);
    let Some(found) = found.filter(is_ours) else { return Ok(None) };
    let Some(subject) = &found.subject else { return Ok(None) };
    let consent = oauth.server.store().find_consent(&found.client_id, subject).await.map_err(unreachable)?;
    let (Some(consent), Some(person)) = (consent, person(app, subject).await?) else { return Ok(None) };
    let client = oauth.server.store().get_client(&found.client_id).await.map_err(unreachable)?;
    let name = client.and_then(|client| client.name.clone());
    let granted = granted(&found, &consent, &person, name.as_deref());
    if granted.expires_at <= now {
        return Ok(None);
    }
    if let Err(e) = store::oauth::touch(&app.store.tenant(&person.tenant_id), &consent.consent_id, now).await {
        tracing::warn!(error = %e, "the last use of a client could not be noted");
    }
    oauth.access.put(hash, granted.clone());
    Ok(Some(granted))
}

/// The person of a subject, `default/0190…`, who may still sign in.
async fn person(app: &App, subject: &str) -> Result<Option<Person>> {
    let Some((tenant, id)) = subject.split_once('/') else { return Ok(None) };
    let Ok(id) = id.parse::<Uuid>() else { return Ok(None) };
    let found = store::people::get(&app.store.tenant(tenant), id).await.map_err(crate::unavailable)?;
    Ok(found.filter(|person| person.disabled_at.is_none()))
}

fn granted(token: &IssuedToken, consent: &ConsentRecord, person: &Person, client: Option<&str>) -> Granted {
    let theirs = role_of(person).scopes();
    let holds = |name: &str| token.scope.contains(name);
    let scopes = SCOPES.iter().filter(|(name, scope)| holds(name) && theirs.contains(scope)).map(|(_, scope)| *scope);
    let mut scopes: Vec<Scope> = scopes.collect();
    // Who may change things may also ask to destroy some; that waits for a person, unless a rule names it.
    if scopes.contains(&Scope::Write) {
        scopes.push(Scope::Destroy);
    }
    let client = client.unwrap_or("AI client");
    let actor = Actor {
        kind: ActorKind::Agent,
        id: format!("{OAUTH}{}", consent.consent_id),
        name: format!("{client} for {}", person.name),
        behalf_of: Some(person.id.to_string()),
        tenant: person.tenant_id.clone(),
        scopes,
        door: Door::Mcp,
        ..Actor::stdio()
    };
    Granted { could_write: theirs.contains(&Scope::Write), actor, expires_at: token.expires_at.into() }
}
