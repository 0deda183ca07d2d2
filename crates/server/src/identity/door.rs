//! Wrong passwords at the door are counted by person and by where they come from: who guesses locks itself out, and not the
//! person.

use chrono::Duration;
use sdk::Result;
use store::guesses::{self, Place};
use store::people::Person;

use super::proof;
use crate::app::App;

/// Wrong ones of a person in a day, from wherever. Beyond it the door is open only where the person has signed in before: a
/// crowd does not get around the limit (NIST SP 800-63B wants one of at most 100), nor keep the person out.
const FROM_ANYWHERE: i64 = 100;

/// Whether nobody may try from there now.
pub async fn is_closed(app: &App, person: &Person, from: &str) -> Result<bool> {
    let (tenant, now) = (app.store.tenant(&person.tenant_id), app.clock.now());
    let tried = guesses::tried(&tenant, place(person, from)).await.map_err(crate::unavailable)?;
    if tried.known || proof::is_locked(tried.locked_until, now) {
        return Ok(proof::is_locked(tried.locked_until, now));
    }
    let all = guesses::everywhere(&tenant, person.id, now - Duration::days(1)).await.map_err(crate::unavailable)?;
    Ok(all >= FROM_ANYWHERE)
}

/// Counts a wrong password from there.
pub async fn failed(app: &App, person: &Person, from: &str) -> Result<()> {
    let (tenant, now, place) = (app.store.tenant(&person.tenant_id), app.clock.now(), place(person, from));
    for _ in 0..proof::ROUNDS {
        let tried = guesses::tried(&tenant, place).await.map_err(crate::unavailable)?;
        if proof::is_locked(tried.locked_until, now) {
            break;
        }
        let (failures, until) = (tried.failures + 1, proof::lock(tried.failures + 1, now));
        if guesses::count(&tenant, place, &tried, until, now).await.map_err(crate::unavailable)? {
            return proof::tell(app, person, failures, until).await;
        }
    }
    Ok(())
}

/// The person has signed in from there.
pub async fn opened(app: &App, person: &Person, from: &str) -> Result<()> {
    let (tenant, now) = (app.store.tenant(&person.tenant_id), app.clock.now());
    guesses::note_login(&tenant, place(person, from), now).await.map_err(crate::unavailable)
}

fn place<'a>(person: &Person, from: &'a str) -> Place<'a> {
    Place { person: person.id, address: from }
}
