//! Whether recommendations were acted on, and what came of it.

use chrono::{DateTime, Utc};
use sea_orm::prelude::*;
use sea_orm::{QueryOrder, QuerySelect, QueryTrait};

pub use crate::entities::recommendation_outcomes::Model as RecommendationOutcome;
use crate::entities::recommendation_outcomes::{Column, Entity};
use crate::text::{clean, clean_option};
use crate::{Result, Tenant, micros};

/// Keeps an outcome. None: the tenant has no such contact.
pub async fn record(
    tenant: &Tenant,
    contact_id: i64,
    recommendation: &str,
    acted: bool,
    outcome: Option<&str>,
    now: DateTime<Utc>,
) -> Result<Option<Uuid>> {
    let id = Uuid::now_v7();
    let mut sql = tenant.sql(
        "INSERT INTO recommendation_outcomes (id, tenant_id, contact_id, recommendation, acted, outcome, at) SELECT ",
    );
    sql.bind(id).push(", tenant_id, id, ").bind(clean(recommendation).into_owned()).push(", ").bind(acted);
    sql.push(", ").bind(clean_option(outcome)).push(", ").bind(micros(now)).push(" FROM contacts WHERE id = ");
    sql.bind(contact_id).push(" AND tenant_id = ").bind(tenant.id());
    let stored = tenant.write().execute_raw(sql.statement()).await?.rows_affected() > 0;
    Ok(stored.then_some(id))
}

/// Outcomes, newest first; of one contact if `contact_id` names it.
pub async fn list(tenant: &Tenant, contact_id: Option<i64>, limit: u64) -> Result<Vec<RecommendationOutcome>> {
    let query = Entity::find()
        .filter(Column::TenantId.eq(tenant.id()))
        .apply_if(contact_id, |query, contact| query.filter(Column::ContactId.eq(contact)));
    Ok(query.order_by_desc(Column::At).order_by_desc(Column::Id).limit(limit).all(&tenant.read()).await?)
}
