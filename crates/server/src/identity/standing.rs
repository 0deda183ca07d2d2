//! Whether a caller of some time ago may still do what it asked for: meanwhile its key may have been revoked, its client cut
//! off, or its person sent away.

use sdk::{Error, Result};
use store::oauth::Kind;
use store::people::Person;
use uuid::Uuid;

use super::keys;
use super::people::role_of;
use crate::actor::{Actor, ActorKind, OAUTH, Scope};
use crate::app::App;

/// An error says why it may no more. Of whom nothing is known may not.
pub async fn still_may(app: &App, caller: &Actor, needed: Scope) -> Result<()> {
    if caller.kind == ActorKind::System || caller.is_local() {
        return Ok(());
    }
    if let Some(consent) = caller.id.strip_prefix(OAUTH) {
        let found = store::oauth::get(&app.store.system(), Kind::Consent, consent).await.map_err(crate::unavailable)?;
        if found.is_none_or(|consent| consent.tenant_id != caller.tenant) {
            return Err(Error::forbidden("the AI client that asked for it has been cut off"));
        }
        return person_may(app, caller, caller.behalf_of.as_deref().unwrap_or_default(), needed).await;
    }
    match caller.kind {
        ActorKind::Agent => key_may(app, caller).await,
        _ => person_may(app, caller, &caller.id, needed).await,
    }
}

async fn person_may(app: &App, caller: &Actor, id: &str, needed: Scope) -> Result<()> {
    let may = |person: &Person| person.disabled_at.is_none() && role_of(person).scopes().contains(&needed);
    let found = match id.parse::<Uuid>() {
        Ok(id) => store::people::get(&app.store.tenant(&caller.tenant), id).await.map_err(crate::unavailable)?,
        Err(_) => None,
    };
    match found.is_some_and(|person| may(&person)) {
        true => Ok(()),
        false => Err(Error::forbidden("the person who asked for it, or for whom it was asked, may not any more")),
    }
}

/// What a key may never changes.
async fn key_may(app: &App, caller: &Actor) -> Result<()> {
    let found = match caller.id.parse::<Uuid>() {
        Ok(id) => store::api_keys::get(&app.store.tenant(&caller.tenant), id).await.map_err(crate::unavailable)?,
        Err(_) => None,
    };
    match found.is_some_and(|key| keys::is_good(&key, app.clock.now())) {
        true => Ok(()),
        false => Err(Error::forbidden("the key that asked for it has been revoked, or has expired")),
    }
}
