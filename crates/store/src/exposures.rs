//! Which agents have texts in their context that anybody may have written.

use chrono::{DateTime, Utc};
use sea_orm::FromQueryResult;
use sea_orm::prelude::*;

use crate::{Result, System, Tenant, micros};

/// What an agent read last.
#[derive(Clone, Debug, PartialEq, FromQueryResult)]
pub struct Exposure {
    pub tool_name: String,
    pub execution_id: Uuid,
    pub read_at: DateTime<Utc>,
}

/// Notes that an agent has read such texts. The latest counts.
pub async fn note(tenant: &Tenant, agent: &str, exposure: &Exposure) -> Result<()> {
    let mut sql = tenant.sql("INSERT INTO exposures (tenant_id, agent_id, tool_name, execution_id, read_at) VALUES (");
    sql.bind(tenant.id()).push(", ").bind(agent).push(", ").bind(exposure.tool_name.as_str()).push(", ");
    sql.bind(exposure.execution_id).push(", ").bind(micros(exposure.read_at));
    sql.push(
        ") ON CONFLICT (tenant_id, agent_id) DO UPDATE SET tool_name = excluded.tool_name, \
         execution_id = excluded.execution_id, read_at = excluded.read_at",
    );
    tenant.write().execute_raw(sql.statement()).await?;
    Ok(())
}

/// What an agent read after `since`, the latest.
pub async fn of(tenant: &Tenant, agent: &str, since: DateTime<Utc>) -> Result<Option<Exposure>> {
    let mut sql = tenant.sql("SELECT tool_name, execution_id, read_at FROM exposures WHERE tenant_id = ");
    sql.bind(tenant.id()).push(" AND agent_id = ").bind(agent).push(" AND read_at > ").bind(micros(since));
    Ok(Exposure::find_by_statement(sql.statement()).one(&tenant.read()).await?)
}

/// Forgets what was read before.
pub async fn purge(system: &System, before: DateTime<Utc>) -> Result<u64> {
    let mut sql = system.sql("DELETE FROM exposures WHERE read_at <= ");
    sql.bind(micros(before));
    Ok(system.write().execute_raw(sql.statement()).await?.rows_affected())
}
