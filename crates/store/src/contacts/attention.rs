//! Going over all contacts cheaply, and those that need somebody's attention.

use chrono::{DateTime, Utc};
use sea_orm::{DbErr, FromQueryResult, QueryResult};

use super::{ContactRow, strings};
use crate::sql::Sql;
use crate::{Result, Tenant};

/// What scores and insights read of a contact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Brief {
    pub id: i64,
    pub vendor_id: String,
    pub name: Option<String>,
    pub company: Option<String>,
    pub email: Option<String>,
    pub phone: Option<String>,
    pub kind: Option<String>,
    /// The vendor's tags and our own.
    pub tags: Vec<String>,
    pub created_at: Option<DateTime<Utc>>,
    pub last_activity: Option<DateTime<Utc>>,
    pub importance: i16,
    pub last_interaction: Option<DateTime<Utc>>,
    pub interaction_count: i64,
}

impl FromQueryResult for Brief {
    fn from_query_result(row: &QueryResult, prefix: &str) -> Result<Self, DbErr> {
        let mut tags = strings(row.try_get(prefix, "tags")?);
        tags.extend(strings(row.try_get(prefix, "custom_tags")?));
        Ok(Self {
            id: row.try_get(prefix, "id")?,
            vendor_id: row.try_get(prefix, "vendor_id")?,
            name: row.try_get(prefix, "name")?,
            company: row.try_get(prefix, "company")?,
            email: row.try_get(prefix, "email")?,
            phone: row.try_get(prefix, "phone")?,
            kind: row.try_get(prefix, "kind")?,
            tags,
            created_at: row.try_get(prefix, "created_at")?,
            last_activity: row.try_get(prefix, "last_activity")?,
            importance: row.try_get(prefix, "importance")?,
            last_interaction: row.try_get(prefix, "last_interaction")?,
            interaction_count: row.try_get(prefix, "interaction_count")?,
        })
    }
}

/// The next contacts by id, for a walk over all of them that needs the same memory however many there are. Begin after
/// 0; an empty answer is the end. Deleted contacts are left out.
pub async fn walk(tenant: &Tenant, after: i64, limit: u64) -> Result<Vec<Brief>> {
    let mut sql = tenant.sql(
        "SELECT c.id, c.vendor_id, c.name, c.company, c.email, c.phone, c.kind, c.tags, x.custom_tags, c.created_at, \
         c.last_activity, c.importance, x.last_interaction, x.interaction_count \
         FROM contacts c JOIN contact_context x ON x.contact_id = c.id WHERE c.tenant_id = ",
    );
    sql.bind(tenant.id()).push(" AND c.deleted_at IS NULL AND c.id > ").bind(after);
    sql.push(" ORDER BY c.id").limit(limit as i64);
    Ok(Brief::find_by_statement(sql.statement()).all(&tenant.read()).await?)
}

/// What the importance of a contact is computed from, and what it is now.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
pub struct Scored {
    pub id: i64,
    pub kind: Option<String>,
    pub last_activity: Option<DateTime<Utc>>,
    pub importance: i16,
    /// The vendor's tags or our own.
    pub has_tags: bool,
}

/// The same walk as [`walk`] with as little as the importance needs.
pub async fn scored(tenant: &Tenant, after: i64, limit: u64) -> Result<Vec<Scored>> {
    let mut sql = tenant.sql(
        "SELECT c.id, c.kind, c.last_activity, c.importance, \
         (CAST(c.tags AS TEXT) <> '[]' OR CAST(x.custom_tags AS TEXT) <> '[]') AS has_tags \
         FROM contacts c JOIN contact_context x ON x.contact_id = c.id WHERE c.tenant_id = ",
    );
    sql.bind(tenant.id()).push(" AND c.deleted_at IS NULL AND c.id > ").bind(after);
    sql.push(" ORDER BY c.id").limit(limit as i64);
    Ok(Scored::find_by_statement(sql.statement()).all(&tenant.read()).await?)
}

/// When a contact of some importance has waited too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    pub importance_min: i16,
    /// No interaction since then, or none at all.
    pub since: DateTime<Utc>,
}

/// Contacts that have waited too long by any of the rules: the most important first, of these the longest silent. Also
/// how many there are in all.
pub async fn waiting(tenant: &Tenant, rules: &[Patience], limit: u64) -> Result<(Vec<ContactRow>, u64)> {
    #[derive(FromQueryResult)]
    struct Count {
        contacts: i64,
    }
    let mut sql = tenant.sql("SELECT COUNT(*) AS contacts");
    too_long(&mut sql, tenant, rules);
    let count = Count::find_by_statement(sql.statement()).one(&tenant.read()).await?;
    let mut sql = tenant.sql("SELECT ");
    too_long(sql.push(ContactRow::COLUMNS), tenant, rules);
    sql.push(" ORDER BY c.importance DESC, x.last_interaction NULLS FIRST, c.id DESC").limit(limit as i64);
    let rows = ContactRow::find_by_statement(sql.statement()).all(&tenant.read()).await?;
    Ok((rows, count.map_or(0, |count| count.contacts.max(0) as u64)))
}

fn too_long(sql: &mut Sql, tenant: &Tenant, rules: &[Patience]) {
    sql.push(" FROM contacts c JOIN contact_context x ON x.contact_id = c.id WHERE c.tenant_id = ").bind(tenant.id());
    sql.push(" AND c.deleted_at IS NULL AND (FALSE");
    for rule in rules {
        sql.push(" OR (c.importance >= ").bind(rule.importance_min);
        sql.push(" AND (x.last_interaction IS NULL OR x.last_interaction < ").bind(rule.since).push("))");
    }
    sql.push(")");
}
