//! People: the first owner, who is invited, what role they have. Passwords are set by links that are good once.

use std::sync::Arc;

use chrono::Duration;
use sdk::{Error, Result};
use serde_json::json;
use store::people::{self as rows, Change, Changed, NewPerson, Person};
use uuid::Uuid;

use super::{oauth, proof, tokens};
use crate::actor::{Actor, Role, Scope};
use crate::app::App;

pub use super::totp::{begin as begin_second_factor, confirm as confirm_second_factor};

/// How long a link is good.
const LINK_HOURS: i64 = 24;

/// The link that makes whoever opens it the first owner of a business; `None`: there is somebody already.
pub async fn setup_link(app: &Arc<App>, tenant: &str) -> Result<Option<String>> {
    let tenant = app.store.tenant(tenant);
    if rows::any(&tenant).await.map_err(crate::unavailable)? {
        return Ok(None);
    }
    link(app, &tenant, None).await.map(Some)
}

/// Adds a person, who sets a password with the link.
pub async fn invite(app: &Arc<App>, by: &Actor, email: &str, name: &str, role: Role) -> Result<(Uuid, String)> {
    may_manage(by, role)?;
    let new = NewPerson {
        id: Uuid::now_v7(),
        email: address(email)?,
        name: named(name)?,
        role: role.as_str().into(),
        password_hash: None,
    };
    let tenant = app.store.tenant(&by.tenant);
    let detail = json!({"person": new.id, "email": new.email, "role": role});
    app.audit.event(&by.tenant, "person_invited", None, by, &detail).await?;
    if !rows::add(&tenant, &new, app.clock.now()).await.map_err(crate::unavailable)? {
        return Err(Error::conflict(format!("{} is there already", new.email)));
    }
    Ok((new.id, link(app, &tenant, Some(new.id)).await?))
}

/// A new link for somebody else who has lost the password, or the invitation. For oneself it would be a new password with
/// the session alone.
pub async fn reset_link(app: &Arc<App>, by: &Actor, id: Uuid) -> Result<String> {
    if by.id == id.to_string() {
        return Err(Error::forbidden("your own password is changed with the old one; a link comes from somebody else"));
    }
    let person = get(app, by, id).await?;
    may_manage(by, role_of(&person))?;
    app.audit.event(&by.tenant, "password_link_made", None, by, &json!({"person": id})).await?;
    link(app, &app.store.tenant(&by.tenant), Some(id)).await
}

/// Changes a name, a role, or whether somebody may sign in. The last owner stays.
pub async fn change(app: &Arc<App>, by: &Actor, id: Uuid, change: Change) -> Result<Person> {
    let person = get(app, by, id).await?;
    may_manage(by, role_of(&person))?;
    if let Some(role) = &change.role {
        let there_is_none = || Error::invalid_input(format!("there is no role `{role}`"));
        may_manage(by, Role::parse(role).ok_or_else(there_is_none)?)?;
    }
    let detail = json!({"person": id, "name": change.name, "role": change.role, "disabled": change.disabled});
    app.audit.event(&by.tenant, "person_changed", None, by, &detail).await?;
    match rows::change(&app.store.tenant(&by.tenant), id, &change, app.clock.now()).await.map_err(crate::unavailable)? {
        Changed::Done => {
            // Clients act for the person, and no longer than the person may.
            if change.disabled == Some(true) {
                oauth::end_all(app, &by.tenant, &id.to_string()).await?;
            }
            if let Some(oauth) = &app.oauth {
                oauth.forget();
            }
            get(app, by, id).await
        }
        Changed::Missing => Err(missing(id)),
        Changed::LastOwner => Err(Error::conflict("a business needs an owner; make somebody else one first")),
    }
}

/// Removes a second factor: the own one with a code of it, or that of somebody who has lost it.
pub async fn remove_second_factor(app: &Arc<App>, by: &Actor, id: Uuid, code: Option<&str>) -> Result<()> {
    let person = get(app, by, id).await?;
    if by.id != id.to_string() {
        may_manage(by, role_of(&person))?;
    } else if person.totp_since.is_some() {
        let needed = || Error::forbidden("the own second factor is removed with a code of it; send `code`");
        proof::code(app, &person, code.ok_or_else(needed)?).await?;
    }
    app.audit.event(&by.tenant, "second_factor_removed", None, by, &json!({"person": id})).await?;
    rows::set_totp(&app.store.tenant(&by.tenant), id, None).await.map_err(crate::unavailable)
}

pub async fn list(app: &Arc<App>, by: &Actor) -> Result<Vec<Person>> {
    rows::list(&app.store.tenant(&by.tenant)).await.map_err(crate::unavailable)
}

pub async fn get(app: &Arc<App>, by: &Actor, id: Uuid) -> Result<Person> {
    let found = rows::get(&app.store.tenant(&by.tenant), id).await.map_err(crate::unavailable)?;
    found.ok_or_else(|| missing(id))
}

/// What a link is for.
#[derive(Clone, Debug, PartialEq)]
pub enum Purpose {
    /// Whoever opens it becomes the first owner of this tenant.
    FirstOwner(String),
    /// This person sets a password.
    Password(Box<Person>),
}

/// Looks at a link; it stays good. `None`: it is not, or not any more.
pub async fn purpose(app: &Arc<App>, token: &str) -> Result<Option<Purpose>> {
    let link = rows::link(&app.store.system(), &tokens::digest(token), app.clock.now()).await;
    let Some(link) = link.map_err(crate::unavailable)? else { return Ok(None) };
    if app.tenants.name(app, &link.tenant_id).await?.is_none() {
        return Ok(None);
    }
    let Some(id) = link.person_id else { return Ok(Some(Purpose::FirstOwner(link.tenant_id))) };
    let person = rows::get(&app.store.tenant(&link.tenant_id), id).await.map_err(crate::unavailable)?;
    Ok(person.map(|person| Purpose::Password(Box::new(person))))
}

/// What is filled in behind a link.
#[derive(Clone, Default, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Filled {
    pub email: String,
    pub name: String,
    pub password: String,
}

/// Uses a link: sets the password, and makes the first owner.
pub async fn use_link(app: &Arc<App>, token: &str, filled: Filled) -> Result<Uuid> {
    let gone = || Error::not_found("this link is not good any more; ask for a new one");
    let purpose = purpose(app, token).await?.ok_or_else(gone)?;
    let (tenant, email, first) = match &purpose {
        Purpose::Password(person) => (app.store.tenant(&person.tenant_id), person.email.clone(), None),
        Purpose::FirstOwner(tenant) => {
            let (tenant, email, name) = (app.store.tenant(tenant), address(&filled.email)?, named(&filled.name)?);
            if !may_be_first(&tenant, &email).await? {
                return Err(gone());
            }
            (tenant, email.clone(), Some((email, name)))
        }
    };
    let hash = app.passwords.hash(&filled.password, &email).await?;
    let first = first.map(|(email, name)| NewPerson {
        id: Uuid::now_v7(),
        email,
        name,
        role: Role::Owner.as_str().into(),
        password_hash: Some(hash.clone()),
    });
    record_use(app, &tenant, &purpose, first.as_ref()).await?;
    let used = rows::use_link(&tenant, &tokens::digest(token), &hash, first.as_ref(), app.clock.now()).await;
    let id = used.map_err(crate::unavailable)?.ok_or_else(gone)?;
    if let Some(oauth) = &app.oauth {
        oauth.look_again();
    }
    Ok(id)
}

/// Whether a link still makes the first owner, and this address is free for it.
async fn may_be_first(tenant: &store::Tenant, email: &str) -> Result<bool> {
    let there = rows::list(tenant).await.map_err(crate::unavailable)?;
    let owns = |one: &Person| one.role == rows::OWNER && one.disabled_at.is_none() && one.password_hash.is_some();
    Ok(!there.iter().any(|one| owns(one) || one.email == email))
}

/// In the name of who is behind the link.
async fn record_use(app: &App, tenant: &store::Tenant, purpose: &Purpose, first: Option<&NewPerson>) -> Result<()> {
    let (event, by, id, email) = match (purpose, first) {
        (Purpose::Password(person), _) => ("password_set", actor(person), person.id, &person.email),
        (Purpose::FirstOwner(_), Some(new)) => {
            let by = Actor::person(&new.id.to_string(), &new.name, tenant.id(), Role::Owner);
            ("first_owner_made", by, new.id, &new.email)
        }
        (Purpose::FirstOwner(_), None) => return Ok(()),
    };
    app.audit.event(tenant.id(), event, None, &by, &json!({"person": id, "email": email})).await
}

async fn link(app: &Arc<App>, tenant: &store::Tenant, person: Option<Uuid>) -> Result<String> {
    let token = tokens::token()?;
    let until = app.clock.now() + Duration::hours(LINK_HOURS);
    rows::put_link(tenant, &tokens::digest(&token), person, until).await.map_err(crate::unavailable)?;
    Ok(format!("/welcome/{token}"))
}

/// The caller that a signed-in person is.
pub(super) fn actor(person: &Person) -> Actor {
    Actor::person(&person.id.to_string(), &person.name, &person.tenant_id, role_of(person))
}

/// A role that is not known any more may only look.
pub fn role_of(person: &Person) -> Role {
    Role::parse(&person.role).unwrap_or(Role::Viewer)
}

/// Who manages people; owners are managed by owners.
fn may_manage(by: &Actor, role: Role) -> Result<()> {
    if !by.may(Scope::Manage) {
        return Err(Error::forbidden("only owners and admins manage people"));
    }
    if role == Role::Owner && by.role != Some(Role::Owner) {
        return Err(Error::forbidden("only an owner manages owners"));
    }
    Ok(())
}

fn address(email: &str) -> Result<String> {
    let email = email.trim().to_lowercase();
    let parts = email.split_once('@').filter(|(name, host)| !name.is_empty() && host.contains('.'));
    let is_plain = email.len() <= 254 && !email.chars().any(|c| c.is_whitespace() || c.is_control());
    match parts {
        Some(_) if is_plain => Ok(email),
        _ => Err(Error::invalid_input("email: this is no e-mail address")),
    }
}

fn named(name: &str) -> Result<String> {
    let name = name.trim();
    let length = name.chars().count();
    if (1..=100).contains(&length) { Ok(name.to_owned()) } else { Err(Error::invalid_input("name: 1 to 100 letters")) }
}

fn missing(id: Uuid) -> Error {
    Error::not_found(format!("there is no person {id}"))
}
