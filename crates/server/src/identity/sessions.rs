//! Signing in: a cookie that says nothing, kept as a hash, and a token beside it that a foreign page cannot send.

use std::net::IpAddr;
use std::sync::Arc;

use chrono::{DateTime, Duration, Utc};
use sdk::{Error, Result};
use serde_json::json;
use store::people::{self, Person};
use store::sessions::{self as rows, NewSession, Session};
use subtle::ConstantTimeEq;

use super::people::{actor, role_of};
use super::{door, proof, tokens};
use crate::actor::{Actor, Role};
use crate::app::App;

/// A session ends this long after it began, and this long after it was last used.
const DAYS: i64 = 7;
const IDLE_HOURS: i64 = 24;
/// A use is noted at most so often.
const NOTED: Duration = Duration::minutes(1);

/// What somebody sends to sign in.
#[derive(Clone, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    pub email: String,
    pub password: String,
    /// Of the second factor, where there is one.
    pub code: Option<String>,
    /// The id of the business, for somebody who belongs to several.
    pub business: Option<String>,
}

/// Who knocks.
#[derive(Clone, Copy, Debug)]
pub struct Visitor<'a> {
    pub address: IpAddr,
    /// What the browser calls itself.
    pub client: Option<&'a str>,
}

/// A session that has begun: the cookie's value, and what its pages send with every change.
pub struct SignedIn {
    pub cookie: String,
    pub csrf: String,
    pub person: Person,
}

/// What came of signing in.
pub enum Outcome {
    SignedIn(Box<SignedIn>),
    /// The password is right; now the code.
    NeedsCode,
    /// The password is right in several businesses; now which: ids and names.
    NeedsBusiness(Vec<(String, String)>),
}

/// Signs a person in. Whatever is wrong, the answer is the same and takes as long: it tells nobody who is known here.
pub async fn sign_in(app: &Arc<App>, sent: Credentials, visitor: Visitor<'_>) -> Result<Outcome> {
    let from = visitor.address.to_string();
    let known = match meant(app, &sent, &from).await? {
        Meant::One(person) => *person,
        Meant::Nobody => return Err(refused()),
        Meant::Several(businesses) => return Ok(Outcome::NeedsBusiness(businesses)),
    };
    let now = app.clock.now();
    let person = proof::again(app, &known).await?.filter(|person| !proof::is_locked(person.locked_until, now));
    let Some(person) = person else { return Err(refused()) };
    if door::is_closed(app, &person, &from).await? {
        return Err(refused());
    }
    if person.totp_since.is_some() {
        let Some(code) = &sent.code else { return Ok(Outcome::NeedsCode) };
        if !proof::is_code(app, &person, code).await? {
            return Err(refused());
        }
    }
    door::opened(app, &person, &from).await?;
    begin(app, person, visitor.client, now).await.map(|session| Outcome::SignedIn(Box::new(session)))
}

/// Whom an address and a password stand for.
enum Meant {
    Nobody,
    One(Box<Person>),
    Several(Vec<(String, String)>),
}

/// One address may be of people in several businesses. Which these are is told to who knows a password of theirs; a
/// password that is nobody's is a wrong one for each of them.
async fn meant(app: &Arc<App>, sent: &Credentials, from: &str) -> Result<Meant> {
    let email = sent.email.trim().to_lowercase();
    let found = people::by_email(&app.store.system(), &email).await.map_err(crate::unavailable)?;
    let (now, mut known) = (app.clock.now(), Vec::new());
    let may_try = |person: &Person| person.disabled_at.is_none() && !proof::is_locked(person.locked_until, now);
    for person in found.into_iter().filter(may_try) {
        if door::is_closed(app, &person, from).await? {
            continue;
        }
        let wanted = sent.business.as_ref().is_none_or(|business| *business == person.tenant_id);
        if wanted && let Some(business) = app.tenants.name(app, &person.tenant_id).await? {
            known.push((person, business));
        }
    }
    // Each costs a hash. Who belongs to more has to say which.
    known.truncate(MOST_BUSINESSES);
    let mut right = Vec::new();
    for (person, business) in &known {
        if app.passwords.verify(&sent.password, person.password_hash.as_deref()).await? {
            right.push((person.clone(), business.clone()));
        }
    }
    if known.is_empty() {
        // It takes as long as for somebody who is known.
        app.passwords.verify(&sent.password, None).await?;
    }
    if right.is_empty() {
        for (person, _) in &known {
            door::failed(app, person, from).await?;
        }
    }
    Ok(match right.len() {
        0 => Meant::Nobody,
        1 => Meant::One(Box::new(right.swap_remove(0).0)),
        _ => Meant::Several(right.into_iter().map(|(person, business)| (person.tenant_id, business)).collect()),
    })
}

/// Businesses of one address that are tried without a word which is meant.
const MOST_BUSINESSES: usize = 5;

async fn begin(app: &Arc<App>, person: Person, client: Option<&str>, now: DateTime<Utc>) -> Result<SignedIn> {
    let (cookie, csrf, tenant) = (tokens::token()?, tokens::token()?, app.store.tenant(&person.tenant_id));
    app.audit.event(tenant.id(), "signed_in", None, &actor(&person), &json!({"person": person.id})).await?;
    let new = NewSession {
        token_hash: &tokens::digest(&cookie),
        person: person.id,
        csrf: &csrf,
        client,
        expires_at: now + Duration::days(DAYS),
    };
    rows::begin(&tenant, new, now).await.map_err(crate::unavailable)?;
    people::note_login(&tenant, person.id, now).await.map_err(crate::unavailable)?;
    Ok(SignedIn { cookie, csrf, person })
}

fn refused() -> Error {
    Error::unauthenticated(
        "the e-mail address, the password or the code is wrong, or there were too many wrong ones; wait some minutes",
    )
}

/// The person behind a cookie. `csrf` is what a request that changes something sent beside it.
pub async fn verify(app: &Arc<App>, cookie: &str, changes: bool, csrf: Option<&str>) -> Result<Option<Actor>> {
    let Some(session) = current(app, cookie).await? else { return Ok(None) };
    let same = || csrf.is_some_and(|sent| bool::from(sent.as_bytes().ct_eq(session.csrf.as_bytes())));
    if changes && !same() {
        return Err(Error::forbidden("a change needs the session's token in X-CSRF-Token; GET /api/v1/session has it"));
    }
    Ok(Some(person(&session)))
}

/// Who has signed in. A role that is not known any more may only look.
pub fn person(session: &Session) -> Actor {
    let role = Role::parse(&session.role).unwrap_or(Role::Viewer);
    Actor::person(&session.person_id.to_string(), &session.name, &session.tenant_id, role)
}

/// The session of a cookie, if it has not ended.
pub async fn current(app: &Arc<App>, cookie: &str) -> Result<Option<Session>> {
    let (hash, now) = (tokens::digest(cookie), app.clock.now());
    let found = rows::by_hash(&app.store.system(), &hash, now).await.map_err(crate::unavailable)?;
    let Some(session) = found.filter(|session| session.seen_at > now - Duration::hours(IDLE_HOURS)) else {
        return Ok(None);
    };
    if session.seen_at < now - NOTED {
        rows::touch(&app.store.tenant(&session.tenant_id), &hash, now).await.map_err(crate::unavailable)?;
    }
    Ok(Some(session))
}

/// Ends the session of a cookie.
pub async fn sign_out(app: &Arc<App>, by: &Actor, cookie: &str) -> Result<()> {
    rows::end(&app.store.tenant(&by.tenant), &tokens::digest(cookie)).await.map_err(crate::unavailable)?;
    app.audit.event(&by.tenant, "signed_out", None, by, &json!({})).await
}

/// A new password, with the old one; every session ends.
pub async fn change_password(app: &Arc<App>, by: &Actor, person: &Person, old: &str, new: &str) -> Result<()> {
    proof::password(app, person, old).await?;
    let hash = app.passwords.hash(new, &person.email).await?;
    app.audit
        .event(&by.tenant, "password_set", None, by, &json!({"person": person.id, "role": role_of(person)}))
        .await?;
    people::set_password(&app.store.tenant(&by.tenant), person.id, &hash).await.map_err(crate::unavailable)?;
    Ok(())
}
