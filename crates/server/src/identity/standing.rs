//! Whether a caller of some time ago may still do what it asked for: meanwhile its key may have been revoked, its client cut
//! off, or its person sent away.

use sdk::{Error, Result};
use store::oauth::Kind;
use store::people::Person;
use uuid::Uuid;

use super::people::role_of;
use crate::actor::{Actor, ActorKind, OAUTH, Scope};
use crate::app::App;

/// An error says why it may no more.
pub async fn still_may(app: &App, caller: &Actor, needed: Scope) -> Result<()> {
    match caller.kind {
        ActorKind::System => Ok(()),
        ActorKind::Person => person_may(app, caller, &caller.id, needed).await,
        ActorKind::Agent => match (caller.id.strip_prefix(OAUTH), &caller.behalf_of) {
            (Some(consent), Some(person)) => {
                let found = store::oauth::get(&app.store.system(), Kind::Consent, consent).await;
                let found = found.map_err(crate::unavailable)?;
                if found.is_none_or(|consent| consent.tenant_id != caller.tenant) {
                    return Err(Error::forbidden("the AI client that asked for it has been cut off"));
                }
                person_may(app, caller, person, needed).await
            }
            _ => key_may(app, caller).await,
        },
    }
}

/// Who is at the machine itself has no account.
async fn person_may(app: &App, caller: &Actor, id: &str, needed: Scope) -> Result<()> {
    let Ok(id) = id.parse::<Uuid>() else { return Ok(()) };
    let found = store::people::get(&app.store.tenant(&caller.tenant), id).await.map_err(crate::unavailable)?;
    let may = |person: &Person| person.disabled_at.is_none() && role_of(person).scopes().contains(&needed);
    match found.is_some_and(|person| may(&person)) {
        true => Ok(()),
        false => Err(Error::forbidden("the person who asked for it, or for whom it was asked, may not any more")),
    }
}

/// What a key may never changes. The agent at the machine itself has none.
async fn key_may(app: &App, caller: &Actor) -> Result<()> {
    let Ok(id) = caller.id.parse::<Uuid>() else { return Ok(()) };
    let found = store::api_keys::get(&app.store.tenant(&caller.tenant), id).await.map_err(crate::unavailable)?;
    let now = app.clock.now();
    match found.is_some_and(|key| key.revoked_at.is_none() && key.expires_at.is_none_or(|at| at > now)) {
        true => Ok(()),
        false => Err(Error::forbidden("the key that asked for it has been revoked, or has expired")),
    }
}
