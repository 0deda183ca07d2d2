//! People who may sign in, and the links that set their passwords.

use chrono::{DateTime, Utc};
use sea_orm::prelude::*;
use sea_orm::{FromQueryResult, QueryOrder};

pub use crate::entities::people::Model as Person;
use crate::entities::people::{Column, Entity};
use crate::text::clean;
use crate::{Result, System, Tenant, Tx, micros};

/// The role that must always have somebody.
pub const OWNER: &str = "owner";

/// Somebody new. The address is in lower case.
#[derive(Clone, Debug, PartialEq)]
pub struct NewPerson {
    pub id: Uuid,
    pub email: String,
    pub name: String,
    pub role: String,
    pub password_hash: Option<String>,
}

/// Adds a person. False: the address is taken.
pub async fn add(tenant: &Tenant, new: &NewPerson, now: DateTime<Utc>) -> Result<bool> {
    let tx = tenant.begin().await?;
    let added = add_in(&tx, new, now).await?;
    tx.commit().await?;
    Ok(added)
}

async fn add_in(tx: &Tx, new: &NewPerson, now: DateTime<Utc>) -> Result<bool> {
    let mut sql =
        tx.sql("INSERT INTO people (id, tenant_id, email, name, role, password_hash, failures, created_at) VALUES (");
    sql.bind(new.id).push(", ").bind(tx.tenant_id()).push(", ").bind(new.email.as_str()).push(", ");
    sql.bind(clean(&new.name)).push(", ").bind(new.role.as_str()).push(", ").bind(new.password_hash.clone());
    sql.push(", 0, ").bind(micros(now)).push(") ON CONFLICT (tenant_id, email) DO NOTHING");
    Ok(tx.execute(sql).await?.rows_affected() == 1)
}

/// All people of a tenant by name.
pub async fn list(tenant: &Tenant) -> Result<Vec<Person>> {
    let query = Entity::find().filter(Column::TenantId.eq(tenant.id()));
    Ok(query.order_by_asc(Column::Name).order_by_asc(Column::Id).all(&tenant.read()).await?)
}

pub async fn get(tenant: &Tenant, id: Uuid) -> Result<Option<Person>> {
    Ok(Entity::find_by_id(id).filter(Column::TenantId.eq(tenant.id())).one(&tenant.read()).await?)
}

/// The person with this address, of whatever tenant: who signs in has not said yet which.
pub async fn by_email(system: &System, email: &str) -> Result<Vec<Person>> {
    Ok(Entity::find().filter(Column::Email.eq(email)).order_by_asc(Column::CreatedAt).all(&system.read()).await?)
}

/// Whether a tenant has anybody at all.
pub async fn any(tenant: &Tenant) -> Result<bool> {
    Ok(Entity::find().filter(Column::TenantId.eq(tenant.id())).one(&tenant.read()).await?.is_some())
}

/// Whether anybody at all, of whatever tenant, can sign in.
pub async fn anybody(system: &System) -> Result<bool> {
    let query = Entity::find().filter(Column::PasswordHash.is_not_null()).filter(Column::DisabledAt.is_null());
    Ok(query.one(&system.read()).await?.is_some())
}

/// What may be changed of a person.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Change {
    pub name: Option<String>,
    pub role: Option<String>,
    pub disabled: Option<bool>,
}

/// What became of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changed {
    Done,
    /// The tenant has nobody of this id.
    Missing,
    /// There would be no owner any more.
    LastOwner,
}

/// Changes a person, unless the tenant were left without an owner who can sign in.
pub async fn change(tenant: &Tenant, id: Uuid, change: &Change, now: DateTime<Utc>) -> Result<Changed> {
    let tx = tenant.begin().await?;
    let owners = owners(&tx).await?;
    let leaves = change.role.as_deref().is_some_and(|role| role != OWNER) || change.disabled == Some(true);
    if leaves && owners == [id] {
        return Ok(Changed::LastOwner);
    }
    let mut sql = tx.sql("UPDATE people SET failures = failures");
    if let Some(name) = &change.name {
        sql.push(", name = ").bind(clean(name));
    }
    if let Some(role) = &change.role {
        sql.push(", role = ").bind(role.as_str());
    }
    if let Some(disabled) = change.disabled {
        sql.push(", disabled_at = ").bind(disabled.then_some(micros(now)));
    }
    of(&mut sql, &tx, id);
    let found = tx.execute(sql).await?.rows_affected() == 1;
    if change.disabled == Some(true) {
        super::sessions::end_all_in(&tx, id).await?;
    }
    tx.commit().await?;
    Ok(if found { Changed::Done } else { Changed::Missing })
}

#[derive(FromQueryResult)]
struct Id {
    id: Uuid,
}

/// Who can sign in as an owner. Locked, so that of two owners who leave at once one stays.
async fn owners(tx: &Tx) -> Result<Vec<Uuid>> {
    let mut sql = tx.sql("SELECT id FROM people WHERE tenant_id = ");
    sql.bind(tx.tenant_id()).push(" AND role = ").bind(OWNER);
    sql.push(" AND disabled_at IS NULL AND password_hash IS NOT NULL ORDER BY id");
    if sql.backend() == sea_orm::DbBackend::Postgres {
        sql.push(" FOR UPDATE");
    }
    let rows = Id::find_by_statement(sql.statement()).all(tx.connection()).await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

/// One more wrong code, or password where a session asks for it: nobody may try before `locked_until`. False: another was counted since `known` was
/// read.
pub async fn count_failure(tenant: &Tenant, known: &Person, locked_until: Option<DateTime<Utc>>) -> Result<bool> {
    let mut sql = tenant.sql("UPDATE people SET failures = failures + 1, locked_until = ");
    sql.bind(locked_until.map(micros)).push(" WHERE tenant_id = ").bind(tenant.id()).push(" AND id = ").bind(known.id);
    sql.push(" AND failures = ").bind(known.failures);
    Ok(tenant.write().execute_raw(sql.statement()).await?.rows_affected() == 1)
}

/// Somebody has proven who it is; those before are not counted any more.
pub async fn forget_failures(tenant: &Tenant, id: Uuid) -> Result<()> {
    let mut sql = tenant.sql("UPDATE people SET failures = 0, locked_until = NULL WHERE tenant_id = ");
    sql.bind(tenant.id()).push(" AND id = ").bind(id);
    tenant.write().execute_raw(sql.statement()).await?;
    Ok(())
}

/// Somebody has signed in.
pub async fn note_login(tenant: &Tenant, id: Uuid, now: DateTime<Utc>) -> Result<()> {
    let mut sql = tenant.sql("UPDATE people SET failures = 0, locked_until = NULL, last_login_at = ");
    sql.bind(micros(now)).push(" WHERE tenant_id = ").bind(tenant.id()).push(" AND id = ").bind(id);
    tenant.write().execute_raw(sql.statement()).await?;
    Ok(())
}

/// Sets a password. Whoever was signed in as this person is not any more.
pub async fn set_password(tenant: &Tenant, id: Uuid, hash: &str) -> Result<bool> {
    let tx = tenant.begin().await?;
    let set = set_password_in(&tx, id, hash).await?;
    tx.commit().await?;
    Ok(set)
}

async fn set_password_in(tx: &Tx, id: Uuid, hash: &str) -> Result<bool> {
    let mut sql = tx.sql("UPDATE people SET failures = 0, locked_until = NULL, password_hash = ");
    of(sql.bind(hash), tx, id);
    let set = tx.execute(sql).await?.rows_affected() == 1;
    super::guesses::forget_in(tx, id).await?;
    super::sessions::end_all_in(tx, id).await?;
    Ok(set)
}

/// A second factor: the vault's key and what it sealed.
#[derive(Clone, Debug, PartialEq)]
pub struct Totp {
    pub key_id: String,
    pub sealed: Vec<u8>,
}

/// Keeps a second factor, which counts from its first code on, or removes it.
pub async fn set_totp(tenant: &Tenant, id: Uuid, totp: Option<&Totp>) -> Result<()> {
    let mut sql = tenant.sql("UPDATE people SET totp_step = NULL, totp_since = NULL, totp_key_id = ");
    sql.bind(totp.map(|totp| totp.key_id.clone())).push(", totp_sealed = ");
    sql.bind(totp.map(|totp| totp.sealed.clone())).push(" WHERE tenant_id = ").bind(tenant.id());
    sql.push(" AND id = ").bind(id);
    tenant.write().execute_raw(sql.statement()).await?;
    Ok(())
}

/// From now on a code is asked for.
pub async fn confirm_totp(tenant: &Tenant, id: Uuid, now: DateTime<Utc>) -> Result<()> {
    let mut sql = tenant.sql("UPDATE people SET totp_since = ");
    sql.bind(micros(now)).push(" WHERE tenant_id = ").bind(tenant.id()).push(" AND id = ").bind(id);
    tenant.write().execute_raw(sql.statement()).await?;
    Ok(())
}

/// Takes a time step of the second factor. False: this one or a later one was taken before.
pub async fn take_totp_step(tenant: &Tenant, id: Uuid, step: i64) -> Result<bool> {
    let mut sql = tenant.sql("UPDATE people SET totp_step = ");
    sql.bind(step).push(" WHERE tenant_id = ").bind(tenant.id()).push(" AND id = ").bind(id);
    sql.push(" AND (totp_step IS NULL OR totp_step < ").bind(step).push(")");
    Ok(tenant.write().execute_raw(sql.statement()).await?.rows_affected() == 1)
}

fn of(sql: &mut crate::sql::Sql, tx: &Tx, id: Uuid) {
    sql.push(" WHERE tenant_id = ").bind(tx.tenant_id()).push(" AND id = ").bind(id);
}

/// Keeps a link that sets a password. One for the same person takes the place of those before.
pub async fn put_link(tenant: &Tenant, hash: &str, person: Option<Uuid>, expires_at: DateTime<Utc>) -> Result<()> {
    let tx = tenant.begin().await?;
    let mut sql = tx.sql("DELETE FROM password_links WHERE tenant_id = ");
    sql.bind(tx.tenant_id()).push(" AND person_id IS NOT DISTINCT FROM ").bind(person);
    tx.execute(sql).await?;
    let mut sql = tx.sql("INSERT INTO password_links (token_hash, tenant_id, person_id, expires_at) VALUES (");
    sql.bind(hash).push(", ").bind(tx.tenant_id()).push(", ").bind(person).push(", ").bind(micros(expires_at));
    tx.execute({
        sql.push(")");
        sql
    })
    .await?;
    tx.commit().await
}

/// A link that can be used now.
#[derive(Clone, Debug, PartialEq, FromQueryResult)]
pub struct Link {
    pub tenant_id: String,
    pub person_id: Option<Uuid>,
}

/// Looks at a link without using it.
pub async fn link(system: &System, hash: &str, now: DateTime<Utc>) -> Result<Option<Link>> {
    let mut sql = system.sql("SELECT tenant_id, person_id FROM password_links WHERE token_hash = ");
    sql.bind(hash).push(" AND expires_at > ").bind(now);
    Ok(Link::find_by_statement(sql.statement()).one(&system.read()).await?)
}

/// Uses a link up: of many who try at once, one gets it. Then the person of the link has this password, or, with the
/// first link of all, `first` is the owner. `None`: the link is not good any more, or there is an owner already.
pub async fn use_link(
    tenant: &Tenant,
    hash: &str,
    password_hash: &str,
    first: Option<&NewPerson>,
    now: DateTime<Utc>,
) -> Result<Option<Uuid>> {
    let tx = tenant.begin().await?;
    let mut sql = tx.sql("DELETE FROM password_links WHERE tenant_id = ");
    sql.bind(tx.tenant_id()).push(" AND token_hash = ").bind(hash).push(" AND expires_at > ").bind(now);
    sql.push(" RETURNING tenant_id, person_id");
    let Some(link) = Link::find_by_statement(sql.statement()).one(tx.connection()).await? else { return Ok(None) };
    let person = match (link.person_id, first) {
        (Some(person), _) => set_password_in(&tx, person, password_hash).await?.then_some(person),
        (None, Some(first)) => (owners(&tx).await?.is_empty() && add_in(&tx, first, now).await?).then_some(first.id),
        (None, None) => None,
    };
    tx.commit().await?;
    Ok(person)
}
