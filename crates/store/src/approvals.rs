//! Approvals: calls that wait for a person. Each change of state is one UPDATE that names the state before it, so that of
//! two who decide, or two who execute, one wins.

use chrono::{DateTime, Utc};
use sea_orm::prelude::*;
use sea_orm::{ConnectionTrait, FromQueryResult, QueryTrait};
use serde_json::Value;

use crate::chain::canonical_json;
pub use crate::entities::approvals::{ApprovalState, Model as Approval};
use crate::entities::approvals::{Column, Entity};
use crate::pages::{Page, newest};
use crate::sql::Sql;
use crate::text::clean_option;
use crate::{Result, StoreError, System, Tenant, Tx, micros};

/// A call to be approved.
#[derive(Clone, Debug, PartialEq)]
pub struct NewApproval {
    pub id: Uuid,
    pub tool_name: String,
    /// The hash of the tool's schema.
    pub tool_version: String,
    pub arguments: Value,
    /// SHA-256 of the canonical arguments, in hex.
    pub arguments_hash: String,
    pub effect: String,
    pub requester: Value,
    pub reason: Option<String>,
    pub expires_at: DateTime<Utc>,
    /// The call that asked.
    pub execution_id: Option<Uuid>,
    /// How people are asked, where it is not one of anybody.
    pub asks: Option<Value>,
    /// What the call would change, as far as that can be told.
    pub plan: Option<Value>,
}

/// What a person makes of a call before it is decided.
#[derive(Clone, Debug, PartialEq)]
pub struct Modified {
    pub arguments: Value,
    pub arguments_hash: String,
    pub effect: String,
    pub reason: Option<String>,
    pub asks: Option<Value>,
    pub plan: Option<Value>,
}

/// What a person said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    Approve,
    Reject,
}

/// Stores an approval, pending, or gives the one that the same requester waits for already, for the very same call. Of many
/// who ask at once, in this process or another, one makes it.
pub async fn create(tenant: &Tenant, approval: NewApproval, now: DateTime<Utc>) -> Result<Approval> {
    let key = Key::of(&approval);
    expire(tenant, &key, now).await?;
    // The one that stood in the way may be decided before it is read; then there is room for a new one.
    for _ in 0..10 {
        if let Some(made) = changed(tenant, insert(tenant, &approval, now)).await? {
            return Ok(made);
        }
        if let Some(there) = waiting(tenant, &key).await? {
            return Ok(there);
        }
    }
    Err(StoreError::Decode("an approval comes and goes faster than it can be read".into()))
}

/// What makes two approvals the same, beside the tenant; the index `approvals_once` has the same columns.
struct Key {
    tool_name: String,
    tool_version: String,
    arguments_hash: String,
    requester: Option<String>,
}

impl Key {
    fn of(approval: &NewApproval) -> Key {
        Key {
            tool_name: approval.tool_name.clone(),
            tool_version: approval.tool_version.clone(),
            arguments_hash: approval.arguments_hash.clone(),
            requester: approval.requester["id"].as_str().map(str::to_owned),
        }
    }

    fn condition(&self, sql: &mut Sql, tenant: &Tenant) {
        sql.push(" WHERE state = 'pending' AND tenant_id = ").bind(tenant.id());
        sql.push(" AND tool_name = ").bind(self.tool_name.as_str());
        sql.push(" AND tool_version = ").bind(self.tool_version.as_str());
        sql.push(" AND arguments_hash = ").bind(self.arguments_hash.as_str());
        sql.push(" AND (requester ->> 'id') = ").bind(self.requester.clone());
    }
}

fn insert(tenant: &Tenant, approval: &NewApproval, now: DateTime<Utc>) -> Sql {
    let mut sql = tenant.sql(
        "INSERT INTO approvals (id, tenant_id, tool_name, tool_version, arguments, arguments_hash, effect, requester, \
         reason, state, created_at, expires_at, execution_id, asks, plan) VALUES (",
    );
    sql.bind(approval.id).push(", ").bind(tenant.id()).push(", ").bind(approval.tool_name.as_str()).push(", ");
    sql.bind(approval.tool_version.as_str()).push(", ").bind_json(Some(canonical_json(&approval.arguments))).push(", ");
    sql.bind(approval.arguments_hash.as_str()).push(", ").bind(approval.effect.as_str()).push(", ");
    sql.bind_json(Some(canonical_json(&approval.requester))).push(", ");
    sql.bind(clean_option(approval.reason.as_deref())).push(", 'pending', ").bind(micros(now)).push(", ");
    sql.bind(micros(approval.expires_at)).push(", ").bind(approval.execution_id).push(", ");
    sql.bind_json(approval.asks.as_ref().map(canonical_json)).push(", ");
    sql.bind_json(approval.plan.as_ref().map(canonical_json));
    sql.push(
        ") ON CONFLICT (tenant_id, tool_name, tool_version, arguments_hash, (requester ->> 'id')) \
         WHERE state = 'pending' DO NOTHING RETURNING *",
    );
    sql
}

/// One whose time is over and that nobody has marked yet must not stand in the way.
async fn expire(tenant: &Tenant, key: &Key, now: DateTime<Utc>) -> Result<()> {
    let mut sql = tenant.sql("UPDATE approvals SET state = 'expired'");
    key.condition(&mut sql, tenant);
    sql.push(" AND expires_at <= ").bind(now);
    tenant.write().execute_raw(sql.statement()).await?;
    Ok(())
}

async fn waiting(tenant: &Tenant, key: &Key) -> Result<Option<Approval>> {
    let mut sql = tenant.sql("SELECT * FROM approvals");
    key.condition(&mut sql, tenant);
    Ok(Approval::find_by_statement(sql.statement()).one(&tenant.write()).await?)
}

/// Decides, if the approval is still pending and has not expired. None: it was decided before, has expired, or the tenant
/// has no such approval; [`get`] says which.
pub async fn decide(
    tenant: &Tenant,
    id: Uuid,
    decision: Decision,
    decided_by: &Value,
    note: Option<&str>,
    now: DateTime<Utc>,
) -> Result<Option<Approval>> {
    let tx = tenant.begin().await?;
    let decided = decide_in(&tx, (id, None), decision, decided_by, note, now).await?;
    tx.commit().await?;
    Ok(decided)
}

/// [`decide`] within a transaction, so that what follows from the decision is committed with it. With the hash of the
/// arguments that were looked at, others are not decided.
pub async fn decide_in(
    tx: &Tx,
    (id, seen): (Uuid, Option<&str>),
    decision: Decision,
    decided_by: &Value,
    note: Option<&str>,
    now: DateTime<Utc>,
) -> Result<Option<Approval>> {
    let state = match decision {
        Decision::Approve => ApprovalState::Approved,
        Decision::Reject => ApprovalState::Rejected,
    };
    let mut sql = tx.sql("UPDATE approvals SET state = ");
    sql.bind(state.as_str()).push(", decided_at = ").bind(micros(now)).push(", decided_by = ");
    sql.bind_json(Some(canonical_json(decided_by))).push(", note = ").bind(clean_option(note));
    still_pending(&mut sql, tx, (id, seen), now).push(" RETURNING *");
    Ok(Approval::find_by_statement(sql.statement()).one(tx.connection()).await?)
}

fn still_pending<'a>(sql: &'a mut Sql, tx: &Tx, (id, seen): (Uuid, Option<&str>), now: DateTime<Utc>) -> &'a mut Sql {
    from_state(sql, tx.tenant_id(), id, "pending").push(" AND expires_at > ").bind(now);
    match seen {
        Some(hash) => sql.push(" AND arguments_hash = ").bind(hash),
        None => sql,
    }
}

/// Changes what is asked for, if it is still what was looked at. Whoever said yes before has to say it again. None: it
/// is decided, has expired, or has been changed by somebody else.
pub async fn modify(
    tenant: &Tenant,
    (id, seen): (Uuid, &str),
    modified: &Modified,
    by: &Value,
    now: DateTime<Utc>,
) -> Result<Option<Approval>> {
    let tx = tenant.begin().await?;
    let mut sql = tx.sql("UPDATE approvals SET asked_arguments = COALESCE(asked_arguments, arguments), arguments = ");
    sql.bind_json(Some(canonical_json(&modified.arguments))).push(", arguments_hash = ");
    sql.bind(modified.arguments_hash.as_str()).push(", effect = ").bind(modified.effect.as_str());
    sql.push(", reason = ").bind(clean_option(modified.reason.as_deref())).push(", asks = ");
    sql.bind_json(modified.asks.as_ref().map(canonical_json)).push(", plan = ");
    sql.bind_json(modified.plan.as_ref().map(canonical_json)).push(", modified_by = ");
    sql.bind_json(Some(canonical_json(by)));
    still_pending(&mut sql, &tx, (id, Some(seen)), now).push(" RETURNING *");
    let changed = Approval::find_by_statement(sql.statement()).one(tx.connection()).await?;
    let mut sql = tx.sql("DELETE FROM approval_votes WHERE tenant_id = ");
    sql.bind(tx.tenant_id()).push(" AND approval_id = ").bind(id);
    if changed.is_some() {
        tx.execute(sql).await?;
    }
    tx.commit().await?;
    Ok(changed)
}

/// Notes that somebody says yes, once, and gives how many have by now. None: it is not pending any more. Others who vote
/// on it wait for the end of the transaction, so that one of them is the last.
pub async fn vote_in(
    tx: &Tx,
    (id, seen): (Uuid, Option<&str>),
    voter: &Value,
    note: Option<&str>,
    now: DateTime<Utc>,
) -> Result<Option<u64>> {
    #[derive(FromQueryResult)]
    struct Votes {
        votes: i64,
    }
    let mut sql = tx.sql("UPDATE approvals SET state = state");
    still_pending(&mut sql, tx, (id, seen), now);
    if tx.execute(sql).await?.rows_affected() == 0 {
        return Ok(None);
    }
    let mut sql =
        tx.sql("INSERT INTO approval_votes (tenant_id, approval_id, voter_id, voter, note, voted_at) VALUES (");
    sql.bind(tx.tenant_id()).push(", ").bind(id).push(", ").bind(voter["id"].as_str().unwrap_or_default()).push(", ");
    sql.bind_json(Some(canonical_json(voter))).push(", ").bind(clean_option(note)).push(", ").bind(micros(now));
    sql.push(") ON CONFLICT (approval_id, voter_id) DO NOTHING");
    tx.execute(sql).await?;
    let mut sql = tx.sql("SELECT COUNT(*) AS votes FROM approval_votes WHERE tenant_id = ");
    sql.bind(tx.tenant_id()).push(" AND approval_id = ").bind(id);
    let votes = Votes::find_by_statement(sql.statement()).one(tx.connection()).await?;
    Ok(Some(votes.map_or(0, |row| row.votes as u64)))
}

/// The requester withdraws what is still pending.
pub async fn cancel(tenant: &Tenant, id: Uuid, note: Option<&str>, now: DateTime<Utc>) -> Result<Option<Approval>> {
    let mut sql = tenant.sql("UPDATE approvals SET state = 'cancelled', decided_at = ");
    sql.bind(micros(now)).push(", note = ").bind(clean_option(note));
    from_state(&mut sql, tenant.id(), id, "pending").push(" RETURNING *");
    changed(tenant, sql).await
}

/// Takes an approved call for execution; only one taker gets it. An approval that has expired since is not given out.
pub async fn take(tenant: &Tenant, id: Uuid, now: DateTime<Utc>) -> Result<Option<Approval>> {
    let mut sql = tenant.sql("UPDATE approvals SET state = 'executing'");
    from_state(&mut sql, tenant.id(), id, "approved").push(" AND expires_at > ").bind(now).push(" RETURNING *");
    changed(tenant, sql).await
}

/// Writes what became of the execution: `Executed`, `Failed` or `Unknown`. Unknown may be settled later.
pub async fn finish(
    tenant: &Tenant,
    id: Uuid,
    state: ApprovalState,
    result_execution_id: Option<Uuid>,
    result: Option<&Value>,
) -> Result<Option<Approval>> {
    let mut sql = tenant.sql("UPDATE approvals SET state = ");
    sql.bind(state.as_str()).push(", result_execution_id = ").bind(result_execution_id).push(", result = ");
    sql.bind_json(result.map(canonical_json)).push(" WHERE tenant_id = ").bind(tenant.id()).push(" AND id = ").bind(id);
    sql.push(" AND state IN ('executing', 'unknown') RETURNING *");
    changed(tenant, sql).await
}

/// Marks what nobody decided, or nobody executed, in time. Silence is never consent.
pub async fn expire_due(system: &System, now: DateTime<Utc>) -> Result<Vec<Approval>> {
    let mut sql =
        system.sql("UPDATE approvals SET state = 'expired' WHERE state IN ('pending', 'approved') AND expires_at <= ");
    sql.bind(now).push(" RETURNING *");
    Ok(Approval::find_by_statement(sql.statement()).all(&system.write()).await?)
}

/// One approval.
pub async fn get(tenant: &Tenant, id: Uuid) -> Result<Option<Approval>> {
    Ok(Entity::find_by_id(id).filter(Column::TenantId.eq(tenant.id())).one(&tenant.read()).await?)
}

/// Approvals, newest first; in one state if `state` names it.
pub async fn list(
    tenant: &Tenant,
    state: Option<ApprovalState>,
    limit: u64,
    cursor: Option<&str>,
) -> Result<Page<Approval>> {
    let query = Entity::find()
        .filter(Column::TenantId.eq(tenant.id()))
        .apply_if(state, |query, state| query.filter(Column::State.eq(state)));
    let place = |row: &Approval| (row.created_at, row.id);
    newest(tenant, query, (Column::CreatedAt, Column::Id), place, (limit, cursor)).await
}

/// How many are pending and have not expired.
pub async fn pending(tenant: &Tenant, now: DateTime<Utc>) -> Result<u64> {
    let query = Entity::find()
        .filter(Column::TenantId.eq(tenant.id()))
        .filter(Column::State.eq(ApprovalState::Pending))
        .filter(Column::ExpiresAt.gt(micros(now)));
    Ok(query.count(&tenant.read()).await?)
}

fn from_state<'a>(sql: &'a mut Sql, tenant: &str, id: Uuid, state: &str) -> &'a mut Sql {
    sql.push(" WHERE tenant_id = ").bind(tenant).push(" AND id = ").bind(id).push(" AND state = ").bind(state)
}

async fn changed(tenant: &Tenant, sql: Sql) -> Result<Option<Approval>> {
    Ok(Approval::find_by_statement(sql.statement()).one(&tenant.write()).await?)
}
