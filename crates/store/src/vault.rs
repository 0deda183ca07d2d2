//! Sealed secrets: what opens the accounts of vendors. Nothing here can read them; the keys are sealed too.

use chrono::{DateTime, Utc};
use sea_orm::prelude::*;
use sea_orm::{FromQueryResult, QueryOrder};
use serde_json::Value;

use crate::chain::canonical_json;
pub use crate::entities::credentials::Model as Credential;
use crate::entities::credentials::{Column, Entity};
use crate::text::clean_option;
use crate::{Account, DEFAULT_CONNECTION, Result, Tenant, Tx, micros};

/// A tenant's key, sealed by the master key.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
pub struct TenantKey {
    pub key_id: String,
    pub wrapped: Vec<u8>,
}

/// A tenant's keys, the newest first.
pub async fn keys(tenant: &Tenant) -> Result<Vec<TenantKey>> {
    let mut sql = tenant.sql("SELECT key_id, wrapped FROM tenant_keys WHERE tenant_id = ");
    sql.bind(tenant.id()).push(" ORDER BY created_at DESC, key_id");
    Ok(TenantKey::find_by_statement(sql.statement()).all(&tenant.read()).await?)
}

/// Stores a key, or the same key sealed anew.
pub async fn put_key(tenant: &Tenant, key: &TenantKey, now: DateTime<Utc>) -> Result<()> {
    let mut sql = tenant.sql("INSERT INTO tenant_keys (tenant_id, key_id, wrapped, created_at) VALUES (");
    sql.bind(tenant.id()).push(", ").bind(key.key_id.as_str()).push(", ").bind(key.wrapped.clone()).push(", ");
    sql.bind(micros(now)).push(") ON CONFLICT (tenant_id, key_id) DO UPDATE SET wrapped = excluded.wrapped");
    tenant.write().execute_raw(sql.statement()).await?;
    Ok(())
}

/// Forgets the keys that nothing is sealed with any more.
pub async fn drop_unused_keys(tenant: &Tenant, current: &str) -> Result<()> {
    let mut sql = tenant.sql("DELETE FROM tenant_keys WHERE tenant_id = ");
    sql.bind(tenant.id()).push(" AND key_id <> ").bind(current);
    for (table, column) in [
        ("credentials", "key_id"),
        ("oauth_tokens", "key_id"),
        ("people", "totp_key_id"),
        ("audit_checkpoints", "key_id"),
    ] {
        sql.push(" AND NOT EXISTS (SELECT 1 FROM ").push(table).push(" u WHERE u.tenant_id = ").bind(tenant.id());
        sql.push(" AND u.").push(column).push(" = tenant_keys.key_id)");
    }
    tenant.write().execute_raw(sql.statement()).await?;
    Ok(())
}

/// An account's credentials, to be stored.
#[derive(Clone, Debug, PartialEq)]
pub struct NewCredential {
    pub id: Uuid,
    pub ecosystem: String,
    /// The connection's name.
    pub name: String,
    /// `oauth2`, `keys` or `service_account`.
    pub auth: String,
    pub account_id: Option<String>,
    pub account_name: Option<String>,
    /// What the connector is configured with beside the secrets.
    pub config: Value,
    pub key_id: String,
    pub sealed: Vec<u8>,
    pub scopes: Option<String>,
    /// When the keys end, where that is known.
    pub expires_at: Option<DateTime<Utc>>,
}

/// Stores an account's credentials in the place of those before, with the tokens that come with them.
pub async fn put(tenant: &Tenant, new: NewCredential, token: Option<Token>, now: DateTime<Utc>) -> Result<()> {
    let tx = tenant.begin().await?;
    let (ecosystem, name) = (new.ecosystem.clone(), new.name.clone());
    let account = Account::from((ecosystem.as_str(), name.as_str()));
    delete(&tx, account).await?;
    let mut sql = tx.sql(
        "INSERT INTO credentials (id, tenant_id, ecosystem, name, auth, account_id, account_name, config, key_id, \
         sealed, scopes, expires_at, state, checked_at, created_at, updated_at) VALUES (",
    );
    sql.bind(new.id).push(", ").bind(tx.tenant_id()).push(", ").bind(new.ecosystem).push(", ").bind(new.name);
    sql.push(", ").bind(new.auth).push(", ").bind(clean_option(new.account_id.as_deref())).push(", ");
    sql.bind(clean_option(new.account_name.as_deref())).push(", ").bind_json(Some(canonical_json(&new.config)));
    sql.push(", ").bind(new.key_id).push(", ").bind(new.sealed).push(", ").bind(new.scopes);
    sql.push(", ").bind(new.expires_at.map(micros)).push(", 'connected'");
    for _ in 0..3 {
        sql.push(", ").bind(micros(now));
    }
    sql.push(")");
    tx.execute(sql).await?;
    if let Some(token) = token {
        write_token(&tx, account, token, now).await?;
    }
    tx.commit().await
}

/// The credentials of an ecosystem's connections: the default first, then the oldest.
pub async fn of_ecosystem(tenant: &Tenant, ecosystem: &str) -> Result<Vec<Credential>> {
    let query = Entity::find().filter(Column::TenantId.eq(tenant.id())).filter(Column::Ecosystem.eq(ecosystem));
    let mut rows = query.order_by_asc(Column::CreatedAt).order_by_asc(Column::Id).all(&tenant.read()).await?;
    rows.sort_by_key(|row| row.name != DEFAULT_CONNECTION);
    Ok(rows)
}

/// All of a tenant's credentials, in the same order within an ecosystem.
pub async fn list(tenant: &Tenant) -> Result<Vec<Credential>> {
    let query = Entity::find().filter(Column::TenantId.eq(tenant.id())).order_by_asc(Column::Ecosystem);
    let mut rows = query.order_by_asc(Column::CreatedAt).order_by_asc(Column::Id).all(&tenant.read()).await?;
    rows.sort_by(|a, b| {
        let key = |row: &Credential| (row.ecosystem.clone(), row.name != DEFAULT_CONNECTION);
        key(a).cmp(&key(b))
    });
    Ok(rows)
}

/// Notes how an account fares: `connected`, or `needs_attention` with the reason.
pub async fn set_state(
    tenant: &Tenant,
    account: Account<'_>,
    state: &str,
    reason: Option<&str>,
    now: DateTime<Utc>,
) -> Result<()> {
    let mut sql = tenant.sql("UPDATE credentials SET state = ");
    sql.bind(state).push(", reason = ").bind(clean_option(reason)).push(", checked_at = ").bind(micros(now));
    sql.push(", updated_at = ").bind(micros(now)).push(" WHERE tenant_id = ").bind(tenant.id());
    sql.push(" AND ecosystem = ").bind(account.ecosystem).push(" AND name = ").bind(account.connection);
    tenant.write().execute_raw(sql.statement()).await?;
    Ok(())
}

/// Seals the same secrets anew, if they are still those that were sealed with `before`.
pub async fn reseal(tenant: &Tenant, id: Uuid, before: &str, key_id: &str, sealed: Vec<u8>) -> Result<bool> {
    let mut sql = tenant.sql("UPDATE credentials SET key_id = ");
    sql.bind(key_id).push(", sealed = ").bind(sealed).push(" WHERE tenant_id = ").bind(tenant.id());
    sql.push(" AND id = ").bind(id).push(" AND key_id = ").bind(before);
    Ok(tenant.write().execute_raw(sql.statement()).await?.rows_affected() > 0)
}

/// Wipes an account's credentials and tokens. False: there were none.
pub async fn remove(tenant: &Tenant, account: Account<'_>) -> Result<bool> {
    let tx = tenant.begin().await?;
    let removed = delete(&tx, account).await?;
    tx.commit().await?;
    Ok(removed)
}

async fn delete(tx: &Tx, account: Account<'_>) -> Result<bool> {
    let mut removed = false;
    for (table, name) in [("credentials", "name"), ("oauth_tokens", "account")] {
        let mut sql = tx.sql("DELETE FROM ");
        sql.push(table).push(" WHERE tenant_id = ").bind(tx.tenant_id());
        sql.push(" AND ecosystem = ").bind(account.ecosystem).push(" AND ");
        sql.push(name).push(" = ").bind(account.connection);
        removed |= tx.execute(sql).await?.rows_affected() > 0;
    }
    Ok(removed)
}

/// The tokens of an account, sealed.
#[derive(Clone, Debug, PartialEq, FromQueryResult)]
pub struct Token {
    pub id: Uuid,
    pub key_id: String,
    pub access_token: Option<Vec<u8>>,
    pub refresh_token: Option<Vec<u8>>,
    pub scope: Option<String>,
    /// When the access token ends.
    pub expires_at: Option<DateTime<Utc>>,
    /// When the refresh token ends, where the vendor tells.
    pub refresh_expires_at: Option<DateTime<Utc>>,
    /// When these were stored; `put_token` writes its own.
    pub updated_at: DateTime<Utc>,
}

/// The tokens of an account. Read where they are written, so that nobody gets those before.
pub async fn token(tenant: &Tenant, account: impl Into<Account<'_>>) -> Result<Option<Token>> {
    let account = account.into();
    let mut sql = tenant.sql(
        "SELECT id, key_id, access_token, refresh_token, scope, expires_at, refresh_expires_at, updated_at \
         FROM oauth_tokens WHERE tenant_id = ",
    );
    sql.bind(tenant.id()).push(" AND ecosystem = ").bind(account.ecosystem);
    sql.push(" AND account = ").bind(account.connection);
    Ok(Token::find_by_statement(sql.statement()).one(&tenant.write()).await?)
}

/// What may be known of an account's tokens without opening them.
#[derive(Clone, Debug, PartialEq, FromQueryResult)]
pub struct TokenFacts {
    pub ecosystem: String,
    pub account: String,
    pub scope: Option<String>,
    pub refresh_expires_at: Option<DateTime<Utc>>,
}

/// The facts of all accounts.
pub async fn token_facts(tenant: &Tenant) -> Result<Vec<TokenFacts>> {
    let mut sql =
        tenant.sql("SELECT ecosystem, account, scope, refresh_expires_at FROM oauth_tokens WHERE tenant_id = ");
    sql.bind(tenant.id());
    Ok(TokenFacts::find_by_statement(sql.statement()).all(&tenant.read()).await?)
}

/// Stores new tokens in the place of those before. It is durable when this returns.
pub async fn put_token(tenant: &Tenant, account: Account<'_>, token: Token, now: DateTime<Utc>) -> Result<()> {
    let tx = tenant.begin().await?;
    write_token(&tx, account, token, now).await?;
    tx.commit().await
}

async fn write_token(tx: &Tx, account: Account<'_>, token: Token, now: DateTime<Utc>) -> Result<()> {
    let mut sql = tx.sql(
        "INSERT INTO oauth_tokens (id, tenant_id, ecosystem, account, key_id, access_token, refresh_token, scope, \
         expires_at, refresh_expires_at, created_at, updated_at) VALUES (",
    );
    sql.bind(token.id).push(", ").bind(tx.tenant_id()).push(", ").bind(account.ecosystem);
    sql.push(", ").bind(account.connection).push(", ");
    sql.bind(token.key_id).push(", ").bind(token.access_token).push(", ").bind(token.refresh_token).push(", ");
    sql.bind(token.scope).push(", ").bind(token.expires_at.map(micros));
    sql.push(", ").bind(token.refresh_expires_at.map(micros)).push(", ").bind(micros(now)).push(", ");
    sql.bind(micros(now)).push(
        ") ON CONFLICT (tenant_id, ecosystem, account) DO UPDATE SET id = excluded.id, key_id = excluded.key_id, \
         access_token = excluded.access_token, refresh_token = excluded.refresh_token, \
         scope = COALESCE(excluded.scope, oauth_tokens.scope), expires_at = excluded.expires_at, \
         refresh_expires_at = excluded.refresh_expires_at, updated_at = excluded.updated_at",
    );
    tx.execute(sql).await?;
    Ok(())
}
