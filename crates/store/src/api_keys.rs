//! Keys of programs. The key itself is shown once and never stored; its SHA-256 finds the row.

use chrono::{DateTime, Duration, Utc};
use sea_orm::prelude::*;
use sea_orm::{FromQueryResult, QueryOrder};
use serde_json::Value;

use crate::chain::canonical_json;
pub use crate::entities::api_keys::Model as ApiKey;
use crate::entities::api_keys::{Column, Entity};
use crate::{Result, StoreError, System, Tenant, micros};

/// A key to be stored.
#[derive(Clone, Debug, PartialEq)]
pub struct NewApiKey {
    pub id: Uuid,
    pub name: String,
    /// The first characters, so that people recognise it.
    pub prefix: String,
    /// SHA-256 of the key, in hex.
    pub hash: String,
    pub scopes: Value,
    /// Ecosystems; `None` is all.
    pub toolsets: Option<Value>,
    pub expires_at: Option<DateTime<Utc>>,
}

/// Stores a key. An error with `is_duplicate` says that this very key is there already.
pub async fn create(tenant: &Tenant, key: NewApiKey, now: DateTime<Utc>) -> Result<ApiKey> {
    let mut sql = tenant.sql(
        "INSERT INTO api_keys (id, tenant_id, name, prefix, hash, scopes, toolsets, created_at, expires_at) VALUES (",
    );
    sql.bind(key.id).push(", ").bind(tenant.id()).push(", ").bind(key.name).push(", ").bind(key.prefix);
    sql.push(", ").bind(key.hash).push(", ").bind_json(Some(canonical_json(&key.scopes)));
    sql.push(", ").bind_json(key.toolsets.as_ref().map(canonical_json));
    sql.push(", ").bind(micros(now)).push(", ").bind(key.expires_at.map(micros)).push(") RETURNING *");
    let key = ApiKey::find_by_statement(sql.statement()).one(&tenant.write()).await?;
    key.ok_or_else(|| StoreError::Decode("a key vanished while it was stored".into()))
}

/// The key of this hash, of whatever tenant, revoked and expired ones too: the caller says why it refuses.
pub async fn by_hash(system: &System, hash: &str) -> Result<Option<ApiKey>> {
    Ok(Entity::find().filter(Column::Hash.eq(hash)).one(&system.read()).await?)
}

/// A key by its id, revoked and expired ones too.
pub async fn get(tenant: &Tenant, id: Uuid) -> Result<Option<ApiKey>> {
    Ok(Entity::find_by_id(id).filter(Column::TenantId.eq(tenant.id())).one(&tenant.read()).await?)
}

/// All keys of a tenant, oldest first.
pub async fn list(tenant: &Tenant) -> Result<Vec<ApiKey>> {
    let query = Entity::find().filter(Column::TenantId.eq(tenant.id()));
    Ok(query.order_by_asc(Column::CreatedAt).order_by_asc(Column::Id).all(&tenant.read()).await?)
}

/// Revokes a key. False: the tenant has no such key, or it was revoked before.
pub async fn revoke(tenant: &Tenant, id: Uuid, now: DateTime<Utc>) -> Result<bool> {
    let mut sql = tenant.sql("UPDATE api_keys SET revoked_at = ");
    sql.bind(micros(now)).push(" WHERE tenant_id = ").bind(tenant.id()).push(" AND id = ").bind(id);
    sql.push(" AND revoked_at IS NULL");
    Ok(tenant.write().execute_raw(sql.statement()).await?.rows_affected() > 0)
}

/// Makes a revoked key good again.
pub async fn restore(tenant: &Tenant, id: Uuid) -> Result<()> {
    let mut sql = tenant.sql("UPDATE api_keys SET revoked_at = NULL WHERE tenant_id = ");
    sql.bind(tenant.id()).push(" AND id = ").bind(id);
    tenant.write().execute_raw(sql.statement()).await?;
    Ok(())
}

/// Notes that a key was used, at most once a minute, so that busy keys do not write at every call.
pub async fn touch(tenant: &Tenant, id: Uuid, now: DateTime<Utc>) -> Result<()> {
    let mut sql = tenant.sql("UPDATE api_keys SET last_used_at = ");
    sql.bind(micros(now)).push(" WHERE tenant_id = ").bind(tenant.id()).push(" AND id = ").bind(id);
    sql.push(" AND (last_used_at IS NULL OR last_used_at < ").bind(micros(now - Duration::minutes(1))).push(")");
    tenant.write().execute_raw(sql.statement()).await?;
    Ok(())
}
