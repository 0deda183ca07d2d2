use chrono::{DateTime, Utc};
use sea_orm::prelude::*;
use sea_orm::{DbBackend, FromQueryResult};

use super::strings;
use super::upsert::{SearchFields, build_search_text, json_list};
use crate::text::{clean, clean_option, merged};
use crate::{Result, Tenant, Tx, micros, nicknames};

/// What a person wants to remember of a contact. Fields that are None stay as they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContextChange {
    pub add_nicknames: Vec<String>,
    /// Only people's own; generated ones come back with the next sync anyway.
    pub remove_nicknames: Vec<String>,
    pub personal_notes: Option<String>,
    pub company_info: Option<String>,
    pub relationship_notes: Option<String>,
    pub add_tags: Vec<String>,
    pub remove_tags: Vec<String>,
}

#[derive(FromQueryResult)]
struct Current {
    name: Option<String>,
    first_name: Option<String>,
    company: Option<String>,
    email: Option<String>,
    phone: Option<String>,
    extra_text: Option<String>,
    tags: Json,
    own_nicknames: Json,
    custom_tags: Json,
    company_info: Option<String>,
}

/// Writes what people know, so that the contact is found by it at once. False: the tenant has no such contact.
pub async fn save_context(tenant: &Tenant, contact_id: i64, change: ContextChange, now: DateTime<Utc>) -> Result<bool> {
    let tx = tenant.begin().await?;
    let Some(current) = current(&tx, contact_id).await? else { return Ok(false) };
    let own = edited(strings(current.own_nicknames), &change.add_nicknames, &change.remove_nicknames);
    let custom_tags = edited(strings(current.custom_tags), &change.add_tags, &change.remove_tags);
    let all = merged(nicknames(current.first_name.as_deref(), current.company.as_deref()), own.clone());
    let company_info = change.company_info.as_deref().or(current.company_info.as_deref());
    let search_text = build_search_text(&SearchFields {
        name: current.name.as_deref(),
        first_name: current.first_name.as_deref(),
        company: current.company.as_deref(),
        email: current.email.as_deref(),
        phone: current.phone.as_deref(),
        extra: current.extra_text.as_deref(),
        company_info,
        lists: &[&own, &strings(current.tags), &custom_tags],
    });
    let mut sql = tx.sql("UPDATE contacts SET search_text = ");
    sql.bind(search_text).push(" WHERE tenant_id = ").bind(tx.tenant_id()).push(" AND id = ").bind(contact_id);
    tx.execute(sql).await?;

    let mut sql = tx.sql("UPDATE contact_context SET nicknames = ");
    sql.bind_json(Some(json_list(&all))).push(", own_nicknames = ").bind_json(Some(json_list(&own)));
    sql.push(", custom_tags = ").bind_json(Some(json_list(&custom_tags)));
    for (column, text) in [
        (", personal_notes = COALESCE(", change.personal_notes.as_deref()),
        (", company_info = COALESCE(", change.company_info.as_deref()),
        (", relationship_notes = COALESCE(", change.relationship_notes.as_deref()),
    ] {
        let name = column.trim_start_matches(", ").split(' ').next().unwrap_or_default();
        sql.push(column).bind(clean_option(text)).push(", ").push(name).push(")");
    }
    sql.push(", updated_at = ").bind(micros(now)).push(" WHERE tenant_id = ").bind(tx.tenant_id());
    sql.push(" AND contact_id = ").bind(contact_id);
    tx.execute(sql).await?;
    tx.commit().await?;
    Ok(true)
}

async fn current(tx: &Tx, contact_id: i64) -> Result<Option<Current>> {
    let mut sql = tx.sql(
        "SELECT c.name, c.first_name, c.company, c.email, c.phone, c.extra_text, c.tags, x.own_nicknames, \
         x.custom_tags, x.company_info FROM contacts c JOIN contact_context x ON x.contact_id = c.id \
         WHERE c.tenant_id = ",
    );
    sql.bind(tx.tenant_id()).push(" AND c.id = ").bind(contact_id);
    if sql.backend() == DbBackend::Postgres {
        sql.push(" FOR UPDATE OF c");
    }
    Ok(Current::find_by_statement(sql.statement()).one(tx.connection()).await?)
}

fn edited(list: Vec<String>, add: &[String], remove: &[String]) -> Vec<String> {
    let tidy = |text: &String| clean(text.trim()).to_lowercase();
    let remove: Vec<String> = remove.iter().map(tidy).collect();
    let kept = list.into_iter().filter(|text| !remove.contains(text));
    merged(kept, add.iter().map(tidy).filter(|text| !text.is_empty()))
}
