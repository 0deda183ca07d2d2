//! What a person proves: a password, a code. Wrong ones of both are counted together, and too many lock.

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
const ROUNDS: usize = 20;

/// Whether nobody may try now.
pub(super) fn is_locked(person: &Person, now: DateTime<Utc>) -> bool {
    person.locked_until.is_some_and(|until| until > now)
}

/// The own password, for what a session alone must not do.
pub async fn password(app: &App, person: &Person, sent: &str) -> Result<()> {
    let is_right = app.passwords.verify(sent, person.password_hash.as_deref()).await?;
    let now_stands = again(app, person).await?;
    if is_right && now_stands.is_some_and(|person| !is_locked(&person, app.clock.now())) {
        return Ok(());
    }
    if !is_right {
        failed(app, person).await?;
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
    let Some(counted) = count(app, person).await? else { return Ok(false) };
    if !totp::verify(app, person, sent).await? {
        tell(app, &counted).await?;
        return Ok(false);
    }
    people::forget_failures(&app.store.tenant(&person.tenant_id), person.id).await.map_err(crate::unavailable)?;
    Ok(true)
}

/// Counts a wrong password.
pub(super) async fn failed(app: &App, person: &Person) -> Result<()> {
    match count(app, person).await? {
        Some(counted) => tell(app, &counted).await,
        None => Ok(()),
    }
}

/// One more attempt: the fifth in a row locks, each further one for twice as long. None: it is locked. Returns the person
/// as counted.
async fn count(app: &App, person: &Person) -> Result<Option<Person>> {
    let (tenant, now) = (app.store.tenant(&person.tenant_id), app.clock.now());
    for _ in 0..ROUNDS {
        let found = again(app, person).await?.filter(|person| !is_locked(person, now));
        let Some(person) = found else { break };
        let over = person.failures + 1 - FAILURES;
        let until = (over >= 0).then(|| now + Duration::minutes((1_i64 << over.min(10)).min(LONGEST_LOCK)));
        if people::count_failure(&tenant, &person, until).await.map_err(crate::unavailable)? {
            return Ok(Some(Person { failures: person.failures + 1, locked_until: until, ..person }));
        }
    }
    Ok(None)
}

/// Puts a lock on record.
async fn tell(app: &App, counted: &Person) -> Result<()> {
    metrics::counter!("authentication_failures_total").increment(1);
    let Some(until) = counted.locked_until else { return Ok(()) };
    let detail = json!({"person": counted.id, "until": until, "failures": counted.failures});
    app.audit.event(&counted.tenant_id, "locked_out", None, &actor(counted), &detail).await
}

/// As it stands now: many guesses at once must not all be judged by what stood there before the first.
pub(super) async fn again(app: &App, person: &Person) -> Result<Option<Person>> {
    people::get(&app.store.tenant(&person.tenant_id), person.id).await.map_err(crate::unavailable)
}
