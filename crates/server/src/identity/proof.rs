//! What a person proves who has half of it already: a code after the password, the password beside a session. Wrong ones
//! of both are counted together, and too many lock. Passwords at the door are counted in `door.rs`.

use chrono::{DateTime, Duration, Utc};
use sdk::{Error, Result};
use serde_json::json;
use store::people::{self, Person};

use super::people::actor;
use super::totp;
use crate::app::App;

/// Wrong ones in a row before nobody may try for a while.
const FAILURES: i64 = 5;
/// The longest while, in minutes.
const LONGEST_LOCK: i64 = 60;
/// How often an attempt is counted that others, made at the same moment, were counted before.
pub(super) const ROUNDS: usize = 20;

/// Whether nobody may try now.
pub(super) fn is_locked(until: Option<DateTime<Utc>>, now: DateTime<Utc>) -> bool {
    until.is_some_and(|until| until > now)
}

/// Until when nobody may try after so many: the fifth in a row locks, each further one for twice as long.
pub(super) fn lock(failures: i64, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let over = failures - FAILURES;
    (over >= 0).then(|| now + Duration::minutes((1_i64 << over.min(10)).min(LONGEST_LOCK)))
}

/// The own password, for what a session alone must not do.
pub async fn password(app: &App, person: &Person, sent: &str) -> Result<()> {
    let is_right = app.passwords.verify(sent, person.password_hash.as_deref()).await?;
    let now_stands = again(app, person).await?;
    if is_right && now_stands.is_some_and(|person| !is_locked(person.locked_until, app.clock.now())) {
        return Ok(());
    }
    if !is_right && let Some((failures, until)) = count(app, person).await? {
        tell(app, person, failures, until).await?;
    }
    Err(Error::unauthenticated(format!("the password is wrong{TOO_MANY}")))
}

/// A code of the second factor.
pub async fn code(app: &App, person: &Person, sent: &str) -> Result<()> {
    match is_code(app, person, sent).await? {
        true => Ok(()),
        false => Err(Error::forbidden(format!("the code is not right, was used before{TOO_MANY}"))),
    }
}

const TOO_MANY: &str = ", or there were too many wrong ones; wait some minutes";

/// Whether it is a code of the second factor, and may be tried.
pub(super) async fn is_code(app: &App, person: &Person, sent: &str) -> Result<bool> {
    // Counted before it is looked at: a crowd of guesses gets no more tries than one guesser.
    let Some((failures, until)) = count(app, person).await? else { return Ok(false) };
    if !totp::verify(app, person, sent).await? {
        tell(app, person, failures, until).await?;
        return Ok(false);
    }
    people::forget_failures(&app.store.tenant(&person.tenant_id), person.id).await.map_err(crate::unavailable)?;
    Ok(true)
}

/// One more attempt: how many there were, and until when it locks. None: it is locked.
async fn count(app: &App, person: &Person) -> Result<Option<(i64, Option<DateTime<Utc>>)>> {
    let (tenant, now) = (app.store.tenant(&person.tenant_id), app.clock.now());
    for _ in 0..ROUNDS {
        let found = again(app, person).await?.filter(|person| !is_locked(person.locked_until, now));
        let Some(person) = found else { break };
        let (failures, until) = (person.failures + 1, lock(person.failures + 1, now));
        if people::count_failure(&tenant, &person, until).await.map_err(crate::unavailable)? {
            return Ok(Some((failures, until)));
        }
    }
    Ok(None)
}

/// Puts a lock on record.
pub(super) async fn tell(app: &App, person: &Person, failures: i64, until: Option<DateTime<Utc>>) -> Result<()> {
    metrics::counter!("authentication_failures_total").increment(1);
    let Some(until) = until else { return Ok(()) };
    let detail = json!({"person": person.id, "until": until, "failures": failures});
    app.audit.event(&person.tenant_id, "locked_out", None, &actor(person), &detail).await
}

/// As it stands now: many guesses at once must not all be judged by what stood there before the first.
pub(super) async fn again(app: &App, person: &Person) -> Result<Option<Person>> {
    people::get(&app.store.tenant(&person.tenant_id), person.id).await.map_err(crate::unavailable)
}
