//! Mails that were copied and the contacts they belong to: each with each contact that has one of its addresses.

use chrono::{DateTime, Utc};
use sea_orm::FromQueryResult;
use serde_json::Value;

use crate::interactions::{self, NewInteraction};
use crate::{Backend, Result, Tenant};

/// Interactions in one transaction. While one is open, the embedded database writes nothing else.
const AT_ONCE: i64 = 100;

#[derive(FromQueryResult)]
struct Unlinked {
    ecosystem: String,
    vendor_id: String,
    data: Value,
    subject: Option<String>,
    sent_at: DateTime<Utc>,
    outbound: bool,
    contact_id: i64,
}

/// Makes an interaction of every mail that shares an address with a contact of the ecosystem `home` and is none yet,
/// whichever of the two came first. Of several contacts with one address the oldest counts. Returns how many it made.
pub async fn link(tenant: &Tenant, home: &str) -> Result<u64> {
    let mut made = 0;
    loop {
        let rows = unlinked(tenant, home).await?;
        let few = (rows.len() as i64) < AT_ONCE;
        let new = interactions::upsert_batch(tenant, &rows.into_iter().map(interaction).collect::<Vec<_>>()).await?;
        made += new;
        // Without progress there would be no end.
        if few || new == 0 {
            return Ok(made);
        }
    }
}

async fn unlinked(tenant: &Tenant, home: &str) -> Result<Vec<Unlinked>> {
    let addresses = match tenant.store().backend() {
        Backend::Postgres => "CROSS JOIN LATERAL jsonb_array_elements_text(m.others) AS a(value)",
        Backend::Sqlite => "CROSS JOIN json_each(m.others) AS a",
    };
    let mut sql = tenant.sql(
        "SELECT m.ecosystem, m.vendor_id, m.data, m.subject, m.sent_at, m.outbound, c.id AS contact_id \
         FROM messages m ",
    );
    sql.push(addresses).push(" JOIN (SELECT lower(email) AS address, MIN(id) AS id FROM contacts WHERE tenant_id = ");
    sql.bind(tenant.id()).push(" AND ecosystem = ").bind(home);
    sql.push(" AND deleted_at IS NULL AND email <> '' GROUP BY lower(email)) c ON c.address = a.value");
    sql.push(" WHERE m.deleted_at IS NULL AND m.tenant_id = ").bind(tenant.id());
    sql.push(
        " AND NOT EXISTS (SELECT 1 FROM interaction_history h WHERE h.tenant_id = m.tenant_id \
         AND h.ecosystem = m.ecosystem AND h.vendor_id = m.vendor_id || ':' || c.id)",
    );
    sql.limit(AT_ONCE);
    Ok(Unlinked::find_by_statement(sql.statement()).all(&tenant.read()).await?)
}

fn interaction(mail: Unlinked) -> NewInteraction {
    NewInteraction {
        contact_id: mail.contact_id,
        timestamp: mail.sent_at,
        interaction_type: "email".into(),
        direction: Some(if mail.outbound { "outbound" } else { "inbound" }.into()),
        description: mail.subject,
        extra_data: Some(mail.data),
        vendor_id: format!("{}:{}", mail.vendor_id, mail.contact_id),
        ecosystem: mail.ecosystem,
    }
}
